"""The chain rule, symbolically, step by step, as the notes write it down; and checked by finite differences.

>>> for line in differentiate("t**2", ["t = x + y"], "x").lines()[2:7]:
...     print(line.en)
dz/dt = 2t
dt/dx = 1
dz/dx = dz/dt · dt/dx
      = 2t · 1
      = 2t
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from koubai.arithmetic import PRECISION, evaluate, has_value, small
from koubai.formulas import Formula, define, named, read, shown, symbol
from koubai.language import UserError, Words, say, unknown

if TYPE_CHECKING:
    import sympy

MOST = 8  # inner formulas
WAYS = 12  # from the outermost variable to the one asked for
POINTS = 3  # at which the result is checked
CLOSE = 1e-6  # relative to the derivative's own size


@dataclass(frozen=True)
class Check:
    """The derivative at one point: by the result, and measured by finite differences of the formulas themselves."""

    point: Mapping[str, float]
    exact: float
    measured: float

    @property
    def agrees(self) -> bool:
        """Whether the two are the same, to a millionth."""
        return abs(self.exact - self.measured) <= CLOSE * max(1.0, abs(self.exact))


@dataclass(frozen=True)
class Derivation:
    """The derivative ``result`` of the outermost formula by a variable, and how the chain rule got there.

    ``formulas`` are the formulas as given, outermost first; ``steps`` the derivatives, each a name and the forms it takes in turn.
    """

    formulas: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    result: sympy.Expr
    checks: tuple[Check, ...]

    def lines(self) -> list[Words]:
        """The working, a line each."""
        lines = [*self.formulas]
        for name, forms in self.steps:
            lines += [f"{name if not k else ' ' * len(name)} = {form}" for k, form in enumerate(forms)]
        return [Words(line, line) for line in lines] + self._about()

    def _about(self) -> list[Words]:
        """What stands below the working: the odd functions in it, and the checks."""
        found = [
            ("step", Words("step(u) is 1 for u > 0, else 0.", "step(u) は u > 0 で1、それ以外で0。")),
            ("sign", Words("sign(u) is 1, 0 or -1 as u is positive, 0 or negative.", "sign(u) は u の符号(1, 0, -1)。")),
        ]
        lines = [words for name, words in found if any(f"{name}(" in form for _, forms in self.steps for form in forms)]
        for check in self.checks:
            point = ", ".join(f"{name} = {value:g}" for name, value in check.point.items()) or "x"
            same = Words("agrees", "一致") if check.agrees else Words("DOES NOT AGREE", "一致しません")
            lines.append(
                Words(
                    f"Check at {point}: {check.exact:.6g}; by finite differences {check.measured:.6g}: {same.en}.",
                    f"検算 {point}: {check.exact:.6g}、差分では {check.measured:.6g}({same.ja})。",
                )
            )
        if not self.checks:
            lines.append(
                Words("Not checked: too steep or too kinked to measure.", "検算できません(傾きが急すぎるか、角があります)。")
            )
        return lines


def show(outer: str, inners: Sequence[str], wrt: str) -> None:
    """Print the working, in the language in force. Raises ``UserError``."""
    for line in differentiate(outer, inners, wrt).lines():
        print(say(line))


def differentiate(outer: str, inners: Sequence[str], wrt: str) -> Derivation:
    """The derivative of ``outer`` (``"t**2"`` or ``"z = t**2"``) by the variable ``wrt``, through ``inners`` (``"t = x + y"``).

    The inner formulas may use one another, in any order. Raises ``UserError`` that names the formula and the place.
    """
    last, formulas = _read(outer, inners)
    wrt = named(wrt)
    known = {name for formula in formulas.values() for name in formula.variables}
    if not known:
        raise UserError("There is no variable in these formulas.", "これらの式には変数がありません。")
    if wrt not in known or wrt == last:
        raise unknown(Words("variable", "変数"), wrt, sorted(known - {last}))
    formulas.pop(wrt, None)  # by a variable that has a formula of its own: that formula is left aside
    order = _order(formulas, last)
    points = _points(formulas, order)  # before any symbol is touched: what is too large for numbers is not worked out
    values: dict[str, sympy.Expr] = {}
    for name in order:
        values[name] = formulas[name].symbolic(values)
    ways = list(_ways(formulas, last, wrt))
    if not ways:
        raise UserError(
            f"{last} does not depend on {wrt} through these formulas.", f"これらの式では、{last} は {wrt} に依存しません。"
        )
    if len(ways) > WAYS:
        raise UserError(
            f"There are {len(ways)} ways from {last} to {wrt} through these formulas; at most {WAYS} are worked out.",
            f"{last} から {wrt} への経路が {len(ways)} 通りあります。扱えるのは {WAYS} 通りまでです。",
        )
    edges = {edge: None for way in ways for edge in pairwise(way)}
    names, slopes = {}, {}
    for name, by in edges:
        sign = "∂" if sum(edge[0] == name for edge in edges) > 1 else "d"
        names[name, by] = f"{sign}{name}/{sign}{by}"
        slopes[name, by] = _held(formulas[name], formulas[name].symbolic().diff(symbol(by)))
    whole = symbol(last) * 0
    for way in ways:
        product = symbol(last) ** 0
        for edge in pairwise(way):
            product = _held(formulas[last], product * slopes[edge])
        whole = _held(formulas[last], whole + product)
    result = _tidy(_held(formulas[last], whole.xreplace({symbol(name): value for name, value in values.items()})))
    steps: list[tuple[str, tuple[str, ...]]] = [(names[edge], (shown(_tidy(slopes[edge])),)) for edge in edges]
    products = [" · ".join(names[edge] for edge in pairwise(way)) for way in ways]
    filled = [" · ".join(_factor(slopes[edge], len(way)) for edge in pairwise(way)) for way in ways]
    forms = [" + ".join(products), " + ".join(filled), shown(_tidy(whole)), shown(result)]
    if edges.keys() == {(last, wrt)}:  # nothing between them: the one step is all
        forms = forms[2:]
        steps.clear()
    steps.append((f"d{last}/d{wrt}", tuple(dict.fromkeys(form for form in forms if form))))
    written = tuple(f"{name} = {shown(formulas[name])}" for name in reversed(order))
    checks = islice(_checks(formulas, order, wrt, result, points), POINTS)
    return Derivation(written, tuple(steps), result, tuple(checks))


def _read(outer: str, inners: Sequence[str]) -> tuple[str, dict[str, Formula]]:
    """All formulas by name, and the outermost one's name: its own, or the first letter that is free."""
    if len(inners) > MOST:
        raise UserError(f"{len(inners)} inner formulas are too many; take {MOST} at most.", f"内側の式は {MOST} 個までです。")
    formulas: dict[str, Formula] = {}
    for text in inners:
        formula = define(text)
        assert formula.name
        if formula.name in formulas:
            raise UserError(f"{formula.name} is defined twice.", f"{formula.name} の式が2つあります。")
        formulas[formula.name] = formula
    top = define(outer) if "=" in outer or "＝" in outer else read(outer)
    used = {*formulas, *top.variables, *(name for formula in formulas.values() for name in formula.variables)}
    last = top.name or next(name for name in (*"zwfvpq", *(f"z{k}" for k in range(100))) if name not in used)
    if last in formulas:
        raise UserError(f"{last} is defined twice.", f"{last} の式が2つあります。")
    return last, {**formulas, last: top}


