"""``python -m benchmarks.whole``: the whole of the notes from an empty store, against the same trainings as plain PyTorch loops.

Koubai's side is ``koubai run`` as a user types it: training, store, claims, questions and report. The loops' side is a sample: of every
kind of training in the exercises (same layers, techniques and batch) one is timed for ``SAMPLE`` steps on the better of one thread
and all, and its time a step multiplied by the steps of all trainings of its kind. The loops keep no ledger, no history, no results.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from benchmarks.machine import name, settle
from benchmarks.rivals import OPTIMIZERS, best_of_threads, loop, modules
from benchmarks.table import HERE
from koubai.data import load
from koubai.experiments.catalogue import EXERCISES
from koubai.networks import build
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.study import Study

SAMPLE = 200  # steps; of networks of images a tenth


def plain_seconds(trial: Trial, steps: int) -> float:
    """Seconds of ``steps`` steps of a trial's network as a plain PyTorch loop."""
    data = load(trial.data)
    features, labels = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    if all(isinstance(item, int) for item in trial.layers):
        model = modules(trial, data.features, len(data.classes))
    else:
        network = build([trial], data.shape, len(data.classes), torch.device("cpu"))
        weights = {
            f"{k}.{name}": tensor[0].numpy()
            for k, layer in enumerate(network.layers)
            for name, tensor in [*((p.name, p.value) for p in layer.parameters), *layer.state.items()]
        }
        model = module(trial, weights, data.shape).train()
    return loop(model, OPTIMIZERS[trial.optimizer.name](model.parameters(), lr=1e-3), features, labels, trial.batch_size, steps)


def loops() -> tuple[float, int, int]:
    """Seconds that all trainings of the exercises would take as plain loops, by a sample; how many they are, and how many kinds."""
    kinds: dict[object, list[Trial]] = defaultdict(list)
    everything = {trial for each in EXERCISES.values() if isinstance(each.runs, Study) for trial in each.runs.trials}
    for trial in everything:
        optimizer = trial.optimizer.name if trial.optimizer.name in OPTIMIZERS else "adam"
        kinds[trial.data, trial.layers, trial.batch_norm, trial.dropout > 0, optimizer, trial.batch_size].append(trial)
    total = 0.0
    for same in track(list(kinds.values()), "plain loops", console=Console(stderr=True)):
        first = same[0]
        steps = SAMPLE if all(isinstance(item, int) for item in first.layers) else SAMPLE // 10
        settle()
        plain_seconds(first, 5)
        seconds = best_of_threads(functools.partial(plain_seconds, first, steps), sorted({1, torch.get_num_threads()}))
        total += seconds / steps * sum(trial.steps for trial in same)
    return total, sum(map(len, kinds.values())), len(kinds)


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--json", type=Path, default=HERE / "whole.json")
    chosen = cli.parse_args()
    plain, trials, kinds = loops()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "koubai", "run", "--out", folder], check=True)
        ours = time.perf_counter() - begun
    print(f"{name()}: koubai run {ours:.0f} s; {trials:,} trainings as plain loops {plain:,.0f} s", end="")
    print(f", by a sample of {kinds} kinds: {plain / ours:.1f} times")
    facts = {"machine": name(), "koubai": ours, "plain": plain, "trainings": trials, "kinds": kinds}
    chosen.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
