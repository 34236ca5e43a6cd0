"""Care of a store: is everything as it was written, what is taken along or brought in, what nobody needs."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open

from koubai.data.files import shorten, unwritable, write_whole
from koubai.language import UserError
from koubai.spec import Trial
from koubai.store import checkpoints, index
from koubai.store.files import Damaged, holds, inspect, sweep
from koubai.store.store import CLAIM, LISTED, PUT, Store, asks, entries
from koubai.study import Study, study_id


@dataclass
class Health:
    """What a check found: how many trials lie in how many files, which files are damaged and why, which trials that costs.

    ``studies`` are those by name of which it is not known what trials they asked for. ``rows`` and ``asked`` are the places of lost trials
    and of these studies in the index, each with its id in hexadecimal.
    """

    trials: int = 0
    files: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    rows: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[int, str]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether all is as it was written."""
        return not (self.damaged or self.lost or self.studies)


def check(store: Store) -> Health:
    """Hold every file against its hash and every row of the index against its file. Raises ``UserError`` for an unreadable index."""
    health = Health()
    with store._index() as opened:
        rows = opened.execute("select file, id, row, rowid, hex(id) from trial").fetchall()
        studies = opened.execute("select id, trials, name, rowid, hex(id) from study").fetchall()
        for (problem,) in opened.execute("pragma integrity_check(1)"):
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
    names = {Path(str(file)).name for file, *_ in rows} | {path.name for path in store.stacks.glob("*.safetensors")}
    contents = {}
    for name in sorted(names):
        health.files += 1
        try:
            contents[name] = inspect(store.stacks / name)
        except Damaged as damage:
            health.damaged[_shown(name)] = str(damage.error)
    for file, id, row, *place in rows:
        health.trials += 1
        name = Path(str(file)).name
        if name not in contents or not holds(contents[name], row, id):
            health.lost.append(str(id))
            health.rows.append(tuple(place))
    for id, trials, name, *place in studies:
        if not asks(id, trials):
            health.studies.append(_shown(str(name)))
            health.asked.append(tuple(place))
    return health


def _shown(name: str) -> str:
    """A file's or a study's name as a terminal may see it: as it is where it is plain, else as Python writes it."""
    return name if name.isprintable() and 0 < len(name) <= 60 else shorten(repr(name))


def mend(store: Store) -> Health:
    """Put damaged files aside, in ``damaged``, and let the index name what is sound and nothing else; what a check found before.

    Sound files that the index does not name are taken back in (all of them where rows were lost, which may be of any); a study of which
    it is not known what trials it asked for is read from its own TOML, or forgotten. An index that cannot be read is put aside too and
    made anew from the stacks, with such studies and claims as can be saved. Raises ``UserError`` for an index of a later version, which
    is not damaged.
    """
    try:
        health = check(store)
    except index.Newer:
        raise
    except UserError:
        if not store.exists:
            raise
        _renew(store)
        health = check(store)
    with store._index(write=True) as opened:
        opened.executemany("delete from trial where rowid = ? and hex(id) = ?", health.rows)
        for place in health.asked:
            _reread(opened, place)
        for file in [file for file in store.stacks.glob("*.safetensors") if _shown(file.name) in health.damaged]:
            with suppress(FileNotFoundError):
                (store.folder / "damaged").mkdir(exist_ok=True)
                file.replace(store.folder / "damaged" / file.name)
        named = {str(file) for (file,) in opened.execute("select distinct file from trial")} if not health.lost else set()
        files = [file for file in store.stacks.glob("*.safetensors") if file.name not in named]
        for file in sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True):  # of two that hold a trial, the newer
            with suppress(Damaged):
                opened.executemany(PUT.replace("replace", "ignore", 1), rows_of(file))
    return health


def _reread(opened: sqlite3.Connection, place: tuple[int, str]) -> None:
    """Let a study's row name the trials that its TOML makes, or remove the row."""
    for id, toml in opened.execute("select id, toml from study where rowid = ? and hex(id) = ?", place).fetchall():
        with suppress(UserError, TypeError, AttributeError):
            trials = [trial.id for trial in Study.from_toml(toml).trials]
            if id == study_id(trials):
                opened.execute("update study set trials = ? where rowid = ? and hex(id) = ?", (json.dumps(trials), *place))
                return
        opened.execute("delete from study where rowid = ? and hex(id) = ?", place)


def _renew(store: Store) -> None:
    """A new index, with what can be saved of the old one's studies and claims."""
    old = store.folder / index.NAME
    saved = {table: list(_salvaged(old, table)) for table in ("study", "claim")}
    old.replace(store.folder / f"{index.NAME}.damaged")
    with store._index(write=True) as opened:
        for table, rows in saved.items():
            columns = [name for (name,) in opened.execute("select name from pragma_table_info(?)", (table,))]
            for row in rows:  # of an older version it has fewer
                with suppress(sqlite3.Error):
                    named = ", ".join(columns[: len(row)])
                    opened.execute(f"insert or ignore into {table} ({named}) values ({', '.join('?' * len(row))})", row)


