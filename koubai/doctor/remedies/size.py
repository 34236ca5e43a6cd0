"""Remedies against too much or too little of a network: penalties, dropout, steps, width, depth."""

from __future__ import annotations

from koubai.blueprint import read
from koubai.doctor.remedies.base import Changes, dropping, drops, remedy, widened
from koubai.language import Words
from koubai.spec import Trial

SHRINKING = Words(
    "Every weight is pulled towards 0, so only what many samples ask for stays large.",
    "すべての重みを0へ引き寄せるので、多くのサンプルに共通するものだけが大きく残る。",
)
DROPPING = Words(
    "Each minibatch trains a different part of the network, so units cannot learn samples by heart by relying on one another.",
    "ミニバッチごとに違う部分を学習させるので、ユニットどうしが互いを当てにして丸暗記することができない。",
)
BY_HEART = ("overfitting", "shuffled-labels", "class-imbalance")  # rare classes, repeated, are soon learned so
REGULARIZED = (*BY_HEART, "growing-weights")


def _l2(strength: float, words: Words) -> None:
    """Register a remedy by the L2 penalty of this strength."""

    @remedy(f"l2-{strength:g}", words, SHRINKING, "notes, Section 3: lambda / 2 sum w^2; Krogh and Hertz 1992", REGULARIZED)
    def _(trial: Trial) -> Changes:
        return {"penalty": {"name": "l2", "strength": strength}}


_l2(0.01, Words("weight decay (L2, 0.01)", "荷重減衰(L2、0.01)"))
_l2(0.001, Words("weak weight decay (L2, 0.001)", "弱い荷重減衰(L2、0.001)"))


def _dropout(rate: float, words: Words) -> None:
    """Register a remedy by dropout at this rate, where there is less."""

    @remedy(f"dropout-{rate:g}", words, DROPPING, "notes, Section 3; Srivastava et al. 2014", BY_HEART)
    def _(trial: Trial) -> Changes:
        return dropping(trial, rate) if drops(trial) < rate else {}


_dropout(0.2, Words("dropout 0.2", "ドロップアウト0.2"))
_dropout(0.5, Words("dropout 0.5", "ドロップアウト0.5"))


@remedy(
    "shorter",
    Words("a quarter of the steps", "ステップ数を4分の1に"),
    Words(
        "What all samples share is learned first, what is learned by heart comes later: stopping early leaves it out.",
        "サンプルに共通するものが先に学ばれ、丸暗記は後から来る。早く止めればそれを避けられる。",
    ),
    "Prechelt 1998 (Early stopping, but when?)",
    BY_HEART,
)
def _(trial: Trial) -> Changes:
    return {"steps": max(1, trial.steps // 4)}


@remedy(
    "narrower",
    Words("half the units", "ユニット数を半分に"),
    Words("Fewer weights can learn fewer samples by heart.", "重みが少なければ、丸暗記できるサンプルも減る。"),
    "Vapnik 1998: the gap grows with capacity",
    ("overfitting", "class-imbalance"),
)
def _(trial: Trial) -> Changes:
    return widened(trial, 0.5, 1)


NARROW = ("too-strong-regularization", "underfitting", "plateau", "vanishing-gradient", "slow-convergence")


@remedy(
    "no-penalty",
    Words("no penalty", "正則化をやめる"),
    Words(
        "Where the pull towards 0 is stronger than the gradient, the weights shrink until nothing passes.",
        "0へ引き寄せる力が勾配より強いと、重みが縮んで何も通らなくなる。",
    ),
    "notes, Section 3 and its exercise: too strong, and the accuracy does not rise",
    NARROW,
)
def _(trial: Trial) -> Changes:
    return {"penalty": "none"}


@remedy(
    "weaker-penalty",
    Words("a hundredth of the penalty", "正則化の強さを100分の1に"),
    Words(
        "The pull towards 0 should only just balance a gradient that samples do not share.",
        "0へ引き寄せる力は、サンプルに共通しない勾配とちょうど釣り合う程度でよい。",
    ),
    "notes, Section 3 and its exercise; Krogh and Hertz 1992",
    ("too-strong-regularization", "underfitting"),
)
def _(trial: Trial) -> Changes:
    return {} if trial.penalty.name == "none" else {"penalty.strength": float(f"{trial.penalty.numbers['strength'] / 100:.6g}")}


@remedy(
    "no-dropout",
    Words("no dropout", "ドロップアウトをやめる"),
    Words(
        "Too little of the network is left in each step to learn with.",
        "各ステップで残る部分が小さすぎると、学習が進まない。",
    ),
    "Srivastava et al. 2014, section 7.3: high rates underfit",
    NARROW,
)
def _(trial: Trial) -> Changes:
    return dropping(trial, 0.0) if drops(trial) else {}


@remedy(
    "less-dropout",
    Words("a quarter of the dropout rate", "ドロップアウト率を4分の1に"),
    Words("More units are left to carry what is learned.", "学んだことを担うユニットがより多く残る。"),
    "Srivastava et al. 2014, section 7.3",
    ("too-strong-regularization",),
)
def _(trial: Trial) -> Changes:
    return dropping(trial, float(f"{drops(trial) / 4:.6g}")) if drops(trial) else {}


@remedy(
    "wider",
    Words("four times the units, at least 16", "ユニット数を4倍に(最低16)"),
    Words(
        "Too few units cannot bend the boundary between the classes enough.",
        "ユニットが少なすぎると、クラスの境界を十分に曲げられない。",
    ),
    "Cybenko 1989: with enough units any boundary can be drawn",
    ("underfitting", "plateau", "too-strong-regularization"),
)
def _(trial: Trial) -> Changes:
    return widened(trial, 4, 16)


@remedy(
    "deeper",
    Words("one more hidden layer", "隠れ層を1つ増やす"),
    Words(
        "Without a hidden layer only straight boundaries can be drawn; each further layer folds them.",
        "隠れ層がなければ境界は直線だけで、層を重ねるごとに折り曲げられる。",
    ),
    "Montufar et al. 2014, arXiv:1402.1869: pieces grow exponentially with depth",
    ("underfitting",),
)
def _(trial: Trial) -> Changes:
    widths = [part.width for part in map(read, trial.layers) if part.name == "dense"]
    return {"layers": (*trial.layers, max(32, *widths[-1:]) if widths else 64)}
