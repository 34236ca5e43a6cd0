"""Files of every kind, damaged at random: a sentence or a sound data set comes out, in little memory, and nothing else."""

from __future__ import annotations

import csv
import gzip
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from PIL import Image

from koubai.cli.data import drawn
from koubai.data import files, load
from koubai.data.dataset import read
from koubai.data.problems import problems
from koubai.language import UserError
from koubai.spec import Data

resource = pytest.importorskip("resource")  # which Windows lacks

DRAW = np.random.default_rng(0)
X, Y = DRAW.integers(0, 256, (12, 6, 6), np.uint8), np.arange(12, dtype=np.uint8) % 3


def idx(folder: Path) -> Path:
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">III", *X.shape) + X.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 12) + Y.tobytes())
    return folder


def idx_gz(folder: Path) -> Path:
    for path in list(idx(folder).iterdir()):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


def cifar(folder: Path) -> Path:
    for name in ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"):
        (folder / name).write_bytes(b"".join(bytes([k % 10]) + DRAW.bytes(3072) for k in range(4)))
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    return folder


def cifar_100(folder: Path) -> Path:
    for name in ("train.bin", "test.bin"):
        (folder / name).write_bytes(b"".join(bytes([k, 10 * k]) + DRAW.bytes(3072) for k in range(4)))
    return folder


def npz(folder: Path) -> Path:
    np.savez(folder / "own.npz", x=X / 7, y=Y)
    return folder / "own.npz"


def npz_compressed(folder: Path) -> Path:
    np.savez_compressed(folder / "own.npz", x_train=X, y_train=Y.astype(str), x_test=X, y_test=Y.astype(str))
    return folder / "own.npz"


def npy(folder: Path) -> Path:
    np.save(folder / "x.npy", X.astype(np.float32))
    np.save(folder / "y.npy", Y)
    return folder


COLUMNS = {
    "height": [1.5 * k for k in range(30)],
    "colour": ["red", "green", "blue"] * 10,
    "count": [*range(29), None],
    "class": ["cat", "dog"] * 15,
}


