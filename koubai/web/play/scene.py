"""What the stage is told once, before anything moves: the variants with their colours, layers and samples, its words and its axes."""

from __future__ import annotations

from functools import cache
from typing import Any

from nicegui import ui

from koubai.blueprint import WEIGHTS
from koubai.data import load
from koubai.language import Language, Words, language, say, speaking
from koubai.places import Place, places
from koubai.report.figures.curves import STEP
from koubai.report.style import COLORS, SYMBOLS, axes, blank, color, dash, escaped, faint, share
from koubai.techniques import ACTIVATIONS
from koubai.web.play.board import Board
from koubai.web.play.look import points
from koubai.web.shell import dressed

CLASSES = [COLORS[k] for k in (5, 4, 2, 3, 6, 7, 0, 1)]  # not those that the first variants have

WORDS = {
    "step": Words("step", "ステップ"),
    "accuracy": Words("validation accuracy", "検証精度"),
    "quantity": Words("validation R²", "検証R²"),
    "loss": Words("training loss", "訓練損失"),
    "flow": Words("Gradient by layer", "層ごとの勾配"),
    "first": Words("first layer", "最初の層"),
    "last": Words("output", "出力"),
    "arrives": Words("{share} the gradient reaches the first layer", "最初の層に届く勾配は出力の {share}"),
    "times": Words("{n} times", "{n}倍"),
    "part": Words("1/{n} of", "1/{n}"),
    "nothing": Words("No gradient reaches the first layer.", "最初の層に勾配が届かない。"),
    "lost": Words("Diverged: {n} of {of} seeds.", "発散: シード {of} 個中 {n} 個。"),
    "boundary": Words("decision boundary and samples", "決定境界とサンプル"),
    "filled": Words("filled: training", "塗り: 訓練"),
    "rings": Words("rings: validation", "輪: 検証"),
    "firstWeights": Words("Weights of the first layer", "最初の層の重み"),
    "filters": Words("Filters of the first layer", "最初の層のフィルタ"),
    "inside": Words("Inside the networks", "ネットワークの中"),
    "insideAbout": Words(
        "For the first seed, layer by layer from the input: the weights (blue above 0, red below), and what comes out of the activation "
        "function on a minibatch.",
        "最初のシードについて、入力側から層ごとに示す。上は重み(青は正、赤は負)、下は活性化関数の出力の分布(1ミニバッチ分)。",
    ),
    "mapsAbout": Words(
        " Below them, feature maps: the first image of that minibatch, after each layer.",
        "その下は特徴マップ。同じミニバッチの最初の画像が、各層を通った後の姿。",
    ),
    "weights": Words("weights", "重み"),
    "activations": Words("activations", "活性の分布"),
    "maps": Words("feature map", "特徴マップ"),
    "remove": Words("Remove this variant", "この設定を外す"),
    "prescribe": Words("Prescribe", "処方する"),
}


class Stage(ui.element, component="stage.js"):
    """Draws what trains. Its ``frame`` method takes what ``Look`` gives; ``drawn``, ``key``, ``remove`` and ``prescribe`` come back."""

    def __init__(self) -> None:
        super().__init__()
        self.props["words"] = {name: say(words) for name, words in WORDS.items()}
        self.props["charts"] = charts(language())
        self.props["scene"] = {
            "run": 0,
            "seeds": 1,
            "quantity": False,
            "classes": CLASSES,
            "names": [],
            "clouds": [],
            "variants": [],
        }


@cache
def charts(spoken: Language) -> dict[str, Any]:
    """The empty charts in a language: titles, and plotly's layout and configuration, as the report's figures have them."""
    with speaking(spoken):
        return _charts()


def _charts() -> dict[str, Any]:
    loss = Words("training loss", "訓練損失")
    flow = Words("norm, output = 1", "ノルム(出力=1)")
    kinds = {
        "loss": (Words("Training loss", "訓練損失"), axes(blank(270), STEP, loss, logy=True)),
        "accuracy": (Words("Validation accuracy", "検証精度"), share(axes(blank(270), STEP, WORDS["accuracy"]))),
        # in the place of accuracy
        "quantity": (Words("Validation R²", "検証R²"), share(axes(blank(270), STEP, WORDS["quantity"]), quantities=True)),
        "flow": (Words("Where the gradient goes", "勾配はどこへ行くか"), axes(blank(270), Words("", ""), flow, logy=True)),
    }
    made = {}
    for name, (title, figure) in kinds.items():
        figure.update_layout(margin={"l": 56, "r": 20, "t": 10, "b": 44}, hovermode="closest")
        figure.update_yaxes(nticks={"loss": 3, "flow": 4}.get(name, 6))  # of logarithms more would crowd where they span a decade
        figure.update_xaxes(tickangle=0)
        if name == "flow":
            figure.update_xaxes(tickangle=-45, tickfont={"size": 11}).update_layout(margin={"b": 64})
        # else each label is measured at every look
        figure.update_xaxes(ticklabeloverflow="allow").update_yaxes(ticklabeloverflow="allow")
        shown = dressed(figure)
        made[name] = {"title": say(title), "layout": shown["layout"], "config": shown["config"]}
    return made


def scene(board: Board, run: int) -> dict[str, Any]:
    """What does not change while a board trains. ``run`` tells its looks from those of the boards before."""
    clouds: dict[Any, list[list[float]]] = {}
    variants = []
    for k, (label, trial) in enumerate(zip(board.labels, board.variants, strict=True)):
        data = load(trial.data)
        laid = places(trial, data.shape, data.outputs)
        clouds.setdefault(trial.data, points(data))
        variants.append(
            {
                "label": label, "escaped": escaped(label), "color": color(k), "faint": faint(color(k), 0.18), "dash": dash(k),
                "symbol": SYMBOLS[k % len(SYMBOLS)], "steps": trial.steps, "cloud": list(clouds).index(trial.data),
                "kinds": [kind(place) for place in laid], "names": [place.label for place in laid], "blocks": blocks(laid),
            }
        )  # fmt: skip
    return {
        "run": run, "seeds": board.seeds, "quantity": data.target is not None,
        "classes": CLASSES, "names": list(data.classes[: len(CLASSES)]),
        "clouds": list(clouds.values()), "variants": variants,
    }  # fmt: skip


def kind(place: Place) -> str:
    """What a layer does to the gradient, in the ledger's words."""
    name = place.part.name
    if name in WEIGHTS:
        return "weights"
    if name in ACTIVATIONS:
        return "activation"
    return {"batchnorm": "normalization", "lrn": "normalization", "maxpool": "pooling", "avgpool": "pooling"}.get(name, name)


def blocks(laid: list[Place]) -> list[dict[str, Any]]:
    """The layers with weights, each with the number of the activation behind it, if there is one."""
    made: list[dict[str, Any]] = []
    activations = 0
    for place in laid:
        if kind(place) == "weights":
            made.append({"name": place.label, "activation": None})
        elif kind(place) == "activation":
            if made and made[-1]["activation"] is None:
                made[-1]["activation"] = activations
            activations += 1
    return made
