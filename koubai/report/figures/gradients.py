"""Figures of the ledger: what happens to the gradient on its way from the loss to the first layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.language import Words, say
from koubai.measures import attenuation
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, few, in_panels, recorded, trials
from koubai.report.style import (
    COLORS,
    INK,
    PAPER,
    SCALE,
    axes,
    band,
    blank,
    color,
    escaped,
    faint,
    mean_and_interval,
    panels,
    place,
    rounded,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def measured(groups: Sequence[Group]) -> bool:
    """Whether the gradient was recorded."""
    return recorded(groups, "gradient")


KINDS = {
    "weights": Words("weights", "重み"),
    "activation": Words("activation", "活性化関数"),
    "normalization": Words("normalization", "正規化"),
    "dropout": Words("dropout", "ドロップアウト"),
    "pooling": Words("pooling", "プーリング"),
    "flatten": Words("flatten", "平坦化"),
}


def positions(group: Group) -> list[str]:
    """The layers' names, the activation's own name left out so that variants share a place: ``dense 3``, ``activation 2``, ...

    The layers of a model that was watched keep the names that it has for them.
    """
    record = group.records[0]
    if not trials([group]):
        return list(record.layers)
    return [
        f"{say(KINDS['activation'])} {layer.rpartition(' ')[2]}" if kind == "activation" else layer
        for layer, kind in zip(record.layers, record.kinds, strict=True)
    ]


@figure(
    "gradient-flow",
    Words("Where the gradient goes", "勾配はどこへ行くか"),
    Words(
        "The gradient's size at the output of each layer, relative to that at the network's output: read from right (the loss) to left "
        "(the first layer). Upper row: before the first step; lower row: at the end of training. Geometric means over the seeds in which a "
        "gradient arrives, with 95% intervals.",
        "各層の出力での勾配の大きさ。ネットワークの出力での値を1とする。右(損失側)から左(最初の層)へ読む。"
        "上段は学習開始前、下段は学習終了時。勾配が届いたシードの幾何平均と95%区間。",
    ),
    measured,
)
def gradient_flow(groups: Sequence[Group]) -> Figure:
    """Gradient norm by layer relative to the output's, at the start and at the end."""
    found = in_panels(groups)
    whole = all(len(group.records[0].steps) > 2 for group in groups)
    moments = [(0, Words("start", "開始時")), (-1, Words("end", "終了時"))][: 1 + whole]
    titles = list(found.panels)
    columns = min(len(titles), 4)
    rows = -(-len(titles) // columns)
    blanks = [""] * (rows * columns - len(titles))
    named = [[f"{title} ({say(words)})" if title else say(words) for title in titles] for _, words in moments]
    names = [name for row in named for name in (*row, *blanks)]
    made = panels(names, columns, 270, shared_yaxes="all", shared_xaxes="all")
    seen: set[str] = set()
    longest = max((positions(group) for group in groups), key=len)
    for part, (moment, _) in enumerate(moments):
        for k, number, series, group in found:
            norms = group.curves("gradient")[:, moment]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(norms[:, -1:] > 0, norms / norms[:, -1:], np.nan)
            x = [longest.index(name) if name in longest else np.nan for name in positions(group)]
            at = place(part * rows * columns + k, len(names), columns)
            band(made, x, share, series, number, at, log=True, legend=series not in seen, hover="×%{y:.3g}")
            seen.add(series)
    for k, title in enumerate(names):
        if not title:
            at = place(k, len(names), columns)
            made.update_xaxes(visible=False, **at).update_yaxes(visible=False, **at)
    made.update_xaxes(tickvals=list(range(len(longest))), ticktext=longest, tickangle=-45)
    y = Words("gradient norm, output = 1", "勾配ノルム(出力を1とする)")
    return axes(made, Words("", ""), y, logy=True)


@figure(
    "ledger",
    Words("The ledger: what shrinks the gradient", "勾配の台帳: 何が勾配を縮めるか"),
    Words(
        "Before the first step, the chain rule taken apart. Each piece of a bar is one layer's factor on the gradient, in powers of ten: "
        "left of 0 it shrinks, right of 0 it grows. The pieces add up to the diamond, the whole way from the last layer to the first, "
        "with its 95% interval. Means over the seeds in which the gradient arrives.",
        "学習開始前の勾配を連鎖律で分解する。棒の各部分は1つの層が勾配にかける倍率(10の累乗)。0より左は縮小、右は拡大。"
        "合計がひし形(最後の層から最初の層まで)で、線は95%区間。勾配が届いたシードの平均。",
    ),
    measured,
)
def ledger(groups: Sequence[Group]) -> Figure:
    """Factors of all layers in powers of ten, one bar a variant."""
    shown = few(groups, 48)[::-1]
    made = blank(150 + 27 * len(shown), barmode="relative", bargap=0.25)
    labels: list[str] = []
    seen: set[str] = set()
    totals: list[tuple[str, np.ndarray]] = []
    for group in shown:
        norms = group.curves("gradient")[:, 0]
        whole = (norms > 0).all(1)  # the seeds in which the gradient comes down to the first layer
        label, count, of = escaped(group.label), int(whole.sum()), len(norms)
        if 0 < count < of:
            label += say(Words(f" (in {count} of {of} seeds)", f"(シード {of} 個中 {count} 個)"))
        labels.append(label)
        if not count:
            continue
        record, norms = group.records[0], norms[whole]
        with np.errstate(divide="ignore"):  # a watched model may have branches: what a layer did is not told by its neighbour
            told = "factor" in record.history
            factors = np.log10(group.curves("factor")[whole, 0, 1:] if told else norms[:, :-1] / norms[:, 1:])
        for k in range(factors.shape[1] - 1, -1, -1):  # from the output down, as the gradient goes
            kind = record.kinds[k + 1]
            shade = COLORS[list(KINDS).index(kind)]
            value = float(factors[:, k].mean())
            if not math.isfinite(value):
                continue
            made.add_bar(
                x=rounded([value]),
                y=[label],
                orientation="h",
                name=say(KINDS[kind]),
                legendgroup=kind,
                showlegend=kind not in seen,
                marker={"color": faint(shade, 0.75), "line": {"color": PAPER, "width": 1.5}},
                hovertemplate=f"<b>{label}</b><br>{record.layers[k + 1]}: ×{10**value:.3g}<extra></extra>",
            )
            seen.add(kind)
        totals.append((label, np.array([attenuation(row) for row in norms])))
    if totals:
        means = [mean_and_interval(values) for _, values in totals]
        made.add_scatter(
            x=rounded([m for m, _, _ in means]),
            y=[label for label, _ in totals],
            mode="markers",
            name=say(Words("the whole way", "全体")),
            marker={"symbol": "diamond", "size": 10, "color": INK, "line": {"color": PAPER, "width": 1}},
            error_x={"type": "data", "array": rounded([high - m for m, _, high in means]), "color": INK, "thickness": 1.5},
            hovertemplate="<b>%{y}</b><br>10^%{x:.2f}<extra></extra>",
        )
    for label in labels:
        if label not in {name for name, _ in totals}:
            text = say(Words("no gradient arrives", "勾配が届かない"))
            made.add_annotation(x=0, y=label, text=text, showarrow=False, xanchor="left", xshift=6, font={"size": 12})
    made.update_yaxes(categoryorder="array", categoryarray=labels, ticks="")
    made.update_xaxes(zerolinecolor=INK, zerolinewidth=1)
    x = Words(
        "factor on the gradient, powers of ten (0: unchanged, -1: a tenth)", "勾配にかかる倍率(10の累乗。0で不変、-1で10分の1)"
    )
    return axes(made, x, Words("", ""))


@figure(
    "gradient-norm",
    Words("Gradient norm by layer and step", "層とステップごとの勾配ノルム"),
    Words(
        "One cell for each layer's output and each recorded step; bright is a large gradient, dark a small one, an empty cell none. "
        "Geometric means over seeds.",
        "各層の出力と記録ステップごとの勾配の大きさ。明るいほど大きく、暗いほど小さい。空白は勾配なし。シードの幾何平均。",
    ),
    measured,
)
def gradient_norm(groups: Sequence[Group]) -> Figure:
    """Heat maps of the gradient's norm, a panel for each variant."""
    shown = few(groups, 16)
    columns = 4 if len(shown) > 6 else 3
    made = panels([group.label for group in shown], columns, 170, shared_yaxes="all", shared_xaxes="all")
    logs = []
    for group in shown:
        norms = group.curves("gradient")
        there = norms > 0
        with np.errstate(divide="ignore"):
            values = np.where(there.all(0), np.log10(np.where(there, norms, 1)).mean(0), np.nan)
        logs.append(values.T)
    finite = np.concatenate([values[np.isfinite(values)] for values in logs] or [np.zeros(1)])
    low = max(float(finite.min(initial=0)), -8.0)
    for k, (group, values) in enumerate(zip(shown, logs, strict=True)):
        record, at = group.records[0], place(k, len(shown), columns)
        steps = [f"{step:,}" for step in record.steps]
        made.add_heatmap(
            z=[rounded(row) for row in values],
            x=steps,
            y=positions(group),
            coloraxis="coloraxis",
            hovertemplate="%{y}, %{x}: 10^%{z:.2f}<extra></extra>",
            **at,
        )
        few_steps = np.unique(np.linspace(0, len(steps) - 1, 5).round().astype(int))
        made.update_xaxes(type="category", tickvals=[steps[i] for i in few_steps], tickangle=0, showgrid=False, **at)
    made.update_yaxes(showgrid=False, tickfont={"size": 10})
    powers = list(range(math.ceil(low), math.floor(float(finite.max(initial=low))) + 1))
    bar = {
        "title": {"text": say(Words("gradient norm", "勾配ノルム")), "side": "right"},
        "thickness": 12,
        "tickvals": powers,
        "ticktext": [f"10<sup>{power}</sup>" for power in powers],
    }
    made.update_layout(margin_t=36, height=made.layout.height - 40)
    made.update_layout(
        coloraxis={"colorscale": SCALE, "cmin": low, "cmax": float(finite.max(initial=low + 1e-9)), "colorbar": bar}
    )
    return axes(made, Words("step (not to scale)", "ステップ(等間隔ではない)"), Words("", ""))


@figure(
    "activations",
    Words("Activations by layer", "層ごとの活性の分布"),
    Words(
        "What comes out of each activation function on a fixed batch: left half before training, right half at its end. Widths follow "
        "the square root of the share, so that thin tails show, and are scaled to each layer's widest. All seeds together.",
        "固定バッチに対する各活性化関数の出力の分布。左半分は学習前、右半分は学習後。幅は割合の平方根(裾が見えるように)で、"
        "層ごとに最大幅をそろえる。全シードをまとめて示す。",
    ),
    lambda groups: recorded(groups, "histogram"),
)
def activations(groups: Sequence[Group]) -> Figure:
    """Distributions of activations, a panel for each variant."""
    shown = few(groups, 16)
    columns = 4 if len(shown) > 6 else 3
    made = panels([group.label for group in shown], columns, 220)
    for k, group in enumerate(shown):
        at = place(k, len(shown), columns)
        layers = [n for n, kind in zip(positions(group), group.records[0].kinds, strict=True) if kind == "activation"]
        if trials([group]):
            layers = [name.rpartition(" ")[2] for name in layers]
        for side, moment, words in ((-1, 0, Words("before training", "学習前")), (1, -1, Words("after training", "学習後"))):
            x, y = outlines(group, moment, side)
            made.add_scatter(
                x=x,
                y=y,
                fill="toself",
                mode="lines",
                line={"width": 0.5, "color": color(side > 0)},
                fillcolor=faint(color(side > 0), 0.85),
                name=say(words),
                legendgroup=str(side),
                showlegend=k == 0,
                hoverinfo="skip",
                **at,
            )
        made.update_xaxes(tickvals=list(range(len(layers))), ticktext=layers, showgrid=False, **at)
    return axes(made, Words("hidden layer", "隠れ層"), Words("activation", "活性の値"))


def outlines(group: Group, moment: int, side: int) -> tuple[list[Any], list[Any]]:
    """Half violins of one moment, one a hidden layer, as the points of one polygon with gaps between."""
    shares, low, high = (group.curves(name)[:, moment] for name in ("histogram", "low", "high"))
    x: list[Any] = []
    y: list[Any] = []
    for layer in range(shares.shape[1]):
        edges, density = merged(shares[:, layer], low[:, layer], high[:, layer])
        if not len(density):
            continue
        width = 0.45 * np.sqrt(density / density.max())
        heights = np.repeat(edges, 2)[1:-1]
        x += [*rounded([layer, *(layer + side * np.repeat(width, 2)), layer]), None]
        y += [*rounded([heights[0], *heights, heights[-1]]), None]
    return x, y


def merged(shares: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of several seeds, each over its own range, as one over a common range: edges and shares."""
    there = np.isfinite(low) & np.isfinite(high) & (shares.sum(1) > 0)
    if not there.any():
        return np.zeros(0), np.zeros(0)
    shares, low, high = shares[there], low[there], high[there]
    bins = shares.shape[1]
    edges = np.linspace(low.min(), high.max(), bins + 1)
    total = np.zeros(bins)
    for share, bottom, top in zip(shares, low, high, strict=True):
        own = np.linspace(bottom, top, bins + 1)
        total += np.diff(np.interp(edges, own, np.concatenate([[0], np.cumsum(share)])))
    return edges, total / len(shares)
