"""A finding, and the register of symptoms: what the doctor can find, by which measure and threshold, and where the threshold is from.

A symptom is a function of a case and its thresholds, in ``doctor/symptoms/``. It gives a ``Finding``, or nothing where the case does not
have it, and raises ``Unknown`` where the evidence is too thin to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from koubai.language import Words

Severity = Literal["fatal", "serious", "mild"]

SEVERITIES: dict[Severity, Words] = {
    "fatal": Words("fatal", "致命的"),
    "serious": Words("serious", "重い"),
    "mild": Words("mild", "軽い"),
}
CAUSES = {
    "activation": Words("activation", "活性化関数"),
    "weights": Words("weights", "重み"),
    "normalization": Words("normalization", "正規化"),
    "learning rate": Words("learning rate", "学習率"),
    "penalty": Words("penalty", "正則化"),
    "dropout": Words("dropout", "ドロップアウト"),
    "batch size": Words("batch size", "バッチサイズ"),
    "network": Words("network", "ネットワークの大きさ"),
    "data": Words("data", "データ"),
    "optimizer": Words("optimizer", "最適化手法"),
    "loss": Words("loss", "損失関数"),
}


class Unknown(Exception):
    """The evidence does not say whether a symptom is there; why, in both languages."""

    def __init__(self, en: str, ja: str) -> None:
        super().__init__(en)
        self.words = Words(en, ja)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: how bad it is, the explanation, the layer and the cause (one of ``CAUSES``) where it has them.

    ``evidence`` are the numbers that the explanation and the threshold speak of; ``symptom`` is the name in ``SYMPTOMS``; ``follows``
    names the symptom, found too, that this one is a consequence of: where that is mended, this may go by itself.
    """

    severity: Severity
    words: Words
    layer: str | None = None
    cause: str | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    symptom: str = ""
    follows: str = ""

    @property
    def title(self) -> Words:
        """The symptom's title."""
        return SYMPTOMS[self.symptom].title


@dataclass(frozen=True)
class Limit:
    """A threshold and where it is from: a publication, or the first part of ``benchmarks/doctor.py``."""

    value: float
    source: str


OURS = "set on the first part of the data sets of benchmarks/doctor.py"
LEAP = Limit(0.1, OURS)  # of their size, by which a step that is too long changes weights
POOR, GOOD = Limit(0.84, OURS), Limit(0.95, OURS)  # below the first a fit is poor, from the second on it is good


@dataclass(frozen=True)
class Symptom:
    """What can be wrong: its name, title, what it is, the measure, the limits, and the function that looks.

    ``brings`` are symptoms that come with it: found beside it, they follow from it.
    """

    name: str
    title: Words
    about: Words
    measure: Words
    limits: Mapping[str, Limit]
    function: Callable[..., Finding | None]
    brings: tuple[str, ...] = ()


SYMPTOMS: dict[str, Symptom] = {}

Look = Callable[..., Finding | None]


def symptom(
    name: str, title: Words, *, about: Words, measure: Words, brings: tuple[str, ...] = (), **limits: Limit
) -> Callable[[Look], Look]:
    """Register the function below as a symptom. It is called with a case and the values of ``limits``."""

    def register(function: Look) -> Look:
        SYMPTOMS[name] = Symptom(name, title, about, measure, limits, function, brings)
        return function

    return register


def short(value: float) -> str:
    """A number as an explanation shows it: two digits, written out below a million, powers of ten without padding."""
    text = f"{value:.2g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{float(text):,.0f}" if 0 < int(exponent) < 6 else f"{mantissa}e{int(exponent)}"
    return text


def portion(value: float) -> Words:
    """A part or a multiple of what follows (in Japanese: of what stands before): "45% of", "3.2 times"."""
    if value < 2:
        said = f"{value:.0%}" if value >= 0.01 else f"{value * 100:.1g}%"
        return Words(f"{said} of", said)
    return Words(f"{short(value)} times", f"{short(value)} 倍")
