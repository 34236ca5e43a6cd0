"""What a watch sees of a model, its optimizers and its loss, beside the numbers of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Idle = Literal["unheld", "unreached", "flat", "rate"]


@dataclass(frozen=True)
class Seen:
    """How a watched training is put together.

    ``idle`` are the layers that no step moved though they are not frozen, and why: no optimizer holds their weights (``"unheld"``), no
    gradient came to them nor to the first layer (``"unreached"``), the loss itself gives none (``"flat"``), or the steps are 0
    (``"rate"``). ``uncleared`` says that the gradients of one step were still there in the next, in every step that was looked at.
    ``squashed`` is what the model's answers pass before a loss that squashes them itself (``"softmax"``). ``spread`` are the shapes of the
    answers and of what they are stretched to beside targets of another shape; ``target`` is the targets' root mean square, 0 where it is
    not known. ``dropout`` is the largest rate, ``batch_norms`` are the layers that normalize by their minibatch. ``faded`` is the step by
    which the learning rate had fallen to a hundredth of its largest, 0 where it did not in the first half.
    """

    idle: Mapping[str, Idle] = field(default_factory=dict)
    uncleared: bool = False
    squashed: str = ""
    spread: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    target: float = 0.0
    dropout: float = 0.0
    batch_norms: tuple[str, ...] = ()
    faded: int = 0
