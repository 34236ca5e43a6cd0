"""The built-in data: what each claims to be, as scikit-learn's models see it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from koubai.data.builtin import BUILTIN, SAMPLES


@pytest.mark.parametrize("name", [name for name in BUILTIN if BUILTIN[name].classes])
def test_every_set_is_what_it_says(name: str, untouched: None) -> None:
    source = BUILTIN[name]
    x, y = source.make()
    assert x.shape == (len(y), math.prod(source.shape)) and x.dtype == np.float64 and np.isfinite(x).all()
    assert y.ndim == 1 and y.dtype.kind == "i"
    assert sorted(set(y)) == list(range(len(source.classes)))
    shares = np.bincount(y) / len(y)
    assert np.abs(shares * len(shares) - 1).max() < 0.1, "classes are about equal in number"
    assert len(y) == (1797 if name == "digits" else SAMPLES)
    assert all(source.about) and any(letter >= "ぁ" for letter in source.about.ja)
    again = source.make()
    assert np.array_equal(x, again[0]) and np.array_equal(y, again[1])


def test_digits_are_scikit_learns_between_0_and_1() -> None:
    x, y = BUILTIN["digits"].make()
    bunch = load_digits()
    np.testing.assert_array_equal(x * 16, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)
    np.testing.assert_array_equal(x.reshape(-1, *BUILTIN["digits"].shape) * 16, bunch.images)
    assert x.min() == 0 and x.max() == 1
    assert BUILTIN["digits"].classes == tuple(map(str, bunch.target_names))


# The accuracy that a straight line and a curved boundary may have, each least and most.
TOYS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "moons": ((0.80, 0.92), (0.95, 1)),
    "circles": ((0.40, 0.70), (0.97, 1)),
    "blobs": ((0.96, 1), (0.96, 1)),
    "xor": ((0.40, 0.70), (0.95, 1)),
    "spirals": ((0.40, 0.75), (0.97, 1)),
    "noise": ((0.43, 0.57), (0.43, 0.57)),
}


@pytest.mark.parametrize("name", TOYS)
def test_toys_are_told_apart_as_they_claim(name: str) -> None:
    """By logistic regression and by the better of nearest neighbours and a kernel machine, cross-validated."""
    x, y = BUILTIN[name].make()

    def accuracy(model: Any) -> float:
        return float(cross_val_score(model, x, y, cv=5).mean())

    straight, curved = TOYS[name]
    assert straight[0] <= accuracy(LogisticRegression()) <= straight[1]
    assert curved[0] <= max(accuracy(KNeighborsClassifier(5)), accuracy(SVC(gamma="scale"))) <= curved[1]


def test_toys_are_all_of_them_but_the_real_ones() -> None:
    assert {*TOYS, "digits", "diabetes"} == set(BUILTIN)


def test_diabetes_is_scikit_learns_and_a_straight_line_explains_half_of_it() -> None:
    x, y = BUILTIN["diabetes"].make()
    assert x.shape == (442, 10) and np.isfinite(x).all() and y.min() >= 25 and y.max() <= 346
    assert 0.45 < cross_val_score(LinearRegression(), x, y, cv=5).mean() < 0.55


def test_spirals_make_one_and_a_half_turns() -> None:
    """Unrolled by their radius, all samples of a class lie at one angle; the two classes stand opposite each other."""
    x, y = BUILTIN["spirals"].make()
    radius = np.hypot(*x.T)
    unrolled = np.exp(1j * (np.arctan2(x[:, 1], x[:, 0]) - radius * 1.5 * 2 * np.pi))
    outer = radius > 0.3  # nearer the middle the noise of 0.02 hides the angle
    for label, direction in ((0, 1), (1, -1)):
        mean = unrolled[outer & (y == label)].mean()
        assert abs(mean - direction) < 0.1
    assert 0.95 < radius.max() < 1.1


def test_circles_are_a_ring_around_a_disc() -> None:
    x, y = BUILTIN["circles"].make()
    radius = np.hypot(*x.T)
    assert radius[y == 0].mean() == pytest.approx(1, abs=0.03) and radius[y == 1].mean() == pytest.approx(0.5, abs=0.03)


def test_opposite_squares_of_xor_are_alike() -> None:
    x, y = BUILTIN["xor"].make()
    right, up = x[:, 0] > 0, x[:, 1] > 0
    for label, squares in ((0, [(True, True), (False, False)]), (1, [(True, False), (False, True)])):
        for square in squares:
            here = (right == square[0]) & (up == square[1])
            assert here.sum() > 200 and (y[here] == label).all()
    assert np.abs(x).max() <= 1


def test_noise_is_standard_normal_and_its_features_are_independent() -> None:
    x, _ = BUILTIN["noise"].make()
    assert x.shape == (1000, 100)
    assert abs(x.mean()) < 4 / math.sqrt(x.size) and x.std() == pytest.approx(1, abs=4 / math.sqrt(2 * x.size))
    assert (x**3).mean() == pytest.approx(0, abs=4 * math.sqrt(15 / x.size))
    assert (x**4).mean() == pytest.approx(3, abs=4 * math.sqrt(96 / x.size))
    correlations = np.corrcoef(x.T)[np.triu_indices(100, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(1000)
