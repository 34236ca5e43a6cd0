"""The chain rule: by hand, against autograd and mpmath, and under input that means harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from koubai import chain
from koubai.arithmetic import FUNCTIONS, evaluate
from koubai.chain import Check, Derivation, differentiate, slope
from koubai.formulas import Formula, read
from koubai.language import UserError


def forms(derivation: Derivation) -> dict[str, tuple[str, ...]]:
    """The steps by name."""
    return dict(derivation.steps)


def test_the_notes_own_question() -> None:
    derivation = differentiate("z = t**2", ["t = x + y"], "x")
    assert derivation.formulas == ("z = t²", "t = x + y")
    assert forms(derivation) == {"dz/dt": ("2t",), "dt/dx": ("1",), "dz/dx": ("dz/dt · dt/dx", "2t · 1", "2t", "2(x + y)")}
    assert len(derivation.checks) == 3
    assert all(check.agrees for check in derivation.checks)


def test_an_outermost_formula_without_a_name_gets_one_that_is_free() -> None:
    assert [name for name, _ in differentiate("t**2", ["t = x"], "x").steps] == ["dz/dt", "dt/dx", "dz/dx"]
    assert [name for name, _ in differentiate("t*z", ["t = z"], "z").steps] == ["∂w/∂t", "dt/dz", "∂w/∂z", "dw/dz"]


def test_several_ways_add_up() -> None:
    derivation = differentiate("a*b", ["a = x**2", "b = sin(x)"], "x")
    assert forms(derivation)["dz/dx"][:2] == ("∂z/∂a · da/dx + ∂z/∂b · db/dx", "b · 2x + a · cos(x)")
    assert evaluate(derivation.result, {"x": 0.7}) == pytest.approx(2 * 0.7 * mpmath.sin(0.7) + 0.49 * mpmath.cos(0.7))


def test_a_network_of_one_unit_by_hand() -> None:
    derivation = differentiate("E = (y - t)^2/2", ["y = sigmoid(a)", "a = w*x + b"], "w")
    point = {"w": 0.4, "x": 1.5, "b": -0.2, "t": 1.0}
    y = 1 / (1 + mpmath.exp(-(0.4 * 1.5 - 0.2)))
    assert evaluate(derivation.result, point) == pytest.approx(float((y - 1) * y * (1 - y) * 1.5), rel=1e-12)


def test_inner_formulas_come_in_any_order_and_unused_ones_are_left_out() -> None:
    derivation = differentiate("u + 1", ["t = x**3", "s = q", "u = 2*t"], "x")
    assert derivation.formulas == ("z = u + 1", "u = 2t", "t = x³")
    assert forms(derivation)["dz/dx"][-1] == "6x²"


def test_by_a_variable_that_has_a_formula_of_its_own() -> None:
    assert forms(differentiate("t**2", ["t = x + y"], "t"))["dz/dt"] == ("2t",)


def test_at_a_kink_the_notes_derivative_and_a_word_about_it() -> None:
    lines = [words.en for words in differentiate("relu(x)", [], "x").lines()]
    assert "dz/dx = step(x)" in lines
    assert "step(u) is 1 for u > 0, else 0." in lines


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_against_mpmath(name: str) -> None:
    own: Mapping[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
        "abs": abs,
        "ln": mpmath.log,
        "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
        "relu": lambda u: max(u, mpmath.mpf(0)),
        "softplus": lambda u: mpmath.log(1 + mpmath.exp(u)),
    }
    derivation = differentiate(f"{name}(t)", ["t = x/2"], "x")
    want = mpmath.diff(lambda x: (own.get(name) or getattr(mpmath, name))(x / 2), 0.8)
    assert evaluate(derivation.result, {"x": 0.8}) == pytest.approx(float(want), rel=1e-9)
    assert derivation.checks
    assert all(check.agrees for check in derivation.checks)


Drawn = tuple[str, Callable[[Mapping[str, Tensor]], Tensor]]  # a formula's text and the same in PyTorch
UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "atan": torch.atan, "erf": torch.erf,
    "softplus": torch.nn.functional.softplus, "asinh": torch.asinh,
}  # fmt: skip


def over(*names: str) -> st.SearchStrategy[Drawn]:
    """Smooth formulas over these variables."""
    one = torch.ones((), dtype=torch.float64)
    leaves = st.one_of(
        st.sampled_from(names).map(lambda name: (name, lambda v: v[name])),
        st.integers(1, 9).map(lambda k: (str(k), lambda v: k * one)),
    )

    def joined(parts: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
        def pair(sign: str, a: Drawn, b: Drawn) -> Drawn:
            act = {"+": torch.add, "-": torch.sub, "*": torch.mul}[sign]
            return f"({a[0]} {sign} {b[0]})", lambda v: act(a[1](v), b[1](v))

        def call(name: str, a: Drawn) -> Drawn:
            return f"{name}({a[0]})", lambda v: UNARY[name](a[1](v))

        def divided(a: Drawn, b: Drawn) -> Drawn:
            return f"({a[0]} / (1 + {b[0]}^2))", lambda v: a[1](v) / (1 + b[1](v) ** 2)

        return st.one_of(
            st.builds(pair, st.sampled_from("+-*"), parts, parts),
            st.builds(call, st.sampled_from(sorted(UNARY)), parts),
            st.builds(divided, parts, parts),
        )

    return st.recursive(leaves, joined, max_leaves=4)


@given(over("t", "u", "x"), over("x", "y"), over("t", "y", "x"), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_drawn_chains_against_autograd(outer: Drawn, inner: Drawn, second: Drawn, x: float, y: float) -> None:
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in (("x", x), ("y", y))}
    values: dict[str, Tensor] = dict(leaves)
    values["t"] = inner[1](values)
    values["u"] = second[1](values)
    try:
        derivation = differentiate(outer[0], [f"u = {second[0]}", f"t = {inner[0]}"], "x")
    except UserError as error:
        assert any(words in str(error) for words in ("no variable", "does not depend", "too long")), error
        return
    z = outer[1](values)
    grad = torch.autograd.grad(z, leaves["x"], allow_unused=True)[0] if z.requires_grad else None
    want = 0.0 if grad is None else float(grad)
    assert evaluate(derivation.result, {"x": x, "y": y}) == pytest.approx(want, rel=1e-7, abs=1e-9)
    assert all(check.agrees for check in derivation.checks)


def test_a_wrong_derivative_does_not_pass_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Formula.symbolic
    monkeypatch.setattr(Formula, "symbolic", lambda self, values=None: 3 * real(self, values) / 2)
    derivation = differentiate("x**2", [], "x")
    assert not any(check.agrees for check in derivation.checks)
    assert "DOES NOT AGREE" in derivation.lines()[-1].en


@pytest.mark.parametrize(("exact", "measured", "agrees"), [(1e6, 1e6 + 0.5, True), (1.0, 1.00001, False), (0.0, 5e-7, True)])
def test_what_agreeing_means(exact: float, measured: float, agrees: bool) -> None:
    assert Check({}, exact, measured).agrees is agrees


def test_slopes_are_measured_and_kinks_seen() -> None:
    assert slope(lambda h: (3 + h) ** 2) == pytest.approx(6)
    assert slope(abs) is None
    assert slope(lambda h: mpmath.sqrt(abs(h))) is None


HOSTILE = [
    ("__import__('os').system('true')", [], "x"),
    ("x.__class__.__bases__", [], "x"),
    ("9**9**9*x", [], "x"),
    ("exp(exp(exp(exp(x + 9))))", [], "x"),
    ("-" * 150 + "x", [], "x"),
    ("sin(" * 40 + "x" + ")" * 40, [], "x"),
    ("x" * 500, [], "x"),
    ("9" * 190 + "*x", [], "x"),
    ("", [], "x"),
    ("x", [""], "x"),
    ("x", ["t = "], "x"),
    ("x", [" = x"], "x"),
    ("t", ["t = x"], ""),
    ("t", ["t = x"], "sin"),
    ("t", ["t = x"], "x; y"),
    ("2", ["t = 3"], "x"),
    ("2", ["t = x"], "x"),
    ("t**2", ["t = x"], "q"),
    ("z = t", ["t = z"], "t2"),
    ("t", ["t = u", "u = t"], "x"),
    ("t", ["t = x", "t = y"], "x"),
    ("t = t2", ["t = x", "t2 = x"], "x"),
    ("t", [f"a{k} = x" for k in range(9)], "x"),
    ("log(-1 - x^2)", [], "x"),
    ("1/(x - x)", [], "x"),
    ("ｘ＾²", [], "x"),
    ("x\u202e1", [], "x"),
]


@pytest.mark.parametrize(("outer", "inners", "wrt"), HOSTILE)
def test_hostile_input_is_one_sentence(outer: str, inners: list[str], wrt: str) -> None:
    with pytest.raises(UserError) as error:
        differentiate(outer, inners, wrt)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")
    assert any("ぁ" <= letter <= "ヿ" or "一" <= letter <= "鿿" for letter in error.value.words.ja)


@pytest.mark.parametrize(
    ("outer", "inners"),
    [
        ("x**x**x**x**x**x**x*99999", []),
        ("(" * 80 + "x" + ")" * 80, []),
        ("a*b*c", ["a = p + q + r", "b = p + q + r", "c = p + q + r", "p = x", "q = x", "r = x"]),
        ("+".join("x" * 25), []),
    ],
)
def test_what_only_looks_hostile_is_worked_out(outer: str, inners: list[str]) -> None:
    derivation = differentiate(outer, inners, "x")
    assert derivation.checks
    assert all(check.agrees for check in derivation.checks)


@pytest.mark.parametrize(
    ("outer", "inners", "wrt", "words"),
    [
        ("t**2", ["t = x + y"], "q", "There is no variable 'q'. Known: t, x, y."),
        ("t", ["t = u + x", "u = t"], "x", "go round in a circle: t -> u -> t"),
        ("t", ["t = x", "t = y"], "x", "t is defined twice."),
        ("2", ["t = x"], "x", "z does not depend on x through these formulas."),
        ("2", [], "x", "There is no variable in these formulas."),
        ("log(-1 - x^2)", [], "x", "is not real, or too large a number"),
    ],
)
def test_errors_name_the_thing(outer: str, inners: list[str], wrt: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        differentiate(outer, inners, wrt)
    assert words in str(error.value)


def test_too_many_ways_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "WAYS", 1)
    with pytest.raises(UserError, match="There are 2 ways from z to x"):
        differentiate("a*b", ["a = x", "b = x"], "x")


def test_showing_speaks_the_language_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    chain.show("t**2", ["t = x + y"], "x")
    assert "by finite differences 4.82: agrees." in capsys.readouterr().out
    assert "検算" in differentiate("t**2", ["t = x"], "x").lines()[-1].ja


def test_a_formula_read_once_can_be_differentiated_again() -> None:
    assert read("x*x").symbolic() == read("x**2").symbolic()
