"""The prescription for a variant: its remedies are trained, and what each gained over the seeds is shown beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nicegui import ui

from koubai.candidate import Candidate
from koubai.language import UserError, Words, say
from koubai.measures import is_regression, scored, spelled
from koubai.prescribing import prescribe
from koubai.prescription import Prescription, points
from koubai.spec import Trial
from koubai.web.controls import button
from koubai.web.jobs import THREADS
from koubai.web.play.bench import Bench
from koubai.web.play.board import MOST_SEEDS, apart
from koubai.web.shell import Put, aside, problem, put, tabular
from koubai.web.uploads import told

SEEDS = 3  # at least: a gain of one seed proves nothing


class Gone(Exception):
    """Nobody waits for the prescription any more."""


def prescriptions(bench: Bench) -> None:
    """Put the place of the prescription; it appears when a variant's button is pressed."""
    place = put("section", classes="prescription", aria_live="polite", tabindex="-1")
    place.set_visibility(False)
    now: list[object] = []  # the one that is asked for

    async def wanted(variant: int) -> None:
        if not 0 <= variant < len(bench.board.variants):
            return
        mine = object()
        now[:] = [mine]
        label, trial = bench.board.labels[variant], bench.board.variants[variant]
        if bench.running:
            await bench.start()  # pauses: the processor is for the remedies now
        place.clear()
        place.set_visibility(True)
        with place:
            put("h2", Words(f"Prescription for {label}", f"{label} への処方"))
            said = put("p", Words("Trying the remedies…", "対策を試しています…"), "soft")
            button(Words("Stop", "中止する"), now.clear)
        ui.run_javascript(f"getHtmlElement({place.id}).scrollIntoView({{behavior: 'smooth', block: 'nearest'}})")
        try:
            found = await worked_out(bench, trial, said, lambda: now == [mine] and bench.live is not None)
        except UserError as error:
            place.clear()
            with place:
                problem(told(bench.store, error))
        except Gone:
            if now == [] and bench.live is not None:
                place.set_visibility(False)
        else:
            place.clear()
            with place:
                show(bench, label, found)

    bench.stage.on("prescribe", lambda event: wanted(int(event.args)))


async def worked_out(bench: Bench, trial: Trial, said: Put, on: Callable[[], bool]) -> Prescription:
    """Train the remedies off the event loop, and say how far it is. Raises ``Gone`` where nobody waits any more."""
    trained = 0

    def report(what: str, one: Trial, steps: int, spared: int) -> None:
        nonlocal trained
        if not on():
            raise KeyboardInterrupt  # what a training heeds
        trained += steps

    def tried() -> Prescription:
        try:
            return prescribe(trial, seeds=seeds, **options)
        except KeyboardInterrupt:  # in an event loop it would end the server
            raise Gone from None

    seeds = min(max(bench.board.seeds, SEEDS), MOST_SEEDS)
    options: dict[str, Any] = {"store": bench.store, "name": bench.board.name, "threads": THREADS, "progress": report}
    task = asyncio.ensure_future(aside(tried))
    while not task.done():
        await asyncio.wait([task], timeout=0.4)
        networks = trained / trial.steps
        if trained and not task.done():
            with suppress(RuntimeError):  # the page is gone
                said.text = say(
                    Words(
                        f"Trying the remedies: {networks:,.1f} networks trained…",
                        f"対策を試しています: {networks:,.1f} 個のネットワークを学習…",
                    )
                )
    return task.result()


def show(bench: Bench, label: str, found: Prescription) -> None:
    """The verdict, why it should help, and the remedies that were trained over all seeds."""
    put("h2", Words(f"Prescription for {label}", f"{label} への処方"))
    put("p", found.verdict, "verdict")
    for words in found.reasons():
        put("p", words, "small soft")
    if not found.finalists:
        return
    score = scored(Words("validation accuracy", "検証精度"), found.records)
    heads = (Words("remedy", "対策"), score, Words("gain [95%]", "効果 [95%区間]"), "")
    with tabular(heads, "numbers", 1):
        for one in found.finalists:
            row(bench, one, one is found.smallest)


def row(bench: Bench, one: Candidate, chosen: bool) -> None:
    """A remedy and what it gained, with a button that puts it beside the others."""
    with put("tr", classes="chosen" if chosen else ""):
        with put("td"):
            put("span", one.words)
            if one.repaired:
                put("span", Words("repaired", "直った"), "badge supported")
        quantity = is_regression(one.records[0])
        before, after = (spelled(float(values.mean()), quantity) for values in (one.original, one.accuracies))
        put("td", f"{before} → {after}", "number")
        put("td", points(one), "number")
        with put("td"):

            async def add() -> None:
                await bench.change(lambda board: board.added(apart(board.base, one.trial)))

            button(Words("Add as a variant", "設定として追加"), add)
