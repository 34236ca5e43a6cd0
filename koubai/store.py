"""Results on disk, as they are made.

A store is a folder: ``stacks/*.safetensors`` hold what each finished stack gave (history, final weights, and in the
metadata the trials and the environment), ``index.sqlite`` says which trial is in which row of which file. A stack's file is
written whole or not at all, before the index names it. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from koubai.language import UserError, Words
from koubai.spec import Trial
from koubai.study import Study

if TYPE_CHECKING:
    from koubai.training import Outcome

SCHEMA = 1
TABLES = """
create table trial (id text primary key, spec text not null, file text not null, row integer not null,
    diverged integer not null, validation_accuracy real, created real not null);
create table study (id text primary key, name text not null, toml text not null, trials text not null, created real not null);
create table claim (name text, data text, verdict text not null, en text not null, ja text not null, created real not null,
    primary key (name, data));
"""
LISTED = "(select value from json_each(?))"


@dataclass(frozen=True)
class Record:
    """One finished trial: its spec, its layers by name and kind, its history, and where its weights lie.

    ``history`` is as in ``training.Outcome``, without the trial axis. ``diverged`` is the step at which it diverged, or 0.
    """

    trial: Trial
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    steps: np.ndarray
    histogram_steps: np.ndarray
    diverged: int
    history: dict[str, np.ndarray]
    environment: dict[str, str]
    file: Path
    row: int

    def weights(self) -> dict[str, np.ndarray]:
        """The final weights, named as in the ``state_dict`` of the plain module, first layer to last."""
        with _opened(self.file) as stack:
            names = [name.removeprefix("weights/") for name in stack.keys() if name.startswith("weights/")]  # noqa: SIM118
            names.sort(key=lambda name: int(name.partition(".")[0]))
            return {name: stack.get_slice(f"weights/{name}")[self.row] for name in names}

    def final(self, name: str) -> float:
        """The last value of a history's curve; NaN where the trial diverged."""
        return float(self.history[name][-1])


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A stack's file; where it, or what is read from it, is not as ``put`` left it, a ``UserError`` that names it."""
    try:
        with safe_open(file, framework="numpy") as stack:
            yield stack
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{file} cannot be read ({error}); run again with --fresh to train its trials anew.",
            f"{file} を読めません({error})。--fresh を付けて実行し直してください。",
        ) from None


