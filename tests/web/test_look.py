"""One look at trainings: its numbers against the plain modules of the trained networks, and what it holds for each kind of data."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from koubai.caution import shape_and_classes
from koubai.data import load
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.training import Training, plan
from koubai.web.play.board import Board
from koubai.web.play.live import Live
from koubai.web.play.look import Look, extent, points, signed

MOONS = Board(
    Trial(data="moons", layers=(5, 4), batch_size=16, steps=90, learning_rate=0.5),
    [{"activation": "tanh"}, {"learning_rate": 1e38}],
    seeds=2,
)


def trained(board: Board, steps: int = 10**9) -> list[Training]:
    """The board's trainings, so many steps on."""
    made = [Training(stack, load(stack[0].data), torch.device("cpu")) for stack in plan(board.study.trials, shape_and_classes)]
    for training in made:
        while not training.done and training.t < steps:
            training.segment = min(training.segment, steps - training.t)
            training.advance()
    return made


def unpacked(text: str) -> np.ndarray:
    """The bytes of a picture."""
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8)


@torch.no_grad()
def looked(board: Board, trainings: list[Training]) -> dict[str, Any]:
    """A look, once through JSON as the page gets it."""
    return json.loads(json.dumps(Look(board)(trainings), allow_nan=False))


@pytest.fixture(scope="module")
def moons() -> tuple[list[Training], dict[str, Any]]:
    """Finished trainings and the look at them."""
    trainings = trained(MOONS)
    return trainings, looked(MOONS, trainings)


def test_numbers_and_boundaries_are_those_of_the_plain_modules(moons: tuple[list[Training], dict[str, Any]]) -> None:
    trainings, seen = moons
    assert seen["step"] == 90
    for variant, trial in enumerate(MOONS.variants[:2]):
        shown, data = seen["variants"][variant], load(trial.data)
        losses, rights = [], []
        for seed in range(2):
            mine = trial.replace({"seed": seed})
            training = next(one for one in trainings if mine in one.trials)
            outcome = training.outcome()
            row = outcome.trials.index(mine)
            network = module(mine, {name: value[row] for name, value in outcome.weights.items()})
            with torch.no_grad():
                out = network(torch.from_numpy(data.x_train[:256]))
                losses.append(float(cross_entropy(out, torch.from_numpy(data.y_train[:256]))))
                held = network(torch.from_numpy(data.x_validation[:256])).argmax(1).numpy()
                rights.append(float((held == data.y_validation[:256]).mean()))
                if seed == 0:
                    side = shown["picture"]["side"]
                    low, high = extent(data)
                    said, sure = (unpacked(shown["picture"][name]).reshape(side, side) for name in ("said", "sure"))
                    for at, corner in {(0, 0): (low[0], high[1]), (-1, 0): (low[0], low[1]), (0, -1): (high[0], high[1])}.items():
                        chance = network(torch.tensor([corner], dtype=torch.float32)).softmax(1)[0]
                        assert said[at] == int(chance.argmax())
                        assert abs(int(sure[at]) - 254 * (2 * float(chance.max()) - 1)) <= 1
        assert shown["loss"][0] == pytest.approx(float(np.exp(np.mean(np.log(losses)))), rel=1e-3)
        assert shown["accuracy"][0] == pytest.approx(float(np.mean(rights)), abs=1e-4)
        assert shown["loss"][1] <= shown["loss"][0] <= shown["loss"][2]
        assert shown["lost"] == 0
        assert [point["step"] for point in shown["past"]][-1] == 90
        assert len(shown["flow"][0]) == len(shown["histograms"]) * 2 + 1
        assert shown["flow"][0][-1] == 1


def test_what_diverged_says_so_and_has_no_numbers(moons: tuple[list[Training], dict[str, Any]]) -> None:
    shown = moons[1]["variants"][2]
    assert shown["lost"] == 2
    assert shown["loss"] == shown["accuracy"] == [None] * 3
    assert shown["flow"] == []
    assert "not-a-number" in {said["symptom"] for said in shown["doctor"]}


