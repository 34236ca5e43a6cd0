"""What is put together wrong in a watched training: it runs, and learns little or something else than it should."""

from __future__ import annotations

from koubai.doctor.case import Case
from koubai.doctor.finding import GOOD, POOR, Finding, Limit, symptom
from koubai.doctor.seen import Idle
from koubai.doctor.symptoms.units import FAR
from koubai.language import Words

SLOW = ("vanishing-gradient", "plateau", "underfitting", "slow-convergence", "learning-rate-too-low")
WHY: dict[Idle, Words] = {
    "unheld": Words(
        "no optimizer holds them. Make it with model.parameters(), after the model's last change",
        "どのオプティマイザにも渡されていません。モデルを変更し終えてから model.parameters() で作り直してください",
    ),
    "unreached": Words(
        "no gradient comes to them. Their values leave the graph on the way to the loss (detach, no_grad, .data, .item(), argmax), or have "
        "no part in it",
        "勾配が届いていません。損失までの途中で計算グラフから外れているか(detach、no_grad、.data、.item()、argmax)、損失に使われていません",
    ),
    "flat": Words(
        "the loss itself gives a gradient of exactly 0. It is too small for half precision (scale the loss, as GradScaler does), or flat",
        "損失からの勾配がちょうど 0 です。半精度には小さすぎるか(GradScaler のように損失を拡大してください)、損失が平らです",
    ),
    "rate": Words(
        "a gradient comes to them, but their learning rate is 0, or their steps are too small for their precision. Look at the parameter "
        "groups and the schedule, and in half precision scale the loss, as GradScaler does",
        "勾配は届いていますが、学習率が 0 か、更新が数値の精度に対して小さすぎます。パラメータグループとスケジューラを確認し、半精度なら "
        "GradScaler のように損失を拡大してください",
    ),
}


@symptom(
    "idle-layers",
    Words("layers that no step moves", "更新されない層"),
    about=Words(
        "Weights that are not frozen stay exactly as they were from the first step to the last.",
        "固定していないはずの重みが、最初のステップから最後までまったく変わりません。",
    ),
    measure=Words(
        "of a watched model: layers whose |W| is the same at every point, though their weights are not frozen, while the fit is not good",
        "watch で見守ったモデルの、勾配を求める設定なのに |W| がどの時点でも同じ層。適合がよくない場合に限る",
    ),
    brings=SLOW,
    fitted=GOOD,
    poor=POOR,
)
def idle_layers(case: Case, fitted: float, poor: float) -> Finding | None:
    """Any, fitted below ``fitted``; the finding is about those with the reason of the last of them, the nearest to the loss."""
    if case.seen is None or not case.seen.idle or case.fitted >= fitted:
        return None
    why = list(case.seen.idle.values())[-1]
    those = [layer for layer, reason in case.seen.idle.items() if reason == why]
    named = ", ".join(those[:3]), "、".join(those[:3])
    more = Words(f" and {len(those) - 3} more", f" ほか {len(those) - 3} 層") if len(those) > 3 else Words("", "")
    return Finding(
        "serious" if case.fitted < poor else "mild",
        Words(
            f"No step moves the weights of {named[0]}{more.en}: {WHY[why].en}.",
            f"{named[1]}{more.ja} の重みはどのステップでも変わりません。{WHY[why].ja}。",
        ),
        those[-1],
        {"unheld": "optimizer", "rate": "learning rate"}.get(why, "loss"),
        {"layers": float(len(those)), "fitted": case.fitted},
    )


@symptom(
    "uncleared-gradients",
    Words("gradients that nobody clears", "消去されない勾配"),
    about=Words(
        "Every step adds its gradient to those of all steps before, so steps grow and point where the loss once fell.",
        "各ステップの勾配がそれまでの全ステップの勾配に足されていくため、更新が膨らみ、向きも古いままになります。",
    ),
    measure=Words(
        "of a watched model: whether a weight's gradient, as a step left it, is still there when the next comes, in every step looked at",
        "watch で見守ったモデルで、前のステップの勾配が次の勾配が来るときにもそのまま残っているか(記録したすべてのステップで)",
    ),
    brings=(
        "not-a-number", "exploding-gradient", "learning-rate-too-high", "growing-weights", "dead-relu", "saturated-activations",
        "batch-too-small", *SLOW,
    ),
)  # fmt: skip
def uncleared_gradients(case: Case) -> Finding | None:
    """Wherever it is so, however well the training goes."""
    if case.seen is None or not case.seen.uncleared:
        return None
    words = Words(
        "The gradients of one step are still there in the next: call optimizer.zero_grad() once for each step, before backward.",
        "前のステップの勾配が次のステップにも残っています。ステップごとに backward の前に optimizer.zero_grad() を呼んでください。",
    )
    return Finding("serious", words, None, "optimizer")


