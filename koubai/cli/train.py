"""``koubai run`` and ``koubai study``: train, print the table, write the report."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from koubai.cli.base import (
    OUT,
    Data,
    Device,
    Fresh,
    Lang,
    Out,
    Quick,
    Seeds,
    Steps,
    Target,
    Threads,
    Width,
    command,
    console,
    table,
    text,
)
from koubai.language import UserError, Words, say

if TYPE_CHECKING:
    from koubai.experiments.catalogue import Exercise
    from koubai.landscapes import Path as Way
    from koubai.study import Study

MAIN = ("vanishing-gradient",)  # what `koubai run` does when no exercise is named


@command(
    "run",
    "Train an exercise, print its table and write its report. Without a name: vanishing-gradient. koubai list names them all.",
    "演習を学習させ、表を表示し、レポートを書きます。名前を省くと vanishing-gradient。一覧は koubai list。",
)
def run(
    exercises: Annotated[
        list[str] | None, typer.Argument(metavar="EXERCISE", help=text("Which; several may be named.", "演習の名前。複数可。"))
    ] = None,
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    target: Target = None,
    quick: Quick = False,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    lang: Lang = None,
) -> None:
    """Conduct exercises."""
    from koubai.experiments.conduct import adapt, named

    chosen = [adapt(one, seeds=seeds, steps=steps, data=data, target=target, quick=quick) for one in named(exercises or MAIN)]
    for exercise in chosen:
        _conduct(exercise, out, fresh=fresh, device=device, width=width, threads=threads)


@command(
    "study",
    "Train a study of your own from a TOML file. It holds a base trial and axes; examples/my-study.toml is one.",
    "TOMLファイルに書いた自分の実験を学習させます。ファイルには基準の試行と軸を書きます(例: examples/my-study.toml)。",
)
def study(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help=text("The study.", "実験のファイル。"))],
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    target: Target = None,
    quick: Quick = False,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    lang: Lang = None,
) -> None:
    """Conduct a study from a file."""
    from koubai.experiments.catalogue import Exercise
    from koubai.experiments.conduct import change

    own = change(_read(file), seeds=seeds, steps=steps, data=data, target=target, quick=quick)
    title = Words(own.name, own.name)
    _conduct(Exercise(own.name, title, title, own, ()), out, fresh=fresh, device=device, width=width, threads=threads)


def _read(file: Path) -> Study:
    """The study in a file, named after the file where it has no name of its own."""
    from koubai.study import Study

    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text in UTF-8.", f"{file} はUTF-8のテキストではありません。") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", f"{file} を読めません({error.strerror})。") from None
    read = Study.from_toml(content, str(file))
    return read if "name" in read.model_fields_set else Study(read.base, name=file.stem, axes=read.axes, zip=read.zip)


def _conduct(exercise: Exercise, out: Path, *, fresh: bool, **options: Any) -> None:
    """Train what is not stored, print the table, write the report, and say where everything is."""
    from koubai.experiments.catalogue import Race
    from koubai.experiments.conduct import conduct
    from koubai.result import Result
    from koubai.store import Store

    store, report = Store(out / "store"), _report(exercise.name, out)
    trials = () if isinstance(exercise.runs, Race) else exercise.runs.trials
    stored = 0 if fresh else len(store.has(trials))
    try:
        outcome = conduct([exercise], store=store, fresh=fresh, **options)[exercise.name]
    except KeyboardInterrupt:
        kept = text(
            f"Stopped. What had finished is kept in {store.folder}; the same command goes on from there.",
            f"中断しました。終わった分は {store.folder} に残っています。同じコマンドで続きから再開できます。",
        )
        print(kept, file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"{say(exercise.title)}\n")
    if not isinstance(outcome, Result):
        _heights(outcome)
        return
    print(repr(outcome))
    if stored:
        print(
            text(
                f"\n{stored:,} of {len(trials):,} networks were in {store.folder} already and were not trained again.",
                f"\n{len(trials):,} 個のうち {stored:,} 個は {store.folder} に保存済みのため、学習し直していません。",
            )
        )
    written = outcome.report(report)
    print(
        text(
            f"\nReport: {written}\nOpen it in a browser: {written.resolve().as_uri()}",
            f"\nレポート: {written}\nブラウザで開く: {written.resolve().as_uri()}",
        )
    )


def _report(name: str, out: Path) -> Path:
    """Where a report goes: whatever a study is called, a file directly in ``out``."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "study"
    report = out / f"{plain}.html"
    if report.is_dir():
        raise UserError(
            f"{report} is a folder; choose another place with --out.",
            f"{report} はフォルダです。--out で別の場所を指定してください。",
        )
    return report


def _heights(paths: Sequence[Way]) -> None:
    """Where the optimizers of a race ended, over all starts."""
    from koubai.measures import MEASURES

    height = MEASURES["height"]
    rows: dict[tuple[str, float], list[float]] = {}
    for path in paths:
        rows.setdefault((path.optimizer, path.rate), []).append(height.function([path]))
    listed = table(
        *(text(*head) for head in (("optimizer", "最適化手法"), ("learning rate", "学習率"), height.words, ("worst", "最悪")))
    )
    for (name, rate), values in rows.items():
        listed.add_row(name, f"{rate:g}", f"{median(values):.3g}", f"{max(values):.3g}")
    console().print(listed)
