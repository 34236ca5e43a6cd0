"""Parquet, through pyarrow (the extra ``parquet``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from koubai.data.files import floats, limit, unreadable
from koubai.data.found import Found, Reader
from koubai.data.tables import Column, Texts, assemble, target_of
from koubai.language import UserError, Words
from koubai.spec import Data

ABOUT = Words("a table (.parquet)", "表(.parquet)")


def accepts(path: Path) -> bool:
    """By the end of its name."""
    return path.is_file() and path.suffix.lower() in (".parquet", ".pq")


def read(path: Path, spec: Data) -> Found:
    """Numbers and truth values as numbers, texts one-hot. Raises ``UserError`` too where pyarrow is missing."""
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
            schema, meta = file.schema_arrow, file.metadata
        target = target_of(path, schema.names, spec)
        kept = [field for field in schema if field.name not in spec.drop]
        texts = [field.name for field in kept if _is_text(field.type)]
        odd = next((field for field in kept if field.name not in texts and not _is_number(field.type)), None)
        if odd is not None:
            raise UserError(
                f"{path}: column {odd.name!r} is of type {odd.type}; numbers and texts are read. Leave it out with drop = [{odd.name!r}].",
                f"{path}: 列 {odd.name!r} の型は {odd.type} です。読めるのは数と文字列です。drop = [{odd.name!r}] で除いてください。",
            )
        limit(path, meta.num_rows * len(kept))
        limit(path, sum(meta.row_group(k).total_byte_size for k in range(meta.num_row_groups)) // 8)
        columns = []
        with ParquetFile(path, read_dictionary=texts) as file:  # a text that stands a million times is kept once
            for field in kept:
                is_target = field.name == target
                values = file.read(columns=[field.name], use_threads=False).column(field.name)
                values.validate(full=True)
                if len(values) != meta.num_rows:
                    raise pyarrow.ArrowInvalid(f"column {field.name!r} has {len(values)} of {meta.num_rows} rows")
                column = _texts(path, field, values, is_target) if field.name in texts else _numbers(field, values, is_target)
                columns.append(column)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from None
    return assemble(path, ABOUT, columns, target, np.arange(1, meta.num_rows + 1), spec)


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
