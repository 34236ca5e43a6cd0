"""Worker processes: how they are started, spoken to, shared by the runs of this process, and ended."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import Any

import torch

from koubai.data import load
from koubai.data.builtin import BUILTIN
from koubai.keeping import TooLarge
from koubai.language import UserError, Words, language, tell
from koubai.progress import Report
from koubai.spec import Data, Trial
from koubai.store import environment
from koubai.techniques import KINDS
from koubai.training.kernels import faster, products
from koubai.workers.parcel import packed

IDLE = 60.0  # seconds that workers wait for another run

# Ctrl-C goes to all processes of a terminal: whoever started a worker says when it is to stop
WORKER = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from koubai.workers.process import main; main()"
SOURCE = hashlib.sha256(
    repr([(str(file), file.stat().st_mtime_ns) for file in sorted(Path(__file__).parents[1].rglob("*.py"))]).encode()
).hexdigest()


def ours() -> bool:
    """Whether all techniques and built-in data are Koubai's own, and not a script's or another program's, unknown to a worker."""
    if not sys.executable or getattr(sys, "frozen", False):  # inside a program that is no Python to be started
        return False
    functions = [technique.function for kind in KINDS.values() for technique in kind.values()]
    functions += [source.make for source in BUILTIN.values()]
    return all(getattr(function, "__module__", "").partition(".")[0] == "koubai" for function in functions)


def likeness() -> dict[str, str]:
    """What a trial's numbers may depend on beside its spec. A worker of which it is another trains nothing."""
    library: Any = torch.backends.mkldnn
    with products(onednn=False):  # in which this setting is as its user left it
        precision = getattr(getattr(library, "matmul", None), "fp32_precision", None)
    settings = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), library.enabled, precision, faster()
    return environment("cpu") | {"threads": "1", "source": SOURCE, "settings": repr(settings)}


class Gone(Exception):
    """A worker that ended before its time."""


class Worker:
    """A worker process. Whoever took it writes to it and reads from it, line by line, as ``workers.process`` explains."""

    def __init__(self) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # with -P it finds the modules that this process finds
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER], env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        self.loaded: set[Data] = set()
        self.like: dict[str, str] = {}

    def load(self, data: Data) -> None:
        """Have it read a data set. Raises ``UserError`` or ``Gone``."""
        self.like = self.ask({"load": data.model_dump(mode="json"), "parcel": packed(load(data))})
        self.loaded.add(data)

    def train(self, stack: Sequence[Trial], task: Mapping[str, Any], report: Report) -> None:
        """Have it train and store a stack. Raises ``UserError`` or ``Gone``; where ``report`` raises, the worker ends."""
        trials = {trial.id: trial for trial in stack}
        specs = [trial.model_dump(mode="json") for trial in stack]
        self.ask(
            {"train": specs, **task}, lambda what, trial, steps, spared: report(what, trials[trial], int(steps), int(spared))
        )

    def ask(self, task: Mapping[str, Any], report: Callable[..., None] = lambda *_: None) -> Any:
        """What it answers to a task."""
        for kind, *rest in self._answers(task):
            if kind == "done":
                return rest[0]
            if kind == "refused":
                raise (TooLarge if rest[0] else UserError)(*rest[1:])
            if kind == "told":
                tell(Words(*rest))
                continue
            try:
                report(*rest)
            except BaseException:
                self.end()
                raise
        raise Gone

    def _answers(self, task: Mapping[str, Any]) -> Iterator[list[Any]]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"folder": os.getcwd(), "language": language(), **task}) + "\n")
            self.process.stdin.flush()
            while line := self.process.stdout.readline():
                yield list(json.loads(line))
        except (OSError, ValueError):  # its end of the pipe is closed, or its last line was cut short
            return

    def end(self) -> None:
        """Have it keep what it trains, and end; wait for that."""
        assert self.process.stdin and self.process.stdout
        with suppress(OSError):
            self.process.stdin.close()
        with suppress(OSError, ValueError):
            for line in self.process.stdout:
                kind, *rest = json.loads(line)
                if kind == "told":
                    tell(Words(*rest))
        self.close()

    def close(self, patience: float = 0.0) -> int:
        """End it, unless it ends by itself in so many seconds; its exit code."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        return self.process.wait()


class Pool:
    """The workers of this process, and those of them that are free. One that ended by itself is not replaced."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.free: list[Worker] = []
        self.failed, self.spent = False, 0.0  # seconds of training side by side since any were last dismissed
        self.lock, self.timer = Lock(), Timer(IDLE, self.dismiss)
        atexit.register(self.dismiss)

    def start(self, count: int, data: Data) -> None:
        """Start workers until there are so many; each is free once it has read ``data``."""
        with self.lock:
            while len(self.workers) < count and not self.failed:
                try:
                    self.workers.append(Worker())
                except OSError:  # the system allows no more processes
                    self.failed = True
                else:
                    self.load(self.workers[-1], data)

    def load(self, worker: Worker, data: Data) -> None:
        """Have a worker that is not free read a data set, and free it then, while this thread goes on."""

        def wait() -> None:
            try:
                worker.load(data)
                if worker.like != likeness():
                    raise Gone
            except (UserError, Gone):
                self.failed = True
                worker.close()
            self.give(worker)

        Thread(target=wait, daemon=True).start()

    def take(self, data: Data, like: Mapping[str, str]) -> Worker | None:
        """A worker that is free, like this process, and has read ``data``; where none has, a free one begins to."""
        with self.lock:
            alike = sorted((worker for worker in self.free if worker.like == like), key=lambda worker: data not in worker.loaded)
            if not alike:
                return None
            self.free.remove(alike[0])
        if data in alike[0].loaded:
            return alike[0]
        self.load(alike[0], data)
        return None

    def give(self, worker: Worker) -> None:
        """Free a worker that was taken, or forget one that is no more."""
        with self.lock:
            if worker.process.poll() is None:
                self.free.append(worker)
            else:
                self.workers.remove(worker)

    def rest(self, seconds: float) -> None:
        """A run is over, after so many seconds of training side by side."""
        with self.lock:
            self.spent += seconds
            self.timer.cancel()
            if self.workers:
                self.timer = Timer(IDLE, self.dismiss)
                self.timer.daemon = True
                self.timer.start()

    def dismiss(self) -> None:
        """End the workers that are free."""
        with self.lock:
            for worker in self.free:
                worker.close()
                self.workers.remove(worker)
            self.free, self.spent = [], 0.0

    def kill(self) -> None:
        """End all of them at once; a handler of signals may call it at any moment, so it takes no lock."""
        for worker in list(self.workers):
            worker.process.kill()


@cache
def pool(process: int) -> Pool:
    """The pool of the process of this number: what was forked from it has its own."""
    return Pool()
