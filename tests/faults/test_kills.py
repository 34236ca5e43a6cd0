"""Processes killed, interrupted and asked to end at any moment: nothing is lost but seconds, and the numbers stay what they were."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from koubai.store import Store, care, checkpoints
from koubai.study import Study
from tests.faults.victim import STUDY, at_leisure, born, kill, records, same, train, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of processes are POSIX's")]

KILLS = int(os.environ.get("KOUBAI_KILLS", "8"))  # 50 in `make faults`


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the study, trained without any trouble and without a checkpoint."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = born(folder, prepare=at_leisure)
    wait_for((folder / "index.sqlite").exists)
    begun = time.monotonic()
    process.join(120)
    assert process.exitcode == 0 and not list(folder.glob("checkpoints/*"))
    (folder / "seconds").write_text(str(time.monotonic() - begun))
    return folder


@pytest.mark.parametrize("threads", [1, 2])
def test_killed_at_random_moments_it_ends_with_the_same_numbers(tmp_path: Path, undisturbed: Path, threads: int) -> None:
    draw, killed, amid, round = random.Random(threads), 0, 0, 0
    while_training = float((undisturbed / "seconds").read_text()) / 2
    while killed < KILLS // 2:
        folder = tmp_path / str(round)
        process = born(folder, threads=threads)
        wait_for((folder / "index.sqlite").exists)
        if killed % 2:  # half of the kills meet a stack on its way, however fast the machine is today
            wait_for(lambda under=folder, one=process: any(under.glob("checkpoints/*.safetensors")) or not one.is_alive())
        process.join(draw.uniform(0, 0.01 if killed % 2 else while_training))
        if process.is_alive():
            kill(process)
            killed += 1
            amid += any(folder.glob("checkpoints/*.safetensors"))
            assert care.check(Store(folder)).sound, "whatever the moment"
        else:  # done before its time: once more from the beginning, until there were as many kills as were asked for
            same(records(folder), records(undisturbed))
            round += 1
    last = born(folder, threads=threads)
    last.join(120)
    assert last.exitcode == 0 and amid > 0
    same(records(folder), records(undisturbed))
    assert not list((folder / "checkpoints").iterdir()), "a finished study leaves none"
    assert not list(folder.rglob("*.part"))
    print(f"{killed} kills with {threads} threads, {amid} of them amid a stack that then went on from its checkpoint")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_keeps_what_it_has_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "long.toml").write_text(
        "[base]\ndata = 'moons'\nlayers = [8]\nsteps = 400000\nlearning_rate = 0.01\n[axes]\nseed = 2\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "koubai", "study", "long.toml", "--threads", "1"]
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8", "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # who runs the tests in the background has them ignore Ctrl-C
    )  # fmt: skip
    store = Store(tmp_path / "koubai-out" / "store")
    wait_for(lambda: store.exists and [one["state"] for one in store.studies()] == ["running"])
    time.sleep(2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "the same command goes on from there" in err and "Traceback" not in err
    assert [one["state"] for one in store.studies()] == ["interrupted"] and not list(tmp_path.rglob("*.html"))
    (kept,) = (store.folder / "checkpoints").iterdir()
    (listed,) = store.studies()
    (checkpoint,) = checkpoints.found(store.folder, Study.from_toml(listed["toml"]).trials)
    assert checkpoint.file == kept and checkpoint.steps > 0


def test_what_was_trained_once_is_not_trained_again(tmp_path: Path) -> None:
    """After a kill in the middle, the next process goes on where the last checkpoint was."""
    process = born(tmp_path, width=None, threads=1)
    wait_for(lambda: any(one.steps > 0 for one in checkpoints.found(tmp_path, STUDY.trials)))
    kill(process)
    told: list[tuple[int, int]] = []
    options = {"width": None, "threads": 1, "prepare": at_leisure}
    train(tmp_path, **options, progress=lambda what, trial, steps, spared: told.append((steps, spared)))
    steps, spared = map(sum, zip(*told, strict=True))
    whole = sum(trial.steps for trial in STUDY.trials)
    assert steps + spared == whole and spared > 0 and steps < whole
