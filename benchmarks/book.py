"""A convolutional network in NumPy, as books in the notes' line write it: im2col, one matrix product, col2im, Adam. float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
Back = Callable[[Array], Array]


def im2col(x: Array, side: int, pad: int, stride: int = 1) -> Array:
    """Patches as rows."""
    n, c, h, w = x.shape
    high, wide = (h + 2 * pad - side) // stride + 1, (w + 2 * pad - side) // stride + 1
    image = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    columns = np.empty((n, c, side, side, high, wide), x.dtype)
    for i in range(side):
        for j in range(side):
            columns[:, :, i, j] = image[:, :, i : i + stride * high : stride, j : j + stride * wide : stride]
    return columns.transpose(0, 4, 5, 1, 2, 3).reshape(n * high * wide, -1)


def col2im(columns: Array, shape: tuple[int, ...], side: int, pad: int, stride: int = 1) -> Array:
    """Rows added back into images."""
    n, c, h, w = shape
    high, wide = (h + 2 * pad - side) // stride + 1, (w + 2 * pad - side) // stride + 1
    patches = columns.reshape(n, high, wide, c, side, side).transpose(0, 3, 4, 5, 1, 2)
    image = np.zeros((n, c, h + 2 * pad, w + 2 * pad), columns.dtype)
    for i in range(side):
        for j in range(side):
            image[:, :, i : i + stride * high : stride, j : j + stride * wide : stride] += patches[:, :, i, j]
    return image[:, :, pad : pad + h, pad : pad + w]


class Book:
    """Convolutions of ``(channels, side, pad)``, each with a ReLU, a pooling of 2 behind every second; a hidden dense layer; classes."""

    def __init__(self, convs: Sequence[tuple[int, int, int]], pixels: int, hidden: int, classes: int) -> None:
        draw = np.random.default_rng(0)
        self.convs, self.parameters, self.t = convs, [], 0
        channels, size = 1, pixels
        shapes = []
        for k, (width, side, pad) in enumerate(convs):
            shapes.append((channels * side * side, width))
            channels, size = width, (size + 2 * pad - side + 1) // (1 + k % 2)
        shapes += [(channels * size * size, hidden), (hidden, classes)]
        for fan_in, width in shapes:
            weight = draw.standard_normal((fan_in, width)) * np.sqrt(2 / fan_in)
            self.parameters += [weight.astype(np.float32), np.zeros(width, np.float32)]
        self.m, self.v = ([np.zeros_like(p) for p in self.parameters] for _ in range(2))

    def step(self, x: Array, y: Array) -> None:
        """One training step on images ``[sample, 1, height, width]``."""
        backs: list[Back] = []
        gradients: dict[int, Array] = {}

        def product(rows: Array, at: int) -> Array:
            def back(d: Array) -> Array:
                gradients[at], gradients[at + 1] = rows.T @ d, d.sum(0)
                return d @ self.parameters[at].T

            backs.append(back)
            return rows @ self.parameters[at] + self.parameters[at + 1]

        def relu(z: Array) -> Array:
            backs.append(lambda d: d * (z > 0))
            return np.maximum(z, 0)

        for k, (width, side, pad) in enumerate(self.convs):
            shape = x.shape
            backs.append(lambda d, shape=shape, side=side, pad=pad: col2im(d, shape, side, pad))  # type: ignore[misc]
            z = product(im2col(x, side, pad), 2 * k)
            size = shape[2] + 2 * pad - side + 1
            backs.append(lambda d, width=width: d.transpose(0, 2, 3, 1).reshape(-1, width))  # type: ignore[misc]
            x = relu(z.reshape(len(x), size, size, width).transpose(0, 3, 1, 2))
            if k % 2:
                x = self.pool(x, backs)
        shape = x.shape
        backs.append(lambda d: d.reshape(shape))
        at = 2 * len(self.convs)
        z = product(relu(product(x.reshape(len(x), -1), at)), at + 2)
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        d = p / len(y)
        for back in backs[::-1]:
            d = back(d)
        self.adam(gradients)

    def pool(self, x: Array, backs: list[Back]) -> Array:
        """The largest of each 2x2."""
        n, c, h, w = x.shape
        rows = im2col(x, 2, 0, 2).reshape(-1, 4)
        chosen = rows.argmax(1)

        def back(d: Array) -> Array:
            spread = np.zeros((d.size, 4), d.dtype)
            spread[np.arange(d.size), chosen] = d.transpose(0, 2, 3, 1).ravel()
            return col2im(spread.reshape(-1, c * 4), (n, c, h, w), 2, 0, 2)

        backs.append(back)
        return rows.max(1).reshape(n, h // 2, w // 2, c).transpose(0, 3, 1, 2)

    def adam(self, gradients: dict[int, Array]) -> None:
        """One step of Adam with its usual numbers."""
        self.t += 1
        rate = np.float32(1e-3 * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t))
        for k, parameter in enumerate(self.parameters):
            self.m[k] += np.float32(0.1) * (gradients[k] - self.m[k])
            self.v[k] += np.float32(0.001) * (gradients[k] * gradients[k] - self.v[k])
            parameter -= rate * self.m[k] / (np.sqrt(self.v[k]) + np.float32(1e-8))
