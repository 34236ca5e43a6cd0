"""``koubai list`` and ``koubai runs``: what there is, and what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import OUT, Lang, Out, command, option, text
from koubai.cli.printing import Table, put, rows
from koubai.language import UserError, Words, counted, say

if TYPE_CHECKING:
    from koubai.store import Store


@command(
    "list",
    "List the exercises, techniques, symptoms and data sets.",
    "演習・手法・症状・データセットの一覧を表示します。",
)
def list_(lang: Lang = None) -> None:
    """List what there is."""
    from koubai.choices import KIND_WORDS
    from koubai.data.builtin import BUILTIN
    from koubai.doctor import SYMPTOMS
    from koubai.experiments.catalogue import EXERCISES
    from koubai.techniques import KINDS

    exercises = ((one.name, say(one.title) + text(". ", ": ") + say(one.about)) for one in EXERCISES.values())
    rows(text("Exercises (koubai run NAME)", "演習(koubai run NAME)"), exercises)
    for kind, techniques in KINDS.items():
        about = ((name, " ".join(filter(None, (say(t.about), _numbers(t.defaults()))))) for name, t in techniques.items())
        rows(text(f"Techniques: {kind}", f"手法: {say(KIND_WORDS[kind])}({kind})"), about)
    symptoms = ((name, say(one.title) + text(". ", ": ") + say(one.about)) for name, one in SYMPTOMS.items())
    rows(text("Symptoms (koubai diagnose RUN)", "症状(koubai diagnose RUN)"), symptoms)
    data = ((name, say(source.about)) for name, source in BUILTIN.items())
    rows(text("Data sets (--data NAME)", "データセット(--data NAME)"), data)


def _numbers(defaults: Mapping[str, float]) -> str:
    listed = ", ".join(f"{name}={value:g}" for name, value in defaults.items())
    return f"({listed})" if listed else ""


@command(
    "runs",
    "List what was trained; with a name, the trials of that study.",
    "学習した実験の一覧を表示します。名前を付けると、その実験の試行の一覧を表示します。",
)
def runs(
    name: Annotated[str | None, typer.Argument(metavar="RUN", help=text("A study: its name or id.", "実験の名前か id。"))] = None,
    curves: Annotated[
        Path | None,
        option(
            "--curves",
            "Write its curves (loss, accuracy, gradient by layer) as CSV instead.",
            "一覧の代わりに、曲線(損失・精度・層ごとの勾配)をCSVに書き出す。",
            "FILE",
        ),
    ] = None,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """List what was run."""
    from koubai.measures import spelled
    from koubai.store import STATES, Store

    if curves is not None:
        if name is None:
            raise UserError(
                "--curves needs a study: koubai runs RUN --curves FILE.",
                "--curves には実験の指定が必要です: koubai runs RUN --curves FILE",
            )
        _curves(Store(out / "store"), name, curves)
        return
    if name is not None:
        _trials(Store(out / "store"), name)
        return
    studies = Store(out / "store").studies()
    if not studies:
        print(text(f"Nothing has been run in {out} yet; try: koubai run", f"{out} にはまだ何もありません。まず: koubai run"))
        return
    listed = Table(*(say(head) for head in HEADS))
    for one in studies:
        when = datetime.fromtimestamp(one["created"]).strftime("%Y-%m-%d %H:%M")
        best = "" if one["best"] is None else spelled(one["best"], one["quantity"])
        counts = (f"{one[key]:,}" for key in ("trials", "stored", "diverged"))
        listed.add_row(one["name"], when, say(STATES[one["state"]]), *counts, best, one["id"][:8])
    put(listed)


def _curves(store: Store, name: str, path: Path) -> None:
    """The curves of one study, for other programs."""
    from koubai.naming import study_named
    from koubai.result import Result

    study = study_named(store, name)
    records = store.get(study.trials, stopped=True)
    Result(study, tuple(records)).curves(path)
    print(text(f"{path}: the curves of {counted(len(records), 'trial')}.", f"{path}: {len(records):,} 試行の曲線。"))


def _trials(store: Store, name: str) -> None:
    """The trials of one study, by the numbers, names and ids that other commands take."""
    from koubai.measures import is_regression, scored, spelled
    from koubai.naming import SHOWN, study_named

    study = study_named(store, name)
    stored = {record.trial: record for record in store.get(study.trials, stopped=True)}
    labels = {trial: label for label, trials in study.variants().items() for trial in trials}
    listed = Table(*(say(scored(head, stored.values())) for head in TRIAL_HEADS), left=(0, 1))
    for number, trial in enumerate(study.trials, 1):
        reached = "-"
        if trial in stored:
            record = stored[trial]
            value = spelled(record.final("validation_accuracy"), is_regression(record))
            reached = text("diverged", "発散") if record.diverged else value
            if record.stopped:
                reached = text(f"stopped at step {record.stopped:,}", f"ステップ {record.stopped:,} で打ち切り")
        listed.add_row(str(number), labels[trial], str(trial.seed), reached, trial.id[:SHOWN])
    put(listed)


HEADS = (
    Words("study", "実験"),
    Words("when", "日時"),
    Words("state", "状態"),
    Words("trials", "試行"),
    Words("stored", "保存済み"),
    Words("diverged", "発散"),
    Words("best accuracy, R²", "最高の精度・R²"),
    Words("id", "id"),
)
TRIAL_HEADS = (
    Words("trial", "試行"),
    Words("variant", "設定"),
    Words("seed", "シード"),
    Words("validation accuracy", "検証精度"),
    Words("id", "id"),
)
