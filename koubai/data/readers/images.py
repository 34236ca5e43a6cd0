"""Folders of images: one folder for each class, or ``train/`` and ``test/`` (or ``val/``) with a folder for each class in both."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from koubai.data.files import limit, unreadable
from koubai.data.found import Found, Reader, encode
from koubai.language import UserError, Words
from koubai.spec import Data

if TYPE_CHECKING:
    from PIL.Image import Image

ABOUT = Words("a folder of images, in a folder for each class", "クラスごとのフォルダに分けた画像のフォルダ")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "GIF")
GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
PARTS = {"train": True, "training": True, "test": False, "val": False, "valid": False, "validation": False}  # True: for training
PIXELS = 2**26  # of one image before it is decoded: 67 million, a camera's largest


def accepts(path: Path) -> bool:
    """A folder with images in it or in its folders, or with nothing but folders; one image, to say what is wrong."""
    if path.is_file():
        return _is_image(path)
    if any(_is_image(file) for depth in ("*", "*/*", "*/*/*") for file in path.glob(depth)):
        return True
    inside = [one for one in path.iterdir() if not one.name.startswith(".")]
    return bool(inside) and all(map(Path.is_dir, inside))


def read(path: Path, spec: Data) -> Found:
    """Brightness uint8 ``[sample, height, width]`` where all images are grey, else ``[sample, 3, height, width]``.

    Images are turned as their EXIF says; of an animation the first frame is read. All must be of one size, or are cropped and resized
    to ``spec.size``. Transparency is left out.
    """
    folders = [] if path.is_file() else _folders(path)
    parts = {PARTS.get(folder.name.lower()): folder for folder in folders}
    if True not in parts or None in parts:  # no folder for training, or folders of another name: these are the classes
        parts = {True: path}
    files, names = [], []
    for training in (True, False):
        for folder in _folders(parts[training]) if training in parts and not path.is_file() else []:
            inside = sorted(filter(_is_image, folder.iterdir()))
            if not inside:
                raise UserError(
                    f"{folder} has no image in it ({', '.join(FORMATS)}).", f"{folder} に画像({', '.join(FORMATS)})がありません。"
                )
            files += inside
            names += [(training, folder.name)] * len(inside)
    count = sum(training for training, _ in names)
    if not count:
        raise UserError(
            f"{path}: images need a folder for each class, and the folder of those folders is the data set.",
            f"{path}: 画像はクラスごとのフォルダに分け、それらを入れたフォルダを指定してください。",
        )
    labels = np.array([name for _, name in names])
    y, y_test, classes = encode(path, labels[:count], labels[count:])
    x = decode(files, spec.size)
    unused = [folder for folder in folders if len(parts) == 2 and folder not in parts.values()]
    notes = tuple(Words(f"{folder} is not used.", f"{folder} は使っていません。") for folder in unused)
    return Found(ABOUT, x[:count], y, classes, test=(x[count:], y_test) if len(y_test) else None, notes=notes)


def files(path: Path) -> list[Path]:
    """The image that a path is, or all images anywhere in a folder."""
    return sorted(filter(_is_image, path.rglob("*") if path.is_dir() else [path]))


def decode(files: Sequence[Path], size: tuple[int, int] | None, grey: bool | None = None) -> np.ndarray:
    """The images of these files in one array, grey where all are, or as asked. All heads are looked at before the first is decoded."""
    mode = "RGB" if grey is False else "L"
    for file in files:
        with _opened(file) as image:
            if image.mode not in GREY + COLOUR:
                raise UserError(
                    f"{file} is of mode {image.mode!r}; only 8-bit grey and colour images are read.",
                    f"{file} のモードは {image.mode!r} です。読めるのは8ビットのグレースケールとカラーです。",
                )
            image.verify()  # a PNG's checksums, which decoding does not look at
        with _opened(file) as image:
            if grey is None and not (image.mode in GREY or (image.mode == "P" and _grey_palette(image))):
                mode = "RGB"
    first = _pixels(files[0], mode, size)
    limit(files[0].parent.parent, first.size * len(files))
    x = np.empty((len(files), *first.shape), np.uint8)
    for k, file in enumerate(files):
        pixels = _pixels(file, mode, size)
        if pixels.shape != first.shape:
            (height, width), (other_height, other_width) = first.shape[-2:], pixels.shape[-2:]
            least = min(height, width, other_height, other_width)
            raise UserError(
                f"{files[0]} is {height}x{width} (height x width) and {file} {other_height}x{other_width}; ask for one size, "
                f"as in data = {{ name = ..., size = {least} }}.",
                f"{files[0]} は {height}x{width}(高さx幅)、{file} は {other_height}x{other_width} です。"
                f"data = {{ name = ..., size = {least} }} のように大きさを指定してください。",
            )
        x[k] = pixels
    return x


def _pixels(file: Path, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    """One image as it is seen: turned as its EXIF says, ``[height, width]`` or ``[3, height, width]``."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    with _opened(file) as image:
        seen = ImageOps.exif_transpose(image).convert(mode)
        if size is not None and (seen.height, seen.width) != size:
            seen = ImageOps.fit(seen, size[::-1], Resampling.BILINEAR)
    pixels = np.asarray(seen)
    return pixels if mode == "L" else np.moveaxis(pixels, 2, 0)


def _grey_palette(image: Image) -> bool:
    """Whether a palette holds nothing but greys, as GIF's of a grey image."""
    palette = image.getpalette() or []
    return palette[0::3] == palette[1::3] == palette[2::3]


@contextmanager
def _opened(file: Path) -> Iterator[Image]:
    """An image whose head is read. Whatever Pillow raises on corrupt files, in here too, becomes a ``UserError``."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of curious metadata, and of the sizes that are checked here
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > PIXELS:
                    raise UserError(
                        f"{file} announces {image.width:,}x{image.height:,} pixels, more than the {PIXELS:,} that are decoded.",
                        f"{file} は {image.width:,}x{image.height:,} 画素と宣言しています。上限は {PIXELS:,} 画素です。",
                    )
                yield image
    except UserError:
        raise
    except UnidentifiedImageError:
        names = ", ".join(FORMATS)
        raise UserError(f"{file} is no image ({names}).", f"{file} は画像({names})ではありません。") from None
    except Exception as error:  # Pillow's decoders raise nearly everything: OSError, SyntaxError, ValueError, struct.error...
        raise unreadable(file, error) from None


def _folders(folder: Path) -> list[Path]:
    return sorted(filter(_counts, folder.iterdir()))


def _counts(path: Path) -> bool:
    """Whether this is a folder of the user's, and not one of the system's, as ``__MACOSX``."""
    return path.is_dir() and not path.name.startswith((".", "__"))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")


READER = Reader(ABOUT, accepts, read)
