"""A network that leaves: what is written works without Koubai and gives the same, and what cannot be written leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import koubai as kb
from koubai import export as exporting
from koubai.data import load
from koubai.export import TOLERANCE, finished
from koubai.language import UserError
from koubai.result import Best
from koubai.techniques import ACTIVATIONS, activations

ALONE = """
import sys
sys.path = [path for path in sys.path if "koubai" not in path]
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
from model import load
with torch.no_grad():
    np.save(sys.argv[3], load()(torch.from_numpy(np.load(sys.argv[2]))).numpy())
assert not any(name.split(".")[0] == "koubai" for name in sys.modules)
"""
STANDARD = {"name": "digits", "standardize": True}
IMAGE_LAYERS = [
    "conv 3 3x5 stride 2x1 pad 1x2",
    "batchnorm",
    "lrn",
    "maxpool 3 stride 1 pad 1",
    "conv 2 2",
    "avgpool 2 stride 1",
    5,
]


def trained(tmp_path: Path, **fields: object) -> Best:
    """One trial, trained for some steps."""
    base = {"batch_size": 50, "steps": 40, **fields}
    return kb.run(kb.Study(base), store=tmp_path / "store", device="cpu", progress=False).best()


def logits_alone(folder: Path, x: np.ndarray, tmp_path: Path) -> np.ndarray:
    """What the exported folder gives in a process of its own that cannot import Koubai."""
    np.save(tmp_path / "x.npy", x)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [sys.executable, "-I", "-c", ALONE, str(folder), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    subprocess.run(arguments, check=True, env=environment, cwd=tmp_path)
    return np.load(tmp_path / "y.npy")


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"layers": list(ACTIVATIONS), "batch_norm": "before"},
        {"layers": [8, 6], "activation": {"name": "elu", "alpha": 0.7}, "batch_norm": "after", "dropout": 0.3, "dtype": "float64"},
        {"layers": IMAGE_LAYERS, "activation": {"name": "leaky_relu", "negative_slope": 0.2}, "dropout": 0.1},
        {"layers": ["conv 2 3", "dropout 0.2", "gelu", 6, "softplus"], "batch_norm": "after", "data": STANDARD},
    ],
)  # fmt: skip
def test_an_exported_network_gives_the_same_without_koubai(fields: dict[str, object], tmp_path: Path) -> None:
    if fields["layers"] == list(ACTIVATIONS):
        fields = {**fields, "layers": [item for name in ACTIVATIONS for item in (6, name)]}
    best = trained(tmp_path, **fields)
    folder = best.export(tmp_path / "out" / "net")
    data = load(best.record.trial.data)
    images = "flatten" in best.record.trial.layers
    x = data.x_validation.astype(best.record.trial.dtype).reshape(len(data.x_validation), *((1, 8, 8) if images else (64,)))
    with torch.no_grad():
        expected = best.module()(torch.from_numpy(x)).numpy()
    found = logits_alone(folder, x, tmp_path)
    assert np.array_equal(found, expected)
    assert (found.argmax(1) == data.y_validation).mean() == pytest.approx(best.record.final("validation_accuracy"))


def test_the_folder_says_what_goes_in_and_what_was_reached(tmp_path: Path) -> None:
    best = trained(tmp_path, layers=[8], data={"name": "moons", "standardize": True})
    folder = best.export(tmp_path / "net")
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "model.json", "model.py", "model.safetensors"]
    about = json.loads((folder / "model.json").read_text())
    assert about["input"]["shape"] == [2] and about["classes"] == ["0", "1"] and about["id"] == best.record.trial.id
    assert about["reached"]["validation_accuracy"] == best.record.final("validation_accuracy")
    raw = load(kb.Trial(data="moons").data).x_train.astype(np.float64)
    assert np.allclose(about["input"]["mean"], raw.mean(0)) and np.allclose(about["input"]["scale"], raw.std(0))
    assert "(x - mean) / scale" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_what_the_folder_says_to_copy_works(tmp_path: Path) -> None:
    folder = trained(tmp_path, layers=["conv 2 3", 4], steps=2, dtype="float64").export(tmp_path / "net")
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "example.py").write_text(example, encoding="utf-8")
    shown = subprocess.run([sys.executable, "example.py"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert shown.startswith("tensor(") and "float64" in shown


def test_names_of_the_users_stay_inside_the_docstring(tmp_path: Path) -> None:
    name = """\\U "+1" \"\"\"\nraise SystemExit\n'''\\"""
    best = trained(tmp_path, layers=[4], steps=2)
    folder = exporting.export(best.record, tmp_path / "net", name)
    tree = ast.parse((folder / "model.py").read_text(encoding="utf-8"))
    assert (ast.get_docstring(tree) or "").startswith(name.partition("\n")[0])
    assert [type(node).__name__ for node in tree.body] == [
        "Expr", "Import", "ImportFrom", "Import", "ImportFrom", "ImportFrom", "Assign", "ClassDef", *["FunctionDef"] * 5,
    ]  # fmt: skip


