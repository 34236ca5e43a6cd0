"""Claims: complete in both languages, about what exists, and judged as made-up histories say in each of the three ways."""

from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest

from koubai.choices import choose
from koubai.experiments.catalogue import EXERCISES, Race
from koubai.experiments.claims import CLAIMS
from koubai.experiments.claims.regularization import cure
from koubai.experiments.judging import Claim, Comparison, Like, chooser, decide, name_of, needs, reason, remark, select
from koubai.landscapes import LANDSCAPES, Path, race
from koubai.language import Words
from koubai.measures import MEASURES
from koubai.spec import Trial
from koubai.statistics import judge
from koubai.store import Record
from koubai.techniques import KINDS

NOISE = np.array([-0.01, 0.004, 0.009, -0.006, 0.002, -0.003, 0.007, -0.008, 0.001, 0.004])


def record(trial: Trial, validation: float, train: float = 1.0) -> Record:
    """A made-up record with flat curves."""
    history = {
        "validation_accuracy": np.array([0.1, validation]),
        "train_accuracy": np.array([0.1, train]),
        "gradient": np.ones((2, 5)),
        "zeros": np.zeros((2, 2)),
    }
    return Record(trial, ("dense 1",), ("weights",), np.array([0, 100]), np.array([0]), 0, history, {}, File(), 0)


def runs(relu: float, sigmoid: float) -> list[Record]:
    made = []
    for activation, level in (("relu", relu), ("sigmoid", sigmoid)):
        for seed in range(10):
            trial = Trial(activation=activation, seed=seed)
            made.append(record(trial, level + (NOISE[seed] if activation == "relu" else 0)))
    return made


CLAIM = Claim(
    "made-up",
    Words("ReLU is better.", "ReLUの方が良い。"),
    Words("Section 1", "Section1"),
    ("relu",),
    (Comparison("made-up", {"activation": "relu"}, {"activation": "sigmoid"}, "validation accuracy", "more", 0.02),),
)


@pytest.mark.parametrize(
    ("relu", "sigmoid", "verdict"),
    [(0.9, 0.5, "supported"), (0.5, 0.9, "refuted"), (0.9, 0.9, "refuted"), (0.92, 0.9, "undecided")],
)
def test_verdict_on_made_up_histories(relu, sigmoid, verdict):
    assert decide(CLAIM, {"made-up": runs(relu, sigmoid)}).verdict == verdict


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_every_claim_in_each_of_the_three_ways(claim):
    """Every comparison of every claim, fed values that lie clearly on one side, clearly on the other, and between."""
    for comparison in claim.comparisons:
        size = comparison.smallest
        direction = {"more": 1, "less": -1, "same": 0, "no less": 1, "no more": -1}[comparison.claimed]
        noise = NOISE * (0.3 * size / 0.0065)
        for shift, verdict in ((direction * 10, "supported"), (-10 if direction >= 0 else 10, "refuted")):
            assert verdict_on(comparison, shift * size + noise) == verdict
        edge = {"more": 1, "less": -1, "same": 1, "no less": -1, "no more": 1}[comparison.claimed]
        assert verdict_on(comparison, edge * size + noise) == "undecided"


def verdict_on(comparison: Comparison, differences: np.ndarray) -> str:
    """The verdict of a comparison on given paired differences."""
    return judge(5.0 + differences, np.full(len(differences), 5.0), comparison.claimed, comparison.smallest).verdict


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_claims_are_complete(claim):
    assert all(claim.words) and all(claim.section)
    known = {name for techniques in KINDS.values() for name in techniques}
    assert set(claim.techniques) <= known
    for comparison in claim.comparisons:
        assert comparison.measure in MEASURES
        exercise = EXERCISES[comparison.exercise].runs
        for side in (comparison.treated, comparison.control):
            if isinstance(side, float):
                continue
            if isinstance(exercise, Race):
                assert side["optimizer"] in exercise.runs
            else:  # the selection picks some of the study's trials, the same number for every seed
                chosen = [trial for trial in exercise.trials if chooser(side)(trial)]
                assert chosen and len(chosen) % len({t.seed for t in exercise.trials}) == 0


def test_at_least_ten_seeds_a_claim():
    for name in needs(CLAIMS.values()):
        exercise = EXERCISES[name].runs
        count = exercise.starts if isinstance(exercise, Race) else len({trial.seed for trial in exercise.trials})
        assert count >= 10, name


