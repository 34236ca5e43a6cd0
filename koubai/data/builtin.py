"""The data sets inside the package: nothing to download. Each function returns features ``[sample, feature]`` and labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from koubai.language import Words

Arrays = tuple[np.ndarray, np.ndarray]

SAMPLES = 1000  # of each two-dimensional toy


@dataclass(frozen=True)
class Source:
    """A built-in data set: how it is made, what it is, the shape of one sample and its classes (none: a quantity is to be predicted)."""

    make: Callable[[], Arrays]
    about: Words
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    drawn: bool = False  # labels that have nothing to do with the inputs, on purpose


def digits() -> Arrays:
    """scikit-learn's handwritten digits: 1,797 real images of 8x8, brightness from 0 to 1."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16, y


def moons() -> Arrays:
    """Two half moons, one in the other's arms."""
    from sklearn.datasets import make_moons

    return make_moons(SAMPLES, noise=0.2, random_state=0)


def circles() -> Arrays:
    """A ring around a disc."""
    from sklearn.datasets import make_circles

    return make_circles(SAMPLES, noise=0.1, factor=0.5, random_state=0)


def blobs() -> Arrays:
    """Two clouds that a straight line tells apart."""
    from sklearn.datasets import make_blobs

    return make_blobs(SAMPLES, centers=[(-1.5, -1.5), (1.5, 1.5)], cluster_std=1.0, random_state=0)[:2]


def xor() -> Arrays:
    """Four squares; opposite ones are of one class."""
    draw = np.random.default_rng(0)
    x = draw.uniform(-1, 1, (SAMPLES, 2))
    return x, ((x[:, 0] > 0) != (x[:, 1] > 0)).astype(np.int64)


def spirals() -> Arrays:
    """Two spirals of one and a half turns."""
    draw = np.random.default_rng(0)
    y = np.arange(SAMPLES) % 2
    radius = np.sqrt(draw.uniform(0, 1, SAMPLES))
    angle = radius * 3 * math.pi + y * math.pi
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + draw.normal(0, 0.02, (SAMPLES, 2))
    return x, y


def noise() -> Arrays:
    """Standard normal inputs, 1,000 x 100, with labels that have nothing to do with them: for looking at signals, not for learning."""
    draw = np.random.default_rng(0)
    return draw.standard_normal((1000, 100)), np.arange(1000) % 2


def diabetes() -> Arrays:
    """scikit-learn's diabetes patients: 442 with age, sex, body mass, blood pressure, six blood values, and how far it went in a year."""
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True, scaled=False)


_TWO = ("0", "1")
BUILTIN: dict[str, Source] = {
    "digits": Source(
        digits,
        Words("1,797 real handwritten digits, 8x8, 10 classes", "手書き数字1,797枚(8x8、10クラス)"),
        (8, 8),
        tuple("0123456789"),
    ),
    "moons": Source(moons, Words("two half moons in the plane", "平面上の2つの半月"), (2,), _TWO),
    "circles": Source(circles, Words("a ring around a disc", "円盤とそれを囲む輪"), (2,), _TWO),
    "blobs": Source(blobs, Words("two clouds in the plane", "平面上の2つの点群"), (2,), _TWO),
    "xor": Source(xor, Words("four squares, opposite ones alike", "向かい合う区画が同じクラスの4区画"), (2,), _TWO),
    "spirals": Source(spirals, Words("two spirals in the plane", "平面上の2本の渦"), (2,), _TWO),
    "diabetes": Source(
        diabetes,
        Words(
            "442 diabetes patients, 10 values each; predicts the disease's progress after one year (regression), best with "
            "standardize = true",
            "糖尿病患者442人、各10項目。1年後の進行度を予測する(回帰)。standardize = true を推奨",
        ),
        (10,),
        (),
    ),
    "noise": Source(
        noise,
        Words("1,000 x 100 normal draws with random labels", "1,000x100の正規乱数(ラベルは無関係)"),
        (100,),
        _TWO,
        drawn=True,
    ),
}
