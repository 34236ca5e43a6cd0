"""Every page in a real browser: both languages, both themes, a desk's and a phone's width; and what can be moved on them."""

from __future__ import annotations

import math
import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from koubai.laboratory import run
from koubai.language import Words
from koubai.quiz import QUESTIONS
from koubai.store import care
from koubai.study import Study
from koubai.techniques import PENALTIES, SCHEDULES
from tests.web.conftest import BASE, EVIL, Laboratory

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def number(page: Page, name: str) -> float:
    """A number below a figure, by its name."""
    return float(page.locator(".facts div", has_text=re.compile(rf"^{re.escape(name)}")).locator("dd").inner_text())


def control(page: Page, name: str) -> Locator:
    """A control by the beginning of its label, which may go on with its value or its choices."""
    return page.locator("label", has_text=re.compile(rf"^\s*{re.escape(name)}")).locator("input, select, textarea")


def slide(page: Page, name: str, value: float) -> None:
    """Move a slider."""
    control(page, name).evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')) }", f"{value}")


@pytest.mark.parametrize(("spoken", "theme", "width"), [("en", "light", 1280), ("ja", "dark", 390), ("en", "dark", 390)])
def test_every_page_opens(page: Page, laboratory: Laboratory, spoken: str, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    cookies = {"koubai-language": spoken, "koubai-theme": theme}
    page.context.add_cookies([{"name": name, "value": value, "url": laboratory.url} for name, value in cookies.items()])
    for path in laboratory.paths():
        page.goto(path)
        page.locator("main h1").wait_for()
        for plot in page.locator(".plot").all():
            plot.locator(".main-svg").first.wait_for()
        assert page.locator(".problem").count() == 0, path
        assert page.evaluate("document.documentElement.lang")[:2] == spoken, path
        assert page.evaluate("document.documentElement.dataset.theme") == theme, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        tables = "[...document.querySelectorAll('.scroll:has(.numbers)')]"
        assert page.evaluate(f"{tables}.every(e => e.scrollWidth <= e.clientWidth)"), path
        assert page.locator("header nav a[aria-current=page]").count() == 1, path
        fields = "document.querySelectorAll(':is(input, select, textarea):not([tabindex=\"-1\"])')"  # what the keyboard reaches
        unnamed = f"[...{fields}].filter(e => !e.labels.length && !e.ariaLabel).length"
        assert page.evaluate(unnamed) == 0, path


def test_verdicts_of_a_quick_look_are_called_that(page: Page, laboratory: Laboratory) -> None:
    store, because = laboratory.store, Words("because", "だから")
    store.note_claim("momentum-valley", "digits", "supported", because)
    page.goto("/")
    page.locator(".counts").wait_for()
    assert "uick look" not in page.locator("main").inner_text()
    store.note_claim("rate-too-high", "digits", "refuted", because, quick=True)
    for language, called, verdict, look in (("English", "quick look", "refuted", "These are from a quick look: 3 of 10 seeds"),
                                            ("日本語", "お試し", "反証", "お試しの判定です(シード数は10分の3")):  # fmt: skip
        page.get_by_role("button", name=language).click()
        page.locator(".claims").get_by_text(called, exact=True).wait_for()
        assert page.locator("tr", has=page.locator(".quick")).inner_text().split()[: len(called.split()) + 1] == [
            verdict, *called.split()
        ]  # fmt: skip
        assert page.locator(".counts:not(.quick) b").all_inner_texts() == ["1", "0", "0"]
        assert page.locator(".counts.quick b").all_inner_texts() == ["0", "1", "0"]
        assert look in page.locator("main").inner_text()


def test_language_and_theme_are_remembered(page: Page) -> None:
    page.goto("/ideas")
    page.get_by_role("button", name="日本語").click()
    page.get_by_role("heading", name="しくみ").wait_for()
    page.get_by_role("button", name="ダーク表示").click()
    page.goto("/ideas/chain-rule")
    control(page, "微分する変数").fill("q")
    page.locator(".problem", has_text="変数 'q' はありません").wait_for()  # what is said later is said in Japanese too
    page.goto("/")
    page.get_by_role("heading", name="まず試す3つのこと").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("header .theme").get_attribute("aria-pressed") == "true"


def test_the_theme_follows_the_system_at_first(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_keyboard_reaches_the_content(page: Page) -> None:
    page.goto("/")
    page.locator("main h1").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "card"


def test_the_sigmoids_slope_under_a_slider(page: Page) -> None:
    page.goto("/ideas/activations")
    page.locator(".facts dd").first.wait_for()
    assert number(page, "f′(x)") == 0.25
    slide(page, "x", 2)
    page.locator(".facts dd", has_text=f"{1 / (1 + math.exp(-2)):.4f}").wait_for()
    assert number(page, "f′(x)") == pytest.approx(math.exp(-2) / (1 + math.exp(-2)) ** 2, abs=5e-5)
    control(page, "Activation").select_option("relu")
    page.locator(".facts dd", has_text="2.0000").wait_for()


def test_the_chain_rule_on_formulas_of_ones_own(page: Page) -> None:
    page.goto("/ideas/chain-rule")
    page.locator(".working", has_text="2(x + y)").wait_for()
    page.get_by_label("Outer formula").fill("z = sin(t)")
    page.locator(".working", has_text="cos(x + y)").wait_for()
    page.get_by_label("Outer formula").fill("z = sin(<b>)")
    page.locator(".problem", has_text="'sin(<b>)'").wait_for()
    assert page.get_by_label("Outer formula").input_value() == "z = sin(<b>)"  # what is typed stays


LATE = """let io;
Object.defineProperty(window, "io", { set: (given) => { io = given; }, get: () => (url, options) => {
  const socket = io(url, { ...options, autoConnect: false });
  window.connect = () => socket.connect();
  return socket;
} });"""  # a page that stands, and hears of its server only when we say so


def test_what_is_typed_before_the_server_answers_stays_and_is_heard(page: Page) -> None:
    page.add_init_script(LATE)
    page.goto("/ideas/chain-rule")
    outer, by = page.get_by_label("Outer formula"), control(page, "With respect to")
    assert (outer.input_value(), by.input_value()) == ("z = t^2", "x")
    by.fill("q")
    page.evaluate("connect()")
    page.locator(".problem", has_text="'q'").wait_for()
    assert (outer.input_value(), by.input_value()) == ("z = t^2", "q")


def test_optimizers_race_from_where_the_map_is_clicked_and_the_point_is_dragged(page: Page) -> None:
    page.goto("/ideas/optimizers")
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".main-svg").first.wait_for()
    assert page.get_by_label("x0").input_value() == "-7"
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area

    def at(x: float, y: float) -> tuple[float, float]:
        return area["x"] + area["width"] * x, area["y"] + area["height"] * y

    def stands(x: float, y: float) -> None:
        """Wait until the race starts there: in the fields, on the map, and in the ways."""
        fields = "[...document.querySelectorAll('.pair input')]"
        page.wait_for_function(f"at => {fields}.every((field, k) => Math.abs(field.value - at[k]) < 0.3)", arg=[x, y])
        traces = "document.querySelector('.js-plotly-plot').data.slice(1, -1)"
        page.wait_for_function(f"x => {traces}.every(t => Math.abs(t.x[0] - x) < 0.3)", arg=x)

    page.mouse.click(*at(0.75, 0.2))
    stands(5, 3)
    page.mouse.down()
    for x in (0.7, 0.5, 0.3):
        page.mouse.move(*at(x, 0.5))
    stands(-4, 0)
    page.mouse.move(*at(-0.5, 0.5))  # beyond the map it stays at the border
    stands(-10, 0)
    page.mouse.up()
    page.mouse.move(*at(0.5, 0.5))
    page.get_by_role("button", name="Race").click()
    page.wait_for_function("document.querySelector('.slider .value').textContent < 60")
    stands(-10, 0)


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_table_of_many_columns_fits_a_phone(page: Page, laboratory: Laboratory) -> None:
    base = BASE | {"data": {"name": "diabetes", "standardize": True}}
    study = Study(base, name="quantity", axes={"learning_rate": [0.05, 1e38], "seed": 2})
    run(study, store=laboratory.store, progress=False)
    try:
        for path in (f"/runs/{study.id}", f"/runs/{study.id}/report"):
            page.goto(path)
            page.locator(".numbers").wait_for()
            assert page.locator(".numbers thead th").count() == 7, path
            for width in (360, 390):
                page.set_viewport_size({"width": width, "height": 844})
                assert page.locator(".scroll").evaluate_all("all => all.every(e => e.scrollWidth <= e.clientWidth)"), (
                    path,
                    width,
                )
    finally:
        care.forget(laboratory.store, study.id)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_finger_drags_the_start_of_a_race_and_scrolls_the_rest(page: Page) -> None:
    page.goto("/ideas/optimizers")
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".main-svg").first.wait_for()
    plot.scroll_into_view_if_needed()
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area
    browser = page.context.new_cdp_session(page)

    def drag(*places: tuple[float, float]) -> None:
        """A finger comes down, moves, and is lifted again, at shares of the map's width and height."""
        for k, (x, y) in enumerate(places):
            at = {"x": area["x"] + area["width"] * x, "y": area["y"] + area["height"] * y}
            browser.send("Input.dispatchTouchEvent", {"type": "touchMove" if k else "touchStart", "touchPoints": [at]})
        browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def stands(x: float, y: float) -> None:
        fields = "[...document.querySelectorAll('.pair input')]"
        page.wait_for_function(f"at => {fields}.every((field, k) => Math.abs(field.value - at[k]) < 0.5)", arg=[x, y])

    top = page.evaluate("scrollY")
    drag(*((0.2 + 0.03 * k, 0.2 + 0.03 * k) for k in range(21)))
    stands(6, -3)
    assert page.evaluate("scrollY") == top
    drag((0.5, 0.5))
    stands(0, 0)
    drag(*((0.5, 1.5 - 0.05 * k) for k in range(21)))  # from below the map
    page.wait_for_function("top => scrollY > top + 50", arg=top)
    stands(0, 0)


