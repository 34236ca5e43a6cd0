"""Care of a store: older versions, changed data, checks, mending, export, import, pruning, and what dead processes leave."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from koubai import processes
from koubai.data.fingerprint import fingerprint
from koubai.language import UserError, Words
from koubai.spec import Trial
from koubai.store import Store, care, checkpoints
from koubai.study import Study
from koubai.training import Outcome
from tests.store.stores import REASON, same, stretched, trials_of

ONE = """
create table trial (id text primary key, spec text not null, file text not null, row integer not null,
    diverged integer not null, validation_accuracy real, created real not null);
create table study (id text primary key, name text not null, toml text not null, trials text not null, created real not null);
create table claim (name text, data text, verdict text not null, en text not null, ja text not null, created real not null,
    primary key (name, data));
"""


@pytest.fixture
def first_version(own: Store) -> Store:
    """The store as version 1 wrote it."""
    path = own.folder / "index.sqlite"
    with closing(sqlite3.connect(path)) as index:
        rows = index.execute("select id, spec, file, row, diverged, validation_accuracy, created from trial").fetchall()
    path.unlink()
    with closing(sqlite3.connect(path)) as index:
        index.executescript(ONE)
        index.executemany("insert into trial values (?, ?, ?, ?, ?, ?, ?)", rows)
        index.execute("pragma user_version = 1")
        index.commit()
    return own


# Versions


def test_a_store_of_version_1_is_brought_up(outcomes: list[Outcome], first_version: Store) -> None:
    assert len(first_version.get(trials_of(outcomes))) == 6
    with closing(sqlite3.connect(first_version.folder / "index.sqlite")) as index:
        assert index.execute("pragma user_version").fetchone() == (3,)
        assert index.execute("select distinct stopped, data from trial").fetchall() == [(0, None)]
    first_version.put(outcomes[0], "cpu")
    assert len(first_version.has(trials_of(outcomes))) == 6


def test_a_store_of_version_1_that_cannot_be_written_is_read_all_the_same(
    outcomes: list[Outcome], first_version: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite opens it read-only here, as it does where permissions forbid more."""
    path, connect = first_version.folder / "index.sqlite", sqlite3.connect
    content = path.read_bytes()
    monkeypatch.setattr(sqlite3, "connect", lambda place, **rest: connect(place.replace("mode=rw", "mode=ro"), **rest))
    assert len(first_version.get(trials_of(outcomes))) == 6 and first_version.studies() == []
    with pytest.raises(UserError, match="cannot be used"):
        first_version.prepare()
    assert path.read_bytes() == content


def second_version(store: Store) -> None:
    """Make the index what version 2 wrote."""
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as index:
        index.execute("alter table claim drop column quick")
        index.execute("pragma user_version = 2")
        index.commit()


def test_verdicts_of_version_2_are_those_of_whole_runs(own: Store, tmp_path: Path) -> None:
    own.note_claim("relu helps", "digits", "supported", REASON)
    second_version(own)
    other = Store(tmp_path / "other")
    care.take_in(other, own)
    own.note_claim("relu helps", "digits", "refuted", REASON, quick=True)
    for store in (own, other):
        assert store.claims() == {("relu helps", "digits"): ("supported", REASON, False)}


def test_a_damaged_index_of_version_2_is_renewed_with_its_verdicts(own: Store) -> None:
    own.note_claim("relu helps", "digits", "supported", REASON)
    second_version(own)
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("drop table run")
    care.mend(own)
    assert own.claims() == {("relu helps", "digits"): ("supported", REASON, False)}


# Stopped trials, changed data


def test_stopped_trials_count_only_where_asked_for(outcomes: list[Outcome], tmp_path: Path) -> None:
    store, outcome = Store(tmp_path), outcomes[0]
    outcome = stretched(outcome, outcome.trials)
    outcome.stopped = np.array([0, 7])  # type: ignore[attr-defined]
    whole, part = outcome.trials
    store.put(outcome, "cpu")
    assert store.has(outcome.trials) == {whole.id} and store.has(outcome.trials, stopped=True) == {whole.id, part.id}
    assert [record.trial for record in store.get(outcome.trials)] == [whole]
    assert [record.stopped for record in store.get(outcome.trials, stopped=True)] == [0, 7]
    store.note(Study(whole, axes={"seed": [whole.seed, part.seed]}))
    (listed,) = store.studies()
    assert (listed["stored"], listed["stopped"], listed["state"]) == (1, 1, "finished")


