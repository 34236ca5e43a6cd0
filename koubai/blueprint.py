r"""A network as a trial writes it: its layers read, and spelled in one way. Knows nothing of tensors.

``layers`` is a list. A whole number is a dense layer of so many units; the rest are texts:

==============================================  =====================================================================
``"conv 16 3x3 stride 2 pad 1"``                16 filters of 3x3 (or ``3``); stride 1 and pad 0 where not written
``"maxpool 3 stride 2 pad 1"``, ``"avgpool 2"``  a window of 3x3; its stride is its own size where not written
``"dense 50"``                                  the same as ``50``
``"flatten"``                                   images become rows: needed before dense layers, put there where not written
``"batchnorm"``, ``"lrn"``, ``"dropout 0.5"``   batch and local response normalization, dropout
``"relu"`` and every other activation           by name, with its usual numbers
==============================================  =====================================================================

A size, stride or pad of two numbers, ``3x5``, is height and width. A name instead of a list is a preset of ``PRESETS``. Equal networks
are spelled alike, so they have equal hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from koubai.language import UserError, Words, unknown
from koubai.techniques import ACTIVATIONS

Shape = tuple[int, ...]  # of one sample's values: (features,) or (channels, height, width)
Chain = tuple[int | str, ...]

LARGEST = 10**6  # of every number in a layer
LABEL = 40  # letters of a label

FORMS = {
    "conv": "conv 16 3x3 stride 2 pad 1",
    "maxpool": "maxpool 3 stride 2 pad 1",
    "avgpool": "avgpool 3 stride 2 pad 1",
    "dense": "dense 50",
    "dropout": "dropout 0.5",
    "flatten": "flatten",
    "batchnorm": "batchnorm",
    "lrn": "lrn",
}
WEIGHTS = ("conv", "dense")  # layers with weights
IMAGES = ("conv", "maxpool", "avgpool", "lrn")  # layers that take images

_DEEP: list[int | str] = []
for _width in (16, 32, 64):  # the fourth of the six pads by 2, so that 28 rows become 28, 14, 16, 8, 4
    _DEEP += [f"conv {_width} 3x3 pad 1", f"conv {_width} 3x3 pad {2 if _width == 32 else 1}", "maxpool 2"]
_ALEX: list[int | str] = [
    "conv 96 11x11 stride 4 pad 2", "lrn", "maxpool 3 stride 2", "conv 256 5x5 pad 2", "lrn", "maxpool 3 stride 2",
    "conv 384 3x3 pad 1", "conv 384 3x3 pad 1", "conv 256 3x3 pad 1", "maxpool 3 stride 2",
    "flatten", 4096, "dropout 0.5", 4096, "dropout 0.5",
]  # fmt: skip

PRESETS: dict[str, Chain] = {
    # of the notes' exercise
    "simple-cnn": ("conv 30 5x5", "maxpool 2", "flatten", 100),
    # of the same; dropout stands behind the hidden dense layer alone: behind the output it would drop answers
    "deep-cnn": (*_DEEP, "flatten", 50, "dropout 0.5"),
    # Krizhevsky et al. 2012, section 3.5, both halves as one tower: 62,378,344 parameters for 1,000 classes. The paper's two halves do
    # not see each other in three of the convolutions, which saves 1,413,120 of them (60,965,224). Images from 63x63 on.
    "alexnet": tuple(item for item in _ALEX if item != "lrn"),
    # the same with the paper's local response normalization
    "alexnet-lrn": tuple(_ALEX),
}

# what a preset was made for: the shape of a sample, and classes
NATIVE: dict[str, tuple[Shape, int]] = {
    "simple-cnn": ((28, 28), 10),
    "deep-cnn": ((28, 28), 10),
    "alexnet": ((3, 224, 224), 1000),
    "alexnet-lrn": ((3, 224, 224), 1000),
}


@dataclass(frozen=True)
class Part:
    """One layer as it is written. ``own``: put there by the trial, so the trial's own numbers apply."""

    name: str
    width: int = 0
    filter: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    rate: float = 0.0
    own: bool = False


def read(given: int | str) -> Part:
    """A layer from a whole number or a text. Raises ``UserError``."""
    if isinstance(given, int):
        return Part("dense", given)
    name, *rest = given.split() or [""]
    if name in PRESETS:
        raise UserError(
            f"{name!r} is a whole network, not a layer of one: write layers = {name!r}, without a list.",
            f"{name!r} は層ではなくネットワーク全体の名前です。リストにせず layers = {name!r} と書いてください。",
        )
    if name not in FORMS and name not in ACTIVATIONS:
        raise unknown(Words("layer", "層"), name, (*FORMS, *ACTIVATIONS))
    try:
        if name in ("conv", "maxpool", "avgpool"):
            return _window(name, rest)
        if name == "dense":
            (width,) = rest
            return Part(name, _number(width, 1))
        if name == "dropout":
            (rate,) = map(float, rest)
            if 0 <= rate < 1:
                return Part(name, rate=rate + 0.0)  # -0.0 as 0.0
        elif not rest:
            return Part(name)
    except ValueError:  # too few words, too many, or one that is no such number
        pass
    form = FORMS.get(name, name)
    raise UserError(
        f"{given!r} is not written as a layer is; like this: {form!r}.", f"{given!r} は層の書き方ではありません。例: {form!r}"
    )


