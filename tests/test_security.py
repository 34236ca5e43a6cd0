"""What SECURITY.md promises: nothing is unpickled at any door, and what expands is bounded before it does."""

from __future__ import annotations

import gzip
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from koubai.data import files
from koubai.data.dataset import read
from koubai.laboratory import run
from koubai.language import UserError
from koubai.spec import Data
from koubai.store import Store, checkpoints
from koubai.study import Study
from tests.bounds import bounded, one_sentence
from tests.traps import Trap

BASE = {"data": {"name": "moons", "samples": 60}, "layers": [3], "batch_size": 20, "steps": 3}


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    """A trap that works; the test fails if it was sprung."""
    made = Trap(tmp_path / "unpickled")
    pickle.loads(pickle.dumps(made))
    made.folder.rmdir()
    yield made
    assert not made.folder.exists(), "something was unpickled"


def npy(folder: Path, trap: Trap) -> Path:
    for name in "xy":
        np.save(folder / f"{name}.npy", np.array([trap] * 3, dtype=object), allow_pickle=True)
    return folder


def npz(folder: Path, trap: Trap) -> Path:
    np.savez(folder / "own.npz", x=np.array([trap] * 3, dtype=object), y=np.array([trap] * 3, dtype=object))
    return folder / "own.npz"


def pickled_npz(folder: Path, trap: Trap) -> Path:
    """A pickle where NumPy's own loader would take one: without any header."""
    with zipfile.ZipFile(folder / "own.npz", "w") as archive:
        for name in ("x.npy", "y.npy", "x", "y"):
            archive.writestr(name, pickle.dumps(trap))
    return folder / "own.npz"


def bare(name: str) -> Callable[[Path, Trap], Path]:
    def write(folder: Path, trap: Trap) -> Path:
        (folder / name).write_bytes(pickle.dumps(trap))
        return folder / name

    return write


def torch_file(name: str) -> Callable[[Path, Trap], Path]:
    def write(folder: Path, trap: Trap) -> Path:
        torch.save(trap, folder / name)
        return folder / name

    return write


def cifar(folder: Path, trap: Trap) -> Path:
    """CIFAR's Python version, which is pickles."""
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(trap))
    return folder


def gz(folder: Path, trap: Trap) -> Path:
    for part in ("train", "t10k"):
        for name in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(pickle.dumps(trap)))
    return folder


