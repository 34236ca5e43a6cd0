"""``python -m tests.workers.long FOLDER``: a study of two stacks, one of which goes to a worker; says which process that is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from koubai import keeping
from koubai.laboratory import run
from koubai.language import speak
from koubai.study import Study
from koubai.workers import crew
from tests.faults.victim import BASE

LONG = Study({**BASE, "steps": 300_000, "learning_rate": 0.001}, name="long", axes={"activation": ["relu", "tanh"], "seed": 2})


def eager() -> None:
    """A worker starts at once, whatever the machine."""
    crew.WORTH, crew.AHEAD, crew.LONG, crew.cores = 0.0, -1.0, 0.0, lambda: 2
    keeping.LOST = 0.0


def main() -> None:
    eager()
    speak("en")
    workers, said = crew.pool(os.getpid()), []

    def report(what: str, trial: Any, steps: int, spared: int) -> None:
        if spared > 0 and not said:  # a stack goes on from its checkpoint
            said.append(what)
            print(workers.workers[0].process.pid, flush=True)

    try:
        run(LONG, store=Path(sys.argv[1]), device="cpu", threads=2, progress=report)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
