"""Predictions: the same as in training's evaluation, from images, tables and arrays, and a clear sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import koubai as kb
from koubai.data import load
from koubai.data.dataset import read
from koubai.language import UserError
from koubai.naming import study_named, trial_named
from koubai.result import Best
from koubai.store import Store

TABLE = [
    f"{age},{('red', 'blue', '')[age % 3]},{age * 2 if age % 5 else ''},{'old' if age > 40 else 'young'}" for age in range(20, 80)
]
HEAD = "age,colour,weight,kind"


def trained(tmp_path: Path, data: object, **fields: object) -> Best:
    """One trial, trained for some steps."""
    base = {"layers": [8], "batch_size": 20, "steps": 60, "data": data, **fields}
    return kb.run(kb.Study(base), store=tmp_path / "store", device="cpu", progress=False).best()


def test_predictions_are_as_right_as_the_evaluation(tmp_path: Path) -> None:
    data = load(kb.Trial().data)
    np.savez(tmp_path / "validation.npz", x=data.x_validation.reshape(-1, 8, 8))
    for layers in ([10], ["conv 3 3", 8]):
        best = trained(tmp_path, "digits", layers=layers, batch_norm="before")
        made = best.predict(tmp_path / "validation.npz")
        assert np.allclose(made.probabilities.sum(1), 1, atol=1e-5)
        right = np.array(made.chosen) == np.array(data.classes)[data.y_validation]
        assert right.mean() == pytest.approx(best.record.final("validation_accuracy"))


def test_tables_are_treated_as_in_training(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("\n".join([HEAD, *TABLE]))
    best = trained(tmp_path, {"name": str(file), "missing": "mean", "standardize": True}, learning_rate=0.05)
    made = best.predict(file)
    data, found = load(best.record.trial.data), read(best.record.trial.data)
    expected = {tuple(row): label for row, label in zip(data.x_validation.round(4), data.y_validation, strict=True)}
    rows = data.transform.apply(found.x.copy()).round(4)
    right = [made.chosen[k] == data.classes[expected[tuple(row)]] for k, row in enumerate(rows) if tuple(row) in expected]
    assert len(right) == len(data.y_validation)
    assert np.mean(right) == pytest.approx(best.record.final("validation_accuracy"))


def test_columns_may_stand_in_another_order_and_the_target_be_missing(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("\n".join([HEAD, *TABLE]))
    best = trained(tmp_path, {"name": str(file), "missing": "mean"})
    other = tmp_path / "other.csv"
    other.write_text(
        "more,weight,colour,age\n" + "\n".join(f"9,{w},{c},{a}" for a, c, w, _ in (row.split(",") for row in TABLE[:9]))
    )
    assert np.allclose(best.predict(other).probabilities, best.predict(file).probabilities[:9])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("age,colour\n30,red", "weight"),
        ("age,colour,weight\n30,purple,60", r"'purple'.*blue"),
        ("age,colour,weight\nmany,red,60", r"row 2, column 'age' is 'many'"),
        ("age,colour,weight\n1e99,red,60", "infinite"),
    ],
)
def test_tables_that_do_not_fit_are_refused(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\n".join([HEAD, *TABLE]))
    best = trained(tmp_path, {"name": str(tmp_path / "table.csv"), "missing": "mean"})
    (tmp_path / "new.csv").write_text(content)
    with pytest.raises(UserError, match=sentence):
        best.predict(tmp_path / "new.csv")


def test_gaps_are_refused_where_nothing_was_fitted_for_them(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\n".join([HEAD, *(row for k, row in enumerate(TABLE) if k % 3 and k % 5)]))
    best = trained(tmp_path, {"name": str(tmp_path / "table.csv"), "missing": "drop"}, batch_size=8)
    (tmp_path / "new.csv").write_text("age,colour,weight\n30,red,60\n31,blue,")
    with pytest.raises(UserError, match="row 3, column 'weight'"):
        best.predict(tmp_path / "new.csv")


def pictures(folder: Path, size: tuple[int, int] = (6, 5)) -> Path:
    """Dark and bright images of a (height, width), in a folder for each class."""
    draw = np.random.default_rng(0)
    for name, low in (("bright", 150), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for k in range(20):
            Image.fromarray(draw.integers(low, low + 100, size, dtype=np.uint8)).save(folder / name / f"{k:02}.png")
    return folder


def test_images_are_judged_one_by_one_and_in_folders(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    best = trained(tmp_path, str(folder), layers=["conv 2 3", 6], batch_size=8)
    made = best.predict(folder)
    assert made.names[0] == str(Path("bright/00.png")) and len(made.names) == 40
    assert np.mean([name.startswith(chosen) for name, chosen in zip(made.names, made.chosen, strict=True)]) > 0.9
    one = best.predict(folder / "dark" / "03.png")
    assert one.names == ["03.png"]
    assert np.allclose(one.probabilities[0], made.probabilities[list(made.names).index(str(Path("dark/03.png")))], atol=1e-6)
    Image.open(folder / "dark" / "03.png").convert("RGB").save(tmp_path / "colour.png")  # colour, as the training was grey
    assert np.allclose(best.predict(tmp_path / "colour.png").probabilities, one.probabilities, atol=1e-6)


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    best = trained(tmp_path, str(folder), batch_size=8)
    Image.new("L", (9, 7)).save(tmp_path / "large.png")
    (tmp_path / "note.txt").write_text("")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "other.npz", x=np.zeros((2, 3)))
    np.savez(tmp_path / "gaps.npz", x=np.full((2, 6, 5), np.nan))
    for name, sentence in {
        "note.txt": "no image",
        "nothing.png": "There is no file",
        "table.csv": "is a table",
        "other.npz": "is 3, and the network takes 6x5",
        "gaps.npz": "sample 0 has no value",
    }.items():
        with pytest.raises(UserError, match=sentence):
            best.predict(tmp_path / name)
    with pytest.raises(UserError, match="not trained on images"):
        trained(tmp_path, "moons").predict(tmp_path / "large.png")


@pytest.mark.parametrize("standardize", [False, True])
def test_images_are_refused_where_training_had_another_scale(standardize: bool, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "floats.npz", x=draw.uniform(0, 255, (60, 4, 4)), y=np.arange(60) % 2)
    best = trained(tmp_path, {"name": str(tmp_path / "floats.npz"), "standardize": standardize}, learning_rate=1e-4)
    Image.new("L", (4, 4)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match="larger numbers"):
        best.predict(tmp_path / "one.png")


@pytest.mark.parametrize("size", [{}, {"size": 4}])
def test_images_of_another_size_are_cut_in_the_middle_and_resized(size: dict[str, int], tmp_path: Path) -> None:
    best = trained(tmp_path, {"name": str(pictures(tmp_path / "pictures", (8, 8))), **size}, batch_size=8)
    draw = np.random.default_rng(1)
    wide = Image.fromarray(draw.integers(0, 255, (40, 60, 3), dtype=np.uint8))
    wide.save(tmp_path / "wide.png")
    side = size.get("size", 8)
    wide.crop((10, 0, 50, 40)).resize((side, side), Image.Resampling.BILINEAR).convert("L").save(tmp_path / "own.png")
    made, own = (best.predict(tmp_path / name).probabilities for name in ("wide.png", "own.png"))
    assert made.shape == (1, 2) and np.allclose(made, own, atol=0.02)  # grey before or after resizing: roundings of a byte


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two studies: one of two variants and two seeds, of which one variant diverges; one that has only been asked for."""
    store = Store(tmp_path / "koubai-out" / "store")
    study = kb.Study({"layers": [4], "steps": 20}, name="rates", axes={"learning_rate": [0.1, 1e30], "seed": 2})
    kb.run(study, store=store, device="cpu", progress=False)
    store.note(kb.Study({"layers": [5]}, name="asked"))
    return store


