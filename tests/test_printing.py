"""What commands print: tables that are never cut, sentences folded as a reader of Japanese expects."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from koubai.cli import printing
from koubai.cli.printing import LEAST, PIECE, Table, folded, hanging, put, put_json, rows

JAPANESE = "層を1つ下るごとに(2 段)、「sigmoid」は 0.25 倍、重みは 0.057 倍にします。最後の層まで届きません。"


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("short", 24, ["short"]),
        ("", 24, [""]),
        ("one two three four five six", 24, ["one two three four five", "six"]),
        ("勾配が最初の層に届きません。層", 28, ["勾配が最初の層に届きません。", "層"]),
        ("勾配が最初の層に届きません。", 26, ["勾配が最初の層に届きませ", "ん。"]),  # the full stop takes its letter along
        ("勾配が最初の層に届く(2 段)", 24, ["勾配が最初の層に届く(2", "段)"]),
        ("a_word_longer_than_the_line_is and", 24, ["a_word_longer_than_the_line_is", "and"]),
    ],
)
def test_sentences_are_folded(text: str, width: int, lines: list[str]) -> None:
    assert folded(text, width) == lines


@given(st.text(st.sampled_from(JAPANESE + " (f)「ー[]"), max_size=80), st.integers(0, 60))
def test_folding_loses_nothing_and_keeps_to_the_width(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    longest = max((cell_len(piece.strip()) for piece in PIECE.findall(text)), default=0)
    assert all(cell_len(line) <= max(width, LEAST, longest) for line in lines)
    if " " not in text:
        assert not any(line.startswith(("、", "。", ")", "ー")) for line in lines[1:])


def test_a_narrow_terminal_cuts_no_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "console", lambda: _console(40))
    listed = Table("実験", "kind", "trials", left=(0, 1))
    listed.add_row("a-study-whose-name-is-longer-than-a-narrow-terminal", "x", "1,000")
    listed.add_row("家賃", "", "2")
    listed.add_row("... and more")
    put(listed)
    assert capsys.readouterr().out.splitlines() == [
        "実験                                                 kind  trials",
        "a-study-whose-name-is-longer-than-a-narrow-terminal  x      1,000",
        "家賃                                                            2",
        "... and more",
    ]


def test_a_table_without_heads_is_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    facts = Table(left=(0, 1))
    facts.add_row("samples", "60")
    facts.add_row("x", "4 x 4")
    put(facts)
    assert capsys.readouterr().out == "samples  60\nx        4 x 4\n"


def test_what_hangs_is_equally_far_to_the_right(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "console", lambda: _console(40))
    hanging("支持", JAPANESE, 6)
    rows("見出し", [("relu", "正の値をそのまま通し、勾配も減らさない。"), ("名前", "x")])
    lines = capsys.readouterr().out.splitlines()
    title = lines.index("見出し")
    assert len(lines[:title]) > 2 and lines[0].startswith("支持  層を") and all(line[:6] == " " * 6 for line in lines[1:title])
    assert all(cell_len(line) <= 40 for line in lines[:title])
    assert [cell_len(line[: line.index(word)]) for line, word in ((lines[title + 1], "正"), (lines[-2], "x"))] == [26, 26]


def _console(width: int):  # type: ignore[no-untyped-def]
    from rich.console import Console

    return Console(width=width, height=25, highlight=False, markup=False)  # with both, whatever the terminal says of itself


@pytest.mark.parametrize(("encoding", "plain"), [("utf-8", True), ("cp932", True), ("cp1252", False), ("ascii", False)])
def test_json_loses_no_letter_in_any_encoding(encoding: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding, errors="replace"))
    put_json({"クラス": ["勾配", 0.5]})
    sys.stdout.flush()
    written = out.getvalue().decode(encoding)
    assert json.loads(written) == {"クラス": ["勾配", 0.5]} and ("勾配" in written) is plain
