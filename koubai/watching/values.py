"""The numbers of one activation's answers, as the ledger has them, over however many calls a step made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from koubai.training.ledger import NEAR, binned
from koubai.watching.layers import Bounds

MOST = 2**14  # of an activation's values, whole samples, that shares and histogram are taken from; what is dead is told from all


def values(y: Tensor, bounds: Bounds, channels_first: bool, histogram: bool) -> dict[str, Tensor | int]:
    """Measure one call's answers ``y``, the samples first and a unit's second where channels stand there, else last.

    ``lowest`` and ``highest`` ``[unit]`` are the ends of each unit's answers, ``answers`` how many it gave. Of ``count`` values are the
    ``mean``, the ``spread`` (the norm of the differences from it), how many are not 0 (``nonzero``) and ``saturated``, and the
    ``histogram`` ``[bin]`` between ``low`` and ``high``, if it is asked for. Nothing is divided here, where it takes as long as the rest.
    """
    y = y.detach()
    unit = 1 if channels_first and y.ndim > 1 else y.ndim - 1
    others = [k for k in range(y.ndim) if k != unit]
    low, high = (y.amin(others), y.amax(others)) if others and y.numel() else (y, y)
    answers = y.numel() // max(y.shape[unit], 1) if y.ndim else 1
    if y.numel() > MOST and y.ndim > 1:
        y = y[: max(1, MOST * len(y) // y.numel())]
    flat = (y.float() if y.dtype in (torch.float16, torch.bfloat16) else y).flatten()
    mean = flat.mean()
    found: dict[str, Tensor | int] = {
        "lowest": low, "highest": high, "answers": answers, "count": flat.numel(),
        "mean": mean, "spread": torch.linalg.vector_norm(flat - mean), "nonzero": flat.count_nonzero(), "saturated": 0,
    }  # fmt: skip
    bottom, top = bounds
    if bottom is not None and top is not None:
        far = (1 / 2 - NEAR) * (top - bottom)
        found["saturated"] = ((flat - (bottom + top) / 2).abs_() > far).sum()
    if histogram:
        counts, low, high = binned(flat[None], bounds)
        found |= {"histogram": counts[0], "low": low[0], "high": high[0]}
    return found


def pooled(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``mean``, ``std``, ``saturated``, ``dead``, ``zeros`` over several calls, and the first one's ``histogram``, ``low``, ``high``.

    A unit is dead where all of its answers in all calls are one; where it gave only one, nobody can say.
    """
    if not calls:
        return {}
    first, count = calls[0], sum(call["count"] for call in calls)
    if not count:
        return {}
    mean = sum(call["count"] * call["mean"] for call in calls) / count
    squares = sum(call["spread"] ** 2 + call["count"] * (call["mean"] - mean) ** 2 for call in calls)
    found = {
        "mean": mean,
        "std": math.sqrt(squares / count),
        "saturated": sum(call["saturated"] for call in calls) / count,
        "dead": _dead(calls),
        "zeros": 1 - sum(call["nonzero"] for call in calls) / count,
    }
    drawn = (
        {"histogram": first["histogram"] / first["count"], "low": first["low"], "high": first["high"]} if "low" in first else {}
    )
    return found | drawn


def _dead(calls: Sequence[Mapping[str, Any]]) -> float:
    widths: dict[int, list[Mapping[str, Any]]] = {}  # a module may be called on layers of several widths
    for call in calls:
        widths.setdefault(np.size(call["lowest"]), []).append(call)
    told = [alike for alike in widths.values() if sum(call["answers"] for call in alike) > 1]
    ends = [
        (reduce(np.minimum, [call["lowest"] for call in alike]), reduce(np.maximum, [call["highest"] for call in alike]))
        for alike in told
    ]
    units = sum(np.size(low) for low, _ in ends)
    return sum(int(np.count_nonzero(low == high)) for low, high in ends) / units if units else math.nan
