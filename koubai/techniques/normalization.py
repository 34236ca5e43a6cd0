"""Batch normalization: each unit's sums, brought to mean 0 and variance 1 over the minibatch, then scaled and shifted.

Its functions work on ``[trial, feature, sample]``; scale ``gamma`` and shift ``beta`` are ``[trial, feature, 1]``,
learned, and never penalized. Below it AlexNet's local response normalization, on images, where nothing is learned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

EPS = 1e-5  # under the square root; PyTorch's default
MOMENTUM = 0.1  # share of the new batch in the running statistics; PyTorch's default


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``y = gamma (x - mean) / sqrt(var + eps) + beta``; the mean, the variance and ``1 / sqrt(var + eps)``.

    Mean and (biased) variance are over the samples of the minibatch. Weakness: with few samples a batch they are mostly noise.
    """
    mean = x.mean(2, keepdim=True)
    torch.sub(x, mean, out=y)
    variance = torch.linalg.vector_norm(y, dim=2, keepdim=True).square_().div_(x.shape[2])
    inverse = (variance + EPS).rsqrt_()
    # addcmul, in one pass, takes three times as long where its first operand is not as long as the rest
    y.mul_(gamma * inverse).add_(beta)
    return mean, variance, inverse


def batch_norm_backward(
    dy: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse: Tensor, dx: Tensor | None, d_gamma: Tensor, d_beta: Tensor
) -> None:
    """``d_beta = sum dy``, ``d_gamma = sum dy n``, ``dx = gamma / sqrt(var + eps) (dy - mean(dy) - n mean(dy n))``.

    ``n = (x - mean) / sqrt(var + eps)`` is what was scaled and shifted. By the library's kernel, a trial's feature as its channel: it goes
    over a feature's samples while they are in the cache, in half the time of the formula's passes.
    """
    flat = (1, -1, dy.shape[2])
    gradients = torch.ops.aten.native_batch_norm_backward(
        dy.reshape(flat), x.reshape(flat), gamma.flatten(), None, None, mean.flatten(), inverse.flatten(), True, EPS,
        [dx is not None, True, True],
    )  # fmt: skip
    for into, gradient in zip((dx, d_gamma, d_beta), gradients, strict=True):
        if into is not None:
            into.copy_(gradient.view_as(into))


def running(mean: Tensor, variance: Tensor, running_mean: Tensor, running_variance: Tensor, samples: int) -> None:
    """Move the running statistics towards a minibatch's; the variance without bias, as PyTorch keeps it."""
    running_mean.lerp_(mean, MOMENTUM)
    running_variance.lerp_(variance * (samples / max(samples - 1, 1)), MOMENTUM)


def batch_norm_evaluated(
    x: Tensor, gamma: Tensor, beta: Tensor, running_mean: Tensor, running_variance: Tensor, y: Tensor
) -> None:
    """``y = gamma (x - running mean) / sqrt(running variance + eps) + beta``: one sample no longer depends on the others."""
    scale = gamma * (running_variance + EPS).rsqrt()
    torch.mul(x, scale, out=y).add_(beta - running_mean * scale)


def channel_sum(x: Tensor, size: int, backward: bool = False) -> Tensor:
    """The sum over the ``size`` channels around each one, ``x`` ``[..., channel, height, width]``; ``backward`` mirrors the window."""
    before, after = size // 2, (size - 1) // 2
    if backward:
        before, after = after, before
    return torch.nn.functional.pad(x, (0, 0, 0, 0, before, after)).unfold(-3, size, 1).sum(-1)


def local_response_norm(x: Tensor, *, size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75) -> Tensor:
    """``y_c = x_c / (k + alpha sum x_j^2)^beta`` over the ``size`` channels around ``c``; ``x`` ``[..., channel, height, width]``.

    ``alpha`` is the paper's; ``torch.nn.LocalResponseNorm`` takes ``size`` times that. Weakness: costs passes over the largest values of a
    network and, later networks found, gains next to nothing.
    """
    return x * (k + alpha * channel_sum(x * x, size)) ** -beta


def local_response_norm_backward(
    dy: Tensor, x: Tensor, *, size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Tensor:
    """``dx_c = dy_c / D_c^beta - 2 alpha beta x_c sum dy_j x_j / D_j^(beta + 1)`` with ``D = k + alpha sum x^2``."""
    d = k + alpha * channel_sum(x * x, size)
    shared = channel_sum(dy * x * d ** (-beta - 1), size, backward=True)
    return dy * d**-beta - 2 * alpha * beta * x * shared


NORMALIZATIONS = {
    "batch_norm": Technique(
        batch_norm,
        "batch_norm",
        Words(
            "Each unit at mean 0 and variance 1 over the minibatch, before or after the activation.",
            "ミニバッチごとに各ユニットを平均0・分散1にそろえる。活性化の前か後に置く。",
        ),
        r"y = \gamma \frac{x - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}} + \beta",
        "notes, Section 1 (batch normalization); Ioffe and Szegedy 2015, arXiv:1502.03167",
    ),
    "lrn": Technique(
        local_response_norm,
        "lrn",
        Words(
            "AlexNet's local response normalization: a channel is held down by its neighbours at the same pixel.",
            "AlexNetの局所応答正規化。同じ位置の隣り合うチャンネルどうしで抑え合う。",
        ),
        r"y_c = x_c \Big/ \Big(k + \alpha \sum_{|j - c| \le n/2} x_j^2\Big)^{\beta}",
        "Krizhevsky et al. 2012 (AlexNet), section 3.3",
        {
            "size": Number(5, "[1, inf)", Words("channels in the window", "範囲のチャンネル数"), whole=True),
            "k": Number(2.0, "(0, inf)", Words("what the sum is added to", "和に加える定数")),
            "alpha": Number(1e-4, "[0, inf)", Words("weight of the neighbours", "隣の影響の強さ")),
            "beta": Number(0.75, "[0, inf)", Words("power", "べき指数")),
        },
    ),
}
