"""Every schedule against ``torch.optim.lr_scheduler``, or against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch.optim import lr_scheduler

from koubai.techniques import SCHEDULES

every = pytest.mark.parametrize("name", list(SCHEDULES))


def shares(name: str, total: int, **numbers: float) -> torch.Tensor:
    t = torch.arange(total, dtype=torch.float64)
    return SCHEDULES[name](t, total, **{**SCHEDULES[name].defaults(), **numbers})


def by_torch(total: int, make: Callable[[torch.optim.Optimizer], Any]) -> list[float]:
    """The learning rates that a torch scheduler gives, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("name", "numbers", "make"),
    [
        ("constant", {}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ("step", {"every": 7, "factor": 0.3}, lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.3)),
        ("exponential", {"final": 0.05}, lambda o: lr_scheduler.ExponentialLR(o, gamma=0.05 ** (1 / 50))),
        ("inverse_time", {"decay": 0.2}, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t))),
        ("cosine", {}, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=50)),
        ("warmup", {"steps": 20}, lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 20, total_iters=19)),
    ],
)
def test_follows_torch(name: str, numbers: dict[str, float], make: Callable[[torch.optim.Optimizer], Any]) -> None:
    assert shares(name, 50, **numbers).tolist() == pytest.approx(by_torch(50, make), rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    assert shares("step", 2500).tolist()[::500] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert shares("exponential", 200)[[0, 100]].tolist() == pytest.approx([1, 0.1])
    assert shares("inverse_time", 201)[[0, 100, 200]].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert shares("warmup", 200)[[0, 49, 99, 150]].tolist() == pytest.approx([0.01, 0.5, 1, 1])
    # four steps of warm-up, then half a cosine over the remaining eight
    assert shares("cosine", 12, warmup=4).tolist() == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 1.0, 0.9619397663, 0.8535533906, 0.6913417162, 0.5, 0.3086582838, 0.1464466094, 0.0380602337]
    )
    assert shares("cosine", 5, warmup=100).tolist() == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05])


@every
def test_is_a_share_of_the_rate_whatever_the_numbers(name: str) -> None:
    technique = SCHEDULES[name]

    @given(st.integers(1, 3000), st.data())
    def check(total: int, data: st.DataObject) -> None:
        numbers = {}
        for key, number in technique.numbers.items():
            low, high = (float(end) for end in number.interval[1:-1].split(","))
            drawn = (
                st.integers(int(low), 10**6).map(float) if number.whole else st.floats(low, min(high, 1e6)).filter(number.accepts)
            )
            numbers[key] = data.draw(drawn)
        found = shares(name, total, **numbers)
        assert found.shape == (total,) and found.dtype == torch.float64
        assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1
        part = torch.arange(total // 2, total, dtype=torch.float64)  # asked for in parts, the answer is the same
        torch.testing.assert_close(technique(part, total, **numbers), found[total // 2 :], rtol=1e-14, atol=0)

    check()
