"""Dropout: masks over units, drawn again and again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from koubai.language import Words
from koubai.store import Store
from koubai.streams import generator
from koubai.techniques.dropout import DROPOUTS
from koubai.web.controls import button, setting, slider
from koubai.web.ideas.base import Facts, idea, technique
from koubai.web.ideas.grids import Grid
from koubai.web.shell import put

SIDE, MASKS = 8, 500


@idea(
    "dropout",
    Words("Section 3: overfitting", "Section3 過学習の抑制"),
    Words("Dropout masks", "ドロップアウトのマスク"),
    Words(
        "Each step leaves out different units, so a different network trains each time. What is kept is scaled up to keep the mean.",
        "ステップごとに違うユニットが消え、毎回異なるモデルが学習する。残った値は、平均が変わらないように大きくする。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(rate=0.5, draw=0)

    def show() -> None:
        y = passed(state.rate, state.draw)
        grid.show(
            Words(
                f"Output of {y.size} units that all give 1, mask {state.draw + 1}",
                f"すべて1を出す{y.size}ユニットの出力、マスク{state.draw + 1}",
            ),
            y, written=lambda value: f"{value:.2f}" if value else "0",
        )  # fmt: skip
        many = np.stack([passed(state.rate, k).mean() for k in range(MASKS)])
        facts.show(
            {
                Words("kept", "残ったユニット"): f"{(y > 0).sum()} / {y.size}",
                "1 / (1 - r)": f"{1 / (1 - state.rate):.3f}",
                Words("mean of this mask", "このマスクでの平均"): f"{y.mean():.3f}",
                Words(f"mean of {MASKS} masks", f"{MASKS}枚のマスクの平均"): f"{many.mean():.3f}",
            }
        )

    def again() -> None:
        state.draw += 1
        show()

    with put("div", classes="side"):
        with put("div", classes="controls"):
            dropped = Words("Dropout rate r", "ドロップアウト率 r")
            slider(dropped, 0, 0.9, 0.05, state.rate, setting(state, show, "rate"), lambda value: f"{value:.2f}")
            button(Words("Next mask", "次のマスク"), again, "main")
        with put("div"):
            grid = Grid()
            facts = Facts()
            technique(DROPOUTS["dropout"])
    show()


def passed(rate: float, draw: int) -> np.ndarray:
    """What units that all give 1 pass on under one mask, ``[SIDE, SIDE]``."""
    ones = torch.ones(SIDE * SIDE, dtype=torch.float64)
    y, mask = torch.empty_like(ones), torch.empty_like(ones)
    noise = torch.rand(SIDE * SIDE, dtype=torch.float64, generator=generator(0, "masks", draw))
    DROPOUTS["dropout"](ones, noise, rate, y, mask)
    return y.numpy().reshape(SIDE, SIDE)
