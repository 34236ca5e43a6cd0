"""What formulas are worked out with: functions in symbols and in numbers of many digits, and the bounds that keep both in hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

LARGEST = 10**6  # number in a formula; smallest is one over it
STEEPEST = 100  # exponent
DIGITS = 150  # of a number worked out on the way
TERMS = 1000  # parts of an expression worked out on the way
PRECISION = 50  # digits of numeric values
HUGE = 1e30  # a numeric value on the way

FUNCTIONS = (
    "exp", "log", "ln", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh", "erf",
    "abs", "sigmoid", "relu", "softplus",
)  # fmt: skip


def has_value(expression: sympy.Expr) -> bool:
    """Whether nothing in an expression is infinite or undefined."""
    import sympy

    return not expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo)


def small(expression: sympy.Expr) -> bool:
    """Whether an expression has few enough parts and no number or exponent beyond bounds."""
    import sympy

    parts = list(islice(sympy.preorder_traversal(expression), TERMS + 1))
    if len(parts) > TERMS:
        return False
    most = 10**DIGITS
    numbers = (part for part in parts if part.is_Rational)
    exponents = (part.exp for part in parts if isinstance(part, sympy.Pow | sympy.exp))
    return all(abs(n.p) < most and n.q < most for n in numbers) and all(tame(exponent, 10) for exponent in exponents)


def tame(exponent: sympy.Expr, slack: int = 1) -> bool:
    """Whether no number in an exponent is beyond bounds: those that stand beside a logarithm or a variable may become powers too."""
    import sympy

    numbers = exponent.atoms(sympy.Rational)
    return all(abs(n.p) <= STEEPEST * n.q * slack and n.q <= LARGEST for n in numbers)


def evaluate(expression: sympy.Expr, point: Mapping[str, float]) -> float:
    """A sympy expression's value at a point, without sympy's own evaluation, which may take minutes. Raises as ``Formula.number`` does."""
    import sympy
    from mpmath import mp, mpf

    functions = {**numeric_functions(), "Abs": abs}

    @cache
    def value(part: sympy.Expr) -> Any:
        if part.is_Rational:
            return mpf(part.p) / part.q
        if part.is_Symbol:
            return mpf(point[part.name])
        if part in (sympy.pi, sympy.E):
            return +mp.pi if part == sympy.pi else +mp.e
        over = [value(argument) for argument in part.args]
        if part.is_Add or part.is_Mul:
            return real(mp.fsum(over) if part.is_Add else mp.fprod(over))
        if part.is_Pow:
            return real(over[0] ** over[1])
        if part.is_Function and part.func.__name__ in functions:
            return real(functions[part.func.__name__](*over))
        raise ValueError(f"no real number: {part}")

    with mp.workdps(PRECISION):
        return float(value(expression))


def real(value: Any) -> Any:
    """``value``, where it is real and not too large."""
    from mpmath import mpf

    if not isinstance(value, mpf) or not abs(value) < HUGE:
        raise ValueError("not real, or too large")
    return value


@cache
def numeric_functions() -> Mapping[str, Callable[[Any], Any]]:
    """The functions in numbers of many digits; nothing here knows of derivatives."""
    from mpmath import mp

    own = {
        "abs": abs,
        "ln": mp.log,
        "sigmoid": lambda u: 1 / (1 + mp.exp(-u)),
        "relu": lambda u: u if u > 0 else 0 * u,
        "softplus": lambda u: mp.log(1 + mp.exp(u)),
        "step": lambda u: mp.mpf(u > 0),
        "sign": mp.sign,
    }
    return {name: own.get(name) or getattr(mp, name) for name in (*FUNCTIONS, *own)}


@cache
def symbolic_functions() -> Mapping[str, Callable[[Any], Any]]:
    """The functions in sympy: its own, and those of networks with the derivatives that the notes give them.

    ``step(u)`` is 1 for ``u > 0`` and 0 elsewhere, ``sign(u)`` 1, 0 or -1: ReLU's derivative and that of the absolute value.
    """
    import sympy

    class sigmoid(sympy.Function):  # type: ignore[misc]
        def fdiff(self, argindex: int = 1) -> Any:
            return self * (1 - self)

    class step(sympy.Function):  # type: ignore[misc]
        def fdiff(self, argindex: int = 1) -> Any:
            return sympy.Integer(0)

    class relu(sympy.Function):  # type: ignore[misc]
        @classmethod
        def eval(cls, u: Any) -> Any:
            return max(u, sympy.Integer(0)) if u.is_Rational else None

        def fdiff(self, argindex: int = 1) -> Any:
            return step(self.args[0])

    class sign(sympy.Function):  # type: ignore[misc]
        def fdiff(self, argindex: int = 1) -> Any:
            return sympy.Integer(0)

    class absolute(sympy.Function):  # type: ignore[misc]
        @classmethod
        def eval(cls, u: Any) -> Any:
            return abs(u) if u.is_Rational else None

        def fdiff(self, argindex: int = 1) -> Any:
            return sign(self.args[0])

    class softplus(sympy.Function):  # type: ignore[misc]
        def fdiff(self, argindex: int = 1) -> Any:
            return sigmoid(self.args[0])

    absolute.__name__ = "abs"  # as it is shown
    own = {"ln": sympy.log, "abs": absolute, "sigmoid": sigmoid, "relu": relu, "softplus": softplus}
    return {name: own.get(name) or getattr(sympy, name) for name in FUNCTIONS}
