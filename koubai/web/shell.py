"""What every page stands in: the header with pages, language and theme, and the few pieces that pages are made of.

Texts are said where they are put: the guard has chosen the visitor's language, for the page and for what its handlers do later. What
leaves the event loop keeps it through ``aside``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import copy_context
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import Client, ui
from nicegui.elements.mixins.text_element import TextElement

from koubai.language import UserError, Words, language, say
from koubai.report.style import DARK, FONT, LIGHT, follow, variables
from koubai.store import Store
from koubai.web.guard import dark
from koubai.web.uploads import told

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

P = ParamSpec("P")
R = TypeVar("R")
Content = Callable[[Store], Awaitable[None] | None]  # fills a page

HERE = Path(__file__).parent
PAGES = {
    "/": Words("Start", "はじめに"),
    "/play": Words("Play", "実験する"),
    "/ideas": Words("Ideas", "しくみ"),
    "/runs": Words("Runs", "記録"),
}
LONG = 50  # letters of a formula that may be wider than its place
NARROW = 280  # pixels that every page has for a figure
PANEL = 190  # pixels that one of several panels beside each other needs


class Page(ui.page):
    """A page in the visitor's language and theme."""

    def resolve_language(self) -> Any:
        """The language of the request in hand."""
        return "ja" if language() == "ja" else "en-US"

    def resolve_dark(self) -> bool | None:
        """The theme of the request in hand."""
        return dark.get()


class Put(TextElement):
    """An HTML element with a text or with others inside."""

    def __init__(self, tag: str, text: str) -> None:
        super().__init__(tag=tag, text=text)


def put(tag: str, words: Words | str = "", classes: str = "", **properties: Any) -> Put:
    """Put an HTML element where we are; the text is escaped. ``properties`` are attributes, ``_`` written for ``-``; ``None`` is none.

    Others go inside by ``with put("section"):``.
    """
    made = Put(tag, say(words) if isinstance(words, Words) else words).classes(classes)
    for name, value in properties.items():
        if value is not None:
            made.props[name.rstrip("_").replace("_", "-")] = say(value) if isinstance(value, Words) else value
    return made


@contextmanager
def tabular(heads: Iterable[Words | str], classes: str = "", numbers: int | None = None) -> Iterator[Put]:
    """Put a table: its heads, and inside the ``with`` its rows, in the body that is given. Columns from ``numbers`` on are numbers.

    It can be focused, so that it is scrolled by the keyboard too where it is wider than the page.
    """
    around = put("div", classes="scroll", role="group", tabindex="0", aria_label=Words("Table", "表"))
    with around, put("table", classes=classes):
        with put("thead"), put("tr"):
            for k, head in enumerate(heads):
                put(
                    "th" if head else "td",
                    head,
                    "" if numbers is None or k < numbers else "number",
                    scope="col" if head else None,
                )
        with put("tbody") as body:
            yield body


def page(path: str, title: Words, content: Content, store: Store) -> None:
    """Register a page: what ``content`` puts, inside the frame. What it cannot do and the user can mend is said in its place."""

    def visitors(error: Exception) -> Exception:
        return told(store, error) if isinstance(error, UserError) else error

    @Page(path, response_timeout=30)
    async def shown() -> None:
        ui.page_title(f"{say(title)} | Koubai 勾配")
        ui.on_exception(lambda error: warn(visitors(error)))
        _frame(path)
        try:
            made = content(store)
            if isawaitable(made):
                await made
        except Exception as error:
            if not any(one.tag == "h1" for one in ui.context.client.elements.values()):
                put("h1", title)
            problem(visitors(error))


async def nowhere(request: Request, error: Exception) -> Response:
    """The answer where there is no such page."""
    if "endpoint" in request.scope and not request.scope.get("nicegui_page_path"):
        return PlainTextResponse(str(error), 404)  # a part of a page, for no human eye
    with Client(Page(""), request=request) as client:
        title = Words("There is no such page.", "このページはありません。")
        ui.page_title(f"{say(title)} | Koubai 勾配")
        _frame("")
        put("h1", title)
        with put("p"):
            put("a", Words("To the start page", "「はじめに」のページへ"), href="/")
    return client.build_response(request, 404)


def asked(name: str) -> str:
    """What the page's address says under a name, in its path or behind it; nothing where it does not."""
    request = ui.context.client.request
    return str(request.path_params.get(name) or request.query_params.get(name) or "")


def head() -> None:
    """What all pages have in their head: the colours, the style, and the script that knows the theme. Called once."""
    script, style = ((HERE / name).read_text("utf-8") for name in ("shell.js", "style.css"))
    colors = f":root{{--font:{FONT};{variables(LIGHT)}}}[data-theme=dark]{{{variables(DARK)}}}"
    ui.add_head_html(f"<style>{colors}{follow()}{style}</style><script>{script}</script>", shared=True)


