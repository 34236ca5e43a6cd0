"""One trial out of the laboratory, as a plain ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from koubai.blueprint import Part
from koubai.places import complete
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS
from koubai.techniques.normalization import NORMALIZATIONS


def module(trial: Trial, weights: Mapping[str, np.ndarray], shape: Sequence[int] | None = None) -> nn.Sequential:
    """The trained network of one trial, in evaluation mode: takes ``[sample, feature]``, gives ``[sample, class]`` before the softmax.

    A network of images takes ``[sample, channel, height, width]``; given ``shape``, that of one sample in the data, it takes such rows
    as dense networks do too. ``weights`` are named as in the module's ``state_dict``; vectors are ``[out, 1]`` and filters
    ``[out, channel * height * width]``, as the stack has them.
    """
    dtype = getattr(torch, trial.kept)
    network = nn.Sequential()
    images = "flatten" in trial.layers
    if images and shape is not None:
        network.add_module("rows", nn.Flatten())
        network.add_module("images", nn.Unflatten(1, (1, *shape) if len(shape) == 2 else tuple(shape)))
    classes = weights[max((n for n in weights if n.endswith(".weight")), key=lambda n: int(n.split(".")[0]))].shape[0]
    for k, part in enumerate(complete(trial, classes)):
        images = images and part.name != "flatten"
        network.add_module(str(k), _module(part, trial, weights.get(f"{k}.weight"), images, dtype))
    expected = network.state_dict()
    state = {name: torch.from_numpy(value).view(expected[name].shape) for name, value in weights.items()}
    state |= {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(state)
    return network.eval()


def _module(part: Part, trial: Trial, weight: np.ndarray | None, images: bool, dtype: torch.dtype) -> nn.Module:
    """PyTorch's layer for one of the trial's; ``weight`` tells its sizes."""
    if weight is not None and part.name == "dense":
        return nn.Linear(weight.shape[1], part.width, dtype=dtype)
    if weight is not None and part.name == "conv":
        channels = weight.shape[1] // (part.filter[0] * part.filter[1])
        return nn.Conv2d(channels, part.width, part.filter, part.stride, part.pad, dtype=dtype)
    if weight is not None:
        return (nn.BatchNorm2d if images else nn.BatchNorm1d)(weight.shape[0], dtype=dtype)
    if part.name == "maxpool":
        return nn.MaxPool2d(part.filter, part.stride, part.pad)
    if part.name == "avgpool":
        return nn.AvgPool2d(part.filter, part.stride, part.pad)
    if part.name == "flatten":
        return nn.Flatten()
    if part.name == "lrn":
        n = NORMALIZATIONS["lrn"].defaults()
        return nn.LocalResponseNorm(int(n["size"]), n["size"] * n["alpha"], n["beta"], n["k"])
    if part.name == "dropout":
        return nn.Dropout(trial.dropout if part.own else part.rate)
    technique = ACTIVATIONS[part.name]
    numbers = trial.activation.numbers if part.own else technique.defaults()
    return getattr(nn, technique.module)(**numbers) if technique.module else Function(technique.function, numbers)


class Function(nn.Module):
    """An activation of the user's own as a module."""

    def __init__(self, function: Callable[..., torch.Tensor], numbers: Mapping[str, float]) -> None:
        super().__init__()
        self.function, self.numbers = function, dict(numbers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``f(x)``."""
        return self.function(x, **self.numbers)
