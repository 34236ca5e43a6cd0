"""Data larger than memory: samples that stay as they lie give the numbers that those in memory give, and memory stays flat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from koubai.data import dataset, load, lying
from koubai.data.dataset import _load
from koubai.data.lying import Lying
from koubai.data.transform import Transform
from koubai.export import finished
from koubai.laboratory import run
from koubai.language import UserError
from koubai.prediction import predict
from koubai.spec import Data, Trial
from koubai.training import train


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of ``.npy`` files: 300 images of bytes in three classes that can be told apart."""
    draw = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = draw.integers(0, 90, (300, 6, 7), dtype=np.uint8) + (y * 80).astype(np.uint8)[:, None, None]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    return tmp_path


@pytest.fixture
def everything_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if memory held nothing."""
    _load.cache_clear()
    monkeypatch.setattr(lying, "HELD", 0)
    monkeypatch.setattr(lying, "PIECE", 5000)


def both(monkeypatch: pytest.MonkeyPatch, spec: Data) -> tuple[dataset.Dataset, dataset.Dataset]:
    """The same data in memory, and as they lie."""
    _load.cache_clear()
    held = load(spec)
    _load.cache_clear()
    monkeypatch.setattr(lying, "HELD", 0)
    monkeypatch.setattr(lying, "PIECE", 5000)
    loaded = load(spec)
    _load.cache_clear()
    return held, loaded


@given(st.lists(st.integers(0, 19), min_size=1, max_size=12), st.data())
def test_is_used_as_an_array_is(rows: list[int], data: st.DataObject) -> None:
    whole = np.arange(20 * 6, dtype=np.uint8).reshape(20, 2, 3)
    some = Lying(whole, np.array(rows), Transform().apply)
    want = whole.reshape(20, 6)[rows].astype(np.float32) / np.float32(255)
    assert len(some) == len(rows) and some.shape == want.shape
    np.testing.assert_array_equal(np.asarray(some), want)
    cut = data.draw(st.slices(len(rows)))
    assert isinstance(some[cut], Lying)
    np.testing.assert_array_equal(np.asarray(some[cut]), want[cut])
    picks = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)), dtype=np.int64)
    np.testing.assert_array_equal(some[picks], want[picks])
    np.testing.assert_array_equal(some[len(rows) - 1], want[-1])
    assert np.max(some) == want.max()


@pytest.mark.parametrize("fields", [{}, {"standardize": True}, {"standardize": True, "samples": 100}])
def test_the_same_features_and_the_same_training(
    fields: dict[str, Any], images: Path, monkeypatch: pytest.MonkeyPatch, cpu: torch.device
) -> None:
    held, lies = both(monkeypatch, Data(name=str(images), **fields))
    assert isinstance(held.x_train, np.ndarray) and isinstance(lies.x_train, Lying) and isinstance(lies.x_validation, Lying)
    assert isinstance(lies.x_train.whole, np.memmap) and lies.x_train.whole.dtype == np.uint8
    np.testing.assert_allclose(np.asarray(lies.x_train), held.x_train, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(lies.y_validation, held.y_validation)
    trials = [
        Trial(data=held.spec, layers=layers, steps=40, batch_size=20, augment=augment, learning_rate=0.05)
        for layers, augment in (([8], "none"), (["conv 3 3x3", "maxpool 2"], ["flip", "shift"]))
    ]
    for trial in trials:
        one, other = train([trial], held, cpu), train([trial], lies, cpu)
        for name, curve in one.history.items():
            np.testing.assert_allclose(other.history[name], curve, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_numbers_of_any_kind_stay_in_their_file(dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    x = (draw.normal(size=(200, 5)) * 100).astype(dtype)
    if dtype != "int16":
        x[::9, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(200) % 2)
    held, lies = both(monkeypatch, Data(name=str(tmp_path), missing="mean", standardize=True))
    assert isinstance(lies.x_train, Lying) and lies.x_train.whole.dtype == dtype and isinstance(lies.x_train.whole, np.memmap)
    np.testing.assert_allclose(np.asarray(lies.x_train), held.x_train, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(lies.x_train).mean(0), 0, atol=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
def test_samples_with_gaps_are_left_out_of_a_file_as_of_memory(
    parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the file is not copied for it; an infinite value is named wherever it stands, before any gap."""
    draw = np.random.default_rng(1)
    names = ["x", "y"] if parts == 1 else ["x_train", "y_train", "x_test", "y_test"]
    for x_name, y_name in zip(names[::2], names[1::2], strict=True):
        x = draw.normal(size=(2000, 5)).astype(np.float32)
        x[::9, 2] = np.nan
        np.save(tmp_path / f"{x_name}.npy", x)
        np.save(tmp_path / f"{y_name}.npy", np.arange(2000) % 2)
    held, lies = both(monkeypatch, Data(name=str(tmp_path), missing="drop", samples=300))
    assert isinstance(lies.x_train.whole, np.memmap) and len(lies.x_train) == 300
    assert len(lies.x_validation) == {1: 356, 2: 1777}[parts]
    for one, other in ((lies.x_train, held.x_train), (lies.x_validation, held.x_validation)):
        np.testing.assert_array_equal(np.asarray(one), other)
    np.testing.assert_array_equal(lies.y_train, held.y_train)
    with pytest.raises(UserError, match=r"sample 0, feature \[2\] is NaN"):
        load(Data(name=str(tmp_path)))
    x[1990, 4] = np.inf
    np.save(tmp_path / f"{x_name}.npy", x)
    with pytest.raises(UserError, match=r"sample 1990, feature \[4\] is infinite"):
        load(Data(name=str(tmp_path), missing="mean"))