def test_the_review_questions_convolution(page: Page) -> None:
    page.goto("/ideas/convolution")
    control(page, "Filter").select_option("mean2")
    page.locator(".grid", has_text="Output: 7x7").wait_for()
    slide(page, "Position of the filter", 2)
    page.locator(".working", has_text="y[0, 1] = 1·0.25 + 2·0.25 = 0.75").wait_for()
    slide(page, "Padding", 0)
    page.locator(".grid", has_text="im2col: 25x4").wait_for()


def test_dropout_keeps_the_mean(page: Page) -> None:
    page.goto("/ideas/dropout")
    slide(page, "Dropout rate r", 0.75)
    page.locator(".facts dd", has_text="4.000").wait_for()
    assert number(page, "mean of 500 masks") == pytest.approx(1, abs=0.05)


def test_pooling_hardly_minds_a_shift(page: Page) -> None:
    page.goto("/ideas/pooling")
    slide(page, "Window size", 4)
    slide(page, "Stride", 4)
    page.locator(".formula", has_text="(8 + 2·0 − 4) / 4 + 1 = 2").wait_for()
    control(page, "What is kept").select_option("avgpool")
    control(page, "Shift the image by a pixel").check()
    page.get_by_text("The shift changes").wait_for()


def test_zeros_stay_zeros_through_relus(page: Page) -> None:
    page.goto("/ideas/initial-weights")
    control(page, "Initial weights").select_option("zeros")
    control(page, "Activation").select_option("relu")
    row = page.locator("tr", has_text="share of exact zeros")
    row.get_by_text("100%").nth(4).wait_for()
    assert not control(page, "Standard deviation").is_visible()
    control(page, "Initial weights").select_option("he")
    row.get_by_text("100%").first.wait_for(state="detached")


