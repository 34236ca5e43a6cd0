"""IDX, CIFAR and NumPy's files, against arrays written by hand; what is wrong with a file is one sentence."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from koubai.data import files, load
from koubai.data.dataset import read
from koubai.data.readers import READERS
from koubai.language import UserError
from koubai.spec import Data, Trial
from tests.data.sets import refused

PARTS = ("train", "t10k")
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array: np.ndarray) -> bytes:
    """An IDX file, as its description says: two zeros, the type, the dimensions, big-endian sizes and values."""
    head = struct.pack(">BBBB", 0, 0, CODES[array.dtype.str[1:]], array.ndim)
    sizes = b"".join(struct.pack(">I", size) for size in array.shape)
    return head + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist(folder: Path, images: dict[str, np.ndarray], labels: dict[str, np.ndarray], end: str = "") -> Path:
    """A folder as MNIST's."""
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        for name, array in ((f"{part}-images-idx3-ubyte", images[part]), (f"{part}-labels-idx1-ubyte", labels[part])):
            content = idx(array)
            (folder / (name + end)).write_bytes(gzip.compress(content) if end else content)
    return folder


def cifar(labels: list[tuple[int, ...]], seed: int) -> tuple[bytes, np.ndarray]:
    """Records of CIFAR, and the bytes of their images."""
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32), np.uint8)
    return b"".join(bytes(label) + image.tobytes() for label, image in zip(labels, images, strict=True)), images


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def test_stored_trials_keep_their_hashes() -> None:
    assert Trial().id == "f98cb4fd747ef5589f37"  # as it was before tables had targets
    assert Trial(data={"name": "digits", "samples": 300, "standardize": True}).id == "7838f9a000766fb2d0c5"
    usual = {"name": "digits", "target": None, "drop": [], "missing": "refuse", "size": None}
    assert Trial(data=usual).id == Trial().id
    others = ({"target": "a"}, {"drop": ["a"]}, {"missing": "mean"}, {"missing": "drop"}, {"size": 3}, {"size": [3, 4]})
    trials = [Trial(data={"name": "digits", **other}) for other in others]
    assert len({trial.id for trial in trials} | {Trial().id}) == 7
    assert all(Trial(**trial.compact()) == trial == Trial(**trial.model_dump()) for trial in trials)
    one, other = (Trial(data={"name": "a", "drop": names}) for names in (["x", "y"], ["y", "x", "y"]))
    assert one.id == other.id
    assert Trial(data={"name": "a", "size": 3}) == Trial(data={"name": "a", "size": [3, 3]})


@given(
    st.sampled_from(sorted(CODES)).flatmap(
        lambda code: hnp.arrays(
            np.dtype(code),
            st.tuples(st.integers(2, 6), st.integers(1, 5), st.integers(1, 5)),
            elements=st.floats(-1e6, 1e6, width=32) if code[0] == "f" else None,
        )
    ),
    st.sampled_from(["", ".gz"]),
)
def test_idx_of_every_type(tmp_path_factory: pytest.TempPathFactory, images: np.ndarray, end: str) -> None:
    labels = np.arange(len(images), dtype=np.uint8) % 2 * 7
    folder = mnist(tmp_path_factory.mktemp("idx"), dict.fromkeys(PARTS, images), dict.fromkeys(PARTS, labels), end)
    data = load(Data(name=str(folder)))
    expected = images.reshape(len(images), -1).astype(np.float32) / (255 if images.dtype == np.uint8 else 1)
    for x, y in ((data.x_train, data.y_train), (data.x_validation, data.y_validation)):
        assert x.dtype == np.float32 and y.dtype == np.int64
        np.testing.assert_array_equal(x, expected)
        np.testing.assert_array_equal(y, labels // 7)  # a gap from 0 to 7 is closed
    assert data.classes == ("0", "7") and data.shape == images.shape[1:]


def test_fashion_mnist_by_name() -> None:
    folder = Path("/usr/share/datasets/fashion-mnist")
    if not folder.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    found = read(Data(name="fashion-mnist"))
    assert found.x.shape == (60000, 28, 28) and found.x.dtype == np.uint8 and found.test is not None
    raw = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    assert found.x.tobytes() == raw[16:]
    assert np.bincount(found.y).tolist() == [6000] * 10 and np.bincount(found.test[1]).tolist() == [1000] * 10  # as published


def test_one_of_the_files_stands_for_its_folder(tmp_path: Path, draw: np.random.Generator) -> None:
    images = {part: draw.integers(0, 256, (4, 2, 3), np.uint8) for part in PARTS}
    folder = mnist(tmp_path / "m", images, dict.fromkeys(PARTS, np.array([0, 1, 2, 0], np.uint8)))
    one, all_of_them = (load(Data(name=str(name))) for name in (folder / "t10k-labels-idx1-ubyte", folder))
    np.testing.assert_array_equal(one.x_train, all_of_them.x_train)


def test_names_are_looked_for_in_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "own").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert files.find("own") == Path("data/own")
    (tmp_path / "own").mkdir()
    assert files.find("own") == Path("own")
    for name in ("nothing", "\0", "x" * 5000, "~nobody-of-this-name/x"):
        assert files.find(name) is None
        assert "There is no data set, file or folder" in refused(name)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,y\n" + "1,0\n2,1\n" * 10)
    before = load(Data(name=str(path)))
    assert load(Data(name=str(path))) is before
    path.write_text("a,y\n" + "1,0\n3,1\n" * 11)
    assert load(Data(name=str(path))).x_train.max() == 3


