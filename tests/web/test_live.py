"""Trainings on a thread of their own: the numbers of ``train``, whatever a page does meanwhile; and the thread ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as threads

import numpy as np
import pytest
import torch

from koubai.caution import shape_and_classes
from koubai.data import load
from koubai.language import UserError
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.training import Outcome, Training, plan, train
from koubai.web.play.live import Live, Turns

STUDY = Study(
    Trial(data="moons", layers=(6, 6), batch_size=20, dropout=0.1, steps=150),
    axes={"activation": ["sigmoid", "relu"], "learning_rate": [0.1, 1e38], "seed": 2},
)


def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


class Looks:
    """Keeps what each look sees: the steps done, and at the end the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.steps: list[list[int]] = []

    def __call__(self, trainings: Sequence[Training]) -> list[int]:
        self.steps.append([training.t for training in trainings])
        if all(training.done for training in trainings):
            self.outcomes = [training.outcome() for training in trainings]
        return self.steps[-1]


@pytest.fixture
def lives() -> Iterator[Callable[..., Live[list[int]]]]:
    """Makes live trainings, and closes them after the test: no thread is left."""
    made: list[Live[list[int]]] = []

    def live(study: Study = STUDY, look: Callable[[Sequence[Training]], list[int]] | None = None) -> Live[list[int]]:
        made.append(Live(study, look or Looks()))
        return made[-1]

    yield live
    for one in made:
        one.close()
        one.thread.join(20)
        assert not one.thread.is_alive()


def expected(study: Study = STUDY) -> list[Outcome]:
    """What ``train`` gives."""
    cpu = torch.device("cpu")
    return [train(stack, load(stack[0].data), cpu) for stack in plan(study.trials, shape_and_classes)]


def same(live: Sequence[Outcome], plain: Sequence[Outcome]) -> None:
    """The same numbers: weights and histories bit for bit, sums of losses up to rounding."""
    assert len(live) == len(plain)
    for one, other in zip(live, plain, strict=True):
        assert one.trials == other.trials
        assert np.array_equal(one.diverged, other.diverged)
        for name, values in other.weights.items():
            assert np.array_equal(one.weights[name], values, equal_nan=True), name
        for name, values in other.history.items():
            if name == "loss":
                np.testing.assert_allclose(one.history[name], values, rtol=1e-5)
            else:
                assert np.array_equal(one.history[name], values, equal_nan=True), name


def test_it_stands_still_at_step_0_until_it_is_started(lives: Callable[..., Live[list[int]]]) -> None:
    live = lives()
    until(lambda: (seen := live.taken()) and seen == [0, 0])
    time.sleep(0.05)
    assert not live.running
    assert live.taken() is None


def test_pausing_stepping_and_looking_change_no_number(lives: Callable[..., Live[list[int]]]) -> None:
    looks = Looks()
    live = lives(look=looks)
    live.step()
    until(lambda: live.taken() == [1, 1])
    live.step(3)
    live.step(2)
    until(lambda: live.taken() == [6, 6])
    live.start(speed=400)
    until(lambda: (seen := live.taken()) and seen[0] > 20)
    live.pause()
    until(lambda: live.taken() is None and looks.steps[-1][0] == looks.steps[-1][1])
    time.sleep(0.05)
    stood = looks.steps[-1]
    live.again()
    until(lambda: live.taken() == stood)
    live.start()
    until(lambda: live.taken() is None and looks.outcomes)
    same(looks.outcomes, expected())
    assert len({tuple(steps) for steps in looks.steps}) >= 4


def test_small_networks_train_on_one_thread_and_others_keep_theirs(lives: Callable[..., Live[list[int]]]) -> None:
    before = torch.get_num_threads()
    live = lives(look=lambda trainings: [torch.get_num_threads()])
    until(lambda: live.taken() == [1])
    assert torch.get_num_threads() == before


def test_all_variants_go_side_by_side(lives: Callable[..., Live[list[int]]]) -> None:
    looks = Looks()
    live = lives(look=looks)
    live.start(speed=300)
    until(lambda: live.taken() is not None and live.done)
    apart = [abs(a - b) for a, b in looks.steps[:-1]]
    assert max(apart) <= 128


