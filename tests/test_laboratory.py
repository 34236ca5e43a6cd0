"""``run``: trains what is not stored, keeps what finishes, gives everything in order, and leaves the caller's process as it was."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import koubai
from koubai import laboratory
from koubai.data import Dataset, load
from koubai.keeping import train
from koubai.laboratory import device_named, run
from koubai.language import UserError, speaking
from koubai.progress import Report, pace
from koubai.result import Result
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.training import Outcome
from koubai.training import train as plain

BASE = {"data": {"name": "moons", "samples": 60}, "layers": [3], "batch_size": 20, "steps": 7, "learning_rate": 0.05}
STUDY = Study(BASE, name="small", axes={"activation": ["relu", "tanh"], "seed": 3})  # two cohorts of three
DIVERGING = Study(
    {**BASE, "steps": 400, "activation": "identity"}, name="diverging", axes={"learning_rate": [0.01, 1e38, 0.02, 1e30]}
)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[Trial]]:
    """The stacks that are trained while the test runs."""
    stacks: list[list[Trial]] = []

    def counting(trials: Sequence[Trial], *arguments: Any) -> Outcome:
        stacks.append(list(trials))
        return train(trials, *arguments)

    monkeypatch.setattr(laboratory, "train", counting)
    return stacks


def go(study: Study | Trial, store: Path | str | Store, **options: Any) -> Result:
    return run(study, **{"store": store, "device": "cpu", "progress": False, **options})


def ids(trials: Sequence[Trial]) -> list[str]:
    return sorted(trial.id for trial in trials)


# Training and asking again


def test_what_run_gives_is_what_training_gives(tmp_path: Path, small: Dataset, cpu: torch.device, untouched: None) -> None:
    result = go(STUDY, tmp_path / "store")
    assert [record.trial for record in result.records] == list(STUDY.trials)
    for first in (0, 3):
        outcome = plain(STUDY.trials[first : first + 3], small, cpu)
        for row, record in enumerate(result.records[first : first + 3]):
            for name, curve in outcome.history.items():
                np.testing.assert_allclose(record.history[name], curve[row], rtol=1e-5, atol=1e-7, err_msg=name)
            for name, value in outcome.weights.items():
                np.testing.assert_allclose(record.weights()[name], value[row], rtol=1e-5, atol=1e-7, err_msg=name)
    assert Store(tmp_path / "store").has(STUDY.trials) == {trial.id for trial in STUDY.trials}
    (listed,) = Store(tmp_path / "store").studies()
    assert (listed["name"], listed["trials"], listed["stored"]) == ("small", 6, 6)


def test_asking_again_trains_nothing_unless_fresh(tmp_path: Path, trained: list[list[Trial]]) -> None:
    first = go(STUDY, tmp_path)
    assert ids([trial for stack in trained for trial in stack]) == ids(STUDY.trials)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "stacks").iterdir()}
    trained.clear()

    again = go(STUDY, tmp_path)
    assert not trained
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "stacks").iterdir()} == files
    for one, two in zip(first.records, again.records, strict=True):
        assert one.trial == two.trial and one.file == two.file
        np.testing.assert_array_equal(one.history["loss"], two.history["loss"])

    renamed = Study(STUDY.base.replace({"activation": "tanh"}), name="other", axes={"seed": 2, "activation": ["tanh", "relu"]})
    go(renamed, tmp_path)
    assert not trained, "a trial is known by what it is, not by its study"

    go(STUDY, tmp_path, fresh=True)
    assert ids([trial for stack in trained for trial in stack]) == ids(STUDY.trials)


def test_only_what_is_missing_is_trained(tmp_path: Path, trained: list[list[Trial]]) -> None:
    go(Study(BASE, axes={"activation": ["tanh"], "seed": [1, 2]}), tmp_path)
    trained.clear()
    result = go(STUDY, tmp_path)
    missing = [trial for trial in STUDY.trials if not (trial.activation.name == "tanh" and trial.seed in (1, 2))]
    assert ids([trial for stack in trained for trial in stack]) == ids(missing)
    assert [record.trial for record in result.records] == list(STUDY.trials)


def test_a_single_trial_and_any_way_to_name_a_store(tmp_path: Path, trained: list[list[Trial]]) -> None:
    for store in (tmp_path / "store", str(tmp_path / "store"), Store(tmp_path / "store")):
        (record,) = go(Trial(**BASE), store).records
        assert record.trial == Trial(**BASE)
    assert len(trained) == 1


def test_the_store_is_in_the_working_directory_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    koubai.run(Trial(**BASE), device="cpu", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["koubai-store"]


def test_results_stand_in_the_order_of_the_study(tmp_path: Path) -> None:
    """Whatever the order of seeds within stacks and of stacks, and whatever was stored before."""
    go(Study(BASE, axes={"seed": [4]}), tmp_path)
    study = Study(BASE, axes={"seed": [5, 0, 4, 2], "batch_size": [30, 20]}, zip=({"layers": [[4], [3]], "steps": [6, 7]},))
    for width in (1, 3, None):
        result = go(study, tmp_path, width=width, fresh=width == 3)
        assert [record.trial for record in result.records] == list(study.trials)


def test_the_width_changes_the_stacks_and_not_the_numbers(tmp_path: Path, trained: list[list[Trial]]) -> None:
    study = Study({**BASE, "steps": 100}, axes={"seed": [7, 1, 4], "learning_rate": [0.01, 0.05]})
    results = {}
    for width in (None, 1, 2, 4, 100):
        trained.clear()
        results[width] = go(study, tmp_path / str(width), width=width)
        assert max(map(len, trained)) <= (width or 6)
        assert len(trained) == {None: 1, 1: 6, 2: 3, 4: 2, 100: 1}[width]
    for result in results.values():
        for one, two in zip(result.records, results[None].records, strict=True):
            for name in ("loss", "train_loss", "validation_loss"):
                assert one.final(name) == pytest.approx(two.final(name), rel=1e-5)


# What goes wrong

BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "unknown data": (Study({**BASE, "data": "digit"}), {}, "did you mean 'digits'"),
    "one unknown among known": (Study(BASE, axes={"data.name": ["moons", "moon"]}), {}, "moon"),
    "batch larger than the data": (Study({**BASE, "batch_size": 61}), {}, "batch_size = 61 is more than the 60"),
    "one batch too large": (Study(BASE, axes={"batch_size": [20, 30, 100]}), {}, "batch_size = 100"),
    "more samples than there are": (Study({**BASE, "data": {"name": "moons", "samples": 801}}), {}, "samples = 801 is too many"),
    "too little to validate on": (Study({**BASE, "data": {"name": "digits", "validation": 0.001}}), {}, "use 0.1 to 0.5"),
    "width 0": (STUDY, {"width": 0}, "at least 1, not 0"),
    "width -1": (STUDY, {"width": -1}, "at least 1, not -1"),
    "device": (STUDY, {"device": "gpu"}, "auto, cpu or cuda, not 'gpu'"),
    "threads 0": (STUDY, {"threads": 0}, "from 1 to 1024, not 0"),
    "threads -1": (STUDY, {"threads": -1}, "not -1"),
    "threads 10000": (STUDY, {"threads": 10_000}, "not 10000"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_nothing(tmp_path: Path, trained: list[list[Trial]], case: str) -> None:
    study, options, words = BAD[case]
    threads = torch.get_num_threads()
    with pytest.raises(UserError) as caught:
        go(study, tmp_path / "store", **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    with speaking("ja"):
        assert any("ぁ" <= letter <= "ヿ" for letter in str(caught.value))
    assert not trained and not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads


def test_a_gpu_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cpu"):
        go(STUDY, tmp_path / "store", device="cuda")
    assert not list(tmp_path.iterdir())
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto") == device_named("cuda") == torch.device("cuda")
    assert device_named("cpu") == torch.device("cpu")


def test_on_a_gpu_stacks_are_as_wide_as_its_memory_and_come_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cores the machine has. (What would train is only noted: there is no GPU here.)"""
    busy, seen = threading.Lock(), []

    def noted(stack: list[Trial], data: Dataset, study: str, place: torch.device, *rest: Any) -> None:
        assert place.type == "cuda" and busy.acquire(blocking=False)
        seen.append(len(stack))
        busy.release()

    monkeypatch.setattr(laboratory, "device_named", lambda name: torch.device("cuda"))
    monkeypatch.setattr(laboratory, "train_and_store", noted)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**33, 2**34))
    study = Study({**BASE, "layers": [40, 20]}, name="wide", axes={"activation": ["relu", "tanh"], "seed": 1200})
    with pytest.raises(UserError, match="No longer in"):
        go(study, tmp_path / "store", device="auto", threads=4)
    assert seen == [1200, 1200]


