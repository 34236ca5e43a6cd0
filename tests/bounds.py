"""What fuzzed readers are held to: one sentence at most, in little time and little memory."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from koubai.language import UserError

SECONDS, BYTES = 20, 2**29


def one_sentence(error: UserError) -> None:
    """In both languages, in one line that is not endless."""
    assert all(text and "\n" not in text and "\r" not in text and len(text) < 1000 for text in error.words), error.words
    assert any("ぁ" <= letter <= "ヿ" or "一" <= letter <= "龥" for letter in error.words.ja), error.words


@contextmanager
def bounded() -> Iterator[None]:
    """Inside a ``with``, what takes long or much memory fails; a ``UserError`` is held to one sentence and ends it well."""
    import resource

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    usual = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    except UserError as error:
        one_sentence(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES
