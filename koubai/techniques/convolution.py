"""Convolution: a small filter slides over an image. Here: how large what comes out is."""

from __future__ import annotations

from koubai.techniques.registry import Words


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
