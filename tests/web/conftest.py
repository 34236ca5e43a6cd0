"""A browser, and a laboratory for it to look at: a server over a small store, both started once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from koubai.laboratory import run
from koubai.store import Store
from koubai.study import Study

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


@contextmanager
def served(out: Path, *options: str) -> Iterator[str]:
    """``koubai serve`` on a free port; gives the link that it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NICEGUI_"))}
    command = [sys.executable, "-m", "koubai", "serve", "--port", "0", "--out", str(out), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment | {"LC_ALL": "en_US.UTF-8"})
    try:
        assert process.stdout
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link, "koubai serve printed no link"
        _wait(f"http://127.0.0.1:{urlsplit(link[0]).port}/")
        yield link[0]
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


def _wait(url: str) -> None:
    import time
    import urllib.error
    import urllib.request

    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except urllib.error.HTTPError as error:  # an answer, if only that it is locked
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


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
    with served(out) as link:
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
def page(browser: Browser, laboratory: Laboratory) -> Iterator[Page]:
    """A page of a new visitor who speaks English. It fails the test for an error in its console and a request that leaves the machine."""
    context = browser.new_context(
        base_url=laboratory.url, locale="en-US", color_scheme="light", viewport={"width": 1280, "height": 900}
    )
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
