"""A browser, and a laboratory for it to look at: a server over a small store, both started once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from benchmarks.serving import served
from koubai.laboratory import run
from koubai.store import Store
from koubai.study import Study
from koubai.web.ideas.base import IDEAS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "<script>alert(1)</script>"
BASE = {"data": {"name": "digits", "samples": 100}, "layers": [8], "batch_size": 50, "steps": 20}


class Laboratory(NamedTuple):
    """A running server: its address, its store, and the ids of the studies in it by name."""

    url: str
    store: Store
    ids: dict[str, str]

    def paths(self) -> list[str]:
        """Of every page one, and of a study's page one in each state."""
        some, other = self.ids["finished"], self.ids["lost"]
        studies = [f"/runs/{id}" for name, id in self.ids.items() if name != "spare"]
        ideas = [f"/ideas/{name}" for name in IDEAS]
        return ["/", "/play", "/ideas", *ideas, "/runs", *studies, f"/runs/compare?a={some}&b={other}"]


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A server over a finished study, one to be deleted, one that diverged, and one that was interrupted and has a wicked name."""
    out = tmp_path_factory.mktemp("web")
    store, studies = Store(out / "store"), {}
    for name, rates in {"finished": [0.01, 0.1], "spare": [0.5], "lost": [1e38]}.items():
        studies[name] = Study(BASE, name=name, axes={"learning_rate": rates, "seed": 2})
        run(studies[name], store=store, progress=False)
    studies[EVIL] = Study(BASE, name=EVIL, axes={"learning_rate": [0.01, 0.2], "seed": 2})
    store.note(studies[EVIL])
    with served(out) as (link, _):
        yield Laboratory(link.rstrip("/"), store, {name: study.id for name, study in studies.items()})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. While it is open its loop runs in this thread, and no other can: not longer than for one module."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a new visitor who speaks English. It fails the test for an error in its console and a request that leaves the machine.

    What it is parametrized with are Playwright's options of another browser.
    """
    usual: dict[str, Any] = {"locale": "en-US", "color_scheme": "light", "viewport": {"width": 1280, "height": 900}}
    context = browser.new_context(base_url=laboratory.url, **usual | getattr(request, "param", {}))
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    inside = (laboratory.url, "data:", "blob:")
    opened.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(inside) else None)
    yield opened
    context.close()
    assert not wrong
