"""What was learned and what was not: overfitting, underfitting, regularization that holds too hard, minibatches too small."""

from __future__ import annotations

import numpy as np

from koubai.blueprint import read
from koubai.doctor.case import ERRORS, Case
from koubai.doctor.finding import GOOD, OURS, Finding, Limit, Unknown, short, symptom
from koubai.doctor.symptoms.pace import DOUBT, PACE, WAY, creeping, judged, sure
from koubai.language import Words, counted


@symptom(
    "overfitting",
    Words("overfitting", "過学習"),
    about=Words(
        "The network learned the training samples by heart: on others it does much worse.",
        "訓練サンプルを丸暗記していて、それ以外のサンプルでは成績が大きく下がります。",
    ),
    measure=Words(
        "training minus validation accuracy at the end, with a validation loss risen from its lowest or few samples of a class",
        "終了時の訓練精度と検証精度の差。検証損失が最小値から上がったか、1クラスあたりのサンプルが少ない場合に限る",
    ),
    gap=Limit(0.1, OURS),
    rise=Limit(1.75, OURS),
    few=Limit(30, OURS),
)
def overfitting(case: Case, gap: float, rise: float, few: float) -> Finding | None:
    """A gap of more than ``gap`` with the validation loss over ``rise`` times its lowest, or of half that with ``few`` samples a class."""
    judged(case)
    train, held_out = (case.need(f"{part}_accuracy") for part in ("train", "validation"))
    loss = case.need("validation_loss").astype(np.float64)
    apart = float(train[-1] - held_out[-1])
    lowest = int(np.nanargmin(loss))
    up = float(loss[-1] / loss[lowest]) if loss[lowest] > 0 else float("inf")
    scarce = case.facts is not None and case.facts.samples < few * len(case.facts.counts)
    far = apart > gap / 2 if scarce else apart > gap and up > rise
    if case.diverged or not far or case.fitted < 0.5:
        return None
    since = int(case.steps[lowest])
    words = Words(
        f"Right on {train[-1]:.0%} of the training samples and on {held_out[-1]:.0%} of the validation samples",
        f"訓練サンプルの正解率 {train[-1]:.0%} に対し、検証サンプルは {held_out[-1]:.0%} です。",
    )
    if case.regression:
        words = Words(
            f"R² is {train[-1]:z.2f} on the training samples and {held_out[-1]:z.2f} on the validation samples",
            f"R² は訓練サンプルで {train[-1]:z.2f}、検証サンプルで {held_out[-1]:z.2f} です。",
        )
    risen = Words("", "")
    if 1.05 < up < float("inf"):
        risen = Words(
            f"; the validation loss is {short(up)} times what it was at step {since}",
            f"検証損失はステップ {since} のときの {short(up)} 倍に増えました。",
        )
    return Finding(
        "serious" if apart > 2 * gap else "mild",
        Words(f"{words.en}{risen.en}.", f"{words.ja}{risen.ja}"),
        None,
        "data" if scarce else "network",
        {"gap": apart, "rise": up},
    )


def narrow(case: Case) -> int:
    """The units of the narrowest dense layer before the output, where they are known and fewer than there are classes; else 0."""
    widths = [part.width for part in map(read, case.trial.layers if case.trial else ()) if part.name == "dense"]
    return min(widths) if widths and case.facts and min(widths) < len(case.facts.counts) else 0


@symptom(
    "underfitting",
    Words("underfitting", "学習不足(表現力の不足)"),
    about=Words(
        "Training has come to rest, and even the training samples are not fitted: the network is too simple for them.",
        "学習は落ち着いたのに、訓練サンプルにさえ適合できていません。データに対してネットワークが単純すぎます。",
    ),
    measure=Words(
        "share of the training samples fitted at the end, once the loss has come to rest and the weights have moved, where simpler methods "
        "do better",
        "損失が落ち着き、重みも十分動いた後の、訓練サンプルへの適合度。より単純な手法に劣る場合に限る",
    ),
    fitted=Limit(0.75, OURS),
    linear=GOOD,
    fall=Limit(0.1, OURS),
    travel=Limit(0.3, OURS),
    pace=PACE,
    doubt=DOUBT,
    way=WAY,
)
def underfitting(case: Case, fitted: float, linear: float, fall: float, travel: float, **creep: float) -> Finding | None:
    """Fitted below ``fitted`` and at rest: fallen by less than ``fall`` of guessing in the last third.

    ``linear`` is the limit where no activation bends, or a layer has fewer units than there are classes. Only where the weights have moved
    by more than ``travel``, the loss is not ``creeping`` (by the last three), and simpler methods do better.
    """
    loss = judged(case)
    if case.regression:
        raise Unknown("How well a quantity can be predicted at all is not known.", "連続量がどこまで予測可能かは分かりません。")
    fallen = (case.level(0.6, 0.75) - case.level(0.9, 1)) / case.guess
    straight = all(case.layers[k].startswith("identity") for k in case.where("activation"))
    few = 0 if straight else narrow(case)
    if (
        case.diverged
        or case.fitted >= (linear if straight or few else fitted)
        or abs(fallen) > fall
        or not np.nanmax(case.travel) > travel
    ):
        return None
    if creeping(case, **creep):
        return None
    if case.learned < -0.1:  # worse than guessing: something throws it about, it is not too simple
        return None
    sure(case, 0 if few else ERRORS)
    level, right = loss[-1] / case.guess, case.need("train_accuracy")[-1]
    mend = Words(
        "wider or more layers, or another activation, could fit more",
        "層を広く・深くするか、活性化関数を変えると改善する可能性があります",
    )
    if straight:
        mend = Words(
            "without a nonlinear activation, the whole network is one linear layer",
            "非線形な活性化関数がないので、全体が1つの線形層にすぎません",
        )
    elif few:
        mend = Words(
            "a layer of a single unit lets one number through"
            if few == 1
            else f"a layer of {few} units lets {few} numbers through",
            f"ユニットが {few} 個の層は、{few} 個の数しか通しません",
        )
    return Finding(
        "mild" if case.fitted > fitted / 2 else "serious",
        Words(
            f"The loss stands at {level:.2f} times that of guessing, with {right:.0%} of the training samples right: {mend.en}.",
            f"損失は当て推量の {level:.2f} 倍で、訓練サンプルの正解率は {right:.0%} です。{mend.ja}。",
        ),
        None,
        "activation" if straight else "network",
        {"fitted": case.fitted, "fall": fallen},
    )