def test_studies_and_trials_are_found_by_name_number_and_id(store: Store) -> None:
    study = study_named(store, "rates")
    assert study_named(store, study.id[:6]) == study
    result = kb.Result(study, tuple(store.get(study.trials)))
    assert trial_named(result, "2").record.trial == study.trials[1]
    assert trial_named(result, study.trials[0].id[:7]).record.trial == study.trials[0]
    assert trial_named(result, "best").record.trial.learning_rate == 0.1
    for name, sentence in {"5": "no trial '5'.*1 to 4", "xyz": "no trial", "": "no trial"}.items():
        with pytest.raises(UserError, match=sentence):
            trial_named(result, name)
    asked = kb.Result(study_named(store, "asked"), ())
    with pytest.raises(UserError, match="not stored yet"):
        trial_named(asked, "1")
    with pytest.raises(UserError, match="finished"):
        trial_named(asked, "best")
    with pytest.raises(UserError, match="did you mean 'rates'"):
        study_named(store, "rate5")


def test_the_beginning_of_two_ids_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_named(store, "rates")
    for trial, id in zip(study.trials, ("abc1", "abc2", "d", "e"), strict=True):
        trial.__dict__["id"] = id
    with pytest.raises(UserError, match="begins several ids"):
        trial_named(kb.Result(study, ()), "abc")
    monkeypatch.setattr(store, "studies", lambda: [{"id": "ff1", "name": "a"}, {"id": "ff2", "name": "b"}])
    with pytest.raises(UserError, match="begins several ids: ff1, ff2"):
        study_named(store, "ff")


def test_the_commands_list_export_and_predict(store: Store, command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, out, _ = command("runs", "rates")
    assert code == 0 and "learning_rate=0.1" in out and "diverged" in out and study_named(store, "rates").trials[0].id[:8] in out
    code, out, _ = command("export", "rates", "1", "--to", "net")
    assert code == 0 and (tmp_path / "net" / "model.py").exists() and "net: trial" in out
    Image.new("L", (8, 8), 200).save(tmp_path / "one.png")
    code, out, _ = command("predict", "rates", "best", "one.png")
    assert code == 0 and "one.png" in out and "%" in out
    code, out, _ = command("predict", "rates", "best", "one.png", "--json", "--lang", "ja")
    assert code == 0 and '"probabilities"' in out
    for arguments, sentence in {
        ("export", "rates", "3"): "diverged",
        ("export", "nothing"): "There is no stored study",
        ("predict", "rates", "best", "two.png"): "There is no file",
    }.items():
        code, out, err = command(*arguments)
        assert code == 2 and not out and sentence in err and err.count("\n") == 1


def test_an_empty_store_says_so(command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = command("export", "anything")
    assert code == 2 and "Nothing has been run" in err
