"""Data sets of the doctor's benchmark that Koubai does not bring: scikit-learn's, plotly's, and others' samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Samples = tuple[np.ndarray, np.ndarray]


def scikit(loader: str, **numbers: Any) -> Callable[[], Samples]:
    """A data set of scikit-learn, or one that it draws."""

    def make() -> Samples:
        from sklearn import datasets

        if loader.startswith("load"):
            x, y = getattr(datasets, loader)(return_X_y=True)
        else:
            x, y = getattr(datasets, loader)(**numbers)
        return x, np.unique(y, return_inverse=True)[1]

    return make


def halves(value: np.ndarray) -> np.ndarray:
    """Whether a quantity ``[sample]`` is above its median, as classes."""
    return (value > np.median(value)).astype(np.int64)


def thirds(value: np.ndarray) -> np.ndarray:
    """Three classes of as many samples, by a quantity ``[sample]``."""
    return np.asarray(np.digitize(value, np.quantile(value, [1 / 3, 2 / 3])))


def chance(draw: np.random.Generator, score: np.ndarray) -> np.ndarray:
    """Two classes, drawn: the second with the sigmoid of a score ``[sample]`` as its probability."""
    return (draw.uniform(size=len(score)) < 1 / (1 + np.exp(-score))).astype(np.int64)


def roll() -> Samples:
    """A sheet rolled up in space, in three pieces along the roll."""
    from sklearn.datasets import make_swiss_roll

    x, along = make_swiss_roll(1500, noise=0.3, random_state=0)
    return x, thirds(along)


def friedman() -> Samples:
    """Friedman's function of five of ten features, above its median or below."""
    from sklearn.datasets import make_friedman1

    x, value = make_friedman1(3000, random_state=0)
    return x, halves(value)


def plotly(name: str) -> list[dict[str, str]]:
    """The rows of a table that plotly brings."""
    import csv
    import gzip
    from importlib.resources import files

    table = files("plotly") / "package_data" / "datasets" / f"{name}.csv.gz"
    return list(csv.DictReader(gzip.decompress(table.read_bytes()).decode().splitlines()))


def gapminder() -> Samples:
    """Countries of 1952 to 2007: the continent from year, life expectancy, population and income.

    Without Oceania's two: a class as rare as that is an illness of its own.
    """
    rows = [row for row in plotly("gapminder") if row["continent"] != "Oceania"]
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


def diabetes() -> Samples:
    """442 patients: whether their illness goes on faster than the median's after a year. No more than three in four can be told."""
    from sklearn.datasets import load_diabetes

    x, value = load_diabetes(return_X_y=True)
    return x, halves(value)


def circuit() -> Samples:
    """The impedance of a circuit from its resistance, frequency, inductance and capacity (Friedman 1991), in three thirds."""
    from sklearn.datasets import make_friedman2

    x, value = make_friedman2(2000, noise=0, random_state=0)
    return x, thirds(value)


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


def tips() -> Samples:
    """244 bills of a restaurant: whether the tip is above the median, from bill, guests, who paid, smoke, evening and weekend."""
    rows = plotly("tips")
    yes = {"sex": "Male", "smoker": "Yes", "time": "Dinner"}
    x = [
        [float(row["total_bill"]), float(row["size"]), *(row[part] == word for part, word in yes.items()), row["day"][0] == "S"]
        for row in rows
    ]
    value = np.array([float(row["tip"]) for row in rows])
    return np.array(x, dtype=np.float64), halves(value)


def clinic() -> Samples:
    """270 patients by age, four measures and five signs that are there or not; some of them count, and chance decides with them."""
    draw = np.random.default_rng(0)
    x = np.hstack([draw.normal(size=(270, 5)), draw.uniform(size=(270, 5)) < [0.2, 0.3, 0.5, 0.5, 0.7]])
    score = 1.2 * x[:, 0] + x[:, 1] * x[:, 7] + 0.8 * x[:, 2] + 2 * x[:, 5] - 1.5 * x[:, 6]
    return x, chance(draw, score)


def sparse() -> Samples:
    """300 points of ten features, of which four say something: above 0 or below, under noise (Celeux et al. 2012)."""
    from sklearn.datasets import make_sparse_uncorrelated

    x, value = make_sparse_uncorrelated(300, random_state=0)
    return x, (value > 0).astype(np.int64)


