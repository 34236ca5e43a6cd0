"""Formulas that people type: read without being run, bounded before they are worked out, and worth what Python says they are."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import sympy
from hypothesis import example, given
from hypothesis import strategies as st

from koubai.arithmetic import FUNCTIONS, evaluate
from koubai.formulas import CONSTANTS, define, named, read, shown
from koubai.language import UserError

OURS: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ln": math.log,
    "sigmoid": lambda u: 1 / (1 + math.exp(-u)),
    "relu": lambda u: max(u, 0.0),
    "softplus": lambda u: math.log1p(math.exp(u)),
}
PYTHON = {name: OURS.get(name) or getattr(math, name) for name in FUNCTIONS}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [0.3, 0.8])
def test_each_function_is_worth_what_pythons_own_is(name: str, x: float) -> None:
    formula = read(f"{name}(x)")
    want = PYTHON[name](x)
    assert float(formula.number({"x": x})) == pytest.approx(want, rel=1e-14)
    assert evaluate(formula.symbolic(), {"x": x}) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("2 + 3*4", 14),
        ("-x**2", -9),
        ("-x^2", -9),
        ("2^3^2", 512),
        ("x^-1", 1 / 3),
        ("(x + 1)/(x - 1)", 2),
        ("7 - 2 - 1", 4),
        ("pi", math.pi),
        ("e^x", math.exp(3)),
        ("ｘ＋１", 4),
        ("1e3*x", 3000),
        ("+x", 3),
        ("log(e)", 1),
    ],
)
def test_arithmetic_binds_as_in_mathematics(text: str, want: float) -> None:
    formula = read(text)
    assert float(formula.number({"x": 3.0})) == pytest.approx(want, rel=1e-14)
    assert evaluate(formula.symbolic(), {"x": 3.0}) == pytest.approx(want, rel=1e-14)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(parts, st.sampled_from("+-*"), parts).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
    powers = st.tuples(parts, st.integers(0, 3)).map(lambda p: f"({p[0]})**{p[1]}")
    calls = st.tuples(st.sampled_from(["sin", "atan", "tanh", "sigmoid", "erf"]), parts).map(lambda p: f"{p[0]}({p[1]})")
    return st.one_of(pairs, powers, calls, parts.map(lambda part: f"-({part})"))


TEXTS = st.recursive(st.sampled_from(["x", "y", "2", "0.5", "pi", "e", "(x - y)"]), _joined, max_leaves=6)


@given(TEXTS, st.floats(-2, 2), st.floats(-2, 2))
def test_drawn_formulas_are_worth_what_python_says(text: str, x: float, y: float) -> None:
    want = eval(text, {"__builtins__": {}, **PYTHON, "pi": math.pi, "e": math.e}, {"x": x, "y": y})
    formula = read(text)
    assert set(formula.variables) == {name for name in "xy" if name in text.replace("exp", "")}
    for value in (float(formula.number({"x": x, "y": y})), evaluate(formula.symbolic(), {"x": x, "y": y})):
        assert value == pytest.approx(want, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("__import__('os')", 12),
        ("x.real", 1),
        ("[x]", 1),
        ("x if x else y", 1),
        ("lambda: x", 7),
        ("x; y", 2),
        ("f(x)", 1),
        ("sin(x, y)", 1),
        ("sin", 1),
        ("2x", 2),
        ("x(1)", 1),
        ("(x)(y)", 4),
        ("2 +", 3),
        ("x² + 1", 2),
        ("x\x00", 2),
        ("x\n+ 1", 2),
        ("x // 2", 3),
        ("True", 1),
        ("_x", 1),
        ("1e7*x", 1),
        ("x + 1e-7", 5),
        ("1j", 2),
        ("'" * 20, 1),
        ("-" * 60 + "x", 27),
        ("𝑥 + 1", 1),
    ],
)
def test_what_is_no_formula_is_refused_at_its_place(text: str, place: int) -> None:
    with pytest.raises(UserError) as error:
        read(text)
    assert f"at character {place}:" in str(error.value)
    assert f"{place} 文字目" in error.value.words.ja
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "(" * 90 + "x" + ")" * 90, "9" * 150, "1" + "+1" * 99])
def test_empty_long_and_deep_formulas_are_refused_or_read(text: str) -> None:
    try:
        assert read(text).text == text
    except UserError as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    "text", ["x**101", "9**9**9", "x**(10**9)", "2**x**101", "((x+1)**99)**99", "exp(999*x)", "(9**99)**9*x"]
)
def test_what_would_run_away_is_refused_before_it_is_worked_out(text: str) -> None:
    with pytest.raises(UserError, match="at character"):
        read(text).symbolic()


@pytest.mark.parametrize("text", ["x/0", "0/0", "log(0)", "0**-1"])
def test_what_has_no_value_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="divides by zero or has no value"):
        read(text).symbolic()


@pytest.mark.parametrize("text", ["sqrt(x)", "log(x)", "x**0.5", "exp(exp(exp(-9*x)))", "1/(x + 1)"])
def test_numbers_that_are_not_real_or_too_large_are_errors_of_arithmetic(text: str) -> None:
    with pytest.raises((ArithmeticError, ValueError)):
        read(text).number({"x": -1.0})


@given(st.text(max_size=220))
@example("((((((")
@example("x" + "^x" * 99)
@example("1" * 200)
def test_any_text_is_a_formula_or_one_sentence(text: str) -> None:
    for door in (read, define):
        try:
            formula = door(text)
        except UserError as error:
            assert "\n" not in str(error)
            assert any("ぁ" <= letter <= "ヿ" for letter in error.words.ja)
        else:
            assert all(name.isidentifier() for name in formula.variables)


def test_a_definition_has_a_name() -> None:
    formula = define(" t ＝ x + y ")
    assert (formula.name, formula.text, formula.variables) == ("t", "x + y", ("x", "y"))


@pytest.mark.parametrize("text", ["t", "= x", "2t = x", "t + 1 = x", "sin = x", "e = x", "t == x", "あ = x"])
def test_a_definition_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        define(text)


@pytest.mark.parametrize("name", [*CONSTANTS, *FUNCTIONS, "", "1x", "x y", "_", "a" * 21, "é"])
def test_names_that_are_taken_or_none(name: str) -> None:
    with pytest.raises(UserError):
        named(name)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("2*(x + y)", "2(x + y)"),
        ("x**2*cos(x)", "x²·cos(x)"),
        ("x**10", "x¹⁰"),
        ("x**0.5", "x^0.5"),
        ("2**3**x", "2^3^x"),
        ("x**y**2", "x^y²"),
        ("2.5*x", "2.5·x"),
        ("12*x", "12x"),
        ("x2*3*x", "x2·3x"),
    ],
)
def test_formulas_are_shown_as_people_write_them(text: str, want: str) -> None:
    assert shown(read(text)) == want


def test_sympy_expressions_are_shown_alike() -> None:
    x = sympy.Symbol("x")
    assert shown(2 * x**2 * sympy.cos(x)) == "2x²·cos(x)"
