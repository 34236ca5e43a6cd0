"""Numbers that are none, and their first cause: which layer, which step, which operation."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import Finding, symptom
from koubai.language import Words


@symptom(
    "not-a-number",
    Words("not a number", "NaNの発生"),
    about=Words(
        "A value left the range of floating point numbers, and everything after it is lost.",
        "値が浮動小数点数の範囲を超え、以降の計算がすべて無意味になりました。",
    ),
    measure=Words(
        "the first layer, step and operation whose values are not finite",
        "有限でない値が最初に現れた層・ステップ・演算",
    ),
)
def not_a_number(case: Case) -> Finding | None:
    """Before the first step a forward, the loss or a backward, as the first point of the history has it; else the update of a step."""
    if case.origin:
        return case.origin.finding()
    if not case.diverged and np.isfinite(start(case)):
        return None
    if (layer := _forward(case)) is not None:
        return _at_once(layer, Words("forward", "順伝播"))
    if (layer := _backward(case)) is not None:
        return _at_once(layer, Words("backward", "逆伝播"))
    return _update(case)


def _at_once(layer: str, run: Words) -> Finding:
    words = Words(
        f"Before the first step the {run.en} pass at {layer} already leaves the range of floats: the initial weights are too large.",
        f"最初の更新の前に、{layer} の{run.ja}の値が浮動小数点数の範囲を超えています。重みの初期値が大きすぎます。",
    )
    return Finding("fatal", words, layer, "weights", {"step": 0.0})


def _forward(case: Case) -> str | None:
    """The layer with weights whose sums are the first that are not finite before the first step."""
    lost = np.zeros(len(case.where("activation")), dtype=bool)
    for name in ("low", "high") if "high" in case.history else ("mean", "std"):  # a mean may overflow where no value does
        if name in case.history and len(lost):
            first = np.asarray(case.history[name])[0]
            lost |= ~(np.abs(first) < np.finfo(np.float32).max)
    if lost.any():
        place = case.where("activation")[int(lost.argmax())]
        return case.layers[max(k for k in case.where("weights") if k < place)]
    return None if np.isfinite(start(case)) else case.layers[-1]


def _backward(case: Case) -> str | None:
    """The layer at whose output the gradient, on its way down, is first not finite before the first step."""
    if "gradient" not in case.history:
        return None
    lost = np.flatnonzero(~np.isfinite(np.asarray(case.history["gradient"])[0]))
    return case.layers[int(lost[-1])] if len(lost) else None


def _update(case: Case) -> Finding:
    """The update of a step: the layer whose weights had grown most by the last point."""
    since = int(case.steps[max(case.taken - 1, 0)])
    fastest = None
    if "weight" in case.history and case.taken > 1:
        weight = case.need("weight").astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = weight[-1] / weight[0]
        fastest = case.label("weights", int(np.nanargmax(grown))) if np.isfinite(grown).any() else None
    large = started_large(case)
    why = Words("the steps are too large", "更新が大きすぎました")
    if large:
        why = Words("the initial weights make the first steps too large", "重みの初期値が原因で、最初の更新が大きすぎました")
    words = Words(
        f"The loss stopped being finite at step {case.diverged}; at step {since} all was finite. The updates are to blame: {why.en}.",
        f"ステップ {case.diverged} で損失が有限でなくなりました(ステップ {since} では有限)。原因は重みの更新です: {why.ja}。",
    )
    return Finding("fatal", words, fastest, "weights" if large else "learning rate", {"step": float(case.diverged)})


def started_large(case: Case) -> bool:
    """Whether the loss was far above guessing before the first step."""
    return bool(start(case) > 100 * case.guess)


def start(case: Case) -> float:
    """The training loss before the first step, which need not be a number. Raises ``Unknown``."""
    if "train_loss" in case.history:
        return float(case.history["train_loss"][0])
    return float(case.fit[np.isfinite(case.fit)][0])  # that of minibatches begins with the first step
