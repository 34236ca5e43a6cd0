"""What the tests of the readers share: what is in a set, and the sentence with which one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from koubai.data import load
from koubai.data.dataset import read
from koubai.data.found import Found
from koubai.language import UserError
from koubai.spec import Data


def look(path: Path, **more: Any) -> Found:
    return read(Data(name=str(path), **more))


def refused(path: Path | str, **more: Any) -> str:
    """In English; it is one of a line in both languages."""
    with pytest.raises(UserError) as caught:
        load(Data(name=str(path), **more))
    words = caught.value.words
    assert all("\n" not in text and len(text) < 600 for text in words)
    assert words.en.endswith(".") and words.ja.endswith("。") and any("ぁ" <= letter <= "ヿ" for letter in words.ja)
    return words.en
