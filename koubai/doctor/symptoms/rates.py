"""How training moves: rates too high and too low, slow going, plateaus, and weights that grow."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import OURS, Finding, Limit, Unknown, short, symptom
from koubai.doctor.symptoms.numbers import start, started_large
from koubai.language import Words

FEWEST = 6  # points from which a curve can be judged
EARLY = 0.3  # of the steps: before that, what is not learned may still be


def judged(case: Case) -> np.ndarray:
    """The training loss, where there are points and steps enough. Raises ``Unknown``."""
    at = int(case.steps[case.taken - 1])
    if not case.diverged and at < EARLY * case.budget:
        raise Unknown(
            f"Step {at} of {case.budget} is too early to judge.",
            f"{case.budget} ステップ中 {at} ステップでは、まだ判断できません。",
        )
    if len(case.fit) < FEWEST:
        raise Unknown(
            f"{len(case.fit)} points are too few to judge a curve.", f"記録が {len(case.fit)} 点しかなく、曲線を判断できません。"
        )
    return case.fit


@symptom(
    "learning-rate-too-high",
    Words("learning rate too high", "学習率が大きすぎる"),
    about=Words(
        "Steps overshoot: the loss jumps up and down, climbs, or the training diverges.",
        "更新が行き過ぎて、損失が上下に振動したり、増えたり、発散したりします。",
    ),
    measure=Words(
        "divergence; or, at a poor fit, the loss's peak over its start, or the share of rises in its moves and their sum",
        "発散。または適合が悪い場合の、開始時に対する損失の最大値の比、もしくは損失の動きの総量とそのうちの上昇の割合",
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
    fitted=Limit(0.8, OURS),
    spike=Limit(3, OURS),
    rises=Limit(0.4, OURS),
    swing=Limit(0.5, OURS),
)
def learning_rate_too_high(case: Case, fitted: float, spike: float, rises: float, swing: float) -> Finding | None:
    """Diverged after a sound start; or, at a poor fit, a spike over the start and guessing, or a loss that swings up and down."""
    if case.diverged:
        if started_large(case) or not np.isfinite(start(case)) or (case.origin and not case.origin.grown):
            return None
        words = Words(f"The training diverged at step {case.diverged}.", f"ステップ {case.diverged} で発散しました。")
        return Finding("fatal", words, None, "learning rate", {"diverged": float(case.diverged)})
    loss = judged(case)
    if case.fitted >= fitted and case.learned > 0:
        return None
    half = loss[case.after(0.3) :]
    moves = np.diff(half)
    up = float(moves[moves > 0].sum() / max(np.abs(moves).sum(), 1e-12))
    swung = float(np.abs(moves).sum() / max(case.guess, 1e-12))
    highest = float(np.nanmax(loss) / max(case.guess, loss[0]))
    size = float(np.nanmax(case.need("update")))
    if not (highest > spike or (up > rises and swung > swing)):
        return None
    return Finding(
        "serious",
        Words(
            f"The loss rises to {short(highest)} times its start, {up:.0%} of its moves go up, and single steps change weights by up to "
            f"{size:.0%} of their size.",
            f"損失が開始時の {short(highest)} 倍まで上がり、動きの {up:.0%} が上昇です。1回の更新で重みが最大 {size:.0%} 変わっています。",
        ),
        None,
        "learning rate",
        {"spike": highest, "rises": up, "swing": swung, "update": size, "fitted": case.fitted},
    )


@symptom(
    "learning-rate-too-low",
    Words("learning rate too low", "学習率が小さすぎる"),
    about=Words(
        "The weights hardly move in all the steps, although the gradient says where to.",
        "勾配は方向を示しているのに、全ステップを通しても重みがほとんど動きません。",
    ),
    measure=Words(
        "median |update| / |W| times the steps, largest over layers, while little is learned",
        "|更新量| / |W| の中央値 x ステップ数(層ごとの最大)。あまり学習できていない場合に限る",
    ),
    brings=("slow-convergence", "plateau", "underfitting"),
    travel=Limit(0.5, OURS),
    learned=Limit(0.6, OURS),
)
def learning_rate_too_low(case: Case, travel: float, learned: float) -> Finding | None:
    """All layers together travel less than ``travel`` of their size, and the last layer's gradient is there."""
    judged(case)
    far = float(np.nanmax(case.travel)) if np.isfinite(case.travel).any() else np.inf
    if far >= travel or case.learned >= learned or case.diverged:
        return None
    pull = float(np.nanmax(case.need("weight_gradient")[-1] * case.need("weight")[-1]))
    if pull < 1e-4:
        return None
    return Finding(
        "serious",
        Words(
            f"In {int(case.steps[case.taken - 1]):,} steps no layer's weights went further than {short(far)} of their size.",
            f"{int(case.steps[case.taken - 1]):,} ステップで、どの層の重みも大きさの {short(far)} 倍までしか動いていません。",
        ),
        None,
        "learning rate",
        {"travel": far, "learned": case.learned, "pull": pull},
    )


