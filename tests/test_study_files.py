"""Files of studies of any content: a study, or one sentence, and soon."""

from __future__ import annotations

import copy
import datetime
import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import tomli_w
from hypothesis import given

from koubai.caution import confirm
from koubai.laboratory import to_train
from koubai.language import UserError
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from tests.bounds import bounded, one_sentence
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
        "9" * 400,
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


# One value in a sound study replaced


DAYS = st.sampled_from([datetime.datetime(2026, 1, 1), datetime.date(1, 1, 1), datetime.time(23, 59)])
WHOLE = st.sampled_from([0, 1, -1, 2, 7, 10**6, 10**9 + 1, 2**63, -(2**63), 10**30, 10**400]) | st.integers()
ANY = st.recursive(
    st.booleans() | WHOLE | st.floats() | st.sampled_from(["", "0.1", "5", "true", "nan", "relu", "moons", "\0", "a" * 2000])
    | st.text(max_size=8) | DAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "momentum", "x", "size", ""]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
SOUND: dict[str, Any] = {
    "name": "sound",
    "stop": "diagnosis",
    "base": {
        "data": {"name": "moons", "samples": 60, "validation": 0.5, "split": 1, "standardize": True, "missing": "mean", "balance": False},
        "layers": [4, "batchnorm", "relu", "dropout 0.5", 3],
        "activation": {"name": "leaky_relu", "negative_slope": 0.1},
        "initializer": {"name": "normal", "std": 0.1},
        "optimizer": {"name": "momentum", "momentum": 0.5},
        "learning_rate": 0.1,
        "schedule": "cosine",
        "layer_rates": [1.0, 0.5, 2],
        "batch_norm": "before",
        "penalty": {"name": "l2", "strength": 0.01},
        "dropout": 0.1,
        "batch_size": 10,
        "steps": 20,
        "seed": 3,
        "dtype": "float64",
    },
    "axes": {"optimizer.momentum": [0.1, 0.9], "seed": 2, "activation": ["relu", {"name": "leaky_relu", "negative_slope": 0.3}]},
    "zip": [{"steps": [10, 20], "batch_size": [5, 6]}, {"data.split": [1, 2], "layers": [[4, 3], ["dense 4", 3]]}],
}  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a table, tables and lists themselves among them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places_in(one, (*path, key))


def with_value(path: Sequence[Any], value: Any) -> dict[str, Any]:
    """The sound study with another value in one place."""
    study = copy.deepcopy(SOUND)
    place: Any = study
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return study


def test_the_sound_study_is_one() -> None:
    assert len(Study(**SOUND).trials) == 32


@given(st.sampled_from(list(places_in(SOUND))), ANY)
def test_any_value_in_any_place_of_a_study(path: tuple[Any, ...], value: Any) -> None:
    """From TOML, and as Python's own tables."""
    study = with_value(path, value)
    read(tomli_w.dumps(study).encode())
    with bounded():
        Study(**study)


NUMERIC = [
    path
    for path in places_in(SOUND)
    if isinstance(value := functools.reduce(operator.getitem, path, SOUND), int | float) and not isinstance(value, bool)
]


@pytest.mark.parametrize(
    "value", [True, False, "1", "0.5", b"1", np.True_, None, [], [1], {}, math.nan, math.inf, -math.inf, 1j, 10**400]
)
@pytest.mark.parametrize("path", NUMERIC, ids=lambda path: ".".join(map(str, path)))
def test_what_is_no_number_is_not_taken_for_one(path: tuple[Any, ...], value: Any) -> None:
    """Least of all true, which Python calls 1."""
    if (path, value) in [(("axes", "seed"), [1]), (("base", "data", "samples"), None)]:
        return  # a seed; all samples
    with pytest.raises(UserError) as caught:
        Study(**with_value(path, value))
    one_sentence(caught.value)


@pytest.mark.parametrize("value", [1, 0, "true", "yes", 1.0, None])
@pytest.mark.parametrize("field", ["standardize", "balance"])
def test_truth_is_true_or_false(field: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"{field} must be true or false"):
        Study(**with_value(("base", "data", field), value))


@pytest.mark.parametrize("path", [("base", "layers"), ("base", "layer_rates"), ("base", "augment"), ("axes", "seed")])
def test_a_set_has_no_order(path: tuple[Any, ...]) -> None:
    with pytest.raises(UserError, match="must be a list"):
        Study(**with_value(path, {1, 2}))


def test_numbers_of_numpy_are_numbers() -> None:
    one = Study(**with_value(("base", "learning_rate"), np.float32(0.5)))
    assert one.base.learning_rate == 0.5 and Study(**with_value(("axes", "seed"), np.int64(3))).axes["seed"] == (0, 1, 2)
    assert Trial(layers=[np.int64(5)], steps=np.int32(7)) == Trial(layers=[5], steps=7)


def test_minus_zero_is_zero_and_a_value_twice_is_one() -> None:
    study = Study(axes={"learning_rate": [-0.0, 0.0, 0]})
    assert len(study) == 3 and len(study.trials) == 1 and Trial(learning_rate=-0.0).id == Trial(learning_rate=0).id


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seeds", "true"),
        ("--steps", "1e3"),
        ("--seeds", "9" * 5000),
        ("--steps", "nan"),
        ("--seeds", "0"),
        ("--steps", "-5"),
        ("--width", "0.5"),
    ],
)
def test_the_shell_takes_no_other_values(command: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    ended = command("run", "vanishing-gradient", *arguments)
    assert ended.code == 2 and "Traceback" not in ended.err and len(ended.err) < 1500
    assert not Path("koubai-out").exists()
