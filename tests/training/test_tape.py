"""A step made of noted calls gives what the walk through the network gives, bit for bit, or is not made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from koubai.data import load
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS, OPTIMIZERS, PENALTIES
from koubai.techniques.activations import Activation
from koubai.techniques.registry import Words
from koubai.training.stack import Stack
from koubai.training.tape import Noted

IMAGES = ["conv 4 3x3 pad 1", "maxpool 2", "conv 3 3x3", "avgpool 2", "flatten", 6]
FIELDS: dict[str, dict[str, Any]] = {
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"optimizer {name}": {"optimizer": name} for name in OPTIMIZERS},
    **{f"penalty {name}": {"penalty": name} for name in PENALTIES},
    "batch norm": {"batch_norm": "before"},
    "dropout": {"dropout": 0.3},
    "batch norm and dropout": {"batch_norm": "after", "dropout": 0.3},
    "clipping": {"clip_grad_norm": 0.5},
    "a quantity": {"data": "diabetes"},
    "float64": {"dtype": "float64"},
    "bfloat16": {"dtype": "bfloat16"},
    "images": {"layers": IMAGES},
}


def stack(apart: bool = False, **fields: Any) -> Stack:
    base = {"layers": [6, 5], "batch_size": 10, "steps": 40, "learning_rate": 0.01, **fields}
    trials = [
        Trial(**{**base, "seed": k // 2, "initializer": ("he", "xavier")[k % 2], "learning_rate": 0.01 * (k * apart + 1)})
        for k in range(4)
    ]
    return Stack(trials, load(trials[0].data), torch.device("cpu"))


@torch.no_grad()
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_noted_calls_and_the_walk_give_the_same_numbers(name: str, apart: bool) -> None:
    noted, walked = stack(apart, **FIELDS[name]), stack(apart, **FIELDS[name])
    walked.noted.calls = []
    for steps in (1, 3, 4):
        assert torch.equal(noted.advance(steps), walked.advance(steps))
        # another walk in between, in the same buffers, leaves the steps as they are
        here, there = (each.evaluate(each.x[:10], each.y[:10]) for each in (noted, walked))
        assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
    assert torch.equal(noted.network.weights, walked.network.weights)
    for mine, theirs in zip(noted.network.layers, walked.network.layers, strict=True):
        assert all(torch.equal(value, theirs.state[key]) for key, value in mine.state.items())


@torch.no_grad()
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "identity"])
def test_the_networks_of_the_notes_train_by_noted_calls(name: str) -> None:
    noted = stack(activation=name)
    noted.advance(1)
    assert noted.noted.calls


@torch.no_grad()
def test_an_activation_that_goes_through_autograd_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "swish", Activation(lambda x: x * torch.sigmoid(x), "swish", Words("", ""), "", ""))
    walking = stack(activation="swish")
    assert walking.advance(3).isfinite().all() and walking.noted.calls == []


def unknown() -> None:
    raise AssertionError


def test_calls_do_again_what_the_function_did() -> None:
    x, y = torch.arange(6.0).view(2, 3), torch.zeros(3, 2)

    def function() -> None:
        torch.mul(x.mT, 2, out=y)
        y[0].add_(1)

    noted = Noted()
    noted(function)
    assert y.tolist() == [[1, 7], [2, 8], [4, 10]] and noted.calls and len(noted.calls) == 2
    x.add_(1)
    noted(unknown)
    assert y.tolist() == [[3, 9], [4, 10], [6, 12]]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.copy_(x + 1),  # what is added up lies in memory of its own
        lambda x: x.mul_(float(x.sum())),
        lambda x: x.fill_(x[0].item()),
        lambda x: x.add_(1) if x[0] > 0 else x.sub_(1),
        lambda x: x.copy_(torch.rand(3)),
        lambda x: torch.sort(x, out=(x, torch.empty(3, dtype=torch.int64))),
        lambda x: x.copy_(x.tolist()[0] * x),
    ],
)
def test_where_calls_alone_would_not_do_there_are_none(function: Callable[[Tensor], Any]) -> None:
    x, noted = torch.ones(3), Noted()
    noted(lambda: function(x))
    assert noted.calls == []