def test_cifar_10(tmp_path: Path) -> None:
    batches = [cifar([(k,) for k in range(10)], seed) for seed in range(5)]
    for k, (content, _) in enumerate(batches, 1):
        (tmp_path / f"data_batch_{k}.bin").write_bytes(content)
    content, images = cifar([(3,), (9,)], 9)
    (tmp_path / "test_batch.bin").write_bytes(content)
    data = load(Data(name=str(tmp_path)))
    assert data.shape == (3, 32, 32) and data.classes == tuple("0123456789")
    expected = np.concatenate([batch for _, batch in batches]).reshape(50, -1).astype(np.float32) / 255
    np.testing.assert_array_equal(data.x_train, expected)
    np.testing.assert_array_equal(data.x_validation, images.reshape(2, -1).astype(np.float32) / 255)
    assert data.y_train.tolist() == [*range(10)] * 5 and data.y_validation.tolist() == [3, 9]
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (tmp_path / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    assert read(Data(name=str(tmp_path))).classes == tuple(names)
    alone = read(Data(name=str(tmp_path / "data_batch_2.bin")))
    np.testing.assert_array_equal(alone.x, batches[1][1])
    assert alone.test is None and alone.classes == tuple(names)
    (tmp_path / "test_batch.bin").unlink()
    assert read(Data(name=str(tmp_path))).test is None


def test_cifar_100_takes_the_fine_label(tmp_path: Path) -> None:
    content, images = cifar([(19, 11), (4, 99), (19, 0)], 0)
    (tmp_path / "train.bin").write_bytes(content)
    (tmp_path / "test.bin").write_bytes(content)
    found = read(Data(name=str(tmp_path)))
    np.testing.assert_array_equal(found.x, images)
    assert found.y.tolist() == [11, 99, 0] and len(found.classes) == 100
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"fine {k}" for k in range(100)))
    assert read(Data(name=str(tmp_path / "train.bin"))).classes[99] == "fine 99"


FEATURES = st.sampled_from(["u1", "i2", "u4", "i8", "f2", "f4", "f8", "?"]).flatmap(
    lambda code: hnp.arrays(
        np.dtype(code),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5).map(lambda shape: (max(2, shape[0]), *shape[1:])),
        elements=st.floats(-1000, 1000, width=16) if code[0] == "f" else None,
    )
)


