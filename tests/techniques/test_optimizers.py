"""Every optimizer against ``torch.optim`` for 200 steps, the notes' own forms against scalars written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from koubai.techniques import OPTIMIZERS, Block

every = pytest.mark.parametrize("name", list(OPTIMIZERS))

STEPS = 200
Numbers = Mapping[str, Any]

# torch's counterpart of each optimizer, for the numbers under which both mean the same
TORCH: dict[str, tuple[Numbers, Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ({}, torch.optim.SGD),
    "momentum": ({"momentum": 0.8}, lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.8)),
    "nesterov": ({"momentum": 0.8}, lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.8, nesterov=True)),
    "adagrad": ({"eps": 1e-10, "initial_accumulator": 0.0}, torch.optim.Adagrad),
    "rmsprop": (
        {"alpha": 0.9, "eps": 1e-8, "initial_accumulator": 0.0},
        lambda groups, lr: torch.optim.RMSprop(groups, lr=lr, alpha=0.9, eps=1e-8),
    ),
    "adam": (
        {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6},
        lambda groups, lr: torch.optim.Adam(groups, lr=lr, betas=(0.8, 0.95), eps=1e-6),
    ),
    "adamw": (
        {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1},
        lambda groups, lr: torch.optim.AdamW(groups, lr=lr, weight_decay=0.1),
    ),
}


def slope(w: Tensor) -> Tensor:
    """The gradient of ``sum w^2 / 20 + 1 - cos(3 w)``: a bowl with bumps, different in every coordinate by where it starts."""
    return w / 10 + 3 * torch.sin(3 * w)


def starts(trials: int) -> tuple[Tensor, Tensor]:
    """A weight ``[trial, 3, 4]`` and a bias ``[trial, 3, 1]``."""
    draw = torch.Generator().manual_seed(7)
    return tuple(3 * torch.randn(trials, 3, width, dtype=torch.float64, generator=draw) for width in (4, 1))  # type: ignore[return-value]


def follow(
    name: str, weights: tuple[Tensor, Tensor], rate: Tensor, numbers: Mapping[str, Tensor], steps: int = STEPS
) -> list[Tensor]:
    """Where the optimizer takes weight and bias, after every step."""
    optimizer = OPTIMIZERS[name]
    blocks = []
    for tensor, decays in zip(weights, (True, False), strict=True):
        slots = tuple(torch.zeros_like(tensor) for _ in optimizer.slots)
        for slot, start in zip(slots, optimizer.slots.values(), strict=True):
            slot.copy_(numbers[start] if isinstance(start, str) else torch.tensor(start))
        blocks.append(Block(tensor.clone(), torch.empty_like(tensor), slots, torch.full_like(tensor, torch.nan), decays))
    path = []
    for t in range(1, steps + 1):
        for block in blocks:
            block.gradient.copy_(slope(block.weight))
        optimizer(blocks, step(t), rate, **numbers)
        path.append(torch.cat([block.weight.flatten(1) for block in blocks], 1))
    return path


def step(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


def tensors(numbers: Numbers) -> dict[str, Tensor]:
    return {key: torch.tensor(value, dtype=torch.float64) for key, value in numbers.items()}


@every
@pytest.mark.parametrize("rate", [0.001, 0.03])
def test_follows_torch_for_200_steps(name: str, rate: float) -> None:
    assert name in TORCH, f"give {name} its counterpart in torch.optim here, or an independent one"
    numbers, make = TORCH[name]
    ours = follow(name, starts(2), torch.tensor(rate, dtype=torch.float64), tensors(numbers))
    weight, bias = (tensor.clone().requires_grad_() for tensor in starts(2))
    groups: list[dict[str, Any]] = [{"params": [weight]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = make(groups, lr=rate)
    for t, mine in enumerate(ours, 1):
        for tensor in (weight, bias):
            tensor.grad = slope(tensor.detach())
        optimizer.step()
        theirs = torch.cat([weight.detach().flatten(1), bias.detach().flatten(1)], 1)
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9, msg=lambda text, t=t: f"step {t}: {text}")
    assert (ours[-1] - ours[0]).abs().min() > 1e-4, "nothing moved, so nothing was compared"


@every
def test_one_number_for_all_or_one_a_trial_or_trials_alone(name: str) -> None:
    """Trials with different numbers in one stack go where each goes by itself, and equal numbers may be given once."""
    optimizer, weights = OPTIMIZERS[name], starts(3)
    rates = [0.01, 0.02, 0.005]
    each = [{key: value * factor for key, value in optimizer.defaults().items()} for factor in (1.0, 0.9, 0.5)]
    stacked = {key: torch.tensor([numbers[key] for numbers in each], dtype=torch.float64).view(-1, 1, 1) for key in each[0]}
    together = follow(name, weights, torch.tensor(rates, dtype=torch.float64).view(-1, 1, 1), stacked)[-1]
    for row, numbers in enumerate(each):
        mine = (weights[0][row : row + 1], weights[1][row : row + 1])
        alone = follow(name, mine, torch.tensor(rates[row], dtype=torch.float64), tensors(numbers))[-1]
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-9, atol=1e-12)


@every
@pytest.mark.parametrize("rates", [0.01, [[[0.01]], [[0.003]]]], ids=["a rate for all", "rates of their own"])
def test_float32_weights_stay_close_to_float64_ones(name: str, rates: Any) -> None:
    weights, rate = starts(2), torch.tensor(rates, dtype=torch.float64)
    numbers = tensors(OPTIMIZERS[name].defaults())
    exact = follow(name, weights, rate, numbers, 50)[-1]
    single = follow(name, (weights[0].float(), weights[1].float()), rate, numbers, 50)[-1]
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-4)


@every
def test_a_gradient_of_0_moves_nothing_and_makes_no_nan(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    numbers = tensors(optimizer.defaults())
    slots = tuple(torch.full((1, 2, 2), float(numbers[s]) if isinstance(s, str) else s) for s in optimizer.slots.values())
    block = Block(torch.ones(1, 2, 2), torch.zeros(1, 2, 2), slots, torch.empty(1, 2, 2), False)
    for t in (1, 2, 10**9):
        optimizer([block], step(t), torch.tensor(0.1, dtype=torch.float64), **numbers)
    assert torch.equal(block.weight, torch.ones(1, 2, 2))


@pytest.mark.parametrize("name", ["adagrad", "rmsprop"])
@pytest.mark.parametrize("theta", [None, 0.1])
def test_the_notes_own_form_starts_at_theta(name: str, theta: float | None) -> None:
    """``h_0 = theta``, and theta beside the root: written out with Python's floats, one coordinate at a time."""
    given = {} if theta is None else {"eps": theta}
    numbers = OPTIMIZERS[name].complete(given)
    small, rate, keep = (1e-8 if theta is None else theta), 0.02, 0.99
    path = follow(name, starts(1), torch.tensor(rate, dtype=torch.float64), tensors(numbers))
    for place, w in enumerate(torch.cat([tensor.flatten() for tensor in starts(1)]).tolist()):
        h = small
        for t in range(STEPS):
            g = w / 10 + 3 * math.sin(3 * w)
            h = h + g * g if name == "adagrad" else keep * h + (1 - keep) * g * g
            w -= rate * g / (math.sqrt(h) + small)
            assert path[t][0, place].item() == pytest.approx(w, rel=1e-6, abs=1e-9)


