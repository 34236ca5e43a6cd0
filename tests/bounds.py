"""What fuzzed readers are held to: one sentence at most, in little time and little memory."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from koubai.language import UserError

SECONDS, BYTES = 20, 2**29  # of processor time: a machine that other work keeps busy takes longer by the clock
WAITED = 3600  # seconds by the clock: what waits for something that never comes


def one_sentence(error: UserError) -> None:
    """In both languages, in one line that is not endless."""
    assert all(text and "\n" not in text and "\r" not in text and len(text) < 1000 for text in error.words), error.words
    assert any("ぁ" <= letter <= "ヿ" or "一" <= letter <= "龥" for letter in error.words.ja), error.words


@contextmanager
def bounded() -> Iterator[None]:
    """Inside a ``with``, what takes long or much memory fails; a ``UserError`` is held to one sentence and ends it well."""
    import resource

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds of work, or {WAITED} of waiting")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timers = {signal.SIGPROF: (signal.ITIMER_PROF, SECONDS), signal.SIGALRM: (signal.ITIMER_REAL, WAITED)}
    usual = {number: signal.signal(number, late) for number in timers}
    outer = {timer: signal.setitimer(timer, seconds) for timer, seconds in timers.values()}
    try:
        yield
    except UserError as error:
        one_sentence(error)
    finally:
        for timer, left in outer.items():
            signal.setitimer(timer, *left)
        for number, handler in usual.items():
            signal.signal(number, handler)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES
