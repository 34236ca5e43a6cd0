"""Optimizers: how a gradient becomes a step. In order of increasing complexity.

An optimizer is called as ``function(blocks, t, rate, **numbers)`` and changes the weights in place. ``t`` counts steps from 1, a 0-d
float64 tensor. ``rate`` (the learning rate of this step) and every number are float64 tensors too, either 0-d or with one value a
trial, that broadcast against the weights of a block; arithmetic between them is exact enough for ``1 - beta**t``, and ``narrow``
brings the results to the weights' own type. A block's ``slots`` are the optimizer's memory, in the order in which it names them.

Beside each optimizer: the update rule, its symbols, its source and its known weakness. ``E`` is the loss, ``g = dE/dw``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words

if TYPE_CHECKING:
    from torch import Tensor


class Block(NamedTuple):
    """Weights that are updated together: a parameter of all trials ``[trial, ...]``, or many of them in one flat run.

    ``scratch`` has the weights' shape and may be overwritten. ``decays`` is false for biases, which are never penalized.
    """

    weight: Tensor
    gradient: Tensor
    slots: tuple[Tensor, ...]
    scratch: Tensor
    decays: bool


@dataclass
class Optimizer(Technique):
    """An optimizer and its memory: each slot's name and its start, a value or the name of a number."""

    slots: Mapping[str, float | str] = field(default_factory=dict)


OPTIMIZERS: dict[str, Optimizer] = {}


def optimizer(
    name: str,
    *,
    formula: str,
    about: Words,
    source: str = "",
    numbers: Mapping[str, Number] | None = None,
    slots: Mapping[str, float | str] | None = None,
) -> Callable[[Callable[..., None]], Optimizer]:
    """Register the function below as an optimizer; see the module for how it is called."""

    def register(function: Callable[..., None]) -> Optimizer:
        OPTIMIZERS[name] = Optimizer(function, name, about, formula, source, numbers or {}, slots or {})
        return OPTIMIZERS[name]

    return register


def narrow(blocks: Sequence[Block], *values: Tensor) -> list[Tensor]:
    """``values`` in the type of the weights."""
    return [value.to(blocks[0].weight.dtype) for value in values]


MU = Number(0.9, "[0, 1)", Words("share of the last step that is kept", "慣性。直前の更新量を残す割合"))
EPS = Number(1e-8, "(0, inf)", Words("keeps the division finite; the notes' theta", "0で割らないための小さな値。ノートのθ"))
H0 = Number("eps", "[0, inf)", Words("start of h: theta in the notes, 0 in PyTorch", "hの初期値。ノートではθ、PyTorchでは0"))
BETA1 = Number(0.9, "[0, 1)", Words("share of the gradient's average that is kept", "勾配の移動平均を残す割合"))
BETA2 = Number(0.999, "[0, 1)", Words("share of the squared gradient's average that is kept", "勾配の2乗の移動平均を残す割合"))


@optimizer(
    "sgd",
    formula=r"w \leftarrow w - \varepsilon g",
    about=Words("One step down the slope.", "勾配と逆の方向に一歩進む。"),
    source="notes, Section 1 (gradient descent)",
)
def sgd(blocks: Sequence[Block], t: Tensor, rate: Tensor) -> None:
    """``w -= rate g``. Weakness: zigzags in valleys that are much steeper across than along."""
    (r,) = narrow(blocks, rate)
    for w, g, _, _, _ in blocks:
        w.addcmul_(g, r, value=-1)


@optimizer(
    "momentum",
    formula=r"V_t = \mu V_{t-1} - \varepsilon g,\quad w \leftarrow w + V_t",
    about=Words("A heavy ball: keeps part of its last step.", "慣性を持つ更新。直前の更新量の一部を引き継ぐ。"),
    source="notes, Section 2 (momentum); Polyak 1964",
    numbers={"momentum": MU},
    slots={"velocity": 0.0},
)
def momentum(blocks: Sequence[Block], t: Tensor, rate: Tensor, *, momentum: Tensor) -> None:
    """``V = mu V - rate g``, ``w += V``. Weakness: overshoots where the slope turns."""
    mu, r = narrow(blocks, momentum, rate)
    for w, g, (v,), _, _ in blocks:
        v.mul_(mu).addcmul_(g, r, value=-1)
        w.add_(v)