def test_momentum_as_the_notes_write_it_under_a_changing_rate() -> None:
    """``V = mu V - eps g``: the rate stands inside the velocity, so a later rate does not rescale earlier gradients."""
    block = Block(torch.tensor([[[1.0]]]), torch.tensor([[[1.0]]]), (torch.zeros(1, 1, 1),), torch.empty(1, 1, 1), True)
    for t, (rate, w) in enumerate([(0.5, 0.5), (0.0, 0.25), (0.25, -0.125)], 1):  # V: -0.5, -0.25, -0.375
        OPTIMIZERS["momentum"](
            [block], step(t), torch.tensor(rate, dtype=torch.float64), momentum=torch.tensor(0.5, dtype=torch.float64)
        )
        assert block.weight.item() == w


def test_adamw_decays_weights_and_not_biases() -> None:
    numbers = tensors({**OPTIMIZERS["adamw"].defaults(), "weight_decay": 0.5})
    for decays, left in ((True, 0.95), (False, 1.0)):
        slots = (torch.zeros(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64))
        one = torch.ones(1, 1, 1, dtype=torch.float64)
        block = Block(one, torch.zeros_like(one), slots, torch.empty_like(one), decays)
        OPTIMIZERS["adamw"]([block], step(1), torch.tensor(0.1, dtype=torch.float64), **numbers)
        assert block.weight.item() == pytest.approx(left, rel=1e-15)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("count", [1, 7, 64, 100_003])
def test_the_library_kernel_follows_the_formula(name: str, count: int) -> None:
    """float32, which the library's kernel updates where the numbers are shared, against the formula in float64."""
    draw = torch.Generator().manual_seed(0)
    numbers = tensors({**OPTIMIZERS[name].defaults(), "beta1": 0.8, "eps": 1e-3})
    start = torch.randn(1, count, dtype=torch.float64, generator=draw)
    blocks = [
        Block(w, torch.empty_like(w), (torch.zeros_like(w), torch.zeros_like(w)), torch.empty_like(w), True)
        for w in (start.clone(), start.float())
    ]
    for t in range(1, 8):
        g = torch.randn(1, count, dtype=torch.float64, generator=draw)
        for block in blocks:
            block.gradient.copy_(g)
            OPTIMIZERS[name]([block], step(t), torch.tensor(0.01, dtype=torch.float64), **numbers)
    exact, kernel = (block.weight.double() for block in blocks)
    torch.testing.assert_close(kernel, exact, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(exact, start, atol=1e-3)