def arctan() -> Samples:
    """The phase of a circuit from its resistance, frequency, inductance and capacity (Friedman 1991), in three thirds."""
    from sklearn.datasets import make_friedman3

    x, value = make_friedman3(2000, noise=0, random_state=0)
    return x, thirds(value)


def credit() -> Samples:
    """Loans, of which about one in five fails: more likely with debt, less with income, and both together count more. Chance decides."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 8))
    score = 2.5 * x[:, 0] - 2 * x[:, 1] + 1.5 * x[:, 0] * x[:, 2] + 1.5 * (x[:, 3] > 0.5) - 3.2
    return x, chance(draw, score)


def vowels() -> Samples:
    """Ten vowels of English by their first three formants, of men and women (means of Peterson and Barney 1952), each off by some 7%."""
    men = [
        (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
        (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
    ]  # fmt: skip
    women = [
        (310, 2790, 3310), (430, 2480, 3070), (610, 2330, 2990), (860, 2050, 2850), (850, 1220, 2810),
        (590, 920, 2710), (470, 1160, 2680), (370, 950, 2670), (760, 1400, 2780), (500, 1640, 1960),
    ]  # fmt: skip
    draw, means = np.random.default_rng(0), np.log([men, women])
    y = np.arange(3000) % 10
    return means[draw.integers(0, 2, len(y)), y] + draw.normal(0, 0.07, (len(y), 3)), y


def twonorm() -> Samples:
    """Two clouds in 20 dimensions (Breiman 1996): 98% is the best that anybody can do."""
    y = np.arange(1500) % 2
    return np.random.default_rng(0).normal(size=(len(y), 20)) + 2 / 20**0.5 * (2 * y[:, None] - 1), y


def cylinders() -> Samples:
    """Curves of 32 ticks under noise: one stretch of them high, rising or falling (cylinder, bell and funnel, Saito 1994)."""
    draw = np.random.default_rng(0)
    y, t = np.arange(1800) % 3, np.arange(32)
    begin = draw.uniform(4, 8, (len(y), 1))
    width = draw.uniform(8, 24, (len(y), 1))
    part = (t - begin) / width
    within = (part >= 0) & (part <= 1)
    shapes = np.stack([np.ones_like(part), part, 1 - part]) * within
    return draw.normal(6, 1, (len(y), 1)) * shapes[y, np.arange(len(y))] + draw.normal(size=part.shape), y


def wealth() -> Samples:
    """Countries of 1952 to 2007: their income in thirds, from year, life expectancy, population and continent (one-hot)."""
    rows = plotly("gapminder")
    lands = np.unique([row["continent"] for row in rows], return_inverse=True)[1]
    x = [[float(row["year"]), float(row["lifeExp"]), np.log10(float(row["pop"]))] for row in rows]
    income = np.array([float(row["gdpPercap"]) for row in rows])
    return np.hstack([x, np.eye(5)[lands]]), thirds(income)


def zones() -> Samples:
    """Places of the world's time zones by latitude and longitude: Africa, America, Asia, Europe or the Pacific."""
    from importlib.resources import files

    lines = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[1:3] for line in lines if line and line[0] != "#"]
    rows = [row for row in rows if row[1].partition("/")[0] in ("Africa", "America", "Asia", "Europe", "Pacific")]

    def degrees(text: str) -> float:
        """``+4230`` or ``-0613535``: degrees, of two digits or three, minutes, and seconds or none."""
        whole = 2 + (len(text) % 2 == 0)
        parts = [int(text[1 : 1 + whole]), int(text[1 + whole : 3 + whole]), int(text[3 + whole :] or 0)]
        return (1 if text[0] == "+" else -1) * (parts[0] + parts[1] / 60 + parts[2] / 3600)

    cuts = [max(at.rfind("+"), at.rfind("-")) for at, _ in rows]
    x = [[degrees(at[:cut]), degrees(at[cut:])] for (at, _), cut in zip(rows, cuts, strict=True)]
    return np.array(x), np.unique([name.partition("/")[0] for _, name in rows], return_inverse=True)[1]


def sepals() -> Samples:
    """150 irises: their species by the sepals alone, of which no more than about four in five can be told."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return x[:, :2], y


def sexes() -> Samples:
    """442 patients with diabetes: of which sex they are, by age, weight, blood pressure and six measures of blood."""
    from sklearn.datasets import load_diabetes

    x = load_diabetes(return_X_y=True)[0]
    return np.delete(x, 1, axis=1), (x[:, 1] > 0).astype(np.int64)
