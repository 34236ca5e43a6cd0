"""Files of studies of any content: a study, or one sentence, and soon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from koubai.caution import confirm
from koubai.laboratory import to_train
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from tests.bounds import bounded
from tests.data.test_fuzz import damages

pytest.importorskip("resource")  # which Windows lacks

EXAMPLE = (Path(__file__).parent.parent / "examples" / "my-study.toml").read_bytes()
NUMBERS = st.sampled_from(
    [
        "0",
        "1",
        "-1",
        "2",
        "100",
        "1000000",
        "1e30",
        "-0.0",
        "nan",
        "inf",
        "-inf",
        "1e-45",
        "9" * 30,
        "9" * 5000,
        "true",
        "0x10",
        "1_000",
    ]
)
LONG = '"a' + "b" * 2000 + '"'
TEXTS = st.sampled_from(
    [
        '""',
        '"digits"',
        '"moons"',
        '"relu"',
        '"adam"',
        '"none"',
        '"cosine"',
        '"../../etc"',
        '"\\u0000"',
        '"‮שלום"',
        '"<script>"',
        LONG,
    ]
)
VALUES = st.recursive(
    NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda values: "[" + ", ".join(values) + "]")
        | st.dictionaries(st.sampled_from(["name", "momentum", "samples", "x", "size", "drop"]), inner, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"
        )
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from([*Trial.model_fields, "data.name", "optimizer.momentum", "lr", '"a b"', "勾配", "layers.0", "steps.x"])
LINES = st.builds("{} = {}".format, FIELDS, VALUES)
PARTS = st.builds(
    lambda head, lines: "\n".join([head, *lines]),
    st.sampled_from(["[base]", "[axes]", "[[zip]]", "[zip]", "[base.optimizer]", "name = 3", 'name = "x"', "[other]", ""]),
    st.lists(LINES, max_size=4),
)


def read(content: bytes) -> None:
    """As ``koubai study`` reads it, up to the point where training begins."""
    with bounded():
        text = content.decode("utf-8-sig", errors="replace")
        study = Study.from_toml(text, "own.toml")
        confirm(study, yes=False)
        assert Study.from_toml(study.to_toml()).id == study.id
        if len(study) <= 200:
            to_train(study.trials, Store("nowhere"), fresh=True)


@given(damages())
def test_the_example_damaged_at_random(damage: Callable[[bytes], bytes]) -> None:
    read(damage(EXAMPLE))


@given(st.lists(PARTS, max_size=4))
def test_files_written_at_random(parts: list[str]) -> None:
    read("\n".join(parts).encode())


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_files_of_any_bytes(content: bytes) -> None:
    read(content)
