"""One trial out of the laboratory, as a plain ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS


def module(trial: Trial, weights: Mapping[str, np.ndarray]) -> nn.Sequential:
    """The trained network of one trial, in evaluation mode: takes ``[sample, feature]``, gives ``[sample, class]`` before the softmax.

    ``weights`` are named as in the module's ``state_dict``; vectors are ``[out, 1]`` as the stack has them.
    """
    dtype = getattr(torch, trial.dtype)
    fan_in = weights["0.weight"].shape[1]
    classes = weights[max((n for n in weights if n.endswith(".weight")), key=lambda n: int(n.split(".")[0]))].shape[0]
    layers: list[nn.Module] = []
    for width in trial.layers:
        layers.append(nn.Linear(fan_in, width, dtype=dtype))
        if trial.batch_norm == "before":
            layers.append(nn.BatchNorm1d(width, dtype=dtype))
        layers.append(_activation(trial))
        if trial.batch_norm == "after":
            layers.append(nn.BatchNorm1d(width, dtype=dtype))
        if trial.dropout:
            layers.append(nn.Dropout(trial.dropout))
        fan_in = width
    layers.append(nn.Linear(fan_in, classes, dtype=dtype))
    network = nn.Sequential(*layers)
    expected = network.state_dict()
    state = {name: torch.from_numpy(value).view(expected[name].shape) for name, value in weights.items()}
    state |= {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(state)
    return network.eval()


def _activation(trial: Trial) -> nn.Module:
    technique, numbers = ACTIVATIONS[trial.activation.name], trial.activation.numbers
    return getattr(nn, technique.module)(**numbers) if technique.module else Function(technique.function, numbers)


class Function(nn.Module):
    """An activation of the user's own as a module."""

    def __init__(self, function: Callable[..., torch.Tensor], numbers: Mapping[str, float]) -> None:
        super().__init__()
        self.function, self.numbers = function, dict(numbers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``f(x)``."""
        return self.function(x, **self.numbers)
