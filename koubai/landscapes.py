"""Optimizers on surfaces that can be seen: a valley, a double well and a saddle, from many starts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from koubai.choices import Choice
from koubai.language import Words
from koubai.streams import generator
from koubai.techniques import OPTIMIZERS, Block


@dataclass(frozen=True)
class Landscape:
    """A function of two variables: its values and gradient on points ``[start, 2]``, where runs start, and its lowest point.

    ``bounds`` is the part that is drawn: ``(x low, x high, y low, y high)``.
    """

    name: str
    title: Words
    formula: str
    value: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor], Tensor]
    starts: Callable[[int], Tensor]
    lowest: tuple[float, float]
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Path:
    """One optimizer's way from one start: points ``[step + 1, 2]`` and the values there ``[step + 1]``."""

    landscape: str
    optimizer: str
    rate: float
    seed: int
    points: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)


def _near(x: float, y: float, spread: float) -> Callable[[int], Tensor]:
    """Starts around a point; the first is the point itself."""

    def starts(count: int) -> Tensor:
        offsets = torch.randn(count, 2, dtype=torch.float64, generator=generator(0, "starts")) * spread
        offsets[0] = 0
        return torch.tensor([x, y], dtype=torch.float64) + offsets

    return starts


def _box(low: float, high: float) -> Callable[[int], Tensor]:
    def starts(count: int) -> Tensor:
        draws = torch.rand(count, 2, dtype=torch.float64, generator=generator(0, "starts"))
        return low + (high - low) * draws

    return starts


def _stack(*columns: Tensor) -> Tensor:
    return torch.stack(columns, 1)


LANDSCAPES: dict[str, Landscape] = {
    "valley": Landscape(
        "valley",
        Words("A long valley", "細長い谷"),
        r"f = x^2 / 20 + y^2",
        lambda p: p[:, 0] ** 2 / 20 + p[:, 1] ** 2,
        lambda p: _stack(p[:, 0] / 10, 2 * p[:, 1]),
        _near(-7.0, 2.0, 0.5),
        (0.0, 0.0),
        (-10.0, 10.0, -5.0, 5.0),
    ),
    "double-well": Landscape(
        "double-well",
        Words("Two wells, the left one deeper", "2つの井戸(左が深い)"),
        r"f = (x^2 - 1)^2 + 0.3 x + y^2",
        lambda p: (p[:, 0] ** 2 - 1) ** 2 + 0.3 * p[:, 0] + p[:, 1] ** 2,
        lambda p: _stack(4 * p[:, 0] * (p[:, 0] ** 2 - 1) + 0.3, 2 * p[:, 1]),
        _box(-2.0, 2.0),
        (-1.0355787140888542, 0.0),
        (-2.2, 2.2, -2.2, 2.2),
    ),
    "saddle": Landscape(
        "saddle",
        Words("A saddle between two basins", "2つの盆地の間の鞍点"),
        r"f = x^2 / 2 - y^2 / 2 + y^4 / 8",
        lambda p: p[:, 0] ** 2 / 2 - p[:, 1] ** 2 / 2 + p[:, 1] ** 4 / 8,
        lambda p: _stack(p[:, 0], -p[:, 1] + p[:, 1] ** 3 / 2),
        _near(-3.0, 0.01, 0.002),
        (0.0, 2.0**0.5),
        (-4.0, 4.0, -2.5, 2.5),
    ),
}


def lowest_value(landscape: str) -> float:
    """The value at a landscape's lowest point."""
    surface = LANDSCAPES[landscape]
    return float(surface.value(torch.tensor([surface.lowest], dtype=torch.float64))[0])


def race(landscape: str, runs: Mapping[str, tuple[Choice, float]], steps: int, starts: int | Tensor) -> list[Path]:
    """Each optimizer, at its learning rate, from every start; the paths of one start have one ``seed``.

    ``starts`` is how many of the landscape's own, or other points ``[start, 2]``.
    """
    field_ = LANDSCAPES[landscape]
    begun = field_.starts(starts) if isinstance(starts, int) else starts.double()
    paths = []
    for name, (choice, rate) in runs.items():
        optimizer = OPTIMIZERS[choice.name]
        numbers = {key: torch.tensor(value, dtype=torch.float64) for key, value in choice.numbers.items()}
        point = begun.clone()
        slots = tuple(
            torch.full_like(point, float(numbers[start]) if isinstance(start, str) else start)
            for start in optimizer.slots.values()
        )
        scratch, way = torch.empty_like(point), [point.clone()]
        for t in torch.arange(1, steps + 1, dtype=torch.float64):
            block = Block(point, field_.gradient(point), slots, scratch, True)
            optimizer([block], t, torch.tensor(rate, dtype=torch.float64), **numbers)
            way.append(point.clone())
        values = torch.stack([field_.value(p) for p in way], 1).numpy()
        points = torch.stack(way, 1).numpy()
        paths += [Path(landscape, name, rate, seed, points[seed], values[seed]) for seed in range(len(begun))]
    return paths
