"""Activations and their slopes: why a chain of sigmoids loses the gradient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch

from koubai.language import Words, say
from koubai.report import style
from koubai.report.pictures import values
from koubai.store import Store
from koubai.techniques import ACTIVATIONS
from koubai.web.controls import choice, setting, slider
from koubai.web.ideas.base import About, Facts, idea
from koubai.web.shell import figure, put, restyle, update

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

REACH = 6.0


@idea(
    "activations",
    Words("Section 1: vanishing gradients", "Section1 勾配消失問題"),
    Words("Activations and their slopes", "活性化関数とその傾き"),
    Words(
        "The sigmoid's slope is at most 0.25. Multiply it over the layers, and little of the gradient is left.",
        "シグモイドの傾きは最大0.25。層の数だけ掛けると、勾配はほとんど残らない。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(name="sigmoid", x=0.0, layers=5)

    def point() -> torch.Tensor:
        return torch.tensor([state.x], dtype=torch.float64)

    def count() -> None:
        (y,), (slope,) = (part.tolist() for part in values(ACTIVATIONS[state.name], point()))
        facts.show(
            {
                "f(x)": f"{y:.4f}",
                "f′(x)": f"{slope:.4f}",
                Words(
                    f"share of the gradient left after {state.layers} layers, f′(x)^{state.layers}",
                    f"{state.layers}層を通った後に残る勾配の割合 f′(x)^{state.layers}",
                ): f"{slope**state.layers:.3g}",
            }
        )

    def chosen(name: str) -> None:
        state.name = name
        about.show(ACTIVATIONS[name])
        update(drawn, picture(state.name, state.x))
        count()

    def moved() -> None:
        count()
        heights = [[y[0]] for y in values(ACTIVATIONS[state.name], point())]
        restyle(drawn, {"x": [[state.x]] * 2, "y": heights}, [1, 3])  # the two points alone: the curves stay

    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Activation", "活性化関数"), list(ACTIVATIONS), state.name, chosen)
            slider("x", -REACH, REACH, 0.05, state.x, setting(state, moved, "x"), lambda value: f"{value:.2f}")
            slider(Words("Layers", "層の数"), 1, 20, 1, state.layers, setting(state, count, "layers", int))
            about = About()
        with put("div"):
            drawn = figure(None, Words("The activation and its slope over x", "活性化関数とその傾き"))
            facts = Facts()
    chosen(state.name)


def picture(name: str, at: float) -> Figure:
    """The function, its derivative, and both at a point."""
    x = torch.linspace(-REACH, REACH, 241, dtype=torch.float64)
    point = torch.tensor([at], dtype=torch.float64)
    made = style.blank(380)
    names = ("f", say(Words("f′, its slope", "f′(傾き)")))
    for k, (line, dot) in enumerate(zip(values(ACTIVATIONS[name], x), values(ACTIVATIONS[name], point), strict=True)):
        look = {"color": style.color(k)}
        made.add_scatter(
            x=style.rounded(x), y=style.rounded(line), name=names[k], line={"width": 2, "dash": style.DASHES[k], **look}
        )
        made.add_scatter(
            x=[at], y=style.rounded(dot), mode="markers", showlegend=False, hoverinfo="skip", marker={"size": 12, **look}
        )
    return style.axes(made, Words("x", "x"), Words("f, f′", "f, f′"))
