"""Play: build networks, watch them train side by side."""

from __future__ import annotations

from koubai.language import Words
from koubai.store import Store
from koubai.web.shell import put


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Play", "実験する"))
