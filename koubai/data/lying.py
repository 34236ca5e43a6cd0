"""Samples that stay as they lie, in a file or as bytes in memory, and become features when they are taken: for data larger than memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

HELD = 2**28  # bytes of float32 features that are held in memory; where there are more, they stay as they lie
PIECE = HELD // 32  # bytes of features that are made at once of such a part


@dataclass(frozen=True, eq=False)
class Lying:
    """The samples at ``rows`` of ``whole`` ``[sample, *shape]``, of which ``made`` makes features ``[sample, feature]``.

    It is used as an array float32 ``[sample, feature]`` is: a slice is a view, one number or an array of them is a copy.
    """

    whole: np.ndarray
    rows: np.ndarray
    made: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        """How many samples."""
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features."""
        return len(self.rows), math.prod(self.whole.shape[1:])

    def __getitem__(self, picks: Any) -> Any:
        """Some of the samples: of a slice they stay as they lie, else they are features."""
        if isinstance(picks, slice):
            return replace(self, rows=self.rows[picks])
        rows = self.rows[picks]
        taken = self.made(np.asarray(self.whole[np.atleast_1d(rows)]))
        return taken if rows.ndim else taken[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them as features."""
        return self[np.arange(len(self))].astype(dtype or np.float32, copy=False)


def pieces(whole: np.ndarray, rows: np.ndarray, held: bool) -> Iterator[np.ndarray]:
    """The samples at ``rows`` as they lie: all at once where they are to be held, else some at a time, in the order of the file."""
    if held:
        yield np.asarray(whole[rows])
        return
    rows, count = np.sort(rows), max(1, PIECE // (4 * math.prod(whole.shape[1:])))
    for start in range(0, len(rows), count):
        yield np.asarray(whole[rows[start : start + count]])


def large(whole: np.ndarray, rows: int) -> bool:
    """Whether so many samples are too much to be held as features."""
    return 4 * rows * math.prod(whole.shape[1:]) > HELD
