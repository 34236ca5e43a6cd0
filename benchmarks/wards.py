"""The data sets of the doctor's benchmark, in two parts that share none, and the same sets spoiled in known ways."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koubai.data import load
from koubai.spec import Data

FEW = 2000  # training samples of the large sets


@dataclass(frozen=True)
class Ward:
    """A data set and a recipe that suits it: widths (or a chain of layers), steps and minibatch. ``images``: inputs are from 0 to 1."""

    name: str
    source: Callable[[], tuple[np.ndarray, np.ndarray]] | Data
    half: str
    width: int = 24
    steps: int = 500
    batch: int = 32
    images: bool = False


def _sklearn(loader: str, **numbers: float) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def make() -> tuple[np.ndarray, np.ndarray]:
        from sklearn import datasets

        if loader.startswith("load"):
            x, y = getattr(datasets, loader)(return_X_y=True)
        else:
            x, y = getattr(datasets, loader)(**numbers)
        return x, np.unique(y, return_inverse=True)[1]

    return make


def _patches() -> tuple[np.ndarray, np.ndarray]:
    """Grey patches of 10x10 out of scikit-learn's two photographs: sky, building, flower."""
    from sklearn.datasets import load_sample_images

    draw = np.random.default_rng(0)
    temple, flower = (image.mean(2) / 255 for image in load_sample_images().images)
    pictures = (temple[:180], temple[200:], flower)
    y = np.arange(FEW + 1000) % 3
    corners = [(draw.integers(0, len(pictures[k]) - 10), draw.integers(0, pictures[k].shape[1] - 10)) for k in y]
    return np.stack([pictures[k][a : a + 10, b : b + 10] for k, (a, b) in zip(y, corners, strict=True)]), y


def _plane(label: Callable[[np.ndarray], np.ndarray]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """Points of a square, labelled by where they lie."""

    def make() -> tuple[np.ndarray, np.ndarray]:
        x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 2))
        return x, label(x)

    return make


def _roll() -> tuple[np.ndarray, np.ndarray]:
    """A sheet rolled up in space, in three pieces along the roll."""
    from sklearn.datasets import make_swiss_roll

    x, along = make_swiss_roll(1500, noise=0.3, random_state=0)
    return x, np.digitize(along, np.quantile(along, [1 / 3, 2 / 3]))


def _friedman() -> tuple[np.ndarray, np.ndarray]:
    """Friedman's function of five of ten features, above its median or below."""
    from sklearn.datasets import make_friedman1

    x, value = make_friedman1(3000, random_state=0)
    return x, (value > np.median(value)).astype(np.int64)


def _gratings() -> tuple[np.ndarray, np.ndarray]:
    """Images of 10x10: waves in four directions, of any phase and of many lengths, under noise."""
    draw = np.random.default_rng(0)
    y = np.arange(FEW + 1000) % 4
    length, phase = draw.uniform(3, 6, len(y)), draw.uniform(0, 2 * np.pi, len(y))
    angle = y * np.pi / 4 + draw.normal(0, 0.15, len(y))
    down, right = np.mgrid[:10, :10]
    along = np.cos(angle)[:, None, None] * right + np.sin(angle)[:, None, None] * down
    waves = np.sin(2 * np.pi * along / length[:, None, None] + phase[:, None, None])
    return np.clip(0.5 + 0.3 * waves + draw.normal(0, 0.15, waves.shape), 0, 1), y


def _gapminder() -> tuple[np.ndarray, np.ndarray]:
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


def _curve() -> tuple[np.ndarray, np.ndarray]:
    """A sheet bent to an S in space, in four pieces along it."""
    from sklearn.datasets import make_s_curve

    x, along = make_s_curve(1500, noise=0.1, random_state=0)
    return x, np.digitize(along, np.quantile(along, [0.25, 0.5, 0.75]))


def _waveform() -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of two of three triangular waves under noise (Breiman et al. 1984): 86% is the best that anybody can do."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 3
    at = np.arange(1, 22)
    waves = np.stack([np.maximum(6 - np.abs(at - centre), 0) for centre in (11, 15, 7)])
    one, two = waves[np.array([0, 0, 1])[y]], waves[np.array([1, 2, 2])[y]]
    share = draw.uniform(size=(len(y), 1))
    return share * one + (1 - share) * two + draw.normal(size=(len(y), 21)), y


def _noughts() -> tuple[np.ndarray, np.ndarray]:
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


