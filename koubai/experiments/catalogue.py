"""The notes' exercises. Each is a study (or a race of optimizers over a surface), with the figures that show it.

Sizes are those of the notes; on the built-in digits the input is 64 wide. Importing this does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.choices import Choice, choose
from koubai.experiments.images import SMALL_ALEXNET, networks
from koubai.language import Words
from koubai.study import Study

SEEDS = 10
RATES = tuple(10.0 ** (k / 2) for k in range(-8, 3))  # 1e-4 to 10, two a decade
SCALES = tuple(10.0 ** (-4 * k / 15) for k in range(16))  # 1 to 1e-4
STARTS = 50


@dataclass(frozen=True)
class Race:
    """Optimizers on a surface of ``landscapes``: each with its learning rate, from ``starts`` starts."""

    landscape: str
    runs: Mapping[str, tuple[Choice, float]]
    steps: int
    starts: int = STARTS


@dataclass(frozen=True)
class Exercise:
    """One exercise: its words, what it runs, and the figures (by name) that show it.

    Where the layers that it compares follow from the data, ``layers`` gives them for the shape of a sample and a number of classes.
    """

    name: str
    title: Words
    about: Words
    runs: Study | Race
    figures: tuple[str, ...]
    layers: Callable[[Sequence[int], int], Sequence[Any]] | None = None


def _study(name: str, base: Mapping[str, Any], axes: Mapping[str, Any], zip: list[dict[str, Any]] | None = None) -> Study:
    return Study(base, name=name, axes={**axes, "seed": SEEDS}, zip=zip or [])


def _race(landscape: str, steps: int, **rates: float) -> Race:
    return Race(landscape, {name: (choose("optimizer", name), rate) for name, rate in rates.items()}, steps)


def search(seed: int = 0) -> dict[str, Any]:
    """100 draws of a learning rate ``10^U(-6, -2)`` and a weight decay ``10^U(-8, -4)``, the exercise's own from seed 0."""
    draw = np.random.default_rng(seed)
    rates, decays = 10 ** draw.uniform(-6, -2, 100), 10 ** draw.uniform(-8, -4, 100)
    return {
        "learning_rate": [float(rate) for rate in rates],
        "penalty": [{"name": "l2", "strength": float(decay)} for decay in decays],
    }


def _regularizers() -> dict[str, Any]:
    """The penalties and dropout rates that are compared, one a row."""
    rows: list[tuple[Any, float]] = [("none", 0.0)]
    rows += [({"name": "l2", "strength": strength}, 0.0) for strength in (0.001, 0.01, 0.1, 1.0)]
    rows += [({"name": "l1", "strength": strength}, 0.0) for strength in (0.0005, 0.005, 0.05)]
    rows += [({"name": "lp", "strength": 0.1, "p": p}, 0.0) for p in (2.0, 3.0)]
    rows += [("none", rate) for rate in (0.15, 0.2, 0.5)]
    rows += [({"name": "l1", "strength": 0.005}, 0.15)]
    return {"penalty": [row[0] for row in rows], "dropout": [row[1] for row in rows]}


_OPTIMIZERS = ["sgd", "momentum", "adagrad", "rmsprop", "adam"]

