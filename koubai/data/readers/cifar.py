"""CIFAR-10 and CIFAR-100, the binary version: records of one label (two in CIFAR-100) and 3x32x32 bytes, red, green, blue.

https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koubai.data.files import fill, limit
from koubai.data.found import Found, Reader
from koubai.language import UserError, Words
from koubai.spec import Data

PIXELS = 3 * 32 * 32
ABOUT = Words("a folder of CIFAR-10 or CIFAR-100's binary version", "CIFAR-10・CIFAR-100のバイナリ版のフォルダ")


@dataclass(frozen=True)
class Version:
    """CIFAR-10 or CIFAR-100: bytes of labels before an image (the last is the class), classes, files."""

    labels: int
    classes: int
    train: str
    test: str
    names: str


TEN = Version(1, 10, "data_batch_*.bin", "test_batch.bin", "batches.meta.txt")
HUNDRED = Version(2, 100, "train.bin", "test.bin", "fine_label_names.txt")


def accepts(path: Path) -> bool:
    """A folder with files of the usual names (those of the Python version too, to say what is wrong), or one ``.bin`` file."""
    if path.is_file():
        return path.suffix == ".bin"
    return any(any(path.glob(pattern)) for pattern in ("*.bin", "data_batch_[0-9]"))


def read(path: Path, spec: Data) -> Found:
    """Images ``[sample, 3, 32, 32]`` and labels of a folder with a test part, or of one file without."""
    if path.is_file():
        version = HUNDRED if path.name in (HUNDRED.train, HUNDRED.test) else TEN
        x, y = records([path], version)
        return Found(ABOUT, x, y, class_names(path.parent, version))
    for version in (TEN, HUNDRED):
        train = sorted(path.glob(version.train))
        if train:
            break
    else:
        raise UserError(
            f"{path} has neither data_batch_1.bin nor train.bin; koubai reads CIFAR's binary version, never pickles.",
            f"{path} に data_batch_1.bin も train.bin もありません。読めるのはCIFARのバイナリ版だけで、pickleは読みません。",
        )
    x, y = records(train, version)
    names = class_names(path, version)
    if not (path / version.test).is_file():
        return Found(ABOUT, x, y, names)
    x_test, y_test = records([path / version.test], version)
    return Found(ABOUT, x, y, names, test=(x_test, y_test))


def samples(path: Path) -> np.ndarray:
    """The images of one file, or those of a folder's test part (of one without: all). Raises ``UserError``."""
    found = read(path, Data(name=str(path)))
    return found.test[0] if found.test else found.x


def records(paths: Sequence[Path], version: Version) -> tuple[np.ndarray, np.ndarray]:
    """The images uint8 ``[sample, 3, 32, 32]`` and labels of these files in turn, read into one array."""
    size = version.labels + PIXELS
    counts = [_images(path, size) for path in paths]
    limit(paths[0].parent, sum(counts) * size)
    whole, start = np.empty((sum(counts), size), np.uint8), 0
    for path, count in zip(paths, counts, strict=True):
        part = whole[start : start + count]
        with open(path, "rb") as file:
            fill(file, path, part)
        labels = part[:, version.labels - 1]
        wrong = int(labels.argmax())
        if labels[wrong] >= version.classes:
            raise UserError(
                f"{path}: the label of image {wrong} is {labels[wrong]}, and must be less than {version.classes}.",
                f"{path}: 画像 {wrong} のラベルが {labels[wrong]} です。{version.classes} 未満でなければなりません。",
            )
        start += count
    return whole[:, version.labels :].reshape(-1, 3, 32, 32), whole[:, version.labels - 1].astype(np.int64)


def _images(path: Path, size: int) -> int:
    count, rest = divmod(path.stat().st_size, size)
    if rest or not count:
        raise UserError(
            f"{path} does not consist of records of {size:,} bytes; it is cut short, corrupt or not CIFAR's binary version.",
            f"{path} が1件 {size:,} バイトのデータの並びになっていません。途中で切れているか、CIFARのバイナリ版ではありません。",
        )
    return count


def class_names(folder: Path, version: Version) -> tuple[str, ...]:
    """The names of the classes from the file beside the images; numbers where it is not there or has not as many."""
    try:
        names = (folder / version.names).read_text(encoding="utf-8").split("\n")
        names = [name.strip() for name in names if name.strip()]
    except (OSError, UnicodeDecodeError):
        names = []
    return tuple(names) if len(set(names)) == version.classes == len(names) else tuple(map(str, range(version.classes)))


READER = Reader(ABOUT, accepts, read)
