"""Parquet, through pyarrow (the extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from koubai.data.files import floats, limit, unreadable
from koubai.data.found import Found, Reader
from koubai.data.tables import Column, Texts, assemble, check_columns, target_of
from koubai.language import UserError, Words
from koubai.spec import Data

ABOUT = Words("a table (.parquet)", "表(.parquet)")


def accepts(path: Path) -> bool:
    """By the end of its name."""
    return path.is_file() and path.suffix.lower() in (".parquet", ".pq")


def read(path: Path, spec: Data) -> Found:
    """Numbers and truth values as numbers, texts one-hot. Raises ``UserError`` too where pyarrow is missing."""
    with _opened(path) as file:
        schema, meta = file.schema_arrow, file.metadata
        target = target_of(path, schema.names, spec)
        kept = [field for field in schema if field.name not in spec.drop]
        columns = _columns(path, kept, target)
    return assemble(path, ABOUT, columns, target, np.arange(1, meta.num_rows + 1), spec)


def columns_of(path: Path, fields: Mapping[str, tuple[str, ...] | None]) -> tuple[list[Column], np.ndarray]:
    """The columns that a network was trained on, in that order and with the categories of that time, and the numbers of the rows.

    Raises ``UserError`` for a column that is not there, of another kind, or with a category that training did not know.
    """
    with _opened(path) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows
        check_columns(path, fields, schema.names)
        for name, categories in fields.items():
            kind = schema.field(name).type
            if _is_text(kind) != (categories is not None):
                en, ja = ("numbers", "数") if categories is None else ("texts", "文字列")
                raise UserError(
                    f"{path}: column {name!r} is of type {kind}; the network was trained on {en} there.",
                    f"{path}: 列 {name!r} の型は {kind} です。学習時のこの列は{ja}でした。",
                )
        columns = _columns(path, [schema.field(name) for name in fields], None)
    rows = np.arange(1, count + 1)
    return [column.known(path, fields[column.name], rows) for column in columns], rows


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, its head read. Whatever goes wrong inside becomes a ``UserError``, and so does a missing pyarrow."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError:
        raise UserError(
            f"{path}: Parquet needs pyarrow; install it with pip install 'koubai[parquet]'.",
            f"{path}: Parquetを読むには pyarrow が必要です。pip install 'koubai[parquet]' で導入してください。",
        ) from None
    try:
        with ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _columns(path: Path, kept: Sequence[Any], target: str | None) -> list[Column]:
    """The columns of these fields. Raises ``UserError`` for one of a kind that is not read, and for more than is read."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    texts = [field.name for field in kept if _is_text(field.type)]
    odd = next((field for field in kept if field.name not in texts and not _is_number(field.type)), None)
    if odd is not None:
        raise UserError(
            f"{path}: column {odd.name!r} is of type {odd.type}; only numbers and strings are read. Leave it out with drop = "
            f"[{odd.name!r}].",
            f"{path}: 列 {odd.name!r} の型は {odd.type} です。読めるのは数と文字列です。drop = [{odd.name!r}] で除いてください。",
        )
    columns = []
    with ParquetFile(path, read_dictionary=texts) as file:  # a text that stands a million times is kept once
        meta = file.metadata
        limit(path, meta.num_rows * len(kept))
        limit(path, sum(meta.row_group(k).total_byte_size for k in range(meta.num_row_groups)) // 8)
        for field in kept:
            is_target = field.name == target
            values = file.read(columns=[field.name], use_threads=False).column(field.name)
            values.validate(full=True)
            if len(values) != meta.num_rows:
                raise pyarrow.ArrowInvalid(f"column {field.name!r} has {len(values)} of {meta.num_rows} rows")
            columns.append(_texts(path, field, values, is_target) if field.name in texts else _numbers(field, values, is_target))
    return columns


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    return any(test(value) for test in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null))


def _numbers(field: Any, values: Any, target: bool) -> Column:
    """A column of numbers, NaN where one is missing: of a feature float32, of the target float64."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_dictionary(field.type):
        values = values.cast(field.type.value_type)
    if types.is_boolean(values.type):
        values = values.cast(pyarrow.int8())
    numbers = compute.fill_null(values.cast(pyarrow.float64(), safe=False), float("nan")).to_numpy()
    return Column(field.name, numbers if target else floats(numbers))


def _texts(path: Path, field: Any, values: Any, target: bool) -> Column:
    """A column of texts, each of which lies in a dictionary."""
    from pyarrow import compute

    texts, row = Texts(path, field.name, target), 1
    for chunk in values.chunks:
        codes = compute.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False)
        texts.add_coded(chunk.dictionary.to_pylist(), codes, row)
        row += len(codes)
    return texts.column()


READER = Reader(ABOUT, accepts, read)
