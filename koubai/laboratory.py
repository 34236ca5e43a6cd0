"""``run(study)``: the one door that the command line, the web page and notebooks use. Plans, trains, stores, and asks the store first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from pathlib import Path
from threading import Event
from typing import Any

import torch

from koubai.caution import confirm, cores, fits
from koubai.data import Dataset, load
from koubai.data.fingerprint import fingerprint
from koubai.doctor.hope import past_hope
from koubai.keeping import TooLarge, heeding, in_halves, memory, train, unbroken
from koubai.language import UserError, counted
from koubai.places import places
from koubai.progress import Report, reporter
from koubai.result import Result
from koubai.sharing import by_threads, stacks_of
from koubai.spec import Trial
from koubai.store import Store, checkpoints
from koubai.store.checkpoints import Checkpoint, Keeper
from koubai.study import Study
from koubai.training import Outcome, flush_denormals
from koubai.training.cohort import budget

STORE = Path("koubai-store")
MOST_THREADS = 1024  # PyTorch ends the process where it cannot start as many as it was told
AWAKE = 1.0  # seconds after which whoever waits for trainings looks for signals


def run(
    study: Study | Trial,
    *,
    store: str | Path | Store = STORE,
    device: str = "auto",
    fresh: bool = False,
    width: int | None = None,
    threads: int | None = None,
    progress: bool | Report = True,
    yes: bool = False,
    note: bool = True,
) -> Result:
    """Train the study's trials that are not stored yet, store each stack as it finishes, and give the records of all.

    ``device`` is ``"cpu"``, ``"cuda"`` or ``"auto"``; ``fresh`` trains stored trials again; ``width`` limits the trials of a stack,
    ``threads`` those of PyTorch, by default its own choice, but no more than a container has cores; ``progress`` shows a bar, or is told
    of every step; ``yes`` trains very many trials too; ``note`` puts the study on the store's list.
    A long training is kept on the way, and goes on from there where it was interrupted.
    Raises ``UserError`` for what cannot be trained, before anything is.
    """
    study = study if isinstance(study, Study) else Study(study)
    store = store if isinstance(store, Store) else Store(store)
    place, stopping = device_named(device), study.stop == "diagnosis"
    if width is not None and width < 1:
        raise UserError(f"The width of a stack must be at least 1, not {width}.", f"スタックの幅は1以上にしてください: {width}")
    confirm(study, yes)
    with threaded(usual_threads() if threads is None else threads):
        todo = to_train(study.trials, store, fresh, stopping)
        store.prepare()
        store.note(study, listed=note)
        checkpoints.tidy(store.folder, {trial.id for trial in study.trials} - {trial.id for trial in todo})
        begun = [one.trials for one in (() if fresh else checkpoints.found(store.folder, todo, stopping))]
        room = budget(place)
        workers = torch.get_num_threads() if place.type == "cpu" else 1
        stacks, whole = stacks_of(study.trials, todo, begun, width, room, workers)
        small, large = by_threads(stacks, whole, room, workers, chosen=threads is not None)

        with (
            heeding() as halt,
            store.at_work(study) if todo else nullcontext(),
            nullcontext(progress) if callable(progress) else reporter(progress, todo) as bar,
        ):
            told = unbroken(bar)

            def report(*what: Any) -> None:
                told(*what)
                halt.look()

            def train_one(stack: list[Trial], report: Report) -> None:
                there = not fresh and len(store.has(stack, stopped=stopping)) == len(stack)  # by another process, meanwhile
                if fresh or there:
                    checkpoints.forget(store.folder, stack)
                if there:
                    report(study.name, stack[0], 0, len(stack) * stack[0].steps)
                    return
                train_and_store(stack, load(stack[0].data), study.name, place, store, report, stopping)

            def work_off(stack: list[Trial], report: Report) -> None:
                in_halves(stack, lambda part: train_one(part, report))

            side_by_side(small, work_off, report, workers, threads=1)
            side_by_side(large, work_off, report, workers=1)
    records = store.get(study.trials, stopped=stopping)
    if len(records) < len(study.trials):
        missing = len(study.trials) - len(records)
        raise UserError(
            f"No longer in {store.folder}: {counted(missing, 'trial')} of the study {study.name}; run it again to train anew.",
            f"実験 {study.name} の {missing:,} 試行が {store.folder} から失われています。もう一度実行すると学習し直します。",
        )
    return Result(study, tuple(records))


def to_train(trials: Sequence[Trial], store: Store, fresh: bool, stopping: bool = False) -> list[Trial]:
    """Those trials that are not stored yet, or all; with ``stopping`` a stopped one counts as stored.

    Raises ``UserError`` where one of ``trials`` cannot be trained.
    """
    for trial in {(t.data, t.batch_size, t.layers, bool(t.augment)): t for t in trials}.values():
        check(trial)
        fits(trial)
    done = set() if fresh else store.has(trials, stopped=stopping)
    return [trial for trial in trials if trial.id not in done]


def side_by_side(
    stacks: Sequence[list[Trial]],
    work_off: Callable[[list[Trial], Report], None],
    report: Report,
    workers: int,
    threads: int | None = None,
) -> None:
    """Train stacks, ``workers`` at once, each on so many ``threads`` (by default PyTorch's own choice).

    Small ones train at once on one thread each: no thread waits for another at every step, however busy the machine is.
    Where one fails, those under way go on to their end; where somebody interrupts, they stop at their next report.
    """
    failed, stopped = Event(), Event()

    def heard(*what: Any) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        report(*what)

    def end(error: BaseException) -> None:
        failed.set()
        if not isinstance(error, Exception):
            stopped.set()

    def begin(stack: list[Trial]) -> None:
        if failed.is_set():
            return
        try:
            work_off(stack, heard)
        except BaseException as error:
            end(error)
            raise

    with threaded(threads), ThreadPoolExecutor(workers, initializer=flush_denormals) as pool:
        try:
            left = {pool.submit(copy_context().run, begin, stack) for stack in stacks}
            while left:
                # a signal that came while the process was stopped may have woken another thread; only the main one answers it
                done, left = wait(left, AWAKE, FIRST_COMPLETED)
                for future in done:
                    future.result()
        except BaseException as error:
            end(error)
            raise


def train_and_store(
    stack: list[Trial], data: Dataset, study: str, place: torch.device, store: Store, report: Report, stopping: bool
) -> None:
    """Train a stack, from its checkpoint where it has one, and store it."""
    today = fingerprint(stack[0].data.name)
    keeper = Keeper(store.folder, stack, today)
    checkpoint = checkpoints.of(store.folder, stack, stopping)
    outcome = trained(stack, data, study, place, report, keeper, checkpoint, stopping)
    store.put(outcome, device_name(place), today)
    keeper.done()


def trained(
    stack: list[Trial], data: Dataset, study: str, place: torch.device, report: Report, keeper: Keeper,
    checkpoint: Checkpoint | None, stopping: bool,
) -> Outcome:  # fmt: skip
    """What the training of a stack gives; ``report`` hears of every step, and of those that need not be done.

    With ``stopping`` the doctor looks at every point of the history, and stops the trials that are hopeless.
    """
    first = stack[0]
    name = f"{study}: {first.activation.name}, {first.optimizer.name} x {len(stack)}"
    whole = left = len(stack) * first.steps
    if checkpoint is not None:
        report(name, first, 0, len(stack) * checkpoint.steps)
        left -= len(stack) * checkpoint.steps

    def count(trials: int, steps: int) -> None:
        nonlocal left
        left -= trials * steps
        report(name, first, trials * steps, 0)

    try:
        with memory(first):
            outcome = train(stack, data, place, count, keeper, checkpoint, past_hope if stopping else None)
    except TooLarge:
        report(name, first, 0, left - whole)  # these are done again
        raise
    report(name, first, 0, left)
    return outcome


def check(trial: Trial) -> None:
    """Raise ``UserError`` if the trial's data cannot be had, do not fill a minibatch, or do not fit through the layers."""
    data = load(trial.data)
    samples = len(data.x_train)
    places(trial, data.shape, data.outputs)
    if trial.augment and len(data.shape) not in (2, 3):
        raise UserError(
            f"augment changes images, and a sample of {trial.data} is {counted(data.shape[0], 'number')}; leave it out.",
            f"augment は画像用です。{trial.data} の1サンプルは {data.shape[0]} 個の数なので、指定を外してください。",
        )
    if trial.batch_size > samples:
        raise UserError(
            f"batch_size = {trial.batch_size} is more than the {counted(samples, 'training sample')} of {trial.data}; take a smaller one.",
            f"batch_size = {trial.batch_size} は {trial.data} の訓練サンプル数 {samples:,} を超えています。小さくしてください。",
        )


def usual_threads() -> int:
    """PyTorch's own choice of threads, but no more than there are cores: in a container it sees the machine's."""
    return min(torch.get_num_threads(), cores())


@contextmanager
def threaded(count: int | None) -> Iterator[None]:
    """So many threads of PyTorch inside a ``with``, and as many as before after it. Raises ``UserError``."""
    if count is None:
        yield
        return
    if not 1 <= count <= MOST_THREADS:
        raise UserError(
            f"threads must be from 1 to {MOST_THREADS}, not {count}.",
            f"スレッド数は1から {MOST_THREADS} までにしてください: {count}",
        )
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_named(name: str) -> torch.device:
    """The device: ``"auto"`` is a CUDA GPU if there is one. Raises ``UserError`` for a device that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(
            f"The device must be auto, cpu or cuda, not {name!r}.", f"デバイスは auto, cpu, cuda のどれかにしてください: {name!r}"
        )
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError(
            "There is no CUDA GPU that PyTorch can use; try --device cpu.",
            "CUDAのGPUが使えません。--device cpu を使ってください。",
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def device_name(device: torch.device) -> str:
    """What the environment of a result calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
