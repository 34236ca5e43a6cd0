"""The rivals of the benchmarks learn what they should: a wrong one would be no rival."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.book import Book


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
