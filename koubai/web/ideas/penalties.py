"""Penalties: what a limit on the weights does to the best of them, and how a penalty pulls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from koubai.language import Words
from koubai.report import pictures
from koubai.report.figures.surfaces import REACH, best_within, norm_contours
from koubai.store import Store
from koubai.techniques import PENALTIES
from koubai.web.controls import choice, setting, slider
from koubai.web.ideas.base import About, Facts, idea, picture
from koubai.web.shell import figure, formula, put, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@idea(
    "penalties",
    Words("Section 3: overfitting", "Section3 過学習の抑制"),
    Words("L1, L2 and in between", "L1、L2とその間"),
    Words(
        "The best weights within a limit lie where the smallest contour touches it. L1's corners make exact zeros.",
        "制約の中で最良の重みは、等高線が最初に接する所にある。L1の角では、重みがちょうど0になる。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(p=1.0, reach=REACH, penalty="l1")

    def show() -> None:
        update(contours, norm_contours((), (f"L{state.p:g}",), (state.p,), state.reach))
        w = best_within(state.p, state.reach) + 0.0  # no minus before a 0
        facts.show(
            {
                Words("best weight 1", "最良の重み1"): f"{w[0]:z.3f}",
                Words("best weight 2", "最良の重み2"): f"{w[1]:z.3f}",
                Words("weights that are exactly 0", "ちょうど0の重みの数"): f"{int((w == 0).sum())}",
            }
        )

    def chosen(name: str) -> None:
        state.penalty = name
        about.show(PENALTIES[name])
        update(pull, drawn())

    def drawn() -> Figure:
        return picture(pictures.penalty(PENALTIES[state.penalty]))

    with put("div", classes="side"):
        with put("div", classes="controls"):
            formula(r"E_n(w) + \frac{1}{p} \lambda \|w\|_p,\quad \|w\|_p = (\sum |w_i|^p)^{1/p}")
            slider("p", 1, 4, 0.1, state.p, setting(state, show, "p"), lambda value: f"{value:.1f}")
            limit = Words("Limit: |w| at most", "制約: |w| の上限")
            slider(limit, 0.2, 1.5, 0.05, state.reach, setting(state, show, "reach"), lambda value: f"{value:.2f}")
        with put("div"):
            contours = figure(None, Words("Contours of the loss and the limit", "損失の等高線と制約"))
            facts = Facts()
    with put("section"):
        put("h2", Words("How a penalty pulls on one weight", "正則化が1つの重みを引く力"))
        with put("div", classes="side"):
            with put("div", classes="controls"):
                names = [name for name in PENALTIES if name != "none"]
                choice(Words("Penalty", "正則化"), names, state.penalty, chosen)
                about = About()
            pull = figure(None, Words("The penalty and its gradient over a weight", "重みに対する罰則とその勾配"))
    chosen(state.penalty)
    show()
