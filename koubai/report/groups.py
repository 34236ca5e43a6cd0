"""Runs as figures and tables take them: by variant, seeds together, and laid out in panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from koubai.language import Words
from koubai.measures import accuracy, is_regression, scored
from koubai.report.style import COLORS
from koubai.store import Record

if TYPE_CHECKING:
    from koubai.landscapes import Path

T = TypeVar("T")

MOST_PANELS = 16
MOST = 24  # curves of one figure that an eye can follow


@dataclass(frozen=True)
class Group:
    """The runs of one variant, one a seed, and the values of the axes that set it apart, as they are shown."""

    label: str
    values: Mapping[str, str]
    records: Sequence[Record]

    def curves(self, name: str) -> np.ndarray:
        """One curve of the history, ``[seed, point]`` (or with the layers and so on behind), at the points of the first seed.

        A seed that was looked at elsewhere, by another version of Koubai, gives its nearest points.
        """
        found = [record.history[name] for record in self.records]
        points = "steps" if len(found[0]) == len(self.records[0].steps) else "histogram_steps"
        marks = [np.asarray(getattr(record, points)) for record in self.records]
        return np.stack(
            [
                curve if np.array_equal(mark, marks[0]) else curve[np.abs(np.subtract.outer(marks[0], mark)).argmin(1)]
                for curve, mark in zip(found, marks, strict=True)
            ]
        )

    def final(self, part: str = "validation") -> np.ndarray:
        """Final accuracies ``[seed]``; a diverged trial counts as guessing."""
        return np.array([accuracy(record, part) for record in self.records])


@dataclass(frozen=True)
class Race:
    """The paths of one optimizer over a landscape, one a start."""

    label: str
    paths: Sequence[Path]


def quantities(groups: Sequence[Group]) -> bool:
    """Whether any of these runs predicts a quantity."""
    return any(is_regression(record) for group in groups for record in group.records)


def spoken(words: Words, groups: Sequence[Group]) -> Words:
    """Words on accuracy as they hold for these runs; see ``measures.scored``."""
    return scored(words, [record for group in groups for record in group.records])


def networks(groups: Sequence[Any]) -> bool:
    """Whether these are runs of networks."""
    return all(isinstance(group, Group) for group in groups)


def trials(groups: Sequence[Any]) -> bool:
    """Whether these are trials of the laboratory, with their specs and weights, and not models that were watched from outside."""
    return networks(groups) and all(isinstance(record, Record) for group in groups for record in group.records)


def recorded(groups: Sequence[Any], *names: str) -> bool:
    """Whether all of these runs have some curves in their history."""
    return networks(groups) and all(name in record.history for name in names for group in groups for record in group.records)


@dataclass(frozen=True)
class Panels(Generic[T]):
    """Things in panels: ``panels[title][series]``. A series has one number in all panels, and its colour with it."""

    panels: Mapping[str, Mapping[str, T]]
    series: Sequence[str]

    def __iter__(self) -> Iterator[tuple[int, int, str, T]]:
        """Each thing with the numbers of its panel and of its series, and the series' name."""
        for k, within in enumerate(self.panels.values()):
            for name, one in within.items():
                yield k, self.series.index(name), name, one


def arranged(things: Sequence[tuple[Mapping[str, str], T]]) -> Panels[T]:
    """Things in panels by the value of one axis, their series named by the others; each comes with its values by axis.

    Axes that move together count as one. Series go along the axis with the most values that colours can still tell apart.
    """
    names = dict.fromkeys(name for values, _ in things for name in values)
    axes: list[tuple[str, ...]] = []
    for name in names:
        count = _count(things, (name,))
        together = [axis for axis in axes if _count(things, (*axis, name)) == _count(things, axis) == count]
        if together:
            axes[axes.index(together[0])] = (*together[0], name)
        elif count > 1:
            axes.append((name,))
    panel: tuple[str, ...] = ()
    if len(axes) > 1:
        coloured = [axis for axis in axes if _count(things, axis) <= len(COLORS)]
        along = max(coloured, key=lambda axis: (_count(things, axis), axes.index(axis)), default=axes[-1])
        panel = max((axis for axis in axes if axis != along), key=lambda axis: _count(things, axis))
    panels: dict[str, dict[str, T]] = {}
    series: dict[str, None] = {}
    for values, thing in things:
        within = panels.setdefault(_named(values, panel), {})
        name = _named(values, [name for axis in axes if axis != panel for name in axis]) or ", ".join(values.values()) or "base"
        while name in within:
            name += "'"  # values that look alike when they are rounded
        series[name] = None
        within[name] = thing
    return Panels(panels, list(series))


def _count(things: Sequence[tuple[Mapping[str, str], Any]], names: Sequence[str]) -> int:
    """How many combinations of values there are along some axes."""
    return len({tuple(values.get(name) for name in names) for values, _ in things})


def _named(values: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(values[name] for name in names if name in values)


def in_panels(groups: Sequence[Group]) -> Panels[Group]:
    """Groups in panels; too many of them to look at are thinned first."""
    found = arranged([(group.values, group) for group in groups])
    if len(found.panels) <= MOST_PANELS and len(found.series) <= len(COLORS):
        return found
    return arranged([(group.values, group) for group in few(groups)])


def swept(groups: Sequence[Group], axis: str, number: Callable[[Any], float]) -> Panels[list[Group]]:
    """Lines of groups along one axis, in panels; each line in the order of ``number(trial)``."""
    lines: dict[tuple[str, ...], tuple[dict[str, str], list[Group]]] = {}
    for group in groups:
        rest = {name: value for name, value in group.values.items() if name != axis}
        lines.setdefault(tuple(rest.values()), (rest, []))[1].append(group)
    for _, line in lines.values():
        line.sort(key=lambda group: number(group.records[0].trial))
    return arranged(list(lines.values()))


def few(groups: Sequence[Group], most: int = MOST) -> list[Group]:
    """At most so many groups: where there are more, the best and the worst by final validation accuracy, in their order."""
    if len(groups) <= most:
        return list(groups)
    order = np.argsort([group.final().mean() for group in groups])
    kept = {*order[: most // 2].tolist(), *order[-(most - most // 2) :].tolist()}
    return [group for k, group in enumerate(groups) if k in kept]
