"""Races on surfaces (what tests/experiments/test_judging.py leaves): the starts, each optimizer's way, and what happens off the map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from koubai.choices import choose
from koubai.landscapes import LANDSCAPES, race
from koubai.techniques import OPTIMIZERS

FORMULAS = {
    "valley": lambda x, y: x**2 / 20 + y**2,
    "double-well": lambda x, y: (x**2 - 1) ** 2 + 0.3 * x + y**2,
    "saddle": lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 8,
}
ALL = {name: (choose("optimizer", name), 0.1) for name in OPTIMIZERS}


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_every_optimizer_starts_where_the_others_start(landscape: str, untouched: None) -> None:
    paths = race(landscape, ALL, 5, 4)
    assert [(path.optimizer, path.seed) for path in paths] == [(name, seed) for name in ALL for seed in range(4)]
    for path in paths:
        assert path.landscape == landscape and path.rate == 0.1
        assert path.points.shape == (6, 2) and path.values.shape == (6,)
        np.testing.assert_array_equal(path.points[0], paths[path.seed].points[0])
        np.testing.assert_allclose(path.values, FORMULAS[landscape](*path.points.T), rtol=1e-12, atol=1e-14)
        assert (path.points[1:] != path.points[:-1]).any(), "it moves"
    assert len({tuple(path.points[0]) for path in paths}) == 4
    again = race(landscape, ALL, 5, 4)
    assert all(np.array_equal(one.points, two.points) for one, two in zip(paths, again, strict=True))


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_starts_lie_where_they_are_said_to(landscape: str) -> None:
    surface = LANDSCAPES[landscape]
    starts = surface.starts(2000).numpy()
    x_low, x_high, y_low, y_high = surface.bounds
    inside = (starts >= [x_low, y_low]) & (starts <= [x_high, y_high])
    assert inside.mean() > 0.99
    if landscape == "double-well":
        assert starts.min() >= -2 and starts.max() <= 2
        np.testing.assert_allclose(starts.mean(0), 0, atol=4 * 4 / math.sqrt(12 * 2000))
    else:
        point, spread = {"valley": ((-7, 2), 0.5), "saddle": ((-3, 0.01), 0.002)}[landscape]
        np.testing.assert_array_equal(starts[0], point)
        np.testing.assert_allclose(starts.mean(0), point, atol=4 * spread / math.sqrt(2000))
        np.testing.assert_allclose(starts.std(0), spread, rtol=0.1)


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_the_lowest_point_is_level_and_inside(landscape: str) -> None:
    surface = LANDSCAPES[landscape]
    slope = surface.gradient(torch.tensor([surface.lowest], dtype=torch.float64))
    assert slope.abs().max() < 1e-12
    x_low, x_high, y_low, y_high = surface.bounds
    assert x_low < surface.lowest[0] < x_high and y_low < surface.lowest[1] < y_high


def test_the_saddle_is_one() -> None:
    """Level at the middle, up along one axis and down along the other."""
    middle = torch.zeros(1, 2, dtype=torch.float64)
    assert not LANDSCAPES["saddle"].gradient(middle).any()
    hessian = torch.autograd.functional.hessian(lambda p: LANDSCAPES["saddle"].value(p.view(1, 2))[0], middle[0])
    assert hessian[0, 0] > 0 > hessian[1, 1]


def test_momentum_follows_torch_from_every_start() -> None:
    for seed, path in enumerate(race("double-well", {"momentum": (choose("optimizer", "momentum"), 0.05)}, 40, 3)):
        point = torch.tensor(path.points[0], requires_grad=True)
        optimizer = torch.optim.SGD([point], lr=0.05, momentum=choose("optimizer", "momentum").numbers["momentum"])
        for step in range(41):
            np.testing.assert_allclose(path.points[step], point.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=f"{seed}")
            optimizer.zero_grad()
            ((point[0] ** 2 - 1) ** 2 + 0.3 * point[0] + point[1] ** 2).backward()
            optimizer.step()


def test_adagrad_starts_from_the_notes_theta() -> None:
    """By hand: ``h_0 = theta``, ``h += g^2``, ``w -= rate g / (sqrt(h) + theta)``."""
    choice = choose("optimizer", {"name": "adagrad", "eps": 0.5})
    (path,) = race("valley", {"adagrad": (choice, 1.5)}, 20, 1)
    point, memory = np.array([-7.0, 2.0]), np.full(2, 0.5)
    for step in range(21):
        np.testing.assert_allclose(path.points[step], point, rtol=1e-10)
        slope = np.array([point[0] / 10, 2 * point[1]])
        memory = memory + slope**2
        point = point - 1.5 * slope / (np.sqrt(memory) + 0.5)


def test_a_path_that_leaves_the_map_leaves_the_others_alone() -> None:
    runs = {"sgd": (choose("optimizer", "sgd"), 50.0), "momentum": (choose("optimizer", "momentum"), 0.01)}
    wild, mild = race("double-well", runs, 300, 1)
    assert not np.isfinite(wild.values[-1]) and np.isfinite(mild.values).all()
    (alone,) = race("double-well", {"momentum": runs["momentum"]}, 300, 1)
    np.testing.assert_array_equal(mild.points, alone.points)


def test_a_race_starts_where_it_is_told() -> None:
    start = torch.tensor([[3.0, -1.0], [0.5, 0.5]])
    paths = race("valley", {"sgd": (choose("optimizer", "sgd"), 0.1)}, 1, start)
    assert [path.points[0].tolist() for path in paths] == start.tolist()
    assert paths[0].points[1].tolist() == pytest.approx([3 - 0.1 * 3 / 10, -1 + 0.1 * 2])
    assert start.tolist() == [[3.0, -1.0], [0.5, 0.5]]  # and is not moved
