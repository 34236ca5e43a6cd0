"""The competitors, in full: what a good engineer would write for one network. Each trains ``steps`` steps and returns its seconds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn


def plain_pytorch(x: np.ndarray, y: np.ndarray, sizes: Sequence[int], batch: int, steps: int) -> float:
    """Modules, ``torch.optim.Adam``, minibatches by indexing, no DataLoader, no logging."""
    features, labels = torch.from_numpy(x), torch.from_numpy(y)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    begun = time.perf_counter()
    for _ in range(steps):
        picks = torch.randint(0, len(features), (batch,))
        loss = criterion(model(features[picks]), labels[picks])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def numpy_by_hand(x: np.ndarray, y: np.ndarray, sizes: Sequence[int], batch: int, steps: int) -> float:
    """The chain rule in NumPy, float32, Adam, as textbooks write it."""
    draw = np.random.default_rng(0)
    shapes = list(itertools.pairwise(sizes))
    weights = [(draw.standard_normal(s) * np.sqrt(2 / s[0])).astype(np.float32) for s in shapes]
    biases = [np.zeros(s[1], np.float32) for s in shapes]
    parameters = [*weights, *biases]
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    begun = time.perf_counter()
    for t in range(1, steps + 1):
        picks = draw.integers(0, len(x), batch)
        values = [x[picks]]
        for w, b in zip(weights, biases, strict=True):
            z = values[-1] @ w + b
            values.append(np.maximum(z, 0) if w is not weights[-1] else z)
        p = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(batch), y[picks]] -= 1
        d = p / batch
        d_weights: list[np.ndarray] = []
        d_biases: list[np.ndarray] = []
        for k in range(len(weights) - 1, -1, -1):
            d_weights.insert(0, values[k].T @ d)
            d_biases.insert(0, d.sum(0))
            if k:
                d = (d @ weights[k].T) * (values[k] > 0)
        for k, (parameter, gradient) in enumerate(zip(parameters, [*d_weights, *d_biases], strict=True)):
            m[k] += 0.1 * (gradient - m[k])
            v[k] += 0.001 * (gradient * gradient - v[k])
            parameter -= np.float32(1e-3 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)) * m[k] / (np.sqrt(v[k]) + 1e-8)
    return time.perf_counter() - begun
