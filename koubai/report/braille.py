"""Lines drawn in a terminal: each braille letter is two dots wide and four high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a letter, by row and column
PATTERNS = ((1,), (1, 0, 0), (1, 1, 1, 1, 1, 0, 0, 0))  # solid, dotted, dashed
MARKS: Mapping[int | str, str] = {0: "⠤⠤⠤⠤", 1: "⠄⠠ ⠄", 2: "⠤⠄ ⠤", "points": "⠶ ⠶ "}  # what a legend shows for each


def canvas(
    lines: Sequence[tuple[np.ndarray, np.ndarray, bool]], width: int, height: int, bounds: tuple[float, float, float, float]
) -> list[str]:
    """Lines (``x``, ``y``, and whether points alone) as ``height`` rows of ``width`` letters; ``bounds`` as ``(left, right, low, high)``.

    What lies outside, or is no number, is left out.
    """
    left, right, low, high = bounds
    dots = np.zeros((4 * height, 2 * width), dtype=bool)
    for k, (x, y, points) in enumerate(lines):
        across = (np.asarray(x, dtype=float) - left) / (right - left) * (2 * width - 1)
        down = (high - np.asarray(y, dtype=float)) / (high - low) * (4 * height - 1)
        if points:
            columns, rows = (
                np.add.outer(part, offset).ravel() for part, offset in ((across, (0, 1, 0, 1)), (down, (0, 0, 1, 1)))
            )
        else:
            columns, rows = _between(across, down, PATTERNS[k % len(PATTERNS)])
        inside = np.isfinite(columns) & np.isfinite(rows)
        columns, rows = columns[inside].round().astype(int), rows[inside].round().astype(int)
        inside = (columns >= 0) & (columns < 2 * width) & (rows >= 0) & (rows < 4 * height)
        dots[rows[inside], columns[inside]] = True
    weights = np.tile(np.array(DOTS), (height, width))
    letters = (dots * weights).reshape(height, 4, width, 2).sum((1, 3))
    return ["".join(chr(0x2800 + int(letter)) if letter else " " for letter in row) for row in letters]


def _between(columns: np.ndarray, rows: np.ndarray, pattern: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Every dot along a line through these places, thinned to a pattern."""
    if not len(columns):
        return columns, rows
    steps = np.maximum(np.abs(np.diff(columns)), np.abs(np.diff(rows)))
    steps = np.where(np.isfinite(steps), np.minimum(steps, 10_000), 0)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(int(length[-1]) + 1)
    kept = at[np.resize(np.array(pattern, dtype=bool), len(at))]
    moved = np.concatenate([[True], steps > 0])  # places that are one dot: the first stands for all
    return np.interp(kept, length[moved], columns[moved]), np.interp(kept, length[moved], rows[moved])
