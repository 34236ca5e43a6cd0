"""How commands print: tables as wide as they are, and sentences folded to the terminal, Japanese ones too."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from koubai.language import harmless

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

LEAST = 24  # letters of a sentence on a line, however narrow the terminal
WIDEST = 400  # letters of a table's line
FULL = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"  # letters between which Japanese may be broken
PIECE = re.compile(  # what stays on one line: an opening bracket with what follows it, a full stop with what is before it
    rf"[「『(（\[]*(?:[{FULL}]|[^\s{FULL}「『]+)[、。，．」』)）\]々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ！？：；…]*|\s+"
)


def console(width: int | None = None) -> Console:
    """Where texts go: as wide as the terminal, 120 letters elsewhere. What it is given to print is made ``harmless``."""
    from rich.console import Console
    from rich.text import Text

    class Harmless(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(harmless(text), **options)

    return Harmless(highlight=False, markup=False, width=width or (None if sys.stdout.isatty() else 120))


def table(*heads: str) -> Table:
    """A table without lines: the first column names, the others are numbers."""
    from rich.table import Table

    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        made.add_column(head, justify="left" if not made.columns else "right", no_wrap=True)
    return made


def put(shown: RenderableType) -> None:
    """Print a table as wide as it is: other commands take the names in it, so a narrow terminal must not cut them."""
    out = console(WIDEST)
    with out.capture() as caught:
        out.print(shown)
    print(re.sub(r" +$", "", caught.get(), flags=re.M), end="")


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
    for line in folded(words, out.width - indent):
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
