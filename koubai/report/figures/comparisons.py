"""Figures of what came out at the end: over learning rates, over sizes of weights, under penalties, in a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.language import Words, say
from koubai.measures import dense_weights, spelled
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, few, networks, quantities, spoken, swept, trials
from koubai.report.style import (
    PAPER,
    SCALE,
    axes,
    band,
    blank,
    color,
    dash,
    escaped,
    mean_and_interval,
    panels,
    place,
    rounded,
    share,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ACCURACY = Words("validation accuracy at the end", "最終の検証精度")
OVER_SEEDS = Words(
    "Means over seeds with 95% intervals; a training that diverged counts as guessing.",
    "シード平均と95%区間。発散した学習は当て推量として数える。",
)


def varies(axis: str) -> Callable[[Sequence[Group]], bool]:
    """Whether the runs differ along an axis."""
    return lambda groups: networks(groups) and len({group.values.get(axis) for group in groups}) > 1


def _sweep(groups: Sequence[Group], axis: str, number: Callable[[Any], float], x: Words) -> Figure:
    found = swept(groups, axis, number)
    columns = 2 if len(found.panels) <= 2 else 3
    made = panels(list(found.panels), columns, 340, shared_yaxes="all")
    seen: set[str] = set()
    for k, series, name, line in found:
        values = np.stack([group.final() for group in line], 1)
        at = place(k, len(found.panels), columns)
        band(made, [number(group.records[0].trial) for group in line], values, name, series, at, legend=name not in seen)
        seen.add(name)
    made.for_each_trace(lambda trace: trace.update(mode="lines+markers") if trace.fill is None else None)
    return share(axes(made, x, spoken(ACCURACY, groups), logx=True), quantities(groups))


@figure("rates", Words("Accuracy over the learning rate", "学習率と精度"), OVER_SEEDS, varies("learning_rate"))
def rates(groups: Sequence[Group]) -> Figure:
    """Final accuracy over the learning rate: how good, and how wide the range that works."""
    return _sweep(groups, "learning_rate", lambda trial: float(trial.learning_rate), Words("learning rate", "学習率"))


def scaled(groups: Sequence[Group]) -> bool:
    """Whether the runs differ in the standard deviation of their first weights."""
    return varies("initializer")(groups) and all("std" in g.records[0].trial.initializer.numbers for g in groups)


@figure("scales", Words("Accuracy over the size of the initial weights", "初期値の大きさと精度"), OVER_SEEDS, scaled)
def scales(groups: Sequence[Group]) -> Figure:
    """Final accuracy over the standard deviation of the initial weights."""
    x = Words("standard deviation of the initial weights", "初期値の標準偏差")
    return _sweep(groups, "initializer", lambda trial: float(trial.initializer.numbers["std"]), x)


def _dots(groups: Sequence[Group], parts: Sequence[tuple[str, Words]], x: Words) -> Figure:
    """Final accuracies with intervals, a row a variant, the parts of a row joined by a line."""
    shown = few(groups, 40)[::-1]
    labels = [escaped(group.label) for group in shown]
    made = blank(150 + 26 * len(shown))
    found = {part: [mean_and_interval(group.final(part)) for group in shown] for part, _ in parts}
    if len(parts) == 2:
        ends = [[m for m, _, _ in found[part]] for part, _ in parts]
        for label, left, right in zip(labels, *ends, strict=True):
            made.add_scatter(
                x=rounded([left, right]),
                y=[label, label],
                mode="lines",
                line={"color": "#b8c2cc", "width": 3},
                showlegend=False,
                hoverinfo="skip",
            )
    for k, (part, words) in enumerate(parts):
        made.add_scatter(
            x=rounded([m for m, _, _ in found[part]]),
            y=labels,
            mode="markers",
            name=say(words),
            error_x={"type": "data", "array": rounded([high - m for m, _, high in found[part]]), "thickness": 1.5},
            marker={"size": 9, "color": color(k), "symbol": ("circle", "square")[k]},
            hovertemplate=f"<b>%{{y}}</b><br>{say(words)} %{{x:{'.3f' if quantities(groups) else '.1%'}}}<extra></extra>",
        )
    made.update_yaxes(categoryorder="array", categoryarray=labels, ticks="")
    return axes(made, spoken(x, groups), Words("", "")).update_xaxes(tickformat="" if quantities(groups) else ".0%")


@figure("final", Words("Where each variant ended", "各設定の最終精度"), OVER_SEEDS, trials)
def final(groups: Sequence[Group]) -> Figure:
    """Final validation accuracy of each variant."""
    return _dots(groups, [("validation", Words("validation", "検証"))], ACCURACY)


@figure(
    "overfitting",
    Words("The gap between training and validation", "訓練精度と検証精度の差"),
    Words(
        "The length of the line between the two points is the overfitting: a good remedy shortens it by moving the square right, not the "
        "circle left. Means over seeds with 95% intervals.",
        "2点を結ぶ線の長さが過学習の大きさ。良い対策は丸を左へではなく、四角を右へ動かして線を縮める。シード平均と95%区間。",
    ),
    trials,
)
def overfitting(groups: Sequence[Group]) -> Figure:
    """Final training and validation accuracy of each variant."""
    parts = [("train", Words("training", "訓練")), ("validation", Words("validation", "検証"))]
    return _dots(groups, parts, Words("accuracy at the end", "最終の精度"))


@figure(
    "weights",
    Words("How the weights end up", "学習後の重みの分布"),
    Words(
        "All weights of all layers and seeds after training. L2 narrows the curve; L1 raises the spike at 0.",
        "学習後の全層・全シードの重みの分布。L2は分布を狭め、L1は0の近くに集める。",
    ),
    trials,
)
def weights(groups: Sequence[Group]) -> Figure:
    """The distribution of the final weights of each variant."""
    shown = few(groups, 16)
    values = [
        np.concatenate([w.ravel() for r in group.records if not r.diverged for w in dense_weights(r)] or [np.zeros(0)])
        for group in shown
    ]
    reach = float(np.quantile(np.abs(np.concatenate(values)), 0.999)) or 1.0
    edges = np.linspace(-reach, reach, 122)  # an odd number of bins: 0 in the middle of one
    made = blank(460)
    for k, (group, found) in enumerate(zip(shown, values, strict=True)):
        part = np.histogram(found, edges)[0] / max(len(found), 1)
        made.add_scatter(
            x=rounded((edges[1:] + edges[:-1]) / 2),
            y=rounded(np.where(part > 0, part, np.nan)),
            mode="lines",
            name=group.label,
            line={"color": color(k), "dash": dash(k), "width": 2, "shape": "hvh"},
            hovertemplate=f"{escaped(group.label)}<br>%{{x:.3f}}: %{{y:.2%}}<extra></extra>",
        )
    return axes(
        made, Words("weight", "重み"), Words("share of all weights in a bin", "各区間の重みが全体に占める割合"), logy=True
    )


def searched(groups: Sequence[Group]) -> bool:
    """Whether learning rate and penalty were drawn together."""
    return (
        varies("learning_rate")(groups)
        and varies("penalty")(groups)
        and all("strength" in g.records[0].trial.penalty.numbers for g in groups)
    )


@figure(
    "search",
    Words("Learning rate against weight decay", "学習率と荷重減衰の探索"),
    Words(
        "Each point is one draw, its colour the mean validation accuracy over seeds.",
        "各点が1つの組み合わせ。色は検証精度のシード平均。",
    ),
    searched,
)
def search(groups: Sequence[Group]) -> Figure:
    """A random search as a map."""
    trials = [group.records[0].trial for group in groups]
    reached = [float(group.final().mean()) for group in groups]
    best = int(np.argmax(reached))
    made = blank(520)
    form = ".2f" if quantities(groups) else ".0%"
    bar = {
        "title": {"text": say(spoken(Words("validation accuracy", "検証精度"), groups)), "side": "right"},
        "tickformat": form,
        "thickness": 14,
    }
    x, y = [t.learning_rate for t in trials], [t.penalty.numbers["strength"] for t in trials]
    text = f"%{{x:.2e}}, %{{y:.2e}}: %{{marker.color:{form}}}<extra></extra>"
    made.add_scatter(
        x=rounded(x),
        y=rounded(y),
        mode="markers",
        showlegend=False,
        hovertemplate=text,
        marker={
            "color": rounded(reached),
            "colorscale": SCALE,
            "size": 12,
            "colorbar": bar,
            "line": {"color": PAPER, "width": 1},
        },
    )
    made.add_scatter(
        x=rounded([x[best]]),
        y=rounded([y[best]]),
        mode="markers",
        name=f"{say(Words('best', '最良'))}: {spelled(reached[best], quantities(groups))}",
        marker={"symbol": "circle-open", "size": 20, "color": color(1), "line": {"width": 3}},
        hoverinfo="skip",
        showlegend=True,
    )
    return axes(
        made, Words("learning rate", "学習率"), Words("weight decay (L2 strength)", "荷重減衰(L2の強さ)"), logx=True, logy=True
    )