def test_an_unusable_store_is_known_before_anything_is_trained(tmp_path: Path, trained: list[list[Trial]]) -> None:
    (tmp_path / "store").write_text("mine")
    with pytest.raises(UserError, match="cannot be used"):
        go(STUDY, tmp_path / "store")
    assert not trained


@pytest.mark.parametrize("when", [0, 1, 3, 5])
def test_ctrl_c_keeps_the_stacks_that_had_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    """It comes in the middle of a stack, between two of its steps; asking again goes on from there."""
    stacks: list[list[Trial]] = []

    def interrupted(trials: Sequence[Trial], data: Dataset, device: torch.device, progress: Any, *rest: Any) -> Outcome:
        def tell(count: int, steps: int) -> None:
            if len(stacks) == when + 1:
                raise KeyboardInterrupt
            progress(count, steps)

        stacks.append(list(trials))
        return train(trials, data, device, tell, *rest)

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(laboratory, "train", interrupted)
        go(STUDY, tmp_path, width=1, threads=1)  # one after another
    left = torch.get_num_threads()
    torch.set_num_threads(before)
    assert left == before + 1
    finished = {trial.id for stack in stacks[:-1] for trial in stack}
    store = Store(tmp_path)
    assert len(finished) == when and store.has(STUDY.trials) == finished == {r.trial.id for r in store.get(STUDY.trials)}
    assert len(list((tmp_path / "stacks").iterdir())) == when, "nothing half written"
    assert [(one["trials"], one["stored"]) for one in store.studies()] == [(6, when)]

    resumed, undisturbed = go(STUDY, tmp_path), go(STUDY, tmp_path / "other")
    for one, two in zip(resumed.records, undisturbed.records, strict=True):
        assert one.final("train_loss") == pytest.approx(two.final("train_loss"), rel=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."
        ),
    ],
    ids=["python", "cuda", "cpu"],
)
def test_too_little_memory_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def full(trials: Sequence[Trial], *arguments: Any) -> Outcome:
        if trials[0].activation.name == "tanh":
            raise error
        return train(trials, *arguments)

    monkeypatch.setattr(laboratory, "train", full)
    with pytest.raises(UserError, match="Networks of 3 do not fit into memory; take narrower layers") as caught:
        go(STUDY, tmp_path)
    with speaking("ja"):
        assert "メモリに収まりません" in str(caught.value)
    assert len(Store(tmp_path).has(STUDY.trials)) == 3, "what had finished is kept"


