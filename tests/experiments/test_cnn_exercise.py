"""The exercises on images: what they compare is of one size, counted from the networks themselves."""

from __future__ import annotations

import doctest

import pytest
import torch

from koubai.experiments import images
from koubai.experiments.images import cnn, rivals
from koubai.networks import build
from koubai.spec import Trial


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


def test_the_exercise_trains_every_network_with_every_seed() -> None:
    study = cnn().runs
    assert list(study.variants()) == ["layers=simple-cnn", "layers=deep-cnn", "layers=185", "layers=125-125"]
    assert len(study.trials) == 4 * images.SEEDS
    other = cnn("fashion-mnist", (28, 28), 10).runs
    assert list(other.variants())[2:] == ["layers=546", "layers=614-614"] and other.base.data.name == "fashion-mnist"


def test_the_example_in_the_docstring_runs() -> None:
    assert doctest.testmod(images).failed == 0
