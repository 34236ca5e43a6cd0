"""Formulas that people type, read without ever running them: a short list of what a formula may hold, and nothing else.

A formula is read by Python's own ``ast`` (``^`` means power, as ``**`` does), checked node by node, and then built up from the leaves:
symbolically by sympy, or in numbers of many digits. Text is never evaluated. Arithmetic that would run away (``9**9**9``) is refused
before it is done.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from koubai.language import UserError, Words, unknown

if TYPE_CHECKING:
    import sympy

LONGEST = 200  # characters
DEEPEST = 25  # brackets and operations inside one another
LARGEST = 10**6  # number in a formula; smallest is one over it
STEEPEST = 100  # exponent
DIGITS = 150  # of a number worked out on the way
TERMS = 1000  # parts of an expression worked out on the way
PRECISION = 50  # digits of numeric values
HUGE = 1e30  # a numeric value on the way

CONSTANTS = ("pi", "e")
FUNCTIONS = (
    "exp", "log", "ln", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh", "erf",
    "abs", "sigmoid", "relu", "softplus",
)  # fmt: skip
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}  # full-width letters and signs as plain ones
OPERATIONS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


@dataclass(frozen=True)
class Formula:
    """A formula that was read: its text, its tree, the variables in it, and its own name where it was written ``t = ...``."""

    text: str
    tree: ast.expr
    variables: tuple[str, ...]
    name: str | None = None

    def symbolic(self, values: Mapping[str, sympy.Expr] | None = None) -> sympy.Expr:
        """The formula in sympy, its variables real symbols or ``values``. Raises ``UserError`` where it leaves all bounds."""
        import sympy

        names = {name: symbol(name) for name in self.variables} | dict(values or {})
        names |= {"pi": sympy.pi, "e": sympy.E}

        def number(value: float) -> sympy.Expr:
            return sympy.Rational(repr(value))

        def bounded(node: ast.expr, value: sympy.Expr | None) -> sympy.Expr:
            if value is None:
                raise self.wrong(node, f"an exponent is beyond {STEEPEST}", f"指数の大きさが {STEEPEST} を超えます")
            if not has_value(value):
                raise self.wrong(node, "divides by zero or has no value", "0での割り算など、値のない式です")
            if not small(value):
                raise self.wrong(node, "grows beyond what can be worked out", "計算できる大きさを超えます")
            return value

        def power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr | None:
            return base**exponent if tame(exponent) else None

        functions = {**symbolic_functions(), "exp": lambda u: power(sympy.E, u)}
        return _walk(self.tree, names, functions, number, power, bounded)

    def number(self, values: Mapping[str, Any]) -> Any:
        """The formula's value to ``PRECISION`` digits. Raises ``ArithmeticError`` or ``ValueError`` where it is not real or too large."""
        from mpmath import mp, mpf

        with mp.workdps(PRECISION):
            names = {name: mpf(value) for name, value in values.items()} | {"pi": +mp.pi, "e": +mp.e}
            number = lambda value: mpf(repr(value))  # noqa: E731
            return _walk(self.tree, names, numeric_functions(), number, lambda a, b: a**b, lambda node, value: _real(value))

    def wrong(self, node: ast.expr, en: str, ja: str) -> UserError:
        """The error for a part of this formula."""
        place = node.col_offset
        if isinstance(node, ast.BinOp):  # its sign, rather than where its left side begins
            after = self.text.replace("^", "**")[node.left.end_col_offset :]
            place = (node.left.end_col_offset or 0) + len(after) - len(after.lstrip(") "))
        return _wrong(self.text, _place(self.text, place), en, ja)


def read(text: str, name: str | None = None) -> Formula:
    """The formula in ``text``. Raises ``UserError`` that names the formula and the place."""
    text = text.translate(WIDE).strip()
    if not text:
        raise UserError("A formula is empty.", "空の式があります。")
    if len(text) > LONGEST:
        raise UserError(
            f"The formula {text[:20]!r}... has {len(text)} characters; {LONGEST} are read.",
            f"式 {text[:20]!r}... は {len(text)} 文字です。上限は {LONGEST} 文字です。",
        )
    if strange := re.search(r"[^A-Za-z0-9_+\-*/^().,\s]", text) or re.search(r"[^\S ]", text):
        sign = strange.group()
        raise _wrong(text, strange.start(), f"{sign!r} means nothing in a formula", f"{sign!r} は式に使えません")
    if close := re.search(r"(?<![A-Za-z0-9_.])(\d+\.?\d*)(?=[A-Za-z(])(?![eE][-+]?\d)|\)(?=\s*[A-Za-z0-9(])", text):
        raise _wrong(text, close.end(), "write * between factors, as in 2*x", "掛け算は 2*x のように * で書いてください")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except SyntaxError as error:
        place = _place(text, (error.offset or len(text)) - 1)  # 0 where the text ends too early
        raise _wrong(text, place, "something is missing or out of place", "何かが足りないか、位置が違います") from None
    except (ValueError, MemoryError, RecursionError):
        raise _wrong(text, 0, "it cannot be read", "読み取れません") from None
    formula = Formula(text, tree, (), name)
    variables: dict[str, None] = {}
    _check(formula, tree, variables, 0)
    return Formula(text, tree, tuple(variables), name)


