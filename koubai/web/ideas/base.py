"""What an idea is, and the register of all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from koubai.language import Words, say
from koubai.report import pictures
from koubai.store import Store
from koubai.techniques import Technique
from koubai.web.shell import Put, formula, put

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Idea:
    """An idea of the notes to be moved by hand: its section, its words, and what fills its page."""

    name: str
    section: Words
    title: Words
    about: Words
    fill: Callable[[Store], Awaitable[None] | None]


IDEAS: dict[str, Idea] = {}


def idea(name: str, section: Words, title: Words, about: Words) -> Callable[[Callable[[Store], Any]], Callable[[Store], Any]]:
    """Register the function below as what fills the page of an idea."""

    def register(fill: Callable[[Store], Any]) -> Callable[[Store], Any]:
        IDEAS[name] = Idea(name, section, title, about, fill)
        return fill

    return register


class Facts:
    """Numbers under a figure, each with its name: ``facts.show({"f(x)": "0.5"})`` changes them in place."""

    def __init__(self) -> None:
        self._list = put("dl", classes="facts", aria_live="polite")
        self._values: dict[str, Put] = {}

    def show(self, facts: dict[Words | str, str]) -> None:
        """Show these and no others."""
        named = {say(name) if isinstance(name, Words) else name: value for name, value in facts.items()}
        if named.keys() != self._values.keys():
            self._list.clear()
            with self._list:
                self._values = {}
                for name in named:
                    with put("div"):
                        put("dt", name)
                        self._values[name] = put("dd", "")
        for name, value in named.items():
            self._values[name].text = value


class About:
    """A place for what is to be known about a technique: ``about.show(one)``."""

    def __init__(self) -> None:
        self._place = put("div")

    def show(self, one: Technique) -> None:
        """Show this technique and no other."""
        self._place.clear()
        with self._place:
            technique(one)


def technique(one: Technique) -> None:
    """A technique's formula, what it is, and where it comes from."""
    formula(one.formula)
    put("p", one.about, "small")
    if one.source:
        put("p", say(Words("Source: ", "出典: ")) + one.source, "small soft")


def picture(drawn: pictures.Picture) -> Figure:
    """A technique's picture as the page has it: its title stands above, and a legend only where it tells lines apart."""
    return pictures.figure(drawn).update_layout(title=None, legend=None, margin=None, height=380, showlegend=len(drawn.lines) > 1)
