"""The rule that judges comparisons, on differences whose answer is known."""

import numpy as np
import pytest

from koubai.statistics import combine, interval, judge, seeds_needed

NOISE = np.array([-0.01, 0.004, 0.009, -0.006, 0.002, -0.003, 0.007, -0.008, 0.001, 0.004])  # mean 0, spread 0.0065


@pytest.mark.parametrize(
    ("claimed", "shift", "verdict"),
    [
        ("more", 0.10, "supported"),
        ("more", -0.10, "refuted"),  # the opposite
        ("more", 0.00, "refuted"),  # no difference worth the name
        ("more", 0.02, "undecided"),  # the interval straddles the smallest difference
        ("less", -0.10, "supported"),
        ("less", 0.10, "refuted"),
        ("less", 0.00, "refuted"),
        ("less", -0.02, "undecided"),
        ("same", 0.00, "supported"),
        ("same", 0.10, "refuted"),
        ("same", -0.10, "refuted"),
        ("same", 0.02, "undecided"),
        ("no less", 0.00, "supported"),
        ("no less", 0.10, "supported"),
        ("no less", -0.10, "refuted"),
        ("no less", -0.02, "undecided"),
        ("no more", 0.00, "supported"),
        ("no more", -0.10, "supported"),
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


def test_interval_covers_the_mean_95_times_in_100():
    """Over 400 samples of 10 normal values the interval should miss the true mean about 20 times."""
    draws = np.random.default_rng(1).standard_normal((400, 10))
    missed = sum(not low <= 0 <= high for low, high in (interval(row, 2000) for row in draws))
    assert 8 <= missed <= 36  # 20 expected; 3.7 standard deviations either way


def test_effect_is_mean_over_spread():
    found = judge([3.0, 5.0, 7.0], [1.0, 1.0, 1.0], "more", 0.1)  # differences 2, 4, 6
    assert found.effect == pytest.approx(2.0)


def test_seeds_needed_shrinks_the_interval_below_the_margin():
    """Spread 1, mean 0.3, smallest 0.2: 1.96 / sqrt(n) < 0.1 from n = 385 on."""
    assert 385 <= seeds_needed(0.3, 1.0, "more", 0.2) <= 388


def test_smallest_difference_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        judge([1.0, 2.0], [0.0, 0.0], "more", 0.0)


def test_combine():
    assert combine(["supported", "supported"]) == "supported"
    assert combine(["supported", "undecided"]) == "undecided"
    assert combine(["supported", "undecided", "refuted"]) == "refuted"
