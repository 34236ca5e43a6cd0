"""How a training is put together: layers that no step moves, gradients that nobody clears, answers that do not fit their loss."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from koubai.doctor.seen import Idle, Seen
from koubai.watching.graph import walk
from koubai.watching.history import History
from koubai.watching.layers import layers, matrices

NEAR = 200  # nodes below a loss among which its own are
SQUASHED = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid", "ReluBackward0": "relu"}
SQUASHES = ("LogSoftmaxBackward0", "BinaryCrossEntropyWithLogitsBackward0")
SHAPED = (  # what only hands values on in another shape or precision
    "View", "UnsafeView", "ReshapeAlias", "Alias", "Clone", "ToCopy", "Squeeze", "Unsqueeze", "Transpose", "Permute", "T",
)  # fmt: skip


def idle(model: nn.Module, history: History, held: Collection[nn.Parameter]) -> dict[str, Idle]:
    """The layers that no step moved at any point of a history, in its order, and why; ``held`` are the weights of all optimizers.

    Where a gradient came to the first layer, those that none came to are a branch that the loss leaves out, as poolers often are.
    """
    numbers = history.numbers
    flat = not any(size for one in numbers for size in one.get("gradient", {}).values())
    named = dict(layers(model))
    asking = {
        name: weights
        for name in history.order
        if name in named and (weights := [p for p in matrices(named[name]) if p.requires_grad])
    }
    found: dict[str, Idle] = {}
    for name, weights in asking.items():
        sizes, gradients = ([one[of][name] for one in numbers if name in one.get(of, {})] for of in ("weight", "weight_gradient"))
        if len(sizes) < 2 or len({*sizes}) > 1:
            continue
        if not any(p in held for p in weights):
            found[name] = "unheld"
        elif not gradients:
            found[name] = "unreached"
        elif any(gradients):
            found[name] = "rate"
        elif flat:  # else it vanished on its way
            found[name] = "flat"
    branch = next(iter(asking), "") not in found
    return {name: why for name, why in found.items() if not (branch and why == "unreached")}


class Carried:
    """Hears, in one step, whether what the last step left in a weight's gradient is still there whenever more comes."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self.still, self.heard = True, False
        self._handles: list[Any] = []
        left = [(p, p.grad) for p in sorted(weights, key=Tensor.numel) if type(p.grad) is Tensor and not p.grad.is_sparse]
        told = next(((p, gradient) for p, gradient in left if gradient.any()), None)  # the smallest tells as much as all
        if told is not None:
            p, self._kept = told[0], told[1].clone()
            self._handles = [p.register_hook(lambda _: self._comes(p)), p.register_post_accumulate_grad_hook(self._came)]

    def _comes(self, p: nn.Parameter) -> None:
        self.still = self.still and p.grad is not None and torch.equal(p.grad, self._kept)

    def _came(self, p: Tensor) -> None:
        self.heard = True
        if self.still and p.grad is not None:
            self._kept = p.grad.clone()

    def close(self) -> bool | None:
        """Hear no more, and say whether gradients were carried over; ``None`` where none came, or the last step left none."""
        for handle in self._handles:
            handle.remove()
        return self.still if self.heard else None


class Wiring:
    """What is noticed, while a training is watched, of how it is put together."""

    def __init__(self) -> None:
        self._loss: dict[str, Any] | None = None  # what the first that was told is made of
        self._carried: Carried | None = None
        self._uncleared: list[bool] = []  # whether gradients were, step by step that was looked at
        self._rates: dict[int, float] = {}  # the learning rate, by step that was looked at

    def told(self, loss: Tensor) -> None:
        """A loss is told, before its backward."""
        if self._loss is None and loss.grad_fn is not None:
            self._loss = of_loss(loss)

    def open(self, weights: Iterable[nn.Parameter]) -> None:
        """A step begins, which is looked at, and which moves these weights."""
        self._carried = Carried(weights)

    def stepped(self, step: int, rate: float) -> None:
        """A step that was looked at is done."""
        self._rates[step] = rate

    def close(self) -> None:
        """Hear no more until the next step that is looked at."""
        if self._carried:
            told, self._carried = self._carried.close(), None
            self._uncleared += [] if told is None else [told]

    def seen(self, model: nn.Module, history: History, held: Collection[nn.Parameter]) -> Seen:
        """All of it, with what the model and the history tell; ``held`` are the weights of all optimizers."""
        return Seen(
            idle(model, history, held),
            len(self._uncleared) > 1 and all(self._uncleared),
            faded=faded([*self._rates.values()], [*self._rates]),
            **of_model(model),
            **(self._loss or {}),
        )


def faded(rates: Sequence[float], steps: Sequence[int]) -> int:
    """The step by which the learning rate had fallen to a hundredth of its largest, in the first half of the steps; else 0."""
    top = rates.index(max(rates))
    return next(
        (step for step, rate in zip(steps[top:], rates[top:], strict=True) if rate < rates[top] / 100 and 2 * step < steps[-1]), 0
    )


def of_model(model: nn.Module) -> dict[str, Any]:
    """The largest rate of dropout in a model, and its layers of batch normalization."""
    return {
        "dropout": max((float(module.p) for _, module in layers(model) if isinstance(module, _DropoutNd)), default=0.0),
        "batch_norms": tuple(name for name, module in layers(model) if isinstance(module, _BatchNorm)),
    }


def of_loss(loss: Tensor) -> dict[str, Any]:
    """What a loss, before its backward, is made of: ``squashed``, ``spread`` and ``target`` of ``Seen``."""
    found: dict[str, Any] = {}
    for node in islice(walk([loss.grad_fn] if loss.grad_fn else []), NEAR):
        name, below = node.name(), node.next_functions[0][0] if node.next_functions else None
        if name in SQUASHES and (squashed := SQUASHED.get(_unshaped(below))):
            found["squashed"] = squashed
        if name in ("MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"):
            target: Tensor = node._saved_target  # type: ignore[attr-defined]
            if below is not None and below.name() == "ExpandBackward0":
                found["spread"] = tuple(below._saved_self_sym_sizes), tuple(target.shape)  # type: ignore[attr-defined]
            found.setdefault("target", float(target.detach().float().square().mean().sqrt()))
    return found


def _unshaped(node: Node | None) -> str:
    """The name of the first node from here on down that does more than to reshape."""
    while node is not None and node.name().rstrip("0123456789").removesuffix("Backward") in SHAPED and node.next_functions:
        node = node.next_functions[0][0]
    return node.name() if node is not None else ""
