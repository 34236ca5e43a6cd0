"""Ideas: the notes' techniques, each to be moved by hand; and their review questions. Each is a file here that registers itself."""

from __future__ import annotations

from collections.abc import Awaitable

from koubai.language import Words
from koubai.store import Store
from koubai.web.ideas import (  # noqa: F401 (they register themselves)
    activations,
    chain_rule,
    convolution,
    dropout,
    initial_weights,
    normalization,
    optimizers,
    penalties,
    pooling,
    questions,
    schedules,
)
from koubai.web.ideas.base import IDEAS, Idea
from koubai.web.shell import Content, put

__all__ = ["IDEAS", "Idea", "content", "one"]


def content(store: Store) -> None:
    """Fill the page that leads to them."""
    put("h1", Words("Ideas", "しくみ"))
    put(
        "p",
        Words(
            "The techniques of the notes, each to be tried by hand. Every number is computed by the same code that trains.",
            "ノートの手法を、一つずつ手で動かして確かめます。数値はすべて、学習に使うコードそのものが計算します。",
        ),
        "lead",
    )
    before = None
    for one in sorted(IDEAS.values(), key=lambda one: one.section.en):
        if one.section != before:
            put("h2", one.section, "section")
            cards = put("div", classes="cards")
            before = one.section
        with cards, put("a", classes="card", href=f"/ideas/{one.name}"):
            put("h3", one.title)
            put("p", one.about)


def one(idea: Idea) -> Content:
    """What fills the page of an idea: its words, and what it puts below them."""

    def fill(store: Store) -> Awaitable[None] | None:
        with put("p", classes="small back"):
            put("a", Words("← All ideas", "← しくみの一覧"), href="/ideas")
        put("h1", idea.title)
        put("p", idea.about, "lead")
        return idea.fill(store)

    return fill
