"""The rule that judges comparisons, on differences whose answer is known."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from koubai.statistics import FEW, combine, interval, judge, seeds_needed

NOISE = np.array([-0.01, 0.004, 0.009, -0.006, 0.002, -0.003, 0.007, -0.008, 0.001, 0.004])  # mean 0, spread 0.0065


@pytest.mark.parametrize(
    ("claimed", "shift", "verdict"),
    [
        ("more", 0.10, "supported"),
        ("more", -0.10, "refuted"),  # the opposite
        ("more", 0.00, "refuted"),  # no difference worth the name
        ("more", -0.015, "refuted"),  # the opposite, if by little: wholly inside the smallest difference
        ("more", -0.02, "refuted"),  # the opposite: below 0, though it straddles the smallest difference
        ("more", 0.02, "undecided"),  # the interval straddles the smallest difference
        ("more", 0.024, "undecided"),  # the mean lies beyond it, the interval does not
        ("less", -0.10, "supported"),
        ("less", 0.10, "refuted"),
        ("less", 0.00, "refuted"),
        ("less", 0.015, "refuted"),
        ("less", 0.02, "refuted"),
        ("less", -0.02, "undecided"),
        ("less", -0.024, "undecided"),
        ("same", 0.00, "supported"),
        ("same", 0.10, "refuted"),
        ("same", -0.10, "refuted"),
        ("same", 0.015, "supported"),  # a difference without doubt, too small to matter
        ("same", 0.02, "undecided"),
        ("same", -0.02, "undecided"),
        ("no less", 0.00, "supported"),
        ("no less", 0.10, "supported"),
        ("no less", -0.015, "supported"),
        ("no less", -0.10, "refuted"),
        ("no less", -0.02, "undecided"),
        ("no more", 0.00, "supported"),
        ("no more", -0.10, "supported"),
        ("no more", 0.015, "supported"),
        ("no more", 0.10, "refuted"),
        ("no more", 0.02, "undecided"),
    ],
)
def test_verdicts(claimed, shift, verdict):
    control = np.linspace(0.5, 0.9, 10)  # seeds differ far more than the techniques: only pairing sees the difference
    found = judge(control + shift + NOISE, control, claimed, 0.02)
    assert found.verdict == verdict
    assert found.difference == pytest.approx(shift + NOISE.mean())
    assert (found.seeds_needed is None) == (verdict != "undecided") or abs(abs(found.difference) - 0.02) < 1e-12


def test_interval_of_equal_values_is_a_point():
    assert interval([0.3] * 5) == (0.3, 0.3)


def test_one_seed_decides_nothing():
    assert judge([1.0], [0.0], "more", 0.1).verdict == "undecided"


SAMPLES = {  # a distribution, its mean, and the band in which the share of intervals that contain it must lie
    "normal": (lambda draw: draw.standard_normal(10), 0.0, (0.92, 0.97)),
    "uniform": (lambda draw: draw.uniform(0, 1, 10), 0.5, (0.92, 0.97)),
    "somewhat skewed": (lambda draw: draw.lognormal(0, 0.5, 10), np.exp(0.125), (0.89, 0.95)),
    "exponential": (lambda draw: draw.exponential(1, 10), 1.0, (0.87, 0.93)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_of_100_intervals_about_95_cover_the_mean(name):
    """Over 1,000 samples of ten values; the standard deviation of the share is 0.007. Student's own intervals do the same."""
    drawn, mean, (least, most) = SAMPLES[name]
    draw = np.random.default_rng(1)
    samples = [drawn(draw) for _ in range(1000)]
    covered = np.mean([low <= mean <= high for low, high in (interval(sample, 1000) for sample in samples)])
    assert least <= covered <= most
    students = [stats.t.interval(0.95, 9, sample.mean(), stats.sem(sample)) for sample in samples]
    assert abs(covered - np.mean([low <= mean <= high for low, high in students])) < 0.025


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_values_have_students_interval(count: int) -> None:
    """Two values say next to nothing: their interval is 12.7 standard errors to each side."""
    values = np.random.default_rng(count).normal(size=count)
    assert interval(values) == pytest.approx(stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values)))
    assert judge([0.9, 0.8], [0.5, 0.6], "more", 0.02).verdict == "undecided"


def test_interval_is_the_same_each_time_and_moves_no_random_state(untouched):
    assert interval(NOISE) == interval(NOISE.copy()) == interval(list(NOISE))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(-100, 100), st.floats(0.1, 10))
