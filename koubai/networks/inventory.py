"""What a network is made of, layer by layer: shapes, learned numbers, arithmetic, memory, and where the time of a step goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from koubai.networks.architectures import build
from koubai.networks.layers import Mode
from koubai.places import Place, places
from koubai.spec import Trial

PRODUCTS = 2 * 10**10  # multiplications that one measured pass may take: some seconds on a slow machine
PASSES = 5  # measured at most
SECONDS = 2.0  # after which no other pass is begun


@dataclass(frozen=True)
class Row:
    """One layer: where it stands, bytes of its output for a minibatch, and its share of a step's forward and backward."""

    place: Place
    bytes: int
    share: float


def inventory(trial: Trial, shape: int | Sequence[int], classes: int) -> list[Row]:
    """The layers of a trial's network for samples of ``shape``, with shares of time measured on this machine. Raises ``UserError``."""
    planned = places(trial, shape, classes)
    size = 8 if trial.dtype == "float64" else 4
    spent = seconds(trial, shape, classes, samples(trial, planned))
    return [
        Row(place, trial.batch_size * math.prod(place.behind) * size, used / sum(spent))
        for place, used in zip(planned, spent, strict=True)
    ]


def samples(trial: Trial, planned: Sequence[Place]) -> int:
    """How many samples the measured passes take: a minibatch, less of it where the network is large."""
    products = sum(place.products for place in planned)
    return min(trial.batch_size, max(2, PRODUCTS // max(products, 1)))


@torch.no_grad()
def seconds(trial: Trial, shape: int | Sequence[int], classes: int, samples: int) -> list[float]:
    """Seconds that each layer takes, forward and backward, the median of a few passes over ``samples`` random samples."""
    network = build([trial], shape, classes, torch.device("cpu"))
    spent: list[list[float]] = [[] for _ in network.layers]
    for layer, times in zip(network.layers, spent, strict=True):
        for name in ("draw", "forward", "backward"):
            setattr(layer, name, timed(getattr(layer, name), times))
    noise = torch.Generator().manual_seed(0)
    features = math.prod(network.image) if network.image else places(trial, shape, classes)[0].before[0]
    x = torch.randn(1, features, samples, dtype=network.dtype, generator=noise)
    labels = torch.randint(classes, (1, 1, samples), generator=noise)
    buffers = network.allocate(samples, steps=True)
    begun = time.perf_counter()
    for measured in range(PASSES + 1):
        for layer in network.layers:
            layer.draw(samples)
        network.forward(buffers, x, Mode.TRAIN)
        network.loss(buffers, labels)
        network.backward(buffers, labels)
        if measured == 0:  # the first pass is slow for reasons of its own
            first = [sum(times) for times in spent]
            for times in spent:
                times.clear()
        if time.perf_counter() - begun > SECONDS:
            break
    if not spent[0]:
        return first
    return [median(map(sum, zip(times[::3], times[1::3], times[2::3], strict=True))) for times in spent]


def timed(function: Callable[..., Any], times: list[float]) -> Callable[..., None]:
    """``function``, which notes how long each call takes."""

    def call(*arguments: Any) -> None:
        begun = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - begun)

    return call
