"""Every technique of every kind, through its register: what a reader, the specs and the pages need of it is there."""

from __future__ import annotations

import inspect
import re

import pytest

from koubai.choices import KIND_WORDS, choose
from koubai.spec import Trial
from koubai.techniques import KINDS, Number, Technique, Words

EVERY = [pytest.param(kind, name, id=f"{kind}-{name}") for kind, register in KINDS.items() for name in register]
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


def bilingual(words: Words) -> bool:
    return bool(words.en.strip()) and not JAPANESE.search(words.en) and bool(words.ja.strip())


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_carries_what_a_reader_wants_to_know(kind: str, name: str) -> None:
    technique = KINDS[kind][name]
    assert isinstance(technique, Technique) and technique.name == name
    assert bilingual(technique.about) and JAPANESE.search(technique.about.ja)
    assert technique.formula and technique.formula.count("{") == technique.formula.count("}")
    assert technique.source
    doc = inspect.getdoc(technique.function) or ""
    assert doc == inspect.cleandoc(technique.__doc__ or "")
    assert "Weakness: " in doc, "the docstring names the formula and the known weakness"
    assert bilingual(KIND_WORDS[kind])


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_numbers_have_words_and_defaults_inside_their_interval(kind: str, name: str) -> None:
    technique = KINDS[kind][name]
    defaults = technique.defaults()
    assert list(defaults) == list(technique.numbers)
    for number_name, number in technique.numbers.items():
        assert bilingual(number.about), number_name
        assert number.accepts(defaults[number_name]), number_name
        if isinstance(number.default, str):
            assert defaults[number_name] == defaults[number.default]
        assert re.fullmatch(r"[\[(][^,]+, [^,]+[\])]", number.interval)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_function_takes_exactly_its_numbers_by_name(kind: str, name: str) -> None:
    technique = KINDS[kind][name]
    named = [p.name for p in inspect.signature(technique.function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert named == list(technique.numbers)


@pytest.mark.parametrize(("kind", "name"), [case for case in EVERY if case.values[0] in set(Trial.model_fields) - {"dropout"}])
def test_can_be_named_in_a_trial(kind: str, name: str) -> None:
    trial = Trial(**{kind: name})
    choice = getattr(trial, kind)
    assert (choice.name, choice.numbers) == (name, KINDS[kind][name].defaults())
    assert Trial(**{kind: {"name": name, **choice.numbers}}) == trial == Trial(**{kind: choose(kind, choice)})


@pytest.mark.parametrize(
    ("interval", "whole", "inside", "outside"),
    [
        ("[0, 1)", False, [0, 0.5, 0.999], [-1e-300, 1, 2, float("nan")]),
        ("(0, inf)", False, [1e-300, 1e300], [0, -1, float("inf"), 10**400]),
        ("[1, inf)", True, [1, 2.0, 10**6], [0, 1.5, float("inf"), float("nan")]),
        ("(-inf, inf)", False, [-1e300, 0], [float("-inf"), float("nan"), -(10**400)]),
        ("[0, 1]", False, [0, 1], [1.0000001]),
    ],
)
def test_intervals_are_read_as_mathematics_writes_them(interval: str, whole: bool, inside: list, outside: list) -> None:
    number = Number(0.0, interval, whole=whole)
    assert all(number.accepts(value) for value in inside)
    assert not any(number.accepts(value) for value in outside)


def test_a_number_whose_default_is_another_number_follows_it() -> None:
    technique = KINDS["optimizer"]["adagrad"]
    assert technique.complete({"eps": 1e-3}) == {"eps": 1e-3, "initial_accumulator": 1e-3}
    assert technique.complete({"eps": 1e-3, "initial_accumulator": 0.0}) == {"eps": 1e-3, "initial_accumulator": 0.0}
