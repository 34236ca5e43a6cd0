"""Runs: every study in the store."""

from __future__ import annotations

from koubai.language import Words
from koubai.store import Store
from koubai.web.shell import put


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Runs", "記録"))