def test_local_response_normalization_is_pytorchs(tmp_path: Path) -> None:
    text = (trained(tmp_path, layers=IMAGE_LAYERS, steps=2).export(tmp_path / "net") / "model.py").read_text()
    assert "nn.LocalResponseNorm(5, alpha=0.0005, beta=0.75, k=2.0)" in text


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"layers": [8, "softplus", 6], "batch_norm": "before"}, {"layers": IMAGE_LAYERS}])
def test_onnx_gives_the_same(fields: dict[str, object], tmp_path: Path) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="the extra koubai[onnx] is not installed")
    import onnxruntime

    best = trained(tmp_path, **fields)
    folder = best.export(tmp_path / "net", onnx=True)
    x = load(best.record.trial.data).x_validation[:7]
    x = x.reshape(7, 1, 8, 8) if "flatten" in best.record.trial.layers else x
    (found,) = onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"x": x})
    expected = best.module()(torch.from_numpy(x)).detach().numpy()
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_onnx_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    best = trained(tmp_path, layers=[4])
    with pytest.raises(UserError, match=r"koubai\[onnx\]"):
        best.export(tmp_path / "out" / "net", onnx=True)
    assert not list((tmp_path / "out").iterdir())


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best = trained(tmp_path, layers=[4])
    monkeypatch.setattr(exporting, "_readme", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        best.export(tmp_path / "out" / "net")
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    best = trained(tmp_path, layers=[4])
    (tmp_path / "net").mkdir()
    best.export(tmp_path / "net")  # an empty one is not taken
    before = (tmp_path / "net" / "model.py").read_bytes()
    with pytest.raises(UserError, match="is there already"):
        best.export(tmp_path / "net")
    assert (tmp_path / "net" / "model.py").read_bytes() == before


def test_a_diverged_trial_has_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"diverged at step \d+"):
        trained(tmp_path, layers=[4], learning_rate=1e30).export(tmp_path / "net")


def test_an_activation_of_ones_own_is_refused(tmp_path: Path) -> None:
    try:
        activations.activation("mine", formula="", about=kb.language.Words("", ""))(lambda x: x * 2)
        with pytest.raises(UserError, match="your own"):
            trained(tmp_path, layers=[4], activation="mine").export(tmp_path / "net")
    finally:
        del ACTIVATIONS["mine"]


def test_data_that_are_gone_or_changed_are_named(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    rows = [f"{x},{-x},{'low' if x < 25 else 'high'}" for x in range(50)]
    file.write_text("\n".join(["a,b,kind", *rows]))
    best = trained(
        tmp_path, layers=[4], batch_size=10, steps=200, learning_rate=0.01, data={"name": str(file), "standardize": True}
    )
    finished(best.record)
    file.write_text("\n".join(["a,b,c,kind", *(f"1,{row}" for row in rows)]))
    with pytest.raises(UserError, match="not what it was"):
        finished(best.record)
    file.unlink()
    with pytest.raises(UserError, match="are needed"):
        finished(best.record)
