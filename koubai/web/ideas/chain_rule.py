"""The chain rule, worked on formulas of the visitor's own."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from koubai.chain import MOST, differentiate
from koubai.formulas import LONGEST
from koubai.language import UserError, Words, say
from koubai.store import Store
from koubai.web.controls import button, setting, text
from koubai.web.ideas.base import idea
from koubai.web.shell import aside, formula, problem, put

EXAMPLES = {
    Words("The review question", "確認テストの問題"): ("z = t^2", "t = x + y", "x"),
    Words("One sigmoid unit and its error", "シグモイドのユニット1つと誤差"): (
        "E = (y - 1)^2 / 2", "y = sigmoid(u)\nu = w*x + b", "w",
    ),
    Words("Two layers", "2層"): ("y = sigmoid(w2 * h)", "h = sigmoid(w1 * x)", "w1"),
    Words("Two paths to x", "xへの2つの経路"): ("z = a * b", "a = x^2\nb = sin(x)", "x"),
}  # fmt: skip


@idea(
    "chain-rule",
    Words("Section 1: vanishing gradients", "Section1 勾配消失問題"),
    Words("The chain rule", "連鎖律"),
    Words(
        "How a change travels through formulas inside formulas. Type your own; the result is checked by finite differences.",
        "入れ子になった式を、変化はどう伝わるか。自分の式でも試せる。結果は差分で検算する。",
    ),
)
async def fill(store: Store) -> None:
    """Fill the page."""
    state = SimpleNamespace(outer="", inner="", by="", asked=0)

    async def show() -> None:
        state.asked += 1
        mine, inner = state.asked, [line for line in state.inner.splitlines() if line.strip()]
        try:
            lines = [say(line) for line in (await aside(differentiate, state.outer, inner, state.by)).lines()]
        except UserError as error:
            lines = []
            if mine == state.asked:
                working.clear()
                with working:
                    problem(error)
        if lines and mine == state.asked:  # what was typed meanwhile is worked out by another call
            working.clear()
            with working:
                put("div", "\n".join(lines), "working")

    async def take(example: tuple[str, str, str]) -> None:
        for name, value in zip(fields, example, strict=True):
            setattr(state, name, value)
            fields[name](value)
        await show()

    sets = partial(setting, state, show)
    with put("div", classes="side"):
        with put("div", classes="controls"):
            formula(r"\frac{dz}{dx} = \frac{dz}{dt} \frac{dt}{dx}")
            fields = {
                "outer": text(Words("Outer formula", "外側の式"), "", sets("outer"), most=LONGEST),
                "inner": text(
                    Words("Inner formulas, one per line", "内側の式(1行に1つ)"), "", sets("inner"), 4,
                    LONGEST * MOST,
                ),
                "by": text(Words("With respect to", "微分する変数"), "", sets("by"), most=20),
            }  # fmt: skip
            with put("div", classes="row", role="group", aria_label=Words("Examples", "例")):
                for words, example in EXAMPLES.items():
                    button(words, partial(take, example), "small")
        working = put("div", aria_live="polite")
    await take(next(iter(EXAMPLES.values())))
