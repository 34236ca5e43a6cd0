"""The figure behind a verdict: every comparison's difference with its interval, beside the smallest that matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from koubai.language import Words, say
from koubai.report.figures.registry import figure
from koubai.report.style import COLORS, INK, PALE, axes, blank, escaped, faint, rounded

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Compared:
    """One comparison: its words, the difference and its interval, the smallest that matters, which way was claimed, and the verdict."""

    words: Words
    difference: float
    low: float
    high: float
    smallest: float
    claimed: str
    verdict: str


SHADES = {"supported": COLORS[0], "refuted": COLORS[1], "undecided": COLORS[7]}
SIGNS = {"supported": "circle", "refuted": "x", "undecided": "circle-open"}
TICKS = (0, 1, 3, 10, 30, 100, 300, 1000)
FARTHEST = 1000.0


def squeezed(value: float) -> float:
    """A place on the axis: even around 0, ever closer outside (asinh)."""
    return math.asinh(max(-FARTHEST, min(FARTHEST, value)))


def claimed_region(claimed: str) -> tuple[float, float]:
    """The differences that would support a claim, in units of the smallest that matters."""
    return {
        "more": (1, FARTHEST), "less": (-FARTHEST, -1), "same": (-1, 1), "no less": (-1, FARTHEST), "no more": (-FARTHEST, 1),
    }[claimed]  # fmt: skip


@figure(
    "verdict",
    Words("The evidence", "根拠"),
    Words(
        "Each row is one comparison: the difference between the two sides, paired by seed, with its 95% interval, in units of the "
        "smallest difference that matters. The shaded part is where the interval must lie for the claim to be supported.",
        "各行が1つの比較。シードごとに対にした差と95%区間を、意味のある最小の差を1として示す。区間全体が網掛けの中にあれば支持される。",
    ),
    lambda groups: all(isinstance(group, Compared) for group in groups),
)
def verdict(groups: Sequence[Compared]) -> Figure:
    """A forest plot of a claim's comparisons."""
    rows = list(groups)[::-1]
    made = blank(110 + 44 * len(rows))
    made.update_layout(margin={"t": 12, "b": 52}, showlegend=False)
    for k, one in enumerate(rows):
        start, stop = claimed_region(one.claimed)
        made.add_shape(
            type="rect",
            x0=squeezed(start),
            x1=squeezed(stop),
            y0=k - 0.4,
            y1=k + 0.4,
            line_width=0,
            fillcolor=faint(COLORS[2], 0.15),
            layer="below",
        )
        middle, low, high = (squeezed(value / one.smallest) for value in (one.difference, one.low, one.high))
        made.add_scatter(
            x=rounded([low, high]), y=[k, k], mode="lines", line={"color": SHADES[one.verdict], "width": 4}, hoverinfo="skip"
        )
        made.add_scatter(
            x=rounded([middle]),
            y=[k],
            mode="markers",
            marker={"symbol": SIGNS[one.verdict], "size": 12, "color": SHADES[one.verdict]},
            hovertemplate=f"{escaped(say(one.words))}<br>{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]<extra></extra>",
        )
    farthest = max((abs(squeezed(v / r.smallest)) for r in rows for v in (r.difference, r.low, r.high)), default=1.0)
    reach = max(farthest, squeezed(2)) * 1.12
    ticks = sorted({sign * tick for tick in TICKS for sign in (-1, 1) if squeezed(tick) <= reach})
    made.update_xaxes(
        tickvals=[squeezed(tick) for tick in ticks],
        ticktext=[f"{tick:+d}" if tick else "0" for tick in ticks],
        range=[-reach, reach],
        zerolinecolor=INK,
        zerolinewidth=1,
        gridcolor=PALE,
    )
    made.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[say(Words(*map(wrapped, one.words))) for one in rows],
        range=[-0.6, len(rows) - 0.4],
        showgrid=False,
        ticks="",
        zeroline=False,
    )
    return axes(made, Words("difference / smallest that matters", "差 / 意味のある最小の差"), Words("", ""))


def wrapped(text: str, width: int = 44) -> str:
    """A long label in two lines, broken at a comma or a slash near the middle."""
    text = escaped(text)
    if len(text) <= width:
        return text
    places = [k + 1 for k, sign in enumerate(text) if sign in ",/: 、・"] or [len(text) // 2]
    middle = min(places, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}<br>{text[middle:]}"
