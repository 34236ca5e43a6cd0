"""Optimizers racing over a surface, from a point that the visitor sets."""

from __future__ import annotations

import math
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nicegui import ui
from nicegui.events import GenericEventArguments

from koubai.choices import choose
from koubai.experiments.catalogue import EXERCISES, Race
from koubai.landscapes import LANDSCAPES, Path, lowest_value, race
from koubai.language import Words, say
from koubai.report import style
from koubai.report.figures.surfaces import FLOOR, contour, contours
from koubai.report.pictures import RATES
from koubai.store import Store
from koubai.techniques import OPTIMIZERS
from koubai.web.controls import button, check, choice, number, slider
from koubai.web.ideas.base import About, idea
from koubai.web.shell import figure, formula, put, restyle, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FIRST = ("sgd", "momentum", "adagrad", "adam")
STEPS = 60
TICK = 0.1  # seconds between two steps of a race
GRID = 101  # points a side of the contours
HELD = 0.08  # seconds between two places of a point that is dragged
DRAG = """(e) => {
  const plot = e.currentTarget.querySelector(".js-plotly-plot"), layout = plot && plot._fullLayout;
  if (!layout || (e.type === "pointermove" && !e.currentTarget.hasPointerCapture(e.pointerId))) return;
  const { left, top } = plot.getBoundingClientRect(), axes = [layout.xaxis, layout.yaxis];
  const at = [e.clientX - left, e.clientY - top].map((pixel, k) => pixel - axes[k]._offset);
  if (e.type === "pointerdown") {
    if (e.button || at.some((pixel, k) => pixel < 0 || pixel > axes[k]._length)) return;
    e.currentTarget.setPointerCapture(e.pointerId);
  }
  emit(at.map((pixel, k) => axes[k].p2d(pixel)));
}"""  # where the pointer is on the map, while it is held
HOLD = """(e) => { if (e.target.closest(".nsewdrag")) e.preventDefault(); }"""  # a finger on the map drags, and scrolls no page


@idea(
    "optimizers",
    Words("Section 2: optimizers", "Section2 学習率最適化手法"),
    Words("Optimizers race", "最適化手法の競走"),
    Words(
        "Over a valley, a double well or a saddle. Click the map to start from there, or drag the point.",
        "細長い谷、2つの井戸、鞍点の上で競走。等高線図をクリックするか、出発点をドラッグすると、そこから始まる。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(surface="valley", names=list(FIRST), rates=rates("valley"), shown=STEPS, start=(0.0, 0.0), race=None)
    paths: list[Path] = []

    def run() -> None:
        runs = {name: (choose("optimizer", name), state.rates[name]) for name in state.names}
        paths[:] = race(state.surface, runs, STEPS, torch.tensor([state.start], dtype=torch.float64))

    def show() -> None:
        run()
        update(map_, picture(state.surface, paths, state.start, state.shown))
        update(heights, descent(state.surface, paths, state.shown))

    def moved_to(x: float, y: float) -> None:
        left, right, bottom, top = LANDSCAPES[state.surface].bounds
        state.start = (min(max(x, left), right), min(max(y, bottom), top))
        for set_to, value in zip(point, state.start, strict=True):
            set_to(value)

    def on(name: str) -> None:
        state.surface = name
        state.rates = rates(name)
        for one, set_to in fields.items():
            set_to(state.rates[one])
        equation.clear()
        with equation:
            formula(LANDSCAPES[name].formula)
        moved_to(*LANDSCAPES[name].starts(1)[0].tolist())
        show()

    def start(axis: int, value: float) -> None:
        moved_to(*(value if k == axis else before for k, before in enumerate(state.start)))
        show()

    def ticked(name: str, value: bool) -> None:
        state.names = [one for one in OPTIMIZERS if (value if one == name else one in state.names)]
        about.show(OPTIMIZERS[name])
        show()

    def rated(name: str, value: float) -> None:
        state.rates[name] = value
        show()

    def held(event: GenericEventArguments) -> None:
        x, y = map(float, event.args)
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        moved_to(x, y)
        run()
        upto(state.shown)
        restyle(map_, {"x": [[state.start[0]]], "y": [[state.start[1]]]}, [len(paths) + 1])

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
            state.race.cancel()

    def go() -> None:
        if state.race:
            state.race.cancel()
        state.shown, state.race = 0, ui.timer(TICK, tick)

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
                            Words(f"learning rate of {name}", f"{name} の学習率"), 1e-4, 100, state.rates[name],
                            partial(rated, name),
                        )  # fmt: skip
            about = About()
        with put("div"):
            with put("div", classes="map") as around:
                map_ = figure(None, Words("The paths over the surface", "曲面の上の道筋"))
            heights = figure(None, Words("Height above the lowest point by step", "ステップごとの、最低点からの高さ"))
    around.on("touchstart", js_handler=HOLD)
    around.on("pointerdown", held, js_handler=DRAG)
    around.on("pointermove", held, throttle=HELD, js_handler=DRAG)
    on(state.surface)
    about.show(OPTIMIZERS["momentum"])


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
    surface = LANDSCAPES[name]
    left, right, bottom, top = surface.bounds
    x, y, heights = contour(surface, GRID)
    made = style.blank(440, margin={"t": 44})
    contours(made, x, y, heights, ("#5d6b78", "#a9b4be"), ncontours=16, line={"width": 1}, hoverinfo="none")
    for path, way in zip(paths, drawn(paths, name, shown)[0], strict=True):
        k = list(OPTIMIZERS).index(path.optimizer)
        marker = {"size": sized(len(way["x"])), "symbol": style.SYMBOLS[k % len(style.SYMBOLS)], "line": {"width": 0}}
        line = {"color": style.color(k), "width": 2, "dash": style.dash(k)}
        made.add_scatter(**way, mode="lines+markers", name=path.optimizer, line=line, marker=marker, hoverinfo="skip")
    for point, words, symbol in (
        (start, Words("start", "出発点"), "circle-open"),
        (surface.lowest, Words("lowest point", "最低点"), "x"),
    ):
        look = {"size": 13, "symbol": symbol, "color": style.INK, "line": {"width": 2}}
        made.add_scatter(x=[point[0]], y=[point[1]], mode="markers", name=say(words), marker=look, hoverinfo="skip")
    made.update_xaxes(range=[left, right], fixedrange=True).update_yaxes(range=[bottom, top], fixedrange=True)
    made.update_layout(dragmode=False, hovermode=False)  # what is dragged is the point
    return style.axes(made, Words("x", "x"), Words("y", "y"))


def descent(name: str, paths: list[Path], shown: int) -> Figure:
    """How far above the lowest point each is, by step."""
    made = style.blank(260)
    for path, fall in zip(paths, drawn(paths, name, shown)[1], strict=True):
        k = list(OPTIMIZERS).index(path.optimizer)
        look: dict[str, Any] = {"color": style.color(k), "width": 2, "dash": style.dash(k)}
        made.add_scatter(**fall, name=path.optimizer, line=look, showlegend=False)
    made.update_xaxes(range=[0, STEPS])
    return style.axes(made, Words("step", "ステップ"), Words("f - min f", "f - min f"), logy=True)
