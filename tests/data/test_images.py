"""Folders of images, written by Pillow or byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from koubai.data import files, load
from koubai.data.readers import images
from koubai.spec import Data
from tests.data.sets import look, refused


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two grey images."""
    for k in range(4):
        save(tmp_path / "own" / "ab"[k % 2] / f"{k}.png", GREY + k)
    return tmp_path / "own"


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.sampled_from(["png", "bmp", "gif", "PNG"]))
def test_grey_images(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray, end: str) -> None:
    folder = tmp_path_factory.mktemp("images")
    pictures = [pixels, pixels[::-1], 255 - pixels, pixels // 2]
    for k, picture in enumerate(pictures):
        save(folder / ("10", "9")[k % 2] / f"{k}.{end}", picture)
    found = look(folder)
    assert found.classes == ("9", "10") and found.y.tolist() == [1, 1, 0, 0] and found.shape == pixels.shape
    np.testing.assert_array_equal(found.x, [pictures[k] for k in (0, 2, 1, 3)])
    data = load(Data(name=str(folder), validation=0.5))
    assert (
        data.shape == pixels.shape
        and data.x_train.shape == (2, pixels.size)
        and 0 <= data.x_train.min() <= data.x_train.max() <= 1
    )


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9).map(lambda size: (*size, 3))),
    st.sampled_from(["png", "bmp"]),
)
def test_colour_images_lie_channels_first(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray, end: str) -> None:
    folder = tmp_path_factory.mktemp("images")
    for k, picture in enumerate([pixels, 255 - pixels]):
        save(folder / "ab"[k] / f"{k}.{end}", picture)
    found = look(folder)
    assert found.shape == (3, *pixels.shape[:2])
    for channel in range(3):
        np.testing.assert_array_equal(found.x[0, channel], pixels[:, :, channel])


def test_jpeg_comes_near(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(16), np.arange(24)).astype(np.uint8) * 6
    save(tmp_path / "a" / "0.jpg", smooth, quality=95)
    save(tmp_path / "b" / "0.JPEG", 255 - smooth, quality=95)
    found = look(tmp_path)
    assert found.shape == (16, 24) and np.abs(found.x[0].astype(int) - smooth).max() < 8


