"""Figures in the plane: optimizers on surfaces, and what a penalty does to the best weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.language import Words, say
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, Race
from koubai.report.style import COLORS, INK, PAPER, area, axes, color, escaped, faint, panels, place, rounded

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@figure(
    "race",
    Words("The optimizers' paths", "最適化手法のたどる道"),
    Words(
        "Contours of the surface, the path from the first start (circle), and where the paths from all starts end (crosses). The last "
        "panel: how far above the lowest value each is, the median over starts and the interquartile range.",
        "曲面の等高線と、最初の出発点(丸)からの道、全出発点の終点(×)。最後の図は最小値との差(出発点の中央値と四分位範囲)。",
    ),
    lambda groups: all(isinstance(group, Race) for group in groups),
)
def race(groups: Sequence[Race]) -> Figure:
    """Paths over contours, a panel for each optimizer, and the height over the steps."""
    from koubai.landscapes import LANDSCAPES, lowest_value

    surface = LANDSCAPES[groups[0].paths[0].landscape]
    left, right, bottom, top = surface.bounds
    made = panels(
        [*(race.label for race in groups), say(Words("height above the lowest value", "最小値との差"))],
        3,
        300,
        horizontal_spacing=0.08,
    )
    count = len(groups) + 1
    grid_x, grid_y, heights = contour(surface)
    for k, one in enumerate(groups):
        at = place(k, count)
        contours(made, grid_x, grid_y, heights, ("#6b7a88", "#d5dce2"), ncontours=14, line={"width": 1}, **at)
        first, ends = one.paths[0].points, np.stack([path.points[-1] for path in one.paths])
        made.add_scatter(
            x=rounded(first[:, 0]),
            y=rounded(first[:, 1]),
            mode="lines+markers",
            line={"color": color(k), "width": 2},
            marker={"size": 4},
            showlegend=False,
            name=one.label,
            hovertemplate="(%{x:.3g}, %{y:.3g})<extra></extra>",
            **at,
        )
        for points, marker in (
            (first[:1], {"size": 10, "color": PAPER, "line": {"color": color(k), "width": 2}}),
            (ends, {"symbol": "x", "size": 6, "color": faint(color(k), 0.6)}),
        ):
            x, y = map(rounded, points.T)
            made.add_scatter(x=x, y=y, mode="markers", marker=marker, showlegend=False, hoverinfo="skip", **at)
        made.update_xaxes(range=[left, right], **at).update_yaxes(range=[bottom, top], **at)
        above = np.maximum(np.stack([path.values - lowest_value(surface.name) for path in one.paths]), FLOOR)
        low, middle, high = np.quantile(np.nan_to_num(above, nan=np.inf), [0.25, 0.5, 0.75], axis=0)
        steps, last = np.arange(len(middle)), place(count - 1, count)
        area(made, steps, low, high, faint(color(k), 0.08), **last)
        hover = f"{escaped(one.label)}<br>%{{x}}: %{{y:.3g}}<extra></extra>"
        made.add_scatter(
            x=rounded(steps), y=rounded(middle), name=one.label, line={"color": color(k)}, hovertemplate=hover, **last
        )
    made.update_yaxes(type="log", exponentformat="power", title_text="f - min f", **place(count - 1, count))
    made.update_xaxes(title_text=say(Words("step", "ステップ")), **place(count - 1, count))
    return made


def contour(surface: Any, points: int = 61) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A surface's values on a grid over its bounds: x, y and the square roots of the heights (contours near the bottom show)."""
    import torch

    left, right, bottom, top = surface.bounds
    x, y = np.linspace(left, right, points), np.linspace(bottom, top, points)
    grid = torch.from_numpy(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    heights = surface.value(grid).numpy().reshape(points, points)
    return x, y, np.sqrt(heights - heights.min())


def contours(made: Figure, x: np.ndarray, y: np.ndarray, heights: np.ndarray, shades: tuple[str, str], **options: Any) -> None:
    """Lines of equal height, in shades from the lowest to the highest."""
    made.add_contour(
        x=rounded(x), y=rounded(y), z=[rounded(row) for row in heights], showscale=False, contours={"coloring": "lines"},
        colorscale=[*enumerate(shades)], **{"hoverinfo": "skip", **options},
    )  # fmt: skip


FLOOR = 1e-9  # heights below it are as good as the lowest

CURVATURE = np.array([[1.0, 0.55], [0.55, 0.9]])  # of a loss with two weights
OPTIMUM = np.array([0.3, 1.7])
REACH = 1.0  # what the penalty leaves: |w|_p <= 1


def quadratic(w: np.ndarray, curvature: np.ndarray = CURVATURE, optimum: np.ndarray = OPTIMUM) -> np.ndarray:
    """The loss at weights ``[..., 2]``: ``(w - optimum)' curvature (w - optimum)``."""
    away = w - optimum
    return np.einsum("...i,ij,...j->...", away, curvature, away)


@lru_cache
def limit(p: float, reach: float = REACH, points: int = 401) -> np.ndarray:
    """The weights with ``|w|_p = reach``, all around: ``[point, 2]``, with exact zeros where it meets the axes."""
    angle = np.linspace(0, 2 * np.pi, points)
    around = np.stack([np.cos(angle), np.sin(angle)], -1).round(15)
    return np.asarray(reach * around / (np.abs(around) ** p).sum(-1, keepdims=True) ** (1 / p))


def best_within(p: float, reach: float = REACH, curvature: np.ndarray = CURVATURE, optimum: np.ndarray = OPTIMUM) -> np.ndarray:
    """The weights of least loss among those with ``|w|_p <= reach``, by trying the whole border; the optimum lies outside."""
    border = limit(p, reach, 16_001)
    return np.asarray(border[quadratic(border, curvature, optimum).argmin()])


@figure(
    "norm-contours",
    Words("Why L1 zeroes weights and L2 does not", "L1が重みを0にし、L2がしない理由"),
    Words(
        "Contours of a loss of two weights, and the weights that a penalty allows. The best of them (dot) lies where the smallest "
        "contour touches them: under L2 anywhere on the circle, under L1 often on a corner, where one weight is exactly 0.",
        "2つの重みの損失の等高線と、正則化が許す範囲。最良の点(黒丸)は等高線が最初に接する所にある。"
        "L2では円周上のどこか、L1では角(一方の重みがちょうど0)になりやすい。",
    ),
)
def norm_contours(
    groups: Sequence[Group] = (), titles: Sequence[str] = ("L2", "L1"), norms: Sequence[float] = (2.0, 1.0), reach: float = REACH
) -> Figure:
    """The contour picture behind the review question: which one is L1? ``titles`` may hide it."""
    made = panels(titles, 2, 420)
    axis = np.linspace(-1.6, 2.6, 85)
    values = quadratic(np.stack(np.meshgrid(axis, axis), -1))
    for k, p in enumerate(norms):
        at = place(k, len(norms), 2)
        contours(
            made, axis, axis, np.sqrt(values), (COLORS[1], "#f0d2c0"), ncontours=16, line={"width": 1.2, "dash": "dash"}, **at
        )  # fmt: skip
        border = limit(p, reach)
        made.add_scatter(
            x=rounded(border[:, 0]),
            y=rounded(border[:, 1]),
            fill="toself",
            mode="lines",
            line={"color": COLORS[0], "width": 2},
            fillcolor=faint(COLORS[0], 0.2),
            name=say(Words("allowed weights", "許される重み")),
            showlegend=k == 0,
            hoverinfo="skip",
            **at,
        )
        best = best_within(p, reach)
        shown = f"({best[0] + 0.0:.2f}, {best[1] + 0.0:.2f})"
        for point, words, symbol, mark in (
            (OPTIMUM, Words("least loss", "損失最小"), "x", COLORS[1]), (best, Words("best allowed", "範囲内の最良点"), "circle", INK),
        ):  # fmt: skip
            made.add_scatter(
                x=rounded(point[:1]),
                y=rounded(point[1:]),
                mode="markers",
                name=say(words),
                showlegend=k == 0,
                marker={"symbol": symbol, "size": 11, "color": mark},
                hovertemplate="(%{x:.2f}, %{y:.2f})<extra></extra>",
                **at,
            )
        made.add_annotation(
            x=best[0], y=best[1], text=shown, showarrow=False, xanchor="left", yanchor="bottom", xshift=7, yshift=2, **at
        )
        made.update_yaxes(scaleanchor=f"x{k + 1}" if k else "x", **at)
    made.update_xaxes(range=[-1.6, 2.6], constrain="domain")
    made.update_yaxes(range=[-1.6, 2.6], constrain="domain", constraintoward="top")  # below their titles
    return axes(made, Words("weight 1", "重み1"), Words("weight 2", "重み2"))
