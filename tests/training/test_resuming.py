"""A training that is kept, taken up again, looked at or thinned out ends with the same numbers as one that was left alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from koubai.data import load
from koubai.spec import Trial
from koubai.techniques import OPTIMIZERS
from koubai.training import Outcome, Training, train

CPU = torch.device("cpu")


def some(optimizer: str = "adam", seeds: int = 3, **fields: Any) -> list[Trial]:
    base = {"layers": [12, 8], "optimizer": optimizer, "learning_rate": 0.01, "batch_size": 50, "steps": 300, **fields}
    return [Trial(**base, seed=seed) for seed in range(seeds)]


def same(a: Outcome, b: Outcome) -> None:
    assert a.trials == b.trials
    assert np.array_equal(a.diverged, b.diverged) and np.array_equal(a.stopped, b.stopped)
    for mine, other in ((a.history, b.history), (a.weights, b.weights)):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            assert np.array_equal(value, other[name], equal_nan=True), name


def kept_and_resumed(trials: Sequence[Trial], segments: Sequence[int]) -> Outcome:
    """Train, and after each of so many segments put everything through what a file can hold, into a new process's hands."""
    data = load(trials[0].data)
    training = Training(trials, data, CPU)
    k = 0
    while not training.done:
        training.advance()
        k += 1
        if k in segments and len(training.rows):
            arrays, about = training.state()
            copied = {name: np.array(value) for name, value in arrays.items()}
            training = Training.restored(trials, data, CPU, copied, json.loads(json.dumps(about)))
    return training.outcome()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_is_undisturbed_bit_for_bit(optimizer: str) -> None:
    trials = some(optimizer, dropout=0.2, batch_norm="before", learning_rate=0.001)
    same(train(trials, load(trials[0].data), CPU), kept_and_resumed(trials, [1, 4, 5, 9]))


def test_augmented_images_go_on_as_they_would_have() -> None:
    trials = some(augment=["flip", "shift"], dropout=0.2)
    same(train(trials, load(trials[0].data), CPU), kept_and_resumed(trials, [1, 4, 9]))


@pytest.mark.slow
@settings(max_examples=10)
@given(st.sets(st.integers(1, 25), min_size=1, max_size=6))
def test_whenever_it_was_interrupted(segments: set[int]) -> None:
    trials = some(dropout=0.1, layer_rates=(1.0, 0.5, 2.0), schedule="cosine")
    same(train(trials, load(trials[0].data), CPU), kept_and_resumed(trials, sorted(segments)))


def test_resumed_beside_one_that_has_diverged() -> None:
    trials = [*some("sgd"), Trial(**{**some("sgd")[0].compact(), "learning_rate": 1e20})]
    outcome = kept_and_resumed(trials, list(range(1, 40)))
    assert outcome.diverged[3] and not outcome.diverged[:3].any()
    same(train(trials, load(trials[0].data), CPU), outcome)


def test_images_resume() -> None:
    chain = ["conv 4 3x3 pad 1", "batchnorm", "relu", "maxpool 2", "flatten", "dropout 0.3", "dense 10", "relu"]
    trials = some(layers=chain, steps=40, seeds=2)
    same(train(trials, load(trials[0].data), CPU), kept_and_resumed(trials, [2, 3]))


def test_looking_at_other_steps_changes_nothing() -> None:
    trials = some(dropout=0.2)
    data = load(trials[0].data)
    training = Training(trials, data, CPU, marks=[0, 7, 150, 300])
    while not training.done:
        training.advance()
        training.stack.evaluate(torch.from_numpy(data.x_validation), torch.from_numpy(data.y_validation))
    usual, other = train(trials, data, CPU), training.outcome()
    assert other.steps.tolist() == [0, 7, 150, 300]
    for name, value in usual.weights.items():
        assert np.array_equal(value, other.weights[name])
    assert np.array_equal(usual.history["validation_loss"][:, -1], other.history["validation_loss"][:, -1])


def test_a_dropped_trial_leaves_the_others_as_they_are() -> None:
    trials = some(seeds=4, dropout=0.2)
    data = load(trials[0].data)
    training = Training(trials, data, CPU)
    while not training.done:
        training.advance()
        if training.point == 4:
            training.drop([1])
    outcome = training.outcome()
    assert outcome.stopped.tolist() == [0, int(training.marks[3]), 0, 0]
    assert np.isfinite(outcome.history["loss"][1, 1:4]).all() and np.isnan(outcome.history["loss"][1, 4:]).all()
    assert np.isnan(outcome.weights["0.weight"][1]).all()
    undisturbed = train([trials[0], *trials[2:]], data, CPU)
    for name, value in undisturbed.weights.items():
        assert np.allclose(outcome.weights[name][[0, 2, 3]], value, rtol=1e-4, atol=1e-6)


def test_dropping_all_ends_it() -> None:
    training = Training(some(), load(some()[0].data), CPU)
    training.advance()
    training.advance()
    training.drop([0, 1, 2])
    assert training.done
    assert np.isnan(training.outcome().weights["0.weight"]).all()


def test_the_state_of_another_stack_is_refused() -> None:
    data = load(some()[0].data)
    training = Training(some(), data, CPU)
    training.advance()
    training.advance()
    arrays, about = training.state()
    with pytest.raises((LookupError, ValueError, RuntimeError)):
        Training.restored(some(layers=[9, 8]), data, CPU, arrays, about)
