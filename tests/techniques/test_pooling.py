"""Pooling by im2col against PyTorch's own functions and autograd, over drawn shapes, and by hand."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from koubai.techniques.pooling import average_pool, average_pool_backward, max_pool, max_pool_backward

Case = tuple[Tensor, dict[str, Any], int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Images, a window that fits them (padded by at most half of it, as PyTorch allows), and a seed."""
    filter = draw(st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    high, wide = (filter, filter) if isinstance(filter, int) else filter
    above, left = draw(st.integers(0, high // 2)), draw(st.integers(0, wide // 2))
    height, width = draw(st.integers(max(1, high - 2 * above), 9)), draw(st.integers(max(1, wide - 2 * left), 9))
    stride = draw(st.one_of(st.none(), st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    seed = draw(st.integers(0, 2**32))
    noise = torch.Generator().manual_seed(seed)
    x = torch.randn(draw(st.integers(1, 3)), draw(st.integers(1, 3)), height, width, dtype=torch.float64, generator=noise)
    return x, {"filter": filter, "stride": stride, "padding": (above, left)}, seed


def reference(function: Any, case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """PyTorch's output, a random gradient by it, and autograd's gradient by the input."""
    x, how, seed = case
    leaf = x.clone().requires_grad_()
    y = function(leaf, how["filter"], how["stride"], how["padding"])
    dy = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    (dx,) = torch.autograd.grad(y, leaf, dy)
    return y.detach(), dy, dx


@given(cases())
def test_max_pooling_is_max_pool2d_forward_and_backward(case: Case) -> None:
    want, dy, dx = reference(F.max_pool2d, case)
    y, chosen = max_pool(case[0], **case[1])
    assert torch.equal(y, want)
    torch.testing.assert_close(max_pool_backward(dy, chosen, case[0].shape, **case[1]), dx, rtol=1e-12, atol=1e-12)


@given(cases())
def test_average_pooling_is_avg_pool2d_forward_and_backward(case: Case) -> None:
    want, dy, dx = reference(F.avg_pool2d, case)
    torch.testing.assert_close(average_pool(case[0], **case[1]), want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(average_pool_backward(dy, case[0].shape, **case[1]), dx, rtol=1e-12, atol=1e-12)


def test_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, -1.0], [-1.0, -2.0, 5.0, 5.0], [-3.0, -4.0, 5.0, 5.0]]]])
    y, chosen = max_pool(x, 2)
    assert y.tolist() == [[[[4.0, 0.0], [-1.0, 5.0]]]]
    assert average_pool(x, 2).tolist() == [[[[2.5, -0.25], [-2.5, 5.0]]]]
    dx = max_pool_backward(torch.ones(1, 1, 2, 2), chosen, x.shape, 2)
    # of equals the first has the gradient, as in PyTorch
    assert dx.tolist() == [[[[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]
    assert average_pool_backward(torch.ones(1, 1, 2, 2), x.shape, 2).unique().tolist() == [0.25]
