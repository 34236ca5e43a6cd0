"""Trials: validated, frozen, hashed alike everywhere, and errors that say what to mend in both languages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from koubai.choices import Choice, choose
from koubai.language import UserError
from koubai.spec import Data, Trial
from koubai.techniques import KINDS


def numbers(kind: str, name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A technique with some of its numbers given, as a person would write it."""
    drawn = {}
    for key, number in KINDS[kind][name].numbers.items():
        low, high = (float(end) for end in number.interval[1:-1].split(","))
        value = st.integers(int(max(low, 0)), 100) if number.whole else st.floats(max(low, -10), min(high, 10))
        drawn[key] = value.filter(number.accepts)
    return st.fixed_dictionaries({"name": st.just(name)}, optional=drawn)


def technique(kind: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(KINDS[kind])).flatmap(lambda name: st.one_of(st.just(name), numbers(kind, name)))


RATES = st.floats(0, 1e6)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "data": st.one_of(
        st.sampled_from(["digits", "moons"]),
        st.fixed_dictionaries(
            {"name": st.just("digits")},
            optional={"samples": st.integers(1, 1000), "validation": st.floats(0.1, 0.5), "standardize": st.booleans()},
        ),
    ),
    "layers": st.lists(st.integers(1, 100), max_size=4),
    **{kind: technique(kind) for kind in ("activation", "initializer", "optimizer", "schedule", "penalty")},
    "learning_rate": RATES,
    "batch_norm": st.sampled_from(["none", "before", "after"]),
    "dropout": st.floats(0, 0.99),
    "batch_size": st.integers(2, 1000),
    "steps": st.integers(1, 10**9),
    "seed": st.integers(0, 2**63 - 1),
    "dtype": st.sampled_from(["float32", "float64"]),
}
TABLES = st.fixed_dictionaries({}, optional=FIELDS)


@given(TABLES, st.randoms())
def test_the_hash_is_of_the_meaning_not_of_the_writing(table: dict[str, Any], shuffle: Any) -> None:
    trial = Trial(**table)
    order = list(table)
    shuffle.shuffle(order)

    def other(value: Any) -> Any:
        """The same value, written another way: 1 for 1.0, tables in another order, numpy's numbers for Python's."""
        if isinstance(value, dict):
            return {key: other(value[key]) for key in reversed(value)}
        if isinstance(value, float):
            return int(value) if value == int(value) else np.float64(value)
        return value

    rewritten = Trial(**{name: other(table[name]) for name in order})
    assert rewritten == trial and rewritten.id == trial.id and hash(rewritten) == hash(trial)
    full = Trial(**trial.model_dump())
    assert full == trial and full.id == trial.id


@given(TABLES)
def test_goes_to_its_shortest_form_and_to_json_and_back(table: dict[str, Any]) -> None:
    trial = Trial(**table)
    short = trial.compact()
    assert Trial(**short) == trial and Trial(**short).id == trial.id
    assert Trial(**json.loads(trial.model_dump_json())).id == trial.id
    assert Trial().compact() == {}
    for field in short:
        without = {name: value for name, value in short.items() if name != field}
        assert Trial(**without) != trial, f"{field} is not needed"


@given(TABLES, TABLES)
def test_trials_are_equal_exactly_when_their_ids_are(one: dict[str, Any], two: dict[str, Any]) -> None:
    a, b = Trial(**one), Trial(**two)
    assert (a == b) == (a.id == b.id)


def test_minus_0_is_0() -> None:
    plus, minus = (
        Trial(learning_rate=zero, dropout=zero, layer_rates=[zero] * 3, initializer={"name": "constant", "value": zero})
        for zero in (0.0, -0.0)
    )
    assert plus == minus and plus.id == minus.id


