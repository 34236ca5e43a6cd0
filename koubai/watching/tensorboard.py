"""The ledger as TensorBoard shows it: a curve for each layer, and the activations' histograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from koubai.doctor import Case
from koubai.language import UserError
from koubai.training.ledger import BINS

CURVES = ("loss", "train_accuracy", "validation_loss", "validation_accuracy")
LAYERS = {  # by the kind of layer whose columns they have; "" is any
    "gradient": "", "factor": "",
    "weight_gradient": "weights", "weight": "weights", "update": "weights",
    "mean": "activation", "std": "activation", "saturated": "activation", "dead": "activation", "zeros": "activation",
}  # fmt: skip


def write(case: Case, folder: Path) -> Path:
    """Write a case into a folder for ``tensorboard --logdir``. Raises ``UserError`` where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(
            "TensorBoard is not installed; try: pip install 'koubai[tensorboard]'",
            "TensorBoard がインストールされていません。pip install 'koubai[tensorboard]' を試してください。",
        ) from None
    with SummaryWriter(str(folder)) as writer:
        for name in CURVES:
            for step, value in zip(case.steps, case.history.get(name, ()), strict=False):
                if np.isfinite(value):
                    writer.add_scalar(name, value, step)
        for name, kind in LAYERS.items():
            layers = [layer for layer, one in zip(case.layers, case.kinds, strict=True) if kind in ("", one)]
            for step, row in zip(case.steps, case.history.get(name, ()), strict=False):
                for layer, value in zip(layers, row, strict=True):
                    if np.isfinite(value):
                        writer.add_scalar(f"{name}/{layer}", value, step)
        _histograms(case, writer)
    return folder


def _histograms(case: Case, writer: Any) -> None:
    shares = case.history.get("histogram", np.zeros((0, 0, BINS)))
    for point, step in enumerate(case.histogram_steps):
        for k, layer in enumerate(case.where("activation")):
            low, high = case.history["low"][point, k], case.history["high"][point, k]
            if np.isfinite(low):
                edges = np.linspace(low, high, BINS + 1)
                middle = (edges[1:] + edges[:-1]) / 2
                part = shares[point, k]
                writer.add_histogram_raw(
                    f"activations/{case.layers[layer]}", min=low, max=high, num=1, sum=float(part @ middle),
                    sum_squares=float(part @ middle**2), bucket_limits=edges[1:].tolist(), bucket_counts=part.tolist(), global_step=step,
                )  # fmt: skip