PACE, DOUBT, WAY = Limit(0.015, OURS), Limit(5, OURS), Limit(1.0, OURS)


def creeping(case: Case, pace: float, doubt: float, way: float) -> float:
    """By how much of guessing the loss falls in as many steps again, where it falls at a steady pace and the weights hardly move; else 0.

    Hardly: by less than ``way`` of their size. Steady: a straight line through the minibatches' losses since half time falls by more than
    ``pace``, and by ``doubt`` standard errors of its slope. These losses are means over all steps between two points, so that a fall shows
    which the few samples of a point's own measure would hide.
    """
    if "loss" not in case.history or not np.nanmax(case.travel) < way:
        return 0.0
    loss, share = case.need("loss").astype(np.float64) / case.guess, case.steps[: case.taken] / case.steps[case.taken - 1]
    late = np.isfinite(loss) & (share >= 0.5)
    if late.sum() < 4:
        return 0.0
    (slope, _), spread = np.polyfit(share[late], loss[late], 1, cov=True)
    return float(-slope) if -slope > max(pace, doubt * float(spread[0, 0]) ** 0.5) else 0.0


@symptom(
    "slow-convergence",
    Words("slow convergence", "収束が遅い"),
    about=Words(
        "The loss still falls steadily when the steps run out.",
        "ステップを使い切った時点で、損失がまだ下がり続けています。",
    ),
    measure=Words(
        "fall of the training loss over the last third of the steps, as a share of it, at a poor fit, "
        "or at one not good yet where the weights have hardly moved; or, where they have, a steady fall of the minibatches' losses",
        "最後の1/3のステップでの訓練損失の減少率。適合が悪い(重みがあまり動いていない場合は、十分でない)場合に限る。"
        "または、重みがあまり動かないままミニバッチの損失が一定の速さで下がっていること",
    ),
    fall=Limit(0.04, OURS),
    fitted=Limit(0.84, OURS),
    good=Limit(0.92, OURS),
    travel=Limit(0.7, OURS),
    learned=Limit(0.76, OURS),
    pace=PACE,
    doubt=DOUBT,
    way=WAY,
)
def slow_convergence(
    case: Case, fall: float, fitted: float, good: float, travel: float, learned: float, pace: float, doubt: float, way: float
) -> Finding | None:
    """A fall of more than ``fall`` at the end while fitted below ``fitted``, or below ``good`` with weights moved less than ``travel``.

    Only where the validation loss falls too. Where the weights have moved further and the loss is down by ``learned``, or nearest
    neighbours would do worse, what is left may be what cannot be learned. Or it is ``creeping``, by the last three.
    """
    judged(case)
    before = case.level(0.6, 0.75)
    fallen = 1 - case.level(0.9, 1) / before if before > 0 else 0.0
    if not case.diverged and case.fitted < fitted and (creep := creeping(case, pace, doubt, way)):
        return _slow(case, fallen, creep)
    if "validation_loss" in case.history:
        held_out = case.need("validation_loss").astype(np.float64)
        if case.level(0.9, 1, held_out) >= case.level(0.6, 0.75, held_out):
            return None  # more of this would not help
    short_way = np.nanmax(case.travel) < travel
    enough = good if short_way else fitted
    if case.diverged or not fallen > fall or case.fitted >= enough:
        return None
    if not short_way and (case.learned >= learned or (case.facts and case.beyond)):
        return None
    return _slow(case, fallen, 0.0)


