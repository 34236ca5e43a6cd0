"""A data set as training needs it: arrays, split into training and validation samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from koubai.data.builtin import BUILTIN
from koubai.data.files import folder_of, idx_folder
from koubai.language import UserError, Words, unknown
from koubai.spec import Data


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features float32 ``[sample, feature]`` and labels int64 ``[sample]``, for training and for validation.

    ``shape`` is the shape of one sample before it was made a row of features.
    """

    spec: Data
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    classes: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def features(self) -> int:
        """Features of one sample."""
        return self.x_train.shape[1]


@lru_cache(maxsize=8)
def load(spec: Data) -> Dataset:
    """The data set that ``spec`` names, split, limited and standardized as it says. Raises ``UserError``.

    A built-in set is split by ``spec.validation``, stratified, as ``spec.split`` decides; a folder that brings its own test samples is
    validated on those. Every trial of a study is judged on the same samples. ``spec.samples`` takes the first so many of the shuffled
    training samples; standardizing is fitted on what is left.
    """
    if spec.name in BUILTIN:
        source = BUILTIN[spec.name]
        x, y = source.make()
        rows, held_out = _split(spec, y)
        x_train, y_train, x_validation, y_validation = x[rows], y[rows], x[held_out], y[held_out]
        shape, classes = source.shape, source.classes
    else:
        folder = folder_of(spec.name)
        if folder is None:
            raise unknown(Words("data set or folder of IDX files", "データセットまたはIDXファイルのフォルダ"), spec.name, BUILTIN)
        x_train, y_train, x_validation, y_validation = idx_folder(folder)
        shape = x_train.shape[1:]
        classes = tuple(map(str, range(max(y_train.max(), y_validation.max()) + 1)))
        if spec.samples is not None:
            shuffled = np.random.default_rng(spec.split).permutation(len(y_train))
            x_train, y_train = x_train[shuffled], y_train[shuffled]
    if spec.samples is not None:
        if spec.samples > len(y_train):
            raise UserError(
                f"{spec.name} has {len(y_train)} training samples, so samples = {spec.samples} is too many.",
                f"{spec.name} の訓練サンプルは {len(y_train)} 個です。samples = {spec.samples} は多すぎます。",
            )
        x_train, y_train = x_train[: spec.samples], y_train[: spec.samples]
    x_train, x_validation = (x.reshape(len(x), -1).astype(np.float32) for x in (x_train, x_validation))
    if spec.standardize:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(x_train)
        x_train, x_validation = scaler.transform(x_train), scaler.transform(x_validation)
    return Dataset(spec, x_train, y_train.astype(np.int64), x_validation, y_validation.astype(np.int64), classes, shape)


def _split(spec: Data, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stratified rows for training and for validation."""
    from sklearn.model_selection import train_test_split

    try:
        rows, held_out = train_test_split(
            np.arange(len(y)), test_size=spec.validation, random_state=spec.split % 2**32, stratify=y
        )
    except ValueError:
        raise UserError(
            f"{spec.name}: {len(y)} samples cannot be split with validation = {spec.validation:g}; use 0.1 to 0.5.",
            f"{spec.name}: {len(y)} 個のサンプルは validation = {spec.validation:g} では分割できません。0.1〜0.5にしてください。",
        ) from None
    return rows, held_out
