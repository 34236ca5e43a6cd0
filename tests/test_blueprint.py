"""How layers are written: one spelling for equal networks, what a trial adds to them, and a sentence for what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from koubai.blueprint import NATIVE, PRESETS, Part, canonical, read, spell, title, weighted
from koubai.data import Dataset
from koubai.language import UserError
from koubai.places import complete, places
from koubai.spec import Trial
from koubai.study import Study
from koubai.techniques import ACTIVATIONS


def test_hashes_of_dense_networks_are_what_they_were() -> None:
    """Stores were filled under these ids: the trials of dense networks keep them."""
    assert Trial().id == "f98cb4fd747ef5589f37"
    assert Trial(layers=[100] * 4).id == "7888a17893a51f5ef2f1"
    assert Trial(layers=[]).id == "478c4e33bf5df0be5eaa"


SPELLINGS = [
    ("conv 16 3x3", ["conv 16 3", "conv 16 3x3 stride 1", "conv  16   3x3 pad 0", "conv 16 3 pad 0 stride 1x1"]),
    ("conv 16 3x3 stride 2 pad 1", ["conv 16 3 pad 1 stride 2", "conv 16 3x3 pad 1x1 stride 2x2"]),
    ("conv 16 3x5 stride 2x1 pad 0x2", ["conv 16 3x5 pad 0x2 stride 2x1"]),
    ("maxpool 2", ["maxpool 2x2", "maxpool 2 stride 2", "maxpool 2 pad 0"]),
    ("maxpool 3 stride 2", ["maxpool 3x3 stride 2x2"]),
    ("avgpool 2x3", ["avgpool 2x3 stride 2x3"]),
    ("dropout 0.5", ["dropout .5", "dropout 0.50", "dropout 5e-1"]),
    ("dropout 0.0", ["dropout 0", "dropout -0.0"]),
    (50, ["dense 50", "dense 050"]),
]


@pytest.mark.parametrize(("one", "others"), SPELLINGS)
def test_equal_layers_are_spelled_alike(one: int | str, others: list[str]) -> None:
    for text in (one, *others):
        assert spell(read(text)) == one


@pytest.mark.parametrize("name", ["flatten", "batchnorm", "lrn", *ACTIVATIONS])
def test_layers_without_numbers_are_their_names(name: str) -> None:
    assert spell(read(name)) == name == read(name).name


pairs = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(
    st.sampled_from(["conv", "maxpool", "avgpool"]),
    st.integers(1, 99),
    pairs,
    pairs,
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_what_is_spelled_is_read_back(name: str, width: int, filter: Any, stride: Any, pad: Any) -> None:
    if name != "conv":
        width, pad = 0, tuple(min(p, f // 2) for p, f in zip(pad, filter, strict=True))
    part = Part(name, width, filter, stride, pad)
    assert read(spell(part)) == part


def test_equal_networks_have_equal_hashes() -> None:
    written = ["conv 8 3x3", "maxpool 2", "flatten", 50, "dropout 0.5"]
    same = (
        ["conv 8 3", "maxpool 2x2", "dense 50", "dropout .5"],
        ("conv 8 3x3 stride 1", "maxpool 2 stride 2", "flatten", "flatten", 50, "flatten", "dropout 0.5"),
    )
    assert len({Trial(layers=layers).id for layers in (written, *same)}) == 1
    assert Trial(layers=["flatten", 40, "dense 20"]).id == Trial().id, "rows have nothing to flatten"
    assert canonical(("conv 2 1x1", "relu")) == ("conv 2 1x1", "relu", "flatten")
    assert Trial(layers="deep-cnn").id == Trial(layers=PRESETS["deep-cnn"]).id == Trial(layers=list(PRESETS["deep-cnn"])).id


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_in_their_one_spelling_and_fit_what_they_were_made_for(name: str) -> None:
    trial = Trial(layers=name)
    assert trial.layers == canonical(PRESETS[name]) == PRESETS[name]
    assert trial.compact() == {"layers": name} and title(trial.layers) == name
    assert Trial(**trial.compact()) == trial
    shape, classes = NATIVE[name]
    assert places(trial, shape, classes)[-1].behind == (classes,)


def names(**fields: Any) -> list[str]:
    """The layers of a trial's whole network, those that the trial put there in brackets."""
    parts = complete(Trial(**fields), 10)
    return [f"[{part.name}]" if part.own else str(spell(part)) for part in parts]


def test_what_the_trial_adds() -> None:
    chain = ["conv 2 3x3", "maxpool 2", 7]
    assert names(layers=chain) == ["conv 2 3x3", "[relu]", "maxpool 2", "flatten", "7", "[relu]", "10"]
    assert names(layers=chain, activation="tanh", batch_norm="before", dropout=0.1) == [
        "conv 2 3x3", "[batchnorm]", "[tanh]", "[dropout]", "maxpool 2", "flatten", "7", "[batchnorm]", "[tanh]", "[dropout]", "10",
    ]  # fmt: skip
    assert names(layers=[4], batch_norm="after", dropout=0.1) == ["4", "[relu]", "[batchnorm]", "[dropout]", "10"]
    assert names(layers=[]) == ["10"]


