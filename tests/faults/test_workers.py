"""Real worker processes: killed, or with whoever started them interrupted or killed, nothing is lost and no number changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from koubai.data import load
from koubai.laboratory import run
from koubai.spec import Trial
from koubai.store import checkpoints
from koubai.store.checkpoints import Checkpoint
from koubai.training import Training, flush_denormals
from koubai.workers import crew, pool
from tests.faults.victim import records, same, wait_for
from tests.workers.long import LONG, eager, patient

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of processes are POSIX's")]


def runs(pid: int) -> bool:
    """Whether a process runs still; a dead one that nobody has asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def begun(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A process that trains the study, and the worker to which one of its stacks has gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.workers.long", str(folder)], env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # in the background Ctrl-C is ignored
    )  # fmt: skip
    assert process.stdout
    return process, int(process.stdout.readline())


def as_here(kept: Sequence[Checkpoint]) -> None:
    """Each is what an undisturbed training on a thread of this process is after as many steps, bit for bit."""

    def state(trials: Sequence[Trial], steps: int) -> tuple[Any, Any]:
        training = Training(trials, load(trials[0].data), torch.device("cpu"))
        while training.t < steps:
            training.advance()
        return training.state()

    for one in kept:
        with ThreadPoolExecutor(1, initializer=flush_denormals) as thread:
            arrays, about = thread.submit(state, one.trials, one.steps).result()
        mine, also = one.load()
        assert about == also and arrays.keys() == mine.keys()
        for name, value in arrays.items():
            np.testing.assert_array_equal(mine[name], value, err_msg=name, strict=True)


@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGKILL, False)],
    ids=["ctrl-c", "terminated", "all terminated", "killed"],
)
def test_the_stack_in_a_worker_is_kept_however_its_process_ends(tmp_path: Path, number: signal.Signals, group: bool) -> None:
    process, worker = begun(tmp_path)
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=60)
    wait_for(lambda: not runs(worker))
    killed = number == signal.SIGKILL
    assert process.returncode == (-number if killed else 130) and err == ""
    kept = checkpoints.found(tmp_path, LONG.trials)
    assert len(kept) == 2 - killed or killed, "the worker's always, of a killed process' own the last if there was one"
    assert kept and not list(tmp_path.rglob("*.part"))
    as_here(kept)


def test_a_worker_that_does_not_answer_is_ended_by_the_second_ctrl_c(tmp_path: Path) -> None:
    process, worker = begun(tmp_path)
    os.kill(worker, signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert not runs(worker)
    kept = checkpoints.found(tmp_path, LONG.trials)
    assert len(kept) == 2
    as_here(kept)


def test_a_killed_worker_costs_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its stack goes on here to the numbers that it has in threads."""
    study = LONG.with_base(steps=10_000)
    run(study, store=tmp_path / "threads", device="cpu", threads=2, progress=False)
    for name in ("WORTH", "AHEAD", "LONG", "cores"):
        monkeypatch.setattr(crew, name, getattr(crew, name))
    monkeypatch.setattr("koubai.keeping.LOST", 0.0)
    eager()
    mine, told, dead = pool.Pool(), [], []
    monkeypatch.setattr(crew, "pool", lambda process: mine)

    def kill() -> None:
        dead.append(mine.workers[0].process)
        dead[0].kill()

    wait = patient(mine, kill)

    def report(what: str, trial: Trial, steps: int, spared: int) -> None:
        told.append(steps + spared)
        wait(what, trial, steps, spared)

    run(study, store=tmp_path / "workers", device="cpu", threads=2, progress=report)
    mine.timer.cancel()
    assert len(dead) == 1 and dead[0].returncode == -signal.SIGKILL and not mine.workers
    assert capfd.readouterr().err == "A worker process has ended (exit code -9); what it trained goes on in this one.\n"
    assert sum(told) == sum(trial.steps for trial in study.trials)
    same(records(tmp_path / "workers", study), records(tmp_path / "threads", study))
