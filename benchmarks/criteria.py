"""Whether a mutation brought on its illness, looked at from outside: by plain PyTorch, or by training on. Nothing here asks the doctor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from koubai.data import load
from koubai.measures import accuracy
from koubai.networks import build
from koubai.networks.layers import Weighted
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.store import Record

LONGER = {"slow-convergence": 8, "underfitting": 2}  # times the steps, which show whether it is that
REST = 0.04  # of what can be learned: what is at rest gains no more in as many steps again
DEAD, GROWN = 0.75, 10  # share of a layer's units that are silent on all validation samples; |W| over its first value


def longer(symptom: str, trial: Trial) -> Trial:
    """The training with more steps."""
    return trial.replace({"steps": LONGER[symptom] * trial.steps})


def took(symptom: str, record: Record, more: Record, origin: Record, learnable: float) -> bool:
    """Whether ``more`` steps say the same: what is slow gets half of its loss back, what is too simple, and alive, nothing to speak of.

    ``learnable`` is the accuracy that can be learned over guessing.
    """
    gain, cost = accuracy(more) - accuracy(record), accuracy(origin) - accuracy(record)
    return gain >= cost / 2 if symptom == "slow-convergence" else gain <= REST * learnable and not silent(record)


def silent(record: Record) -> list[str]:
    """The layers whose units are 0 for all validation samples, by plain PyTorch."""
    if record.diverged:
        return []
    data = load(record.trial.data)
    x, found = torch.from_numpy(data.x_validation), []
    network = module(record.trial, record.weights(), data.shape).eval()
    labels = iter(record.layers)
    with torch.no_grad():
        for name, layer in network.named_children():
            x = layer(x)
            label = next(labels) if name.isdecimal() else ""
            if isinstance(layer, torch.nn.ReLU):
                units = x.flatten(2).amax((0, 2)) if x.dim() > 2 else x.amax(0)
                found += [label] if units.eq(0).double().mean() >= DEAD else []
    return found


def grown(record: Record) -> list[str]:
    """The layers whose weights are ``GROWN`` times what they were."""
    if record.diverged:
        return []
    weights = record.weights()
    pairs = [(name, weights[f"{k}.weight"], first) for k, name, first in started(record)]
    return [name for name, end, first in pairs if np.linalg.norm(end) > GROWN * first.norm()]


def overflown(record: Record) -> list[str]:
    """The layer whose sums first leave float32 before the first step, in float64 by plain PyTorch; any where none does.

    Nothing where the training diverged at no step: then all of its losses were numbers.
    """
    if not record.diverged:
        return []
    data = load(record.trial.data)
    weights = {f"{k}.weight": first.numpy() for k, _, first in started(record)}
    weights |= {name.replace("weight", "bias"): np.zeros((len(value), 1)) for name, value in weights.items()}
    trial = record.trial.replace({"dtype": "float64"})
    x, labels = torch.from_numpy(data.x_train[: trial.batch_size]).double(), iter(record.layers)
    with torch.no_grad():
        for layer in module(trial, weights, data.shape).eval():
            x, label = layer(x), next(labels)
            if float(x.abs().max()) > float(np.finfo(np.float32).max):
                return [label]
    return list(record.layers)


def started(record: Record) -> list[tuple[int, str, torch.Tensor]]:
    """The layers with weights by place and label, and the weights that they started from."""
    data = load(record.trial.data)
    network = build([record.trial], data.shape, len(data.classes), torch.device("cpu"))
    return [
        (k, layer.label, layer.weight.value[0].double()) for k, layer in enumerate(network.layers) if isinstance(layer, Weighted)
    ]


# which layers have it: mutations that may bring on their illness or another are looked at from outside; the others are the illness
LOOKED_FOR: dict[str, Callable[[Record], list[str]]] = {"dead-relu": silent, "growing-weights": grown, "not-a-number": overflown}
