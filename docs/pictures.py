"""``python -m docs.pictures [FOLDER]``: takes the READMEs' pictures anew, from what ``make run`` left there and with Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from koubai.cli.base import OUT
from koubai.language import Language

HERE = Path(__file__).parent / "images"
ENDINGS: dict[Language, str] = {"en": ".png", "ja": ".ja.png"}
SHOWN = 4000  # steps after which the networks of Play are shown
# of the report: its head, the first claim and the ledger
FEW = """() => {
  for (const part of document.querySelectorAll("#evidence, #questions, #exercises, .exercise, footer")) part.hidden = true;
  const claims = document.querySelector("#claims");
  for (const row of [...claims.querySelectorAll("tbody tr")].slice(2)) row.hidden = true;
  for (const group of [...claims.querySelectorAll("tbody")].slice(1)) group.hidden = true;
  const named = code => code.textContent.includes("--figure ledger");
  claims.after([...document.querySelectorAll("figure code")].find(named).closest("figure"));
  window.dispatchEvent(new Event("resize"));
}"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the trainings in a folder."""
    command = [sys.executable, "-m", "koubai", "serve", "--port", "0", "--out", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+/", process.stdout.readline())
            assert found is not None, "the server gave no address"
            yield found[0]
        finally:
            process.terminate()


def opened(browser: Browser, language: Language, width: int, height: int, dark: bool = False, scale: float = 1.0) -> Page:
    """A page of so many pixels, for somebody of a language."""
    locale = {"en": "en-US", "ja": "ja-JP"}[language]
    viewport: ViewportSize = {"width": width, "height": height}
    return browser.new_page(locale=locale, viewport=viewport, color_scheme="dark" if dark else "light", device_scale_factor=scale)


def play(page: Page, address: str) -> None:
    """Play, when its networks have learned."""
    page.goto(f"{address}play")
    page.locator("button.start").click()
    page.wait_for_function(f"() => Number(document.body.innerText.match(/([\\d,]+) \\/ 5,000/)?.[1].replace(',', '')) >= {SHOWN}")
    page.wait_for_timeout(500)


def main() -> None:
    """Take them all."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else OUT)
    with sync_playwright() as started, served(folder) as address:
        browser = started.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"))
        for language, ending in ENDINGS.items():
            page = opened(browser, language, 1240, 890, dark=True)
            page.goto(address)
            page.wait_for_timeout(2000)
            page.screenshot(path=HERE / f"start{ending}")
            page = opened(browser, language, 1240, 1190)
            play(page, address)
            page.screenshot(path=HERE / f"play{ending}")
            page = opened(browser, language, 1100, 1270, scale=0.82)
            page.goto((folder / "report.html").resolve().as_uri())
            page.locator(f"[data-speak={language}]").click()
            page.evaluate(FEW)
            page.wait_for_timeout(2000)
            page.screenshot(path=HERE / f"report{ending}")


if __name__ == "__main__":
    main()
