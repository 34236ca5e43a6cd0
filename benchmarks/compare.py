"""``python -m benchmarks.compare OLD.json NEW.json``: did anything become slower? Exit code 1 if so.

Times of two runs are of two moods of the machine; ratios to the rivals of the same run are not. A rival counts as lost ground where
Koubai's advantage over it fell by more than ``TOLERANCE`` and below the old run's spread.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TOLERANCE = 0.1  # of a ratio


def slower(old: tuple[float, float, float], new: tuple[float, float, float]) -> bool:
    """Whether an advantage (median, lowest, highest) is lost beyond what the runs themselves vary by."""
    return new[0] < old[0] * (1 - TOLERANCE) and new[0] < old[1]


def compared(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, float, float, bool]]:
    """Work, rival, old and new advantage, and whether ground was lost, for all that both files have."""
    before = {row["work"]: row for row in old["rows"]}
    return [
        (
            row["work"],
            rival,
            before[row["work"]]["ratios"][rival][0],
            ratio[0],
            slower(before[row["work"]]["ratios"][rival], ratio),
        )
        for row in new["rows"]
        if row["work"] in before
        for rival, ratio in row["ratios"].items()
        if rival in before[row["work"]]["ratios"]
    ]


def main() -> None:
    """Compare, print, and leave with 1 where something became slower."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("old", type=Path)
    cli.add_argument("new", type=Path)
    chosen = cli.parse_args()
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (chosen.old, chosen.new))
    found = compared(old, new)
    table = Table(title=f"{old['machine']}  ->  {new['machine']}; times as fast as the rival")
    for head in ("work", "rival", "before", "now", ""):
        table.add_column(head, justify="right" if head in ("before", "now") else "left")
    for work, rival, before, now, lost in found:
        table.add_row(work, rival, f"{before:.2f}", f"{now:.2f}", "slower" if lost else "")
    Console(width=150).print(table)
    sys.exit(1 if any(lost for *_, lost in found) else 0)


if __name__ == "__main__":
    main()
