"""A study goes into an address and comes back the same."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from koubai.experiments.catalogue import EXERCISES
from koubai.language import UserError
from koubai.store import Store
from koubai.study import Study
from koubai.web.address import MOST, play, study_in

SEEDS = '{"axes": {"seed": 257}}'
STORE = Store("nowhere/store")
STUDIES = [one.runs for one in EXERCISES.values() if isinstance(one.runs, Study) and len(one.runs) <= MOST]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_exercise_comes_back_the_same(study: Study) -> None:
    address = urlsplit(play(study))
    assert address.path == "/play" and not address.netloc
    back = study_in(parse_qs(address.query)["study"][0], STORE)
    assert back.trials == study.trials and back.axes.keys() == study.axes.keys()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        "nonsense",
        '{"base": 3}',
        '{"base": {"layers": [-1]}}',
        '{"bass": {}}',
        "[" * 100_000,
        '{"axes": {"seed": 257}}',
    ],
)
def test_what_is_no_study_says_so(text: str) -> None:
    with pytest.raises(UserError):
        study_in(text, STORE)


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.csv", "~/.ssh", "nowhere/uploads/gone.csv", "\x00"])
def test_an_address_opens_no_file_of_this_machine(name: str) -> None:
    for table in ({"base": {"data": name}}, {"axes": {"data": ["digits", name]}}):
        with pytest.raises(UserError, match="neither built in"):
            study_in(json.dumps(table), STORE)