@given(FEATURES, st.sampled_from([np.savez, np.savez_compressed]), st.booleans(), st.booleans())
@example(np.arange(120, dtype=np.uint8).reshape(2, 5, 4, 3), np.savez, False, False)  # channels last
def test_numpys_archives(
    tmp_path_factory: pytest.TempPathFactory, x: np.ndarray, save: Callable[..., None], fortran: bool, folder: bool
) -> None:
    path = tmp_path_factory.mktemp("npz") / "own.npz"
    y = np.array(["b", "a"] * len(x))[: len(x), None]
    x = np.asfortranarray(x) if fortran else x
    if folder:
        path = path.parent
        for name, array in {"x_train": x, "y_train": y, "x_test": x, "y_test": y}.items():
            np.save(path / f"{name}.npy", array)
    else:
        save(path, x_train=x, y_train=y, x_test=x, y_test=y, other=np.zeros(3))
    data = load(Data(name=str(path)))
    last = x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4)
    first = np.transpose(x, (0, 3, 1, 2)) if last else x
    expected = first.reshape(len(x), -1).astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
    np.testing.assert_array_equal(data.x_train, expected)
    np.testing.assert_array_equal(data.x_validation, expected)
    assert data.shape == (first.shape[1:] or (1,)) and data.classes == ("a", "b")
    assert data.y_train.tolist() == [1 - k % 2 for k in range(len(x))]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([5, 0, 2, 5, 0, 2] * 4), ("0", "2", "5")),
        (np.array([-1.0, 1.0] * 12), ("-1", "1")),
        (np.array([True, False] * 12), ("False", "True")),
        (np.array(["10", "9", "2"] * 8), ("2", "9", "10")),
        (np.array(["猫", "犬"] * 12), ("犬", "猫")),
        (np.array([b"cat", b"dog"] * 12), ("cat", "dog")),
        (np.array([[0], [1]] * 12, np.uint8), ("0", "1")),
    ],
)
def test_labels_of_all_kinds_become_classes(tmp_path: Path, labels: np.ndarray, classes: tuple[str, ...]) -> None:
    np.savez(tmp_path / "own.npz", x=np.arange(24.0), y=labels)
    data = load(Data(name=str(tmp_path / "own.npz")))
    assert data.classes == classes and data.shape == (1,)
    names = {float(x): classes[y] for x, y in zip(data.x_train[:, 0], data.y_train, strict=True)}
    for k, name in names.items():
        label = labels.reshape(-1)[int(k)]
        assert name == (
            label.decode() if isinstance(label, bytes) else str(int(label)) if labels.dtype.kind == "f" else str(label)
        )


def test_a_split_is_stratified_seeded_and_standardized_by_the_training_part(tmp_path: Path, draw: np.random.Generator) -> None:
    x, y = draw.normal(3, 5, (200, 4)).astype(np.float32), np.repeat([0, 1, 2], [100, 60, 40])
    x[:, 3] = 7
    np.savez(tmp_path / "own.npz", x=x, y=y)
    raw, again, other = (load(Data(name=str(tmp_path / "own.npz"), split=split)) for split in (0, 0, 1))
    assert np.bincount(raw.y_train).tolist() == [80, 48, 32] and np.bincount(raw.y_validation).tolist() == [20, 12, 8]
    np.testing.assert_array_equal(raw.x_train, again.x_train)
    assert not np.array_equal(raw.x_train, other.x_train)
    together = np.concatenate([raw.x_train, raw.x_validation])
    np.testing.assert_array_equal(together[np.lexsort(together.T)], x[np.lexsort(x.T)])
    data = load(Data(name=str(tmp_path / "own.npz"), standardize=True))
    mean, std = raw.x_train.mean(0, dtype=np.float64), raw.x_train.std(0, dtype=np.float64)
    std[3] = 1  # a constant feature becomes 0, not NaN
    np.testing.assert_allclose(data.x_train, (raw.x_train - mean) / std, atol=1e-5)
    np.testing.assert_allclose(data.x_validation, (raw.x_validation - mean) / std, atol=1e-5)


def test_missing_numbers_are_filled_by_the_training_part_or_left_out(tmp_path: Path, draw: np.random.Generator) -> None:
    x, y = draw.normal(0, 1, (40, 2, 2)), np.arange(40) % 2
    x[3, 1, 0] = x[7, 0, 1] = np.nan
    x[8] = np.nan
    np.savez(tmp_path / "own.npz", x=x, y=y)
    path = tmp_path / "own.npz"
    assert "sample 3, feature [1, 0] is NaN" in refused(path)
    filled, dropped = (load(Data(name=str(path), missing=missing)) for missing in ("mean", "drop"))
    assert len(dropped.x_train) + len(dropped.x_validation) == 37
    np.savez(path, x=np.nan_to_num(x, nan=1e9), y=y)
    marked = load(Data(name=str(path)))
    for part in ("x_train", "x_validation"):
        there = getattr(marked, part) != np.float32(1e9)
        means = np.where(marked.x_train != np.float32(1e9), marked.x_train, np.nan)
        expected = np.where(there, getattr(marked, part), np.nanmean(means, 0, dtype=np.float64))
        np.testing.assert_allclose(getattr(filled, part), expected, rtol=1e-5)