def test_a_bug_of_ours_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Outcome:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(laboratory, "train", broken)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        go(STUDY, tmp_path)


def test_a_diverged_trial_is_in_the_result_and_marked(tmp_path: Path) -> None:
    result = go(DIVERGING, tmp_path)
    assert [record.trial for record in result.records] == list(DIVERGING.trials)
    assert [record.diverged > 0 for record in result.records] == [False, True, False, True]
    for record in result.records:
        assert np.isnan(record.final("validation_accuracy")) == (record.diverged > 0)
    assert result.best().record.trial.learning_rate in (0.01, 0.02)
    (listed,) = Store(tmp_path).studies()
    assert (listed["stored"], listed["diverged"]) == (4, 2)


def test_it_is_not_trained_again_either(tmp_path: Path, trained: list[list[Trial]]) -> None:
    go(DIVERGING, tmp_path)
    trained.clear()
    go(DIVERGING, tmp_path)
    assert not trained


# Progress


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the bar is told: first the whole, then (words, steps done, steps left out)."""
    heard: list[Any] = []

    @contextmanager
    def recording(show: bool, todo: Sequence[Trial]) -> Iterator[Report]:
        heard.append(sum(trial.steps for trial in todo))
        yield lambda what, trial, steps, spared: heard.append((what, steps, spared))

    monkeypatch.setattr(laboratory, "reporter", recording)
    return heard


@pytest.mark.parametrize("width", [None, 1, 2])
def test_every_network_step_is_counted_once(tmp_path: Path, told: list[Any], width: int | None) -> None:
    go(STUDY, tmp_path, width=width)
    total, *reports = told
    assert total == sum(trial.steps for trial in STUDY.trials) == 42
    assert sum(steps for _, steps, _ in reports) == 42
    assert not any(spared for _, _, spared in reports)
    assert {what.split(" x ")[0] for what, _, _ in reports} == {"small: relu, sgd", "small: tanh, sgd"}


@pytest.mark.parametrize("width", [None, 1, 2])
def test_steps_that_diverged_trials_leave_out_are_told_too(tmp_path: Path, told: list[Any], width: int | None) -> None:
    result = go(DIVERGING, tmp_path, width=width)
    total, *reports = told
    done, spared = sum(report[1] for report in reports), sum(report[2] for report in reports)
    assert total == 1600 == done + spared
    assert all(steps >= 0 and left >= 0 for _, steps, left in reports)
    least = sum(record.diverged or 400 for record in result.records)
    assert least <= done < least + 2 * 128, "a diverged trial goes on to the next point of the history at most"


def test_only_what_is_trained_counts(tmp_path: Path, told: list[Any]) -> None:
    go(Study(BASE, axes={"activation": ["tanh"], "seed": 2}), tmp_path)
    told.clear()
    go(STUDY, tmp_path)
    assert told[0] == 28 == sum(steps for _, steps, _ in told[1:])


@pytest.mark.parametrize(("study", "language"), [(STUDY, "en"), (DIVERGING, "en"), (STUDY, "ja")])
def test_the_bar_ends_at_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str], study: Study, language: Any) -> None:
    """On stderr; what is printed is the caller's. Where nothing is to be trained there is none."""
    with speaking(language):
        go(study, tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err and study.name in err
    assert ("network-steps/s" if language == "en" else "延べステップ/秒") in err
    go(study, tmp_path, progress=True)
    go(study, tmp_path / "other", progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["[/b]", "[red]all[/red]", "{task.fields}", "勾配 [消失]"])
def test_the_bar_shows_any_name_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    go(Study(BASE, name=name), tmp_path, progress=True)
    assert f"{name}: relu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rate", "en", "ja"),
    [
        (0.5, "0.5 network-steps/s, 29 s an epoch", "0.5 延べステップ/秒、1エポック 29 秒"),  # 1,437 samples by 100
        (1234.0, "1,234 network-steps/s", "1,234 延べステップ/秒"),
    ],
)
def test_the_bar_says_how_long_an_epoch_takes_where_that_can_be_felt(rate: float, en: str, ja: str) -> None:
    assert pace(Trial(batch_size=100), rate) == (en, ja)


