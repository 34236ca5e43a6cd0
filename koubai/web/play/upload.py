"""The button that takes a visitor's own file, and puts it on the board.

The browser sends the file to one address for all pages. NiceGUI's own element would make one a page, and FastAPI remembers the functions
behind 4096 addresses, with all that they hold, when the pages are long gone.
"""

from __future__ import annotations

from nicegui.events import GenericEventArguments

from koubai.language import Words
from koubai.web.play.bench import Bench
from koubai.web.shell import put, warn
from koubai.web.uploads import KINDS, MOST

ADDRESS = "/uploads"
LONGEST = 500  # letters of an answer
SEND = f"""async (e) => {{
  const file = e.target.files[0];
  if (!file) return;
  if (file.size > {MOST}) return emit(false, null);
  const to = "{ADDRESS}?" + new URLSearchParams({{ name: file.name }});
  emit(...(await fetch(to, {{ method: "POST", body: file }}).then((answer) => answer.json(), (error) => [false, `${{error}}`])));
  e.target.value = "";
}}"""  # emptied: the same file may come again


def upload(bench: Bench) -> None:
    """Put the button. What is wrong with a file is said in one sentence."""
    large = Words(
        f"The file is larger than the {MOST / 1e6:.0f} MB that can be uploaded; use koubai run --data for it.",
        f"ファイルがアップロードの上限 {MOST / 1e6:.0f} MB を超えています。koubai run --data を使ってください。",
    )

    async def came(event: GenericEventArguments) -> None:
        kept, answer = event.args
        text = str(answer)[:LONGEST]
        if kept:
            await bench.take(text)
        else:
            warn(large if answer is None else Words(text, text))

    picker = put("input", classes="picker", type="file", accept=",".join(KINDS), tabindex="-1", aria_hidden="true")
    picker.on("change", came, js_handler=SEND)
    button = put("button", Words("Your own file…", "自分のファイル…"), "button", type="button")
    button.on("click", js_handler=f"() => getHtmlElement({picker.id}).click()")
    kinds = ", ".join(KINDS)
    put("p", Words(f"{kinds}; it stays on this machine.", f"{kinds}。ファイルはこのマシンの外へ出ません。"), "small soft")
