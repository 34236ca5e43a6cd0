"""Start: what this is, three things to try, and what became of the notes' claims."""

from __future__ import annotations

from koubai.language import Words
from koubai.store import Store
from koubai.web.shell import put


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Why does a network not train? See where the gradient goes.", "なぜ学習が進まないのか。勾配の行方を見る。"))