@optimizer(
    "nesterov",
    formula=r"V_t = \mu V_{t-1} - \varepsilon g,\quad w \leftarrow w + \mu V_t - \varepsilon g",
    about=Words("Momentum that looks one step ahead.", "一歩先を見るモメンタム。"),
    source="Nesterov 1983; Sutskever et al. 2013, in the form of torch.optim.SGD(nesterov=True)",
    numbers={"momentum": MU},
    slots={"velocity": 0.0},
)
def nesterov(blocks: Sequence[Block], t: Tensor, rate: Tensor, *, momentum: Tensor) -> None:
    """``V = mu V - rate g``, ``w += mu V - rate g``. Weakness: as momentum's, later."""
    mu, r = narrow(blocks, momentum, rate)
    for w, g, (v,), _, _ in blocks:
        v.mul_(mu).addcmul_(g, r, value=-1)
        w.addcmul_(v, mu).addcmul_(g, r, value=-1)


@optimizer(
    "adagrad",
    formula=r"h_0 = \theta,\quad h_t = h_{t-1} + g^2,\quad w \leftarrow w - \varepsilon \frac{g}{\sqrt{h_t} + \theta}",
    about=Words(
        "A learning rate for each weight, smaller the more that weight has moved.", "重みごとの学習率。動いた重みほど小さくなる。"
    ),
    source="notes, Section 2 (AdaGrad); Duchi et al. 2011",
    numbers={"eps": EPS, "initial_accumulator": H0},
    slots={"h": "initial_accumulator"},
)
def adagrad(blocks: Sequence[Block], t: Tensor, rate: Tensor, *, eps: Tensor, initial_accumulator: Tensor) -> None:
    """``h += g^2``, ``w -= rate g / (sqrt(h) + eps)``. Weakness: ``h`` only grows, so it slows down for ever and stalls at saddles."""
    small, r = narrow(blocks, eps, rate)
    for w, g, (h,), scratch, _ in blocks:
        h.addcmul_(g, g)
        torch.sqrt(h, out=scratch).add_(small)
        w.addcmul_(torch.div(g, scratch, out=scratch), r, value=-1)


@optimizer(
    "rmsprop",
    formula=r"h_0 = \theta,\quad h_t = \alpha h_{t-1} + (1 - \alpha) g^2,\quad w \leftarrow w - \varepsilon \frac{g}{\sqrt{h_t} + \theta}",
    about=Words(
        "AdaGrad that forgets, so its learning rate does not shrink towards 0.",
        "過去を忘れるAdaGrad。学習率が0に近づき続けない。",
    ),
    source="notes, Section 2 (RMSProp); Hinton 2012",
    numbers={
        "alpha": Number(0.99, "[0, 1)", Words("share of h that is kept", "hを残す割合")),
        "eps": EPS,
        "initial_accumulator": H0,
    },
    slots={"h": "initial_accumulator"},
)
def rmsprop(blocks: Sequence[Block], t: Tensor, rate: Tensor, *, alpha: Tensor, eps: Tensor, initial_accumulator: Tensor) -> None:
    """``h = alpha h + (1 - alpha) g^2``, ``w -= rate g / (sqrt(h) + eps)``. Weakness: the first steps are large, as ``h`` starts small."""
    fresh, small, r = narrow(blocks, 1 - alpha, eps, rate)
    for w, g, (h,), scratch, _ in blocks:
        h.lerp_(torch.mul(g, g, out=scratch), fresh)
        torch.sqrt(h, out=scratch).add_(small)
        w.addcmul_(torch.div(g, scratch, out=scratch), r, value=-1)


