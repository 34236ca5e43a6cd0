"""The exercises are those of the notes: sizes and numbers written out here by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from koubai.experiments.catalogue import EXERCISES, Race
from koubai.experiments.conduct import adapt, change, conduct, named
from koubai.language import UserError
from koubai.store import Store
from koubai.study import Study

NOTES: dict[str, dict[str, Any]] = {
    "vanishing-gradient": {"layers": (40, 20), "batch_size": 100, "steps": 2000, "learning_rate": 0.1, "trials": 3 * 4 * 10},
    "initial-weights": {"layers": (100,) * 4, "batch_size": 128, "steps": 2000, "learning_rate": 0.01, "trials": 3 * 10},
    "batch-norm": {"layers": (100,) * 5, "batch_size": 100, "learning_rate": 0.01, "trials": 16 * 3 * 10},
    "optimizers": {"layers": (40, 20), "steps": 2000},
    "overfitting": {"layers": (100,) * 6, "batch_size": 100, "learning_rate": 0.01},
    "hyperparameter-search": {"layers": (100,) * 6},
}


def study(name: str) -> Study:
    """The study behind an exercise."""
    runs = EXERCISES[name].runs
    assert isinstance(runs, Study)
    return runs


@pytest.mark.parametrize("name", NOTES)
def test_set_ups_are_those_of_the_notes(name: str) -> None:
    for key, value in NOTES[name].items():
        assert (len(study(name).trials) if key == "trials" else getattr(study(name).base, key)) == value


def test_every_exercise_is_named_after_what_it_runs_and_has_words_and_figures() -> None:
    for name, exercise in EXERCISES.items():
        assert exercise.name == name
        assert all(exercise.title)
        assert all(exercise.about)
        assert exercise.figures
        if isinstance(exercise.runs, Study):
            assert exercise.runs.name == name


def test_vanishing_gradient_varies_what_the_notes_vary() -> None:
    axes = {name: [str(value) for value in values] for name, values in study("vanishing-gradient").axes.items()}
    assert axes["activation"] == ["sigmoid", "tanh", "relu"]
    assert axes["initializer"] == ["normal", "xavier", "he", "zeros"]
    assert {trial.initializer.numbers["std"] for trial in study("vanishing-gradient") if trial.initializer.name == "normal"} == {
        0.01
    }


def test_epochs_of_the_notes_come_out() -> None:
    assert study("batch-norm").base.steps == 20 * 1000 // 100  # 20 epochs of 1,000 samples
    assert 200 <= study("overfitting").base.steps * 100 / 300 <= 300  # epochs of 300 samples
    search = study("hyperparameter-search")
    assert search.base.steps == 50 * 400 // 100  # 50 epochs of the 400 of 500 samples that are not held out
    rates = np.log10([trial.learning_rate for trial in search])
    decays = np.log10([trial.penalty.numbers["strength"] for trial in search])
    assert len(set(rates)) == len(set(decays)) == 100
    assert -6 <= rates.min() < -5.5 and -2.5 < rates.max() <= -2
    assert -8 <= decays.min() < -7.5 and -4.5 < decays.max() <= -4


def test_scales_of_the_initial_weights_are_log_spaced() -> None:
    scales = sorted({trial.initializer.numbers["std"] for trial in study("batch-norm")})
    assert np.allclose(scales, np.logspace(-4, 0, 16))


def test_races_are_those_of_the_notes() -> None:
    valley = EXERCISES["valley"].runs
    assert isinstance(valley, Race)
    assert valley.steps == 30
    rates = {name: rate for name, (_, rate) in valley.runs.items()}
    assert {name: rates[name] for name in ("sgd", "momentum", "adagrad", "adam")} == {
        "sgd": 0.95, "momentum": 0.1, "adagrad": 1.5, "adam": 0.3,
    }  # fmt: skip


def test_importing_the_catalogue_does_not_import_torch() -> None:
    script = "import sys, koubai.experiments.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_study_changes_as_asked() -> None:
    one = Study({"steps": 100}, axes={"data": ["digits"], "seed": 5, "learning_rate": [0.1, 0.2]})
    quick = change(one, quick=True)
    assert (quick.base.steps, len(quick)) == (50, 4), "an eighth of the steps, but 50 at least; three tenths of the seeds"
    assert change(Study({"steps": 4000}, axes={"seed": 10}), quick=True).base.steps == 500
    assert len(change(one, quick=True, seeds=2)) == 4
    moons = change(one, data="moons", steps=7)
    assert {(trial.data.name, trial.steps) for trial in moons} == {("moons", 7)}
    assert change(one) == one
    for wrong in ({"seeds": 0}, {"steps": 0}, {"seeds": -1}):
        with pytest.raises(UserError):
            change(one, **wrong)  # type: ignore[arg-type]


def test_an_exercise_keeps_what_makes_it_one() -> None:
    depth = adapt(EXERCISES["activations-by-depth"], data="digits", steps=500, seeds=2).runs
    assert isinstance(depth, Study)
    assert (depth.base.data.name, depth.base.steps, len(depth)) == ("noise", 1, 32)
    assert adapt(EXERCISES["valley"], seeds=2, steps=3, data="digits") is EXERCISES["valley"]
    samples = adapt(EXERCISES["overfitting"], data="moons").runs
    assert isinstance(samples, Study)
    assert (samples.base.data.name, samples.base.data.samples) == ("moons", 300)


def test_named() -> None:
    assert [exercise.name for exercise in named(["saddle", "valley"])] == ["saddle", "valley"]
    assert [exercise.name for exercise in named([])] == list(EXERCISES)
    with pytest.raises(UserError, match="saddle"):
        named(["sadle"])


def test_conduct_gives_what_each_exercise_gave(tmp_path: Any) -> None:
    small = adapt(EXERCISES["activations-by-depth"], seeds=1)
    outcomes = conduct([small, EXERCISES["saddle"]], store=Store(tmp_path / "store"), device="cpu", progress=False)
    assert list(outcomes) == ["activations-by-depth", "saddle"]
    assert len(outcomes["activations-by-depth"].records) == 16  # type: ignore[union-attr]
    assert {path.optimizer for path in outcomes["saddle"]} == {"sgd", "momentum", "adagrad", "rmsprop", "adam"}  # type: ignore[union-attr]
