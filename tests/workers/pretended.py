"""Workers that are threads of this process, over real pipes; and a study that is found to last from its first step on."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest

from koubai.workers import crew, pool
from koubai.workers.process import serve


class Process:
    """What ``subprocess.Popen`` gives, of a thread that serves. It dies without a word at its ``life``-th answer."""

    life = 10**9
    born: ClassVar[list[Process]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:
        (self.tasks, tasks), (answers, self.answers) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(tasks, "w", encoding="utf-8"), os.fdopen(answers, encoding="utf-8")
        self.said: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        self.born.append(self)

    def _serve(self) -> None:
        with suppress(SystemExit):
            serve(self._lines(), self)  # type: ignore[arg-type]
        os.close(self.answers)

    def _lines(self) -> Iterator[str]:
        with os.fdopen(self.tasks, encoding="utf-8") as tasks:
            yield from tasks

    def write(self, line: bytes) -> None:
        self.said.append(line)
        if len(self.said) >= self.life:
            raise SystemExit
        os.write(self.answers, line)

    def poll(self) -> int | None:
        return None if self.thread.is_alive() else 0

    def wait(self, timeout: float | None = None) -> int:
        self.thread.join(timeout)
        if self.thread.is_alive():
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return 0

    def kill(self) -> None:
        if not self.stdin.closed:
            self.stdin.close()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], pool.Pool]]:
    """Workers start at once, on as many cores as there are threads; gives the pool of this process."""
    for name, value in {"WORTH": 0.0, "AHEAD": -1.0, "LONG": 0.0}.items():
        monkeypatch.setattr(crew, name, value)
    monkeypatch.setattr(crew, "cores", lambda: 64)
    mine = pool.Pool()
    monkeypatch.setattr(crew, "pool", lambda process: mine)
    yield lambda: mine
    mine.timer.cancel()
    mine.dismiss()


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, eager: Any) -> list[Process]:
    """The workers that were started, which are threads."""
    monkeypatch.setattr(Process, "born", [])
    monkeypatch.setattr(pool.subprocess, "Popen", Process)
    return Process.born
