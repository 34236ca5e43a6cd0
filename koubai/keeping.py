"""Trainings that outlive what happens to them: checkpoints between segments, interrupts that wait for the end of one, too little memory."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from koubai.blueprint import title
from koubai.data import Dataset
from koubai.language import UserError, Words, tell
from koubai.spec import Trial
from koubai.store.checkpoints import Checkpoint, Keeper, useless
from koubai.training import Outcome, Training

LOST = 1.0  # seconds of training that an interrupt may lose, and no checkpoint is written for


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


class Halt:
    """Whether somebody asked to stop, and how. Trainings look between two segments, when they can be kept."""

    def __init__(self) -> None:
        self.asked: type[KeyboardInterrupt] | None = None

    def look(self) -> None:
        """Raise ``KeyboardInterrupt`` where somebody asked to stop."""
        if self.asked:
            raise self.asked


@contextmanager
def heeding() -> Iterator[Halt]:
    """Inside a ``with``, Ctrl-C and SIGTERM ask to stop; a second one stops at once. Whoever handles them otherwise still does."""
    halt, usual = Halt(), {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}

    def ask(number: int, frame: Any) -> None:
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if halt.asked:
            raise kind
        halt.asked = kind

    ours = {}
    if threading.current_thread() is threading.main_thread():
        ours = {number: handler for number, handler in usual.items() if signal.getsignal(number) is handler}
    try:
        for number in ours:
            signal.signal(number, ask)
        yield halt
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
    halt.look()  # asked for after the last training


def train(
    trials: Sequence[Trial],
    data: Dataset,
    device: torch.device,
    progress: Callable[[int, int], None],
    keeper: Keeper,
    checkpoint: Checkpoint | None = None,
    judge: Callable[[Training], Iterable[int]] | None = None,
) -> Outcome:
    """Train one stack, from its checkpoint where it has one, and keep it on the way; also where ``progress`` asks to stop.

    ``judge`` looks at it at every point of its history, and names the trials that go no further.
    """
    training = resumed(trials, data, device, checkpoint) or Training(trials, data, device)
    while not training.done:
        left = len(training.rows)
        steps = training.advance()
        if judge and training.t == training.marks[training.point - 1]:
            training.drop(list(judge(training)))
        try:
            progress(left, steps)
        except KeyboardInterrupt:
            if keeper.since > LOST and not training.done:
                keeper.keep(*training.state())
            raise
        if keeper.due and not training.done:
            keeper.keep(*training.state())
    return training.outcome()


def resumed(trials: Sequence[Trial], data: Dataset, device: torch.device, checkpoint: Checkpoint | None) -> Training | None:
    """The training that a checkpoint holds; ``None``, with a sentence, where it cannot be used."""
    if checkpoint is None:
        return None
    try:
        arrays, about = checkpoint.load()
        return Training.restored(trials, data, device, arrays, about)
    except UserError as error:
        tell(error.words)
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        tell(useless(checkpoint.file, error).words)
    return None


class TooLarge(UserError):
    """A stack did not fit into memory."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, a GPU's, or PyTorch's on a processor, which has no error of its own for it."""
    said = ("allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")  # the last two by libraries on a GPU
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in said)


@contextmanager
def memory(trial: Trial) -> Iterator[None]:
    """Where memory runs out, ``TooLarge``, which says what would fit."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        layers = title(trial.layers)
        raise TooLarge(
            f"Networks of {layers} do not fit into memory; take narrower layers, a smaller batch_size or --width 1.",
            f"{layers} のネットワークはメモリに収まりません。層の幅か batch_size を小さくするか、--width 1 を試してください。",
        ) from None


def in_halves(stack: list[Trial], train: Callable[[list[Trial]], None]) -> None:
    """Train a stack, and where it does not fit into memory its halves. Raises ``TooLarge`` where a single network does not fit."""
    try:
        train(stack)
        return
    except TooLarge:
        if len(stack) == 1:
            raise
    # only out here, where the error no longer holds what the stack took
    half = len(stack) // 2
    tell(
        Words(
            f"{len(stack)} networks of {title(stack[0].layers)} do not fit into memory side by side; they go on as {half} and "
            f"{len(stack) - half}.",
            f"{title(stack[0].layers)} のネットワーク {len(stack)} 個は同時にメモリに収まらないため、{half} 個と {len(stack) - half} "
            "個に分けて続けます。",
        )
    )
    for part in (stack[:half], stack[half:]):
        in_halves(part, train)


def unbroken(report: Callable[..., None]) -> Callable[..., None]:
    """A report that costs no training where it is broken: one sentence, and it is not called again. It may ask to stop."""
    broken = False

    def guarded(*what: Any) -> None:
        nonlocal broken
        if broken:
            return
        try:
            report(*what)
        except Exception as error:  # whatever a caller's function raises
            broken = True
            tell(
                Words(
                    f"Progress can no longer be reported ({type(error).__name__}: {error}); the training goes on.",
                    f"進み具合を報告できなくなりました({type(error).__name__}: {error})。学習は続けます。",
                )
            )

    return guarded
