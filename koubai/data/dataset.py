"""A data set as training needs it: arrays, split into training and validation samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from koubai.data.builtin import BUILTIN
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

    The split is stratified and decided by ``spec.split`` alone, so every trial of a study is judged on the same samples.
    ``spec.samples`` takes the first so many of the shuffled training samples; standardizing is fitted on what is left.
    """
    from sklearn.model_selection import train_test_split

    if spec.name not in BUILTIN:
        raise unknown(Words("data set", "データセット"), spec.name, BUILTIN)
    source = BUILTIN[spec.name]
    x, y = source.make()
    try:
        rows, held_out = train_test_split(
            np.arange(len(y)), test_size=spec.validation, random_state=spec.split % 2**32, stratify=y
        )
    except ValueError:
        raise UserError(
            f"{spec.name}: {len(y)} samples cannot be split with validation = {spec.validation:g}; use 0.1 to 0.5.",
            f"{spec.name}: {len(y)} 個のサンプルは validation = {spec.validation:g} では分割できません。0.1〜0.5にしてください。",
        ) from None
    if spec.samples is not None:
        if spec.samples > len(rows):
            raise UserError(
                f"{spec.name} has {len(rows)} training samples, so samples = {spec.samples} is too many.",
                f"{spec.name} の訓練サンプルは {len(rows)} 個です。samples = {spec.samples} は多すぎます。",
            )
        rows = rows[: spec.samples]
    x = x.astype(np.float32)
    x_train, x_validation = x[rows], x[held_out]
    if spec.standardize:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(x_train)
        x_train, x_validation = scaler.transform(x_train), scaler.transform(x_validation)
    y = y.astype(np.int64)
    return Dataset(spec, x_train, y[rows], x_validation, y[held_out], source.classes, source.shape)
