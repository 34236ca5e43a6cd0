"""Architectures: which layers a trial's network has, and what its first weights are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from koubai.networks.layers import Activation, BatchNorm, Dense, Dropout, Layer
from koubai.networks.network import Network
from koubai.spec import Trial
from koubai.streams import generator
from koubai.techniques import ACTIVATIONS, INITIALIZERS


def build(trials: Sequence[Trial], features: int, classes: int, device: torch.device) -> Network:
    """The stacked network of trials that share an architecture, with each trial's own first weights."""
    dtype = getattr(torch, trials[0].dtype)
    network = Network(mlp(trials, features, classes, dtype, device), len(trials), dtype, device)
    initialize(network, trials)
    return network


def mlp(trials: Sequence[Trial], features: int, classes: int, dtype: torch.dtype, device: torch.device) -> list[Layer]:
    """Dense layers of the given widths and one output a class.

    After each hidden one stand its activation, batch normalization before or after that, and dropout, as the trials have them.
    """
    first = trials[0]
    technique = ACTIVATIONS[first.activation.name]
    numbers = stacked([trial.activation.numbers for trial in trials], dtype, device)
    rate = stacked([{"rate": trial.dropout} for trial in trials], dtype, device)["rate"]
    layers: list[Layer] = []

    def add(layer: Layer, name: str) -> None:
        layer.label = name
        layers.append(layer)

    for depth, width in enumerate(first.layers, 1):
        add(Dense(features, width), f"dense {depth}")
        if first.batch_norm == "before":
            add(BatchNorm(width, len(trials), dtype, device), f"batch_norm {depth}")
        add(Activation(width, technique, numbers), f"{technique.name} {depth}")
        if first.batch_norm == "after":
            add(BatchNorm(width, len(trials), dtype, device), f"batch_norm {depth}")
        if first.dropout:
            add(Dropout(width, rate, [trial.seed for trial in trials], depth, device), f"dropout {depth}")
        features = width
    add(Dense(features, classes), f"dense {len(first.layers) + 1}")
    return layers


def stacked(numbers: Sequence[Mapping[str, float]], dtype: torch.dtype, device: torch.device) -> dict[str, float | Tensor]:
    """Named numbers over the trials: a float where all agree, else ``[trial, 1, 1]``."""
    table: dict[str, float | Tensor] = {}
    for name in numbers[0]:
        values = [each[name] for each in numbers]
        same = len(set(values)) == 1
        table[name] = values[0] if same else torch.tensor(values, dtype=dtype, device=device).view(-1, 1, 1)
    return table


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
