"""Ideas: the notes' techniques, each to be moved by hand; and their review questions."""

from __future__ import annotations

from koubai.language import Words
from koubai.store import Store
from koubai.web.shell import put


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Ideas", "しくみ"))
