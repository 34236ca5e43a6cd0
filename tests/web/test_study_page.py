"""A study's page: what it hands over."""

from __future__ import annotations

from pathlib import Path

import pytest

from koubai.store import Store
from koubai.web import study


def test_what_a_page_has_made_is_fetched_once_and_then_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "zipped", lambda *_: ("now.zip", b""))
    monkeypatch.setitem(study._made, ("id", "best", True), ("before.zip", b""))
    given = [study.download(Store(tmp_path), "id", "best", onnx)[0] for onnx in (False, True, True)]
    assert given == ["now.zip", "before.zip", "now.zip"]
