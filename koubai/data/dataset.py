"""A data set as training needs it: arrays, split into training and validation samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from koubai.data.builtin import BUILTIN
from koubai.data.files import find, floats, shorten
from koubai.data.found import Found, check_classes, quantity, texts
from koubai.data.kept import keep, kept
from koubai.data.lying import Lying, large, pieces
from koubai.data.transform import Transform, fit, made
from koubai.language import UserError, Words, counted, unknown
from koubai.spec import Data

PARTS = ("x_train", "y_train", "x_validation", "y_validation")
ON_THE_WAY = 256  # training and validation samples that a point on the way of a training is measured on
# of each that the last point is measured on: an accuracy of 90% is known to 0.6 points from 2,500 training samples
AT_THE_END = {"train": 2500, "validation": 10_000}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features float32 ``[sample, feature]`` and labels int64 ``[sample]``, for training and for validation.

    Features that are too many to be held in memory stay as they lie (``Lying``), and are taken as those of an array are.
    ``shape`` is the shape of one sample before it was made a row of features: ``(height, width)`` for grey images, ``(channel, height,
    width)`` for others. ``transform`` is what made the features of what was found. Where a quantity is to be predicted, there are no
    ``classes``, labels are float32, standardized, and ``target`` are the mean and the standard deviation of the training samples' own.
    """

    spec: Data
    x_train: np.ndarray | Lying
    y_train: np.ndarray
    x_validation: np.ndarray | Lying
    y_validation: np.ndarray
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    transform: Transform = field(default_factory=Transform)
    target: tuple[float, float] | None = None

    @property
    def features(self) -> int:
        """Features of one sample."""
        return self.x_train.shape[1]

    @property
    def outputs(self) -> int:
        """Outputs of a network: one a class, or one that is a quantity."""
        return len(self.classes) or 1


def load(spec: Data) -> Dataset:
    """The data set that ``spec`` names, split, limited and standardized as it says. Raises ``UserError``.

    A set without test samples of its own is split by ``spec.validation``, stratified, as ``spec.split`` decides; one that brings them is
    validated on those. Every trial of a study is judged on the same samples. ``spec.samples`` takes the first so many of the shuffled
    training samples; filling in means and standardizing are fitted on what is left. A set is read once, and again where its file or
    folder has changed.
    """
    if spec.name in BUILTIN:
        return _builtin(spec)
    path = _path(spec)
    now = path.stat()
    return _load(spec, path.resolve(), (now.st_mtime_ns, now.st_size))


def read(spec: Data) -> Found:
    """What is in the data set that ``spec`` names, as it lies there. Raises ``UserError``."""
    return _found(spec)[0]


def _found(spec: Data) -> tuple[Found, tuple[np.ndarray, ...]]:
    """What is in the data set that ``spec`` names, and which samples of each part count."""
    if spec.name in BUILTIN:
        source = BUILTIN[spec.name]
        x, y = source.make()
        labels = y.astype(np.int64 if source.classes else np.float64)
        found = Found(source.about, x.reshape(len(x), *source.shape).astype(np.float32), labels, source.classes)
    else:
        from koubai.data import readers

        found = readers.read(_path(spec), spec)
    kept = _clean(spec, found)
    if (spec.target is not None or spec.drop) and not found.columns:
        raise UserError(
            f"{spec.name} is not a table, so target and drop do not apply to it.",
            f"{spec.name} は表ではないので、target と drop は指定できません。",
        )
    if spec.task is not None and (spec.task == "classification") != bool(found.classes):
        raise texts(spec.name, found.classes[0]) if found.classes else quantity(spec.name, f"{found.y[0]:g}")
    if spec.size is not None and spec.size != found.shape[-2:]:
        raise UserError(
            f"{spec.name} is not resized: size is for folders of images.",
            f"{spec.name} の大きさは変えられません。size は画像のフォルダ用です。",
        )
    return found, kept


def _path(spec: Data) -> Path:
    path = find(spec.name)
    if path is None:
        shown = shorten(spec.name[::-1])[::-1]  # of a long path the end, where the file's own name is
        raise unknown(Words("data set, file or folder", "データセット、ファイル、フォルダ"), shown, BUILTIN)
    return path


@lru_cache(maxsize=8)
def _builtin(spec: Data) -> Dataset:
    """A built-in set of Koubai's own, as it was made before if it was; one whose transform is fitted is made anew."""
    source = BUILTIN[spec.name]
    if spec.standardize or spec.missing == "mean" or not source.make.__module__.startswith("koubai."):
        return _made(spec)
    arrays = kept(spec)
    if arrays is None or set(arrays) != {*PARTS, "target"}:
        data = _made(spec)
        keep(spec, {name: np.asarray(getattr(data, name)) for name in PARTS} | {"target": np.array(data.target or (), float)})
        return data
    x_train, y_train, x_validation, y_validation = (arrays[name] for name in PARTS)
    target = None if source.classes else (float(arrays["target"][0]), float(arrays["target"][1]))
    return Dataset(spec, x_train, y_train, x_validation, y_validation, source.classes, source.shape, target=target)


@lru_cache(maxsize=8)
def _load(spec: Data, path: Path, changed: tuple[int, int]) -> Dataset:
    return _made(spec)


