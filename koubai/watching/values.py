"""The numbers of one activation's answers, as the ledger has them, over however many calls a step made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from koubai.training.ledger import BINS, NEAR
from koubai.watching.layers import Bounds

MOST = 2**17  # of an activation's values, whole samples, that shares and histogram are taken from; what is dead is told from all


@dataclass(frozen=True)
class Values:
    """One call's: ``shares`` are mean, variance, saturated and zeros; ``low`` and ``high`` ``[unit]`` the ends of each unit's answers.

    ``answers`` is how many a unit gave; ``histogram`` are its shares and its two ends.
    """

    shares: Tensor
    low: Tensor
    high: Tensor
    answers: int
    histogram: Tensor


def by_unit(y: Tensor, channels_first: bool) -> Tensor:
    """``y`` as ``[unit, answer]``: its units stand second where channels do, else last."""
    if y.ndim < 2:
        return y.reshape(-1, 1)
    return y.movedim(1 if channels_first else -1, 0).flatten(1)


def values(y: Tensor, bounds: Bounds, channels_first: bool) -> Values:
    """Measure one call's answers ``y``, the samples first."""
    y = y.detach()
    units = by_unit(y, channels_first)
    low, high = units.aminmax(dim=1) if units.shape[1] else (units.new_zeros(0), units.new_zeros(0))
    if y.numel() > MOST and y.ndim > 1:
        y = y[: max(1, MOST * len(y) // y.numel())]
    flat = y.flatten().float() if y.dtype in (torch.float16, torch.bfloat16) else y.flatten()
    bottom, top = bounds
    if bottom is None or top is None:
        saturated = flat.new_zeros(())
    else:
        margin = NEAR * (top - bottom)
        saturated = ((flat < bottom + margin) | (flat > top - margin)).mean(dtype=flat.dtype)
    mean = flat.mean()
    shares = torch.stack([mean, (flat - mean).square().mean(), saturated, (flat == 0).mean(dtype=flat.dtype)])
    return Values(shares, low, high, units.shape[1], _histogram(flat, bounds))


def _histogram(flat: Tensor, bounds: Bounds) -> Tensor:
    """Shares of ``BINS`` equal bins over the activation's range, or over the values' own where it has no end, then the two ends."""
    flat = flat.nan_to_num()
    low, high = flat.aminmax()
    low = low if bounds[0] is None else torch.full_like(low, bounds[0])
    high = high if bounds[1] is None else torch.full_like(high, bounds[1])
    width = torch.where(high > low, high - low, torch.ones_like(low))
    cells = ((flat - low) * (BINS / width)).long().clamp_(0, BINS - 1)
    counts = torch.bincount(cells, minlength=BINS).to(flat.dtype)
    return torch.cat([counts / len(flat), low.view(1), (low + width).view(1)])


def pooled(calls: Sequence[Values]) -> dict[str, Tensor]:
    """``mean``, ``std``, ``saturated``, ``dead``, ``zeros`` over several calls, and the first one's ``histogram``, ``low``, ``high``.

    A unit is dead where all of its answers in all calls are one; where there was only one answer, nobody can say.
    """
    shares = torch.stack([one.shares.double() for one in calls])
    mean, variance, saturated, zeros = shares.mean(0)
    histogram = calls[0].histogram
    return {
        "mean": mean,
        "std": (variance + (shares[:, 0] - mean).square().mean()).sqrt(),
        "saturated": saturated,
        "dead": _dead(calls),
        "zeros": zeros,
        "histogram": histogram[:-2],
        "low": histogram[-2],
        "high": histogram[-1],
    }


def _dead(calls: Sequence[Values]) -> Tensor:
    widths: dict[int, list[Values]] = {}  # a module may be called on layers of several widths
    for one in calls:
        widths.setdefault(len(one.low), []).append(one)
    told = [alike for alike in widths.values() if sum(one.answers for one in alike) > 1]
    if not told:
        return calls[0].shares.new_full((), torch.nan)
    ends = [(torch.stack([c.low for c in alike]).amin(0), torch.stack([c.high for c in alike]).amax(0)) for alike in told]
    return torch.cat([low == high for low, high in ends]).mean(dtype=torch.float32)
