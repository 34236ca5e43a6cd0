"""Layers of all networks of a stack at once, each with its forward and its backward side by side: the chain rule written down.

Values lie ``[trial, feature, sample]``, samples last, so that a bias, a softmax and batch statistics run along long rows (those
of images lie otherwise, see ``images``). ``x`` is a layer's input, ``y`` its output, ``dx`` and ``dy`` the loss's gradients by them.
Buffers come from outside and are written in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from koubai.streams import fill, generator, in_turn
from koubai.techniques.dropout import dropout, dropout_backward
from koubai.techniques.normalization import batch_norm, batch_norm_backward, batch_norm_evaluated, running

if TYPE_CHECKING:
    from koubai.techniques.activations import Activation as Technique


class Mode(Enum):
    """What a forward is for: a training step; the ledger's look (batch statistics, no dropout, nothing kept); or evaluation."""

    TRAIN = "train"
    PROBE = "probe"
    EVALUATE = "evaluate"


@dataclass
class Parameter:
    """A learned tensor of one layer: its shape in one trial, whether penalties act on it, and its start.

    The network gives it its views ``[trial, *shape]``.
    """

    name: str
    shape: tuple[int, ...]
    decays: bool
    start: float = 0.0
    value: Tensor = field(default_factory=lambda: torch.empty(0))
    gradient: Tensor = field(default_factory=lambda: torch.empty(0))


