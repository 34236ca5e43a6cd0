"""``koubai chain``, ``output-size``, ``quiz`` and ``explain``, used as a person would."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from koubai import laboratory, quiz
from koubai.answers.base import Answer, same
from koubai.language import Words
from koubai.quiz import QUESTIONS, Question
from koubai.store import Store
from koubai.techniques import KINDS

Command = Callable[..., Any]  # the fixture ``command``
NAMES = sorted({name for members in KINDS.values() for name in members})


def japanese(text: str) -> bool:
    """Whether there is Japanese in a text."""
    return any("ぁ" <= letter <= "ヿ" or "一" <= letter <= "鿿" for letter in text)


@pytest.mark.parametrize(
    "arguments", [["chain", "--help"], ["output-size", "6", "2"], ["chain", "x", "--wrt", "x"], ["quiz", "--help"]]
)
def test_what_needs_no_torch_does_not_import_it(arguments: list[str]) -> None:
    script = (
        f"import sys, atexit\nsys.argv = ['koubai', *{arguments!r}]\natexit.register(lambda: print('torch' in sys.modules))\n"
        "from koubai.__main__ import main\nmain()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def test_the_chain_rule_of_the_notes(command: Command) -> None:
    ended = command("chain", "t**2", "t = x + y", "--wrt", "x")
    assert ended.code == 0
    assert ended.out.splitlines()[:8] == [
        "z = t²", "t = x + y", "dz/dt = 2t", "dt/dx = 1", "dz/dx = dz/dt · dt/dx", "      = 2t · 1", "      = 2t", "      = 2(x + y)",
    ]  # fmt: skip
    assert "agrees." in ended.out


@pytest.mark.parametrize("arguments", [("-x**2", "--wrt", "x"), ("--wrt", "x", "-x^2"), ("--wrt=x", "--", "-x**2")])
def test_a_formula_may_begin_with_a_minus(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command("chain", *arguments)
    assert ended.code == 0, ended.err
    assert "dz/dx = -2x" in ended.out


def test_the_check_speaks_japanese(command: Command) -> None:
    assert "検算" in command("chain", "t**2", "t = x + y", "--wrt", "x", "--lang", "ja").out


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (("6", "2", "--stride", "1", "--padding", "1"), "7x7"),
        (("28", "5"), "24x24"),
        (("6x8", "2", "--padding", "1"), "7x9"),
        (("6×8", "2x3"), "5x6"),
        (("224", "11", "--stride", "4", "--padding", "2"), "55x55"),
    ],
)
def test_output_sizes(command: Command, arguments: tuple[str, ...], last: str) -> None:
    ended = command("output-size", *arguments)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == last
    assert ended.out.startswith("(H + 2P − F) / S + 1 = (")


BAD = {
    ("chain", "__import__('os')", "--wrt", "x"): "means nothing in a formula",
    ("chain", "9**9**9*x", "--wrt", "x"): "too large a number",
    ("chain", "", "--wrt", "x"): "empty",
    ("chain", "t**2", "t = x + y", "--wrt", "q"): "There is no variable 'q'",
    ("chain", "t**2", "t", "--wrt", "t"): "NAME = FORMULA",
    ("output-size", "2", "5"): "does not fit",
    ("output-size", "0", "5"): "at least 1, not 0",
    ("output-size", "-3", "5"): "at least 1, not -3",
    ("output-size", "6", "2", "--stride", "0"): "at least 1, not 0",
    ("output-size", "6", "2", "--padding", "-1"): "at least 0, not -1",
    ("output-size", "abc", "5"): "'abc' is no size",
    ("output-size", "6x7x8", "5"): "'6x7x8' is no size",
    ("output-size", "9" * 5000, "5"): "is no size",
    ("quiz", "0"): "questions 1 to 10, not 0",
    ("quiz", "11", "--answers"): "questions 1 to 10, not 11",
    ("explain", "momentun"): "did you mean 'momentum'",
    ("explain", "logistic"): "did you mean 'sigmoid'",
    ("explain", "adam", "--figure", "."): "cannot be written",
    ("explain", "adam", "--figure", "taken/x.html"): "cannot be written",
    ("explain", "adam", "--out", "taken"): "taken",
}


@pytest.mark.parametrize("arguments", BAD, ids=lambda arguments: " ".join(arguments)[:60])
def test_bad_input_is_one_sentence_in_both_languages(command: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "taken").write_text("")
    if "--out" in arguments:
        (tmp_path / "taken").unlink()
        (tmp_path / "taken" / "store").mkdir(parents=True)
        (tmp_path / "taken" / "store" / "index.sqlite").write_bytes(b"no database" * 100)
    before = sorted(tmp_path.rglob("*"))
    ended = command(*arguments)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert BAD[arguments] in ended.err
    assert ended.out == ""
    told = command(*arguments, "--lang", "ja")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert japanese(told.err)
    assert sorted(tmp_path.rglob("*")) == before


def cheap(store: Store) -> Answer:
    """An answer that costs nothing."""
    return Answer(same("short"), (Words("working", "計算の過程"),))


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The questions, those that train anything answered for nothing."""
    answers = [one.answer if one.choices else cheap for one in QUESTIONS]
    kept = tuple(
        Question(one.words, answer, one.noted, one.choices, one.right, one.picture)
        for one, answer in zip(QUESTIONS, answers, strict=True)
    )
    monkeypatch.setattr(quiz, "QUESTIONS", kept)
    yield


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *typed: str | BaseException) -> list[str]:
    """Somebody who types these lines, and then ends the input; gives the prompts that they saw."""
    prompts: list[str] = []
    lines = iter(typed)

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        line = next(lines, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr(builtins, "input", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    return prompts


@pytest.mark.usefixtures("questions")
def test_without_a_terminal_the_questions_are_printed_and_nothing_is_computed(command: Command, tmp_path: Path) -> None:
    for language, words in (("en", "Explain briefly what characterizes AdaGrad."), ("ja", "AdaGradの特徴を簡潔に説明せよ。")):
        ended = command("quiz", "--lang", language)
        assert ended.code == 0
        assert words in ended.out
        assert [line.split(".")[0] for line in ended.out.splitlines() if line[:1].isdigit()] == [str(k) for k in range(1, 11)]
        assert "koubai quiz --answers" in ended.out
        assert "short" not in ended.out
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("questions")
def test_answers_come_with_their_working(command: Command) -> None:
    ended = command("quiz", "--answers")
    assert ended.code == 0
    assert ended.out.count("Computed: ") == 10
    assert ended.out.count("The notes: ") == 10
    one = command("quiz", "2", "--answers", "--lang", "ja")
    assert one.out.startswith("2. シグモイド")
    assert "計算: (2) 0.25" in one.out
    assert "3." not in one.out


@pytest.mark.usefixtures("questions")
def test_at_a_terminal_choices_are_counted(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = at_a_terminal(monkeypatch, "2(x+y)", "what?", "(2)", "", "", "", "", "", "b", "右", "7")
    ended = command("quiz")
    assert ended.code == 0
    assert "Type one of 1/2/3/4, or Enter alone for the answer." in ended.out
    assert ended.out.count("\nRight.\n") == 2
    assert ended.out.count("Not right.") == 1
    assert ended.out.rstrip().endswith("2 of 3 choices right.")
    assert prompts.count("Your choice (1/2/3/4): ") == 2
    assert len(prompts) == 11


@pytest.mark.usefixtures("questions")
def test_enter_alone_shows_the_answer(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "")
    ended = command("quiz", "8", "--lang", "ja")
    assert "不正解。" in ended.out
    assert "(a) 正しい" in ended.out
    assert ended.out.rstrip().endswith("選択問題 1 問中 0 問正解。")


@pytest.mark.usefixtures("questions")
@pytest.mark.parametrize(("how", "code"), [(EOFError(), 0), (KeyboardInterrupt(), 130)])
def test_leaving_early_is_no_error(command: Command, monkeypatch: pytest.MonkeyPatch, how: BaseException, code: int) -> None:
    at_a_terminal(monkeypatch, "2t", how)
    ended = command("quiz")
    assert ended.code == code
    assert ended.err == ""
    assert "3. " not in ended.out


@pytest.mark.slow
def test_all_answers_in_both_languages_and_the_second_time_nothing_is_trained(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = command("quiz", "--answers", "--out", "kept")
    assert first.code == 0, first.err
    assert first.out.count("Computed: ") == 10
    assert "DOES NOT AGREE" not in first.out
    assert "Measured here: refuted." in first.out

    def refused(*arguments: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(laboratory, "train", refused)
    second = command("quiz", "--answers", "--out", "kept", "--lang", "ja")
    assert second.code == 0, second.err
    assert second.out.count("計算: ") == 10
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", NAMES)
def test_every_technique_is_explained(command: Command, tmp_path: Path, name: str) -> None:
    for language in ("en", "ja"):
        ended = command("explain", name, "--lang", language)
        assert ended.code == 0, ended.err
        assert ended.out.startswith(f"{name} (")
        assert ("弱点: " if language == "ja" else "Weakness: ") in ended.out
        assert "\\" not in ended.out
    assert not list(tmp_path.iterdir())


def test_an_explanation_has_formula_reason_source_numbers_and_picture(command: Command) -> None:
    out = command("explain", "momentum").out
    for words in (
        "momentum (optimizer)",
        "  Vₜ = μ Vₜ₋₁ - ε g,  w ← w + Vₜ",
        "A heavy ball: keeps part of its last step.",
        "Weakness: Overshoots where the slope turns.",
        "Source: notes, Section 2 (momentum); Polyak 1964",
        "Hyperparameter: momentum = 0.9, in [0, 1): share of the last step that is kept",
        'In a trial: optimizer = { name = "momentum", momentum = 0.9 }',
        "Down the valley",
        "Momentum reaches the bottom of a valley sooner.",
    ):
        assert words in out


@pytest.mark.parametrize(
    ("typed", "name"), [("ReLU", "relu"), ("Batch Norm", "batch_norm"), ("clip-grad-norm", "clip_grad_norm"), ("L2", "l2")]
)
def test_a_technique_is_found_as_people_write_it(command: Command, typed: str, name: str) -> None:
    assert command("explain", typed).out.startswith(f"{name} (")


def test_a_name_that_stands_for_two_is_explained_twice_and_claims_go_to_the_right_one(command: Command, tmp_path: Path) -> None:
    ended = command("explain", "constant", "--figure", "both.html")
    weights, rate = ended.out.split("constant (schedule)")
    assert weights.startswith("constant (initializer)")
    assert "The notes claim nothing about it" in weights
    assert "koubai run learning-rate" in rate
    assert (tmp_path / "both.html").read_text(encoding="utf-8").count('class="plotly-graph-div"') == 2
    assert ended.out.endswith("Figure: both.html\n")


def test_a_kind_is_explained_by_all_that_are_of_it(command: Command, tmp_path: Path) -> None:
    out = command("explain", "pooling", "--figure", "both.html").out
    first, second = out.split("avgpool (pooling)")
    assert first.startswith("maxpool (pooling)") and "koubai run cnn" in first
    assert "maxpool 2: 4x4" in first and "avgpool 2: 4x4" in second
    assert (tmp_path / "both.html").read_text(encoding="utf-8").count('class="plotly-graph-div"') == 2
    assert command("explain", "convolution", "--lang", "ja").out.startswith("conv (畳み込み)")


def test_which_names_stand_for_two() -> None:
    names = [name for members in KINDS.values() for name in members]
    assert {name for name in names if names.count(name) > 1} == {"constant"}


def test_stored_verdicts_are_shown_by_data_set_with_their_reason(command: Command, tmp_path: Path) -> None:
    assert "Not tested yet: koubai run valley" in command("explain", "momentum", "--out", "kept").out
    store = Store(tmp_path / "kept" / "store")
    store.note_claim("momentum-valley", "digits", "refuted", Words("it took longer", "時間がかかった"))
    store.note_claim("momentum-valley", "moons", "supported", Words("it did not", "かからなかった"), quick=True)
    out = command("explain", "momentum", "--out", "kept").out
    assert "  refuted (digits): it took longer\n  supported (moons, quick look): it did not" in out
    assert "koubai run valley" not in out
    japanese = command("explain", "momentum", "--out", "kept", "--lang", "ja").out
    assert "  反証 (digits): 時間がかかった\n  支持 (moons, お試し): かからなかった" in japanese