def test_the_hash_is_the_same_in_every_process() -> None:
    trial = Trial(layers=[7, 5], optimizer={"name": "adam", "beta1": 0.5}, activation="tanh", learning_rate=0.003)
    code = (
        "from koubai.spec import Trial; import sys; assert 'torch' not in sys.modules; "
        "print(Trial(learning_rate=0.003, activation='tanh', optimizer={'beta1': 0.5, 'name': 'adam'}, layers=(7, 5)).id)"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == trial.id


def test_every_field_and_every_number_counts() -> None:
    base = Trial(optimizer="adam", initializer="normal", layers=[3])
    changes: dict[str, Any] = {
        "data": "moons", "data.samples": 500, "data.standardize": True, "data.split": 1, "data.validation": 0.3,
        "layers": [4], "activation": "tanh", "initializer": "he", "initializer.std": 0.02, "optimizer": "sgd", "optimizer.beta1": 0.8,
        "optimizer.eps": 1e-7, "learning_rate": 0.2, "schedule": "cosine", "layer_rates": [1, 0.5], "batch_norm": "before", "penalty": "l2",
        "dropout": 0.5, "batch_size": 50, "steps": 100, "seed": 1, "dtype": "float64",
        "augment": "flip", "clip_grad_norm": 1,
    }  # fmt: skip
    assert {path.split(".")[0] for path in changes} == set(Trial.model_fields)
    ids = {path: base.replace({path: value}).id for path, value in changes.items()}
    assert len({base.id, *ids.values()}) == len(changes) + 1
    assert all(len(id) == 20 for id in ids.values())


def test_fields_that_came_later_left_the_ids_of_older_trials_as_they_were() -> None:
    assert Trial().id == Trial(clip_grad_norm=0).id == "f98cb4fd747ef5589f37"
    assert Trial(augment="flip", penalty="l2").id == "0c64e183920b88c3e255"


def test_frozen() -> None:
    trial = Trial()
    with pytest.raises(ValueError, match="frozen"):
        trial.seed = 3  # type: ignore[misc]


def test_all_numbers_are_written_into_a_trial() -> None:
    choice = Trial(optimizer={"name": "adagrad", "eps": 1e-3}).optimizer
    assert choice.numbers == {"eps": 1e-3, "initial_accumulator": 1e-3}
    assert choice.compact() == {"name": "adagrad", "eps": 1e-3} and str(choice) == "adagrad(eps=0.001)"
    explicit = Trial(optimizer={"name": "adagrad", "eps": 1e-3, "initial_accumulator": 0}).optimizer
    assert explicit.compact() == {"name": "adagrad", "eps": 1e-3, "initial_accumulator": 0.0}
    assert str(Trial(data={"name": "digits", "samples": 300}).data) == "digits(samples=300)"
    assert str(Trial().data) == Trial().data.compact() == "digits"


def test_numpys_numbers_are_numbers() -> None:
    trial = Trial(
        seed=np.int64(3), layers=np.array([4, 5]), learning_rate=np.float32(0.5), steps=np.int32(7),
        optimizer={"name": "momentum", "momentum": np.float32(0.5)}, schedule={"name": "step", "every": np.int64(9)},
    )  # fmt: skip
    assert (
        trial.id
        == Trial(
            seed=3,
            layers=[4, 5],
            learning_rate=0.5,
            steps=7,
            optimizer={"name": "momentum", "momentum": 0.5},
            schedule={"name": "step", "every": 9},
        ).id
    )


def test_replace_changes_a_part_a_whole_or_both() -> None:
    base = Trial(optimizer={"name": "momentum", "momentum": 0.5})
    assert base.replace({"optimizer.momentum": 0.7}).optimizer.numbers == {"momentum": 0.7}
    both = {"optimizer.momentum": 0.7, "optimizer": "nesterov"}
    for changes in (both, dict(reversed(both.items()))):
        assert base.replace(changes).optimizer == choose("optimizer", {"name": "nesterov", "momentum": 0.7})
    choice = choose("optimizer", {"name": "adam", "beta1": 0.5})
    assert base.replace({"optimizer": choice, "optimizer.beta2": 0.9}).optimizer.numbers == {
        "beta1": 0.5,
        "beta2": 0.9,
        "eps": 1e-8,
    }
    assert base.replace({"data": "moons", "data.samples": 9}).data == Data(name="moons", samples=9)
    assert base.replace({"data": Data(name="moons", split=3), "data.samples": 9}).data == Data(name="moons", samples=9, split=3)
    assert base.replace({}) == base
    for path, message in [
        ("optimiser", "There is no field of a trial 'optimiser'; did you mean 'optimizer'?"),
        ("optimiser.momentum", "did you mean 'optimizer'?"),
        ("steps.x", "'steps' has no parts"),
        ("batch_norm.x", "'batch_norm' has no parts"),
        ("optimizer.momentun", "did you mean 'momentum'?"),
        ("data.sample", "did you mean 'samples'?"),
    ]:
        with pytest.raises(UserError) as caught:
            base.replace({path: 0.5})
        assert message in str(caught.value)


# what is given, and what the sentence must name: the field, the value, and the mend
BAD: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {"activation": "sigmiod"},
        ["activation", "'sigmiod'", "did you mean 'sigmoid'?", "Known: identity"],
        ["活性化関数", "'sigmoid' のことですか"],
    ),
    ({"initializer": "kaiming"}, ["did you mean 'he'?"], ["重みの初期値", "'he'"]),
    ({"optimizer": "zzzzzz"}, ["There is no optimizer 'zzzzzz'. Known: sgd"], ["最適化手法 'zzzzzz' はありません"]),
    (
        {"optimizer": {"name": "momentum", "mometum": 0.5}},
        ["hyperparameter of momentum 'mometum'", "did you mean 'momentum'?"],
        ["momentum のハイパーパラメータ 'mometum'"],
    ),
    ({"optimizer": {"name": "momentum", "momentum": 1}}, ["momentum must be in [0, 1), not 1"], ["区間 [0, 1)"]),
    ({"optimizer": {"name": "momentum", "momentum": "x"}}, ["in [0, 1), not 'x'"], ["区間 [0, 1)", "'x'"]),
    ({"optimizer": {"name": "momentum", "momentum": True}}, ["in [0, 1), not True"], ["True"]),
    ({"optimizer": {"momentum": 0.5}}, ["an optimizer is written as"], ["最適化手法は名前か"]),
    ({"optimizer": 3}, ["an optimizer is written as", "not 3"], ["3"]),
    ({"initializer": {"name": "normal", "std": 10**400}}, ["std must be in [0, inf)", "..."], ["区間 [0, inf)"]),
    ({"initializer": {"name": "normal", "std": 10**5000}}, ["std must be in [0, inf)", "..."], ["区間 [0, inf)"]),
    ({"initializer": {"name": "normal", "std": float("nan")}}, ["not nan"], ["nan"]),
    ({"schedule": {"name": "step", "every": 1.5}}, ["every must be a whole number in [1, inf), not 1.5"], ["整数で"]),
    ({"activation": {"name": "relu", "alpha": 1}}, ["no hyperparameter of relu 'alpha'"], ["relu のハイパーパラメータ 'alpha'"]),
    ({"lr": 0.1}, ["no field of Trial 'lr'", "did you mean 'learning_rate'?"], ["'learning_rate' のことですか"]),
    (
        {"data": {"name": "digits", "sampels": 3}},
        ["no field of data 'sampels'; did you mean 'samples'?"],
        ["data の項目 'sampels'"],
    ),
    ({"self": 1}, ["no field of Trial 'self'"], ["'self' はありません"]),
    ({"learning_rate": -1}, ["learning_rate must be at least 0", "not -1."], ["learning_rate は 0", "以上"]),
    ({"learning_rate": float("inf")}, ["learning_rate must be a finite number, not inf."], ["有限の数"]),
    ({"learning_rate": float("nan")}, ["finite number, not nan"], ["有限の数"]),
    ({"learning_rate": 10**400}, ["learning_rate must be", "..."], ["learning_rate"]),
    ({"learning_rate": "fast"}, ["learning_rate must be a number, not 'fast'."], ["数にしてください", "'fast'"]),
    ({"learning_rate": None}, ["learning_rate must be a number, not None."], ["None"]),
    ({"layers": 40}, ["layers must be a list, not 40."], ["リスト"]),
    ({"layers": [0]}, ["layers.0 must be at least 1, not 0."], ["layers.0 は 1 以上"]),
    ({"layers": [3.5]}, ["layers.0 must be a whole number, not 3.5."], ["整数"]),
    ({"layers": [10**7]}, ["layers.0 must be at most 1000000"], ["1000000 以下"]),
    ({"layers": [1] * 1001}, ["layers is too long"], ["長すぎます"]),
    ({"batch_size": 0}, ["batch_size must be at least 1, not 0."], ["batch_size は 1 以上"]),
    ({"steps": 0}, ["steps must be at least 1, not 0."], ["steps は 1 以上"]),
    ({"steps": 10**12}, ["steps must be at most 1000000000"], ["以下"]),
    ({"seed": -1}, ["seed must be at least 0, not -1."], ["seed は 0 以上"]),
    ({"seed": 2**63}, ["seed must be less than 9223372036854775808"], ["より小さい値"]),
    ({"dropout": 1}, ["dropout must be less than 1", "not 1."], ["dropout は 1"]),
    ({"dtype": "float16"}, ["dtype must be 'float32', 'float64' or 'bfloat16', not 'float16'."], ["'float32'"]),
    ({"batch_norm": "inside"}, ["'none', 'before' or 'after', not 'inside'"], ["'before'"]),
    ({"batch_norm": "before", "batch_size": 1}, ["batch_norm needs a batch_size of at least 2"], ["2以上必要"]),
    (
        {"layers": [3], "layer_rates": [1]},
        ["layer_rates needs one factor for each of the 2 dense layers, not 1."],
        ["2 個の全結合層"],
    ),
    ({"layer_rates": [1, 1, -1]}, ["layer_rates.2 must be at least 0"], ["0 以上"]),
    ({"data": 3}, ["data: a data set is named", "not 3", "numpy.savez"], ["表", "numpy.savez"]),
    ({"data": ([[0.0]], [1])}, ["data: a data set is named", "numpy.savez"], ["配列"]),
    ({"data": ""}, ["data.name must not be empty"], ["空"]),
    ({"data": {"samples": 3}}, ["data.name is missing"], ["data.name がありません"]),
    ({"data": {"name": "digits", "sample": 3}}, ["did you mean 'samples'?"], ["'samples' のことですか"]),
    ({"data": {"name": "digits", "validation": 1}}, ["data.validation must be less than 1", "not 1."], ["data.validation は 1"]),
    ({"data": {"name": "digits", "samples": 0}}, ["data.samples must be at least 1"], ["1 以上"]),
    (
        {"data": {"name": "digits", "standardize": "perhaps"}},
        ["data.standardize must be true or false, not 'perhaps'."],
        ["真偽値"],
    ),
]


