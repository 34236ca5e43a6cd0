"""Batch normalization against ``torch.nn.BatchNorm1d``, in training and in evaluation; local response normalization against PyTorch's."""

from __future__ import annotations

import hypothesis.strategies as st
import torch
from hypothesis import given
from torch import Tensor, nn

from koubai.techniques.normalization import (
    EPS,
    MOMENTUM,
    batch_norm,
    batch_norm_backward,
    batch_norm_evaluated,
    local_response_norm,
    local_response_norm_backward,
    running,
)

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 30))  # trials, features, samples
SCALES = st.sampled_from([1e-3, 1.0, 1e3])


def layer(gamma: Tensor, beta: Tensor) -> nn.BatchNorm1d:
    """PyTorch's layer with one trial's scale and shift."""
    module = nn.BatchNorm1d(len(gamma), dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(gamma.flatten())
        module.bias.copy_(beta.flatten())
    return module


def test_constants_are_those_of_pytorch() -> None:
    module = nn.BatchNorm1d(1)
    assert (module.eps, module.momentum) == (EPS, MOMENTUM)


@given(SIZES, SCALES, st.floats(-100, 100), st.integers(0, 2**32))
def test_follows_pytorch(sizes: tuple[int, int, int], scale: float, offset: float, seed: int) -> None:
    trials, features, samples = sizes
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=draw)

    gamma, beta = normal(trials, features, 1), normal(trials, features, 1)
    modules = [layer(gamma[row], beta[row]) for row in range(trials)]
    mean, var = torch.zeros_like(gamma), torch.ones_like(gamma)
    for _ in range(3):
        x, dy = offset + scale * normal(*sizes), normal(*sizes)
        y, dx = torch.empty_like(x), torch.empty_like(x)
        d_gamma, d_beta = torch.empty_like(gamma), torch.empty_like(beta)
        batch_mean, batch_var, inverse = batch_norm(x, gamma, beta, y)
        running(batch_mean, batch_var, mean, var, samples)
        batch_norm_backward(dy, x, gamma, batch_mean, inverse, dx, d_gamma, d_beta)
        for row, module in enumerate(modules):
            leaf = x[row].T.clone().requires_grad_()  # [sample, feature]
            module.zero_grad()
            out = module(leaf)
            out.backward(dy[row].T)
            pairs = [
                (y[row].T, out.detach()), (dx[row].T, leaf.grad), (d_gamma[row, :, 0], module.weight.grad),
                (d_beta[row, :, 0], module.bias.grad), (mean[row, :, 0], module.running_mean), (var[row, :, 0], module.running_var),
            ]  # fmt: skip
            for got, want in pairs:
                torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-8)
    x = offset + scale * normal(trials, features, 5)
    y = torch.empty_like(x)
    batch_norm_evaluated(x, gamma, beta, mean, var, y)
    for row, module in enumerate(modules):
        torch.testing.assert_close(y[row].T, module.eval()(x[row].T).detach(), rtol=1e-9, atol=1e-9)


def test_a_unit_that_says_the_same_to_every_sample_makes_no_nan() -> None:
    x = torch.full((1, 1, 4), 7.0)
    y, dx = torch.empty_like(x), torch.empty_like(x)
    one = torch.ones(1, 1, 1)
    mean, _, inverse = batch_norm(x, one, 2 * one, y)
    batch_norm_backward(torch.ones_like(x), x, one, mean, inverse, dx, torch.empty_like(one), torch.empty_like(one))
    assert y.flatten().tolist() == [2, 2, 2, 2] and dx.flatten().tolist() == [0, 0, 0, 0]


@given(st.integers(1, 7), st.integers(1, 9), st.floats(0.5, 3), st.floats(0, 1), st.floats(0, 2), st.integers(0, 2**32))
def test_local_response_normalization_is_pytorchs_and_its_backward_autograds(
    channels: int, size: int, k: float, alpha: float, beta: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(2, channels, 3, 2, dtype=torch.float64, generator=draw) for _ in range(2))
    numbers = {"size": size, "k": k, "alpha": alpha, "beta": beta}
    leaf = x.clone().requires_grad_()
    want = nn.functional.local_response_norm(leaf, size, alpha * size, beta, k)
    torch.testing.assert_close(local_response_norm(x, **numbers), want.detach(), rtol=1e-10, atol=1e-10)
    (dx,) = torch.autograd.grad(want, leaf, dy)
    torch.testing.assert_close(local_response_norm_backward(dy, x, **numbers), dx, rtol=1e-9, atol=1e-9)


def test_local_response_normalization_of_one_channel_by_hand() -> None:
    # x / (2 + 1e-4 x^2)^0.75, the paper's numbers
    x = torch.full((1, 1, 1, 1), 100.0, dtype=torch.float64)
    assert abs(local_response_norm(x).item() - 100 / 3**0.75) < 1e-12
