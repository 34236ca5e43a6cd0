"""What a visitor moves: the browser's own controls, labelled, so that keyboard and screen reader work as everywhere.

Each takes a label, a value and ``changed``, which is called with the new value (and may be asynchronous). Each gives a function that sets
its value from the server's side, without calling ``changed``. What stands in a control is the browser's: the server gives it a first value
(an attribute, which ``^`` makes of what Vue would hold on to, and put back whenever it draws anything), and else only hears.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from nicegui.events import GenericEventArguments

from koubai.language import Words
from koubai.web.shell import Put, put

T = TypeVar("T")
Changed = Callable[[T], Any]
VALUE = "(e) => emit(e.target.value)"
LONGEST = 200  # letters of a line
PLAIN = {"spellcheck": "false", "autocomplete": "off"}


def setting(
    state: object, then: Callable[[], Any], name: str, made: Callable[[Any], Any] = lambda value: value
) -> Callable[[Any], Any]:
    """What a control may call: its new value, as ``made`` makes it, becomes ``state``'s of that name, and ``then`` is called."""

    def changed(value: Any) -> Any:
        setattr(state, name, made(value))
        return then()

    return changed


def slider(
    label: Words | str,
    low: float,
    high: float,
    step: float,
    value: float,
    changed: Changed[float],
    shown: Callable[[float], str] = lambda value: f"{value:g}",
) -> Callable[[float], None]:
    """A slider from ``low`` to ``high``, its value beside its name as ``shown`` writes it."""
    with put("label", classes="slider"):
        with put("span", classes="name"):
            put("span", label)
            out = put("span", shown(value), "value")
        knob = put("input", type="range", min=f"{low:g}", max=f"{high:g}", step=f"{step:g}")
    _first(knob, f"{value:g}")

    def moved(event: GenericEventArguments) -> Any:
        given = _number(event.args, low, high)
        if given is None:
            return None
        out.text = shown(given)
        return changed(given)

    def set_to(value: float) -> None:
        _set(knob, f"{value:g}")
        out.text = shown(value)

    knob.on("input", moved, throttle=0.1, js_handler=VALUE)
    return set_to


def number(
    label: Words | str, low: float, high: float, value: float, changed: Changed[float], step: float | None = None
) -> Callable[[float], None]:
    """A field for a number from ``low`` to ``high``, whole where ``step`` is 1, heard when it is finished; what is none changes nothing."""
    about = {"min": f"{low:g}", "max": f"{high:g}", "step": f"{step:g}" if step else "any"}
    field = _field(label, written(value), type="number", **about)
    held = value

    def typed(event: GenericEventArguments) -> Any:
        given = _number(event.args, low, high)
        if given is None:
            _set(field, written(held))
            return None
        if step == 1:
            given = float(round(given))
        if given != float(event.args):
            _set(field, written(given))
        return changed(hold(given))

    def hold(value: float) -> float:
        nonlocal held
        held = value
        return value

    field.on("change", typed, js_handler=VALUE)
    return lambda value: _set(field, written(hold(value)))


def written(value: float) -> str:
    """A number as a field shows it."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def choice(
    label: Words | str, options: Mapping[str, Words | str] | Sequence[str], value: str, changed: Changed[str]
) -> Callable[[str], None]:
    """A menu of ``options``: names, or names with what is shown for them."""
    named: Mapping[str, Words | str] = options if isinstance(options, Mapping) else {name: name for name in options}
    with put("label", classes="field"):
        put("span", label)
        with put("select") as menu:
            made = {name: put("option", words, value=name) for name, words in named.items()}
    made[value].props["^selected"] = True

    def chosen(event: GenericEventArguments) -> Any:
        return changed(event.args) if event.args in made else None

    menu.on("change", chosen, js_handler=VALUE)
    return lambda value: _set(menu, value)


def check(label: Words | str, value: bool, changed: Changed[bool]) -> None:
    """A box to tick."""
    with put("label", classes="check"):
        box = put("input", type="checkbox")
        put("span", label)
    box.props.set_bool("^checked", value)
    box.on("change", lambda event: changed(bool(event.args)), js_handler="(e) => emit(e.target.checked)")


def line(label: Words | str, value: str, changed: Changed[str]) -> None:
    """A field for a text on one line, which is heard when it is finished."""
    field = _field(label, value, type="text", maxlength=str(LONGEST), **PLAIN).classes("mono")
    field.on("change", lambda event: changed(str(event.args)[:LONGEST].strip()), js_handler=VALUE)


def text(
    label: Words | str, value: str, changed: Changed[str], lines: int = 1, most: int = 1000, monospaced: bool = True
) -> Callable[[str], None]:
    """A field for a text of at most ``most`` characters, on one line or several; ``changed`` is called while it is typed."""
    about = {"type": "text"} if lines == 1 else {"rows": str(lines)}
    field = _field(label, value, maxlength=str(most), **about, **PLAIN).classes("mono" if monospaced else "")
    typed: Callable[[GenericEventArguments], Any] = lambda event: changed(str(event.args)[:most])  # noqa: E731
    field.on("input", typed, throttle=0.3, leading_events=False, js_handler=VALUE)
    return lambda value: _set(field, value)


def button(words: Words | str, pressed: Callable[[], Any], classes: str = "", **properties: Any) -> Put:
    """A button; ``classes`` may be ``main`` or ``danger``. ``enabled`` switches it off and on."""
    made = put("button", words, f"button {classes}", type="button", **properties)
    made.on("click", lambda: pressed(), js_handler="() => emit()")
    return made


def enabled(one: Put, on: bool) -> None:
    """Switch a button on or off."""
    one.props.set_bool("disabled", not on)


def _field(label: Words | str, value: str, **about: str) -> Put:
    """A labelled field with its first value: of several lines where it has ``rows``."""
    with put("label", classes="field"):
        put("span", label)
        field = put("textarea" if "rows" in about else "input", **about)
    _first(field, value)
    return field


def _first(one: Put, value: str) -> None:
    """Give a control the value that it has until the visitor gives it another."""
    if one.tag == "textarea":
        one.text = value
    else:
        one.props["^value"] = value


def _set(one: Put, value: str) -> None:
    """Put a value into a control: as its first until the browser answers, so that what is typed at once is not lost."""
    if one.client.tab_id is None:
        _first(one, value)
    else:
        one.client.run_javascript(f"getHtmlElement({one.id}).value = {json.dumps(value)}")


def _number(given: Any, low: float, high: float) -> float | None:
    """What a browser sends, as a number within bounds; ``None`` for what is none."""
    with suppress(TypeError, ValueError):
        value = float(given)
        if math.isfinite(value):
            return min(max(value, low), high)
    return None