def test_other_modes_become_grey_or_colour(folder: Path) -> None:
    expected = look(folder).x
    Image.fromarray(GREY + 8).convert("LA").save(folder / "a" / "8.png")
    assert look(folder).shape == (3, 4)
    np.testing.assert_array_equal(look(folder).x[2], GREY + 8)
    palette = Image.fromarray(COLOUR).quantize(12)
    palette.save(folder / "a" / "9.png")
    Image.fromarray(np.dstack([COLOUR, np.full((3, 4), 9, np.uint8)])).save(folder / "b" / "9.png")  # nearly transparent
    found = look(folder)
    assert found.shape == (3, 3, 4) and len(found.y) == 7
    for channel in range(3):
        np.testing.assert_array_equal(found.x[[0, 1, 4, 5], channel], expected)
    np.testing.assert_array_equal(found.x[3], np.moveaxis(np.asarray(palette.convert("RGB")), 2, 0))
    np.testing.assert_array_equal(found.x[6], np.moveaxis(COLOUR, 2, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_as_a_camera_held_them(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    # what a camera stores is turned back by these, says EXIF: 1 is the first row at the top and the first column at the left
    stored = [
        upright,
        upright[:, ::-1],
        upright[::-1, ::-1],
        upright[::-1],
        upright.T,
        upright.T[:, ::-1],
        upright.T[::-1, ::-1],
        upright.T[::-1],
    ]
    turned = {6: 7, 8: 5}.get(orientation, orientation - 1)  # 6 is stored turned left, and 8 turned right
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = np.rot90(upright, 1) if orientation == 6 else np.rot90(upright, -1) if orientation == 8 else stored[turned]
    for k, name in enumerate("ab"):
        save(tmp_path / name / f"{k}.png", np.ascontiguousarray(picture), exif=exif)
    np.testing.assert_array_equal(look(tmp_path).x[0], upright)


def test_an_animation_is_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    for name in "ab":
        (tmp_path / name).mkdir()
        frames[0].save(tmp_path / name / "0.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(look(tmp_path).x, [GREY, GREY])


def test_a_size_is_asked_for_where_they_differ(folder: Path) -> None:
    save(folder / "b" / "4.png", np.full((6, 4), 200, np.uint8))
    sentence = refused(folder)
    assert "own/a/0.png is 3x4" in sentence and "own/b/4.png 6x4" in sentence and "size = 3" in sentence
    found = look(folder, size=5)
    assert found.shape == (5, 5) and (found.x[4] == 200).all()
    found = look(folder, size=[3, 4])
    assert found.shape == (3, 4)
    np.testing.assert_array_equal(found.x[0], GREY)
    wide = np.zeros((2, 8), np.uint8)
    wide[:, 3:5] = 100
    save(folder / "b" / "4.png", wide)
    assert (look(folder, size=[2, 2]).x[4] == 100).all()  # the middle is cut out, and nothing is squeezed


def test_a_test_part_is_validated_on(folder: Path, tmp_path: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"")
    (tmp_path / "all").mkdir()
    folder.rename(tmp_path / "all" / "train")
    assert look(tmp_path / "all").test is None
    for part, value in (("test", 7), ("val", 9)):
        save(tmp_path / "all" / part / "b" / "x.png", np.full((3, 4), value, np.uint8))
        found = look(tmp_path / "all")
        assert found.test is not None and found.test[1].tolist() == [1] and (found.test[0] == value).all() and len(found.y) == 4
    assert found.notes[0].en.endswith("test is not used.")
    data = load(Data(name=str(tmp_path / "all"), samples=3))
    assert len(data.x_train) == 3 and (data.x_validation == np.float32(9) / np.float32(255)).all()
    save(tmp_path / "all" / "val" / "c" / "x.png", GREY)
    assert "class 'c' is in the test part" in refused(tmp_path / "all")
    save(tmp_path / "all" / "plane" / "x.png", GREY)  # beside a plane, a train is a class
    assert "all/test has no image" in refused(tmp_path / "all")


def png(width: int, height: int, data: bytes) -> bytes:
    """A grey PNG that says what it likes."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is no image (PNG"),
    "a text": (b"hello", "is no image (PNG"),
    "a TIFF by another name": (b"II*\0\x08\0\0\0" + bytes(50), "is no image (PNG"),
    "petapixels": (png(2**31 - 1, 2**31 - 1, b""), "cannot be read"),
    "a hundred megapixels": (
        png(10_000, 10_000, zlib.compress(bytes(100))),
        "announces 10,000x10,000 pixels, more than the 67,108,864",
    ),
    "cut short": (png(30, 30, zlib.compress(bytes(31 * 30), 0))[:600], "cannot be read"),
    "a flipped bit": (png(30, 30, zlib.compress(bytes(31 * 30), 0)).replace(bytes(500), bytes(499) + b"\x01"), "cannot be read"),
    "no size": (png(0, 0, b""), "is no image (PNG"),
    "garbage inside": (png(30, 30, b"garbage"), "cannot be read"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_one_sentence(folder: Path, what: str) -> None:
    content, part = BAD[what]
    for name in ("a", "b"):
        (folder / name / "0.png").write_bytes(content)
    sentence = refused(folder)
    assert "own/a/0.png" in sentence and part in sentence, sentence


def test_an_image_that_expands_without_end_is_read_to_its_end_only(folder: Path) -> None:
    (folder / "a" / "9.png").write_bytes(png(4, 3, zlib.compress(bytes(10**8))))
    assert (look(folder).x[2] == 0).all()


def test_grey_of_16_bits_is_refused(folder: Path) -> None:
    save(folder / "a" / "9.png", GREY.astype(np.uint16) * 257)
    assert "mode 'I;16'; only 8-bit grey and colour images" in refused(folder)


def beside(*parts: str) -> Callable[[Path], Path]:
    """A folder with empty folders in it."""

    def make(folder: Path) -> Path:
        (folder.parent / "n" / Path(*parts)).mkdir(parents=True)
        return folder.parent / "n"

    return make


def class_of_texts(folder: Path) -> Path:
    save(folder / "c" / "x.png", GREY).rename(folder / "c" / "x.txt")
    return folder


def empty_class(folder: Path) -> Path:
    (folder / "c").mkdir()
    return folder


FOLDERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "one image": (lambda folder: folder / "a" / "0.png", "images need a folder for each class"),
    "images without classes": (lambda folder: folder / "a", "images need a folder for each class"),
    "classes a level too deep": (lambda folder: folder.parent, "/own has no image in it"),
    "an empty class": (empty_class, "own/c has no image in it (PNG, JPEG, BMP, GIF)"),
    "a class of texts": (class_of_texts, "own/c has no image"),
    "folders of nothing": (beside("a"), "n/a has no image"),
    "a system's folders": (beside("__MACOSX"), "images need a folder for each class"),
    "train alone in it": (beside("train"), "images need a folder for each class"),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_folders_that_are_none_of_images(folder: Path, what: str) -> None:
    make, part = FOLDERS[what]
    assert part in refused(make(folder))


def test_one_class_of_images_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "0.png", GREY)
    save(tmp_path / "cat" / "1.png", GREY)
    assert "only one class, 'cat'" in refused(tmp_path)


def test_what_does_not_fit_is_refused_before_it_is_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 40)
    assert "announces 48 values, more than the 40" in refused(folder)
    monkeypatch.setattr(images, "PIXELS", 11)
    assert "announces 4x3 pixels, more than the 11" in refused(folder)
