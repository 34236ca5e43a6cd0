"""What is wrong with the data: inputs out of scale, uneven classes, labels that look shuffled."""

from __future__ import annotations

import math

import numpy as np

from koubai.doctor.case import LOOKED_AT, Case, Facts
from koubai.doctor.finding import OURS, Finding, Limit, Unknown, short, symptom
from koubai.doctor.symptoms.units import FAR
from koubai.language import Words


def known(case: Case) -> Facts:
    """The facts of the data. Raises ``Unknown``."""
    if case.facts is None:
        raise Unknown("Nothing is known of the training data.", "訓練データの情報がありません。")
    return case.facts


@symptom(
    "inputs-not-standardized",
    Words("inputs not standardized", "入力が標準化されていない"),
    about=Words(
        "Features are far from the size of 1, or in units that differ widely: the largest decide everything.",
        "特徴量の大きさが1から遠いか、単位がばらばらです。大きな特徴量だけが学習を左右します。",
    ),
    measure=Words(
        "largest root mean square of a feature, and its smallest value at which a network sees nothing, while the fit is poor",
        "特徴量の二乗平均平方根の最大値。適合が悪い場合に限る",
    ),
    brings=(
        "saturated-activations",
        "dead-relu",
        "vanishing-gradient",
        "exploding-gradient",
        "learning-rate-too-high",
        "growing-weights",
        "not-a-number",
        "plateau",
        "underfitting",
        "slow-convergence",
        "learning-rate-too-low",
    ),
    large=Limit(FAR, "koubai/data/problems.py: what koubai data warns of"),
    small=Limit(0.05, OURS),
    fitted=Limit(0.95, OURS),
)
def inputs_not_standardized(case: Case, large: float, small: float, fitted: float) -> Finding | None:
    """A feature's root mean square above ``large``, or all below ``small``, and a poor fit or a start far above guessing."""
    size = case.sizes
    if size is None:
        raise Unknown("Nothing is known of the inputs.", "入力の情報がありません。")
    widest = float(size.max())
    if small <= widest <= large or (case.fitted >= fitted and not case.fit[0] > 3 * case.guess):
        return None
    return Finding(
        "serious",
        Words(
            f"The features' sizes reach from {short(float(size.min()))} to {short(widest)}; standardized they would all be 1.",
            f"特徴量の大きさは {short(float(size.min()))} から {short(widest)} まであります。標準化すれば 1 に揃います。",
        ),
        None,
        "data",
        {"largest": widest, "smallest": float(size.min()), "fitted": case.fitted},
    )


@symptom(
    "class-imbalance",
    Words("class imbalance", "クラスの不均衡"),
    about=Words(
        "Some classes are so rare that the network hardly ever answers them.",
        "一部のクラスのサンプルが少なすぎて、ネットワークがそのクラスをほとんど答えません。",
    ),
    measure=Words(
        "training samples of the largest class over the smallest's, and the recall of the rare classes against the others'",
        "最大クラスと最小クラスの訓練サンプル数の比、および少数クラスと他のクラスの再現率の差",
    ),
    brings=("overfitting", "underfitting", "slow-convergence", "plateau"),
    uneven=Limit(5, "koubai/data/problems.py: what koubai data warns of"),
    behind=Limit(0.1, OURS),
)
def class_imbalance(case: Case, uneven: float, behind: float) -> Finding | None:
    """Uneven by more than ``uneven``, and the rare classes' recall ``behind`` the others'."""
    counts = known(case).counts
    if len(counts) < 2 or counts.max() < uneven * max(counts.min(), 1):
        return None
    if case.recall is None:
        raise Unknown("How well each class is told is not known.", "クラスごとの再現率がわかりません。")
    if case.diverged:
        raise Unknown("A diverged network answers nothing.", "発散したネットワークの答えは判断できません。")
    recall, rare = case.recall(), counts * uneven <= counts.max()
    if not np.isfinite(recall[rare]).any() or not np.isfinite(recall[~rare]).any():
        raise Unknown("A class has no validation samples.", "検証サンプルのないクラスがあります。")
    few, many = float(np.nanmean(recall[rare])), float(np.nanmean(recall[~rare]))
    if many - few <= behind:
        return None
    return Finding(
        "serious" if few < many / 2 else "mild",
        Words(
            f"The largest class has {int(counts.max()):,} samples, the smallest {int(counts.min()):,}; "
            f"of the rare classes' samples {few:.0%} are recognized, of the others' {many:.0%}.",
            f"最大のクラスは {int(counts.max()):,} 個、最小のクラスは {int(counts.min()):,} 個です。再現率は少数クラスで {few:.0%}、"
            f"他のクラスで {many:.0%} です。",
        ),
        None,
        "data",
        {"uneven": float(counts.max() / max(counts.min(), 1)), "rare": few, "others": many},
    )


@symptom(
    "shuffled-labels",
    Words("labels that look shuffled", "ラベルがでたらめに見える"),
    about=Words(
        "Labels have nothing to do with the inputs: neighbours do not share them, and nothing that is learned holds for other samples.",
        "ラベルが入力と無関係に見えます。近いサンプルどうしでもラベルが揃わず、学習したことが他のサンプルに通用しません。",
    ),
    measure=Words(
        "share of samples whose nearest neighbour has their label, in standard errors above chance, while validation is near guessing",
        "最近傍のサンプルとラベルが一致する割合が、偶然の一致を標準誤差の何倍上回るか。検証精度が当て推量に近い場合に限る",
    ),
    brings=("underfitting", "overfitting", "plateau", "slow-convergence", "learning-rate-too-high"),
    most=Limit(0.8, OURS),
    errors=Limit(3, "the usual three standard errors; nearest neighbours: Cover & Hart 1967; by heart: Zhang et al., ICLR 2017"),
)
def shuffled_labels(case: Case, errors: float, most: float) -> Finding | None:
    """Neighbours agree no more than ``errors`` standard errors above chance, and the validation accuracy is near guessing."""
    facts = known(case)
    shares = facts.shares
    chance = float((shares**2).sum())
    if not math.isfinite(facts.neighbours):
        raise Unknown("Nobody looked at the samples' neighbours.", "サンプルの近傍が調べられていません。")
    looked = min(facts.samples, LOOKED_AT)
    above = (facts.neighbours - chance) / math.sqrt(chance * (1 - chance) / looked) if 0 < chance < 1 else math.inf
    guess = float(shares.max())
    end = float(case.need("validation_accuracy")[-1])
    if guess > most:
        raise Unknown(
            f"{guess:.0%} of the samples are of one class: neighbours agree anyhow.",
            f"サンプルの {guess:.0%} が1つのクラスなので、近傍との一致からは判断できません。",
        )
    if above > errors or (end > guess + 0.25 and case.fitted > 0.3):  # neighbours may say nothing, and labels yet be learned
        return None
    return Finding(
        "fatal",
        Words(
            f"{facts.neighbours:.0%} of the samples have the label of their nearest neighbour, by chance it would be {chance:.0%}; "
            f"the validation accuracy is {end:.0%}.",
            f"最近傍とラベルが一致するサンプルは {facts.neighbours:.0%} で、偶然でも {chance:.0%} になります。"
            f"検証精度は {end:.0%} です。",
        ),
        None,
        "data",
        {"above": above, "neighbours": facts.neighbours, "chance": chance, "end": end},
    )
