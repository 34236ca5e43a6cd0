"""Data that visitors bring: small files that the data readers accept, kept in a folder of their own; and nothing else of this machine.

A visitor names data in addresses and fields too. What they may name are the built-in sets and the files in that folder: anything else would
let a page read whatever the server can.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from koubai.data import load
from koubai.data.builtin import BUILTIN
from koubai.data.files import at_most
from koubai.language import UserError
from koubai.spec import Data
from koubai.store import Store, write_whole

MOST = 20 * 10**6  # bytes of one file
ALL = 500 * 10**6  # bytes of all files
VALUES = 5 * 10**7  # of what a file expands to
KINDS = (".csv", ".npz", ".parquet")  # one file is all of the data


def folder(store: Store) -> Path:
    """Where uploads lie: beside the store."""
    return store.folder.parent / "uploads"


def keep(store: Store, name: str, content: bytes, target: str | None = None) -> Data:
    """Keep an uploaded file and give it as data; ``target`` is a table's column of classes. What no reader accepts is not kept.

    The file is named by its content, after the visitor's own name for it as far as that is letters. Raises ``UserError``.
    """
    kind = Path(name).suffix.lower()
    if kind not in KINDS:
        raise UserError(
            f"{name[-60:]!r} cannot be uploaded; choose a file that ends in one of {', '.join(KINDS)}.",
            f"{name[-60:]!r} は受け取れません。{'、'.join(KINDS)} のファイルを選んでください。",
        )
    if len(content) > MOST:
        raise UserError(
            f"{name[-60:]!r} is {len(content) / 1e6:.0f} MB; at most {MOST / 1e6:.0f} MB can be uploaded. Use koubai run --data for more.",
            f"{name[-60:]!r} は {len(content) / 1e6:.0f} MB です。上限は {MOST / 1e6:.0f} MB です(koubai run --data なら制限なし)。",
        )
    plain = "".join(letter for letter in Path(name).stem if letter.isalnum() or letter in "-_")[:30] or "data"
    path = folder(store) / f"{plain}-{hashlib.sha256(content).hexdigest()[:12]}{kind}"
    new = not path.exists()
    if new and sum(file.stat().st_size for file in _files(store)) + len(content) > ALL:
        raise UserError(
            f"Uploads would take more than {ALL / 1e6:.0f} MB together; make room in the server's folder {folder(store).name} first.",
            f"アップロードの合計が {ALL / 1e6:.0f} MB を超えます。先にサーバーのフォルダー {folder(store).name} を整理してください。",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            write_whole(path, content)
        data = Data(name=str(path), target=target)
        with at_most(VALUES):
            load(data)
    except OSError as error:
        raise UserError(
            f"{name[-60:]!r} could not be kept on the server: {error.strerror}.",
            f"{name[-60:]!r} をサーバーに保存できませんでした({error.strerror})。",
        ) from None
    except UserError as error:
        if new:
            path.unlink(missing_ok=True)
        raise UserError(*(words.replace(str(path), name[-60:]).replace(path.name, name[-60:]) for words in error.words)) from None
    return data


def told(store: Store, error: UserError) -> UserError:
    """An error as a visitor reads it, ``placeless``."""
    return UserError(*(placeless(store, words) for words in error.words))


def placeless(store: Store, text: str) -> str:
    """A text with uploads by the names that they came with, not by their places on this machine."""
    start = re.escape(f"{folder(store)}{os.sep}").replace(r"\\", r"\\+")  # TOML and JSON double what parts a path on Windows
    cut = r"\.\.\.[^'\n]*?"  # what a sentence has left of a long path
    return re.sub(rf"(?:{start}|{cut})([\w-]+)-[0-9a-f]{{12}}(\.[a-z]+)", r"\1\2", text)


def permitted(store: Store, names: Iterable[str]) -> None:
    """Raise ``UserError`` for data that is neither built in nor an upload."""
    there = {str(file) for file in _files(store)}
    for name in names:
        if name not in BUILTIN and name not in there:
            raise UserError(
                f"The data {name[-60:]!r} is neither built in nor was it uploaded here.",
                f"データ {name[-60:]!r} は、内蔵のものでも、ここにアップロードされたものでもありません。",
            )


def _files(store: Store) -> list[Path]:
    place = folder(store)
    return [file for file in place.iterdir() if file.is_file() and not file.is_symlink()] if place.is_dir() else []
