"""``python -m benchmarks.doctor [--quick]``: ill trainings and healthy ones by the hundred, and what the doctor says of them.

Ill trainings are healthy ones spoiled by a known mutation (``benchmarks/mutations.py``), over data sets in two halves
(``benchmarks/wards.py``). The thresholds in ``koubai/doctor/symptoms`` were set on the first half, and never on the second, whose data
sets the first does not have: the figures are the second's. Two criteria decide what counts, both on the validation accuracy and
neither known to the doctor:

- healthy: within ``NEAR`` of the best that any training reached on that data set (or two standard errors, where that is more), and a
  validation loss that has not risen by more than ``RISEN`` from its lowest. Others are left out, and counted.
- ill: the origin is healthy, and the mutation costs at least ``HURT`` of accuracy (and two standard errors). Where a mutation (too high a
  rate) may bring on its illness or another, plain PyTorch looks whether it did (``took``). Others are left out, and counted.

Detected is an ill training in which the symptom was found that the mutation makes; right are layer and cause where the mutation leaves no
choice; a false alarm is any finding in a healthy training.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.machine import name
from benchmarks.patients import Patient, patients
from benchmarks.repair import report
from benchmarks.wards import HELD, TUNED
from koubai.data import load
from koubai.doctor import SYMPTOMS, Case, Diagnosis, diagnose
from koubai.laboratory import run
from koubai.networks import build
from koubai.networks.layers import Weighted
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.store import Record
from koubai.study import Study

NEAR, RISEN, HURT = 0.05, 1.5, 0.05
EACH, WELL = 4, 50  # patients a symptom and data set, and healthy draws a data set
DEAD, GROWN = 0.75, 10  # share of a layer's units that are silent on all validation samples; |W| over its first value


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
        elif patient.symptom and not took(patient.symptom, record):
            out = "did not take"
        yield Seen(patient, record, origin, out)


def took(symptom: str, record: Record) -> bool:
    """Whether units died or weights grew, where that is the symptom; other mutations are the illness themselves."""
    if symptom not in ("dead-relu", "growing-weights"):
        return True
    if record.diverged:
        return False
    data = load(record.trial.data)
    if symptom == "growing-weights":
        first = build([record.trial], data.shape, len(data.classes), torch.device("cpu")).layers
        weights = record.weights()
        sizes = [
            (np.linalg.norm(weights[f"{k}.weight"]), float(layer.weight.value.norm()))
            for k, layer in enumerate(first)
            if isinstance(layer, Weighted)
        ]
        return any(end > GROWN * begin for end, begin in sizes)
    x, silent = torch.from_numpy(data.x_validation), 0.0
    with torch.no_grad():
        for layer in module(record.trial, record.weights(), data.shape).eval():
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                silent = max(silent, float((x.flatten(2).amax((0, 2)) if x.dim() > 2 else x.amax(0)).eq(0).double().mean()))
    return silent >= DEAD


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


def percent(part: int, whole: int) -> str:
    """``97.3% (36/37)``."""
    return f"{part / whole:.1%} ({part}/{whole})" if whole else "-"


def figures(those: Sequence[Judged]) -> dict[str, float | int]:
    """What is reported of one half."""
    ill = [one for one in those if one.symptom]
    healthy = [one for one in those if not one.symptom]
    causes = [one.cause for one in ill if one.cause is not None]
    layers = [one.layer for one in ill if one.layer is not None]
    return {
        "ill": len(ill), "detected": sum(one.detected for one in ill),
        "causes": len(causes), "right cause": sum(causes), "layers": len(layers), "right layer": sum(layers),
        "something found": sum(bool(one.found) for one in ill),
        "healthy": len(healthy), "false alarms": sum(bool(one.found) for one in healthy),
        "milliseconds, median": statistics.median(one.milliseconds for one in those),
        "milliseconds, largest": max(one.milliseconds for one in those),
    }  # fmt: skip


def table(title: str, those: Sequence[Judged]) -> Table:
    """A row a symptom, and one for the healthy."""
    made = Table(title=title)
    for head in ("symptom", "ill", "detected", "right cause", "right layer", "something found"):
        made.add_column(head, justify="left" if head == "symptom" else "right")
    for symptom in [*SYMPTOMS, ""]:
        row = figures([one for one in those if one.symptom == symptom]) if any(one.symptom == symptom for one in those) else None
        if row and symptom:
            shown = [
                (row["detected"], row["ill"]),
                (row["right cause"], row["causes"]),
                (row["right layer"], row["layers"]),
                (row["something found"], row["ill"]),
            ]
            made.add_row(symptom, str(row["ill"]), *(percent(int(part), int(whole)) for part, whole in shown))
        elif row:
            made.add_row("(healthy)", str(row["healthy"]), "", "", "", percent(int(row["false alarms"]), int(row["healthy"])))
    return made


def main() -> None:
    """Train, diagnose, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="a fourth of the patients")
    cli.add_argument("--folder", type=Path, help="keep data and trained networks here, and ask it first")
    cli.add_argument("--json", type=Path, default=Path(__file__).with_name("doctor.json"))
    cli.add_argument("--repair", action="store_true", help="prescribe for the ill ones instead, and write repair.json")
    cli.add_argument("--every", type=int, default=1, help="with --repair: of the ill ones, only every so many")
    chosen = cli.parse_args()
    each, count = (1, 12) if chosen.quick else (EACH, WELL)
    with tempfile.TemporaryDirectory() as folder:
        seen = list(hospital(chosen.folder or Path(folder), each, count))
        if chosen.repair:
            ill = [one for one in seen if one.patient.symptom and not one.left_out][:: chosen.every]
            patients = ((one.patient.ward, one.patient.symptom, one.record.trial, one.origin.trial) for one in ill)
            report(patients, chosen.folder or Path(folder), Path(__file__).with_name("repair.json"))
            return
        those = [judged(one) for one in seen if not one.left_out]
    halves = {half: [one for one in those if one.half == half] for half in (TUNED, HELD)}
    console = Console(width=140)
    for half, members in halves.items():
        console.print(table(f"{half}: {', '.join(dict.fromkeys(one.ward for one in members))}", members))
    result = {half: figures(members) for half, members in halves.items()}
    left_out = {
        half: Counter(
            f"{one.patient.symptom or 'healthy'}: {one.left_out}" for one in seen if one.left_out and one.patient.half == half
        )
        for half in halves
    }
    for half, row in result.items():
        console.print(half, row, left_out[half])
    missed = {
        half: [f"{one.ward}, {one.symptom or 'healthy'}: {one.said}" for one in members if wrong(one)]
        for half, members in halves.items()
    }
    for line in missed[HELD]:
        console.print(line, markup=False, highlight=False)
    content = {
        "machine": name(),
        "figures": result,
        "left out": left_out,
        "missed": missed,
        "patients": [asdict(one) for one in those],
    }
    chosen.json.write_text(json.dumps(content, indent=1) + "\n")


def wrong(one: Judged) -> bool:
    """Whether something was missed, or said that is not so."""
    return not one.detected or one.cause is False or one.layer is False if one.symptom else bool(one.found)


if __name__ == "__main__":
    main()
