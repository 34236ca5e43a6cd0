"""Every page before axe-core, which looks for what keeps people with a screen reader, a keyboard or weak eyes out.

It comes with ``pip install axe-playwright-python``, which Koubai does not ask for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import Laboratory

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (pip install axe-playwright-python)")
FOUND = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes.map(node => node.target).join(" ")}`)"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, laboratory: Laboratory, theme: str) -> None:
    page.context.add_cookies([{"name": "koubai-theme", "value": theme, "url": laboratory.url}])
    script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    found = {}
    for path in [*laboratory.paths(), "/runs/nothing", f"/runs/{laboratory.ids['finished']}/report"]:
        page.goto(path)
        page.locator("h1").first.wait_for()
        for plot in page.locator(".nicegui-content .plot").all():
            plot.locator(".main-svg").first.wait_for()
        page.evaluate(script)
        if violations := page.evaluate(FOUND):
            found[path] = violations
    assert not found