def csv_file(folder: Path) -> Path:
    with open(folder / "own.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(zip(*COLUMNS.values(), strict=True))
    return folder / "own.csv"


def parquet(folder: Path) -> Path:
    pq.write_table(pa.table(COLUMNS), folder / "own.parquet", row_group_size=13)
    return folder / "own.parquet"


def parquet_zstd(folder: Path) -> Path:
    pq.write_table(pa.table(COLUMNS), folder / "own.parquet", compression="zstd", version="1.0", use_dictionary=False)
    return folder / "own.parquet"


def images(*ends: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for k in range(6):
            (folder / "ab"[k % 2]).mkdir(exist_ok=True)
            end = ends[k % len(ends)]
            pixels = np.stack([X[k]] * 3, 2) if "jpg" in ends else X[k]
            exif = Image.Exif()
            exif[0x0112] = k
            options = {"exif": exif} if end in ("png", "jpg") else {}
            Image.fromarray(pixels).save(folder / "ab"[k % 2] / f"{k}.{end}", **options)
        return folder

    return write


WRITERS: dict[str, Callable[[Path], Path]] = {
    "idx": idx, "idx.gz": idx_gz, "cifar-10": cifar, "cifar-100": cifar_100, "npz": npz, "npz compressed": npz_compressed, "npy": npy,
    "csv": csv_file, "parquet": parquet, "parquet zstd": parquet_zstd,
    "png": images("png"), "jpg": images("jpg"), "bmp": images("bmp"), "gif": images("gif"), "images": images("png", "jpg", "gif", "bmp"),
}  # fmt: skip

EXTREME = (
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\0" * 4,
    b"\x80\0\0\0",
    b"\xff" * 8,
    b"nan",
    b"inf",
    b"1e999",
    b",",
    b'"',
    b"\n",
    b"\0",
)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A way to damage bytes, at places that are drawn as shares of their length, so that they fit any file."""
    kind = draw(st.sampled_from(["cut", "flip", "flip", "write", "write", "insert", "repeat", "remove", "replace"]))
    places = draw(st.lists(st.one_of(st.floats(0, 1), st.integers(0, 200)), min_size=1, max_size=4))
    what = draw(st.one_of(st.sampled_from(EXTREME), st.binary(min_size=1, max_size=8)))
    bit = draw(st.integers(0, 7))

    def damage(content: bytes) -> bytes:
        data = bytearray(content)
        for place in places:
            at = min(place, len(data)) if isinstance(place, int) else int(place * len(data))
            if kind == "cut":
                del data[at:]
            elif kind == "flip" and at < len(data):
                data[at] ^= 1 << bit
            elif kind == "write":
                data[at : at + len(what)] = what
            elif kind == "insert":
                data[at:at] = what
            elif kind == "repeat":
                data[at:at] = data[at : at + 64] * 3
            elif kind == "remove":
                del data[at : at + len(what)]
            elif kind == "replace":
                data = bytearray(what)
        return bytes(data)

    return damage


OPTIONS = st.fixed_dictionaries(
    {}, optional={"missing": st.sampled_from(["mean", "drop"]), "validation": st.just(0.5), "standardize": st.just(True)}
)
TABLES = st.fixed_dictionaries(
    {}, optional={"target": st.sampled_from(list(COLUMNS)), "drop": st.sampled_from([["count"], ["colour"]])}
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of a million values at most, so that taking more memory than one's due stands out."""
    monkeypatch.setattr(files, "MOST", 2**20)


def sound(spec: Data) -> None:
    """A set is refused with one sentence, or all that comes of it is in order."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        data = load(spec)
        found = read(spec)
        listed = problems(found)
        for sample in found.x[:3] if found.is_image else ():
            assert drawn(sample)
    except UserError as error:
        words = error.words
        assert all(text and "\n" not in text and "\r" not in text and len(text) < 1000 for text in words)
        assert any("ぁ" <= letter <= "ヿ" for letter in words.ja)
    else:
        for x, y in ((data.x_train, data.y_train), (data.x_validation, data.y_validation)):
            assert x.dtype == np.float32 and x.ndim == 2 and len(x) == len(y) > 0 and np.isfinite(x).all()
            assert x.shape[1] == np.prod(data.shape, dtype=int)
            assert y.dtype == (np.float32 if data.target else np.int64) and np.isfinite(y).all()
            assert data.target or 0 <= y.min() <= y.max() < len(data.classes)
        assert len(set(data.classes)) == len(data.classes) > 1 or (data.target and not data.classes)
        assert all(words.en and words.ja for words in listed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KiB: half a gigabyte


@pytest.mark.parametrize("kind", WRITERS)
@given(damages(), st.integers(0, 9), OPTIONS, TABLES, st.sampled_from([None, None, 5]))
def test_damaged_files(
    kind: str, damage: Callable[[bytes], bytes], which: int, options: dict, table: dict, size: int | None
) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = WRITERS[kind](Path(place))
        inside = sorted(file for file in Path(place).rglob("*") if file.is_file())
        hit = inside[which % len(inside)]
        hit.write_bytes(damage(hit.read_bytes()))
        more = table if kind.startswith(("csv", "parquet")) else {"size": size} if kind in ("png", "jpg", "images") else {}
        sound(Data(name=str(path), **options, **more))


@pytest.mark.parametrize("kind", WRITERS)
@given(st.sampled_from(list(WRITERS)))
def test_files_that_are_not_what_their_name_says(kind: str, other: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "own").mkdir()
        (Path(place) / "other").mkdir()
        path = WRITERS[kind](Path(place) / "own")
        sources = sorted(file for file in WRITERS[other](Path(place) / "other").parent.rglob("*") if file.is_file())
        for k, file in enumerate(sorted(file for file in (Path(place) / "own").rglob("*") if file.is_file())):
            shutil.copyfile(sources[k % len(sources)], file)
        sound(Data(name=str(path)))


NAMES = ("own.csv", "own.tsv", "own.npz", "own.parquet", "own.bin", "x-ubyte", "own.png", "own.gz", "own")


@given(st.sampled_from(NAMES), st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_files_of_any_bytes(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / name).write_bytes(content)
        sound(Data(name=str(Path(place) / name)))
        sound(Data(name=place))


CELLS = st.one_of(
    st.text(max_size=5), st.floats().map(str), st.integers().map(str), st.sampled_from(["", "NA", "a", "0", "1", "1,5"])
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=12), st.sampled_from(",;\t"), OPTIONS)
def test_tables_of_anything(rows: list[list[str]], separator: str, options: dict) -> None:
    with tempfile.TemporaryDirectory() as place:
        content = "\n".join(separator.join(row) for row in rows)
        (Path(place) / "own.csv").write_bytes(content.encode(errors="replace"))
        sound(Data(name=str(Path(place) / "own.csv"), **options))
