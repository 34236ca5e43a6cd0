"""NumPy's arrays: an ``.npz``, or a folder of ``.npy`` files, which are memory-mapped."""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from koubai.data.files import array, floats, limit, shorten, unreadable
from koubai.data.found import Found, Reader, encode
from koubai.data.lying import large
from koubai.language import UserError, Words, counted
from koubai.spec import Data

ABOUT = Words("NumPy's arrays (.npz, or a folder of .npy)", "NumPyの配列(.npz、または .npy のフォルダ)")
NAMES = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))


def accepts(path: Path) -> bool:
    """An ``.npz``, or a folder with ``.npy`` files."""
    return path.suffix.lower() == ".npz" if path.is_file() else any(path.glob("*.npy"))


def read(path: Path, spec: Data) -> Found:
    """Arrays ``x`` and ``y``, or ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Images may have their channels first or last; uint8 is brightness from 0 to 255.
    """
    arrays = _folder(path) if path.is_dir() else _archive(path)
    names = next((names for names in NAMES if names[0] in arrays), NAMES[1])
    missing = [name for name in names if name not in arrays]
    if missing:
        listed = shorten(", ".join(sorted(name.removesuffix(".npy") for name in _names(path))) or "-")
        raise UserError(
            f"{path} has no array {missing[0]!r} (it has: {listed}); x and y are needed, or x_train, y_train, x_test and y_test.",
            f"{path} に配列 {missing[0]!r} がありません(あるもの: {listed})。x と y、または x_train, y_train, x_test, y_test が必要です。",
        )
    parts = []
    for x_name, y_name in zip(names[::2], names[1::2], strict=True):
        x, y = _features(path, x_name, arrays[x_name]), _labels(path, y_name, arrays[y_name])
        if len(x) != len(y) or not len(x):
            raise UserError(
                f"{path}: {x_name} has {counted(len(x), 'sample')} and {y_name} {counted(len(y), 'label')}; "
                "there must be one label for each sample.",
                f"{path}: {x_name} のサンプル {len(x):,} 個と {y_name} のラベル {len(y):,} 個の数が合いません。",
            )
        parts.append((x, y))
    (x, y), *test = parts
    y, y_test, classes = encode(path, y, test[0][1] if test else None, spec.task)
    if test and x.shape[1:] != test[0][0].shape[1:]:
        raise UserError(
            f"{path}: samples of x_train are of shape {x.shape[1:]}, those of x_test of {test[0][0].shape[1:]}.",
            f"{path}: x_train のサンプルの形 {x.shape[1:]} と x_test の {test[0][0].shape[1:]} が違います。",
        )
    return Found(ABOUT, x, y, classes, test=(test[0][0], y_test) if test else None)


def samples(path: Path) -> np.ndarray:
    """The samples ``x`` of an ``.npz`` or a folder of ``.npy`` alone, labelled or not. Raises ``UserError``."""
    held = _folder(path) if path.is_dir() else _archive(path)
    if "x" not in held:
        raise UserError(f"{path} has no array 'x'.", f"{path} に配列 'x' がありません。")
    x = _features(path, "x", held["x"])
    if not len(x):
        raise UserError(f"{path} has no samples.", f"{path} にサンプルがありません。")
    return x


def _archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` that have one of the names that count."""
    arrays = {}
    wanted = {name for names in NAMES for name in names}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name not in wanted:
                    continue
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # NumPy writes no others
                    raise zipfile.BadZipFile(f"compression {info.compress_type}")
                with archive.open(info) as file:
                    arrays[name] = _array(file, path)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, LookupError, struct.error) as error:
        raise unreadable(path, error) from None
    return arrays


def _names(path: Path) -> list[str]:
    """What there is in an ``.npz`` or a folder of ``.npy``, whatever its name."""
    if path.is_dir():
        return [file.name for file in path.glob("*.npy")]
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _folder(path: Path) -> dict[str, np.ndarray]:
    """The ``.npy`` files of a folder, memory-mapped."""
    arrays = {}
    for file in sorted(path.glob("*.npy")):
        with open(file, "rb") as opened:
            sizes, fortran, dtype = _header(opened, file)
            start = opened.tell()
        if math.prod(sizes) * dtype.itemsize + start != file.stat().st_size:
            raise UserError(
                f"{file} does not hold the array {sizes} its header announces; it is cut short or corrupt.",
                f"{file} の中身がヘッダの宣言する配列 {sizes} と合いません。壊れているか、途中で切れています。",
            )
        if not file.stem.startswith("x"):  # labels are taken into memory, samples only one by one
            limit(file, math.prod(sizes))
        order: Any = "F" if fortran else "C"
        empty = math.prod(sizes) == 0  # nothing can be mapped
        arrays[file.stem] = np.empty(sizes, dtype) if empty else np.memmap(file, dtype, "r", start, sizes, order)
    return arrays


def _array(file: BufferedIOBase, path: Path) -> np.ndarray:
    sizes, fortran, dtype = _header(file, path)
    return array(file, path, dtype, sizes[::-1]).T if fortran else array(file, path, dtype, sizes)


def _header(file: BufferedIOBase, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type. Objects, which would be unpickled, are refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            sizes, fortran, dtype = read(file)
    except Exception as error:  # NumPy reads the header as Python's code, and raises whatever that can
        raise unreadable(path, error) from None
    if dtype.kind not in "biufUS":
        raise UserError(
            f"{path} has an array of {dtype}; only numbers (and strings as labels) are read, and nothing is unpickled.",
            f"{path} に {dtype} の配列があります。読めるのは数(ラベルは文字列も可)だけで、pickleは読みません。",
        )
    if min(sizes, default=0) < 0 or not dtype.itemsize:
        raise UserError(f"{path} has an array of shape {sizes}.", f"{path} の配列の形 {sizes} が正しくありません。")
    return sizes, fortran, dtype


def _features(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    """Features as ``Found`` has them: uint8 or float32, channels first; numbers of any kind where they stay in a large file."""
    if x.dtype.kind in "US" or not x.ndim or 0 in x.shape[1:]:
        raise UserError(
            f"{path}: {name} is of type {x.dtype} and shape {x.shape}; it must hold numbers, [sample, feature] or images.",
            f"{path}: {name} は型 {x.dtype}、形 {x.shape} です。数の配列 [サンプル, 特徴量] か画像にしてください。",
        )
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = np.moveaxis(x, 3, 1)  # Keras' and Pillow's order
    if x.dtype == np.uint8 or (isinstance(x, np.memmap) and large(x, len(x))):
        return x
    return floats(x)


def _labels(path: Path, name: str, y: np.ndarray) -> np.ndarray:
    """Labels, one a sample."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise UserError(
            f"{path}: {name} is of shape {y.shape}; there must be one label for each sample (of one-hot rows, take argmax(1)).",
            f"{path}: {name} の形が {y.shape} です。1サンプルに1つのラベルが必要です(one-hotなら argmax(1) を取ってください)。",
        )
    if y.dtype.kind == "S":
        try:
            return np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise unreadable(path, error) from None
    return y


READER = Reader(ABOUT, accepts, read)
