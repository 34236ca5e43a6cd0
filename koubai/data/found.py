"""What a reader found: arrays as they lie in the files, and where in them a value stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from koubai.language import UserError, Words
from koubai.spec import Data

MOST_CLASSES = 1000  # as many as ImageNet's; more are a quantity or names, and not classes
# whole numbers in a table are classes if they are at most so many, or have so many samples each on average
FEW_CLASSES, EACH = 20, 10


@dataclass(frozen=True, eq=False)
class Found:
    """Samples ``[sample, *shape]``, labels int64 ``[sample]`` from 0, the names of the classes, and a test part where there is one.

    Where the target is a quantity there are no classes, and ``y`` is float64.

    Features are float32, or uint8 that means brightness from 0 to 255; those that stay in a large file may be numbers of any kind. Images
    are ``[height, width]`` or ``[channel, height, width]``.
    NaN is a missing value. ``columns`` are the names of a table's features, ``rows`` the places of its samples in the file, ``fields``
    its columns that the features come from, with their categories (``None``: numbers), ``missing`` how many values its columns lacked.
    ``notes`` are things worth knowing.
    """

    kind: Words
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    test: tuple[np.ndarray, np.ndarray] | None = None
    columns: tuple[str, ...] = ()
    rows: np.ndarray | None = None
    fields: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Words, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.x.shape[1:]

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image, grey or of channels."""
        return len(self.shape) == 2 or (len(self.shape) == 3 and self.shape[0] in (1, 3, 4))

    def place(self, index: Sequence[int]) -> Words:
        """Where the value of this index stands, as a person would look for it."""
        sample, *inner = (int(i) for i in index)
        if self.rows is not None:
            row, column = self.rows[sample], self.columns[inner[0]]
            return Words(f"row {row}, column {column!r}", f"{row} 行目の列 {column!r}")
        return Words(f"sample {sample}, feature {inner}", f"サンプル {sample} の特徴量 {inner}")


@dataclass(frozen=True)
class Reader:
    """A format: what it is called, whether a path is of it (by names alone), and how it is read. ``read`` raises ``UserError``."""

    about: Words
    accepts: Callable[[Path], bool]
    read: Callable[[Path, Data], Found]


def encode(
    path: Path, labels: np.ndarray, test: np.ndarray | None = None, task: str | None = "classification"
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels of any kind as int64 from 0 without gaps, those of the test part too, and the names of the classes in order.

    For the task ``"regression"``, or for ``None`` where the labels are a quantity, they are float64, and there are no classes. Raises
    ``UserError`` for labels that do not go with the task.
    """
    both = labels if test is None else np.concatenate([labels, test])
    if both.dtype.kind == "f" and not np.isfinite(both).all():
        sample = int(np.flatnonzero(~np.isfinite(both))[0])
        raise UserError(
            f"{path}: the label of sample {sample} is no number.", f"{path}: サンプル {sample} のラベルが数ではありません。"
        )
    if task == "regression" and both.dtype.kind not in "iufb":
        raise texts(path, str(both[0]))
    if task == "regression" or (task is None and is_quantity(both)):
        targets = both.astype(np.float64)
        return targets[: len(labels)], targets[len(labels) :], ()
    if both.dtype.kind == "f" and (both != np.floor(both)).any():
        raise quantity(path, str(both[both != np.floor(both)][0]))
    values, y = np.unique(both, return_inverse=True)
    if len(values) > MOST_CLASSES:
        raise quantity(path, str(values[0]))
    names = tuple(str(int(value)) if both.dtype.kind == "f" else str(value) for value in values)
    if all(name.isdecimal() for name in names) and both.dtype.kind == "U":  # texts that are numbers, in the order of the numbers
        order = np.array(sorted(range(len(names)), key=lambda k: (int(names[k]), names[k])))
        y, names = np.argsort(order)[y], tuple(names[k] for k in order)
    y = y.astype(np.int64, copy=False)
    return y[: len(labels)], y[len(labels) :], names


def is_quantity(labels: np.ndarray) -> bool:
    """Whether labels are a quantity: numbers that are not all whole, or too many different ones to be classes.

    Of integers, which number classes, ``MOST_CLASSES`` are not too many; of the numbers of a table fewer are.
    """
    if labels.dtype.kind not in "iuf":
        return False
    whole = labels.dtype.kind != "f"
    if not whole and (labels != np.floor(labels)).any():
        return True
    return len(np.unique(labels)) > (MOST_CLASSES if whole else min(MOST_CLASSES, max(FEW_CLASSES, len(labels) // EACH)))


def check_classes(path: str | Path, y: np.ndarray, y_test: np.ndarray, names: Sequence[str]) -> None:
    """Raise ``UserError`` where there is one class only, and for a class that only the test part has."""
    counts = np.bincount(y, minlength=len(names))
    for name, training, testing in zip(names, counts, np.bincount(y_test, minlength=len(names)), strict=True):
        if testing and not training:
            raise UserError(
                f"{path}: the class {name!r} is in the test part, but has no training samples.",
                f"{path}: クラス {name!r} がテスト用にだけあり、訓練サンプルがありません。",
            )
    if np.count_nonzero(counts) < 2:
        one = names[int(counts.argmax())]
        raise UserError(
            f"{path} has only one class, {one!r}; classification needs at least two.",
            f"{path} にはクラスが {one!r} の1つしかありません。分類には2つ以上必要です。",
        )


def quantity(path: str | Path, example: str) -> UserError:
    """The error for labels that are no classes."""
    return UserError(
        f'{path}: the labels are a quantity ({example!r} is one of them), and no classes; take task = "regression", or another target.',
        f'{path}: ラベルが連続量(例: {example!r})で、クラスではありません。task = "regression" か、別の target を指定してください。',
    )


def texts(path: str | Path, example: str) -> UserError:
    """The error for labels that are no quantity."""
    return UserError(
        f"{path}: regression needs a target of numbers, and {example!r} is a class; leave task out, or name another target.",
        f"{path}: 回帰には数の target が必要ですが、{example!r} はクラスです。task を省くか、別の target を指定してください。",
    )
