"""Every initializer: moments over 1e5 draws against the formula, and draw for draw against ``torch.nn.init``."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from koubai.techniques import INITIALIZERS

every = pytest.mark.parametrize("name", list(INITIALIZERS))

OUT, IN = 250, 400  # 1e5 weights
# mean and standard deviation, worked out from the notes' formulas at the default numbers
MOMENTS = {
    "zeros": (0.0, 0.0),
    "constant": (0.1, 0.0),
    "normal": (0.0, 0.01),
    "xavier": (0.0, 0.05),  # 1 / sqrt(400)
    "glorot": (0.0, 0.05547001962252291),  # sqrt(2 / 650)
    "he": (0.0, 0.07071067811865475),  # sqrt(2 / 400)
    "orthogonal": (0.0, 0.05),  # 250 rows of length 1 over 400 columns
}


def normals(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def weights(name: str, normal: Tensor, **numbers: Any) -> Tensor:
    field = math.prod(normal.shape[2:])
    fans = normal.shape[1] * field, normal.shape[0] * field
    return INITIALIZERS[name](normal, *fans, **{**INITIALIZERS[name].defaults(), **numbers})


@every
def test_moments_are_those_of_the_formula(name: str) -> None:
    mean, std = MOMENTS[name]
    w = weights(name, normals(OUT, IN))
    assert w.numel() == 10**5
    assert abs(w.mean().item() - mean) <= 5 * std / math.sqrt(w.numel()) + 1e-15
    assert w.std(correction=0).item() == pytest.approx(std, rel=5 / math.sqrt(2 * w.numel()), abs=1e-15)


@every
@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (1, 9), (4, 3, 2, 2)])
def test_is_a_pure_function_of_the_draws(name: str, shape: tuple[int, ...], untouched: None) -> None:
    draws = normals(*shape)
    first, again, other = weights(name, draws), weights(name, normals(*shape)), weights(name, normals(*shape, seed=1))
    assert torch.equal(draws, normals(*shape)), "the draws are shared and must not be changed"
    assert first.shape == shape and first.dtype == torch.float64 and first.isfinite().all()
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (MOMENTS[name][1] == 0)


@pytest.mark.parametrize(
    ("name", "filled"),
    [
        ("zeros", lambda w, generator: nn.init.zeros_(w)),
        ("constant", lambda w, generator: nn.init.constant_(w, 0.1)),
        ("normal", lambda w, generator: nn.init.normal_(w, std=0.01, generator=generator)),
        ("glorot", nn.init.xavier_normal_),
        ("he", lambda w, generator: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=generator)),
        ("xavier", lambda w, generator: nn.init.kaiming_normal_(w, nonlinearity="linear", generator=generator)),
        ("orthogonal", nn.init.orthogonal_),
    ],
)
@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (16, 3, 5, 5)])
def test_follows_torch_draw_for_draw(name: str, filled: Any, shape: tuple[int, ...]) -> None:
    w = torch.empty(shape, dtype=torch.float64)
    filled(w, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(weights(name, normals(*shape)), w, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (30, 30), (6, 2, 3, 3)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    w = weights("orthogonal", normals(*shape), gain=1.5).reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    torch.testing.assert_close(gram, 2.25 * torch.eye(len(gram), dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.svdvals(w), torch.full((len(gram),), 1.5, dtype=torch.float64), rtol=0, atol=1e-12)


def test_numbers_scale() -> None:
    draws = normals(3, 4)
    assert torch.equal(weights("normal", draws, std=2.0), 2 * draws)
    assert torch.equal(weights("constant", draws, value=-0.5), torch.full((3, 4), -0.5, dtype=torch.float64))
    torch.testing.assert_close(weights("he", draws), weights("xavier", draws) * math.sqrt(2))
