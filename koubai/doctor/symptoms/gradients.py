"""Gradients that vanish or explode on their way down, and which layer and factor does it."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import OURS, Finding, Limit, short, symptom
from koubai.language import Words

FACTORS = ("activation", "weights", "normalization", "pooling", "dropout")


@symptom(
    "vanishing-gradient",
    Words("vanishing gradient", "勾配消失"),
    about=Words(
        "The gradient shrinks from layer to layer, so the first layers hardly learn.",
        "勾配が層を下るごとに小さくなり、入力側の層がほとんど学習できません。",
    ),
    measure=Words(
        "the gradient's norm at the first layer with weights over the last's, while the training data are not learned",
        "重みを持つ最初の層と最後の層の勾配のノルムの比(訓練データを学習できていない間)",
    ),
    ratio=Limit(1e-3, "AutoTrainer (Zhang et al. 2021, ICSE): first to last under 1e-3"),
    learned=Limit(0.9, OURS),
)
def vanishing_gradient(case: Case, ratio: float, learned: float) -> Finding | None:
    """``|dL/dz_1| / |dL/dz_L|`` under ``ratio`` where the training accuracy has not reached ``learned``."""
    gradient, weighted = case.need("gradient"), case.where("weights")
    accuracy = case.need("train_accuracy")
    if len(weighted) < 3 or accuracy[-1] >= learned:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        passed = gradient[:, weighted[0]] / gradient[:, weighted[-1]]
    middle = float(np.nanmedian(passed)) if np.isfinite(passed).any() else 0.0
    if middle >= ratio:
        return None
    return Finding(
        "fatal" if middle < ratio**2 else "serious",
        Words(f"Of the gradient, {short(middle)} arrives at the first layer.", f"最初の層に届く勾配は {short(middle)} 倍です。"),
        case.layers[weighted[0]],
        "activation",
        {"ratio": middle},
    )