def test_the_doctor_says_at_the_end_what_it_found_once() -> None:
    """A training that is faster than looks are is looked at once."""
    board = Board(Trial(data="moons", layers=(20, 20), activation="sigmoid", initializer="normal", steps=300), seeds=1)
    said = [looked(board, trained(board, steps))["variants"][0]["doctor"] for steps in (250, 300)]
    assert not said[0] and said[1] and "fatal" not in {one["severity"] for one in said[1]}


def test_no_point_of_the_history_is_lost_where_the_page_is_slow(moons: tuple[list[Training], dict[str, Any]]) -> None:
    """The first look lies there until the training is done: the second holds all points since."""
    live = Live(MOONS.study, Look(MOONS))
    live.start()
    steps: list[int] = []
    while not live.done:
        time.sleep(0.01)
    while not steps or steps[-1] < 90:
        time.sleep(0.01)
        seen = live.taken() or {"variants": [{"past": []}]}
        steps += [point["step"] for point in seen["variants"][0]["past"]]
    live.close()
    live.thread.join()
    assert steps == [mark for mark in moons[0][0].marks if mark]


def test_each_point_of_the_history_is_shown_once() -> None:
    look, board = Look(MOONS), MOONS
    trainings = trained(board, 0)
    steps: list[int] = []
    with torch.no_grad():
        for stop in (1, 7, 40, 90):
            for training in trainings:
                while not training.done and training.t < stop:
                    training.segment = stop - training.t
                    training.advance()
            steps += [point["step"] for point in look(trainings)["variants"][0]["past"]]
    assert steps == [mark for mark in trainings[0].marks if mark]


def test_looking_again_changes_nothing() -> None:
    board = Board(Trial(layers=("conv 3 3x3", "batchnorm", "maxpool 2", 8), dropout=0.2, batch_size=20, steps=30))
    plain, looked_at = trained(board), trained(board, 0)
    with torch.no_grad():
        look = Look(board)
        for training in looked_at:
            while not training.done:
                training.segment = 1
                training.advance()
                look(looked_at)
    for one, other in zip(plain, looked_at, strict=True):
        for name, value in one.outcome().weights.items():
            assert np.array_equal(value, other.outcome().weights[name]), name


def test_images_have_filters_and_feature_maps() -> None:
    board = Board(Trial(layers=("conv 3 3x3", "maxpool 2", 8), batch_size=20, steps=6), [{"layers": [7]}], seeds=1)
    trainings = trained(board)
    conv, dense = looked(board, trainings)["variants"]
    assert [one["name"] for one in conv["maps"]] == ["relu 1", "maxpool 1"]
    assert (conv["maps"][0]["width"] + 1) % 7 == 0  # maps of 6x6 side by side, a gap between
    assert dense["maps"] == []
    cells = unpacked(dense["picture"]["cells"]).reshape(dense["picture"]["height"], -1)
    weights = next(one for one in trainings if one.trials[0].layers == (7,)).stack.network.layers[0].weight.value[0].numpy()
    tile = (cells[:8, :8].astype(float) - 127) / 127 * dense["picture"]["reach"]
    np.testing.assert_allclose(tile.ravel(), weights[0], atol=dense["picture"]["reach"] / 127)


def test_samples_lie_where_the_plane_is_drawn() -> None:
    data = load(Trial(data="moons").data)
    for x, y, label, held in points(data):
        assert 0 <= x <= 1 and 0 <= y <= 1 and label in (0, 1) and held in (0, 1)
    assert points(load(Trial().data)) == []


def test_a_signed_picture_has_its_zero_in_the_middle() -> None:
    made = signed(np.array([[-2.0, 0.0, 1.0, np.nan]]))
    assert unpacked(made["cells"]).tolist() == [0, 127, 190, 255]
    assert made["reach"] == 2
    assert unpacked(signed(np.zeros((1, 2)))["cells"]).tolist() == [127, 127]
