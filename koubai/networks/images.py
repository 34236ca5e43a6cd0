"""Layers of images, for all networks of a stack at once.

Values lie ``[sample, trial * channel, height, width]``, channels last in memory, which is where the library's kernels are fastest; a
stack of convolutions is one grouped convolution, a trial a group. What a kernel allocates itself, the buffer takes over
(``take_over``) instead of copying it; where steps are made in bfloat16, all values of these layers are. The filters' weights are
``[trial, out, channel * height * width]``, the notes' two-dimensional form, so optimizers and penalties see what they see of a dense
layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from koubai.networks.layers import Activation, BatchNorm, Dropout, Layer, Mode, Weighted
from koubai.techniques.normalization import EPS, MOMENTUM, local_response_norm, local_response_norm_backward

if TYPE_CHECKING:
    from koubai.techniques.activations import Activation as Technique

Size = tuple[int, int, int]  # (channels, height, width) of one trial
aten = torch.ops.aten
LAST = torch.channels_last


def as_images(x: Tensor, size: Size, dtype: torch.dtype | None = None) -> Tensor:
    """Rows ``[trial, feature, sample]`` as images ``[sample, trial * channel, height, width]``."""
    trials, _, samples = x.shape
    images = torch.empty(samples, trials * size[0], *size[1:], dtype=dtype or x.dtype, device=x.device, memory_format=LAST)
    images.unflatten(1, (trials, size[0])).copy_(x.unflatten(1, size).permute(4, 0, 1, 2, 3))
    return images


def take_over(buffer: Tensor, made: Tensor) -> None:
    """Let a buffer be what a kernel has allocated: no copy."""
    buffer.set_(made.contiguous(memory_format=LAST))  # type: ignore[call-overload]


def spread(number: float | Tensor, channels: int) -> float | Tensor:
    """A number a trial ``[trial, 1, 1]`` as a number a channel ``[trial * channel, 1, 1]``."""
    return number if isinstance(number, float) else number.repeat_interleave(channels, 0)


class Images(Layer):
    """What layers whose output is images share: ``size`` is that of the output in one trial."""

    size: Size

    def empty(self, trials: int, samples: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for the layer's output, or for the gradient by it."""
        channels, *sides = self.size
        return torch.empty(samples, trials * channels, *sides, dtype=dtype, device=device, memory_format=LAST)

    def units(self, y: Tensor, trials: int) -> Tensor:
        """``[trial, channel, answer]``: a channel is a unit, and it answers at every place of every sample."""
        return y.unflatten(1, (trials, -1)).permute(1, 2, 0, 3, 4).flatten(2)


class Convolution(Images, Weighted):
    """``out`` filters over images of ``size``: ``y = W * x + b``."""

    def __init__(self, before: Size, size: Size, filter: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> None:
        self.patch = (before[0], *filter)
        places = math.prod(filter)
        super().__init__(size[0], before[0] * places, size[0] * places, math.prod(size))
        self.size, self.stride, self.pad = size, stride, pad

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """``y = W * x + b``, a group for each trial."""
        out = torch.convolution(
            x, self.filters(self.weight.value).to(x.dtype), self.bias.value.flatten().to(x.dtype), *self.how()
        )
        take_over(y, out)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """``dW = dy * x``, ``db = sum dy``, and ``dx``: ``dy`` convolved with the filters turned round."""
        mask = [dx is not None, True, True]
        filters, gradient = self.filters(self.weight.value).to(x.dtype), self.filters(self.weight.gradient)
        into, weight, bias = aten.convolution_backward(dy, x, filters, [len(filters)], *self.how(), mask)
        gradient.copy_(weight)
        self.bias.gradient.copy_(bias.view_as(self.bias.gradient))
        if dx is not None:
            take_over(dx, into)

    def filters(self, rows: Tensor) -> Tensor:
        """Weights as the library wants them: a view ``[trial * out, channel, height, width]``."""
        return rows.flatten(0, 1).unflatten(1, self.patch)

    def how(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], bool, tuple[int, int], int]:
        """Stride, padding, dilation, not transposed, no padding of the output, groups."""
        return self.stride, self.pad, (1, 1), False, (0, 0), len(self.weight.value)


