"""Pictures made of pixels, for convolution and pooling: a real digit and what becomes of it, in a terminal and as a plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from koubai.language import Words, say
from koubai.techniques import Technique

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from torch import Tensor

SHADES = " ░▒▓█"  # dark to bright, as a dark terminal shows them
GAP = 3  # letters between two maps
WIDTH = 78  # letters of a terminal's line
EDGES = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))  # Sobel's filter: bright where it gets darker to the right


@dataclass(frozen=True)
class Map:
    """A small picture ``[height, width]``; with ``counts`` its values are whole numbers to be read."""

    name: Words
    values: np.ndarray
    counts: bool = False


@dataclass(frozen=True)
class Maps:
    """Small pictures beside each other, and sentences on what they show."""

    title: Words
    maps: tuple[Map, ...]
    notes: tuple[Words, ...] = ()


@cache
def digit() -> Tensor:
    """A handwritten 0 of the built-in digits, ``[1, 1, 8, 8]``."""
    import torch

    from koubai.data.builtin import digits

    return torch.from_numpy(digits()[0][0]).view(1, 1, 8, 8)


def flat(x: Tensor) -> np.ndarray:
    """The one channel of the one image."""
    return x[0, 0].numpy()


def convolution(technique: Technique) -> Maps:
    """A digit, padded; an edge filter at work on it, at strides 1 and 2; and in how many windows each pixel stands."""
    import torch

    from koubai.techniques.convolution import overlaps
    from koubai.techniques.pooling import padded

    x, none = digit(), torch.zeros(1, dtype=torch.float64)
    weight = torch.tensor([[EDGES]], dtype=torch.float64)
    around = padded(x, 1, 0.0)
    maps = (
        Map(Words("image 8x8", "画像 8x8"), flat(x)),
        Map(Words("padding 1: 10x10", "パディング1: 10x10"), flat(around)),
        Map(Words("edge filter 3x3", "エッジ検出フィルタ 3x3"), np.array(EDGES), counts=True),
        Map(Words("filtered, padding 1: 8x8", "適用後、パディング1: 8x8"), flat(technique(x, weight, none, 1, 1))),
        Map(Words("no padding: 6x6", "パディングなし: 6x6"), flat(technique(x, weight, none))),
        Map(Words("padding 1, stride 2: 4x4", "パディング1、ストライド2: 4x4"), flat(technique(x, weight, none, 2, 1))),
        Map(Words("im2col windows per pixel", "im2colで各画素が入る領域の数"), flat(overlaps(x.shape, 3)), counts=True),
    )
    notes = (
        Words(
            "The filter's output is bright where the image gets darker to the right, dark where it gets brighter. Without padding the "
            "image shrinks, with stride 2 it halves.",
            "このフィルタの出力は、右へ暗くなる所で大きく、明るくなる所で小さい。パディングがないと画像は縮み、ストライド2では半分になる。",
        ),
        Words(
            "im2col copies a pixel into every 3x3 window that contains it (without padding: 1 to 9 of them), and col2im adds all of them "
            "up: col2im(im2col(x)) is x times these counts, and dividing by them gives x back.",
            "im2colは画素を、それが入る3x3の領域すべて(パディングなしで1〜9個)に写し、col2imはそれを足し合わせる。"
            "つまりcol2im(im2col(x))はxにこの数を掛けたもので、この数で割ればxに戻る。",
        ),
        Words(
            "A colour image has three channels (RGB): a filter then has three layers, one per channel, and their products are added up.",
            "カラー画像は3チャンネル(RGB)で、フィルタもチャンネルごとに1層、計3層になり、その積がすべて足し合わされる。",
        ),
    )
    return Maps(Words("An edge filter on a handwritten 0", "手書きの0に適用したエッジ検出フィルタ"), maps, notes)


def pooling(technique: Technique) -> Maps:
    """A digit, and what a window of 2x2 keeps of it, beside the same image moved by a pixel."""
    x = digit()
    moved = x.roll(1, 3)

    def kept(image: Tensor) -> np.ndarray:
        made = technique(image, 2)
        return flat(made[0] if isinstance(made, tuple) else made)

    maps = (
        Map(Words("image 8x8", "画像 8x8"), flat(x)),
        Map(Words(f"{technique.name} 2: 4x4", f"{technique.name} 2: 4x4"), kept(x)),
        Map(Words("shifted by one pixel", "1画素ずらした画像"), flat(moved)),
        Map(Words(f"{technique.name} 2", f"{technique.name} 2"), kept(moved)),
    )
    share = np.abs(kept(moved) - kept(x)).sum() / np.abs(kept(x)).sum()
    before = float((moved - x).abs().sum() / x.sum())
    note = Words(
        f"Each 2x2 window keeps one number. A shift by one pixel changes {before:.0%} of the image, and {share:.0%} of what is kept.",
        f"2x2の領域ごとに数を1つ残す。1画素のずれによる変化は、画像では{before:.0%}、残した値では{share:.0%}。",
    )
    return Maps(Words(f"{technique.name} of a handwritten 0", f"手書きの0に適用した {technique.name}"), maps, (note,))


def augmentation(technique: Technique) -> Maps:
    """A digit, and what it becomes at four steps of a training."""
    import torch

    from koubai.streams import generator

    x, draws = digit(), technique.draws  # type: ignore[attr-defined]
    noise = torch.rand(4, draws, dtype=x.dtype, generator=generator(0, "picture"))
    changed = technique(x.expand(4, -1, -1, -1), noise, **technique.defaults())
    steps = tuple(Map(Words(f"step {k}", f"ステップ {k}"), image[0].numpy()) for k, image in enumerate(changed, 1))
    note = Words(
        "Only training sees these; images used for evaluation stay as they are.", "学習だけで使い、評価する画像は変えない。"
    )
    return Maps(
        Words(f"{technique.name} of a handwritten 0", f"手書きの0に適用した {technique.name}"),
        (Map(Words("image 8x8", "画像 8x8"), flat(x)), *steps),
        (note,),
    )


def spelled(one: Map) -> list[str]:
    """A map in letters, two a pixel: shades, or the counts themselves."""
    if one.counts:
        return ["".join(f"{value:>3.0f}" for value in row) for row in one.values]
    low, high = float(one.values.min()), float(one.values.max())
    steps = ((one.values - low) / ((high - low) or 1) * (len(SHADES) - 1)).round().astype(int)
    return ["".join(SHADES[step] * 2 for step in row) for row in steps]


def as_text(drawn: Maps) -> str:
    """The maps in shades, as many beside each other as fit into ``WIDTH`` letters, and the sentences below."""
    from rich.cells import cell_len, set_cell_size

    lines = [say(drawn.title)]
    blocks: list[list[str]] = []
    for one in drawn.maps:
        rows = [say(one.name), *spelled(one)]
        blocks.append([set_cell_size(row, max(map(cell_len, rows))) for row in rows])
    while blocks:
        line = [blocks.pop(0)]
        while blocks and sum(cell_len(block[0]) + GAP for block in (*line, blocks[0])) <= WIDTH + GAP:
            line.append(blocks.pop(0))
        lines.append("")
        for k in range(max(map(len, line))):
            cells = [block[k] if k < len(block) else " " * cell_len(block[0]) for block in line]
            lines.append((" " * GAP).join(cells).rstrip())
    return "\n".join([*lines, "", *(row for words in drawn.notes for row in wrapped(say(words), WIDTH))])


def wrapped(text: str, width: int) -> Sequence[str]:
    """A sentence in lines of at most ``width`` letters' room; Japanese breaks anywhere."""
    from rich.console import Console
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(text).wrap(Console(width=width), width)]


def figure(drawn: Maps) -> Figure:
    """The maps in plotly, the sentences below, their texts in the language in force."""
    from koubai.report.style import SCALE, escaped, heat, panels, place

    columns = 4
    made = panels([say(one.name) for one in drawn.maps], columns, 230)
    for k, one in enumerate(drawn.maps):
        shades, letters = (SCALE, "%{z}") if one.counts else ("gray", "")
        heat(made, one.values, place(k, len(drawn.maps), columns), colorscale=shades, texttemplate=letters)
    text = "<br>".join(escaped(row) for words in drawn.notes for row in wrapped(say(words), 120))
    made.add_annotation(
        text=text, xref="paper", yref="paper", x=0, y=0, yanchor="top", yshift=-12, align="left", showarrow=False
    )  # fmt: skip
    title = {"text": escaped(say(drawn.title)), "font": {"size": 15}, "x": 0.01}
    return made.update_layout(title=title, margin={"b": 30 + 20 * (text.count("<br>") + 1)})
