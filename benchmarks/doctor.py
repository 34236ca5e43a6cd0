"""``python -m benchmarks.doctor [--quick]``: ill trainings and healthy ones by the hundred, and what the doctor says of them.

Ill trainings are healthy ones spoiled by a known mutation (``benchmarks/patients.py``), over data sets in two halves (``benchmarks/wards.py``).
The thresholds in ``koubai/doctor/symptoms`` were set on the first half, and never on the second, whose data sets the first does
not have: the figures are the second's. Two criteria decide what counts, both on the validation accuracy and neither known to the doctor:

- healthy: within ``NEAR`` of the best that any training reached on that data set (or two standard errors, where that is more), and a
  validation loss that has not risen by more than ``RISEN`` from its lowest. Others are left out, and counted.
- ill: the origin is healthy, and the mutation costs at least ``HURT`` of accuracy (and two standard errors). Others are left out, and counted.

Detected is an ill training in which the symptom was found that the mutation makes; right are layer and cause where the mutation leaves no
choice; a false alarm is any finding in a healthy training.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import name
from benchmarks.patients import Patient, patients
from benchmarks.wards import HELD, TUNED
from koubai.data import load
from koubai.doctor import Case, Diagnosis, diagnose
from koubai.laboratory import run
from koubai.spec import Trial
from koubai.store import Record
from koubai.study import Study

NEAR, RISEN, HURT = 0.05, 1.5, 0.05


@dataclass(frozen=True)
class Seen:
    """A patient with its training and its origin's, and what is wrong with it as a patient (nothing: it counts)."""

    patient: Patient
    record: Record
    origin: Record
    left_out: str = ""


def study(trials: Sequence[Trial]) -> Study:
    """Any trials as a study."""
    unlike = dict.fromkeys(trials)
    return Study(
        Trial(), name="patients", zip=[{field: tuple(getattr(trial, field) for trial in unlike) for field in Trial.model_fields}]
    )


def accuracy(record: Record) -> float:
    """Final validation accuracy; guessing for a trial that diverged."""
    value = record.final("validation_accuracy")
    return value if math.isfinite(value) else 1 / len(load(record.trial.data).classes)


def error(record: Record) -> float:
    """Two standard errors of that accuracy."""
    p = min(max(accuracy(record), 0.05), 0.95)
    return 2 * math.sqrt(p * (1 - p) / len(load(record.trial.data).y_validation))


def well(record: Record, best: float) -> bool:
    """Whether a training is healthy by the criterion above."""
    loss = record.history["validation_loss"]
    return accuracy(record) >= best - max(NEAR, error(record)) and not record.diverged and loss[-1] <= RISEN * loss.min() + NEAR


def hospital(folder: Path, each: int, count: int, progress: bool = True) -> Iterator[Seen]:
    """Every patient trained and judged: the hook for whoever wants ill trainings with their healthy origins."""
    everyone = list(patients(folder, each, count))
    trials = [trial for patient in everyone for trial in (patient.origin, patient.trial)]
    records = {record.trial: record for record in run(study(trials), store=folder / "store", progress=progress).records}
    best: dict[str, float] = {}
    for patient in everyone:
        if not patient.symptom:
            best[patient.ward] = max(best.get(patient.ward, 0), accuracy(records[patient.origin]))
    for patient in everyone:
        record, origin = records[patient.trial], records[patient.origin]
        out = ""
        if not well(origin, best[patient.ward]):
            out = "origin not healthy" if patient.symptom else "not healthy"
        elif patient.symptom and accuracy(record) > accuracy(origin) - max(HURT, error(origin)):
            out = "not hurt"
        yield Seen(patient, record, origin, out)


@dataclass
class Judged:
    """What the doctor said of a patient that counts."""

    half: str
    ward: str
    symptom: str
    found: list[str]
    detected: bool
    cause: bool | None
    layer: bool | None
    said: str
    milliseconds: float


def judged(seen: Seen) -> Judged:
    """Diagnose a patient and compare with the truth."""
    case = Case.of(seen.record)
    begun = time.perf_counter()
    diagnosis = diagnose(case)
    spent = (time.perf_counter() - begun) * 1e3
    patient, cause, layer = seen.patient, None, None
    finding = next((one for one in diagnosis.findings if one.symptom == patient.symptom), None)
    if finding and patient.causes:
        cause = finding.cause in patient.causes
    if finding and patient.layers:
        layer = any((finding.layer or "").startswith(one) for one in patient.layers)
    names = [one.symptom for one in diagnosis.findings]
    return Judged(
        patient.half, patient.ward, patient.symptom, names, finding is not None, cause, layer, told(seen, diagnosis), spent
    )


def told(seen: Seen, diagnosis: Diagnosis) -> str:
    """A patient and its diagnosis in one line, for the list of misses."""
    changes = {
        field: str(getattr(seen.record.trial, field))
        for field in Trial.model_fields
        if getattr(seen.record.trial, field) != getattr(seen.origin.trial, field)
    }
    changes = changes or {field: str(value) for field, value in seen.record.trial.compact().items()}
    said = "; ".join(f"{one.symptom} ({one.layer}, {one.cause}) {dict(one.evidence)}" for one in diagnosis.findings) or "nothing"
    unknown = {name: words.en for name, words in diagnosis.unknown.items() if name == seen.patient.symptom}
    return f"{accuracy(seen.origin):.2f} -> {accuracy(seen.record):.2f} by {changes}: said {said} {unknown or ''}".strip()
