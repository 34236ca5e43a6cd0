"""What an exported network is given, prepared by its own file, gives what ``koubai predict`` gives."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import koubai as kb
from koubai.language import UserError
from koubai.result import Best

COUNT = itertools.count()


def trained(tmp_path: Path, data: object, **fields: object) -> Best:
    base = {"layers": [8], "batch_size": 10, "steps": 60, "data": data, **fields}
    return kb.run(kb.Study(base), store=tmp_path / "store", device="cpu", progress=False).best()


def taken_along(best: Best, folder: Path) -> ModuleType:
    """The exported ``model.py`` as a module."""
    best.export(folder)
    spec = importlib.util.spec_from_file_location(f"taken_{next(COUNT)}", folder / "model.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def probabilities(model: ModuleType, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return model.load()(x).softmax(1).numpy()


def pictures(folder: Path, mode: str) -> Path:
    """Two classes of images of different sizes, bright on one side."""
    draw = np.random.default_rng(0)
    for name, side in (("left", 0), ("right", 1)):
        (folder / name).mkdir(parents=True)
        for k in range(12):
            pixels = draw.integers(0, 120, (20, 24 + k, 3), dtype=np.uint8)
            pixels[:, side * 12 : side * 12 + 12] += 100
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.parametrize(("mode", "layers"), [("L", [8]), ("RGB", ["conv 3 3x3", "maxpool 2"])])
@pytest.mark.parametrize("standardize", [False, True])
def test_images_are_sized_scaled_and_standardized(mode: str, layers: list[Any], standardize: bool, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "images", mode)
    best = trained(tmp_path, {"name": str(folder), "size": [10, 12], "standardize": standardize}, layers=layers)
    model = taken_along(best, tmp_path / "net")
    turned = Image.open(folder / "left" / "3.png").transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned back
    turned.save(tmp_path / "turned.png", exif=exif)
    for file in (folder / "left" / "0.png", folder / "right" / "5.png", tmp_path / "turned.png"):
        want = best.predict(file).probabilities
        np.testing.assert_allclose(probabilities(model, model.prepare(file)), want, atol=2e-6)
        np.testing.assert_allclose(probabilities(model, model.prepare(Image.open(file))), want, atol=2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_arrays(dtype: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = (draw.uniform(0, 100, (60, 5)) + 100 * y[:, None]).astype(dtype)
    np.savez(tmp_path / "own.npz", x=x, y=y)
    best = trained(tmp_path, {"name": str(tmp_path / "own.npz"), "standardize": True, "missing": "mean"}, dtype="float64")
    model = taken_along(best, tmp_path / "net")
    want = best.predict(tmp_path / "own.npz").probabilities
    np.testing.assert_allclose(probabilities(model, model.prepare(x)), want, atol=2e-6)
    np.testing.assert_allclose(probabilities(model, model.prepare(torch.from_numpy(x))), want, atol=2e-6)


ROWS = [
    f"{age},{('red', 'blue', '')[age % 3]},{age * 2 if age % 5 else ''},{'old' if age > 40 else 'young'}" for age in range(20, 80)
]


def table(path: Path) -> Path:
    path.write_text("\n".join(["age,colour,weight,kind", *ROWS]))
    return path


def test_rows_of_a_table(tmp_path: Path) -> None:
    file = table(tmp_path / "table.csv")
    best = trained(tmp_path, {"name": str(file), "missing": "mean", "standardize": True})
    model = taken_along(best, tmp_path / "net")
    want = best.predict(file).probabilities
    with open(file, newline="") as opened:
        rows = list(csv.DictReader(opened))
    np.testing.assert_allclose(probabilities(model, model.prepare(rows)), want, atol=2e-6)
    one = {"age": 23, "colour": None, "weight": 46.0}
    np.testing.assert_allclose(probabilities(model, model.prepare(one)), want[3:4], atol=2e-6)
    with pytest.raises(ValueError, match="does not know 'green'"):
        model.prepare({**one, "colour": "green"})


def test_a_gap_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "full.csv"
    file.write_text("a,y\n" + "".join(f"{k},{k % 2}\n" for k in range(30)))
    model = taken_along(trained(tmp_path, str(file)), tmp_path / "net")
    with pytest.raises(ValueError, match="missing or infinite"):
        model.prepare({"a": None})


def test_a_quantity_comes_out_in_its_unit(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("a,price\n" + "".join(f"{k},{k * 31.5 + 7}\n" for k in range(60)))
    best = trained(tmp_path, {"name": str(file), "standardize": True})
    model = taken_along(best, tmp_path / "net")
    with torch.no_grad():
        said = model.target(model.load()(model.prepare([{"a": k} for k in range(60)]))).numpy()
    values = best.predict(file).values
    assert values is not None
    np.testing.assert_allclose(said, values, rtol=1e-5)


def test_parquet_is_judged_as_the_same_csv_is(tmp_path: Path) -> None:
    arrow_csv, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
    file = table(tmp_path / "table.csv")
    best = trained(tmp_path, {"name": str(file), "missing": "mean"})
    whole = arrow_csv.read_csv(file)
    parquet.write_table(whole.select(["weight", "colour", "age"]), tmp_path / "new.parquet")
    made, want = best.predict(tmp_path / "new.parquet"), best.predict(file)
    np.testing.assert_array_equal(made.probabilities, want.probabilities)
    assert made.names[0] == "1", "rows of a Parquet file are counted from 1, without a header"
    parquet.write_table(whole.select(["weight", "age"]), tmp_path / "narrow.parquet")
    with pytest.raises(UserError, match="colour"):
        best.predict(tmp_path / "narrow.parquet")
    parquet.write_table(whole.set_column(0, "age", whole["colour"]), tmp_path / "texts.parquet")
    with pytest.raises(UserError, match="'age' is of type string; the network was trained on numbers there"):
        best.predict(tmp_path / "texts.parquet")


def test_idx_and_cifar_are_judged(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y = (np.arange(40) % 2).astype(np.uint8)
    x = (draw.integers(0, 100, (40, 4, 5)) + 100 * y[:, None, None]).astype(np.uint8)
    folder = tmp_path / "idx"
    folder.mkdir()
    for part in ("train", "t10k"):
        for name, values in (("images-idx3", x), ("labels-idx1", y)):
            head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (folder / f"{part}-{name}-ubyte").write_bytes(head + values.tobytes())
    best = trained(tmp_path, str(folder))
    np.savez(tmp_path / "x.npz", x=x)
    want = best.predict(tmp_path / "x.npz").probabilities
    for path in (folder, folder / "train-images-idx3-ubyte"):
        np.testing.assert_array_equal(best.predict(path).probabilities, want)
    with pytest.raises(UserError, match="no images"):
        best.predict(folder / "train-labels-idx1-ubyte")
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "x.npy", x)
    np.testing.assert_array_equal(best.predict(tmp_path / "npy").probabilities, want)

    cifar = tmp_path / "cifar"
    cifar.mkdir()
    images = draw.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    records = b"".join(bytes([k % 3]) + image.tobytes() for k, image in enumerate(images))
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (cifar / name).write_bytes(records)
    best = trained(tmp_path, str(cifar), layers=["conv 2 5x5 stride 4"], steps=5)
    np.savez(tmp_path / "c.npz", x=images)
    for path in (cifar, cifar / "data_batch_1.bin"):
        np.testing.assert_array_equal(best.predict(path).probabilities, best.predict(tmp_path / "c.npz").probabilities)
    with pytest.raises(UserError, match="3x32x32"):
        best.predict(folder)
