"""The notes' exercises on images: convolutional networks beside dense ones of their size.

Not in the catalogue yet: the sizes of the dense rivals follow from the images, so ``cnn`` makes the exercise for any shape.
Importing this does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from koubai.blueprint import places
from koubai.experiments.catalogue import Exercise
from koubai.language import Words
from koubai.spec import Trial
from koubai.study import Study

SEEDS = 5
STEPS = 1000


def cnn(data: str = "digits", shape: Sequence[int] = (8, 8), classes: int = 10) -> Exercise:
    """The simple and the deep CNN, and dense networks with as many parameters and as many multiply-adds as the simple one."""
    layers = ["simple-cnn", "deep-cnn", *rivals("simple-cnn", shape, classes)]
    study = Study(
        {"data": data, "optimizer": "adam", "learning_rate": 0.001, "steps": STEPS},
        name="cnn",
        axes={"layers": layers, "seed": SEEDS},
    )
    return Exercise(
        "cnn",
        Words("Convolutional networks", "畳み込みニューラルネットワーク"),
        Words(
            "A simple and a deep CNN beside dense networks with as many parameters and as many operations: does convolution help?",
            "単純なCNNと深いCNNを、パラメータ数の等しい全結合・演算数の等しい全結合と比べる。畳み込みは役に立つか。",
        ),
        study,
        ("accuracy", "loss", "gradient-flow", "activations"),
    )


def rivals(layers: str, shape: Sequence[int], classes: int) -> tuple[list[int], list[int]]:
    """The widths of two dense networks the size of a network of images.

    One hidden layer with as many parameters, and two equal ones with as many multiplications a sample.

    >>> rivals("simple-cnn", (8, 8), 10)
    ([185], [125, 125])
    """
    found = places(Trial(layers=layers), shape, classes)
    features = math.prod(shape)
    parameters, products = (sum(getattr(place, name) for place in found) for name in ("parameters", "products"))
    one = (parameters - classes) / (features + 1 + classes)  # features w + w + w classes + classes parameters
    b = (features + classes) / 2
    two = math.sqrt(b * b + products) - b  # features w + w^2 + w classes products
    return [max(1, round(one))], [max(1, round(two))] * 2
