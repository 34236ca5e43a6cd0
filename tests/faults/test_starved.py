"""Disks that are full, folders that vanish, clocks that go backwards, memory that runs out, workers and callbacks that die."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from koubai import keeping, laboratory
from koubai.language import UserError
from koubai.result import Best
from koubai.spec import Trial
from koubai.store import Store, care, checkpoints
from koubai.study import Study
from koubai.training import Outcome, Training
from tests.faults.victim import BASE, SPAWN, STUDY, at_leisure, born, hasty, kill, records, same, wait_for

SMALL = Study({**BASE, "steps": 60}, name="small", axes={"activation": ["relu", "tanh"], "seed": 2})


def go(folder: Path, study: Study = SMALL, **options: Any) -> laboratory.Result:
    return laboratory.run(study, **{"store": folder, "device": "cpu", "progress": False, "threads": 1, **options})


def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every segment."""
    monkeypatch.setattr(checkpoints, "FIRST", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    go(folder)
    return folder


# A full disk


def limited(folder: Path, bytes: int, study: Study) -> None:
    """Train where no file may be larger than so many bytes, as on a disk that is full; exit code 7 for the one sentence."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))
    try:
        go(folder, study)
    except UserError as error:
        assert "cannot be used" in error.words.en and "--out" in error.words.ja
        os._exit(7)
    os._exit(0)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of processes are POSIX's")
@pytest.mark.parametrize("full", ["at once", "amid the index", "amid a stack"])
def test_a_full_disk_is_one_sentence_and_nothing_is_half_written(tmp_path: Path, full: str) -> None:
    """Full before the index can be made, while it is written, while history and weights are; what is free again goes on."""
    study, folder = (
        Study({**BASE, "steps": 60, "layers": [64, 64, 32]}, axes={"activation": ["relu", "tanh"], "seed": 2}),
        tmp_path / "full",
    )
    go(tmp_path / "whole", study)
    index, stack = (min(path.stat().st_size for path in (tmp_path / "whole").glob(kind)) for kind in ("index.sqlite", "stacks/*"))
    assert index < stack
    process = SPAWN.Process(
        target=limited, args=(folder, {"at once": 0, "amid the index": index - 1, "amid a stack": stack - 1}[full], study)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 7
    assert not list(folder.rglob("*.part")) and not list(folder.glob("stacks/*"))
    go(folder, study)
    assert care.check(Store(folder)).sound
    same(records(folder, study), records(tmp_path / "whole", study))


def test_a_checkpoint_that_cannot_be_written_costs_no_training(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    often(monkeypatch)
    (tmp_path / "checkpoints").write_text("in the way")
    go(tmp_path)
    assert capsys.readouterr().err.count("No checkpoint could be written") == 2, "once for each stack"
    same(records(tmp_path, SMALL), records(undisturbed, SMALL))


def test_what_cannot_be_stored_is_still_in_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    often(monkeypatch)

    def full(self: Store, *_: Any) -> None:
        raise UserError("full", "満杯")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="full"):
        patch.setattr(Store, "put", full)
        go(tmp_path, Study(SMALL.base, name="one"))
    (one,) = checkpoints.found(tmp_path, [SMALL.base])
    assert one.steps >= 40, "all but its last segment"


# A folder that vanishes


@pytest.mark.parametrize("way", ["gone", "a file in its place"])
def test_a_folder_that_vanishes_while_a_study_trains(tmp_path: Path, way: str) -> None:
    """Removed, it is made anew, and what is missing is said; where it cannot be, that is said. Never a traceback."""
    folder, heard = tmp_path / "usb" / "store", []

    def vanish(what: str, trial: Trial, steps: int, spared: int) -> None:
        heard.append(what)
        if (
            trial.activation.name == "tanh"
            and (tmp_path / "usb").is_dir()
            and not any(path.name == "moved" for path in tmp_path.iterdir())
        ):
            (tmp_path / "usb").rename(tmp_path / "moved")
            if way != "gone":
                (tmp_path / "usb").write_text("in the way")

    with pytest.raises(UserError, match=r"No longer in|cannot be used"):
        go(folder, progress=vanish)
    assert len(Store(tmp_path / "moved" / "store").has(SMALL.trials)) == 2, "what had finished is where it was"
    if way == "gone":
        assert len(go(folder).records) == 4


# A clock that goes backwards


def test_a_clock_that_goes_backwards(tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    often(monkeypatch)
    clock = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    go(tmp_path)
    go(tmp_path, Study(SMALL.base, name="later"))
    same(records(tmp_path, SMALL), records(undisturbed, SMALL))
    assert {one["name"] for one in Store(tmp_path).studies()} == {"small", "later"}


# Two at once


@pytest.mark.slow
def test_two_processes_train_one_study_at_once(tmp_path: Path) -> None:
    """Both end well, every trial is there once, what one has finished the other does not begin."""
    both = [born(tmp_path, prepare=at_leisure, threads=1) for _ in range(2)]
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    store = Store(tmp_path)
    assert len(store.get(STUDY.trials)) == len(STUDY.trials) and care.check(store).sound
    assert [(one["stored"], one["state"]) for one in store.studies()] == [(16, "finished")]
    assert not list(tmp_path.glob("checkpoints/*")) and not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_a_report_is_made_from_a_store_while_another_process_trains(tmp_path: Path) -> None:
    go(tmp_path)
    long = Study({**BASE, "steps": 200_000}, name="long")
    process = born(tmp_path, long, hasty, threads=1)
    wait_for(lambda: any(one["state"] == "running" for one in Store(tmp_path).studies()))
    wait_for(lambda: list(tmp_path.glob("checkpoints/*.safetensors")))
    report = go(tmp_path).report(tmp_path / "report.html")
    assert "small" in report.read_text(encoding="utf-8") and process.is_alive()
    kill(process)
    assert {one["name"]: one["state"] for one in Store(tmp_path).studies()} == {"small": "finished", "long": "interrupted"}


# Too little memory


@pytest.mark.parametrize("fits", [1, 2, 3])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_a_stack_that_does_not_fit_goes_on_in_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fits: int, error: Exception
) -> None:
    class Full(Training):
        def advance(self) -> int:
            if len(self.trials) > fits and self.t > 10:
                raise error
            return super().advance()

    monkeypatch.setattr(keeping, "Training", Full)
    study = Study({**BASE, "steps": 60}, axes={"seed": 7})
    told: list[int] = []
    result = go(tmp_path, study, progress=lambda what, trial, steps, spared: told.append(steps + spared))
    assert len(result.records) == 7 and "side by side" in capsys.readouterr().err
    assert sum(told) == 7 * 60, "what is done twice is counted once"
    alone = go(tmp_path / "alone", study, width=1)
    for one, two in zip(result.records, alone.records, strict=True):
        assert one.final("train_loss") == pytest.approx(two.final("train_loss"), rel=1e-5)


def test_where_not_even_one_fits_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Training) -> int:
        raise MemoryError

    monkeypatch.setattr(keeping.Training, "advance", full)
    with pytest.raises(UserError, match="do not fit into memory"):
        go(tmp_path)


# What dies beside a training


def test_a_broken_progress_callback_costs_no_training(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def broken(*what: Any) -> None:
        calls.append(what)
        raise ZeroDivisionError("mine")

    go(tmp_path, progress=broken)
    assert len(calls) == 1 and capsys.readouterr().err.count("ZeroDivisionError: mine") == 1
    same(records(tmp_path, SMALL), records(undisturbed, SMALL))


def test_a_callback_may_ask_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOST", 0.0)

    def stop(*what: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, progress=stop)
    assert len(list(tmp_path.glob("checkpoints/*.safetensors"))) == 1
    assert len(go(tmp_path).records) == 4


def test_a_worker_that_dies_costs_its_own_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one beside it is trained to its end and stored."""
    both, kept = threading.Barrier(2), keeping.train

    def dying(trials: Sequence[Trial], *rest: Any) -> Outcome:
        both.wait(30)
        if trials[0].activation.name == "relu":
            raise ZeroDivisionError
        return kept(trials, *rest)

    monkeypatch.setattr(laboratory, "train", dying)
    with pytest.raises(ZeroDivisionError):
        go(tmp_path, threads=2)
    assert Store(tmp_path).has(SMALL.trials) == {trial.id for trial in SMALL.trials if trial.activation.name == "tanh"}


# Checkpoints that are not what they were


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of a study of two trials."""
    study, data = Study({**BASE, "steps": 60}, axes={"seed": 2}), laboratory.load(SMALL.base.data)
    training = Training(study.trials, data, torch.device("cpu"))
    while training.t < 30:
        training.advance()
    keeper = checkpoints.Keeper(tmp_path, study.trials, "")
    keeper.keep(*training.state())
    return keeper.file


PAIR = Study({**BASE, "steps": 60}, axes={"seed": 2})


def flipped(content: bytes, share: float) -> bytes:
    place = int(share * (len(content) - 1))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: b"", lambda c: c[:9], lambda c: c[: len(c) // 2], lambda c: c[:-1], lambda c: c + b"\0", lambda c: bytes(range(256)) * 9,
        lambda c: flipped(c, 1.0), lambda c: flipped(c, 0.7), lambda c: c.replace(b'\\"t\\": ', b'\\"t\\":9'),
        lambda c: c.replace(b"moons", b"m00ns"), lambda c: c.replace(b'\\"seed\\": 1', b'\\"seed\\": 7'),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_damaged_is_left_with_a_sentence(
    tmp_path: Path, begun: Path, capsys: pytest.CaptureFixture[str], damage: Any
) -> None:
    changed = damage(content := begun.read_bytes())
    assert changed != content
    begun.write_bytes(changed)
    result = go(tmp_path, PAIR)
    err = capsys.readouterr().err
    assert f"The checkpoint {begun} cannot be used" in err and "from the beginning" in err
    assert len(result.records) == 2 and not list(tmp_path.glob("checkpoints/*"))


def test_a_checkpoint_of_data_that_changed_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(rows: int) -> None:
        rows_of = "".join(f"{k},{(k * 7) % 5},{'xy'[k % 2]}\n" for k in range(rows))
        (tmp_path / "own.csv").write_text("a,b,class\n" + rows_of)

    write(40)
    study = Study({**BASE, "data": str(tmp_path / "own.csv"), "batch_size": 10})
    keeper = checkpoints.Keeper(tmp_path, study.trials, checkpoints.fingerprint(str(tmp_path / "own.csv")))
    training = Training(study.trials, laboratory.load(study.base.data), torch.device("cpu"))
    training.advance()
    keeper.keep(*training.state())
    assert checkpoints.found(tmp_path, study.trials)
    write(41)
    assert not checkpoints.found(tmp_path, study.trials)
    assert "its data have changed" in capsys.readouterr().err


def test_only_checkpoints_of_what_is_asked_for_are_taken(tmp_path: Path, begun: Path) -> None:
    assert [one.trials for one in checkpoints.found(tmp_path, PAIR.trials)] == [PAIR.trials]
    assert checkpoints.found(tmp_path, PAIR.trials[:1]) == [] and begun.exists()
    go(tmp_path, Study(PAIR.base, name="one of them"))
    assert begun.exists(), "another study's"
    go(tmp_path, PAIR, fresh=True)
    assert not begun.exists(), "a fresh run begins anew, and leaves none behind"


def test_a_checkpoint_with_stopped_trials_is_for_those_who_stop_trials(tmp_path: Path) -> None:
    training = Training(PAIR.trials, laboratory.load(PAIR.base.data), torch.device("cpu"))
    while training.t < 30:
        training.advance()
    training.drop([1])
    checkpoints.Keeper(tmp_path, PAIR.trials, "").keep(*training.state())
    assert checkpoints.found(tmp_path, PAIR.trials) == []
    assert [one.steps for one in checkpoints.found(tmp_path, PAIR.trials, stopping=True)] == [training.t]
    result = go(tmp_path, PAIR)
    assert len(result.records) == 2 and not any(record.stopped for record in result.records)


def test_a_trial_that_was_stopped_is_not_taken_along(tmp_path: Path) -> None:
    training = Training(PAIR.trials, laboratory.load(PAIR.base.data), torch.device("cpu"))
    while not training.done:
        training.advance()
        if training.point == 2:
            training.drop([1])
    store = Store(tmp_path)
    store.put(training.outcome(), "cpu", "")
    (record,) = store.get(PAIR.trials[1:], stopped=True)
    with pytest.raises(UserError, match="was stopped at step"):
        Best(record).export(tmp_path / "network")
    assert not (tmp_path / "network").exists()
