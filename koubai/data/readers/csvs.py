"""CSV and its kin: commas, semicolons, tabs or bars; UTF-8, UTF-16 or Japanese Windows; with a header or without."""

from __future__ import annotations

import codecs
import csv
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from koubai.data.files import floats, limit, shorten
from koubai.data.found import Found, Reader
from koubai.data.tables import MOST_COLUMNS, Column, Texts, assemble, check_columns, target_of
from koubai.language import UserError, Words, counted
from koubai.spec import Data

ABOUT = Words("a table (.csv, .tsv)", "表(.csv、.tsv)")
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-"))  # among numbers; among texts only the empty cell is
SAMPLE = 50  # lines that decide about the separator and the header,
LETTERS = 2**20  # and letters of them, once there are three
CHUNK = 2**18  # cells that are turned into arrays at once
LINE = 2**22  # letters of a line

Record = tuple[int, list[str]]  # its number, as a spreadsheet counts, and its cells


def accepts(path: Path) -> bool:
    """By the end of its name."""
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv")


@dataclass(frozen=True)
class Form:
    """How a file is written."""

    path: Path
    encoding: str
    separator: str
    names: tuple[str, ...]
    header: bool

    def number(self, cell: str) -> float | None:
        """A cell as a number, NaN where one is missing, ``None`` where it is none. Beside semicolons a comma is the decimal point."""
        if cell.strip().lower() in MISSING:
            return math.nan
        try:
            return None if "_" in cell else float(cell.replace(",", ".") if self.separator == ";" else cell)
        except ValueError:
            return None


def read(path: Path, spec: Data) -> Found:
    """Numbers as they are, texts one-hot."""
    try:
        form = form_of(path)
        target = target_of(path, form.names, spec)
        kept = [k for k, name in enumerate(form.names) if name not in spec.drop]
        texts: dict[int, tuple[int, str]] = {}  # the columns of texts, and the first text in each
        while True:
            columns, rows, late = _columns(form, kept, form.names.index(target), texts)
            if not late:  # else a number was followed by a text somewhere far down: once more, and not twice
                return assemble(path, ABOUT, columns, target, rows, spec)
            texts |= late
    except (csv.Error, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}.", f"{path} はCSVとして読めません({error})。") from None


def columns_of(path: Path, fields: Mapping[str, tuple[str, ...] | None]) -> tuple[list[Column], np.ndarray]:
    """The columns that a network was trained on, in that order and with the categories of that time, and the numbers of the rows.

    Raises ``UserError`` for a column that is not there, a text among numbers and a category that training did not know.
    """
    try:
        form = form_of(path)
        check_columns(path, fields, form.names)
        kept = [form.names.index(name) for name in fields]
        texts = [k for k, categories in zip(kept, fields.values(), strict=True) if categories is not None]
        columns, rows, late = _columns(form, kept, -1, dict.fromkeys(texts))
    except (csv.Error, UnicodeError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}.", f"{path} はCSVとして読めません({error})。") from None
    for k, (row, cell) in late.items():
        raise UserError(
            f"{path}: row {row}, column {form.names[k]!r} is {shorten(cell)!r}; the network was trained on numbers there.",
            f"{path}: {row} 行目の列 {form.names[k]!r} は {shorten(cell)!r} です。学習時のこの列は数でした。",
        )
    return [column.known(path, fields[column.name], rows) for column in columns], rows


def form_of(path: Path) -> Form:
    """How a file is written, by its first lines.

    The separator is the one that cuts them into the most columns, alike in all. The first record is a header where none of its cells is
    a number, or where a text stands over numbers.
    """
    encoding = _encoding(path)
    with open(path, encoding=encoding, newline="") as file:
        lines, letters = [], 0
        for line in itertools.islice(_lines(path, file.readline), SAMPLE):
            lines.append(line)
            letters += len(line)
            if letters > LETTERS and len(lines) > 2:
                break
        on = bool(file.readline(1))
    samples = {separator: _sample(lines, separator, on) for separator in "\t;|,"}

    def divides(separator: str) -> tuple[int, int]:
        widths = {len(record) for record in samples[separator]}
        return (max(widths) if len(widths) == 1 and 1 not in widths else 0), max(widths, default=0)

    separator = max(samples, key=divides)
    if not samples[separator]:
        list(csv.reader(lines))  # raises where a cell is too long
        raise UserError(f"{path} is empty.", f"{path} は空です。")
    first, *rest = samples[separator]
    if len(first) > MOST_COLUMNS:
        raise UserError(
            f"{path} has {len(first):,} columns; at most {MOST_COLUMNS:,} are read.",
            f"{path} には {len(first):,} 列あります。読めるのは {MOST_COLUMNS:,} 列までです。",
        )
    form = Form(path, encoding, separator, tuple(" ".join(cell.split()) for cell in first), True)

    def kind(cell: str) -> str:
        value = form.number(cell)
        return "text" if value is None else "missing" if math.isnan(value) else "number"

    over = [{kind(record[k]) for record in rest if k < len(record)} - {"missing"} for k in range(len(first))]
    kinds = [kind(cell) for cell in first]
    titled = any(own == "text" and below == {"number"} for own, below in zip(kinds, over, strict=True))
    if "number" not in kinds or titled:
        return form
    return Form(path, encoding, separator, tuple(f"column {k}" for k in range(1, len(first) + 1)), False)


