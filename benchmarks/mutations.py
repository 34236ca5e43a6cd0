"""What spoils a training: for every symptom one or two known mutations of a healthy origin, with the truth about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.wards import Ward, spoiled

RATES = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.03, "rmsprop": 0.002, "adam": 0.004, "adamw": 0.004}
SLOW = 0.002  # of Adam, for deep networks
Draw = np.random.Generator


@dataclass(frozen=True)
class Mutation:
    """What spoils a training: changes to a base that make its healthy origin, changes to that, and the truth."""

    origin: Mapping[str, Any]
    changes: Mapping[str, Any]
    causes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


Maker = Callable[[Draw, Ward, Path], Mutation]
MUTATIONS: dict[str, list[Maker]] = {}


def mutation(symptom: str) -> Callable[[Maker], Maker]:
    """Register the function below as a way to make a symptom."""

    def register(function: Maker) -> Maker:
        MUTATIONS.setdefault(symptom, []).append(function)
        return function

    return register


def images(ward: Ward) -> tuple[int | str, ...]:
    """A small convolutional network for the ward's images."""
    return ("conv 6 3x3 pad 1", "maxpool 2", "conv 8 3x3 pad 1", "maxpool 2", 24)


def _deep(draw: Draw, ward: Ward, low: int = 5, high: int = 9) -> tuple[int, ...]:
    return (ward.width,) * int(draw.integers(low, high))


def _chain(draw: Draw, ward: Ward) -> tuple[int | str, ...]:
    """A network of any kind: of a ward of images one in four is convolutional."""
    return images(ward) if ward.images and draw.random() < 0.25 else _deep(draw, ward, 1, 4)


def _trained(optimizer: str) -> dict[str, Any]:
    return {"optimizer": optimizer, "learning_rate": RATES[optimizer]}


def _power(draw: Draw, low: float, high: float) -> float:
    return float(10 ** draw.uniform(low, high))


@mutation("vanishing-gradient")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    origin = {"layers": _deep(draw, ward, 6, 10), "learning_rate": SLOW}
    return Mutation(origin, {"activation": "sigmoid", "initializer": "xavier"}, ("activation",), ("sigmoid",))


@mutation("vanishing-gradient")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    std = draw.uniform(0.05, 0.25) / ward.width**0.5
    origin = {"layers": _deep(draw, ward), "activation": str(draw.choice(["relu", "tanh"])), "learning_rate": SLOW}
    return Mutation(origin, {"initializer": {"name": "normal", "std": std}}, ("weights",), ("dense",))


@mutation("vanishing-gradient")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    layers, begin = list(_deep(draw, ward, 7, 10)), int(draw.integers(0, 2))
    chain = [item for k, width in enumerate(layers) for item in ((width, "sigmoid") if begin <= k < begin + 5 else (width,))]
    names = tuple(f"sigmoid {k + 1}" for k in range(begin, begin + 5))
    return Mutation(
        {"layers": tuple(layers), "learning_rate": SLOW},
        {"layers": tuple(chain), "initializer": "xavier"},
        ("activation",),
        names,
    )


@mutation("exploding-gradient")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    std = draw.uniform(5, 12) / ward.width**0.5
    optimizer = str(draw.choice(["adam", "sgd"]))
    origin = {"layers": _deep(draw, ward, 4, 8), "optimizer": optimizer, "learning_rate": RATES[optimizer] / 2}
    return Mutation(origin, {"initializer": {"name": "normal", "std": std}}, ("weights",), ("dense",))


@mutation("saturated-activations")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    layers, activation = _deep(draw, ward, 2, 4), str(draw.choice(["tanh", "tanh", "sigmoid"]))
    origin = {"layers": layers, "activation": activation, "initializer": "xavier"}
    return Mutation(origin, {"initializer": {"name": "normal", "std": draw.uniform(3, 20)}}, ("weights",), ("tanh", "sigmoid"))


@mutation("saturated-activations")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    data = {"name": spoiled(ward, "scaled-1000", folder), "standardize": True}
    origin = {"data": data, "activation": str(draw.choice(["tanh", "sigmoid"])), "initializer": "xavier"}
    return Mutation(origin, {"data.standardize": False}, ("data",), ("tanh 1", "sigmoid 1"))


@mutation("dead-relu")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(["adam", "sgd", "momentum"]))
    rate = {"adam": 0.3, "sgd": 3.0, "momentum": 0.6}[optimizer] * _power(draw, 0, 0.7)
    origin = {"activation": "relu", "layers": _deep(draw, ward, 2, 4), "optimizer": optimizer}
    return Mutation({**origin, "learning_rate": RATES[optimizer]}, {"learning_rate": rate}, ("learning rate",), ("relu",))


@mutation("dead-relu")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    if not ward.images:  # inputs of both signs do not keep a unit silent
        return MUTATIONS["dead-relu"][0](draw, ward, folder)
    changes = {"initializer": {"name": "constant", "value": -_power(draw, -2, -0.5)}}
    return Mutation({"activation": "relu"}, changes, ("weights",), ("relu",))


@mutation("identical-units")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    activation = str(draw.choice(["relu", "tanh", "sigmoid"]))
    origin = {"activation": activation, "layers": _deep(draw, ward, 1, 4), "initializer": "xavier"}
    return Mutation(origin, {"initializer": "zeros"}, ("weights",), ("dense",))


@mutation("identical-units")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    chain = images(ward) if ward.images and draw.random() < 0.5 else (ward.width, ward.width)
    changes = {"initializer": {"name": "constant", "value": _power(draw, -2, -0.5)}}
    return Mutation({"layers": chain, "activation": str(draw.choice(["relu", "tanh"]))}, changes, ("weights",), ("dense", "conv"))


