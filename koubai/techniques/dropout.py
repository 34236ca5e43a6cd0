"""Dropout: units that are left out at random while training.

The scaling convention is PyTorch's ("inverted"): what is kept is divided by the share kept, so the expected output is the input, and
nothing has to be scaled in evaluation. (Books in the notes' line multiply by the share kept in evaluation instead; the
two train alike up to the size of the learning rate.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Technique, Words

if TYPE_CHECKING:
    from torch import Tensor


def dropout(x: Tensor, noise: Tensor, rate: float | Tensor, y: Tensor, mask: Tensor) -> None:
    """``mask = (noise >= rate) / (1 - rate)``, ``y = x mask``, with ``noise`` uniform in [0, 1). Weakness: training takes more steps.

    The mask is of the values' type: a product of numbers and booleans takes four times as long.
    """
    torch.ge(noise, rate, out=mask)
    torch.mul(x, mask.mul_(1 / (1 - rate)), out=y)


def dropout_backward(dy: Tensor, mask: Tensor, dx: Tensor) -> None:
    """``dx = dy mask``."""
    torch.mul(dy, mask, out=dx)


DROPOUTS = {
    "dropout": Technique(
        dropout,
        "dropout",
        Words(
            "Leaves units out at random while training: many thinned networks in one.",
            "学習中にユニットをランダムに消す。異なる多数のモデルを学習させることに相当する。",
        ),
        r"y = \frac{x\,m}{1 - r},\quad m \sim \mathrm{Bernoulli}(1 - r)",
        "notes, Section 3 (dropout); Srivastava et al. 2014",
    )
}
