"""Figures of networks of images: the filters, what the layers make of an image, and what is taken for what.

Each is of one network: of the variant with convolutions that is best over its seeds, the best seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from koubai.data.dataset import AT_THE_END
from koubai.language import Words, say
from koubai.report.figures.registry import figure
from koubai.report.groups import Group, networks, quantities
from koubai.report.style import COLORS, SCALE, axes, blank, escaped, heat, panels, place, rounded

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from torch import Tensor, nn

    from koubai.data import Dataset
    from koubai.store import Record

MOST_FILTERS = 64
MOST_MAPS = 16  # of one layer
MOST_LAYERS = 16
MOST_IMAGES = 12
LETTERS = 12  # of a class's name
SIGNED = "RdBu"  # 0 is white

BEST = Words(
    "Shown for one network: the best seed of the best variant with convolutions.",
    "畳み込みを含む最良の設定のうち、最良のシードのネットワークについて示す。",
)


def convolves(record: Record) -> bool:
    """Whether a trial's network has a convolution, and did not diverge."""
    return not record.diverged and any(name.startswith("conv ") for name in record.layers)


def pictured(groups: Sequence[Group]) -> bool:
    """Whether there is a trained network with convolutions among these runs."""
    return networks(groups) and any(map(convolves, (r for g in groups for r in g.records)))


def told_apart(groups: Sequence[Group]) -> bool:
    """Whether such a network tells classes apart."""
    return pictured(groups) and not quantities(groups)


def best(groups: Sequence[Group]) -> Record:
    """The best seed of the best variant with convolutions, by final validation accuracy."""
    found = [group for group in groups if any(map(convolves, group.records))]
    group = max(found, key=lambda group: group.final().mean())
    return max(filter(convolves, group.records), key=lambda record: record.final("validation_accuracy"))


def caption(en: str, ja: str) -> Words:
    """A caption that says whose figure it is."""
    return Words(f"{BEST.en} {en}", f"{BEST.ja}{ja}")


