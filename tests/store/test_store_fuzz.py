"""Stored files of any bytes: an index, a stack or a checkpoint, damaged at random, is read as it was written or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from koubai.data import Dataset
from koubai.spec import Trial
from koubai.store import Store, care, checkpoints
from koubai.study import Study
from koubai.training import Outcome, Training
from tests.bounds import bounded
from tests.data.test_fuzz import damages
from tests.store.stores import REASON

pytest.importorskip("resource")  # which Windows lacks


@pytest.fixture(scope="module")
def rich(outcomes: list[Outcome], small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with studies, claims and a checkpoint."""
    store = Store(tmp_path_factory.mktemp("rich") / "store")
    for outcome in outcomes:
        store.put(outcome, "cpu", "")
        store.note(Study(outcome.trials[0], name=f"勾配 {len(outcome.trials)}"))
    store.note_claim("relu helps", "digits", "supported", REASON)
    trials = [Trial(data=small.spec, layers=[3], batch_size=20, steps=12, seed=seed) for seed in range(2)]
    training = Training(trials, small, torch.device("cpu"))
    for _ in range(4):
        training.advance()
    checkpoints.Keeper(store.folder, trials, "").keep(*training.state())
    return store


def file_of(store: Store, kind: str) -> Path:
    return next(
        iter(sorted(store.folder.glob({"index": "index.sqlite", "stack": "stacks/*", "checkpoint": "checkpoints/*"}[kind])))
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["index", "stack", "checkpoint"])
@given(damages())
def test_a_stored_file_damaged_at_random(rich: Store, kind: str, damage: Callable[[bytes], bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Store(shutil.copytree(rich.folder, Path(place) / "store"))
        file = file_of(store, kind)
        file.write_bytes(damage(file.read_bytes()))
        every_way(store, rich, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["index", "stack", "checkpoint"])
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_a_stored_file_of_any_bytes(rich: Store, kind: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Store(shutil.copytree(rich.folder, Path(place) / "store"))
        file_of(store, kind).write_bytes(content)
        every_way(store, rich, kind)


def every_way(store: Store, rich: Store, kind: str) -> None:
    """Everything that reads a store: what it gives is what was put there, and mending leaves it sound."""
    with bounded():
        trials = [trial for one in rich.studies() for trial in Study.from_toml(one["toml"]).trials]
        good = {record.trial.id: record for record in rich.get(trials)}
        with bounded():
            for record in store.get(trials):
                for name, curve in good[record.trial.id].history.items():
                    np.testing.assert_array_equal(record.history[name], curve)
                for name, value in good[record.trial.id].weights().items():
                    np.testing.assert_array_equal(record.weights()[name], value)
        with bounded():
            assert store.has(trials) <= good.keys()
        with bounded():
            for one in store.studies():
                assert one["best"] is None or isinstance(one["best"], float)
                with bounded():
                    Study.from_toml(one["toml"])
        with bounded():
            assert all(
                isinstance(text, str)
                for claim, (verdict, words, _) in store.claims().items()
                for text in (*claim, verdict, *words)
            )
        with bounded():
            base = {"data": {"name": "moons", "samples": 60}, "layers": [3], "batch_size": 20, "steps": 12}
            for one in checkpoints.found(store.folder, [Trial(**base, seed=seed) for seed in range(2)]):
                one.load()
        with bounded():
            care.take_in(Store(store.folder.parent / "other"), store)
        with bounded():
            care.mend(store)
            assert care.check(store).sound
            assert kind != "index" or store.has(trials) == good.keys(), "the stacks are whole, so nothing is lost"
        with bounded():
            store.prepare()
            care.prune(store)
