"""Initial weights: what is left of a signal after five untrained layers of 100."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from koubai.language import Words, say
from koubai.report import style
from koubai.report.pictures import LAYERS, SAMPLES, UNITS, signals
from koubai.store import Store
from koubai.techniques import ACTIVATIONS, INITIALIZERS
from koubai.web.controls import choice, setting, slider
from koubai.web.ideas.base import About, idea
from koubai.web.shell import Put, figure, put, tabular, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BARS = 41
WIDTH = 340  # pixels that the figure needs: a phone's
SPREAD = 10.0  # a layer's values beyond it stand at the edge


@idea(
    "initial-weights",
    Words("Section 1: vanishing gradients", "Section1 勾配消失問題"),
    Words("Initial weights and activations by depth", "初期値と、層の深さによる活性の分布"),
    Words(
        f"{SAMPLES} random normal inputs through {LAYERS} untrained layers of {UNITS} units: the size of the "
        "initial weights decides what arrives.",
        f"正規乱数の入力{SAMPLES}個を、学習前の{LAYERS}層(各{UNITS}ユニット)に通す。奥の層に何が届くかは、初期値の大きさで決まる。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(activation="sigmoid", initializer="normal", std=0.0)  # std: its power of ten

    def made() -> list[np.ndarray]:
        one = INITIALIZERS[state.initializer]
        numbers = one.defaults() | ({"std": 10**state.std} if "std" in one.numbers else {})
        return signals(one, numbers, ACTIVATIONS[state.activation])

    def show() -> None:
        layers = made()
        update(drawn, picture(layers))
        for cell, layer in zip(spreads, layers, strict=True):
            cell.text = f"{layer.std():.3g}"
        for cell, layer in zip(edges, layers, strict=True):
            cell.text = f"{(layer == 0).mean():.0%}"

    def chosen() -> None:
        about.show(INITIALIZERS[state.initializer])
        size.set_visibility("std" in INITIALIZERS[state.initializer].numbers)
        show()

    sets = partial(setting, state, chosen)
    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Initial weights", "重みの初期値"), list(INITIALIZERS), state.initializer, sets("initializer"))
            size = put("div")
            with size:
                slider(Words("Standard deviation", "標準偏差"), -3, 0.5, 0.05, state.std, sets("std"), lambda v: f"{10**v:.3g}")
            choice(Words("Activation", "活性化関数"), list(ACTIVATIONS), state.activation, sets("activation"))
            about = About()
        with put("div"):
            drawn = figure(None, Words("Histograms of the activations, layer by layer", "層ごとの活性の分布"), WIDTH)
            with tabular((Words("layer", "層"), *map(_layer, range(LAYERS + 1))), "numbers tight", 1):
                spreads = _row(Words("standard deviation", "標準偏差"))
                edges = _row(Words("share of exact zeros", "ちょうど0の割合"))
    chosen()


def _row(words: Words) -> list[Put]:
    with put("tr"):
        put("th", words, scope="row")
        return [put("td", "", "number") for _ in range(LAYERS + 1)]


def _layer(k: int) -> Words:
    return Words(str(k) if k else "input", str(k) if k else "入力")


def picture(layers: list[np.ndarray]) -> Figure:
    """A histogram a layer, side by side, the values upward: the shares of each range."""
    made = style.panels([say(Words(f"layer {k}", f"層{k}")) for k in range(1, len(layers))], LAYERS, 300, shared_yaxes=True)
    low = max(min(layer.min() for layer in layers[1:]), -SPREAD)
    high = min(max(layer.max() for layer in layers[1:]), SPREAD)
    edges = np.linspace(low, max(high, low + 1e-3), BARS + 1)
    shares = [np.histogram(layer.clip(edges[0], edges[-1]), edges)[0] / layer.size for layer in layers[1:]]
    most = max(share.max() for share in shares)
    for k, share in enumerate(shares):
        made.add_bar(
            x=style.rounded(share),
            y=style.rounded((edges[1:] + edges[:-1]) / 2),
            orientation="h",
            marker={"color": style.color(0)},
            showlegend=False,
            hovertemplate="%{y:.3g}: %{x:.1%}<extra></extra>",
            **style.place(k, LAYERS, LAYERS),
        )
    tick = next(part for part in (0.5, 0.2, 0.1, 0.05, 0.02) if part <= most)  # there is room for one
    made.update_xaxes(tickformat=".0%", tickvals=[tick], range=[0, 1.05 * most]).update_layout(bargap=0, margin={"t": 40})
    return style.axes(made, Words("share", "割合"), Words("activation", "活性"))
