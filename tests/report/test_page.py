"""The page: one file, both languages, nothing from outside, what users typed stays text; and that a browser opens it."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import koubai as kb
from koubai.experiments.catalogue import EXERCISES
from koubai.experiments.conduct import adapt, conduct, judge_all
from koubai.experiments.publish import page as published
from koubai.language import UserError, Words, speak
from koubai.report.page import Page, Section, both, render, write
from koubai.result import Result
from koubai.store import Store

NASTY = "<script>alert('no')</script>"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    study = kb.Study(
        {"data": "moons", "layers": [4], "steps": 60, "batch_size": 50},
        name=NASTY,
        axes={"activation": ["relu", "tanh"], "seed": 2},
    )
    return kb.run(study, store=tmp_path_factory.mktemp("page") / "store", device="cpu", progress=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A report with claims, on few seeds and steps."""
    names = ("activations-by-depth", "valley", "saddle", "double-well", "vanishing-gradient")
    exercises = {name: adapt(EXERCISES[name], seeds=2, steps=12) for name in names}
    outcomes = conduct(
        list(exercises.values()), store=Store(tmp_path_factory.mktemp("whole") / "store"), device="cpu", progress=False
    )
    judged = judge_all(outcomes)
    assert judged
    other = {one.claim.name: "refuted" if one.verdict != "refuted" else "supported" for one in judged}
    return published(exercises, outcomes, judged, " --seeds 2", ("elsewhere", other))


class Outline(HTMLParser):
    """Tags, and the anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.ids += [named["id"]] if named.get("id") else []
        self.links += [named["href"] or ""] if tag == "a" else []
        self.sources += [str(named[name]) for name in ("src", "srcset", "data") if name in named] + (
            [named["href"] or ""] if tag == "link" else []
        )
        if tag not in ("meta", "br", "input", "img", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def own(text: str) -> str:
    """The page without the plotting library inside it."""
    from plotly.offline import get_plotlyjs

    assert get_plotlyjs() in text
    return text.replace(get_plotlyjs(), "")


def test_a_page_is_whole_and_needs_nothing_from_outside(whole: Page) -> None:
    text = own(render(whole))
    outline = Outline(text)
    assert not outline.open
    assert not outline.sources, "everything is inside"
    assert not re.search(r"(url\(|@import|https?://)", text)
    assert len(set(outline.ids)) == len(outline.ids)
    for link in outline.links:
        assert link.startswith("#") and link[1:] in outline.ids, link


def test_claims_come_first_and_each_leads_to_its_evidence_and_exercises(whole: Page) -> None:
    text = own(render(whole))
    order = [text.index(f'id="{name}"') for name in ("claims", "evidence", "exercises", "activations-by-depth", "valley")]
    assert order == sorted(order)
    for one in whole.verdicts:
        assert f'href="#claim-{one.name}"' in text and f'id="claim-{one.name}"' in text
        assert one.evidence and one.exercises
        assert one.differs and str(both(one.differs)) in text
    assert "koubai run vanishing-gradient --seeds 2" in text
    assert "koubai run vanishing-gradient --seeds 2 --figure ledger" in text


def test_both_languages_are_complete(whole: Page) -> None:
    text = re.sub(r"<(script|style).*?</\1>", "", own(render(whole)), flags=re.DOTALL)
    english, japanese = (re.findall(rf'<span lang="{name}">(.*?)</span>', text, re.DOTALL) for name in ("en", "ja"))
    assert len(english) == len(japanese) > 100
    assert not [one for one in english if re.search("[ぁ-ヿ]", one)]
    assert all(one.strip() for one in (*english, *japanese))
    assert not re.search(r"[、。]\n(?!<)", text), "a line's end is a gap in Japanese"


def test_figures_are_json_with_their_japanese_texts(whole: Page) -> None:
    text = own(render(whole))
    figures = re.findall(r'<script type="application/json" id="figure-(\d+)">(.*?)</script>', text, re.DOTALL)
    places = re.findall(r'data-figure="(\d+)"', text)
    assert [number for number, _ in figures] == places
    for _, content in figures:
        figure = json.loads(content)
        assert figure["data"] and figure["layout"]["height"]
        for path, japanese in figure["ja"]:
            part = figure
            for name in path:
                part = part[name]
            assert isinstance(part, str) and part != japanese


def test_what_a_user_typed_stays_text(result: Result, tmp_path: Path) -> None:
    text = own(result.report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert NASTY not in text and "&lt;script&gt;alert" in text
    assert len(re.findall("<script", text)) == len(re.findall("</script>", text))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_opens_in_the_language_in_force(result: Result, language: str) -> None:
    speak(language)  # type: ignore[arg-type]
    assert f'<html lang="{language}" data-shown="{language}">' in render(result.page())


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    page = Page(Words("a", "あ"), Words("b", "い"), [Section("one", Words("c", "う"), Words("d", "え"))])
    with pytest.raises(UserError, match=r"file/report\.html cannot be written"):
        write(tmp_path / "file" / "report.html", page)
    written = write(tmp_path / "new" / "folder" / "report.html", page)
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in written.parent.iterdir()] == ["report.html"]


@pytest.mark.slow
def test_a_browser_opens_the_page_without_an_error(whole: Page, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    written = write(tmp_path / "report.html", whole)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-sync",
        "--enable-logging=stderr",
    ]
    command = [
        chromium,
        *flags,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=5000",
        "--window-size=1200,4000",
    ]
    ended = subprocess.run(
        [*command, "--dump-dom", written.as_uri()], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    errors = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    assert not errors, errors
    assert ended.stdout.count('class="main-svg"') >= 2, "figures near the top are drawn"


@pytest.mark.slow
def test_page_and_figures_are_dark_where_the_reader_likes_it_and_light_on_paper(result: Result, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    path = result.report(tmp_path / "report.html")
    with playwright.sync_playwright() as made:
        browser = made.chromium.launch(executable_path=chromium)
        page = browser.new_page(color_scheme="dark")
        page.goto(path.resolve().as_uri())
        page.wait_for_function("document.querySelector('.plot')._fullLayout")

        def seen() -> tuple[str, ...]:
            page.wait_for_timeout(200)
            asked = (
                ("body", "backgroundColor"),
                (".plot svg", "backgroundColor"),
                (".plot .xtick text", "fill"),
                (".plot .xgrid", "stroke"),
            )
            return tuple(page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}") for where, what in asked)

        night = ("rgb(16, 22, 28)",) * 2 + ("rgb(230, 235, 240)", "rgb(52, 65, 77)")
        day = ("rgb(255, 255, 255)",) * 2 + ("rgb(28, 39, 51)", "rgb(217, 223, 229)")
        assert seen() == night
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert seen() == day
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert seen() == night
        page.emulate_media(color_scheme="light")
        assert seen() == day
        browser.close()


def test_a_broken_figure_costs_no_report(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bug is told with its traceback, and all else is there."""
    page = result.page()
    drawings = list(page.sections[0].drawings)
    drawings[0] = dataclasses.replace(drawings[0], draw=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    broken = dataclasses.replace(page, sections=[dataclasses.replace(page.sections[0], drawings=drawings)])
    text = write(tmp_path / "report.html", broken).read_text(encoding="utf-8")
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err and f"The figure {drawings[0].name} could not be drawn" in err
    assert text.count('<script type="application/json" id="figure-') == len(drawings) > 1
    assert f"The figure {drawings[0].name} could not be drawn." in text and "を描けませんでした" in text
