"""Data sets as a line of text: to make a small one takes a worker longer than to be told of it, since scikit-learn makes them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from safetensors.numpy import load, save

from koubai.data import Dataset
from koubai.data.builtin import BUILTIN
from koubai.spec import Data

ARRAYS = ("x_train", "y_train", "x_validation", "y_validation")


def packed(data: Dataset) -> dict[str, Any] | None:
    """A data set in what JSON can hold; ``None`` for a file's, which a worker reads itself, and for one with a fitted transform."""
    if data.spec.name not in BUILTIN or data.spec.standardize:
        return None
    arrays = save({name: getattr(data, name) for name in ARRAYS})
    return {"arrays": b64encode(arrays).decode(), "classes": data.classes, "shape": data.shape, "target": data.target}


def unpacked(spec: Data, parcel: Mapping[str, Any]) -> Dataset:
    """The data set that was ``packed``."""
    x_train, y_train, x_validation, y_validation = map(load(b64decode(parcel["arrays"])).__getitem__, ARRAYS)
    classes, shape, target = tuple(parcel["classes"]), tuple(parcel["shape"]), parcel["target"] and tuple(parcel["target"])
    return Dataset(spec, x_train, y_train, x_validation, y_validation, classes, shape, target=target)
