"""Figures over the steps of a training: accuracy and loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from koubai.data.dataset import AT_THE_END, ON_THE_WAY
from koubai.language import Words, say
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, few, in_panels, quantities, recorded, spoken, trials
from koubai.report.style import axes, band, panels, place, share

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEP = Words("step (minibatches)", "ステップ(ミニバッチ)")


def over_seeds(en: str, ja: str) -> Words:
    """How curves are read whose lines are such means; the numbers are those of the trainings."""
    return Words(
        f"Lines are {en} over seeds, bands their 95% intervals. Measured on {ON_THE_WAY} samples during training, and on all of them at "
        f"the end (at most {AT_THE_END['train']:,} for training and {AT_THE_END['validation']:,} for validation).",
        f"線は{ja}、帯は95%区間。途中は{ON_THE_WAY}サンプル、最後は全サンプル(訓練は最大{AT_THE_END['train']:,}、"
        f"検証は最大{AT_THE_END['validation']:,})で測定。",
    )


def training(*names: str) -> Callable[[Sequence[Group]], bool]:
    """Whether runs are of more than a single step, and have these curves."""
    return lambda groups: recorded(groups, *names) and all(len(group.records[0].steps) > 2 for group in groups)


def _curves(groups: Sequence[Group], names: Sequence[tuple[str, Words]], y: Words, *, log: bool = False) -> Figure:
    """Curves of the history by panel; with two names each series has its own pair, told apart in the legend."""
    found = in_panels(groups)
    columns = 4 if len(found.panels) > 6 else 3
    made = panels(list(found.panels), columns, 300 if columns == 3 else 200, shared_yaxes="all")
    seen: set[str] = set()
    for k, number, series, group in found:
        for part, (name, words) in enumerate(names):
            label = series if len(names) == 1 else say(words) if len(found.series) == 1 else f"{series}, {say(words)}"
            at = place(k, len(found.panels), columns)
            shade = number * len(names) + part
            band(made, group.records[0].steps, group.curves(name), label, shade, at, log=log, legend=label not in seen)
            seen.add(label)
    y = spoken(y, groups)
    return axes(made, STEP, y, logy=log) if log else share(axes(made, STEP, y), quantities(groups))


@figure(
    "accuracy", Words("Validation accuracy", "検証精度の推移"), over_seeds("means", "シード平均"), training("validation_accuracy")
)
def accuracy(groups: Sequence[Group]) -> Figure:
    """Validation accuracy over the steps."""
    return _curves(groups, [("validation_accuracy", Words("validation", "検証"))], Words("validation accuracy", "検証精度"))


@figure("loss", Words("Loss", "損失の推移"), over_seeds("geometric means", "シードの幾何平均"), training("train_loss"))
def loss(groups: Sequence[Group]) -> Figure:
    """Training loss over the steps, on a log scale; of a model that was watched, whatever its loss is, the validation loss too."""
    names = [("train_loss", Words("training", "訓練"))]
    if trials(groups):
        y = Words("training loss (cross-entropy, nats)", "訓練損失(交差エントロピー、nat)")
        if quantities(groups):
            y = Words("training loss (squared error, standardized)", "訓練損失(2乗誤差、標準化後)")
        return _curves(groups, names, y, log=True)
    if recorded(groups, "validation_loss"):
        names.append(("validation_loss", Words("validation", "検証")))
    return _curves(groups, names, Words("loss", "損失"), log=True)


@figure(
    "train-validation",
    Words("Training beside validation accuracy", "訓練精度と検証精度の推移"),
    Words(
        "The distance between the two curves of a panel is the overfitting. Lines are means over seeds, bands their 95% intervals.",
        "各図の2本の線の開きが過学習の大きさ。線はシード平均、帯は95%区間。",
    ),
    training("train_accuracy", "validation_accuracy"),
)
def train_validation(groups: Sequence[Group]) -> Figure:
    """Both accuracies over the steps, a panel for each variant."""
    chosen = few(groups, 16)
    parts = [("train_accuracy", Words("training", "訓練")), ("validation_accuracy", Words("validation", "検証"))]
    columns = 4 if len(chosen) > 6 else 3
    made = panels([group.label for group in chosen], columns, 200, shared_yaxes="all")
    for k, group in enumerate(chosen):
        for part, (name, words) in enumerate(parts):
            at = place(k, len(chosen), columns)
            band(made, group.records[0].steps, group.curves(name), say(words), part, at, legend=k == 0)
    return share(axes(made, STEP, spoken(Words("accuracy", "精度"), groups)), quantities(groups))
