"""A trial that diverges beside others: whatever technique they train with, its NaN never reaches them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from koubai import blueprint
from koubai.data import Dataset, load
from koubai.spec import Trial
from koubai.techniques import KINDS
from koubai.training import Outcome, train

BASE = {"layers": [6, 5], "batch_size": 20, "steps": 60, "learning_rate": 0.01}
WILD = 3e38  # a learning rate that leaves float32's range at once
KINDS_OF_LAYERS = {
    "batch normalization": ["conv 3 3x3 pad 1", "batchnorm", "relu", "maxpool 2", "flatten", 6],
    "local response normalization": ["conv 3 3x3 pad 1", "relu", "lrn", "avgpool 2", "flatten", 6],
    "dropout": ["conv 3 3x3 pad 1", "relu", "flatten", "dropout 0.3", 6],
    "strides": ["conv 3 3x2 stride 2x1 pad 1", "maxpool 3 stride 1 pad 1", "avgpool 2 stride 1", "flatten", 6],
}
IMAGES = {"data": {"name": "digits", "samples": 60}, "layers": ["conv 3 3x3 pad 1", "maxpool 2", "flatten", 6]}
CASES: dict[str, dict[str, Any]] = {
    **{
        f"{kind} {name}": {kind: name}
        for kind in ("activation", "initializer", "optimizer", "schedule", "penalty")
        for name in KINDS[kind]
    },
    "batch_norm before": {"batch_norm": "before"},
    "batch_norm after": {"batch_norm": "after"},
    "dropout 0.3": {"dropout": 0.3},
    "layer_rates": {"layer_rates": [1.0, 0.5, 2.0]},
    "clip_grad_norm": {"clip_grad_norm": 0.5},
    "float64": {"dtype": "float64", "learning_rate": 0.01},
    "bfloat16": {"dtype": "bfloat16"},
    "a quantity": {"data": {"name": "diabetes", "samples": 60, "standardize": True}},
    **{f"augmentation {name}": {**IMAGES, "augment": [name]} for name in KINDS["augmentation"]},
    **{f"images, {name}": {**IMAGES, "layers": chain} for name, chain in KINDS_OF_LAYERS.items()},
}


def stack(fields: dict[str, Any], middle: float) -> Outcome:
    """Three trials of one seed that share their minibatches, and one of another; the second has a learning rate of its own."""
    base = {**BASE, "data": {"name": "moons", "samples": 60}, **fields}
    rates = (0.01, middle, 0.02, 0.01)
    trials = [Trial(**{**base, "learning_rate": rate, "seed": k // 3}) for k, rate in enumerate(rates)]
    return train(trials, load(trials[0].data), torch.device("cpu"))


@pytest.mark.parametrize("case", CASES)
def test_not_a_number_never_reaches_a_neighbour(case: str) -> None:
    wild = 1e308 if CASES[case].get("dtype") == "float64" else WILD
    beside, alone = stack(CASES[case], wild), stack(CASES[case], 0.01)
    others = [0, 2, 3]
    assert not beside.diverged[others].any() and not alone.diverged.any()
    assert beside.diverged[1] > 0, "the neighbour should go wild"
    for name, value in alone.weights.items():
        assert np.isfinite(beside.weights[name][others]).all(), name
        np.testing.assert_allclose(beside.weights[name][others], value[others], rtol=2e-3, atol=1e-5, err_msg=name)
    for name, value in alone.history.items():
        np.testing.assert_array_equal(np.isnan(beside.history[name][others]), np.isnan(value[others]), err_msg=name)
    for name in ("loss", "train_loss", "validation_loss"):
        np.testing.assert_allclose(beside.history[name][others], alone.history[name][others], rtol=1e-3, err_msg=name)


def test_every_technique_is_among_the_cases() -> None:
    """A new one is tested by being registered, or this fails."""
    of_layers = {"conv": "convolution", "maxpool": "pooling", "avgpool": "pooling", "lrn": "normalization", "dropout": "dropout"}
    seen = set()
    for fields in CASES.values():
        trial = Trial(**{**BASE, "data": {"name": "moons", "samples": 60}, **fields})
        seen |= {(kind, getattr(trial, kind).name) for kind in ("activation", "initializer", "optimizer", "schedule", "penalty")}
        seen |= {("augmentation", one.name) for one in trial.augment}
        seen |= {(of_layers[part.name], part.name) for part in map(blueprint.read, trial.layers) if part.name in of_layers}
        seen |= {("clipping", "clip_grad_norm")} if trial.clip_grad_norm else set()
        seen |= {("normalization", "batch_norm")} if trial.batch_norm != "none" else set()
        seen |= {("loss", "cross_entropy" if load(trial.data).classes else "squared_error")}
    assert seen == {(kind, name) for kind, members in KINDS.items() for name in members}


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("batch_norm", ["none", "before"])
def test_wherever_it_stands_in_the_stack(digits: Dataset, place: int, batch_norm: str) -> None:
    base = {"data": digits.spec, "layers": [6], "steps": 30, "batch_norm": batch_norm}
    trials = [Trial(**base, learning_rate=WILD if k == place else 0.01 * (k + 1)) for k in range(3)]
    outcome = train(trials, digits, torch.device("cpu"))
    assert [bool(step) for step in outcome.diverged] == [k == place for k in range(3)]


def test_a_clipped_trial_is_bit_for_bit_the_same_whatever_its_neighbours_limit(digits: Dataset) -> None:
    base = {"data": digits.spec, "layers": [6, 5], "steps": 40, "penalty": "l2"}
    limits = [[1.0, 0.1, 1e-3], [1.0, 1e6, 5.0], [1.0, 0.5, 0.2]]
    runs = [
        train([Trial(**base, seed=k, clip_grad_norm=c) for k, c in enumerate(some)], digits, torch.device("cpu"))
        for some in limits
    ]
    for run in runs[1:]:
        for name, value in run.weights.items():
            np.testing.assert_array_equal(value[0], runs[0].weights[name][0], err_msg=name)
            assert name.endswith("num_batches_tracked") or not np.array_equal(value[1], runs[0].weights[name][1])


def test_a_limit_that_no_gradient_reaches_changes_no_bit(digits: Dataset) -> None:
    base = {"data": digits.spec, "layers": [6, 5], "steps": 40, "optimizer": "adam", "batch_norm": "before"}
    wide, without = (
        train([Trial(**base, seed=k, clip_grad_norm=c) for k in range(2)], digits, torch.device("cpu")) for c in (1e9, 0.0)
    )
    for name, value in wide.weights.items():
        np.testing.assert_array_equal(value, without.weights[name], err_msg=name)
