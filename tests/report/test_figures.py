"""Figures: each draws what it says, in both languages, with its axes named; the numbers in it against numpy and scipy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import koubai as kb
from koubai.choices import choose
from koubai.experiments.catalogue import EXERCISES
from koubai.landscapes import race
from koubai.language import UserError, Words, speak
from koubai.report.figures import FIGURES, draw
from koubai.report.figures.gradients import merged
from koubai.report.figures.surfaces import CURVATURE, OPTIMUM, best_within, limit, quadratic
from koubai.report.figures.verdicts import Compared, claimed_region
from koubai.report.groups import Group, Race, arranged, few, swept
from koubai.report.style import COLORS, band, bilingual, blank, mean_and_interval, powers
from koubai.result import Result

SEARCH = {"learning_rate": [0.01, 0.1, 0.3], "penalty": [{"name": "l2", "strength": s} for s in (1e-4, 1e-3, 1e-2)]}


def studied(folder: Path, **study: Any) -> Result:
    base = {"data": "moons", "layers": [6, 5], "batch_size": 50, "steps": 70}
    return kb.run(kb.Study(base, **study), store=folder / "store", device="cpu", progress=False)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Activations, sizes of weights and learning rates, three seeds each; one of them diverges."""
    axes = {"activation": ["relu", "sigmoid"], "initializer": [{"name": "normal", "std": s} for s in (0.01, 1.0)]}
    return studied(tmp_path_factory.mktemp("figures"), axes={**axes, "learning_rate": [0.1, 0.5, 1e30], "seed": 3})


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return studied(tmp_path_factory.mktemp("search"), axes={"seed": 2}, zip=[SEARCH])


