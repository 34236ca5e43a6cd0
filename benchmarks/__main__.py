"""``python -m benchmarks [--quick]``: one table, and ``benchmarks/latest.json``.

Each row runs a study as a user would (``koubai.run``: ledger, history and store on) and its rivals in turn, several times; times are a
network and step. The plain
loop gets the better of one thread and all. The floor is the matrix products' time at the peak measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import floor, name, peak, settle
from benchmarks.rivals import numpy_by_hand, plain_pytorch
from koubai.data import Dataset, load
from koubai.laboratory import run
from koubai.spec import Data, Trial
from koubai.study import Study
from koubai.training import plan, train
from koubai.training.stack import Stack


@dataclass
class Row:
    """One benchmark: microseconds a network and step (medians), ratios, and the spread of the ratio over repeats."""

    work: str
    koubai: float
    plain: float
    numpy: float
    floor: float
    ratio: float
    ratio_low: float
    ratio_high: float
    over_floor: float
    ledger: float


def study_seconds(study: Study) -> float:
    """Seconds of ``koubai.run``: planning, training, recording and storing."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        run(study, store=folder, device="cpu", progress=False)
        return time.perf_counter() - begun


def stack_seconds(stack: list[Trial], data: Dataset, recorded: bool) -> float:
    """Seconds to train one stack, with ledger and history or without."""
    begun = time.perf_counter()
    if recorded:
        train(stack, data, torch.device("cpu"))
    else:
        with torch.no_grad():
            Stack(stack, data, torch.device("cpu")).advance(stack[0].steps)
    return time.perf_counter() - begun


def networks(count: int, steps: int) -> Study:
    """``count`` of the notes' networks, 64-40-20-10, batch 100, Adam: six initial weights a seed."""
    base = Trial(data=Data(name="digits"), layers=(40, 20), optimizer="adam", learning_rate=1e-3, steps=steps)
    scales = [{"name": "normal", "std": 0.05 * (k + 1)} for k in range(6)]
    return Study(base, axes={"initializer": scales, "seed": count // 6})


def measure(count: int, steps: int, repeats: int, rate: float) -> Row:
    """Koubai and its rivals in turn, ``repeats`` times."""
    sizes, batch = (64, 40, 20, 10), 100
    data, threads = load(Data(name="digits")), torch.get_num_threads()
    study = networks(count, steps)
    stack = plan(study.trials, lambda trial: (data.shape, len(data.classes)))[0]
    times: dict[str, list[float]] = {"koubai": [], "recorded": [], "bare": [], "plain": [], "numpy": []}
    for _ in track(range(repeats), f"{count} networks", console=Console(stderr=True)):
        settle()
        times["koubai"].append(study_seconds(study) / count / steps)
        for recorded, kind in ((True, "recorded"), (False, "bare")):
            times[kind].append(stack_seconds(stack, data, recorded))
        plain = []
        settle()
        for used in {1, threads}:
            torch.set_num_threads(used)
            plain.append(plain_pytorch(data.x_train, data.y_train, sizes, batch, steps) / steps)
        torch.set_num_threads(threads)
        times["plain"].append(min(plain))
        times["numpy"].append(numpy_by_hand(data.x_train, data.y_train, sizes, batch, steps) / steps)
    middle = {key: statistics.median(values) for key, values in times.items()}
    ratios = [p / k for p, k in zip(times["plain"], times["koubai"], strict=True)]
    least = floor(sizes, batch, rate)
    return Row(
        f"{count} x 64-40-20-10, batch {batch}, Adam, {steps} steps",
        koubai=middle["koubai"] * 1e6,
        plain=middle["plain"] * 1e6,
        numpy=middle["numpy"] * 1e6,
        floor=least * 1e6,
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        over_floor=middle["koubai"] / least,
        ledger=middle["recorded"] / middle["bare"] - 1,
    )


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="fewer repeats and steps: under a minute")
    cli.add_argument("--json", type=Path, default=Path(__file__).with_name("latest.json"))
    chosen = cli.parse_args()
    repeats, steps = (3, 600) if chosen.quick else (5, 2000)
    rate = peak()
    rows = [measure(count, steps, repeats, rate) for count in (60, 240)]
    table = Table(title=f"{name()}, peak {rate / 1e9:.0f} GFLOP/s; us a network and step, medians of {repeats}")
    heads = ("work", "Koubai", "plain PyTorch", "NumPy", "floor", "faster than plain", "times the floor", "ledger and history")
    for head in heads:
        table.add_column(head, justify="left" if head == "work" else "right")
    for row in rows:
        table.add_row(
            row.work, f"{row.koubai:.1f}", f"{row.plain:.0f}", f"{row.numpy:.0f}", f"{row.floor:.1f}",
            f"{row.ratio:.1f} ({row.ratio_low:.1f}-{row.ratio_high:.1f})", f"{row.over_floor:.2f}", f"{row.ledger:+.0%}",
        )  # fmt: skip
    Console(width=160).print(table)
    chosen.json.write_text(json.dumps({"machine": name(), "peak": rate, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
