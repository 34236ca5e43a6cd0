"""Pooling: a window slides over each channel of an image and keeps one number of each place, the largest or the mean.

Written by ``im2col``, as the notes' exercises do: the windows of every channel are rows, and what is kept of a row is its maximum
or its mean. Images are ``[sample, channel, height, width]``; the stride is the window's own size where none is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from koubai.techniques.convolution import col2im, im2col, output_sides, pair
from koubai.techniques.lazy import torch
from koubai.techniques.registry import Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

    from koubai.techniques.convolution import Sides


def windows(x: Tensor, filter: Sides, stride: Sides) -> Tensor:
    """The windows of every channel as rows ``[sample * channel * out_height * out_width, filter_height * filter_width]``."""
    return im2col(x.flatten(0, 1).unsqueeze(1), filter, stride)


def unwindowed(rows: Tensor, shape: Sequence[int], filter: Sides, stride: Sides, padding: Sides) -> Tensor:
    """The rows of ``windows`` added back into images of ``shape``."""
    samples, channels, height, width = shape
    return col2im(rows, (samples * channels, 1, height, width), filter, stride, padding).reshape(samples, channels, height, width)


def padded(x: Tensor, padding: Sides, value: float) -> Tensor:
    """``x`` with ``value`` around it."""
    above, left = pair(padding)
    return torch.nn.functional.pad(x, (left, left, above, above), value=value)


def max_pool(x: Tensor, filter: Sides, stride: Sides | None = None, padding: Sides = 0) -> tuple[Tensor, Tensor]:
    """``y = max`` over each window, and where in its row it stood (the first of equals). What pads is never the largest.

    Weakness: the gradient goes to one pixel of a window, and where it was within the window is forgotten.
    """
    stride = filter if stride is None else stride
    rows, across = output_sides(x.shape[2:], filter, stride, padding)
    largest, chosen = windows(padded(x, padding, -torch.inf), filter, stride).max(1)
    return largest.view(*x.shape[:2], rows, across), chosen


def max_pool_backward(
    dy: Tensor, chosen: Tensor, shape: Sequence[int], filter: Sides, stride: Sides | None = None, padding: Sides = 0
) -> Tensor:
    """``dx = dy`` at the pixel that was the largest, 0 at the others of its window."""
    high, wide = pair(filter)
    rows = dy.new_zeros(dy.numel(), high * wide).scatter_(1, chosen.unsqueeze(1), dy.reshape(-1, 1))
    return unwindowed(rows, shape, filter, filter if stride is None else stride, padding)


def average_pool(x: Tensor, filter: Sides, stride: Sides | None = None, padding: Sides = 0) -> Tensor:
    """``y = mean`` over each window; zeros that pad count too, as in ``torch.nn.AvgPool2d``. Weakness: it blurs."""
    stride = filter if stride is None else stride
    rows, across = output_sides(x.shape[2:], filter, stride, padding)
    return windows(padded(x, padding, 0.0), filter, stride).mean(1).view(*x.shape[:2], rows, across)


def average_pool_backward(
    dy: Tensor, shape: Sequence[int], filter: Sides, stride: Sides | None = None, padding: Sides = 0
) -> Tensor:
    """``dx``: each pixel of a window of ``n`` gets ``dy / n``."""
    high, wide = pair(filter)
    rows = (dy.reshape(-1, 1) / (high * wide)).expand(-1, high * wide)
    return unwindowed(rows.contiguous(), shape, filter, filter if stride is None else stride, padding)


POOLINGS = {
    "maxpool": Technique(
        max_pool,
        "maxpool",
        Words(
            "Keeps the largest value of each window: a small shift of the image changes little.",
            "各領域の最大値を残す。画像が少しずれても結果があまり変わらない。",
        ),
        r"y_{c,i,j} = \max_{u,v} x_{c,\,Si+u,\,Sj+v}",
        "notes, Section 4 (max pooling)",
    ),
    "avgpool": Technique(
        average_pool,
        "avgpool",
        Words("Keeps the mean of each window.", "各領域の平均値を残す。"),
        r"y_{c,i,j} = \frac{1}{F^2}\sum_{u,v} x_{c,\,Si+u,\,Sj+v}",
        "notes, Section 4 (average pooling)",
    ),
}
