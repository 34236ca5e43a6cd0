"""The rivals of the benchmarks learn what they should: a wrong one would be no rival."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import gpu
from benchmarks.book import Book
from benchmarks.compare import compared
from benchmarks.rivals import OPTIMIZERS, loop, modules
from koubai.data import Dataset
from koubai.spec import Trial


def test_the_books_gradients_are_autograds() -> None:
    convs = [(3, 3, 1), (4, 3, 2), (5, 3, 1), (6, 3, 1)]
    book = Book(convs, 6, 7, 5)
    layers: list[nn.Module] = []
    channels = 1
    for k, (width, side, pad) in enumerate(convs):
        layers += [nn.Conv2d(channels, width, side, padding=pad), nn.ReLU(), *[nn.MaxPool2d(2)] * (k % 2)]
        channels = width
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(24, 7), nn.ReLU(), nn.Linear(7, 5))
    weighted = [layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for layer, weight, bias in zip(weighted, book.parameters[::2], book.parameters[1::2], strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T.copy()).view_as(layer.weight))
            layer.bias.copy_(torch.from_numpy(bias))
    draw = np.random.default_rng(1)
    x, y = draw.standard_normal((4, 1, 6, 6), dtype=np.float32), draw.integers(0, 5, 4)
    F.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    book.step(x, y)  # Adam's first average is a tenth of the gradient
    for layer, weight, bias in zip(weighted, book.m[::2], book.m[1::2], strict=True):
        torch.testing.assert_close(
            torch.from_numpy(weight.T * 10).reshape(layer.weight.shape), layer.weight.grad, rtol=1e-3, atol=1e-5
        )
        torch.testing.assert_close(torch.from_numpy(bias * 10), layer.bias.grad, rtol=1e-3, atol=1e-5)


RATES = {"sgd": 0.5, "momentum": 0.1}


def test_every_rival_learns(digits: Dataset) -> None:
    """After some steps the loss of each kind of plain network is far below that of guessing."""
    for fields in (
        {},
        {"batch_norm": "before", "dropout": 0.1},
        *({"optimizer": name, "learning_rate": RATES.get(name, 0.01)} for name in OPTIMIZERS),
    ):
        trial = Trial(layers=[40, 20], **{"optimizer": "adam", "learning_rate": 0.01, **fields})
        torch.manual_seed(0)
        model = modules(trial, digits.features, 10)
        x, y = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
        loop(model, OPTIMIZERS[trial.optimizer.name](model.parameters(), lr=trial.learning_rate), x, y, 100, 150)
        assert F.cross_entropy(model.eval()(x), y).item() < 0.9 * np.log(10), fields


def test_a_regression_is_what_lies_below_the_old_spread() -> None:
    def file(middle: float, low: float, high: float) -> dict[str, Any]:
        return {"machine": "", "rows": [{"work": "w", "ratios": {"plain": [middle, low, high]}}]}

    def lost(old: dict[str, Any], new: dict[str, Any]) -> bool:
        ((*_, slower),) = compared(old, new)
        return slower

    assert lost(file(20, 19, 21), file(15, 14, 16))
    assert not lost(file(20, 19, 21), file(19, 18, 20)), "within a tenth"
    assert not lost(file(20, 14, 21), file(15, 14, 16)), "within the old run's spread"
    assert not lost(file(20, 19, 21), file(25, 24, 26))
    assert compared(file(20, 19, 21), {"rows": [{"work": "another", "ratios": {}}]}) == []


@pytest.mark.parametrize("work", ["notes", "deep", pytest.param("alexnet", marks=pytest.mark.slow)])
def test_what_is_measured_on_a_gpu_trains_anywhere(work: str, cpu: torch.device) -> None:
    row = {
        "notes": lambda: gpu.notes(cpu, networks=12, steps=2, repeats=1, rate=1e11),
        "deep": lambda: gpu.deep(cpu, networks=2, batch=3, steps=1, repeats=1),
        "alexnet": lambda: gpu.alexnet(cpu, batch=2, steps=1, repeats=1, compiled=False),
    }[work]()
    assert next(iter(row.times)) == "Koubai" and len(row.ratios) >= 1
    assert all(time > 0 for time in row.times.values())


def test_without_a_gpu_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks.gpu"])
    assert gpu.main() == 2
    assert capsys.readouterr().err == "There is no CUDA GPU that PyTorch can use, so there is nothing to measure.\n"
