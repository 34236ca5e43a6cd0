"""A trial: one training, frozen, validated and hashable.

Every number of every technique is written into a trial, so that its hash says all there is to say.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from numbers import Integral
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from koubai import blueprint
from koubai.choices import KIND_WORDS, Choice, choose, chosen, flat, is_number, positive_zero
from koubai.language import UserError, Words, unknown
from koubai.mistakes import brief, custom, sentence, sentences

VERSION = 1  # of the meaning of a trial: raised when the same spec would train to other numbers


def _later(default: Any) -> Any:
    """A field that came after trials had been stored: left out of what is hashed at its default, so that their hashes stay."""
    return Field(default=default, exclude_if=lambda value: value == default)


def _several(given: Any) -> Any:
    """One augmentation as a list of it; ``"none"`` as an empty one."""
    if given == "none":
        return ()
    return (given,) if isinstance(given, str | Mapping | Choice) else given


def _square(given: Any) -> Any:
    """One number as the height and the width."""
    return (given, given) if is_number(given) and isinstance(given, Integral) else given


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in one order, whatever the order they were written in: equal data must have equal hashes."""
    return tuple(sorted(set(names)))


def _number(given: Any) -> Any:
    """A number as it is: ``true`` and texts, which pydantic would take for one, are none."""
    if not is_number(given):
        raise PydanticKnownError("float_type")
    return given


def _whole(given: Any) -> Any:
    """The same for a whole number."""
    if not is_number(given):
        raise PydanticKnownError("int_type")
    return given


def _ordered(given: Any) -> Any:
    """A list as it is: a set has no order."""
    if isinstance(given, set | frozenset):
        raise PydanticKnownError("tuple_type")
    return given


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Truth = Annotated[bool, Field(strict=True)]
Side = Annotated[Whole, Field(ge=1, le=4096)]


