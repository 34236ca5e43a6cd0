"""The store: what it gives back, what it counts, where it may lie, and what becomes of it when it is half written."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

import koubai
from koubai.data import Dataset
from koubai.language import UserError, Words
from koubai.networks import unstack
from koubai.spec import Trial
from koubai.store import Store, environment, machine, write_whole
from koubai.store import index as index_of_a_store
from koubai.study import Study
from koubai.training import Outcome
from tests.store.stores import REASON, readers, same, sentence, stretched, trials_of, writers

GIT = shutil.which("git")


# What is kept


def test_records_come_back_exactly(outcomes: list[Outcome], kept: Store) -> None:
    for outcome in outcomes:
        for row, record in enumerate(kept.get(outcome.trials)):
            assert record.trial == outcome.trials[row] and record.trial.id == outcome.trials[row].id
            assert record.layers == tuple(outcome.layers) and record.kinds == tuple(outcome.kinds)
            assert record.diverged == outcome.diverged[row] and isinstance(record.diverged, int)
            same(record.steps, outcome.steps)
            same(record.histogram_steps, outcome.histogram_steps)
            assert record.history.keys() == outcome.history.keys()
            for name, curve in outcome.history.items():
                same(record.history[name], curve[row])
            assert record.environment == environment("cpu")
            weights = record.weights()
            assert weights.keys() == outcome.weights.keys()
            for name, value in outcome.weights.items():
                same(weights[name], value[row])


def test_weights_come_first_layer_to_last(outcomes: list[Outcome], kept: Store) -> None:
    """Also where there are more than ten layers, and "10" stands before "2" in the dictionary."""
    (record,) = kept.get(outcomes[2].trials)
    numbers = [int(name.split(".")[0]) for name in record.weights()]
    assert numbers == sorted(numbers) and numbers[-1] == 12


def test_a_stored_network_answers_as_the_trained_one(outcomes: list[Outcome], kept: Store, small: Dataset) -> None:
    for outcome in outcomes:
        for row, record in enumerate(kept.get(outcome.trials)):
            x = torch.from_numpy(small.x_validation).to(getattr(torch, record.trial.dtype))
            trained = unstack.module(record.trial, {name: value[row] for name, value in outcome.weights.items()})
            with torch.no_grad():
                torch.testing.assert_close(unstack.module(record.trial, record.weights())(x), trained(x), equal_nan=True)


def test_final_values(outcomes: list[Outcome], kept: Store) -> None:
    fine, diverged, _ = kept.get(outcomes[1].trials)
    assert fine.final("validation_accuracy") == outcomes[1].history["validation_accuracy"][0, -1]
    assert np.isnan(diverged.final("validation_accuracy")) and np.isnan(diverged.final("loss"))
    assert isinstance(fine.final("loss"), float)


def test_a_trial_is_found_again_by_what_it_says(outcomes: list[Outcome], kept: Store) -> None:
    """By a store opened anew, and a trial written down and read back."""
    for trial in trials_of(outcomes):
        written = Trial(**json.loads(json.dumps(trial.compact())))
        assert Store(str(kept.folder)).has([written]) == {trial.id}
        assert [record.trial for record in Store(kept.folder).get([written])] == [trial]


@given(st.lists(st.integers(0, 8), max_size=12))
def test_records_come_in_the_order_asked_for(kept: Store, stored: list[Trial], picks: list[int]) -> None:
    """Across stacks, with some asked for twice and some that are not there, which are left out."""
    asked = [*stored, *(Trial(steps=3, seed=seed) for seed in range(3))]
    wanted = [asked[pick] for pick in picks]
    found = kept.get(wanted)
    assert [record.trial for record in found] == [trial for trial in wanted if trial in stored]
    assert kept.has(wanted) == {record.trial.id for record in found}


@pytest.mark.slow
def test_many_trials_in_many_stacks(outcomes: list[Outcome], tmp_path: Path) -> None:
    """More than SQLite takes as parameters of one query (32,766)."""
    store = Store(tmp_path)
    trials = [Trial(steps=5, layers=[3], seed=seed) for seed in range(33_000)]
    outcome = outcomes[2]
    store.put(stretched(outcome, trials[::2]), "cpu")
    assert store.has(trials) == {trial.id for trial in trials[::2]}
    for seed in range(0, 40, 4):
        four = [outcome.trials[0].replace({"seed": seed + k}) for k in range(4)]
        store.put(stretched(outcome, four), "cpu")
    asked = [outcome.trials[0].replace({"seed": seed}) for seed in (39, 0, 17, 18, 4)]
    for trial, record in zip(asked, store.get(asked), strict=True):
        assert record.trial == trial
        same(record.history["loss"], outcome.history["loss"][0] + trial.seed)


def test_what_is_put_again_replaces(outcomes: list[Outcome], own: Store) -> None:
    outcome = outcomes[0]
    history = {**outcome.history, "loss": outcome.history["loss"] + 1}
    own.put(dataclasses.replace(outcome, history=history), "cpu")
    for row, record in enumerate(own.get(outcome.trials)):
        same(record.history["loss"], history["loss"][row])
    assert own.has(trials_of(outcomes)) == {trial.id for trial in trials_of(outcomes)}


def test_putting_moves_no_random_state(outcomes: list[Outcome], tmp_path: Path, untouched: None) -> None:
    Store(tmp_path).put(outcomes[0], "cpu")
    Store(tmp_path).get(outcomes[0].trials)


# Studies and claims


def test_studies_are_counted(outcomes: list[Outcome], own: Store) -> None:
    rates, normed = outcomes[1].trials, outcomes[0].trials
    base = {name: value for name, value in rates[0].compact().items() if name != "learning_rate"}
    studies = [
        Study(base, name="all of it", axes={"learning_rate": [0.1, 1e300, 0.01]}),
        Study(base, name="half", axes={"learning_rate": [0.01, 0.5, 0.6, 0.7]}),
        Study(base, name="失敗 <1>", axes={"learning_rate": [1e300]}),
        Study(name="nothing yet", axes={"seed": 5}),
        Study(normed[0], name="another stack"),
    ]
    for study in studies:
        own.note(study)
        time.sleep(0.002)
    listed = own.studies()
    assert [one["name"] for one in listed] == [study.name for study in studies[::-1]], "newest first"
    accuracy = outcomes[1].history["validation_accuracy"][:, -1].astype(float)
    counts = {one["name"]: (one["trials"], one["stored"], one["diverged"], one["best"]) for one in listed}
    assert counts == {
        "all of it": (3, 3, 1, max(accuracy[0], accuracy[2])),
        "half": (4, 1, 0, accuracy[2]),
        "失敗 <1>": (1, 1, 1, None),
        "nothing yet": (5, 0, 0, None),
        "another stack": (1, 1, 0, float(outcomes[0].history["validation_accuracy"][0, -1])),
    }
    for one, study in zip(listed, studies[::-1], strict=True):
        assert one["id"] == study.id
        assert Study.from_toml(one["toml"]).trials == study.trials
        assert abs(one["created"] - time.time()) < 60

    own.note(studies[1])
    again = own.studies()
    assert [one["name"] for one in again][:2] == ["half", "another stack"] and len(again) == 5, "once, and newest again"


def test_claims_are_remembered_by_data(own: Store) -> None:
    own.note_claim("relu helps", "digits", "undecided", REASON)
    own.note_claim("relu helps", "moons", "refuted", REASON)
    own.note_claim("relu helps", "digits", "supported", Words("now", "今"))
    assert own.claims() == {
        ("relu helps", "moons"): ("refuted", REASON, False),
        ("relu helps", "digits"): ("supported", Words("now", "今"), False),
    }


def test_a_quick_look_gives_way_to_a_whole_run_and_never_the_other_way(own: Store) -> None:
    for verdict in ("undecided", "supported"):
        own.note_claim("relu helps", "digits", verdict, REASON, quick=True)
        assert own.claims() == {("relu helps", "digits"): (verdict, REASON, True)}
    for quick in (False, True):
        own.note_claim("relu helps", "digits", "refuted", Words(f"{quick}", ""), quick)
        assert own.claims() == {("relu helps", "digits"): ("refuted", Words("False", ""), False)}


# What is on disk, and where


def test_nothing_is_on_disk_before_the_first_write(outcomes: list[Outcome], tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not" / "there"):
        store = Store(folder)
        found = {name: read() for name, read in readers(store, trials_of(outcomes)).items()}
        assert found == {"has": set(), "get": [], "studies": [], "claims": {}}
        assert not store.exists
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("first", ["prepare", "put", "note", "note_claim"])
def test_the_first_write_makes_it(outcomes: list[Outcome], tmp_path: Path, first: str) -> None:
    store = Store(tmp_path / "a" / "b")
    writers(store, outcomes[0])[first]()
    assert store.exists and (tmp_path / "a" / "b" / "stacks").is_dir()
    assert len(store.get(trials_of(outcomes))) == (2 if first == "put" else 0)


@pytest.mark.parametrize("name", ["two words", "勾配 消失", "100%20?mode=ro#x&y", "'; drop table trial; --", "‮שלום", ".hidden"])
def test_any_name_of_a_folder_will_do(outcomes: list[Outcome], tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / name / name)
    store.put(outcomes[0], "cpu")
    assert sorted(path.name for path in (tmp_path / name / name).iterdir()) == ["index.sqlite", "stacks"]
    assert len(store.get(outcomes[0].trials)) == 2
    same(store.get(outcomes[0].trials)[1].weights()["0.weight"], outcomes[0].weights["0.weight"][1])


def test_a_store_can_be_copied_and_moved(outcomes: list[Outcome], own: Store, tmp_path: Path) -> None:
    shutil.copytree(own.folder, tmp_path / "copy")
    (old,) = own.get(outcomes[2].trials)
    own.folder.rename(tmp_path / "moved")
    for folder in ("copy", "moved"):
        store = Store(tmp_path / folder)
        assert len(store.get(trials_of(outcomes))) == 6
        same(store.get(outcomes[1].trials)[2].weights()["2.bias"], outcomes[1].weights["2.bias"][2])
        store.put(outcomes[0], "cpu")
    with pytest.raises(UserError, match=old.file.name):
        old.weights()


def test_a_record_outlives_a_change_of_folder(
    outcomes: list[Outcome], own: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.folder.parent)
    (record,) = Store(own.folder.name).get(outcomes[2].trials)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    same(record.weights()["0.weight"], outcomes[2].weights["0.weight"][0])


@pytest.fixture
def nobody(own: Store) -> Iterator[Path]:
    """A copy of the store in a read-only folder of somebody else's: permissions do not bind root, so root steps aside."""
    folder = Path(tempfile.gettempdir()) / f"koubai-{os.getpid()}-{time.time_ns()}"
    shutil.copytree(own.folder, folder)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        if not all(os.access(path, os.R_OK, effective_ids=True) for path in (koubai.__file__, torch.__file__, folder)):
            pytest.skip("nobody may not read where this is installed")
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            path.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="permissions of files are POSIX's")
def test_a_read_only_store_is_read_and_not_written(outcomes: list[Outcome], nobody: Path) -> None:
    store = Store(nobody)
    assert len(store.get(trials_of(outcomes))) == 6 and store.studies() == []
    same(store.get(outcomes[0].trials)[1].weights()["0.weight"], outcomes[0].weights["0.weight"][1])
    before = sorted(nobody.rglob("*"))
    for write in writers(store, outcomes[0]).values():
        if write == store.prepare:  # nothing to make
            continue
        with pytest.raises(UserError, match=f"store {nobody} cannot be used"):
            write()
    for write in writers(Store(nobody / "new"), outcomes[0]).values():
        with pytest.raises(UserError, match=r"new cannot be used: .*ermission"):
            write()
    assert sorted(nobody.rglob("*")) == before


