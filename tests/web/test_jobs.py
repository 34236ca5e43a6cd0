"""What trains behind a page: it ends when somebody asks it to, and is then what it was before."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.web import jobs, uploads
from koubai.web.play.prescription import Gone, worked_out

LONG = Trial(data={"name": "moons", "samples": 100}, layers=(3, 3), batch_size=20, steps=10**6, initializer="zeros")


def until(true: Any) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_a_training_that_is_asked_to_stop_stops_and_can_be_resumed(tmp_path: Path) -> None:
    store, study = Store(tmp_path / "store"), Study(LONG, name="long", axes={"seed": 2})
    job = jobs.start(study, store)
    until(lambda: job.done)
    job.stop.set()
    until(lambda: job.finished)
    assert 0 < job.done < job.total
    assert job.problem is None
    assert [row["state"] for row in store.studies()] == ["interrupted"]
    jobs.forget(study.id)
    assert jobs.job(study.id) is None


@pytest.mark.parametrize("place", ["out", "a long way down/to where it lies/among many others", "x" * 60])
def test_what_is_wrong_with_an_upload_is_said_without_its_place(tmp_path: Path, place: str) -> None:
    store = Store(tmp_path / place / "store")
    study = Study(LONG.replace({"data": str(uploads.folder(store) / "mine-0123456789ab.csv")}), name="gone")
    job = jobs.Job(1)
    jobs._work(job, study, store)
    assert job.problem is not None and job.finished
    assert all("'mine.csv'" in words and words.count("/") == words.count(place[-3:]) == 0 for words in job.problem)


def test_remedies_are_not_trained_on_for_nobody(tmp_path: Path) -> None:
    asked: list[int] = []

    def on() -> bool:
        asked.append(1)
        return len(asked) < 5

    bench: Any = SimpleNamespace(board=SimpleNamespace(seeds=1, name="play"), store=Store(tmp_path / "store"))
    said: Any = SimpleNamespace(text="")
    with pytest.raises(Gone):
        asyncio.run(worked_out(bench, LONG, said, on))