DOORS: dict[str, Callable[[Path, Trap], Path]] = {
    "npy": npy, "npz": npz, "npz of pickles": pickled_npz, "cifar": cifar, "idx.gz": gz,
    **{f"own.{end}": bare(f"own.{end}") for end in ("pkl", "pickle", "npz", "npy", "csv", "parquet", "bin", "png", "joblib")},
    **{f"torch own.{end}": torch_file(f"own.{end}") for end in ("pt", "pth", "npz", "bin", "csv")},
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_no_data_file_is_unpickled(tmp_path: Path, trap: Trap, door: str) -> None:
    (tmp_path / "data").mkdir()
    path = DOORS[door](tmp_path / "data", trap)
    for name in (path, path.parent):
        with pytest.raises(UserError) as caught:
            run(Study({**BASE, "data": str(name)}), store=tmp_path / "store", device="cpu", progress=False)
        one_sentence(caught.value)


@pytest.mark.parametrize("door", ["own.npz", "npz", "npz of pickles", "own.png", "own.csv", "torch own.pt"])
def test_nothing_given_to_predict_is_unpickled(tmp_path: Path, trap: Trap, door: str) -> None:
    best = run(Study(BASE), store=tmp_path / "store", device="cpu", progress=False).best()
    with pytest.raises(UserError):
        best.predict(DOORS[door](tmp_path, trap))


@pytest.mark.parametrize("content", [pickle.dumps, lambda trap: b"\x80\x04" + pickle.dumps(trap)])
def test_no_checkpoint_is_unpickled(tmp_path: Path, trap: Trap, content: Callable[[Trap], bytes]) -> None:
    study = Study(BASE)
    file = tmp_path / "checkpoints" / f"{checkpoints.name(study.trials)}.safetensors"
    file.parent.mkdir()
    file.write_bytes(content(trap))
    assert checkpoints.found(tmp_path, study.trials) == [] and not file.exists()
    torch.save(trap, file)
    assert len(run(study, store=tmp_path, device="cpu", progress=False).records) == 1


def test_no_study_runs_what_it_says(tmp_path: Path, trap: Trap) -> None:
    """Neither in TOML nor in the formulas of ``koubai chain``, which tests/test_chain.py tries."""
    for text in (f"name = '''{pickle.dumps(trap)!r}'''", '[base]\nactivation = \'__import__("os").mkdir("unpickled")\''):
        with bounded():
            Study.from_toml(text)
    assert not list(tmp_path.iterdir())


# What expands


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million values at most, so that taking more stands out."""
    monkeypatch.setattr(files, "MOST", 2**20)


def zip_bomb(folder: Path) -> Path:
    """600 MB of zeros that the header does not speak of, in 3 MB."""
    header = (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", 118)
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9, 2), }".ljust(117)
        + b"\n"
    )
    with (
        zipfile.ZipFile(folder / "own.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as file,
    ):
        file.write(header)
        for _ in range(36):
            file.write(bytes(2**24))
    return folder / "own.npz"


def gz_bomb(folder: Path) -> Path:
    block = gzip.compress(bytes(2**24))
    for part in ("train", "t10k"):
        head = gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 2, 2, 2))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(head + block * 64)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2) + b"\0\1"))
    return folder


def png(width: int, height: int, *chunks: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), *(chunk(one[:4], one[4:]) for one in chunks)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def image_bomb(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for name in "ab":
            (folder / name).mkdir()
            (folder / name / "own.png").write_bytes(content)
        return folder

    return write


PIXELS = zlib.compress(bytes(2**28), 9)
BOMBS: dict[str, Callable[[Path], Path]] = {
    "npz": zip_bomb,
    "gz": gz_bomb,
    "png of many pixels": image_bomb(png(2**16, 2**16, b"IDAT" + PIXELS)),
    "png with more than it says": image_bomb(png(4, 4, b"IDAT" + PIXELS)),
    "png with a text": image_bomb(png(4, 4, b"zTXta\0\0" + PIXELS, b"IDAT" + zlib.compress(bytes(20)))),
    "png with a profile": image_bomb(png(4, 4, b"iCCPa\0\0" + PIXELS, b"IDAT" + zlib.compress(bytes(20)))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_expands_without_end_is_bounded(tmp_path: Path, little: None, bomb: str) -> None:
    """In time and memory; that it is refused, or what does not count is left out, is all the same."""
    path = BOMBS[bomb](tmp_path)
    with bounded():
        found = read(Data(name=str(path)))
        assert found.x.size < 1000


def test_a_stack_that_announces_more_than_it_holds_takes_no_memory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    header = b'{"diverged":{"dtype":"I64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}'
    (store.stacks / ("0" * 20 + ".safetensors")).write_bytes(struct.pack("<Q", len(header)) + header)
    (store.folder / "checkpoints").mkdir()
    (store.folder / "checkpoints" / ("0" * 20 + ".safetensors")).write_bytes(struct.pack("<Q", 2**62) + header)
    with bounded():
        assert store.has(Study(BASE).trials) == set()
        assert checkpoints.found(store.folder, Study(BASE).trials) == []


def test_an_archive_whose_names_are_no_text(tmp_path: Path) -> None:
    """Found by fuzzing: the directory promises UTF-8, and the name beside the array is none."""
    np.savez(tmp_path / "own.npz", x=np.zeros((4, 2)), y=np.arange(4) % 2)
    content = bytearray((tmp_path / "own.npz").read_bytes())
    content[content.index(b"x.npy")] = 0x9B
    entry = content.index(b"PK\x01\x02")
    content[entry + 9] |= 0x08  # the flag of names in UTF-8
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read") as caught:
        read(Data(name=str(tmp_path / "own.npz")))
    one_sentence(caught.value)
