"""The board of Play: in the address and back, edited, as a study, as TOML and Python, and what comes of broken links."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import koubai as kb
from koubai.language import UserError
from koubai.spec import Trial
from koubai.study import Study
from koubai.techniques import KINDS
from koubai.web.play.board import MOST_VARIANTS, Board
from koubai.web.start import TRIES

FEW = st.integers(1, 40)


def techniques(kind: str) -> st.SearchStrategy[Any]:
    """A technique by name, or with its numbers."""
    named = KINDS[kind]

    def numbered(name: str) -> st.SearchStrategy[Any]:
        numbers = {
            key: st.just(number.default) for key, number in named[name].numbers.items() if not isinstance(number.default, str)
        }
        return st.fixed_dictionaries({"name": st.just(name)}, optional=numbers)

    return st.sampled_from(list(named)).flatmap(numbered)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "data": st.sampled_from(["moons", "12", "a b&c=d,e", "<b>x</b>", "データ"])
    | st.fixed_dictionaries(
        {"name": st.just("digits"), "samples": FEW, "standardize": st.booleans()},
        optional={"drop": st.lists(st.text(min_size=1, max_size=5)), "target": st.text(min_size=1, max_size=5), "size": FEW},
    ),
    "layers": st.lists(FEW | st.sampled_from(["tanh", "dropout 0.25", "batchnorm"]), max_size=5)
    | st.sampled_from(["simple-cnn", "deep-cnn", ["conv 4 3x3 pad 1", "relu", "maxpool 2", 10]]),
    "activation": techniques("activation"),
    "initializer": techniques("initializer"),
    "optimizer": techniques("optimizer") | st.just({"name": "momentum", "momentum": 0.8}),
    "learning_rate": st.floats(0, 1e9, allow_subnormal=True),
    "schedule": techniques("schedule"),
    "batch_norm": st.sampled_from(["none", "before", "after"]),
    "penalty": techniques("penalty") | st.just({"name": "l2", "strength": 0.125}),
    "dropout": st.floats(0, 0.99),
    "batch_size": st.integers(2, 500),
    "steps": st.integers(1, 10**9),
    "dtype": st.sampled_from(["float32", "float64"]),
}  # fmt: skip
CHANGES = st.fixed_dictionaries({}, optional=FIELDS)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@given(CHANGES, st.lists(CHANGES, max_size=MOST_VARIANTS - 1), st.integers(1, 10), NAMES)
def test_an_address_gives_its_board_back(base: dict[str, Any], changes: list[Any], seeds: int, name: str) -> None:
    board = Board(Trial(**base), changes, seeds=seeds, name=name)
    address = board.address()
    assert address.isascii()
    assert not set(' "<>#') & set(address)
    if len(address) < 6000:
        assert Board.read(address) == board
    assert Board.read("").address() == ""


@given(CHANGES, st.lists(CHANGES, max_size=4))
def test_toml_and_python_give_the_same_study(base: dict[str, Any], changes: list[Any]) -> None:
    board = Board(Trial(**base), changes, seeds=2)
    assert Study.from_toml(board.study.to_toml()).trials == board.study.trials
    asked: list[Study] = []
    program = board.python().replace("kb.run(study)", "run(study)")
    program = program[: program.index("print(")]
    exec(program, {"run": asked.append})
    assert asked[0].trials == board.study.trials
    assert kb.Study is Study
    variants = board.study.variants()
    assert [trials[0] for trials in variants.values()] == list(board.variants)
    assert len(board.labels) == len(variants)


def test_an_address_can_be_read_by_people() -> None:
    trial = Trial(data="spirals", layers=(8, 8), activation="sigmoid", optimizer={"name": "momentum", "momentum": 0.8})
    board = Board(trial, [{"activation": "relu"}, {"layers": ["conv 4 3x3", "maxpool 2"]}], seeds=5)
    assert board.address() == (
        "seeds=5&data=spirals&layers=8,8&activation=sigmoid&optimizer=momentum&optimizer.momentum=0.8"
        "&1.activation=relu&2.layers=conv+4+3x3,maxpool+2,flatten"
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("activation=rleu", "did you mean 'relu'"),
        ("learning_rate=fast", "learning_rate must be a number, not 'fast'"),
        ("learning_rate=nan", "learning_rate must be a finite number"),
        ("seeds=" + "9" * 29, "seeds must be at most 10"),
        ("layers=8,,8", "layer"),
        ("layers=8.5", "layers"),
        ("layers=" + ",".join(["1"] * 1500), "layers is too long"),
        ("optimizer.velocity=1", "velocity"),
        ("layers.2=1", "has no parts"),
        ("optimizer=[[[[", "optimizer"),
        ("optimizer=[1,2]", "optimizer"),
        ("seeds=0", "seeds must be at least 1"),
        ("seeds=11", "seeds must be at most 10"),
        ("seed=3", "did you mean 'seeds'"),
        ("1.seed=3", "seed"),
        ("name=", "name must not be empty"),
        ("x" * 7000, "longer than 6,000 characters"),
        ("&".join(f"{k}.dropout=0.{k}" for k in range(1, 40)), "room for 12 variants"),
        ("%00%ff=%fe", "There is no field of a trial"),
        ("__class__=1", "There is no field of a trial"),
    ],
)  # fmt: skip
def test_a_broken_link_is_one_sentence(query: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        Board.read(query)
    for words in raised.value.words:
        assert words and "\n" not in words
    assert said in str(raised.value)


@given(st.text(max_size=200))
def test_any_text_is_a_board_or_one_sentence(query: str) -> None:
    try:
        Board.read(query)
    except UserError as error:
        assert error.words.en and error.words.ja


def test_an_edit_of_the_base_holds_for_all_that_do_not_change_it_themselves() -> None:
    board = Board(Trial(activation="sigmoid"), [{"activation": "relu"}, {"learning_rate": 0.5}])
    edited = board.edited({"learning_rate": 0.01, "layers": [5]})
    assert [t.learning_rate for t in edited.variants] == [0.01, 0.01, 0.5]
    assert {t.layers for t in edited.variants} == {(5,)}
    assert [t.activation.name for t in edited.variants] == ["sigmoid", "relu", "sigmoid"]
    assert [t.activation.name for t in board.edited({"activation": "tanh"}, 1).variants] == ["sigmoid", "tanh", "sigmoid"]


def test_variants_are_added_and_taken_away() -> None:
    board = Board(Trial(activation="sigmoid")).added({"activation": "relu"}).added({"activation": "tanh"})
    assert board.labels == ("sigmoid", "relu", "tanh")
    assert board.added({"optimizer": "adam", "learning_rate": 0.01}).labels == (
        "base",
        "relu",
        "tanh",
        "adam, learning_rate=0.01",
    )
    assert Board().labels == ("base",)
    assert board.without(1).labels == ("sigmoid", "tanh")
    assert board.without(0).labels == ("relu", "tanh")
    assert board.without(0).base.activation.name == "relu"
    with pytest.raises(UserError, match="already there"):
        board.added({"activation": "relu"})
    with pytest.raises(UserError, match="already there"):
        board.added({})
    for k in range(9):
        board = board.added({"dropout": 0.1 * (k + 1) / 2})
    assert len(board.variants) == MOST_VARIANTS
    with pytest.raises(UserError, match="room for 12"):
        board.added({"dropout": 0.9})


@pytest.mark.parametrize("study", [one.study for one in TRIES], ids=lambda study: study.name)
def test_what_the_start_page_offers_fits_into_an_address(study: Study) -> None:
    board = Board.of(study)
    assert Board.read(board.address()) == board
    assert set(board.study.trials) == set(study.trials)
