"""``python -m benchmarks.images [--quick]``: a step of a convolutional network beside what a user would otherwise write, in one run.

Rivals: plain PyTorch (default layout, ``torch.optim.Adam``), hand-tuned PyTorch (``channels_last``, the fused Adam) and, for the deep
CNN, NumPy by im2col; beside them Koubai itself in bfloat16. All train in turn, several times, on the same random images; milliseconds
a step, minibatches by indexing included, ledger and history not.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.book import Book
from benchmarks.machine import name
from benchmarks.rivals import CPU, finish
from benchmarks.table import HERE, Row, in_turn, row, show, write
from koubai.blueprint import NATIVE
from koubai.data import Dataset
from koubai.networks.unstack import module
from koubai.spec import Data, Trial
from koubai.training import Training
from koubai.training.kernels import products
from koubai.training.stack import Stack

DEEP = [(16, 3, 1), (16, 3, 1), (32, 3, 1), (32, 3, 2), (64, 3, 1), (64, 3, 1)]


def random_images(shape: Sequence[int], classes: int, samples: int) -> Dataset:
    """Images that only the clock looks at."""
    draw = np.random.default_rng(0)
    x = draw.random((samples, int(np.prod(shape))), dtype=np.float32)
    y = draw.integers(0, classes, samples)
    return Dataset(Data(name="digits"), x, y, x[:1], y[:1], tuple(map(str, range(classes))), tuple(shape))


def koubai(trials: Sequence[Trial], data: Dataset, device: torch.device = CPU) -> Callable[[int], None]:
    """A stack of these."""
    training = Training(trials, data, device)

    def train(steps: int) -> None:
        with torch.no_grad(), products(training.onednn):
            training.stack.advance(steps)
        finish(device)

    return train


def pytorch(
    trial: Trial, data: Dataset, tuned: bool, device: torch.device = CPU, half: bool = False, compiled: bool = False
) -> Callable[[int], None]:
    """The same layers as modules, with autograd; with ``half`` under autocast to bfloat16."""
    network = Stack([trial], data, CPU).network
    weights = {f"{k}.{p.name}": p.value[0].numpy() for k, layer in enumerate(network.layers) for p in layer.parameters}
    model = module(trial, weights).train()
    images = (1, *data.shape) if len(data.shape) == 2 else data.shape
    x, y = torch.from_numpy(data.x_train).view(-1, *images), torch.from_numpy(data.y_train)
    return loop(model, x.to(device), y.to(device), trial.batch_size, tuned, half, compiled)


def loop(model: nn.Module, x: Tensor, y: Tensor, batch: int, tuned: bool, half: bool, compiled: bool) -> Callable[[int], None]:
    """The training of a module on images that lie where it trains; ``tuned`` with the layout and the Adam that are fastest."""
    model = model.to(x.device)
    if tuned:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=tuned)
    forward = torch.compile(model) if compiled else model

    def train(steps: int) -> None:
        for _ in range(steps):
            picks = torch.randint(0, len(x), (batch,), device=x.device)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(forward(x[picks]), y[picks])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        finish(x.device)

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
        "Koubai": koubai([trial], data),
        "plain PyTorch": pytorch(trial, data, False),
        "hand-tuned PyTorch": pytorch(trial, data, True),
        "Koubai in bfloat16": koubai([trial.replace({"dtype": "bfloat16"})], data),
    }
    if layers == "deep-cnn":
        rivals["NumPy im2col"] = numpy(trial, data)

    times = in_turn(layers, {who: functools.partial(timed, train, steps) for who, train in rivals.items()}, repeats)
    return row(f"{layers}, {'x'.join(map(str, shape))}, batch {batch}, Adam", times)


def timed(train: Callable[[int], None], steps: int) -> float:
    """Seconds a step."""
    train(1)  # its own memory back in the cache
    begun = time.perf_counter()
    train(steps)
    return (time.perf_counter() - begun) / steps


def rows(quick: bool) -> list[Row]:
    """The deep CNN, and AlexNet unless it must be quick."""
    deep = measure("deep-cnn", 100, *((2, 3) if quick else (5, 9)))
    return [deep] if quick else [deep, measure("alexnet", 16, 1, 7)]


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="the deep CNN alone, fewer repeats")
    cli.add_argument("--json", type=Path, default=HERE / "images.json")
    chosen = cli.parse_args()
    found = rows(chosen.quick)
    show(found, f"{name()}; medians, spread in brackets")
    write(chosen.json, found)


if __name__ == "__main__":
    main()
