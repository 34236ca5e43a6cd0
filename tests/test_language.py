"""Two languages, and the errors that a user can mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koubai.caution import lasting
from koubai.data import load
from koubai.laboratory import check
from koubai.language import HABITS, UserError, Words, counted, language, say, speak, unknown
from koubai.quiz import mark
from koubai.spec import Data, Trial
from koubai.techniques import KINDS

HELLO = Words("hello", "こんにちは")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing chosen, no locale in the environment."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: (None, None))
    speak(None)
    yield


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("variables", "want"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "", "LANG": "ja_JP"}, "ja"),
    ],
)
def test_the_locale_decides_until_somebody_speaks(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], want: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == want
    speak("en")
    assert say(HELLO) == "hello"
    speak("ja")
    assert (language(), say(HELLO)) == ("ja", "こんにちは")
    speak(None)
    assert language() == want


@pytest.mark.usefixtures("silent")
def test_windows_has_its_locale_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getlocale", lambda: ("Japanese_Japan", "932"))
    assert language() == "ja"


def test_an_error_speaks_the_language_in_force() -> None:
    error = UserError("Too long.", "長すぎます。")
    assert str(error) == "Too long." and error.words == Words("Too long.", "長すぎます。")
    speak("ja")
    assert str(error) == "長すぎます。"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    error = unknown(Words("fruit", "果物"), "Aple", ["Pear", "Apple"])
    assert error.words.en == "There is no fruit 'Aple'; did you mean 'Apple'? Known: Pear, Apple."
    assert error.words.ja == "果物 'Aple' はありません。'Apple' のことですか。使えるもの: Pear, Apple。"
    far = unknown(Words("fruit", "果物"), "xyzzy", ["Pear", "Apple"])
    assert far.words.en == "There is no fruit 'xyzzy'. Known: Pear, Apple."
    assert "ですか" not in far.words.ja


def test_habits_lead_to_names_that_exist() -> None:
    known = set(Trial.model_fields) | {name for register in KINDS.values() for name in register}
    known |= {number for register in KINDS.values() for technique in register.values() for number in technique.numbers}
    assert set(HABITS.values()) <= known
    assert not set(HABITS) & set(Trial.model_fields), "a name that is right needs no mending"
    assert "did you mean 'learning_rate'" in str(unknown(Words("field", "項目"), "LR", Trial.model_fields))
    assert "did you mean" not in str(unknown(Words("fruit", "果物"), "lr", ["Pear"])), "only where it is known"


@pytest.mark.parametrize(("count", "words"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (1000, "1,000 steps")])
def test_nouns_agree_with_their_number(count: int, words: str) -> None:
    assert counted(count, "step") == words


def test_of_one_thing_no_sentence_speaks_as_of_many(tmp_path: Path, command: Callable[..., Any]) -> None:
    arrays, table, column = tmp_path / "one.npz", tmp_path / "cells.csv", tmp_path / "column.csv"
    np.savez(arrays, x=np.zeros((1, 2)), y=np.zeros(3))
    table.write_text("a,b\n1,2\n3\n", "utf-8")
    column.write_text("a,target\n" + "".join(f"{k},{k % 2}\n" for k in range(20)), "utf-8")
    few = Trial(data=Data(name="digits", samples=1), batch_size=2)
    said = [mark(1, 1).en, lasting(1.2).en]
    for wrong in (
        lambda: load(Data(name=str(arrays))),
        lambda: load(Data(name=str(table))),
        lambda: check(few),
        lambda: check(Trial(data=Data(name=str(column)), augment="flip")),
    ):
        with pytest.raises(UserError) as caught:
            wrong()
        said.append(caught.value.words.en)
    (tmp_path / "one.toml").write_text(
        'name = "one"\n[base]\ndata = { name = "moons", samples = 40 }\nlayers = [2]\nbatch_size = 20\nsteps = 2\n', "utf-8"
    )
    out = ("--out", str(tmp_path))
    command("study", str(tmp_path / "one.toml"), *out)
    said += [command("study", str(tmp_path / "one.toml"), *out).out, command("store", "check", *out).out]
    assert "not trained again: 1 of 1 network.\n" in said[-2]
    for sentence in said:
        assert re.search(r"\b1 [a-z]+", sentence), sentence
        assert not re.search(r"(?<![.,\d])1 (training )?[a-z]+[^s\W]s\b", sentence), sentence


@pytest.mark.parametrize("name", ["a\nb\r\nc", "\x1b[31mred\x07", "x" * 5000, "‮rtl", "\u2028", "勾" * 3000])
def test_an_error_is_one_line_whatever_it_quotes(name: str) -> None:
    error = UserError(f"There is no {name}; take another.", f"{name} はありません。別のものにしてください。")
    for words in error.words:
        assert words.isprintable() and len(words) < 1000
    assert str(error).startswith("There is no ") and str(error).endswith("; take another.")
