"""The server: the pages, the guard around them, and how it is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import plotly.subplots  # noqa: F401 (these two would else be imported with the first figure and data, while a visitor waits)
import sklearn.model_selection  # noqa: F401
from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from nicegui import app, ui

from koubai.language import Language, UserError
from koubai.store import Store
from koubai.web import compare, ideas, jobs, play, runs, start, study
from koubai.web.guard import Guard
from koubai.web.shell import PAGES, Content, aside, head, nowhere, page
from koubai.web.uploads import keep, told

# seconds after which NiceGUI forgets a browser's tab, of which it remembers nothing for us; by itself after 30 days
TABS = 3600.0
CONTENT: Mapping[str, Content] = {"/": start.content, "/play": play.content, "/ideas": ideas.content, "/runs": runs.content}


def serve(store: Store, host: str, port: int, token: str | None, first: Language | None) -> None:
    """Serve the laboratory until it is interrupted. ``token`` and ``first`` are the guard's."""
    head()
    for path, content in CONTENT.items():
        page(path, PAGES[path], content, store)
    for name, idea in ideas.IDEAS.items():
        page(f"/ideas/{name}", idea.title, ideas.one(idea), store)
    page("/runs/compare", PAGES["/runs"], compare.content, store)
    page("/runs/{id}", PAGES["/runs"], study.content, store)
    app.get("/runs/{id}/report")(partial(_report, store))
    app.get("/runs/{id}/curves")(partial(_curves, store))
    app.get("/runs/{id}/model/{trial}")(partial(_model, store))
    app.exception_handler(404)(nowhere)
    app.post(play.UPLOADS)(partial(_upload, store))
    app.on_shutdown(jobs.stop_all)
    app.storage.max_tab_storage_age = TABS
    app.add_middleware(Guard, token=token, first=first)
    ui.run(
        host=host, port=port, title="Koubai 勾配", favicon=ICON, dark=None, tailwind=False, reload=False, show=False,
        show_welcome_message=False, reconnect_timeout=60,  # a browser that is slow or asleep for less finds its page as it was
    )  # fmt: skip


async def _upload(store: Store, request: Request, name: str) -> Response:
    """Keep a file that a visitor sends: whether it is kept, and what it is called here, or why not."""
    try:
        return JSONResponse([True, (await aside(keep, store, name, await request.body())).name])
    except UserError as error:
        return JSONResponse([False, str(error)])


async def _report(store: Store, id: str) -> Response:
    """The report on a study, as a page of its own."""
    try:
        return HTMLResponse(await aside(study.report, store, id))
    except UserError as error:
        return PlainTextResponse(str(told(store, error)), 404)


async def _curves(store: Store, id: str) -> Response:
    """The curves of a study as CSV."""
    return await _file(study.curves, "text/csv; charset=utf-8", store, id)


async def _model(store: Store, id: str, trial: str, onnx: bool = False) -> Response:
    """A trained network as a zip file."""
    return await _file(study.download, "application/zip", store, id, trial, onnx)


async def _file(make: Callable[..., tuple[str, str | bytes]], kind: str, store: Store, *given: Any) -> Response:
    """What ``make(store, *given)`` names and holds, as a file that a browser keeps; 404 where it cannot be made."""
    try:
        name, content = await aside(make, store, *given)
    except UserError as error:
        return PlainTextResponse(str(told(store, error)), 404)
    named = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type=kind, headers=named)


ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0072b2"/>'
    '<path d="M5 8c9 0 9 16 22 16" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round"/></svg>'
)