_ALL = (
    Exercise(
        "vanishing-gradient",
        Words("Vanishing gradients", "勾配消失問題"),
        Words(
            "Three activations, four kinds of initial weights: where does the gradient go, and what brings it back?",
            "3つの活性化関数と4種類の初期値。勾配はどこで消え、何で取り戻せるか。",
        ),
        _study(
            "vanishing-gradient",
            {"layers": [40, 20], "learning_rate": 0.1},
            {"activation": ["sigmoid", "tanh", "relu"], "initializer": ["normal", "xavier", "he", "zeros"]},
        ),
        ("accuracy", "loss", "ledger", "gradient-flow", "gradient-norm", "activations"),
    ),
    Exercise(
        "activations-by-depth",
        Words("Activations by depth", "層の深さと活性の分布"),
        Words(
            "Normally distributed inputs through five untrained layers of 100: how the size of the weights decides what arrives.",
            "正規乱数の入力を学習前の5層(各100)に通す。重みの大きさで、奥の層に届くものが決まる。",
        ),
        _study(
            "activations-by-depth",
            {"data": "noise", "layers": [100] * 5, "learning_rate": 0.0, "batch_size": 800, "steps": 1},
            {
                "activation": ["identity", "sigmoid", "tanh", "relu"],
                "initializer": [{"name": "normal", "std": 1.0}, {"name": "normal", "std": 0.01}, "xavier", "he"],
            },
        ),
        ("activations", "ledger", "gradient-flow"),
    ),
    Exercise(
        "initial-weights",
        Words("Initial weights", "重みの初期値"),
        Words(
            "A deeper network, and whether its initial weights let it train.",
            "より深いネットワークは、初期値しだいで学習できるか。",
        ),
        _study(
            "initial-weights",
            {"layers": [100] * 4, "batch_size": 128, "learning_rate": 0.01},
            {"initializer": ["normal", "xavier", "he"]},
        ),
        ("loss", "accuracy", "gradient-flow"),
    ),
    Exercise(
        "batch-norm",
        Words("Batch normalization", "バッチ正規化"),
        Words(
            "Sixteen sizes of initial weights, without batch normalization, with it before, and after the activation.",
            "初期値の大きさ16通りで、バッチ正規化なし・活性化の前・活性化の後を比べる。",
        ),
        _study(
            "batch-norm",
            {"data": {"name": "digits", "samples": 1000}, "layers": [100] * 5, "learning_rate": 0.01, "steps": 200},
            {"initializer": [{"name": "normal", "std": scale} for scale in SCALES], "batch_norm": ["none", "before", "after"]},
        ),
        ("scales", "accuracy", "ledger"),
    ),
    Exercise(
        "valley",
        Words("Optimizers in a valley", "谷を下る最適化手法"),
        Words("Five optimizers down a long valley.", "細長い谷を5つの最適化手法が下る。"),
        _race("valley", 30, sgd=0.95, momentum=0.1, adagrad=1.5, rmsprop=0.1, adam=0.3),
        ("race",),
    ),
    Exercise(
        "double-well",
        Words("Optimizers between two wells", "2つの井戸と最適化手法"),
        Words(
            "Fifty starts over two wells: which end in the deeper one?",
            "50の出発点から2つの井戸へ。深い方に着くのはどの手法か。",
        ),
        _race("double-well", 300, sgd=0.01, momentum=0.01, adagrad=0.05, rmsprop=0.05, adam=0.05),
        ("race",),
    ),
    Exercise(
        "saddle",
        Words("Optimizers at a saddle", "鞍点と最適化手法"),
        Words(
            "A flat place that is no minimum: which stay, which leave?",
            "最小ではない平らな場所。どの手法が留まり、どの手法が抜け出すか。",
        ),
        _race("saddle", 100, sgd=0.1, momentum=0.1, adagrad=0.1, rmsprop=0.1, adam=0.1),
        ("race",),
    ),
    Exercise(
        "optimizers",
        Words("Optimizers on data", "データでの最適化手法の比較"),
        Words(
            "Five optimizers over eleven learning rates: how good is each, and how wide is the range that works?",
            "5つの最適化手法と11の学習率。どれだけ良く、どれだけ広い範囲で働くか。",
        ),
        _study(
            "optimizers",
            {"layers": [40, 20]},
            {"optimizer": _OPTIMIZERS, "learning_rate": RATES},
            [{"activation": ["relu", "sigmoid"], "initializer": ["he", "normal"]}],
        ),
        ("rates",),
    ),
    Exercise(
        "optimizers-deep",
        Words("Optimizers on a deeper network", "より深いネットワークでの最適化手法"),
        Words("The same five on four layers of 100.", "同じ5つを100×4層で比べる。"),
        _study(
            "optimizers-deep",
            {"layers": [100] * 4, "batch_size": 128},
            {"optimizer": _OPTIMIZERS, "learning_rate": [0.001, 0.01, 0.1]},
        ),
        ("rates", "loss"),
    ),
    Exercise(
        "learning-rate",
        Words("Learning rates and schedules", "学習率とスケジュール"),
        Words(
            "Learning rates from 1e-4 to 10, held constant and decreased.",
            "1e-4から10までの学習率を、一定のままと、徐々に下げる場合とで比べる。",
        ),
        _study(
            "learning-rate",
            {"layers": [40, 20]},
            {
                "learning_rate": RATES,
                "schedule": ["constant", {"name": "step", "every": 500, "factor": 0.3}, "exponential", "inverse_time", "cosine"],
            },
        ),
        ("rates", "accuracy"),
    ),
    Exercise(
        "overfitting",
        Words("Overfitting and its remedies", "過学習とその対策"),
        Words(
            "300 samples and six layers of 100: penalties of many strengths, and dropout.",
            "300サンプルと100×6層。さまざまな強さの正則化と、ドロップアウトを試す。",
        ),
        _study(
            "overfitting",
            {"data": {"name": "digits", "samples": 300}, "layers": [100] * 6, "learning_rate": 0.01, "steps": 750},
            {},
            [_regularizers()],
        ),
        ("overfitting", "train-validation", "weights", "norm-contours"),
    ),
    Exercise(
        "hyperparameter-search",
        Words("Hyperparameter search", "ハイパーパラメータの探索"),
        Words(
            "100 draws of a learning rate and a weight decay on 400 samples, 50 epochs each.",
            "学習率と荷重減衰を100通り無作為に選び、400サンプルで50エポックずつ学習する。",
        ),
        Study(
            {"data": {"name": "digits", "samples": 400}, "layers": [100] * 6, "steps": 200},
            name="hyperparameter-search",
            axes={"seed": 3},
            zip=[search()],
        ),
        ("search",),
    ),
    Exercise(
        "cnn",
        Words("Convolutional networks", "畳み込みニューラルネットワーク"),
        Words(
            "A simple and a deep CNN beside dense networks with as many parameters (one hidden layer) and as many operations (two) as the "
            "simple one: does convolution help?",
            "単純なCNNと深いCNNを、単純なCNNとパラメータ数の等しい全結合(隠れ層1つ)・演算数の等しい全結合(隠れ層2つ)と比べる。"
            "畳み込みは役に立つか。",
        ),
        _study(
            "cnn",
            {"optimizer": "adam", "learning_rate": 0.001, "schedule": "cosine", "steps": 300},
            {"layers": networks((8, 8), 10)},
        ),
        ("accuracy", "loss", "filters", "feature-maps", "confusion", "mistakes", "activations"),
        networks,
    ),
    Exercise(
        "alexnet",
        Words("AlexNet's dropout", "AlexNetのドロップアウト"),
        Words(
            "A small AlexNet, five convolutions and three dense layers, on 300 images: dropout on its dense layers, or none.",
            "畳み込み層5つと全結合層3つの小さなAlexNetを300枚の画像で学習する。全結合層にドロップアウトを使う場合と使わない場合を比べる。",
        ),
        _study(
            "alexnet",
            {
                "data": {"name": "digits", "samples": 300},
                "layers": SMALL_ALEXNET,
                "optimizer": "adam",
                "learning_rate": 0.001,
                "steps": 200,
            },
            {"dropout": [0.0, 0.5]},
        ),
        ("train-validation", "loss", "accuracy"),
    ),
)

EXERCISES: dict[str, Exercise] = {exercise.name: exercise for exercise in _ALL}
