"""A trial is the same wherever it is trained: alone, among strangers, in another order or width, beside trials that diverge."""

from __future__ import annotations

import itertools
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from koubai.data import Dataset
from koubai.networks import build
from koubai.spec import Trial
from koubai.training import Outcome, plan, train
from koubai.training.minibatches import Minibatches
from koubai.training.stack import Stack

STEPS = 100
CLOSE = {"float32": 1e-5, "float64": 1e-10}  # relative, of final losses

# what strangers differ in; what must agree for one stack (shapes and functions) is each test's own
SCHEDULES = ["constant", {"name": "step", "every": 40}, "cosine", {"name": "warmup", "steps": 20}, "inverse_time"]
INITIALIZERS = ["xavier", "he", "glorot", "orthogonal", {"name": "normal", "std": 0.1}, {"name": "constant", "value": 0.05}]


def strangers(count: int, **fields: Any) -> list[Trial]:
    """Trials of one cohort with different seeds, initial weights, rates, schedules and numbers."""
    draw = random.Random(0)
    base = {"layers": [12, 8], "activation": "relu", "batch_size": 50, "steps": STEPS, "optimizer": "sgd", **fields}
    trials: dict[str, Trial] = {}
    while len(trials) < count:
        own: dict[str, Any] = {
            "seed": draw.randrange(6),
            "initializer": draw.choice(INITIALIZERS),
            "schedule": draw.choice(SCHEDULES),
        }
        own["learning_rate"] = draw.choice([0.001, 0.003, 0.01])
        if base["optimizer"] != "sgd":
            own["optimizer"] = {"name": base["optimizer"], "beta1": draw.choice([0.5, 0.9]), "eps": draw.choice([1e-8, 1e-6])}
        if base["activation"] == "leaky_relu":
            own["activation"] = {"name": "leaky_relu", "negative_slope": draw.choice([0.01, 0.2])}
        if "dropout" in base:
            own["dropout"] = draw.choice([0.1, 0.15, 0.5])
        trial = Trial(**{**base, **own})
        trials[trial.id] = trial
    return list(trials.values())


def finals(outcomes: list[Outcome]) -> dict[Trial, np.ndarray]:
    """Each trial's last losses: of the minibatches since the last point, of training and of validation samples."""
    names = ("loss", "train_loss", "validation_loss")
    return {
        trial: np.array([outcome.history[name][row, -1] for name in names])
        for outcome in outcomes
        for row, trial in enumerate(outcome.trials)
    }


def agree(some: dict[Trial, np.ndarray], others: dict[Trial, np.ndarray], rtol: float) -> None:
    assert some.keys() <= others.keys()
    for trial, losses in some.items():
        np.testing.assert_allclose(losses, others[trial], rtol=rtol, err_msg=str(trial.compact()))


