"""Values at the edges of what can be asked: trained, or one sentence before anything starts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koubai import caution
from koubai.caution import confirm, total_memory
from koubai.laboratory import run
from koubai.language import UserError, speaking
from koubai.result import Result
from koubai.store import Store
from koubai.study import Study
from koubai.training.cohort import footprint

BASE = {"data": {"name": "moons", "samples": 60}, "layers": [4], "batch_size": 20, "steps": 20}
Command = Callable[..., Any]  # the fixture ``command``


def go(folder: Path, fields: dict[str, Any], **axes: Any) -> Result:
    return run(Study({**BASE, **fields}, axes=axes), store=folder / "store", device="cpu", progress=False)


def refused(folder: Path, fields: dict[str, Any], **axes: Any) -> str:
    """The one sentence, with nothing on disk."""
    with pytest.raises(UserError) as caught:
        go(folder, fields, **axes)
    with speaking("ja"):
        assert any("ぁ" <= letter <= "ヿ" for letter in str(caught.value))
    assert not (folder / "store").exists()
    return str(caught.value)


# Sizes and rates


def test_a_learning_rate_of_0_leaves_a_network_as_it_was(tmp_path: Path) -> None:
    (record,) = go(tmp_path, {"learning_rate": 0}).records
    assert not record.diverged and len({float(loss) for loss in record.history["validation_loss"]}) == 1


@pytest.mark.parametrize("rate", [1e30, 1e308])
def test_a_learning_rate_beyond_all_bounds_diverges(tmp_path: Path, rate: float) -> None:
    (record,) = go(tmp_path, {"learning_rate": rate}).records
    assert record.diverged and np.isnan(record.final("loss"))
    assert go(tmp_path, {"learning_rate": rate}).report(tmp_path / "report.html").exists()


@pytest.mark.parametrize("rate", [-1, -1e-300, float("nan"), float("inf"), "0.1e", [0.1]])
def test_a_learning_rate_that_is_none(tmp_path: Path, rate: Any) -> None:
    assert "learning_rate must be" in refused(tmp_path, {}, learning_rate=[rate])


def test_no_hidden_layer_is_a_linear_network(tmp_path: Path) -> None:
    (record,) = go(tmp_path, {"layers": []}).records
    assert set(record.weights()) == {"0.weight", "0.bias"} and not record.diverged


@pytest.mark.parametrize("samples", [1, 2])
def test_one_sample_or_two_to_train_on(tmp_path: Path, samples: int) -> None:
    fields = {"data": {"name": "moons", "samples": samples}, "batch_size": 1}
    assert not go(tmp_path, fields).records[0].diverged
    assert f"is more than the {samples} training sample" in refused(tmp_path / "other", {**fields, "batch_size": 3})


def test_a_network_larger_than_the_machine_is_refused_before_the_system_ends_it(tmp_path: Path) -> None:
    assert "takes about 12,001 GB" in refused(tmp_path, {"layers": [10**6, 10**6]})
    assert "at most 1000000" in refused(tmp_path, {"layers": [10**7]})
    assert "too long" in refused(tmp_path, {"layers": [1] * 1001})
    there = total_memory()
    assert there is None or 2**28 < there < 2**48


def test_what_fits_is_decided_by_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = footprint(Study(BASE).base, *caution.shape_and_classes(Study(BASE).base))
    monkeypatch.setattr(caution, "total_memory", lambda: needed - 1)
    assert "of memory" in refused(tmp_path, {})
    for there in (needed, None):
        monkeypatch.setattr(caution, "total_memory", lambda there=there: there)
        assert len(go(tmp_path / str(there), {}).records) == 1


# Very many trials


def test_a_million_trials_are_refused_at_once_with_an_estimate(tmp_path: Path) -> None:
    begun = time.process_time()
    said = refused(tmp_path, {"steps": 10_000}, seed=10**6)
    assert time.process_time() - begun < 10, "they are not even expanded, which takes minutes"
    assert "1,000,000 trials" in said and "--yes" in said
    for word in ("hours on", "GB of memory", "on disk"):
        assert word in said
    assert "at most 1,000,000" in refused(tmp_path, {}, seed=10**6, learning_rate=[0.1, 0.2])


def test_who_says_yes_trains_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setattr(caution, "MANY", 3)
    assert "4 trials" in refused(tmp_path / "no", {}, seed=4)
    study = Study(BASE, axes={"seed": 4})
    assert len(run(study, store=tmp_path / "yes", device="cpu", progress=False, yes=True).records) == 4
    (tmp_path / "many.toml").write_text("[base]\ndata = 'moons'\nlayers = [3]\nsteps = 2\n[axes]\nseed = 5\n")
    ended = command("study", "many.toml")
    assert ended.code == 2 and "5 trials" in ended.err and not (tmp_path / "koubai-out").exists()
    assert command("study", "many.toml", "--yes").code == 0


def test_some_of_a_study_are_of_all_its_corners() -> None:
    study = Study(BASE, axes={"activation": ["relu", "tanh"], "seed": 100}, zip=[{"steps": [1, 2], "batch_size": [10, 20]}])
    some = study.some(40)
    assert set(some) <= set(study.trials) and len(set(some)) == 40
    assert {(t.activation.name, t.steps, t.batch_size) for t in some} >= {("relu", 1, 10), ("tanh", 1, 10)}
    with pytest.raises(UserError):
        confirm(Study({**BASE, "data": "not there"}, axes={"seed": 10**5}), yes=False)


# Tables and names


def table(path: Path, row: Callable[[int], str], rows: int = 40, head: str = "a,b,class") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *(row(k) for k in range(rows))]) + "\n", encoding="utf-8")
    return str(path)


TRAINED: dict[str, Callable[[int], str]] = {
    "labels as texts": lambda k: f"{k},{k % 3},{'猫' if k % 2 else 'dog <b>'}",
    "gaps in the labels": lambda k: f"{k},{k % 3},{(3, 17, -5)[k % 3]}",
    "constant features": lambda k: f"1,1,{k % 2}",
}
REFUSED: dict[str, tuple[Callable[[int], str], str]] = {
    "one class": (lambda k: f"{k},{k % 3},x", "only one class"),
    "NaN": (lambda k: f"{'nan' if k == 3 else k},{k % 3},{k % 2}", "row 5, column 'a' has no value"),
    "infinity": (lambda k: f"{'inf' if k == 3 else k},{k % 3},{k % 2}", "row 5, column 'a' is infinite"),
    "too large for float32": (lambda k: f"{'1e39' if k == 3 else k},{k % 3},{k % 2}", "too large for float32"),
}


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("case", TRAINED)
def test_curious_tables_that_can_be_learned_from(tmp_path: Path, case: str, standardize: bool) -> None:
    data = {"name": table(tmp_path / "own.csv", TRAINED[case]), "standardize": standardize}
    (record,) = go(tmp_path, {"data": data, "batch_size": 5}).records
    assert not record.diverged and np.isfinite(record.history["loss"][1:]).all()


@pytest.mark.parametrize("case", REFUSED)
def test_tables_that_cannot(tmp_path: Path, case: str) -> None:
    row, words = REFUSED[case]
    assert words in refused(tmp_path, {"data": table(tmp_path / "own.csv", row), "batch_size": 5})


NAMES = [
    "勾配 消失",
    "שלום ‮ עולם",
    "  two  ",
    "ünï'cödé\"",
    "<script>alert(1)</script>",
    "..",
    "a/b",
    "x" * 300,
    "勾" * 300,
    "\x1b[31m",
]


@pytest.mark.parametrize("name", NAMES)
def test_studies_of_any_name(command: Command, tmp_path: Path, name: str) -> None:
    """From a file to the report, the list and the exported network: nothing lands outside, nothing of it runs."""
    (tmp_path / "own.toml").write_text(Study({**BASE, "steps": 2}, name=name).to_toml(), encoding="utf-8")
    ended = command("study", "own.toml")
    assert ended.code == 0 and not set("\x1b\x9b") & set(ended.out + ended.err), ended.err
    (report,) = tmp_path.rglob("*.html")
    assert report.parent == tmp_path / "koubai-out" and "<script>alert" not in report.read_text(encoding="utf-8")
    for arguments in (("runs",), ("runs", name), ("diagnose", name)):
        ended = command(*arguments)
        assert ended.code == 0 and not set("\x1b\x9b") & set(ended.out + ended.err), arguments
    assert [one["name"] for one in Store(tmp_path / "koubai-out" / "store").studies()] == [name]
    ended = command("export", name)
    assert ended.code == 0, ended.err
    (readme,) = tmp_path.rglob("README.md")
    assert readme.parent.parent == tmp_path / "koubai-out"


@pytest.mark.parametrize("folder", ["データ 集", "שלום ‮", "a b/../a b", "%2e%2e?x#y"])
def test_data_in_any_folder(tmp_path: Path, folder: str) -> None:
    path = table(tmp_path / folder / "own ‮ data.csv", TRAINED["constant features"])
    result = go(tmp_path, {"data": path, "batch_size": 5})
    assert not result.records[0].diverged and result.report(tmp_path / "report.html").exists()


PLACES = ["שלום ‮ 勾\u3000[b]&%s {0} ?#'\"", "a b/../ü", "\x1b[31m"]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_every_command_takes_any_name_and_any_path(command: Command, tmp_path: Path, place: str) -> None:
    """What a person calls their folders, files, columns, classes and studies: read, written, shown, and nothing obeyed."""
    said = []

    def go_on(*arguments: str) -> str:
        ended = command(*arguments)
        assert ended.code == 0, (arguments, ended.err)
        said.append(ended.out + ended.err)
        return str(ended.out)

    folder = tmp_path / place
    (tmp_path / "a b").mkdir()
    word = place.replace('"', "”")
    path = table(folder / "own.csv", lambda k: f"{k},{k % 3},{word if k % 2 else 'b'}", head=f"a,{word},class")
    study = Study({**BASE, "data": path, "batch_size": 5, "steps": 4}, name=place.split("/")[0], axes={"seed": 2})
    (folder / "own.toml").write_text(study.to_toml(), encoding="utf-8")
    out, name = ("--out", str(folder / "out")), study.name
    assert "class" in go_on("data", path)
    go_on("study", str(folder / "own.toml"), *out)
    go_on("study", str(folder / "own.toml"), *out, "--data", path, "--steps", "3")
    go_on("runs", *out)
    go_on("runs", name, *out)
    go_on("diagnose", name, "1", *out)
    go_on("export", name, "--to", str(folder / "network"), *out)
    assert len(json.loads(go_on("predict", name, "best", path, "--json", *out))) == 40
    go_on("predict", name, "2", path, *out)
    go_on("prescribe", name, "1", "--seeds", "2", *out)
    go_on("describe", str(folder / "own.toml"))
    go_on("store", "check", *out)
    go_on("store", "export", str(folder / "taken"), name, *out)
    go_on("store", "import", str(folder / "taken"), "--out", str(folder / "other"))
    go_on("store", "prune", name, "--out", str(folder / "other"))
    assert not set("\x1b\x9b") & set("".join(said))
    assert {one.name for one in tmp_path.iterdir()} <= {"a b", "ü", place.split("/")[0]}
    assert {"own.csv", "own.toml", "out", "network", "taken", "other"} == {one.name for one in folder.iterdir()}


def test_what_a_table_is_called_and_holds_stays_text_in_a_report(tmp_path: Path) -> None:
    """Its name, its columns and its classes, in tables and in figures."""
    nasty = "<script>alert(1)</script>"
    path = tmp_path / f"{nasty.replace('/', '∕')}.csv"
    table(path, lambda k: f"{k},{k % 3},{nasty if k % 2 else '<img src=x onerror=alert(2)>'}", head=f"<b>a,{nasty},class")
    text = go(tmp_path, {"data": str(path), "batch_size": 5}, seed=2).report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert nasty not in text and "<img src=x" not in text and "<b>a" not in text
