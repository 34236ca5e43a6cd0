"""What all tests share: one thread of arithmetic, English, hypothesis that draws the same examples every time, and small fixtures."""

from __future__ import annotations

import os

# before torch is imported: tests' tensors are too small for more, and subprocesses follow
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rich.progress  # noqa: F401 (being imported for the first time, it draws from Python's random)
import torch
from hypothesis import settings

from koubai.__main__ import main
from koubai.data import Dataset, load
from koubai.language import speak
from koubai.spec import Data

settings.register_profile("same", deadline=None, derandomize=True, database=None, max_examples=40)
settings.register_profile("explore", deadline=None, max_examples=1000)  # --hypothesis-profile=explore
settings.register_profile("fuzz", deadline=None, max_examples=10_000, database=None, print_blob=True)  # make fuzz
settings.load_profile("same")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Messages in English, whatever the machine's locale."""
    speak("en")
    yield
    speak(None)


@pytest.fixture(autouse=True, scope="session")
def kept_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of our own, not that of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cpu() -> torch.device:
    """The device of the tests."""
    return torch.device("cpu")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The handwritten digits, split as by default."""
    return load(Data(name="digits"))


@pytest.fixture(scope="session")
def small() -> Dataset:
    """Sixty samples of two features in two classes to train on: enough for a step, quick for many."""
    return load(Data(name="moons", samples=60))


@pytest.fixture
def untouched() -> Iterator[None]:
    """Fails a test that moved a global random state."""
    import random

    before = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    yield
    python, numpy, torchs = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    assert python == before[0]
    assert all(np.array_equal(old, new) for old, new in zip(before[1], numpy, strict=True))
    assert torch.equal(torchs, before[2])


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Ended]]:
    """Run a command in this process, in an empty folder, in an English locale."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["koubai", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    yield run
