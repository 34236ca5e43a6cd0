"""The store itself: what is asked of it, and what it is given."""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from koubai.data.fingerprint import fingerprint
from koubai.language import UserError, Words, tell
from koubai.processes import gone, this_process
from koubai.spec import Trial
from koubai.store import index
from koubai.store.files import Contents, Damaged, Record, holds, inspect, of_quantities, read_records, sweep, write_stack
from koubai.study import Study, study_id

if TYPE_CHECKING:
    import numpy as np

    from koubai.training import Outcome

VERDICTS = ("supported", "refuted", "undecided")
LISTED = "(select value from json_each(?))"
PUT = "insert or replace into trial (id, spec, file, row, diverged, validation_accuracy, created, stopped, data)"
PUT += " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
NOTE = """insert into study (id, name, toml, trials, created, listed) values (?, ?, ?, ?, ?, ?) on conflict (id) do update
    set name = excluded.name, toml = excluded.toml, created = excluded.created, listed = max(listed, excluded.listed)"""
CLAIM = """insert or replace into claim select ?1, ?2, ?3, ?4, ?5, ?6, ?7
    where not exists (select * from claim where name = ?1 and data = ?2 and quick {} ?7)"""  # "<": but for a quick look after a whole run


def asks(id: Any, trials: Any) -> bool:
    """Whether a study's row names just the trials that its id is a hash of."""
    try:
        return bool(id == study_id(json.loads(trials)))
    except (TypeError, ValueError, RecursionError):
        return False


def _ids(trials: Iterable[Trial]) -> tuple[str]:
    """The parameter of a query on ``id in LISTED``: one, however many the trials are."""
    return (json.dumps([trial.id for trial in trials]),)


def entries(
    trials: Sequence[Trial],
    file: str,
    diverged: np.ndarray,
    accuracy: np.ndarray,
    created: float,
    stopped: np.ndarray,
    data: str | None,
) -> list[tuple[Any, ...]]:
    """What ``PUT`` puts: the index's rows on the trials that lie in a stack's file, in their order."""
    return [
        (trial.id, json.dumps(trial.compact()), file, row, int(diverged[row]), float(accuracy[row]), created, int(stopped[row]), data)
        for row, trial in enumerate(trials)
    ]  # fmt: skip


