"""Data sets of the doctor's benchmark that Koubai does not bring: scikit-learn's, games and shapes by rule, and others' samplers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Samples = tuple[np.ndarray, np.ndarray]


def scikit(loader: str, **numbers: float) -> Callable[[], Samples]:
    """A data set of scikit-learn, or one that it draws."""

    def make() -> Samples:
        from sklearn import datasets

        if loader.startswith("load"):
            x, y = getattr(datasets, loader)(return_X_y=True)
        else:
            x, y = getattr(datasets, loader)(**numbers)
        return x, np.unique(y, return_inverse=True)[1]

    return make


def plane(label: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Samples]:
    """Points of a square, labelled by where they lie."""

    def make() -> Samples:
        x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 2))
        return x, label(x)

    return make


def roll() -> Samples:
    """A sheet rolled up in space, in three pieces along the roll."""
    from sklearn.datasets import make_swiss_roll

    x, along = make_swiss_roll(1500, noise=0.3, random_state=0)
    return x, np.digitize(along, np.quantile(along, [1 / 3, 2 / 3]))


def friedman() -> Samples:
    """Friedman's function of five of ten features, above its median or below."""
    from sklearn.datasets import make_friedman1

    x, value = make_friedman1(3000, random_state=0)
    return x, (value > np.median(value)).astype(np.int64)


def gapminder() -> Samples:
    """Countries of 1952 to 2007, as plotly brings them: the continent from year, life expectancy, population and income.

    Without Oceania's two: a class as rare as that is an illness of its own.
    """
    import csv
    import gzip
    from importlib.resources import files

    table = files("plotly") / "package_data" / "datasets" / "gapminder.csv.gz"
    lines = gzip.decompress(table.read_bytes()).decode().splitlines()
    rows = [row for row in csv.DictReader(lines) if row["continent"] != "Oceania"]
    x = np.array(
        [[float(row["year"]), float(row["lifeExp"]), *np.log10([float(row["pop"]), float(row["gdpPercap"])])] for row in rows]
    )
    return x, np.unique([row["continent"] for row in rows], return_inverse=True)[1]


def curve() -> Samples:
    """A sheet bent to an S in space, in four pieces along it."""
    from sklearn.datasets import make_s_curve

    x, along = make_s_curve(1500, noise=0.1, random_state=0)
    return x, np.digitize(along, np.quantile(along, [0.25, 0.5, 0.75]))


def waveform() -> Samples:
    """Mixtures of two of three triangular waves under noise (Breiman et al. 1984): 86% is the best that anybody can do."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 3
    at = np.arange(1, 22)
    waves = np.stack([np.maximum(6 - np.abs(at - centre), 0) for centre in (11, 15, 7)])
    one, two = waves[np.array([0, 0, 1])[y]], waves[np.array([1, 2, 2])[y]]
    share = draw.uniform(size=(len(y), 1))
    return share * one + (1 - share) * two + draw.normal(size=(len(y), 21)), y


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


def charts() -> Samples:
    """Readings of a process over 30 ticks: steady, in cycles, drifting up or down, stepping up or down (after Alcock and Manolopoulos)."""
    draw = np.random.default_rng(0)
    y, t = np.arange(3000) % 6, np.arange(30)
    size, at = draw.uniform(0.5, 1.5, (len(y), 1)), draw.uniform(8, 22, (len(y), 1))
    cycle = 2 * np.sin(2 * np.pi * t / draw.uniform(5, 10, (len(y), 1)) + draw.uniform(0, 2 * np.pi, (len(y), 1)))
    drift, step = 4 * (t / 30 - 0.5), 2 * (t >= at)
    shapes = np.stack([np.zeros_like(cycle), cycle, drift + 0 * cycle, -drift + 0 * cycle, step, -step])
    return size * shapes[y, np.arange(len(y))] + draw.normal(0, 0.7, (len(y), 30)), y


def threenorm() -> Samples:
    """Two clouds of one class with one of the other between them, in 20 dimensions (Breiman 1996): 89% is the best that anybody can do."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 2
    away = 2 / 20**0.5
    middle = np.where(np.arange(20) % 2, -away, away)
    side = draw.choice([-away, away], (len(y), 1)) * np.ones(20)
    return np.where(y[:, None] == 1, middle, side) + draw.normal(size=(len(y), 20)), y


def ringnorm() -> Samples:
    """A narrow cloud in a wide one, in 20 dimensions (Breiman 1996)."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 2
    return np.where(y[:, None] == 1, draw.normal(2 / 20**0.5, 1, (len(y), 20)), draw.normal(0, 2, (len(y), 20))), y


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


def diabetes() -> Samples:
    """442 patients: whether their illness goes on faster than the median's after a year. No more than three in four can be told."""
    from sklearn.datasets import load_diabetes

    x, value = load_diabetes(return_X_y=True)
    return x, (value > np.median(value)).astype(np.int64)


def circuit() -> Samples:
    """The impedance of a circuit from its resistance, frequency, inductance and capacity (Friedman 1991), in three thirds."""
    from sklearn.datasets import make_friedman2

    x, value = make_friedman2(2000, noise=0, random_state=0)
    return x, np.digitize(value, np.quantile(value, [1 / 3, 2 / 3]))


def links() -> Samples:
    """Two rings in space, each through the other."""
    draw = np.random.default_rng(0)
    y, turn = np.arange(1500) % 2, draw.uniform(0, 2 * np.pi, 1500)
    flat = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], 1)
    upright = np.stack([1 + np.cos(turn), np.zeros_like(turn), np.sin(turn)], 1)
    return np.where(y[:, None] == 1, upright, flat) + draw.normal(0, 0.15, (1500, 3)), y


def lamps() -> Samples:
    """Digits on a display of seven lamps, each of them wrong one time in ten (Breiman et al. 1984): 74% is the best that anybody can do."""
    lit = ["1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011"]
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 10
    lamps = np.array([[int(lamp) for lamp in digit] for digit in lit])[y]
    return lamps ^ (draw.uniform(size=lamps.shape) < 0.1), y
