r"""Convolution: a small filter slides over an image, the same weights at every place.

The notes' way is written out here: ``im2col`` lays the patches under the filter out as rows of a two-dimensional array, one
matrix product does the rest, and ``col2im`` adds the rows' gradients back into an image. Images are
``[sample, channel, height, width]``, filters ``[out, channel, height, width]``. A filter, a stride or a padding is one number for
both sides or a pair ``(height, width)``. The layer that trains (``networks.images``) uses the library's kernels; the tests hold it
equal to these few lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Technique, Words

if TYPE_CHECKING:
    from torch import Tensor

    Sides = int | tuple[int, int]


class ImpossibleSize(ValueError):
    """A convolution that cannot be: one sentence, in both languages."""

    def __init__(self, en: str, ja: str) -> None:
        super().__init__(en)
        self.words = Words(en, ja)


def output_size(size: int, filter: int, stride: int = 1, padding: int = 0) -> int:
    r"""The side of a convolution's output: ``(H + 2P - F) / S + 1``, rounded down.

    ``H`` is the side of the input (``size``), ``F`` that of the filter, ``S`` the stride, ``P`` the padding on each side. As in
    ``torch.nn.Conv2d``, where the stride does not come out even the last rows and columns are left over. Raises ``ImpossibleSize``
    (a ``ValueError``). Source: notes, Section 4 and the last review question.

    >>> output_size(6, 2, stride=1, padding=1)
    7
    """
    least = {"size": (size, 1), "filter": (filter, 1), "stride": (stride, 1), "padding": (padding, 0)}
    for name, (value, low) in least.items():
        if value < low:
            raise ImpossibleSize(
                f"The {name} must be at least {low}, not {value}.", f"{name} は {low} 以上にしてください: {value}"
            )
    if filter > size + 2 * padding:
        raise ImpossibleSize(
            f"A filter of {filter} does not fit an input of {size} with padding {padding}, which is {size + 2 * padding} wide.",
            f"サイズ {filter} のフィルタは、入力 {size}、パディング {padding}(合わせて {size + 2 * padding})に収まりません。",
        )
    return (size + 2 * padding - filter) // stride + 1


def pair(sides: Sides) -> tuple[int, int]:
    """``(height, width)`` of one number or a pair."""
    return (sides, sides) if isinstance(sides, int) else sides


def output_sides(sides: Sequence[int], filter: Sides, stride: Sides = 1, padding: Sides = 0) -> tuple[int, int]:
    """Height and width of a convolution's output. Raises ``ImpossibleSize``."""
    height, width = map(output_size, sides, pair(filter), pair(stride), pair(padding))
    return height, width


def im2col(x: Tensor, filter: Sides, stride: Sides = 1, padding: Sides = 0) -> Tensor:
    """The patches under the filter as rows: ``[sample * out_height * out_width, channel * filter_height * filter_width]``.

    Source: notes, Section 4 and the im2col exercise. Weakness: a pixel is copied once for every patch that holds it, nine times for
    a 3x3 filter.

    >>> im2col(torch.arange(9.0).view(1, 1, 3, 3), 2).tolist()
    [[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0], [3.0, 4.0, 6.0, 7.0], [4.0, 5.0, 7.0, 8.0]]
    """
    output_sides(x.shape[2:], filter, stride, padding)
    (high, wide), (down, right), (above, left) = pair(filter), pair(stride), pair(padding)
    patches = torch.nn.functional.pad(x, (left, left, above, above)).unfold(2, high, down).unfold(3, wide, right)
    rows = patches.permute(0, 2, 3, 1, 4, 5)  # [sample, out_height, out_width, channel, filter_height, filter_width]
    return rows.reshape(rows.shape[:3].numel(), rows.shape[3:].numel())


def col2im(columns: Tensor, shape: Sequence[int], filter: Sides, stride: Sides = 1, padding: Sides = 0) -> Tensor:
    """The rows of ``im2col`` added back into images of ``shape`` ``[sample, channel, height, width]``: the gradient of ``im2col``.

    Source: notes, the im2col exercise. Weakness: it is not the inverse. A pixel that stood in several rows comes back several times, see
    ``overlaps``.

    >>> x = torch.arange(9.0).view(1, 1, 3, 3)
    >>> col2im(im2col(x, 2), x.shape, 2).tolist()
    [[[[0.0, 2.0, 2.0], [6.0, 16.0, 10.0], [6.0, 14.0, 8.0]]]]
    """
    samples, channels, height, width = shape
    (high, wide), (down, right), (above, left) = pair(filter), pair(stride), pair(padding)
    rows, across = output_sides(shape[2:], filter, stride, padding)
    patches = columns.view(samples, rows, across, channels, high, wide).permute(0, 3, 4, 5, 1, 2)
    image = columns.new_zeros(samples, channels, height + 2 * above, width + 2 * left)
    for i in range(high):
        for j in range(wide):
            image[:, :, i : i + down * rows : down, j : j + right * across : right] += patches[:, :, i, j]
    return image[:, :, above : above + height, left : left + width]


def overlaps(shape: Sequence[int], filter: Sides, stride: Sides = 1, padding: Sides = 0) -> Tensor:
    """In how many patches each pixel stands: ``col2im(im2col(x)) / overlaps`` is ``x``. 0 where a stride leaves a pixel out.

    Source: notes, "im2col and col2im are not consistent". Weakness: float64, as large as the images.

    >>> overlaps((1, 1, 3, 3), 2).tolist()
    [[[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]]]
    """
    ones = torch.ones(*shape, dtype=torch.float64)
    return col2im(im2col(ones, filter, stride, padding), shape, filter, stride, padding)


def convolution(x: Tensor, weight: Tensor, bias: Tensor, stride: Sides = 1, padding: Sides = 0) -> Tensor:
    """``y = im2col(x) W^T + b``, with one row of ``W`` for each filter: ``[sample, out, out_height, out_width]``.

    Weakness: most of a network's arithmetic is here, and the array of patches is many times the image.
    """
    rows, across = output_sides(x.shape[2:], (weight.shape[2], weight.shape[3]), stride, padding)
    columns = im2col(x, (weight.shape[2], weight.shape[3]), stride, padding)
    y = columns @ weight.flatten(1).T + bias
    return y.view(len(x), rows, across, -1).permute(0, 3, 1, 2)


def convolution_backward(
    dy: Tensor, x: Tensor, weight: Tensor, stride: Sides = 1, padding: Sides = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """``dx = col2im(dy W)``, ``dW = dy^T im2col(x)``, ``db = sum dy``, with ``dy`` laid out as rows of patches."""
    filter = (weight.shape[2], weight.shape[3])
    d = dy.permute(0, 2, 3, 1).reshape(-1, len(weight))
    dx = col2im(d @ weight.flatten(1), x.shape, filter, stride, padding)
    return dx, (d.T @ im2col(x, filter, stride, padding)).view_as(weight), d.sum(0)


CONVOLUTIONS = {
    "conv": Technique(
        convolution,
        "conv",
        Words(
            "Small filters slide over an image and share their weights at every place.",
            "小さなフィルタを画像の上で滑らせ、どの位置でも同じ重みを使う。",
        ),
        r"y_{o,i,j} = b_o + \sum_{c,u,v} w_{o,c,u,v}\, x_{c,\,Si+u-P,\,Sj+v-P}",
        "notes, Section 4; LeCun et al. 1989",
    )
}
