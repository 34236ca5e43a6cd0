"""How commands print: tables as wide as they are, and sentences folded to the terminal, Japanese ones too."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from koubai.language import harmless

if TYPE_CHECKING:
    from rich.console import Console

LEAST = 24  # letters of a sentence on a line, however narrow the terminal
FULL = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"  # letters between which Japanese may be broken
PIECE = re.compile(  # what stays on one line: an opening bracket with what follows it, a full stop with what is before it
    rf"[「『(（\[]*(?:[{FULL}]|[^\s{FULL}「『]+)[、。，．」』)）\]々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ！？：；…]*|\s+"
)


def console() -> Console:
    """Where texts go: as wide as the terminal, 120 letters elsewhere. What it is given to print is made ``harmless``."""
    from rich.console import Console
    from rich.text import Text

    class Harmless(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(harmless(text), **options)

    return Harmless(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def put_json(found: object) -> None:
    """Print for other programs: letters that the output's encoding does not have are escaped, not lost."""
    plain = json.dumps(found, ensure_ascii=False, indent=1)
    try:
        plain.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        plain = json.dumps(found, indent=1)
    print(plain)


class Table:
    """A table without lines: the columns ``left``, which are words, stand to the left, the others, which are numbers, to the right.

    Without heads, none are printed.
    """

    def __init__(self, *heads: str, left: Collection[int] = (0,)) -> None:
        self.heads, self.left = heads, left
        self.rows: list[Sequence[str]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row; what is lacking at its end stays empty."""
        self.rows.append([harmless(cell) for cell in cells])

    def lines(self) -> list[str]:
        """The table as it is printed, as wide as it needs to be: other commands take the names in it, so none is cut."""
        from rich.cells import cell_len

        rows = [self.heads, *self.rows]
        widths = [max(map(cell_len, column)) for column in zip_longest(*rows, fillvalue="")]
        found = []
        for row in rows:
            blanks = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False)]
            cells = [
                cell + blank if k in self.left else blank + cell for k, (cell, blank) in enumerate(zip(row, blanks, strict=True))
            ]
            found.append("  ".join(cells).rstrip())
        return found


def put(shown: Table) -> None:
    """Print a table."""
    head, *lines = shown.lines()
    if shown.heads:
        console().print(head, style="bold", soft_wrap=True)
    print("\n".join(lines))


def rows(title: str, listed: Iterable[tuple[str, str]]) -> None:
    """Print a titled list of names and words."""
    from rich.cells import cell_len

    found = list(listed)
    indent = max(22, *(cell_len(name) for name, _ in found)) + 4
    console().print(title, style="bold")
    for name, words in found:
        hanging(f"  {name}", words, indent, head_style="cyan")
    print()


def hanging(head: str, words: str, indent: int, style: str = "", head_style: str = "") -> None:
    """Print a sentence behind its head, and what does not fit on the line below it, equally far to the right."""
    from rich.cells import set_cell_size
    from rich.text import Text

    out = console()
    head = harmless(head)
    for line in folded(harmless(words), out.width - indent):
        out.print(Text.assemble((set_cell_size(head, indent), head_style), (line, style)), soft_wrap=True)
        head = ""


def folded(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width`` cells (``LEAST`` where that is fewer), of which a Japanese letter takes two.

    Words stay whole, and no line begins with a full stop or a closing bracket.
    """
    from rich.cells import cell_len

    lines = [""]
    for piece in PIECE.findall(text):
        if lines[-1] and cell_len(lines[-1]) + cell_len(piece.rstrip()) > max(width, LEAST):
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]
