"""Choices: a technique by name with all of its numbers, as a trial holds it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from koubai.language import UserError, Words, unknown
from koubai.mistakes import brief, custom
from koubai.techniques import KINDS

KIND_WORDS = {
    "activation": Words("activation", "活性化関数"),
    "initializer": Words("initializer", "重みの初期値"),
    "optimizer": Words("optimizer", "最適化手法"),
    "schedule": Words("schedule", "学習率スケジュール"),
    "normalization": Words("normalization", "正規化"),
    "penalty": Words("penalty", "正則化"),
    "dropout": Words("dropout", "ドロップアウト"),
    "clipping": Words("gradient clipping", "勾配クリッピング"),
    "convolution": Words("convolution", "畳み込み"),
    "pooling": Words("pooling", "プーリング"),
    "augmentation": Words("augmentation", "データ拡張"),
    "loss": Words("loss", "損失関数"),
}


class Choice(BaseModel):
    """A technique by name, with all of its numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    numbers: dict[str, float]

    def __hash__(self) -> int:
        """By name and numbers, as equality is."""
        return hash((self.kind, self.name, *self.numbers.items()))

    def compact(self) -> str | dict[str, Any]:
        """The shortest form that reads back as this choice: the name, or a table of name and unusual numbers."""
        technique = KINDS[self.kind][self.name]
        odd = {k: v for k, v in self.numbers.items() if v != technique.complete(_without(self.numbers, k))[k]}
        return {"name": self.name, **odd} if odd else self.name

    def __str__(self) -> str:
        """The name, and the numbers that are not at their defaults."""
        form = self.compact()
        if isinstance(form, str):
            return form
        return f"{self.name}({', '.join(f'{k}={v:.3g}' for k, v in form.items() if k != 'name')})"


def positive_zero(value: float) -> float:
    """-0.0 as 0.0: equal trials must have equal hashes."""
    return value + 0.0


def is_number(value: Any) -> bool:
    """Whether a value is a number: ``True`` is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _without(numbers: Mapping[str, float], name: str) -> dict[str, float]:
    return {k: v for k, v in numbers.items() if k != name}


def choose(kind: str, given: Any) -> Any:
    """A ``Choice`` from a name, a table of name and numbers, or a choice."""
    if isinstance(given, Choice):
        given = {"name": given.name, **given.numbers}
    if isinstance(given, str):
        given = {"name": given}
    words, one = KIND_WORDS[kind], "an" if kind[0] in "aeiou" else "a"
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise custom(
            UserError(
                f"{one} {kind} is written as a name or as {{ name = ..., hyperparameter = ... }}, not {brief(given)}",
                f"{words.ja}は名前か {{ name = ..., ハイパーパラメータ名 = ... }} で書きます: {brief(given)}",
            )
        )
    name = given["name"]
    if name not in KINDS[kind]:
        raise custom(unknown(words, name, KINDS[kind]))
    technique = KINDS[kind][name]
    numbers: dict[str, float] = {}
    for key, value in given.items():
        if key == "name":
            continue
        if key not in technique.numbers:
            raise custom(
                unknown(Words(f"hyperparameter of {name}", f"{name} のハイパーパラメータ"), key, technique.numbers or ["(none)"])
            )
        number = technique.numbers[key]
        if not is_number(value) or not number.accepts(value):
            whole = ("a whole number ", "整数で、") if number.whole else ("", "")
            raise custom(
                UserError(
                    f"{name}: {key} must be {whole[0]}in {number.interval}, not {brief(value)}.",
                    f"{name} の {key} は{whole[1]}区間 {number.interval} の値にしてください: {brief(value)}",
                )
            )
        numbers[key] = positive_zero(float(value))
    return Choice(kind=kind, name=name, numbers=technique.complete(numbers))


def flat(choice: Choice) -> dict[str, Any]:
    """A choice as a table of its name and numbers."""
    return {"name": choice.name, **choice.numbers}


def chosen(kind: str) -> Any:
    """The type of a trial's field that is a technique of this kind."""
    return Annotated[Choice, BeforeValidator(lambda given: choose(kind, given)), PlainSerializer(flat)]
