"""Trainings of networks of images: against plain PyTorch, alone and in a stack, through the ledger, beside trials that diverge."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn
from torch.nn import functional as F

from koubai.data import Dataset, load
from koubai.networks.layers import Weighted
from koubai.networks.unstack import module
from koubai.spec import Data, Trial
from koubai.techniques.clipping import norm
from koubai.training import plan, train
from koubai.training.cohort import budget, footprint
from koubai.training.ledger import snapshot
from koubai.training.minibatches import Minibatches
from koubai.training.stack import Stack

CHAIN = ["conv 4 3x3 pad 1", "maxpool 2", "conv 6 3x3 stride 2 pad 1", "flatten", 12]
STEPS = 20


def trial(**fields: Any) -> Trial:
    base = {"layers": CHAIN, "batch_size": 20, "steps": STEPS, "learning_rate": 0.1, "dtype": "float64", "seed": 3}
    return Trial(**{**base, **fields})


def by_hand(norm: bool, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """The network of ``CHAIN`` on 8x8 images as anybody would write it."""
    layers = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3, padding=1), *[nn.BatchNorm2d(4)] * norm, act(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3, 2, 1), *[nn.BatchNorm2d(6)] * norm, act(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(24, 12), *[nn.BatchNorm1d(12)] * norm, act(), nn.Linear(12, 10)).double()


MAKE: dict[str, tuple[dict[str, Any], Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ({}, lambda p: torch.optim.SGD(p, lr=0.1)),
    "sgd, l2": ({"penalty": {"name": "l2", "strength": 0.05}}, lambda p: torch.optim.SGD(p, lr=0.1)),
    "adam, batch norm": (
        {"optimizer": {"name": "adam", "eps": 1e-6}, "learning_rate": 0.01, "batch_norm": "before"},
        lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-6),
    ),
    "momentum, tanh": (
        {"optimizer": {"name": "momentum", "momentum": 0.8}, "activation": "tanh", "initializer": "xavier"},
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8),
    ),
}


@pytest.mark.parametrize("name", MAKE)
def test_a_training_is_plain_pytorchs(name: str, digits: Dataset, cpu: torch.device) -> None:
    fields, optimizer = MAKE[name]
    each = trial(**fields)
    stack = Stack([each], digits, cpu)
    model = by_hand(each.batch_norm == "before", nn.Tanh if each.activation.name == "tanh" else nn.ReLU)
    weighted = [layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    ours = [layer for layer in stack.network.layers if isinstance(layer, Weighted)]
    with torch.no_grad():
        for layer, mine in zip(weighted, ours, strict=True):
            layer.weight.copy_(mine.weight.value[0].view_as(layer.weight))
            layer.bias.zero_()
        losses = stack.advance(STEPS)[:, 0]
    steps = optimizer(model.parameters())
    picks = Minibatches([each.seed], len(digits.x_train), each.batch_size).take(STEPS)[:, 0]
    x, y = torch.from_numpy(digits.x_train).double(), torch.from_numpy(digits.y_train)
    strength = each.penalty.numbers.get("strength", 0.0)
    for step, rows in enumerate(picks):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        assert losses[step].item() == pytest.approx(loss.item(), rel=1e-9)
        steps.zero_grad()
        (loss + strength / 2 * sum(layer.weight.square().sum() for layer in weighted)).backward()
        steps.step()
    assert losses[-5:].mean() < 0.9 * losses[0], "nothing was learned, so little was compared"
    mine = module(each, weights_of(stack, 0), digits.shape)
    for value, want in zip(mine.state_dict().values(), model.state_dict().values(), strict=True):
        if want.is_floating_point():
            torch.testing.assert_close(value, want, rtol=1e-8, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(mine(x[:50]), model.eval()(x[:50]), rtol=1e-8, atol=1e-9)


def weights_of(stack: Stack, row: int) -> dict[str, np.ndarray]:
    return {
        f"{k}.{name}": tensor[row].numpy().copy()
        for k, layer in enumerate(stack.network.layers)
        for name, tensor in ({p.name: p.value for p in layer.parameters} | layer.state).items()
    }


STRANGERS = [
    {},
    # not with batch normalization too: it makes gradients of biases that are rounding alone, which Adam would blow up
    {"optimizer": "adam", "activation": "leaky_relu"},
    {"batch_norm": "before"},
    {"dropout": 0.2, "penalty": {"name": "l2", "strength": 0.01}, "layer_rates": [1.0, 0.5, 2.0, 1.0]},
    {"layers": ["conv 3 3x3", "lrn", "batchnorm", "avgpool 2", "dropout 0.25", "flatten"]},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fields", STRANGERS, ids=lambda fields: " ".join(fields))
def test_alone_and_in_a_stack_of_three(
    fields: dict[str, Any], dtype: str, digits: Dataset, cpu: torch.device, untouched: None
) -> None:
    """With other seeds, rates, first weights and numbers beside it, in any order."""
    shared = {"dtype": dtype, **fields}
    own: list[dict[str, Any]] = [{"seed": 0, "learning_rate": 0.01}, {"seed": 0, "learning_rate": 0.005}]
    own.append({"seed": 4, "learning_rate": 0.02, "initializer": "xavier"})
    if "penalty" in fields:
        own[0]["penalty"], own[1]["dropout"] = {"name": "l2", "strength": 0.1}, 0.4
    if fields.get("activation") == "leaky_relu":
        own[0]["activation"], own[2]["optimizer"] = {"name": "leaky_relu", "negative_slope": 0.3}, {"name": "adam", "beta1": 0.5}
    trials = [trial(**{**shared, **each}) for each in own]
    together = train(trials, digits, cpu)
    rtol = 1e-5 if dtype == "float32" else 1e-10
    for outcome in (train(trials[::-1], digits, cpu), *(train([each], digits, cpu) for each in trials)):
        for row, each in enumerate(outcome.trials):
            there = trials.index(each)
            for curve in ("loss", "train_loss", "validation_loss"):
                np.testing.assert_allclose(outcome.history[curve][row, -1], together.history[curve][there, -1], rtol=rtol)
            for name, weight in outcome.weights.items():
                close = {"rtol": 1e-3, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-8, "atol": 1e-10}
                np.testing.assert_allclose(weight[row], together.weights[name][there], **close)


def test_one_that_diverges_does_not_touch_the_others(digits: Dataset, cpu: torch.device) -> None:
    fields = {"batch_norm": "before", "dropout": 0.3, "steps": 60}
    good = [trial(**fields, seed=seed) for seed in (2, 5)]
    bad = trial(**fields, seed=3, learning_rate=1e308, initializer={"name": "normal", "std": 1e200})
    mixed, alone = train([good[0], bad, good[1]], digits, cpu), train(good, digits, cpu)
    assert [step > 0 for step in mixed.diverged] == [False, True, False]
    for name, weight in alone.weights.items():
        np.testing.assert_allclose(mixed.weights[name][[0, 2]], weight, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("fields", [{}, {"batch_norm": "before"}, {"activation": "sigmoid", "initializer": "xavier"}])
def test_the_ledgers_norms_are_autograds_and_factors_multiply(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    trials = [trial(**{"initializer": "he", **fields}, seed=seed) for seed in (0, 1)]
    stack = Stack(trials, digits, cpu)
    with torch.no_grad():
        stack.advance(10)
        found = {name: values.numpy() for name, values in snapshot(stack, stack.x[:20], stack.y[:20], (), True).items()}
    kinds = [layer.kind for layer in stack.network.layers]
    for row, each in enumerate(trials):
        model = module(each, weights_of(stack, row), digits.shape).train()
        flow, points = stack.x[:20], []
        for layer in model:
            flow = layer(flow)
            if flow.requires_grad:
                flow.retain_grad()
                points.append(flow)
        F.cross_entropy(flow, stack.y[:20]).backward()
        norms = [point.grad.norm().item() for point in points]
        np.testing.assert_allclose(found["gradient"][row], norms, rtol=1e-8)
        factors = found["gradient"][row, :-1] / found["gradient"][row, 1:]
        assert np.prod(factors) == pytest.approx(norms[0] / norms[-1], rel=1e-9)
        assert factors[kinds.index("flatten") - 1] == pytest.approx(1.0, rel=1e-12), "a reshape loses nothing"
        assert factors[kinds.index("pooling") - 1] <= 1 + 1e-12, "windows that do not overlap pass on what they get"
        acts = [point.detach() for point, kind in zip(points, kinds, strict=True) if kind == "activation"]
        np.testing.assert_allclose(found["mean"][row], [act.mean().item() for act in acts], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["std"][row], [act.std(correction=0).item() for act in acts], rtol=1e-9)
        channels = [act.transpose(0, 1).flatten(1) for act in acts]
        dead = [(act.amax(1) == act.amin(1)).double().mean().item() for act in channels]
        np.testing.assert_allclose(found["dead"][row], dead, atol=1e-7)
    np.testing.assert_allclose(found["histogram"].sum(-1), 1, rtol=1e-6)


def test_a_norm_is_of_one_trials_part(cpu: torch.device, digits: Dataset) -> None:
    layer = Stack([trial(seed=0), trial(seed=1)], digits, cpu).network.layers[0]
    images = torch.zeros(5, 8, 8, 8)
    images[:, :4], images[:, 4:] = 3.0, 4.0
    assert norm(layer.units(images, 2)).tolist() == pytest.approx([3 * math.sqrt(1280), 4 * math.sqrt(1280)])
    assert layer.units(images, 2).shape == (2, 4, 320)


@pytest.mark.parametrize("samples", [1, 19, 20, 21, 300])
def test_evaluation_in_chunks_is_sklearns(samples: int, digits: Dataset, cpu: torch.device) -> None:
    trials = [trial(seed=seed, batch_norm="after") for seed in (0, 1)]
    stack = Stack(trials, digits, cpu)
    with torch.no_grad():
        stack.advance(5)
        x, y = stack.x[-samples:], stack.y[-samples:]
        losses, accuracies = stack.evaluate(x, y)
        for row, each in enumerate(trials):
            probabilities = module(each, weights_of(stack, row), digits.shape)(x).softmax(1).numpy()
            assert losses[row].item() == pytest.approx(log_loss(y.numpy(), probabilities, labels=range(10)), rel=1e-10)
            assert accuracies[row].item() == pytest.approx(accuracy_score(y.numpy(), probabilities.argmax(1)), abs=1e-12)


@pytest.mark.parametrize("fields", [{}, {"batch_norm": "before", "optimizer": "adam"}, {"layers": "deep-cnn"}, {"dropout": 0.2}])
def test_footprint_covers_what_a_stack_holds(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    each = trial(**fields)
    stack = Stack([each], digits, cpu)
    with torch.no_grad():
        stack.advance(2)
    tensors = [stack.network.weights, stack.network.gradients, *stack.slots, stack.batch, *stack.buffers.values]
    tensors += [tensor for tensor in stack.buffers.gradients if tensor is not None]
    tensors += [block.scratch for _, blocks in stack.paces for block in blocks]
    tensors += [value for layer in stack.network.layers for value in vars(layer).values() if isinstance(value, Tensor)]
    held = sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
    assert held <= 1.1 * footprint(each, digits.shape, 10) <= 2 * held


def test_on_a_processor_large_networks_stand_alone_and_small_ones_together(cpu: torch.device) -> None:
    def widths(layers: Any, shape: tuple[int, ...]) -> list[int]:
        trials = [Trial(layers=layers, seed=seed) for seed in range(12)]
        return [len(stack) for stack in plan(trials, lambda _: (shape, 10), budget=budget(cpu))]

    assert widths("deep-cnn", (28, 28)) == [1] * 12
    assert widths("simple-cnn", (28, 28)) == [1] * 12
    assert widths(["conv 4 3x3", "maxpool 2"], (8, 8)) == [12]


def test_a_gpus_stack_may_take_a_quarter_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 2**30, 16 * 2**30))
    assert budget(torch.device("cuda")) == 2 * 2**30


def test_colours_come_in_the_order_of_the_data(cpu: torch.device) -> None:
    """Features of a colour image are its channels one after the other, and the layers see them so."""
    draw = np.random.default_rng(0)
    x, y = draw.random((40, 3 * 5 * 4), dtype=np.float32), draw.integers(0, 2, 40)
    data = Dataset(Data(name="digits"), x, y, x[:10], y[:10], ("a", "b"), (3, 5, 4))
    each = trial(layers=["conv 2 2x2"], steps=3)
    outcome = train([each, trial(layers=["conv 2 2x2"], steps=3, seed=9)], data, cpu)
    model = module(each, {name: value[0] for name, value in outcome.weights.items()})
    with torch.no_grad():
        probabilities = model(torch.from_numpy(x.reshape(40, 3, 5, 4)).double()).softmax(1).numpy()
    assert outcome.history["train_loss"][0, -1] == pytest.approx(log_loss(y, probabilities), rel=1e-9)


@pytest.mark.slow
def test_the_deep_cnn_learns_the_digits() -> None:
    each = Trial(layers="deep-cnn", optimizer="adam", learning_rate=0.001, steps=300)
    outcome = train([each], load(each.data), torch.device("cpu"))
    # eight seeds end between 0.967 and 0.986, and rounding moves each of them as far
    assert outcome.history["validation_accuracy"][0, -1] > 0.95 and outcome.history["train_loss"][0, -1] < 0.05
