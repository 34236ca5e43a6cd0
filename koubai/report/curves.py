"""The curves of a study as numbers, for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from koubai.report.groups import Group
from koubai.store import Record


def as_csv(groups: Sequence[Group]) -> str:
    """A row a trial and point of its history: variant, seed, id and step, the curves of loss and accuracy, and the gradient by layer.

    What was not taken is empty: points behind the end of a trial are left out.
    """
    rows = [
        {"variant": group.label, "seed": record.trial.seed, "id": record.trial.id, **point}
        for group in groups
        for record in group.records
        for point in _points(record)
    ]
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, dict.fromkeys(name for row in rows for name in row), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _points(record: Record) -> Iterator[dict[str, Any]]:
    curves = {name: curve for name, curve in record.history.items() if np.ndim(curve) == 1}
    gradient = record.history["gradient"]
    curves |= {f"gradient at {layer}": gradient[:, k] for k, layer in enumerate(record.layers)}
    for point, step in enumerate(record.steps):
        taken = {name: "" if np.isnan(curve[point]) else repr(float(curve[point])) for name, curve in curves.items()}
        if any(taken.values()):
            yield {"step": int(step), **taken}
