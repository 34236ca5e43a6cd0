"""A store's files: written whole or not at all, and believed only while they hold what their names say."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from koubai.data.files import shorten, unwritable, write_whole
from koubai.language import UserError
from koubai.processes import gone
from koubai.spec import Trial, identity
from koubai.store.machine import environment

if TYPE_CHECKING:
    from koubai.training import Outcome

NAME = re.compile(r"([0-9a-f]{20})\.safetensors")
DAY = 24 * 60 * 60
# What a file that is not as it was written makes the libraries raise.
UNREADABLE = (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)


class Damaged(UserError):
    """A file that is not there, or not as it was written."""

    def __init__(self, file: Path, error: BaseException | str) -> None:
        error = shorten(str(getattr(error, "strerror", None) or error))
        super().__init__(
            f"{file} cannot be read ({error}); run again with --fresh to train its trials anew.",
            f"{file} を読めません({error})。--fresh を付けて実行し直してください。",
        )
        self.file, self.error = file, error


@contextmanager
def _damages(file: Path) -> Iterator[None]:
    """Whatever a file that is not as it was written makes the libraries raise becomes ``Damaged``."""
    try:
        yield
    except UNREADABLE as error:
        raise Damaged(file, error) from None


@dataclass(frozen=True, eq=False)
class Record:
    """One finished trial: its spec, its layers by name and kind, its history, and where its weights lie.

    ``history`` is as in ``training.Outcome``, without the trial axis. ``diverged`` is the step at which it diverged, or 0, ``stopped``
    that at which it was stopped from outside. ``data`` is the fingerprint of its data; ``None``: not known.
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
    stopped: int = 0
    data: str | None = None

    def weights(self) -> dict[str, np.ndarray]:
        """The final weights, named as in the ``state_dict`` of the plain module, first layer to last."""
        inspect(self.file)
        with _damages(self.file), safe_open(self.file, framework="numpy") as stack:
            names = [name.removeprefix("weights/") for name in stack.keys() if name.startswith("weights/")]  # noqa: SIM118
            names.sort(key=lambda name: int(name.partition(".")[0]))
            return {name: stack.get_slice(f"weights/{name}")[self.row] for name in names}

    def final(self, name: str) -> float:
        """The last value of a history's curve; NaN where the trial diverged."""
        return float(self.history[name][-1])


@dataclass(frozen=True)
class Contents:
    """What a stack's file says of itself: its trials by id, with their specs, its layers, the environment and the data's fingerprint."""

    ids: tuple[str, ...]
    specs: tuple[str, ...]
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    environment: Mapping[str, str]
    data: str | None


def write_stack(folder: Path, outcome: Outcome, device: str, data: str | None) -> str:
    """Keep what a stack gave in a file that is named by a hash of its content; the file's name. Raises ``OSError``."""
    about = {
        "ids": [trial.id for trial in outcome.trials],
        "trials": [trial.model_dump(mode="json") for trial in outcome.trials],
        "layers": outcome.layers,
        "kinds": outcome.kinds,
        "environment": environment(device),
        "data": data,
    }
    arrays = {
        "steps": outcome.steps,
        "histogram_steps": outcome.histogram_steps,
        "diverged": outcome.diverged,
        "stopped": outcome.stopped,
    }
    arrays |= {f"history/{name}": value for name, value in outcome.history.items()}
    arrays |= {f"weights/{name}": value for name, value in outcome.weights.items()}
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()}, {"koubai": json.dumps(about)})
    file = hashlib.sha256(content).hexdigest()[:20] + ".safetensors"
    write_whole(folder / file, content)
    return file


def inspect(file: Path) -> Contents:
    """What a stack's file says of itself. Raises ``Damaged`` where its content is not what its name says.

    A file is read once, and again where the system says that it has changed.
    """
    with _damages(file):
        now = file.stat()
        if not NAME.fullmatch(file.name) or not stat.S_ISREG(now.st_mode):
            raise Damaged(file, "not a file of a store")
        return _inspected(file.absolute(), now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


@lru_cache(maxsize=1024)
def _inspected(file: Path, *changed: int) -> Contents:
    with open(file, "rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest()[:20] != file.stem:
            raise ValueError("its content is not what was written")
    with safe_open(file, framework="numpy") as stack:
        about = json.loads((stack.metadata() or {})["koubai"])
    specs = about["trials"]
    ids = about.get("ids") or [identity(spec) for spec in specs]
    data = about.get("data")
    return Contents(
        tuple(map(str, ids)), tuple(json.dumps(spec) for spec in specs), tuple(about["layers"]), tuple(about["kinds"]),
        dict(about["environment"]), None if data is None else str(data),
    )  # fmt: skip


def of_quantities(file: Path) -> bool:
    """Whether the trials of a stack's file predict a quantity; of one that cannot be read nobody says so."""
    try:
        with safe_open(file, framework="numpy") as stack:
            return "history/validation_rmse" in stack.keys()  # noqa: SIM118
    except UNREADABLE:
        return False


def read_records(file: Path, rows: Sequence[tuple[Trial, int]]) -> dict[str, Record]:
    """The records of these trials, which lie in these rows of a stack's file, by id. Raises ``Damaged``."""
    contents = inspect(file)
    with _damages(file), safe_open(file, framework="numpy") as stack:
        arrays = {name: stack.get_tensor(name) for name in stack.keys() if not name.startswith("weights/")}  # noqa: SIM118
        history = {name.removeprefix("history/"): value for name, value in arrays.items() if name.startswith("history/")}
        stopped = arrays.get("stopped", np.zeros_like(arrays["diverged"]))
        return {
            trial.id: Record(
                trial, contents.layers, contents.kinds, arrays["steps"], arrays["histogram_steps"],
                int(arrays["diverged"][row]), {name: value[row] for name, value in history.items()},
                dict(contents.environment), file.absolute(), row, int(stopped[row]), contents.data,
            )
            for trial, row in rows
        }  # fmt: skip


def holds(contents: Contents, row: Any, id: str) -> bool:
    """Whether a stack's file has this trial in this row."""
    return isinstance(row, int) and 0 <= row < len(contents.ids) and contents.ids[row] == id


def write_out(path: Path, content: bytes) -> Path:
    """``write_whole`` what a user asked for, in a folder made if need be, and give the path. Raises ``UserError`` where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path.absolute(), content)  # "." has no name
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def sweep(folder: Path) -> None:
    """Remove what processes that are gone left half written; of other machines' what is older than a day."""
    for part in folder.glob(".*.part"):
        process = part.name.removesuffix(".part").partition(".safetensors.")[2]
        try:
            if gone(process) or time.time() - part.stat().st_mtime > DAY:
                part.unlink(missing_ok=True)
        except OSError:  # another process sweeps too, or it is not ours to remove
            continue
