"""What claims compare, each worked out by hand on made-up records and paths (those that tests/experiments/test_judging.py leaves)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize

from koubai.data import Dataset
from koubai.landscapes import LANDSCAPES, Path, lowest_value
from koubai.measures import MEASURES, dense_weights, first_step, spelled
from koubai.spec import Trial
from koubai.store import Record, Store
from koubai.training import train


@dataclass(frozen=True)
class Made(Record):
    """A record whose weights are given, not on disk."""

    given: dict[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(value, dtype=float) for name, value in self.given.items()}


def made(history: dict[str, Any] | None = None, weights: dict[str, Any] | None = None, kinds: str = "WAW", **trial: Any) -> Made:
    """A record of points 0, 10 and 100; ``kinds`` by their first letters: weights, activation, normalization, dropout."""
    names = {"W": "weights", "A": "activation", "N": "normalization", "D": "dropout"}
    curves = {name: np.array(value, dtype=float) for name, value in (history or {}).items()}
    full = tuple(names[kind] for kind in kinds)
    steps = np.array([0, 10, 100])
    return Made(Trial(**{"steps": 100, **trial}), full, full, steps, steps[:1], 0, curves, {}, File(), 0, given=weights or {})


def path(points: Any, landscape: str = "valley", values: Any = None) -> Path:
    points = np.array(points, dtype=float)
    return Path(landscape, "sgd", 0.1, 0, points, np.zeros(len(points)) if values is None else np.array(values, dtype=float))


def value(name: str, *runs: Any) -> float:
    found = MEASURES[name].function(runs)
    assert isinstance(found, float)
    return found


def test_every_measure_has_words_in_both_languages() -> None:
    for name, measure in MEASURES.items():
        assert all(measure.words), name
        assert any(letter >= "ぁ" for letter in measure.words.ja), name
        assert bool(measure.unit.en) == bool(measure.unit.ja), name


def test_accuracies_are_the_last_ones_averaged_over_runs() -> None:
    runs = [
        made({"validation_accuracy": [0.1, 0.9, last], "train_accuracy": [0.2, 0.3, more]})
        for last, more in ((0.5, 0.8), (0.7, 1))
    ]
    assert value("validation accuracy", *runs) == pytest.approx(0.6)
    assert value("train accuracy", *runs) == pytest.approx(0.9)
    assert value("gap", *runs) == pytest.approx(0.3)
    assert value("best accuracy", *runs) == pytest.approx(0.7)


def test_a_diverged_trial_guesses_among_its_classes() -> None:
    lost = made(
        {"validation_accuracy": [0.5, np.nan, np.nan], "train_accuracy": [0.5, np.nan, np.nan]},
        {"0.bias": np.full((9, 1), np.nan), "2.bias": np.full((4, 1), np.nan)},
    )
    fine = made({"validation_accuracy": [0.25, 0.3, 0.35], "train_accuracy": [0.25, 0.3, 0.35]})
    assert value("validation accuracy", lost) == value("train accuracy", lost) == 0.25
    assert value("gap", lost) == 0
    assert value("best accuracy", lost, fine) == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("gradient", "decades"),
    [
        ([0.001, 0.5, 1], -3),
        ([10, 0.5, 0.1], 2),
        ([1e-300, 0.5, 1], -20),  # less than can matter
        ([0, 0.5, 1], -20),
        ([0, 0, 0], -20),
        ([np.nan] * 3, -20),
        ([1e-30, 1e-20, 1e-20], -10),
    ],
)
def test_attenuation_is_that_of_the_start_in_decades(gradient: list[float], decades: float) -> None:
    later = [[1, 1, 1], [5, 5, 5]]
    assert value("attenuation", made({"gradient": [gradient, *later]})) == pytest.approx(decades)


def test_attenuation_is_averaged_in_decades() -> None:
    runs = [made({"gradient": [[first, 1, 1]]}) for first in (0.1, 0.001)]
    assert value("attenuation", *runs) == pytest.approx(-2)


def test_activation_factor_is_the_largest_of_any_activation_at_any_step() -> None:
    """Layers dense, activation, dense, activation, dense: the factors stand between layers 1 and 2, and 3 and 4."""
    gradient = [[1, 10, 4, 8, 100], [2, 20, 9, 12, 100], [np.nan] * 5]  # 0.1 and 0.5, 0.1 and 0.75
    assert value("activation factor", made({"gradient": gradient}, kinds="WAWAW")) == pytest.approx(0.75)
    nothing = made({"gradient": [[0, 0, 0], [1, 5, 1]]})
    assert value("activation factor", nothing) == pytest.approx(0.2), "where no gradient arrives nothing is measured"


def test_a_sigmoids_factor_is_a_quarter_at_most(digits: Dataset, cpu: torch.device, tmp_path: File) -> None:
    trials = [Trial(layers=[12, 8], activation="sigmoid", initializer="xavier", steps=60, seed=seed) for seed in (0, 1)]
    store = Store(tmp_path)
    store.put(train(trials, digits, cpu), "cpu")
    assert 0.1 < value("activation factor", *store.get(trials)) <= 0.25


def test_zeros_are_the_last_points_over_all_layers() -> None:
    assert value("zeros", made({"zeros": [[0, 0], [1, 1], [0.5, 0.25]]}), made({"zeros": [[0.625, 0.625]]})) == pytest.approx(0.5)


def test_small_weights_are_counted_against_the_largest_of_their_matrix() -> None:
    weights = {
        "0.weight": [[1, -0.011], [0.009, 0]],  # two of four are under a hundredth
        "0.bias": [[0], [0]],
        "2.weight": [[1e-5, -2e-5], [1e-8, 1.9e-7]],  # two of four again: its own largest counts
        "2.bias": [[0], [5]],
    }
    assert value("small weights", made(weights=weights)) == pytest.approx(0.5)


def test_only_dense_layers_have_weight_matrices() -> None:
    """Not batch normalization; also those with a single input; first to last where there are more than ten layers."""
    matrices = {f"{k}.weight": np.full((2, 1 if k == 0 else 2), k) for k in range(0, 18, 3)}
    norms = {f"{k}.weight": np.full((2, 1), -1) for k in range(2, 17, 3)}
    record = made(weights=dict(sorted({**matrices, **norms}.items())), kinds="WAN" * 5 + "W")
    assert [int(weight[0, 0]) for weight in dense_weights(record)] == [0, 3, 6, 9, 12, 15]


def test_unit_spread_is_of_hidden_layers() -> None:
    weights = {"0.weight": [[1, 2], [1, 2.5]], "2.weight": [[3, 3], [3, 3.25]], "4.weight": [[0, 0], [9, 9]]}
    assert value("unit spread", made(weights=weights, kinds="WAWAW")) == pytest.approx(0.5)
    many = {f"{k}.weight": [[k, k], [k, k]] for k in range(0, 12, 2)} | {"12.weight": [[0, 0], [9, 9]]}
    assert value("unit spread", made(weights=dict(sorted(many.items())), kinds="WA" * 6 + "W")) == 0


@pytest.mark.parametrize(
    ("curve", "step"),
    [
        ([0.1, 0.6, 1.0], 55),  # half way from 10 to 100
        ([0.1, 0.9, 0.1], 8.75),  # the first time counts
        ([0.8, 0.9, 1.0], 0),
        ([0.1, 0.8, 0.9], 10),
        ([0.1, 0.2, 0.7], 100),  # never: the whole budget
        ([0.1, np.nan, np.nan], 100),
    ],
)
def test_steps_to_80_percent(curve: list[float], step: float) -> None:
    assert value("steps to 80%", made({"validation_accuracy": curve})) == pytest.approx(step)
    assert first_step(made({"validation_accuracy": curve}), 0.8) == pytest.approx(step)


def test_range_of_one_rate_is_a_decade() -> None:
    assert value("range of rates", made({"validation_accuracy": [0.1, 0.5, 0.9]})) == 1


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ([5, 1, 0.05, 0.01], 2),
        ([0.05, 0.01, 0, 0], 0),
        ([5, 5, 5, 5], 4),
        ([5, 0.01, np.nan, np.inf], 4),
        ([5, 0.05, 0.5, 0.05], 3),
    ],
)
def test_steps_to_the_bottom_are_for_good(values: list[float], steps: int) -> None:
    assert value("steps to the bottom", path(np.zeros((4, 2)), values=values)) == steps


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_height_is_above_the_lowest_value_there_is(landscape: str) -> None:
    """As scipy finds it, from the best point of a grid."""
    surface = LANDSCAPES[landscape]

    def f(point: np.ndarray) -> float:
        return float(surface.value(torch.from_numpy(point).view(1, 2))[0])

    grid = np.stack(np.meshgrid(np.linspace(-4, 4, 81), np.linspace(-4, 4, 81)), -1).reshape(-1, 2)
    lowest = optimize.minimize(f, grid[np.argmin([f(point) for point in grid])], method="Nelder-Mead", options={"xatol": 1e-9})
    assert lowest_value(landscape) == pytest.approx(lowest.fun, abs=1e-9)
    ends = [path([[0, 0]], landscape, [lowest_value(landscape) + above]) for above in (0.0, 3.0)]
    assert value("height", *ends) == pytest.approx(1.5)


def test_the_global_minimum_is_the_left_well() -> None:
    ends = [path([[1, 1], [x, 0]], "double-well") for x in (-1.03, 0.96, -0.2, 1.0)]
    assert value("global minimum", *ends) == pytest.approx(0.5)
    surface = LANDSCAPES["double-well"]
    left, right = surface.value(torch.tensor([[-1.0356, 0], [0.96, 0]], dtype=torch.float64))
    assert left < right


def test_steps_to_leave_the_saddle() -> None:
    """Either way out counts; a path that never leaves counts whole."""
    ways = [path([[0, y] for y in ys], "saddle") for ys in ([0, 0.1, 0.71, 0], [0, -0.8, -1, -1], [0, 0.7, -0.7, 0])]
    assert [value("steps to leave", way) for way in ways] == [2, 1, 3]
    assert value("steps to leave", *ways) == pytest.approx(2)


@pytest.mark.parametrize(
    ("value", "regression", "words"),
    [
        (0.9123, False, "91.2%"),
        (0.9123, True, "0.912"),
        (-0.0002, True, "0.000"),
        (-0.3, True, "-0.300"),
        (-1234.0, True, "-1.2e+03"),
    ],
)
def test_accuracies_and_shares_of_variance_are_spelled_as_readers_want_them(value: float, regression: bool, words: str) -> None:
    assert spelled(value, regression) == words
