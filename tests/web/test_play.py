"""Play in a real browser: a training starts, moves, is paused and resumed; variants, links, uploads, remedies; wicked names stay text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from benchmarks.serving import DRAWN
from koubai.store import Store
from koubai.study import Study
from koubai.web.play.board import Board
from tests.web.conftest import EVIL, Laboratory

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

SMALL = "/play?seeds=2&data=moons&layers=4,4&batch_size=20&steps=3000&activation=sigmoid&1.activation=relu"
BRIEF = "/play?seeds=2&data=moons&layers=3,3,3&batch_size=20&steps=60&activation=sigmoid&initializer=zeros"


def step(page: Page) -> int:
    """The step that the page says it is at."""
    return int(page.locator("[data-step]").inner_text().replace(",", ""))


def ready(page: Page, path: str) -> None:
    """Open Play, and wait until the first look is drawn."""
    page.set_default_timeout(60_000)
    page.goto(path)
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until every variant has its numbers."""
    page.wait_for_function(DRAWN)


def until(page: Page, true: Callable[[], object]) -> None:
    """Wait for what the page will show."""
    for _ in range(1200):
        if true():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")


COLORS = """c => {
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let k = 0; k < d.length; k += 4) seen.add(d.slice(k, k + 4).join());
  return seen.size;
}"""


def painted(page: Page, selector: str) -> int:
    """How many colours a canvas has."""
    return int(page.locator(selector).first.evaluate(COLORS))


def test_a_training_starts_moves_is_paused_and_resumed(page: Page) -> None:
    ready(page, SMALL)
    assert step(page) == 0
    assert page.locator("article.specimen h2").all_inner_texts() == ["sigmoid", "relu"]
    assert painted(page, "[data-variant='1'] canvas.picture") > 10
    assert "reaches the first layer" in page.locator("[data-variant='0'] .arrives").inner_text()
    page.get_by_label("speed").select_option("100")  # slow enough to be paused on a busy machine
    page.get_by_role("button", name="Start").click()
    until(page, lambda: step(page) > 20)
    before = step(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Start").wait_for()
    page.wait_for_timeout(400)
    stood = step(page)
    page.wait_for_timeout(200)
    assert before <= stood == step(page) < 3000
    page.get_by_role("button", name="Step").click()
    until(page, lambda: step(page) == stood + 1)
    page.locator("h1").click()
    page.keyboard.press("s")
    until(page, lambda: step(page) == stood + 2)
    page.get_by_label("speed").select_option("inf")
    page.keyboard.press("Space")
    until(page, lambda: page.get_by_role("button", name="Again").count())
    assert step(page) == 3000
    page.locator(".charts").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('[data-chart=loss] .scatterlayer .trace').length >= 4")
    page.locator("h1").click()
    page.keyboard.press("r")
    until(page, lambda: step(page) == 0)


def test_a_connection_that_breaks_loses_nothing(page: Page) -> None:
    ready(page, SMALL.replace("steps=3000", "steps=1000000"))
    page.get_by_role("button", name="Start").click()
    until(page, lambda: step(page) > 200)
    page.evaluate("window.socket.io.engine.close()")
    page.locator("#popup[aria-hidden=false]").wait_for(state="attached")
    before = step(page)
    page.locator("#popup[aria-hidden=true]").wait_for(state="attached")
    until(page, lambda: step(page) > before)
    assert page.get_by_role("button", name="Pause").count() == 1


def test_variants_are_added_edited_and_taken_away_and_a_link_restores_them(page: Page, laboratory: Laboratory) -> None:
    ready(page, SMALL)
    page.get_by_role("button", name="Add variant").click()
    page.locator("article.specimen h2", has_text="tanh").wait_for()
    page.get_by_role("spinbutton", name="learning rate").fill("0.25")
    page.get_by_role("spinbutton", name="learning rate").press("Enter")
    page.wait_for_url(re.compile("learning_rate=0.25"))
    page.get_by_role("button", name="Remove this variant: relu").click()
    until(page, lambda: "relu" not in page.url and page.locator("article.specimen").count() == 2)
    board = Board.read(urlsplit(page.url).query)
    assert [t.activation.name for t in board.variants] == ["sigmoid", "tanh"]
    assert {t.learning_rate for t in board.variants} == {0.25}
    page.get_by_role("button", name="+ dense layer").click()
    page.wait_for_url(re.compile("layers=4,4,4"))
    address = page.url
    page.goto("/runs")
    ready(page, address)
    assert page.locator("article.specimen h2").all_inner_texts() == ["sigmoid", "tanh"]
    assert page.get_by_role("spinbutton", name="learning rate").input_value() == "0.25"
    page.get_by_role("button", name="TOML").click()
    shown = Study.from_toml(page.locator(".taken code").inner_text())
    assert shown.trials == Board.read(urlsplit(address).query).study.trials
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Python").click()
    assert "kb.run(study)" in page.locator(".taken code").inner_text()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("activation=rleu", "did you mean 'relu'"),
        ("data=/etc/passwd", "neither built in nor was it uploaded"),
        (f"activation={EVIL}", "There is no activation"),
        ("study={}", "There is no field of a trial 'study'"),
    ],
)
def test_a_broken_link_is_said_and_the_usual_board_is_there(page: Page, query: str, said: str) -> None:
    ready(page, f"/play?{query}")
    assert said in page.locator(".problem").inner_text()
    assert page.locator("article.specimen").count() == 2