def table(path: Path, rows: int) -> None:
    path.write_text("a,b,class\n" + "".join(f"{k},{k * k},{'xy'[k % 2]}\n" for k in range(rows)))


def test_a_fingerprint_is_of_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path / "one.csv", 30)
    before = fingerprint(str(tmp_path / "one.csv"))
    os.utime(tmp_path / "one.csv", (1, 1))
    shutil.copy(tmp_path / "one.csv", tmp_path / "two.csv")
    assert before == fingerprint(str(tmp_path / "one.csv")) == fingerprint(str(tmp_path / "two.csv"))
    monkeypatch.chdir(tmp_path)
    assert fingerprint("one.csv") == before
    table(tmp_path / "one.csv", 31)
    assert fingerprint("one.csv") != before
    assert fingerprint("digits") == "" and fingerprint("not there") is None


def test_a_folder_is_known_by_its_data_files_and_not_by_what_else_lies_in_it(tmp_path: Path) -> None:
    """A store in the same folder, for one, changes as it is used."""
    for k in range(4):
        (tmp_path / "ab"[k % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[k % 2] / f"{k}.png").write_bytes(bytes([k]))
    before = fingerprint(str(tmp_path))
    Store(tmp_path / "koubai-out" / "store").prepare()
    (tmp_path / "report.html").write_text("x")
    (tmp_path / "a" / ".hidden.png").write_text("x")
    assert fingerprint(str(tmp_path)) == before
    (tmp_path / "a" / "0.png").rename(tmp_path / "b" / "0.png")
    moved = fingerprint(str(tmp_path))
    (tmp_path / "a" / "2.png").write_bytes(b"other")
    assert len({before, moved, fingerprint(str(tmp_path))}) == 3


def test_trials_on_data_that_changed_do_not_count(
    outcomes: list[Outcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.csv"
    table(path, 30)
    trials = [outcomes[2].trials[0].replace({"data.name": str(path), "seed": seed}) for seed in range(3)]
    store = Store(tmp_path / "store")
    store.put(stretched(outcomes[2], trials[:2]), "cpu", fingerprint(str(path)))
    store.put(stretched(outcomes[2], trials[2:]), "cpu")  # not known what it was trained on
    assert len(store.has(trials)) == 3
    table(path, 31)
    assert store.has(trials) == {trials[2].id}
    assert capsys.readouterr().err.count("own.csv has changed since") == 1, "one sentence"
    table(path, 30)
    assert len(store.has(trials)) == 3, "what it was again"
    path.unlink()
    assert len(store.has(trials)) == 3, "results outlive their data"


# Check and mend


def test_a_sound_store_is_sound(full: Store) -> None:
    health = care.check(full)
    assert health.sound and (health.trials, health.files) == (6, 3)


def test_a_check_names_what_is_damaged_and_mending_costs_no_more(outcomes: list[Outcome], own: Store) -> None:
    first, second, _ = (own.get(outcome.trials)[0].file for outcome in outcomes)
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.unlink()
    for health in (care.check(own), care.mend(own)):
        assert health.damaged.keys() == {first.name, second.name} and not health.sound
        assert set(health.lost) == {trial.id for outcome in outcomes[:2] for trial in outcome.trials}
    assert care.check(own).sound and own.has(trials_of(outcomes)) == {outcomes[2].trials[0].id}
    assert [path.name for path in (own.folder / "damaged").iterdir()] == [first.name]
    assert care.prune(own) > 0 and not list((own.folder / "damaged").iterdir())


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_an_index_beyond_reading_is_made_anew_from_the_stacks(outcomes: list[Outcome], own: Store, damage: str) -> None:
    own.note(Study(outcomes[0].trials[0], name="kept if it can be"))
    path = own.folder / "index.sqlite"
    content = path.read_bytes()
    path.write_bytes({"garbage": b"Dear diary. " * 999, "cut": content[: len(content) // 2]}[damage])
    with pytest.raises(UserError, match="store check --mend"):
        own.get(trials_of(outcomes))
    assert care.mend(own).sound
    assert len(own.get(trials_of(outcomes))) == 6 and len(own.has(trials_of(outcomes))) == 6
    for row, record in enumerate(own.get(outcomes[1].trials)):
        assert record.diverged == outcomes[1].diverged[row]
    with closing(sqlite3.connect(path)) as index:
        assert index.execute("select count(*) from trial where diverged").fetchone() == (1,)
    assert (own.folder / "index.sqlite.damaged").exists()


@pytest.mark.parametrize("lost", ["file", "content"])
def test_an_index_that_is_lost_is_made_anew_too(outcomes: list[Outcome], own: Store, lost: str) -> None:
    path = own.folder / "index.sqlite"
    path.unlink()
    if lost == "content":
        path.touch()
    assert own.has(trials_of(outcomes)) == set()
    care.mend(own)
    assert len(own.get(trials_of(outcomes))) == 6


def test_the_index_of_a_later_koubai_is_not_mended(own: Store) -> None:
    path = own.folder / "index.sqlite"
    with closing(sqlite3.connect(path)) as index:
        index.execute("pragma user_version = 4")
    content = path.read_bytes()
    with pytest.raises(UserError, match="of version 4"):
        care.mend(own)
    assert path.read_bytes() == content and not list(own.folder.glob("*.damaged"))


# Export, import, prune


@pytest.fixture
def two(own: Store, outcomes: list[Outcome]) -> list[Study]:
    """Two studies of the store: one of the first stack and one of the second's first trial."""
    studies = [
        Study(outcomes[0].trials[0], name="normed", axes={"seed": [1, 0]}),
        Study(outcomes[1].trials[0], name="rates"),
    ]
    for study in studies:
        own.note(study)
    own.note_claim("relu helps", "digits", "supported", REASON)
    return studies


def test_an_export_is_a_store_with_what_was_asked_for(
    own: Store, two: list[Study], outcomes: list[Outcome], tmp_path: Path
) -> None:
    assert care.export(own, tmp_path / "all") == 6
    assert care.export(own, tmp_path / "one", [two[1].id]) == 1
    whole, part = Store(tmp_path / "all"), Store(tmp_path / "one")
    assert len(whole.get(trials_of(outcomes))) == 6 and whole.claims() == own.claims() and len(whole.studies()) == 2
    assert part.has(trials_of(outcomes)) == {two[1].base.id} and [one["name"] for one in part.studies()] == ["rates"]
    assert care.check(whole).sound and care.check(part).sound
    same(part.get(two[1].trials)[0].weights()["0.weight"], outcomes[1].weights["0.weight"][0])
    with pytest.raises(UserError, match="is there already"):
        care.export(own, tmp_path / "all")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be"):
        care.export(own, tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "file", "one", "own"]


def test_an_import_brings_what_is_new_and_changes_nothing_else(
    own: Store, two: list[Study], outcomes: list[Outcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "other")
    history = {**outcomes[0].history, "loss": outcomes[0].history["loss"] + 1}
    mine = stretched(outcomes[0], outcomes[0].trials)
    mine.history = history
    store.put(mine, "cpu")
    assert care.take_in(store, own) == 4 and care.take_in(store, own) == 0
    same(store.get(outcomes[0].trials)[0].history["loss"], history["loss"][0])
    assert len(store.get(trials_of(outcomes))) == 6 and len(store.studies()) == 2 and store.claims() == own.claims()
    with pytest.raises(UserError, match="no store in"):
        care.take_in(store, Store(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_an_imported_verdict_takes_the_place_of_a_quick_look_alone(own: Store, tmp_path: Path) -> None:
    store, none = Store(tmp_path / "other"), Words("", "")
    for quick, name in ((False, "both whole"), (True, "quick here"), (False, "quick there"), (True, "both quick")):
        store.note_claim(name, "digits", "refuted", none, quick)
        own.note_claim(name, "digits", "supported", REASON, "there" in name or "both quick" in name)
    care.take_in(store, own)
    taken = {name: verdict for (name, _), (verdict, *_) in store.claims().items()}
    assert taken.pop("quick here") == "supported" and set(taken.values()) == {"refuted"} and len(taken) == 3


def test_an_import_leaves_out_what_is_damaged_or_not_what_it_says(
    own: Store, two: list[Study], outcomes: list[Outcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own.get(outcomes[2].trials)[0].file
    file.write_bytes(file.read_bytes()[:-1])
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update study set toml = ? where name = 'rates'", (Study(name="another").to_toml(),))
        index.execute("update trial set file = '../' || file where diverged")
        index.commit()
    store = Store(tmp_path / "other")
    assert care.take_in(store, own) == 5
    assert [one["name"] for one in store.studies()] == ["normed"] and care.check(store).sound
    assert "is damaged" in capsys.readouterr().err


def test_a_study_is_forgotten_with_what_no_other_needs(own: Store, two: list[Study], outcomes: list[Outcome]) -> None:
    files = {k: own.get(outcome.trials)[0].file for k, outcome in enumerate(outcomes)}
    sizes = {k: file.stat().st_size for k, file in files.items()}
    assert care.prune(own) == sizes[2], "no study asks for the third"
    own.note(Study(two[0].base, name="also"))
    assert care.forget(own, two[0].id) == 0 and files[0].exists(), "another study needs one trial of it"
    assert care.forget(own, Study(two[0].base, name="also").id) == sizes[0]
    assert care.forget(own, "never heard of") == 0
    assert [file.exists() for file in files.values()] == [False, True, False]
    assert own.has(trials_of(outcomes)) == {two[1].base.id} and [one["name"] for one in own.studies()] == ["rates"]
    assert care.check(own).sound and care.prune(Store(own.folder / "nothing")) == 0


def test_the_checkpoints_of_a_forgotten_study_go_with_it(own: Store, two: list[Study]) -> None:
    begun = [Study(two[0].base.replace({"steps": steps}), name=str(steps), axes={"seed": 2}) for steps in (500, 600)]
    for study in begun:
        own.note(study)
        keeper = checkpoints.Keeper(own.folder, study.trials, fingerprint(study.base.data.name))
        keeper.keep({"stopped": np.zeros(2)}, {"t": 1})
    care.prune(own)
    assert all(checkpoints.of(own.folder, study.trials) for study in begun), "what a study asks for stays"
    assert care.forget(own, begun[0].id) > 0
    assert [checkpoints.of(own.folder, study.trials) is None for study in begun] == [True, False]


def test_what_a_part_of_koubai_asked_for_is_not_listed_and_not_pruned(
    own: Store, two: list[Study], outcomes: list[Outcome]
) -> None:
    quiet = Study(outcomes[2].trials[0], name="quiet")
    own.note(quiet, listed=False)
    assert {one["name"] for one in own.studies()} == {"normed", "rates"}
    care.prune(own)
    assert own.has(quiet.trials) == {quiet.base.id}
    own.note(quiet)
    own.note(quiet, listed=False)
    assert "quiet" in {one["name"] for one in own.studies()}, "once listed, listed"


# Processes


def test_what_dead_processes_left_is_swept_up_and_what_lives_stays(own: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mine = processes.this_process()
    host = mine.split("-")[0]
    alive = f"{host}-{child.pid}-{processes._started(child.pid)}"
    before = f"{host}-{os.getpid()}-1"  # a process of my number, before me
    elsewhere = "another.machine-1-1"
    parts = {name: own.stacks / f".{'0' * 20}.safetensors.{name}.part" for name in (mine, alive, before, elsewhere)}
    for part in parts.values():
        part.write_bytes(b"half")
    own.prepare()
    assert [name for name, part in parts.items() if part.exists()] == [mine, alive, elsewhere]
    child.kill()
    child.wait()
    os.utime(parts[elsewhere], (1e9, 1e9))  # days ago
    own.prepare()
    assert [name for name, part in parts.items() if part.exists()] == [mine]


def test_a_study_says_whether_somebody_is_at_work_on_it(own: Store, two: list[Study]) -> None:
    more = Study(two[0].base, name="more", axes={"seed": 5})
    own.note(more)

    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in own.studies()}

    assert states() == {"normed": "finished", "rates": "finished", "more": "interrupted"}
    with own.at_work(more):
        assert states()["more"] == "running"
    assert states()["more"] == "interrupted"
    code = "import sys, os\nfrom koubai.store import Store\nfrom koubai.study import Study\n"
    code += (
        "study = Study.from_toml(sys.argv[2])\nwith Store(sys.argv[1]).at_work(study): print(flush=True); input(); os._exit(9)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(own.folder), more.to_toml()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdin is not None
    child.stdout.readline()
    assert states()["more"] == "running"
    child.communicate(b"\n")
    assert child.returncode == 9 and states()["more"] == "interrupted"


def test_specs_are_known_by_what_is_written_in_the_file(own: Store, outcomes: list[Outcome]) -> None:
    """The ids in a stack's metadata are those that the trials written beside them have."""
    for outcome in outcomes:
        (row, *_) = care.rows_of(own.get(outcome.trials)[0].file)
        assert Trial(**json.loads(row[1])).id == row[0] == outcome.trials[0].id
