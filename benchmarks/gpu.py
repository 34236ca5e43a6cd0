"""``python -m benchmarks.gpu [--quick]``: stacks on a GPU beside plain PyTorch on the same GPU, in one run. Takes a CUDA GPU.

A thousand of the notes' networks, a stack of deep CNNs, and AlexNet in bfloat16; a network and step each, ledger and history not. Beside
them the peak that products of large matrices reach. All data lie on the GPU, and all train in turn, several times, after some steps to warm
up: those in which a step is recorded, or compiled.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from benchmarks.images import koubai, loop, pytorch, random_images, timed
from benchmarks.machine import floor, peak
from benchmarks.rivals import plain_pytorch, vmapped
from benchmarks.table import HERE, Row, in_turn, row, show, write
from koubai.blueprint import NATIVE
from koubai.data import load
from koubai.spec import Trial
from koubai.training.graphs import WARM

Trains = dict[str, Callable[[], float]]  # seconds a network and step


def measured(work: str, trains: Trains, repeats: int, **rest: float) -> Row:
    """A row, after each has trained once unmeasured."""
    for train in trains.values():
        train()
    return row(work, in_turn(work, trains, repeats), **rest)


def each(train: Callable[[int], None], steps: int, networks: int = 1) -> Callable[[], float]:
    """What gives the seconds a network and step, warmed up."""
    train(WARM + 1)
    return lambda: timed(train, steps) / networks


def notes(device: torch.device, networks: int, steps: int, repeats: int, rate: float) -> Row:
    """The notes' network, ten initial weights for each seed: Koubai's stack, a plain loop over one, and PyTorch's own way to stack them."""
    base = Trial(layers=[40, 20], optimizer="adam", learning_rate=1e-3)
    stds = [{"name": "normal", "std": 0.01 * (k + 1)} for k in range(10)]
    trials = [base.replace({"seed": k // 10, "initializer": stds[k % 10]}) for k in range(networks)]
    data = load(base.data)
    arrays = np.asarray(data.x_train), data.y_train
    trains = {
        "Koubai": each(koubai(trials, data, device), steps, networks),
        "plain PyTorch": lambda: plain_pytorch(trials[0], *arrays, steps, device) / steps,
        "torch.func.vmap": lambda: vmapped(trials[0], *arrays, steps, networks, device) / steps / networks,
    }
    least = floor((64, 40, 20, 10), trials[0].batch_size, rate)
    return measured(f"{networks:,} networks 64-40-20-10, batch 100, Adam", trains, repeats, floor=least)


def deep(device: torch.device, networks: int, batch: int, steps: int, repeats: int) -> Row:
    """Deep CNNs of 28x28 images, in float32 as PyTorch has it (whose convolutions may take TF32 on a GPU)."""
    shape, classes = NATIVE["deep-cnn"]
    data = random_images(shape, classes, 10 * batch)
    trials = [Trial(layers="deep-cnn", optimizer="adam", batch_size=batch, seed=seed) for seed in range(networks)]
    trains = {
        "Koubai": each(koubai(trials, data, device), steps, networks),
        "Koubai, one alone": each(koubai(trials[:1], data, device), steps),
        "plain PyTorch": each(pytorch(trials[0], data, False, device), steps),
        "hand-tuned PyTorch": each(pytorch(trials[0], data, True, device), steps),
    }
    return measured(f"{networks} deep CNNs, 28x28, batch {batch}, Adam", trains, repeats)


def alexnet(device: torch.device, batch: int, steps: int, repeats: int, compiled: bool = True) -> Row:
    """AlexNet in bfloat16: Koubai's, the same layers compiled, and torchvision's (which has fewer filters and no normalization)."""
    shape, classes = NATIVE["alexnet"]
    data = random_images(shape, classes, 4 * batch)
    trial = Trial(layers="alexnet", optimizer="adam", batch_size=batch, dtype="bfloat16")
    how = {"tuned": True, "half": True, "compiled": compiled}
    trains = {
        "Koubai": each(koubai([trial], data, device), steps),
        "the same in PyTorch, compiled": each(pytorch(trial, data, device=device, **how), steps),
    }
    try:
        model = import_module("torchvision.models").alexnet(num_classes=classes)
    except ImportError:
        print("torchvision is not installed: its AlexNet is left out.", file=sys.stderr)
    else:
        x, y = torch.from_numpy(data.x_train).view(-1, *shape).to(device), torch.from_numpy(data.y_train).to(device)
        trains["torchvision's, compiled"] = each(loop(model, x, y, batch, **how), steps)
    return measured(f"AlexNet, {'x'.join(map(str, shape))}, batch {batch}, Adam, bfloat16", trains, repeats)


def main() -> int:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="fewer repeats and steps")
    cli.add_argument("--json", type=Path, default=HERE / "gpu.json")
    chosen = cli.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA GPU that PyTorch can use, so there is nothing to measure.", file=sys.stderr)
        return 2
    device, repeats, steps = torch.device("cuda"), *((3, 20) if chosen.quick else (7, 200))
    rates = {
        str(dtype).removeprefix("torch."): peak(size=8192, device=device, dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }
    rows = [
        notes(device, 1000, steps, repeats, rates["float32"]),
        deep(device, 64, 100, max(2, steps // 20), repeats),
        alexnet(device, 128, max(2, steps // 10), repeats),
    ]
    gpu = torch.cuda.get_device_name(device)
    peaks = ", ".join(f"{dtype} {rate / 1e12:.1f} TFLOP/s" for dtype, rate in rates.items())
    show(rows, f"{gpu}, torch {torch.__version__}; products reach {peaks}; medians, spread in brackets")
    write(chosen.json, rows, gpu=gpu, peaks=rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