def test_what_cannot_be_is_said_and_the_field_goes_back(page: Page) -> None:
    ready(page, SMALL)
    field = page.get_by_role("spinbutton", name="batch size")
    before = field.input_value()
    field.fill("100000")
    field.press("Enter")
    page.locator(".q-notification").wait_for()
    until(page, lambda: field.input_value() == before)


def test_what_is_typed_stays_while_the_page_changes_and_a_number_is_shown_as_it_was_given(page: Page) -> None:
    ready(page, SMALL.replace("steps=3000", "steps=1234567"))
    assert page.get_by_role("spinbutton", name="steps").input_value() == "1234567"
    field = page.get_by_role("spinbutton", name="learning rate")
    field.fill("1e-3")
    page.evaluate("document.querySelector('button.start').click()")
    page.get_by_role("button", name="Pause").wait_for()
    assert field.input_value() == "1e-3"
    field.press("Enter")
    until(page, lambda: field.input_value() == "0.001")
    assert "learning_rate=0.001" in page.url
    field.fill("-1")
    field.press("Enter")
    until(page, lambda: field.input_value() == "0")


def test_the_keyboard_goes_on_where_it_was_when_fields_are_put_anew(page: Page) -> None:
    ready(page, SMALL)
    focused = "document.activeElement.closest('label')?.firstElementChild.textContent"
    page.get_by_label("data set").focus()
    page.get_by_label("data set").select_option("circles")
    page.wait_for_url(re.compile("data=circles"))
    page.wait_for_function(f"{focused} === 'data set'")
    units = page.get_by_role("spinbutton", name="layer 2: units")
    units.fill("6")
    units.press("Tab")
    page.wait_for_url(re.compile("layers=4,6"))
    page.wait_for_function(f"{focused} === 'activation'")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "layer 2: units"


def test_fewer_training_samples_are_part_of_the_link(page: Page) -> None:
    ready(page, SMALL)
    page.get_by_label("training samples").fill("60")
    page.get_by_label("training samples").press("Enter")
    page.wait_for_url(re.compile(r"data\.samples=60"))
    drawn(page)


def test_own_files_are_read_and_broken_ones_are_said(page: Page, tmp_path: Path) -> None:
    ready(page, SMALL.replace("batch_size=20", "batch_size=100"))
    broken, good = tmp_path / "broken.csv", tmp_path / f"{EVIL.replace('/', '_')}.csv"
    broken.write_text("a,b,class\n1,2,x\n1,zwei\n")
    rows = [f"{k % 7},{k % 5},{'<b>up</b>' if k % 7 > 3 else 'down'}" for k in range(60)]
    good.write_text("\n".join(["a,b,class", *rows]))
    page.locator(".picker").set_input_files(str(broken))
    page.locator(".q-notification").wait_for()
    assert "broken" in page.locator(".q-notification").inner_text()
    page.locator(".q-notification button").click()
    page.locator(".picker").set_input_files(str(good))
    page.wait_for_url(re.compile("uploads"))
    assert "batch_size=48" in page.url  # a minibatch was more than all 48 training samples
    drawn(page)
    assert page.locator("script", has_text="alert(1)").count() == 0


def test_a_wicked_name_stays_text(page: Page, laboratory: Laboratory) -> None:
    ready(page, SMALL + f"&name={EVIL}")
    page.get_by_role("button", name="TOML").click()
    assert EVIL in page.locator(".taken code").inner_text()


def test_the_doctor_speaks_and_a_remedy_is_prescribed(page: Page) -> None:
    ready(page, BRIEF)
    page.get_by_label("speed").select_option("inf")
    page.get_by_role("button", name="Start").click()
    page.locator("[data-variant='0'] .doctor p").first.wait_for()
    page.get_by_role("button", name="Prescribe").click()
    page.locator(".prescription .verdict").wait_for(timeout=60_000)
    page.get_by_role("button", name="Add as a variant").first.click()
    until(page, lambda: page.locator("article.specimen").count() == 2)


def test_images_show_filters_and_feature_maps_in_japanese(page: Page, laboratory: Laboratory) -> None:
    page.context.add_cookies([{"name": "koubai-language", "value": "ja", "url": laboratory.url}])
    ready(page, "/play?seeds=1&layers=conv+4+3x3,maxpool+2,10&steps=40&batch_size=20")
    page.get_by_role("button", name="スタート").click()
    until(page, lambda: page.get_by_role("button", name="もう一度").count())
    page.locator(".inside .map").first.scroll_into_view_if_needed()
    until(page, lambda: painted(page, ".inside .map") > 3)
    assert painted(page, "[data-variant='0'] canvas.picture") > 3


def test_what_is_kept_is_stored_when_it_is_done(page: Page, laboratory: Laboratory) -> None:
    ready(page, BRIEF + "&name=kept-in-play")
    page.get_by_label("keep").check()
    page.get_by_role("button", name="Start").click()
    store = Store(laboratory.store.folder)
    until(page, lambda: any(row["name"] == "kept-in-play" and row["stored"] == row["trials"] for row in store.studies()))
