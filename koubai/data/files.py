"""Files of the user's. Nothing is trusted: what a header announces is checked before memory is taken, and nothing is unpickled."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from koubai.language import UserError, counted
from koubai.processes import this_process

PLACES = (Path("."), Path("data"), Path("/usr/share/datasets"))  # where data are looked for by name
MOST = 2**30  # values of one array: 4 GiB in training's float32
_most: ContextVar[int | None] = ContextVar("most", default=None)


def find(name: str) -> Path | None:
    """The file or folder of a data set, by path or by name in one of ``PLACES``; ``None`` where there is none."""
    for place in PLACES:
        try:
            path = place / Path(name).expanduser()
            if path.exists():
                return path
        except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, the home of nobody
            continue
    return None


def shorten(text: str) -> str:
    """A text as a sentence shows it: in one line, and not the whole of a long one."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def floats(values: np.ndarray) -> np.ndarray:
    """Values as float32; what it cannot hold becomes infinite, and is refused as such later."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def unreadable(path: Path, error: BaseException) -> UserError:
    """The error for a file that the system or a library cannot read, and why."""
    path = Path(getattr(error, "filename", None) or path)
    why = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")[:200] or type(error).__name__
    return UserError(f"{path} cannot be read: {why}.", f"{path} を読めません({why})。")


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that the system cannot write, and why."""
    return UserError(
        f"{path} cannot be written: {error.strerror}; choose another place.",
        f"{path} に書けません({error.strerror})。別の場所を指定してください。",
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile."""
    part = path.with_name(f".{path.name}.{this_process()}.part")
    try:
        with open(part, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        _put(part, path)
    finally:
        part.unlink(missing_ok=True)


def _put(part: Path, path: Path) -> None:
    """Let a file take its place. Windows refuses while anybody has the old one open, a virus scanner too: we ask for a second."""
    for wait in (0.05, 0.2, 0.75) if sys.platform == "win32" else ():
        with suppress(PermissionError):
            os.replace(part, path)
            return
        time.sleep(wait)
    os.replace(part, path)


@contextmanager
def at_most(values: int) -> Iterator[None]:
    """Inside a ``with``, arrays have at most so many values: for files of people who may not take all of this machine's memory."""
    token = _most.set(values)
    try:
        yield
    finally:
        _most.reset(token)


def limit(path: Path, values: int) -> None:
    """Raise ``UserError`` where an array would have more values than are read."""
    most = min(MOST, _most.get() or MOST)
    if values > most:
        raise UserError(
            f"{path} announces {values:,} values, more than the {most:,} that are read.",
            f"{path} は {values:,} 個の値を持つと宣言しています。上限は {most:,} 個です。",
        )


def array(file: BufferedIOBase, path: Path, dtype: np.dtype[Any], sizes: Sequence[int]) -> np.ndarray:
    """The array of this type and these sizes, whose values are what is left of ``file``.

    Raises ``UserError`` for more values than ``MOST``, and where the file does not hold what was announced.
    """
    limit(path, max(math.prod(sizes), math.prod(sizes) * dtype.itemsize // 8))
    try:
        made = np.empty(sizes, dtype)  # the system hands out pages as they are written to: an empty promise costs nothing
    except MemoryError as error:
        raise unreadable(path, error) from None
    fill(file, path, made)
    return made


def fill(file: BufferedIOBase, path: Path, target: np.ndarray) -> None:
    """Read what is left of ``file`` once, into its place. Raises ``UserError`` where it is not just as long."""
    rest = memoryview(target.reshape(-1).view(np.uint8).data)
    wanted = len(rest)
    while len(rest):
        count = file.readinto(rest)
        if not count:
            break
        rest = rest[count:]
    if len(rest) or file.read(1):
        raise UserError(
            f"{path} does not hold the {counted(wanted, 'byte')} its header announces; it is cut short or corrupt.",
            f"{path} の中身がヘッダの宣言({wanted:,} バイト)と合いません。壊れているか、途中で切れています。",
        )