def _check(index: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new index; raise ``UserError`` for one of another version, or of another program."""
    if index.execute("pragma user_version").fetchone() == (0,):
        index.execute("begin immediate")  # of two processes that come here at once, one makes them
        if index.execute("select count(*) from sqlite_master").fetchone() == (0,):
            for statement in TABLES.split(";"):
                index.execute(statement)
            index.execute(f"pragma user_version = {SCHEMA}")
        index.commit()
    (version,) = index.execute("pragma user_version").fetchone()
    if version != SCHEMA:
        raise UserError(
            f"{path} is of version {version}, this Koubai reads {SCHEMA}; choose another folder with --out.",
            f"{path} は版 {version} です。このKoubaiは版 {SCHEMA} を読みます。--out で別のフォルダを指定してください。",
        )


def _ids(trials: Iterable[Trial]) -> tuple[str]:
    """The parameter of a query on ``id in LISTED``: one, however many the trials are."""
    return (json.dumps([trial.id for trial in trials]),)


class Store:
    """A folder of results. Made when first written to; raises ``UserError`` where it cannot be."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @contextmanager
    def _index(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """The index, for one transaction. Where there is none yet, a reader finds an empty one and leaves none behind."""
        path = self.folder / "index.sqlite"
        try:
            if write:
                (self.folder / "stacks").mkdir(parents=True, exist_ok=True)
            # readers open it to write too, where they can: they undo what a killed process left half written
            place = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}" if write or self.exists else ":memory:"
            with closing(sqlite3.connect(place, uri=True, timeout=60)) as index:
                _check(index, path)
                with index:
                    yield index
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                f"The store {self.folder} cannot be used: {error}. Choose another folder with --out.",
                f"保存先 {self.folder} を使えません({error})。--out で別のフォルダを指定してください。",
            ) from None
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} is not a store's index: {error}. Choose another folder with --out.",
                f"{path} は保存先の索引ではありません({error})。--out で別のフォルダを指定してください。",
            ) from None

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return (self.folder / "index.sqlite").exists()

    def prepare(self) -> None:
        """Make the store if need be, so that an unusable folder is known before anything is trained."""
        with self._index(write=True):
            pass

    def has(self, trials: Iterable[Trial]) -> set[str]:
        """The ids of those trials that are stored."""
        with self._index() as index:
            return {id for (id,) in index.execute(f"select id from trial where id in {LISTED}", _ids(trials))}

    def get(self, trials: Sequence[Trial]) -> list[Record]:
        """The records of those trials that are stored, in the order of ``trials``."""
        with self._index() as index:
            places = index.execute(f"select file, id, row from trial where id in {LISTED} order by file", _ids(trials)).fetchall()
        wanted = {trial.id: trial for trial in trials}
        records: dict[str, Record] = {}
        for file, rows in itertools.groupby(places, lambda place: place[0]):
            records |= self._read(str(file), [(wanted[id], row) for _, id, row in rows])
        return [records[trial.id] for trial in trials if trial.id in records]

    def _read(self, file: str, rows: Sequence[tuple[Trial, int]]) -> dict[str, Record]:
        path = (self.folder / "stacks" / Path(file).name).absolute()  # a name: no index leads out of the folder
        with _opened(path) as stack:
            about = json.loads((stack.metadata() or {})["koubai"])
            arrays = {name: stack.get_tensor(name) for name in stack.keys() if not name.startswith("weights/")}  # noqa: SIM118
            history = {name.removeprefix("history/"): value for name, value in arrays.items() if name.startswith("history/")}
            return {
                trial.id: Record(
                    trial, tuple(about["layers"]), tuple(about["kinds"]), arrays["steps"], arrays["histogram_steps"],
                    int(arrays["diverged"][row]), {name: value[row] for name, value in history.items()},
                    dict(about["environment"]), path, row,
                )
                for trial, row in rows
            }  # fmt: skip

    def put(self, outcome: Outcome, device: str) -> None:
        """Keep what a stack gave: the file first, whole or not at all, then its rows in the index."""
        about = {
            "trials": [trial.model_dump(mode="json") for trial in outcome.trials],
            "layers": outcome.layers,
            "kinds": outcome.kinds,
            "environment": environment(device),
        }
        arrays = {"steps": outcome.steps, "histogram_steps": outcome.histogram_steps, "diverged": outcome.diverged}
        arrays |= {f"history/{name}": value for name, value in outcome.history.items()}
        arrays |= {f"weights/{name}": value for name, value in outcome.weights.items()}
        content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()}, {"koubai": json.dumps(about)})
        file = hashlib.sha256(content).hexdigest()[:20] + ".safetensors"
        with self._index(write=True) as index:
            write_whole(self.folder / "stacks" / file, content)
            accuracy = outcome.history["validation_accuracy"][:, -1]
            index.executemany(
                "insert or replace into trial values (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        trial.id,
                        json.dumps(trial.compact()),
                        file,
                        row,
                        int(outcome.diverged[row]),
                        float(accuracy[row]),
                        time.time(),
                    )
                    for row, trial in enumerate(outcome.trials)
                ],
            )

    def note(self, study: Study) -> None:
        """Remember that a study was asked for."""
        with self._index(write=True) as index:
            ids = json.dumps([trial.id for trial in study.trials])
            row = (study.id, study.name, study.to_toml(), ids, time.time())
            index.execute("insert or replace into study values (?, ?, ?, ?, ?)", row)

    def studies(self) -> list[dict[str, Any]]:
        """The studies that were asked for, newest first: id, name, when, how many trials, stored and diverged ones, the best accuracy."""
        query = """
            select study.id, name, toml, study.created, count(*) as trials, count(trial.id) as stored,
                count(nullif(diverged, 0)) as diverged, max(iif(diverged, null, validation_accuracy)) as best
            from study, json_each(study.trials) as asked left join trial on trial.id = asked.value
            group by study.id order by study.created desc, study.rowid desc
        """
        with self._index() as index:
            index.row_factory = sqlite3.Row
            return [dict(row) for row in index.execute(query)]

    def note_claim(self, name: str, data: str, verdict: str, reason: Words) -> None:
        """Remember how a claim was judged on a data set."""
        with self._index(write=True) as index:
            index.execute("insert or replace into claim values (?, ?, ?, ?, ?, ?)", (name, data, verdict, *reason, time.time()))

    def claims(self) -> dict[tuple[str, str], tuple[str, Words]]:
        """The verdicts by claim and data set, each with its reason."""
        with self._index() as index:
            rows = index.execute("select name, data, verdict, en, ja from claim order by created").fetchall()
        return {(name, data): (verdict, Words(en, ja)) for name, data, verdict, en, ja in rows}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def environment(device: str) -> dict[str, str]:
    """What a result may depend on beside its spec: versions, machine, device, threads, the commit of the source."""
    import torch

    import koubai

    return {
        "koubai": koubai.__version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": version("scikit-learn"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": str(torch.get_num_threads()),
    }


@cache
def _commit() -> str:
    """The commit of this source; nothing where it was installed without its repository, or where there is no git."""
    source = Path(__file__).parents[1]
    if not (source / ".git").exists():  # an environment may lie in a repository of the user's
        return ""
    try:
        git = subprocess.run(["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""
