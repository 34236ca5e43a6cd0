"""``python -m benchmarks.scale [--quick]``: what a trial costs among 50 and among 10,000, their memory, how soon a first step is.

Every figure comes from a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import name
from benchmarks.table import HERE

STEPS = 200


def trained(count: int, again: int) -> tuple[float, float, float]:
    """Seconds of ``koubai.run`` of ``count`` networks: the process's first run, the median of those ``again``; peak memory in MiB."""
    from koubai.laboratory import run
    from koubai.spec import Trial
    from koubai.study import Study

    def seconds(study: Study) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            run(study, store=folder, device="cpu", progress=False)
            return time.perf_counter() - begun

    scales = [{"name": "normal", "std": 0.05 * (k + 1)} for k in range(5)]
    base = Trial(layers=(40, 20), optimizer="adam", learning_rate=1e-3, steps=STEPS)
    seconds(Study(base.replace({"steps": 1}), axes={"seed": 2}))  # imports, data
    first, *later = [seconds(Study(base, axes={"initializer": scales, "seed": count // 5})) for _ in range(1 + again)]
    return first, statistics.median(later or [first]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_a_process(count: int, again: int) -> tuple[float, float, float]:
    """``trained``, in a process of its own."""
    code = f"import json; from benchmarks.scale import trained; print(json.dumps(trained({count}, {again})))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    first, later, memory = json.loads(out)
    return first, later, memory


def shell(*arguments: str) -> float:
    """Seconds of a command of Koubai's from the shell, the better of three: the first one finds cold files."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "koubai", *arguments], capture_output=True, check=True)
        best = min(best, time.perf_counter() - begun)
    return best


def import_seconds(module: str) -> float:
    """Seconds that importing a module takes, as ``python -X importtime`` has it."""
    out = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"], capture_output=True, text=True, check=True
    ).stderr
    (line,) = [line for line in out.splitlines() if re.search(rf"\| {module}$", line)]
    return int(line.split("|")[1]) / 1e6


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="up to 500 trials")
    cli.add_argument("--json", type=Path, default=HERE / "scale.json")
    chosen = cli.parse_args()
    table = Table(title=f"{name()}; 64-40-20-10, batch 100, Adam, {STEPS} steps, one process each")
    for head in ("trials", "ms a trial in a process's first run", "in a later one", "peak memory, MiB"):
        table.add_column(head, justify="right")
    rows = []
    for count in (50, 500) if chosen.quick else (50, 500, 5000, 10_000):
        first, later, memory = in_a_process(count, again=5 if count <= 500 else 0)  # of thousands the first is as any other
        rows.append({"trials": count, "seconds": first, "later": later, "memory": memory})
        table.add_row(f"{count:,}", *(f"{seconds / count * 1e3:.2f}" for seconds in (first, later)), f"{memory:,.0f}")
    Console().print(table)
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "small.toml"
        study.write_text("[base]\nsteps = 1\n")
        starts = {
            "koubai --help": shell("--help"),
            "import torch": import_seconds("torch"),
            "a study of one step": shell("study", str(study), "--out", folder, "--fresh"),
        }
    for what, seconds in starts.items():
        print(f"{what}: {seconds:.2f} s")
    chosen.json.write_text(json.dumps({"machine": name(), "rows": rows, "starts": starts}, indent=2) + "\n")


if __name__ == "__main__":
    main()
