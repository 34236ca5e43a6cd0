"""A result: its table, its data frame, its best network, and that it shows itself in a notebook."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import koubai as kb
from koubai.language import UserError, speak
from koubai.report.summary import as_text, cells, power, summarize
from koubai.statistics import interval


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> kb.Result:
    base = {"layers": [8], "batch_size": 50, "steps": 60}
    study = kb.Study(base, axes={"initializer": ["he", "zeros"], "learning_rate": [0.1, 1e30], "seed": 3})
    return kb.run(study, store=tmp_path_factory.mktemp("result") / "store", device="cpu", progress=False)


def test_the_table_has_means_and_intervals_over_seeds(result: kb.Result) -> None:
    assert [row["variant"] for row in result.table] == [group.label for group in result.groups]
    row = result.table[0]
    values = [
        r.final("validation_accuracy")
        for r in result.records
        if str(r.trial.initializer) == "he" and r.trial.learning_rate == 0.1
    ]
    assert len(values) == 3
    assert row["validation_accuracy"] == pytest.approx(np.mean(values))
    assert (row["validation_accuracy_low"], row["validation_accuracy_high"]) == interval(values)
    assert (row["seeds"], row["diverged"]) == (3, 0)
    gradients = [
        r.history["gradient"][0] for r in result.records if str(r.trial.initializer) == "he" and r.trial.learning_rate == 0.1
    ]
    assert row["attenuation"] == pytest.approx(np.mean([np.log10(g[0] / g[-1]) for g in gradients]))


def test_diverged_trials_are_counted_and_count_as_guessing(result: kb.Result) -> None:
    row = next(row for row in result.table if row["diverged"])
    assert row["diverged"] == 3 and row["validation_accuracy"] == pytest.approx(0.1)
    assert "diverged" in repr(result)
    fine = as_text([row for row in result.table if not row["diverged"]])
    assert "diverged" not in fine


def test_as_text_speaks_both_languages(result: kb.Result) -> None:
    assert "validation accuracy" in repr(result) and "nothing arrives" in repr(result)
    speak("ja")
    assert "検証精度" in repr(result) and "届かない" in repr(result)


def test_of_very_many_variants_the_screen_shows_the_ends_and_says_so(result: kb.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "result.table" not in repr(result)
    monkeypatch.setattr("koubai.result.MOST_ROWS", 2)
    accuracies = [row["validation_accuracy"] for row in result.table]
    ends = {result.table[k]["variant"] for k in (np.argmax(accuracies), np.argsort(accuracies)[0])}
    for words in ("4 variants: these are the best and the worst 1 by final validation accuracy", "設定は 4 通り"):
        assert {row["variant"] for row in result.table if row["variant"] in repr(result)} == ends
        assert all(words in shown for shown in (repr(result), result._repr_html_()))
        assert result._repr_html_().count("<tr>") == 3
        speak("ja")


@pytest.mark.parametrize(
    ("decades", "shown"),
    [
        (0.0, "1.00"),
        (-1.0, "0.10"),
        (-3.8, "1.6e-4"),
        (-20, "nothing arrives"),
        (2.5, "3.2e2"),
        (1.0, "10.00"),
        (-12, "1.0e-12"),
    ],
)
def test_factors_are_shown_as_people_write_them(decades: float, shown: str) -> None:
    assert power(decades) == shown


def test_one_seed_has_no_interval(result: kb.Result) -> None:
    assert cells({"variant": "x", **summarize(result.records[:1])}, ["variant", "train_accuracy"])[1].count("[") == 0


def test_the_data_frame_has_a_row_a_trial(result: kb.Result) -> None:
    frame = result.to_pandas()
    assert len(frame) == 12 and {"initializer", "learning_rate", "seed", "validation_accuracy", "diverged", "id"} <= set(
        frame.columns
    )
    assert set(frame["initializer"]) == {"he", "zeros"}
    first = result.records[0]
    assert frame.set_index("id").loc[first.trial.id, "train_loss"] == first.final("train_loss")


def test_the_data_frame_tells_techniques_of_one_name_apart(tmp_path: Path) -> None:
    penalties = ["none", {"name": "l2", "strength": 0.1}, {"name": "l2", "strength": 0.2}]
    study = kb.Study({"steps": 1}, axes={"penalty": penalties, "layers": [[4], [4, 4]]})
    frame = kb.run(study, store=tmp_path, progress=False).to_pandas()
    assert frame["penalty"].tolist() == ["none"] * 2 + ["l2(strength=0.1)"] * 2 + ["l2(strength=0.2)"] * 2
    assert frame["layers"].tolist() == [(4,), (4, 4)] * 3


def test_without_pandas_it_says_so(result: kb.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="pip install pandas"):
        result.to_pandas()


def test_the_best_trial_is_a_plain_module_that_reaches_its_accuracy(result: kb.Result) -> None:
    best = result.best()
    reached = best.record.final("validation_accuracy")
    assert reached == max(r.final("validation_accuracy") for r in result.records if not r.diverged)
    from koubai.data import load

    data = load(best.record.trial.data)
    with torch.no_grad():
        right = best.module()(torch.from_numpy(data.x_validation)).argmax(1).numpy() == data.y_validation
    assert right.mean() == pytest.approx(reached)


def test_the_best_trial_shows_itself_in_a_line(result: kb.Result) -> None:
    best = result.best()
    assert repr(best) == f"{best.record.trial!r}: validation accuracy {best.record.final('validation_accuracy'):.1%}"
    assert eval(repr(best.record.trial), {"Trial": kb.Trial}) == best.record.trial


def test_a_notebook_shows_the_table_and_the_curves(result: kb.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    display = types.SimpleNamespace(HTML=lambda text: ("html", text), display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    result._ipython_display_()
    assert shown[0][0] == "html" and shown[0][1].startswith("<table>") and "he, learning_rate=0.1" in shown[0][1]
    assert type(shown[1]).__name__ == "Figure"


def test_five_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The example that the README shows."""
    example = Path(__file__).parent.parent / "examples" / "five_lines.py"
    monkeypatch.chdir(tmp_path)
    exec(compile(example.read_text(encoding="utf-8").replace("steps=500", "steps=5"), str(example), "exec"), {})
    assert "validation accuracy" in capsys.readouterr().out


def test_variants_that_are_not_trained_yet_are_left_out(result: kb.Result) -> None:
    part = kb.Result(result.study, tuple(r for r in result.records if str(r.trial.initializer) == "he" and r.trial.seed == 0))
    assert [group.values["initializer"] for group in part.groups] == ["he", "he"]
    assert [row["seeds"] for row in part.table] == [1, 1]
    assert "ledger" in part.figures()
