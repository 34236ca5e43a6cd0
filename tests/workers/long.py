"""``python -m tests.workers.long FOLDER``: a study of two stacks, one of which goes to a worker; says which process that is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

from koubai import keeping
from koubai.laboratory import run
from koubai.language import speak
from koubai.spec import Trial
from koubai.study import Study
from koubai.workers import crew
from koubai.workers.pool import Pool
from tests.faults.victim import BASE, wait_for

LONG = Study({**BASE, "steps": 300_000, "learning_rate": 0.001}, name="long", axes={"activation": ["relu", "tanh"], "seed": 2})


def eager() -> None:
    """A worker starts at once, whatever the machine, and who is interrupted keeps what there is."""
    crew.WORTH, crew.AHEAD, crew.LONG, crew.cores = 0.0, -1.0, 0.0, lambda: 2
    keeping.LOST = 0.0


def patient(workers: Pool, amid: Callable[[], None]) -> Callable[[str, Trial, int, int], None]:
    """A report that lets nobody train on until there is a worker, and calls ``amid`` once a stack goes on in it from its checkpoint."""
    steps_told, ready, said = [], Event(), Event()

    def report(what: str, trial: Trial, steps: int, spared: int) -> None:
        steps_told.append(steps)
        if sum(steps_told) > 1000 and not ready.is_set():
            wait_for(lambda: workers.free or ready.is_set())
            ready.set()
        if spared > 0 and not said.is_set():
            said.set()
            amid()

    return report


def main() -> None:
    eager()
    speak("en")
    workers = crew.pool(os.getpid())
    report = patient(workers, lambda: print(workers.workers[0].process.pid, flush=True))
    try:
        run(LONG, store=Path(sys.argv[1]), device="cpu", threads=2, progress=report)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
