"""``python -m benchmarks.watch [--quick]``: what ``koubai.watch`` adds to a user's own loop: two MLPs, a CNN and a transformer.

Each is trained in turn without a watch, with one, and for comparison with hooks that stay on every module and ask a flag in every
step, several times; milliseconds a step, medians, and by how much they are over the bare loop in the same turn (median, lowest, highest).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

import koubai
from benchmarks.machine import name
from benchmarks.table import HERE, Row, in_turn, row, write

BARE, WATCHED, FLAGS = "bare loop", "watched", "hooks that ask a flag"


def mlp() -> nn.Module:
    """64-100-100-100-10."""
    layers: list[nn.Module] = []
    for width in (64, 100, 100):
        layers += [nn.Linear(width, 100), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(100, 10))


def small() -> nn.Module:
    """64-100-10: a step of 200 microseconds, of which there is little to add to."""
    return nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))


def cnn() -> nn.Module:
    """Two blocks of convolution, batch normalization, ReLU and pooling, for 28x28."""
    blocks: list[nn.Module] = []
    for before, channels in ((1, 16), (16, 32)):
        blocks += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 49, 100), nn.ReLU(), nn.Linear(100, 10))


class Transformer(nn.Module):
    """Two encoder layers of width 64 over 16 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 64)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The mean over the tokens, classified."""
        return self.head(self.encoder(self.words(x)).mean(1))


class Flags:
    """The other way: hooks on every module for good, which look at a flag."""

    def __init__(self, model: nn.Module) -> None:
        self.on = False
        for module in model.modules():
            module.register_forward_hook(self.hook)
            module.register_forward_pre_hook(self.hook)

    def hook(self, *what: Any) -> None:
        """Nothing, as the flag says."""
        if self.on:
            raise AssertionError


WORK: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], int]] = {
    "MLP 64-100-100-100-10, batch 100": (mlp, lambda: torch.randn(100, 64), 3000),
    "MLP 64-100-10, batch 32": (small, lambda: torch.randn(32, 64), 3000),
    "CNN 16-32, 28x28, batch 64": (cnn, lambda: torch.randn(64, 1, 28, 28), 400),
    "transformer, 2 layers of 64, 16 tokens, batch 32": (Transformer, lambda: torch.randint(0, 100, (32, 16)), 600),
}


def seconds(build: Callable[[], nn.Module], draw: Callable[[], Tensor], steps: int, who: str) -> float:
    """Seconds a step."""
    torch.manual_seed(0)
    model, x = build(), draw()
    y = torch.randint(0, 10, (len(x),))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    if who == FLAGS:
        Flags(model)
    begun = time.perf_counter()
    with koubai.watch(model, optimizer) if who == WATCHED else nullcontext() as watch:
        for _ in range(steps):
            loss = F.cross_entropy(model(x), y)
            if watch:
                watch.loss(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return (time.perf_counter() - begun) / steps


def measure(work: str, share: float, repeats: int) -> Row:
    """All three in turn."""
    build, draw, steps = WORK[work]
    steps = round(steps * share)

    def train(who: str) -> Callable[[], float]:
        return lambda: seconds(build, draw, steps, who)

    times = in_turn(work, {who: train(who) for who in (BARE, WATCHED, FLAGS)}, repeats)
    return row(f"{work}, {steps} steps", times)


def main() -> None:
    """Measure, print, write."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--quick", action="store_true", help="fewer repeats and steps: half a minute")
    chosen = cli.parse_args()
    repeats, share = (3, 0.3) if chosen.quick else (7, 1.0)
    seconds(mlp, lambda: torch.randn(100, 64), 50, WATCHED)  # what is imported on the way
    rows = [measure(work, share, repeats) for work in WORK]
    table = Table(title=f"{name()}; ms a step, medians of {repeats}")
    for head in ("work", BARE, WATCHED, "adds", FLAGS, "adds"):
        table.add_column(head, justify="left" if head == "work" else "right")
    for each in rows:
        shown = [each.work, f"{each.times[BARE] / 1e3:.3f}"]
        for who, (middle, low, high) in each.ratios.items():
            shown += [f"{each.times[who] / 1e3:.3f}", f"{middle - 1:+.1%} ({low - 1:+.1%} to {high - 1:+.1%})"]
        table.add_row(*shown)
    Console(width=150).print(table)
    if not chosen.quick:
        write(HERE / "watch.json", rows)


if __name__ == "__main__":
    main()
