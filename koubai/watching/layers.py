"""Which modules of a model are its layers, what each does to the gradient, and which of its values are a unit's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer

Bounds = tuple[float | None, float | None]

OPEN: Bounds = (None, None)
BOUNDS: dict[type[nn.Module], Bounds] = {
    nn.Sigmoid: (0, 1),
    nn.Tanh: (-1, 1),
    nn.Softsign: (-1, 1),
    nn.Hardsigmoid: (0, 1),
    nn.ReLU: (0, None),
    nn.ReLU6: (0, None),
    nn.Softplus: (0, None),
}
ROWS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # a row of their weights is a unit's
WHOLE = (nn.MultiheadAttention, nn.RNNBase)  # one layer each, whatever is inside: their forward calls no module
# no layers: do nothing, cannot be looked into, or are the loss
STILL = (nn.Identity, torch.jit.ScriptModule, nn.modules.loss._Loss)
PASSED = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)  # live among the activations, but saturate by design
NAMED = {  # what modules of others call themselves
    "activation": ("relu", "gelu", "silu", "swish", "mish", "tanh", "sigmoid", "activation"),
    "dropout": ("drop",),
    "pooling": ("pool",),
}
KINDS = {
    "activation": (nn.modules.activation.__name__,),
    "normalization": tuple(f"torch.nn.modules.{name}" for name in ("batchnorm", "normalization", "instancenorm")),
    "dropout": (nn.modules.dropout.__name__,),
    "pooling": (nn.modules.pooling.__name__,),
}


def layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers by the model's own names: the innermost modules, but not those that do nothing."""

    def inside(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        children = [] if isinstance(module, WHOLE) or is_parametrized(module) else list(module.named_children())
        if not children and not isinstance(module, STILL):
            yield name or type(module).__name__, module
        for part, child in children:
            yield from inside(f"{name}.{part}" if name else part, child)

    seen: set[nn.Module] = set()
    for name, module in inside("", model):
        if module not in seen:  # a module that stands at two places is one layer, by its first name
            seen.add(module)
            yield name, module


def kind(module: nn.Module) -> str:
    """What a layer does to the gradient, as the ledger calls it; ``"flatten"`` for whatever only hands values on."""
    home, name = type(module).__module__, type(module).__name__.lower()
    if isinstance(module, PASSED):
        return "flatten"
    if isinstance(module, WHOLE):
        return "weights"
    for word, homes in KINDS.items():
        if home in homes:
            return word
    if "norm" in name:
        return "normalization"
    if any(True for _ in module.parameters()):
        return "weights" if matrices(module) else "normalization"
    return next((word for word, parts in NAMED.items() if any(part in name for part in parts)), "flatten")


def bounds(module: nn.Module) -> Bounds:
    """The range of an activation's answers, ``None`` where it has no end."""
    if type(module) is nn.Hardtanh:
        return module.min_val, module.max_val
    return BOUNDS.get(type(module), OPEN)


def matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a layer, without its biases."""
    return [p for p in module.parameters() if p.ndim > 1]


def held(*optimizers: Optimizer) -> Iterator[nn.Parameter]:
    """The parameters that optimizers hold."""
    return (p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"])


def channels_first(module: nn.Module, before: bool) -> bool:
    """Whether a unit of this layer's output is a channel ``[sample, unit, ...]`` and not a feature ``[..., unit]``.

    Layers that work on either leave it as it was ``before`` them.
    """
    if isinstance(module, _ConvNd | _BatchNorm | nn.GroupNorm):
        return True
    if isinstance(module, (nn.Linear, nn.LayerNorm, nn.Embedding, nn.Flatten, *WHOLE)):
        return False
    return before


@dataclass(frozen=True)
class Functional:
    """An activation that a model calls as a function: what it is called, its range, and its output from what autograd keeps of it."""

    name: str
    bounds: Bounds
    output: Callable[[Any], Tensor]


FUNCTIONAL = {  # by the name of their node in autograd's graph
    "ReluBackward0": Functional("relu", (0, None), lambda node: node._saved_result),
    "SigmoidBackward0": Functional("sigmoid", (0, 1), lambda node: node._saved_result),
    "TanhBackward0": Functional("tanh", (-1, 1), lambda node: node._saved_result),
    "GeluBackward0": Functional("gelu", OPEN, lambda node: F.gelu(node._saved_self, approximate=node._saved_approximate)),
    "SiluBackward0": Functional("silu", OPEN, lambda node: F.silu(node._saved_self)),
    "SoftplusBackward0": Functional(
        "softplus", (0, None), lambda node: F.softplus(node._saved_self, node._saved_beta, node._saved_threshold)
    ),
    "LeakyReluBackward0": Functional("leaky_relu", OPEN, lambda node: F.leaky_relu(node._saved_self, node._saved_negative_slope)),
    # SELU's too, which has a scale
    "EluBackward0": Functional("elu", OPEN, lambda node: node._saved_scale * F.elu(node._saved_self, node._saved_alpha)),
    "HardtanhBackward0": Functional(
        "hardtanh", OPEN, lambda node: node._saved_self.clamp(node._saved_min_val, node._saved_max_val)
    ),
}
