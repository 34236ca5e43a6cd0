"""How every figure looks: colours that colour-blind readers can tell apart, axes with words and units, bands over seeds.

Texts are said in the language in force. ``bilingual`` draws a figure in both at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.language import Words, apart, say, saying_both

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito 2008, "Color Universal Design", without the yellow that a white page swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A5A2B", "#7F7F7F")
DASHES = ("solid", "dash", "dot", "dashdot")  # beside the colours, so that neither is needed alone
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
SCALE = "Cividis"  # perceptually even, made for colour-blind readers
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Hiragino Sans', 'Noto Sans JP', 'Noto Sans CJK JP', 'Yu Gothic UI', sans-serif"
INK, PALE, PAPER = "#1c2733", "#d9dfe5", "#ffffff"
LIGHT = {
    "paper": PAPER, "ink": INK, "soft": "#55636f", "line": PALE, "edge": "#7d8a96", "wash": "#f4f6f8",
    "blue": COLORS[0], "red": "#b34700", "green": "#00795a", "gray": "#5f6b76", "violet": "#7a5195", "on": "#ffffff",
}  # fmt: skip
DARK = {
    "paper": "#10161c", "ink": "#e6ebf0", "soft": "#a7b4c0", "line": "#34414d", "edge": "#74828f", "wash": "#19212a",
    "blue": "#6cbaea", "red": "#f29a62", "green": "#4cc9a0", "gray": "#a7b4c0", "violet": "#c3a1dd", "on": "#10161c",
}  # fmt: skip


def variables(theme: Mapping[str, str]) -> str:
    """A theme's colours as CSS variables."""
    return "".join(f"--{name}:{value};" for name, value in theme.items())


def follow() -> str:
    """CSS by which what is not data in a figure follows the theme: Plotly's SVG takes no variables, so parts are told by their colour."""
    rules = []
    for name in ("ink", "line", "paper"):
        rules += [
            f'.js-plotly-plot [style*="{part}: rgb({rgb(LIGHT[name])})"]{{{part}:var(--{name})!important}}'
            for part in ("fill", "stroke", "background")
        ]
    return "".join(rules)


def color(k: int) -> str:
    """The ``k``-th colour; after the last it begins anew, with the next dash."""
    return COLORS[k % len(COLORS)]


