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
from typing import TYPE_CHECKING, Any

from koubai.arithmetic import (
    FUNCTIONS,
    LARGEST,
    PRECISION,
    STEEPEST,
    has_value,
    numeric_functions,
    real,
    small,
    symbolic_functions,
    tame,
)  # fmt: skip
from koubai.language import UserError, Words, unknown

if TYPE_CHECKING:
    import sympy

LONGEST = 200  # characters
DEEPEST = 25  # brackets and operations inside one another
CONSTANTS = ("pi", "e")
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
            return _walk(self.tree, names, numeric_functions(), number, lambda a, b: a**b, lambda node, value: real(value))

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
