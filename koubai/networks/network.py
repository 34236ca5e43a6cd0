"""A stack of networks: its layers, its weights in one flat run, and the walk forward and backward through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from koubai.networks.images import Images, as_images
from koubai.networks.layers import Dense, Layer, Mode, Parameter
from koubai.techniques import LOSSES


@dataclass
class Pass:
    """Buffers for so many samples: ``values[k]`` goes into layer ``k`` and ``values[k + 1]`` comes out; ``gradients`` likewise.

    A layer that runs in place has the same memory on both sides. ``each`` are the losses of the samples, ``loss`` ``[trial]`` is their
    mean, ``images`` is the type of the values of layers of images.
    """

    samples: int
    images: torch.dtype
    values: list[Tensor]
    gradients: list[Tensor | None]
    each: Tensor
    loss: Tensor


class Network:
    """``trials`` networks of the same layers.

    All weights lie in ``weights``, their gradients in ``gradients``, both flat, parameters that penalties act on first (the
    first ``decaying`` elements); a parameter is a view ``[trial, *shape]`` into them. ``image`` is the shape
    ``(channels, height, width)`` of a sample where the first layer takes images; where it takes rows it is ``None``. One output is a
    quantity, several are classes; ``head`` is the loss that goes with them.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        trials: int,
        dtype: torch.dtype,
        device: torch.device,
        image: tuple[int, int, int] | None = None,
    ) -> None:
        self.layers, self.trials, self.dtype, self.device, self.image = list(layers), trials, dtype, device, image
        self.random = [layer for layer in self.layers if layer.streams]
        self.head = LOSSES["squared_error" if self.layers[-1].features == 1 else "cross_entropy"]
        self.parameters: list[Parameter] = [parameter for layer in self.layers for parameter in layer.parameters]
        self.parameters.sort(key=lambda parameter: not parameter.decays)
        sizes = [trials * math.prod(parameter.shape) for parameter in self.parameters]
        self.decaying = sum(size for size, parameter in zip(sizes, self.parameters, strict=True) if parameter.decays)
        self.weights = torch.zeros(sum(sizes), dtype=dtype, device=device)
        self.gradients = torch.zeros_like(self.weights)
        views = zip(self.parameters, self.views(self.weights), self.views(self.gradients), strict=True)
        for parameter, value, gradient in views:
            parameter.value, parameter.gradient = value.fill_(parameter.start), gradient

    def views(self, flat: Tensor) -> list[Tensor]:
        """``flat``, laid out as ``weights`` is, as a view ``[trial, *shape]`` for each of ``parameters``."""
        parts = flat.split([self.trials * math.prod(parameter.shape) for parameter in self.parameters])
        return [part.view(self.trials, *p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    @property
    def shares(self) -> bool:
        """Whether the first layer takes inputs that neighbouring trials share."""
        return self.image is None and isinstance(self.layers[0], Dense)

    def common(self, x: Tensor) -> Tensor:
        """Samples ``[sample, feature]`` as the input of all trials."""
        return x.T[None] if self.shares else x.T.expand(self.trials, -1, -1)

    def allocate(self, samples: int, steps: bool = False) -> Pass:
        """Buffers for ``samples`` samples a trial, for ``steps`` of training (which may be done in bfloat16) or to look and evaluate."""
        images = torch.bfloat16 if steps and self.layers[0].half else self.dtype
        values, gradients = [torch.empty(0)], [None]  # type: list[Tensor], list[Tensor | None]
        for k, layer in enumerate(self.layers):
            # never over the samples themselves, nor over an output that the layer before goes back to
            stays = layer.in_place and k > 0 and not self.layers[k - 1].reads_output
            dtype = images if isinstance(layer, Images) else self.dtype
            values.append(values[-1] if stays else layer.empty(self.trials, samples, dtype, self.device))
            gradients.append(gradients[-1] if stays else layer.empty(self.trials, samples, dtype, self.device))
        each = torch.empty(self.trials, 1, samples, dtype=self.dtype, device=self.device)
        return Pass(samples, images, values, gradients, each, each.new_empty(self.trials))

    def draw(self, samples: int) -> None:
        """Take from the random streams what the next training step needs, for so many samples."""
        for layer in self.random:
            layer.draw(samples)

    def forward(self, buffers: Pass, x: Tensor, mode: Mode) -> Tensor:
        """The outputs ``[trial, class, sample]`` for inputs ``[trial, feature, sample]``; fewer inputs where the network ``shares``.

        Before that of a training step comes ``draw``.
        """
        values = buffers.values
        values[0] = x if self.image is None else as_images(x, self.image, buffers.images)
        for layer, into, out in zip(self.layers, values, values[1:], strict=False):
            layer.forward(into, out, mode)
        return values[-1]

    def loss(self, buffers: Pass, labels: Tensor) -> Tensor:
        """The loss of the last forward, mean over samples, ``[trial]``, for labels or targets ``[trial, 1, sample]``.

        It lies in ``buffers.loss``; the samples' own losses are left in ``buffers.each``.
        """
        return self.head(buffers.values[-1], labels, buffers.gradients[-1], buffers.each, buffers.loss)

    def backward(self, buffers: Pass, labels: Tensor, observe: Callable[[int, Tensor], None] | None = None) -> None:
        """The gradients of the loss by every parameter, after ``forward`` and ``loss``.

        ``observe(k, dy)`` is called with the gradient by the output of layer ``k`` as it stands there.
        """
        self.head.backward(labels, buffers.gradients[-1], buffers.each)
        for k in range(len(self.layers) - 1, -1, -1):
            dy = buffers.gradients[k + 1]
            assert dy is not None
            if observe:
                observe(k, dy)
            self.layers[k].backward(buffers.values[k], buffers.values[k + 1], dy, buffers.gradients[k])
