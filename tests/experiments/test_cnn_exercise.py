"""The exercises on images: what they compare is of one size, counted from the networks themselves; other data, and data that are none."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from koubai.blueprint import PRESETS
from koubai.experiments import images
from koubai.experiments.catalogue import EXERCISES
from koubai.experiments.claims.images import AS_MANY_OPERATIONS, AS_MANY_PARAMETERS
from koubai.experiments.conduct import Unsuited, adapt, conduct, judge_all, suited
from koubai.experiments.images import SMALL_ALEXNET, rivals
from koubai.experiments.judging import chooser
from koubai.language import UserError
from koubai.measures import MEASURES
from koubai.networks import build
from koubai.places import complete
from koubai.spec import Trial
from koubai.store import Record, Store
from koubai.study import Study


@pytest.mark.parametrize(("shape", "classes"), [((8, 8), 10), ((28, 28), 10), ((3, 32, 32), 100)])
def test_rivals_have_as_many_parameters_and_as_many_products(shape: tuple[int, ...], classes: int) -> None:
    def counts(layers: str | list[int]) -> tuple[int, int]:
        network = build([Trial(layers=layers)], shape, classes, torch.device("cpu"))
        # every output of a conv or dense layer is a sum of fan_in products
        return network.weights.numel(), sum(getattr(layer, "fan_in", 0) * layer.features for layer in network.layers)

    parameters, products = counts("simple-cnn")
    one, two = rivals("simple-cnn", shape, classes)
    assert counts(one)[0] == pytest.approx(parameters, rel=0.01)
    assert counts(two)[1] == pytest.approx(products, rel=0.01)


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Colour images of 10x12 of two classes, in a file."""
    draw = np.random.default_rng(0)
    x, y = draw.random((60, 3, 10, 12), dtype=np.float32), np.arange(60) % 2
    x[y == 1, 0] += 1
    np.savez(tmp_path / "pictures.npz", x=x, y=y)
    return str(tmp_path / "pictures.npz")


def studied(name: str, **changes: object) -> Study:
    runs = adapt(EXERCISES[name], **changes).runs  # type: ignore[arg-type]
    assert isinstance(runs, Study)
    return runs


def test_the_exercise_trains_every_network_with_ten_seeds(pictures: str) -> None:
    study = studied("cnn")
    assert list(study.variants()) == ["layers=simple-cnn", "layers=deep-cnn", "layers=185", "layers=125-125"]
    assert len(study.trials) == 4 * 10


def test_on_other_images_the_rivals_are_of_another_size(pictures: str) -> None:
    study = studied("cnn", data=pictures, seeds=1, steps=7)
    one, two = rivals("simple-cnn", (3, 10, 12), 2)
    assert [trial.layers for trial in study] == [PRESETS["simple-cnn"], PRESETS["deep-cnn"], tuple(one), tuple(two)]
    assert {(trial.data.name, trial.steps, trial.seed) for trial in study} == {(pictures, 7, 0)}
    assert [chooser(AS_MANY_PARAMETERS)(trial) for trial in study] == [False, False, True, False]
    assert [chooser(AS_MANY_OPERATIONS)(trial) for trial in study] == [False, False, False, True]


def test_claims_are_judged_on_other_images_too(pictures: str, tmp_path: Path) -> None:
    small = adapt(EXERCISES["cnn"], data=pictures, seeds=2, steps=3)
    study = small.runs.with_base(batch_size=20)  # type: ignore[union-attr]
    from dataclasses import replace

    outcomes = conduct([replace(small, runs=study)], store=Store(tmp_path / "store"), device="cpu", progress=False)
    judged = {one.claim.name: one.verdict for one in judge_all(outcomes)}
    assert judged.keys() == {"cnn-learns", "cnn-beats-dense", "convolution-costs", "im2col-no-inverse"}
    assert judged["im2col-no-inverse"] == judged["convolution-costs"] == "supported"  # neither depends on the training


