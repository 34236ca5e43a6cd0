r"""Activation functions: what a layer does to its sums, and what that does to the gradient on its way down.

A function is called as ``function(x, y, **numbers)`` and writes into ``y``; its backward, written beside it, is called
as ``backward(dy, x, y, dx, **numbers)`` and writes ``dx = f'(x) * dy``. Both work in any shape; a number is a float or a
tensor that broadcasts (one value a trial). Where ``needs`` is ``"output"`` the derivative can be had from ``y`` alone, so
``y`` may be the same memory as ``x``, and ``dx`` the same as ``dy``: the layer then runs in place.

An activation of your own is a plain function of ``x`` that returns ``y``; without a backward it trains through autograd::

    @activation("swish", formula=r"x\,\sigma(x)", about=Words("Smooth ReLU.", "滑らかなReLU。"))
    def swish(x):
        return x * x.sigmoid()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

    Value = float | Tensor


@dataclass
class Activation(Technique):
    """An activation function, its backward and its range (``None`` where it has no bound).

    ``module`` is its class in ``torch.nn``, which takes the same numbers by the same names.
    """

    module: str = ""
    derivative: str = ""
    bounds: tuple[float | None, float | None] = (None, None)
    needs: Literal["input", "output"] = "input"
    backward_function: Callable[..., None] | None = None

    def backward(self, function: Callable[..., None]) -> Callable[..., None]:
        """Decorator: the function below is this activation's backward."""
        self.backward_function = function
        return function


ACTIVATIONS: dict[str, Activation] = {}


def activation(
    name: str,
    *,
    formula: str,
    about: Words,
    source: str = "",
    module: str = "",
    derivative: str = "",
    bounds: tuple[float | None, float | None] = (None, None),
    needs: Literal["input", "output"] = "input",
    numbers: Mapping[str, Number] | None = None,
) -> Callable[[Callable[..., object]], Activation]:
    """Register the function below as an activation; see the module for how it is called."""

    def register(function: Callable[..., object]) -> Activation:
        technique = Activation(function, name, about, formula, source, numbers or {}, module, derivative, bounds, needs)
        ACTIVATIONS[name] = technique
        return technique

    return register


@activation(
    "identity",
    module="Identity",
    formula="x",
    derivative="1",
    needs="output",
    about=Words("No activation: a stack of such layers is one linear map.", "活性化なし。層を重ねても一つの線形写像になる。"),
    source="baseline",
)
def identity(x: Tensor, y: Tensor) -> None:
    """``f(x) = x``. Weakness: depth adds nothing."""
    if y is not x:
        y.copy_(x)


@identity.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    if dx is not dy:
        dx.copy_(dy)


@activation(
    "sigmoid",
    module="Sigmoid",
    formula=r"\frac{1}{1 + e^{-x}}",
    derivative=r"f(1 - f) \le 0.25",
    bounds=(0, 1),
    needs="output",
    about=Words(
        "Squeezes sums into 0..1; each layer passes at most a quarter of the gradient.",
        "出力を0〜1に収める。1層ごとに勾配は最大でも4分の1になる。",
    ),
    source="notes, Section 1 (sigmoid)",
)
def sigmoid(x: Tensor, y: Tensor) -> None:
    """``f(x) = 1 / (1 + exp(-x))``, ``f' = f (1 - f)``, at most 0.25, at 0.

    Weakness: far from 0 the derivative vanishes, and even at 0 a chain of them does (0.25, 0.0625, ...).
    """
    torch.sigmoid(x, out=y)


@sigmoid.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    torch.ops.aten.sigmoid_backward.grad_input(dy, y, grad_input=dx)


@activation(
    "tanh",
    module="Tanh",
    formula=r"\tanh x",
    derivative=r"1 - f^2 \le 1",
    bounds=(-1, 1),
    needs="output",
    about=Words("Like the sigmoid but centred on 0, with a slope of up to 1.", "シグモイドに似るが0を中心とし、傾きは最大1。"),
    source="notes, Section 1 (Xavier's initial weights)",
)
def tanh(x: Tensor, y: Tensor) -> None:
    """``f(x) = tanh x``, ``f' = 1 - f^2``, at most 1, at 0. Weakness: saturates on both sides."""
    torch.tanh(x, out=y)


@tanh.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    torch.ops.aten.tanh_backward.grad_input(dy, y, grad_input=dx)


