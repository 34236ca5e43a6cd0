"""Gradient clipping: a gradient that is too long is shortened before the optimizer sees it, its direction kept.

Works on lists of gradients ``[trial, ...]``, one a parameter, in place; ``g`` stands for all gradients of a network in one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

SAFE = 1e-12  # a norm from here to its inverse has squares that float32 holds, but for those too small to count
FEW = 2**12  # values of a trial, which are summed in float64 as fast as they are looked at
EPS = 1e-6  # beside the norm that is divided by; PyTorch's


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of each trial's part of ``x`` ``[trial, ...]``, float64 ``[trial]``, however small or large it is."""
    return norms([x]).squeeze(1)


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """``norm`` of several, ``[trial, tensor]``.

    Where they are large, float32 is summed along its rows as it is, in a fifth of the time, and over the rows in float64; a trial whose
    squares are of a size that leaves float32's range is summed in float64 throughout.
    """
    # on other devices a look at the sizes would make them wait
    plain = any(x.dtype is not torch.float32 or x.dim() < 3 or x.device.type != "cpu" for x in tensors)
    if plain or all(x[0].numel() <= FEW for x in tensors):
        return _in_float64(tensors)
    found = _in_float64([torch.linalg.vector_norm(x.flatten(2), dim=2) for x in tensors])
    safe = (found > SAFE) & (found < 1 / SAFE)
    return found if safe.all() else torch.where(safe, found, _in_float64(tensors))


def _in_float64(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([torch.linalg.vector_norm(x.flatten(1), dim=1, dtype=torch.float64) for x in tensors], 1)


def clip_grad_norm(gradients: Sequence[Tensor], max_norm: float | Tensor) -> None:
    """``g <- g c / |g|`` where ``|g| > c``, with ``c`` in ``max_norm``, a float or float64 ``[trial]``; other trials stay bit for bit.

    Weakness: where most steps are clipped, ``c`` takes the place of the learning rate.
    """
    whole = norm(_in_float64(gradients))  # whatever their size, with no look at it in a step
    share = torch.where(whole > max_norm, max_norm / (whole + EPS), 1.0).to(gradients[0].dtype)
    for g in gradients:
        g.mul_(share.view(-1, *[1] * (g.dim() - 1)))


CLIPPINGS = {
    "clip_grad_norm": Technique(
        clip_grad_norm,
        "clip_grad_norm",
        Words(
            "Shortens the gradient of a whole network to a given norm where it is longer; its direction stays.",
            "ネットワーク全体の勾配のノルムが上限を超えたら、向きを変えずに上限まで縮める。",
        ),
        r"g \leftarrow g \, \min\!\Big(1, \frac{c}{\|g\|_2}\Big)",
        "Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063; as torch.nn.utils.clip_grad_norm_",
    )
}