@mutation("learning-rate-too-high")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(list(RATES)))
    origin = {**_trained(optimizer), "layers": _chain(draw, ward), "activation": str(draw.choice(["relu", "tanh", "elu"]))}
    return Mutation(origin, {"learning_rate": RATES[optimizer] * _power(draw, 1.5, 2.7)}, ("learning rate",))


@mutation("learning-rate-too-low")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice([name for name in RATES if name != "adagrad"]))
    origin = {**_trained(optimizer), "layers": _chain(draw, ward), "activation": str(draw.choice(["relu", "tanh", "elu"]))}
    return Mutation(origin, {"learning_rate": RATES[optimizer] / _power(draw, 2.3, 4)}, ("learning rate",))


@mutation("slow-convergence")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(["sgd", "momentum", "adam"]))
    origin = {**_trained(optimizer), "activation": str(draw.choice(["relu", "tanh"]))}
    return Mutation(origin, {"learning_rate": RATES[optimizer] / _power(draw, 1, 1.8)}, ("learning rate",))


@mutation("plateau")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    changes = {"schedule": {"name": "step", "every": int(draw.integers(10, 25)), "factor": _power(draw, -3, -2)}}
    optimizer = str(draw.choice(["sgd", "adam"]))
    return Mutation({"optimizer": optimizer, "learning_rate": RATES[optimizer] / 3}, changes, ("learning rate",))


@mutation("plateau")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    changes = {"schedule": {"name": "exponential", "final": _power(draw, -40, -25)}}
    return Mutation({"learning_rate": RATES["adam"] / 2}, changes, ("learning rate",))


@mutation("overfitting")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    origin = {"layers": (2 * ward.width,) * 2}
    return Mutation(origin, {"data.samples": int(draw.integers(20, 60)), "batch_size": 10}, ("data", "network"))


@mutation("overfitting")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    data = spoiled(ward, f"shuffled-{int(draw.choice([30, 40, 50]))}", folder)
    changes = {"data.name": data, "layers": (8 * ward.width,) * 3, "steps": 3 * ward.steps}
    return Mutation({}, {**changes, "data.samples": 100}, ("data", "network"))


@mutation("underfitting")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    return Mutation({}, {"layers": (1,) * int(draw.integers(1, 3)), "activation": "tanh"}, ("network",))


@mutation("underfitting")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    changes = {"activation": "identity"} if ward.name in LINEAR_FAILS else {"layers": (1, ward.width)}
    return Mutation({}, changes, ("network", "activation"))


LINEAR_FAILS = ("checkerboard", "rings", "roll", "moons", "circles", "clouds", "spirals", "xor", "quantiles")


@mutation("inputs-not-standardized")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    data = {"name": spoiled(ward, f"scaled-{int(draw.choice([100, 1000, 10000]))}", folder), "standardize": True}
    optimizer = str(draw.choice(["sgd", "adam", "momentum"]))
    origin = {
        "data": data,
        **_trained(optimizer),
        "activation": str(draw.choice(["relu", "tanh"])),
    }
    return Mutation(origin, {"data.standardize": False}, ("data",))


@mutation("class-imbalance")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    return Mutation({}, {"data.name": spoiled(ward, f"uneven-{int(draw.integers(1, 5))}", folder)}, ("data",))


@mutation("shuffled-labels")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    chain = _chain(draw, ward)
    return Mutation({"layers": chain}, {"data.name": spoiled(ward, f"shuffled-{int(draw.choice([99, 100]))}", folder)}, ("data",))


@mutation("too-strong-regularization")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(["sgd", "adam"]))
    name, strength = [("l2", _power(draw, -0.7, 0.7)), ("l1", _power(draw, -1.7, -0.5))][int(draw.integers(2))]
    origin = _trained(optimizer)
    return Mutation(origin, {"penalty": {"name": name, "strength": strength}}, ("penalty",))


@mutation("too-strong-regularization")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    return Mutation({"layers": (ward.width,) * 2}, {"dropout": draw.uniform(0.8, 0.95)}, ("dropout",))


@mutation("batch-too-small")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    origin = {"batch_norm": str(draw.choice(["before", "after"])), "layers": _deep(draw, ward, 1, 4)}
    return Mutation(origin, {"batch_size": int(draw.choice([2, 2, 3]))}, ("batch size",), ("batch_norm",))


@mutation("growing-weights")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(["adam", "rmsprop", "adagrad"]))
    origin = {**_trained(optimizer), "activation": str(draw.choice(["relu", "tanh", "elu"]))}
    return Mutation(origin, {"learning_rate": RATES[optimizer] * _power(draw, 2.2, 3)}, ("learning rate",), ("dense",))


@mutation("not-a-number")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    changes = {"initializer": {"name": "normal", "std": _power(draw, 8, 12)}}
    return Mutation({"layers": _deep(draw, ward, 4, 8), "learning_rate": SLOW}, changes, ("weights",), ("dense",))


@mutation("not-a-number")
def _(draw: Draw, ward: Ward, folder: Path) -> Mutation:
    optimizer = str(draw.choice(["sgd", "momentum"]))
    origin = {
        **_trained(optimizer),
        "activation": str(draw.choice(["relu", "elu", "identity"])),
    }
    if origin["activation"] == "identity" and ward.name in LINEAR_FAILS:
        origin["activation"] = "leaky_relu"
    origin["layers"] = _deep(draw, ward, 3, 5)
    return Mutation(origin, {"learning_rate": RATES[optimizer] * _power(draw, 3, 7)}, ("learning rate",))
