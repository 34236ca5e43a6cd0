"""What a run trains side by side: its stacks begin in threads of this process, and where the run lasts all but one go on in workers.

Threads of one process wait for Python's lock at every step, processes do not; but to start one takes a second or two of a core, so a
run that is soon over is left alone (docs/performance.md). Once a worker is ready a thread leaves its stack to it, through the stack's
checkpoint, and only listens from then on. A worker that ends before its time costs the steps since its last checkpoint: its stack comes
back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from koubai.caution import cores, free_memory
from koubai.data import load
from koubai.language import Words, tell
from koubai.progress import Report, work
from koubai.spec import Data, Trial
from koubai.workers.pool import Gone, Worker, likeness, ours, pool

WORTH = 30.0  # seconds of training side by side, behind and ahead, for which starting workers pays even on two cores
AHEAD = 3.0  # of them ahead: what ends sooner ends where it is
LONG = 2.0  # seconds after which it is known how fast a run goes
MEMORY = 4e8  # bytes of a worker, beside its data


class Crew:
    """What one run trains side by side: which of its stacks train in this process, and which in workers."""

    def __init__(self, stacks: Sequence[Sequence[Trial]], threads: int) -> None:
        self.stacks, self.pool = stacks, pool(os.getpid())
        self.most = min(threads, cores(), len(stacks)) - 1 if ours() else 0
        self.left, self.done, self.begun = sum(len(stack) * work(stack[0]) for stack in stacks), 0.0, time.monotonic()
        self.here, self.lock = 0, Lock()

    @cached_property
    def like(self) -> dict[str, str]:
        """What workers must have in common with this process."""
        return likeness()

    @property
    def since(self) -> float:
        """Seconds that the run has gone on."""
        return time.monotonic() - self.begun

    @property
    def ahead(self) -> float:
        """Seconds that it will go on, as far as that is known."""
        return self.since * self.left / self.done if self.done and self.since > LONG else 0.0

    def train(
        self, stack: Sequence[Trial], task: Mapping[str, Any], report: Report, here: Callable[[Report, Callable[[], bool]], bool]
    ) -> None:
        """Train a stack: in a worker once there is one for it, before that by ``here``, which ends early where it is told to leave.

        ``here`` says whether it came to the end. Raises ``UserError``.
        """
        unit, told, worker, amid = work(stack[0]) / stack[0].steps, 0, None, False

        def counted(what: str, trial: Trial, steps: int, spared: int) -> None:
            nonlocal told
            told += steps + spared
            self.left -= (steps + spared) * unit
            self.done += steps * unit
            report(what, trial, steps, spared)

        def leave() -> bool:
            nonlocal worker
            worker = worker or self._taken(stack[0].data, amid)
            return worker is not None

        with self.lock:
            self.here += 1
        try:
            while True:
                if not leave():
                    amid = True
                    if here(counted, leave):
                        return
                    continue
                assert worker
                told = 0
                try:
                    worker.train(stack, task, counted)
                    return
                except Gone:
                    self.pool.failed = True
                    code = worker.close(patience=1.0)
                counted(task["study"], stack[0], 0, -told)  # from its last checkpoint on it is done again
                tell(
                    Words(
                        f"A worker process has ended (exit code {code}); what it trained goes on in this one.",
                        f"ワーカープロセスが終了しました(終了コード {code})。その学習は、このプロセスで続けます。",
                    )
                )
                with self.lock:
                    self.pool.give(worker)
                    self.here, worker = self.here + 1, None
        finally:
            with self.lock:
                if worker:
                    self.pool.give(worker)
                else:
                    self.here -= 1

    def _taken(self, data: Data, amid: bool) -> Worker | None:
        """A worker for a stack that else trains here, unless it is the only one here; ``amid`` a training that must be worth it."""
        ahead = self.ahead
        if self.most > 0 and self.pool.free and (ahead > AHEAD or not amid):
            like = self.like
            with self.lock:
                worker = self.pool.take(data, like) if self.here > 1 else None
                self.here -= worker is not None
            if worker:
                return worker
        if (
            ahead > AHEAD
            and self.here > 1
            and self.pool.spent + self.since + ahead > WORTH
            and len(self.pool.workers) < self.most
        ):
            self.pool.start(min(self.most, self._room()), data)
        return None

    def _room(self) -> int:
        """How many workers half of the free memory holds."""
        sets = [load(spec) for spec in {stack[0].data for stack in self.stacks}]
        most = max(getattr(part, "nbytes", 0) for data in sets for part in (data.x_train, data.x_validation))
        return len(self.pool.workers) + int(free_memory() / 2 / (MEMORY + 3 * most))  # three: read, split, as they are trained on


@contextmanager
def crew(stacks: Sequence[Sequence[Trial]], threads: int) -> Iterator[Crew]:
    """Whoever trains stacks side by side, for the time of a run."""
    made = Crew(stacks, threads)
    try:
        yield made
    finally:
        if made.most > 0:
            made.pool.rest(made.since)
