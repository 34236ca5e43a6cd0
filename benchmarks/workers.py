"""``python -m benchmarks.workers [small|sixty|large] [--steps N] [--repeats N]``: a study in threads alone and with workers, in turn.

Each run is a process of its own; its imports and the reading of the data are not counted, a worker's start is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from koubai.data import load
from koubai.laboratory import run
from koubai.study import Study
from koubai.workers import crew

BASE = {"optimizer": "adam", "learning_rate": 0.001}
STUDIES = {
    "small": ({**BASE, "data": "digits", "layers": [40, 20]}, 240, 20_000),
    "sixty": ({**BASE, "data": "digits", "layers": [40, 20]}, 60, 60_000),
    "large": ({**BASE, "data": {"name": "fashion-mnist", "samples": 10_000}, "layers": [100] * 4, "batch_size": 128}, 64, 2_000),
}  # trial, seeds, steps


def measure(name: str, steps: int, way: str) -> str:
    """Train the study once: seconds, microseconds a network and step, and the last network's loss, which is the same either way."""
    if way == "threads":
        crew.WORTH = float("inf")
    base, seeds, _ = STUDIES[name]
    study = Study({**base, "steps": steps}, axes={"seed": seeds})
    load(study.base.data)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        result = run(study, store=Path(folder), device="cpu", progress=False)
        took = time.perf_counter() - begun
    each = 1e6 * took / seeds / steps
    return f"{name}, {steps} steps, {way}: {took:.2f} s, {each:.2f} us, {result.records[-1].final('train_loss')!r}"


def main() -> None:
    """Measure, and print a line a run."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("study", choices=STUDIES, nargs="?", default="small")
    cli.add_argument("--steps", type=int)
    cli.add_argument("--repeats", type=int, default=3)
    cli.add_argument("--way", choices=("threads", "workers"), help=argparse.SUPPRESS)
    given = cli.parse_args()
    steps = given.steps or STUDIES[given.study][2]
    if given.way:
        print(measure(given.study, steps, given.way), flush=True)
        return
    for repeat in range(given.repeats):
        for way in ("threads", "workers")[:: -1 if repeat % 2 else 1]:
            command = [sys.executable, "-m", "benchmarks.workers", given.study, "--steps", str(steps), "--way", way]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
