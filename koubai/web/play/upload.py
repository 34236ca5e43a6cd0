"""The button that takes a visitor's own file, and puts it on the board."""

from __future__ import annotations

from weakref import ref

from nicegui import ui
from nicegui.events import UploadEventArguments

from koubai.language import UserError, Words
from koubai.web.play.bench import Bench
from koubai.web.shell import aside, put, warn
from koubai.web.uploads import KINDS, MOST, keep


def upload(bench: Bench) -> None:
    """Put the button."""
    large = UserError(
        f"The file is larger than the {MOST / 1e6:.0f} MB that can be uploaded; use koubai run --data for it.",
        f"ファイルがアップロードの上限 {MOST / 1e6:.0f} MB を超えています。koubai run --data を使ってください。",
    )
    # weakly: FastAPI remembers every route's function for good, also those of pages that are gone
    mine = ref(bench)

    async def came(event: UploadEventArguments) -> None:
        if (there := mine()) is not None:
            await received(there, event)

    picker = ui.upload(auto_upload=True, max_file_size=MOST, on_upload=came, on_rejected=lambda: warn(large)).classes("picker")
    button = put("button", Words("Own file…", "自分のファイル…"), "button", type="button")
    button.on("click", js_handler=f"() => getElement({picker.id}).$refs.qRef.pickFiles()")
    kinds = ", ".join(KINDS)
    put("p", Words(f"{kinds}; it stays on this machine.", f"{kinds}。ファイルはこのマシンの外へ出ません。"), "small soft")


async def received(bench: Bench, event: UploadEventArguments) -> None:
    """Keep the file and train on it; what is wrong with it is said in one sentence."""
    event.sender.reset()  # type: ignore[attr-defined]  # the same file may come again
    data = await aside(keep, bench.store, event.file.name, await event.file.read())
    bench.brought.append(data.name)
    await bench.other_data(data.name)