def define(text: str) -> Formula:
    """The formula in ``NAME = FORMULA``. Raises ``UserError``."""
    left, sign, right = text.translate(WIDE).partition("=")
    if not sign:
        raise UserError(
            f"{text[:60]!r} names nothing; write it as NAME = FORMULA, as in t = x + y.",
            f"{text[:60]!r} には名前がありません。t = x + y のように「名前 = 式」で書いてください。",
        )
    return read(right, named(left))


def named(text: str) -> str:
    """The name of a variable. Raises ``UserError`` for what is none, or is taken by a constant or a function."""
    name = text.translate(WIDE).strip()
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name[:30]!r} is no name for a variable; use a letter, then letters and digits (20 at most).",
            f"{name[:30]!r} は変数名に使えません。英字で始まる20文字以内の英数字にしてください。",
        )
    if name in CONSTANTS or name in FUNCTIONS:
        raise UserError(
            f"{name} already means something in formulas; choose another name.", f"{name} は式の中で別の意味を持ちます。"
        )
    return name


@cache
def symbol(name: str) -> sympy.Symbol:
    """The real symbol of a name."""
    import sympy

    return sympy.Symbol(name, real=True)


def shown(expression: sympy.Expr | Formula) -> str:
    """An expression, or a formula as it was typed, on one line as people write it: ``2(x + y)``, ``x²·cos(x)``."""
    text = ast.unparse(expression.tree) if isinstance(expression, Formula) else str(expression)
    text = re.sub(r" ?\*\* ?", "**", text).replace(" * ", "*")
    text = re.sub(r"\*\*(\d+)\b(?!\.|\*\*)", lambda power: power[1].translate(RAISED), text)
    text = re.sub(r"(?<![\w.)])(\d+)\*(?=[A-Za-z(])(?!\*)", r"\1", text)
    return text.replace("**", "^").replace("*", "·").replace("Abs(", "abs(")


RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    numbers = exponent.atoms(_sympy().Rational)
    return all(abs(n.p) <= STEEPEST * n.q * slack and n.q <= LARGEST for n in numbers)


def _sympy() -> Any:
    import sympy

    return sympy


def _check(formula: Formula, node: ast.expr, variables: dict[str, None], depth: int) -> None:
    """Refuse every node that is not on the list; note the variables."""
    if depth > DEEPEST:
        raise formula.wrong(node, "too much stands inside one another", "入れ子が深すぎます")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not (value == 0 or 1 / LARGEST <= abs(value) <= LARGEST):
                raise formula.wrong(node, "numbers go from 1e-6 to 1e6", "数は 1e-6 から 1e6 までです")
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise formula.wrong(node, f"{name} needs its argument, as in {name}(x)", f"{name}(x) のように引数が必要です")
            if name not in CONSTANTS:
                if not NAME.fullmatch(name):
                    raise formula.wrong(node, f"{name[:30]!r} is no name for a variable", f"{name[:30]!r} は変数名に使えません")
                variables[name] = None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(formula, operand, variables, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATIONS):
            _check(formula, left, variables, depth + 1)
            _check(formula, right, variables, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            if name not in FUNCTIONS:
                error = unknown(Words("function", "関数"), name, FUNCTIONS)
                raise formula.wrong(node, error.words.en.rstrip("."), error.words.ja.rstrip("。"))
            _check(formula, argument, variables, depth + 1)
        case _:
            raise formula.wrong(
                node,
                "only numbers, variables, + - * / ^ and functions of one argument are understood",
                "使えるのは数、変数、+ - * / ^、1引数の関数だけです",
            )


def _walk(
    node: ast.expr,
    names: Mapping[str, Any],
    functions: Mapping[str, Callable[[Any], Any]],
    number: Callable[[float], Any],
    power: Callable[[Any, Any], Any],
    checked: Callable[[ast.expr, Any], Any],
) -> Any:
    """Build a checked tree's value from its leaves, in whatever arithmetic it is given."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as constant):
                return number(constant)
            case ast.Name(id=name):
                return names[name]
            case ast.UnaryOp(op=op, operand=operand):
                return checked(node, -value(operand) if isinstance(op, ast.USub) else value(operand))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return checked(node, functions[name](value(argument)))
            case ast.BinOp(left=left, op=op, right=right):
                a, b = value(left), value(right)
                match op:
                    case ast.Add():
                        return checked(node, a + b)
                    case ast.Sub():
                        return checked(node, a - b)
                    case ast.Mult():
                        return checked(node, a * b)
                    case ast.Div():
                        return checked(node, a / b)
                return checked(node, power(a, b))
        raise AssertionError(ast.dump(node))

    return value(node)


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
            return _real(mp.fsum(over) if part.is_Add else mp.fprod(over))
        if part.is_Pow:
            return _real(over[0] ** over[1])
        if part.is_Function and part.func.__name__ in functions:
            return _real(functions[part.func.__name__](*over))
        raise ValueError(f"no real number: {part}")

    with mp.workdps(PRECISION):
        return float(value(expression))


def _real(value: Any) -> Any:
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


def _place(text: str, place: int) -> int:
    """Where a place in the rewritten text (each ``^`` two characters) is in the typed one."""
    for k, sign in enumerate(text):
        if place <= k:
            return k
        place -= sign == "^"
    return max(len(text) - 1, 0)


def _wrong(text: str, place: int, en: str, ja: str) -> UserError:
    short = text if len(text) <= 60 else text[:57] + "..."
    return UserError(f"The formula {short!r}, at character {place + 1}: {en}.", f"式 {short!r} の {place + 1} 文字目: {ja}。")
