"""Predicting a quantity, end to end: what decides the task, the loss against PyTorch's, R² and RMSE against scikit-learn's, the words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, root_mean_squared_error
from torch.nn import functional as F

import koubai as kb
from koubai.data import Dataset, load
from koubai.data.found import encode, is_quantity
from koubai.language import UserError, speaking
from koubai.networks import build
from koubai.networks.layers import Mode
from koubai.networks.unstack import module
from koubai.report import summary
from koubai.report.page import render
from koubai.result import Result
from koubai.spec import Data, Trial
from koubai.store import Store
from koubai.training import train
from koubai.web.runs import best

BODY = {"name": "diabetes", "standardize": True}


@pytest.fixture(scope="module")
def patients() -> Dataset:
    return load(Data(**BODY))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two variants over two seeds, and one that diverges."""
    base = Trial(data=BODY, layers=[12], learning_rate=0.02, batch_size=50, steps=400)
    study = kb.Study(base, name="sugar", axes={"learning_rate": [0.02, 0.05, 1e30], "seed": 2})
    return kb.run(study, store=tmp_path_factory.mktemp("store"), device="cpu", progress=False)


@pytest.mark.parametrize(
    ("labels", "quantity"),
    [
        ([0.5, 1, 2], True), ([0.0, 1, 1, 0], False), ([*map(float, range(21))], True), ([*map(float, range(20))], False),
        ([k % 50 for k in range(500)], False), ([*map(float, range(50))] * 10, False), ([*map(float, range(50))] * 9, True),
        (["a", "b"], False), (range(1000), False), (range(1001), True), ([True, False], False),
    ],
)  # fmt: skip
def test_what_the_target_itself_decides(labels: Any, quantity: bool) -> None:
    assert is_quantity(np.array(list(labels))) == quantity


def test_who_asks_for_a_task_gets_it_or_a_sentence() -> None:
    y, _, classes = encode(Path("x"), np.array([3, 1, 2]), task="regression")
    assert y.tolist() == [3, 1, 2] and y.dtype == np.float64 and classes == ()
    y, _, classes = encode(Path("x"), np.arange(21.0), task="classification")
    assert classes == tuple(map(str, range(21))) and y.dtype == np.int64
    with pytest.raises(UserError, match='take task = "regression"'):
        encode(Path("x"), np.array([0.5, 1]), task="classification")
    with pytest.raises(UserError, match="needs a target of numbers, and 'red' is a class"):
        encode(Path("x"), np.array(["red"]), task="regression")
    with pytest.raises(UserError, match="'0' is a class"):
        load(Data(name="digits", task="regression"))
    with pytest.raises(UserError, match="a quantity"):
        load(Data(name="diabetes", task="classification"))
    assert "task" not in Data(name="digits").model_dump() and load(Data(name="digits", task="classification")).classes


def test_targets_are_standardized_on_the_training_samples(patients: Dataset) -> None:
    from sklearn.datasets import load_diabetes

    _, y = load_diabetes(return_X_y=True)
    assert patients.target is not None and patients.outputs == 1 and patients.classes == ()
    mean, scale = patients.target
    whole = np.concatenate([patients.y_train, patients.y_validation]) * scale + mean
    np.testing.assert_allclose(sorted(whole), sorted(y), rtol=1e-5)
    assert patients.y_train.dtype == np.float32 and len(patients.y_train) == 353
    np.testing.assert_allclose([patients.y_train.mean(), patients.y_train.std()], [0, 1], atol=1e-6)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 2**31))
