"""One study of the store: what came out, its report, and what can be done with it."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nicegui import ui

from koubai.experiments.catalogue import EXERCISES
from koubai.export import export
from koubai.language import UserError, Words, counted, say
from koubai.measures import is_regression, named, spelled
from koubai.naming import SHOWN, file_name, trial_named
from koubai.report.curves import as_csv
from koubai.report.figures import FIGURES
from koubai.report.page import render
from koubai.report.summary import cells, columns
from koubai.result import Result
from koubai.store import Store, care
from koubai.study import Study
from koubai.web import jobs
from koubai.web.controls import button, check, choice, enabled
from koubai.web.runs import STATES, badge, best, when
from koubai.web.shell import Put, aside, asked, figure, problem, put, tabular, warn
from koubai.web.uploads import placeless

ROWS = 100  # variants in the table; the report has all
SHOWN_AS = ("accuracy", "final")  # the first of these figures that can show it
POLL = 0.4  # seconds between two looks at a training


def known(store: Store, id: str) -> dict[str, Any]:
    """The study of this id, as the store lists it. Raises ``UserError``."""
    for row in store.studies() if store.exists else []:
        if row["id"] == id:
            return row
    raise UserError("There is no such study; it may have been deleted.", "この実験はありません。削除されたのかもしれません。")


def result(store: Store, row: dict[str, Any]) -> Result:
    """What a study has given so far."""
    study = Study.from_toml(row["toml"], row["name"])
    return Result(study, tuple(store.get(study.trials)))


async def content(store: Store) -> None:
    """Fill the page of a study."""
    with put("p", classes="small back"):
        put("a", Words("← All runs", "← 記録の一覧"), href="/runs")
    row = known(store, asked("id"))
    ui.page_title(f"{row['name']} | Koubai 勾配")
    put("h1", row["name"])
    with put("p", classes="row soft"):
        state = badge(row["state"])
        put(
            "span",
            Words(
                f"{row['stored']:,} of {counted(row['trials'], 'network')}", f"{row['trials']:,} 試行中 {row['stored']:,} 試行"
            ),
        )
        if row["best"] is not None:
            put("span", named(Words(f"best validation accuracy {best(row)}", f"最高の検証精度 {best(row)}"), {row["quantity"]}))
        put("span", when(row["created"]))
    found = await aside(result, store, row)
    _actions(store, row, found, state)
    if found.records:
        await _shown(found)
    with put("details"):
        put("summary", Words("As a file (TOML)", "ファイルとして(TOML)"))
        put("pre", placeless(store, row["toml"]), "working")


async def _shown(found: Result) -> None:
    """The curves and the table."""
    name = next((one for one in SHOWN_AS if one in found.figures()), None)
    if name:
        figure(await aside(found.figure, name), FIGURES[name].title)
    with put("section"):
        put("h2", Words("Variants", "設定ごとの結果"))
        await table(found)


async def table(found: Result, best: int | None = None) -> None:
    """Variants in numbers, as the report has them; those of the ``best`` accuracy, or all in their order."""
    rows = await aside(lambda: found.table)
    shown = rows[:ROWS] if best is None else sorted(rows, key=lambda row: -row["validation_accuracy"])[:best]
    names = columns(rows)
    whole = ",\N{NO-BREAK SPACE}" if len(names) < 6 else ", "  # of many columns a phone breaks intervals too
    with tabular([Words(*map(breakable, head)) for head in names.values()], "numbers", 1):
        for row in shown:
            with put("tr"):
                for k, cell in enumerate(cells(row, names)):
                    put("td", cell.replace(", ", whole) if k else breakable(cell), "number" if k else "")
    if left := len(rows) - len(shown):
        where = Words("the report", "レポート") if best is None else Words("its own page", "その実験のページ")
        put("p", Words(f"See {where.en} for {left} more.", f"残り {left} 件は{where.ja}にあります。"), "soft")


def breakable(label: str) -> str:
    """A variant's label, or a head, with places where a narrow column may break it."""
    return re.sub(r"(?<=[=_/])|(?=\()", "\N{ZERO WIDTH SPACE}", label)


def _actions(store: Store, row: dict[str, Any], found: Result, state: Put) -> None:
    """Report, resume, export, delete; ``state`` is the badge that says how it stands."""
    id = row["id"]

    def go() -> None:
        jobs.start(found.study, store)
        watch()

    def watch() -> None:
        if jobs.job(id) is None:
            return
        resume.set_visibility(False)
        enabled(remove, False)
        state.text = say(STATES["running"])
        state.classes(replace="badge running")
        progress.clear()
        with progress:
            _progress(id, ended)

    def ended(job: jobs.Job | None) -> None:
        jobs.forget(id)
        if job and job.problem:
            progress.clear()
            with progress:
                problem(job.problem)
            resume.set_visibility(True)
            enabled(remove, True)
        else:
            ui.navigate.reload()

    deletion = _deletion(store, row)
    with put("div", classes="row actions"):
        if found.records:
            put("a", Words("Open the report", "レポートを開く"), "button main", href=f"/runs/{id}/report", target="_blank")
            put("a", Words("Curves (CSV)", "曲線(CSV)"), "button", href=f"/runs/{id}/curves", download="")
        resume = button(Words("Resume", "続きを学習する"), go)
        resume.set_visibility(row["state"] == "interrupted")
        if any(not record.diverged for record in found.records):
            _export(store, row, found)
        remove = button(Words("Delete...", "削除..."), deletion.open, "danger")
    progress = put("div", classes="progress", role="status")
    watch()


