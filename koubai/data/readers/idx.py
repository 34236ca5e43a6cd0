"""IDX, the format of MNIST: a folder of images and labels for training and for testing, plain or ``.gz``."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from koubai.data.files import array, floats, unreadable
from koubai.data.found import Found, Reader, encode
from koubai.language import UserError, Words
from koubai.spec import Data

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
ABOUT = Words("a folder of IDX files (MNIST)", "IDXファイル(MNIST形式)のフォルダ")


def accepts(path: Path) -> bool:
    """A folder with files of the usual names, or one of these files."""
    return "-ubyte" in path.name if path.is_file() else any(path.glob("*-ubyte*"))


def read(path: Path, spec: Data) -> Found:
    """Training and test images ``[sample, height, width]`` and labels of a folder (or of the folder that a file lies in)."""
    folder = path.parent if path.is_file() else path
    images, labels = {}, {}
    for part in ("train", "t10k"):
        images[part] = idx_file(_one(folder, f"{part}-images-idx3-ubyte"))
        labels[part] = idx_file(_one(folder, f"{part}-labels-idx1-ubyte"))
        sizes = images[part].shape, labels[part].shape
        if len(sizes[0]) != 3 or len(sizes[1]) != 1 or sizes[0][:1] != sizes[1] or 0 in sizes[0]:
            raise UserError(
                f"{folder}: {part} has images of shape {sizes[0]} and labels of shape {sizes[1]}; there must be one label for each image.",
                f"{folder}: {part} の画像の形 {sizes[0]} とラベルの形 {sizes[1]} が合いません。",
            )
    if images["train"].shape[1:] != images["t10k"].shape[1:]:
        raise UserError(
            f"{folder}: training images are {images['train'].shape[1:]} and test images {images['t10k'].shape[1:]}.",
            f"{folder}: 訓練画像 {images['train'].shape[1:]} とテスト画像 {images['t10k'].shape[1:]} の大きさが違います。",
        )
    y, y_test, classes = encode(folder, labels["train"], labels["t10k"])
    x, x_test = (_features(images[part]) for part in ("train", "t10k"))
    return Found(ABOUT, x, y, classes, test=(x_test, y_test))


def samples(path: Path) -> np.ndarray:
    """The images of an IDX file alone, or those of a folder's test part. Raises ``UserError``."""
    file = path if path.is_file() else _one(path, "t10k-images-idx3-ubyte")
    x = idx_file(file)
    if x.ndim < 2 or 0 in x.shape:
        raise UserError(f"{file} holds no images, but {x.shape}.", f"{file} の中身は画像ではありません(形 {x.shape})。")
    return _features(x)


def _features(images: np.ndarray) -> np.ndarray:
    return images if images.dtype == np.uint8 else floats(images)


def _one(folder: Path, stem: str) -> Path:
    for name in (stem, stem + ".gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz"):
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder} has no file {stem} (plain or .gz).", f"{folder} に {stem}(または .gz)がありません。")


def idx_file(path: Path) -> np.ndarray:
    """The array of an IDX file. Raises ``UserError``; reads no more than the header announces."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not 1 <= head[3] <= 8:
                raise UserError(f"{path} is not an IDX file.", f"{path} はIDXファイルではありません。")
            sizes = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
            return array(file, path, np.dtype(TYPES[head[2]]), sizes)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise unreadable(path, error) from None


READER = Reader(ABOUT, accepts, read)