def test_normalized_sums_have_the_mean_and_spread_that_are_learned(page: Page) -> None:
    page.goto("/ideas/batch-normalization")
    slide(page, "Mean of the values", -6)
    slide(page, "β", 2)
    slide(page, "γ", 3)
    page.locator(".facts dd", has_text=re.compile("^3.000$")).wait_for()
    assert number(page, "mean before") < -5
    assert (number(page, "mean after"), number(page, "standard deviation after")) == (2, 3)


def test_l1_makes_exact_zeros_and_l2_none(page: Page) -> None:
    page.goto("/ideas/penalties")
    page.locator(".facts dd").first.wait_for()
    assert number(page, "weights that are exactly 0") == 1
    slide(page, "p", 2)
    page.locator(".facts div", has_text="weights that are exactly 0").get_by_text("0", exact=True).wait_for()
    control(page, "Penalty").select_option("l2")
    page.get_by_text(PENALTIES["l2"].source).wait_for()


def test_a_schedule_is_told_and_drawn(page: Page) -> None:
    page.goto("/ideas/schedules")
    control(page, "Schedule").select_option("cosine")
    page.get_by_text(SCHEDULES["cosine"].source).wait_for()


def asked(page: Page, number: int) -> Locator:
    """A question of the quiz."""
    return page.locator(".questions > li").nth(number - 1)


