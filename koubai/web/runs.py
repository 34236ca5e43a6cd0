"""Runs: every study in the store, to be found again, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from koubai.language import Words, say
from koubai.measures import spelled
from koubai.naming import SHOWN
from koubai.store import STATES as EVERY
from koubai.store import Store
from koubai.web.controls import button, check, choice, enabled, setting, text
from koubai.web.shell import Put, put, tabular

Row = Mapping[str, Any]  # a study as ``Store.studies`` gives it

STATES = EVERY | {"running": Words("training", "学習中")}
ORDERS: dict[str, tuple[Words, Callable[[Row], Any]]] = {
    "newest": (Words("newest first", "新しい順"), lambda row: -row["created"]),
    "name": (Words("by name", "名前順"), lambda row: row["name"].lower()),
    "best": (Words("best accuracy first", "精度の高い順"), lambda row: -(row["best"] or 0)),
    "trials": (Words("most networks first", "試行の多い順"), lambda row: -row["trials"]),
}
ANY = "any"
MOST = 200  # studies in the table; the filter finds the others


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Runs", "記録"))
    studies = store.studies() if store.exists else []
    if not studies:
        with put("div", classes="empty"):
            put("p", Words("Nothing has been trained here yet.", "ここではまだ何も学習していません。"))
            with put("p"):
                put("span", Words("Try something on the page ", "まずはページ「"))
                put("a", Words("Start", "はじめに"), href="/")
                put("span", Words(", or in a terminal: ", "」から。またはターミナルで: "))
                put("code", "koubai run --quick")
        return
    put(
        "p",
        Words(
            f"Every study in {store.folder}. Choose two to compare them.",
            f"{store.folder} にあるすべての実験です。2つ選ぶと比べられます。",
        ),
        "lead",
    )
    _listed(studies)


def _listed(studies: list[dict[str, Any]]) -> None:
    """The table, with what filters and orders it."""
    state = SimpleNamespace(words="", state=ANY, order="newest")
    chosen: list[str] = []

    def show() -> None:
        found = [
            row
            for row in studies
            if state.words.lower() in row["name"].lower() + " " + row["id"] and state.state in (ANY, row["state"])
        ]
        found.sort(key=ORDERS[state.order][1])
        body.clear()
        with body:
            for row in found[:MOST]:
                _row(row, chosen, choose)
        left = len(found) - MOST
        note.text = "" if left <= 0 else say(Words(f"{left} more; narrow the search.", f"ほか {left} 件。絞り込んでください。"))
        note.set_visibility(left > 0)
        nothing.set_visibility(not found)

    def choose(id: str, on: bool) -> None:
        if on:
            chosen.append(id)
            if len(chosen) > 2:  # of three the first is let go
                del chosen[0]
                show()
        else:
            chosen.remove(id)
        enabled(compare, len(chosen) == 2)

    sets = partial(setting, state, show)
    with put("div", classes="filters"):
        text(Words("Find", "検索"), "", sets("words"), monospaced=False)
        choice(Words("State", "状態"), {ANY: Words("any", "すべて"), **STATES}, ANY, sets("state"))
        orders = {name: words for name, (words, _) in ORDERS.items()}
        choice(Words("Order", "並べ替え"), orders, "newest", sets("order"))
        compare = button(
            Words("Compare two", "2つを比べる"),
            lambda: ui.navigate.to("/runs/compare?" + urlencode(dict(zip("ab", chosen, strict=True)))),
        )
        enabled(compare, False)
    with tabular(HEADS, "runs", 3) as body:
        pass  # ``show`` fills it
    nothing = put("p", Words("No study matches.", "該当する実験はありません。"), "soft")
    note = put("p", "", "soft")
    show()


HEADS = (
    "",
    Words("study", "実験"),
    Words("state", "状態"),
    Words("networks", "試行"),
    Words("diverged", "発散"),
    Words("best accuracy or R²", "最高精度またはR²"),
    Words("when", "日時"),
)


def _row(row: Row, chosen: list[str], choose: Callable[[str, bool], None]) -> None:
    with put("tr"):
        with put("td", classes="pick"):
            name = Words(f"Compare {row['name']}", f"{row['name']} を比べる")
            check(name, row["id"] in chosen, lambda on: choose(row["id"], on))
        with put("td"):
            put("a", row["name"], href=f"/runs/{row['id']}")
            put("div", row["id"][:SHOWN], "small soft")
        with put("td"):
            badge(row["state"])
        put("td", f"{row['stored']:,} / {row['trials']:,}", "number")
        put("td", f"{row['diverged']:,}" if row["diverged"] else "", "number")
        put("td", best(row), "number")
        put("td", when(row["created"]), "number")


def badge(state: str) -> Put:
    """Whether a study is finished."""
    return put("span", STATES[state], f"badge {state}")


def best(row: Row) -> str:
    """The best accuracy in percent, or the best R²."""
    return "" if row["best"] is None else spelled(row["best"], row["quantity"])


def when(seconds: float) -> str:
    """A time as the tables of the command line show it."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