def test_the_loss_and_its_gradients_are_pytorchs(trials: int, samples: int, seed: int) -> None:
    drawn = torch.Generator().manual_seed(seed)
    network = build([Trial(layers=[5], seed=k, dtype="float64") for k in range(trials)], 3, 1, torch.device("cpu"))
    x = torch.randn(3, samples, generator=drawn, dtype=torch.float64)
    y = torch.randn(trials, 1, samples, generator=drawn, dtype=torch.float64)
    buffers = network.allocate(samples)
    outputs = network.forward(buffers, x[None], Mode.TRAIN).clone()
    losses = network.loss(buffers, y)
    torch.testing.assert_close(losses, torch.stack([F.mse_loss(o, t) for o, t in zip(outputs, y, strict=True)]))
    torch.testing.assert_close(buffers.each, (outputs - y) ** 2)
    network.backward(buffers, y)
    for row in range(trials):
        leaves = [
            parameter.value[row].clone().requires_grad_() for parameter in sorted(network.parameters, key=lambda p: not p.decays)
        ]
        first, second, b, c = leaves
        F.mse_loss(second @ (first @ x + b).relu() + c, y[row]).backward()
        for leaf, parameter in zip(leaves, network.parameters, strict=True):
            torch.testing.assert_close(parameter.gradient[row], leaf.grad)


def test_a_line_learns_what_least_squares_gives(patients: Dataset, cpu: torch.device) -> None:
    trial = Trial(data=BODY, layers=[], learning_rate=0.05, batch_size=353, steps=4000, dtype="float64")
    outcome = train([trial], patients, cpu)
    line = LinearRegression().fit(patients.x_train, patients.y_train)
    said = line.predict(patients.x_validation)
    assert patients.target is not None
    assert outcome.history["validation_accuracy"][0, -1] == pytest.approx(r2_score(patients.y_validation, said), abs=0.003)
    want = root_mean_squared_error(patients.y_validation, said) * patients.target[1]
    assert outcome.history["validation_rmse"][0, -1] == pytest.approx(want, rel=0.003)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_what_a_history_says_is_scikit_learns(part: str, result: Result, patients: Dataset) -> None:
    record = result.records[0]
    x, y = getattr(patients, f"x_{part}"), getattr(patients, f"y_{part}")
    with torch.no_grad():
        said = module(record.trial, record.weights())(torch.from_numpy(x))[:, 0].numpy()
    assert patients.target is not None
    assert record.final(f"{part}_accuracy") == pytest.approx(r2_score(y, said), abs=1e-5)
    assert record.final(f"{part}_rmse") == pytest.approx(root_mean_squared_error(y, said) * patients.target[1], rel=1e-5)
    assert record.final("validation_accuracy") > 0.2


