"""Dropout: the mask by hand, the backward by autograd, and the expectation that it keeps."""

from __future__ import annotations

import pytest
import torch

from koubai.techniques.dropout import dropout, dropout_backward


def test_drops_where_the_noise_is_below_the_rate_and_scales_the_rest() -> None:
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]], [[1.0, 2.0, 3.0, 4.0]]])
    noise = torch.tensor([[[0.0, 0.49, 0.5, 0.99]]]).expand(2, 1, 4)
    y, mask = torch.empty_like(x), torch.empty_like(x)
    dropout(x, noise, torch.tensor([0.5, 0.75]).view(-1, 1, 1), y, mask)
    assert y.tolist() == [[[0, 0, 6, 8]], [[0, 0, 0, 16]]]
    dropout(x, noise, 0.5, y, mask)
    assert y[1].tolist() == [[0, 0, 6, 8]]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_keeps_the_expectation(rate: float) -> None:
    count = 10**5
    noise = torch.rand(1, 1, count, generator=torch.Generator().manual_seed(0))
    y, mask = torch.empty(1, 1, count), torch.empty(1, 1, count)
    dropout(torch.ones(1, 1, count), noise, rate, y, mask)
    spread = (rate / (1 - rate) / count) ** 0.5
    assert y.mean().item() == pytest.approx(1, abs=5 * spread)
    assert (mask > 0).float().mean().item() == pytest.approx(1 - rate, abs=5 * (rate * (1 - rate) / count) ** 0.5)


def test_backward_is_that_of_autograd() -> None:
    draw = torch.Generator().manual_seed(0)
    x, dy, noise = (torch.rand(3, 4, 5, dtype=torch.float64, generator=draw) for _ in range(3))
    rate = torch.tensor([0.0, 0.3, 0.8], dtype=torch.float64).view(-1, 1, 1)
    y, dx, mask = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)
    dropout(x, noise, rate, y, mask)
    dropout_backward(dy, mask, dx)
    leaf = x.clone().requires_grad_()
    out = torch.where(noise >= rate, leaf / (1 - rate), 0)
    out.backward(dy)
    torch.testing.assert_close((y, dx), (out.detach(), leaf.grad), rtol=1e-12, atol=1e-12)
