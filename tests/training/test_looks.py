"""Looks that are programs find what looks by Python find, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from koubai.data import load
from koubai.spec import Trial
from koubai.training.looks import Look
from koubai.training.loop import MANY, Training, points, train
from koubai.training.stack import Stack

IMAGES = ["conv 4 3x3 pad 1", "maxpool 2", "conv 3 3x3", "avgpool 2", "flatten", 6]
FIELDS: dict[str, dict[str, Any]] = {
    "dense": {},
    "saturating": {"activation": "sigmoid", "initializer": {"name": "normal", "std": 1.0}},
    "no gradient": {"initializer": "zeros"},
    "batch norm and dropout": {"batch_norm": "before", "dropout": 0.3},
    "penalty and clipping": {"penalty": "l2", "clip_grad_norm": 0.5},
    "a quantity": {"data": "diabetes"},
    "float64": {"dtype": "float64"},
    "bfloat16": {"dtype": "bfloat16"},
    "images": {"layers": IMAGES},
}


def stack(**fields: Any) -> Stack:
    base = {"layers": [6, 5], "activation": "relu", "initializer": "he", "batch_size": 10, "steps": 40, "learning_rate": 0.01}
    trials = [Trial(**{**base, **fields, "seed": seed}) for seed in range(4)]
    return Stack(trials, load(trials[0].data), torch.device("cpu"))


@torch.no_grad()
@pytest.mark.parametrize("name", FIELDS)
def test_programs_and_python_see_the_same(name: str) -> None:
    looks = [Look(stack(**FIELDS[name]), many) for many in (True, False)]
    for k in range(5):
        found = []
        for look in looks:
            look.stack.advance(3, last=look.remember)
            found.append(look.take(histograms=k == 2))
        program, python = found
        assert list(program) == list(python) and ("histogram" in program) == (k == 2)
        for key, value in program.items():
            np.testing.assert_array_equal(value, python[key], err_msg=key, strict=k == 2)
    assert looks[0].run and not looks[1].run
    assert all(torch.equal(a, b) for a, b in zip(looks[0].stack.state().values(), looks[1].stack.state().values(), strict=True))


@torch.no_grad()
def test_layers_whose_size_decides_how_they_are_summed_are_looked_at_by_python() -> None:
    look = Look(stack(layers=[100, 100]), many=True)
    for _ in range(3):
        look.stack.advance(1, last=look.remember)
        look.take()
    assert look.run is None and not look.notes


@torch.no_grad()
def test_what_some_trials_did_in_their_last_step_stays_when_others_leave() -> None:
    whole = Look(stack(), many=False)
    whole.stack.advance(3, last=whole.remember)
    some = whole.subset(whole.stack.subset([1, 3]), [1, 3])
    np.testing.assert_array_equal(some.take()["update"], whole.take()["update"][[1, 3]])


def test_long_histories_are_those_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a trial leaves on the way."""
    fields: dict[str, Any] = {"layers": [6, 5], "activation": "relu", "steps": 120 * MANY}
    trials = [Trial(**fields, seed=seed, learning_rate=rate) for seed, rate in enumerate((0.01, 1e20, 0.1))]
    data, cpu = load(trials[0].data), torch.device("cpu")
    assert len(points(trials[0].steps)) >= MANY
    program = train(trials, data, cpu)
    monkeypatch.setattr("koubai.training.loop.MANY", 10**6)
    python = train(trials, data, cpu)
    assert program.diverged[1] > 0 and list(program.history) == list(python.history)
    for key, value in program.history.items():
        np.testing.assert_array_equal(value, python.history[key], err_msg=key)


def test_a_program_is_run_where_a_history_is_long(digits: Any, cpu: torch.device) -> None:
    training = Training([Trial(layers=[6], steps=120 * MANY)], digits, cpu)
    while not training.done:
        training.advance()
    assert training.look.run