def _window(name: str, rest: list[str]) -> Part:
    """A convolution or a pooling from the words behind its name; ``ValueError`` where they are wrong."""
    width = _number(rest.pop(0), 1) if name == "conv" and rest else 0
    filter, *options = rest
    words = dict(zip(options[::2], options[1::2], strict=True))
    if not words.keys() <= {"stride", "pad"} or len(options) != 2 * len(words):
        raise ValueError
    size = _sides(filter, 1)
    stride = _sides(words["stride"], 1) if "stride" in words else (1, 1) if name == "conv" else size
    pad = _sides(words.get("pad", "0"), 0)
    if name != "conv" and any(2 * p > f for p, f in zip(pad, size, strict=True)):
        raise ValueError  # a window would lie in the padding alone
    return Part(name, width, size, stride, pad)


def _number(text: str, least: int) -> int:
    value = int(text)
    if not least <= value <= LARGEST:
        raise ValueError
    return value


def _sides(text: str, least: int) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return _number(height, least), _number(width if "x" in text else height, least)


def spell(part: Part) -> int | str:
    """The one way to write a layer: what ``read`` reads back."""
    if part.name == "dense":
        return part.width
    if part.name == "dropout":
        return f"dropout {part.rate!r}"
    if part.name not in ("conv", "maxpool", "avgpool"):
        return part.name
    words = [part.name]
    words += [str(part.width), "x".join(map(str, part.filter))] if part.name == "conv" else [_short(part.filter)]
    if part.stride != ((1, 1) if part.name == "conv" else part.filter):
        words += ["stride", _short(part.stride)]
    if part.pad != (0, 0):
        words += ["pad", _short(part.pad)]
    return " ".join(words)


def _short(sides: tuple[int, int]) -> str:
    return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]}x{sides[1]}"


def preset(name: str) -> Chain:
    """The layers of a preset. Raises ``UserError``."""
    if name.partition(" ")[0] in (*FORMS, *ACTIVATIONS):
        raise UserError(
            f"{name!r} is one layer; layers are a list of them: layers = [{name!r}].",
            f"{name!r} は1つの層です。layers は層のリストにしてください: layers = [{name!r}]",
        )
    if name not in PRESETS:
        raise unknown(Words("preset of layers", "層のプリセット"), name, PRESETS)
    return PRESETS[name]


def canonical(layers: Chain) -> Chain:
    """The layers spelled in one way, with ``"flatten"`` where images become rows and nowhere else. Raises ``UserError``."""
    parts = [read(item) for item in layers]
    rows = next((k for k, part in enumerate(parts) if part.name in ("flatten", "dense")), len(parts))
    late = next((part for part in parts[rows:] if part.name in IMAGES), None)
    if late:
        raise UserError(
            f"{spell(late)!r} needs images, but stands behind a dense layer or 'flatten'; move it before them.",
            f"{spell(late)!r} は画像を受け取る層です。全結合層や 'flatten' より前に置いてください。",
        )
    flat = [Part("flatten")] if takes_images(parts) else []
    return tuple(map(spell, (*parts[:rows], *flat, *(part for part in parts[rows:] if part.name != "flatten"))))


def takes_images(parts: Sequence[Part]) -> bool:
    """Whether a network is one of images: any of its layers is."""
    return any(part.name in IMAGES for part in parts)


def named(layers: Chain) -> str | None:
    """The preset that these layers are, if any."""
    return next((name for name, chain in PRESETS.items() if chain == layers), None)


def title(layers: Chain) -> str:
    """Layers as a label names them: the preset, widths (``40-20``), all in a row, or, where that is long, those with weights."""
    preset = named(layers)
    if preset:
        return preset
    if all(isinstance(item, int) for item in layers):
        return "-".join(map(str, layers))
    row = " > ".join(str(item) for item in layers if item != "flatten")
    if len(row) <= LABEL:
        return row
    parts = [part for part in map(read, layers) if part.name in WEIGHTS]
    return "-".join(f"conv {part.width}" if part.name == "conv" else str(part.width) for part in parts)


def weighted(layers: Chain) -> int:
    """How many layers have weights, the output among them."""
    return sum(read(item).name in WEIGHTS for item in layers) + 1