# The caller's process


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_are_those_asked_for_while_it_trains_and_the_callers_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    inside: list[int] = []

    def looking(*arguments: Any) -> Outcome:
        inside.append(torch.get_num_threads())
        return train(*arguments)

    monkeypatch.setattr(laboratory, "train", looking)
    before = torch.get_num_threads()
    result = go(Trial(**BASE), tmp_path, threads=threads)
    assert inside == [threads] and torch.get_num_threads() == before
    assert result.records[0].environment["threads"] == str(threads)
    go(Trial(**BASE), tmp_path, fresh=True)
    assert inside == [threads, 1], "so little work takes one thread where nobody asks for more"


def test_in_a_container_with_fewer_cores_than_its_machine_there_are_no_more_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: list[list[Trial]]
) -> None:
    """PyTorch sees the machine's. Of one core a study of one cohort is one stack."""
    monkeypatch.setattr(laboratory, "cores", lambda: 1)
    with laboratory.threaded(4):
        go(Study(BASE, axes={"seed": 40}), tmp_path)
    assert [len(stack) for stack in trained] == [40]


@pytest.mark.parametrize("threads", [1, 2])
def test_denormal_numbers_are_zero_where_it_trains_and_stay_what_they_are_elsewhere(tmp_path: Path, threads: int) -> None:
    """In all of PyTorch's threads: a product so long is shared between them."""

    def left() -> int:
        return int(torch.full((2**20,), 1e-38).mul_(0.1).count_nonzero())

    if not torch.set_flush_denormal(False):
        pytest.skip("this processor keeps denormal numbers")
    seen: list[int] = []
    assert left() == 2**20
    go(Trial(**BASE), tmp_path, threads=threads, progress=lambda *_: seen.append(left()))
    assert left() == 2**20 and set(seen) == {0}