def mosaic(tiles: np.ndarray) -> np.ndarray:
    """Pictures ``[tile, height, width]`` side by side in a near square, NaN between them; the first is at the top left."""
    count, height, width = tiles.shape
    across = math.ceil(math.sqrt(count * height / width))
    down = -(-count // across)
    whole = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for k, tile in enumerate(tiles):
        top, left = k // across * (height + 1), k % across * (width + 1)
        whole[top : top + height, left : left + width] = tile
    return whole


def bare(image: np.ndarray) -> np.ndarray:
    """One channel of an image to look at: the mean of several."""
    return image.mean(0) if image.ndim == 3 else image


@figure(
    "filters",
    Words("Filters before and after training", "学習前後のフィルタ"),
    caption(
        "The weights of its first convolution: white is 0, blue positive, red negative. Several input channels are averaged.",
        "最初の畳み込み層の重み。白は0、青は正、赤は負。入力が複数チャンネルの場合は平均を示す。",
    ),
    pictured,
)
def filters(groups: Sequence[Group]) -> Figure:
    """The first convolution's filters as small pictures, as they were drawn and as they became."""
    record = best(groups)
    number = next(k for k, name in enumerate(record.layers) if name.startswith("conv "))
    weights = [first_weights(record, number), record.weights()[f"{number}.weight"]]
    tiles = [rows[:MOST_FILTERS].reshape(-1, *window(record)).mean(1) for rows in weights]
    reach = float(max(np.abs(tile).max() for tile in tiles)) or 1.0
    names = Words("before training", "学習前"), Words("after training", "学習後")
    made = panels([say(words) for words in names], 2, 380)
    for k, tile in enumerate(tiles):
        heat(made, mosaic(tile), place(k, 2, 2), colorscale=SIGNED, zmin=-reach, zmax=reach)
    return made


def first_weights(record: Record, number: int) -> np.ndarray:
    """What a layer's weights were before training: drawn again from the seed."""
    import torch

    from koubai.data import load
    from koubai.networks import build
    from koubai.networks.layers import Weighted

    data = load(record.trial.data)
    layer = build([record.trial], data.shape, data.outputs, torch.device("cpu")).layers[number]
    assert isinstance(layer, Weighted)
    return layer.weight.value[0].numpy()


def window(record: Record) -> tuple[int, int, int]:
    """Channels, height and width of the first convolution's filters."""
    from koubai.measures import planned

    first = next(place for place in planned(record) if place.part.name == "conv")
    return (first.before[0], *first.part.filter)


@figure(
    "feature-maps",
    Words("What the layers make of an image", "各層が画像から作る特徴マップ"),
    caption(
        "The first validation image on its way through the network: what each activation and pooling passes on, the first 16 channels "
        "each, scaled by the layer's largest value. Last, the probability of each class.",
        "最初の検証画像が層を進む様子。活性化関数とプーリングの各層の出力を、先頭の16チャンネルについて、層の最大値を1として示す。"
        "最後は各クラスの確率。",
    ),
    told_apart,
)
def feature_maps(groups: Sequence[Group]) -> Figure:
    """One validation image through the trained network, layer by layer."""
    record = best(groups)
    data, network, x = ready(record, 1)
    shown = [(say(Words("image", "画像")), bare(data.x_validation[0].reshape(data.shape)))]
    for name, kind, layer in zip(record.layers, record.kinds, list(network)[-len(record.layers) :], strict=True):
        x = layer(x)
        if kind in ("activation", "pooling") and x.ndim == 4 and len(shown) <= MOST_LAYERS:
            maps = x[0, :MOST_MAPS].numpy()
            shown.append((f"{name}: {len(x[0])}x{maps.shape[1]}x{maps.shape[2]}", mosaic(maps / (np.abs(maps).max() or 1))))
    made = panels([*(name for name, _ in shown), say(Words("probability", "確率"))], 4, 210)
    for k, (_, values) in enumerate(shown):
        heat(made, values, place(k, len(shown) + 1, 4), colorscale="gray" if k == 0 else SCALE)
    names = [escaped(name[:LETTERS]) for name in data.classes]
    chance = x[0].softmax(0).numpy()
    at = place(len(shown), len(shown) + 1, 4)
    hover = "%{x}: %{y:.1%}<extra></extra>"
    made.add_bar(x=names, y=rounded(chance), marker_color=COLORS[0], showlegend=False, hovertemplate=hover, **at)
    made.update_yaxes(range=[0, 1.02], tickformat=".0%", **at)
    return made.update_xaxes(type="category", title_text=say(Words("class", "クラス")), **at)


def ready(record: Record, most: int) -> tuple[Dataset, nn.Sequential, Tensor]:
    """A record's data, its network, and the first validation samples as the network takes them."""
    import torch

    from koubai.data import load
    from koubai.networks.unstack import module
    from koubai.places import entrance

    data = load(record.trial.data)
    x = torch.from_numpy(np.asarray(data.x_validation[:most])).to(getattr(torch, record.trial.kept))
    network = module(record.trial, record.weights()).requires_grad_(False)
    return data, network, x.view(-1, *entrance(record.trial.layers, data.shape))


@lru_cache(maxsize=1)  # confusion and mistakes ask the same network in turn
def answers(record: Record) -> tuple[Dataset, np.ndarray]:
    """The probabilities ``[sample, class]`` that a network gives to validation samples."""
    import torch

    data, network, x = ready(record, AT_THE_END["validation"])
    return data, torch.cat([network(part) for part in x.split(100)]).softmax(1).numpy()


@figure(
    "confusion",
    Words("Confusion matrix", "混同行列"),
    caption(
        "Over the validation samples: each row is a true class, each column the network's answer; the diagonal is right. "
        "The colour is the share of the row, the number the count of samples.",
        "検証サンプルについて、行が正解のクラス、列がネットワークの答え。対角線が正解。色は行の中の割合、数字はサンプル数。",
    ),
    told_apart,
)
def confusion(groups: Sequence[Group]) -> Figure:
    """The confusion matrix over validation samples."""
    data, chances = answers(best(groups))
    classes = len(data.classes)
    true = data.y_validation[: len(chances)]
    counts = np.bincount(true * classes + chances.argmax(1), minlength=classes**2).reshape(classes, classes)
    names = [escaped(name[:LETTERS]) for name in data.classes]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    few = classes <= 20
    made = blank(560)
    made.add_heatmap(
        z=[rounded(row) for row in share],
        x=names,
        y=names,
        text=counts.tolist(),
        texttemplate="%{text}" if few else "",
        colorscale=SCALE,
        zmin=0,
        zmax=1,
        xgap=1 if few else 0,
        ygap=1 if few else 0,
        colorbar={"tickformat": ".0%", "thickness": 14},
        hovertemplate="%{y} → %{x}: %{text} (%{z:.1%})<extra></extra>",
    )
    made.update_yaxes(autorange="reversed", type="category", scaleanchor="x", constrain="domain")
    made.update_xaxes(type="category", constrain="domain")
    return axes(made, Words("the network's answer", "ネットワークの答え"), Words("true class", "正解"))


@figure(
    "mistakes",
    Words("The images it gets wrong", "間違えた画像"),
    caption(
        "Validation images that it takes for another class, the most confident mistakes first: true class → the network's answer (and its "
        "probability).",
        "別のクラスと答えた検証画像を、確信度の高い順に示す。正解 → ネットワークの答え(とその確率)。",
    ),
    told_apart,
)
def mistakes(groups: Sequence[Group]) -> Figure:
    """Validation images that are taken for another class, the surest mistakes first."""
    data, chances = answers(best(groups))
    said, true = chances.argmax(1), data.y_validation[: len(chances)]
    sure = np.where(said == true, -1.0, chances.max(1))
    chosen = [k for k in np.argsort(-sure, kind="stable")[:MOST_IMAGES] if sure[k] > 0]
    if not chosen:
        words = Words("No validation image is taken for another class.", "間違えた検証画像はない。")
        made = blank(160).update_xaxes(visible=False).update_yaxes(visible=False)
        return made.add_annotation(x=0.5, y=0.5, text=say(words), showarrow=False)
    names = [name[:LETTERS] for name in data.classes]
    titles = [f"{names[true[k]]} → {names[said[k]]} ({chances[k].max():.0%})" for k in chosen]
    made = panels(titles, 4, 200)
    for k, sample in enumerate(chosen):
        at = place(k, len(chosen), 4)
        image = data.x_validation[sample].reshape(data.shape)
        if image.ndim == 3 and len(image) >= 3:
            low, high = float(image.min()), float(image.max())
            rgb = (image[:3].transpose(1, 2, 0) - low) / ((high - low) or 1) * 255
            made.add_image(z=rgb.round().astype(int).tolist(), hoverinfo="skip", **at)
            made.update_xaxes(visible=False, **at).update_yaxes(visible=False, **at)
        else:
            heat(made, bare(image), at, colorscale="gray")
    return made
