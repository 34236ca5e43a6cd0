"""``python -m benchmarks.images [--quick]``: a step of a convolutional network beside what a user would otherwise write, in one run.

Rivals: plain PyTorch (default layout, ``torch.optim.Adam``), hand-tuned PyTorch (``channels_last``, the fused Adam) and, for the deep
CNN, NumPy by im2col. All train in turn, several times, on the same random images; milliseconds a step, minibatches by indexing
included, ledger and history not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.nn import functional as F

from benchmarks.book import Book
from benchmarks.machine import name, settle
from koubai.blueprint import NATIVE
from koubai.data import Dataset
from koubai.networks.unstack import module
from koubai.spec import Data, Trial
from koubai.training.stack import Stack

DEEP = [(16, 3, 1), (16, 3, 1), (32, 3, 1), (32, 3, 2), (64, 3, 1), (64, 3, 1)]


@dataclass
class Row:
    """Medians of milliseconds a step by rival, and Koubai's advantage over each with its spread over repeats."""

    work: str
    milliseconds: dict[str, float]
    ratios: dict[str, tuple[float, float, float]]


def random_images(shape: Sequence[int], classes: int, samples: int) -> Dataset:
    """Images that only the clock looks at."""
    draw = np.random.default_rng(0)
    x = draw.random((samples, int(np.prod(shape))), dtype=np.float32)
    y = draw.integers(0, classes, samples)
    return Dataset(Data(name="digits"), x, y, x[:1], y[:1], tuple(map(str, range(classes))), tuple(shape))


def koubai(trial: Trial, data: Dataset) -> Callable[[int], None]:
    """A stack of one."""
    stack = Stack([trial], data, torch.device("cpu"))

    def train(steps: int) -> None:
        with torch.no_grad():
            stack.advance(steps)

    return train


def pytorch(trial: Trial, data: Dataset, tuned: bool) -> Callable[[int], None]:
    """The same layers as modules, with autograd."""
    network = Stack([trial], data, torch.device("cpu")).network
    weights = {f"{k}.{p.name}": p.value[0].numpy() for k, layer in enumerate(network.layers) for p in layer.parameters}
    model = module(trial, weights).train()
    images = (1, *data.shape) if len(data.shape) == 2 else data.shape
    x, y = torch.from_numpy(data.x_train).view(-1, *images), torch.from_numpy(data.y_train)
    if tuned:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=tuned)

    def train(steps: int) -> None:
        for _ in range(steps):
            picks = torch.randint(0, len(x), (trial.batch_size,))
            loss = F.cross_entropy(model(x[picks]), y[picks])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return train


def numpy(trial: Trial, data: Dataset) -> Callable[[int], None]:
    """The book's deep CNN."""
    draw, book = np.random.default_rng(0), Book(DEEP, data.shape[-1], 50, len(data.classes))

    def train(steps: int) -> None:
        for _ in range(steps):
            picks = draw.integers(0, len(data.x_train), trial.batch_size)
            book.step(data.x_train[picks].reshape(-1, 1, *data.shape), data.y_train[picks])

    return train


def measure(layers: str, batch: int, steps: int, repeats: int) -> Row:
    """Koubai and its rivals in turn, ``repeats`` times ``steps`` steps each, after one to warm up."""
    shape, classes = NATIVE[layers]
    data = random_images(shape, classes, 4 * batch)
    trial = Trial(layers=layers, optimizer="adam", learning_rate=1e-3, batch_size=batch)
    rivals = {
        "Koubai": koubai(trial, data),
        "plain PyTorch": pytorch(trial, data, False),
        "hand-tuned": pytorch(trial, data, True),
    }
    if layers == "deep-cnn":
        rivals["NumPy"] = numpy(trial, data)
    times: dict[str, list[float]] = {rival: [] for rival in rivals}
    for train in rivals.values():
        train(1)
    for _ in track(range(repeats), layers, console=Console(stderr=True)):
        for rival, train in rivals.items():
            settle()
            train(1)  # its own memory back in the cache
            begun = time.perf_counter()
            train(steps)
            times[rival].append((time.perf_counter() - begun) / steps * 1e3)
    ratios = {}
    for rival in [*rivals][1:]:
        each = [there / ours for there, ours in zip(times[rival], times["Koubai"], strict=True)]
        ratios[rival] = (statistics.median(each), min(each), max(each))
    middle = {rival: statistics.median(values) for rival, values in times.items()}
    return Row(f"{layers}, {'x'.join(map(str, shape))}, batch {batch}, Adam", middle, ratios)


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="the deep CNN alone, fewer repeats")
    cli.add_argument("--json", type=Path, default=Path(__file__).with_name("images.json"))
    chosen = cli.parse_args()
    rows = [measure("deep-cnn", 100, 5, 3 if chosen.quick else 9)]
    if not chosen.quick:
        rows.append(measure("alexnet", 16, 1, 7))
    table = Table(title=f"{name()}; ms a step, medians; times as fast as the rival, with the spread over repeats")
    for head in ("work", "Koubai", "plain PyTorch", "hand-tuned", "NumPy"):
        table.add_column(head, justify="left" if head == "work" else "right")
    for row in rows:
        cells = [f"{row.milliseconds['Koubai']:.0f}"]
        for rival in ("plain PyTorch", "hand-tuned", "NumPy"):
            if rival in row.ratios:
                middle, low, high = row.ratios[rival]
                cells.append(f"{row.milliseconds[rival]:.0f}: {middle:.2f} ({low:.2f}-{high:.2f})")
        table.add_row(row.work, *cells)
    Console(width=160).print(table)
    chosen.json.write_text(json.dumps({"machine": name(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