@symptom(
    "too-strong-regularization",
    Words("too strong regularization", "強すぎる正則化"),
    about=Words(
        "A penalty or dropout holds the network so hard that it cannot fit the training samples.",
        "正則化やドロップアウトが強すぎて、訓練サンプルに適合できません。",
    ),
    measure=Words(
        "|W| at the end over the start's under a penalty, or the dropout rate, at a poor fit",
        "正則化ありでの終了時と開始時の |W| の比、またはドロップアウト率。適合が悪い場合に限る",
    ),
    brings=("underfitting", "plateau", "vanishing-gradient", "dead-relu", "identical-units", "slow-convergence"),
    fitted=GOOD,
    shrunk=Limit(0.7, OURS),
    dropout=Limit(0.6, OURS),
    left=Limit(0.1, OURS),
)
def too_strong_regularization(case: Case, fitted: float, shrunk: float, dropout: float, left: float) -> Finding | None:
    """Shrunk below ``shrunk`` by a penalty, or dropped out at more than ``dropout``, and fitted below ``fitted``.

    Dropout counts too where all its layers together leave less than ``left``.
    """
    judged(case)
    if case.diverged or case.fitted >= fitted:
        return None
    trial, fit = case.trial, max(case.fitted, 0)
    weight = case.need("weight").astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.linalg.norm(weight[-1]) / np.linalg.norm(weight[0])
    penalized = trial is None or trial.penalty.name != "none" or trial.optimizer.numbers.get("weight_decay", 0) > 0
    if penalized and size < shrunk:
        words = Words(
            f"The weights shrank to {size:.0%} of their initial size, and the fit is {fit:.0%}: the penalty outweighs the data.",
            f"重みが最初の {size:.0%} まで縮み、適合度は {fit:.0%} です。正則化がデータより優勢です。",
        )
        return Finding("serious", words, None, "penalty", {"size": float(size), "fitted": case.fitted})
    rate, layers = trial.dropout if trial else case.seen.dropout if case.seen else 0.0, len(case.where("dropout"))
    if rate > dropout or (trial and (1 - rate) ** layers < left):  # around others a path may lead
        words = Words(
            f"Dropout leaves {1 - rate:.0%} of the units in, in {counted(layers, 'layer')}, and the fit is {fit:.0%}.",
            f"ドロップアウトにより {layers} 層のそれぞれで残るユニットは {1 - rate:.0%} だけで、適合度は {fit:.0%} です。",
        )
        return Finding("serious", words, None, "dropout", {"dropout": rate, "layers": float(layers), "fitted": case.fitted})
    return None


@symptom(
    "batch-too-small",
    Words("batch too small for batch normalization", "バッチ正規化に対して小さすぎるバッチ"),
    about=Words(
        "Statistics over so few samples are mostly noise: training and evaluation normalize by different values.",
        "少数のサンプルから求めた統計量はほとんど雑音で、学習時と評価時の正規化が食い違います。",
    ),
    measure=Words(
        "samples of a minibatch, in a network with batch normalization whose fit or validation accuracy is poor",
        "バッチ正規化を使い、適合か検証精度が悪いネットワークでのバッチサイズ",
    ),
    brings=("underfitting", "slow-convergence", "plateau", "learning-rate-too-high"),
    samples=Limit(4, "Wu & He, ECCV 2018 (Group Normalization): the error rises steeply below 4 samples"),
    fitted=GOOD,
)
def batch_too_small(case: Case, samples: float, fitted: float) -> Finding | None:
    """Fewer than ``samples`` in a minibatch."""
    named = case.seen.batch_norms if case.seen else [one for one in case.layers if "batch" in one.lower()]
    places = [k for k in case.where("normalization") if case.layers[k] in named]
    if not places:
        return None
    if case.batch_size is None:
        raise Unknown("The size of the minibatches is not known.", "バッチサイズがわかりません。")
    if case.batch_size >= samples or (case.fitted >= fitted and case.need("validation_accuracy")[-1] >= fitted):
        return None
    return Finding(
        "serious",
        Words(
            f"{case.layers[places[0]]} takes its mean and variance from {counted(case.batch_size, 'sample')}; they are mostly noise.",
            f"{case.layers[places[0]]} は {case.batch_size} サンプルから平均と分散を求めており、その値はほとんど雑音です。",
        ),
        case.layers[places[0]],
        "batch size",
        {"samples": float(case.batch_size), "fitted": case.fitted},
    )
