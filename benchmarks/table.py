"""A row of the benchmarks, how it is measured (all in turn, several times), the table, and the file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import name, settle

HERE = Path(__file__).parent


@dataclass
class Row:
    """One benchmark: microseconds a network and step by who trains (medians), and how many times as fast as each rival Koubai is.

    ``ratios`` are the median, lowest and highest of the repeats; ``floor`` is the matrix products' time at the peak measured in the same
    run, ``over_floor`` Koubai's time over it; ``ledger`` and ``store`` are the shares that recording and storing add to a training.
    """

    work: str
    times: dict[str, float]
    ratios: dict[str, tuple[float, float, float]]
    floor: float | None = None
    over_floor: float | None = None
    ledger: float | None = None
    store: float | None = None
    notes: dict[str, str] = field(default_factory=dict)


def in_turn(what: str, trains: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Each one's seconds, ``repeats`` times, all of them in each turn: the machine's moods meet all alike."""
    times: dict[str, list[float]] = {who: [] for who in trains}
    for _ in track(range(repeats), what, console=Console(stderr=True)):
        for who, train in trains.items():
            settle()
            times[who].append(train())
    return times


def row(work: str, times: Mapping[str, Sequence[float]], floor: float | None = None, **rest: object) -> Row:
    """A row from seconds a network and step; the first of ``times`` is Koubai's."""
    ours, *rivals = times
    ratios = {}
    for rival in rivals:
        each = [there / here for there, here in zip(times[rival], times[ours], strict=True)]
        ratios[rival] = (statistics.median(each), min(each), max(each))
    middle = {who: statistics.median(values) * 1e6 for who, values in times.items()}
    over = middle[ours] / floor / 1e6 if floor else None
    return Row(work, middle, ratios, floor and floor * 1e6, over, **rest)  # type: ignore[arg-type]


def shown(microseconds: float) -> str:
    """A time as the table shows it."""
    if microseconds >= 1e4:
        return f"{microseconds / 1e3:,.0f} ms"
    return f"{microseconds:,.0f} us" if microseconds >= 100 else f"{microseconds:.1f} us"


def show(rows: Sequence[Row], title: str) -> None:
    """Print one table."""
    table = Table(title=title, show_lines=True)
    for head in ("work, a network and step", "Koubai", "Koubai is faster than", "times the floor", "ledger, store"):
        table.add_column(head, justify="left" if head.startswith(("work", "Koubai is")) else "right")
    for each in rows:
        rivals = [
            f"{rival} ({shown(each.times[rival])}): {middle:.2f} times ({low:.2f}-{high:.2f})"
            for rival, (middle, low, high) in each.ratios.items()
        ]
        rivals += [f"{what}: {text}" for what, text in each.notes.items()]
        over = f"{each.over_floor:.2f} (of {each.floor:,.1f} us)" if each.over_floor else ""
        ledger = "" if each.ledger is None or each.store is None else f"{each.ledger:+.0%}, {each.store:+.1%}"
        table.add_row(each.work, shown(next(iter(each.times.values()))), "\n".join(rivals), over, ledger)
    Console(width=150).print(table)


def write(path: Path, rows: Sequence[Row], **facts: object) -> None:
    """Write the rows and what the machine is."""
    path.write_text(json.dumps({"machine": name(), **facts, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
