"""Tables: the target column's classes, numbers as they are, categories one-hot, and what is done about missing values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koubai.data.files import floats, limit, shorten
from koubai.data.found import MOST_CLASSES, Found, encode
from koubai.language import UserError, Words, unknown
from koubai.spec import Data

TARGETS = ("target", "label", "class", "y")
ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__")  # what pandas calls them
MOST_COLUMNS = 100_000  # of one table
MOST_CATEGORIES = 100  # different texts of one column; more are names and not categories


@dataclass(frozen=True, eq=False)
class Column:
    """A column: numbers with NaN where one is missing, or, with ``categories``, indices into them with -1 where one is missing."""

    name: str
    values: np.ndarray
    categories: tuple[str, ...] | None = None

    @property
    def missing(self) -> np.ndarray:
        """Where nothing is."""
        return np.isnan(self.values) if self.categories is None else self.values < 0

    def known(self, path: Path, categories: tuple[str, ...] | None, rows: np.ndarray) -> Column:
        """This column with the categories of another time. Raises ``UserError`` for one that was not among them."""
        if self.categories is None or categories is None:
            return self
        for code, text in enumerate(self.categories):
            if text not in categories:
                row = rows[(self.values == code).argmax()]
                where = Words(f"column {self.name!r} (row {row} of {path})", f"列 {self.name!r}({path} の {row} 行目)")
                raise unknown(Words(f"category of {where.en}", f"{where.ja}のカテゴリ"), shorten(text), categories)
        place = np.array([*(categories.index(text) for text in self.categories), -1], np.int32)  # the last is what -1 finds
        return Column(self.name, place[self.values], categories)


class Texts:
    """A column of texts in the making: codes by first appearance, and at the end in the order of the texts.

    ``first`` is the row and the text of the first cell that is no number, where that is known.
    """

    def __init__(self, path: Path, name: str, target: bool, first: tuple[int, str] | None = None) -> None:
        self.path, self.name, self.first = path, name, first
        self.most = MOST_CLASSES if target else MOST_CATEGORIES
        self.codes: list[np.ndarray] = []
        self.index: dict[str, int] = {"": -1}

    def add(self, cells: Iterable[str], rows: Sequence[int]) -> None:
        """The next cells and the numbers of their rows; an empty one is missing. Raises ``UserError`` for too many different ones."""
        self.codes.append(np.array([self._code(cell, row) for row, cell in zip(rows, cells, strict=True)], np.int32))

    def add_coded(self, texts: Iterable[str | None], codes: np.ndarray, row: int) -> None:
        """The next cells as places in ``texts``, -1 for a missing one; ``row`` is the first."""
        self.codes.append(np.array([*(self._code(text, row) for text in texts), -1], np.int32)[codes])

    def _code(self, cell: str | None, row: int) -> int:
        text = (cell or "").strip()
        code = self.index.setdefault(text, len(self.index) - 1)
        if code >= self.most:
            raise self.too_many(row, text)
        return code

    def too_many(self, row: int, text: str) -> UserError:
        """The error for a column of texts that are no categories."""
        row, text = self.first or (row, text)  # among numbers the text is the fault, not the number that is one too many
        shown = shorten(text)
        return UserError(
            f"{self.path}: column {self.name!r} has more than {self.most} different strings (in row {row} {shown!r}); if they should be "
            f"numbers, mend them, or leave the column out with drop = [{self.name!r}].",
            f"{self.path}: 列 {self.name!r} に {self.most} 種類より多い文字列があります({row} 行目は {shown!r})。数のはずなら直すか、"
            f"drop = [{self.name!r}] で列を除いてください。",
        )

    def column(self) -> Column:
        """The column."""
        del self.index[""]
        texts = list(self.index)
        order = sorted(range(len(texts)), key=texts.__getitem__)
        place = np.append(np.argsort(order), -1)  # the last, which -1 finds, is for missing ones
        codes = np.concatenate(self.codes or [np.empty(0, np.int32)])
        return Column(self.name, place[codes].astype(np.int32), tuple(texts[k] for k in order))


def check_columns(path: Path, wanted: Iterable[str], names: Sequence[str]) -> None:
    """Raise ``UserError`` for the first column that is not there."""
    for name in wanted:
        if name not in names:
            raise unknown(Words(f"column of {path}", f"{path} の列"), shorten(name), [shorten(known) for known in names[:30]])


def target_of(path: Path, names: Sequence[str], spec: Data) -> str:
    """The name of the column of what is to be predicted: the one that is asked for, or called so, or the last.

    Raises ``UserError`` for names that are not there or there twice.
    """
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise UserError(f"{path} has {times} columns {name!r}.", f"{path} に列 {name!r} が {times} つあります。")
    check_columns(path, (*filter(None, [spec.target]), *spec.drop), names)
    kept = [name for name in names if name not in spec.drop]
    if spec.target in spec.drop or len(kept) < 2:
        raise UserError(
            f"{path} needs a target column and at least one more; what is left of it is {kept[:3]}.",
            f"{path} には target の列と、ほかに少なくとも1列が必要です(残る列: {kept[:3]})。",
        )
    if spec.target is not None:
        return spec.target
    plain = {name.strip().lower(): name for name in reversed(kept)}
    last = next((name for name in reversed(kept) if name not in ROW_NUMBERS), kept[-1])
    return next((plain[name] for name in TARGETS if name in plain), last)


def assemble(
    path: Path, about: Words, columns: Sequence[Column], target: str, rows: np.ndarray, spec: Data, *notes: Words
) -> Found:
    """What a table holds. ``rows`` are the places of its rows in the file."""
    if not len(rows):
        raise UserError(f"{path} has no rows.", f"{path} に行がありません。")
    for column in [column for column in columns if column.name in ROW_NUMBERS and column.name != target]:
        if len(columns) > 2 and column.categories is None and (np.diff(column.values) == 1).all():
            columns = [other for other in columns if other is not column]
            en = f"The column {column.name!r} only numbers the rows, and is left out."
            notes += (Words(en, f"列 {column.name!r} は行番号なので除きました。"),)
    inputs = [column for column in columns if column.name != target]
    wide = sum(map(width, inputs))
    if not wide:
        raise UserError(f"{path} has no values but those of {target!r}.", f"{path} には {target!r} のほかに値がありません。")
    limit(path, wide * len(rows))
    lacking = {column.name: column.missing for column in columns}
    refused = [name for name in lacking if spec.missing == "refuse" or (spec.missing == "mean" and name == target)]
    for name in refused:
        if lacking[name].any():
            raise absent(path, int(rows[lacking[name].argmax()]), name, name == target)
    kept = np.ones(len(rows), bool)
    if spec.missing == "drop":
        kept = ~np.any([*lacking.values()], axis=0)
        if not kept.any():
            raise UserError(f"{path} has no row without missing values.", f"{path} に欠損値のない行がありません。")
    column = next(column for column in columns if column.name == target)
    labels = column.values[kept] if column.categories is None else np.array(column.categories)[column.values[kept]]
    x, names = features(inputs, kept)
    y, _, classes = encode(path, labels, task=spec.task)
    counts = {name: int(np.count_nonzero(where)) for name, where in lacking.items() if where.any()}
    fields = {column.name: column.categories for column in inputs}
    return Found(about, x, y, classes, columns=names, rows=rows[kept], fields=fields, missing=counts, notes=notes)


def width(column: Column) -> int:
    """Features that a column becomes."""
    return 1 if column.categories is None else len(column.categories)


def features(columns: Sequence[Column], kept: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Those rows of columns that are ``kept`` as features float32 ``[sample, feature]``, categories one-hot, and the features' names."""
    x, names, start = np.zeros((np.count_nonzero(kept), sum(map(width, columns))), np.float32), [], 0
    for column in columns:
        if column.categories is None:
            x[:, start] = floats(column.values[kept])
            names.append(column.name)
        else:
            codes = column.values[kept]
            there = np.flatnonzero(codes >= 0)
            x[there, start + codes[there]] = 1
            names += [f"{column.name}={category}" for category in column.categories]
        start += width(column)
    return x, tuple(names)


def absent(path: Path, row: int, name: str, target: bool) -> UserError:
    """The error for a missing value."""
    if target:
        return UserError(
            f'{path}: row {row} has no value in the target column {name!r}; missing = "drop" leaves such rows out.',
            f'{path}: {row} 行目の target の列 {name!r} に値がありません。missing = "drop" で欠損のある行を除けます。',
        )
    return UserError(
        f'{path}: row {row}, column {name!r} has no value; missing = "mean" fills it, "drop" leaves such rows out.',
        f'{path}: {row} 行目の列 {name!r} に値がありません。missing = "mean" で平均を補い、"drop" で欠損のある行を除けます。',
    )