def test_a_part_with_nothing_complete_is_refused(tmp_path: Path) -> None:
    x, y = np.ones((10, 2)), np.arange(10) % 2
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x * np.nan, y_test=y)
    assert "no sample without missing values" in refused(tmp_path / "own.npz", missing="drop")
    np.savez(tmp_path / "own.npz", x_train=x * np.nan, y_train=y, x_test=x, y_test=y)
    assert "feature '0' has no value in any training sample" in refused(tmp_path / "own.npz", missing="mean")


def arrays(**given: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "own.npz", **given)
        return folder / "own.npz"

    return write


def saved(x: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "x.npy", x)
        return folder

    return write


def content(name: str, *parts: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(b"".join(parts))
        return folder / name

    return write


def idx_folder(**changed: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        images, labels = np.zeros((4, 2, 2), np.uint8), np.array([0, 1, 0, 1], np.uint8)
        mnist(folder, dict.fromkeys(PARTS, images), dict.fromkeys(PARTS, labels))
        for name, bytes_ in changed.items():
            (folder / (name.replace("_", "-") + "-ubyte")).write_bytes(bytes_)
        return folder

    return write


class Trap:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("koubai-was-here",)


IMAGES, LABELS = "train_images_idx3", "train_labels_idx1"
Y = np.array([0, 1] * 5)
BAD: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "idx: cut short": (idx_folder(**{IMAGES: idx(np.zeros((4, 2, 2), np.uint8))[:-1]}), ["train-images", "16 bytes", "cut short"]),
    "idx: too long": (idx_folder(**{IMAGES: idx(np.zeros((4, 2, 2), np.uint8)) + b"x"}), ["16 bytes", "cut short or corrupt"]),
    "idx: no head": (idx_folder(**{IMAGES: b"\0"}), ["train-images-idx3-ubyte is not an IDX file"]),
    "idx: half a head": (idx_folder(**{IMAGES: b"\0\0\x08\x03\0\0"}), ["train-images-idx3-ubyte cannot be read"]),
    "idx: another file": (idx_folder(**{IMAGES: b"\x89PNG\r\n"}), ["is not an IDX file"]),
    "idx: unknown type": (idx_folder(**{IMAGES: b"\0\0\x0a\x01\0\0\0\1x"}), ["is not an IDX file"]),
    "idx: petabytes": (idx_folder(**{IMAGES: b"\0\0\x08\x03" + b"\xff" * 12}), ["announces", "more than the 1,073,741,824"]),
    "idx: counts differ": (idx_folder(**{LABELS: idx(np.zeros(3, np.uint8))}), ["(4, 2, 2)", "(3,)", "one label for each image"]),
    "idx: flat images": (idx_folder(**{IMAGES: idx(np.zeros(4, np.uint8))}), ["shape (4,)"]),
    "idx: sizes differ": (idx_folder(t10k_images_idx3=idx(np.zeros((4, 3, 2), np.uint8))), ["(2, 2)", "(3, 2)"]),
    "idx: no images": (
        idx_folder(**{IMAGES: idx(np.zeros((0, 2, 2), np.uint8)), LABELS: idx(np.zeros(0, np.uint8))}),
        ["(0, 2, 2)"],
    ),
    "idx: one class": (idx_folder(**dict.fromkeys([LABELS, "t10k_labels_idx1"], idx(np.zeros(4, np.uint8)))), ["only one class, '0'"]),
    "idx: a class that only the test part has": (
        idx_folder(t10k_labels_idx1=idx(np.array([0, 1, 250, 1], np.uint8))),
        ["class '250' is in the test part"],
    ),
    "idx: NaN": (idx_folder(**{IMAGES: idx(np.full((4, 2, 2), np.nan, np.float32))}), ["sample 0, feature [0, 0] is NaN"]),
    "idx: beyond float32": (idx_folder(**{IMAGES: idx(np.full((4, 2, 2), 1e300))}), ["infinite, or too large"]),
    "idx: labels of a quantity": (idx_folder(**{LABELS: idx(np.array([0.5, 1, 2, 3]))}), ["a quantity ('0.5'"]),
    "idx: no number as a label": (idx_folder(**{LABELS: idx(np.array([1, np.nan, 2, 3]))}), ["label of sample 1 is no number"]),
    "cifar: cut short": (content("data_batch_1.bin", bytes(3072)), ["data_batch_1.bin", "3,073 bytes"]),
    "cifar: empty": (content("data_batch_1.bin"), ["3,073 bytes", "cut short"]),
    "cifar: label out of range": (content("data_batch_1.bin", bytes(3073), b"\x0a", bytes(3072)), ["image 1 is 10", "less than 10"]),
    "cifar: one class": (content("data_batch_1.bin", bytes(3073 * 3)), ["only one class, '0'"]),
    "npz: no archive": (content("own.npz", b"hello"), ["own.npz cannot be read", "not a zip file"]),
    "npz: empty": (content("own.npz"), ["cannot be read"]),
    "npz: cut short": (lambda folder: cut(arrays(x=np.zeros((10, 500)), y=Y)(folder)), ["own.npz cannot be read"]),
    "npz: other names": (arrays(a=Y, y=Y), ["no array 'x'", "it has: a, y)", "x_train"]),
    "npz: no test labels": (arrays(x_train=Y, y_train=Y, x_test=Y), ["no array 'y_test'"]),
    "npz: counts differ": (arrays(x=np.zeros((9, 2)), y=Y), ["x has 9 samples", "y 10 labels"]),
    "npz: no samples": (arrays(x=np.zeros((0, 2)), y=Y[:0]), ["0 samples"]),
    "npz: texts as features": (arrays(x=np.array(["a"] * 10), y=Y), ["x is of type <U1", "must hold numbers"]),
    "npz: no features": (arrays(x=np.zeros((10, 0)), y=Y), ["(10, 0)"]),
    "npz: one number": (arrays(x=np.float64(3), y=Y), ["shape ()"]),
    "npz: complex": (arrays(x=np.zeros(10, complex), y=Y), ["complex128"]),
    "npz: one-hot": (arrays(x=Y, y=np.eye(10)), ["shape (10, 10)", "argmax(1)"]),
    "npz: a quantity of one value": (arrays(x=Y, y=np.full(10, 0.5)), ["target is 0.5 in all 8 training samples"]),
    "npz: infinite": (arrays(x=np.where(Y, np.inf, 1.0), y=Y), ["sample 1, feature [0] is infinite"]),
    "npz: one class": (arrays(x=Y, y=np.ones(10)), ["only one class, '1'"]),
    "npz: one sample of a class": (arrays(x=Y, y=np.array([0] * 9 + [3])), ["the class '3' has only one sample"]),
    "npz: other test samples": (arrays(x_train=np.ones((10, 2)), y_train=Y, x_test=np.ones((10, 3)), y_test=Y), ["(2,)", "(3,)"]),
    "npz: objects": (arrays(x=np.array([Trap()] * 10), y=Y), ["array of object", "nothing is unpickled"]),
    "npy: objects": (saved(np.array([Trap()])), ["array of object"]),
    "npy: cut short": (lambda folder: cut(saved(np.zeros(9))(folder) / "x.npy").parent, ["does not hold the array (9,)"]),
    "pickle": (content("own.pkl", b"cos\nmkdir\n(S'koubai-was-here'\ntR."), ["in no format that can be read", "IDX", ".csv"]),
    "cifar's pickles": (lambda folder: content("data_batch_1", b"\x80\x02")(folder).parent, ["never pickles"]),
    "empty folder": (lambda folder: folder, ["is empty"]),
    "a folder of something": (lambda folder: content("notes.txt", b"hello")(folder).parent, ["in no format that can be read"]),
    "a folder of tables": (lambda folder: content("own.csv", b"a,b\n1,2\n")(folder).parent, ["name a file in it (own.csv)"]),
}  # fmt: skip


def cut(path: Path) -> Path:
    """A file without its end."""
    path.write_bytes(path.read_bytes()[:-100] if path.stat().st_size > 400 else path.read_bytes()[:-1])
    return path


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    write, parts = BAD[what]
    sentence = refused(write(folder))
    for part in parts:
        assert part in sentence, sentence
    assert not Path("koubai-was-here").exists()


def npy_header(shape: str, descr: str = "<f8") -> bytes:
    """The start of an ``.npy`` that announces any shape."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


PROMISES = (
    npy_header("(1000000000, 1000000)"), npy_header("(4611686018427387904, 4)"), npy_header("(-1, -1)"), npy_header("(10,)", "|O"),
    npy_header("(10,)", "<U0"), npy_header("(10,)", "<U999999999"), npy_header("(10, 'a')"), npy_header("None"),
    npy_header("(10,)", "<M8[s]"), npy_header("__import__('os').mkdir('koubai-was-here')"),
    npy_header("(" * 3000 + "1" + ")" * 3000), b"\x93NUMPY\x09\x00", b"\x93NUMPY", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    npy_header("(268435456, )"),
)  # fmt: skip


@pytest.mark.parametrize("header", PROMISES, ids=range(len(PROMISES)))
def test_headers_that_promise_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("own.npz", "w") as archive:
        archive.writestr("x.npy", header + bytes(80))
        archive.writestr("y.npy", header + bytes(80))
    tracemalloc.start()
    try:
        assert "own.npz" in refused("own.npz")
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**30  # of which the system gives only what is written to
    finally:
        tracemalloc.stop()
    (tmp_path / "folder").mkdir()
    for name in "xy":
        (tmp_path / "folder" / f"{name}.npy").write_bytes(header + bytes(80))
    assert "x.npy" in refused("folder")
    assert not Path("koubai-was-here").exists()


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Arrays of a million values at most, and a watch over memory."""
    monkeypatch.setattr(files, "MOST", 2**20)
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25, f"{peak:,} bytes"


def test_archives_that_expand_without_end(tmp_path: Path, small_limit: None) -> None:
    zeros = bytes(2**20)
    for name, head in (
        ("honest", b"\0\0\x08\x03" + struct.pack(">III", 100, 1000, 1000)),
        ("lying", b"\0\0\x08\x03" + struct.pack(">III", 4, 2, 2)),
    ):
        folder = mnist(
            tmp_path / name,
            dict.fromkeys(PARTS, np.zeros((4, 2, 2), np.uint8)),
            dict.fromkeys(PARTS, np.array([0, 1, 0, 1], np.uint8)),
        )
        (folder / "train-images-idx3-ubyte").unlink()
        with gzip.open(folder / "train-images-idx3-ubyte.gz", "wb") as file:
            file.write(head)
            for _ in range(100):
                file.write(zeros)
        assert ("announces 100,000,000 values" if name == "honest" else "16 bytes") in refused(folder)
    for name, head in (("honest", npy_header("(12500000,)")), ("lying", npy_header("(10,)"))):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("x.npy", "w") as member:
                member.write(head)
                for _ in range(100):
                    member.write(zeros)
            y = io.BytesIO()
            np.save(y, Y)
            archive.writestr("y.npy", y.getvalue())
        assert ("announces 12,500,000 values" if name == "honest" else "80 bytes") in refused(tmp_path / f"{name}.npz")


def test_every_reader_says_what_it_reads_in_both_languages() -> None:
    assert len({reader.about for reader in READERS}) == len(READERS) == 6
    assert all(reader.about.en and reader.about.ja for reader in READERS)


@pytest.mark.parametrize(
    ("more", "part"), [({"target": "a"}, "is not a table"), ({"drop": ["a"]}, "is not a table"), ({"size": 9}, "not resized")]
)
def test_what_means_nothing_for_a_set_is_refused(more: dict[str, Any], part: str) -> None:
    assert part in refused("digits", **more)


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("size", 0, "data.size.0 must be at least 1"), ("size", [1, 2, 3], "data.size is too long"),
        ("size", "a", "data.size must be a list"),
        ("size", 9999, "at most 4096"), ("size", True, "data.size must be a list"), ("missing", "zero", "'refuse', 'mean' or 'drop'"),
        ("target", "", "data.target must not be empty"), ("target", 3, "data.target must be a string"),
        ("drop", "a", "data.drop must be a list"),
        ("targets", "a", "did you mean 'target'"),
    ],
)  # fmt: skip
def test_fields_that_mean_nothing_are_refused(field: str, value: Any, part: str) -> None:
    with pytest.raises(UserError) as caught:
        Trial(data={"name": "own.csv", field: value})
    assert part in caught.value.words.en and caught.value.words.ja != caught.value.words.en
