"""The formats that are read, each in a file of its own; one line here registers it."""

from __future__ import annotations

from pathlib import Path

from koubai.data.files import unreadable
from koubai.data.found import Found, Reader
from koubai.data.readers import arrays, cifar, csvs, idx, images, parquet
from koubai.language import UserError
from koubai.spec import Data

READERS: tuple[Reader, ...] = (idx.READER, cifar.READER, arrays.READER, csvs.READER, parquet.READER, images.READER)


def read(path: Path, spec: Data) -> Found:
    """What is in a file or folder, by the first reader that accepts it. Raises ``UserError``."""
    try:
        for reader in READERS:
            if reader.accepts(path):
                return reader.read(path, spec)
        inside = sorted(path.iterdir()) if path.is_dir() else []
    except OSError as error:
        raise unreadable(path, error) from None
    en, ja = (", ".join(getattr(reader.about, lang) for reader in READERS) for lang in ("en", "ja"))
    if path.is_dir() and not inside:
        raise UserError(f"{path} is empty.", f"{path} は空です。")
    files = [file.name for file in inside if file.is_file() and any(reader.accepts(file) for reader in READERS)][:3]
    if files:
        raise UserError(
            f"{path} is a folder; name a file in it ({', '.join(files)}).",
            f"{path} はフォルダです。中のファイルを指定してください({', '.join(files)})。",
        )
    raise UserError(
        f"{path} is in no format that can be read. These can: {en}.", f"{path} は読める形式ではありません。読めるもの: {ja}。"
    )
