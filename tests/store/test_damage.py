"""What becomes of a store whose files are damaged, swapped, of another version, hostile."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from safetensors.numpy import save

import koubai
from koubai.language import UserError
from koubai.spec import Trial
from koubai.store import Store, care
from koubai.study import Study
from koubai.training import Outcome
from tests.store.stores import REASON, readers, sentence, trials_of, writers
from tests.traps import Trap

# Damaged and hostile


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[bytes]:
    """A pickle that must not be read; the test fails if it was."""
    folder = tmp_path / "unpickled"
    content = pickle.dumps(Trap(folder))
    pickle.loads(content)
    folder.rmdir()  # the trap works
    yield content
    assert not folder.exists()


def as_torch_file(trap: bytes, tmp_path: Path) -> bytes:
    """The pickle as ``torch.save`` would write it."""
    torch.save(Trap(tmp_path / "unpickled"), tmp_path / "trap.pt")
    return (tmp_path / "trap.pt").read_bytes()


def stack_file(about: str | None, **arrays: Any) -> bytes:
    """A stack's file as ``put`` writes it, with whatever metadata."""
    whole = {"steps": np.arange(3), "histogram_steps": np.arange(3), "diverged": np.zeros(9, int), **arrays}
    return save({name: value for name, value in whole.items() if value is not None}, None if about is None else {"koubai": about})


FINE = json.dumps({"trials": [{}], "layers": ["dense 1"], "kinds": ["weights"], "environment": {}})
DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "a byte short": lambda content: content[:-1],
    "cut in its header": lambda content: content[:20],
    "a byte too long": lambda content: content + b"\0",
    "garbage": lambda content: bytes(range(256)) * 20,
    "a header longer than the file": lambda content: b"\xff" * 7 + b"\x00" + content,
    "without metadata": lambda content: stack_file(None),
    "metadata of another": lambda content: stack_file("[]"),
    "metadata that is no JSON": lambda content: stack_file("{"),
    "metadata nested without end": lambda content: stack_file("[" * 100_000),
    "metadata of the wrong kind": lambda content: stack_file(json.dumps({"layers": 3, "kinds": None, "environment": 1})),
    "no steps": lambda content: stack_file(FINE, steps=None),
    "too few rows": lambda content: stack_file(FINE, diverged=np.zeros(0, int)),
    "a history with too few rows": lambda content: stack_file(FINE, **{"history/loss": np.zeros((0, 3))}),
    "a history that is one number": lambda content: stack_file(FINE, **{"history/loss": np.array(0.0)}),
}  # fmt: skip


def damaged(outcomes: list[Outcome], own: Store, damage: str, believed: bool = False) -> Path:
    """The file of the third stack once this damage was done to it; ``believed`` gives it, and the index, the name of its new content."""
    (record,) = own.get(outcomes[2].trials)
    content = DAMAGE[damage](record.file.read_bytes())
    record.file.unlink()
    if content is None:
        return record.file
    file = record.file.with_stem(hashlib.sha256(content).hexdigest()[:20]) if believed else record.file
    file.write_bytes(content)
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set file = ? where file = ?", (file.name, record.file.name))
        index.commit()
    return file


@pytest.mark.parametrize("believed", [False, True])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_stack_is_one_sentence_and_costs_that_stack_only(
    outcomes: list[Outcome], own: Store, damage: str, believed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its trials no longer count as stored, and are trained again; also where its name is that of its new content."""
    file = damaged(outcomes, own, damage, believed)
    third = {trial.id for trial in outcomes[2].trials}
    others = {trial.id for trial in trials_of(outcomes)} - third
    assert own.get(outcomes[2].trials) == [] and own.has(trials_of(outcomes)) == others
    assert len(own.get(trials_of(outcomes))) == 5
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and f"{file} is damaged" in err, "said once"
    own.put(outcomes[2], "cpu")
    assert len(own.get(trials_of(outcomes))) == 6, "trained again, all is well"
    assert own.has(trials_of(outcomes)) == others | third
    assert capsys.readouterr() == ("", "")


def test_a_swapped_stack_is_noticed(outcomes: list[Outcome], own: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Another stack's file under its name, and rows of the index that lead to other trials of the same file."""
    first, second, third = (own.get(outcome.trials)[0].file for outcome in outcomes)
    shutil.copy(first, third)
    assert own.has(outcomes[2].trials) == set() and own.get(outcomes[2].trials) == []
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set row = 1 - row where file = ?", (first.name,))
        index.execute("update trial set file = ? where file = ?", (first.name, second.name))
        index.commit()
    assert own.has(trials_of(outcomes)) == set() and own.get(trials_of(outcomes)) == []
    assert "it does not hold trial" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["missing", "empty", "cut short", "garbage"])
