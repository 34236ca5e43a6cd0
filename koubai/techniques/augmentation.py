"""Augmentation: the images of a minibatch changed at random, differently at every step, so that more images seem to be there.

A function takes images ``[sample, channel, height, width]`` as they were before standardizing (0 is black), ``noise`` ``[sample, draw]``
uniform in [0, 1), and its numbers, and gives new images of the same shape. What a label says must survive the change. Only training
sees it: images that are judged stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

Function = Callable[..., "Tensor"]


@dataclass
class Augmentation(Technique):
    """An augmentation and how many uniform ``draws`` it takes for an image."""

    draws: int = 1


AUGMENTATIONS: dict[str, Augmentation] = {}


def augmentation(
    name: str, *, formula: str, about: Words, source: str, draws: int, numbers: Mapping[str, Number] | None = None
) -> Callable[[Function], Augmentation]:
    """Register the function below as an augmentation."""

    def register(function: Function) -> Augmentation:
        AUGMENTATIONS[name] = Augmentation(function, name, about, formula, source, numbers or {}, draws)
        return AUGMENTATIONS[name]

    return register


@augmentation(
    "flip",
    formula=r"y_{c,i,j} = x_{c,\,i,\,W-1-j} \text{ if } u < p \text{ else } x_{c,i,j}",
    about=Words("Mirrors an image left to right with probability chance.", "画像を確率 chance で左右反転する。"),
    source="Krizhevsky et al. 2012 (AlexNet), section 4.1",
    draws=1,
    numbers={"chance": Number(0.5, "[0, 1]", Words("share of the images that are mirrored", "反転する画像の割合"))},
)
def flip(x: Tensor, noise: Tensor, *, chance: float) -> Tensor:
    """``y[c, i, j] = x[c, i, W - 1 - j]`` where ``u < chance``. Weakness: a mirrored 2 is no 2: not for digits, letters and signs."""
    return torch.where((noise[:, 0] < chance).view(-1, 1, 1, 1), x.flip(3), x)


@augmentation(
    "shift",
    formula=r"y_{c,i,j} = x_{c,\,i-a,\,j-b},\quad |a|, |b| \le \lfloor rS \rfloor",
    about=Words(
        "Moves an image by whole pixels up, down, left or right; the gaps become black (0).",
        "画像を上下左右に画素単位でずらす。空いたところは黒(0)になる。",
    ),
    source="Krizhevsky et al. 2012 (AlexNet), section 4.1; He et al. 2016, section 4.2 (pad and crop)",
    draws=2,
    numbers={"reach": Number(0.125, "[0, 1)", Words("farthest move, as a share of each side", "最大の移動量(各辺に対する割合)"))},
)
def shift(x: Tensor, noise: Tensor, *, reach: float) -> Tensor:
    """``y[c, i, j] = x[c, i - a, j - b]``, ``a`` and ``b`` whole, at most ``reach`` of a side. Weakness: what leaves the frame is lost."""
    sides = x.shape[2:]
    most = [int(reach * side) for side in sides]
    padded = torch.nn.functional.pad(x, (most[1], most[1], most[0], most[0]))
    windows = padded.unfold(2, sides[0], 1).unfold(3, sides[1], 1)  # [sample, channel, down, right, height, width], a view
    down, right = ((noise[:, k] * (2 * most[k] + 1)).long().clamp(max=2 * most[k]) for k in (0, 1))
    return windows[torch.arange(len(x), device=x.device), :, 2 * most[0] - down, 2 * most[1] - right]


@augmentation(
    "crop",
    formula=r"y_c(t) = x_c(q + s\,t),\quad s \sim U(m, 1),\quad q \sim U(0, 1 - s)",
    about=Words(
        "Cuts out a part of the image at random and magnifies it to the whole size.",
        "画像の一部をランダムに切り抜き、元の大きさに拡大する。",
    ),
    source="Szegedy et al. 2015 (GoogLeNet), section 6",
    draws=3,
    numbers={
        "least": Number(0.7, "(0, 1]", Words("smallest part, as a share of each side", "切り抜く最小の大きさ(各辺に対する割合)"))
    },
)
def crop(x: Tensor, noise: Tensor, *, least: float) -> Tensor:
    """``y(t) = x(q + s t)`` over sides from 0 to 1, bilinear. Weakness: it blurs, and may cut away what the label is about."""
    share = least + (1 - least) * noise[:, 0]
    how = torch.zeros(len(x), 2, 3, dtype=x.dtype, device=x.device)  # in a frame from -1 to 1, x before y
    how[:, 0, 0] = how[:, 1, 1] = share
    how[:, 0, 2], how[:, 1, 2] = ((2 * noise[:, k] - 1) * (1 - share) for k in (2, 1))
    grid = torch.nn.functional.affine_grid(how, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
