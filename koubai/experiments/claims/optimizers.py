"""Section 2 of the notes: learning rates and optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koubai.experiments.judging import Claim, Comparison
from koubai.language import Words

SECTION = Words("Section 2: learning rates and optimizers", "Section2 学習率最適化手法")
RATE, DATA, VALLEY, WELLS, SADDLE = "learning-rate", "optimizers", "valley", "double-well", "saddle"
SMOOTH = {"activation": "relu", "initializer": "he"}  # a network that trains anyway
STUCK = {"activation": "sigmoid", "initializer": "normal"}  # one that plain SGD does not get going
SLOW = {**STUCK, "learning_rate": 0.01}


def at(rate: float, schedule: str = "constant") -> Mapping[str, Any]:
    """The runs at one learning rate."""
    return {"schedule": schedule, "learning_rate": rate}


def by(optimizer: str, **where: Any) -> Mapping[str, Any]:
    """The runs of one optimizer."""
    return {"optimizer": optimizer, **where}


CLAIMS = (
    Claim(
        "rate-too-high",
        Words("Too high a learning rate keeps a network from training.", "学習率が大きすぎると学習がうまくいかない。"),
        SECTION,
        ("sgd",),
        (Comparison(RATE, at(10.0), at(0.1), "validation accuracy", "less", 0.05),),
    ),
    Claim(
        "rate-too-low",
        Words("Too low a learning rate does not get there in time.", "学習率が小さすぎると学習が進まない。"),
        SECTION,
        ("sgd",),
        (
            Comparison(RATE, at(1e-4), at(0.1), "validation accuracy", "less", 0.05),
            Comparison(RATE, at(0.01), at(0.1), "steps to 80%", "more", 50),
        ),
    ),
    Claim(
        "decreasing-rate",
        Words(
            "Starting with a high learning rate and decreasing it beats a constant one.",
            "初期の学習率を大きくし、徐々に小さくしていくと良い。",
        ),
        SECTION,
        ("exponential", "cosine", "constant"),
        (
            Comparison(RATE, at(1.0, "exponential"), at(1.0), "validation accuracy", "more", 0.005),
            Comparison(RATE, {"schedule": "exponential"}, {"schedule": "constant"}, "best accuracy", "more", 0.005),
            Comparison(RATE, {"schedule": "cosine"}, {"schedule": "constant"}, "best accuracy", "more", 0.005),
        ),
    ),
    Claim(
        "momentum-valley",
        Words("Momentum reaches the bottom of a valley sooner.", "モメンタムは谷間の最も低い位置に着くまでが早い。"),
        SECTION,
        ("momentum", "sgd"),
        (Comparison(VALLEY, by("momentum"), by("sgd"), "steps to the bottom", "less", 2),),
    ),
    Claim(
        "momentum-global",
        Words(
            "Momentum finds the global minimum rather than a local one.", "モメンタムは局所的最適解にならず、大域的最適解となる。"
        ),
        SECTION,
        ("momentum", "sgd"),
        (
            Comparison(WELLS, by("momentum"), by("sgd"), "global minimum", "more", 0.05),
            Comparison(WELLS, by("momentum"), 1.0, "global minimum", "no less", 0.05),
        ),
    ),
    Claim(
        "rmsprop-global",
        Words("RMSProp finds the global minimum rather than a local one.", "RMSPropは局所的最適解にならず、大域的最適解となる。"),
        SECTION,
        ("rmsprop", "sgd"),
        (
            Comparison(WELLS, by("rmsprop"), by("sgd"), "global minimum", "more", 0.05),
            Comparison(WELLS, by("rmsprop"), 1.0, "global minimum", "no less", 0.05),
        ),
    ),
    Claim(
        "adagrad-gentle",
        Words("AdaGrad gets close to the optimum on gentle slopes.", "AdaGradは勾配の緩やかな斜面で最適値に近づける。"),
        SECTION,
        ("adagrad", "sgd"),
        (Comparison(VALLEY, by("adagrad"), by("sgd"), "height", "less", 0.01),),
    ),
    Claim(
        "adagrad-saddle",
        Words(
            "AdaGrad's learning rate dwindles, so it can stall at saddles.",
            "AdaGradは学習率が徐々に小さくなり、鞍点問題を引き起こすことがある。",
        ),
        SECTION,
        ("adagrad", "sgd"),
        (
            Comparison(SADDLE, by("adagrad"), by("rmsprop"), "height", "more", 0.1),
            Comparison(SADDLE, by("adagrad"), by("sgd"), "steps to leave", "more", 5),
        ),
    ),
    Claim(
        "rmsprop-mends",
        Words("RMSProp mends AdaGrad's weakness.", "RMSPropはAdaGradのデメリットを解消する。"),
        SECTION,
        ("rmsprop", "adagrad"),
        (
            Comparison(SADDLE, by("rmsprop"), by("adagrad"), "height", "less", 0.1),
            Comparison(SADDLE, by("rmsprop"), by("adagrad"), "steps to leave", "less", 5),
        ),
    ),
    Claim(
        "rmsprop-tuning",
        Words("RMSProp needs less tuning.", "RMSPropはハイパーパラメータの調整が必要な場合が少ない。"),
        SECTION,
        ("rmsprop", "sgd", "momentum", "adagrad"),
        tuple(
            Comparison(DATA, by("rmsprop", **SMOOTH), by(other, **SMOOTH), "range of rates", "more", 0.5)
            for other in ("sgd", "momentum", "adagrad")
        ),
    ),
    Claim(
        "adam-unites",
        Words("Adam unites the merits of momentum and RMSProp.", "AdamはモメンタムとRMSPropのメリットを併せ持つ。"),
        SECTION,
        ("adam", "momentum", "rmsprop"),
        (
            Comparison(DATA, by("adam", **SMOOTH), by("momentum", **SMOOTH), "best accuracy", "no less", 0.005),
            Comparison(DATA, by("adam", **SMOOTH), by("rmsprop", **SMOOTH), "best accuracy", "no less", 0.005),
            Comparison(DATA, by("adam", **SMOOTH), by("rmsprop", **SMOOTH), "range of rates", "no less", 0.5),
            Comparison(WELLS, by("adam"), by("momentum"), "global minimum", "no less", 0.05),
        ),
    ),
    Claim(
        "optimizers-help",
        Words(
            "At the same learning rate, a better optimizer trains a network that SGD does not get going.",
            "同じ学習率でも、学習率最適化手法を使うことで、SGDでは進まなかった学習が進むようになる。",
        ),
        SECTION,
        ("momentum", "adagrad", "rmsprop", "adam", "sgd"),
        tuple(
            Comparison(DATA, by(better, **SLOW), by("sgd", **SLOW), "validation accuracy", "more", 0.02)
            for better in ("momentum", "adagrad", "rmsprop", "adam")
        ),
    ),
    Claim(
        "optimizers-beat-tuned-sgd",
        Words(
            "A better optimizer beats SGD even where each has its best learning rate.",
            "それぞれ最良の学習率を選んでも、学習率最適化手法はSGDより良い。",
        ),
        SECTION,
        ("momentum", "adagrad", "rmsprop", "adam", "sgd"),
        tuple(
            Comparison(DATA, by(better, **STUCK), by("sgd", **STUCK), "best accuracy", "more", 0.02)
            for better in ("momentum", "adagrad", "rmsprop", "adam")
        ),
    ),
)