def test_the_quiz_answers(page: Page) -> None:
    page.goto("/ideas/questions")
    slope = asked(page, 2)
    assert page.locator(".questions > li").count() == len(QUESTIONS)
    assert slope.get_by_role("button").is_disabled()
    slope.get_by_label("0.15").check()
    slope.get_by_role("button").click()
    slope.locator(".verdict.wrong").wait_for()
    slope.get_by_label("0.25").check()
    slope.get_by_role("button").click()
    slope.locator(".verdict.right").wait_for()
    assert page.locator(".score").inner_text() == "1 of 3 choices right."
    size = asked(page, 10)
    size.get_by_role("button").click()
    size.locator(".working", has_text="7x7").wait_for()


def test_runs_are_found_and_compared(page: Page, laboratory: Laboratory) -> None:
    page.goto("/runs")
    page.locator(".runs tbody tr").first.wait_for()
    page.get_by_label("Find").fill("fin")
    page.wait_for_function("document.querySelectorAll('.runs tbody tr').length == 1")
    page.get_by_label("Compare finished").check()
    page.get_by_label("Find").fill("")
    page.get_by_label("Compare <script>").check()
    page.get_by_role("button", name="Compare two").click()
    page.get_by_role("row", name="learning_rate 0.01, 0.1 0.01, 0.2").wait_for()


def test_a_run_is_resumed_exported_and_reported(page: Page, laboratory: Laboratory) -> None:
    page.goto("/runs")
    page.get_by_role("link", name=EVIL).click()
    page.get_by_role("heading", name=EVIL).wait_for()  # a wicked name stays text
    page.locator(".badge.interrupted").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.locator(".badge.finished").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert {name.split("/")[1] for name in names} == {"model.py", "model.safetensors", "model.json", "README.md"}
    with page.expect_download() as download:
        page.get_by_role("link", name="Curves (CSV)").click()
    assert download.value.path().read_text(encoding="utf-8").startswith("variant,seed,id,step,")
    assert download.value.suggested_filename.endswith("-curves.csv")
    pytest.importorskip("onnxruntime")
    page.get_by_label("with ONNX").check()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Export").click()
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert "model.onnx" in {name.split("/")[1] for name in names}
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the report").click()
    assert opened.value.locator("h1").inner_text() == EVIL
    opened.value.close()
    assert page.request.get(f"/runs/{laboratory.ids['finished']}/report").ok


def test_a_training_is_stopped_and_can_be_resumed(page: Page, laboratory: Laboratory) -> None:
    study = Study(BASE | {"steps": 10**6}, name="long", axes={"seed": 2})
    laboratory.store.note(study)
    page.goto(f"/runs/{study.id}")
    page.get_by_role("button", name="Resume").click()
    page.locator(".badge.running").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".badge.interrupted").wait_for()
    page.get_by_role("button", name="Resume").wait_for()


def test_deleting_asks_first(page: Page, laboratory: Laboratory) -> None:
    page.goto(f"/runs/{laboratory.ids['spare']}")
    page.get_by_role("button", name="Delete...").click()
    page.get_by_role("heading", name="Delete spare?").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Delete spare?").wait_for(state="hidden")
    assert "spare" in {row["name"] for row in laboratory.store.studies()}
    page.get_by_role("button", name="Delete...").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url("**/runs")
    page.get_by_role("link", name="finished").wait_for()
    assert "spare" not in {row["name"] for row in laboratory.store.studies()}