@symptom(
    "mismatched-loss",
    Words("answers that do not fit the loss", "損失に合わない出力"),
    about=Words(
        "The model's answers are not what its loss is made for, so the loss cannot come down.",
        "モデルの出力が損失関数の想定と合っていないため、損失が下がりきりません。",
    ),
    measure=Words(
        "of a watched model: in the graph of its loss, a softmax, sigmoid or ReLU right before a loss that squashes its input itself, or "
        "answers stretched to targets of another shape, while the fit is not good",
        "watch で見守ったモデルの損失の計算グラフで、自らsoftmaxやsigmoidをかける損失の直前にsoftmax・sigmoid・ReLUがあるか、出力が形の違う"
        "目標値に合わせて引き伸ばされているか。適合がよくない場合に限る",
    ),
    brings=("dead-relu", *SLOW),
    fitted=GOOD,
)
def mismatched_loss(case: Case, fitted: float) -> Finding | None:
    """Either, fitted below ``fitted``."""
    if case.seen is None or not (case.seen.squashed or case.seen.spread) or case.fitted >= fitted:
        return None
    name = case.seen.squashed
    words = Words(
        f"The answers pass {name} before a loss that takes raw ones (cross_entropy, binary_cross_entropy_with_logits): leave it out.",
        f"出力が {name} を通ってから、生の値を受け取る損失(cross_entropy、binary_cross_entropy_with_logits)に渡されています。{name} を"
        "外してください。",
    )
    if case.seen.spread:
        one, other = (" x ".join(map(str, shape)) for shape in case.seen.spread)
        words = Words(
            f"Answers of shape {one} are compared with targets as {other}, each with those of other samples: give both the same shape.",
            f"形が {one} の出力が {other} に引き伸ばされ、ほかのサンプルの目標値とも比べられています。形を揃えてください。",
        )
    return Finding("serious", words, None, "loss", {"fitted": case.fitted})


@symptom(
    "targets-not-standardized",
    Words("targets not standardized", "目標値が標準化されていない"),
    about=Words(
        "The quantity to be predicted is far larger than 1: the first steps are thrown far, or the answers take ages to get there.",
        "予測する量が1よりはるかに大きく、最初の更新が行き過ぎるか、出力がそこに届くまでに時間がかかりすぎます。",
    ),
    measure=Words(
        "of a watched model: root mean square of the targets of a squared error, while the fit is poor",
        "watch で見守ったモデルの、二乗誤差の目標値の二乗平均平方根。適合が悪い場合に限る",
    ),
    brings=("not-a-number", "exploding-gradient", "learning-rate-too-high", "growing-weights", "dead-relu", "saturated-activations", *SLOW),
    large=Limit(FAR, "koubai/data/problems.py: what koubai data warns of, of inputs"),
    fitted=POOR,
)  # fmt: skip
def targets_not_standardized(case: Case, large: float, fitted: float) -> Finding | None:
    """Larger than ``large``, and diverged or fitted below ``fitted``."""
    if case.seen is None or not case.seen.target > large or (not case.diverged and case.fitted >= fitted):
        return None
    size = f"{case.seen.target:,.0f}"
    words = Words(
        f"The targets' size is {size}: standardize them (subtract their mean, divide by their spread), and undo it in what is predicted.",
        f"目標値の大きさが {size} あります。平均を引いて標準偏差で割り(標準化)、予測値を元に戻してください。",
    )
    bad = case.diverged or case.fitted < fitted / 2
    return Finding("serious" if bad else "mild", words, None, "data", {"target": case.seen.target})
