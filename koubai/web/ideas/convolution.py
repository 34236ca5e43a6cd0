"""Convolution, step by step: the window, im2col's row, one number of the output."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from nicegui import ui

from koubai.answers.sizes import worked
from koubai.language import Words, say
from koubai.report.maps import EDGES, flat
from koubai.store import Store
from koubai.techniques.convolution import CONVOLUTIONS, convolution, im2col, output_size
from koubai.techniques.pooling import padded
from koubai.web.controls import button, choice, setting, slider
from koubai.web.ideas.base import idea, technique
from koubai.web.ideas.grids import Grid, border, window
from koubai.web.shell import put

FILTERS = {
    "edges": (Words("Edges 3x3 (Sobel)", "エッジ 3x3(Sobel)"), EDGES),
    "mean2": (Words("Mean 2x2", "平均 2x2"), ((0.25, 0.25), (0.25, 0.25))),
    "lines": (Words("Lines 3x3 (Laplacian)", "線 3x3(ラプラシアン)"), ((0, 1, 0), (1, -4, 1), (0, 1, 0))),
    "mean5": (Words("Mean 5x5", "平均 5x5"), ((0.04,) * 5,) * 5),
    "same": (Words("1x1: the image itself", "1x1: 画像そのまま"), ((1,),)),
}
TICK = 0.5  # seconds between two places of a filter that slides
ROWS = 9  # of im2col's matrix that are shown at once


def images() -> dict[str, Words]:
    """What can be convolved: a small ramp, and one of each handwritten digit."""
    return {"ramp": Words("6x6, 1 to 36", "6x6(1から36)")} | {
        str(k): Words(f"digit {k}, 8x8", f"数字 {k}、8x8") for k in range(10)
    }


def image(name: str) -> torch.Tensor:
    """One of ``images`` as ``[1, 1, height, width]``."""
    if name == "ramp":
        return torch.arange(1.0, 37.0, dtype=torch.float64).view(1, 1, 6, 6)
    from koubai.data.builtin import digits

    x, y = digits()
    return torch.from_numpy(x[np.flatnonzero(y == int(name))[0]]).double().view(1, 1, 8, 8)


@idea(
    "convolution",
    Words("Section 4: CNN", "Section4 CNN"),
    Words("Convolution, step by step", "畳み込みを1ステップずつ"),
    Words(
        "The filter slides over the image. Each position is one row of im2col's matrix and one number of the output.",
        "フィルタが画像の上を滑る。位置ごとに、im2colの行列の1行と、出力の1つの数が対応する。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(image="ramp", filter="edges", stride=1, padding=1, step=0, timer=None)
    steps, filters = 1, {name: words for name, (words, _) in FILTERS.items()}

    def arrange() -> None:
        nonlocal steps
        state.step = 0
        size, filter = image(state.image).shape[2], len(FILTERS[state.filter][1])
        steps = output_size(size, filter, state.stride, state.padding) ** 2
        sized.text = say(worked(size, filter, state.stride, state.padding))
        place.clear()
        with place:
            state.move = slider(
                Words("Position of the filter", "フィルタの位置"), 1, steps, 1, 1, at, lambda v: f"{v:g} / {steps}"
            )
        show()

    def at(value: float) -> None:
        state.step = int(value) - 1
        show()

    def show() -> None:
        x, weight = image(state.image), torch.tensor([[FILTERS[state.filter][1]]], dtype=torch.float64)
        side, stride, padding, size = weight.shape[2], state.stride, state.padding, x.shape[2]
        y = flat(convolution(x, weight, torch.zeros(1, dtype=torch.float64), stride, padding))
        i, j = divmod(state.step, y.shape[1])
        under = window(i * stride, j * stride, side, side)
        around = flat(padded(x, padding, 0.0))
        input_.show(
            Words(f"Image, padding {padding}: {_by(around)}", f"画像、パディング{padding}: {_by(around)}"),
            around, lit=under, pale=border(size, size, padding),
        )  # fmt: skip
        filter_.show(Words(f"Filter: {_by(flat(weight))}", f"フィルタ: {_by(flat(weight))}"), flat(weight))
        so_far = np.where(np.arange(y.size).reshape(y.shape) <= state.step, y, np.nan)
        output.show(Words(f"Output: {_by(y)}", f"出力: {_by(y)}"), so_far, marked={(i, j)})
        columns = im2col(x, side, stride, padding).numpy()
        first = min(max(state.step - ROWS // 2, 0), max(len(columns) - ROWS, 0))
        shown = columns[first : first + ROWS]
        matrix.show(
            Words(f"im2col: {_by(columns)}, one row per position", f"im2col: {_by(columns)}(1行が1つの位置)"),
            shown,
            lit={(state.step - first, k) for k in range(columns.shape[1])},
            heads=[str(first + k + 1) for k in range(len(shown))],
        )
        product.text = f"y[{i}, {j}] = {_product(columns[state.step], flat(weight).ravel())} = {y[i, j]:.4g}"

    def tick() -> None:
        state.step = (state.step + 1) % steps
        state.move(state.step + 1)
        show()

    def slide() -> None:
        if state.timer:
            state.timer.cancel()
        state.timer = None if state.timer else ui.timer(TICK, tick)
        slides.text = say(STOP if state.timer else SLIDE)

    sets = partial(setting, state, arrange)
    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Image", "画像"), images(), state.image, sets("image"))
            choice(Words("Filter", "フィルタ"), filters, state.filter, sets("filter"))
            slider(Words("Stride", "ストライド"), 1, 3, 1, state.stride, sets("stride", int))
            slider(Words("Padding", "パディング"), 0, 3, 1, state.padding, sets("padding", int))
            place = put("div")
            slides = button(SLIDE, slide, "main")
        with put("div"):
            sized = put("p", classes="formula", aria_live="polite")
            with put("div", classes="grids"):
                input_, filter_, output = Grid(), Grid(), Grid()
            product = put("p", classes="working", aria_live="polite")
            matrix = Grid()
            technique(CONVOLUTIONS["conv"])
    arrange()


SLIDE, STOP = Words("Slide", "滑らせる"), Words("Stop", "止める")


def _product(row: np.ndarray, weights: np.ndarray) -> str:
    """The terms of a row of im2col times the filter's weights that are not 0."""
    factors = [(v, w) for v, w in zip(row, weights, strict=True) if v and w]
    return " + ".join(f"{v:.3g}·{w:.3g}" if w > 0 else f"{v:.3g}·({w:.3g})" for v, w in factors) or "0"


def _by(values: np.ndarray) -> str:
    return "x".join(map(str, values.shape))
