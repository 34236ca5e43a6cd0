"""The networks of the notes' exercises on images: convolutional ones, and dense rivals of their size.

Importing this does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from koubai.places import places
from koubai.spec import Trial

# AlexNet's eight layers for images from 8x8 on. The dropout of 0 behind each convolution keeps the trial's own to the dense layers.
SMALL_ALEXNET: tuple[int | str, ...] = (
    "conv 8 3x3 pad 1", "dropout 0", "maxpool 2", "conv 16 3x3 pad 1", "dropout 0", "maxpool 2",
    "conv 32 3x3 pad 1", "dropout 0", "conv 32 3x3 pad 1", "dropout 0", "conv 32 3x3 pad 1", "dropout 0", "maxpool 2",
    256, 256,
)  # fmt: skip


def networks(shape: Sequence[int], classes: int) -> list[Any]:
    """The layers that the exercise ``cnn`` compares on images of ``shape``. Raises ``UserError`` where they do not fit."""
    return ["simple-cnn", "deep-cnn", *rivals("simple-cnn", shape, classes)]


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
