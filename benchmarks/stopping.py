"""``python -m benchmarks.stopping [--quick]``: the notes' hyperparameter search with ``stop = "diagnosis"`` and without, draw by draw.

Each draw of the search (100 learning rates and weight decays, as in the exercise) is run twice in turn, as a user would run it
(``koubai.run``: ledger, history and store on): whole, and with stopping. Kept is the best variant where its mean accuracy over seeds is
the highest of what was not stopped, and the same as without. Overhead is the time the doctor looks, as a share of the whole run's.
What is saved is told by the clock and in the processor's time, which other work on the machine hardly touches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import koubai.laboratory
from benchmarks.machine import name, settle
from koubai.doctor.finding import Finding
from koubai.doctor.hope import past_hope
from koubai.experiments.catalogue import EXERCISES, search
from koubai.laboratory import run
from koubai.result import Result
from koubai.study import Study
from koubai.training import Training

DRAWS, QUICK = 20, 4
TARGET, ANCHOR = 0.45, 0.4033  # of the time saved; BTTackler (KDD 2024) reports the latter


@dataclass
class Row:
    """One draw: seconds without and with stopping, trials stopped, the best variant's accuracy either way, whether it was kept.

    ``spent`` is the processor's time with stopping, as a share of that without.
    """

    draw: int
    without: float
    stopping: float
    spent: float
    stopped: int
    trials: int
    best: float
    found: float
    kept: bool
    overhead: float

    @property
    def saved(self) -> float:
        """The share of the time that was saved."""
        return 1 - self.stopping / self.without


def timed(study: Study, threads: int | None) -> tuple[Result, float, float]:
    """The study's result, and the seconds that it took by the clock and of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        settle()
        begun, busy = time.perf_counter(), sum(os.times()[:4])  # of processes that it started too
        result = run(study, store=folder, device="cpu", progress=False, threads=threads)
        return result, time.perf_counter() - begun, sum(os.times()[:4]) - busy


def best(result: Result) -> float:
    """The highest mean accuracy of a variant of which no trial was stopped."""
    whole = [group for group in result.groups if not any(record.stopped for record in group.records)]
    return max((float(group.final().mean()) for group in whole), default=0.0)


def measure(draw: int, seeds: int, threads: int | None) -> Row:
    """One draw, without stopping and with it."""
    exercise = EXERCISES["hyperparameter-search"].runs
    assert isinstance(exercise, Study)
    study = Study(exercise.base, name="search", axes={"seed": seeds}, zip=[search(draw)])
    spent = 0.0

    def looked(training: Training) -> dict[int, Finding]:
        nonlocal spent
        begun = time.perf_counter()
        found = past_hope(training)
        spent += time.perf_counter() - begun
        return found

    whole, without, busy = timed(study, threads)
    koubai.laboratory.past_hope = looked  # type: ignore[attr-defined]
    stopping, with_stops, busy_with_stops = timed(study.model_copy(update={"stop": "diagnosis"}), threads)
    koubai.laboratory.past_hope = past_hope  # type: ignore[attr-defined]
    wanted, found = best(whole), best(stopping)
    stopped = sum(record.stopped > 0 for record in stopping.records)
    kept, share = abs(found - wanted) < 1e-3, busy_with_stops / busy
    return Row(draw, without, with_stops, share, stopped, len(study.trials), wanted, found, kept, spent / without)


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help=f"{QUICK} draws of one seed instead of {DRAWS} of three")
    cli.add_argument("--draws", type=int)
    cli.add_argument("--seeds", type=int, help="of each variant")
    cli.add_argument("--threads", type=int)
    cli.add_argument("--json", type=Path)
    chosen = cli.parse_args()
    draws = chosen.draws or (QUICK if chosen.quick else DRAWS)
    seeds = chosen.seeds or (1 if chosen.quick else 3)
    rows = [measure(draw, seeds, chosen.threads) for draw in range(draws)]
    table = Table(title=f"stop = diagnosis on the notes' search; {name()}")
    heads = (
        "draw",
        "without, s",
        "with, s",
        "saved",
        "of the processor",
        "stopped",
        "best without",
        "best with",
        "kept",
        "overhead",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(
            str(row.draw), f"{row.without:.1f}", f"{row.stopping:.1f}", f"{row.saved:.0%}", f"{1 - row.spent:.0%}",
            f"{row.stopped} of {row.trials}",
            f"{row.best:.1%}", f"{row.found:.1%}", "yes" if row.kept else "NO", f"{row.overhead:.2%}",
        )  # fmt: skip
    Console(width=140).print(table)
    saved = 1 - sum(row.stopping for row in rows) / sum(row.without for row in rows)
    busy = 1 - statistics.mean(row.spent for row in rows)
    kept = sum(row.kept for row in rows)
    print(
        f"saved {saved:.1%} of the time (target {TARGET:.0%}, BTTackler {ANCHOR:.1%}), {busy:.1%} of the processor's; "
        f"the best kept in {kept} of {len(rows)} draws;"
    )
    print(f"the doctor's looks cost {statistics.mean(row.overhead for row in rows):.2%} of a whole run")
    if chosen.json:
        content = {"machine": name(), "saved": saved, "processor": busy, "kept": kept, "rows": [asdict(row) for row in rows]}
        chosen.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