def test_intervals_end_where_their_measure_does(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Student's interval of two seeds far apart does not by itself."""
    monkeypatch.setattr(summary, "interval", lambda values: (-9.0, 9.0))
    row = summary.summarize(result.records[:2])
    assert (row["rmse_low"], row["rmse_high"]) == (0, 9)
    assert (row["validation_accuracy_low"], row["validation_accuracy_high"]) == (-9, 1), "R² has no lowest"
    assert (row["attenuation_low"], row["attenuation_high"]) == (-9, 9)


def test_tables_and_pages_speak_of_r2(result: Result) -> None:
    shown = repr(result)
    assert "validation R²" in shown and "validation RMSE" in shown and "accuracy" not in shown
    assert "%" not in shown.partition("\n\n")[0]
    row = result.table[0]
    assert row["rmse"] == pytest.approx(np.mean([r.final("validation_rmse") for r in result.records[:2]]))
    lost = result.table[2]
    assert lost["validation_accuracy"] == 0 and lost["diverged"] == 2, "a training that diverged counts as guessing: the mean"
    with speaking("ja"):
        assert "検証R²" in repr(result) and "精度" not in repr(result)
    assert not {"confusion", "mistakes", "feature-maps"} & set(result.figures()) and {"accuracy", "loss"} <= set(result.figures())
    for name in result.figures():
        drawn = json.dumps(result.figure(name).to_plotly_json(), default=str)
        assert "accuracy" not in drawn.lower(), name
    page = render(result.page())
    assert "Validation R²" in page and "検証R²の推移" in page and "検証精度" not in page.replace("検証精度または", "")
    assert result.best().record.trial.learning_rate < 1


def test_the_figure_shows_predictions_beside_what_is_true(result: Result, patients: Dataset) -> None:
    best, drawn = result.best().record, result.figure("predicted").data[1]
    true, said = np.array(drawn.x, dtype=float), np.array(drawn.y, dtype=float)
    assert root_mean_squared_error(true, said) == pytest.approx(best.final("validation_rmse"), rel=0.01)
    assert patients.target is not None
    np.testing.assert_allclose(true, patients.y_validation * patients.target[1] + patients.target[0], rtol=1e-3)


def test_beside_classes_both_are_named(result: Result, tmp_path: Path) -> None:
    from koubai.report.summary import as_text, summarize

    other = kb.run(Trial(data="moons", layers=[4], steps=60), store=tmp_path, progress=False)
    rows = [{"variant": "a", **summarize(result.records[:2])}, {"variant": "b", **summarize(other.records)}]
    text = as_text(rows)
    assert "validation accuracy or R²" in text and "%" in text.splitlines()[2] and "%" not in text.splitlines()[1]


def test_a_trained_network_predicts_in_the_unit_of_the_target(result: Result, patients: Dataset, tmp_path: Path) -> None:
    best = result.best()
    from koubai.data.dataset import read

    np.savez(tmp_path / "new.npz", x=read(Data(name="diabetes")).x)
    made = best.predict(tmp_path / "new.npz")
    y = read(Data(name="diabetes")).y
    assert made.values is not None and len(made.values) == 442 and made.chosen == []
    assert 0.35 < r2_score(y, made.values) < 0.75


TOML = """[base]
data = { name = "houses.csv", standardize = true, missing = "mean" }
layers = [16]
learning_rate = 0.05
steps = 400
batch_size = 30
"""


def houses(path: Path) -> None:
    draw = np.random.default_rng(0)
    rooms, area = draw.integers(1, 7, 150), draw.uniform(20, 180, 150)
    town = draw.integers(0, 2, 150)
    price = 1000 * (area * 2.5 + rooms * 10 + town * 60 + draw.normal(0, 10, 150))
    lines = [f"{r},{a:.1f},{('Osaka', 'Tokyo')[t]},{p:.0f}" for r, a, t, p in zip(rooms, area, town, price, strict=True)]
    path.write_text("\n".join(["rooms,area,town,price", *lines]))


def test_from_a_table_to_a_prediction_on_the_command_line(command: Callable[..., Any], tmp_path: Path) -> None:
    houses(tmp_path / "houses.csv")
    (tmp_path / "houses.toml").write_text(TOML)
    looked = command("data", "houses.csv")
    assert looked.code == 0 and "regression: the target is a quantity" in looked.out and "standard deviation" in looked.out
    assert "回帰" in command("data", "houses.csv", "--lang", "ja").out
    assert "21 classes" not in looked.out and "class " not in looked.out
    studied = command("study", "houses.toml")
    assert studied.code == 0 and "validation RMSE" in studied.out, studied.err
    assert "R²" in command("runs", "houses").out
    (row,) = (line for line in command("runs").out.splitlines() if line.startswith("houses"))
    assert "%" not in row and " 0.9" in row and best(Store("koubai-out/store").studies()[0]).startswith("0.9")
    shown = command("predict", "houses", "best", "houses.csv")
    assert shown.code == 0 and "value" in shown.out, shown.err
    values = np.array([row["value"] for row in json.loads(command("predict", "houses", "best", "houses.csv", "--json").out)])
    truth = np.loadtxt(tmp_path / "houses.csv", delimiter=",", skiprows=1, usecols=3)
    assert r2_score(truth, values) > 0.9
    taken = command("export", "houses", "best", "--to", "net")
    assert taken.code == 0 and "validation R² 0.9" in taken.out
    assert "target(network(x))" in (tmp_path / "net" / "README.md").read_text(encoding="utf-8")
    refused = command("run", "vanishing-gradient", "--data", "houses.csv")
    assert refused.code == 2 and "about classes" in refused.err
    assert "150 classes" in command("data", "houses.csv", "--task", "classification").out, (
        "prices in whole yen, if one asks for it"
    )
