"""Optimizers racing over a surface, from a point that the visitor sets."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nicegui import ui
from nicegui.events import GenericEventArguments

from koubai.experiments.catalogue import EXERCISES, Race
from koubai.landscapes import LANDSCAPES, Path, lowest_value, race
from koubai.language import Words, say
from koubai.report import style
from koubai.report.figures.surfaces import FLOOR, contour
from koubai.report.pictures import RATES
from koubai.spec import choose
from koubai.store import Store
from koubai.techniques import OPTIMIZERS
from koubai.web.controls import button, check, choice, number, slider
from koubai.web.ideas.base import idea, technique
from koubai.web.shell import figure, formula, put, restyle, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FIRST = ("sgd", "momentum", "adagrad", "adam")
STEPS = 60
TICK = 0.1  # seconds between two steps of a race
GRID = 101  # points a side at which a click is heard


@idea(
    "optimizers",
    Words("Section 2: optimizers", "Section2 学習率最適化手法"),
    Words("Optimizers race", "最適化手法の競走"),
    Words(
        "Over a valley, a double well or a saddle. Click the map to start from there.",
        "細長い谷、2つの井戸、鞍点の上で競走。地図をクリックすると、そこから始まる。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(surface="valley", names=list(FIRST), rates=rates("valley"), shown=STEPS, start=(0.0, 0.0))
    paths: list[Path] = []

    def run() -> None:
        runs = {name: (choose("optimizer", name), state.rates[name]) for name in state.names}
        paths[:] = race(state.surface, runs, STEPS, torch.tensor([state.start], dtype=torch.float64))
        show()

    def show() -> None:
        update(map_, picture(state.surface, paths, state.start, state.shown))
        update(heights, descent(state.surface, paths, state.shown))

    def moved_to(x: float, y: float) -> None:
        left, right, bottom, top = LANDSCAPES[state.surface].bounds
        state.start = (min(max(x, left), right), min(max(y, bottom), top))
        for set_to, value in zip(point, state.start, strict=True):
            set_to(value)
        run()

    def on(name: str) -> None:
        state.surface = name
        state.rates = rates(name)
        for one, set_to in fields.items():
            set_to(state.rates[one])
        equation.clear()
        with equation:
            formula(LANDSCAPES[name].formula)
        moved_to(*LANDSCAPES[name].starts(1)[0].tolist())

    def start(axis: int, value: float) -> None:
        moved_to(*(value if k == axis else before for k, before in enumerate(state.start)))

    def ticked(name: str, value: bool) -> None:
        state.names = [one for one in OPTIMIZERS if (one == name and value) or (one != name and one in state.names)]
        about.clear()
        with about:
            technique(OPTIMIZERS[name])
        run()

    def rated(name: str, value: float) -> None:
        state.rates[name] = value
        run()

    def clicked(event: GenericEventArguments) -> None:
        moved_to(float(event.args[0]), float(event.args[1]))

    def upto(step: float) -> None:
        state.shown = int(step)
        ways, falls = drawn(paths, state.surface, state.shown)
        traces = list(range(1, len(paths) + 1))  # the first is the contours
        sizes = {"marker.size": [sized(len(way["x"])) for way in ways]}
        restyle(map_, {name: [way[name] for way in ways] for name in ("x", "y")} | sizes, traces)
        restyle(heights, {name: [fall[name] for fall in falls] for name in ("x", "y")}, [k - 1 for k in traces])

    def tick() -> None:
        state.shown += 1
        step(state.shown)
        upto(state.shown)
        if state.shown >= STEPS:
            timer.deactivate()

    def go() -> None:
        state.shown = 0
        timer.activate()

    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Surface", "曲面"), {name: one.title for name, one in LANDSCAPES.items()}, state.surface, on)
            equation = put("div")
            with put("div", classes="pair"):
                point = [number(f"{axis}0", -10, 10, 0, partial(start, k)) for k, axis in enumerate("xy")]
            step = slider(Words("Step", "ステップ"), 0, STEPS, 1, STEPS, upto)
            button(Words("Race", "競走"), go, "main")
            with put("fieldset"):
                put("legend", Words("Optimizers and their learning rates", "最適化手法と学習率"))
                fields = {}
                for name in OPTIMIZERS:
                    with put("div", classes="rate"):
                        check(name, name in state.names, partial(ticked, name))
                        fields[name] = number(
                            Words(f"rate of {name}", f"{name} の学習率"), 1e-4, 100, state.rates[name],
                            partial(rated, name),
                        )  # fmt: skip
            about = put("div")
        with put("div"):
            map_ = figure(None, Words("The ways over the surface", "曲面の上の道筋"))
            heights = figure(None, Words("Height over the lowest point by step", "ステップごとの高さ"))
    map_.on("plotly_click", clicked, js_handler="(e) => emit([e.points[0].x, e.points[0].y])")
    timer = ui.timer(TICK, tick, active=False)
    on(state.surface)
    with about:
        technique(OPTIMIZERS["momentum"])


def rates(surface: str) -> dict[str, float]:
    """The learning rates that the exercise on a surface takes, for those that it leaves out the usual ones."""
    race = EXERCISES[surface].runs
    assert isinstance(race, Race)
    return {name: RATES.get(name, 0.1) for name in OPTIMIZERS} | {name: rate for name, (_, rate) in race.runs.items()}


def drawn(paths: list[Path], name: str, shown: int) -> tuple[list[dict[str, list[Any]]], list[dict[str, list[Any]]]]:
    """The ways up to a step, and their heights over the lowest point, as plotly's ``x`` and ``y``."""
    ways: list[dict[str, list[Any]]] = []
    falls: list[dict[str, list[Any]]] = []
    for path in paths:
        way = path.points[: shown + 1]
        above = np.maximum(path.values[: shown + 1] - lowest_value(name), FLOOR)
        ways.append({"x": style.rounded(way[:, 0]), "y": style.rounded(way[:, 1])})
        falls.append({"x": list(range(len(above))), "y": style.rounded(above)})
    return ways, falls