def test_a_trained_network_is_exported_and_judges(
    images: Path, everything_lies: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trial = Trial(data=str(images), layers=["conv 4 3x3", "maxpool 2"], steps=200, learning_rate=0.1, batch_size=20)
    store = tmp_path_factory.mktemp("store")
    result = run(trial, store=store, progress=False)
    record = result.best().record
    assert record.final("validation_accuracy") > 0.9 and isinstance(finished(record)[1].x_train, Lying)
    np.savez(store / "new.npz", x=np.load(images / "x.npy")[:9])
    said = predict(record, store / "new.npz").chosen
    assert sum(a == b for a, b in zip(said, "012012012", strict=True)) >= 8
    assert result.page().sections[0].drawings


BIGGER = """
import os, resource, sys, threading, time
import numpy as np, torch
from koubai.laboratory import run
from koubai.spec import Trial

def private():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))

digits = {"name": "digits", "standardize": True}
run(Trial(data=digits, layers=[4], steps=1), store=sys.argv[1] + "/store", progress=False)  # what is imported late is there now
allowed = int(sys.argv[2])
begun = private()
status = dict(line.split(":") for line in open("/proc/self/status"))
now = int(status["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + allowed, now + allowed))  # of memory that is not a file's: more is refused
peak = [begun]
def watch():
    while True:
        peak[0] = max(peak[0], private())
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
data = {"name": sys.argv[1], "standardize": True, "missing": sys.argv[3]}
trial = Trial(data=data, layers=["conv 2 5x5 stride 4", "maxpool 4"], steps=int(sys.argv[4]), batch_size=20)
result = run(trial, store=sys.argv[1] + "/store", progress=False)
assert result.records[0].diverged == 0
print(peak[0] - begun)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured as Linux counts memory")
def test_memory_stays_flat_over_a_file_larger_than_is_allowed(tmp_path: Path) -> None:
    """256 MB of bytes, 1 GB as features, trained in 150 MiB, threads and their memory with them: the system itself refuses more."""
    sizes, allowed = (2500, 320, 320), 150 * 2**20
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, sizes)
    for start in range(0, len(x), 500):
        x[start : start + 500] = np.random.default_rng(start).integers(0, 256, (500, *sizes[1:]), dtype=np.uint8)
    del x
    trained_within(tmp_path, allowed, "refuse", 30)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured as Linux counts memory")
@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_gaps_in_a_file_larger_than_is_allowed_are_filled_or_left_out(missing: str, tmp_path: Path) -> None:
    """300 MB of float32 with missing values."""
    sizes, allowed = (3000, 160, 160), 150 * 2**20
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, sizes)
    for start in range(0, len(x), 500):
        x[start : start + 500] = np.random.default_rng(start).random((500, *sizes[1:]), dtype=np.float32)
        x[start + 3 : start + 500 : 50, 2, 1] = np.nan
    del x
    trained_within(tmp_path, allowed, missing, 5)


def trained_within(folder: Path, allowed: int, missing: str, steps: int) -> None:
    np.save(folder / "y.npy", np.arange(len(np.load(folder / "x.npy", mmap_mode="r"))) % 3)
    assert (folder / "x.npy").stat().st_size > 1.4 * allowed
    command = [sys.executable, "-c", BIGGER, str(folder), str(allowed), missing, str(steps)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert int(ended.stdout) < allowed
