"""The progress bar: how much there is to do, how far, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from koubai.caution import shape_and_classes
from koubai.data import load
from koubai.language import Words, harmless, say
from koubai.spec import Trial
from koubai.training import cost

# what trains, one of its trials, network-steps done since, network-steps left out
Report = Callable[[str, Trial, int, int], None]


def work(trial: Trial) -> float:
    """How much there is to do in a trial, for the progress bar: steps times what a step costs."""
    return trial.steps * cost(trial, *shape_and_classes(trial))


def pace(trial: Trial, rate: float) -> Words:
    """How fast it goes at ``rate`` network-steps a second, and how long an epoch of one network takes where that can be felt."""
    seconds = len(load(trial.data).x_train) / trial.batch_size / max(rate, 1e-9)
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    en, ja = f"{shown} network-steps/s", f"{shown} 延べステップ/秒"
    if seconds < 1:
        return Words(en, ja)
    return Words(f"{en}, {seconds:,.0f} s an epoch", f"{ja}、1エポック {seconds:,.0f} 秒")


@contextmanager
def reporter(show: bool, todo: Sequence[Trial]) -> Iterator[Report]:
    """A progress bar over the ``work`` of trials: what trains, how far, how fast, how long still."""
    if not show or not todo:
        yield lambda what, trial, steps, spared: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    speed = say(Words("{task.fields[speed]}, left", "{task.fields[speed]}、残り"))
    room = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # a long name gives way to how long it takes
    what_trains = TextColumn("{task.description}", markup=False, table_column=room)  # names are the user's
    columns = (what_trains, BarColumn(16), TaskProgressColumn(), TextColumn(speed), TimeRemainingColumn(compact=True))
    bars = Progress(*columns, console=Console(stderr=True), expand=True)
    works = {trial.id: work(trial) for trial in todo}
    total = sum(works.values())
    task = bars.add_task("", total=total, speed="-")
    begun, trained, before, lock = 0.0, 0, "", Lock()

    def report(what: str, trial: Trial, steps: int, spared: int) -> None:
        nonlocal total, begun, trained, before
        study, unit = what.partition(":")[0], works[trial.id] / trial.steps
        with lock:
            if not before:
                bars.start()  # only now: what cannot be trained is said without a bar
            if study != before:
                begun, trained, before = time.monotonic(), 0, study
            trained += steps
            total -= spared * unit
            rate = trained / max(time.monotonic() - begun, 1e-3)
            bars.update(task, description=harmless(what), advance=steps * unit, total=total, speed=say(pace(trial, rate)))

    try:
        yield report
    finally:
        if before:
            bars.stop()
