"""Steps too long or too short, and weights that grow."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import GOOD, LEAP, OURS, POOR, Finding, Limit, portion, short, symptom
from koubai.doctor.symptoms.numbers import start, started_large
from koubai.doctor.symptoms.pace import EARLY, STILL, judged, sure
from koubai.doctor.symptoms.units import PINNED, SILENT, killed, pinned
from koubai.language import Words

CLIMBS = 0.9  # share of a loss's moves that go up, above which nobody says that it swings


@symptom(
    "learning-rate-too-high",
    Words("learning rate too high", "学習率が大きすぎる"),
    about=Words(
        "Steps overshoot: the loss jumps up and down, climbs, or the training diverges.",
        "更新が行き過ぎて、損失が上下に振動したり、増えたり、発散したりします。",
    ),
    measure=Words(
        "divergence; or, at a fit that is not good, the loss's peak over its start, the sum of its rises in units of guessing, or units "
        "that fell silent or saturated after long steps",
        "発散。または適合がよくない場合の、開始時に対する損失の最大値の比、損失の上昇の合計(当て推量に対する比)、もしくは大きな更新の後に"
        "死んだ、または飽和したユニットの割合",
    ),
    brings=(
        "not-a-number",
        "dead-relu",
        "saturated-activations",
        "growing-weights",
        "vanishing-gradient",
        "plateau",
        "underfitting",
    ),
    fitted=POOR,
    good=GOOD,
    spike=Limit(3, OURS),
    swing=Limit(0.45, OURS),
    dead=SILENT,
    late=PINNED,
    leap=LEAP,
    still=STILL,
)
def learning_rate_too_high(
    case: Case, fitted: float, good: float, spike: float, swing: float, dead: float, late: float, leap: float, still: float
) -> Finding | None:
    """Diverged after a sound start; or, where simpler methods do better and the fit is below ``good``, one of three.

    The loss has a ``spike`` over its start and guessing (which counts below ``fitted`` anyhow), its rises come to ``swing``, or at least
    ``dead`` of a layer's units fell silent, or ``late`` of its values came to stand at an end of its range, by when a step had changed
    weights by more than ``leap`` of their size. Weights that took no such step, and less than ``still`` of it together, overshot nothing:
    their loss moves for another reason, as that of a GAN's generator does with its opponent.
    """
    if case.diverged:
        if started_large(case) or not np.isfinite(start(case)) or (case.origin and not case.origin.grown):
            return None
        words = Words(f"The training diverged at step {case.diverged}.", f"ステップ {case.diverged} で発散しました。")
        return Finding("fatal", words, None, "learning rate", {"diverged": float(case.diverged)})
    loss, poor = judged(case), case.poor(good) or case.learned <= 0
    moves = np.diff(loss[case.after(EARLY) :]) / max(case.guess, 1e-12)
    climbed, swung = float(moves[moves > 0].sum()), float(np.abs(moves).sum())
    highest = float(np.nanmax(loss) / max(case.guess, loss[0]))
    steps = np.nan_to_num(case.need("update"), nan=0.0, posinf=np.inf).max(axis=1)  # the first point has none
    size = float(steps.max())
    what: list[Words] = []
    if (poor or case.fitted < fitted) and highest > spike:
        what.append(
            Words(f"the loss peaks at {short(highest)} times its start", f"損失が最大で開始時の {short(highest)} 倍に達しました")
        )
    if poor and climbed > swing:
        up = climbed / swung
        how = Words("climbs", "増え続け") if up > CLIMBS else Words("swings", "上下に振れ")
        what.append(Words(f"the loss {how.en}: {up:.0%} of its moves go up", f"損失が{how.ja}、動きの {up:.0%} が上昇です"))
    if not what and poor and (fell := killed(case, dead)) and steps[: fell[1] + 1].max() > leap:
        layer, at = case.label("activation", fell[0]), int(case.steps[fell[1]])
        what.append(
            Words(f"by step {at} the units of {layer} fell silent", f"ステップ {at} までに {layer} のユニットが死にました")
        )
    if not what and poor and (held := pinned(case, late)) and steps[: held[1] + 1].max() > leap:
        layer, at = case.label("activation", held[0]), int(case.steps[held[1]])
        what.append(
            Words(
                f"by step {at} the values of {layer} stood at an end of its range",
                f"ステップ {at} までに {layer} の値が値域の端に張り付きました",
            )
        )
    if not what or (size <= leap and float(np.nanmax(case.travel)) < still):
        return None
    change, said = portion(size), Words("; ".join(one.en for one in what), "。".join(one.ja for one in what))
    return Finding(
        "serious",
        Words(
            f"{said.en[0].upper()}{said.en[1:]}. A single step changes weights by up to {change.en} their size.",
            f"{said.ja}。1 回の更新で重みが最大でその大きさの {change.ja} 動いています。",
        ),
        None,
        "learning rate",
        {"spike": highest, "rises": climbed, "update": size, "fitted": case.fitted},
    )


@symptom(
    "learning-rate-too-low",
    Words("learning rate too low", "学習率が小さすぎる"),
    about=Words(
        "The weights hardly move in all the steps, although the gradient gives a direction.",
        "勾配は方向を示しているのに、全ステップを通しても重みがほとんど動きません。",
    ),
    measure=Words(
        "median |update| / |W| times the steps, largest over layers, while the fit is not good and simpler methods do better",
        "|更新量| / |W| の中央値 x ステップ数(層ごとの最大)。適合がよくなく、より単純な手法に劣る場合に限る",
    ),
    brings=("slow-convergence", "plateau", "underfitting"),
    travel=STILL,
    fitted=GOOD,
)
def learning_rate_too_low(case: Case, travel: float, fitted: float) -> Finding | None:
    """All layers together travel less than ``travel`` of their size, fitted below ``fitted``, and the gradient is there."""
    judged(case)
    far = float(np.nanmax(case.travel)) if np.isfinite(case.travel).any() else np.inf
    if far >= travel or case.fitted >= fitted or case.diverged:
        return None
    pull = float(np.nanmax(case.need("weight_gradient")[-1] * case.need("weight")[-1]))
    if pull < 1e-4:
        return None
    sure(case)
    fell = Words("", "")
    if case.seen and (at := case.seen.faded):
        fell = Words(
            f" The rate had fallen to a hundredth by step {at}: is a schedule stepped once a batch that is meant for epochs?",
            f"学習率がステップ {at} までに100分の1に下がっています。エポックごとのスケジューラをバッチごとに進めていませんか。",
        )
    return Finding(
        "serious",
        Words(
            f"In {int(case.steps[case.taken - 1]):,} steps no layer's weights went further than {short(far)} of their size.{fell.en}",
            f"{int(case.steps[case.taken - 1]):,} ステップで、どの層の重みも大きさの {short(far)} 倍までしか動いていません。{fell.ja}",
        ),
        None,
        "learning rate",
        {"travel": far, "learned": case.learned, "pull": pull},
    )


@symptom(
    "growing-weights",
    Words("weights growing without bound", "重みの際限ない増大"),
    about=Words(
        "The weights grow and grow; the sums grow with them, and outputs become extreme.",
        "重みが増え続け、それにつれて総和も膨らみ、出力が極端になります。",
    ),
    measure=Words(
        "largest |W| at the end over the start's, while the fit is poor or the validation loss no better than guessing",
        "終了時と開始時の |W| の比の最大値。適合が悪いか、検証損失が当て推量より良くない場合に限る",
    ),
    growth=Limit(8, OURS),
    fitted=POOR,
)
def growing_weights(case: Case, growth: float, fitted: float) -> Finding | None:
    """Grown by more than ``growth``, and fitted below ``fitted`` or with a validation loss above guessing."""
    weight = case.need("weight").astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        grown, late = weight[-1] / weight[0], weight[-1] / weight[case.after(0.5)]
    wide = np.where(weight[0] > 0, grown, 0.0)
    held_out = case.history.get("validation_loss")
    loss = float(held_out[case.taken - 1]) if held_out is not None else float(case.fit[-1])
    if not wide.max() > growth or (loss < case.guess and case.fitted >= fitted):
        return None
    layer = int(wide.argmax())
    label, times = case.label("weights", layer), short(float(grown[layer]))
    since = Words("most of it in the first half", "ほとんどが前半")
    if late[layer] > 1.1:
        since = Words(f"{short(float(late[layer]))} times in the last half alone", f"後半だけで {short(float(late[layer]))} 倍")
    return Finding(
        "serious",
        Words(
            f"The weights of {label} grew to {times} times their initial size, {since.en}.",
            f"{label} の重みの大きさが最初の {times} 倍になりました({since.ja})。",
        ),
        label,
        "learning rate",
        {"growth": float(grown[layer]), "late": float(late[layer]), "over": loss / case.guess},
    )
