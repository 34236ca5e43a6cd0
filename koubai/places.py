"""A trial's network laid out: every layer where it stands, what the trial adds, sizes and costs. Knows nothing of tensors.

What the trial adds: behind every conv and dense layer but the output stands an activation. Where none is written before the next conv
or dense layer, it is the trial's ``activation``, right behind the layer (and behind a ``"batchnorm"`` that is written there). The
trial's ``batch_norm`` stands before or after that activation, and its ``dropout`` behind both, unless one is written before the next
conv or dense layer. The output, one unit a class, is dense.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from koubai.blueprint import IMAGES, WEIGHTS, Chain, Part, Shape, read, spell
from koubai.language import UserError, Words
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS
from koubai.techniques.convolution import ImpossibleSize, output_sides


def complete(trial: Trial, classes: int) -> list[Part]:
    """All layers of a trial's network, with what the trial adds and the output."""
    # what stands before the first layer with weights; then each of those with what stands behind it
    runs: list[list[Part]] = [[]]
    for part in map(read, trial.layers):
        if part.name in WEIGHTS:
            runs.append([])
        runs[-1].append(part)
    first, *rest = runs
    hidden = [part for layer, *behind in rest for part in (layer, *_surrounded(behind, trial))]
    return [*first, *hidden, Part("dense", classes)]


def _surrounded(behind: list[Part], trial: Trial) -> list[Part]:
    """What stands behind a conv or hidden dense layer, with the trial's activation, batch normalization and dropout."""
    parts, names = list(behind), [part.name for part in behind]
    at = next((k for k, name in enumerate(names) if name in ACTIVATIONS), None)
    if at is None:
        at = int(names[:1] == ["batchnorm"])
        parts.insert(at, Part(trial.activation.name, own=True))
    if trial.batch_norm != "none" and "batchnorm" not in names:
        parts.insert(at + (trial.batch_norm == "after"), Part("batchnorm", own=True))
    if trial.dropout and "dropout" not in names:
        at = next(k for k, part in enumerate(parts) if part.name in ACTIVATIONS)
        at += [part.name for part in parts[at + 1 : at + 2]] == ["batchnorm"]
        parts.insert(at + 1, Part("dropout", own=True))
    return parts


@dataclass(frozen=True)
class Place:
    """A layer where it stands: its label, the shapes of one sample's values before and behind it, and what it costs.

    ``parameters`` are learned numbers, ``products`` multiplications of a weight with a value in one forward for one sample.
    """

    label: str
    part: Part
    before: Shape
    behind: Shape
    parameters: int = 0
    products: int = 0


def places(trial: Trial, shape: int | Sequence[int], classes: int) -> list[Place]:
    """Every layer of a trial's network for samples of ``shape`` (``Dataset.shape``). Raises ``UserError`` where one does not fit."""
    values = entrance(trial.layers, (shape,) if isinstance(shape, int) else shape)
    found: list[Place] = []
    depth = 0
    for part in complete(trial, classes):
        depth += part.name in WEIGHTS
        label = "batch_norm" if part.name == "batchnorm" else part.name
        found.append(_placed(f"{label} {depth}", part, values))
        values = found[-1].behind
    return found


def entrance(layers: Chain, shape: Sequence[int]) -> Shape:
    """What one sample of ``shape`` is to a network: a row, or an image ``(channels, height, width)``. Raises ``UserError``."""
    shape = tuple(shape)
    if "flatten" not in layers:
        return (math.prod(shape),)
    if len(shape) == 2:
        return (1, *shape)
    if len(shape) == 3:
        return shape
    first = next(item for item in layers if isinstance(item, str) and item.split()[0] in IMAGES)
    has = (
        Words(
            f"this data has {shape[0]:,} feature{'s'[: shape[0] != 1]} a sample",
            f"このデータの1サンプルは {shape[0]:,} 個の特徴量です",
        )
        if len(shape) == 1
        else Words(f"a sample of this data is {text(shape)}", f"このデータの1サンプルは {text(shape)} です")
    )
    raise UserError(
        f"layers: {first!r} needs images, height x width or channels x height x width; {has.en}.",
        f"layers: {first!r} には画像(縦x横、またはチャンネルx縦x横)が必要です。{has.ja}。",
    )


def text(shape: Sequence[int]) -> str:
    """``3x32x32``."""
    return "x".join(map(str, shape))


def _placed(label: str, part: Part, values: Shape) -> Place:
    """A layer behind values of a shape."""
    if part.name == "dense":
        return Place(label, part, values, (part.width,), (values[0] + 1) * part.width, values[0] * part.width)
    if part.name == "flatten":
        return Place(label, part, values, (math.prod(values),))
    if part.name == "batchnorm":
        return Place(label, part, values, values, 2 * values[0])
    if part.name not in ("conv", "maxpool", "avgpool"):
        return Place(label, part, values, values)
    try:
        sides = output_sides(values[1:], part.filter, part.stride, part.pad)
    except ImpossibleSize as error:
        raise UserError(
            f"layers: {spell(part)!r} gets {text(values)}. {error.words.en} Take larger images, or fewer layers before it.",
            f"layers: {spell(part)!r} への入力は {text(values)} です。{error.words.ja}大きな画像を使うか、前の層を減らしてください。",
        ) from None
    if part.name != "conv":
        return Place(label, part, values, (values[0], *sides))
    patch = values[0] * math.prod(part.filter)
    return Place(label, part, values, (part.width, *sides), (patch + 1) * part.width, patch * part.width * math.prod(sides))