_SPECIES = {"n_samples": 3000, "n_features": 16, "n_informative": 10, "n_classes": 4, "class_sep": 2.0, "random_state": 1}
_CLOUDS = {"n_samples": 2000, "n_features": 12, "n_informative": 8, "n_classes": 3, "class_sep": 2.0, "random_state": 0}
_QUANTILES = {"n_samples": 1500, "n_features": 2, "n_classes": 3, "random_state": 0}
TUNED, HELD = "tuned", "held out"
WARDS = (
    Ward("digits", Data(name="digits"), TUNED, 48, 600, images=True),
    Ward("moons", Data(name="moons"), TUNED, 20, 1500),
    Ward("circles", Data(name="circles"), TUNED, 20, 1500),
    Ward("wine", _sklearn("load_wine"), TUNED, batch=16),
    Ward("iris", _sklearn("load_iris"), TUNED, batch=16),
    Ward("clouds", _sklearn("make_classification", **_CLOUDS), TUNED, 32, 900),
    Ward("fashion-mnist", Data(name="fashion-mnist", samples=FEW), TUNED, 64, 600, images=True),
    Ward("breast-cancer", _sklearn("load_breast_cancer"), TUNED),
    Ward("spirals", Data(name="spirals"), TUNED, 40, 2500),
    Ward("blobs", Data(name="blobs"), TUNED, 20),
    Ward("xor", Data(name="xor"), TUNED, 20, 1500),
    Ward("quantiles", _sklearn("make_gaussian_quantiles", **_QUANTILES), TUNED, 32, 1500),
    Ward("patches", _patches, TUNED, 48, 600, images=True),
    Ward("checkerboard", _plane(lambda x: (np.floor(x).sum(1) % 2).astype(np.int64)), TUNED, 40, 2000),
    Ward("rings", _plane(lambda x: np.minimum(np.hypot(*x.T) / 0.6, 2).astype(np.int64)), TUNED, 24, 1500),
    Ward("roll", _roll, TUNED, 32, 1500),
    Ward("friedman", _friedman, TUNED, 32, 900),
    Ward("species", _sklearn("make_classification", **_SPECIES), TUNED, 32, 900),
    Ward("gratings", _gratings, HELD, 48, 600, images=True),
    Ward("gapminder", _gapminder, HELD, 32, 1500),
    Ward("curve", _curve, HELD, 32, 1500),
    Ward("waveform", _waveform, HELD, 32, 900),
    Ward("hastie", _sklearn("make_hastie_10_2", n_samples=3000, random_state=0), HELD, 32, 1500),
    Ward("noughts", _noughts, HELD, 32, 1200),
)  # fmt: skip


def parts(ward: Ward) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training samples and labels, test samples and labels; images keep their shape."""
    if isinstance(ward.source, Data):
        data = load(ward.source)
        shape = (-1, *data.shape)
        test = slice(0, 1000)
        x, x_test = (np.asarray(part).reshape(shape) for part in (data.x_train, data.x_validation[test]))
        return x, data.y_train, x_test, data.y_validation[test]
    x, y = ward.source()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order]
    cut = 2 * len(x) // 3
    return x[:cut], y[:cut], x[cut:], y[cut:]


def spoiled(ward: Ward, how: str, folder: Path) -> str:
    """The path of the set, written into ``folder``: ``"plain"``, or one of the ``SPOILS``."""
    path = folder / f"{ward.name}-{how}.npz"
    if not path.exists():
        arrays = parts(ward)
        draw = np.random.default_rng(zlib.crc32(path.name.encode()))
        x, y, x_test, y_test = (
            arrays if how == "plain" else SPOILS[how.partition("-")[0]](draw, int(how.partition("-")[2]), *arrays)
        )
        np.savez(path, x_train=x.astype(np.float32), y_train=y, x_test=x_test.astype(np.float32), y_test=y_test)
    return str(path)


Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def scaled(draw: np.random.Generator, size: int, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Parts:
    """Each feature in a unit of its own, up to ``size``, away from 0."""
    scale = size * 10 ** draw.uniform(-1, 0, x.shape[1:])
    offset = scale * draw.uniform(-3, 3, x.shape[1:])
    x, x_test = ((part - x.mean(0)) / (x.std(0) + 1e-3) for part in (x, x_test))
    return x * scale + offset, y, x_test * scale + offset, y_test


def shuffled(
    draw: np.random.Generator, share: int, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> Parts:
    """The labels of ``share`` percent of the training samples permuted; of all samples at 100."""
    y = y.copy()
    rows = draw.permutation(len(y))[: len(y) * share // 100]
    y[rows] = draw.permutation(y[rows])
    return x, y, x_test, draw.permutation(y_test) if share == 100 else y_test


def uneven(draw: np.random.Generator, share: int, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Parts:
    """Of the second half of the classes only ``share`` percent of the training samples, at least 3 of each; the test part as it was."""
    kept = np.ones(len(y), dtype=bool)
    for label in range((y.max() + 1) // 2 + (y.max() + 1) % 2, y.max() + 1):
        rows = np.flatnonzero(y == label)
        kept[rows[max(3, len(rows) * share // 100) :]] = False
    return x[kept], y[kept], x_test, y_test


SPOILS = {"scaled": scaled, "shuffled": shuffled, "uneven": uneven}