def weights_of(outcome: Outcome) -> dict[Trial, np.ndarray]:
    """Every trial's final weights in one row."""
    return {t: np.concatenate([w[row].ravel() for w in outcome.weights.values()]) for row, t in enumerate(outcome.trials)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"optimizer": "adam", "activation": "leaky_relu"},
        {"batch_norm": "before", "dropout": 0.1, "penalty": {"name": "l2", "strength": 0.01}},
    ],
    ids=["sgd", "adam", "batch_norm and dropout"],
)
def test_alone_among_64_strangers_in_another_order_and_width(
    fields: dict[str, Any], dtype: str, digits: Dataset, cpu: torch.device, untouched: None
) -> None:
    trials = strangers(64, dtype=dtype, **fields)
    rtol = CLOSE[dtype]
    together = train(trials, digits, cpu)
    want, weights = finals([together]), weights_of(together)
    shuffled = train(random.Random(1).sample(trials, 64), digits, cpu)
    agree(finals([shuffled]), want, rtol)
    stacks = plan(trials, lambda trial: (digits.features, 10), width=7)
    assert {len(stack) for stack in stacks} == {6, 7} or len(stacks) == 10
    agree(finals([train(stack, digits, cpu) for stack in stacks[:4]]), want, rtol)
    for trial in trials[::8]:
        alone = train([trial], digits, cpu)
        agree(finals([alone]), want, rtol)
        if dtype == "float64":
            np.testing.assert_allclose(weights_of(alone)[trial], weights[trial], rtol=1e-8, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_over_the_two_thousand_steps_of_the_first_exercise(dtype: str, digits: Dataset, cpu: torch.device) -> None:
    base = {"layers": [40, 20], "learning_rate": 0.1, "dtype": dtype, "steps": 2000}
    trials = [Trial(**base, activation="sigmoid", initializer=i, seed=s) for s in range(3) for i in ("xavier", "he")]
    want = finals([train(trials, digits, cpu)])
    agree(finals([train(trials[2:3], digits, cpu)]), want, CLOSE[dtype])
    agree(finals([train(trials[::-1], digits, cpu)]), want, CLOSE[dtype])


def test_first_weights_and_minibatches_are_bitwise_the_same(small: Dataset, cpu: torch.device, untouched: None) -> None:
    trials = [
        Trial(data=small.spec, layers=[4], batch_size=25, seed=seed, learning_rate=rate)
        for seed in (4, 1, 9)
        for rate in (0.1, 0.2)
    ]
    together = Stack(trials, small, cpu)
    batches = together.minibatches.take(7)
    for row, trial in enumerate(trials):
        alone = Stack([trial], small, cpu)
        picks = torch.cat([alone.minibatches.take(count) for count in (1, 4, 2)])[:, 0]
        assert torch.equal(batches[:, together.seeds.index(trial.seed)], picks)
        for parameter, mine in zip(together.network.parameters, alone.network.parameters, strict=True):
            assert torch.equal(parameter.value[row], mine.value[0])


def first_not_finite(trial: Trial, data: Dataset) -> int:
    """The step at which a plain PyTorch loop's loss stops being a number, 0 if it never does.

    After the last step there is no next minibatch to show it: there the loss of all training samples does.
    """
    dtype = getattr(torch, trial.dtype)
    act = {"relu": nn.ReLU, "identity": nn.Identity}[trial.activation.name]
    widths = [data.features, *trial.layers, len(data.classes)]
    layers = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b, dtype=dtype), act())][:-1]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        network = build([trial], data.features, len(data.classes), torch.device("cpu"))
        for layer, parameter in zip(model[::2], [p for p in network.parameters if p.decays], strict=True):
            layer.weight.copy_(parameter.value[0])
            layer.bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    optimizer.param_groups[0]["lr"] = trial.learning_rate
    batches = Minibatches([trial.seed], len(data.x_train), trial.batch_size).take(trial.steps)[:, 0]
    x, y = torch.from_numpy(data.x_train).to(dtype), torch.from_numpy(data.y_train)
    for step, picks in enumerate(batches, 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[picks]), y[picks])
        if not loss.isfinite():
            return step
        loss.backward()
        optimizer.step()
    return 0 if F.cross_entropy(model(x), y).isfinite() else trial.steps


def nan_from(outcome: Outcome, row: int) -> None:
    """The history is numbers up to the step at which the trial diverged, and NaN from there on; so are the weights."""
    step = outcome.diverged[row]
    for name, curve in outcome.history.items():
        marks = outcome.histogram_steps if name in ("histogram", "low", "high") else outcome.steps
        late = curve[row, marks >= step]
        assert np.isnan(late).all(), name
        early = curve[row, marks < step]
        if name == "gradient":
            assert not np.isnan(early[0]).any()
    assert all(np.isnan(weight[row]).all() for weight in outcome.weights.values())


RATES = [0.01, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 20.0, 1e2, 1e4, 1e10, 1e30, 1e38]


@pytest.mark.parametrize(("dtype", "activation"), [("float64", "identity"), ("float32", "identity"), ("float32", "relu")])
@pytest.mark.parametrize("steps", [3, 40, 400])
def test_a_diverging_trial_is_marked_at_its_step_and_leaves(
    dtype: str, activation: str, steps: int, digits: Dataset, cpu: torch.device
) -> None:
    base = {
        "layers": [10, 10, 10],
        "activation": activation,
        "initializer": "he",
        "batch_size": 50,
        "dtype": dtype,
        "steps": steps,
    }
    trials = [Trial(**base, learning_rate=rate, seed=1) for rate in RATES]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = train(trials, digits, cpu)
    want = [first_not_finite(trial, digits) for trial in trials]
    assert outcome.diverged.tolist() == want
    assert 0 in want and any(want), "the rates should make some diverge and some not"
    if steps == 400 and activation == "identity":
        assert len(set(want)) > 4, "the rates should make them diverge at different steps"
    for row in np.flatnonzero(outcome.diverged):
        nan_from(outcome, row)


