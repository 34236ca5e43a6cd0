"""Clipping against PyTorch's own, a value by hand, the ends of float32, and whatever company a trial is in."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from koubai.techniques.clipping import clip_grad_norm

SHAPES = [(3, 4), (3, 1), (2, 3), (2, 1)]  # of a network's parameters
LENGTHS = st.one_of(st.floats(1e-6, 1e6), st.just(0.0))  # of a gradient, about


def drawn(trials: int, lengths: list[float], seed: int, dtype: torch.dtype) -> list[Tensor]:
    """Gradients of trials, one ``[trial, ...]`` a parameter."""
    draw = torch.Generator().manual_seed(seed)
    scale = torch.tensor(lengths, dtype=dtype).view(-1, 1, 1)
    return [torch.randn(trials, *shape, dtype=dtype, generator=draw) * scale for shape in SHAPES]


def clipped(gradients: list[Tensor], most: float | Tensor) -> list[Tensor]:
    """Copies of them, clipped."""
    copies = [g.clone() for g in gradients]
    clip_grad_norm(copies, most)
    return copies


@given(st.lists(st.tuples(LENGTHS, st.floats(1e-3, 1e3)), min_size=1, max_size=4), st.integers(0, 2**32), st.booleans())
def test_each_trial_is_clipped_as_pytorch_clips_it(rows: list[tuple[float, float]], seed: int, exact: bool) -> None:
    dtype = torch.float64 if exact else torch.float32
    gradients = drawn(len(rows), [length for length, _ in rows], seed, dtype)
    most = torch.tensor([limit for _, limit in rows], dtype=torch.float64)
    found = clipped(gradients, most)
    for row, (_, limit) in enumerate(rows):
        parameters = [nn.Parameter(torch.zeros_like(g[row])) for g in gradients]
        for parameter, g in zip(parameters, gradients, strict=True):
            parameter.grad = g[row].clone()
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        want = [parameter.grad for parameter in parameters]
        torch.testing.assert_close([g[row] for g in found], want, rtol=1e-11 if exact else 1e-5, atol=0)
        if norm < 0.999 * limit:
            assert all(torch.equal(g[row], before[row]) for g, before in zip(found, gradients, strict=True))


@given(st.lists(LENGTHS, min_size=2, max_size=5), st.integers(0, 2**32), st.data())
def test_bit_for_bit_the_same_alone_and_in_any_company(lengths: list[float], seed: int, data: st.DataObject) -> None:
    gradients = drawn(len(lengths), lengths, seed, torch.float32)
    together = clipped(gradients, torch.full((len(lengths),), 1.0, dtype=torch.float64))
    few = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True))
    apart = clipped([g[few] for g in gradients], 1.0)
    assert all(torch.equal(a, b[few]) for a, b in zip(apart, together, strict=True))


def test_by_hand() -> None:
    gradients = [torch.tensor([[[3.0, 0.0]], [[0.3, 0.0]]]), torch.tensor([[[4.0]], [[0.4]]])]  # of norms 5 and 0.5
    found = clipped(gradients, 1.0)
    assert found[0][0].flatten().tolist() == pytest.approx([0.6, 0]) and found[1][0].item() == pytest.approx(0.8)
    assert torch.equal(found[0][1], gradients[0][1]) and torch.equal(found[1][1], gradients[1][1])
    found = clipped(gradients, torch.tensor([10.0, 0.1]))
    assert torch.equal(found[0][0], gradients[0][0]) and found[1][1].item() == pytest.approx(0.08, rel=1e-4)


def test_gradients_whose_squares_leave_float32_keep_their_direction() -> None:
    found = clipped([torch.tensor([[[3e30, -4e30]]])], 1.0)
    assert found[0].flatten().tolist() == pytest.approx([0.6, -0.8])
    tiny = torch.tensor([[[3e-30, -4e-30]]])
    assert torch.equal(clipped([tiny], 1.0)[0], tiny)


def test_what_is_no_number_stays_so_in_its_own_trial() -> None:
    gradients = [torch.tensor([[[torch.nan, 1.0]], [[torch.inf, 1.0]], [[3.0, 4.0]]])]
    found = clipped(gradients, 1.0)[0]
    assert found[0, 0, 0].isnan() and not found[1, 0, 0].isfinite()
    assert found[2].flatten().tolist() == pytest.approx([0.6, 0.8])
