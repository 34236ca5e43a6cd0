"""``koubai`` and ``python -m koubai``: chooses the language first, so that help speaks it too, then hands over to the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from koubai.language import Language


def asked(arguments: Sequence[str]) -> Language | None:
    """The language that ``--lang`` asks for, wherever it stands; the command line itself complains about others."""
    for word, following in pairwise([*arguments, ""]):
        name, _, value = word.partition("=")
        if name == "--lang":
            value = value or following
            return "ja" if value == "ja" else "en" if value == "en" else None
    return None


def main() -> None:
    """Run the command line on the process's arguments."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without Japanese letters shows "?", and works
    try:
        from koubai.language import speak

        speak(asked(sys.argv[1:]))
        from koubai.cli import app

        app(prog_name="koubai")
    except KeyboardInterrupt:  # Ctrl-C before there is anything to stop
        sys.exit(130)


if __name__ == "__main__":
    main()