def test_a_slow_speed_is_kept(lives: Callable[..., Live[list[int]]]) -> None:
    looks = Looks()
    live = lives(look=looks)
    until(lambda: live.taken() is not None)
    live.start(speed=20)
    begun = time.monotonic()
    until(lambda: (seen := live.taken()) and seen[0] >= 4)
    assert time.monotonic() - begun >= 3 / 20
    live.start()
    until(lambda: live.done)


def test_those_that_diverge_are_known_and_do_not_touch_the_others(lives: Callable[..., Live[list[int]]]) -> None:
    looks = Looks()
    live = lives(look=looks)
    live.start()
    until(lambda: live.taken() is None and looks.outcomes)
    for outcome in looks.outcomes:
        rates = np.array([trial.learning_rate for trial in outcome.trials])
        assert (outcome.diverged[rates > 1] > 0).all()
        assert (outcome.diverged[rates < 1] == 0).all()
        assert np.isfinite(outcome.history["train_loss"][rates < 1]).all()


def test_closing_ends_the_thread_at_once(lives: Callable[..., Live[list[int]]]) -> None:
    before = set(threads())
    live = lives(Study(Trial(steps=10**7)))
    live.start()
    until(lambda: (seen := live.taken()) and seen[0] > 0)
    live.close()
    live.thread.join(10)
    assert set(threads()) <= before
    assert live._trainings == []


def test_what_is_kept_goes_on_to_its_end_and_is_stored(lives: Callable[..., Live[list[int]]], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    live = lives()
    live.step(5)
    live.keep(store)
    live.close()
    live.thread.join(30)
    assert live.stored
    records = store.get(STUDY.trials)
    assert [record.trial for record in records] == list(STUDY.trials)
    assert [row["name"] for row in store.studies()] == ["study"]
    plain = {trial: (outcome, row) for outcome in expected() for row, trial in enumerate(outcome.trials)}
    for record in records:
        outcome, row = plain[record.trial]
        assert np.array_equal(record.steps, outcome.steps)
        for name, value in record.weights().items():
            assert np.array_equal(value, outcome.weights[name][row], equal_nan=True)


def test_what_was_done_already_can_still_be_kept(lives: Callable[..., Live[list[int]]], tmp_path: Path) -> None:
    live = lives()
    live.start()
    until(lambda: live.done)
    live.keep(Store(tmp_path / "store"))
    until(lambda: live.stored)
    assert Store(tmp_path / "store").has(STUDY.trials) == {trial.id for trial in STUDY.trials}


def test_a_store_that_cannot_be_written_is_an_error_and_no_thread_is_left(
    lives: Callable[..., Live[list[int]]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    live = lives()
    live.keep(Store(tmp_path / "file"))
    live.start()
    live.thread.join(20)
    assert isinstance(live.error, UserError)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (Trial(batch_size=5000), "batch_size = 5000 is more than"),
        (Trial(data="no-such-data"), "no-such-data"),
        (Trial(layers=(20000, 20000)), "more than the 512 MB that a page may take"),
        (Trial(layers="alexnet"), "does not fit|is too small|gets"),
    ],
)
def test_what_cannot_be_trained_is_said_before_a_thread_begins(trial: Trial, said: str) -> None:
    before = set(threads())
    with pytest.raises(UserError, match=said):
        Live(Study(trial), Looks())
    assert set(threads()) == before


def test_turns_are_taken_in_order() -> None:
    turns, order, go = Turns(1), [], Event()

    def work(name: int) -> None:
        with turns:
            order.append(name)

    workers = []
    with turns:
        for name in range(5):
            workers.append(Thread(target=work, args=(name,)))
            workers[-1].start()
            until(lambda: len(turns._waiting) == len(workers))
        go.set()
    for worker in workers:
        worker.join(5)
    assert order == [0, 1, 2, 3, 4]
    with turns:
        order.append(5)
