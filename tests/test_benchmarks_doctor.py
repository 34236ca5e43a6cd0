"""The patients of the doctor's benchmark: data sets that follow their rule, two parts that share none, criteria from outside."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rules, samplers, sets
from benchmarks.criteria import overflown
from benchmarks.wards import HELD, TUNED, WARDS, Ward, parts
from koubai.spec import Data, Trial
from koubai.store import Record

HERE = [ward for ward in WARDS if not (isinstance(ward.source, Data) and ward.source.name == "fashion-mnist")]
HERE = [ward for ward in HERE if ward.name not in ("tops", "shoes", "bags")]  # these are made of Fashion-MNIST, which is fetched


def test_the_two_parts_share_no_data_set() -> None:
    assert len({ward.name for ward in WARDS}) == len(WARDS) and {ward.half for ward in WARDS} == {TUNED, HELD}


@pytest.mark.parametrize("ward", HERE, ids=[ward.name for ward in HERE])
def test_a_data_set_has_finite_features_and_all_of_its_classes_in_both_parts(ward: Ward) -> None:
    x, y, x_test, y_test = parts(ward)
    assert np.isfinite(x).all() and np.isfinite(x_test).all() and x.shape[1:] == x_test.shape[1:]
    assert set(y) == set(y_test) == set(range(max(y) + 1))
    assert not ward.images or (x.min() >= 0 and x.max() <= 1 and x.ndim == 3)
    assert np.bincount(y).max() < 5 * np.bincount(y).min(), "classes as uneven as that are an illness of their own"


def test_sets_by_rule_follow_it() -> None:
    _, lives = rules.life()
    assert lives.sum() == 2 * comb(8, 3) + comb(8, 2)  # three neighbours, or two and it lives
    x, passed = rules.switch()
    assert passed.sum() == 1024 and all(
        row[3 + int(row[0] + 2 * row[1] + 4 * row[2])] == one for row, one in zip(x, passed, strict=True)
    )
    c, within = rules.mandelbrot()
    z = c @ np.array([1, 1j])
    heart = np.abs(1 - np.sqrt(1 - 4 * z)) < 1  # its main body, in closed form
    assert within[heart].all() and not within[np.abs(z) > 2].any()
    bases, real = rules.splices()
    assert (bases.reshape(-1, 9, 4).argmax(2)[:, 3:5] == [2, 3]).all() and real.mean() == 0.5
    assert len(sets.tips()[0]) == 244
    sides, kind = rules.triangles()
    for (a, b, c), one in zip(np.sort(sides, axis=1), kind, strict=True):
        cosine = (a * a + b * b - c * c) / (2 * a * b)  # of the angle against the longest side; below -1 there is none
        assert one == (0 if cosine < -1 else 1 if cosine < 0 else 2)
    x, boxes = samplers.cuboids()
    assert (x[boxes == 0] <= [0.6, 1, 1]).all() and (x[boxes == 1] >= [0.75, 0, 0]).all() and x.min() >= 0 and x.max() <= 1
    places, lands = sets.zones()
    assert [lands[np.abs(places - at).sum(1).argmin()] for at in ([35.7, 139.7], [48.9, 2.3], [40.7, -74.0])] == [2, 3, 1]


@pytest.mark.parametrize(("diverged", "layers"), [(0, []), (7, ["dense 1", "relu 1", "dense 2"])])
def test_what_trained_to_the_end_in_numbers_is_no_illness_of_numbers(diverged: int, layers: list[str]) -> None:
    trial = Trial(data="digits", layers=[8])
    names = ("dense 1", "relu 1", "dense 2")
    record = Record(
        trial, names, ("weights", "activation", "weights"), np.array([0, 10]), np.array([0]), diverged, {}, {}, Path(), 0
    )
    assert overflown(record) == layers
