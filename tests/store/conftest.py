"""Stores for the tests: three finished stacks, kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from koubai.data import Dataset
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.training import Outcome, train
from tests.store.stores import REASON, trials_of


@pytest.fixture(scope="module")
def outcomes(small: Dataset, cpu: torch.device) -> list[Outcome]:
    """Three stacks: with running statistics, with a trial that diverged, and with more than ten layers."""
    base = {"data": small.spec, "batch_size": 20, "steps": 12}
    normed = [Trial(**base, layers=[4, 3], batch_norm="before", dropout=0.2, seed=seed) for seed in (1, 0)]
    rates = [Trial(**base, layers=[5], activation="identity", dtype="float64", learning_rate=rate) for rate in (0.1, 1e300, 0.01)]
    deep = [Trial(**base, layers=[2] * 6)]
    given = [train(trials, small, cpu) for trials in (normed, rates, deep)]
    assert [bool(step) for step in given[1].diverged] == [False, True, False]
    return given


@pytest.fixture(scope="module")
def kept(outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of all three stacks that no test changes."""
    store = Store(tmp_path_factory.mktemp("kept") / "store")
    for outcome in outcomes:
        store.put(outcome, "cpu")
    return store


@pytest.fixture(scope="module")
def full(kept: Store, stored: list[Trial], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same with studies and claims, for one test."""
    store = Store(shutil.copytree(kept.folder, tmp_path_factory.mktemp("full") / "store"))
    for trial in stored:
        store.note(Study(trial, name=f"seed {trial.seed}"))
        store.note_claim("relu helps", trial.id, "supported", REASON)
    return store


@pytest.fixture
def own(kept: Store, tmp_path: Path) -> Store:
    """A copy of that store for one test."""
    shutil.copytree(kept.folder, tmp_path / "own")
    return Store(tmp_path / "own")


@pytest.fixture(scope="module")
def stored(outcomes: list[Outcome]) -> list[Trial]:
    """The trials of that store (hypothesis writes out what it hands over, and outcomes are long)."""
    return trials_of(outcomes)