class Pool(Images):
    """One number for each window over a channel."""

    kind = "pooling"

    def __init__(self, size: Size, filter: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> None:
        super().__init__(math.prod(size))
        self.size, self.window = size, (filter, stride, pad)


class MaxPool(Pool):
    """The largest value of each window."""

    def __init__(self, size: Size, filter: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> None:
        super().__init__(size, filter, stride, pad)
        self.chosen: dict[int, Tensor] = {}  # by samples: steps keep theirs while others are evaluated

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """``y = max`` over each window; where it stood is remembered."""
        if len(y) not in self.chosen:
            self.chosen[len(y)] = torch.empty_like(y, dtype=torch.int64)
        aten.max_pool2d_with_indices.out(x, *self.window, out=y, indices=self.chosen[len(y)])

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """``dx = dy`` where the largest stood."""
        if dx is not None:
            chosen = self.chosen[len(y)]
            aten.max_pool2d_with_indices_backward.grad_input(dy, x, *self.window, (1, 1), False, chosen, grad_input=dx)


class AveragePool(Pool):
    """The mean of each window."""

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """``y = mean`` over each window."""
        aten.avg_pool2d.out(x, *self.window, out=y)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """Each pixel of a window of ``n`` gets ``dy / n``."""
        if dx is not None:
            aten.avg_pool2d_backward.grad_input(dy, x, *self.window, False, True, None, grad_input=dx)


class Flatten(Layer):
    """Images ``[sample, trial * channel, height, width]`` become rows ``[trial, feature, sample]``, features as ``nn.Flatten`` has them."""

    kind = "flatten"

    def __init__(self, before: Size) -> None:
        super().__init__(math.prod(before))
        self.before = before

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """Every value to its place."""
        self.laid(y).copy_(x.unflatten(1, (len(y), -1)))

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """Every gradient back to its place."""
        if dx is not None:
            dx.unflatten(1, (len(dy), -1)).copy_(self.laid(dy))

    def laid(self, rows: Tensor) -> Tensor:
        """A view of rows as ``[sample, trial, channel, height, width]``."""
        return rows.unflatten(1, self.before).permute(4, 0, 1, 2, 3)


class ImageActivation(Images, Activation):
    """``y = f(x)``, as on rows."""

    def __init__(self, size: Size, technique: Technique, numbers: Mapping[str, float | Tensor]) -> None:
        super().__init__(math.prod(size), technique, {name: spread(number, size[0]) for name, number in numbers.items()})
        self.size = size


class ImageBatchNorm(Images, BatchNorm):
    """Batch normalization of each channel over the samples and their pixels, by the library's kernels."""

    def __init__(self, size: Size, trials: int, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(size[0], trials, dtype, device)
        self.size, self.features = size, math.prod(size)

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """Normalize, scale and shift; a training step moves the running statistics too."""
        scale = self.gamma.value.flatten(), self.beta.value.flatten()
        seen = [self.state[name].flatten() for name in ("running_mean", "running_var")]
        kept = [None, None] if mode is Mode.PROBE else seen
        out, self.mean, self.inverse = aten.native_batch_norm(x, *scale, *kept, mode is not Mode.EVALUATE, MOMENTUM, EPS)
        take_over(y, out)

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """The gradients by scale, shift and input."""
        into, gamma, beta = aten.native_batch_norm_backward(
            dy, x, self.gamma.value.flatten(), None, None, self.mean, self.inverse, True, EPS, [dx is not None, True, True]
        )
        self.gamma.gradient.copy_(gamma.view_as(self.gamma.gradient))
        self.beta.gradient.copy_(beta.view_as(self.beta.gradient))
        if dx is not None:
            take_over(dx, into)


class ImageDropout(Images, Dropout):
    """Leaves single values of images out at random in training steps."""

    def __init__(self, size: Size, rate: float | Tensor, seeds: Sequence[int], depth: int, device: torch.device) -> None:
        super().__init__(math.prod(size), spread(rate, size[0]), seeds, depth, device)
        self.size = size

    def drawn_for(self, samples: int) -> tuple[int, ...]:
        """``(sample, height, width, channel)``."""
        channels, *sides = self.size
        return samples, *sides, channels

    def noise(self, x: Tensor) -> Tensor:
        """The draws as they meet ``x``, those of a seed the same for all its trials."""
        return self.drawn.index_select(0, self.seed_of).permute(1, 0, 4, 2, 3).reshape(x.shape)

    def grouped(self, x: Tensor) -> Tensor:
        """As it lies: every trial has its own mask."""
        return x


class LocalResponseNorm(Images):
    """AlexNet's: each channel is divided by what its neighbours amount to at the same pixel, within its trial."""

    kind = "normalization"

    def __init__(self, size: Size, trials: int) -> None:
        super().__init__(math.prod(size))
        self.size, self.trials = size, trials

    def forward(self, x: Tensor, y: Tensor, mode: Mode) -> None:
        """``y = x / (k + alpha sum x^2)^beta``."""
        y.copy_(local_response_norm(self.apart(x)).flatten(1, 2))

    def backward(self, x: Tensor, y: Tensor, dy: Tensor, dx: Tensor | None) -> None:
        """The gradient by the input."""
        if dx is not None:
            dx.copy_(local_response_norm_backward(self.apart(dy), self.apart(x)).flatten(1, 2))

    def apart(self, x: Tensor) -> Tensor:
        """``[sample, trial, channel, height, width]``: no trial is another's neighbour."""
        return x.unflatten(1, (self.trials, -1))
