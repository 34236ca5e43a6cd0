"""A look at a stack, as each point of the history takes one: loss and accuracy on both parts of the data, and the ledger."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from koubai.data.dataset import AT_THE_END, ON_THE_WAY
from koubai.training.ledger import Snapshot, snapshot, weights_of
from koubai.training.program import Run, noted
from koubai.training.stack import Stack


class Look:
    """What is read of a stack, and how.

    A look at small networks is some two hundred operations, as many as seven steps are. Where ``many`` are to come, the second one that
    is like the first is noted, and the others are its program, which waits for no other thread's Python.
    """

    def __init__(self, stack: Stack, many: bool) -> None:
        self.stack, self.notes = stack, many and stack.program.notes
        self.before = [torch.full_like(weight, torch.nan) for weight in weights_of(stack)]  # a last step, to measure its size
        probe = slice(stack.trials[0].batch_size)
        self.probe = stack.tensor(stack.x[probe]), stack.y[probe]
        data = stack.data
        self.parts = {
            "train": (stack.x, stack.y),
            "validation": (stack.laid(data.x_validation), stack.answers(data.y_validation)),
        }
        self.shapes: dict[str, torch.Size] = {}  # of what a look finds that is like the others
        self.run: Run | None = None

    def remember(self) -> None:
        """Keep the weights as they are before a last step."""
        for old, weight in zip(self.before, weights_of(self.stack), strict=True):
            old.copy_(weight)

    def take(self, histograms: bool = False, end: bool = False) -> dict[str, np.ndarray]:
        """Look: what ``ledger.snapshot`` gives, and the losses and accuracies; with ``histograms``, on more samples at the ``end``."""
        if histograms or end or not self.notes or not self.shapes:
            found = self._read(histograms, end)
            if not (histograms or end):
                self.shapes = {name: value.shape for name, value in found.items()}
            return {name: value.cpu().numpy() for name, value in found.items()}
        sizes = [shape.numel() for shape in self.shapes.values()]
        row = torch.empty(sum(sizes), dtype=torch.float64)
        if self.run:
            self.run([row[None]])
        else:
            self.run = noted(self._write, [row])
            self.notes = self.run is not None
        return {name: part.view(shape).numpy() for (name, shape), part in zip(self.shapes.items(), row.split(sizes), strict=True)}

    def _write(self, row: Tensor) -> None:
        """A look like the others, written into one row."""
        torch.cat([value.flatten() for value in self._read(False, False).values()], out=row)

    def _read(self, histograms: bool, end: bool) -> Snapshot:
        stack, found = self.stack, {}
        for part, (x, y) in self.parts.items():
            few = slice(AT_THE_END[part] if end else ON_THE_WAY)
            found[f"{part}_loss"], found[f"{part}_accuracy"] = stack.evaluate(x[few], y[few])
        return found | snapshot(stack, *self.probe, self.before, histograms)

    def subset(self, stack: Stack, rows: list[int]) -> Look:
        """The look at the stack of some of the trials."""
        look = Look(stack, self.notes)
        look.before = [old[rows] for old in self.before]
        return look
