"""One look at trainings under way: all that the page draws of them, small enough to be sent many times a second.

Pictures are bytes in base64, a byte a value. A signed picture has 0 at byte 127, the largest at 254 or 0, and 255 where there is nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from koubai.data import Dataset
from koubai.data.dataset import ON_THE_WAY
from koubai.networks.layers import Activation, Mode, Weighted
from koubai.report.figures.images import MOST_FILTERS, MOST_MAPS, mosaic
from koubai.report.style import mean_and_interval, rounded
from koubai.spec import Trial
from koubai.training import Training
from koubai.training.ledger import binned, gradients
from koubai.training.stack import Stack
from koubai.web.play.board import Board
from koubai.web.play.doctor import Doctor

SIDES = {3: 60, 6: 44}  # cells of a decision boundary along each axis, by how many variants there are at most
FEWEST = 32
MARGIN = 0.08  # of the data's range, around it
POINTS = 400  # samples that are shown in the plane
CELLS = 64  # rows and columns of weights that are shown
NOTHING = 255

Shown = dict[str, Any]


class Look:
    """Makes of the trainings of a board what the page shows: a dictionary with ``step``, and ``variants`` in the board's order.

    The boundary, pictures and histograms are those of the seed ``seed``, curves and the gradient of all of them.
    """

    def __init__(self, board: Board) -> None:
        self.board, self.seed, self.doctor = board, 0, Doctor(board)
        self._alone: dict[Trial, Stack] = {}
        self.sent = 0  # the last step of the history that was shown
        self.where = {
            trial: (variant, seed)
            for variant, trials in enumerate(board.study.variants().values())
            for seed, trial in enumerate(trials)
        }

    def __call__(self, trainings: Sequence[Training]) -> Shown:
        """Look at them as they stand."""
        count, seeds = len(self.board.variants), self.board.seeds
        losses, accuracies = np.full((2, seeds, count), np.nan)
        norms: list[list[np.ndarray]] = [[] for _ in range(count)]
        made: list[Shown] = [{"step": 0, "lost": 0} for _ in range(count)]
        for training in trainings:
            places = [self.where[trial] for trial in training.trials]
            for row, (variant, _) in enumerate(places):
                made[variant]["lost"] += int(training.diverged[row] > 0)
                made[variant]["step"] = training.t
            if not len(training.rows):
                continue
            stack, left = training.stack, [places[row] for row in training.rows]
            at = tuple(list(part) for part in zip(*((seed, variant) for variant, seed in left), strict=True))
            train, validation = ([x[:ON_THE_WAY], y[:ON_THE_WAY]] for x, y in training.look.parts.values())
            losses[at] = stack.evaluate(*train)[0].numpy()
            accuracies[at] = stack.evaluate(*validation)[1].numpy()
            found, values = gradients(stack, *training.look.probe)
            arrived = torch.stack(found, 1).numpy()
            for k, (variant, seed) in enumerate(left):
                norms[variant].append(arrived[k])
                if seed == self.seed:
                    made[variant] |= inside(stack, k, values) | {"picture": self.picture(training, k)}
        self.doctor.look(trainings)
        for k, curve in enumerate(curves(losses, accuracies)):
            made[k] |= curve | flow(norms[k]) | {"past": self.past(trainings, k), "doctor": self.doctor.says(k)}
        self.sent = max(one["step"] for one in made)
        return {"step": self.sent, "variants": made}

    def past(self, trainings: Sequence[Training], variant: int) -> list[Shown]:
        """The points of a variant's history that were taken since the last look."""
        rows = [
            (training, row)
            for training in trainings
            for row, trial in enumerate(training.trials)
            if self.where[trial][0] == variant
        ]
        taken = min(training.point for training, _ in rows)
        marks = rows[0][0].marks[:taken]
        new = [k for k, mark in enumerate(marks) if mark > self.sent]
        if not new:
            return []
        losses, accuracies = (
            np.stack([training.history[name][row, new] for training, row in rows])
            for name in ("train_loss", "validation_accuracy")
        )
        return [{"step": marks[k], **curve} for k, curve in zip(new, curves(losses, accuracies), strict=True)]

    def picture(self, training: Training, row: int) -> Shown:
        """What a variant's card shows: the boundary in the plane, the first layer's weights as images, or as a table."""
        data, stack = training.data, training.stack
        if data.features == 2 and not data.target:
            side = next((side for most, side in SIDES.items() if len(self.board.variants) <= most), FEWEST)
            return boundary(self.alone(stack, row), data, side)
        layer = next(layer for layer in stack.network.layers if isinstance(layer, Weighted))
        weights = layer.weight.value[row].numpy()
        image = patch(layer, data)
        if image is None:
            return signed(weights[:CELLS, :CELLS])
        return signed(mosaic(weights[:MOST_FILTERS].reshape(-1, *image).mean(1)))

    def alone(self, stack: Stack, row: int) -> Stack:
        """One trial of a stack as it stands, in a stack of its own, which is made once."""
        trial = stack.trials[row]
        if trial in self._alone:
            stack.copied(self._alone[trial], [row])
        else:
            self._alone[trial] = stack.subset([row])
        return self._alone[trial]


