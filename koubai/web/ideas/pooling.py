"""Pooling, step by step: a window leaves one number."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
from torch import Tensor

from koubai.answers.sizes import worked
from koubai.language import Words, say
from koubai.report.maps import flat
from koubai.store import Store
from koubai.techniques import Technique
from koubai.techniques.pooling import POOLINGS
from koubai.web.controls import check, choice, setting, slider
from koubai.web.ideas.base import About, idea
from koubai.web.ideas.convolution import image, images
from koubai.web.ideas.grids import Grid, window
from koubai.web.shell import put


@idea(
    "pooling",
    Words("Section 4: CNN", "Section4 CNN"),
    Words("Pooling", "プーリング"),
    Words(
        "Each window keeps one number, its largest or its mean. Shift the image by a pixel: what is kept changes little.",
        "領域ごとに、最大値か平均値の1つだけを残す。画像を1画素ずらしても、残した値はあまり変わらない。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(image="0", kind="maxpool", window=2, stride=2, step=0, moved=False)

    def arrange() -> None:
        state.step = 0
        about.show(POOLINGS[state.kind])
        x = image(state.image)
        sized.text = say(worked(x.shape[2], state.window, state.stride, 0))
        count = kept(POOLINGS[state.kind], x, state.window, state.stride).size
        place.clear()
        with place:
            slider(Words("Position of the window", "領域の位置"), 1, count, 1, 1, at, lambda value: f"{value:g} / {count}")
        show()

    def at(value: float) -> None:
        state.step = int(value) - 1
        show()

    def show() -> None:
        x = image(state.image)
        before = kept(POOLINGS[state.kind], x, state.window, state.stride)
        if state.moved:
            x = x.roll(1, 3)
        y = kept(POOLINGS[state.kind], x, state.window, state.stride)
        i, j = divmod(state.step, y.shape[1])
        under = window(i * state.stride, j * state.stride, state.window, state.window)
        pixels = flat(x)
        largest = {cell for cell in under if state.kind == "maxpool" and pixels[cell] == y[i, j]}
        input_.show(Words("Image", "画像"), pixels, lit=under, marked=largest)
        output.show(POOLINGS[state.kind].name, y, marked={(i, j)})
        change = np.abs(y - before).sum() / max(np.abs(before).sum(), 1e-12)
        shifted.text = say(
            Words(f"The shift changes {change:.0%} of what is kept.", f"画像をずらすと、残した値の {change:.0%} が変わる。")
        )
        shifted.set_visibility(state.moved)

    sets = partial(setting, state, arrange)
    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Image", "画像"), images(), state.image, sets("image"))
            choice(Words("What is kept", "残す値"), list(POOLINGS), state.kind, sets("kind"))
            slider(Words("Window size", "領域の大きさ"), 1, 4, 1, state.window, sets("window", int))
            slider(Words("Stride", "ストライド"), 1, 4, 1, state.stride, sets("stride", int))
            check(Words("Shift the image by a pixel", "画像を1画素ずらす"), state.moved, sets("moved"))
            place = put("div")
        with put("div"):
            sized = put("p", classes="formula", aria_live="polite")
            with put("div", classes="grids"):
                input_, output = Grid(), Grid()
            shifted = put("p")
            about = About()
    arrange()


def kept(pool: Technique, x: Tensor, side: int, stride: int) -> np.ndarray:
    """What a pooling leaves of an image."""
    made = pool(x, side, stride)
    return flat(made[0] if isinstance(made, tuple) else made)
