"""Augmentations against values worked out by hand, NumPy's own moves, and a plain resize."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch.nn import functional as F

from koubai.techniques import AUGMENTATIONS

SIDES = st.integers(1, 9)


def images(samples: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(samples, channels, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def noise(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_flip_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]).repeat(2, 1, 1, 1)
    flipped = AUGMENTATIONS["flip"](x, noise([0.49], [0.5]), chance=0.5)
    assert flipped[0, 0].tolist() == [[3, 2, 1], [6, 5, 4]] and torch.equal(flipped[1], x[1])


def test_shift_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]).repeat(3, 1, 1, 1)
    shifted = AUGMENTATIONS["shift"](x, noise([0.0, 0.5], [0.5, 0.99], [0.5, 0.5]), reach=0.5)
    assert shifted[0, 0].tolist() == [[3, 4], [0, 0]], "one up"
    assert shifted[1, 0].tolist() == [[0, 1], [0, 3]], "one to the right"
    assert torch.equal(shifted[2], x[2])


@given(
    SIDES,
    SIDES,
    st.sampled_from([1, 3]),
    st.floats(0, 0.99),
    st.lists(st.tuples(*[st.floats(0, 0.999)] * 2), min_size=1, max_size=4),
)
def test_shift_moves_and_fills_with_black(
    height: int, width: int, channels: int, reach: float, drawn: list[tuple[float, float]]
) -> None:
    x = images(len(drawn), channels, height, width)
    shifted = AUGMENTATIONS["shift"](x, noise(*map(list, drawn)), reach=reach)
    assert shifted.shape == x.shape
    for image, moved, draw in zip(x.numpy(), shifted.numpy(), drawn, strict=True):
        a, b = (int(u * (2 * int(reach * s) + 1)) - int(reach * s) for u, s in zip(draw, (height, width), strict=True))
        want = np.roll(image, (a, b), (1, 2))  # what went round the edge is black
        want[:, slice(0, a) if a > 0 else slice(height + a, height)] = 0
        want[:, :, slice(0, b) if b > 0 else slice(width + b, width)] = 0
        np.testing.assert_array_equal(moved, want)


def test_a_crop_of_the_whole_is_the_image_and_a_quarter_is_what_a_resize_gives() -> None:
    x = images(1, 3, 8, 8)
    torch.testing.assert_close(AUGMENTATIONS["crop"](x, noise([0.5, 0.1, 0.9]), least=1.0), x)
    quarter = AUGMENTATIONS["crop"](x, noise([0.0, 0.0, 1.0]), least=0.5)  # the upper right one
    want = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :8, 8:]
    torch.testing.assert_close(quarter, want)


def test_a_crop_lies_where_the_noise_says() -> None:
    """Brightness that grows downward and to the right tells where a pixel came from: ``q + s t``."""
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    x = torch.stack([centres.view(-1, 1).expand(16, 16), centres.expand(16, 16)])[None]
    u = [0.25, 0.75, 0.4]
    share = 0.5 + 0.5 * u[0]
    made = AUGMENTATIONS["crop"](x, noise(u), least=0.5)
    torch.testing.assert_close(made[0, 0, :, 0], u[1] * (1 - share) + share * centres)
    torch.testing.assert_close(made[0, 1, 0], u[2] * (1 - share) + share * centres)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_image_has_its_own_noise_and_the_input_stays(name: str) -> None:
    """A batch is what its images are alone; every one of them keeps its shape and its range of values."""
    technique = AUGMENTATIONS[name]
    x, drawn = images(6, 3, 9, 8), torch.rand(6, technique.draws, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    before = x.clone()
    together = technique(x, drawn, **technique.defaults())
    assert torch.equal(x, before) and together.shape == x.shape and not torch.equal(together, x)
    assert together.min() >= 0 and together.max() <= x.max()
    for k in range(6):
        torch.testing.assert_close(technique(x[k : k + 1], drawn[k : k + 1], **technique.defaults())[0], together[k])
