"""The training of one stack from its first step to its last, with its history. It can be looked at, thinned out, kept and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from koubai.data import Dataset
from koubai.spec import Trial
from koubai.training.cohort import cost
from koubai.training.kernels import by_onednn, products
from koubai.training.looks import Look
from koubai.training.stack import Stack

INTERVALS = 12  # between the points of a history, fewer in short trainings, so that recording stays cheap
HISTOGRAMS = 5  # points with histograms
DRAWN = ("histogram", "low", "high")  # of a history, only at those points
MANY = 12  # points of a history, from which on it pays to note how one is taken
SEGMENT = 128  # steps prepared at once
# of ``cost`` in a segment: a second or less, so that who watches, stops or saves need not wait longer
MOST = {"cpu": 5e10, "cuda": 5e12}

Progress = Callable[[int, int], None]  # (trials in training, steps done by each since the last call)


@dataclass
class Outcome:
    """What a stack's training gave. Every array has the trials first.

    ``steps`` are the history's points; ``histogram_steps`` those with histograms. ``diverged`` is the step at which a trial's loss stopped
    being a number, ``stopped`` the step at which it was stopped from outside, 0 where it never did or was; its history is NaN from there
    on, and so are its weights. ``history`` and ``weights`` (named as in the ``state_dict`` of the plain module) are described in
    ``ledger.snapshot`` and ``Training``.
    """

    trials: list[Trial]
    layers: list[str]
    kinds: list[str]
    steps: np.ndarray
    histogram_steps: np.ndarray
    diverged: np.ndarray
    stopped: np.ndarray
    history: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


def flush_denormals() -> None:
    """Have this thread, and the threads of PyTorch that begin in it, take numbers below 1.2e-38 (of float64 2.2e-308) for 0.

    Probabilities, gradients and averages of gradients that go to 0 pass through there, and a processor takes a hundred times as long for
    them: some trainings get twice as fast. It is for threads that train and do nothing else.
    """
    torch.set_flush_denormal(True)


def points(steps: int) -> list[int]:
    """The steps at which a history is taken: evenly spaced from 0 to the last, and log-spaced from 1 where that is closer."""
    intervals = min(INTERVALS, max(3, steps // 120))
    even = np.linspace(0, steps, intervals + 1)
    early = np.geomspace(1, steps, intervals)
    return sorted({round(step) for step in (*early[early < even[1]], *even)})


class Training:
    """A stack in training, and its history so far.

    Beside the ledger's, the history has ``loss`` (mean of the minibatch losses since the last point), ``train_loss``,
    ``train_accuracy``, ``validation_loss`` and ``validation_accuracy``, each ``[trial, point]``, NaN where a point was not taken yet.
    Where a quantity is predicted, ``..._accuracy`` is ``R^2``, and ``train_rmse`` and ``validation_rmse`` are there too, in its unit.
    ``marks`` are the steps of its points, 0 first. Diverged trials leave the stack at the next point; ``rows`` says which are left.
    """

    def __init__(self, trials: Sequence[Trial], data: Dataset, device: torch.device, marks: Sequence[int] | None = None) -> None:
        self.trials, self.data, self.device = list(trials), data, device
        self.marks = list(marks or points(trials[0].steps))
        drawn = np.linspace(0, len(self.marks) - 1, min(HISTOGRAMS, len(self.marks))).round().astype(int)
        self.histogram_marks = [self.marks[k] for k in drawn]
        self.segment = max(1, min(SEGMENT, int(MOST[device.type] / len(trials) / cost(trials[0], data.shape, data.outputs))))
        self.history: dict[str, np.ndarray] = {}
        self.point = 0  # the next to be taken
        self.diverged, self.stopped = (np.zeros(len(trials), dtype=np.int64) for _ in range(2))
        self.rows = np.arange(len(trials))  # where the stack's trials stand among all
        self.stack = Stack(trials, data, device)
        self.onednn = device.type == "cpu" and by_onednn(trials, data.shape, data.outputs)
        self.loss = torch.zeros(len(trials), dtype=torch.float64, device=device)  # summed since the last point
        self.look = Look(self.stack, len(self.marks) >= MANY)

    @property
    def t(self) -> int:
        """Steps done."""
        return self.stack.t

    @property
    def done(self) -> bool:
        """Whether the last point was taken, or no trial is left."""
        return self.point == len(self.marks) or not len(self.rows)

    @torch.no_grad()
    def advance(self) -> int:
        """Train one segment, not past the history's next point, and take that point where it is reached; the steps that were done."""
        begun, stop = self.t, self.marks[self.point]
        if stop > begun:
            count = min(self.segment, stop - begun)
            with products(self.onednn):
                losses = self.stack.advance(count, last=self.look.remember if begun + count == stop else None)
            self.loss += losses.sum(0, dtype=torch.float64)
            if not self.loss.isfinite().all():
                lost = (~losses.isfinite()).cpu().numpy()
                gone = lost.any(0) & (self.diverged[self.rows] == 0)  # not those lost in an earlier segment
                self.diverged[self.rows[gone]] = begun + 1 + lost.argmax(0)[gone]
            if self.t < stop:
                return count
            fine = self.diverged[self.rows] == 0
            if not fine.all():
                self._keep(fine)
            if not len(self.rows):
                return count
            loss = self.loss / (stop - self.marks[self.point - 1])
        else:
            loss = torch.full_like(self.loss, torch.nan)
        with products(self.onednn):
            self._take(loss.cpu().numpy())
        self.loss.zero_()
        if self.done:
            last = self.history["train_loss"][:, -1]
            late = self.rows[~np.isfinite(last[self.rows])]  # the last step itself left weights that give no loss
            self.diverged[late] = self.t
            for curve in self.history.values():
                curve[late, -1] = np.nan
        return self.t - begun

    def _keep(self, fine: np.ndarray) -> None:
        """Leave only some of the trials in the stack."""
        kept = np.flatnonzero(fine).tolist()
        self.rows, self.loss = self.rows[fine], self.loss[kept]
        if kept:
            self.stack = self.stack.subset(kept)
            self.look = self.look.subset(self.stack, kept)

    def drop(self, rows: Sequence[int]) -> None:
        """Stop some of the trials, as they are numbered in ``trials``, for good."""
        leaving = np.isin(self.rows, rows)
        gone = self.rows[leaving]
        self.stopped[gone[self.diverged[gone] == 0]] = max(self.t, 1)
        if leaving.any():
            self._keep(~leaving)

    def _take(self, loss: np.ndarray) -> None:
        """Take the history's next point."""
        found = {"loss": loss} | self.look.take(self.t in self.histogram_marks, self.point == len(self.marks) - 1)
        if self.data.target:
            for part in ("train", "validation"):
                found[f"{part}_rmse"] = np.sqrt(found[f"{part}_loss"]) * self.data.target[1]
        with np.errstate(over="ignore"):  # a float64 trial on its way to diverging may leave float32's range first
            for name, value in found.items():
                marks = self.histogram_marks if name in DRAWN else self.marks
                if name not in self.history:
                    dtype = np.float64 if name.endswith(("gradient", "loss")) else np.float32
                    self.history[name] = np.full((len(self.trials), len(marks), *value.shape[1:]), np.nan, dtype=dtype)
                self.history[name][self.rows, marks.index(self.t)] = value
        self.point += 1

    def outcome(self) -> Outcome:
        """What the training gave so far."""
        layers = self.stack.network.layers
        kept = (self.diverged[self.rows] == 0) if len(self.rows) else np.zeros(0, dtype=bool)
        weights: dict[str, np.ndarray] = {}
        for k, layer in enumerate(layers):
            tensors = {parameter.name: parameter.value for parameter in layer.parameters} | layer.state
            for name, tensor in tensors.items():
                value = np.full((len(self.trials), *tensor.shape[1:]), np.nan, dtype=self.trials[0].kept)
                value[self.rows[kept]] = tensor.cpu().numpy()[: len(kept)][kept]
                weights[f"{k}.{name}"] = value
        return Outcome(
            self.trials, [layer.label for layer in layers], [layer.kind for layer in layers],
            np.array(self.marks), np.array(self.histogram_marks), self.diverged, self.stopped, self.history, weights,
        )  # fmt: skip

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All that ``restored`` needs to go on, bit for bit: arrays, and what JSON can hold."""
        arrays = {
            "rows": self.rows, "diverged": self.diverged, "stopped": self.stopped, "loss_since": self.loss.cpu().numpy(),
            **{f"history/{name}": value for name, value in self.history.items()},
            **{f"stack/{name}": value.cpu().numpy() for name, value in self.stack.state().items()},
        }  # fmt: skip
        return arrays, {"t": self.t, "point": self.point, "marks": self.marks}

    @classmethod
    def restored(
        cls,
        trials: Sequence[Trial],
        data: Dataset,
        device: torch.device,
        arrays: Mapping[str, np.ndarray],
        about: Mapping[str, Any],
    ) -> Training:
        """The training of ``trials`` whose ``state`` this was. Raises ``LookupError``, ``ValueError`` or ``RuntimeError`` for another's."""
        training = cls(trials, data, device, about["marks"])
        rows = arrays["rows"]
        if len(rows) < len(trials):
            training._keep(np.isin(training.rows, rows))
        training.point = int(about["point"])
        training.diverged[:], training.stopped[:] = arrays["diverged"], arrays["stopped"]
        training.loss.copy_(torch.from_numpy(arrays["loss_since"]))
        training.history = {
            name.removeprefix("history/"): value.copy() for name, value in arrays.items() if name.startswith("history/")
        }
        state = {
            name.removeprefix("stack/"): torch.from_numpy(value) for name, value in arrays.items() if name.startswith("stack/")
        }
        training.stack.load(state, int(about["t"]))
        return training


def train(trials: Sequence[Trial], data: Dataset, device: torch.device, progress: Progress = lambda *_: None) -> Outcome:
    """Train one stack from its first step to its last."""
    training = Training(trials, data, device)
    while not training.done:
        trials_left = len(training.rows)
        progress(trials_left, training.advance())
    return training.outcome()
