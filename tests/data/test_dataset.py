"""Splits, samples and standardizing, against numpy and the data as they were before."""

from __future__ import annotations

import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from koubai.data import Dataset, load
from koubai.data.builtin import BUILTIN
from koubai.data.dataset import _made
from koubai.language import UserError, speaking
from koubai.spec import Data


def fresh(**fields: object) -> Dataset:
    """Made anew, not remembered."""
    return _made(Data(**fields))  # type: ignore[arg-type]


def rows(x: np.ndarray, y: np.ndarray) -> list[tuple[float, ...]]:
    """Samples with their labels, sorted: two lists are equal where they hold the same samples as often."""
    return sorted(map(tuple, np.column_stack([x.astype(np.float32), y]).tolist()))


def arrays(data: Dataset) -> tuple[np.ndarray, ...]:
    return data.x_train, data.y_train, data.x_validation, data.y_validation


@pytest.mark.parametrize("name", [name for name in BUILTIN if BUILTIN[name].classes])
def test_every_sample_is_in_one_part(name: str, untouched: None) -> None:
    """Training and validation samples together are all samples, each once, with its own label."""
    data = fresh(name=name)
    x, y = BUILTIN[name].make()
    assert rows(np.concatenate([data.x_train, data.x_validation]), np.concatenate([data.y_train, data.y_validation])) == rows(
        x, y
    )
    assert len(data.y_validation) == math.ceil(0.2 * len(y))
    assert data.x_train.dtype == data.x_validation.dtype == np.float32
    assert data.y_train.dtype == data.y_validation.dtype == np.int64
    assert data.features == data.x_train.shape[1] == data.x_validation.shape[1] == math.prod(data.shape)
    assert data.classes == BUILTIN[name].classes and data.shape == BUILTIN[name].shape and data.spec == Data(name=name)


@given(st.sampled_from(["digits", "moons", "xor"]), st.floats(0.02, 0.95), st.integers(0, 2**63 - 1))
def test_splits_are_stratified_whatever_their_size(name: str, validation: float, split: int) -> None:
    data = fresh(name=name, validation=validation, split=split)
    x, y = BUILTIN[name].make()
    assert len(data.y_validation) == math.ceil(validation * len(y))
    share = len(data.y_validation) / len(y)
    held_out, whole = np.bincount(data.y_validation, minlength=len(data.classes)), np.bincount(y)
    assert np.abs(held_out - share * whole).max() <= 1
    assert rows(np.concatenate([data.x_train, data.x_validation]), np.concatenate([data.y_train, data.y_validation])) == rows(
        x, y
    )


def test_a_split_is_decided_by_its_number_alone() -> None:
    one, two, other = fresh(name="digits"), fresh(name="digits"), fresh(name="digits", split=1)
    for a, b in zip(arrays(one), arrays(two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rows(one.x_validation, one.y_validation) != rows(other.x_validation, other.y_validation)


def test_training_samples_are_shuffled() -> None:
    """A few of them hold every class, and not in the order of the source."""
    data = fresh(name="digits", samples=100)
    assert len(set(data.y_train)) == 10
    assert not np.array_equal(data.y_train, np.sort(data.y_train))


@pytest.mark.parametrize("samples", [1, 10, 300, 1437])
def test_fewer_samples_are_the_first_of_the_same_order(samples: int) -> None:
    """And are judged on the same validation samples."""
    whole, few = fresh(name="digits"), fresh(name="digits", samples=samples)
    np.testing.assert_array_equal(few.x_train, whole.x_train[:samples])
    np.testing.assert_array_equal(few.y_train, whole.y_train[:samples])
    np.testing.assert_array_equal(few.x_validation, whole.x_validation)
    assert few.classes == whole.classes


@pytest.mark.parametrize("samples", [None, 50])
@pytest.mark.parametrize("name", ["digits", "moons", "noise"])
def test_standardizing_is_fitted_on_the_training_samples_that_are_left(name: str, samples: int | None) -> None:
    plain, standard = fresh(name=name, samples=samples), fresh(name=name, samples=samples, standardize=True)
    x = plain.x_train.astype(np.float64)
    mean, spread = x.mean(0), x.std(0)
    constant = np.ptp(x, axis=0) == 0
    assert constant.any() == (name == "digits"), "the digits have pixels that are always dark"
    spread[constant] = 1
    for got, given_ in ((standard.x_train, plain.x_train), (standard.x_validation, plain.x_validation)):
        np.testing.assert_allclose(got, (given_ - mean) / spread, rtol=2e-5, atol=2e-6)
        assert got.dtype == np.float32
    np.testing.assert_allclose(standard.x_train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(standard.x_train.std(0)[~constant], 1, rtol=1e-4)
    assert not standard.x_train[:, constant].any()
    np.testing.assert_array_equal(standard.y_train, plain.y_train)


def test_the_data_of_a_spec_are_loaded_once() -> None:
    assert load(Data(name="moons")) is load(Data(name="moons"))
    assert load(Data(name="moons")) is not load(Data(name="moons", split=1))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "digit"}, "did you mean 'digits'"),
        ({"name": "MOONS"}, "did you mean 'moons'"),
        ({"name": "/nowhere/at all"}, "/nowhere/at all"),
        ({"name": "moons", "samples": 801}, "moons has 800 training samples, so samples = 801 is too many"),
        ({"name": "digits", "validation": 0.001}, "digits: 1,797 samples cannot be split with validation = 0.001"),
        ({"name": "digits", "validation": 0.9999}, "cannot be split with validation = 0.9999; use 0.1 to 0.5"),
    ],
)
def test_data_that_cannot_be_had_are_one_sentence(fields: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        fresh(**fields)
    assert words in str(caught.value) and str(caught.value).endswith(".")
    with speaking("ja"):
        assert str(fields["name"]) in str(caught.value) and str(caught.value).endswith("。")


def test_balance_repeats_the_samples_of_rare_classes_and_leaves_validation_alone(tmp_path: Path) -> None:
    y = np.repeat([0, 1, 2], [12, 5, 3])
    x = np.arange(20, dtype=np.float32)[:, None]
    np.savez(tmp_path / "uneven.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    plain = load(Data(name=str(tmp_path / "uneven.npz")))
    even = load(Data(name=str(tmp_path / "uneven.npz"), balance=True))
    assert np.bincount(even.y_train).tolist() == [12, 12, 12]
    np.testing.assert_array_equal(even.x_train[:20], plain.x_train)
    for label, rows in ((1, [12, 13, 14, 15, 16]), (2, [17, 18, 19])):
        own = even.x_train[even.y_train == label, 0]
        assert sorted(set(own.tolist())) == rows and max(np.bincount(own.astype(int))[rows]) <= -(-12 // len(rows))
    np.testing.assert_array_equal(even.x_validation, plain.x_validation)
    assert Data(name="digits").model_dump().get("balance") is None  # trials that were stored before keep their hashes
