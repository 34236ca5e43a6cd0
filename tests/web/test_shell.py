"""Colours that can be read, figures for the page, and work beside the event loop."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from koubai.language import language, speaking
from koubai.report import style
from koubai.report.style import DARK, LIGHT
from koubai.web.ideas.grids import border, table, window
from koubai.web.shell import aside, dressed


def luminance(color: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_wcag_aa(theme: dict[str, str]) -> None:
    for text in ("ink", "soft", "blue", "red", "green", "gray", "violet"):
        assert contrast(theme[text], theme["paper"]) >= 4.5, text
        assert contrast(theme[text], theme["wash"]) >= 4.5, text
    for badge in ("blue", "red", "green", "gray", "violet"):
        assert contrast(theme["on"], theme[badge]) >= 4.5, badge
    assert contrast(theme["edge"], theme["paper"]) >= 3  # the borders of controls


def test_a_figure_for_the_page_is_plain() -> None:
    made = style.blank(300)
    made.add_scatter(x=style.rounded(np.array([1.0, np.nan])), y=[1, 2])
    shown = dressed(made)
    assert shown["data"][0]["x"] == [1.0, None]
    json.dumps(shown, allow_nan=False)


def test_every_series_is_seen_in_the_dark() -> None:
    for color in style.COLORS:
        assert contrast(color, DARK["paper"]) >= 3, color


def test_a_legend_of_many_rows_has_its_room() -> None:
    few, many = (style.panels(["a", "b"], 2, 300) for _ in range(2))
    for k in range(8):
        few.add_scatter(x=[0], y=[0], name=str(k), row=1, col=1)
        many.add_scatter(x=[0], y=[0], name=f"optimizer={k}, learning_rate=0.0316, he", row=1, col=2)
    low, high = dressed(few)["layout"], dressed(many)["layout"]
    assert high["margin"]["t"] - low["margin"]["t"] == high["height"] - low["height"] > 28


def test_work_aside_is_in_the_visitors_language() -> None:
    async def work() -> str:
        with speaking("ja"):
            return await aside(language)

    assert asyncio.run(work()) == "ja"


def test_a_grid_escapes_what_it_shows() -> None:
    shown = table(np.array([[1.0, -2.0], [np.nan, 0.0]]), label='<b>"x"', lit={(0, 1)}, heads=["<i>", "b"])
    assert "<b>" not in shown and "<i>" not in shown and "&lt;i&gt;" in shown
    assert shown.count("<td") == 4 and "lit minus" in shown


def test_windows_and_borders() -> None:
    assert window(1, 2, 2, 1) == {(1, 2), (2, 2)}
    assert len(border(6, 6, 1)) == 64 - 36 and (0, 0) in border(6, 6, 1) and (1, 1) not in border(6, 6, 1)
