"""One trial out of the laboratory, as a plain ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS


def module(trial: Trial, weights: Mapping[str, np.ndarray]) -> nn.Sequential:
    """The trained network of one trial: takes ``[sample, feature]``, gives ``[sample, class]`` before the softmax.

    ``weights`` are named as in the module's ``state_dict``, biases ``[out, 1]`` as the stack has them.
    """
    dtype = getattr(torch, trial.dtype)
    kind, numbers = ACTIVATIONS[trial.activation.name], trial.activation.numbers
    layers: list[nn.Module] = []
    state: dict[str, torch.Tensor] = {}
    while f"{len(layers)}.weight" in weights:
        k = len(layers)
        weight = torch.from_numpy(weights[f"{k}.weight"])
        layers.append(nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype))
        state[f"{k}.weight"], state[f"{k}.bias"] = weight, torch.from_numpy(weights[f"{k}.bias"]).flatten()
        if f"{k + 2}.weight" in weights:
            layers.append(getattr(nn, kind.module)(**numbers) if kind.module else Function(kind, numbers))
    network = nn.Sequential(*layers)
    network.load_state_dict(state)
    return network.eval()


class Function(nn.Module):
    """An activation of the user's own as a module."""

    def __init__(self, function: object, numbers: Mapping[str, float]) -> None:
        super().__init__()
        self.function, self.numbers = function, dict(numbers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``f(x)``."""
        return self.function(x, **self.numbers)  # type: ignore[operator, no-any-return]
