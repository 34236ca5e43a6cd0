"""Small arrays as tables of numbers, shaded by value, with a window on them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from nicegui import ui

from koubai.language import Words, say
from koubai.web.shell import put

Cell = tuple[int, int]


class Grid:
    """An array as a table under its name; ``show`` puts another in its place."""

    def __init__(self, scroll: bool = False) -> None:
        with put("figure", classes="grid" + " scroll" * scroll, tabindex="0" if scroll else None):
            self._name = put("figcaption", "")
            self._table = ui.html("", sanitize=False)  # of escaped numbers

    def show(self, name: Words | str, values: np.ndarray, **options: Any) -> None:
        """Show ``values`` ``[row, column]``; ``options`` are those of ``table``."""
        self._name.text = say(name) if isinstance(name, Words) else name
        self._table.set_content(str(table(values, label=self._name.text, **options)))


def table(
    values: np.ndarray,
    label: str,
    lit: Collection[Cell] = (),
    marked: Collection[Cell] = (),
    pale: Collection[Cell] = (),
    heads: Collection[str] = (),
    written: Callable[[float], str] = lambda value: f"{value:.2g}",
) -> Markup:
    """An array as HTML. ``lit`` cells stand under the window, ``marked`` ones are meant, ``pale`` ones pad; NaN is not known yet."""
    finite = values[np.isfinite(values)]
    most = float(np.abs(finite).max()) if finite.size else 1.0
    rows = []
    for i, row in enumerate(values):
        cells = [Markup('<th scope="row">{}</th>').format(list(heads)[i])] if heads else []
        for j, value in enumerate(row):
            known = bool(np.isfinite(value))
            classes = [name for name, chosen in (("lit", lit), ("marked", marked), ("pale", pale)) if (i, j) in chosen]
            classes.append("minus" if known and value < 0 else "plus")
            share = abs(float(value)) / (most or 1.0) if known else 0.0
            text = written(float(value)) if known else ""
            cells.append(Markup('<td class="{}" style="--p:{}">{}</td>').format(" ".join(classes), f"{share:.2f}", text))
        rows.append(Markup("<tr>{}</tr>").format(Markup("").join(cells)))
    return Markup('<table aria-label="{}"><tbody>{}</tbody></table>').format(escape(label), Markup("").join(rows))


def window(row: int, column: int, height: int, width: int) -> set[Cell]:
    """The cells of a window whose first is at ``(row, column)``."""
    return {(row + i, column + j) for i in range(height) for j in range(width)}


def border(height: int, width: int, padding: int) -> set[Cell]:
    """The cells that padding puts around an image."""
    inside = window(padding, padding, height, width)
    return {cell for cell in window(0, 0, height + 2 * padding, width + 2 * padding) if cell not in inside}
