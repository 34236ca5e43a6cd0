"""A visitor's own file: limited, kept in a folder that goes with the page, and read by the data's own readers."""

from __future__ import annotations

import re
from pathlib import Path

from nicegui import ui
from nicegui.events import UploadEventArguments

from koubai.data import load
from koubai.data.builtin import BUILTIN
from koubai.language import UserError, Words
from koubai.spec import Data
from koubai.web.play.bench import FALLBACK, Bench
from koubai.web.shell import aside, put, warn

LARGEST = 20 * 2**20  # bytes of one file
MOST_FILES = 10
LARGE = Words(
    f"The file is larger than the {LARGEST // 2**20} MB that this page takes; koubai study reads it where it lies.",
    f"ファイルがこのページの上限 {LARGEST // 2**20} MB を超えています。koubai study なら、元の場所から読み込めます。",
)


def upload(bench: Bench) -> None:
    """Put the button that takes a file."""
    picker = ui.upload(
        auto_upload=True, max_file_size=LARGEST, on_upload=lambda event: received(bench, event), on_rejected=lambda: warn(LARGE)
    ).classes("picker")
    picker.props["aria-hidden"] = "true"
    button = put("button", Words("Own file…", "自分のファイル…"), "button", type="button")
    button.on("click", js_handler=f"() => getElement({picker.id}).$refs.qRef.pickFiles()")
    put(
        "p",
        Words(
            "A CSV, .npz, Parquet or IDX file; it stays on this machine and goes when the page is closed.",
            "CSV、.npz、Parquet、IDX。ファイルはこのマシンの外へ出ず、ページを閉じると消えます。",
        ),
        "small soft",
    )


async def received(bench: Bench, event: UploadEventArguments) -> None:
    """Keep the file, read it, and put it on the board; what is wrong with it is said in one sentence."""
    name = plain_name(event.file.name)
    if event.file.size() > LARGEST:
        raise UserError(*LARGE)
    if name not in bench.files and len(bench.files) == MOST_FILES:
        raise UserError(
            f"A page takes {MOST_FILES} files; open another one for more.",
            f"1つのページで使えるのは {MOST_FILES} ファイルまでです。",
        )
    path = bench.folder() / str(len(bench.files)) / name
    path.parent.mkdir(exist_ok=True)
    await event.file.save(path)
    try:
        await aside(load, Data(name=str(path)))
    except UserError as error:
        path.unlink()
        raise UserError(*(words.replace(str(path), name) for words in error.words)) from None
    bench.files[name] = path
    await bench.edit({"data": name, **({"layers": FALLBACK} if "flatten" in bench.board.base.layers else {})})


def plain_name(given: str) -> str:
    """The last part of a file's name, short, and none that leads anywhere or is taken."""
    name = re.sub(r"[\x00-\x1f/\\:]", "_", Path(given.replace("\\", "/")).name).lstrip(".")[-80:] or "data"
    return f"{name}.data" if name in BUILTIN else name
