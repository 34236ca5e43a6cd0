"""Initial weights: how large the first numbers are decides whether signals and gradients live through the layers.

An initializer is called as ``function(normal, fan_in, fan_out, **numbers)`` with standard normal draws of a weight's shape
``[out, in]`` (``[out, in, height, width]`` for a convolution) and returns the weight. All of them start from the same draws, so
two trials of one seed differ by the formula alone. Biases start at 0.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words, register

if TYPE_CHECKING:
    from torch import Tensor

INITIALIZERS: dict[str, Technique] = {}
initializer = partial(register, INITIALIZERS)


@initializer(
    "zeros",
    formula="0",
    about=Words(
        "All weights 0: every unit of a layer stays equal, nothing is learned.",
        "すべて0。層の中のユニットが等しいままで、学習が進まない。",
    ),
    source="notes, review question 3",
)
def zeros(normal: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """``W = 0``. Weakness: no gradient passes a weight of 0, and equal units stay equal."""
    return torch.zeros_like(normal)


@initializer(
    "constant",
    formula="c",
    numbers={"value": Number(0.1, about=Words("the value of every weight", "すべての重みの値"))},
    about=Words(
        "All weights equal: units of a layer cannot become different.", "すべて同じ値。層の中のユニットが同じ動きをする。"
    ),
    source="notes, review question 3",
)
def constant(normal: Tensor, fan_in: int, fan_out: int, *, value: float = 0.1) -> Tensor:
    """``W = c``. Weakness: a layer of equal units is one unit."""
    return torch.full_like(normal, value)


@initializer(
    "normal",
    formula=r"\sigma\,\mathcal{N}(0, 1)",
    numbers={"std": Number(0.01, "[0, inf)", Words("standard deviation", "標準偏差"))},
    about=Words(
        "Normal draws with one fixed standard deviation, whatever the layer's width.", "層の幅によらず一定の標準偏差の正規乱数。"
    ),
    source="notes, Section 1 and the first exercise",
)
def normal(normal: Tensor, fan_in: int, fan_out: int, *, std: float = 0.01) -> Tensor:
    """``W = std * randn``. Weakness: too small and signals fade, too large and units saturate; the right size depends on the width."""
    return normal * std


@initializer(
    "xavier",
    formula=r"\mathcal{N}(0, 1) / \sqrt{n_{in}}",
    about=Words(
        "Keeps the spread of signals from layer to layer where a function's slope at 0 is 1, as tanh's; the sigmoid's is a quarter.",
        "0での傾きが1の関数(tanhなど)で、層を越えて信号の広がりを保つ。シグモイドの傾きは4分の1。",
    ),
    source="notes, Section 1 (Xavier); Glorot and Bengio 2010, in the notes' form",
)
def xavier(normal: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """``W = randn / sqrt(n_in)``. Weakness: under ReLU, which drops half of each signal, it fades by sqrt(2) a layer."""
    return normal / math.sqrt(fan_in)


@initializer(
    "glorot",
    formula=r"\mathcal{N}(0, 1)\,\sqrt{2 / (n_{in} + n_{out})}",
    about=Words(
        "Xavier's weights as published: a compromise between forward and backward signals.",
        "論文どおりのXavier。順伝播と逆伝播の折衷。",
    ),
    source="Glorot and Bengio 2010; torch.nn.init.xavier_normal_",
)
def glorot(normal: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """``W = randn * sqrt(2 / (n_in + n_out))``. Weakness: made for functions that are linear around 0."""
    return normal * math.sqrt(2 / (fan_in + fan_out))


@initializer(
    "he",
    formula=r"\mathcal{N}(0, 1)\,\sqrt{2 / n_{in}}",
    about=Words("Xavier times sqrt(2): makes up for the half that ReLU cuts off.", "Xavierの√2倍。ReLUが捨てる半分を補う。"),
    source="notes, Section 1 (He); He et al. 2015, arXiv:1502.01852",
)
def he(normal: Tensor, fan_in: int, fan_out: int) -> Tensor:
    """``W = randn * sqrt(2 / n_in)``. Weakness: a little too large for tanh, which then saturates."""
    return normal * math.sqrt(2 / fan_in)


@initializer(
    "orthogonal",
    formula=r"g\,Q,\quad Q^\top Q = I",
    numbers={"gain": Number(1.0, "[0, inf)", Words("factor on every singular value", "特異値にかける倍率"))},
    about=Words("An orthogonal matrix: no direction of the signal grows or fades.", "直交行列。信号のどの方向も増減しない。"),
    source="Saxe et al. 2013, arXiv:1312.6120",
)
def orthogonal(normal: Tensor, fan_in: int, fan_out: int, *, gain: float = 1.0) -> Tensor:
    """``W = gain * Q`` with orthonormal rows or columns, from the QR decomposition of the draws. Weakness: one decomposition a layer."""
    rows = normal.reshape(len(normal), -1)
    tall = rows if rows.shape[0] >= rows.shape[1] else rows.T
    q, r = torch.linalg.qr(tall)
    q = q * r.diagonal().sign()  # the decomposition is unique, and uniform over rotations, once r's diagonal is positive
    return (q if tall is rows else q.T).reshape(normal.shape) * gain
