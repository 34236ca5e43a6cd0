"""The size of a convolution's output, with the formula filled in."""

from __future__ import annotations

from koubai.language import Words
from koubai.techniques.convolution import output_size


def worked(size: int, filter: int, stride: int = 1, padding: int = 0) -> Words:
    """``output_size`` with the numbers filled in, on one line. Raises ``ImpossibleSize``.

    >>> worked(6, 2, stride=1, padding=1).en
    '(H + 2P − F) / S + 1 = (6 + 2·1 − 2) / 1 + 1 = 7'
    """
    side = output_size(size, filter, stride, padding)
    line = f"(H + 2P − F) / S + 1 = ({size} + 2·{padding} − {filter}) / {stride} + 1 = "
    over, left = divmod(size + 2 * padding - filter, stride)
    if not left:
        return Words(f"{line}{side}", f"{line}{side}")
    line += f"{over + 1} + {left}/{stride}"
    return Words(
        f"{line}, rounded down to {side}; the filter does not reach the last {left}.",
        f"{line}、切り捨てて {side}(端の {left} にはフィルタが届かない)。",
    )
