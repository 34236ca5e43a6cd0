"""``python -m benchmarks.web [--browsers 20] [--rounds 1]``: Play under load, in a real browser on the same machine.

First what looking costs: the usual board trained alone and looked at as a page does, in turn. Then how long pages take to load, each in a
browser that knows none of them. Then one page: updates a second, and the time from the press of Start until something moves. Then many
pages at once, each in training: errors, how long pages take to answer, updates, and the server's memory before, during and after they have
left; where it stays, further rounds of as many show. Figures are printed as they are found, and to stderr what is under way: about four
minutes in all, of which more than two go into waiting until the server forgets those that left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.machine import name, settle
from benchmarks.serving import DRAWN, served
from koubai.web.play.live import Live
from koubai.web.play.look import Look
from koubai.web.play.page import FIRST

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage

BEGUN = time.perf_counter()
ROUNDS = 5
WATCHED = 10.0  # seconds that pages are watched in training
LEFT = 70.0  # seconds after which those that left are forgotten
PATHS = ("/", "/play", "/ideas", "/ideas/optimizers", "/ideas/convolution", "/runs")
FIGURES = "document.querySelector('main h1') && [...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))"
PAINTS = "performance.getEntriesByName('first-contentful-paint')"
COUNT = """() => {
  window.updates = 0;
  const step = document.querySelector("[data-step]");
  new MutationObserver(() => { window.updates += 1; }).observe(step, { childList: true, characterData: true, subtree: true });
}"""
MOVED = """() => new Promise(done => {
  const begun = performance.now(), step = document.querySelector("[data-step]");
  new MutationObserver(() => done(performance.now() - begun)).observe(step, { childList: true, characterData: true, subtree: true });
  document.querySelector("button.start").click();
})"""


def say(what: str, value: Any) -> None:
    """Print one finding."""
    numbers = isinstance(value, list) and value and isinstance(value[0], float)
    print(f"{what}: {', '.join(f'{one:.3g}' for one in value) if numbers else value}", flush=True)


def now(what: str) -> None:
    """Tell what is under way, and how long it has all taken."""
    print(f"[{time.perf_counter() - BEGUN:4.0f} s] {what}", file=sys.stderr, flush=True)


def trained(watched: bool) -> tuple[float, float]:
    """Seconds by the clock and of the processor for the usual board's training, looked at and packed as for a page or not."""
    told = threading.Event()
    live = Live(FIRST.study, Look(FIRST), told.set)
    while live.taken() is None:
        time.sleep(0.005)
    told.clear()
    begun, used = time.perf_counter(), time.process_time()
    live.start()
    while not live.done:
        if watched and told.wait(0.05):
            told.clear()
            json.dumps(live.taken())
        elif not watched:
            time.sleep(0.02)
    seconds = time.perf_counter() - begun, time.process_time() - used
    live.close()
    live.thread.join()
    return seconds


def slowed() -> list[float]:
    """By what share looking slows a training, by the clock and in the processor's time: medians of pairs."""
    shares: list[tuple[float, float]] = []
    for k in range(ROUNDS):
        now(f"training with and without a look, pair {k + 1} of {ROUNDS}")
        times: dict[bool, tuple[float, float]] = {}
        for watched in (False, True) if k % 2 else (True, False):
            settle()
            times[watched] = trained(watched)
        shares.append((times[True][0] / times[False][0] - 1, times[True][1] / times[False][1] - 1))
    return [statistics.median(part) for part in zip(*shares, strict=True)]


def answered(url: str) -> float:
    """Seconds until a page is there."""
    begun = time.perf_counter()
    with urllib.request.urlopen(f"{url}/play", timeout=60) as answer:
        answer.read()
    return time.perf_counter() - begun


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) / 1024


def bad(message: ConsoleMessage) -> bool:
    """Whether a page's console tells of an error, or that the page begins anew, as NiceGUI lets it where it knows no other way."""
    return message.type == "error" or message.text.startswith("reloading")


async def load(url: str, pid: int, browsers: int, rounds: int) -> None:
    """Say what pages show: as they load, alone in training, and many at once."""
    from playwright.async_api import Error, Page, async_playwright

    wrong: list[str] = []
    async with async_playwright() as started:
        chromium = await started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        async def blank() -> Page:
            page = await (await chromium.new_context()).new_page()
            page.set_default_timeout(120_000)
            page.on("console", lambda message: wrong.append(message.text) if bad(message) else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            return page

        async def loaded(path: str) -> list[float]:
            """Seconds until a page is painted, as the browser says, and until Play's first look or the last figure is drawn."""
            page = await blank()
            begun = time.perf_counter()
            await page.goto(url + path)
            await page.wait_for_function(DRAWN if path == "/play" else FIGURES)
            drawn = time.perf_counter() - begun
            await page.wait_for_function(f"{PAINTS}.length")
            painted = float(await page.evaluate(f"{PAINTS}[0].startTime")) / 1000
            await page.context.close()
            return [painted, drawn]

        async def opened() -> Page:
            page = await blank()
            await page.goto(f"{url}/play?{FIRST.edited({'steps': 10**6}).address()}")
            await page.wait_for_function(DRAWN)
            return page

        async def watched(page: Page) -> float:
            try:
                await page.evaluate(COUNT)
                begun = time.monotonic()
                await asyncio.sleep(WATCHED)
                return float(await page.evaluate("window.updates")) / (time.monotonic() - begun)
            except Error as error:  # it was loaded again, and its training is lost
                wrong.append(str(error))
                return 0.0

        async def crowd() -> list[Page]:
            now(f"{browsers} pages")
            pages = await asyncio.gather(*(opened() for _ in range(browsers)))
            for one in pages:
                await one.locator("button.start").click()
            return pages

        async def left(pages: list[Page]) -> float:
            now(f"{len(pages)} pages left; waiting {LEFT:.0f} s until they are forgotten")
            for one in pages:
                await one.context.close()
            await asyncio.sleep(LEFT)
            return memory(pid)

        for path in PATHS:
            now(f"loading {path}")
            say(f"{path} painted, and drawn, s", await loaded(path))
        say("memory before, MB", [memory(pid)])
        now("one page")
        page = await opened()
        say("from Start until it moves, s", [float(await page.evaluate(MOVED)) / 1000])
        say("updates a second, one page", [await watched(page)])
        say("memory after one page, MB", [await left([page])])
        begun = time.perf_counter()
        pages = await crowd()
        say(f"{browsers} pages open, drawn and started, s", [time.perf_counter() - begun])
        updates = asyncio.gather(*(watched(one) for one in pages))
        times = [await asyncio.to_thread(answered, url) for _ in range(8)]
        rates = await updates
        say("a page answers meanwhile, s (median, worst)", [statistics.median(times), max(times)])
        say("updates a second of each (median, least)", [statistics.median(rates), min(rates)])
        say("memory meanwhile, MB", [memory(pid)])
        after = [await left(pages)]
        for _ in range(1, rounds):
            pages = await crowd()
            await asyncio.sleep(WATCHED)
            after.append(await left(pages))
        say("memory after each round, MB", after)
        say("errors", wrong or "none")
        await chromium.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    say("machine", name())
    say("training slowed by (clock, processor)", slowed())
    now("the server starts")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as out, served(Path(out)) as (link, pid):
        url = link.rstrip("/")
        say("the first answer of all, s", [answered(url)])
        asyncio.run(load(url, pid, options.browsers, options.rounds))


if __name__ == "__main__":
    main()
