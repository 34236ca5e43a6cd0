"""Data sets of the doctor's benchmark whose labels follow a rule: games, switches, places, sequences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.sets import Samples


def plane(label: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Samples]:
    """Points of a square, labelled by where they lie."""

    def make() -> Samples:
        x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 2))
        return x, label(x)

    return make


def noughts() -> Samples:
    """The ends of all games of noughts and crosses: whether the crosses, who begin, have won."""
    lines = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]])
    ends: set[tuple[int, ...]] = set()

    def play(board: np.ndarray, mover: int) -> None:
        if (np.abs(board[lines].sum(1)) == 3).any() or board.all():
            ends.add(tuple(board))
            return
        for cell in np.flatnonzero(board == 0):
            after = board.copy()
            after[cell] = mover
            play(after, -mover)

    play(np.zeros(9, dtype=np.int64), 1)
    x = np.array(sorted(ends))
    return x, (x[:, lines].sum(2) == 3).any(1).astype(np.int64)


def chess() -> Samples:
    """A king and rook against a king, white to move, by files and ranks: whether black could have left it so."""
    at = np.random.default_rng(0).integers(0, 8, (3000, 3, 2))
    king, rook, black = at[:, 0], at[:, 1], at[:, 2]
    same = (king == rook).all(1) | (king == black).all(1) | (rook == black).all(1)
    near = np.abs(king - black).max(1) <= 1
    attacked = np.zeros(len(at), dtype=bool)
    for line, along in ((0, 1), (1, 0)):
        between = (king[:, line] == rook[:, line]) & ((king[:, along] - rook[:, along]) * (king[:, along] - black[:, along]) < 0)
        attacked |= (rook[:, line] == black[:, line]) & ~between
    return at.reshape(len(at), 6), (same | near | attacked).astype(np.int64)


def monk() -> Samples:
    """The first of the monks' problems (Thrun et al. 1991): robots whose head and body are alike or whose jacket is red, one-hot."""
    values = np.stack(np.meshgrid(*map(np.arange, (3, 3, 2, 3, 4, 2)), indexing="ij"), -1).reshape(-1, 6)
    x = np.concatenate([np.eye(count)[values[:, k]] for k, count in enumerate((3, 3, 2, 3, 4, 2))], 1)
    return x, ((values[:, 0] == values[:, 1]) | (values[:, 4] == 0)).astype(np.int64)


def scales() -> Samples:
    """Weights from 1 to 8 at distances from 1 to 8 from a balance's middle: to which side it tips; those at rest are left out."""
    x = np.stack(np.meshgrid(*[np.arange(1, 9)] * 4, indexing="ij"), -1).reshape(-1, 4)
    turn = x[:, 0] * x[:, 1] - x[:, 2] * x[:, 3]
    x, turn = x[turn != 0], turn[turn != 0]
    some = np.random.default_rng(0).permutation(len(x))[:1500]
    return x[some], (turn[some] > 0).astype(np.int64)


def bands() -> Samples:
    """One number, by the stretch that it lies in: five of them belong to three classes in turn."""
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 1))
    return x, np.floor((x[:, 0] + 1.5) / 0.6).astype(np.int64) % 3


def mandelbrot() -> Samples:
    """Points of the plane about Mandelbrot's set: the one in four that lies within, as far as 50 steps tell."""
    c = np.random.default_rng(0).uniform((-2, -1.2), (0.6, 1.2), (3000, 2))
    z = at = c @ np.array([1, 1j])
    for _ in range(50):
        z = np.where(np.abs(z) < 2, z * z + at, 2)
    return c, (np.abs(z) < 2).astype(np.int64)


def life() -> Samples:
    """Conway's game of life: all 512 states of a cell and its neighbours, and whether it lives in the next."""
    x = np.arange(512)[:, None] >> np.arange(9) & 1
    around = x[:, 1:].sum(1)
    return x, ((around == 3) | ((around == 2) & (x[:, 0] == 1))).astype(np.int64)


def switch() -> Samples:
    """All 2048 states of a switch of eight lines: three bits say which of them is passed on."""
    x = np.arange(2048)[:, None] >> np.arange(11) & 1
    return x, x[np.arange(len(x)), 3 + x[:, :3] @ np.array([1, 2, 4])]


def splices() -> Samples:
    """Nine bases about the end of an exon, each as the consensus CAG GTAAGT has it or not, among others that have its GT alone; one-hot."""
    draw = np.random.default_rng(0)
    y = np.arange(2400) % 2
    consensus = np.array(["ACGT".index(base) for base in "CAGGTAAGT"])
    kept = np.array([0.4, 0.6, 0.8, 1, 1, 0.6, 0.7, 0.8, 0.5])  # how often, roughly as Mount 1982 has them
    bases = draw.integers(0, 4, (len(y), 9))
    like = (draw.uniform(size=bases.shape) < kept) & ((y[:, None] == 1) | (kept == 1))
    return np.eye(4)[np.where(like, consensus, bases)].reshape(len(y), -1), y


def votes() -> Samples:
    """All 2048 ways that eleven may vote: whether the ayes have it, where three of them have three votes each and two have two."""
    x = np.arange(2048)[:, None] >> np.arange(11) & 1
    weights = np.array([3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1])
    return x, (x @ weights > weights.sum() / 2).astype(np.int64)


def triangles() -> Samples:
    """Three lengths: whether they make no triangle, one with an obtuse angle, or one with none."""
    x = np.random.default_rng(0).uniform(0.1, 1, (2400, 3))
    short, middle, long = np.sort(x, axis=1).T
    return x, np.where(short + middle < long, 0, np.where(short**2 + middle**2 < long**2, 1, 2))


def star() -> Samples:
    """Points of a square: within a star of five points, or not."""
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 2))
    return x, (np.hypot(*x.T) < 0.9 + 0.35 * np.cos(5 * np.arctan2(x[:, 1], x[:, 0]))).astype(np.int64)


def stripes() -> Samples:
    """Points of a square, in three bent stripes and more, of three classes in turn."""
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 2))
    return x, np.floor((x[:, 1] + 0.5 * np.sin(2 * x[:, 0]) + 2.4) / 0.9).astype(np.int64) % 3
