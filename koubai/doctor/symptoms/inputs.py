"""What is wrong with the data: inputs out of scale, uneven classes, labels that look shuffled."""

from __future__ import annotations

import math

import numpy as np

from koubai.data.builtin import BUILTIN
from koubai.doctor.case import ERRORS, Case, Facts
from koubai.doctor.finding import GOOD, OURS, Finding, Limit, Unknown, short, symptom
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
        "root mean square of the largest feature, above the one limit or below the other, while the fit is poor or the loss begins far "
        "above guessing",
        "最大の特徴量の二乗平均平方根(上限より大きいか、下限より小さい場合)。適合が悪いか、学習開始時の損失が当て推量を大きく上回る場合に限る",
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
    fitted=GOOD,
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
            f"The features' sizes range from {short(float(size.min()))} to {short(widest)}; standardized they would all be 1.",
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
        "Some classes are so rare that the network hardly ever predicts them.",
        "一部のクラスのサンプルが少なすぎて、ネットワークがそのクラスをほとんど予測しません。",
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
        raise Unknown("The recall of each class is not known.", "クラスごとの再現率がわかりません。")
    if case.diverged:
        raise Unknown("A diverged network makes no predictions.", "発散したネットワークは予測を出せません。")
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
        "Labels seem to have nothing to do with the inputs: nothing that is learned from them holds for other samples.",
        "ラベルが入力と無関係に見えます。学習したことが、ほかのサンプルにはまったく通用しません。",
    ),
    measure=Words(
        "share of samples that simpler methods (nearest neighbours, kernel regression) predict without having seen them, in standard "
        "errors above always answering the largest class, while the network's validation accuracy is near guessing too",
        "単純な手法(最近傍法・カーネル回帰)の未知のサンプルに対する正解率が、常に最大のクラスと答える場合を標準誤差の何倍上回るか。"
        "ネットワークの検証精度も当て推量に近い場合に限る",
    ),
    brings=("underfitting", "overfitting", "plateau", "slow-convergence", "learning-rate-too-high"),
    errors=Limit(ERRORS, "the usual three standard errors; by heart: Zhang et al., ICLR 2017"),
    most=Limit(0.8, OURS),
    way=Limit(0.25, OURS),
)
def shuffled_labels(case: Case, errors: float, most: float, way: float) -> Finding | None:
    """Simpler methods do no better than guessing by ``errors`` standard errors.

    Nor has the network come by more than ``way`` from guessing to all right, on training and validation samples alike.
    """
    facts = known(case)
    if not math.isfinite(facts.reachable):
        raise Unknown(
            "How well the labels can be predicted was not measured.", "ラベルをどこまで予測できるかを測定していません。"
        )
    guess, doubt = float(facts.shares.max()), facts.doubt(float(facts.shares.max()))
    end = float(case.need("validation_accuracy")[-1])
    if guess > most:
        raise Unknown(
            f"{guess:.0%} of the samples are of one class: the others are too few to tell.",
            f"サンプルの {guess:.0%} が1つのクラスで、ほかのクラスが少なすぎて判断できません。",
        )
    above = (facts.reachable - guess) / doubt
    learned = min(case.fitted, (end - guess) / (1 - guess))  # simpler methods may say nothing, and labels yet be learned
    if above > errors or learned > way:
        return None
    purpose = Words("", "")
    if case.trial and (source := BUILTIN.get(case.trial.data.name)) and source.drawn:
        purpose = Words(
            f" The set {case.trial.data.name} is made so on purpose: it is for looking at signals, not for learning.",
            f"データセット {case.trial.data.name} は意図してこう作られています(学習用ではなく、信号の伝わり方を見るためのものです)。",
        )
    return Finding(
        "mild" if purpose.en else "fatal",
        Words(
            f"Always naming the largest class is right for {guess:.0%}; on samples that they have not seen, nearest neighbours and "
            f"kernel regression reach {facts.reachable:.0%}, and the network {end:.0%}.{purpose.en}",
            f"常に最大のクラスと答えれば正解率は {guess:.0%} です。未知のサンプルで、最近傍法とカーネル回帰は {facts.reachable:.0%}、"
            f"ネットワークは {end:.0%} にとどまります。{purpose.ja}",
        ),
        None,
        "data",
        {"above": above, "reachable": facts.reachable, "guess": guess, "end": end},
    )