def test_threads_are_put_back_where_training_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laboratory, "train", lambda *_: 1 / 0)
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        go(Trial(**BASE), tmp_path, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("fields", [{}, {"dropout": 0.5, "batch_norm": "after"}, {"optimizer": "adam", "dtype": "float64"}])
def test_nothing_of_the_callers_is_changed(tmp_path: Path, fields: dict[str, Any], untouched: None) -> None:
    """Random states, modes of autograd, the default dtype, and the data set that all trainings share."""
    data = load(Trial(**BASE).data)
    arrays = [data.x_train, data.y_train, data.x_validation, data.y_validation]
    copies = [array.copy() for array in arrays]
    modes = torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), np.geterr()
    go(Study({**BASE, **fields}, axes={"seed": 2}), tmp_path)
    assert modes == (
        torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), np.geterr(),
    )  # fmt: skip
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_best_leaves_as_a_plain_module(tmp_path: Path, small: Dataset) -> None:
    best = go(STUDY, tmp_path).best()
    with torch.no_grad():
        answers = best.module()(torch.from_numpy(small.x_validation)).argmax(1).numpy()
    assert (answers == small.y_validation).mean() == pytest.approx(best.record.final("validation_accuracy"))
    assert best.history is best.record.history


# Side by side


def test_small_stacks_train_side_by_side_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on one thread; as many at once as there are threads; what the caller had is put back."""
    before, seen, train = torch.get_num_threads(), [], laboratory.train

    def watched(*arguments: Any) -> Outcome:
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return train(*arguments)

    monkeypatch.setattr(laboratory, "train", watched)
    together = go(STUDY, tmp_path / "two", threads=2, width=1)
    assert len({thread for thread, _ in seen}) == 2 and {count for _, count in seen} == {1}
    assert torch.get_num_threads() == before
    alone = go(STUDY, tmp_path / "one", threads=1, width=1)
    for one, other in zip(together.records, alone.records, strict=True):
        assert one.trial == other.trial
        np.testing.assert_allclose(one.history["train_loss"], other.history["train_loss"], rtol=1e-6)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of threads are POSIX's")
def test_a_signal_that_wakes_a_training_s_thread_is_answered_while_it_trains() -> None:
    """As one does that was sent while the process was stopped: Ctrl-Z, then ``kill %1``."""
    answered = threading.Event()
    usual = signal.signal(signal.SIGUSR1, lambda *_: answered.set())

    def work_off(stack: list[Trial], report: Report) -> None:
        time.sleep(0.5)  # until the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        assert answered.wait(10)

    try:
        laboratory.side_by_side([[Trial(**BASE)]], work_off, lambda *_: None, workers=1)
    finally:
        signal.signal(signal.SIGUSR1, usual)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_where_one_of_several_fails_the_others_stop_and_what_finished_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    train, finished = laboratory.train, []

    def failing(trials: Sequence[Trial], *rest: Any) -> Outcome:
        if len(finished) >= 2:
            raise error
        outcome = train(trials, *rest)
        finished.extend(trials)
        return outcome

    monkeypatch.setattr(laboratory, "train", failing)
    with pytest.raises(error):
        go(STUDY, tmp_path, threads=2, width=1)
    stored = Store(tmp_path).has(STUDY.trials)
    assert 2 <= len(stored) < len(STUDY.trials)
    assert torch.get_num_threads() == 1
    monkeypatch.setattr(laboratory, "train", train)
    assert len(go(STUDY, tmp_path).records) == len(STUDY.trials)


def test_an_error_on_another_thread_speaks_the_language_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with speaking("ja"):
        go(STUDY, tmp_path, threads=2, width=1, progress=True)
    assert "延べステップ/秒" in capsys.readouterr().err