@optimizer(
    "adam",
    formula=r"m_t = \beta_1 m_{t-1} + (1 - \beta_1) g,\quad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g^2,\quad "
    r"w \leftarrow w - \varepsilon \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}",
    about=Words(
        "Momentum's and RMSProp's averages together, bias corrected.",
        "モメンタムとRMSPropの移動平均を合わせ、偏りを補正したもの。",
    ),
    source="notes, Section 2 (Adam); Kingma and Ba 2014, arXiv:1412.6980",
    numbers={"beta1": BETA1, "beta2": BETA2, "eps": EPS},
    slots={"m": 0.0, "v": 0.0},
)
def adam(blocks: Sequence[Block], t: Tensor, rate: Tensor, *, beta1: Tensor, beta2: Tensor, eps: Tensor) -> None:
    """``w -= rate m_hat / (sqrt(v_hat) + eps)``, ``m_hat = m / (1 - beta1^t)``, ``v_hat = v / (1 - beta2^t)``.

    With ``c = sqrt(1 - beta2^t)`` that is ``rate c / (1 - beta1^t)`` times ``m / (sqrt(v) + eps c)``, which saves two passes.
    Weakness: an L2 penalty in the gradient is divided by ``sqrt(v)`` too; AdamW decays beside it.
    """
    shared = not any(number.dim() for number in (beta1, beta2, eps))
    if shared and blocks[0].weight.device.type == "cpu" and blocks[0].weight.dtype is torch.float32:
        library_adam(blocks, t, rate, float(beta1), float(beta2), float(eps))
        return
    c = (1 - beta2**t).sqrt()
    fresh1, fresh2, small, r = narrow(blocks, 1 - beta1, 1 - beta2, eps * c, rate * c / (1 - beta1**t))
    for w, g, (m, v), scratch, _ in blocks:
        m.lerp_(g, fresh1)
        v.lerp_(torch.mul(g, g, out=scratch), fresh2)
        torch.sqrt(v, out=scratch).add_(small)
        w.addcmul_(torch.div(m, scratch, out=scratch), r, value=-1)


def library_adam(blocks: Sequence[Block], t: Tensor, rate: Tensor, beta1: float, beta2: float, eps: float) -> None:
    """The same by the library's kernel, in one pass over memory where the formula takes seven: a quarter of the time.

    The kernel knows one rate. Where each trial has its own, it takes a step of rate 1 from 0, which is then stretched.
    For float32 alone: of float64 it takes the last few values with less than double precision (PyTorch 2.13).
    """
    weights, gradients, slots, scratches, _ = zip(*blocks, strict=True)
    m, v = zip(*slots, strict=True)
    steps = [t.float()] * len(blocks)
    own = rate.dim() > 0
    if own:
        torch._foreach_zero_(scratches)
    torch._fused_adam_(
        scratches if own else weights, gradients, m, v, [], steps, lr=1.0 if own else rate, beta1=beta1, beta2=beta2, eps=eps,
        weight_decay=0.0, amsgrad=False, maximize=False,
    )  # fmt: skip
    if own:
        (r,) = narrow(blocks, rate)
        for w, _, _, step, _ in blocks:
            w.addcmul_(step, r)


@optimizer(
    "adamw",
    formula=r"w \leftarrow (1 - \varepsilon\lambda) w,\quad \text{then Adam}",
    about=Words("Adam with weight decay beside the gradient, not in it.", "荷重減衰を勾配から切り離したAdam。"),
    source="Loshchilov and Hutter 2017, arXiv:1711.05101",
    numbers={
        "beta1": BETA1,
        "beta2": BETA2,
        "eps": EPS,
        "weight_decay": Number(
            0.01,
            "[0, inf)",
            Words(
                "lambda: share of each weight, times the learning rate, that is taken off at each step",
                "λ: 各ステップで減る重みの割合(学習率倍)",
            ),
        ),
    },
    slots={"m": 0.0, "v": 0.0},
)
def adamw(
    blocks: Sequence[Block], t: Tensor, rate: Tensor, *, beta1: Tensor, beta2: Tensor, eps: Tensor, weight_decay: Tensor
) -> None:
    """``w *= 1 - rate weight_decay`` for weights, not for biases; then Adam. Weakness: one number more to choose."""
    (rest,) = narrow(blocks, 1 - rate * weight_decay)
    for block in blocks:
        if block.decays:
            block.weight.mul_(rest)
    adam(blocks, t, rate, beta1=beta1, beta2=beta2, eps=eps)
