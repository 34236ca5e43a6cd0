"""Stacks in workers: the same numbers, every step told once, and whatever happens to a worker costs no training."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from koubai import keeping, laboratory
from koubai.caution import cores, free_memory, total_memory
from koubai.data import load
from koubai.data.builtin import BUILTIN, Source
from koubai.language import UserError, Words, speaking, tell
from koubai.spec import Data
from koubai.store import Store, checkpoints
from koubai.study import Study
from koubai.techniques import ACTIVATIONS, activation
from koubai.training import Training
from koubai.workers import crew, pool
from koubai.workers.parcel import ARRAYS, packed, unpacked
from tests.faults.victim import STUDY, records, same
from tests.workers.pretended import Process

TOTAL = sum(trial.steps for trial in STUDY.trials)
Told = list[tuple[int, int]]


def go(folder: Path, study: Study = STUDY, **options: Any) -> Told:
    """Train a study beside a worker; what was told of its steps."""
    told: Told = []
    options = {"threads": 2, "progress": lambda what, trial, steps, spared: told.append((steps, spared)), **options}
    laboratory.run(study, store=folder, device="cpu", **options)
    return told


def answers(process: Process, kind: str) -> list[list[Any]]:
    return [one for one in map(json.loads, process.said) if one[0] == kind]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    go(folder, threads=2)
    return folder


def test_the_same_numbers_and_every_step_is_told_once(tmp_path: Path, undisturbed: Path, processes: list[Process]) -> None:
    told = go(tmp_path)
    assert len(processes) == 1 and answers(processes[0], "report"), "one stack stays here, one goes"
    same(records(tmp_path), records(undisturbed))
    assert sum(map(sum, told)) == TOTAL and not list(tmp_path.glob("checkpoints/*"))


def test_a_stack_that_is_under_way_goes_on_in_a_worker(
    tmp_path: Path, undisturbed: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is ready only when both stacks have trained for a while here."""
    there, ready = keeping.train, threading.Event()
    kept = pool.Worker.load

    def late(self: pool.Worker, data: Any) -> None:
        assert ready.wait(60)
        kept(self, data)

    def slow(trials: Any, data: Any, device: Any, progress: Callable[[int, int], None], *rest: Any) -> Any:
        def report(left: int, steps: int) -> None:
            progress(left, steps)
            if sum(map(sum, told)) > TOTAL // 8 and not ready.is_set():
                ready.set()
                while not eager_pool().free:
                    pass

        return there(trials, data, device, report, *rest)

    told: Told = []
    eager_pool = lambda: crew.pool(0)  # noqa: E731
    monkeypatch.setattr(pool.Worker, "load", late)
    monkeypatch.setattr(laboratory, "train", slow)
    go(tmp_path, progress=lambda what, trial, steps, spared: told.append((steps, spared)))
    (process,) = processes
    assert answers(process, "report")[0][4] > 0, "it began from a checkpoint"
    same(records(tmp_path), records(undisturbed))
    assert sum(map(sum, told)) == TOTAL


def test_workers_stay_for_the_next_run_and_are_dismissed(tmp_path: Path, processes: list[Process], eager: Any) -> None:
    go(tmp_path / "one")
    go(tmp_path / "two")
    (process,) = processes
    assert len(answers(process, "done")) > 2 and eager().free
    assert eager().spent > 0
    eager().dismiss()
    assert process.poll() is not None and not eager().workers and eager().spent == 0


