"""Two studies of the store beside each other."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len, set_cell_size

from koubai.blueprint import title
from koubai.language import Words
from koubai.naming import SHOWN
from koubai.report.figures import FIGURES, draw
from koubai.report.groups import Group
from koubai.result import Result
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.web.shell import aside, asked, figure, put, tabular
from koubai.web.study import SHOWN_AS, known, result, table

CURVES = 4  # of each study
BEST = 10  # variants of each in numbers
LETTERS = 80  # of a field's values
CELLS = 24  # of a study's name above its panel, which is narrow on a phone; a Japanese letter takes two


async def content(store: Store) -> None:
    """Fill the page with two studies side by side: what differs, their best curves, their tables."""
    with put("p", classes="small back"):
        put("a", Words("← All runs", "← 記録の一覧"), href="/runs")
    put("h1", Words("Two runs compared", "2つの実験の比較"))
    both = [await aside(result, store, known(store, asked(name))) for name in "ab"]
    names = [found.study.name for found in both]
    if names[0] == names[1]:
        names = [f"{found.study.name} {found.study.id[:SHOWN]}" for found in both]
    with put("section"):
        _differences(names, both)
    heads = [name if cell_len(name) <= CELLS else f"{set_cell_size(name, CELLS - 1).rstrip()}…" for name in names]
    if heads[0] == heads[1]:
        heads = names
    groups = [
        Group(f"{name}: {group.label}", {"study": head, "variant": group.label}, group.records)  # a panel a study
        for name, head, found in zip(names, heads, both, strict=True)
        for group in _best(found)
    ]
    name = next((name for name in SHOWN_AS if groups and FIGURES[name].fits(groups)), None)
    if name:
        put("h2", Words(f"The best {CURVES} variants of each", f"それぞれの上位{CURVES}設定"))
        figure(await aside(draw, name, groups), FIGURES[name].title)
    for name, found in zip(names, both, strict=True):
        with put("section"):
            with put("h2"):
                put("a", name, href=f"/runs/{found.study.id}")
            if found.records:
                await table(found, BEST)
            else:
                put("p", Words("Nothing is trained yet.", "まだ何も学習していません。"), "soft")


def _best(found: Result) -> list[Group]:
    trained = [group for group in found.groups if group.records]
    return sorted(trained, key=lambda group: -group.final().mean())[:CURVES]


def _differences(names: list[str], both: list[Result]) -> None:
    """The fields of the two base trials that differ, and the axes."""
    tables = [_fields(found.study) for found in both]
    fields = [name for name in Trial.model_fields if tables[0][name] != tables[1][name]]
    put("h2", Words("What differs", "設定の違い"))
    if not fields:
        put("p", Words("Their settings are the same.", "設定に違いはありません。"), "soft")
        return
    with tabular(("", *names), "numbers"):
        for name in fields:
            with put("tr"):
                put("th", name, scope="row")
                for one in tables:
                    put("td", one[name])


def _fields(study: Study) -> dict[str, str]:
    """Each field of the study's trials, with the values it takes."""
    made = {}
    for name in Trial.model_fields:
        values = dict.fromkeys(getattr(trial, name) for trial in study.trials)
        text = ", ".join(map(_written, values))
        made[name] = text if len(text) <= LETTERS else text[: LETTERS - 3] + "..."
    return made


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return title(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
