"""Studies: axes into trials, TOML there and back, and errors that name what to mend."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from koubai.choices import choose
from koubai.language import UserError
from koubai.spec import Trial
from koubai.study import Study

# axes of which every combination is a trial
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "activation": st.sampled_from(["sigmoid", "relu", {"name": "elu", "alpha": 0.5}]),
    "initializer": st.sampled_from(["he", "zeros", {"name": "normal", "std": 0.5}]),
    "initializer.gain": st.just(1.5),
    "optimizer": st.sampled_from(["sgd", "adam", {"name": "momentum", "momentum": 0.3}]),
    "learning_rate": st.one_of(st.floats(0, 100), st.integers(0, 3)),
    "layers": st.lists(st.integers(1, 5), max_size=3),
    "data": st.sampled_from(["digits", "moons", {"name": "digits", "samples": 50}]),
    "data.split": st.integers(0, 5),
    "steps": st.integers(1, 5),
    "dropout": st.floats(0, 0.5),
    "seed": st.integers(0, 5),
}
PLAIN = sorted(set(VALUES) - {"initializer.gain"})


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """A study as a person would write it: some axes in a product, some zipped."""
    names = draw(st.lists(st.sampled_from(PLAIN), max_size=5, unique=True))
    cut = draw(st.integers(0, len(names)))
    axes = {name: draw(st.lists(VALUES[name], min_size=1, max_size=3)) for name in names[:cut]}
    if "seed" in axes and draw(st.booleans()):
        axes["seed"] = draw(st.integers(1, 4))
    length = draw(st.integers(1, 3))
    zipped = {name: draw(st.lists(VALUES[name], min_size=length, max_size=length)) for name in names[cut:]}
    table: dict[str, Any] = {"name": draw(st.sampled_from(["a", "勾配", 'quote " and \\ back'])), "axes": axes}
    if zipped:
        table["zip"] = [zipped]
    if draw(st.booleans()):
        table["base"] = {"activation": "tanh", "batch_size": 50}
    return table


@given(tables())
def test_goes_to_toml_and_back(table: dict[str, Any]) -> None:
    study = Study(**table)
    again = Study.from_toml(study.to_toml())
    assert again.trials == study.trials and again.id == study.id
    assert (again.name, again.base) == (study.name, study.base)
    assert list(again.variants()) == list(study.variants())
    assert again.to_toml() == study.to_toml()


@given(tables())
def test_expands_into_the_product_with_each_trial_once(table: dict[str, Any]) -> None:
    study = Study(**table)
    rows = [len(values) if isinstance(values, list) else values for values in table["axes"].values()]
    rows += [len(next(iter(group.values()))) for group in table.get("zip", [])]
    assert len(study) == math.prod(rows)
    assert len(set(study.trials)) == len(study.trials) <= len(study)
    assert list(study) == list(study.trials)
    variants = study.variants()
    assert sorted(t.id for trials in variants.values() for t in trials) == sorted(t.id for t in study.trials)
    for trials in variants.values():
        assert len({trial.replace({"seed": 0}) for trial in trials}) == 1, "a variant's trials differ in their seed alone"
        assert len({trial.seed for trial in trials}) == len(trials)
    for trial in study.trials:
        for name, value in study.setting(trial).items():
            assert value == getattr(trial, name, value)


def test_order_is_that_of_the_axes() -> None:
    study = Study(
        {"steps": 5},
        axes={"activation": ["sigmoid", "relu"], "seed": 2},
        zip=[{"learning_rate": [0.1, 0.2], "layers": [[3], [4, 4]]}],
    )
    assert [(t.activation.name, t.seed, t.learning_rate, t.layers, t.steps) for t in study] == [
        (a, s, rate, layers, 5) for a in ("sigmoid", "relu") for s in (0, 1) for rate, layers in ((0.1, (3,)), (0.2, (4, 4)))
    ]
    assert list(study.variants()) == [
        "sigmoid, learning_rate=0.1, layers=3", "sigmoid, learning_rate=0.2, layers=4-4",
        "relu, learning_rate=0.1, layers=3", "relu, learning_rate=0.2, layers=4-4",
    ]  # fmt: skip
    assert study.setting(study.trials[0]) == {
        "activation": choose("activation", "sigmoid"),
        "seed": 0,
        "learning_rate": 0.1,
        "layers": (3,),
    }


def test_without_axes_a_study_is_its_base() -> None:
    study = Study(Trial(steps=3))
    assert study.trials == (Trial(steps=3),) and len(study) == 1 and list(study.variants()) == ["base"]
    assert Study().trials == (Trial(),)
    assert list(Study(axes={"seed": 3}).variants()) == ["base"]
    assert Study(zip={}).trials == Study(zip=[{}]).trials == Study().trials


def test_values_that_mean_the_same_make_one_trial() -> None:
    study = Study(axes={"learning_rate": [1, 1.0, 0.5], "activation": ["relu", {"name": "relu"}], "seed": [0, 0]})
    assert len(study) == 12 and len(study.trials) == 2
    assert [len(trials) for trials in study.variants().values()] == [1, 1]


def test_variants_whose_numbers_look_alike_stay_apart() -> None:
    study = Study(axes={"learning_rate": [0.1, 0.1 + 1e-12], "seed": 3})
    assert [[trial.learning_rate for trial in trials] for trials in study.variants().values()] == [[0.1] * 3, [0.1 + 1e-12] * 3]
    close = [{"name": "normal", "std": 0.1}, {"name": "normal", "std": 0.1 + 1e-12}]
    assert len(Study(axes={"initializer": close}).variants()) == 2


def test_dotted_axes_change_one_number() -> None:
    study = Study({"optimizer": "momentum"}, axes={"optimizer.momentum": [0.5, 0.9], "data.samples": [100, 200]})
    assert [(t.optimizer.numbers["momentum"], t.data.samples) for t in study] == [(m, n) for m in (0.5, 0.9) for n in (100, 200)]
    assert next(iter(study.variants())) == "momentum=0.5, samples=100"
    assert Study.from_toml(study.to_toml()).id == study.id


@pytest.mark.parametrize("swap", [False, True])
def test_an_axis_over_a_technique_and_one_over_its_number(swap: bool) -> None:
    axes = {"optimizer": ["momentum", "nesterov"], "optimizer.momentum": [0.5, 0.9]}
    study = Study(axes=dict(reversed(axes.items())) if swap else axes)
    found = {(t.optimizer.name, t.optimizer.numbers["momentum"]) for t in study}
    assert found == {(name, mu) for name in ("momentum", "nesterov") for mu in (0.5, 0.9)} and len(study.trials) == 4


def test_values_that_only_make_sense_together() -> None:
    study = Study({"batch_size": 1}, zip=[{"layers": [[5], [5, 5]], "layer_rates": [[1, 0.5], [1, 0.5, 0.25]]}])
    assert [len(trial.layer_rates) for trial in study] == [2, 3]
    study = Study({"batch_size": 1}, zip=[{"batch_norm": ["none", "after"], "batch_size": [1, 50]}])
    assert [trial.batch_size for trial in study] == [1, 50]


def test_seeds() -> None:
    assert [t.seed for t in Study(axes={"seed": 3})] == [0, 1, 2]
    assert [t.seed for t in Study(axes={"seed": [5, 7]})] == [5, 7]
    assert [t.seed for t in Study(axes={"seed": range(2, 4)})] == [2, 3]
    assert [t.seed for t in Study(axes={"activation": ["relu"]}).with_seeds(2)] == [0, 1]
    assert "seed = 3" in Study(axes={"seed": 3}).to_toml()


def test_numpy_and_generators_give_values_too() -> None:
    study = Study(
        axes={
            "learning_rate": np.logspace(-2, 0, 3),
            "seed": np.arange(2),
            "steps": (s for s in (3, 4)),
            "layers": [np.array([3, 4])],
        }
    )
    assert [t.learning_rate for t in study][::4] == pytest.approx([0.01, 0.1, 1])
    assert Study.from_toml(study.to_toml()).id == study.id
    assert len(study.trials) == 12


def test_with_base_changes_the_base_and_drops_the_axes_over_it() -> None:
    study = Study(
        axes={"data": ["digits", "moons"], "data.split": [1], "seed": 2},
        zip=[{"steps": [1, 2], "learning_rate": [0.1, 0.2]}],
        name="x",
    )
    moved = study.with_base(data="moons", steps=7)
    assert list(moved.axes) == ["seed"] and [list(group) for group in moved.zip] == [["learning_rate"]]
    assert moved.base == Trial(data="moons", steps=7) and moved.name == "x"
    assert study.base == Trial()


def test_the_id_is_of_the_trials() -> None:
    one, two = (
        Study(axes={"learning_rate": [1, 2]}, name="a"),
        Study({"learning_rate": 2}, axes={"learning_rate": [1.0, 2.0]}, name="b"),
    )
    assert one.id == two.id != Study(axes={"learning_rate": [1, 3]}).id


BAD: list[tuple[str, str, str]] = [
    ("[base", "is not valid TOML", "TOMLとして読めません"),
    ("a = 1\na = 2", "is not valid TOML", "TOMLとして読めません"),
    ("x = " + "1" * 5000, "is not valid TOML", "TOMLとして読めません"),
    ("x = " + "[" * 100_000, "is not valid TOML", "TOMLとして読めません"),
    ("\0", "is not valid TOML", "TOMLとして読めません"),
    ("bsae = 3", "did you mean 'base'?", "'base' のことですか"),
    ("self = 3", "no field of Study 'self'", "'self' はありません"),
    ("base = 3", "base must be a table, not 3.", "base は表"),
    ("axes = 3", "axes must be a table, not 3.", "axes は表"),
    ("zip = 3", "zip must be a list of tables of axes.", "zip は軸の表のリスト"),
    ("zip = [3]", "zip must be a table, not 3.", "zip は表"),
    ("name = 3", "name must be a string, not 3.", "name は文字列"),
    ("[base]\nlr = 3", "did you mean 'learning_rate'?", "'learning_rate' のことですか"),
    ("[base]\nself = 3", "no field of Trial 'self'", "'self' はありません"),
    ("[base]\nsteps = 2020-01-01", "steps must be a whole number", "steps は整数"),
    ("[axes]\nlr = [3]", "did you mean 'learning_rate'?", "'learning_rate' のことですか"),
    ("[axes]\nactivation = ['relu', 'sigmiod']", "did you mean 'sigmoid'?", "'sigmoid' のことですか"),
    ("[axes]\nactivation = 'relu'", "The axis 'activation' must be a list of values, not 'relu'.", "値のリスト"),
    ("[axes]\nactivation = { name = 'relu' }", "The axis 'activation' must be a list of values", "値のリスト"),
    ("[axes]\nactivation = []", "The axis 'activation' has no values.", "値がありません"),
    ("[axes]\nseed = 0", "The number of seeds must be from 1 to 1,000,000, not 0.", "シードの数"),
    ("[axes]\nseed = 20240101", "The number of seeds must be from 1 to 1,000,000, not 20240101.", "シードの数"),
    ("[axes]\nseed = true", "The axis 'seed' must be a list of values, not True.", "値のリスト"),
    ("[axes]\nseed = 1000\nsteps = [" + "1," * 1001 + "]", "The axes make 1,001,000 trials", "1,001,000 試行"),
    ("[axes]\n'optimiser.momentum' = [0.5]", "did you mean 'optimizer'?", "'optimizer' のことですか"),
    ("[axes]\n'optimizer.momentum' = [0.5]", "no hyperparameter of sgd 'momentum'", "sgd のハイパーパラメータ 'momentum'"),
    (
        "[base]\noptimizer = 'momentum'\n[axes]\n'optimizer.momentum' = [0.5, 1.5]",
        "momentum must be in [0, 1), not 1.5.",
        "区間 [0, 1)",
    ),
    (
        "[axes]\noptimizer = ['momentum', 'sgd']\n'optimizer.momentum' = [0.5]",
        "no hyperparameter of sgd 'momentum'",
        "sgd のハイパーパラメータ",
    ),
    ("[axes]\n'steps.x' = [0.5]", "'steps' has no parts", "'steps' に 'x' はありません"),
    ("[[zip]]\nseed = [1]\nsteps = [1, 2]", "must be equally long, not seed: 1, steps: 2.", "同じ長さ"),
    ("[axes]\nseed = [1]\n[[zip]]\nseed = [1]", "The axis 'seed' is given twice.", "2回指定"),
    ("[[zip]]\nsteps = [1]\n[[zip]]\nsteps = [1]", "The axis 'steps' is given twice.", "2回指定"),
    (
        "[axes]\nlayer_rates = [[1, 1, 1], [1, 1]]",
        "layer_rates needs one factor for each of the 3 dense layers, not 2.",
        "3 個の全結合層",
    ),
]


@pytest.mark.parametrize(("text", "en", "ja"), BAD, ids=[f"{k}: {text[:30]!r}" for k, (text, _, _) in enumerate(BAD)])
def test_bad_toml_is_one_sentence_in_two_languages(text: str, en: str, ja: str) -> None:
    with pytest.raises(UserError) as caught:
        Study.from_toml(text, "my.toml")
    words = caught.value.words
    assert words.en.startswith("my.toml") and en in words.en and len(words.en) < 500
    assert words.ja.startswith("my.toml") and ja in words.ja


def test_none_is_no_value() -> None:
    with pytest.raises(UserError, match=r"None is no value for the axis 'data\.samples'"):
        Study(axes={"data.samples": [100, None]})


def test_bad_axes_in_python() -> None:
    for fields, message in [
        ({"axes": {"activation": "relu"}}, "must be a list of values"),
        ({"axes": [1]}, "axes must be a table"),
        ({"base": 3}, "base must be a table"),
        ({"axis": {}}, "did you mean 'axes'?"),
        ({"zip": "ab"}, "zip must be a list of tables"),
    ]:
        with pytest.raises(UserError) as caught:
            Study(**fields)
        assert message in str(caught.value)


LEAVES = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=4), st.dates())
ANY = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=5,
)
KEYS = st.one_of(
    st.text(max_size=6), st.sampled_from(["seed", "optimizer.momentum", "data", "data.samples", "layers", "activation.alpha"])
)


@given(st.fixed_dictionaries({}, optional={"name": ANY, "base": st.dictionaries(KEYS, ANY, max_size=2) | ANY,
                                           "axes": st.dictionaries(KEYS, ANY, max_size=2) | ANY, "zip": ANY, "nmae": ANY}))  # fmt: skip
def test_whatever_a_file_says_is_a_study_or_one_sentence(table: dict[str, Any]) -> None:
    import tomli_w

    try:
        study = Study.from_toml(tomli_w.dumps(table))
        assert len(study.trials) >= 1
    except UserError as error:
        assert error.words.en and error.words.ja
