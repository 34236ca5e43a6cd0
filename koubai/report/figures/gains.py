"""What each variant gains over the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from koubai.language import Words, say
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, networks, quantities
from koubai.report.style import axes, blank, color, escaped, rounded
from koubai.statistics import interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 40


def paired(groups: Sequence[Group]) -> bool:
    """Whether these are variants of networks that share at least two seeds with the first one."""
    return networks(groups) and len(groups) > 1 and all(len(_shared(groups[0], group)) > 1 for group in groups)


def _shared(first: Group, other: Group) -> list[tuple[int, int]]:
    """Where two groups hold the same seed."""
    seeds = {record.trial.seed: k for k, record in enumerate(first.records)}
    return [(seeds[record.trial.seed], k) for k, record in enumerate(other.records) if record.trial.seed in seeds]


def reached(group: Group) -> np.ndarray:
    """Final accuracies; an R² below 0, which has no lower end, counts as guessing."""
    return np.maximum(group.final(), 0.0)


@figure(
    "gain",
    Words("Gain over the first variant", "最初の設定に対する効果"),
    Words(
        "Validation accuracy at the end minus that of the first variant with the same seed: mean and 95% interval over seeds. Where the "
        "point is filled, the interval lies above 0.",
        "最終の検証精度から、同じシードの最初の設定の値を引いた差。シード平均と95%区間。塗りつぶした点は区間が0より上。",
    ),
    paired,
)
def gain(groups: Sequence[Group]) -> Figure:
    """The paired gain of each variant over the first."""
    first, shown = groups[0], list(groups[1:])[:MOST][::-1]
    labels = [escaped(group.label) for group in shown]
    made = blank(150 + 30 * len(shown))
    differences, unit = [], 1 if quantities(groups) else 100
    for group in shown:
        rows = np.array(_shared(first, group))
        differences.append(unit * (reached(group)[rows[:, 1]] - reached(first)[rows[:, 0]]))
    means = np.array([one.mean() for one in differences])
    low, high = np.array([interval(one) for one in differences]).T
    high = np.minimum(high, unit * (1 - reached(first).mean()))  # no accuracy is above 1
    for k, (words, chosen) in enumerate(
        {
            Words("interval above 0", "区間が0より上"): low > 0,
            Words("interval not above 0", "区間が0を含む・下回る"): low <= 0,
        }.items()
    ):
        made.add_scatter(
            x=rounded(means[chosen]),
            y=[label for label, one in zip(labels, chosen, strict=True) if one],
            mode="markers",
            name=say(words),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rounded((high - means)[chosen]),
                "arrayminus": rounded((means - low)[chosen]),
                "thickness": 1.5,
            },
            marker={"size": 10, "color": color(k), "symbol": ("circle", "square-open")[k]},
            hovertemplate=f"<b>%{{y}}</b><br>%{{x:{'+.3f' if quantities(groups) else '+.1f'}}}<extra></extra>",
        )
    made.add_vline(x=0, line={"color": "#8a97a3", "width": 1, "dash": "dot"})
    made.update_yaxes(categoryorder="array", categoryarray=labels, ticks="")
    x = Words("gain in validation accuracy (points)", "検証精度の差(ポイント)")
    if quantities(groups):
        x = Words("gain in validation R²", "検証R²の差")
    return axes(made, x, Words("", ""))