@pytest.mark.parametrize(("fields", "en", "ja"), BAD, ids=["-".join(fields) for fields, _, _ in BAD])
def test_bad_input_is_one_sentence_in_two_languages(fields: dict[str, Any], en: list[str], ja: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        Trial(**fields)
    words = caught.value.words
    for wanted, text in ((en, words.en), (ja, words.ja)):
        assert all(part in text for part in wanted), text
        assert "\n" not in text and len(text) < 400 and "pydantic" not in text.lower()


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from(list(Trial.model_fields)), ANYTHING)
def test_whatever_is_given_is_a_trial_or_one_sentence(field: str, value: Any) -> None:
    try:
        trial = Trial(**{field: value})
    except UserError as error:
        assert field in error.words.en and field in error.words.ja and "\n" not in error.words.en
    else:
        assert Trial(**trial.compact()).id == trial.id


@given(
    st.sampled_from(["activation", "optimizer", "schedule"]),
    st.dictionaries(st.sampled_from(["name", "momentum", "alpha", "x"]), ANYTHING),
)
def test_whatever_table_is_given_for_a_technique(kind: str, table: dict[str, Any]) -> None:
    try:
        choice = getattr(Trial(**{kind: table}), kind)
    except UserError as error:
        assert error.words.en.startswith(kind)
    else:
        assert isinstance(choice, Choice) and set(choice.numbers) == set(KINDS[kind][choice.name].numbers)