@pytest.mark.parametrize("life", [1, 2, 5, 12])
def test_a_worker_that_ends_costs_no_training(
    tmp_path: Path, undisturbed: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch, life: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(checkpoints, "FIRST", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    monkeypatch.setattr(Process, "life", life)
    told = go(tmp_path)
    assert len(processes) == 1, "it is not replaced"
    assert capsys.readouterr().err.count("A worker process has ended") == (life > 1), "one that was never used is not missed"
    same(records(tmp_path), records(undisturbed))
    assert sum(map(sum, told)) == TOTAL


@pytest.mark.parametrize("fresh", [False, True])
def test_who_asks_to_stop_finds_every_stack_kept(
    tmp_path: Path, undisturbed: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    monkeypatch.setattr(keeping, "LOST", 0.0)

    def stop(*what: Any) -> None:
        if processes and answers(processes[0], "report"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, progress=stop, fresh=fresh)
    assert processes[0].poll() is not None, "it has ended, and its stack is kept"
    kept = checkpoints.found(tmp_path, STUDY.trials)
    assert len(kept) + len(Store(tmp_path).has(STUDY.trials)) / 4 >= 2
    told = go(tmp_path)
    same(records(tmp_path), records(undisturbed))
    assert (sum(spared for _, spared in told) > 0) == any(one.steps for one in kept)


@pytest.mark.parametrize("fits", [1, 3])
def test_a_stack_too_large_for_memory_goes_on_in_halves(
    tmp_path: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch, fits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(Training):
        def advance(self) -> int:
            if len(self.trials) > fits and self.t > 10:
                raise MemoryError
            return super().advance()

    monkeypatch.setattr(keeping, "Training", Full)
    told = go(tmp_path)
    assert len(records(tmp_path)) == len(STUDY.trials) and sum(map(sum, told)) == TOTAL
    assert "side by side" in capsys.readouterr().err
    assert any(answer[1] for answer in answers(processes[0], "refused")) or not answers(processes[0], "report")


def test_what_a_worker_refuses_is_the_same_sentence(tmp_path: Path, processes: list[Process]) -> None:
    worker = pool.Worker()
    with pytest.raises(UserError) as caught:
        worker.ask({"load": {"name": "nowhere"}, "parcel": None})
    assert "nowhere" in caught.value.words.en and "ありません" in caught.value.words.ja
    worker.load(STUDY.base.data)
    assert worker.like == pool.likeness(), "it goes on"
    worker.end()
    assert processes[0].poll() == 0


def test_a_sentence_in_a_worker_is_told_here(
    tmp_path: Path, processes: list[Process], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import koubai.workers.process as process

    monkeypatch.setattr(process, "unpacked", lambda *_: tell(Words("It is so.", "そうです。")))
    with speaking("ja"):
        pool.Worker().load(STUDY.base.data)
    assert capsys.readouterr().err == "そうです。\n"


def test_a_bug_in_a_worker_is_a_bug_here(tmp_path: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # its traceback is on stderr
    monkeypatch.setattr(laboratory, "past_hope", broken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        go(tmp_path, STUDY.changed(stop="diagnosis"))


# Where there are none


def test_a_small_study_starts_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.subprocess, "Popen", None)
    monkeypatch.setattr(crew, "cores", lambda: 64)
    go(tmp_path)


@pytest.mark.parametrize(
    ("options", "study"),
    [({"threads": 1}, STUDY), ({"threads": 4}, STUDY.changed(axes={"seed": 1}))],
    ids=["one thread", "one network"],
)
def test_one_at_a_time_starts_none(tmp_path: Path, processes: list[Process], options: dict[str, int], study: Study) -> None:
    go(tmp_path, study, **options)
    assert not processes


def test_too_little_memory_starts_none(tmp_path: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "free_memory", lambda: crew.MEMORY)
    go(tmp_path)
    assert not processes
    assert 0 < free_memory() <= (total_memory() or 1e15) and cores() >= 1


def test_a_technique_or_a_data_set_of_a_script_starts_none(processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    assert pool.ours()
    with monkeypatch.context() as patch:
        patch.setitem(ACTIVATIONS, "mine", None)

        @activation("mine", formula="x", about=Words("Mine.", "私の。"))
        def mine(x: torch.Tensor) -> torch.Tensor:
            return x

        assert not pool.ours() and crew.Crew([STUDY.trials] * 2, 2).most == 0
    with monkeypatch.context() as patch:
        patch.setitem(BUILTIN, "own", Source(lambda: (np.zeros((2, 2)), np.arange(2)), Words("Own.", "自前。"), (2,), ("0", "1")))
        assert not pool.ours()
    assert pool.ours()


def test_a_worker_that_is_not_alike_trains_nothing(
    tmp_path: Path, undisturbed: Path, processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source, a version or a setting of PyTorch is another."""
    import koubai.workers.process as process

    monkeypatch.setattr(process, "likeness", lambda: pool.likeness() | {"source": "edited meanwhile"})
    go(tmp_path)
    assert not any(answers(one, "report") for one in processes)
    same(records(tmp_path), records(undisturbed))


def test_where_no_process_can_be_started_threads_train(tmp_path: Path, eager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(pool.subprocess, "Popen", refused)
    assert sum(map(sum, go(tmp_path))) == TOTAL


@pytest.mark.parametrize("name", BUILTIN)
def test_a_data_set_in_a_parcel_is_the_same(name: str) -> None:
    spec = Data(name=name, samples=200)
    data, same = load(spec), unpacked(spec, json.loads(json.dumps(packed(load(spec)))))
    assert (same.spec, same.classes, same.shape, same.target) == (spec, data.classes, data.shape, data.target)
    for part in ARRAYS:
        np.testing.assert_array_equal(getattr(same, part), getattr(data, part), strict=True)
    assert data.transform.scaler is data.transform.means is None
    assert packed(load(spec.model_copy(update={"standardize": True}))) is None


def test_whoever_forks_has_workers_of_its_own() -> None:
    assert pool.pool(1) is pool.pool(1) is not pool.pool(2)


def test_stacks_named(tmp_path: Path) -> None:
    """A checkpoint is found by its stack alone."""
    training = Training(STUDY.trials[:2], laboratory.load(STUDY.base.data), torch.device("cpu"))
    training.advance()
    checkpoints.Keeper(tmp_path, STUDY.trials[:2], "").keep(*training.state())
    stacks: Sequence[Any] = (STUDY.trials[:2], STUDY.trials[:1], STUDY.trials[1::-1])
    assert [checkpoints.of(tmp_path, stack) is not None for stack in stacks] == [True, False, False]
    checkpoints.forget(tmp_path, STUDY.trials[:2])
    assert checkpoints.of(tmp_path, STUDY.trials[:2]) is None
