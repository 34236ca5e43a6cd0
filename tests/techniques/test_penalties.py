"""Every penalty's gradient against autograd through its formula, by hand, at zero, and where powers overflow."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from koubai.techniques import PENALTIES

# what is added to the loss of one network, all its weights in one row
FORMULAS: dict[str, Callable[..., Tensor]] = {
    "none": lambda w: 0 * w.sum(),
    "l2": lambda w, strength: strength / 2 * (w**2).sum(),
    "l1": lambda w, strength: strength * w.abs().sum(),
    "lp": lambda w, strength, p: strength / p * (w.abs() ** p).sum() ** (1 / p),
}
STRENGTHS = st.floats(0, 10)
ORDERS = st.floats(1, 6)


def added(name: str, weights: list[Tensor], **numbers: float | Tensor) -> list[Tensor]:
    """What the penalty adds to gradients that were 1 before."""
    gradients = [torch.ones_like(w) for w in weights]
    PENALTIES[name](weights, gradients, **numbers)
    return [g - 1 for g in gradients]


@pytest.mark.parametrize("name", list(PENALTIES))
def test_gradient_is_that_of_the_formula(name: str) -> None:
    assert name in FORMULAS, f"write the formula of {name} here"

    @given(st.integers(1, 3), st.integers(0, 2**32), st.data())
    def check(trials: int, seed: int, data: st.DataObject) -> None:
        draw = torch.Generator().manual_seed(seed)
        shapes = [(trials, 3, 2), (trials, 1, 3)]
        weights = [torch.randn(shape, dtype=torch.float64, generator=draw) for shape in shapes]
        drawn = {"strength": STRENGTHS, "p": ORDERS}
        numbers = {key: data.draw(st.lists(drawn[key], min_size=trials, max_size=trials)) for key in PENALTIES[name].numbers}
        stacked = {key: torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for key, values in numbers.items()}
        found = added(name, weights, **stacked)
        for row in range(trials):
            mine = {key: values[row] for key, values in numbers.items()}
            leaves = [w[row].clone().requires_grad_() for w in weights]
            FORMULAS[name](torch.cat([leaf.flatten() for leaf in leaves]), **mine).backward()
            for got, leaf in zip(found, leaves, strict=True):
                torch.testing.assert_close(got[row], leaf.grad, rtol=1e-9, atol=1e-12)
            alone = added(name, [w[row : row + 1] for w in weights], **mine)
            torch.testing.assert_close(alone, [got[row : row + 1] for got in found], rtol=1e-9, atol=1e-12)

    check()


def test_by_hand() -> None:
    w = torch.tensor([[[3.0, -4.0, 0.0]]], dtype=torch.float64)
    for name, numbers, want in [
        ("none", {}, [0, 0, 0]),
        ("l2", {"strength": 0.5}, [1.5, -2, 0]),
        ("l1", {"strength": 0.5}, [0.5, -0.5, 0]),
        ("lp", {"strength": 0.5, "p": 2.0}, [0.15, -0.2, 0]),  # 0.25 w / |w|_2 with |w|_2 = 5
        ("lp", {"strength": 0.5, "p": 1.0}, [0.5, -0.5, 0]),  # the L1 penalty
        ("lp", {"strength": 3.0, "p": 3.0}, [9 / 91 ** (2 / 3), -16 / 91 ** (2 / 3), 0]),  # |w|_3^3 = 27 + 64
    ]:
        assert added(name, [w], **numbers)[0].flatten().tolist() == pytest.approx(want, rel=1e-12, abs=1e-15), (name, numbers)


@pytest.mark.parametrize("name", list(PENALTIES))
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 7.0, 300.0])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
def test_finite_at_zero_and_at_the_ends_of_float32(name: str, p: float, size: float) -> None:
    numbers = {key: {"strength": 1e-3, "p": p}[key] for key in PENALTIES[name].numbers}
    weights = [torch.tensor([[[size, -size, 0.0]]]), torch.zeros(1, 1, 2)]
    gradients = added(name, weights, **numbers)
    assert all(g.isfinite().all() for g in gradients)
    assert gradients[0][0, 0, 2] == 0 and (gradients[1] == 0).all()
    if size == 0:
        assert (gradients[0] == 0).all()


def test_lp_is_a_norm_over_all_layers_together() -> None:
    one, two = torch.full((1, 1, 1), 3.0, dtype=torch.float64), torch.full((1, 1, 1), 4.0, dtype=torch.float64)
    found = added("lp", [one, two], strength=2.0, p=2.0)
    assert [g.item() for g in found] == pytest.approx([0.6, 0.8])
