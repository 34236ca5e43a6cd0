"""What is done to samples before a network sees them, fitted on training samples, and done again to those it is to judge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from koubai.data.files import floats
from koubai.data.found import Found
from koubai.data.lying import Lying, pieces
from koubai.language import UserError
from koubai.spec import Data


@dataclass(frozen=True, eq=False)
class Transform:
    """From samples as they were found ``[sample, *shape]`` to rows of float32 ``[sample, feature]``.

    Bytes are brightness and become 0 to 1; missing values become ``means`` ``[feature]``, where there are any; ``scaler`` standardizes.
    ``fields`` are the columns of a table, but for the target, with their categories (``None``: numbers).
    """

    means: np.ndarray | None = None
    scaler: Any = None
    fields: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Samples as rows of features; float32 samples are overwritten."""
        rows = flat(x)
        if self.means is not None:
            np.copyto(rows, self.means, where=np.isnan(rows))
        return rows if self.scaler is None else self.scaler.transform(rows)

    @property
    def standard(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and scale ``[feature]`` of what is standardized, float64: ``(x - mean) / scale``."""
        return None if self.scaler is None else (self.scaler.mean_, self.scaler.scale_)


def fit(spec: Data, found: Found, rows: np.ndarray, held: bool) -> Transform:
    """The transform that ``spec`` asks for, fitted on the training samples at ``rows``, which are ``held`` in memory or lie in a file.

    Raises ``UserError``.
    """
    transform = Transform(means=_means(spec, found, rows, held) if spec.missing == "mean" else None, fields=found.fields)
    if not spec.standardize:
        return transform
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False)
    for piece in pieces(found.x, rows, held):
        scaler.partial_fit(transform.apply(piece))
    return replace(transform, scaler=scaler)


def made(whole: np.ndarray, rows: np.ndarray, transform: Transform, held: bool) -> np.ndarray | Lying:
    """The samples at ``rows`` as features that are held in memory, or as they lie."""
    return transform.apply(np.asarray(whole[rows])) if held else Lying(whole, rows, transform.apply)


def flat(x: np.ndarray) -> np.ndarray:
    """Samples as rows of float32 features; bytes are brightness, from 0 to 1."""
    rows = x.reshape(len(x), math.prod(x.shape[1:]))
    return np.divide(rows, 255, dtype=np.float32) if rows.dtype == np.uint8 else floats(rows)


def _means(spec: Data, found: Found, rows: np.ndarray, held: bool) -> np.ndarray:
    """The mean of what is there of each feature, float32 ``[feature]``."""
    total: Any = 0
    counts: Any = 0
    for piece in map(flat, pieces(found.x, rows, held)):
        lacking = np.isnan(piece)
        counts = counts + (~lacking).sum(0)
        total = total + np.where(lacking, 0, piece).sum(0, dtype=np.float64)
    if not counts.all():
        place = found.columns[counts.argmin()] if found.columns else str(counts.argmin())
        raise UserError(
            f"{spec.name}: feature {place!r} has no value in any training sample, and no mean; leave it out.",
            f"{spec.name}: 特徴量 {place!r} は訓練サンプルに値が1つもなく、平均を求められません。除いてください。",
        )
    return (total / counts).astype(np.float32)
