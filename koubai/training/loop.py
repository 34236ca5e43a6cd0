"""The training of one stack from its first step to its last, with its history."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from koubai.data import Dataset
from koubai.spec import Trial
from koubai.training.ledger import snapshot, weight_copies
from koubai.training.stack import Stack

RECORDS = 32  # points of a history, fewer in short trainings, so that recording stays cheap
HISTOGRAMS = 5  # of them with histograms
SAMPLES = 256  # of training and of validation data that a point on the way is measured on
LAST = 10_000  # of each that the last point is measured on
SEGMENT = 128  # steps prepared at once

Progress = Callable[[int, int], None]  # (trials in training, steps done by each since the last call)


@dataclass
class Outcome:
    """What a stack's training gave. Every array has the trials first.

    ``steps`` are the history's points; ``histogram_steps`` those with histograms. ``diverged`` is the step at which a trial's loss stopped
    being a number, 0 where it never did; its history is NaN from there on, and so are its weights. ``history`` and ``weights``
    (named as in the ``state_dict`` of the plain module) are described in ``ledger.snapshot`` and ``train``.
    """

    trials: list[Trial]
    layers: list[str]
    kinds: list[str]
    steps: np.ndarray
    histogram_steps: np.ndarray
    diverged: np.ndarray
    history: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


def points(steps: int) -> list[int]:
    """The steps at which a history is taken: 0, the last, and between them half log-spaced, half evenly spaced."""
    count = min(RECORDS, max(6, steps // 60))
    early = np.geomspace(1, steps, count // 2)
    even = np.linspace(0, steps, count - count // 2 + 1)
    return sorted({round(step) for step in (*early, *even)})


@torch.no_grad()
def train(trials: Sequence[Trial], data: Dataset, device: torch.device, progress: Progress = lambda *_: None) -> Outcome:
    """Train one stack.

    Beside the ledger's, the history has ``loss`` (mean of the minibatch losses since the last point), ``train_loss``,
    ``train_accuracy``, ``validation_loss`` and ``validation_accuracy``, each ``[trial, point]``. Diverged trials leave the stack.
    """
    stack = Stack(trials, data, device)
    steps = trials[0].steps
    marks = points(steps)
    histogram_marks = {marks[i] for i in np.linspace(0, len(marks) - 1, HISTOGRAMS).round().astype(int)}
    probe = slice(0, min(trials[0].batch_size, len(stack.x)))
    held_out = torch.from_numpy(data.x_validation).to(device, stack.network.dtype), torch.from_numpy(data.y_validation).to(device)
    history: dict[str, np.ndarray] = {}
    diverged = np.zeros(len(trials), dtype=np.int64)
    rows = np.arange(len(trials))  # where the stack's trials stand among all
    taken = {"point": 0, "histogram": 0}

    def record(name: str, point: int, count: int, value: np.ndarray) -> None:
        if name not in history:
            dtype = np.float64 if name.endswith(("gradient", "loss")) else np.float32
            history[name] = np.full((len(trials), count, *value.shape[1:]), np.nan, dtype=dtype)
        with np.errstate(over="ignore"):  # a float64 trial on its way to diverging may leave float32's range first
            history[name][rows, point] = value

    def take(loss: np.ndarray, before: list[torch.Tensor] | None) -> None:
        last, drawn = stack.t == steps, stack.t in histogram_marks
        point = taken["point"]
        record("loss", point, len(marks), loss)
        for part, (x, y) in {"train": (stack.x, stack.y), "validation": held_out}.items():
            few = slice(LAST if last else SAMPLES)
            for name, value in zip(("loss", "accuracy"), stack.evaluate(x[few], y[few]), strict=True):
                record(f"{part}_{name}", point, len(marks), value.cpu().numpy())
        for name, found in snapshot(stack, stack.x[probe], stack.y[probe], before, drawn).items():
            if name in ("histogram", "low", "high"):
                record(name, taken["histogram"], len(histogram_marks), found)
            else:
                record(name, point, len(marks), found)
        taken["point"] += 1
        taken["histogram"] += drawn

    take(np.full(len(trials), np.nan), None)
    for start, stop in itertools.pairwise(marks):
        total = torch.zeros(len(rows), dtype=torch.float64, device=device)
        before = None
        while stack.t < stop:
            count = min(SEGMENT, stop - stack.t)
            if count == 1:
                before = weight_copies(stack)
            elif stack.t + count == stop:
                count -= 1  # the last step before a point is taken alone, to measure its size
            begun = stack.t
            losses = stack.advance(count)
            total += losses.sum(0)
            progress(len(rows), count)
            lost = (~losses.isfinite()).cpu().numpy()
            gone = lost.any(0) & (diverged[rows] == 0)  # not those lost in an earlier segment
            diverged[rows[gone]] = begun + 1 + lost.argmax(0)[gone]
        fine = np.flatnonzero(diverged[rows] == 0)
        if len(fine) < len(rows):
            if not len(fine):
                break
            stack, rows = stack.subset(fine.tolist()), rows[fine]
            total = total[torch.from_numpy(fine)]
            before = before and [weight[fine.tolist()] for weight in before]
        take((total / (stop - start)).cpu().numpy(), before)
    late = (diverged == 0) & ~np.isfinite(history["train_loss"][:, -1])  # the last step itself left weights that give no loss
    diverged[late] = steps
    for curve in history.values():
        curve[late, -1] = np.nan
    kept = diverged[rows] == 0
    weights: dict[str, np.ndarray] = {}
    for k, layer in enumerate(stack.network.layers):
        tensors = {parameter.name: parameter.value for parameter in layer.parameters} | layer.state
        for name, tensor in tensors.items():
            value = np.full((len(trials), *tensor.shape[1:]), np.nan, dtype=trials[0].dtype)
            value[rows[kept]] = tensor.cpu().numpy()[kept]
            weights[f"{k}.{name}"] = value
    return Outcome(
        list(trials), [x.label for x in stack.network.layers], [x.kind for x in stack.network.layers],
        np.array(marks), np.array(sorted(histogram_marks)), diverged, history, weights,
    )  # fmt: skip
