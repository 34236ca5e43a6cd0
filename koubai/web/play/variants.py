"""Beside the variants that train: a card that adds one more, a change to the base."""

from __future__ import annotations

from typing import Any

from koubai.choices import KIND_WORDS
from koubai.language import Words
from koubai.spec import Trial
from koubai.techniques import KINDS
from koubai.web.controls import button, choice, line
from koubai.web.play.bench import Bench
from koubai.web.play.board import MOST_VARIANTS, value
from koubai.web.play.builder import NORMS, follow
from koubai.web.shell import put

TECHNIQUES = ("activation", "initializer", "optimizer", "schedule", "penalty")
WRITTEN = {
    "learning_rate": Words("learning rate", "学習率"),
    "batch_norm": Words("batch normalization", "バッチ正規化"),
    "dropout": Words("dropout", "ドロップアウト"),
    "clip_grad_norm": Words("gradient clipping", "勾配クリッピング"),
    "batch_size": Words("batch size", "バッチサイズ"),
    "layers": Words("layers", "層"),
}
# what is offered at first
NUMBERS = {"learning_rate": "1", "dropout": "0.2", "clip_grad_norm": "1", "batch_size": "10", "layers": "40,20"}


def adding(bench: Bench) -> None:
    """Put the card."""
    field, chosen = "activation", ""

    with put("section", classes="specimen adding", aria_labelledby="adding"):
        put("h2", Words("Compare with…", "比べる相手を追加"), id="adding")
        put("p", Words("one thing changed, all else equal", "1つだけ変え、ほかは同じにする"), "small soft")
        options: dict[str, Words | str] = {**{name: KIND_WORDS[name] for name in TECHNIQUES}, **WRITTEN}
        choice(Words("what is changed", "変えるもの"), options, field, lambda name: other(name))
        place = put("div", classes="controls")
        add = button(Words("Add variant", "追加する"), lambda: press())
        full = put(
            "p",
            Words(f"There is room for {MOST_VARIANTS} variants.", f"並べられるのは {MOST_VARIANTS} 通りまでです。"),
            "small soft",
        )

    def other(name: str) -> None:
        nonlocal field
        field = name
        show()

    def choose(name: str) -> None:
        nonlocal chosen
        chosen = name

    def show() -> None:
        nonlocal chosen
        place.clear()
        with place:
            taken = {str(_name(trial, field)) for trial in bench.board.variants}
            label = Words("to", "変更後")
            if field in NUMBERS:
                chosen = NUMBERS[field]
                line(label, chosen, choose)
            else:
                names: dict[str, Words | str] = dict(NORMS) if field == "batch_norm" else {name: name for name in KINDS[field]}
                chosen = next((name for name in FIRST.get(field, ()) if name not in taken), None) or next(
                    (name for name in names if name not in taken), next(iter(names))
                )
                choice(label, names, chosen, choose)
        room = len(bench.board.variants) < MOST_VARIANTS
        add.set_visibility(room)
        full.set_visibility(not room)

    async def press() -> None:
        await bench.change(lambda board: board.added({field: value(field, chosen)}))

    show()
    follow(bench, lambda _: bench.board, lambda _: show())


FIRST = {  # what is most worth a comparison
    "activation": ("relu", "tanh", "sigmoid", "gelu"),
    "initializer": ("he", "xavier", "normal", "zeros"),
    "optimizer": ("momentum", "adam", "rmsprop", "adagrad"),
    "schedule": ("cosine", "step"),
    "penalty": ("l2", "l1"),
}


def _name(trial: Trial, field: str) -> Any:
    one = getattr(trial, field)
    return getattr(one, "name", one)
