"""``python -m benchmarks [--quick]``: one table, and ``benchmarks/latest.json``.

Each dense row runs a study as a user would (``koubai.run``: planning, ledger, history and store on) and its rivals in turn, several
times. Rivals on PyTorch get the better of one thread and all; where oneDNN makes the faster products, the plain loop also runs by it. The
floor is the matrix products' time at the peak measured in the same run, that of the faster library. The rows of images are those of
``benchmarks.images``: the training step alone, on both sides.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from benchmarks import images
from benchmarks.machine import floor, name, peak, settle
from benchmarks.rivals import best_of_threads, jax_scan, numpy_by_hand, plain_pytorch, vmapped
from benchmarks.table import HERE, Row, in_turn, row, show, write
from koubai.data import Dataset, load
from koubai.laboratory import run, threaded
from koubai.spec import Data, Trial
from koubai.store import Store
from koubai.study import Study
from koubai.training import Training, flush_denormals, plan, train
from koubai.training.kernels import faster, products

SCALES = [{"name": "normal", "std": 0.05 * (k + 1)} for k in range(6)]


def study_seconds(study: Study) -> float:
    """Seconds of ``koubai.run``: planning, training, recording and storing."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        run(study, store=folder, device="cpu", progress=False)
        return time.perf_counter() - begun


def extra_shares(stack: list[Trial], data: Dataset, repeats: int) -> tuple[float, float]:
    """What ledger and history add to the training of one stack on one thread, and what storing it does, as shares: medians."""
    ledger, stored = [], []
    with threaded(1), ThreadPoolExecutor(1, initializer=flush_denormals) as thread:  # as ``run`` trains it
        for _ in range(repeats):
            settle()
            recorded, alone, put = thread.submit(parts, stack, data).result()
            ledger.append(recorded / alone - 1)
            stored.append(put / recorded)
    return statistics.median(ledger), statistics.median(stored)


@torch.no_grad()
def parts(stack: list[Trial], data: Dataset) -> tuple[float, float, float]:
    """Seconds of a stack's training with all that is recorded, of its steps alone, and of storing it.

    Of the trainings, the seconds of this thread: what else runs on the machine would be more than the difference.
    """
    begun = time.thread_time()
    bare = Training(stack, data, torch.device("cpu"))
    with products(bare.onednn):
        bare.stack.advance(stack[0].steps)
    alone, begun = time.thread_time() - begun, time.thread_time()
    outcome = train(stack, data, torch.device("cpu"))
    recorded = time.thread_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        store.prepare()
        begun = time.perf_counter()
        store.put(outcome, "cpu")
        return recorded, alone, time.perf_counter() - begun


def wide_images(folder: Path) -> Data:
    """8,000 samples of 784 features that only the clock looks at, as a file."""
    draw = np.random.default_rng(0)
    path = folder / "wide.npz"
    np.savez(path, x=draw.standard_normal((8000, 784), dtype=np.float32), y=draw.integers(0, 10, 8000))
    return Data(name=str(path))


