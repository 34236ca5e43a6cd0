"""What a watch has recorded, and the case that the doctor makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from koubai.doctor import Case
from koubai.doctor.origin import Origin
from koubai.training.loop import DRAWN
from koubai.watching.look import Look, Numbers

OF_WEIGHTS = ("weight_gradient", "weight", "update", "apart")
OF_ACTIVATIONS = ("mean", "std", "saturated", "dead", "zeros", *DRAWN)


class History:
    """Points of a training, and what was told of its losses."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.kinds: dict[str, str] = {}  # of the layers, from the input to the output
        self.numbers: list[Numbers] = []
        self.losses: list[dict[str, float]] = []
        self.validated: list[tuple[int, Tensor | float | None, Tensor | float | None]] = []
        self._told: dict[str, tuple[Any, int]] = {}  # sum and count since the last point

    @property
    def order(self) -> list[str]:
        """The layers from the input to the output."""
        return list(self.kinds)

    def tell(self, name: str, value: Tensor | float) -> None:
        """Note the ``"loss"`` or the ``"accuracy"`` of a minibatch."""
        total, count = self._told.get(name, (0.0, 0))
        self._told[name] = total + value, count + 1

    def forget(self) -> None:
        """Forget what was told since the last point."""
        self._told = {}

    def add(self, step: int, look: Look) -> None:
        """Add a point: what a look saw, and the mean of what was told since the last."""
        found = look.finish()
        if not found:
            return
        self.steps.append(step)
        self.numbers.append(found)
        for layer, kind in look.kinds.items():
            self.kinds.setdefault(layer, kind)
        self.losses.append({name: float(total) / count for name, (total, count) in self._told.items()})
        self._told = {}

    def case(self, budget: int, origin: Origin | None) -> Case:
        """The training so far, as the doctor looks at it.

        An activation behind the last weights is the model's answer, which may well saturate, and counts as none.
        """
        seen = self._layers()
        kinds = dict(seen)
        last = max((k for k, kind in enumerate(kinds.values()) if kind == "weights"), default=-1)
        for layer in list(kinds)[last + 1 :]:
            kinds[layer] = "flatten" if kinds[layer] == "activation" else kinds[layer]
        layers = list(kinds)
        weighted = [layer for layer in layers if kinds[layer] == "weights"]
        activations = [layer for layer in layers if kinds[layer] == "activation"]
        history = {
            name: self._array(name, of)
            for of, names in ((layers, ("gradient", "factor")), (weighted, OF_WEIGHTS), (activations, OF_ACTIVATIONS))
            for name in names
            if any(found.keys() & of for found in (numbers.get(name, {}) for numbers in self.numbers))
        }
        steps = np.array(self.steps)
        return Case(
            tuple(layers), tuple(kinds.values()), steps, history | self._curves(steps), budget, origin.step if origin else 0,
            np.array([step for step, numbers in zip(self.steps, self.numbers, strict=True) if "histogram" in numbers]), origin=origin,
        )  # fmt: skip

    def _layers(self) -> dict[str, str]:
        """The layers that a gradient ever came to; where modules were not called as such, those with weights."""
        reached = {layer for numbers in self.numbers for layer in numbers.get("gradient", {})}
        return {layer: kind for layer, kind in self.kinds.items() if not reached or layer in reached}

    def _array(self, name: str, layers: list[str]) -> np.ndarray:
        """One curve, ``[point, layer, ...]``, NaN where a layer took no part."""
        shape = next(np.shape(value) for numbers in self.numbers for value in numbers.get(name, {}).values())
        points = [numbers for numbers in self.numbers if name in numbers or name not in DRAWN]
        array = np.full((len(points), len(layers), *shape), np.nan)
        for point, numbers in enumerate(points):
            for k, layer in enumerate(layers):
                array[point, k] = numbers.get(name, {}).get(layer, np.nan)
        return array

    def _curves(self, steps: np.ndarray) -> dict[str, np.ndarray]:
        names = {"loss": "loss", "train_loss": "loss", "train_accuracy": "accuracy"}
        found = {
            name: np.array([one.get(told, np.nan) for one in self.losses])
            for name, told in names.items()
            if any(told in one for one in self.losses)
        }
        for column, name in ((1, "validation_loss"), (2, "validation_accuracy")):
            told = [(one[0], float(one[column])) for one in self.validated if one[column] is not None]  # type: ignore[arg-type]
            if told:
                at, values = np.array(told).T
                found[name] = np.interp(steps, at, values, left=np.nan)
                found[name][-1] = values[-1] if steps[-1] < at[0] else found[name][-1]
        return found


def only(case: Case, kept: np.ndarray) -> Case:
    """The case of some of the layers, ``kept`` ``[layer]``."""
    kinds = np.array(case.kinds)
    of = {name: kept[kinds == "weights"] for name in OF_WEIGHTS} | {name: kept[kinds == "activation"] for name in OF_ACTIVATIONS}
    of |= {"gradient": kept, "factor": kept}
    history = {
        name: curve[:, of[name]] if name in of else curve
        for name, curve in case.history.items()
        if name not in of or of[name].any()
    }
    there = np.flatnonzero(kept)
    return replace(case, layers=tuple(case.layers[k] for k in there), kinds=tuple(case.kinds[k] for k in there), history=history)
