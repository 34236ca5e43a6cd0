"""How fast the loss falls: slow going, plateaus, and the line through its last points that others ask for too."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import ERRORS, Case
from koubai.doctor.finding import GOOD, OURS, POOR, Finding, Limit, Unknown, symptom
from koubai.language import Words, counted

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
            f"A curve of {counted(len(case.fit), 'point')} is too short to judge.",
            f"記録が {len(case.fit)} 点しかなく、曲線を判断できません。",
        )
    return case.fit


def sure(case: Case, errors: float = ERRORS) -> None:
    """Raises ``Unknown`` where the network has learned ``enough``: then nobody can say that more could be learned."""
    if case.facts and case.enough(errors):
        least = f"{case.facts.reachable:.0%}"
        raise Unknown(
            f"Simpler methods are right on {least} of samples left out, and the network is not clearly worse: what is left may be noise.",
            f"より単純な手法は未知のサンプルの {least} に正解し、ネットワークははっきり劣ってはいません。残りは雑音かもしれません。",
        )


PACE, DOUBT, WAY = Limit(0.03, OURS), Limit(5, OURS), Limit(1.25, OURS)
STILL = Limit(0.5, OURS)  # travel below which the weights have hardly moved
FOUR = 4  # points that a straight line is laid through, at least, where a history has them


def creeping(case: Case, pace: float, doubt: float, way: float) -> float:
    """``pacing``, where the weights have moved by less than ``way`` of their size; else 0."""
    return pacing(case, pace, doubt) if np.nanmax(case.travel) < way else 0.0


def pacing(case: Case, pace: float, doubt: float, held_out: bool = False) -> float:
    """By how much of guessing the loss falls in as many steps again, if at a steady pace (``falling``); else 0.

    That is the minibatches' loss: a mean over all steps between two points, it shows what the few samples of a point's own measure would
    hide. With ``held_out`` it is the validation loss.
    """
    share = case.steps[: case.taken] / case.steps[case.taken - 1]
    if held_out:  # without the last, which is of more samples
        return falling(share[:-1], share[:-1], case.need("validation_loss")[:-1] / case.guess, pace, doubt)
    middle = np.concatenate([[0.0], (share[1:] + share[:-1]) / 2])  # of the steps that a mean is over
    return falling(share, middle, case.need("loss") / case.guess, pace, doubt) if "loss" in case.history else 0.0


def falling(share: np.ndarray, at: np.ndarray, curve: np.ndarray, pace: float, doubt: float) -> float:
    """By how much a curve falls in as many steps again, if by more than ``pace`` and ``doubt`` standard errors; else 0.

    By a straight line through its points since half time, or the last ``FOUR`` where these are fewer, which stand ``at`` such shares of
    the steps.
    """
    there = np.flatnonzero(np.isfinite(curve) & (share >= EARLY / 2))
    late = there[min(int((share[there] < 0.5).sum()), max(len(there) - FOUR, 0)) :]
    if len(late) < FOUR - 1:
        return 0.0
    (slope, _), spread = np.polyfit(at[late], curve[late].astype(np.float64), 1, cov=True)
    return float(-slope) if -slope > max(pace, doubt * float(spread[0, 0]) ** 0.5) else 0.0


@symptom(
    "slow-convergence",
    Words("slow convergence", "収束が遅い"),
    about=Words(
        "The loss still falls steadily when the steps run out.",
        "ステップを使い切った時点で、損失がまだ下がり続けています。",
    ),
    measure=Words(
        "how fast the loss still falls at a poor fit: that of the minibatches, by a line through its last half, where two of three hold "
        "(the weights have moved little, the validation loss falls so too, simpler methods do better) or the weights have hardly moved at "
        "all, or the training loss's fall over the last third of the steps, as a share of it",
        "適合が悪いときに、損失がまだ下がる速さ。ミニバッチの損失の後半に当てはめた直線の傾き(重みがあまり動いていない、検証損失も同じように"
        "下がる、より単純な手法に劣る、のうち2つが成り立つか、重みがほとんど動いていない場合)、または最後の 1/3 のステップでの訓練損失の"
        "減少率",
    ),
    fall=Limit(0.03, OURS),
    fitted=POOR,
    good=GOOD,
    pace=PACE,
    doubt=DOUBT,
    way=WAY,
    still=STILL,
)
def slow_convergence(
    case: Case, fall: float, fitted: float, good: float, pace: float, doubt: float, way: float, still: float
) -> Finding | None:
    """``pacing`` while fitted below ``fitted``, and two of three hold; or a fall of more than ``fall`` at the end.

    The three are that the weights have moved by less than ``way`` of their size, that the validation loss is ``pacing`` too, and that
    simpler methods do better; weights moved by less than ``still`` are enough where the validation loss falls. The fall counts while
    fitted below ``fitted``, or below ``good`` with weights moved less than ``way``, and only where the validation loss falls too and
    simpler methods do better.
    """
    judged(case)
    if case.diverged:
        return None
    before, moved, validated = case.level(0.6, 0.75), float(np.nanmax(case.travel)), "validation_loss" in case.history
    fallen = 1 - case.level(0.9, 1) / before if before > 0 else 0.0
    held_out = case.need("validation_loss").astype(np.float64) if validated else case.fit
    helps = case.level(0.9, 1, held_out) < case.level(0.6, 0.75, held_out)
    if case.fitted < fitted and (pace_now := pacing(case, pace, doubt)):
        alike = validated and pacing(case, pace, doubt, held_out=True) > 0
        if (moved < way) + alike + (not case.enough()) >= 2 or (moved < still and validated and helps):
            return _slow(case, fallen, pace_now)
    if not fallen > fall or case.fitted >= (good if moved < way else fitted) or not helps:
        return None
    sure(case)
    return _slow(case, fallen, 0.0)


def _slow(case: Case, fallen: float, creep: float) -> Finding:
    learned = Words(f"{case.learned:.0%} is learned", f"学習できたのは {case.learned:.0%} です")
    if case.learned < 0.005:
        learned = Words("nothing is learned yet", "まだ何も学習できていません")
    words = Words(
        f"The loss falls at a steady pace, by {creep:.0%} of the loss of guessing in as many steps again, and {learned.en}: "
        "it takes far more steps, or larger ones.",
        f"損失は一定の速さで下がり続けていますが(同じステップ数をもう一度かけても、当て推量の損失の {creep:.0%} 分)、{learned.ja}。"
        "ステップ数か学習率が大きく足りません。",
    )
    if not creep:
        words = Words(
            f"In the last third of the steps the loss still fell by {fallen:.0%}, and {learned.en}: it takes more steps, or larger ones.",
            f"最後の 1/3 のステップでも損失が {fallen:.0%} 下がっていて、{learned.ja}。ステップ数か学習率が足りません。",
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
        "longest stretch, as a share of the steps, in which the training loss moves by less than 2% of guessing and stays far from 0, "
        "while simpler methods do better",
        "訓練損失の動きが当て推量の2%未満で、0から遠いままの最長区間(全ステップに対する割合)。より単純な手法に劣る場合に限る",
    ),
    stretch=Limit(0.5, OURS),
    left=Limit(0.3, OURS),
    least=Limit(0.9, "ours: of watched models, whose loss may have a floor far from 0"),
)
def plateau(case: Case, stretch: float, left: float, least: float) -> Finding | None:
    """A stretch of more than ``stretch`` of the steps at a loss of more than ``left`` of guessing.

    Where nothing is known of the data, a loss that came to rest below ``least`` of its start may be as low as it can be.
    """
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
    if not longest > stretch:
        return None
    sure(case)
    level = float(loss[begin])
    if case.facts is None and level < least:
        raise Unknown(
            f"The loss came to rest at {level:.2f} times its start; how low it can come is not known.",
            f"損失は開始時の {level:.2f} 倍で落ち着きましたが、どこまで下げられるかがわかりません。",
        )
    of = Words("that of guessing", "当て推量") if case.facts or case.regression else Words("its start", "開始時")
    still = float(np.nanmax(case.travel)) < STILL.value  # it stands because nothing moves
    return Finding(
        "serious",
        Words(
            f"For {longest:.0%} of the steps, from step {int(steps[begin])}, the loss stays at {level:.2f} times {of.en}.",
            f"ステップ {int(steps[begin])} から全体の {longest:.0%} の間、損失が{of.ja}の {level:.2f} 倍のまま動きません。",
        ),
        None,
        "learning rate" if still else None,
        {"stretch": longest, "level": level, "begin": float(steps[begin])},
    )
