"""Checkpoints: stacks in training, kept so that a process that ends loses little.

A checkpoint is one file in the store's folder ``checkpoints``, named by a hash of the ids of its trials, written whole or not at all,
with a hash of all that it holds. It is there while its stack trains, and goes when the stack is stored.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from koubai.data.files import shorten, write_whole
from koubai.data.fingerprint import fingerprint
from koubai.language import UserError, Words, tell
from koubai.spec import Trial
from koubai.store.files import UNREADABLE, sweep

FIRST = 10.0  # seconds of training before the first: what is shorter is sooner trained again
SHARE = 0.015  # of the time that writing them may take

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """A stack that was in training: its file, its trials in their order, the fingerprint of their data, and its steps done."""

    file: Path
    trials: tuple[Trial, ...]
    data: str | None
    steps: int

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Its arrays, and what goes with them. Raises ``UserError`` where the file is not as it was written."""
        try:
            # one look: another process may put a newer file in its place meanwhile
            with safe_open(self.file, framework="numpy") as kept:
                arrays, about = {key: kept.get_tensor(key) for key in kept.keys()}, _head(kept)  # noqa: SIM118
            if about["hash"] != _hash(arrays, about):
                raise ValueError("its content is not what was written")
            return arrays, about["about"]
        except UNREADABLE as error:
            raise useless(self.file, error) from None


def useless(file: Path, error: BaseException) -> UserError:
    """The error for a checkpoint that cannot be used."""
    why = shorten(str(error))
    return UserError(
        f"The checkpoint {file} cannot be used ({why}); its trials are trained from the beginning.",
        f"途中経過 {file} を使えません({why})。その試行は最初から学習します。",
    )


def found(folder: Path, trials: Sequence[Trial], stopping: bool = False) -> list[Checkpoint]:
    """The checkpoints in a store's folder of which all trials are among these, each trial in one only: in that which is furthest on.

    Those with trials that were stopped from outside count only where ``stopping`` says that this may be.
    What cannot be used is removed, with a sentence.
    """
    asked = {trial.id for trial in trials}
    known = [_read(file, stopping) for file in sorted((folder / "checkpoints").glob("*.safetensors"))]
    chosen: list[Checkpoint] = []
    for one in sorted(filter(None, known), key=lambda one: -one.steps * len(one.trials)):
        ids = {trial.id for trial in one.trials}
        if ids <= asked:
            asked -= ids
            chosen.append(one)
    return chosen


def of(folder: Path, trials: Sequence[Trial], stopping: bool = False) -> Checkpoint | None:
    """The checkpoint of a stack of just these trials, as ``found`` would find it."""
    return _read(_file(folder, trials), stopping)


def _read(file: Path, stopping: bool) -> Checkpoint | None:
    try:
        about = _about(file)
        own = tuple(Trial(**spec) for spec in about["trials"])
        if file.stem != name(own) or not own:
            raise ValueError("it is of other trials than its name says")
        if about["data"] != fingerprint(own[0].data.name):
            raise ValueError("its data have changed")
        if about["stopped"] and not stopping:
            return None
        return Checkpoint(file, own, about["data"], int(about["about"]["t"]))
    except FileNotFoundError:  # there is none, or its stack was finished meanwhile, by another process
        return None
    except (*UNREADABLE, UserError) as error:
        tell(useless(file, error).words)
        with suppress(OSError):
            file.unlink()
        return None


def _file(folder: Path, trials: Sequence[Trial]) -> Path:
    return folder / "checkpoints" / f"{name(trials)}.safetensors"


def name(trials: Sequence[Trial]) -> str:
    """What the checkpoint of a stack of these trials is called, without its end."""
    return hashlib.sha256("".join(trial.id for trial in trials).encode()).hexdigest()[:20]


class Keeper:
    """Keeps the checkpoint of one stack: seldom enough that it costs little, and never at the cost of the training."""

    def __init__(self, folder: Path, trials: Sequence[Trial], data: str | None) -> None:
        self.file = _file(folder, trials)
        self.trials, self.data = trials, data
        self.last, self.wait, self.failed = time.monotonic(), FIRST, False  # by a clock that no one sets

    @property
    def since(self) -> float:
        """Seconds of training that would be lost now."""
        return time.monotonic() - self.last

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return self.since >= self.wait

    def keep(self, arrays: Arrays, about: Mapping[str, Any]) -> None:
        """Write the checkpoint; where that cannot be, one sentence says so, and the training goes on without."""
        begun = time.monotonic()
        specs = [trial.model_dump(mode="json") for trial in self.trials]
        whole: dict[str, Any] = {"trials": specs, "data": self.data, "about": dict(about)}
        whole["stopped"] = bool(np.any(arrays["stopped"]))
        whole["hash"] = _hash(arrays, whole)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            kept = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
            write_whole(self.file, save(kept, {"koubai": json.dumps(whole)}))
        except OSError as error:
            if not self.failed:
                en = f"No checkpoint could be written to {self.file.parent}: {error.strerror}. The training goes on."
                tell(Words(en, f"{self.file.parent} に途中経過を書けませんでした({error.strerror})。学習は続けます。"))
            self.failed = True
        self.last = time.monotonic()
        self.wait = max(self.wait, FIRST, (self.last - begun) / SHARE)

    def done(self) -> None:
        """The stack is stored: its checkpoint goes."""
        with suppress(OSError):
            self.file.unlink()


def forget(folder: Path, trials: Sequence[Trial]) -> None:
    """The stack of these trials begins anew, or was stored by somebody else: its checkpoint goes."""
    with suppress(OSError):
        _file(folder, trials).unlink()


def tidy(folder: Path, stored: set[str]) -> None:
    """Remove the checkpoints of stacks of which all trials are stored, and what dead processes left half written."""
    sweep(folder / "checkpoints")
    for file, trials in _stacks(folder):
        if trials <= stored:
            file.unlink(missing_ok=True)


def unasked(folder: Path, asked: set[str]) -> list[Path]:
    """The checkpoints that nothing goes on from: of stacks with trials that no study asks for."""
    return [file for file, trials in _stacks(folder) if not trials <= asked]


def _stacks(folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """The checkpoints, each with the ids of its trials."""
    for file in (folder / "checkpoints").glob("*.safetensors"):
        with suppress(Exception):  # what cannot be read is told of where it is asked for
            trials = {Trial(**spec).id for spec in _about(file)["trials"]}
            yield file, trials


def _about(file: Path) -> dict[str, Any]:
    with safe_open(file, framework="numpy") as kept:
        return _head(kept)


def _head(kept: Any) -> dict[str, Any]:
    return dict(json.loads((kept.metadata() or {})["koubai"]))


def _hash(arrays: Arrays, whole: Mapping[str, Any]) -> str:
    """A hash of arrays, and of all that goes with them but the hash itself."""
    found = hashlib.sha256(json.dumps({key: value for key, value in whole.items() if key != "hash"}, sort_keys=True).encode())
    for key in sorted(arrays):
        value = np.ascontiguousarray(arrays[key])
        found.update(f"{key} {value.dtype} {value.shape}".encode())
        found.update(value.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