def _sample(lines: Sequence[str], separator: str, on: bool) -> list[list[str]]:
    """The records of the first lines, were this the separator; none where cells grow too long. ``on``: the file goes on below."""
    try:
        records = [record for record in csv.reader(lines, delimiter=separator, skipinitialspace=True) if record]
    except csv.Error:
        return []
    return records[:-1] if on and len(records) > 1 else records  # the last may go on below


def _encoding(path: Path) -> str:
    """UTF-16 by its mark; else UTF-8 or Japanese Windows' cp932, whichever decodes to the end."""
    with open(path, "rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        for name in ("utf-8-sig", "cp932"):
            decoder = codecs.getincrementaldecoder(name)()
            file.seek(0)
            try:
                for block in iter(partial(file.read, 2**20), b""):
                    decoder.decode(block)
                    if b"\0" in block:
                        break
                else:
                    decoder.decode(b"", True)
                    return name
            except UnicodeDecodeError:
                pass
    raise UserError(f"{path} is not text; save it as UTF-8.", f"{path} はテキストではありません。UTF-8で保存してください。")


def _lines(path: Path, readline: Callable[[int], str]) -> Iterator[str]:
    for line in iter(partial(readline, LINE), ""):
        if len(line) == LINE:
            raise UserError(
                f"{path} has a line of more than {LINE:,} characters.", f"{path} に {LINE:,} 文字を超える行があります。"
            )
        yield line


@contextmanager
def _records(form: Form) -> Iterator[Iterator[Record]]:
    """The rows below the header, blank ones left out."""
    with open(form.path, encoding=form.encoding, newline="") as file:
        lines = _lines(form.path, file.readline)
        reader = csv.reader(lines, delimiter=form.separator, skipinitialspace=True, strict=True)
        records = ((row, record) for row, record in enumerate(reader, 1) if record)
        yield itertools.islice(records, int(form.header), None)


def _columns(
    form: Form, kept: Sequence[int], target: int, known: Mapping[int, tuple[int, str] | None]
) -> tuple[list[Column], np.ndarray, dict[int, tuple[int, str]]]:
    """The columns at ``kept``, the numbers of their rows, and which of them beside those ``known`` are texts, with the first in each."""
    texts = {k: Texts(form.path, form.names[k], k == target, first) for k, first in known.items()}
    numbers: dict[int, list[np.ndarray]] = {k: [] for k in kept if k not in texts}
    late: dict[int, tuple[int, str]] = {}
    rows: list[int] = []
    width = len(form.names)
    with _records(form) as records:
        while chunk := list(itertools.islice(records, max(1, CHUNK // width))):
            for row, record in chunk:
                if len(record) != width:
                    raise UserError(
                        f"{form.path}: row {row} has {counted(len(record), 'cell')} and the first row {width}.",
                        f"{form.path}: {row} 行目のセルは {len(record)} 個で、最初の行の {width} 個と違います。",
                    )
            start = len(rows)
            rows += [row for row, _ in chunk]
            limit(form.path, len(rows) * len(kept))
            cells = list(zip(*(record for _, record in chunk), strict=True))
            for k in kept:
                if k in texts:
                    texts[k].add(cells[k], rows[start:])
                elif k not in late:
                    values = _numbers(form, cells[k])
                    if isinstance(values, int):
                        late[k] = rows[start + values], cells[k][values]
                    else:
                        numbers[k].append(values if k == target else floats(values))
    columns = []
    for k in kept if not late else ():
        if k in texts:
            columns.append(texts[k].column())
        else:
            columns.append(Column(form.names[k], np.concatenate(numbers.pop(k) or [np.empty(0, np.float32)])))
    return columns, np.array(rows, np.int64), late


def _numbers(form: Form, cells: Sequence[str]) -> np.ndarray | int:
    """Cells as float64, NaN where one is missing; or the place of the first that is no number."""
    if form.separator != ";" and "_" not in "".join(cells):
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass
    values = np.empty(len(cells))
    for k, cell in enumerate(cells):
        value = form.number(cell)
        if value is None:
            return k
        values[k] = value
    return values


READER = Reader(ABOUT, accepts, read)
