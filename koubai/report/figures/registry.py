"""The register of figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from koubai.language import UserError, Words, unknown

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from koubai.report.groups import Group


@dataclass(frozen=True)
class Kind:
    """A kind of figure: how it is drawn, what it is called, how it is read, and which runs it can show."""

    draw: Callable[..., Figure]
    title: Words
    caption: Words
    fits: Callable[[Sequence[Group]], bool] = lambda groups: True


FIGURES: dict[str, Kind] = {}


def figure(
    name: str, title: Words, caption: Words, fits: Callable[[Sequence[Group]], bool] = lambda groups: True
) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Register the function below as a figure: it takes groups of runs and gives a plotly figure, in the language in force."""

    def register(function: Callable[..., Figure]) -> Callable[..., Figure]:
        FIGURES[name] = Kind(function, title, caption, fits)
        return function

    return register


def draw(name: str, groups: Sequence[Any]) -> Figure:
    """A figure by name. Raises ``UserError`` for an unknown name, or one that cannot show these runs."""
    if name not in FIGURES:
        raise unknown(Words("figure", "図"), name, FIGURES)
    if not groups or not FIGURES[name].fits(groups):
        fitting = ", ".join(other for other, kind in FIGURES.items() if groups and kind.fits(groups))
        raise UserError(
            f"The figure {name!r} cannot show these runs; figures that can: {fitting or 'none'}.",
            f"図 {name!r} ではこの結果を描けません。使える図: {fitting or 'なし'}。",
        )
    return FIGURES[name].draw(groups)
