"""Trainings on a thread of their own: started, paused, stepped and looked at from a page, which they never block.

The numbers are those of ``training.train``: neither looking nor pausing changes any. The trainings of all pages take turns at the
processor, so that twenty of them go slower, and none stands still.
"""

from __future__ import annotations

import atexit
import ctypes
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from threading import Condition, Lock, Thread
from typing import Any, Generic, Literal, TypeVar
from weakref import WeakSet

import torch

from koubai.caution import cores, shape_and_classes
from koubai.data import load
from koubai.data.fingerprint import fingerprint
from koubai.keeping import memory
from koubai.laboratory import check
from koubai.language import UserError
from koubai.sharing import is_small
from koubai.store import Store
from koubai.study import Study
from koubai.training import Training, flush_denormals, plan
from koubai.training.cohort import budget, footprint
from koubai.web.jobs import THREADS

T = TypeVar("T")

CPU = torch.device("cpu")
SLICE = 0.02  # seconds of training until others have their turn, and a wish of the page's is heard
OFTEN = 0.12  # seconds between two looks, at least
SHARE = 0.07  # of the time, at most, goes into looking while it trains
MOST_BYTES = 2**29  # that the trainings of one page may take


class Turns:
    """So many at once inside a ``with``, the others one after another, in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._free, self._lock = count, Lock()
        self._waiting: deque[Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            gate = Lock()
            gate.acquire()
            self._waiting.append(gate)
        gate.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


TURNS = Turns(cores())
LIVES: WeakSet[Live[Any]] = WeakSet()  # those whose threads the end of the process must not meet inside PyTorch


@atexit.register
def end_all() -> None:
    """End every thread, also of what is to be kept: its process is at its end."""
    for live in list(LIVES):
        live.keep(None)
        live.close()
    for live in list(LIVES):
        live.thread.join(5)


class Live(Generic[T]):
    """A study in training, all of its trials side by side; it begins paused at step 0.

    ``look`` is called on its thread, and makes of the trainings what the page shows, once the page has taken what it gave before: at once
    where they stand still, and else within ``OFTEN`` and ``SHARE``. ``tell``, on the same thread, says that there is something to take,
    that the study is stored, or that there is an ``error``, which ended it before its time.
    """

    def __init__(self, study: Study, look: Callable[[Sequence[Training]], T], tell: Callable[[], object] = lambda: None) -> None:
        """Raises ``UserError`` where a trial cannot be trained, or all of them take too much memory."""
        affordable(study)
        self.study = study
        self.running = self.done = self.stored = False
        self.error: BaseException | None = None
        self._look: Callable[[Sequence[Training]], T] | None = look
        self._tell = tell
        self._seen: T | None = None
        self._asked = self._stale = True  # the page wants a look; something is there that it has not seen
        self._next_look = 0.0
        self._goal = 0  # the step to go up to by hand
        self._speed, self._since, self._origin = math.inf, 0.0, 0  # or by the clock
        self._closed = False
        self._store: Store | None = None
        self._trainings: list[Training] = []
        self._caps: list[int] = []  # of each training: the most steps at once
        self._paces: list[float] = []  # and the seconds that one takes
        self._changed = Condition()
        context = copy_context()  # the thread speaks the visitor's language
        self.thread = Thread(target=context.run, args=(self._work,), name="live", daemon=True)
        LIVES.add(self)
        self.thread.start()

    def start(self, speed: float = math.inf) -> None:
        """Go on, at so many steps a second."""
        with self._changed:
            self.running, self._speed = True, speed
            self._since, self._origin = time.monotonic(), min((t.t for t in self._trainings if not t.done), default=0)
            self._changed.notify()

    def pause(self) -> None:
        """Stand still, as soon as all are at one step."""
        with self._changed:
            self.running, self._goal = False, 0
            self._changed.notify()

    def step(self, count: int = 1) -> None:
        """Go so many steps further, and stand still there."""
        with self._changed:
            ahead = max((training.t for training in self._trainings), default=0)
            self.running, self._goal = False, max(ahead, 0 if self.running else self._goal) + count
            self._changed.notify()

    def taken(self) -> T | None:
        """What the last look gave, where it was not taken yet; the next one is made after that."""
        with self._changed:
            seen, self._seen = self._seen, None
            self._asked = self._asked or seen is not None
            self._changed.notify()
            return seen

    def again(self) -> None:
        """Look anew, because something else is to be seen."""
        with self._changed:
            self._stale = self._asked = True
            self._next_look = 0.0
            self._changed.notify()

    def keep(self, store: Store | None) -> None:
        """Store the study when it is done, and let it go on to its end even when it is closed; ``None`` takes that back."""
        with self._changed:
            self._store = store
            self._changed.notify()

    def close(self) -> None:
        """Nobody looks any more: the thread ends, at once or, where the study is kept, when that is stored."""
        with self._changed:
            self._closed, self._look, self._seen, self._tell = True, None, None, lambda: None
            self._changed.notify()

    def _turn(self) -> Training | Literal["look", "store", "end"] | None:
        """What is to be done next; nothing where it waits for the page or the clock."""
        if self._closed and (self._store is None or self.error):
            return "end"
        left = [training for training in self._trainings if not training.done]
        self.done = not left
        if self.done and self._store is not None:
            return "store"
        first = min(left, key=lambda training: training.t, default=None)
        due = first if first and first.t < self._limit() else None
        moving = self.running and not self.done
        due_look = self._asked and time.monotonic() >= self._next_look if moving else due is None
        # a look that was not taken holds points that no other has
        if self._look and self._stale and due_look and self._seen is None:
            return "look"
        return due

    def _limit(self) -> float:
        """The step that all may go up to now; where they stand still, the first waits there for the last."""
        if self._closed:
            return math.inf
        if not self.running:
            return max(self._goal, *(training.t for training in self._trainings), 0)
        return self._origin + self._speed * (time.monotonic() - self._since) if math.isfinite(self._speed) else math.inf

    def _work(self) -> None:
        flush_denormals()  # as where a study is run: the same numbers
        try:
            with memory(self.study.trials[0]), torch.no_grad():
                stacks = plan(self.study.trials, shape_and_classes)
                small = all(is_small(stack, budget(CPU)) for stack in stacks)
                # of this thread: with two, small kernels would wait for each other, not compute
                torch.set_num_threads(1 if small else THREADS)
                self._trainings = [Training(stack, load(stack[0].data), CPU) for stack in stacks]
                self._caps = [training.segment for training in self._trainings]
                self._paces = [SLICE for _ in stacks]
                while True:
                    with self._changed:
                        while (turn := self._turn()) is None:
                            self._changed.wait(1 / max(self._speed, 20) if self.running and not self.done else None)
                    if turn == "end":
                        return
                    with TURNS:
                        self._take(turn)
        except BaseException as error:
            self.error = error
            self._tell()
            if not isinstance(error, UserError):  # a bug of ours: its traceback belongs on the terminal
                raise
        finally:
            self.running, self._trainings = False, []
            give_back()

    def _take(self, turn: Training | str) -> None:
        """Do what is next."""
        begun = time.perf_counter()
        if isinstance(turn, Training):
            k = self._trainings.index(turn)
            turn.segment = int(max(1, min(self._caps[k], SLICE / self._paces[k], self._limit() - turn.t)))
            steps = turn.advance()
            if steps:
                self._paces[k] = (time.perf_counter() - begun) / steps
            self._stale = True  # a point of the history shows too
        elif turn == "look" and (look := self._look) is not None:
            with self._changed:
                self._asked = self._stale = False
            seen = look(self._trainings)
            spent = time.perf_counter() - begun
            with self._changed:
                self._seen = seen if self._look else None
                self._next_look = time.monotonic() + max(OFTEN - spent, spent / SHARE)
            self._tell()
        elif turn == "store" and (store := self._store):
            store.prepare()
            store.note(self.study)
            for training in self._trainings:
                store.put(training.outcome(), "cpu", fingerprint(training.data.spec.name))
            with self._changed:
                self._store, self.stored = None, True
            self._tell()


def give_back() -> None:
    """Give the memory that is free back to the system: the C library keeps a thread's for the next one. Elsewhere than there, nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def affordable(study: Study) -> None:
    """Raise ``UserError`` where a study is none for a page: its data or layers do not fit, or it takes too much memory."""
    for trial in {(t.data, t.batch_size, t.layers): t for t in study.trials}.values():
        check(trial)
    taken = sum(footprint(trial, *shape_and_classes(trial)) for trial in study.trials)
    if taken > MOST_BYTES:
        raise UserError(
            f"These networks would take {taken / 2**20:,.0f} MB, more than the {MOST_BYTES / 2**20:,.0f} MB that a page may take; "
            "use narrower layers or fewer seeds, or train them with koubai study.",
            f"このネットワークには {taken / 2**20:,.0f} MB 必要です。ページの上限は {MOST_BYTES / 2**20:,.0f} MB です。"
            "層の幅かシード数を減らすか、koubai study で学習してください。",
        )