def _salvaged(path: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a damaged index's table that can still be read."""
    with (
        suppress(sqlite3.Error, UnicodeDecodeError),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as old,
    ):
        yield from old.execute(f"select * from {table}")


def rows_of(file: Path) -> list[tuple[Any, ...]]:
    """The index's rows on a stack's file, from the file alone. Raises ``Damaged``."""
    contents, created = inspect(file), file.stat().st_mtime
    try:
        with safe_open(file, framework="numpy") as stack:
            diverged, accuracy = stack.get_tensor("diverged"), stack.get_tensor("history/validation_accuracy")[:, -1]
            stopped = stack.get_tensor("stopped") if "stopped" in stack.keys() else diverged * 0  # noqa: SIM118
        trials = [Trial(**json.loads(spec)) for spec in contents.specs]
        if [trial.id for trial in trials] != list(contents.ids):
            raise ValueError("its trials are not what it calls them")
        return entries(trials, file.name, diverged, accuracy, created, stopped, contents.data)
    except (UserError, LookupError, TypeError, ValueError) as error:
        raise Damaged(file, error) from None


def export(store: Store, folder: Path, studies: Sequence[str] = ()) -> int:
    """Copy these studies (by id; else all) with their trials into a new folder, which is a store itself; how many trials.

    Raises ``UserError`` where the folder is there already.
    """
    if folder.exists():
        raise UserError(
            f"{folder} is there already; choose a new folder.", f"{folder} はすでにあります。新しいフォルダを指定してください。"
        )
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = take_in(Store(part), store, studies)
        part.replace(folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return count


def take_in(store: Store, other: Store, studies: Sequence[str] = ()) -> int:
    """Bring what another store holds into this one (only these studies, by id, or all); how many trials are new.

    What is there already stays as it is, but for a quick look's verdict where a whole run's comes. Damaged files are left out.
    Files are copied only where their content is what their names say.
    """
    if not other.exists:
        raise UserError(f"There is no store in {other.folder}.", f"{other.folder} に保存先がありません。")
    chosen = f"where id in {LISTED}" if studies else "where ? is not null"
    with other._index() as opened:
        asked = [row for row in opened.execute(f"select * from study {chosen}", (json.dumps(list(studies)),)) if _sound(row)]
        claims = [] if studies else opened.execute("select * from claim").fetchall()
        rows = opened.execute("select file, id from trial where typeof(id) = 'text' order by file").fetchall()
    wanted = {id for row in asked for id in json.loads(row[3])} if studies else None
    files: dict[str, set[str]] = {}
    for file, id in rows:
        if wanted is None or id in wanted:
            files.setdefault(Path(str(file)).name, set()).add(id)
    new = 0
    store.prepare()
    for name, ids in files.items():
        try:
            brought = [row for row in rows_of(other.stacks / name) if row[0] in ids]
        except Damaged as damage:
            other._damaged(damage)
            continue
        with store._index(write=True) as opened:
            have = {id for (id,) in opened.execute(f"select id from trial where id in {LISTED}", (json.dumps([*ids]),))}
            brought = [row for row in brought if row[0] not in have]
            if brought and not (store.stacks / name).exists():
                write_whole(store.stacks / name, (other.stacks / name).read_bytes())
            opened.executemany(PUT, brought)
            new += len(brought)
    with store._index(write=True) as opened:
        opened.executemany("insert or ignore into study values (?, ?, ?, ?, ?, ?)", asked)
        opened.executemany(CLAIM.format("<="), claims)
    return new


def _sound(row: tuple[Any, ...]) -> bool:
    """Whether a row of the table of studies is one: its TOML is a study of just these trials."""
    try:
        id, name, toml, trials, created, listed = row
        study = Study.from_toml(toml)
        return (
            study.id == id and isinstance(name, str) and json.loads(trials) == [trial.id for trial in study.trials]
            and isinstance(created, float) and isinstance(listed, int)
        )  # fmt: skip
    except (UserError, TypeError, ValueError, AttributeError, RecursionError):
        return False


def forget(store: Store, id: str) -> int:
    """Forget a study, and whatever no other study needs; the bytes that are free again."""
    with store._index(write=True) as opened:
        opened.execute("delete from study where id = ?", (id,))
    return prune(store)


def prune(store: Store) -> int:
    """Remove trials that no study asks for, files that hold nothing else, their checkpoints, and what was left half written.

    Gives the bytes that are free again. Raises ``UserError`` where it is not known what a study asked for.
    """
    if not store.exists:
        return 0
    freed = 0
    with store._index(write=True) as opened:  # nobody puts meanwhile
        asked: set[str] = set()
        for id, trials, name in opened.execute("select id, trials, name from study"):
            if not asks(id, trials):
                raise UserError(
                    f"The list of trials of the study {_shown(str(name))} is damaged in the index of {store.folder}, so "
                    "nothing is removed; run koubai store check --mend first.",
                    f"{store.folder} の索引で、実験 {_shown(str(name))} の試行の一覧が壊れているため、何も消しません。先に "
                    "koubai store check --mend を実行してください。",
                )
            asked.update(json.loads(trials))
        opened.execute(f"delete from trial where id not in {LISTED}", (json.dumps([*asked]),))
        needed = {str(file) for (file,) in opened.execute("select distinct file from trial")}
        for file in [*unneeded(store, needed), *checkpoints.unasked(store.folder, asked)]:
            with suppress(FileNotFoundError):  # whose stack has just ended
                freed += file.stat().st_size
                file.unlink()
        sweep(store.stacks)
    return freed


def unneeded(store: Store, needed: Iterable[str]) -> list[Path]:
    """The files of a store that hold no trial that the index names, those put aside among them."""
    kept = set(needed)
    files = [file for file in store.stacks.glob("*.safetensors") if file.name not in kept]
    return files + [file for file in (store.folder / "damaged").glob("*") if file.is_file()]
