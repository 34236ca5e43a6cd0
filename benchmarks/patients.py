"""Trainings for the doctor: healthy ones over a wide range of techniques, and ill ones made of healthy ones by known mutations."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mutations import MUTATIONS, RATES, images
from benchmarks.wards import HELD, TUNED, WARDS, Ward, spoiled
from koubai.spec import Data, Trial


@dataclass(frozen=True)
class Patient:
    """A training, the healthy one that it was made of, and the truth: symptom, cause, kinds of layers that may be named ("" where none).

    ``causes`` are those that may be named; nothing where the symptom leaves no choice. A healthy training is its own origin.
    """

    ward: str
    half: str
    trial: Trial
    origin: Trial
    symptom: str = ""
    causes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


def base(ward: Ward, folder: Path, **changes: Any) -> Trial:
    """The ward's plain recipe."""
    data = Data(name=spoiled(ward, "plain", folder), standardize=not ward.images)
    fields = {"data": data, "layers": (ward.width, ward.width // 2), "optimizer": "adam", "learning_rate": RATES["adam"]}
    return Trial(**{**fields, "batch_size": ward.batch, "steps": ward.steps, **changes})


def healthy(ward: Ward, folder: Path, count: int) -> Iterator[Patient]:
    """Draws over techniques and hyperparameters that should go well; which of them do is judged afterwards."""
    draw = np.random.default_rng(zlib.crc32(ward.name.encode()))
    for seed in range(count):
        optimizer = str(draw.choice(list(RATES)))
        activation = str(draw.choice(["relu", "relu", "leaky_relu", "elu", "gelu", "softplus", "tanh", "sigmoid"]))
        depth = int(draw.integers(1, 3 if activation == "sigmoid" else 6))
        width = int(ward.width * draw.choice([0.75, 1, 1.5]))
        chain: tuple[int | str, ...] = (width,) * depth
        if ward.images and draw.random() < 0.25:
            chain = images(ward)
        penalty = draw.choice(["none", "none", "l2", "l1"])
        schedule = draw.choice(["constant", "constant", "cosine", "inverse_time", "exponential", "warmup"])
        trial = base(
            ward, folder, layers=chain, activation=activation, optimizer=optimizer, seed=seed,
            initializer=str(draw.choice(["he", "xavier", "glorot", "orthogonal"])),
            learning_rate=float(RATES[optimizer] * 10 ** draw.uniform(-0.3, 0.4)),
            batch_norm=str(draw.choice(["none", "none", "before", "after"])), dropout=float(draw.choice([0, 0, 0.1, 0.2])),
            penalty={"name": "none"} if penalty == "none" else {"name": str(penalty), "strength": 1e-4 if penalty == "l2" else 1e-5},
            schedule={"name": "exponential", "final": 0.1} if schedule == "exponential" else str(schedule),
            batch_size=int(draw.choice([ward.batch // 2, ward.batch, 2 * ward.batch])),
        )  # fmt: skip
        yield Patient(ward.name, ward.half, trial, trial)


def ill(ward: Ward, folder: Path, each: int) -> Iterator[Patient]:
    """``each`` patients a symptom and ward, its mutations in turn; those that do not suit the ward are left out."""
    for symptom, makers in MUTATIONS.items():
        draw = np.random.default_rng(zlib.crc32(f"{ward.name} {symptom}".encode()))
        for number in range(each):
            made = makers[number % len(makers)](draw, ward, folder)
            origin = base(ward, folder, seed=number).replace(made.origin)
            yield Patient(ward.name, ward.half, origin.replace(made.changes), origin, symptom, made.causes, made.layers)


def patients(folder: Path, each: int, well: int, halves: Sequence[str] = (TUNED, HELD)) -> Iterator[Patient]:
    """All patients of both parts, twice as many a data set of the held-out one; data sets are written into ``folder``."""
    for ward in (ward for ward in WARDS if ward.half in halves):
        times = 2 if ward.half == HELD else 1
        yield from healthy(ward, folder, times * well)
        yield from ill(ward, folder, times * each)
