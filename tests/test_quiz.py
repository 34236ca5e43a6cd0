"""The review questions: what is computed agrees with the notes, and with other ways of computing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from koubai import laboratory
from koubai.answers import measured, sizes, worked
from koubai.answers.base import Answer, same, verdict
from koubai.experiments.catalogue import EXERCISES, RATES
from koubai.experiments.claims import CLAIMS
from koubai.landscapes import LANDSCAPES
from koubai.language import UserError, speaking
from koubai.quiz import QUESTIONS, question, two_norms
from koubai.report.figures.surfaces import best_within
from koubai.store import Store
from koubai.techniques.convolution import ImpossibleSize


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all answers."""
    return Store(tmp_path_factory.mktemp("quiz") / "store")


def test_there_are_the_notes_ten_questions_in_their_order() -> None:
    wanted = [
        "連鎖律",
        "シグモイド",
        "初期値に0",
        "バッチ正規化",
        "モメンタム",
        "AdaGrad",
        "RMSProp",
        "リッジ回帰",
        "L1正則化",
        "6×6",
    ]
    assert len(QUESTIONS) == len(wanted)
    for one, word in zip(QUESTIONS, wanted, strict=True):
        assert word in one.words.ja
        assert one.words.en
        assert all(one.noted)


def test_each_question_is_asked_in_both_languages() -> None:
    for one in QUESTIONS:
        asked = []
        for language in ("en", "ja"):
            with speaking(language):
                asked.append(one.lines())
        assert asked[0] != asked[1]
        assert all(sum(f"({sign})" in line for line in asked[0]) == 1 for sign in one.choices)


@pytest.mark.parametrize(("number", "right"), [(2, "2"), (8, "a"), (9, "r")])
def test_the_choice_that_is_computed_is_the_one_in_the_notes(store: Store, number: int, right: str) -> None:
    one = question(number)
    assert one.right == right
    lines, choice = one.worked(store)
    assert choice == right
    assert lines[0].startswith(f"Computed: ({right}) ")
    assert "THE COMPUTATION DOES NOT AGREE." not in lines


def test_a_computation_that_disagrees_says_so(store: Store) -> None:
    wrong = replace(question(2), answer=lambda store: Answer(same("0.35"), (), "3"))
    assert wrong.worked(store)[0][-1] == "THE COMPUTATION DOES NOT AGREE."
    none = replace(question(2), answer=lambda store: Answer(same("0.3"), ()))
    lines, choice = none.worked(store)
    assert choice is None
    assert lines[0] == "Computed: The computation singles out none of the choices."
    assert lines[-1] == "THE COMPUTATION DOES NOT AGREE."


@pytest.mark.parametrize(
    ("number", "typed", "choice"),
    [
        (2, "2", "2"),
        (2, "(2)", "2"),
        (2, "２", "2"),
        (2, " （２） ", "2"),
        (2, "0.25", "2"),
        (2, "5", None),
        (2, "", None),
        (8, "A", "a"),
        (8, "Ａ", "a"),
        (8, "a.", "a"),
        (8, "e", None),
        (9, "right", "r"),
        (9, "R", "r"),
        (9, "右", "r"),
        (9, "右側", "r"),
        (9, "左側", "l"),
        (9, "both", None),
        (1, "2t", None),
    ],
)
def test_choices_are_understood_however_they_are_typed(number: int, typed: str, choice: str | None) -> None:
    assert question(number).chosen(typed) == choice


@pytest.mark.parametrize("number", [0, 11, -1])
def test_questions_that_are_none(number: int) -> None:
    with pytest.raises(UserError, match=f"There are questions 1 to 10, not {number}."):
        question(number)


def test_the_chain_rule_is_worked_out(store: Store) -> None:
    lines, _ = question(1).worked(store)
    assert lines[0] == "Computed: dz/dx = 2(x + y)"
    for line in ("  dz/dt = 2t", "  dt/dx = 1", "        = 2(x + y)"):
        assert line in lines


def test_the_sigmoids_steepest_slope(store: Store) -> None:
    answer = worked.steepest_slope(store)
    x = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.sigmoid(x).sum(), x)
    assert float(answer.short.en) == pytest.approx(float(slope.max()), abs=1e-12)
    assert "at x = 0" in answer.lines[-1].en


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_lowest_point_of_a_limit_against_scipy(seed: int, side: str) -> None:
    draw = np.random.default_rng(seed)
    half = draw.standard_normal((2, 2))
    curvature, centre = half @ half.T + 0.1 * np.eye(2), draw.choice([-1, 1], 2) * draw.uniform(1, 2, 2)
    parts = minimize(  # in positive and negative parts, so that |w|_1 is smooth
        lambda v: (v[:2] - v[2:] - centre) @ curvature @ (v[:2] - v[2:] - centre),
        np.full(4, 0.1),
        bounds=[(0, None)] * 4,
        constraints={"type": "ineq", "fun": lambda v: 1 - (((v[:2] - v[2:]) ** 2).sum() if side == "left" else v.sum())},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    ).x
    found = best_within(worked.NORMS[side], curvature=curvature, optimum=centre)
    np.testing.assert_allclose(found, parts[:2] - parts[2:], atol=2e-3)