def dash(k: int) -> str:
    """The dash that goes with the ``k``-th colour."""
    return DASHES[k // len(COLORS) % len(DASHES)]


def faint(hexadecimal: str, opacity: float) -> str:
    """A colour that what is behind it shines through."""
    return f"rgba({rgb(hexadecimal)}, {opacity:g})"


def rgb(hexadecimal: str) -> str:
    """A colour's three parts as CSS writes them."""
    return ", ".join(str(int(hexadecimal[k : k + 2], 16)) for k in (1, 3, 5))


def blank(height: int = 420, **layout: Any) -> Figure:
    """An empty figure in the laboratory's style."""
    import plotly.graph_objects as go

    figure = go.Figure()
    return dress(figure, height, **layout)


def panels(titles: Sequence[str], columns: int, height: int, **options: Any) -> Figure:
    """An empty figure of one panel a title, ``columns`` beside each other; ``figure.add_trace(..., row=, col=)`` fills it.

    ``height`` is that of one row in pixels. ``options`` are those of ``plotly.subplots.make_subplots``.
    """
    from plotly.subplots import make_subplots

    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    shared = any(name.startswith("shared_y") for name in options)
    options = {
        "horizontal_spacing": (0.13 if shared else 0.18) / columns,
        "vertical_spacing": min(0.5, 58 / height) / rows,
        **options,
    }
    figure = make_subplots(rows, columns, subplot_titles=[escaped(title) for title in titles], **options)
    figure.update_annotations(font_size=13)
    return dress(figure, height * rows + 130)


def place(k: int, count: int, columns: int = 3) -> dict[str, int]:
    """Where the ``k``-th of ``count`` panels stands: ``row`` and ``col``."""
    columns = min(columns, count)
    return {"row": k // columns + 1, "col": k % columns + 1}


def heat(made: Figure, z: np.ndarray, at: dict[str, int], **options: Any) -> None:
    """A picture in a panel: square pixels, the first row at the top, no axes."""
    made.add_heatmap(z=[rounded(row) for row in z], showscale=False, hovertemplate="%{z:.3g}<extra></extra>", **options, **at)
    made.update_yaxes(autorange="reversed", scaleanchor=made.data[-1].xaxis, constrain="domain", visible=False, **at)
    made.update_xaxes(visible=False, constrain="domain", **at)


def dress(figure: Figure, height: int, **layout: Any) -> Figure:
    """Give a figure the laboratory's style."""
    figure.update_layout(template=_template(), height=height, **layout)
    return figure


@cache
def _template() -> Any:
    """The style as plotly's template: the legend stands above, the axes are thin."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": PALE,
        "zerolinecolor": PALE,
        "linecolor": "#8a97a3",
        "ticks": "outside",
        "tickcolor": "#8a97a3",
        "showline": True,
        "automargin": True,
        "exponentformat": "power",
        "title": {"font": {"size": 13}, "standoff": 8},
    }
    layout = {
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": 64, "r": 24, "t": 76, "b": 54},
        "hoverlabel": {"font": {"family": FONT}},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yref": "container", "yanchor": "top", "y": 1, "x": 0, "xanchor": "left"},
        "modebar": {"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": "#8a97a3"},
        "xaxis": axis,
        "yaxis": axis,
    }
    return go.layout.Template(layout=layout)


@cache
def _quantiles(most: int) -> np.ndarray:
    """The t distribution's 97.5% quantile by how many values there are, up to so many; NaN for fewer than two."""
    from scipy import special

    return np.concatenate([[np.nan] * 2, special.stdtrit(np.arange(1, max(most, 2)), 0.975)])


def mean_and_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over seeds (the first axis) and its 95% interval by the t distribution, NaN where no seed has a value.

    One seed has no interval: its bounds are its mean.
    """
    values = np.asarray(values, dtype=float)
    there = np.isfinite(values)
    count = there.sum(0)
    filled = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, filled.sum(0) / count, np.nan)
        spread = np.sqrt(np.where(there, (values - mean) ** 2, 0.0).sum(0) / (count - 1))
        half = np.where(count > 1, _quantiles(len(values))[np.maximum(count, 2)] * spread / np.sqrt(count), 0.0)
    return mean, mean - half, mean + half


def band(
    figure: Figure,
    x: Sequence[float] | np.ndarray,
    values: np.ndarray,
    name: str,
    k: int,
    at: Mapping[str, int] | None = None,
    *,
    log: bool = False,
    legend: bool = True,
    hover: str = "%{y:.4g}",
) -> None:  # fmt: skip
    """Draw the mean of ``values`` ``[seed, point]`` over ``x``, with its 95% interval as a band, as the ``k``-th series.

    With ``log`` mean and interval are those of the logarithms; what is 0 is left out. ``at`` is the panel's ``row`` and ``col``.
    """
    where = dict(at or {})
    x, values = np.asarray(x, dtype=float), np.asarray(values, dtype=float)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log10(values), np.nan)
    mean, low, high = mean_and_interval(values)
    if log:
        mean, low, high = 10**mean, 10**low, 10**high
    there = np.isfinite(mean)
    if len(values) > 1:
        area(figure, x[there], low[there], high[there], faint(color(k), 0.18), legendgroup=name, name=name, **where)
    figure.add_scatter(
        x=rounded(x),
        y=rounded(mean),
        mode="lines" if len(x) > 12 else "lines+markers",
        name=name,
        legendgroup=name,
        showlegend=legend,
        line={"color": color(k), "width": 2, "dash": dash(k)},
        marker={"symbol": SYMBOLS[k % len(SYMBOLS)]},
        hovertemplate=f"<b>{escaped(name)}</b><br>%{{x:.4g}}: {hover}<extra></extra>",
        **where,
    )


def area(figure: Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, fill: str, **options: Any) -> None:
    """Fill what lies between two lines over ``x``."""
    around, edge = rounded([*x, *x[::-1]]), rounded([*high, *low[::-1]])
    figure.add_scatter(
        x=around, y=edge, fill="toself", mode="none", fillcolor=fill, showlegend=False, hoverinfo="skip", **options
    )  # fmt: skip


def rounded(values: Any) -> list[float | None]:
    """Values as a page carries them: four significant digits, ``None`` for what is no number."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=float).ravel()]


def escaped(name: str) -> str:
    """A name inside plotly's text, which reads some HTML and its own ``%{...}``."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")


def axes(figure: Figure, x: Words, y: Words, *, logx: bool = False, logy: bool = False) -> Figure:
    """Name the axes of all panels (``x`` below the lowest, ``y`` left of the first), and scale them."""
    if logx:
        figure.update_xaxes(type="log", dtick=powers(figure, "x"))
    if logy:
        figure.update_yaxes(type="log", dtick=powers(figure, "y"))
    for axis, words, edge in (("xaxis", x, "y"), ("yaxis", y, "x")):
        for one in figure.select_xaxes() if axis == "xaxis" else figure.select_yaxes():
            if _at_edge(figure, one, edge):
                one.title.text = say(words)
    return figure


def share(figure: Figure, quantities: bool = False) -> Figure:
    """Make the y axes run over all shares, from 0 to 1, in percent; of ``quantities`` over R², which may be below 0."""
    if quantities:
        return figure.update_yaxes(range=[-0.53, 1.03], dtick=0.25)
    return figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", dtick=0.2)


def powers(figure: Figure, axis: str) -> int | None:
    """How many powers of ten lie between two ticks of an axis, so that ten are the most; ``None`` where it spans two decades or less."""
    values = np.array([v for trace in figure.data for v in (trace[axis] or ()) if v], dtype=float)
    if not (len(values) and values.max() > 100 * values.min() > 0):
        return None
    return math.ceil(math.log10(values.max() / values.min()) / 10)


def _at_edge(figure: Figure, axis: Any, edge: str) -> bool:
    """Whether no panel stands below (for an x axis) or left of (for a y axis) this one's."""
    other = figure.layout[_long(axis.anchor)] if axis.anchor else None
    if other is None or other.domain is None:
        return True
    if edge == "x":
        return bool(other.domain[0] < 1e-6)
    column = axis.domain
    below = [
        figure.layout[_long(one.anchor)].domain[0]
        for one in figure.select_xaxes()
        if one.anchor and one.domain is not None and abs(one.domain[0] - column[0]) < 1e-6
    ]
    return bool(other.domain[0] <= min(below) + 1e-6)


def _long(anchor: str) -> str:
    """``"y3"`` as ``"yaxis3"``."""
    return f"{anchor[0]}axis{anchor[1:]}"


def bilingual(draw: Callable[[], Figure]) -> tuple[dict[str, Any], list[tuple[list[str | int], str]]]:
    """A figure as JSON in English, and the places at which its Japanese texts differ, each with the text."""
    with saying_both():
        made = draw().to_plotly_json()
    japanese: list[tuple[list[str | int], str]] = []
    return plain(made, [], japanese), japanese


def plain(value: Any, path: list[str | int], japanese: list[tuple[list[str | int], str]]) -> Any:
    """Plotly's JSON without numpy in it and in English; the places of texts that differ go to ``japanese``."""
    if isinstance(value, Mapping):
        return {name: plain(part, [*path, name], japanese) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(part, [*path, k], japanese) for k, part in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str) and "\x02" in value:
        words = apart(value)
        japanese.append((path, words.ja))
        return words.en
    return None if isinstance(value, float) and not np.isfinite(value) else value