def curves(losses: np.ndarray, accuracies: np.ndarray) -> list[Shown]:
    """Means over seeds with their intervals, for losses and accuracies ``[seed, point]``; those of losses are of their logarithms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.where(losses > 0, losses, np.nan))
        parts = mean_and_interval(np.concatenate([logs, accuracies], 1))
    half = losses.shape[1]
    return [
        {"loss": rounded([10 ** part[k] for part in parts]), "accuracy": rounded([part[half + k] for part in parts])}
        for k in range(half)
    ]


def patch(layer: Weighted, data: Dataset) -> tuple[int, int, int] | None:
    """What a row of the first layer's weights is a picture of: channels, height, width; ``None`` where it is none."""
    if hasattr(layer, "patch"):
        return layer.patch
    image = len(data.shape) == 2 or (len(data.shape) == 3 and data.shape[0] in (1, 3, 4))
    return ((1, *data.shape) if len(data.shape) == 2 else data.shape) if image else None  # type: ignore[return-value]


def flow(norms: Sequence[np.ndarray]) -> Shown:
    """The gradient at each layer's output, as a share of that at the network's: geometric mean over seeds, and its interval."""
    if not norms:
        return {"flow": []}
    values = np.stack(norms)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.log10(np.where((values > 0) & (values[:, -1:] > 0), values / values[:, -1:], np.nan))
    return {"flow": [rounded(10**part) for part in mean_and_interval(shares)]}


def inside(stack: Stack, row: int, values: Sequence[torch.Tensor]) -> Shown:
    """What one network looks like inside: histograms of its activations, weights of its layers, what it makes of an image.

    ``values`` are what came out of each layer on the probe samples.
    """
    layers, bars = stack.network.layers, []
    for layer, y in zip(layers, values, strict=True):
        if isinstance(layer, Activation):
            own = layer.units(y, len(stack.trials))[row : row + 1].flatten(1)
            counts, low, high = (part[0].numpy() for part in binned(own, layer.technique.bounds))
            bars.append({"bars": packed(counts / (counts.max() or 1) * 254), "range": rounded([low, high])})
    weights = [signed(layer.weight.value[row, :CELLS, :CELLS].numpy()) for layer in layers if isinstance(layer, Weighted)]
    return {"histograms": bars, "weights": weights, "maps": maps(stack, row, values)}


def maps(stack: Stack, row: int, values: Sequence[torch.Tensor]) -> list[Shown]:
    """The first probe image behind each activation and pooling of images."""
    made = []
    for layer, y in zip(stack.network.layers, values if stack.network.image is not None else (), strict=False):
        if layer.kind in ("activation", "pooling") and y.ndim == 4:
            channels = y[0].unflatten(0, (len(stack.trials), -1))[row, :MOST_MAPS]
            made.append({"name": layer.label, **signed(mosaic(channels.numpy()))})
    return made


def boundary(stack: Stack, data: Dataset, side: int) -> Shown:
    """The class that a network of two features gives to each point of the plane, and how sure it is: two bytes a cell, from the top."""
    low, high = extent(data)
    axes = [np.linspace(a, b, side, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    x, y = np.meshgrid(axes[0], axes[1][::-1])
    grid = torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1)).to(stack.network.dtype)
    outputs = stack.network.forward(stack.buffers_for(len(grid)), stack.network.common(grid), Mode.EVALUATE)
    chance, said = outputs[0].softmax(0).max(0)
    even = 1 / len(data.classes)
    sure = ((chance - even) / (1 - even)).nan_to_num().clamp(0, 1) * 254
    return {"side": side, "said": packed(said.numpy()), "sure": packed(sure.numpy())}


def extent(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the part of the plane that is shown."""
    x = np.asarray(data.x_train)
    low, high = x.min(0), x.max(0)
    margin = MARGIN * np.where(high > low, high - low, 1)
    return low - margin, high + margin


def points(data: Dataset) -> list[list[float]]:
    """Samples in the plane as ``[x, y, class, held out]``, places from 0 to 1 (from the left, and from the top)."""
    if data.features != 2 or data.target:
        return []
    low, high = extent(data)
    shown = []
    for k, (x, y) in enumerate(((data.x_train, data.y_train), (data.x_validation, data.y_validation))):
        few = POINTS // (4 if k else 1)
        places = (np.asarray(x[:few]) - low) / (high - low)
        shown += [[round(float(a), 3), round(1 - float(b), 3), int(c), k] for (a, b), c in zip(places, y[:few], strict=True)]
    return shown


def signed(values: np.ndarray) -> Shown:
    """A picture of values around 0."""
    there = np.isfinite(values)
    reach = float(np.abs(values[there]).max(initial=0)) or 1.0
    cells = np.where(there, 127 + np.where(there, values, 0) / reach * 127, NOTHING)
    return {"width": values.shape[1], "height": values.shape[0], "reach": rounded(reach)[0], "cells": packed(cells.round())}


def packed(values: np.ndarray) -> str:
    """Bytes in base64."""
    return base64.b64encode(np.asarray(values, dtype=np.uint8).tobytes()).decode()