def _progress(id: str, ended: Callable[[jobs.Job | None], None]) -> None:
    """How far a study's training is, and the button that stops it; ``ended`` is told when there is nothing to watch any more."""
    bar = put("progress", max="1", value="0", aria_label=Words("Training", "学習"))
    said = put("span", "")

    def halt() -> None:
        if job := jobs.job(id):
            job.stop.set()
            enabled(stop, False)

    def look() -> None:
        job = jobs.job(id)
        if job is None or job.finished:
            timer.cancel()
            ended(job)
            return
        share = job.done / max(job.total, 1)
        bar.props["value"] = f"{share:.4f}"
        said.text = say(
            Words(f"{share:.0%} of {job.total:,} network-steps", f"{job.total:,} ステップ(全試行合計)中 {share:.0%}")
            if job.done
            else Words("waiting for the training before it", "前の学習を待っています")
        )

    stop = button(Words("Stop", "止める"), halt, "small")
    timer = ui.timer(POLL, look)


def _deletion(store: Store, row: dict[str, Any]) -> ui.dialog:
    """The question whether a study is to be deleted; it is where that is said."""

    async def delete() -> None:
        if any(one["state"] == "running" for one in store.studies() if one["id"] == row["id"]):
            warn(Words("It is being trained; stop that first.", "学習中です。先に止めてください。"))
            return
        await aside(care.forget, store, row["id"])
        ui.navigate.to("/runs")

    with ui.dialog().props("aria-labelledby=asked") as dialog, put("div", classes="dialog"):
        put("h2", Words(f"Delete {row['name']}?", f"{row['name']} を削除しますか?"), id="asked")
        put(
            "p",
            Words(
                f"This also deletes {counted(row['stored'], 'trained network')}, except those that other studies use. It cannot be undone.",
                f"学習済みの {row['stored']:,} 個のネットワークも、他の実験が使うもの以外は消えます。元に戻せません。",
            ),
        )
        with put("div", classes="row"):
            button(Words("Cancel", "やめる"), dialog.close, autofocus="")
            button(Words("Delete", "削除する"), delete, "danger")
    return dialog


def _export(store: Store, row: dict[str, Any], found: Result) -> None:
    """A menu of trained networks, and the button that hands one over."""
    stored = {record.trial: record for record in found.records if not record.diverged}
    labels = {trial: label for label, trials in found.study.variants().items() for trial in trials}
    names: dict[str, Words | str] = {"best": Words("the best network", "最良のネットワーク")}
    for number, trial in enumerate(found.study.trials, 1):
        if trial in stored and len(names) <= ROWS:
            record = stored[trial]
            reached = spelled(record.final("validation_accuracy"), is_regression(record))
            names[trial.id] = Words(
                f"{number}: {labels[trial]}, seed {trial.seed}, {reached}",
                f"{number}: {labels[trial]}、シード {trial.seed}、{reached}",
            )
    state = SimpleNamespace(trial="best", onnx=False)

    async def hand_over() -> None:
        enabled(take, False)
        asked = row["id"], state.trial, state.onnx
        try:  # what cannot be exported is said on the page
            made = await aside(zipped, store, *asked)
        finally:
            enabled(take, True)
        _made.clear()
        _made[asked] = made
        ui.download.from_url(f"/runs/{row['id']}/model/{state.trial}" + "?onnx=true" * state.onnx)

    choice(Words("Network", "ネットワーク"), names, "best", lambda value: setattr(state, "trial", value))
    check(Words("with ONNX", "ONNXも"), False, lambda on: setattr(state, "onnx", on))
    take = button(Words("Export (zip)", "書き出す(zip)"), hand_over)


_made: dict[tuple[str, str, bool], tuple[str, bytes]] = {}  # at most one: what a page has made, until its browser fetches it


def download(store: Store, id: str, trial: str, onnx: bool = False) -> tuple[str, bytes]:
    """What a page has made of a study's trial for its browser to fetch, else what ``zipped`` makes now. Raises ``UserError``."""
    return _made.pop((id, trial, onnx), None) or zipped(store, id, trial, onnx)


def zipped(store: Store, id: str, trial: str, onnx: bool = False) -> tuple[str, bytes]:
    """What ``koubai export`` writes of a study's trial, as a zip file with its name. Raises ``UserError``."""
    row = known(store, id)
    name, best = row["name"], trial_named(result(store, row), trial)
    folder = f"{file_name(name)}-{best.record.trial.id[:SHOWN]}"
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(export(best.record, Path(place) / folder, name, onnx).iterdir()):
            texts = file.suffix in (".json", ".md", ".py")
            archive.writestr(f"{folder}/{file.name}", placeless(store, file.read_text("utf-8")) if texts else file.read_bytes())
    return f"{folder}.zip", packed.getvalue()


def curves(store: Store, id: str) -> tuple[str, str]:
    """The curves of a study as CSV, with the file's name. Raises ``UserError``."""
    row = known(store, id)
    return f"{file_name(row['name'])}-curves.csv", as_csv(result(store, row).groups)


def report(store: Store, id: str) -> str:
    """The report on a study, made now. Raises ``UserError``."""
    row = known(store, id)
    found = result(store, row)
    exercise = EXERCISES.get(row["name"])
    if exercise and isinstance(exercise.runs, Study) and exercise.runs.axes.keys() == found.study.axes.keys():
        fitting = [name for name in exercise.figures if name in found.figures()]
        return render(found.page(found.section(fitting, title=exercise.title, about=exercise.about)))
    return render(found.page())