def _order(formulas: Mapping[str, Formula], last: str) -> list[str]:
    """The formulas that ``last`` needs, each after those it uses."""
    used = {name: [by for by in formula.variables if by in formulas] for name, formula in formulas.items()}
    try:
        order = list(TopologicalSorter(used).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise UserError(f"The formulas go round in a circle: {circle}.", f"式が循環しています: {circle}。") from None
    needed = {last}
    for name in reversed(order):
        needed.update(used[name] if name in needed else ())
    return [name for name in order if name in needed]


def _ways(formulas: Mapping[str, Formula], name: str, wrt: str) -> Iterator[tuple[str, ...]]:
    """Every way from ``name`` down to ``wrt``."""
    if name == wrt:
        yield (name,)
    elif name in formulas:
        for by in formulas[name].variables:
            for rest in _ways(formulas, by, wrt):
                yield (name, *rest)


def _held(formula: Formula, value: sympy.Expr) -> sympy.Expr:
    """``value``, unless there is none or it has grown out of bounds."""
    if not has_value(value):
        raise UserError(f"The derivative of {formula.text!r} has no value.", f"{formula.text!r} の導関数には値がありません。")
    if not small(value):
        raise UserError(
            f"The derivative of {formula.text!r} is too long to work out; take simpler formulas.",
            f"{formula.text!r} の導関数が長くなりすぎます。もっと簡単な式にしてください。",
        )
    return value


def _tidy(expression: sympy.Expr) -> sympy.Expr:
    """Common factors taken out where that is shorter: ``2(x + y)`` rather than ``2x + 2y``."""
    import sympy

    return min(sympy.factor_terms(expression), expression, key=sympy.count_ops)


def _factor(expression: sympy.Expr, among: int) -> str:
    """An expression as it stands in a product of ``among - 1`` factors."""
    text = shown(_tidy(expression))
    return f"({text})" if among > 2 and (_tidy(expression).is_Add or text.startswith("-")) else text


def _value(formulas: Mapping[str, Formula], order: Sequence[str], point: Mapping[str, Any]) -> Any:
    """The outermost formula's value at a point, in numbers. Raises ``ArithmeticError`` or ``ValueError`` where it has none."""
    values = dict(point)
    for name in order:
        values[name] = formulas[name].number(values)
    return values[order[-1]]


def _points(formulas: Mapping[str, Formula], order: Sequence[str]) -> list[dict[str, float]]:
    """Points, always the same ones, where all formulas have a value. Raises ``UserError`` where none is found."""
    free = sorted({by for name in order for by in formulas[name].variables} - {*order})
    draw, points = random.Random(0), []
    for low, high in ((-2, 2), (0.1, 3), (1, 10), (1, 1000)):
        for _ in range(20):
            point = {name: round(draw.uniform(low, high), 2) for name in free}
            with suppress(ArithmeticError, ValueError):
                _value(formulas, order, point)
                points.append(point)
    if not points:
        text = formulas[order[-1]].text
        raise UserError(
            f"{text!r} is not real, or too large a number, at every point that was tried.",
            f"{text!r} は試したどの点でも、実数にならないか、大きすぎます。",
        )
    return points


def _checks(
    formulas: Mapping[str, Formula], order: Sequence[str], wrt: str, result: sympy.Expr, points: Iterable[dict[str, float]]
) -> Iterator[Check]:
    """The result against finite differences, at points where the formulas are smooth."""
    for point in points:
        with suppress(ArithmeticError, ValueError):
            measured = slope(lambda moved, at=point: _value(formulas, order, {**at, wrt: at[wrt] + moved}))  # type: ignore[misc]
            if measured is not None:
                yield Check(point, evaluate(result, point), measured)


def slope(function: Callable[[Any], Any]) -> float | None:
    """The derivative of ``function`` at 0 by finite differences over ever smaller steps; ``None`` where they do not settle.

    ``function`` works in many digits, so that the smallest step is far above the rounding. It has a kink where left and right differ.
    """
    from mpmath import mp

    with mp.workdps(PRECISION):
        estimates = []
        for h in (mp.mpf(10) ** -k for k in (6, 9, 12)):
            ahead, here, behind = function(h), function(0), function(-h)
            estimates.append([(ahead - here) / h, (ahead - behind) / (2 * h), (here - behind) / h])
    right, middle, left = estimates[-1]
    tolerance = CLOSE / 10 * max(1, abs(middle))
    settled = abs(middle - estimates[-2][1]) <= tolerance and abs(right - left) <= tolerance
    return float(middle) if settled else None