@pytest.mark.parametrize("name", ["cnn", "alexnet"])
def test_data_that_are_no_images_are_refused_by_name_and_left_out_among_all(name: str) -> None:
    with pytest.raises(Unsuited, match=rf"{name} does not go with moons.* needs images") as error:
        adapt(EXERCISES[name], data="moons")
    kept, left = suited([EXERCISES["vanishing-gradient"], EXERCISES[name]], data="moons")
    assert [one.name for one in kept] == ["vanishing-gradient"]
    assert left == [error.value.words] and name in left[0].ja
    with pytest.raises(UserError, match="no data set"):
        suited([EXERCISES[name]], data="mons")


def test_too_small_images_are_refused_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "tiny.npz", x=np.zeros((400, 4, 4)), y=np.arange(400) % 2)
    for name in ("cnn", "alexnet"):
        with pytest.raises(Unsuited):
            adapt(EXERCISES[name], data=str(tmp_path / "tiny.npz"))


def test_the_small_alexnet_has_eight_layers_and_dropout_on_its_dense_ones_alone() -> None:
    parts = complete(Trial(layers=SMALL_ALEXNET, dropout=0.5), 10)
    assert [part.name for part in parts if part.name in ("conv", "dense")] == ["conv"] * 5 + ["dense"] * 3
    assert [part.own for part in parts if part.name == "dropout"] == [False] * 5 + [True] * 2
    assert all(part.rate == 0 for part in parts if part.name == "dropout")


def made_up(layers: object, seed: int = 0) -> Record:
    none = np.zeros(0)
    return Record(Trial(layers=layers, seed=seed), (), (), none, none, 0, {}, {}, Path(), 0)


def test_the_share_of_convolution_by_hand() -> None:
    """2 filters of 3x3 at 6x6 places, then 72 values to 5 units and those to 10."""
    conv, dense = 2 * 9 * 36, 72 * 5 + 5 * 10
    found = MEASURES["convolution share"].function([made_up(["conv 2 3x3", 5])])
    assert found == pytest.approx(conv / (conv + dense))


def test_im2col_there_and_back_by_hand() -> None:
    """Windows of 3x3 at 6x6 places hold a pixel 1 to 9 times: it comes back that many times."""
    from sklearn.datasets import load_digits

    from koubai.data import load

    image = load(Trial().data).x_train[3].reshape(8, 8).astype(float)
    assert any(np.allclose(image, one / 16) for one in load_digits().images)
    once = np.array([1, 2, 3, 3, 3, 3, 2, 1])
    expected = np.linalg.norm(image * (np.outer(once, once) - 1)) / np.linalg.norm(image)
    run = made_up(["conv 2 3x3", 5], seed=3)
    assert MEASURES["im2col error"].function([run]) == pytest.approx(expected)
    assert MEASURES["im2col error, divided"].function([run]) < 1e-15
    apart = made_up(["conv 2 2x2 stride 2", 5])  # windows that do not overlap
    assert MEASURES["im2col error"].function([apart]) == 0


def test_the_example_in_the_docstring_runs() -> None:
    assert doctest.testmod(images).failed == 0


def test_running_all_on_data_that_are_no_images_says_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from koubai.cli import app
    from koubai.experiments import conduct as conducting

    monkeypatch.setattr(conducting, "EXERCISES", {name: EXERCISES[name] for name in ("saddle", "cnn")})
    app(["run", "--data", "moons", "--quick", "--out", str(tmp_path)], standalone_mode=False)
    out, err = capsys.readouterr()
    assert "cnn does not go with moons" in err and err.count("\n") == 1
    assert "saddle.html" in out
    with pytest.raises(SystemExit) as left:
        app(["run", "cnn", "--data", "moons", "--quick", "--out", str(tmp_path)])
    assert left.value.code == 2
    assert "cnn does not go with moons" in capsys.readouterr().err


def test_the_example_on_fashion_mnist_trains_the_notes_deep_cnn() -> None:
    example = Path(__file__).parents[2] / "examples" / "fashion-mnist.toml"
    (trial,) = Study.from_toml(example.read_text(encoding="utf-8")).trials
    assert trial.layers == PRESETS["deep-cnn"] and (trial.data.name, trial.steps) == ("fashion-mnist", 10 * 60_000 // 100)
