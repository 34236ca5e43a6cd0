"""Data from the user's files. Nothing is trusted: sizes are checked against the header before they are read, and nothing is unpickled."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from koubai.language import UserError

PLACES = (Path("."), Path("data"), Path("/usr/share/datasets"))  # where a data set's folder is looked for by name
TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
LARGEST = 4 * 2**30  # bytes of one array


def folder_of(name: str) -> Path | None:
    """The folder of a data set, by path or by name in one of ``PLACES``; ``None`` where there is none."""
    for place in PLACES:
        folder = place / Path(name).expanduser()
        if folder.is_dir() and any(folder.glob("*-ubyte*")):
            return folder
    return None


def idx_folder(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test images (brightness 0 to 1) and labels of an MNIST-style folder of IDX files, plain or ``.gz``.

    Images are ``[sample, height, width]`` float32. Raises ``UserError`` naming the file that is missing, cut short or corrupt.
    """
    arrays = []
    for part in ("train", "t10k"):
        images = idx_file(_one(folder, f"{part}-images-idx3-ubyte"))
        labels = idx_file(_one(folder, f"{part}-labels-idx1-ubyte"))
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(images):
            raise UserError(
                f"{folder}: {part} has images of shape {images.shape} and labels of shape {labels.shape}; they must be as many.",
                f"{folder}: {part} の画像の形 {images.shape} とラベルの形 {labels.shape} が合いません。",
            )
        arrays += [images.astype(np.float32) / (255 if images.dtype.kind in "ui" else 1), labels.astype(np.int64)]
    return arrays[0], arrays[1], arrays[2], arrays[3]


def _one(folder: Path, stem: str) -> Path:
    for name in (stem, stem + ".gz", stem.replace("-idx", ".idx")):
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
            dtype = np.dtype(TYPES[head[2]])
            wanted = math.prod(sizes) * dtype.itemsize
            if wanted > LARGEST:
                raise UserError(
                    f"{path} announces {wanted:,} bytes, more than the {LARGEST:,} that are read.",
                    f"{path} は {wanted:,} バイトと宣言しています。上限は {LARGEST:,} バイトです。",
                )
            content = file.read(wanted)
            if len(content) < wanted or file.read(1):
                raise UserError(
                    f"{path} does not hold the {wanted:,} bytes its header announces; it is cut short or corrupt.",
                    f"{path} の中身がヘッダの宣言({wanted:,} バイト)と合いません。壊れているか、途中で切れています。",
                )
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}.", f"{path} を読めません({error})。") from None
    return np.frombuffer(content, dtype).reshape(sizes)