def test_weights_of_a_damaged_stack(outcomes: list[Outcome], own: Store, damage: str) -> None:
    (record,) = own.get(outcomes[2].trials)
    content = DAMAGE[damage](record.file.read_bytes())
    record.file.unlink()
    if content is not None:
        record.file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        record.weights()
    sentence(caught.value, str(record.file))


@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 255)), min_size=1, max_size=20))
def test_no_damage_whatever_makes_more_than_a_sentence(
    full: Store, stored: list[Trial], tmp_path_factory: pytest.TempPathFactory, place: int, changes: list[tuple[int, int]]
) -> None:
    """Bytes changed anywhere in the index or at the head of a stack: a record, its numbers perhaps wrong, or one sentence."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(full.folder, folder, dirs_exist_ok=True)
    store = Store(folder)
    path = [folder / "index.sqlite", *sorted((folder / "stacks").iterdir())][place]
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[position % len(content)] = value
    path.write_bytes(content)
    for name, read in readers(store, stored).items():
        try:
            found = read()
            for record in found if name == "get" else ():
                record.weights()
        except UserError as error:
            assert str(folder) in str(error)
    shutil.rmtree(folder)


INDEXES: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda content: bytes(range(256)) * 20,
    "a text": lambda content: b"Dear diary, today nothing vanished.\n" * 200,
    "cut short": lambda content: content[: len(content) // 2],
    "cut in its header": lambda content: content[:50],
}


@pytest.mark.parametrize("damage", INDEXES)
def test_a_damaged_index_is_one_sentence(outcomes: list[Outcome], own: Store, damage: str) -> None:
    path = own.folder / "index.sqlite"
    path.write_bytes(content := INDEXES[damage](path.read_bytes()))
    for act in (*readers(own, trials_of(outcomes)).values(), *writers(own, outcomes[0]).values()):
        if act == own.prepare:  # reads no more than the first page
            continue
        with pytest.raises(UserError) as caught:
            act()
        sentence(caught.value, str(own.folder))
    assert path.read_bytes() == content


@pytest.mark.parametrize("number", [0, 4, 99, -1])
def test_an_index_of_another_version_is_refused(outcomes: list[Outcome], own: Store, number: int) -> None:
    """Version 0 with tables in it belongs to another program."""
    path = own.folder / "index.sqlite"
    with closing(sqlite3.connect(path)) as index:
        index.execute(f"pragma user_version = {number}")
    content = path.read_bytes()
    for act in (*readers(own, trials_of(outcomes)).values(), *writers(own, outcomes[0]).values()):
        with pytest.raises(UserError, match=f"of version {number}, this Koubai reads 3") as caught:
            act()
        sentence(caught.value, str(path))
    assert path.read_bytes() == content


def test_an_index_that_says_it_is_older_than_its_tables(outcomes: list[Outcome], own: Store) -> None:
    """Found by fuzzing: every reader waited for ever for the end of a transaction of its own."""
    path = own.folder / "index.sqlite"
    with closing(sqlite3.connect(path)) as index:
        index.execute("pragma user_version = 1")
    content = path.read_bytes()
    for act in (*readers(own, trials_of(outcomes)).values(), *writers(own, outcomes[0]).values()):
        with pytest.raises(UserError, match="is not a store's index, or damaged: duplicate column") as caught:
            act()
        sentence(caught.value, str(path))
    assert path.read_bytes() == content
    care.mend(own)
    assert care.check(own).sound and own.has(trials_of(outcomes)) == {trial.id for trial in trials_of(outcomes)}


def test_an_index_of_the_right_version_without_its_tables(outcomes: list[Outcome], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as index:
        index.execute("create table diary (day text)")
        index.execute("pragma user_version = 3")
    for act in (*readers(Store(tmp_path), trials_of(outcomes)).values(),):
        with pytest.raises(UserError, match="not a store's"):
            act()


ENDLESS = "with recursive a(n) as (select 1 union all select n + 1 from a) "
ENDLESS += "select n as id, n as spec, n as file, n as row, 0 as diverged, 0 as stopped, 0 as data from a"


@pytest.mark.parametrize(
    "change",
    [
        "alter table trial rename to other; create view trial as " + ENDLESS,
        "create trigger t after delete on run begin delete from trial; end",
        "alter table claim rename column en to because",
        "alter table trial add column big text as (hex(zeroblob(400000000)))",
        "drop table run",
        "create index own on trial (file)",
    ],
)
def test_an_index_that_is_more_or_less_than_its_tables_is_refused_and_made_anew(
    outcomes: list[Outcome], own: Store, change: str
) -> None:
    """A view could go on without end, and a trigger do what nobody asked for."""
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.executescript(change)
    for act in (*readers(own, trials_of(outcomes)).values(), *writers(own, outcomes[0]).values()):
        with pytest.raises(UserError, match="koubai store check --mend"):
            act()
    care.mend(own)
    assert care.check(own).sound and len(own.has(trials_of(outcomes))) == 6


@pytest.mark.parametrize("place", ["", ".", "..", "\0", "x" * 5000, "\x1b[31m", b"\xff", 7])
def test_rows_that_lead_to_no_file_are_mended_without_touching_any(
    outcomes: list[Outcome], own: Store, place: Any, command: Callable[..., Any]
) -> None:
    (record,) = own.get(outcomes[2].trials)
    shutil.copytree(own.folder, "koubai-out/store")
    for store in (own, Store("koubai-out/store")):
        with closing(sqlite3.connect(store.folder / "index.sqlite")) as index:
            index.execute("update trial set file = ? where id = ?", (place, record.trial.id))
            index.commit()
    assert care.check(own).lost == [record.trial.id]
    care.mend(own)
    assert care.check(own).sound and len(own.has(trials_of(outcomes))) == 6, "its file is there, and is taken back in"
    ended = command("store", "check")
    assert ended.code == 1 and "\x1b" not in ended.out and "5 of 6 trials" in ended.out


@pytest.mark.parametrize("id", [None, b"\xff\x00", 5, "none"])
def test_rows_of_trials_that_are_none(outcomes: list[Outcome], own: Store, id: Any, tmp_path: Path) -> None:
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set id = ? where id = ?", (id, outcomes[2].trials[0].id))
        index.commit()
    assert care.take_in(Store(tmp_path / "other"), own) == 5
    assert len(care.check(own).lost) == 1
    care.mend(own)
    assert care.check(own).sound and len(own.has(trials_of(outcomes))) == 6


def test_a_row_whose_file_is_named_by_another_row_is_taken_back_in(outcomes: list[Outcome], own: Store) -> None:
    """Found by fuzzing: its file was not looked into, for the other trial of the stack was there."""
    one, other = outcomes[0].trials
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set id = 'none' where id = ?", (one.id,))
        index.commit()
    assert own.has([one, other]) == {other.id}
    care.mend(own)
    assert care.check(own).sound and own.has(trials_of(outcomes)) == {trial.id for trial in trials_of(outcomes)}


def test_a_study_whose_list_of_trials_is_damaged_costs_no_trial(outcomes: list[Outcome], own: Store) -> None:
    """Pruning removes nothing that such a study may need, until the list has been read again from its TOML."""
    studies = [Study(outcome.trials[0], name=f"{k}\x1b") for k, outcome in enumerate(outcomes)]
    for study in studies:
        own.note(study)
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update study set trials = '[]' where name like '0%'")
        index.execute("update study set trials = 'x', toml = 'x' where name like '1%'")
        index.commit()
    with pytest.raises(UserError, match="so nothing is removed"):
        care.prune(own)
    assert care.check(own).studies == ["'0\\x1b'", "'1\\x1b'"]
    care.mend(own)
    assert care.check(own).sound and {one["id"] for one in own.studies()} == {studies[0].id, studies[2].id}
    care.prune(own)
    assert own.has([study.base for study in studies]) == {studies[0].base.id, studies[2].base.id}


def test_claims_that_no_store_would_write_are_left_out(own: Store) -> None:
    own.note_claim("fine", "digits", "supported", REASON)
    own.note_claim("odd", "digits", "perhaps", REASON)
    own.note_claim("bytes", "digits", "refuted", REASON)
    own.note_claim("half", "digits", "refuted", REASON)
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update claim set ja = x'ff' where name = 'bytes'")
        index.execute("update claim set quick = 2 where name = 'half'")
        index.commit()
    assert own.claims() == {("fine", "digits"): ("supported", REASON, False)}


@pytest.mark.parametrize("accuracy", ["high", b"\x80", None])
def test_an_accuracy_that_is_no_number_is_not_the_best(own: Store, outcomes: list[Outcome], accuracy: Any) -> None:
    own.note(Study(outcomes[0].trials[0]))
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set validation_accuracy = ?", (accuracy,))
        index.commit()
    assert [one["best"] for one in own.studies()] == [None]


def test_no_index_leads_out_of_the_folder(outcomes: list[Outcome], own: Store, tmp_path: Path) -> None:
    (record,) = own.get(outcomes[2].trials)
    shutil.copy(record.file, tmp_path / "outside.safetensors")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "endless")  # whoever opened it would wait for ever
    for place in (
        "../../outside.safetensors",
        str(tmp_path / "outside.safetensors"),
        str(tmp_path / "endless"),
        "..",
        "",
        b"\xff",
    ):
        with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
            index.execute("update trial set file = ? where id = ?", (place, record.trial.id))
            index.commit()
        assert own.get([record.trial]) == [] and own.has([record.trial]) == set()


@pytest.mark.parametrize("row", [99, -1, -9, "first", b"\x80\x04", 0.5, 2**40, -(2**63)])
def test_a_row_that_is_none(outcomes: list[Outcome], own: Store, row: Any) -> None:
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute("update trial set row = ?", (row,))
        index.commit()
    assert own.get(outcomes[2].trials) == [] and own.has(outcomes[2].trials) == set()


@pytest.mark.parametrize(
    "change",
    [
        "trials = '[\"a'",
        "trials = x'80'",
        "name = x'ff'",
        "created = 'now'",
        "created = 1e300",
        "created = -1",
    ],
)
def test_rows_of_studies_that_no_store_would_write_are_left_out(own: Store, change: str) -> None:
    own.note(Study(name="hostile"))
    own.note(Study(name="fine", axes={"seed": 2}))
    with closing(sqlite3.connect(own.folder / "index.sqlite")) as index:
        index.execute(f"update study set {change} where name = 'hostile'")
        index.commit()
    assert [one["name"] for one in own.studies()] == ["fine"]


@pytest.mark.parametrize("door", ["stack", "torch file", "metadata", "index", "journal", "columns"])
def test_nothing_is_unpickled(outcomes: list[Outcome], own: Store, trap: bytes, tmp_path: Path, door: str) -> None:
    own.note(Study(outcomes[2].trials[0]))
    (record,) = own.get(outcomes[2].trials)
    index = own.folder / "index.sqlite"
    if door == "stack":
        record.file.write_bytes(trap)
    elif door == "torch file":
        record.file.write_bytes(as_torch_file(trap, tmp_path))
    elif door == "metadata":
        record.file.write_bytes(stack_file(trap.decode("latin-1"), **{"history/loss": np.frombuffer(trap, np.uint8)}))
    elif door == "index":
        index.write_bytes(trap)
    elif door == "journal":
        (own.folder / "index.sqlite-journal").write_bytes(trap)
    else:
        with closing(sqlite3.connect(index)) as changed:
            changed.execute("update trial set spec = ?, file = ?, created = ?", (trap, trap, trap))
            changed.execute("update study set name = ?, toml = ?, created = ?", (trap, trap, trap))
            changed.commit()
    for act in (*readers(own, outcomes[2].trials).values(), record.weights):
        try:
            act()
        except UserError as error:
            assert str(own.folder) in str(error)


def test_no_file_of_the_package_can_unpickle() -> None:
    """Neither by name, nor through a library that unpickles what it loads."""
    unpickling = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "copyreg"}
    for path in Path(koubai.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not unpickling & {alias.name.split(".")[0] for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in unpickling, path
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("torch.load", "torch.hub.load", "eval", "exec", "__import__"), path
                assert not called.endswith(("read_pickle", "load_state_dict_from_url", "loads_pickle")), path
                allowed = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "allow_pickle"]
                assert allowed in ([], ["False"]), path
