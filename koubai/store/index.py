"""A store's index: which trial lies where, the studies that were asked for, the verdicts, and who is at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path

from koubai.data.files import shorten
from koubai.language import UserError

NAME = "index.sqlite"
SCHEMA = 3
TABLES = """
create table trial (id text primary key, spec text not null, file text not null, row integer not null,
    diverged integer not null, validation_accuracy real, created real not null,
    stopped integer not null default 0, data text);
create table study (id text primary key, name text not null, toml text not null, trials text not null, created real not null,
    listed integer not null default 1);
create table claim (name text, data text, verdict text not null, en text not null, ja text not null, created real not null,
    quick integer not null default 0, primary key (name, data));
create table run (study text not null, process text not null, primary key (study, process))
"""
LIFTS = {  # from each older version to the next
    1: """
alter table trial add column stopped integer not null default 0;
alter table trial add column data text;
alter table study add column listed integer not null default 1;
create table run (study text not null, process text not null, primary key (study, process))
""",
    2: "alter table claim add column quick integer not null default 0",
}


class Newer(UserError):
    """An index that a later Koubai wrote."""


@contextmanager
def opened(folder: Path, write: bool = False) -> Iterator[sqlite3.Connection]:
    """The index, for one transaction; writers go one after another. Where there is none yet, a reader finds an empty one and leaves none.

    An index of an older version is brought up to this one. Raises ``UserError`` for one of a newer version (``Newer``), of another
    program, damaged, or where it cannot be.
    """
    path = folder / NAME
    try:
        if write:
            (folder / "stacks").mkdir(parents=True, exist_ok=True)
        # readers open it to write too, where they can: they undo what a killed process left half written
        there = write or path.exists()
        place = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}" if there else ":memory:"
        with (
            closing(sqlite3.connect(place, uri=True, timeout=60)) as found,
            closing(_current(found, path, write)) as index,
            index,
        ):
            index.text_factory = partial(str, encoding="utf-8", errors="replace")  # a damaged letter costs no more than its row
            if write:
                index.execute("begin immediate")
            yield index
    except (OSError, sqlite3.OperationalError) as error:
        why = shorten(str(error))
        raise UserError(
            f"The store {folder} cannot be used: {why}. Choose another folder with --out.",
            f"保存先 {folder} を使えません({why})。--out で別のフォルダを指定してください。",
        ) from None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        why = shorten(str(error))
        raise UserError(
            f"{path} is not a store's index, or damaged: {why}. koubai store check --mend makes it anew from the stacks.",
            f"{path} は保存先の索引ではないか、壊れています({why})。koubai store check --mend でスタックから作り直せます。",
        ) from None


def _current(index: sqlite3.Connection, path: Path, write: bool) -> sqlite3.Connection:
    """The index with the tables of this version: itself, or a copy in memory where it is of an older one and cannot be written."""
    version = _version(index)
    try:
        if version == 0:
            _make(index)
        elif version in LIFTS:
            _lift(index)
    except sqlite3.OperationalError as error:
        index.rollback()  # a copy would wait for its end without end
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # tables that are not of the version it says
            raise sqlite3.DatabaseError(str(error)) from None
        if write or version == 0:
            raise
        copy = sqlite3.connect(":memory:")
        index.backup(copy)
        index = copy
        _lift(index)
    version = _version(index)
    if version != SCHEMA:
        raise (Newer if version > SCHEMA else UserError)(
            f"{path} is of version {version}, this Koubai reads {SCHEMA}; choose another folder with --out.",
            f"{path} は版 {version} です。このKoubaiは版 {SCHEMA} を読みます。--out で別のフォルダを指定してください。",
        )
    if _form(index) != _ours():
        raise sqlite3.DatabaseError("its tables are not a store's")
    return index


def _version(index: sqlite3.Connection) -> int:
    (version,) = index.execute("pragma user_version").fetchone()
    return int(version)


def _form(index: sqlite3.Connection) -> set[tuple[str | int, ...]]:
    """The tables with their columns; views, triggers and the like, which could run without end, are in it too, and then nothing else."""
    odd = "not (type = 'table' and name not like 'sqlite%' or type = 'index' and name like 'sqlite_autoindex_%')"
    found = set(index.execute(f"select type, name from sqlite_master where {odd}"))
    columns = 'c.name, c.type, c."notnull", c.pk, c.hidden from sqlite_master as t join pragma_table_xinfo(t.name) as c'
    return found or set(index.execute(f"select t.name, {columns} where t.type = 'table'"))


@cache
def _ours() -> set[tuple[str | int, ...]]:
    with closing(sqlite3.connect(":memory:")) as index:
        _make(index)
        return _form(index)


def _make(index: sqlite3.Connection) -> None:
    """The tables of a new index."""
    index.execute("begin immediate")  # of two processes that come here at once, one makes them
    if index.execute("select count(*) from sqlite_master").fetchone() == (0,):
        _run(index, TABLES, SCHEMA)
    index.commit()


def _lift(index: sqlite3.Connection) -> None:
    """Bring an older index up to this version, in one transaction."""
    index.execute("begin immediate")
    while (version := _version(index)) in LIFTS:  # another process may have done it meanwhile
        _run(index, LIFTS[version], version + 1)
    index.commit()


def _run(index: sqlite3.Connection, statements: str, version: int) -> None:
    for statement in statements.split(";"):
        index.execute(statement)
    index.execute(f"pragma user_version = {version}")
