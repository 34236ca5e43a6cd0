"""A whole training of one trial against the loop that anybody would write in plain PyTorch: same batches, same first weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koubai.data import Dataset
from koubai.networks import build
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.streams import generator
from koubai.techniques import OPTIMIZERS
from koubai.training import Outcome, train
from koubai.training.minibatches import Minibatches

STEPS = 150
Make = Callable[..., torch.optim.Optimizer]

# numbers under which torch's optimizer means the same, a rate that moves, and torch's optimizer
TORCH: dict[str, tuple[dict[str, float], float, Make]] = {
    "sgd": ({}, 0.2, torch.optim.SGD),
    "momentum": ({"momentum": 0.8}, 0.05, lambda g: torch.optim.SGD(g, momentum=0.8)),
    "nesterov": ({"momentum": 0.8}, 0.05, lambda g: torch.optim.SGD(g, momentum=0.8, nesterov=True)),
    "adagrad": ({"eps": 1e-6, "initial_accumulator": 0.0}, 0.05, lambda g: torch.optim.Adagrad(g, eps=1e-6)),
    "rmsprop": ({"eps": 1e-6, "initial_accumulator": 0.0}, 0.003, lambda g: torch.optim.RMSprop(g, alpha=0.99, eps=1e-6)),
    "adam": ({"eps": 1e-6}, 0.003, lambda g: torch.optim.Adam(g, eps=1e-6)),
    "adamw": ({"eps": 1e-6, "weight_decay": 0.1}, 0.003, lambda g: torch.optim.AdamW(g, eps=1e-6, weight_decay=0.1)),
}
PENALTIES: dict[str, Callable[..., Tensor]] = {
    "none": lambda w: w.new_zeros(()),
    "l1": lambda w, strength: strength * w.abs().sum(),
    "l2": lambda w, strength: strength / 2 * w.square().sum(),
    "lp": lambda w, strength, p: strength / p * w.abs().pow(p).sum().pow(1 / p),
}


class Drop(nn.Module):
    """Dropout with the noise that belongs to a seed and a depth."""

    def __init__(self, rate: float, seed: int, depth: int) -> None:
        super().__init__()
        self.rate, self.noise = rate, generator(seed, "dropout", depth)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = self.rate <= torch.rand(x.shape[1], x.shape[0], generator=self.noise).T
        return x * kept / (1 - self.rate)


@dataclass
class Plain:
    losses: np.ndarray
    model: nn.Sequential
    clipped: int  # steps whose gradient was too long


def plain(trial: Trial, data: Dataset) -> Plain:
    """The training of ``trial`` as a plain PyTorch loop."""
    dtype = getattr(torch, trial.dtype)
    widths = [data.features, *trial.layers]
    layers: list[nn.Module] = []
    for depth, (fan_in, width) in enumerate(itertools.pairwise(widths), 1):
        act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}[trial.activation.name]()
        norm = [nn.BatchNorm1d(width)]
        before, after = norm * (trial.batch_norm == "before"), norm * (trial.batch_norm == "after")
        layers += [nn.Linear(fan_in, width), *before, act, *after]
        layers += [Drop(trial.dropout, trial.seed, depth)] * (trial.dropout > 0)
    model = nn.Sequential(*layers, nn.Linear(widths[-1], len(data.classes))).to(dtype)
    dense = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        ours = [p for p in build([trial], data.features, len(data.classes), torch.device("cpu")).parameters if p.decays]
        for layer, parameter in zip(dense, ours, strict=True):
            layer.weight.copy_(parameter.value[0])
            layer.bias.zero_()
    groups: list[dict[str, Any]] = []
    for layer, factor in zip(dense, trial.layer_rates or [1.0] * len(dense), strict=True):
        norms = [
            p for k, m in enumerate(model) if isinstance(m, nn.BatchNorm1d) and model[k - 1] is layer for p in m.parameters()
        ]
        rate = trial.learning_rate * factor
        groups += [{"params": [layer.weight], "lr": rate}, {"params": [layer.bias, *norms], "lr": rate}]
        if trial.optimizer.name == "adamw":
            groups[-1]["weight_decay"] = 0.0
    rest = {id(p) for group in groups for p in group["params"]}
    others = [p for p in model.parameters() if id(p) not in rest]
    groups += [{"params": others, "lr": trial.learning_rate, "weight_decay": 0.0}] if others else []
    optimizer = TORCH[trial.optimizer.name][2](groups)
    by_hand = {"constant": lambda t: 1.0, "inverse_time": lambda t: 1 / (1 + 0.01 * t), "warmup": lambda t: min(1, (t + 1) / 100)}
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, by_hand[trial.schedule.name])
    batches = Minibatches([trial.seed], len(data.x_train), trial.batch_size)
    x, y = torch.from_numpy(data.x_train).to(dtype), torch.from_numpy(data.y_train)
    losses, clipped = [], 0
    for _ in range(trial.steps):
        picks = batches.take(1)[0, 0]
        loss = F.cross_entropy(model(x[picks]), y[picks])
        losses.append(loss.item())
        flat = torch.cat([layer.weight.flatten() for layer in dense])
        optimizer.zero_grad()
        (loss + PENALTIES[trial.penalty.name](flat, **trial.penalty.numbers)).backward()
        if trial.clip_grad_norm:
            clipped += bool(nn.utils.clip_grad_norm_(model.parameters(), trial.clip_grad_norm) > trial.clip_grad_norm)
        optimizer.step()
        scheduler.step()
    return Plain(np.array(losses), model.eval(), clipped)


def same(trial: Trial, data: Dataset, outcome: Outcome, row: int = 0) -> None:
    """Losses on the way, final weights and final measures are those of the plain loop."""
    exact = trial.dtype == "float64"
    want = plain(trial, data)
    marks, loss = outcome.steps, outcome.history["loss"][row]
    means = [want.losses[a:b].mean() for a, b in itertools.pairwise(marks)]
    assert np.isnan(loss[0])
    np.testing.assert_allclose(loss[1:], means, rtol=1e-9 if exact else 1e-4)
    assert want.losses[-20:].mean() < 0.9 * want.losses[0], "nothing was learned, so little was compared"
    weights = {name: value[row] for name, value in outcome.weights.items()}
    mine = module(trial, weights)
    assert [type(a) for a in mine if not isinstance(a, nn.Dropout)] == [type(b) for b in want.model if not isinstance(b, Drop)]
    for (name, got), theirs in zip(mine.state_dict().items(), want.model.state_dict().values(), strict=True):
        if got.is_floating_point():
            close = {"rtol": 1e-8, "atol": 1e-9} if exact else {"rtol": 1e-2, "atol": 1e-3}
            torch.testing.assert_close(got, theirs, **close, msg=lambda text, name=name: f"{name}: {text}")
    for part, x, y in (("train", data.x_train, data.y_train), ("validation", data.x_validation, data.y_validation)):
        with torch.no_grad():
            out = want.model(torch.from_numpy(x).to(getattr(torch, trial.dtype)))
        labels = torch.from_numpy(y)
        found = outcome.history[f"{part}_loss"][row, -1], outcome.history[f"{part}_accuracy"][row, -1]
        assert found[0] == pytest.approx(F.cross_entropy(out, labels).item(), rel=1e-9 if exact else 1e-3)
        assert found[1] == pytest.approx((out.argmax(1) == labels).double().mean().item(), abs=1e-6 if exact else 0.004)


def trial(**fields: Any) -> Trial:
    base = {
        "layers": [12, 8],
        "activation": "tanh",
        "initializer": "xavier",
        "batch_size": 50,
        "steps": STEPS,
        "seed": 3,
        "dtype": "float64",
    }
    return Trial(**{**base, **fields})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer(name: str, dtype: str, digits: Dataset, cpu: torch.device) -> None:
    assert name in TORCH, f"give {name} its counterpart in torch.optim here"
    numbers, rate, _ = TORCH[name]
    each = trial(optimizer={"name": name, **numbers}, learning_rate=rate, dtype=dtype)
    same(each, digits, train([each], digits, cpu))


@pytest.mark.parametrize(
    "fields",
    [
        {"layers": []},
        {"layers": [6, 6, 6, 6], "activation": "relu", "initializer": "he"},
        {"activation": "sigmoid", "optimizer": {"name": "adam", "eps": 1e-6}, "learning_rate": 0.01},
        {"schedule": "inverse_time"},
        {"schedule": "warmup", "optimizer": {"name": "adam", "eps": 1e-6}, "learning_rate": 0.01},
        {"penalty": {"name": "l2", "strength": 0.01}},
        {"penalty": {"name": "l1", "strength": 0.003}},
        {"penalty": {"name": "lp", "strength": 0.1, "p": 3.0}},
        {"batch_norm": "before", "activation": "relu"},
        {"batch_norm": "after"},
        {"batch_norm": "before", "optimizer": {"name": "adamw", "eps": 1e-6, "weight_decay": 0.1}, "learning_rate": 0.003},
        {"dropout": 0.25},
        {"dropout": 0.4, "batch_norm": "after", "penalty": {"name": "l2", "strength": 0.01}},
        {"layer_rates": [2.0, 1.0, 0.5]},
        {"layer_rates": [2.0, 1.0, 0.5], "clip_grad_norm": 0.5},
        {"batch_norm": "before", "clip_grad_norm": 0.3},
        {"layer_rates": [0.0, 1.0, 0.5], "batch_norm": "before"},
        {"batch_size": 1},
        {"batch_size": 1437},
    ],
    ids=lambda fields: " ".join(f"{k}={v['name'] if isinstance(v, dict) else v}" for k, v in fields.items()),
)
def test_every_other_technique(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    each = trial(**{"learning_rate": 0.2, **fields})
    same(each, digits, train([each], digits, cpu))


def test_trials_with_different_numbers_in_one_stack(digits: Dataset, cpu: torch.device) -> None:
    """Each trial of one stack, whatever its own numbers, is the plain loop's."""
    numbers = TORCH["adamw"][0]
    trials = [
        trial(seed=seed, initializer=initializer, learning_rate=rate, schedule=schedule, dropout=rate * 20, batch_norm="before",
              optimizer={"name": "adamw", **numbers, "weight_decay": 0.1, "beta1": 0.9},
              penalty={"name": "l2", "strength": strength})
        for seed, initializer, rate, schedule, strength in (
            (3, "xavier", 0.01, "constant", 0.01), (4, "he", 0.003, "inverse_time", 0.0), (3, "orthogonal", 0.02, "warmup", 0.1),
        )
    ]  # fmt: skip
    outcome = train(trials, digits, cpu)
    for row, each in enumerate(trials):
        same(each, digits, outcome, row)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_clipped_gradients_under_every_optimizer(name: str, digits: Dataset, cpu: torch.device) -> None:
    """Trials of one stack whose gradients are clipped at every step, at some and at none, each as its plain loop."""
    numbers, rate, _ = TORCH[name]
    fields: dict[str, Any] = {
        "optimizer": {"name": name, **numbers},
        "learning_rate": rate,
        "penalty": {"name": "l2", "strength": 0.01},
    }
    trials = [trial(**fields, seed=seed, clip_grad_norm=most) for seed, most in ((3, 0.3), (3, 0.5), (4, 1e3))]
    outcome = train(trials, digits, cpu)
    for row, each in enumerate(trials):
        same(each, digits, outcome, row)
    counts = [plain(each, digits).clipped for each in trials]
    assert counts[0] > counts[1] > counts[2] == 0, counts


@pytest.mark.slow
def test_two_thousand_steps_of_the_notes_network(digits: Dataset, cpu: torch.device) -> None:
    each = Trial(layers=[40, 20], activation="relu", initializer="he", learning_rate=0.1, steps=2000, dtype="float64")
    same(each, digits, train([each], digits, cpu))
