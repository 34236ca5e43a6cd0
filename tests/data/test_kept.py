"""Built-in data sets that were kept are those that are made, and nothing depends on them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from koubai.data import Dataset, load
from koubai.data.builtin import BUILTIN
from koubai.data.dataset import PARTS, _builtin, _made
from koubai.spec import Data


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where they are kept. What was loaded meanwhile is forgotten, for other tests' sake."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _builtin.cache_clear()
    yield tmp_path / "koubai"
    _builtin.cache_clear()


def again(spec: Data) -> Dataset:
    """Loaded as another process would."""
    _builtin.cache_clear()
    return load(spec)


def alike(one: Dataset, other: Dataset) -> bool:
    arrays = [(getattr(one, name), getattr(other, name)) for name in PARTS]
    assert all(a.dtype == b.dtype and a.flags.writeable and b.flags.writeable for a, b in arrays)
    same = (one.spec, one.classes, one.shape, one.target) == (other.spec, other.classes, other.shape, other.target)
    return same and all(np.array_equal(a, b) for a, b in arrays)


SPECS = [
    *({"name": name} for name in BUILTIN),
    {"name": "digits", "samples": 100, "split": 7},
    {"name": "moons", "balance": True},
]


@pytest.mark.parametrize("fields", SPECS, ids=str)
def test_what_was_kept_is_what_is_made(fields: dict[str, object], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Data(**fields)  # type: ignore[arg-type]
    first = load(spec)
    monkeypatch.setattr("koubai.data.dataset._made", lambda spec: pytest.fail("it was kept"))
    assert alike(first, again(spec)) and alike(first, _made(spec))
    assert len(list(place.iterdir())) == 1


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_bytes(b""), lambda file: file.write_bytes(file.read_bytes()[:-9]), Path.unlink]
)
def test_what_cannot_be_read_is_made_anew(spoil: Callable[[Path], object], place: Path) -> None:
    first = load(Data(name="xor"))
    (file,) = place.iterdir()
    whole = file.read_bytes()
    spoil(file)
    assert alike(first, again(Data(name="xor"))) and file.read_bytes() == whole


def test_what_is_old_goes_when_another_is_kept(place: Path) -> None:
    place.mkdir()
    old, new, mine = (place / name for name in ("old.safetensors", "new.safetensors", "mine.txt"))
    for file, days in ((old, 31), (new, 29), (mine, 99)):
        file.write_text("")
        os.utime(file, (time.time() - days * 86400,) * 2)
    load(Data(name="xor"))
    assert not old.exists() and new.exists() and mine.exists() and len(list(place.iterdir())) == 3


def test_where_nothing_can_be_kept_nothing_is_said(place: Path) -> None:
    place.write_text("mine")
    assert alike(load(Data(name="xor")), _made(Data(name="xor"))) and place.read_text() == "mine"


def test_for_a_user_without_a_home_nothing_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert alike(load(Data(name="xor")), _made(Data(name="xor")))


def test_a_set_of_somebody_else_is_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would notice that its function has changed."""
    monkeypatch.setitem(BUILTIN, "xor", replace(BUILTIN["xor"], make=lambda: (np.eye(20)[:, :2], np.arange(20) % 2)))
    assert len(load(Data(name="xor")).x_train) < 20 and not place.exists()


def test_scikit_learn_is_imported_once_in_all(tmp_path: Path) -> None:
    code = """
import sys
from koubai.data import load
from koubai.spec import Data
load(Data(name="digits"))
print("sklearn" in sys.modules)
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert runs == ["True", "False"]