def _frame(path: str) -> None:
    """The header, above the page's main part."""
    ui.colors(
        primary=LIGHT["blue"], secondary=LIGHT["soft"], positive=LIGHT["green"], negative=LIGHT["red"],
        dark=DARK["wash"], dark_page=DARK["paper"],
    )  # fmt: skip
    with ui.context.client.layout, put("header") as header:
        with put("a", classes="brand", href="/"):
            put("span", "Koubai ")
            put("b", "勾配")
        with put("nav", aria_label=Words("Pages", "ページ")):
            for other, title in PAGES.items():
                here = other == path or (other != "/" and path.startswith(other + "/"))
                put("a", title, href=other, **({"aria_current": "page"} if here else {}))
        with put("div", classes="switch", role="group", aria_label="Language / 言語"):
            for code, name in (("en", "English"), ("ja", "日本語")):
                pressed = "true" if language() == code else "false"
                button = put("button", name, type="button", lang=code, aria_pressed=pressed)
                button.on("click", js_handler=f"() => koubai.speak('{code}')")
        theme = put("button", "◐", "theme", type="button", data_switch_theme="", aria_label=Words("Dark", "ダーク表示"))
        theme.props["title"] = say(Words("Light or dark", "明暗を切り替える"))
        theme.on("click", js_handler="() => koubai.theme()")
    header.move(target_index=0)
    ui.skip_link(say(Words("Skip to the content", "本文へ")), target=ui.context.client.content)


def warn(error: Exception | Words) -> None:
    """A message that stays until it is closed."""
    close = {"label": say(Words("Close", "閉じる")), "color": "white", "noCaps": True}
    ui.notify(_said(error), type="negative", timeout=0, actions=[close], multi_line=True)


def problem(error: Exception | Words) -> None:
    """An error in the place of what could not be shown."""
    put("p", _said(error), "problem", role="alert")


def _said(error: Exception | Words) -> str:
    """What the user can mend, as it says itself; of a bug of ours that there is one, with its traceback in the terminal."""
    if isinstance(error, UserError | Words):
        return str(error) if isinstance(error, UserError) else say(error)
    logging.getLogger(__name__).error("a bug in Koubai", exc_info=error)
    return say(
        Words(
            f"A bug in Koubai: {error!r}. The terminal has the details.",
            f"Koubaiの不具合です({error!r})。詳細はターミナルに表示されています。",
        )
    )


def formula(text: str) -> None:
    """A formula, in LaTeX as techniques have it, on lines of its own."""
    from koubai.report.mathml import math, parts

    with put("div", classes="formula", tabindex="0" if len(text) > LONG else None):  # the keyboard scrolls it
        for part in parts(text):
            ui.html(math(part), sanitize=False)  # of our own formulas, escaped


def figure(made: Figure | None, label: Words | str, width: int = NARROW) -> ui.plotly:
    """Show one of our figures; ``label`` tells those who cannot see it what it shows. ``update`` shows another in its place.

    With ``None`` its place is empty until then. Where there are less than ``width`` pixels, or than its panels need, it scrolls sideways.
    """
    if made:
        width = max(width, PANEL * len({axis.domain and axis.domain[0] for axis in made.select_xaxes()}))
    with put("div", classes="plot", tabindex="0" if width > NARROW else None):  # the keyboard scrolls it
        shown = ui.plotly({"data": []}).style(f"min-width: {width}px")
    shown.props["role"] = "img"
    shown.props["aria-label"] = say(label) if isinstance(label, Words) else label
    if made:
        update(shown, made)
    return shown


def update(shown: ui.plotly, made: Figure) -> None:
    """Show another figure in the place of one. A square one is no higher than wide, but for what stands around it."""
    given = dressed(made)
    if "scaleanchor" in given["layout"].get("yaxis", {}) and "yaxis2" not in given["layout"]:
        shown.style(f"height: min({given['layout'].pop('height')}px, 100cqw + 42px)")
    shown.update_figure(given)


def restyle(shown: ui.plotly, changes: dict[str, list[Any]], traces: list[int]) -> None:
    """Change parts of some traces and leave the rest where it is: cheap enough for what moves. ``changes`` are plotly's, a value a trace.

    Where the browser still loads plotly, it waits for it.
    """
    given = f"{json.dumps(changes)}, {json.dumps(traces)}"
    shown.client.run_javascript(
        f"(function go() {{ const one = getElement({shown.id}); if (!one) return;"
        f" one.last_options ? one.Plotly.restyle(one.$el, {given}) : setTimeout(go, 50); }})()"
    )


def dressed(made: Figure) -> dict[str, Any]:
    """A figure for the page, as wide as its place."""
    from koubai.report.style import plain

    shown: dict[str, Any] = plain(made.to_plotly_json(), [], [])
    if not shown["layout"].get("margin"):  # above stands the legend, and over panels their titles
        more = 28 * (_rows(shown["data"]) - 1)
        shown["layout"]["margin"] = {"t": more + (76 if shown["layout"].get("annotations") else 44)}
        shown["layout"]["height"] += more
    shown["layout"]["autosize"] = True
    shown["config"] = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    return shown


def _rows(traces: list[dict[str, Any]], width: int = 960) -> int:
    """How many rows of about ``width`` pixels the legend takes: plotly makes no room for more than one."""
    rows, used = 1, 0
    for one in traces:
        if one.get("name") and one.get("showlegend", True):
            needs = 46 + sum(13 if unicodedata.east_asian_width(letter) in "FWA" else 7 for letter in one["name"])
            rows, used = (rows + 1, needs) if used and used + needs > width else (rows, used + needs)
    return rows


async def aside(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Work off the event loop, in the visitor's language: the page, and all others, go on meanwhile."""
    return await elsewhere(None, work, *args, **kwargs)


async def elsewhere(pool: Executor | None, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """``aside``, in a pool of one's own."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(work, *args, **kwargs))
