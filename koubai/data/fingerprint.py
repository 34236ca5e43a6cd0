"""What a data set's files hold, in one hash: stored results are held against it, so that a changed file is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from koubai.data.builtin import BUILTIN
from koubai.data.files import find

SUFFIXES = (
    ".csv", ".tsv", ".txt", ".parquet", ".pq", ".npy", ".npz", ".bin", ".gz", ".png", ".jpg", ".jpeg", ".bmp", ".gif",
)  # fmt: skip
DEPTHS = ("*", "*/*", "*/*/*")  # as deep as readers look


def fingerprint(name: str) -> str | None:
    """A hash of all that the files behind a data set's name hold; ``""`` for a set inside the package, ``None`` where there is none.

    It is of content alone: neither where the files lie nor when they were written changes it. Each is read once, and again where the
    system says that it has changed.
    """
    if name in BUILTIN:
        return ""
    path = find(name)
    if path is None:
        return None
    try:
        found = hashlib.sha256()
        root = path.parent if path.is_file() else path
        for file in _files(path):
            now = file.stat()
            part = _content(file.absolute(), now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
            found.update(
                f"{file.relative_to(root).as_posix() if path.is_dir() else ''}\0{part}\n".encode(errors="surrogateescape")
            )
        return found.hexdigest()[:20]
    except OSError:  # gone meanwhile, or not to be read: whoever reads the data says so
        return None


def _files(path: Path) -> Iterator[Path]:
    """The files that a reader of this path may read, in one order."""
    if path.is_file() and "-ubyte" not in path.name:
        yield path
        return
    folder = path.parent if path.is_file() else path  # MNIST's four files are one data set
    for file in sorted(file for depth in DEPTHS for file in folder.glob(depth)):
        if (file.suffix.lower() in SUFFIXES or "-ubyte" in file.name) and not file.name.startswith(".") and file.is_file():
            yield file


@lru_cache(maxsize=2**17)
def _content(file: Path, *changed: int) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
