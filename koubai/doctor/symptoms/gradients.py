"""Gradients that vanish or explode on their way down, and which layer and factor does it."""

from __future__ import annotations

import math

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import CAUSES, GOOD, LEAP, POOR, Finding, Limit, short, symptom
from koubai.language import Words

SPLIT = ("activation", "weights", "normalization")  # what the ledger splits an attenuation into
NOTHING = 1e-30  # as good as no gradient


@symptom(
    "vanishing-gradient",
    Words("vanishing gradient", "勾配消失"),
    about=Words(
        "The gradient shrinks from layer to layer, so the first layers hardly learn.",
        "勾配が層を下るごとに小さくなり、入力側の層がほとんど学習できません。",
    ),
    measure=Words(
        "|dL/dz| at the first layer with weights over the last's, at its lowest in the first tenth of the steps, while the fit is not good",
        "重みを持つ最初の層と最後の層の |dL/dz| の比(最初の1/10のステップでの最小値)。適合がよくない場合に限る",
    ),
    brings=("plateau", "underfitting", "slow-convergence", "learning-rate-too-low"),
    ratio=Limit(1e-3, "AutoTrainer (Zhang et al., ICSE 2021): first to last below 1e-3"),
    fitted=GOOD,
)
def vanishing_gradient(case: Case, ratio: float, fitted: float) -> Finding | None:
    """``|dL/dz_1| / |dL/dz_L|`` below ``ratio``, fitted below ``fitted``.

    The cause is the kind of layer that takes most of it, the layer the worst of them.
    """
    passed = _passed(case)
    if passed is None or case.fitted >= fitted:
        return None
    early = slice(max(1, case.after(0.1)))
    begun = passed[early]
    if case.seen and begun[-1] > 0:
        begun = begun[begun > 0]  # a branch may begin with weights of 0, as a LoRA's, and open by itself
    lowest = float(begun.min())
    if lowest >= ratio:
        return None
    cause, layer, words = _blamed(case, early, -1)
    left = Words("nothing", "最初の層には、最後の層の勾配がまったく届きません")
    if lowest > NOTHING:
        left = Words(short(lowest), f"最初の層に届く勾配は、最後の層の勾配の {short(lowest)} 倍です")
    return Finding(
        "fatal" if lowest < ratio**2 else "serious",
        Words(f"{words.en}; {left.en} of the gradient at the last layer arrives at the first.", f"{words.ja}。{left.ja}。"),
        case.layers[layer],
        cause,
        {"ratio": lowest, "fitted": case.fitted},
    )


@symptom(
    "exploding-gradient",
    Words("exploding gradient", "勾配爆発"),
    about=Words(
        "The gradient grows from layer to layer, so the weights of the first layers are thrown about.",
        "勾配が層を下るごとに大きくなり、入力側の層の重みが大きく振り回されます。",
    ),
    measure=Words(
        "|dL/dz| at the first layer with weights over the last's at the start, unless too long a step made it so, while the loss is "
        "far above guessing or the fit is poor",
        "学習開始時の、重みを持つ最初の層と最後の層の |dL/dz| の比(大きすぎる更新によるものは除く)。損失が当て推量を"
        "大きく上回るか、適合が悪い場合に限る",
    ),
    brings=("not-a-number", "learning-rate-too-high", "growing-weights", "slow-convergence", "plateau", "underfitting"),
    ratio=Limit(70, "AutoTrainer (Zhang et al., ICSE 2021): first to last above 70"),
    fitted=POOR,
    leap=LEAP,
)
def exploding_gradient(case: Case, ratio: float, fitted: float, leap: float) -> Finding | None:
    """``|dL/dz_1| / |dL/dz_L|`` above ``ratio`` in the first points, if not by a first step that changed weights by more than ``leap``."""
    passed = _passed(case)
    if passed is None:
        return None
    largest = float(np.max(passed[:3]))
    if passed[0] <= ratio and np.nan_to_num(case.need("update")[:3], posinf=np.inf).max() > leap:
        return None  # it was sound, and the first steps threw it
    if not largest > ratio or (case.fitted >= fitted and case.fit[0] < 2 * case.guess):
        return None
    if "normalization" in case.kinds and _between_activations(case) < ratio:
        return None  # small weights before a normalization: what one multiplies by, the other divides by
    cause, layer, words = _blamed(case, slice(3), 1)
    return Finding(
        "fatal" if largest > ratio**2 else "serious",
        Words(
            f"{words.en}; the first layer gets {short(largest)} times the gradient of the last.",
            f"{words.ja}。最初の層の勾配は最後の層の {short(largest)} 倍になります。",
        ),
        case.layers[layer],
        cause,
        {"ratio": largest, "fitted": case.fitted},
    )


def _passed(case: Case) -> np.ndarray | None:
    """``|dL/dz_1| / |dL/dz_L|`` ``[point]``, infinite where it left the numbers; nothing where fewer than three layers have weights."""
    gradient, weighted = case.need("gradient").astype(np.float64), case.where("weights")
    if len(weighted) < 3:
        return None
    first, last = gradient[:, weighted[0]], gradient[:, weighted[-1]]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        passed = first / last
    return np.where(np.isfinite(first), np.where(last > 0, passed, 0.0), np.inf)


def _between_activations(case: Case) -> float:
    """The same between the outputs of the first and the last activation, at the start."""
    places = case.where("activation")
    first, last = (float(case.need("gradient")[0, place]) for place in (places[0], places[-1]))
    return first / last if last > 0 else 0.0


def _blamed(case: Case, points: slice, sign: int) -> tuple[str, int, Words]:
    """The kind of layer that shrinks (``sign`` -1) or grows (1) the gradient most, the place of the worst, and the split in words."""
    weighted = case.where("weights")
    between = range(weighted[0] + 1, weighted[-1] + 1)
    factors = np.nan_to_num(case.factors[points], nan=1.0)  # where nothing came down to a layer, it is not the one that took it
    decades = np.log10(np.clip(factors, NOTHING, 1 / NOTHING))
    middle = np.median(decades, axis=0)
    there = {kind: [k for k in between if case.kinds[k] == kind] for kind in SPLIT}
    shares = {kind: sign * float(middle[places].sum()) for kind, places in there.items() if places}
    cause = max(shares, key=lambda kind: shares[kind])
    worst = max(there[cause], key=lambda k: sign * middle[k])
    if middle[worst] <= math.log10(NOTHING):
        label = case.layers[worst]
        return cause, worst, Words(f"{label} passes nothing of the gradient on", f"{label} は勾配をまったく通しません")
    parts = {kind: 10 ** float(np.mean(middle[there[kind]])) for kind in shares}
    return cause, worst, _split(case, parts, len(there["weights"]))


def _split(case: Case, parts: dict[str, float], count: int) -> Words:
    """How much each kind of layer passes on, in words: the mean factor of a layer."""
    activations = {case.layers[k].rpartition(" ")[0] or case.layers[k] for k in case.where("activation")}
    name = activations.pop() if len(activations) == 1 else None
    en: list[str] = []
    ja: list[str] = []
    for kind, factor in parts.items():
        shown = name if kind == "activation" and name else CAUSES[kind].en
        said = name if kind == "activation" and name else CAUSES[kind].ja
        en.append(
            f"the {shown} {'pass' if kind == 'weights' else 'passes'} {short(factor)}" + (" of it" if en else " of the gradient")
        )
        ja.append(f"{said}は {short(factor)} 倍")
    each = Words(f"At each layer on the way down ({count}) ", f"層を1つ下るごとに({count} 段)、")
    return Words(each.en + ", ".join(en), each.ja + "、".join(ja) + "にします")
