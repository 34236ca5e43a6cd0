"""Architectures: which layers a trial's network has, and what its first weights are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from koubai.networks.layers import Activation, Dense, Layer
from koubai.networks.network import Network
from koubai.spec import Choice, Trial
from koubai.techniques import ACTIVATIONS, INITIALIZERS
from koubai.streams import generator


def build(trials: Sequence[Trial], features: int, classes: int, device: torch.device) -> Network:
    """The stacked network of trials that share an architecture, with each trial's own first weights."""
    dtype = getattr(torch, trials[0].dtype)
    network = Network(mlp(trials, features, classes, dtype, device), len(trials), dtype, device)
    initialize(network, trials)
    return network


def mlp(trials: Sequence[Trial], features: int, classes: int, dtype: torch.dtype, device: torch.device) -> list[Layer]:
    """Dense layers of the given widths, the activation after each but the last, which has one output a class."""
    layers: list[Layer] = []
    technique = ACTIVATIONS[trials[0].activation.name]
    numbers = stacked([trial.activation for trial in trials], dtype, device)
    for depth, width in enumerate([*trials[0].layers, classes], 1):
        layers.append(Dense(features, width))
        layers[-1].label = f"dense {depth}"
        features = width
        if depth <= len(trials[0].layers):
            layers.append(Activation(width, technique, numbers))
            layers[-1].label = f"{technique.name} {depth}"
    return layers


def stacked(choices: Sequence[Choice], dtype: torch.dtype, device: torch.device) -> dict[str, float | Tensor]:
    """The numbers of one technique over the trials: a float where all agree, else ``[trial, 1, 1]``."""
    numbers: dict[str, float | Tensor] = {}
    for name in choices[0].numbers:
        values = [choice.numbers[name] for choice in choices]
        same = len(set(values)) == 1
        numbers[name] = values[0] if same else torch.tensor(values, dtype=dtype, device=device).view(-1, 1, 1)
    return numbers


def initialize(network: Network, trials: Sequence[Trial]) -> None:
    """Draw each trial's first weights: the same standard normals for the same seed, layer and shape, whatever the technique."""
    for depth, layer in enumerate(layer for layer in network.layers if isinstance(layer, Dense)):
        weight = layer.weight
        fan_out, fan_in = weight.shape
        draws: dict[int, Tensor] = {}
        for row, trial in enumerate(trials):
            if trial.seed not in draws:
                draws[trial.seed] = torch.randn(
                    weight.shape, dtype=torch.float64, generator=generator(trial.seed, "weights", depth)
                )
            choice = trial.initializer
            value = INITIALIZERS[choice.name](draws[trial.seed], fan_in, fan_out, **choice.numbers)
            weight.value[row].copy_(value)
