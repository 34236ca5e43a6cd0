"""Penalties: what is added to the loss to keep weights small. Biases and normalization's parameters are never penalized.

A penalty is called as ``function(weights, gradients, **numbers)`` with lists of ``[trial, ...]`` tensors, one a layer, and adds its own
gradient to ``gradients``; numbers are floats or ``[trial, 1, 1]``. ``w`` stands for all weights of a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words, register

if TYPE_CHECKING:
    from torch import Tensor

    Value = float | Tensor

PENALTIES: dict[str, Technique] = {}
FAINT = -2000.0  # log2 of what is taken for 0: less than of any number, and still a number

STRENGTH = Number(0.01, "[0, inf)", Words("lambda: weight of the penalty in the loss", "λ: 損失に占める罰則の重み"))
penalty = partial(register, PENALTIES)


def beside(w: Tensor, number: Value) -> Tensor:
    """A number as a tensor of ``w``'s type, made where ``w`` lies: a GPU does not wait for the processor."""
    return number if isinstance(number, torch.Tensor) else w.new_full((), number)


@penalty("none", formula="0", about=Words("No penalty.", "正則化なし。"), source="baseline")
def none(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Nothing is added. Weakness: nothing holds the weights."""


@penalty(
    "l2",
    formula=r"\frac{\lambda}{2} \sum w^2",
    about=Words(
        "Weight decay: pulls every weight towards 0 by a share of itself.",
        "荷重減衰。すべての重みを大きさに比例して0に引き寄せる。",
    ),
    source="notes, Section 3 (L2, weight decay), in the practical form; torch.optim.SGD(weight_decay=...)",
    numbers={"strength": STRENGTH},
)
def l2(weights: Sequence[Tensor], gradients: Sequence[Tensor], *, strength: Value) -> None:
    """Gradient ``lambda w``. Weakness: makes weights small, hardly any of them 0."""
    for w, g in zip(weights, gradients, strict=True):
        g.addcmul_(w, beside(w, strength))


@penalty(
    "l1",
    formula=r"\lambda \sum |w|",
    about=Words(
        "Pulls every weight towards 0 by the same amount: many become 0.",
        "すべての重みを同じ強さで0に引き寄せる。多くが0になる。",
    ),
    source="notes, Section 3 (L1), in the practical form",
    numbers={"strength": STRENGTH},
)
def l1(weights: Sequence[Tensor], gradients: Sequence[Tensor], *, strength: Value) -> None:
    """Gradient ``lambda sign(w)``, 0 at 0.

    Weakness: a plain gradient step crosses 0 rather than stopping there, so weights hover around it.
    """
    for w, g in zip(weights, gradients, strict=True):
        g.addcmul_(w.sign(), beside(w, strength))


@penalty(
    "lp",
    formula=r"\frac{\lambda}{p} \|w\|_p,\quad \|w\|_p = \Big(\sum |w_i|^p\Big)^{1/p}",
    about=Words("The notes' general form: the p-norm of all weights together.", "ノートの一般形。全重みのpノルムを加える。"),
    source="notes, Section 3 (the Lp norm)",
    numbers={"strength": STRENGTH, "p": Number(2.0, "[1, inf)", Words("which norm", "ノルムの次数"))},
)
def lp(weights: Sequence[Tensor], gradients: Sequence[Tensor], *, strength: Value, p: Value) -> None:
    """Gradient ``(lambda / p) sign(w) (|w| / |w|_p)^(p - 1)``, 0 at 0. Weakness: its pull does not grow with the weights.

    Powers are taken as ``2^(p log2 |w|)``, in a quarter of ``pow``'s time, and of shares of the largest weight, which neither
    overflow nor vanish.
    """
    logs = [w.abs().log2_().clamp_min_(FAINT) for w in weights]
    top = torch.stack([log.amax((1, 2), keepdim=True) for log in logs]).amax(0)
    total = sum((log - top).mul_(p).exp2_().sum((1, 2), keepdim=True) for log in logs)
    norm = top + torch.log2(torch.as_tensor(total)) / p
    for w, g, log in zip(weights, gradients, logs, strict=True):
        g.addcmul_(log.sub_(norm).mul_(p - 1).exp2_().mul_(strength / p), w.sign())
