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
from koubai.networks.layers import Mode, Weighted
from koubai.report.figures.images import MOST_FILTERS, MOST_MAPS, mosaic
from koubai.report.style import mean_and_interval, rounded
from koubai.training import Training
from koubai.training.ledger import Snapshot, snapshot
from koubai.training.loop import SAMPLES
from koubai.training.stack import Stack
from koubai.web.play.board import Board
from koubai.web.play.doctor import Doctor

SIDES = {3: 72, 6: 48}  # cells of a decision boundary along each axis, by how many variants there are at most
FEWEST = 36
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
        self.where = {
            trial: (variant, seed)
            for variant, trials in enumerate(board.study.variants().values())
            for seed, trial in enumerate(trials)
        }

    def __call__(self, trainings: Sequence[Training]) -> Shown:
        """Look at them as they stand."""
        count, seeds = len(self.board.variants), self.board.seeds
        curves = np.full((4, seeds, count), np.nan)  # losses and accuracies on training and on validation samples
        norms: list[list[np.ndarray]] = [[] for _ in range(count)]
        lost, steps = [0] * count, [0] * count
        pictures: list[Shown] = [{} for _ in range(count)]
        for training in trainings:
            places = [self.where[trial] for trial in training.trials]
            for row, (variant, _) in enumerate(places):
                lost[variant] += int(training.diverged[row] > 0)
                steps[variant] = training.t
            if not len(training.rows):
                continue
            stack, left = training.stack, [places[row] for row in training.rows]
            variants, of_seed = (list(part) for part in zip(*left, strict=True))
            held_out = training.held_out
            for part, (x, y) in enumerate(((stack.x, stack.y), held_out)):
                for kind, values in enumerate(training.evaluate(x[:SAMPLES], y[:SAMPLES])):
                    curves[2 * kind + part, of_seed, variants] = values.numpy()
            found = snapshot(stack, stack.x[training.probe], stack.y[training.probe], None, True)
            for k, (variant, seed) in enumerate(left):
                norms[variant].append(found["gradient"][k])
                if seed == self.seed:
                    pictures[variant] = inside(stack, k, found) | {"picture": self.picture(training, k)}
        with np.errstate(divide="ignore"):
            curves[:2] = np.log10(np.where(curves[:2] > 0, curves[:2], np.nan))  # as the report draws losses
        mean, low, high = mean_and_interval(curves.transpose(1, 0, 2))
        self.doctor.look(trainings)
        return {
            "step": max(steps),
            "variants": [
                {
                    "step": steps[k],
                    "lost": lost[k],
                    "loss": rounded(10 ** np.array([mean[0, k], low[0, k], high[0, k]])),
                    "accuracy": rounded([mean[3, k], low[3, k], high[3, k]]),
                    "trained": rounded(mean[2, k])[0],
                    "doctor": self.doctor.says(k),
                    **flow(norms[k]),
                    **pictures[k],
                }
                for k in range(count)
            ],
        }

    def picture(self, training: Training, row: int) -> Shown:
        """What a variant's card shows: the boundary in the plane, the first layer's weights as images, or as a table."""
        data, stack = training.data, training.stack
        if data.features == 2:
            side = next((side for most, side in SIDES.items() if len(self.board.variants) <= most), FEWEST)
            return boundary(stack.subset([row]), data, side)
        layer = next(layer for layer in stack.network.layers if isinstance(layer, Weighted))
        weights = layer.weight.value[row].numpy()
        image = patch(layer, data)
        if image is None:
            return signed(weights[:CELLS, :CELLS])
        return signed(mosaic(weights[:MOST_FILTERS].reshape(-1, *image).mean(1)))


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


def inside(stack: Stack, row: int, found: Snapshot) -> Shown:
    """What one network looks like inside: histograms of its activations, weights of its layers, what it makes of an image."""
    shares, low, high = (found[name][row] for name in ("histogram", "low", "high")) if "histogram" in found else ([], [], [])
    hist = [
        {"bars": packed(share / (share.max() or 1) * 254), "range": rounded([a, b])}
        for share, a, b in zip(shares, low, high, strict=True)
    ]
    layers = stack.network.layers
    weights = [signed(layer.weight.value[row, :CELLS, :CELLS].numpy()) for layer in layers if isinstance(layer, Weighted)]
    return {"histograms": hist, "weights": weights, "maps": maps(stack, row)}


def maps(stack: Stack, row: int) -> list[Shown]:
    """The first probe image behind each activation and pooling of images, as the last look left it."""
    if stack.network.image is None:
        return []
    made = []
    values = stack.buffers_for(min(stack.trials[0].batch_size, len(stack.x))).values
    for layer, y in zip(stack.network.layers, values[1:], strict=True):
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
    low, high = data.x_train.min(0), data.x_train.max(0)
    margin = MARGIN * np.where(high > low, high - low, 1)
    return low - margin, high + margin


def points(data: Dataset) -> list[list[float]]:
    """Samples in the plane as ``[x, y, class, held out]``, places from 0 to 1 (from the left, and from the top)."""
    if data.features != 2:
        return []
    low, high = extent(data)
    shown = []
    for k, (x, y) in enumerate(((data.x_train, data.y_train), (data.x_validation, data.y_validation))):
        few = POINTS // (4 if k else 1)
        places = (x[:few] - low) / (high - low)
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
