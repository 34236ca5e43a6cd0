"""Images of the doctor's benchmark that Koubai does not bring: photographs, waves, shapes, letters, clothes. Values from 0 to 1."""

from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np

from benchmarks.sets import Samples


def patches() -> Samples:
    """Grey patches of 10x10 out of scikit-learn's two photographs: sky, building, flower."""
    from sklearn.datasets import load_sample_images

    draw = np.random.default_rng(0)
    temple, flower = (image.mean(2) / 255 for image in load_sample_images().images)
    pictures = (temple[:180], temple[200:], flower)
    y = np.arange(3000) % 3
    corners = [(draw.integers(0, len(pictures[k]) - 10), draw.integers(0, pictures[k].shape[1] - 10)) for k in y]
    return np.stack([pictures[k][a : a + 10, b : b + 10] for k, (a, b) in zip(y, corners, strict=True)]), y


def gratings() -> Samples:
    """Images of 10x10: waves in four directions, of any phase and of many lengths, under noise."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 4
    length, phase = draw.uniform(3, 6, len(y)), draw.uniform(0, 2 * np.pi, len(y))
    angle = y * np.pi / 4 + draw.normal(0, 0.15, len(y))
    down, right = np.mgrid[:10, :10]
    along = np.cos(angle)[:, None, None] * right + np.sin(angle)[:, None, None] * down
    waves = np.sin(2 * np.pi * along / length[:, None, None] + phase[:, None, None])
    return np.clip(0.5 + 0.3 * waves + draw.normal(0, 0.15, waves.shape), 0, 1), y


def shapes() -> Samples:
    """Images of 12x12: a disc, a square, a triangle or a cross, of any size and shade, anywhere, under noise."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 4
    size = draw.uniform(2.5, 4.5, (len(y), 1, 1))
    top, left = (draw.uniform(size - 0.5, 11.5 - size) for _ in range(2))
    down, right = np.mgrid[:12, :12]
    down, right = (down - top) / size, (right - left) / size
    far = np.maximum(np.abs(down), np.abs(right))
    kinds = np.stack([
        np.hypot(down, right) <= 1, far <= 0.9, (np.abs(right) <= (down + 1) / 2) & (down <= 1),
        (far <= 1) & (np.minimum(np.abs(down), np.abs(right)) <= 0.3),
    ])  # fmt: skip
    x = draw.uniform(0.5, 1, (len(y), 1, 1)) * kinds[y, np.arange(len(y))]
    return np.clip(x + draw.normal(0, 0.1, x.shape), 0, 1), y


def bars() -> Samples:
    """Images of 9x9 with three bright lines or two: all lying, all standing, or some of each; one dot in twenty is wrong."""
    draw = np.random.default_rng(0)
    y = np.arange(3000) % 3
    x = np.zeros((len(y), 9, 9), dtype=bool)
    for image, kind in zip(x, y, strict=True):
        places = draw.permutation(9)[: draw.integers(2, 4)]
        standing = kind == 1 or (kind == 2 and np.arange(len(places)) % 2 == 1)
        image[places[~np.broadcast_to(standing, places.shape)]] = True
        image[:, places[np.broadcast_to(standing, places.shape)]] = True
    return (x ^ (draw.uniform(size=x.shape) < 0.05)).astype(np.float64), y


def clothes(*kinds: int) -> Callable[[], Samples]:
    """Those kinds of Fashion-MNIST at 14x14, of its second half, which nothing else here uses."""

    def make() -> Samples:
        from koubai.data import load
        from koubai.spec import Data

        data = load(Data(name="fashion-mnist"))
        rows = np.flatnonzero(np.isin(data.y_train, kinds))
        rows = rows[rows >= len(data.y_train) // 2][:3000]
        x = np.asarray(data.x_train[rows]).reshape(-1, 14, 2, 14, 2).mean((2, 4))
        return x, np.unique(data.y_train[rows], return_inverse=True)[1]

    return make


def colours() -> Samples:
    """Single pixels of scikit-learn's two photographs, red, green and blue: of sky, building or flower."""
    from sklearn.datasets import load_sample_images

    temple, flower = load_sample_images().images
    draw, y = np.random.default_rng(0), np.arange(3000) % 3
    pixels = [part.reshape(-1, 3) for part in (temple[:180], temple[200:], flower)]
    return np.stack([pixels[k][draw.integers(len(pixels[k]))] for k in y]) / 255, y


def letters(signs: str = string.ascii_uppercase, count: int = 3120) -> Samples:
    """Printed signs at 12x12, of any size, a little turned and out of place, under noise."""
    from PIL import Image, ImageDraw, ImageFont

    draw, y, x = np.random.default_rng(0), np.arange(count) % len(signs), []
    for k in y:
        image = Image.new("L", (48, 48))
        font = ImageFont.load_default(int(draw.integers(36, 48)))
        left, top = 24 + draw.uniform(-4, 4, 2)
        ImageDraw.Draw(image).text((float(left), float(top)), signs[k], fill=255, font=font, anchor="mm")
        turned = np.asarray(image.rotate(float(draw.uniform(-12, 12)), Image.Resampling.BILINEAR), dtype=np.float64)
        x.append(turned.reshape(12, 4, 12, 4).mean((1, 3)) / 255)
    return np.clip(np.stack(x) + draw.normal(0, 0.1, (len(y), 12, 12)), 0, 1), y


def dots() -> Samples:
    """Images of 7x7 with one to five bright dots, under noise: how many."""
    draw, y = np.random.default_rng(0), np.arange(3000) % 5
    order = draw.uniform(size=(len(y), 49)).argsort(1)
    x = np.where(order <= y[:, None], draw.uniform(0.7, 1, order.shape), 0) + np.abs(draw.normal(0, 0.05, order.shape))
    return np.clip(x, 0, 1).reshape(-1, 7, 7), y


def smiles() -> Samples:
    """Faces of 10x10, out of place and under noise: they smile, do not, or are sad."""
    draw, y = np.random.default_rng(0), np.arange(2400) % 3
    down, right = np.mgrid[:10, :10]
    shift = draw.integers(-1, 2, (2, len(y), 1, 1))
    down, right = down - 4.5 - shift[0], right - 4.5 - shift[1]
    bend = draw.uniform(0.15, 0.3, (len(y), 1, 1)) * (1 - y[:, None, None])
    mouth = (np.abs(down - 2 + bend * (right**2 - 4)) < 0.6) & (np.abs(right) < 3.2)
    eyes = (np.abs(down + 1.5) < 0.6) & (np.abs(np.abs(right) - 2) < 0.6)
    x = draw.uniform(0.5, 1, (len(y), 1, 1)) * (mouth | eyes)
    return np.clip(x + draw.normal(0, 0.12, x.shape), 0, 1), y


def parity() -> Samples:
    """scikit-learn's handwritten digits: even or odd."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8) / 16, y % 2


def turned() -> Samples:
    """scikit-learn's handwritten digits, turned by none, one, two or three quarters: by how many. Of some digits nobody can tell."""
    from sklearn.datasets import load_digits

    x = load_digits(return_X_y=True)[0].reshape(-1, 8, 8) / 16
    y = np.arange(len(x)) % 4
    return np.stack([np.rot90(image, int(k)) for image, k in zip(x, y, strict=True)]), y
