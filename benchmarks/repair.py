"""``python -m benchmarks.doctor --repair``: held-out ill trainings of the doctor's benchmark, prescribed for, and whether that repairs.

A patient is repaired where the prescription trains without the symptom that its mutation makes, over ``SEEDS`` seeds, and its accuracy
(of uneven classes their mean recall) is up beyond doubt; where nothing is wrong any more and it is no worse; or where it is free of what
it came with and its mean accuracy at most ``PAR`` below that of the healthy training that the patient was made of. ``restored`` counts
the last of these alone. Shuffled labels are counted apart: no change to a training can mend them, and the right answer (``told``) is that
the labels look shuffled and that nothing helps. The share that is repaired is given without them and with them, where those count as not
repaired.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import name
from koubai.candidate import Candidate
from koubai.laboratory import run
from koubai.measures import accuracy
from koubai.prescribing import prescribe
from koubai.prescription import Prescription
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study

SEEDS = 5
PAR = 0.02
TARGET, ANCHOR, ANCHOR_GAIN = 0.985, 0.9842, 36.42  # AutoTrainer (IEEE TDSC 2024): share repaired, points gained
BEYOND = ("shuffled-labels",)


@dataclass
class Treated:
    """A patient and what came of it: accuracies as shares (means over seeds), seconds, and the reason where it was not repaired."""

    ward: str
    symptom: str
    before: float
    after: float
    healthy: float
    remedies: list[str]
    repaired: bool
    restored: bool
    told: bool
    reason: str
    seconds: float

    @property
    def gained(self) -> float:
        """Points of accuracy."""
        return 100 * (self.after - self.before)


def treat(ward: str, symptom: str, trial: Trial, origin: Trial, store: Store) -> Treated:
    """Prescribe for a patient, and compare with the healthy training it was made of, over the same seeds."""
    begun = time.perf_counter()
    found = prescribe(trial, seeds=SEEDS, store=store, progress=False)
    spent = time.perf_counter() - begun
    seeds = [record.trial.seed for record in found.records]
    whole = run(Study(origin, axes={"seed": seeds}), store=store, progress=False, note=False)
    healthy = np.array([accuracy(record) for record in whole.records])
    before = float(np.mean([accuracy(record) for record in found.records]))
    small = found.smallest
    restored = small is not None and at_par(small, healthy)
    cleared = small is not None and symptom in found_at_first(found) and symptom not in small.symptoms
    gone = cleared and small is not None and small.better and small.uneven is None
    repaired = found.repaired or gone or (small is not None and small.cured and restored)
    after = before if small is None else float(small.accuracies.mean())
    names = [] if small is None else [one.name for one in small.remedies]
    reason = "" if repaired else why_not(found)
    told = small is None and symptom in found_at_first(found)
    return Treated(ward, symptom, before, after, float(healthy.mean()), names, repaired, restored, told, reason, spent)


def found_at_first(found: Prescription) -> set[str]:
    """The symptoms that the patient came with."""
    return {finding.symptom for diagnosis in found.diagnoses for finding in diagnosis.findings}


def at_par(one: Candidate, healthy: np.ndarray) -> bool:
    """Whether a mended training is about as good as the healthy one."""
    return bool((one.accuracies - healthy).mean() >= -PAR)


def why_not(found: Prescription) -> str:
    """Why a patient was not repaired."""
    if not any(one.findings for one in found.diagnoses):
        return "nothing was diagnosed"
    if not found.candidates:
        return "no remedy applies"
    if found.smallest is None:
        best = max(found.finalists, key=lambda one: one.gain, default=None)
        if best is None:
            return "every remedy was past hope"
        return f"nothing helps beyond doubt: the best, {best.words.en}, gains {best.gain:+.1%}, still {', '.join(best.symptoms) or 'well'}"
    return f"better, but still {', '.join(found.smallest.symptoms)}"


def report(patients: Iterable[tuple[str, str, Trial, Trial]], every: int, folder: Path, path: Path) -> None:
    """Treat one in ``every`` patients of a ward (it, symptom, trial, origin): print by symptom and in all, list misses, write ``path``."""
    ill, store = list(patients), Store(folder / "repair")
    everyone = [
        one for ward in dict.fromkeys(one[0] for one in ill) for one in [each for each in ill if each[0] == ward][::every]
    ]
    treated = [treat(*one, store) for one in track(everyone, "prescribing", console=Console(stderr=True))]
    console = Console(width=150)
    table = Table(title=f"repaired over {SEEDS} seeds; {name()}")
    for head in ("symptom", "patients", "repaired", "restored", "before", "after", "healthy", "points gained", "seconds, median"):
        table.add_column(head, justify="left" if head == "symptom" else "right")
    for symptom in dict.fromkeys(one.symptom for one in treated):
        row(table, symptom, [one for one in treated if one.symptom == symptom])
    mendable = [one for one in treated if one.symptom not in BEYOND]
    row(table, "all but shuffled labels", mendable)
    row(table, "all", treated)
    console.print(table)
    share = np.mean([one.repaired for one in mendable]) if mendable else 0.0
    gained = np.mean([one.gained for one in mendable]) if mendable else 0.0
    beyond, whole = [one for one in treated if one.symptom in BEYOND], np.mean([one.repaired for one in treated])
    console.print(
        f"repaired {share:.1%} (target {TARGET:.1%}, AutoTrainer {ANCHOR:.2%}), {gained:+.1f} points (AutoTrainer {ANCHOR_GAIN:+.2f}); "
        f"with shuffled labels {whole:.1%}, of which {sum(one.told for one in beyond)} of {len(beyond)} are told that nothing helps"
    )
    for one in treated:
        if not one.repaired:
            line = f"{one.ward}, {one.symptom}: {one.before:.0%} -> {one.after:.0%}, healthy {one.healthy:.0%}; {one.reason}"
            console.print(line, markup=False, highlight=False)
    content = {
        "machine": name(), "of": len(ill), "repaired": float(share), "with shuffled labels": float(whole), "points": float(gained),
        "patients": [asdict(one) for one in treated],
    }  # fmt: skip
    path.write_text(json.dumps(content, indent=1) + "\n")


def row(table: Table, label: str, those: Sequence[Treated]) -> None:
    """A line of the table."""
    means = (f"{np.mean([getattr(one, part) for one in those]):.1%}" for part in ("before", "after", "healthy"))
    repaired = f"{sum(one.repaired for one in those)} ({np.mean([one.repaired for one in those]):.0%})"
    restored = f"{np.mean([one.restored for one in those]):.0%}"
    seconds = f"{np.median([one.seconds for one in those]):.1f}"
    table.add_row(label, str(len(those)), repaired, restored, *means, f"{np.mean([one.gained for one in those]):+.1f}", seconds)