def measure(work: str, study: Study, repeats: int, usual: float, rate: float, rivals: tuple[str, ...]) -> Row:
    """A study by Koubai, and its rivals, in turn; the floor at the peak ``rate``, noted at PyTorch's ``usual`` one where that is less."""
    trials = study.trials
    first, count, steps = trials[0], len(trials), trials[0].steps
    data = load(first.data)
    kinds = list({trial.optimizer.name: trial for trial in trials}.values())
    each = {1, torch.get_num_threads()}
    few = max(20, steps // 10)  # of a rival that is slow

    def plain() -> float:
        seconds = [
            best_of_threads(functools.partial(plain_pytorch, trial, np.asarray(data.x_train), data.y_train, steps), sorted(each))
            for trial in kinds
        ]
        return sum(seconds) / len(kinds) / steps

    def tutorial() -> float:
        width = min(count, 60)
        seconds = best_of_threads(
            functools.partial(vmapped, first, np.asarray(data.x_train), data.y_train, few, width), sorted(each)
        )
        return seconds / few / width

    def by_onednn() -> float:
        with products(onednn=True):
            return plain()

    trains = {"Koubai": lambda: study_seconds(study) / count / steps, "plain PyTorch": plain}
    if faster():
        trains["PyTorch by oneDNN"] = by_onednn
    notes = {}
    if "vmap" in rivals:
        trains["torch.func.vmap"] = tutorial
    if "jax" in rivals:
        try:
            width = min(count, 64)
            scan, compiling = jax_scan(first, np.asarray(data.x_train), data.y_train, few, width)
        except ImportError:
            notes["JAX"] = "not installed; pip install jax"
        else:
            trains["JAX scan+vmap"] = lambda: scan() / few / width
            notes["JAX compiled in"] = f"{compiling:.1f} s, not counted"
    if "numpy" in rivals:
        trains["NumPy by hand"] = lambda: numpy_by_hand(first, np.asarray(data.x_train), data.y_train, steps) / steps
    times = in_turn(work, trains, repeats)
    stack = plan(trials, lambda trial: (data.shape, len(data.classes)), workers=torch.get_num_threads())[0]
    sizes = (data.features, *map(int, first.layers), len(data.classes))
    ledger, stored = extra_shares(stack, data, repeats)
    if usual < rate:
        over = statistics.median(times["Koubai"]) / floor(sizes, first.batch_size, usual)
        notes[f"times the floor at PyTorch's usual {usual / 1e9:.0f} GFLOP/s"] = f"{over:.2f}"
    return row(work, times, floor(sizes, first.batch_size, rate), ledger=ledger, store=stored, notes=notes)


def works(folder: Path, quick: bool) -> list[tuple[str, Study, tuple[str, ...]]]:
    """What is measured: the notes' network in two numbers, a large one with one and with four optimizers, and one with everything on."""
    steps, wide, few, full_steps, seeds = (300, 16, 150, 100, 5) if quick else (2000, 64, 400, 500, 10)
    small = Trial(data=Data(name="digits"), layers=(40, 20), optimizer="adam", learning_rate=1e-3, steps=steps)
    large = small.replace({"data": wide_images(folder), "layers": [100] * 4, "batch_size": 128, "steps": few})
    full = small.replace({"layers": [100] * 5, "batch_norm": "before", "dropout": 0.2, "steps": full_steps})
    mixed = [{"name": name} for name in ("sgd", "momentum", "adagrad", "rmsprop")]
    chosen = [
        (
            f"60 x 64-40-20-10, batch 100, Adam, {steps} steps",
            Study(small, axes={"initializer": SCALES, "seed": 10}),
            ("vmap", "jax", "numpy"),
        ),
        (
            f"240 x 64-40-20-10, batch 100, Adam, {steps} steps",
            Study(small, axes={"initializer": SCALES, "seed": 40}),
            ("jax", "numpy"),
        ),
        (
            f"{wide} x 784-100x4-10, batch 128, Adam, {few} steps",
            Study(large, axes={"initializer": SCALES[:4], "seed": wide // 4}),
            ("jax",),
        ),
        (
            f"{wide} x 784-100x4-10, batch 128, SGD, momentum, AdaGrad, RMSProp, {few} steps",
            Study(large, axes={"optimizer": mixed, "seed": wide // 4}),
            (),
        ),
        (
            f"{6 * seeds} x 64-100x5-10, batch norm, dropout, Adam, {full_steps} steps",
            Study(full, axes={"initializer": SCALES, "seed": seeds}),
            (),
        ),
    ]
    return [chosen[0], chosen[2], chosen[4]] if quick else chosen


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="fewer rows, repeats and steps: under a minute")
    cli.add_argument("--json", type=Path, default=HERE / "latest.json")
    chosen = cli.parse_args()
    repeats = 3 if chosen.quick else 5
    usual = peak(onednn=False)
    rate = peak(onednn=True) if faster() else usual
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(work, study, repeats, usual, rate, rivals) for work, study, rivals in works(Path(folder), chosen.quick)]
    rows += images.rows(chosen.quick)
    show(rows, f"{name()}, peak {rate / 1e9:.0f} GFLOP/s; medians of {repeats} repeats, spread in brackets")
    write(chosen.json, rows, peak=rate, usual_peak=usual)


if __name__ == "__main__":
    main()
