"""A study in numbers: a row a variant, with 95% intervals over seeds, as data and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from koubai.language import Words, say
from koubai.measures import NOTHING, accuracy, attenuation, is_regression, named, spelled
from koubai.statistics import interval
from koubai.store import Record

HEADS = {
    "variant": Words("variant", "設定"),
    "train_accuracy": Words("training accuracy", "訓練精度"),
    "validation_accuracy": Words("validation accuracy", "検証精度"),
    "rmse": Words("validation RMSE", "検証RMSE"),
    "attenuation": Words("gradient, first/last layer", "勾配(最初/最後の層)"),
    "seeds": Words("seeds", "シード"),
    "diverged": Words("diverged", "発散"),
    "stopped": Words("stopped", "打ち切り"),
}
NOTE = Words(
    "Means over seeds with 95% intervals; the gradient is measured before the first step.",
    "シード平均と95%区間。勾配は学習開始前の値。",
)
COUNTS = ("diverged", "stopped")
RARE = ("rmse", *COUNTS)  # columns that are shown where there is anything in them
MEASURES = ("train_accuracy", "validation_accuracy", "rmse", "attenuation")


def summarize(records: Sequence[Record]) -> dict[str, Any]:
    """One variant: each measure's mean over seeds and the ends of its 95% interval (``..._low``, ``..._high``), seeds, diverged, stopped.

    Accuracies are final, a diverged trial counting as guessing, a stopped one with its last; ``attenuation`` is the gradient at the first
    layer over that at the last when training starts, in decades (-20: nothing arrives). Where a quantity is predicted,
    accuracies are ``R^2``, and ``rmse`` is the root of the mean squared error on validation samples, in the quantity's unit.
    """
    regression = any(map(is_regression, records))
    measured = {
        "train_accuracy": [accuracy(record, "train") for record in records],
        "validation_accuracy": [accuracy(record) for record in records],
        "attenuation": [attenuation(record.history["gradient"][0]) for record in records],
    }
    if regression:
        measured["rmse"] = [record.final("validation_rmse") for record in records]
    row: dict[str, Any] = {}
    for name, values in measured.items():
        low, high = interval(values)
        if name != "attenuation" and np.isfinite(low):  # no further than the measure itself goes; R² has no lowest
            low = low if regression and name != "rmse" else max(low, 0.0)
            high = high if name == "rmse" else min(high, 1.0)
        row |= {name: float(np.mean(values)), f"{name}_low": low, f"{name}_high": high}
    counts = {name: sum(getattr(record, name) > 0 for record in records) for name in COUNTS}
    return row | {"seeds": len(records), **counts}


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Words]:
    """The heads of a table of such rows, without those that nothing stands under; R² where a quantity is predicted."""
    kinds = {"rmse" in row for row in rows}
    return {name: named(words, kinds) for name, words in HEADS.items() if name not in RARE or any(row.get(name) for row in rows)}


def cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """A row as a reader wants it, the columns of these names; ``diverged`` and ``stopped`` are empty where none did or was."""
    shown = {"variant": str(row["variant"]), "seeds": str(row["seeds"]), **{name: str(row[name] or "") for name in COUNTS}}
    for name in MEASURES:
        if name not in row:
            continue
        middle, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
        interval = np.isfinite(low) and high > low
        if name == "attenuation":
            shown[name] = power(middle)
        elif "rmse" in row:
            ends = [f"{value:.4g}" if name == "rmse" else spelled(value, True) for value in (middle, low, high)]
            shown[name] = "" if np.isnan(middle) else ends[0] + (f" [{ends[1]}, {ends[2]}]" if interval else "")
        else:
            shown[name] = f"{middle:.1%}" + (f" [{low * 100:.1f}, {high * 100:.1f}]" if interval else "")
    return [shown.get(name, "") for name in names]


def power(decades: float) -> str:
    """A factor of so many decades: ``-3.8`` as ``1.6e-4``; words where nothing arrives."""
    if decades <= NOTHING:
        return say(Words("nothing arrives", "届かない"))
    factor = 10**decades
    mantissa, exponent = f"{factor:.1e}".split("e")
    return f"{factor:.2f}" if 0.095 <= factor < 100 else f"{mantissa}e{int(exponent)}"


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table as text, in the language in force, as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table

    heads = columns(rows)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    for name, words in heads.items():
        table.add_column(say(words), justify="left" if name == "variant" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row, heads))
    console = Console(width=400, no_color=True, highlight=False, markup=False)
    with console.capture() as caught:
        console.print(table)
    lines = [line.rstrip() for line in caught.get().splitlines()]
    return "\n".join([*lines, "", say(NOTE)])