def test_reason_names_both_sides_in_both_languages():
    words = reason(decide(CLAIM, {"made-up": runs(0.9, 0.5)}).findings[0])
    assert "relu / sigmoid" in words.en and "relu / sigmoid" in words.ja
    assert "0.9 / 0.5" in words.en and "10 seeds" in words.en and "10 シード" in words.ja


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        (0.99, 0.97, "A cure: the gap shrinks, the validation accuracy rises."),
        (0.81, 0.80, "Bought, not cured: the gap shrinks, the validation accuracy falls."),
        (0.90, 0.80, "No cure: the gap does not shrink enough to matter, the validation accuracy falls."),
        (1.00, 0.90, "No cure: the gap does not shrink enough to matter, the validation accuracy stays."),
    ],
)
def test_a_gap_bought_with_accuracy_is_no_cure(train, validation, said):
    """Beside a network with 100% in training and 90% in validation."""
    made = [record(Trial(dropout=0.2, seed=s), validation + NOISE[s] / 10, train + NOISE[s] / 10) for s in range(10)]
    made += [record(Trial(seed=s), 0.9, 1.0) for s in range(10)]
    claim = Claim("made-up", CLAIM.words, CLAIM.section, ("dropout",), cure({"dropout": 0.2}))
    swapped = [replace(one, exercise="made-up") for one in claim.comparisons]
    judged = decide(replace(claim, comparisons=tuple(swapped)), {"made-up": made})
    assert remark(judged).en == said
    assert (judged.verdict == "supported") == said.startswith("A cure")
    assert remark(decide(CLAIM, {"made-up": runs(0.9, 0.5)})) is None


def test_select_refuses_what_no_run_has():
    with pytest.raises(LookupError, match="tanh"):
        select(runs(0.9, 0.5), {"activation": "tanh"})


def test_names_leave_out_defaults():
    assert name_of({"penalty": "none", "dropout": 0.2}) == "dropout=0.2"
    assert name_of({"penalty": "none", "dropout": 0.0}) == "none"
    assert name_of(0.25) == "0.25"


def test_layers_are_named_as_in_tables_and_those_that_follow_from_the_data_by_their_own_name():
    assert name_of({"layers": "simple-cnn"}) == "simple-cnn"
    assert name_of({"layers": [40, 20]}) == "40-20"
    shallow = {"layers": Like("shallow", lambda layers: len(layers) == 1)}
    assert name_of(shallow) == "shallow"
    assert chooser(shallow)(Trial(layers=[7])) and not chooser(shallow)(Trial(layers=[7, 7]))
    assert not chooser({**shallow, "activation": "tanh"})(Trial(layers=[7]))


def test_a_diverged_trial_counts_as_guessing(monkeypatch):
    lost = record(Trial(), float("nan"))
    monkeypatch.setattr(Record, "weights", lambda self: {"0.bias": np.zeros((10, 1))})
    assert MEASURES["validation accuracy"].function([lost]) == pytest.approx(0.1)


def test_steps_to_80_are_between_recorded_steps():
    """From 0.1 at step 0 to 0.9 at step 100 in a straight line: 0.8 at step 87.5; never reached counts as the budget."""
    assert MEASURES["steps to 80%"].function([record(Trial(), 0.9)]) == pytest.approx(87.5)
    assert MEASURES["steps to 80%"].function([record(Trial(steps=500), 0.5)]) == 500


def test_gap_is_train_minus_validation():
    assert MEASURES["gap"].function([record(Trial(), 0.7, 0.95)]) == pytest.approx(0.25)


def test_range_of_rates_in_decades():
    """Rates 0.01, 0.1, 1, 10; three of them within 5 points of the best: three decades."""
    made = [record(Trial(learning_rate=r), v) for r, v in ((0.01, 0.90), (0.1, 0.93), (1.0, 0.91), (10.0, 0.5))]
    assert MEASURES["range of rates"].function(made) == pytest.approx(3.0)
    assert MEASURES["best accuracy"].function(made) == pytest.approx(0.93)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_gradients_of_landscapes(name):
    """Against autograd, and the lowest point is lower than a fine grid."""
    import torch

    surface = LANDSCAPES[name]
    points = (torch.rand(50, 2, dtype=torch.float64) * 4 - 2).requires_grad_()
    (expected,) = torch.autograd.grad(surface.value(points).sum(), points)
    torch.testing.assert_close(surface.gradient(points.detach()), expected)
    grid = torch.cartesian_prod(*(torch.linspace(-3, 3, 301, dtype=torch.float64),) * 2)
    lowest = surface.value(torch.tensor([surface.lowest], dtype=torch.float64))
    assert float(lowest) <= float(surface.value(grid).min()) + 1e-6


def test_a_race_follows_torch():
    """SGD on the valley from (-7, 2), at the notes' rate, against torch.optim."""
    import torch

    path = race("valley", {"sgd": (choose("optimizer", "sgd"), 0.95)}, 30, 1)[0]
    point = torch.tensor([-7.0, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=0.95)
    for step in range(30):
        np.testing.assert_allclose(path.points[step], point.detach().numpy(), rtol=1e-12)
        optimizer.zero_grad()
        (point[0] ** 2 / 20 + point[1] ** 2).backward()
        optimizer.step()


def test_steps_to_the_bottom_counts_from_the_last_time_above():
    values = np.array([5.0, 0.05, 0.5, 0.02, 0.01])
    path = Path("valley", "sgd", 0.1, 0, np.zeros((5, 2)), values)
    assert MEASURES["steps to the bottom"].function([path]) == 3
