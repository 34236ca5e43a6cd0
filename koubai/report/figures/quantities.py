"""What networks that predict a quantity say of it, beside what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from koubai.language import Words, say
from koubai.measures import is_regression
from koubai.report.figures.images import ready
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, trials
from koubai.report.style import COLORS, axes, blank, rounded

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from koubai.store import Record

MOST = 2000  # points of the figure


def predicted_by(groups: Sequence[Group]) -> list[Record]:
    """The trained networks among these runs that predict a quantity."""
    return [record for group in groups for record in group.records if is_regression(record) and not record.diverged]


@figure(
    "predicted",
    Words("What it predicts, and what is true", "予測と正解"),
    Words(
        "The best network's predictions for validation samples, in the unit of the target; on the dashed line predicted and true values "
        "are equal.",
        "検証サンプルでの、最良のネットワークの予測(target の単位)。破線上では予測と正解が等しい。",
    ),
    lambda groups: trials(groups) and bool(predicted_by(groups)),
)
def predicted(groups: Sequence[Group]) -> Figure:
    """Predictions over true values of validation samples, of the best network."""
    record = max(predicted_by(groups), key=lambda record: record.final("validation_accuracy"))
    data, network, x = ready(record, MOST)
    mean, scale = data.target or (0.0, 1.0)
    true, said = data.y_validation[:MOST] * scale + mean, network(x)[:, 0].numpy() * scale + mean
    ends = [float(min(true.min(), said.min())), float(max(true.max(), said.max()))]
    made = blank(520)
    made.add_scatter(x=ends, y=ends, mode="lines", line={"color": "#7a8794", "dash": "dash"}, showlegend=False, hoverinfo="skip")
    made.add_scatter(
        x=rounded(true),
        y=rounded(said),
        mode="markers",
        marker={"color": COLORS[0], "size": 7, "opacity": 0.6},
        showlegend=False,
        hovertemplate=f"{say(Words('true', '正解'))} %{{x:.4g}}, {say(Words('predicted', '予測'))} %{{y:.4g}}<extra></extra>",
    )
    return axes(made, Words("true", "正解"), Words("predicted", "予測"))