class Layer:
    """What all layers share. ``kind`` is the ledger's name for what the layer does to the gradient."""

    kind = ""
    label = ""
    in_place = False  # y may be x's memory, dx may be dy's
    reads_output = False  # backward needs y as forward left it
    half = False  # steps of training may be done in bfloat16

    def __init__(self, features: int) -> None:
        self.features = features
        self.parameters: list[Parameter] = []
        self.state: dict[str, Tensor] = {}  # what training keeps beside the parameters, trials first
        self.streams: dict[int, Generator] = {}  # random streams by seed

    def empty(self, trials: int, samples: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for the layer's output, or for the gradient by it."""
        return torch.empty(trials, self.features, samples, dtype=dtype, device=device)

    def units(self, y: Tensor, trials: int) -> Tensor:
        """The layer's output, or the gradient by it, as ``[trial, unit, answer]``: what the ledger reads."""
        return y

    def draw(self, samples: int) -> None:
        """Take from the random streams what the next training step needs, for so many samples."""

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """Write the output for ``x`` into ``y``."""
        raise NotImplementedError

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """Write the gradients by the parameters, and by the input into ``dx`` unless nobody wants it."""
        raise NotImplementedError


class Weighted(Layer):
    """A layer with weights ``W`` ``[trial, out, in]`` and biases ``b`` ``[trial, out, 1]``.

    ``fan_in`` values come into a unit, ``fan_out`` units take a value.
    """

    kind = "weights"

    def __init__(self, out: int, fan_in: int, fan_out: int, features: int) -> None:
        super().__init__(features)
        self.fan_in, self.fan_out = fan_in, fan_out
        self.weight = Parameter("weight", (out, fan_in), True)
        self.bias = Parameter("bias", (out, 1), False)
        self.parameters = [self.weight, self.bias]


class Dense(Weighted):
    """``y = W x + b``. Where neighbouring trials share an input, ``x`` has it once, and one product serves them all.

    With ``half``, products of a training step are made in bfloat16 and added up in float32.
    """

    short = False  # whether the last forward was in bfloat16

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__(fan_out, fan_in, fan_out, fan_out)
        self.halves: dict[str, Tensor] = {}  # memory for what is in bfloat16, by name

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """``y = W x + b``."""
        w, b, y = by_input(x, self.weight.value, self.bias.value, y)
        self.short = self.half and mode is Mode.TRAIN
        if self.short:
            torch.add(torch.bmm(self.shorter("w", w), self.shorter("x", x), out=self.short_of("y", y)), b, out=y)
        else:
            torch.baddbmm(b, w, x, out=y)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """``db = sum dy``, ``dW = dy x^T``, ``dx = W^T dy``."""
        w, dw = self.weight.value, self.weight.gradient
        torch.sum(dy, 2, keepdim=True, out=self.bias.gradient)
        if self.short:
            dy, w, short_x = self.shorter("dy", dy), self.halves["w"].view(w.shape), self.halves["x"]
            dy_together, dw = by_input(x, dy, dw)
            dw.copy_(torch.bmm(dy_together, short_x.mT, out=self.short_of("dw", dw)))
            if dx is not None:
                dx.copy_(torch.bmm(w.mT, dy, out=self.short_of("dx", dx)))
            return
        dy_together, dw = by_input(x, dy, dw)
        torch.bmm(dy_together, x.mT, out=dw)
        if dx is not None:
            torch.bmm(w.mT, dy, out=dx)

    def short_of(self, name: str, x: Tensor) -> Tensor:
        """Memory for ``x`` in bfloat16 that stays: made anew at every step, that of large layers would cost more than their products."""
        kept = self.halves.get(name)
        if kept is None or kept.shape != x.shape:
            kept = self.halves[name] = torch.empty_like(x, dtype=torch.bfloat16)
        return kept

    def shorter(self, name: str, x: Tensor) -> Tensor:
        """``x`` in bfloat16."""
        return self.short_of(name, x).copy_(x)


def by_input(x: Tensor, *tensors: Tensor) -> Sequence[Tensor]:
    """``tensors`` ``[trial, unit, ...]``, those of trials that share an input one below the other: ``[input, trial x unit, ...]``."""
    inputs = x.shape[0]
    if inputs == tensors[0].shape[0]:  # views cost little, but small networks take them 16 times a step
        return tensors
    return [tensor.view(inputs, -1, tensor.shape[2]) for tensor in tensors]


class Activation(Layer):
    """``y = f(x)``, with each number of ``f`` a float or one value a trial ``[trial, 1, 1]``."""

    kind = "activation"
    reads_output = True

    def __init__(self, features: int, technique: Technique, numbers: Mapping[str, float | Tensor]) -> None:
        super().__init__(features)
        self.technique, self.numbers = technique, numbers
        self.in_place = technique.needs == "output" and technique.backward_function is not None

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
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


class BatchNorm(Layer):
    """Batch normalization of each unit over the samples: by the minibatch in training, by running statistics in evaluation."""

    kind = "normalization"

    def __init__(self, features: int, trials: int, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(features)
        self.gamma = Parameter("weight", (features, 1), False, start=1.0)
        self.beta = Parameter("bias", (features, 1), False)
        self.parameters = [self.gamma, self.beta]
        self.state = {
            "running_mean": torch.zeros(trials, features, 1, dtype=dtype, device=device),
            "running_var": torch.ones(trials, features, 1, dtype=dtype, device=device),
        }
        self.mean = self.inverse = torch.empty(0)

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """Normalize, scale and shift; a training step moves the running statistics too."""
        gamma, beta, seen = self.gamma.value, self.beta.value, (self.state["running_mean"], self.state["running_var"])
        if mode is Mode.EVALUATE:
            batch_norm_evaluated(x, gamma, beta, *seen, y)
            return
        self.mean, variance, self.inverse = batch_norm(x, gamma, beta, y)
        if mode is Mode.TRAIN:
            running(self.mean, variance, *seen, x.shape[2])

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """The gradients by scale, shift and input."""
        gradients = dx, self.gamma.gradient, self.beta.gradient
        batch_norm_backward(dy, x, self.gamma.value, self.mean, self.inverse, *gradients)


class Dropout(Layer):
    """Leaves units out at random in training steps: ``rate`` is a float or one a trial; trials of one seed share their noise.

    Where they stand together, and share the rate too, they share the mask: it is made once a seed.
    """

    kind = "dropout"
    dropping = False  # whether the last forward left some out

    def __init__(self, features: int, rate: float | Tensor, seeds: Sequence[int], depth: int, device: torch.device) -> None:
        super().__init__(features)
        self.streams = {seed: generator(seed, "dropout", depth) for seed in seeds}
        places = list(self.streams)
        seed_of = [places.index(seed) for seed in seeds]
        self.seed_of = torch.tensor(seed_of, device=device)
        self.groups = len(places) if in_turn(seed_of) else len(seeds)
        self.rate = self.grouped(rate) if isinstance(rate, Tensor) else rate
        self.device = device
        self.drawn = self.mask = torch.empty(0)

    def draw(self, samples: int) -> None:
        """Uniform draws for every value, a seed's from its stream."""
        shape = len(self.streams), *self.drawn_for(samples)
        if self.drawn.shape != shape:
            self.drawn = torch.empty(shape, device=self.device)
        fill(self.drawn, self.streams.values())

    def drawn_for(self, samples: int) -> tuple[int, ...]:
        """The shape of a seed's draws."""
        return self.features, samples

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """Drop and scale in a training step, by what was drawn for it, else pass on."""
        self.dropping = mode is Mode.TRAIN
        if not self.dropping:
            y.copy_(x)
            return
        noise = self.noise(x)
        shape = torch.broadcast_shapes(noise.shape, self.rate.shape if isinstance(self.rate, Tensor) else ())
        if self.mask.shape != shape:
            self.mask = x.new_empty(shape)
        dropout(self.grouped(x), noise, self.rate, self.grouped(y), self.mask)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """The gradient of the units that were kept."""
        if dx is None:
            return
        if self.dropping:
            dropout_backward(self.grouped(dy), self.mask, self.grouped(dx))
        else:
            dx.copy_(dy)

    def grouped(self, x: Tensor) -> Tensor:
        """``x`` ``[trial, ...]`` as ``[group, trial, ...]``: the trials of a seed, where they stand together, else each alone."""
        return x.view(self.groups, -1, *x.shape[1:])

    def noise(self, x: Tensor) -> Tensor:
        """The draws as they meet ``x``, ``[group, 1, feature, sample]``."""
        return (self.drawn if self.groups == len(self.drawn) else self.drawn.index_select(0, self.seed_of)).unsqueeze(1)