def test_what_is_written_is_not_added() -> None:
    assert names(layers=["conv 2 3x3", "tanh", "maxpool 2"]) == ["conv 2 3x3", "tanh", "maxpool 2", "flatten", "10"]
    assert names(layers=["conv 2 3x3", "maxpool 2", "tanh"]) == ["conv 2 3x3", "maxpool 2", "tanh", "flatten", "10"]
    assert names(layers=["conv 2 3x3", "batchnorm"]) == ["conv 2 3x3", "batchnorm", "[relu]", "flatten", "10"]
    written = ["conv 2 3x3", "batchnorm", "sigmoid", "dropout 0.25", "flatten"]
    assert names(layers=written, batch_norm="after", dropout=0.5) == [*written, "10"]
    assert names(layers=[3, "identity", 4], batch_norm="before") == [
        "3",
        "[batchnorm]",
        "identity",
        "4",
        "[batchnorm]",
        "[relu]",
        "10",
    ]
    assert names(layers=["relu", "batchnorm", 3], dropout=0.1) == ["relu", "batchnorm", "3", "[relu]", "[dropout]", "10"]
    assert names(layers=[3, "relu", "batchnorm"], dropout=0.1) == ["3", "relu", "batchnorm", "[dropout]", "10"]


FAULTS = [
    (["konv 3 3x3"], ["layers.0: There is no layer 'konv'; did you mean 'conv'?", "softplus."], "層 'konv' はありません"),
    ([5, ""], ["layers.1: There is no layer ''. Known: conv"], "層 '' はありません"),
    *(
        ([text], [f"layers.0: {text!r}"[:60], f"is not written as a layer is; like this: {form!r}."], f"例: {form!r}")
        for form, texts in {
            "conv 16 3x3 stride 2 pad 1": [
                "conv", "conv 16", "conv 3x3", "conv 0 3x3", "conv 16 0x3", "conv 16 3x3x3", "conv 16 3x", "conv 16 3 stride",
                "conv 16 3 stride 0", "conv 16 3 pad -1", "conv 16 3 pad 1 pad 2", "conv 16 3 dilation 2", "conv 1.5 3", "conv 1000001 3",
                "conv " + "9" * 5000 + " 3",
            ],
            "maxpool 3 stride 2 pad 1": ["maxpool", "maxpool 0", "maxpool 2 2", "maxpool 2 pad 2", "maxpool 3x1 pad 1"],
            "avgpool 3 stride 2 pad 1": ["avgpool two"],
            "dense 50": ["dense", "dense 0", "dense 5 5", "dense 1000001"],
            "dropout 0.5": ["dropout", "dropout 1", "dropout -0.1", "dropout nan", "dropout 0.5 0.5"],
            "flatten": ["flatten 2"],
            "batchnorm": ["batchnorm 8"],
            "lrn": ["lrn 5"],
            "relu": ["relu 6"],
        }.items()
        for text in texts
    ),
    ([3, "conv 4 3x3"], ["layers: 'conv 4 3x3' needs images, but stands behind a dense layer or 'flatten'"], "画像を受け取る層です"),
    (["conv 4 3x3", "flatten", "lrn"], ["layers: 'lrn' needs images"], "'lrn' は画像"),
    (["deep-cnn"], ["layers.0: 'deep-cnn' is a whole network, not a layer of one: write layers = 'deep-cnn'"], "ネットワーク全体の名前"),
    ("conv 16 3x3", ["layers: 'conv 16 3x3' is one layer; layers are a list of them: layers = ['conv 16 3x3']."], "層のリスト"),
    ("deep", ["layers: There is no preset of layers 'deep'; did you mean 'deep-cnn'? Known: simple-cnn"], "層のプリセット 'deep'"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "english", "japanese"), FAULTS, ids=lambda value: str(value)[:40])
def test_what_cannot_be_is_a_sentence_in_both_languages(layers: Any, english: list[str], japanese: str) -> None:
    with pytest.raises(UserError) as raised:
        Trial(layers=layers)
    assert all(part in raised.value.words.en for part in english)
    assert japanese in raised.value.words.ja


def test_layer_rates_and_batch_norm_count_convolutions_too() -> None:
    chain = ["conv 2 3x3", "conv 2 3x3", 5]
    assert weighted(chain) == 4 and Trial(layers=chain, layer_rates=[1, 1, 1, 1]).layer_rates == (1, 1, 1, 1)
    with pytest.raises(UserError, match="one factor for each of the 4 conv and dense layers, not 2") as raised:
        Trial(layers=chain, layer_rates=[1, 1])
    assert "4 個の畳み込み層・全結合層" in raised.value.words.ja
    with pytest.raises(UserError, match="batch_norm needs a batch_size of at least 2"):
        Trial(layers=["conv 2 3x3", "batchnorm"], batch_size=1)


def test_studies_of_chains_go_to_toml_and_back() -> None:
    axes = {"layers": ["simple-cnn", [40, 20], ["conv 4 3x3", "relu", "maxpool 2", 10]], "seed": 2}
    study = Study({"layers": "deep-cnn"}, axes=axes)
    again = Study.from_toml(study.to_toml())
    assert again.id == study.id and again.base == study.base
    assert 'layers = "deep-cnn"' in study.to_toml()
    assert list(study.variants()) == ["layers=simple-cnn", "layers=40-20", "layers=conv 4 3x3 > relu > maxpool 2 > 10"]
    chain = ["conv 8 3x3 pad 1", "maxpool 2", "conv 16 3x3 pad 1", "maxpool 2", 30]
    twins = Study({}, axes={"layers": [chain, [*chain, "dropout 0.5"]]})
    assert list(twins.variants()) == ["layers=conv 8-conv 16-30", "layers=conv 8-conv 16-30 #2"]


@pytest.mark.slow
def test_importing_it_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, koubai.blueprint, koubai.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_example_on_images_reads_and_fits(digits: Dataset) -> None:
    study = Study.from_toml((Path(__file__).parent.parent / "examples" / "my-cnn.toml").read_text(encoding="utf-8"))
    assert len(study.trials) == 20 and len(study.variants()) == 4
    for trial in study.trials:
        assert places(trial, digits.shape, 10)[-1].behind == (10,)