class Store:
    """A folder of results. Made when first written to; raises ``UserError`` where it cannot be.

    A file that is damaged costs its own trials: they no longer count as stored, one sentence says so, and all else is as it was.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._told: set[Words] = set()

    def _index(self, write: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """The index, for one transaction."""
        return index.opened(self.folder, write)

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return (self.folder / index.NAME).exists()

    @property
    def stacks(self) -> Path:
        """The folder of the stacks' files."""
        return self.folder / "stacks"

    def prepare(self) -> None:
        """Make the store if need be, so that an unusable folder is known before anything is trained; sweep up after dead processes."""
        with self._index(write=True) as opened:
            sweep(self.stacks)
            left = [row for row in opened.execute("select study, process from run") if gone(str(row[1]))]
            opened.executemany("delete from run where study = ? and process = ?", left)

    def has(self, trials: Iterable[Trial], *, stopped: bool = False) -> set[str]:
        """The ids of those trials that are stored: whole, and trained on what their data hold today.

        With ``stopped`` also those that were stopped from outside.
        """
        trials = list(trials)
        today = {name: fingerprint(name) for name in {trial.data.name for trial in trials}}
        names = {trial.id: trial.data.name for trial in trials}
        found: set[str] = set()
        for _, rows in self._places(trials, stopped):
            for id, _, data in rows:
                name = names[id]
                if None in (data, today[name]) or data == today[name]:
                    found.add(id)
                else:
                    self._tell(
                        f"{name} has changed since trials in {self.folder} were trained on it; these no longer count as stored.",
                        f"{name} は、{self.folder} の試行を学習した後に変わっています。それらは保存済みとして扱いません。",
                    )
        return found

    def get(self, trials: Sequence[Trial], *, stopped: bool = False) -> list[Record]:
        """The records of those trials that are stored, in the order of ``trials``; with ``stopped`` also of stopped ones."""
        wanted = {trial.id: trial for trial in trials}
        records: dict[str, Record] = {}
        for file, rows in self._places(trials, stopped):
            try:
                records |= read_records(self.stacks / file, [(wanted[id], row) for id, row, _ in rows])
            except Damaged as damage:
                self._damaged(damage)
        return [records[trial.id] for trial in trials if trial.id in records]

    def _places(self, trials: Iterable[Trial], stopped: bool) -> Iterator[tuple[str, list[tuple[str, int, str | None]]]]:
        """The files that hold these trials, with the id, row and data's fingerprint of each, as far as index and file agree."""
        query = f"select file, id, row, data from trial where id in {LISTED} and (stopped = 0 or ?) order by file"
        with self._index() as opened:
            places = opened.execute(query, (*_ids(trials), stopped)).fetchall()
        for file, rows in itertools.groupby(places, lambda place: place[0]):
            # a name: no index leads out of the folder
            path = self.stacks / Path(file if isinstance(file, str) else repr(file)).name
            try:
                contents = inspect(path)
                fine = [(id, row, contents.data) for _, id, row, _ in rows if self._agrees(path, contents, row, id)]
            except Damaged as damage:
                self._damaged(damage)
                continue
            yield path.name, fine

    def _agrees(self, path: Path, contents: Contents, row: Any, id: str) -> bool:
        fine = holds(contents, row, id)
        if not fine:
            self._damaged(Damaged(path, f"it does not hold trial {id[:8]} where the index says"))
        return fine

    def _damaged(self, damage: Damaged) -> None:
        self._tell(
            f"{damage.file} is damaged ({damage.error}); its trials no longer count as stored, all others do.",
            f"{damage.file} が壊れています({damage.error})。中の試行は保存済みとして扱いません。ほかは無事です。",
        )

    def _tell(self, en: str, ja: str) -> None:
        """Say a sentence, once."""
        words = Words(en, ja)
        if words not in self._told:
            self._told.add(words)
            tell(words)

    def put(self, outcome: Outcome, device: str, data: str | None = None) -> None:
        """Keep what a stack gave: the file first, whole or not at all, then its rows in the index. ``data``: its data's fingerprint."""
        with self._index(write=True) as opened:
            file = write_stack(self.stacks, outcome, device, data)
            accuracy = outcome.history["validation_accuracy"][:, -1]
            rows = entries(outcome.trials, file, outcome.diverged, accuracy, time.time(), outcome.stopped, data)
            opened.executemany(PUT, rows)

    def note(self, study: Study, listed: bool = True) -> None:
        """Remember that a study was asked for, by whoever looks at the list of studies or by a part of Koubai."""
        with self._index(write=True) as opened:
            ids = json.dumps([trial.id for trial in study.trials])
            opened.execute(NOTE, (study.id, study.name, study.to_toml(), ids, time.time(), int(listed)))

    @contextmanager
    def at_work(self, study: Study) -> Iterator[None]:
        """Inside a ``with``, this process is listed as training the study."""
        row = (study.id, this_process())
        with self._index(write=True) as opened:
            opened.execute("insert or replace into run values (?, ?)", row)
        try:
            yield
        finally:
            if self.exists:
                with suppress(UserError), self._index(write=True) as opened:
                    opened.execute("delete from run where study = ? and process = ?", row)

    def studies(self) -> list[dict[str, Any]]:
        """The studies that were asked for, newest first.

        Each with id, name, toml, when, how many trials, stored and diverged and stopped ones, the best accuracy (R² where
        ``quantity``), and its ``state``: ``"running"``, ``"finished"``, ``"interrupted"`` or ``"diverged"``, which all of its trials
        did. Rows that no store would write are left out.
        """
        query = """
            select study.id, name, toml, study.created, count(*) as trials, count(iif(stopped, null, trial.id)) as stored,
                count(nullif(diverged, 0)) as diverged, count(nullif(stopped, 0)) as stopped,
                max(iif(diverged or typeof(validation_accuracy) <> 'real', null, validation_accuracy)) as best, file  -- that of the best
            from study, json_each(iif(json_valid(study.trials), study.trials, '[]')) as asked
                left join trial on trial.id = asked.value
            where listed and typeof(study.id) = 'text' and typeof(name) = 'text' and typeof(toml) = 'text'
                and typeof(study.created) = 'real' and study.created between 0 and 1e10
            group by study.id order by study.created desc, study.rowid desc
        """
        with self._index() as opened:
            opened.row_factory = sqlite3.Row
            running = {row["study"] for row in opened.execute("select study, process from run") if not gone(str(row["process"]))}
            rows = opened.execute(query).fetchall()
        return [dict(row) | {"state": _state(row, running), "quantity": self._quantity(row)} for row in rows]

    def _quantity(self, row: sqlite3.Row) -> bool:
        """Whether the best of a study is an R²."""
        return row["best"] is not None and of_quantities(self.stacks / Path(str(row["file"])).name)

    def note_claim(self, name: str, data: str, verdict: str, reason: Words, quick: bool = False) -> None:
        """Remember how a claim was judged on a data set; a ``quick`` look takes no whole run's place."""
        with self._index(write=True) as opened:
            opened.execute(CLAIM.format("<"), (name, data, verdict, *reason, time.time(), int(quick)))

    def claims(self) -> dict[tuple[str, str], tuple[str, Words, bool]]:
        """The verdicts by claim and data set, each with its reason, and whether it is a quick look's.

        Rows that no store would write are left out.
        """
        with self._index() as opened:
            rows = opened.execute("select quick, name, data, verdict, en, ja from claim order by created").fetchall()
        fine = [row for row in rows if row[0] in (0, 1) and all(isinstance(one, str) for one in row[1:]) and row[3] in VERDICTS]
        return {(name, data): (verdict, Words(en, ja), bool(quick)) for quick, name, data, verdict, en, ja in fine}


STATES = {  # of a study
    "finished": Words("finished", "完了"),
    "running": Words("running", "実行中"),
    "interrupted": Words("interrupted", "中断"),
    "diverged": Words("diverged", "発散"),
}


def _state(row: sqlite3.Row, running: set[str]) -> str:
    if row["id"] in running:
        return "running"
    if row["stored"] + row["stopped"] < row["trials"]:
        return "interrupted"
    return "diverged" if row["diverged"] >= row["trials"] else "finished"
