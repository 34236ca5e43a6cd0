"""One self-contained HTML file: claims first, then exercises with their tables and figures, in both languages, without a network.

The page is made of plain parts (``Page``, ``Section``, ``Verdict``); what goes into them is decided by whoever asks for the report.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from koubai.doctor.finding import CAUSES, SEVERITIES, SYMPTOMS
from koubai.language import Words, apart, counted, language, say, saying_both, tell
from koubai.measures import scored
from koubai.report.figures import FIGURES
from koubai.report.style import DARK, LIGHT, bilingual, follow, variables
from koubai.report.summary import NOTE, cells, columns
from koubai.statistics import VERDICTS
from koubai.store import write_out

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from koubai.doctor import Joint


@dataclass(frozen=True)
class Drawing:
    """A figure on the page: what it is called, how it is read, how it is made again, and how it is drawn."""

    name: str
    title: Words
    caption: Words
    draw: Callable[[], Figure]
    again: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: words, the command that makes it again, notes, a table of variants (rows of ``summarize``), figures.

    ``diagnoses`` are those of the variants that were looked at.
    """

    name: str
    title: Words
    about: Words
    command: str = ""
    notes: Sequence[Words] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    drawings: Sequence[Drawing] = ()
    diagnoses: Mapping[str, Joint] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """One comparison behind a verdict, as a row of a table: what is compared, both means, the difference, and how it was judged."""

    words: Words
    treated: str
    control: str
    difference: str
    effect: str
    seeds: int
    claimed: Words
    verdict: str


@dataclass(frozen=True)
class Verdict:
    """A claim and how it was judged, with the exercises that hold the evidence (their section's name and title).

    ``differs`` says where other data gave another verdict, ``remark`` what else is to be said.
    """

    name: str
    words: Words
    section: Words
    verdict: str
    reason: Words
    evidence: Sequence[Evidence]
    drawing: Drawing
    exercises: Mapping[str, Words]
    differs: Words | None = None
    remark: Words | None = None

    @property
    def held(self) -> Words:
        """How many of the comparisons hold."""
        count, of = sum(one.verdict == "supported" for one in self.evidence), len(self.evidence)
        return Words(f"{count} of {of} comparisons hold.", f"比較 {of} 件中 {count} 件が成り立つ。")


@dataclass(frozen=True)
class Question:
    """A review question as it is asked, its choices, its answer with the working, and the pictures that it has."""

    words: Words
    choices: Sequence[Words]
    answer: Sequence[Words]
    drawings: Sequence[Drawing] = ()


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: Words
    lead: Words
    sections: Sequence[Section]
    verdicts: Sequence[Verdict] = ()
    questions: Sequence[Question] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def drawing(name: str, groups: Sequence[Any], again: str = "") -> Drawing:
    """The figure called ``name`` over these groups, for a page."""
    kind = FIGURES[name]
    records = [record for group in groups for record in getattr(group, "records", ())]
    return Drawing(name, scored(kind.title, records), scored(kind.caption, records), lambda: kind.draw(groups), again)


def undrawn(one: Drawing) -> Figure:
    """What stands where a figure could not be drawn."""
    from plotly.graph_objects import Figure

    words = say(Words(f"The figure {one.name} could not be drawn.", f"図 {one.name} を描けませんでした。"))
    made = Figure(layout={"xaxis": {"visible": False}, "yaxis": {"visible": False}})
    return made.add_annotation(text=words, showarrow=False)


def render(page: Page) -> str:
    """The page as HTML. Everything that is not the laboratory's own is escaped."""
    from plotly.offline import get_plotlyjs

    figures: list[str] = []

    def put(one: Drawing) -> int:
        try:
            english, japanese = bilingual(one.draw)
        except Exception:  # a bug of ours in one figure costs neither the report nor what was trained for it
            traceback.print_exc()
            tell(
                Words(
                    f"The figure {one.name} could not be drawn; the report goes without it.",
                    f"図 {one.name} を描けませんでした。レポートにはこの図が入りません。",
                )
            )
            english, japanese = bilingual(lambda: undrawn(one))
        content = {"data": english["data"], "layout": english["layout"], "ja": japanese}
        figures.append(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
        return len(figures) - 1

    return _template("page.html").render(
        page=page, put=put, figures=figures, plotly=get_plotlyjs(), language=language(), both=both, verdict_words=VERDICTS,
        table=table, counted=counted, note=NOTE, by_section=by_section, severity_words=SEVERITIES, cause_words=CAUSES,
        titles={name: one.title for name, one in SYMPTOMS.items()},
        variables=variables, light=LIGHT, dark=DARK, follow=follow,
        counts={name: sum(one.verdict == name for one in page.verdicts) for name in VERDICTS},
    )  # fmt: skip


def write(path: str | Path, page: Page) -> Path:
    """Write the page to a file, whole or not at all, and give its path. Raises ``UserError`` where it cannot be written."""
    return write_out(Path(path), render(page).encode())


def table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Words], list[list[Words]]]:
    """A table of variants in both languages: heads and cells."""
    heads = columns(rows)
    with saying_both():
        shown = [[apart(cell) for cell in cells(row, heads)] for row in rows]
    return list(heads.values()), shown


def by_section(verdicts: Iterable[Verdict]) -> dict[Words, list[Verdict]]:
    """Verdicts by the notes' sections, in their order."""
    sections: dict[Words, list[Verdict]] = {}
    for one in verdicts:
        sections.setdefault(one.section, []).append(one)
    return sections


def both(words: Words | str) -> Any:
    """A text in both languages, of which the page shows one; escaped."""
    from markupsafe import Markup, escape

    if isinstance(words, str) or words.en == words.ja:
        return escape(words if isinstance(words, str) else words.en)
    return Markup('<span lang="en">{}</span><span lang="ja">{}</span>').format(*words)


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("koubai.report", "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template(name)
