"""Data sets of the doctor's benchmark that are drawn: solids, curves, and people, animals and fields by chance."""

from __future__ import annotations

import numpy as np

from benchmarks.sets import Samples, chance, halves


def simplex() -> Samples:
    """Clouds about the seven corners of a simplex in six dimensions (after mlbench.simplex, Leisch and Dimitriadou)."""
    draw, y = np.random.default_rng(0), np.arange(2800) % 7
    corners = np.vstack([np.eye(6), np.full(6, (1 - 7**0.5) / 6)])  # every two of them are as far apart
    return corners[y] + draw.normal(0, 0.4, (len(y), 6)), y


def cuboids() -> Samples:
    """Three boxes in space, and points all about that belong to none (after mlbench.cuboids, Leisch and Dimitriadou)."""
    draw = np.random.default_rng(0)
    low = np.array([[0, 0.75, 0], [0.75, 0, 0], [0.4, 0.4, 0.2]])
    high = np.array([[0.6, 1, 1], [1, 0.6, 1], [0.65, 0.65, 0.9]])
    about = draw.uniform(size=(2000, 3))
    about = about[~np.any(np.all((about[:, None] > low) & (about[:, None] < high), 2), 1)][:600]
    return np.vstack([*(draw.uniform(a, b, (600, 3)) for a, b in zip(low, high, strict=True)), about]), np.arange(2400) // 600


def tones() -> Samples:
    """A tone of 24 ticks under noise, of any phase and loudness: of which of four pitches."""
    draw, y = np.random.default_rng(0), np.arange(2800) % 4
    pitch, phase = np.array([1.5, 2.5, 3.5, 4.5])[y, None], draw.uniform(0, 2 * np.pi, (len(y), 1))
    wave = np.sin(2 * np.pi * pitch * np.arange(24) / 24 + phase)
    return draw.uniform(0.7, 1.3, (len(y), 1)) * wave + draw.normal(0, 0.4, wave.shape), y


def pulses() -> Samples:
    """Two pulses in 30 ticks under noise: the first the higher, the second, or both alike."""
    draw, y = np.random.default_rng(0), np.arange(2400) % 3
    first, second = draw.uniform(5, 10, (len(y), 1)), draw.uniform(19, 25, (len(y), 1))
    high = draw.uniform(1.5, 3, (len(y), 1)) * np.array([[1, 0.4], [0.4, 1], [1, 1]])[y]
    bump = [np.exp(-(((np.arange(30) - at) / 1.5) ** 2)) for at in (first, second)]
    return high[:, :1] * bump[0] + high[:, 1:] * bump[1] + draw.normal(0, 0.25, bump[0].shape), y


def doses() -> Samples:
    """240 animals by the logarithm of a dose, weight, age and sex: whether they respond. Chance decides with the dose by weight."""
    draw = np.random.default_rng(0)
    x = np.column_stack([draw.uniform(-1, 2, 240), draw.normal(size=(240, 2)), draw.integers(0, 2, 240)])
    score = 2.5 * (x[:, 0] - 0.5) - x[:, 1] + 1.2 * x[:, 3] - 0.6
    return x, chance(draw, score)


def harvest() -> Samples:
    """320 fields by rain, sun, soil, slope and height: a harvest above the median or not; too much rain is as bad as too little."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(320, 5))
    value = 1.2 * x[:, 2] + 0.8 * x[:, 1] - 0.7 * x[:, 0] ** 2 + draw.normal(0, 0.6, 320)
    return x, halves(value)


def loyalty() -> Samples:
    """2400 customers by years, calls, price and four more: about a third of them leave. Chance decides."""
    draw = np.random.default_rng(0)
    x = np.column_stack([draw.exponential(1, 2400), draw.poisson(2, 2400), draw.normal(size=(2400, 5))])
    score = 1.2 * x[:, 1] - 2 * x[:, 0] + 2 * x[:, 2] * (x[:, 3] > 0) + x[:, 4] - 1.6
    return x, chance(draw, score)


def genes() -> Samples:
    """Twenty genes in four groups that go together, by three kinds of cell: in each some groups stand high or low, the others by chance."""
    draw, y = np.random.default_rng(0), np.arange(2100) % 3
    level = draw.normal(0, 0.8, (len(y), 4)) + np.array([[1.5, 0, -1.5, 0], [-1.5, 1.5, 0, 0], [0, -1.5, 1.5, 0]])[y]
    return np.repeat(level, 5, axis=1) + draw.normal(0, 1, (len(y), 20)), y