def test_trials_that_diverge_change_nothing_for_the_others(digits: Dataset, cpu: torch.device) -> None:
    base = {"layers": [12, 8], "activation": "relu", "batch_size": 50, "steps": STEPS}
    good = [Trial(**base, learning_rate=rate, seed=seed) for rate in (0.01, 0.1) for seed in (0, 1, 2)]
    bad = [Trial(**base, learning_rate=rate, seed=seed) for rate, seed in ((1e30, 0), (1e38, 1), (1e30, 7), (300.0, 2))]
    alone = train(good, digits, cpu)
    mixed = train([bad[0], *good[:3], bad[1], *good[3:], *bad[2:]], digits, cpu)
    assert [trial.learning_rate for trial, step in zip(mixed.trials, mixed.diverged, strict=True) if step and step < 4] == [
        1e30,
        1e38,
        1e30,
    ]
    agree(finals([alone]), finals([mixed]), 1e-5)
    rows = [mixed.trials.index(trial) for trial in good]
    for name, curve in alone.history.items():
        np.testing.assert_allclose(mixed.history[name][rows], curve, rtol=2e-3, atol=1e-5, err_msg=name)
    for name, weight in alone.weights.items():
        np.testing.assert_allclose(mixed.weights[name][rows], weight, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("fields", [{"batch_norm": "before"}, {"dropout": 0.3}, {"optimizer": "adam"}, {"optimizer": "momentum"}])
def test_what_the_others_remember_stays_when_one_leaves(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    """Running statistics, dropout's noise, the optimizer's memory and the minibatches go on where they stood."""
    base = {"layers": [12, 8], "batch_size": 50, "steps": STEPS, "dtype": "float64", **fields}
    good = [Trial(**base, learning_rate=0.01, seed=seed) for seed in (2, 5)]
    # with batch normalization or Adam a huge rate alone keeps the loss finite: the first weights are huge too
    bad = Trial(**base, learning_rate=1e308, seed=3, initializer={"name": "normal", "std": 1e200})
    mixed = train([good[0], bad, good[1]], digits, cpu)
    assert [step > 0 for step in mixed.diverged] == [False, True, False]
    alone = train(good, digits, cpu)
    agree(finals([alone]), finals([mixed]), 1e-10)
    for trial, weights in weights_of(alone).items():
        np.testing.assert_allclose(weights_of(mixed)[trial], weights, rtol=1e-8, atol=1e-10)


def test_all_trials_may_diverge(digits: Dataset, cpu: torch.device) -> None:
    trials = [Trial(layers=[8], learning_rate=rate, steps=50) for rate in (1e30, 1e38)]
    outcome = train(trials, digits, cpu)
    assert outcome.diverged.tolist() == [first_not_finite(trial, digits) for trial in trials]
    for row in (0, 1):
        nan_from(outcome, row)
    assert np.isfinite(outcome.history["gradient"][:, 0]).all() and len(outcome.steps) == outcome.history["loss"].shape[1]


def test_the_very_last_step_may_be_the_one_that_breaks(digits: Dataset, cpu: torch.device) -> None:
    """Every minibatch loss was a number, but the weights after the last step give none: that trial has diverged too."""
    trials = [Trial(layers=[8, 8], learning_rate=rate, steps=1) for rate in (0.1, 1e38)]
    outcome = train(trials, digits, cpu)
    assert outcome.diverged.tolist() == [0, 1]
    nan_from(outcome, 1)
    assert all(np.isfinite(outcome.history[name][0, -1]).all() for name in outcome.history)


def test_progress_counts_every_step_of_every_trial_still_training(small: Dataset, cpu: torch.device) -> None:
    trials = [Trial(data=small.spec, layers=[3], batch_size=10, steps=200, learning_rate=rate) for rate in (0.1, 1e38)]
    told: list[tuple[int, int]] = []
    outcome = train(trials, small, cpu, lambda count, steps: told.append((count, steps)))
    assert sum(steps for _, steps in told) == 200
    assert outcome.diverged[1] and {count for count, _ in told} == {1, 2}