def _slow(case: Case, fallen: float, creep: float) -> Finding:
    words = Words(
        f"The loss falls at a steady pace, by {creep:.0%} of guessing in as many steps again, and {case.learned:.0%} is learned: "
        "it takes far more steps, or larger ones.",
        f"損失は一定の速さで下がり続けていて(同じステップ数をもう一度かけると当て推量の {creep:.0%} 分)、学習できたのは "
        f"{case.learned:.0%} です。ステップ数か学習率が大きく足りません。",
    )
    if not creep:
        words = Words(
            f"In the last third of the steps the loss still fell by {fallen:.0%}, and {case.learned:.0%} is learned: "
            "it takes more steps, or larger ones.",
            f"最後の1/3のステップでも損失が {fallen:.0%} 下がっていて、学習できたのは {case.learned:.0%} です。"
            "ステップ数か学習率が足りません。",
        )
    evidence = {"fall": fallen, "fitted": case.fitted, "learned": case.learned} | ({"creep": creep} if creep else {})
    return Finding("mild", words, None, "learning rate", evidence)


@symptom(
    "plateau",
    Words("plateau", "学習の停滞"),
    about=Words(
        "The loss stands still for a large part of the training, far from 0.",
        "損失が0から遠いまま、学習の大部分で動きません。",
    ),
    measure=Words(
        "longest stretch, as a share of the steps, in which the training loss moves by less than 2% of guessing and stays far from 0",
        "訓練損失の動きが当て推量の2%未満で、0から遠いままの最長区間(全ステップに対する割合)",
    ),
    stretch=Limit(0.5, OURS),
    left=Limit(0.3, OURS),
)
def plateau(case: Case, stretch: float, left: float) -> Finding | None:
    """A stretch of more than ``stretch`` of the steps at a loss of more than ``left`` of guessing."""
    loss = judged(case) / case.guess
    steps = case.steps[: len(loss)]
    longest, begin = 0.0, 0
    for k in range(len(loss)):
        with np.errstate(invalid="ignore"):
            high, low = np.maximum.accumulate(loss[k:]), np.minimum.accumulate(loss[k:])
            flat = (high - low < 0.02) & (low > left)
        end = k + (len(flat) if flat.all() else int((~flat).argmax())) - 1
        if end > k and (steps[end] - steps[k]) / steps[-1] > longest:
            longest, begin = float((steps[end] - steps[k]) / steps[-1]), k
    if not longest > stretch or (case.facts and case.beyond):
        return None
    level = float(loss[begin])
    still = float(np.nanmax(case.travel)) < 0.5  # it stands because nothing moves
    return Finding(
        "serious",
        Words(
            f"For {longest:.0%} of the steps, from step {int(steps[begin])}, the loss stands at {level:.2f} of guessing.",
            f"ステップ {int(steps[begin])} から全体の {longest:.0%} の間、損失が当て推量の {level:.2f} 倍のまま動きません。",
        ),
        None,
        "learning rate" if still else None,
        {"stretch": longest, "level": level, "begin": float(steps[begin])},
    )


@symptom(
    "growing-weights",
    Words("weights growing without bound", "重みの際限ない増大"),
    about=Words(
        "The weights grow and grow; the sums grow with them, and answers become extreme.",
        "重みが増え続け、それにつれて総和も膨らみ、出力が極端になります。",
    ),
    measure=Words(
        "largest |W| at the end over the start's, while the fit is poor or the validation loss no better than guessing",
        "終了時と開始時の |W| の比の最大値。適合が悪いか、検証損失が当て推量より良くない場合に限る",
    ),
    growth=Limit(8, OURS),
    fitted=Limit(0.9, OURS),
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
    label = case.label("weights", layer)
    return Finding(
        "serious",
        Words(
            f"The weights of {label} grew to {short(float(grown[layer]))} times their first size, "
            f"by {late[layer] - 1:.0%} in the last half alone.",
            f"{label} の重みの大きさが最初の {short(float(grown[layer]))} 倍になりました(後半だけで {late[layer] - 1:.0%} 増)。",
        ),
        label,
        "learning rate",
        {"growth": float(grown[layer]), "late": float(late[layer]), "over": loss / case.guess},
    )
