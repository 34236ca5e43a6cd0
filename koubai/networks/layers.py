"""Layers of all networks of a stack at once, each with its forward and its backward side by side: the chain rule written down.

Values lie ``[trial, feature, sample]``, samples last, so that a bias, a softmax and batch statistics run along long rows.
``x`` is a layer's input, ``y`` its output, ``dx`` and ``dy`` the loss's gradients by them. Buffers come from outside and
are written in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from koubai.techniques.activations import Activation as Technique


@dataclass
class Parameter:
    """A learned tensor of one layer: its shape in one trial, whether penalties act on it, and its views ``[trial, *shape]``."""

    name: str
    shape: tuple[int, ...]
    decays: bool
    value: Tensor
    gradient: Tensor


class Layer:
    """What all layers share. ``kind`` is the ledger's name for what the layer does to the gradient."""

    kind = ""
    label = ""
    in_place = False  # y may be x's memory, dx may be dy's

    def __init__(self, features: int) -> None:
        self.features = features
        self.parameters: list[Parameter] = []

    def forward(self, x: Tensor, y: Tensor) -> None:
        """Write the output for ``x`` into ``y``."""
        raise NotImplementedError

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """Write the gradients by the parameters, and by the input into ``dx`` unless nobody wants it."""
        raise NotImplementedError


class Dense(Layer):
    """``y = W x + b`` with ``W`` ``[trial, out, in]`` and ``b`` ``[trial, out, 1]``."""

    kind = "weights"

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__(fan_out)
        none = torch.empty(0)
        self.weight = Parameter("weight", (fan_out, fan_in), True, none, none)
        self.bias = Parameter("bias", (fan_out, 1), False, none, none)
        self.parameters = [self.weight, self.bias]

    def forward(self, x: Tensor, y: Tensor) -> None:
        """``y = W x + b``."""
        torch.baddbmm(self.bias.value, self.weight.value, x, out=y)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """``db = sum dy``, ``dW = dy x^T``, ``dx = W^T dy``."""
        torch.sum(dy, 2, keepdim=True, out=self.bias.gradient)
        torch.bmm(dy, x.transpose(1, 2), out=self.weight.gradient)
        if dx is not None:
            torch.bmm(self.weight.value.transpose(1, 2), dy, out=dx)


class Activation(Layer):
    """``y = f(x)``, with each number of ``f`` a float or one value a trial ``[trial, 1, 1]``."""

    kind = "activation"

    def __init__(self, features: int, technique: Technique, numbers: Mapping[str, float | Tensor]) -> None:
        super().__init__(features)
        self.technique, self.numbers = technique, numbers
        self.in_place = technique.needs == "output" and technique.backward_function is not None

    def forward(self, x: Tensor, y: Tensor) -> None:
        """``y = f(x)``."""
        if self.technique.backward_function is None:
            y.copy_(self.technique(x, **self.numbers))
        else:
            self.technique(x, y, **self.numbers)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """``dx = f'(x) dy``; through autograd for a function that came without a backward."""
        if dx is None:
            return
        if self.technique.backward_function is not None:
            self.technique.backward_function(dy, x, y, dx, **self.numbers)
            return
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.technique(leaf, **self.numbers), leaf, dy)
        dx.copy_(gradient)
