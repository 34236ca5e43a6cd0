"""The review questions as a quiz: choices to pick, and answers that are computed while one waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nicegui.events import GenericEventArguments

from koubai.language import UserError, Words, say
from koubai.quiz import QUESTIONS, Question, mark
from koubai.store import Store
from koubai.web.controls import button, enabled
from koubai.web.ideas.base import idea
from koubai.web.shell import elsewhere, figure, problem, put

ANSWERING = ThreadPoolExecutor(1, "answers")  # some answers train networks: one after another


@idea(
    "questions",
    Words("The review questions", "確認テスト"),
    Words("Ten questions, answered by computation", "全10問。解答は計算で"),
    Words(
        "The review questions of the notes. Pick an answer or work it out, then see the answer with its working.",
        "ノートの確認テスト。答えを選ぶか考えてから、計算の過程つきの解答を見る。",
    ),
)
def fill(store: Store) -> None:
    """Fill the page."""
    right: dict[int, bool] = {}
    choices = sum(bool(one.choices) for one in QUESTIONS)

    def judged(number: int, correct: bool) -> None:
        right[number] = correct
        count = sum(right.values())
        score.text = say(mark(count, choices))

    with put("ol", classes="questions"):
        for number, one in enumerate(QUESTIONS, 1):
            with put("li"):
                _ask(number, one, store, judged)
    score = put("p", "", "score", role="status")


def _ask(number: int, one: Question, store: Store, judged: Callable[[int, bool], None]) -> None:
    """A question, its choices, and the place of its answer."""
    mine: list[str] = []

    def pick(event: GenericEventArguments) -> None:
        mine[:] = [str(event.args)]
        enabled(asking, True)

    async def answer() -> None:
        enabled(asking, False)
        place.clear()
        with place:
            put("p", Words("Computing the answer...", "解答を計算しています..."), "soft")
        try:
            lines, choice = await elsewhere(ANSWERING, one.worked, store)
        except UserError as error:
            place.clear()
            with place:
                problem(error)
            return
        finally:
            enabled(asking, True)
        place.clear()
        with place:
            if mine:
                correct = mine[0] == choice
                judged(number, correct)
                words = Words("Right.", "正解。") if correct else Words("Not right.", "不正解。")
                put("p", words, "verdict right" if correct else "verdict wrong")
            put("div", "\n".join(lines), "working")

    put("p", one.words)
    if one.drawings:
        with put("div", classes="two"):
            for drawing in one.drawings:
                figure(drawing.draw(), drawing.title)
    if one.choices:
        with put("div", classes="choices", role="radiogroup", aria_label=Words(f"Question {number}", f"問{number}")):
            for sign, words in one.choices.items():
                with put("label", classes="check"):
                    radio = put("input", type="radio", name=f"question-{number}", value=sign)
                    put("span", f"({sign}) {say(words)}")
                radio.on("change", pick, js_handler="(e) => emit(e.target.value)")
    asking = button(Words("Check", "答え合わせ") if one.choices else Words("Show the answer", "解答を見る"), answer)
    enabled(asking, not one.choices)
    place = put("div", aria_live="polite")
