"""What a worker process does: it trains stacks for the process that started it (``workers.pool``).

Each line that it reads is a task: ``{"load": data, "parcel": null or what is in it}`` or ``{"train": trials, "study": name, "store":
folder, "stopping": true or false}``, with the ``folder`` where that process is and its ``language``. Each line that it writes is a list:
``["report", what, id of a trial, steps, spared]`` as in ``progress.Report``, ``["told", English, Japanese]``, and at the end of a task
``["done", likeness]`` or ``["refused", too large, English, Japanese]``. Where there is nothing more to read, or nobody to write to, it
keeps a checkpoint of what it trains, and ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import RawIOBase
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch

from koubai.data import Dataset, load
from koubai.keeping import TooLarge, heeding
from koubai.laboratory import train_and_store
from koubai.language import UserError, speak, telling
from koubai.progress import Report
from koubai.spec import Data, Trial
from koubai.store import Store
from koubai.training import flush_denormals
from koubai.workers.parcel import unpacked
from koubai.workers.pool import likeness


def main() -> None:
    """Serve whoever is at the other end of standard input and output; what else writes there writes to standard error."""
    with open(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)
        # a thread still waits at the file at the end: nobody may close it, nor Python's own of it
        serve(open(os.dup(0), encoding="utf-8"), answers)  # noqa: SIM115


def serve(tasks: Iterable[str], answers: RawIOBase) -> None:
    """Do one task after another, until there are no more."""
    waiting: SimpleQueue[str] = SimpleQueue()
    parcels: dict[Data, Dataset] = {}

    def answer(*what: Any) -> None:
        try:
            answers.write(json.dumps(what).encode() + b"\n")
        except OSError:  # nobody listens any more
            raise KeyboardInterrupt from None

    with suppress(KeyboardInterrupt), heeding() as halt, telling(lambda words: answer("told", *words)):

        def listen() -> None:
            for line in tasks:
                if line.endswith("\n"):  # not cut short
                    waiting.put(line)
            halt.asked = KeyboardInterrupt

        def report(what: str, trial: Trial, steps: int, spared: int) -> None:
            answer("report", what, trial.id, steps, spared)
            halt.look()

        Thread(target=listen, daemon=True).start()
        torch.set_num_threads(1)
        flush_denormals()
        while not halt.asked:
            with suppress(Empty):
                work_off(json.loads(waiting.get(timeout=0.5)), parcels, answer, report)


def work_off(task: Mapping[str, Any], parcels: dict[Data, Dataset], answer: Callable[..., None], report: Report) -> None:
    """Do a task, and say how it ended."""
    os.chdir(task["folder"])
    speak(task["language"])
    try:
        if "train" in task:
            stack = [Trial(**spec) for spec in task["train"]]
            data = parcels.get(stack[0].data) or load(stack[0].data)
            train_and_store(stack, data, task["study"], torch.device("cpu"), Store(task["store"]), report, task["stopping"])
        elif task["parcel"]:
            spec = Data(**task["load"])
            parcels[spec] = unpacked(spec, task["parcel"])
        else:
            load(Data(**task["load"]))
    except UserError as error:
        answer("refused", isinstance(error, TooLarge), *error.words)
    else:
        answer("done", likeness())
