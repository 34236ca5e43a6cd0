"""``koubai run`` and ``koubai study``: train, judge, print, write the report."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from koubai.cli.base import (
    OUT,
    Data,
    Device,
    Fresh,
    Lang,
    Missing,
    Out,
    Quick,
    Seeds,
    Steps,
    Target,
    Threads,
    Width,
    Yes,
    command,
    interruptible,
    option,
    text,
)  # fmt: skip
from koubai.cli.printing import Table, console, hanging, put
from koubai.language import UserError, Words, counted, say, unknown

if TYPE_CHECKING:
    from koubai.experiments.catalogue import Exercise
    from koubai.experiments.conduct import Outcome
    from koubai.experiments.judging import Judged
    from koubai.landscapes import Path as Way
    from koubai.report.page import Page
    from koubai.store import Store
    from koubai.study import Study

HOME = "digits"  # the data that other data's verdicts are compared with
ALL = "report"  # what the report on several exercises is called
FIRST_LOOK = Words(
    "A first look: with seeds or steps other than the exercises' own, verdicts may differ from those of a whole run.",
    "シード数かステップ数が演習と違うため、判定は目安です。すべてを実行したときの判定とは異なることがあります。",
)

Figure = Annotated[
    str | None,
    option("--figure", "Write this one figure instead of the report.", "レポートの代わりに、この図だけを書き出す。", "NAME"),
]


@command(
    "run",
    "Train exercises, judge their claims, report. Without a name: all of them, the whole of the notes. koubai list names them.",
    "演習を学習し、主張を判定し、レポートを書きます。名前を省くと全演習(ノート全体)。一覧は koubai list。",
)
def run(
    exercises: Annotated[
        list[str] | None,
        typer.Argument(metavar="EXERCISE", help=text("Names of exercises; several are allowed.", "演習の名前。複数可。")),
    ] = None,
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    target: Target = None,
    missing: Missing = None,
    quick: Quick = False,
    figure: Figure = None,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    yes: Yes = False,
    lang: Lang = None,
) -> None:
    """Conduct exercises."""
    from koubai.experiments.conduct import Changes, adapt, judge_all, named, suited, trials_of
    from koubai.experiments.publish import page
    from koubai.quiz import answered
    from koubai.store import Store

    changes = Changes(seeds=seeds, steps=steps, data=data, target=target, missing=missing, quick=quick)
    chosen = [adapt(one, **changes) for one in named(exercises)] if exercises else []
    if not exercises:
        chosen, left = suited(named(()), **changes)
        for words in left:
            print(say(words), file=sys.stderr)
    options = (f"--{name}" if value is True else f"--{name} {quote(str(value))}" for name, value in changes.items() if value)
    again = "".join(f" {option}" for option in options)
    _drawable(figure, [name for one in chosen for name in one.figures])
    store, report = Store(out / "store"), _place(chosen[0].name if len(chosen) == 1 else ALL, out, figure)
    outcomes = _train(chosen, store, fresh=fresh, device=device, width=width, threads=threads, yes=yes)
    judged = judge_all(outcomes)
    whole = not (quick or seeds or steps)
    place = data if data and trials_of(chosen) else HOME  # optimizers on a surface see no data
    known = {name: verdict for (name, on), (verdict, _, looked) in store.claims().items() if on == HOME and not looked}
    elsewhere = (HOME, known) if known and place != HOME else None
    if not (seeds or steps):
        _remember(judged, store, place, quick)
    if len(chosen) == 1:
        _show(chosen[0], outcomes[chosen[0].name])
    _claims(judged, elsewhere)
    if judged and not whole:
        print(say(FIRST_LOOK))
    if judged and place != HOME and not elsewhere:
        print(
            text(
                f"{store.folder} has no verdicts on {HOME} to compare with; koubai run makes them.",
                f"{store.folder} には、比べる相手となる {HOME} での判定がまだありません(koubai run で作れます)。",
            )
        )
    made = page({one.name: one for one in chosen}, outcomes, judged if figure is None else (), again, elsewhere)
    if made.verdicts and not whole:
        made = replace(made, lead=Words(f"{made.lead.en} {FIRST_LOOK.en}", f"{made.lead.ja}{FIRST_LOOK.ja}"))
    if not exercises and not quick:
        made = replace(made, questions=answered(store))
    _write(made, report, figure)


@command(
    "study",
    "Train a study of your own. Its TOML file holds a base trial and axes; examples/my-study.toml is one.",
    "TOMLファイルに書いた自分の実験を学習させます。ファイルには基準の試行と軸を書きます(例: examples/my-study.toml)。",
)
def study(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help=text("The study's TOML file.", "実験のTOMLファイル。"))],
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    target: Target = None,
    missing: Missing = None,
    quick: Quick = False,
    figure: Figure = None,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    yes: Yes = False,
    lang: Lang = None,
) -> None:
    """Conduct a study from a file."""
    from koubai.experiments.catalogue import Exercise
    from koubai.experiments.conduct import change
    from koubai.report.figures import FIGURES
    from koubai.result import Result
    from koubai.store import Store

    own = change(_read(file), seeds=seeds, steps=steps, data=data, target=target, missing=missing, quick=quick)
    _drawable(figure, FIGURES)
    title = Words(own.name, own.name)
    exercise = Exercise(own.name, title, title, own, ())
    store, report = Store(out / "store"), _place(own.name, out, figure)
    outcome = _train([exercise], store, fresh=fresh, device=device, width=width, threads=threads, yes=yes)[own.name]
    assert isinstance(outcome, Result)
    _show(exercise, outcome)
    asked = [figure] if figure and figure in outcome.figures() else []  # not the usual ones alone
    _write(outcome.page(outcome.section(asked)), report, figure)


def _read(file: Path) -> Study:
    """The study in a file, named after the file where it has no name of its own."""
    from koubai.study import Study

    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text in UTF-8.", f"{file} はUTF-8のテキストではありません。") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", f"{file} を読めません({error.strerror})。") from None
    read = Study.from_toml(content, str(file))
    return read if "name" in read.model_fields_set else read.changed(name=file.stem)


def _train(exercises: Sequence[Exercise], store: Store, *, fresh: bool, **options: Any) -> Mapping[str, Outcome]:
    """Train what is not stored, and say what was."""
    from koubai.caution import confirm
    from koubai.experiments.conduct import conduct, trials_of
    from koubai.study import Study

    for one in exercises:
        if isinstance(one.runs, Study):
            confirm(one.runs, options["yes"])
    trials = trials_of(exercises)
    stored = 0 if fresh else len(store.has(trials))
    with interruptible(store):
        outcomes = conduct(exercises, store=store, fresh=fresh, **options)
    if stored:
        print(
            text(
                f"In {store.folder} already, and not trained again: {stored:,} of {counted(len(trials), 'network')}.\n",
                f"{len(trials):,} 個のうち {stored:,} 個は {store.folder} に保存済みのため、学習し直していません。\n",
            )
        )
    return outcomes


def _remember(judged: Sequence[Judged], store: Store, data: str, quick: bool) -> None:
    """Keep the verdicts: ``koubai explain`` and the page Start show them, and reports on other data say where they differ."""
    from koubai.experiments.judging import decisive, reason

    for one in judged:
        store.note_claim(one.claim.name, data, one.verdict, reason(decisive(one)), quick)


def _write(page: Page, report: Path, figure: str | None) -> None:
    """Write the report, or one figure of it, and say where it is."""
    from koubai.report.page import write

    if figure is not None:
        _drawable(figure, [drawing.name for section in page.sections for drawing in section.drawings])
        sections = [
            replace(section, rows=(), diagnoses={}, drawings=[drawing for drawing in section.drawings if drawing.name == figure])
            for section in page.sections
            if any(drawing.name == figure for drawing in section.drawings)
        ]
        page = replace(page, sections=sections, questions=())
    written = write(report, page)
    print(
        text(
            f"\nReport: {written}\nOpen it in a browser: {written.resolve().as_uri()}",
            f"\nレポート: {written}\nブラウザで開く: {written.resolve().as_uri()}",
        )
    )


def _drawable(figure: str | None, figures: Iterable[str]) -> None:
    """Raise ``UserError`` for a figure that is none of these."""
    if figure is not None and figure not in figures:
        raise unknown(Words("figure of this report", "このレポートの図"), figure, dict.fromkeys(figures))


def _place(name: str, out: Path, figure: str | None) -> Path:
    """Where a report goes: whatever a study is called, a file directly in ``out``."""
    from koubai.naming import file_name

    report = out / f"{file_name(name if figure is None else f'{name}-{figure}')}.html"
    if report.is_dir():
        raise UserError(
            f"{report} is a folder; choose another place with --out.",
            f"{report} はフォルダです。--out で別の場所を指定してください。",
        )
    return report


def _show(exercise: Exercise, outcome: Outcome) -> None:
    """What an exercise gave, as a table."""
    from koubai.result import Result

    print(f"{say(exercise.title)}\n")
    if isinstance(outcome, Result):
        print(repr(outcome))
    else:
        _heights(outcome)


def _heights(paths: Sequence[Way]) -> None:
    """Where the optimizers of a race ended, over all starts."""
    from koubai.measures import MEASURES

    height = MEASURES["height"]
    rows: dict[tuple[str, float], list[float]] = {}
    for path in paths:
        rows.setdefault((path.optimizer, path.rate), []).append(height.function([path]))
    listed = Table(
        *(text(*head) for head in (("optimizer", "最適化手法"), ("learning rate", "学習率"), height.words, ("worst", "最悪")))
    )
    for (name, rate), values in rows.items():
        listed.add_row(name, f"{rate:g}", f"{median(values):.3g}", f"{max(values):.3g}")
    put(listed)


MARKS = {"supported": "green", "refuted": "red", "undecided": "yellow"}


def _claims(judged: Sequence[Judged], elsewhere: tuple[str, Mapping[str, str]] | None) -> None:
    """The verdicts, by the notes' sections, and where those on other data differ."""
    from rich.cells import cell_len

    from koubai.statistics import VERDICTS

    if not judged:
        return
    indent, section = max(cell_len(say(words)) for words in VERDICTS.values()) + 2, None
    for one in judged:
        if one.claim.section != section:
            section = one.claim.section
            console().print(f"\n{' ' * indent}{say(section)}", style="bold")
        words = say(one.claim.words)
        if elsewhere and elsewhere[1].get(one.claim.name, one.verdict) != one.verdict:
            words += f" [{elsewhere[0]}: {say(VERDICTS[elsewhere[1][one.claim.name]])}]"
        hanging(say(VERDICTS[one.verdict]), words, indent, head_style=MARKS[one.verdict])
    counts = [(sum(one.verdict == name for one in judged), words) for name, words in VERDICTS.items()]
    en, ja = (
        ", ".join(f"{count} {words.en}" for count, words in counts),
        "、".join(f"{words.ja} {count}" for count, words in counts),
    )
    print(text(f"\nClaims: {en}", f"\n主張: {ja}"))
