"""The data sets of the doctor's benchmark, in two parts that share none, and the same sets spoiled in known ways."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import pictures, rules, samplers, sets
from benchmarks.sets import scikit
from koubai.data import load
from koubai.spec import Data

FEW = 2000  # training samples of the large sets


@dataclass(frozen=True)
class Ward:
    """A data set and a recipe that suits it: the first layer's width, steps and minibatch. ``images``: inputs are from 0 to 1."""

    name: str
    source: Callable[[], tuple[np.ndarray, np.ndarray]] | Data
    half: str
    width: int = 24
    steps: int = 500
    batch: int = 32
    images: bool = False


_SPECIES = {"n_samples": 3000, "n_features": 16, "n_informative": 10, "n_classes": 4, "class_sep": 2.0, "random_state": 1}
_CLOUDS = {"n_samples": 2000, "n_features": 12, "n_informative": 8, "n_classes": 3, "class_sep": 2.0, "random_state": 0}
_CROWD = {"n_samples": 3000, "centers": 12, "n_features": 4, "cluster_std": 2.0, "center_box": (-5, 5), "random_state": 0}
_QUANTILES = {"n_samples": 1500, "n_features": 2, "n_classes": 3, "random_state": 0}
TUNED, HELD = "tuned", "held out"
WARDS = (
    Ward("digits", Data(name="digits"), TUNED, 48, 600, images=True),
    Ward("moons", Data(name="moons"), TUNED, 20, 1500),
    Ward("circles", Data(name="circles"), TUNED, 20, 1500),
    Ward("wine", scikit("load_wine"), TUNED, batch=16),
    Ward("iris", scikit("load_iris"), TUNED, batch=16),
    Ward("clouds", scikit("make_classification", **_CLOUDS), TUNED, 32, 900),
    Ward("fashion-mnist", Data(name="fashion-mnist", samples=FEW), TUNED, 64, 600, images=True),
    Ward("breast-cancer", scikit("load_breast_cancer"), TUNED),
    Ward("spirals", Data(name="spirals"), TUNED, 40, 2500),
    Ward("blobs", Data(name="blobs"), TUNED, 20),
    Ward("xor", Data(name="xor"), TUNED, 20, 1500),
    Ward("quantiles", scikit("make_gaussian_quantiles", **_QUANTILES), TUNED, 32, 1500),
    Ward("patches", pictures.patches, TUNED, 48, 600, images=True),
    Ward("checkerboard", rules.plane(lambda x: (np.floor(x).sum(1) % 2).astype(np.int64)), TUNED, 40, 2000),
    Ward("rings", rules.plane(lambda x: np.minimum(np.hypot(*x.T) / 0.6, 2).astype(np.int64)), TUNED, 24, 1500),
    Ward("roll", sets.roll, TUNED, 32, 1500),
    Ward("friedman", sets.friedman, TUNED, 32, 900),
    Ward("species", scikit("make_classification", **_SPECIES), TUNED, 32, 900),
    Ward("gratings", pictures.gratings, TUNED, 48, 600, images=True),
    Ward("gapminder", sets.gapminder, TUNED, 32, 1500),
    Ward("curve", sets.curve, TUNED, 32, 1500),
    Ward("waveform", sets.waveform, TUNED, 32, 900),
    Ward("hastie", scikit("make_hastie_10_2", n_samples=3000, random_state=0), TUNED, 32, 1500),
    Ward("noughts", rules.noughts, TUNED, 32, 1200),
    Ward("shapes", pictures.shapes, TUNED, 48, 900, images=True),
    Ward("tops", pictures.clothes(0, 2, 4, 6), TUNED, 64, 600, images=True),
    Ward("threenorm", sets.threenorm, TUNED, 32),
    Ward("scales", rules.scales, TUNED, 24, 1000),
    Ward("circuit", sets.circuit, TUNED, 32, 900),
    Ward("links", sets.links, TUNED, 24, 800),
    Ward("lamps", sets.lamps, TUNED),
    Ward("bars", pictures.bars, TUNED, 48, images=True),
    Ward("shoes", pictures.clothes(5, 7, 9), TUNED, 48, 600, images=True),
    Ward("charts", sets.charts, TUNED, 32, 600),
    Ward("chess", rules.chess, TUNED, 32, 1500),
    Ward("diabetes", sets.diabetes, TUNED, 16, 300),
    Ward("monk", rules.monk, TUNED),
    Ward("ringnorm", sets.ringnorm, TUNED, 32),
    Ward("letters", pictures.letters, TUNED, 64, 900, images=True),
    Ward("bags", pictures.clothes(1, 3, 8), TUNED, 48, 600, images=True),
    Ward("clinic", sets.clinic, TUNED, 8, 300, 16),
    Ward("smudges", scikit("make_moons", n_samples=300, noise=0.6, random_state=0), TUNED, 16, 500),
    Ward("credit", sets.credit, TUNED, 24, 800),
    Ward("switch", rules.switch, TUNED, 32, 1200),
    Ward("colours", pictures.colours, TUNED, 24, 1000),
    Ward("splices", rules.splices, TUNED, 24, 500),
    Ward("vowels", sets.vowels, TUNED, 32, 900),
    Ward("twonorm", sets.twonorm, TUNED, 24),
    Ward("dots", pictures.dots, TUNED, 48, 900, images=True),
    Ward("smiles", pictures.smiles, TUNED, 32, 500, images=True),
    Ward("tips", sets.tips, TUNED, 16, 300, 16),
    Ward("sparse", sets.sparse, TUNED, 12, 300, 16),
    Ward("mandelbrot", rules.mandelbrot, TUNED, 32, 1500),
    Ward("life", rules.life, TUNED, 32, 800),
    Ward("bands", rules.bands, TUNED, 32, 1500),
    Ward("cylinders", sets.cylinders, TUNED, 32, 600),
    Ward("crowd", scikit("make_blobs", **_CROWD), TUNED, 32, 900),
    Ward("arctan", sets.arctan, TUNED, 32, 1000),
    Ward("figures", lambda: pictures.letters("0123456789", 2400), TUNED, 48, 600, images=True),
    Ward("turned", pictures.turned, TUNED, 32, 600, images=True),
    Ward("wealth", sets.wealth, TUNED, 24, 800),
    Ward("sexes", sets.sexes, TUNED, 12, 300, 16),
    Ward("star", rules.star, TUNED, 32, 1500),
    Ward("votes", rules.votes, TUNED, 24, 600),
    Ward("simplex", samplers.simplex, TUNED, 24, 500),
    Ward("pulses", samplers.pulses, TUNED, 32, 600),
    Ward("doses", samplers.doses, TUNED, 8, 300, 16),
    Ward("loyalty", samplers.loyalty, TUNED, 24, 600),
    Ward("minuscules", lambda: pictures.letters("aceghkmrst", 2400), HELD, 48, 600, images=True),
    Ward("parity", pictures.parity, HELD, 32, 600, images=True),
    Ward("zones", sets.zones, HELD, 24, 800),
    Ward("sepals", sets.sepals, HELD, 8, 300, 16),
    Ward("stripes", rules.stripes, HELD, 32, 1500),
    Ward("triangles", rules.triangles, HELD, 24, 900),
    Ward("cuboids", samplers.cuboids, HELD, 24, 1000),
    Ward("tones", samplers.tones, HELD, 32, 800),
    Ward("harvest", samplers.harvest, HELD, 12, 300, 16),
    Ward("genes", samplers.genes, HELD, 24, 500),
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
