"""What a trained network says of samples it has not seen: images, rows of a table, arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koubai.data import Dataset
from koubai.export import finished, outputs
from koubai.language import UserError
from koubai.places import text
from koubai.store import Record

LOOKED_AT = 10_000  # training samples that tell whether they are brightness


@dataclass(frozen=True, eq=False)
class Prediction:
    """A probability for each class, ``[sample, class]``, of samples by name; or ``values`` ``[sample]`` of a quantity, in its unit."""

    names: Sequence[str]
    classes: Sequence[str]
    probabilities: np.ndarray
    values: np.ndarray | None = None

    @property
    def chosen(self) -> list[str]:
        """The class of each sample: the one with the highest probability. None of a quantity."""
        return [self.classes[k] for k in self.probabilities.argmax(1)] if self.values is None else []


def predict(record: Record, path: str | Path) -> Prediction:
    """What a trained network says of images, tables or arrays of the formats that are read, treated as its training samples were.

    Raises ``UserError`` for a path that is not there or does not fit, and what ``finished`` raises.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"There is no file or folder {path}.", f"{path} はありません。")
    network, data = finished(record)
    names, found = _found(path, data)
    given = outputs(record, network, data, len(found), lambda part: data.transform.apply(np.array(found[part])))
    if data.target:
        mean, scale = data.target
        return Prediction(names, (), np.empty((len(names), 0)), given[:, 0].double().numpy() * scale + mean)
    return Prediction(names, data.classes, given.softmax(1).numpy())


def _found(path: Path, data: Dataset) -> tuple[list[str], np.ndarray]:
    """The samples at ``path`` by name, as training's were found."""
    from koubai.data.readers import arrays, cifar, csvs, idx, images, parquet

    for table in (csvs, parquet):
        if table.accepts(path):
            return _rows(path, table.columns_of, data)
    reader = next((reader for reader in (arrays, idx, cifar) if reader.accepts(path)), None)
    if reader is not None:
        x = reader.samples(path)
        if x.shape[1:] != data.shape:
            has, takes = text(x.shape[1:]), text(data.shape)
            raise UserError(
                f"{path} is {has}, and the network takes {takes}; give it samples of that shape.",
                f"{path} は {has} ですが、ネットワークの入力は {takes} です。この形のサンプルを渡してください。",
            )
        _complete(path, x, [f"sample {k}" for k in range(len(x))], data)
        return [str(k) for k in range(len(x))], x
    files = images.files(path)
    if not files:
        raise UserError(
            f"{path} is no image, folder of images, .csv, .parquet, .npz, folder of .npy, IDX or CIFAR file, which can be judged.",
            f"{path} は判定できる形式(画像、画像のフォルダ、.csv、.parquet、.npz、.npy のフォルダ、IDX、CIFAR)ではありません。",
        )
    return [str(file.relative_to(path)) if path.is_dir() else file.name for file in files], _images(path, files, data)


def _images(path: Path, files: Sequence[Path], data: Dataset) -> np.ndarray:
    """Images as the training's: cut in the middle and resized to their size, as ``model.py`` does it; grey or in colour."""
    from koubai.data.readers import images

    channels, *sides = (1, *data.shape) if len(data.shape) == 2 else data.shape
    if len(sides) != 2 or channels not in (1, 3):
        raise UserError(
            f"{path}: the network was not trained on images, but on samples of {text(data.shape)} numbers.",
            f"{path}: このネットワークは画像ではなく、{text(data.shape)} 個の数のサンプルで学習しています。",
        )
    standard = data.transform.standard
    if np.max(data.x_train[:LOOKED_AT] if standard is None else standard[0]) > 1:
        raise UserError(
            f"{path}: images are brightness from 0 to 1, and the network was trained on larger numbers; give it an .npz file in "
            "the same range.",
            f"{path}: 画像は0〜1の明るさですが、学習データはもっと大きな数です。同じ範囲の .npz を渡してください。",
        )
    x = images.decode(files, (sides[0], sides[1]), grey=channels == 1)
    return x.reshape(len(x), *data.shape)


def _rows(path: Path, columns_of: Callable[..., Any], data: Dataset) -> tuple[list[str], np.ndarray]:
    """The rows of a table, with the columns that the training's had."""
    from koubai.data.tables import features

    fields = data.transform.fields
    if not fields:
        raise UserError(
            f"{path} is a table, and the network was trained on {data.spec.name}, which is not a table.",
            f"{path} は表ですが、学習に使った {data.spec.name} は表ではありません。",
        )
    columns, rows = columns_of(path, fields)
    if not len(rows):
        raise UserError(f"{path} has no rows.", f"{path} に行がありません。")
    if data.spec.missing != "mean":
        for column in columns:
            if column.missing.any():
                raise _missing(path, f"row {rows[column.missing.argmax()]}, column {column.name!r}")
    x, _ = features(columns, np.ones(len(rows), bool))
    if np.isinf(x).any():
        raise UserError(
            f"{path}: row {rows[np.isinf(x).any(1).argmax()]} has a number that is infinite, or too large for float32.",
            f"{path}: {rows[np.isinf(x).any(1).argmax()]} 行目に無限大か、float32 に収まらない値があります。",
        )
    return [str(row) for row in rows], x


def _complete(path: Path, x: np.ndarray, names: Sequence[str], data: Dataset) -> None:
    """Raise ``UserError`` where numbers are infinite, or missing and nothing was fitted for them."""
    if x.dtype == np.uint8:
        return
    wrong = np.isinf(x) if data.spec.missing == "mean" else ~np.isfinite(x)
    if wrong.any():
        raise _missing(path, names[wrong.reshape(len(x), -1).any(1).argmax()])


def _missing(path: Path, place: str) -> UserError:
    return UserError(
        f'{path}: {place} has no value that can be used; train with missing = "mean" to fill such gaps, or mend it.',
        f'{path}: {place} に使える値がありません。missing = "mean" で学習するか、値を直してください。',
    )
