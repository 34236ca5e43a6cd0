"""What is killed, interrupted and starved: a study of several cohorts, trained in a process that is born quickly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from koubai.laboratory import run
from koubai.store import Record, Store, checkpoints
from koubai.study import Study

BASE = {"data": {"name": "moons", "samples": 400}, "layers": [12, 8], "batch_size": 40, "learning_rate": 0.01, "steps": 300}
AXES = {"activation": ["relu", "tanh"], "optimizer": ["momentum", "adam"], "seed": 4}  # four cohorts, four stacks
STUDY = Study({**BASE, "dropout": 0.1, "batch_norm": "before"}, name="victim", axes=AXES)
SPAWN = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else multiprocessing.get_context("spawn")
if hasattr(SPAWN, "set_forkserver_preload"):
    SPAWN.set_forkserver_preload(["koubai.laboratory", "koubai.report.page", "sklearn.datasets"])


def hasty() -> None:
    """Checkpoints as often as can be."""
    checkpoints.FIRST, checkpoints.SHARE = 0.02, 1.0


def at_leisure() -> None:
    """Checkpoints as usual."""


def train(folder: Path, study: Study = STUDY, prepare: Callable[[], None] = hasty, **options: Any) -> None:
    """Train the study into a store."""
    prepare()
    run(study, **{"store": folder, "device": "cpu", "progress": False, "threads": 2, "width": 2, **options})


def born(folder: Path, *arguments: Any, **options: Any) -> BaseProcess:
    """A process that trains the study, once it is on its way."""
    process = SPAWN.Process(target=train, args=(folder, *arguments), kwargs=options)
    process.start()
    return process


def kill(process: BaseProcess, number: int = signal.SIGKILL) -> None:
    """Send a signal, and wait until the process is gone."""
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, number)
    process.join(60)
    assert not process.is_alive()


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return found


def records(folder: Path, study: Study = STUDY) -> list[Record]:
    return Store(folder).get(study.trials)


def same(some: list[Record], other: list[Record]) -> None:
    """Bit for bit."""
    assert len(some) == len(other) > 0
    for one, two in zip(some, other, strict=True):
        assert one.trial == two.trial and one.diverged == two.diverged
        for mine, theirs in ((one.history, two.history), (one.weights(), two.weights())):
            assert mine.keys() == theirs.keys()
            for name, value in mine.items():
                np.testing.assert_array_equal(value, theirs[name], err_msg=name, strict=True)
