"""Trials past hope: each rule by hand, and that a study stops them, keeps them apart in the store and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import koubai as kb
from koubai.data import load
from koubai.doctor.hope import EARLY, TRAVEL, Sight, judged, past_hope
from koubai.keeping import train
from koubai.language import UserError, speak
from koubai.spec import Data, Trial
from koubai.store import Store
from koubai.store.checkpoints import Keeper, found
from koubai.training import Training


def sight(trial: Trial, steps: list[int], **curves: Any) -> Sight:
    """One trial of two layers with weights and a ReLU, of the given curves ``[point, ...]``; the rest sound."""
    points = len(steps)
    sound = {
        "update": np.full((points, 2), 0.01),
        "zeros": np.full((points, 1), 0.5),
        "train_loss": np.linspace(2.3, 1.0, points),
        "train_accuracy": np.linspace(0.1, 0.7, points),
    }
    shown = {name: np.asarray(curve, dtype=float)[None] for name, curve in {**sound, **curves}.items()}
    layers, kinds = ("dense 1", "relu 1", "dense 2"), ("weights", "activation", "weights")
    return Sight([trial], layers, kinds, np.array(steps), shown, np.array([64, 100]), 0.1)


STEPS = [0, 10, 60, 100]


def test_a_sound_training_has_hope() -> None:
    assert not judged(sight(Trial(steps=1000), STEPS))


def test_weights_that_cannot_get_anywhere_in_all_the_steps() -> None:
    trial = Trial(steps=1000)

    def reached(first: float, second: float) -> bool:
        return bool(judged(sight(trial, STEPS, update=[[np.nan, np.nan], *[[first, second]] * 3])))

    first, second = TRAVEL / 8 / 1000, TRAVEL / 10 / 1000  # what a step may move in layers of 64 and of 100 inputs, by hand
    assert reached(0.99 * first, 0.99 * second)
    assert not reached(1.01 * first, 0) and not reached(0, 1.01 * second)
    found = judged(sight(trial, STEPS, update=[[np.nan, np.nan], *[[1e-6, 1e-7]] * 3]))[0]
    assert found.symptom == "learning-rate-too-low" and found.evidence["reach"] == pytest.approx(1000e-6)
    assert "0.1%" in found.words.en and "0.1%" in found.words.ja


def test_a_schedule_that_rises_has_more_ahead_than_behind() -> None:
    slow = {"update": [[np.nan, np.nan], *[[2e-5, 2e-5]] * 3]}  # 1,000 such steps are 2%, under 3%
    assert judged(sight(Trial(steps=1000), STEPS, **slow))
    warm = Trial(steps=1000, schedule={"name": "warmup", "steps": 500})  # step 100 is a fifth of the full rate
    assert not judged(sight(warm, STEPS, **slow))
    gone = Trial(steps=1000, schedule={"name": "exponential", "final": 1e-30})
    falling = {"update": [[np.nan, np.nan], *[[2e-4, 2e-4]] * 3]}
    assert judged(sight(gone, STEPS, **falling)) and not judged(sight(Trial(steps=1000), STEPS, **falling))


def test_nothing_is_judged_before_its_time() -> None:
    trial, still = Trial(steps=1000), {"update": [[np.nan, np.nan], [0, 0], [0, 0]]}
    early = int(EARLY * 1000) - 1
    assert not judged(sight(trial, [0, 1, early], **still)) and judged(sight(trial, [0, 1, early + 1], **still))


def test_layers_that_answer_0_twice_in_turn() -> None:
    found = judged(sight(Trial(), STEPS, zeros=[[0.5], [0.9], [1], [1]]))[0]
    assert (found.symptom, found.layer) == ("dead-relu", "relu 1")
    assert not judged(sight(Trial(), STEPS, zeros=[[0.5], [1], [1], [0.99]]))


def test_a_loss_far_above_its_start_that_still_rises() -> None:
    assert judged(sight(Trial(), STEPS, train_loss=[2, 15, 19, 21]))[0].symptom == "learning-rate-too-high"
    assert not judged(sight(Trial(), STEPS, train_loss=[2, 15, 19, 19.9])) and not judged(
        sight(Trial(), STEPS, train_loss=[2, 15, 30, 21])
    )


def test_a_training_is_judged_row_by_row(cpu: torch.device) -> None:
    data = load(Data(name="digits"))
    trials = [Trial(layers=[16], steps=200, learning_rate=rate) for rate in (0.1, 1e-7, 0.3, 0.0)]
    training = Training(trials, data, cpu)
    assert not past_hope(training)
    while training.t < 14:
        training.advance()
    assert set(past_hope(training)) == {1, 3}
    training.drop(list(past_hope(training)))
    assert not past_hope(training)
    while not training.done:
        training.advance()
    assert training.outcome().stopped.tolist() == [0, 14, 0, 14]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[kb.Study, Path, kb.Result]:
    study = kb.Study({"layers": [16], "steps": 200}, name="s", axes={"learning_rate": [1e-7, 0.1], "seed": 2}, stop="diagnosis")
    folder = tmp_path_factory.mktemp("stopped") / "store"
    return study, folder, kb.run(study, store=folder, device="cpu", progress=False)


def test_a_study_stops_what_is_past_hope_and_says_which_when_and_why(stopped: tuple[kb.Study, Path, kb.Result]) -> None:
    _, _, result = stopped
    assert [record.stopped for record in result.records] == [14, 14, 0, 0]
    assert [row["stopped"] for row in result.table] == [2, 0]
    assert "Stopped: 2 of 4 trials at step 14 of 200 (learning rate too low)." in repr(result)
    speak("ja")
    assert "打ち切り: 4 試行のうち 2 個を 200 ステップ中 14 で(学習率が小さすぎる)。" in repr(result)
    assert result.best().record.trial.learning_rate == 0.1


def test_stopped_trials_are_kept_apart_from_finished_ones(stopped: tuple[kb.Study, Path, kb.Result], tmp_path: Path) -> None:
    study, folder, result = stopped
    store = Store(folder)
    assert len(store.get(study.trials)) == 2 and len(store.get(study.trials, stopped=True)) == 4
    again = kb.run(study, store=folder, device="cpu", progress=lambda *_: pytest.fail("nothing is trained again"))
    assert [record.stopped for record in again.records] == [record.stopped for record in result.records]
    whole = kb.run(kb.Study(study.base, axes=study.axes), store=folder, device="cpu", progress=False)
    assert [record.stopped for record in whole.records] == [0] * 4
    assert len(store.get(study.trials)) == 4


def test_those_that_go_on_are_as_in_a_study_that_stops_nothing(stopped: tuple[kb.Study, Path, kb.Result], tmp_path: Path) -> None:
    study, _, result = stopped
    whole = kb.run(kb.Study(study.base, axes=study.axes), store=tmp_path / "whole", device="cpu", progress=False)
    for with_stops, without in zip(result.records[2:], whole.records[2:], strict=True):
        for name, curve in without.history.items():
            np.testing.assert_allclose(with_stops.history[name], curve, rtol=1e-3, atol=1e-5, err_msg=name)


def test_stop_is_written_to_toml_and_read_back(stopped: tuple[kb.Study, Path, kb.Result]) -> None:
    study = stopped[0]
    assert 'stop = "diagnosis"' in study.to_toml() and kb.Study.from_toml(study.to_toml()) == study
    assert "stop" not in kb.Study().to_toml()
    assert study.with_seeds(3).stop == study.with_base(steps=10).stop == "diagnosis"
    with pytest.raises(UserError, match="stop must be 'none' or 'diagnosis'"):
        kb.Study(stop="sometimes")


def test_a_checkpoint_of_a_study_that_stops_trials_is_of_no_use_to_one_that_does_not(cpu: torch.device, tmp_path: Path) -> None:
    data = load(Data(name="digits"))
    trials = [Trial(layers=[8], steps=20, learning_rate=rate) for rate in (0.1, 1e-9)]
    training = Training(trials, data, cpu)
    while training.t < 5:
        training.advance()
    training.drop([1])
    keeper = Keeper(tmp_path, trials, "")
    keeper.keep(*training.state())
    assert found(tmp_path, trials) == []
    (begun,) = found(tmp_path, trials, stopping=True)
    assert train(trials, data, cpu, lambda *_: None, keeper, begun, past_hope).stopped.tolist() == [0, training.t]
    assert train(trials, data, cpu, lambda *_: None, keeper, begun).stopped.tolist() == [0, 0]