def sized(points: int) -> list[int]:
    """The sizes of a way's dots: where it has come to is the largest."""
    return [4] * (points - 1) + [11]


def picture(name: str, paths: list[Path], start: tuple[float, float], shown: int) -> Figure:
    """The surface's contours and every way up to a step."""
    import plotly.graph_objects as go

    surface = LANDSCAPES[name]
    left, right, bottom, top = surface.bounds
    x, y, heights = contour(surface, GRID)
    made = style.blank(440, margin={"t": 44})
    made.add_contour(
        x=style.rounded(x), y=style.rounded(y), z=[style.rounded(row) for row in heights], showscale=False, hoverinfo="none",
        ncontours=16, contours={"coloring": "lines"}, colorscale=[[0, "#5d6b78"], [1, "#a9b4be"]], line={"width": 1},
    )  # fmt: skip
    for path, way in zip(paths, drawn(paths, name, shown)[0], strict=True):
        k = list(OPTIMIZERS).index(path.optimizer)
        marker = {"size": sized(len(way["x"])), "symbol": style.SYMBOLS[k % len(style.SYMBOLS)]}
        line = {"color": style.color(k), "width": 2, "dash": style.dash(k)}
        made.add_trace(go.Scatter(**way, mode="lines+markers", name=path.optimizer, line=line, marker=marker, hoverinfo="skip"))
    for point, words, symbol in (
        (start, Words("start", "出発点"), "circle-open"),
        (surface.lowest, Words("lowest", "最低点"), "x"),
    ):
        look = {"size": 13, "symbol": symbol, "color": style.INK, "line": {"width": 2}}
        made.add_trace(go.Scatter(x=[point[0]], y=[point[1]], mode="markers", name=say(words), marker=look, hoverinfo="skip"))
    made.update_xaxes(range=[left, right]).update_yaxes(range=[bottom, top])
    return style.axes(made, Words("x", "x"), Words("y", "y"))


def descent(name: str, paths: list[Path], shown: int) -> Figure:
    """How far above the lowest point each is, by step."""
    import plotly.graph_objects as go

    made = style.blank(260)
    for path, fall in zip(paths, drawn(paths, name, shown)[1], strict=True):
        k = list(OPTIMIZERS).index(path.optimizer)
        look: dict[str, Any] = {"color": style.color(k), "width": 2, "dash": style.dash(k)}
        made.add_trace(go.Scatter(**fall, name=path.optimizer, line=look, showlegend=False))
    made.update_xaxes(range=[0, STEPS])
    return style.axes(made, Words("step", "ステップ"), Words("f - min f", "f - min f"), logy=True)