def test_interval_moves_and_grows_with_the_values(values, shift, scale):
    values = np.array(values)
    low, high = interval(values, 500)
    assert low - 1e-9 <= values.mean() <= high + 1e-9
    if len(values) >= FEW:  # what is drawn from values lies among them
        assert values.min() - 1e-9 <= low and high <= values.max() + 1e-9
    moved = interval(values * scale + shift, 500)
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), rel=1e-9, abs=1e-7)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=12), st.floats(0.01, 0.5))
def test_less_is_more_seen_from_the_other_side(pairs, smallest):
    """Up to the interval's own seeded draw, which a quantile of few distinct means may feel: those cases are left out."""
    treated, control = np.array(pairs).T
    for one, other in (("more", "less"), ("no less", "no more"), ("same", "same")):
        here, there = judge(treated, control, one, smallest), judge(control, treated, other, smallest)
        assert here.difference == pytest.approx(-there.difference)
        assert (here.low, here.high) == pytest.approx((-there.high, -there.low))
        edges = [abs(abs(edge) - at) for edge in (here.low, here.high) for at in (0, smallest)]
        if min(edges) > 1e-9:
            assert here.verdict == there.verdict


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.floats(0.01, 0.5))
def test_a_verdict_says_where_its_interval_lies(differences, smallest):
    """Each rule again, from the interval alone, in the words of the docstring."""
    control = np.zeros(len(differences))
    for claimed in ("more", "less", "same", "no less", "no more"):
        found = judge(differences, control, claimed, smallest)
        low, high = (found.low, found.high) if claimed in ("more", "same", "no less") else (-found.high, -found.low)
        supported = {"more": low > smallest, "same": max(abs(low), abs(high)) < smallest, "no less": low > -smallest}
        inside = supported["same"]
        refuted = {"more": high < 0 or inside, "same": low > smallest or high < -smallest, "no less": high < -smallest}
        rule = {"less": "more", "no more": "no less"}.get(claimed, claimed)
        assert found.verdict == ("supported" if supported[rule] else "refuted" if refuted[rule] else "undecided")
        assert not (supported[rule] and refuted[rule])
        assert (found.seeds_needed is None) or found.verdict == "undecided"


@pytest.mark.parametrize("values", [[np.inf] * 10, [np.inf] * 5 + [1.0] * 5, [np.nan] + [1.0] * 9, [np.inf, -np.inf]])
@pytest.mark.parametrize("claimed", ["more", "less", "same", "no less", "no more"])
def test_what_is_no_number_decides_nothing(values, claimed):
    found = judge(values, np.zeros(len(values)), claimed, 0.1)
    assert found.verdict == "undecided" and found.seeds_needed is None
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert judge(values, values, claimed, 0.1).verdict == "undecided", "infinity less infinity"


def test_effect_is_mean_over_spread():
    found = judge([3.0, 5.0, 7.0], [1.0, 1.0, 1.0], "more", 0.1)  # differences 2, 4, 6
    assert found.effect == pytest.approx(2.0)


def test_seeds_needed_shrinks_the_interval_below_the_margin():
    """Spread 1, mean 0.3, smallest 0.2: 1.96 / sqrt(n) < 0.1 from n = 385 on."""
    assert 385 <= seeds_needed(0.3, 1.0, "more", 0.2) <= 388


@pytest.mark.parametrize(
    ("claimed", "mean"),
    [
        ("more", 0.3),  # up to the smallest difference, 0.2
        ("more", 0.1),  # down to it, to lie inside
        ("more", -0.05),  # inside comes sooner than below 0
        ("more", -0.15),  # below 0 comes sooner
        ("less", 0.05),
        ("same", -0.3),
        ("same", 0.15),
        ("no less", -0.3),
        ("no less", 0.1),
    ],
)
@pytest.mark.parametrize("spread", [0.02, 0.05, 0.3, 1.0])
def test_seeds_needed_decide_and_no_fewer_do(claimed, mean, spread):
    """``judge`` on as many values of that mean and spread, and on a tenth fewer."""

    def verdict(count):
        values = stats.norm.ppf((np.arange(count) + 0.5) / count)
        values = mean + spread * values / values.std(ddof=1)
        return judge(values, np.zeros(count), claimed, 0.2).verdict

    needed = seeds_needed(-mean if claimed == "less" else mean, spread, claimed, 0.2)
    fewer = int(0.9 * needed - 0.5)
    assert verdict(math.ceil(1.1 * needed)) != "undecided"
    assert fewer < 2 or verdict(fewer) == "undecided"


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.sampled_from(["more", "less", "same", "no less", "no more"]))
def test_seeds_needed_are_more_than_have_not_decided(differences, claimed):
    found = judge(differences, np.zeros(len(differences)), claimed, 0.1)
    assert not found.seeds_needed or found.seeds_needed > len(differences)


@pytest.mark.parametrize(("claimed", "mean", "spread"), [("more", 0.2, 1.0), ("no less", -0.2, 1.0), ("same", 0.1, float("nan"))])
def test_no_number_of_seeds_decides_what_lies_on_the_line(claimed, mean, spread):
    assert seeds_needed(mean, spread, claimed, 0.2) is None


def test_smallest_difference_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        judge([1.0, 2.0], [0.0, 0.0], "more", 0.0)


def test_combine():
    assert combine(["supported", "supported"]) == "supported"
    assert combine(["supported", "undecided"]) == "undecided"
    assert combine(["supported", "undecided", "refuted"]) == "refuted"
