"""What is done to samples before a network sees them, fitted on training samples, and done again to those it is to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from koubai.data.found import Found
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


def fit(spec: Data, found: Found, x: np.ndarray) -> tuple[Transform, np.ndarray]:
    """The transform that ``spec`` asks for, fitted on training samples as they were found, and these as rows. Raises ``UserError``."""
    transform = Transform(means=_means(spec, found, flat(x)) if spec.missing == "mean" else None, fields=found.fields)
    rows = transform.apply(x)
    if not spec.standardize:
        return transform, rows
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False).fit(rows)
    return replace(transform, scaler=scaler), scaler.transform(rows)


def flat(x: np.ndarray) -> np.ndarray:
    """Samples as rows of float32 features; bytes are brightness, from 0 to 1."""
    rows = x.reshape(len(x), -1)
    return np.divide(rows, 255, dtype=np.float32) if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)


def _means(spec: Data, found: Found, rows: np.ndarray) -> np.ndarray:
    """The mean of what is there of each feature, float32 ``[feature]``."""
    lacking = np.isnan(rows)
    counts = (~lacking).sum(0)
    if not counts.all():
        place = found.columns[counts.argmin()] if found.columns else str(counts.argmin())
        raise UserError(
            f"{spec.name}: feature {place!r} has no value in any training sample, and no mean; leave it out.",
            f"{spec.name}: 特徴量 {place!r} は訓練サンプルに値が1つもなく、平均を求められません。除いてください。",
        )
    return (np.where(lacking, 0, rows).sum(0, dtype=np.float64) / counts).astype(np.float32)
