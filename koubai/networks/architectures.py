"""Architectures: which layers a trial's network has, and what its first weights are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from koubai.networks import images
from koubai.networks.layers import Activation, BatchNorm, Dense, Dropout, Layer, Weighted
from koubai.networks.network import Network
from koubai.places import Place, places
from koubai.spec import Trial
from koubai.streams import generator
from koubai.techniques import ACTIVATIONS, INITIALIZERS


def build(trials: Sequence[Trial], shape: int | Sequence[int], classes: int, device: torch.device) -> Network:
    """The stacked network of trials that share an architecture, with each trial's own first weights.

    ``shape`` is that of one sample: its features, or ``(height, width)`` or ``(channels, height, width)``. Raises ``UserError`` where
    a layer does not fit it.
    """
    dtype = getattr(torch, trials[0].kept)
    layers: list[Layer] = []
    planned = places(trials[0], shape, classes)
    for place in planned:
        dropouts = sum(isinstance(layer, Dropout) for layer in layers)
        layers.append(made(place, trials, dropouts + 1, dtype, device))
        layers[-1].label = place.label
        layers[-1].half = trials[0].dtype == "bfloat16"
    enters = planned[0].before
    network = Network(layers, len(trials), dtype, device, sized(enters) if len(enters) == 3 else None)
    initialize(network, trials)
    return network


def made(place: Place, trials: Sequence[Trial], dropout: int, dtype: torch.dtype, device: torch.device) -> Layer:
    """The stacked layer of a place; ``dropout`` counts the layers of that kind, whose noise is their own."""
    part, before, behind = place.part, place.before, place.behind
    pictures = len(behind) == 3
    if part.name == "dense":
        return Dense(before[0], part.width)
    if part.name == "conv":
        return images.Convolution(sized(before), sized(behind), part.filter, part.stride, part.pad)
    if part.name == "maxpool":
        return images.MaxPool(sized(behind), part.filter, part.stride, part.pad)
    if part.name == "avgpool":
        return images.AveragePool(sized(behind), part.filter, part.stride, part.pad)
    if part.name == "flatten":
        return images.Flatten(sized(before))
    if part.name == "lrn":
        return images.LocalResponseNorm(sized(behind), len(trials))
    if part.name == "batchnorm":
        several = (len(trials), dtype, device)
        return images.ImageBatchNorm(sized(behind), *several) if pictures else BatchNorm(behind[0], *several)
    if part.name == "dropout":
        rate = stacked([{"rate": trial.dropout if part.own else part.rate} for trial in trials], dtype, device)["rate"]
        noise = (rate, [trial.seed for trial in trials], dropout, device)
        return images.ImageDropout(sized(behind), *noise) if pictures else Dropout(behind[0], *noise)
    technique = ACTIVATIONS[part.name]
    numbers = stacked([trial.activation.numbers if part.own else technique.defaults() for trial in trials], dtype, device)
    return images.ImageActivation(sized(behind), technique, numbers) if pictures else Activation(behind[0], technique, numbers)


def sized(shape: Sequence[int]) -> images.Size:
    """The shape of an image."""
    channels, height, width = shape
    return channels, height, width


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
    for depth, layer in enumerate(layer for layer in network.layers if isinstance(layer, Weighted)):
        weight = layer.weight
        draws: dict[int, Tensor] = {}
        for row, trial in enumerate(trials):
            if trial.seed not in draws:
                draws[trial.seed] = torch.randn(
                    weight.shape, dtype=torch.float64, generator=generator(trial.seed, "weights", depth)
                )
            choice = trial.initializer
            value = INITIALIZERS[choice.name](draws[trial.seed], layer.fan_in, layer.fan_out, **choice.numbers)
            weight.value[row].copy_(value)