class Data(BaseModel):
    """Which data: a built-in set by name or the path of one's own, how many training samples of it, and how it is split.

    For tables: ``target`` is the column to be predicted (else one that is called so, or the last), ``drop`` are columns to leave out.
    ``missing`` values are refused, filled with the mean of the training samples, or their rows dropped. ``size`` is the height and
    width (or one number for both) that images are cropped and resized to. ``task`` says whether the target is classes or a quantity;
    where it is not given, the target itself does.
    ``balance`` repeats the training samples of rare classes until all classes have about as many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1)]
    samples: Annotated[Whole, Field(ge=1, le=10**12)] | None = None
    validation: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    split: Annotated[Whole, Field(ge=0, lt=2**63)] = 0
    standardize: Truth = False
    target: Annotated[str, Field(min_length=1)] | None = _later(None)
    drop: Annotated[tuple[str, ...], AfterValidator(_each_once)] = _later(())
    missing: Literal["refuse", "mean", "drop"] = _later("refuse")
    size: Annotated[tuple[Side, Side], BeforeValidator(_square)] | None = _later(None)
    task: Literal["classification", "regression"] | None = _later(None)
    balance: Truth = _later(False)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        if isinstance(given, str | os.PathLike):
            return {"name": os.fspath(given)}
        if isinstance(given, Mapping | Data):
            return given
        raise custom(
            UserError(
                f"a data set is named, or a table with its name in it, not {brief(given)}; "
                "arrays go into a file first: numpy.savez('mine.npz', x=x, y=y).",
                f"データは名前か、名前を含む表で書きます: {brief(given)}"
                "。配列は先に numpy.savez('mine.npz', x=x, y=y) でファイルにしてください。",
            )
        )

    def compact(self) -> str | dict[str, Any]:
        """The shortest form that reads back as this choice."""
        odd = self.model_dump(exclude_defaults=True)
        return odd if len(odd) > 1 else self.name

    def __str__(self) -> str:
        """The name, and what is not at its default."""
        odd = self.model_dump(exclude_defaults=True)
        rest = ", ".join(f"{k}={v}" for k, v in odd.items() if k != "name")
        return f"{self.name}({rest})" if rest else self.name


Width = Annotated[Whole, Field(ge=1, le=10**6)]
_WIDTH: TypeAdapter[int] = TypeAdapter(Width)


def _layer(given: Any, handler: Any) -> int | str:
    """A layer as it is spelled: a width, or a text of the grammar in ``blueprint``."""
    if not isinstance(given, str):
        return _WIDTH.validate_python(given)
    with sentences():
        return blueprint.spell(blueprint.read(given))


def _preset(given: Any) -> Any:
    """The layers that a name stands for."""
    if not isinstance(given, str):
        return given
    with sentences():
        return blueprint.preset(given)


def _layers(given: blueprint.Chain) -> blueprint.Chain:
    """The layers in their one spelling."""
    with sentences():
        return blueprint.canonical(given)


Layers = Annotated[
    tuple[Annotated[int | str, WrapValidator(_layer)], ...],
    Field(max_length=1000),
    BeforeValidator(_ordered),
    BeforeValidator(_preset),
    AfterValidator(_layers),
]
Rate = Annotated[Number, Field(ge=0), AfterValidator(positive_zero)]


class Trial(BaseModel):
    """One training: data, architecture, techniques, hyperparameters, budget and seed.

    ``layers`` are the widths of the hidden layers, a chain of layers of images as ``koubai.blueprint`` explains it, or the name of one;
    the input's shape and the number of classes come from the data. ``batch_norm`` says where batch normalization stands in each hidden
    layer: before or after the activation. ``dropout`` is the share of units left out after each hidden layer. ``layer_rates`` are factors
    on the learning rate of each layer with weights, first to last. ``clip_grad_norm`` is the norm to which a longer gradient is
    shortened, penalty included, as by ``torch.nn.utils.clip_grad_norm_``; 0 clips none. ``augment`` are augmentations of images, done in
    that order to every minibatch. ``dtype`` is that of the weights; ``"bfloat16"`` means weights in float32, and steps whose convolutions
    and matrix products are done in bfloat16. ``seed`` decides the minibatches, the dropout masks, the augmentation and the draws behind
    the initial weights, and nothing else does. Unknown or impossible values raise ``UserError``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: Data = Data(name="digits")
    layers: Layers = (40, 20)
    activation: chosen("activation") = choose("activation", "relu")  # type: ignore[valid-type]
    initializer: chosen("initializer") = choose("initializer", "he")  # type: ignore[valid-type]
    optimizer: chosen("optimizer") = choose("optimizer", "sgd")  # type: ignore[valid-type]
    learning_rate: Rate = 0.1
    schedule: chosen("schedule") = choose("schedule", "constant")  # type: ignore[valid-type]
    layer_rates: Annotated[tuple[Rate, ...], BeforeValidator(_ordered)] = ()
    batch_norm: Literal["none", "before", "after"] = "none"
    penalty: chosen("penalty") = choose("penalty", "none")  # type: ignore[valid-type]
    dropout: Annotated[Rate, Field(lt=1)] = 0.0
    batch_size: Annotated[Whole, Field(ge=1, le=10**9)] = 100
    steps: Annotated[Whole, Field(ge=1, le=10**9)] = 2000
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 0
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    clip_grad_norm: Rate = _later(0.0)
    augment: Annotated[tuple[chosen("augmentation"), ...], BeforeValidator(_ordered), BeforeValidator(_several)] = _later(())  # type: ignore[valid-type]

    def __init__(self, /, **fields: Any) -> None:
        """Validate ``fields``; raises ``UserError`` with one sentence."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise sentence(error, Trial) from None

    @model_validator(mode="after")
    def _fits(self) -> Trial:
        weighted, images = blueprint.weighted(self.layers), "flatten" in self.layers
        if self.layer_rates and len(self.layer_rates) != weighted:
            kind = Words("conv and dense layers", "畳み込み層・全結合層") if images else Words("dense layers", "全結合層")
            raise custom(
                UserError(
                    f"layer_rates needs one factor for each of the {weighted} {kind.en}, not {len(self.layer_rates)}.",
                    f"layer_rates には {weighted} 個の{kind.ja}それぞれの倍率が必要です({len(self.layer_rates)} 個あります)。",
                )
            )
        if (self.batch_norm != "none" or "batchnorm" in self.layers) and self.batch_size < 2:
            raise custom(
                UserError(
                    "batch_norm needs a batch_size of at least 2: one sample has no variance.",
                    "batch_norm には batch_size が2以上必要です。1サンプルでは分散を求められません。",
                )
            )
        return self

    @cached_property
    def id(self) -> str:
        """The trial's identity everywhere: a hash of everything that decides its numbers."""
        return identity(self.model_dump(mode="json"))

    @property
    def kept(self) -> Literal["float32", "float64"]:
        """The type of the weights, and of all that is measured."""
        return "float64" if self.dtype == "float64" else "float32"

    def __hash__(self) -> int:
        """By identity, as equality is."""
        return hash(self.id)

    def replace(self, changes: Mapping[str, Any]) -> Trial:
        """This trial with ``changes``: fields by name, or one number of a technique as ``"optimizer.momentum"``."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in Trial.model_fields}
        for path, value in sorted(changes.items(), key=lambda change: "." in change[0]):  # a field before its parts
            head, _, tail = path.partition(".")
            if head not in Trial.model_fields:
                raise unknown(Words("field of a trial", "試行の項目"), head, Trial.model_fields)
            fields[head] = {**_parts(head, tail, fields[head]), tail: value} if tail else value
        return Trial(**fields)

    def __repr__(self) -> str:
        """The trial as a person would write it."""
        return f"Trial({', '.join(f'{name}={value!r}' for name, value in self.compact().items())})"

    __str__ = __repr__

    def compact(self) -> dict[str, Any]:
        """The fields that are not at their defaults, each in its shortest form: what a person would write."""
        fields: dict[str, Any] = {}
        for name, field in Trial.model_fields.items():
            value = getattr(self, name)
            if value != field.default:
                fields[name] = plain(value)
        return fields


def identity(spec: Mapping[str, Any]) -> str:
    """The id of the trial that is written down so, all of its fields in JSON."""
    return hashlib.sha256(json.dumps([VERSION, spec], sort_keys=True).encode()).hexdigest()[:20]


def plain(value: Any) -> Any:
    """A field's value as a person would write it: techniques in their shortest form, the layers of a preset by its name."""
    if isinstance(value, tuple):
        return blueprint.named(value) or tuple(map(plain, value))
    return value.compact() if hasattr(value, "compact") else value


def _parts(field: str, part: str, value: Any) -> Mapping[str, Any]:
    """A field's value as a table, of which ``part`` is to be changed."""
    if isinstance(value, Choice):
        return flat(value)
    if isinstance(value, Data):
        return value.model_dump()
    if isinstance(value, str) and field in (*KIND_WORDS, "data"):
        return {"name": value}
    if isinstance(value, Mapping):
        return value
    raise UserError(f"{field!r} has no parts, so '{field}.{part}' means nothing.", f"{field!r} に {part!r} はありません。")