def _made(spec: Data) -> Dataset:
    """The data set, read and split."""
    found, (kept, *kept_to_test) = _found(spec)
    if found.test is None:
        rows, held_out = (kept[part] for part in _split(spec, found.y[kept], found.classes))
        test = found.x, found.y
    else:
        shuffle = np.random.default_rng(spec.split).permutation if spec.samples is not None else np.arange
        rows, held_out, test = kept[shuffle(len(kept))], kept_to_test[0], found.test
    if spec.samples is not None:
        if spec.samples > len(rows):
            raise UserError(
                f"{spec.name} has {counted(len(rows), 'training sample')}, so samples = {spec.samples} is too many.",
                f"{spec.name} の訓練サンプルは {len(rows):,} 個です。samples = {spec.samples} は多すぎます。",
            )
        rows = rows[: spec.samples]
    if spec.balance:
        if not found.classes:
            raise UserError(
                f"{spec.name}: balance is for classes, and the target is a quantity; leave it out.",
                f"{spec.name}: balance はクラス用です。target が連続量なので、指定を外してください。",
            )
        rows = balanced(rows, found.y)
    held = not large(found.x, len(rows) + len(held_out))
    transform = fit(spec, found, rows, held)
    x_train, x_validation = made(found.x, rows, transform, held), made(test[0], held_out, transform, held)
    y_train, y_validation, target = found.y[rows], test[1][held_out], None
    if not found.classes:
        target = _spread(spec, y_train)
        y_train, y_validation = (((y - target[0]) / target[1]).astype(np.float32) for y in (y_train, y_validation))
    return Dataset(spec, x_train, y_train, x_validation, y_validation, found.classes, found.shape, transform, target)


def _spread(spec: Data, y: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the targets of the training samples. Raises ``UserError`` where they are all the same."""
    if y.min() == y.max():
        raise UserError(
            f"{spec.name}: the target is {y[0]:g} in all {len(y)} training samples, so there is nothing to learn.",
            f"{spec.name}: 訓練サンプル {len(y)} 個の target がすべて {y[0]:g} なので、学習できることがありません。",
        )
    return float(y.mean()), float(y.std())


def balanced(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rows with those of each class in turn repeated until it has as many as the largest, in their old order, repeats behind.

    Random oversampling without the randomness (Buda et al. 2018, arXiv:1710.05381).
    """
    counts = np.bincount(y[rows])
    more = [np.resize(of, counts.max() - len(of)) for of in (rows[y[rows] == label] for label in np.flatnonzero(counts))]
    return np.concatenate([rows, *more])


def _clean(spec: Data, found: Found) -> tuple[np.ndarray, ...]:
    """The samples of each part that count, once its numbers are finite: all, or those without missing ones where ``spec`` says so."""
    parts = [(found.x, found.y), *([found.test] if found.test else [])]
    kept = [np.arange(len(x)) if _finite(x) else _complete(spec, found, x) for x, _ in parts]
    if found.classes:
        y, *test = [y[rows] for (_, y), rows in zip(parts, kept, strict=True)]
        check_classes(spec.name, y, test[0] if test else y[:0], found.classes)
    return tuple(kept)


def _finite(x: np.ndarray) -> bool:
    return x.dtype == np.uint8 or bool(np.isfinite(floats(np.array([x.min(), x.max()]))).all())


def _complete(spec: Data, found: Found, x: np.ndarray) -> np.ndarray:
    """The samples of one part that count, where not all of its numbers are finite; looked at some at a time."""
    lacking, gap, start = np.zeros(len(x), bool), None, 0
    for piece in map(floats, pieces(x, np.arange(len(x)), held=False)):
        infinite, missing = np.isinf(piece), np.isnan(piece)
        if infinite.any():
            place = found.place(_first(infinite, start))
            raise UserError(
                f"{spec.name}: {place.en} is infinite, or too large for float32.",
                f"{spec.name}: {place.ja}が無限大か、float32 に収まらない値です。",
            )
        if gap is None and missing.any():
            gap = found.place(_first(missing, start))
        lacking[start : start + len(piece)] = missing.reshape(len(piece), -1).any(1)
        start += len(piece)
    if gap is not None and spec.missing == "refuse":
        raise UserError(
            f'{spec.name}: {gap.en} is NaN; missing = "mean" fills it, "drop" leaves such samples out.',
            f'{spec.name}: {gap.ja}がNaNです。missing = "mean" で平均を補い、"drop" でそのサンプルを除けます。',
        )
    if spec.missing != "drop":
        return np.arange(len(x))
    if lacking.all():
        raise UserError(
            f"{spec.name} has no sample without missing values in its training or its test part.",
            f"{spec.name} の訓練用かテスト用に、欠損値のないサンプルが1つもありません。",
        )
    return np.flatnonzero(~lacking)


def _first(where: np.ndarray, start: int) -> tuple[int, ...]:
    """The index of the first value that is so, in the whole of which a piece begins at ``start``."""
    sample, *inner = (int(axis) for axis in np.unravel_index(int(where.argmax()), where.shape))
    return start + sample, *inner


def _split(spec: Data, y: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for validation, stratified where there are classes."""
    from sklearn.model_selection import train_test_split

    counts = np.bincount(y, minlength=len(classes)) if classes else np.zeros(0)
    if (counts == 1).any():
        alone = classes[(counts == 1).argmax()]
        raise UserError(
            f"{spec.name}: the class {alone!r} has only one sample; training and validation need at least two.",
            f"{spec.name}: クラス {alone!r} のサンプルが1つしかありません。訓練用と検証用に2つ以上必要です。",
        )
    try:
        rows, held_out = train_test_split(
            np.arange(len(y)), test_size=spec.validation, random_state=spec.split % 2**32, stratify=y if classes else None
        )
    except ValueError:
        raise UserError(
            f"{spec.name}: {counted(len(y), 'sample')} cannot be split with validation = {spec.validation:g}; use 0.1 to 0.5.",
            f"{spec.name}: {len(y):,} 個のサンプルは validation = {spec.validation:g} では分割できません。0.1〜0.5にしてください。",
        ) from None
    return rows, held_out
