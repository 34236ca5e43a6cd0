"""What every technique carries: its name, words, formula, source and numbers, in one place.

A technique is a function. A decorator of its kind (``activation``, ``initializer``, ``optimizer``, ``schedule``)
wraps it with what a reader wants to know and puts it into the register of that kind; being registered is what makes
it appear in the specs, the command line, the report and the tests that go over all techniques.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, SupportsFloat


class Words(NamedTuple):
    """One text in the two languages of the laboratory."""

    en: str
    ja: str


@dataclass(frozen=True)
class Number:
    """One hyperparameter of a technique.

    ``default`` is its value, or the name of another number of the same technique whose value it takes.
    ``interval`` is the set of values it may take, as mathematics writes it: ``"[0, 1)"``, ``"(0, inf)"``.
    """

    default: float | str
    interval: str = "(-inf, inf)"
    about: Words = Words("", "")
    whole: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The two ends of the interval."""
        low, high = self.interval[1:-1].split(",")
        return float(low), float(high)

    def accepts(self, given: SupportsFloat) -> bool:
        """Whether a number is finite, whole where it must be, and inside the interval."""
        try:
            value = float(given)
        except OverflowError:  # an integer of hundreds of digits
            return False
        low, high = self.ends
        above = value >= low if self.interval[0] == "[" else value > low
        below = value <= high if self.interval[-1] == "]" else value < high
        return above and below and math.isfinite(value) and (not self.whole or value == int(value))


@dataclass
class Technique:
    """A function and what is known about it. Calling the technique calls the function."""

    function: Callable[..., Any]
    name: str
    about: Words
    formula: str
    source: str
    numbers: Mapping[str, Number] = field(default_factory=dict)

    def __call__(self, *args: Any, **numbers: Any) -> Any:
        """Call the function."""
        return self.function(*args, **numbers)

    def __post_init__(self) -> None:
        """Take the function's docstring, so that ``help`` shows it."""
        self.__doc__ = self.function.__doc__

    def defaults(self) -> dict[str, float]:
        """Every number at its default, names of other numbers resolved."""
        return self.complete({})

    def complete(self, given: Mapping[str, float]) -> dict[str, float]:
        """``given`` with every number that is missing at its default."""
        values: dict[str, float] = {}
        for name, number in self.numbers.items():
            value: float | str = given.get(name, number.default)
            values[name] = values[value] if isinstance(value, str) else value
        return values


def register(
    kind: dict[str, Technique],
    name: str,
    *,
    formula: str,
    about: Words,
    source: str = "",
    numbers: Mapping[str, Number] | None = None,
) -> Callable[[Callable[..., Any]], Technique]:
    """Decorator: the function below is a technique of this kind."""

    def wrap(function: Callable[..., Any]) -> Technique:
        kind[name] = Technique(function, name, about, formula, source, numbers or {})
        return kind[name]

    return wrap
