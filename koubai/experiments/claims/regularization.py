"""Section 3 of the notes: overfitting, penalties, dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koubai.experiments.judging import Claim, Comparison
from koubai.language import Words

SECTION = Words("Section 3: overfitting", "Section3 過学習の抑制")
FIT = "overfitting"
PLAIN = {"penalty": "none", "dropout": 0.0}


def penalty(name: str, strength: float, **numbers: float) -> Mapping[str, Any]:
    """The runs under one penalty, without dropout."""
    return {"penalty": {"name": name, "strength": strength, **numbers}, "dropout": 0.0}


def cure(remedy: Mapping[str, Any]) -> tuple[Comparison, ...]:
    """Overfitting is cured where the gap shrinks and the validation accuracy rises; a gap bought with accuracy is no cure."""
    return (
        Comparison(FIT, remedy, PLAIN, "gap", "less", 0.02),
        Comparison(FIT, remedy, PLAIN, "validation accuracy", "more", 0.005),
    )


CLAIMS = (
    Claim(
        "overfitting",
        Words("With few samples a deep network overfits.", "データが少ないと、深いネットワークは過学習する。"),
        SECTION,
        ("none",),
        (
            Comparison(FIT, PLAIN, 0.0, "gap", "more", 0.05),
            Comparison(FIT, PLAIN, 1.0, "train accuracy", "no less", 0.01),
        ),
    ),
    Claim(
        "l2-holds",
        Words("L2 (weight decay) reduces overfitting.", "L2正則化(荷重減衰)は過学習を抑える。"),
        SECTION,
        ("l2",),
        cure(penalty("l2", 0.1)),
    ),
    Claim(
        "l1-holds",
        Words("L1 reduces overfitting.", "L1正則化は過学習を抑える。"),
        SECTION,
        ("l1",),
        cure(penalty("l1", 0.005)),
    ),
    Claim(
        "lp-holds",
        Words("The general Lp penalty reduces overfitting, for other p too.", "一般のLp正則化は、他のpでも過学習を抑える。"),
        SECTION,
        ("lp",),
        (*cure(penalty("lp", 0.1, p=2.0)), *cure(penalty("lp", 0.1, p=3.0))),
    ),
    Claim(
        "strong-regularization",
        Words("Regularization that is too strong keeps accuracy from rising.", "正則化の強度が大きいと、精度が上がらない。"),
        SECTION,
        ("l1", "l2"),
        (
            Comparison(FIT, penalty("l2", 1.0), PLAIN, "train accuracy", "less", 0.02),
            Comparison(FIT, penalty("l1", 0.05), PLAIN, "train accuracy", "less", 0.02),
        ),
    ),
    Claim(
        "weak-regularization",
        Words("Regularization that is too weak does not reduce overfitting.", "正則化の強度が小さいと、過学習を抑えられない。"),
        SECTION,
        ("l1", "l2"),
        (
            Comparison(FIT, penalty("l2", 0.001), PLAIN, "gap", "same", 0.02),
            Comparison(FIT, penalty("l1", 0.0005), PLAIN, "gap", "same", 0.02),
        ),
    ),
    Claim(
        "l1-zeroes",
        Words("L1 makes weights 0; L2 only makes them small.", "L1は重みを0にし、L2は小さくするだけである。"),
        SECTION,
        ("l1", "l2"),
        (
            Comparison(FIT, penalty("l1", 0.005), PLAIN, "small weights", "more", 0.1),
            Comparison(FIT, penalty("l1", 0.005), penalty("l2", 0.1), "small weights", "more", 0.1),
        ),
    ),
    Claim(
        "dropout-holds",
        Words("Dropout reduces overfitting.", "ドロップアウトによって過学習が抑えられる。"),
        SECTION,
        ("dropout",),
        cure({"penalty": "none", "dropout": 0.2}),
    ),
    Claim(
        "dropout-l1",
        Words("Dropout together with L1 reduces overfitting.", "ドロップアウトとL1正則化の併用で過学習が抑えられる。"),
        SECTION,
        ("dropout", "l1"),
        cure({"penalty": {"name": "l1", "strength": 0.005}, "dropout": 0.15}),
    ),
)
