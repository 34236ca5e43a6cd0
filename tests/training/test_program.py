"""A step as a program gives what Python's steps give, bit for bit, or there is none."""

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
from koubai.training.program import Program, compiled
from koubai.training.stack import Stack

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


def stack(*, apart: bool = False, **fields: Any) -> Stack:
    base = {"layers": [6, 5], "batch_size": 10, "steps": 40, "learning_rate": 0.01, **fields}
    trials = [
        Trial(**{**base, "seed": k // 2, "initializer": ("he", "xavier")[k % 2], "learning_rate": 0.01 * (k * apart + 1)})
        for k in range(4)
    ]
    return Stack(trials, load(trials[0].data), torch.device("cpu"))


def by_python(**fields: Any) -> Stack:
    made = stack(**fields)
    made.program = Program(notes=False)
    return made


@torch.no_grad()
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_programs_and_python_give_the_same_numbers(name: str, apart: bool) -> None:
    program, python = stack(apart=apart, **FIELDS[name]), by_python(apart=apart, **FIELDS[name])
    for steps in (1, 3, 4):
        assert torch.equal(program.advance(steps), python.advance(steps))
        # another walk in between, in the same buffers, leaves the steps as they are
        here, there = (each.evaluate(each.x[:10], each.y[:10]) for each in (program, python))
        assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
    assert program.program.run
    mine, theirs = program.state(), python.state()
    assert list(mine) == list(theirs)
    assert all(torch.equal(value, theirs[key]) for key, value in mine.items())


@torch.no_grad()
def test_with_an_activation_of_somebody_else_python_makes_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does beside PyTorch's operations, in NumPy or in a counter of its own, would be seen by nobody."""

    def swish(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    monkeypatch.setitem(ACTIVATIONS, "swish", Activation(swish, "swish", Words("", ""), "", ""))
    made = stack(activation="swish")
    assert made.advance(3).isfinite().all() and made.program.run is None


TABLE = torch.arange(1.0, 13.0).view(4, 3)


def test_a_program_does_what_the_function_did() -> None:
    y, sums = torch.zeros(3, 3), torch.zeros(4, 3)

    def function(row: Tensor, into: Tensor) -> None:
        torch.mul(row, 2, out=y[1])
        y[0].add_(y.mT[:, 1] + 1)
        first, second, _ = (row * 10).split([1, 1, 1])
        into.copy_(y.sum(0) + torch.cat([first, second, second]))

    program, calls = Program(), []

    def counted(*row: Tensor) -> None:
        calls.append(1)
        function(*row)

    program(counted, [TABLE[:3], sums[:3]])
    program(counted, [TABLE[3:], sums[3:]])
    assert program.run and len(calls) == 2
    # worked out by hand: of each row twice itself, the sum so far of twice itself and 1, and ten times its first or second
    double, so_far = 2 * TABLE, (2 * TABLE + 1).cumsum(0)
    assert torch.equal(sums, double + so_far + 10 * TABLE[:, [0, 1, 1]])


@pytest.mark.parametrize(
    "function",
    [
        lambda x, row: x.mul_(float(row.sum())),
        lambda x, row: x.fill_(x[0].item() + row[0]),
        lambda x, row: x.add_(1) if x[0] > 30 else x.mul_(row),
        lambda x, row: x.add_(row) if torch.equal(x, row) else x.sub_(row),
        lambda x, row: x.copy_(row[row > 2].sum()),
    ],
)
def test_where_operations_alone_would_not_do_there_is_none(function: Callable[[Tensor, Tensor], Any]) -> None:
    program, x, y = Program(), torch.ones(3), torch.ones(3)
    program(lambda row: function(x, row), [TABLE])
    for row in TABLE:
        function(y, row)
    assert torch.equal(x, y) and program.run is None


def test_what_is_told_of_what_nothing_changes_stays() -> None:
    program, x, number = Program(), torch.ones(3), torch.tensor(0.5, dtype=torch.float64)
    program(lambda row: x.add_(row, alpha=float(number)), [TABLE])
    assert program.run and torch.equal(x, 1 + 0.5 * TABLE.sum(0))


def test_draws_come_from_the_generators_that_were_there() -> None:
    program, x, here, there = Program(), torch.empty(3), torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    seen = torch.empty(4, 3)
    program(lambda row, into: into.copy_(x.uniform_(generator=here)), [TABLE, seen])
    assert program.run and torch.equal(seen, torch.rand(12, generator=there).view(4, 3))
    assert torch.equal(here.get_state(), there.get_state())


def test_without_torchscript_python_makes_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.jit, "CompilationUnit")
    compiled.cache_clear()
    program, x = Program(), torch.zeros(3)
    program(lambda row: x.add_(row).mul_(1.125), [TABLE])
    assert program.run is None and x[0] > 0


def test_a_tensor_that_becomes_another_takes_its_views_along() -> None:
    program, buffer, sums = Program(), torch.empty(3), torch.zeros(4)

    def function(row: Tensor, total: Tensor) -> None:
        buffer.set_(row * 2)  # type: ignore[call-overload]
        total.copy_(buffer[1:].sum())

    program(function, [TABLE, sums])
    assert program.run and torch.equal(sums, 2 * TABLE[:, 1:].sum(1))