@activation(
    "relu",
    module="ReLU",
    formula=r"\max(0, x)",
    derivative=r"1 \text{ if } x > 0 \text{ else } 0",
    bounds=(0, None),
    needs="output",
    about=Words(
        "Passes positive sums unchanged and the gradient with them; zeros make activations sparse.",
        "正の値をそのまま通し、勾配も減らさない。0が多くなり、スパースになる。",
    ),
    source="notes, Section 1 (ReLU)",
)
def relu(x: Tensor, y: Tensor) -> None:
    """``f(x) = max(0, x)``, ``f' = 1`` for ``x > 0`` and 0 elsewhere, at 0 too. Weakness: a unit that is never positive is dead."""
    torch.clamp_min(x, 0, out=y)


@relu.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    torch.ops.aten.threshold_backward.grad_input(dy, y, 0, grad_input=dx)


@activation(
    "leaky_relu",
    module="LeakyReLU",
    formula=r"\max(\alpha x, x)",
    derivative=r"1 \text{ if } x > 0 \text{ else } \alpha",
    numbers={"negative_slope": Number(0.01, "[0, 1]", Words("slope below 0", "負の側の傾き"))},
    about=Words("ReLU with a small slope below 0, so no unit dies.", "負の側にも小さな傾きを持つReLU。ユニットが死なない。"),
    source="Maas et al. 2013",
)
def leaky_relu(x: Tensor, y: Tensor, *, negative_slope: Value = 0.01) -> None:
    """``f(x) = max(negative_slope x, x)``. Weakness: activations are no longer sparse."""
    torch.mul(x, negative_slope, out=y)
    torch.maximum(x, y, out=y)


@leaky_relu.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor, *, negative_slope: Value = 0.01) -> None:
    torch.where(x > 0, dy, dy * negative_slope, out=dx)


@activation(
    "elu",
    module="ELU",
    formula=r"x \text{ if } x > 0 \text{ else } \alpha(e^x - 1)",
    derivative=r"1 \text{ if } x > 0 \text{ else } \alpha e^x",
    numbers={"alpha": Number(1.0, "[0, inf)", Words("bound below 0", "負の側の下限"))},
    about=Words("Smooth below 0, with a mean nearer to 0 than ReLU's.", "負の側が滑らかで、平均がReLUより0に近い。"),
    source="Clevert et al. 2015, arXiv:1511.07289",
)
def elu(x: Tensor, y: Tensor, *, alpha: Value = 1.0) -> None:
    """``f(x) = x`` for ``x > 0``, ``alpha (exp(x) - 1)`` elsewhere. Weakness: an exponential a unit; saturates below 0."""
    torch.where(x > 0, x, torch.expm1(x.clamp_max(0)) * alpha, out=y)


@elu.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor, *, alpha: Value = 1.0) -> None:
    torch.where(x > 0, dy, dy * (y + alpha), out=dx)


@activation(
    "gelu",
    module="GELU",
    formula=r"x\,\Phi(x)",
    derivative=r"\Phi(x) + x\,\varphi(x)",
    about=Words(
        "x times the normal distribution's share below x; the usual choice in transformers.",
        "xに正規分布の累積確率を掛ける。Transformerの定番。",
    ),
    source="Hendrycks and Gimpel 2016, arXiv:1606.08415",
)
def gelu(x: Tensor, y: Tensor) -> None:
    """``f(x) = x Phi(x)``, ``Phi`` the standard normal's distribution function. Weakness: not monotone below 0."""
    torch.ops.aten.gelu.out(x, out=y)


@gelu.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    torch.ops.aten.gelu_backward.grad_input(dy, x, grad_input=dx)


@activation(
    "softplus",
    module="Softplus",
    formula=r"\log(1 + e^x)",
    derivative=r"\sigma(x)",
    bounds=(0, None),
    about=Words("A smooth ReLU whose slope is the sigmoid.", "滑らかなReLU。傾きはシグモイド。"),
    source="Dugas et al. 2000",
)
def softplus(x: Tensor, y: Tensor) -> None:
    """``f(x) = log(1 + exp(x))``, ``f' = sigmoid(x)``. Weakness: never zero, so never sparse."""
    torch.ops.aten.softplus.out(x, out=y)


@softplus.backward
def _(dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> None:
    torch.mul(dy, torch.sigmoid(x), out=dx)