@pytest.fixture(scope="module")
def convolved(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A small CNN beside a dense network, two seeds each."""
    base = {"data": "digits", "optimizer": "adam", "learning_rate": 0.01, "batch_size": 50, "steps": 40}
    study = kb.Study(base, axes={"layers": [["conv 4 3x3 pad 1", "maxpool 2", 10], [8]], "seed": 2})
    return kb.run(study, store=tmp_path_factory.mktemp("images") / "store", device="cpu", progress=False)


OF_IMAGES = ("filters", "feature-maps", "confusion", "mistakes")
OF_QUANTITIES = ("predicted",)

COMPARED = [
    Compared(Words("one", "一"), 0.3, 0.2, 0.4, 0.02, "more", "supported"),
    Compared(Words("two", "二"), 0.0, -0.001, 0.001, 0.02, "more", "refuted"),
    Compared(Words("three", "三"), float("inf"), -np.inf, np.inf, 1e-9, "same", "undecided"),
]


def groups_for(name: str, result: Result, searched: Result, convolved: Result) -> Any:
    if name in OF_IMAGES:
        return convolved.groups
    if name == "race":
        runs = {one: (choose("optimizer", one), 0.1) for one in ("sgd", "adam")}
        paths = race("saddle", runs, 12, 4)
        return [Race(one, [path for path in paths if path.optimizer == one]) for one in runs]
    if name == "verdict":
        return COMPARED
    return searched.groups if name == "search" else result.groups


JAPANESE = "ぁ-ヿ一-鿿"


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in OF_QUANTITIES])  # those are in test_regression.py
def test_every_figure_draws_with_named_axes_in_both_languages(
    name: str, result: Result, searched: Result, convolved: Result
) -> None:
    groups = groups_for(name, result, searched, convolved)
    english, differences = bilingual(lambda: draw(name, groups))
    assert english["data"]
    titles = [
        axis["title"]["text"] for key, axis in english["layout"].items() if "axis" in key and axis.get("title", {}).get("text")
    ]
    assert titles or name in ("filters", "mistakes"), "an axis without words"  # these two show pictures alone
    assert all(not any("ぁ" <= letter <= "鿿" for letter in title) for title in titles)
    japanese = [text for _, text in differences]
    assert name == "mistakes" or any(any("ぁ" <= letter <= "鿿" for letter in text) for text in japanese)
    for kind in (FIGURES[name].title, FIGURES[name].caption):
        assert all(kind)


def test_every_exercise_has_figures_that_can_show_it() -> None:
    assert {name for one in EXERCISES.values() for name in one.figures} <= FIGURES.keys()


def test_unknown_and_unfitting_figures_are_one_sentence(result: Result) -> None:
    with pytest.raises(UserError, match="did you mean 'loss'"):
        result.figure("lossy")
    with pytest.raises(UserError, match=r"'race' cannot show these runs; figures that can: .*accuracy"):
        result.figure("race")
    assert "race" not in result.figures() and "accuracy" in result.figures()


def test_a_curve_is_the_mean_over_seeds_and_its_band_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=(7, 20)).cumsum(1)
    figure = blank()
    band(figure, range(20), values, "one", 0)
    around, line = figure.data
    np.testing.assert_allclose(line.y, values.mean(0), rtol=1e-3, atol=1e-3)
    low, high = stats.t.interval(0.95, 6, values.mean(0), stats.sem(values, axis=0))
    np.testing.assert_allclose(around.y[:20], high, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(around.y[20:], low[::-1], rtol=1e-3, atol=1e-3)


def test_a_band_on_a_log_scale_is_that_of_the_logarithms() -> None:
    values = np.array([[1.0, 10.0], [100.0, 10.0], [0.0, 10.0]])  # the 0 has no logarithm
    figure = blank()
    band(figure, [0, 1], values, "one", 0, log=True)
    assert figure.data[-1].y == pytest.approx((10.0, 10.0))


@pytest.mark.parametrize(
    ("ends", "apart"), [((1, 50), None), ((1e-3, 1), 1), ((1e-9, 10), 1), ((1e-20, 1), 2), ((1e-4, 1e22), 3)]
)
def test_labels_of_many_decades_do_not_run_into_each_other(ends: tuple[float, float], apart: int | None) -> None:
    figure = blank()
    band(figure, [0, 1, 2], np.array([[ends[0], 0.0, ends[1]]]), "one", 0)
    assert powers(figure, "y") == apart


def test_missing_values_leave_the_mean_of_the_others() -> None:
    mean, low, high = mean_and_interval(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]))
    assert mean[0] == 2 and np.isnan(mean[1])
    half = stats.t.ppf(0.975, 1) * np.std([1, 3], ddof=1) / 2**0.5
    assert (low[0], high[0]) == pytest.approx((2 - half, 2 + half))


def test_one_seed_has_no_band() -> None:
    figure = blank()
    band(figure, [0, 1], np.ones((1, 2)), "one", 0)
    assert len(figure.data) == 1


def test_the_ledgers_pieces_add_up_to_its_diamonds(result: Result) -> None:
    figure = draw("ledger", result.groups)
    diamonds = figure.data[-1]
    totals = dict(zip(diamonds.y, diamonds.x, strict=True))
    pieces: dict[str, float] = {}
    for bar in figure.data[:-1]:
        pieces[bar.y[0]] = pieces.get(bar.y[0], 0.0) + bar.x[0]
    assert pieces.keys() == totals.keys() and len(totals) == len(result.groups)
    for label, total in totals.items():
        assert pieces[label] == pytest.approx(total, abs=0.01)  # a page carries four digits
    group = result.groups[0]
    gradient = np.stack([record.history["gradient"][0] for record in group.records])
    assert totals[group.label] == pytest.approx(np.log10(gradient[:, 0] / gradient[:, -1]).mean(), rel=1e-3)


def test_a_seed_without_a_gradient_does_not_hide_the_others(result: Result) -> None:
    group = result.groups[0]
    first = group.records[0]
    lost = replace(first, history=first.history | {"gradient": np.zeros_like(first.history["gradient"])})
    whole, most, none = (draw("ledger", [replace(group, records=[*records])]) for records in (
        group.records[1:], [lost, *group.records[1:]], [lost] * 2,
    ))  # fmt: skip
    for one, other in zip(whole.data, most.data, strict=True):
        assert one.x == other.x and other.y == (f"{group.label} (in 2 of 3 seeds)",)
    assert not most.layout.annotations and [one.text for one in none.layout.annotations] == ["no gradient arrives"]


def test_rates_show_final_accuracies_over_the_learning_rate(result: Result) -> None:
    figure = draw("rates", result.groups)
    lines = [trace for trace in figure.data if trace.fill is None]
    assert len(lines) == 4 and all(line.x == (0.1, 0.5, 1e30) for line in lines)
    expected = [
        r.final("validation_accuracy")
        for r in result.records
        if r.trial.activation.name == "relu" and r.trial.learning_rate == 0.5
    ]
    assert any(line.y[1] == pytest.approx(np.mean(expected[:3]), rel=1e-3) for line in lines)
    assert all(line.y[2] == pytest.approx(0.5, abs=0.02) for line in lines if line.y[2] is not None), (
        "diverged: guessing, two classes"
    )


def test_many_variants_are_thinned_to_the_best_and_the_worst(result: Result) -> None:
    kept = few(result.groups, 4)
    order = sorted(result.groups, key=lambda group: group.final().mean())
    assert len(kept) == 4
    assert min(g.final().mean() for g in kept) == order[0].final().mean()
    assert max(g.final().mean() for g in kept) == order[-1].final().mean()
    assert few(result.groups, 100) == result.groups


def test_panels_by_the_first_axis_unless_it_alone_can_be_coloured() -> None:
    def things(first: int, last: int) -> list[tuple[dict[str, str], int]]:
        return [({"a": f"a{i}", "b": f"b{k}", "same": "s"}, i * 100 + k) for i in range(first) for k in range(last)]

    found = arranged(things(3, 4))
    assert list(found.panels) == ["a0", "a1", "a2"] and found.series == ["b0", "b1", "b2", "b3"]
    assert found.panels["a1"]["b2"] == 102
    many = arranged(things(2, len(COLORS) + 1))
    assert len(many.panels) == len(COLORS) + 1 and many.series == ["a0", "a1"]
    assert arranged([({}, 1)]).panels == {"": {"base": 1}}
    assert list(arranged([({"a": "x"}, 1), ({"a": "x"}, 2)]).panels[""]) == ["x", "x'"]


def test_a_sweep_is_in_the_order_of_its_axis(result: Result) -> None:
    found = swept(result.groups[::-1], "learning_rate", lambda trial: trial.learning_rate)
    for _, _, _, line in found:
        assert [group.records[0].trial.learning_rate for group in line] == [0.1, 0.5, 1e30]


def test_histograms_of_several_seeds_are_merged_by_their_shares() -> None:
    """Two uniform histograms, on [0, 1] and on [0, 3]: on thirds of [0, 3] they have 1/2 + 1/6, 1/6 and 1/6 together."""
    edges, share = merged(np.full((2, 3), 1 / 3), np.zeros(2), np.array([1.0, 3.0]))
    np.testing.assert_allclose(edges, [0, 1, 2, 3])
    np.testing.assert_allclose(share, [2 / 3, 1 / 6, 1 / 6])
    assert merged(np.zeros((1, 3)), np.array([np.nan]), np.array([np.nan]))[1].size == 0


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_the_best_weights_within_a_penalty_are_those_that_scipy_finds(p: float) -> None:
    from scipy.optimize import minimize

    inside = {"type": "ineq", "fun": lambda w: 1 - (np.abs(w) ** p).sum() ** (1 / p)}
    found = minimize(quadratic, [0.2, 0.2], constraints=[inside], method="COBYQA" if p == 1 else "SLSQP", tol=1e-9).x
    np.testing.assert_allclose(best_within(p), found, atol=2e-3)
    assert np.linalg.eigvalsh(CURVATURE).min() > 0 and np.abs(OPTIMUM).sum() > 1
    if p == 1:
        assert abs(best_within(p)).min() < 1e-3, "a corner: one weight is 0"
    else:
        assert abs(best_within(p)).min() > 0.05


def test_a_claim_is_supported_where_its_region_says() -> None:
    """The shaded part of the figure against the rule of verdicts itself."""
    from koubai.statistics import judge

    for claimed in ("more", "less", "same", "no less", "no more"):
        low, high = claimed_region(claimed)
        for value in (-3.0, -1.5, -0.5, 0.5, 1.5, 3.0):
            supported = judge(np.full(5, value), np.zeros(5), claimed, 1.0).verdict == "supported"  # type: ignore[arg-type]
            assert supported == (low < value < high), (claimed, value)


def test_names_from_users_stay_text(tmp_path: Path) -> None:
    group = Group("<b>%{x}</b>", {"a": "<script>"}, studied(tmp_path, axes={"seed": 2}).records)
    for name in ("accuracy", "ledger", "final", "weights"):
        text = str(draw(name, [group]).to_json())
        assert "<script>" not in text and "<b>%{x}" not in text


def test_languages_are_back_after_drawing() -> None:
    speak("ja")
    bilingual(lambda: draw("norm-contours", [None]))
    from koubai.language import language

    assert language() == "ja"


@pytest.mark.parametrize("reach", [0.3, 1.0])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 4.0])
def test_the_best_weights_within_a_limit_are_scipys(p: float, reach: float) -> None:
    from scipy.optimize import minimize

    assert (np.abs(limit(p, reach)) ** p).sum(1) == pytest.approx(reach**p)
    inside = {"type": "ineq", "fun": lambda w: reach**p - (np.abs(w) ** p).sum()}
    found = minimize(quadratic, [0.05, 0.1], constraints=[inside], method="SLSQP", tol=1e-12)
    assert best_within(p, reach) == pytest.approx(found.x, abs=2e-3)
