"""Losses: how wrong the outputs are, and the gradient that starts the way back.

Outputs are ``[trial, output, sample]``; the loss is a mean over the samples, one a trial, and is written into ``mean``. ``scratch``, of the
outputs' shape, is where the way back starts: the loss leaves there what its backward turns into the gradient. ``each``
``[trial, 1, sample]`` is left with the samples' own losses. What is to be predicted decides which loss it is: classes, or a quantity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

LOG2E = math.log2(math.e)


def cross_entropy(outputs: Tensor, labels: Tensor, scratch: Tensor, each: Tensor, mean: Tensor) -> Tensor:
    """``-log p[label]`` with ``p = softmax(outputs)``. Weakness: one label that is wrong may cost without end."""
    torch.log_softmax(outputs, 1, out=scratch)
    torch.gather(scratch, 1, labels, out=each)
    return torch.mean(each.neg_(), (1, 2), out=mean)


def cross_entropy_backward(labels: Tensor, scratch: Tensor, each: Tensor) -> None:
    """``(p - onehot) / samples``.

    ``p`` is ``2^(log p log2 e)``: PyTorch's ``exp`` is MKL's, which takes four times as long as its ``exp2`` on AMD's processors, and sixty
    times below 1e-38. What that rounds differently is ``|log2 p|`` times float32's smallest step at most.
    """
    scratch.mul_(LOG2E).exp2_().scatter_add_(1, labels, each.fill_(-1)).mul_(1 / scratch.shape[2])


def squared_error(outputs: Tensor, targets: Tensor, scratch: Tensor, each: Tensor, mean: Tensor) -> Tensor:
    """``(output - target)^2``. Weakness: a target far off counts by its square, and a few such decide everything."""
    torch.sub(outputs, targets, out=scratch)
    torch.mul(scratch, scratch, out=each)
    return torch.mean(each, (1, 2), out=mean)


def squared_error_backward(targets: Tensor, scratch: Tensor, each: Tensor) -> None:
    """``2 (output - target) / samples``."""
    scratch.mul_(2 / scratch.shape[2])


@dataclass
class Loss(Technique):
    """A loss with its backward."""

    backward: Callable[..., None] = field(kw_only=True)


LOSSES = {
    "cross_entropy": Loss(
        cross_entropy,
        "cross_entropy",
        Words(
            "For classes: how little of the probability goes to the right one, in nats.",
            "分類用。正解のクラスに割り当てた確率の小ささを測る(単位はnat)。",
        ),
        r"E = -\frac{1}{N}\sum_n \log p_{n,t_n},\quad p = \mathrm{softmax}(y)",
        "notes, practice code (softmax with loss); Bridle 1990",
        backward=cross_entropy_backward,
    ),
    "squared_error": Loss(
        squared_error,
        "squared_error",
        Words(
            "For a quantity: the mean square of the distance to the target, which is standardized for training.",
            "回帰用。目標値との差の2乗の平均。目標値は学習のときに標準化する。",
        ),
        r"E = \frac{1}{N}\sum_n (y_n - t_n)^2",
        "Gauss 1809; as torch.nn.MSELoss",
        backward=squared_error_backward,
    ),
}