@pytest.mark.parametrize("way", ["store", "parent", "stacks", "index"])
def test_something_in_the_way_is_one_sentence(outcomes: list[Outcome], tmp_path: Path, way: str) -> None:
    folder = tmp_path / "parent" / "store"
    blocked = {"store": folder, "parent": folder.parent, "stacks": folder / "stacks", "index": folder / "index.sqlite"}[way]
    blocked.parent.mkdir(parents=True, exist_ok=True)
    if way == "index":
        blocked.mkdir()
    else:
        blocked.write_text("mine")
    for write in writers(Store(folder), outcomes[0]).values():
        with pytest.raises(UserError) as caught:
            write()
        sentence(caught.value, str(folder))
    assert blocked.is_dir() if way == "index" else blocked.read_text() == "mine"
    assert not list(tmp_path.rglob("*.safetensors")) and not list(tmp_path.rglob("*.part"))


# Half written


@pytest.mark.parametrize(
    "fails", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=["disk full", "Ctrl-C"]
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, old: bytes | None, fails: BaseException
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)

    def broken(*_: Any) -> None:
        raise fails

    with monkeypatch.context() as patch:
        patch.setattr(os, step, broken)
        with pytest.raises(type(fails)):
            write_whole(path, b"new" * 1000)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([] if old is None else [("file", old)])
    write_whole(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"new")]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_one_sentence_and_costs_that_stack_only(
    outcomes: list[Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = Store(tmp_path)
    store.put(outcomes[0], "cpu")
    before = sorted(tmp_path.rglob("*"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(UserError, match="No space left") as caught:
            store.put(outcomes[1], "cpu")
    sentence(caught.value, str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before
    assert store.has(trials_of(outcomes)) == {trial.id for trial in outcomes[0].trials}
    store.put(outcomes[1], "cpu")
    assert len(store.get(trials_of(outcomes))) == 5


def test_a_full_disk_while_the_index_is_written(outcomes: list[Outcome], own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there, the index does not name it: the trial is not stored, and nothing else is lost."""
    ours = index_of_a_store._ours()
    monkeypatch.setattr(index_of_a_store, "_form", lambda _: ours)  # a trigger plays the disk
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("create trigger full before insert on trial when new.row > 0 begin select raise(abort, 'full'); end")
        index.commit()
    new = [outcomes[2].trials[0].replace({"seed": seed}) for seed in (5, 6)]
    with pytest.raises(UserError, match="full"):
        own.put(stretched(outcomes[2], new), "cpu")
    assert not own.has(new), "neither of them, also not the first"
    assert len(own.get(trials_of(outcomes))) == 6


def test_an_index_whose_writer_was_killed_is_mended_by_who_reads_next(
    outcomes: list[Outcome], own: Store, tmp_path: Path
) -> None:
    """A transaction that has reached the disk in part, with the journal to undo it: what kill -9 leaves."""
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("pragma cache_size = 1")
        rows = [(f"x{k}", "x" * 1000, "f", 0, 0, None, 0.0, 0, None) for k in range(3000)]
        index.executemany("insert into trial values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        shutil.copytree(own.folder, tmp_path / "killed")
    killed = tmp_path / "killed"
    assert (killed / "index.sqlite-journal").exists()
    assert (killed / "index.sqlite").stat().st_size > 10 * 4096
    assert len(Store(killed).get(trials_of(outcomes))) == 6
    assert not (killed / "index.sqlite-journal").exists()
    with closing(sqlite3.connect(killed / "index.sqlite")) as index:
        assert index.execute("select count(*) from trial").fetchone() == (6,)
        assert index.execute("pragma integrity_check").fetchone() == ("ok",)


def test_an_index_that_another_process_has_just_begun_is_empty(outcomes: list[Outcome], tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").touch()
    store = Store(tmp_path)
    assert {name: read() for name, read in readers(store, trials_of(outcomes)).items()} == {
        "has": set(), "get": [], "studies": [], "claims": {},
    }  # fmt: skip
    store.put(outcomes[0], "cpu")
    assert len(store.get(outcomes[0].trials)) == 2


@pytest.mark.slow
def test_a_process_that_dies_while_it_puts_costs_that_stack_only(outcomes: list[Outcome], own: Store) -> None:
    for step in ("fsync", "replace"):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(Exception, match="terminated abruptly"):
            pool.submit(put_and_die, own.folder, outcomes[2], step).result()
        assert len(own.get(trials_of(outcomes))) == 6
        assert not own.has([outcomes[2].trials[0].replace({"seed": 9})])
    assert len(list((own.folder / "stacks").glob("*.safetensors"))) == 3


def put_and_die(folder: Path, outcome: Outcome, step: str) -> None:
    """Put, and end as ``kill -9`` would at a step of it."""
    setattr(os, step, lambda *_: os._exit(9))
    Store(folder).put(stretched(outcome, [outcome.trials[0].replace({"seed": 9})]), "cpu")


@pytest.mark.slow
def test_two_processes_put_at_once(outcomes: list[Outcome], tmp_path: Path) -> None:
    """Both make the store, both put 40 stacks of which 20 are the same, and read all the while."""
    start = time.time() + 5
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        jobs = [pool.submit(put_many, tmp_path / "store", outcomes[2], range(first, first + 40), start) for first in (0, 20)]
        for job in jobs:
            job.result()
    store, first = Store(tmp_path / "store"), outcomes[2].trials[0]
    trials = [first.replace({"seed": seed}) for seed in range(60)]
    for trial, record in zip(trials, store.get(trials), strict=True):
        same(record.history["loss"], outcomes[2].history["loss"][0] + trial.seed)
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as index:
        assert index.execute("select count(*) from trial").fetchone() == (60,)
        assert index.execute("pragma integrity_check").fetchone() == ("ok",)
    assert len(list((store.folder / "stacks").iterdir())) == 60, "what both trained is there once, and nothing half written"
    assert {one["name"]: one["stored"] for one in store.studies()} == {"from 0": 40, "from 20": 40}


def put_many(folder: Path, outcome: Outcome, seeds: range, start: float) -> None:
    """Put a stack for each seed, from a given moment on."""
    time.sleep(max(0.0, start - time.time()))
    store, first = Store(folder), outcome.trials[0]
    store.note(Study(first, name=f"from {seeds[0]}", axes={"seed": seeds}))
    for seed in seeds:
        trial = first.replace({"seed": seed})
        store.put(stretched(outcome, [trial]), "cpu")
        assert store.has([trial]) and len(store.get([trial])) == 1 and len(store.studies()) in (1, 2)


# What a result may depend on


def test_the_environment_says_what_a_result_may_depend_on() -> None:
    found = environment("cpu")
    assert all(isinstance(value, str) for value in found.values())
    for name in ("torch", "numpy", "scikit-learn", "koubai"):
        assert found[name].split("+")[0] == version(name).split("+")[0]
    assert found["python"] == platform.python_version()
    assert platform.system() in found["machine"]
    assert found["device"] == "cpu"
    assert found["threads"] == str(torch.get_num_threads())


def test_the_environment_names_the_commit() -> None:
    root = Path(koubai.__file__).parents[1]
    if not GIT or not (root / ".git").exists():
        pytest.skip("not in a repository")
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    assert environment("cpu")["commit"] == git.stdout.strip()


@pytest.mark.parametrize("why", ["no git", "no repository", "a repository of the user's"])
def test_where_there_is_no_commit_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "a repository of the user's" and not GIT:
        pytest.skip("no git")
    if why == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        source = tmp_path / "lib" / "koubai" / "store"
        source.mkdir(parents=True)
        monkeypatch.setattr(machine, "__file__", str(source / "machine.py"))
        if why != "no repository":
            subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
            subprocess.run(
                ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"],
                check=True,
            )
    machine._commit.cache_clear()
    assert environment("cpu")["commit"] == ""
    machine._commit.cache_clear()