def test_corners_make_zeros(store: Store) -> None:
    left, right = map(best_within, worked.NORMS.values())
    assert right.tolist() == [0.0, 1.0]
    assert (left != 0).all()
    assert "Of 200 losses drawn at random a weight ends at exactly 0 for 0% on the left" in worked.norms(store).short.en


def test_the_two_norms_are_drawn_beside_each_other() -> None:
    rows = two_norms().splitlines()
    assert rows[0].split() == ["left", "right"]
    assert len(rows) == 13
    with speaking("ja"):
        assert two_norms().splitlines()[0].split() == ["左", "右"]


def test_ridge_regression_by_hand(store: Store) -> None:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    u, s, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
    norm = np.linalg.norm(v.T @ (s / (s**2 + 1000) * (u.T @ (y - y.mean()))))
    lines = [line.en for line in worked.ridge(store).lines]
    assert f"1000: {norm:.4g}," in lines[0]
    assert [line[:9].rstrip(": ") for line in lines] == ["(a) true", "(b) false", "(c) false", "(d) false"]


def test_a_convolutions_size_by_formula_and_by_pytorch(store: Store) -> None:
    lines, _ = question(10).worked(store)
    assert lines[:3] == [
        "Computed: 7x7",
        "  (H + 2P − F) / S + 1 = (6 + 2·1 − 2) / 1 + 1 = 7",
        "  torch.nn.functional.conv2d on a 6x6 image gives 7x7.",
    ]
    assert sizes.worked(8, 3, stride=2).en.endswith(
        "(8 + 2·0 − 3) / 2 + 1 = 3 + 1/2, rounded down to 3; the filter does not reach the last 1."
    )
    with pytest.raises(ImpossibleSize):
        sizes.worked(2, 3)


def test_the_wells_are_counted_as_plain_python_counts_them() -> None:
    """Momentum and SGD from the exercise's starts, written out."""
    starts = LANDSCAPES["double-well"].starts(50).tolist()
    reached = {}
    for name, mu in (("sgd", 0.0), ("momentum", 0.9)):
        deeper = 0
        for x, _ in starts:
            v = 0.0
            for _ in range(300):
                v = mu * v - 0.01 * (4 * x * (x * x - 1) + 0.3)
                x += v
            deeper += x < 0
        reached[name] = deeper / 50
    assert (
        f"from {reached['momentum']:.0%} of the starts, SGD from {reached['sgd']:.0%}"
        in measured.momentum(Store("none")).short.en
    )


def test_the_rates_that_reach_the_bottom_by_hand() -> None:
    steps = np.arange(101)
    works = 0
    for rate in RATES:
        x, y = -7 * (1 - rate / 10) ** steps, 2 * (1 - 2 * rate) ** steps
        above = np.flatnonzero(~(x**2 / 20 + y**2 < 0.1))
        works += above[-1] + 1 < 100
    for name in ("momentum", "adagrad", "rmsprop"):
        assert measured._widths(name).en.endswith(f", sgd {works}.")


def test_the_claims_own_comparisons_decide_and_refuted_is_said() -> None:
    lines = [line.en for line in verdict("momentum-global", measured._races())]
    assert lines[0].startswith(f"The notes: {CLAIMS['momentum-global'].words.en} Measured here: ")
    assert len(lines) == 1 + len(CLAIMS["momentum-global"].comparisons)
    for line in lines[1:]:
        assert line.split(":")[0].strip() in ("supported", "refuted", "undecided")
    assert lines[0].endswith("refuted.")  # 38% of the starts end in the shallower well
    assert {"valley", "double-well", "saddle"} <= EXERCISES.keys()


@pytest.mark.slow
def test_what_is_trained_is_stored_and_shows_what_the_notes_say(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    zero = measured.zero_weights(store)
    assert "and stay equal:" in zero.short.en
    for name in ("sigmoid, zeros", "relu, zeros", "sigmoid, constant", "relu, constant"):
        assert any(
            line.en.startswith(f"{name}: units of a layer differ by 0 at most; validation accuracy 10.") for line in zero.lines
        )
    first = [function(store) for function in (measured.batch_normalization, measured.rmsprop)]
    assert sum("Measured here: supported." in line.en for line in first[0].lines) == 2

    def refused(*arguments: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(laboratory, "train", refused)
    assert [function(store) for function in (measured.batch_normalization, measured.rmsprop)] == first


@pytest.mark.slow
def test_zero_weights_in_plain_pytorch_stay_equal_too(tmp_path: Path) -> None:
    """What the answer says, seen without the laboratory: equal weights, equal gradients."""
    torch.manual_seed(0)
    x, y = torch.rand(200, 64), torch.randint(0, 10, (200,))
    for value in (0.0, 0.1):
        net = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Sigmoid(), torch.nn.Linear(8, 10))
        for layer in (net[0], net[2]):
            torch.nn.init.constant_(layer.weight, value)
            torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(50):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        assert float(net[0].weight.detach().std(0).max()) < 1e-6
