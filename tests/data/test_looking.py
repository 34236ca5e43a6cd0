"""``koubai data``: what it says about a data set, in both languages; what it finds wrong, against sets made so."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from koubai.__main__ import main
from koubai.cli.data import drawn
from koubai.data.found import Found
from koubai.data.problems import problems
from koubai.data.readers.images import FORMATS
from koubai.data.tables import TARGETS
from koubai.experiments.catalogue import EXERCISES
from koubai.experiments.conduct import adapt
from koubai.laboratory import run
from koubai.language import UserError, Words
from koubai.spec import Data
from koubai.store import Store
from koubai.study import Study

Look = Callable[..., tuple[int, str, str]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Look:
    """``koubai data`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["koubai", "data", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *capsys.readouterr())

    return run


def flowers(path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "petals", "colour", "smell"])
        writer.writerows(
            [["rose", "daisy"][k % 2], 5 + k % 2 * 20 + k / 1000, ["red", "white"][k % 2], "" if k == 3 else 1] for k in range(40)
        )


def test_a_table(look: Look) -> None:
    flowers(Path("flowers.csv"))
    code, out, err = look("flowers.csv", "--target", "kind")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert out.startswith("flowers.csv: a table")
    assert ["samples", "40;", "validated", "on", "a", "part", "of", "them"] in lines
    assert ["daisy", "20", "50.0%"] in lines and ["rose", "20", "50.0%"] in lines
    assert ["petals", "5", "15.02", "25.039"] in lines and ["colour=red", "0", "0.5", "1"] in lines
    assert ["rose", "5", "1", "0", "1"] in lines  # the first rose
    assert "Missing values in smell (1)" in out and "Values reach 25.039: standardize = true" in out
    assert 'data = { name = "flowers.csv", target = "kind", missing = "mean" }' in out
    study = Study.from_toml("[base]\n" + out[out.index("data = {") :])
    assert study.base.data == Data(name="flowers.csv", target="kind", missing="mean")
    code, out, _ = look("flowers.csv", "--target", "kind", "--drop", "smell", "--drop", "petals", "--lang", "ja")
    assert code == 0 and "サンプル" in out and "petals" not in out.split("drop")[0]
    assert 'drop = ["petals", "smell"]' in out


def test_images(look: Look) -> None:
    for k in range(4):
        Path("own", "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 6), 255 * (k % 2), np.uint8)).save(f"own/{'ab'[k % 2]}/{k}.png")
    code, out, err = look("own")
    assert code == 0, err
    assert "8 x 6 (height x width)" in out and "0 to 255, mean 127.5; in training 0 to 1" in out
    assert "Few samples: 2 of class 'a'." in out and "Duplicate samples: 2." in out
    code, out, _ = look("own", "--size", "4", "--lang", "ja")
    assert code == 0 and "4 x 4(高さ x 幅)" in out and "size = [4, 4]" in out and "注意点" in out


@pytest.mark.parametrize("name", ["digits", "moons", "noise"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_is_built_in(look: Look, name: str, lang: str) -> None:
    code, out, err = look(name, "--lang", lang)
    assert code == 0, err
    assert f'data = "{name}"' in out and all(len(line) <= 120 for line in out.splitlines())


def test_a_set_with_a_test_part_and_many_classes(look: Look) -> None:
    x, y = np.arange(200.0), np.arange(200) % 50
    np.savez("own.npz", x_train=x, y_train=y, x_test=x[:50] * 9, y_test=y[:50])
    code, out, err = look("own.npz")
    assert code == 0, err
    assert "200 for training, 50 for testing" in out and "... and 30 more" in out
    assert "Features that reach far outside" in out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nothing.csv",), "There is no data set, file or folder 'nothing.csv'"), (("digit",), "did you mean 'digits'"),
        (("digits", "--target", "y"), "is not a table"), (("digits", "--size", "0"), "size"), (("empty",), "empty is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_one_sentence(look: Look, arguments: tuple[str, ...], part: str) -> None:
    Path("empty").mkdir()
    code, out, err = look(*arguments)
    assert code == 2 and out == "" and part in err and err.count("\n") == 1
    assert any("ぁ" <= letter <= "ヿ" for letter in look(*arguments, "--lang", "ja")[2])


def test_looking_does_not_import_torch() -> None:
    script = (
        "import sys; sys.argv = ['koubai', 'data', 'moons']; from koubai.__main__ import main\n"
        "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def found(x: Any, y: Any, test: Any = None, **more: Any) -> Found:
    classes = tuple(str(k) for k in range(max(y) + 1))
    return Found(Words("", ""), np.array(x), np.array(y), classes, test, **more)


def test_what_is_worth_knowing() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (100, 3)).astype(np.float32)
    y = np.arange(100) % 2
    assert problems(found(x, y)) == []

    def said(*arguments: Any, **more: Any) -> str:
        (words,) = problems(found(*arguments, **more))
        assert words.ja and words.ja != words.en
        return words.en

    assert "90 samples of '0', 10 of '1'. Always answering '0' is right for 90.0%" in said(x, np.repeat([0, 1], [90, 10]))
    assert "Few samples: 5 of class '1'" in said(x[:20], np.repeat([0, 1], [15, 5]))
    assert "The same in all training samples: 1 of 3 features (b)" in said(x * [1, 0, 1], y, columns=("a", "b", "c"))
    assert "Values reach 1,000" in said(np.where(x == x[5, 1], 1000, x).astype(np.float32), y)
    assert "Duplicate samples: 1." in said(x[[*range(98), 0, 99]], y)
    assert "Test samples that are among the training samples too: 2." in said(x, y, (x[:2], y[:2]))
    assert "far outside their training range in the test part: 1." in said(x, y, (draw.normal([0, 50, 0], 1, (5, 3)), y[:5]))
    torn = [words.en for words in problems(found(x[[*range(99), 0]], y))]
    assert torn == [
        "Duplicate samples: 1. Some may be among both the training and the validation samples.",
        "Samples that appear with more than one label: 1.",
    ]
    x_counting = np.column_stack([np.arange(-50, 50) / 10, x[:, 0]]).astype(np.float32)
    assert problems(found(x_counting, y, columns=("a", "b"))) == []
    x_counting[:, 0] = np.arange(100)
    assert "The column 'a' only numbers the rows; drop = ['a']" in problems(found(x_counting, y, columns=("a", "b")))[0].en
    holes = x.copy()
    holes[3, 1] = holes[4, 1] = np.nan
    assert "Missing values in x (2)" in said(holes, y)
    assert "colour (7)" in said(x, y, missing={"colour": 7})


@pytest.mark.parametrize(
    ("shape", "size"),
    [((28, 28), (28, 14)), ((8, 8), (8, 4)), ((3, 32, 32), (16, 8)), ((1, 1), (1, 1)), ((500, 9), (1, 14)), ((9, 500), (28, 1))],
)
def test_images_drawn_in_letters(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    lines = drawn(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    assert (len(lines[0]), len(lines)) == size and len({len(line) for line in lines}) == 1
    ramp = drawn(np.repeat(np.arange(5), 4).reshape(5, 4).T.astype(np.uint8))
    assert ramp == [" ░▒▓█"] * 2


def test_training_on_a_table_from_a_study_and_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flowers(Path("flowers.csv"))
    text = 'data = { name = "flowers.csv", target = "kind", missing = "mean", standardize = true }\n'
    study = Study.from_toml("[base]\nlayers = [8]\nsteps = 200\nbatch_size = 8\n" + text)
    result = run(study, store=Store(tmp_path / "store"), progress=False)
    assert result.records[0].final("validation_accuracy") == 1  # roses are red
    with pytest.raises(UserError, match="row 5, column 'smell' has no value"):
        adapt(EXERCISES["vanishing-gradient"], data="flowers.csv", target="kind")
    changes = {"data": "flowers.csv", "target": "kind", "missing": "mean"}
    base = adapt(EXERCISES["vanishing-gradient"], **changes).runs.base  # type: ignore[union-attr]
    assert base.data == Data(name="flowers.csv", target="kind", missing="mean")
    assert base.batch_size == 32  # 40 rows, a fifth of them held out: fewer than the exercise's minibatch
    base = adapt(EXERCISES["overfitting"], **changes).runs.base  # type: ignore[union-attr]
    assert (base.data.samples, base.batch_size) == (32, 32)  # of the 300 that it asks for


def test_the_page_on_data_says_all_there_is_to_say() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for field in Data.model_fields:
        assert f"`{field}`" in page
    for format in (*FORMATS, "CSV", "TSV", "Parquet", "IDX", "CIFAR-10", "CIFAR-100", ".npz", ".npy", *TARGETS):
        assert format in page
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert Study.from_toml(example).base.data.target == "species"
