"""Batch normalization: a unit's sums over a minibatch, before and after."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch

from koubai.language import Words, say
from koubai.report import style
from koubai.store import Store
from koubai.streams import generator
from koubai.techniques import NORMALIZATIONS
from koubai.web.controls import setting, slider
from koubai.web.ideas.base import Facts, idea, technique
from koubai.web.shell import figure, put, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

EDGES = np.linspace(-12, 12, 97)


@idea(
    "batch-normalization",
    Words("Section 1: vanishing gradients", "Section1 勾配消失問題"),
    Words("Batch normalization", "バッチ正規化"),
    Words(
        "Whatever a unit's values are over a minibatch, they come out with mean β and standard deviation γ, which are learned.",
        "ミニバッチでのユニットの値がどう分布していても、平均β・標準偏差γにそろう。βとγは学習される。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(mean=3.0, spread=2.0, gamma=1.0, beta=0.0, samples=2.0)  # samples: their power of ten

    def show() -> None:
        x, y = both(state)
        update(drawn, picture(x, y))
        facts.show(
            {
                Words("mean before", "平均(前)"): f"{x.mean():z.3f}",
                Words("mean after", "平均(後)"): f"{y.mean():z.3f}",
                Words("standard deviation before", "標準偏差(前)"): f"{x.std():.3f}",
                Words("standard deviation after", "標準偏差(後)"): f"{y.std():.3f}",
            }
        )

    sets = partial(setting, state, show)
    with put("div", classes="side"):
        with put("div", classes="controls"):
            slider(Words("Mean of the values", "値の平均"), -6, 6, 0.1, state.mean, sets("mean"))
            slider(Words("Standard deviation of the values", "値の標準偏差"), 0.1, 4, 0.1, state.spread, sets("spread"))
            slider(
                Words("Samples in the minibatch", "ミニバッチのサンプル数"), 0.5, 3.5, 0.1, state.samples,
                sets("samples"), lambda v: f"{round(10**v):,}",
            )  # fmt: skip
            slider("γ", 0.1, 3, 0.1, state.gamma, sets("gamma"))
            slider("β", -4, 4, 0.1, state.beta, sets("beta"))
            technique(NORMALIZATIONS["batch_norm"])
        with put("div"):
            drawn = figure(None, Words("Histograms of the values before and after", "正規化の前と後の値の分布"))
            facts = Facts()
    show()


def both(state: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """The sums of one unit over a minibatch before and after, always from the same draws."""
    count = round(10**state.samples)
    draws = torch.randn(1, 1, count, dtype=torch.float64, generator=generator(0, "picture"))
    x, one = state.mean + state.spread * draws, torch.ones(1, 1, 1, dtype=torch.float64)
    y = torch.empty_like(x)
    NORMALIZATIONS["batch_norm"](x, state.gamma * one, state.beta * one, y)
    return x.numpy().ravel(), y.numpy().ravel()


def picture(x: np.ndarray, y: np.ndarray) -> Figure:
    """Histograms of both."""
    made = style.blank(360)
    for k, (values, words) in enumerate(((x, Words("before", "前")), (y, Words("after", "後")))):
        counts, _ = np.histogram(values.clip(EDGES[0], EDGES[-1]), EDGES)
        bars = {"x": style.rounded((EDGES[1:] + EDGES[:-1]) / 2), "y": style.rounded(counts / len(values))}
        made.add_bar(**bars, name=say(words), marker={"color": style.color(k)}, opacity=0.65, hoverinfo="skip")
    made.update_layout(barmode="overlay", bargap=0).update_yaxes(tickformat=".0%")
    return style.axes(made, Words("value", "値"), Words("share of the samples", "サンプルの割合"))
