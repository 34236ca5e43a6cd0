"""A study goes into an address and comes back the same."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from koubai.experiments.catalogue import EXERCISES
from koubai.language import UserError
from koubai.study import Study
from koubai.web.address import play, study_in

STUDIES = [one.runs for one in EXERCISES.values() if isinstance(one.runs, Study)]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_exercise_comes_back_the_same(study: Study) -> None:
    address = urlsplit(play(study))
    assert address.path == "/play" and not address.netloc
    back = study_in(parse_qs(address.query)["study"][0])
    assert back.trials == study.trials and back.axes.keys() == study.axes.keys()


@pytest.mark.parametrize(
    "text", ["", "[]", "1", "{", "nonsense", '{"base": 3}', '{"base": {"layers": [-1]}}', '{"bass": {}}', "[" * 100_000]
)
def test_what_is_no_study_says_so(text: str) -> None:
    with pytest.raises(UserError):
        study_in(text)
