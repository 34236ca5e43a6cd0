"""Where the first value arose that is no number: the forward pass is made once more, looked at operation by operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from koubai.doctor.origin import Origin
from koubai.watching.graph import floats

# Operations that make infinities because they were told to: masks.
MASKS = {"masked_fill", "where", "fill", "full", "full_like", "scalar_tensor", "lift_fresh", "_to_copy"}


class Pass(NamedTuple):
    """A forward pass as it was called: what it takes to make it again."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    autocast: bool
    device: str

    def minibatch(self) -> tuple[int | None, np.ndarray | None]:
        """How many samples go in, and the root mean square of each feature where these are numbers and not words."""
        tensors = [x for x in tree_leaves((self.args, self.kwargs)) if isinstance(x, Tensor) and x.ndim]
        if not tensors:
            return None, None
        x = tensors[0].detach()
        sizes = x.flatten(1).float().square().mean(0).sqrt().cpu().numpy() if x.is_floating_point() and x.ndim > 1 else None
        return len(x), sizes


class Finder(TorchDispatchMode):
    """Finds the first operation that makes a NaN or an infinity, not being given one, and its module."""

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = names
        self.under_way: list[str] = []
        self.found: tuple[str, str] | None = None

    def enter(self, module: nn.Module, args: Any) -> None:
        """A module begins."""
        self.under_way.append(self.names[module])

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module is done."""
        self.under_way.pop()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        nan, infinite = (False, False) if self.found else wrong((args, kwargs))
        output = function(*args, **(kwargs or {}))
        operation = function.overloadpacket.__name__.rstrip("_")
        if not self.found and operation not in MASKS:
            nans, infinities = wrong(output)
            if (nans and not nan) or (infinities and not infinite and not nan):
                self.found = self.under_way[-1] if self.under_way else "", operation
        return output


def wrong(tree: Any) -> tuple[bool, bool]:
    """Whether there are NaNs, and whether there are infinities, among the floating point numbers of tensors."""
    tensors = floats(tree)
    return any(bool(x.isnan().any()) for x in tensors), any(bool(x.isinf().any()) for x in tensors)


def finite(tree: Any) -> bool:
    """Whether all of them are finite."""
    return not any(wrong(tree))


def in_forward(model: nn.Module, made: Pass) -> tuple[bool, str, str]:
    """Whether the pass, made again, gives finite numbers; if not, the module and the operation where it first does not.

    Random numbers, buffers and gradients are afterwards what they were.
    """
    names = {module: name for name, module in model.named_modules()}
    finder = Finder(names)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with ExitStack() as stack:
        for module in names:
            stack.callback(module.register_forward_pre_hook(finder.enter).remove)
            stack.callback(module.register_forward_hook(finder.leave).remove)
        devices = [torch.cuda.current_device()] if made.device == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices))
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(made.device, enabled=made.autocast))
        with finder:
            fine = finite(model(*made.args, **made.kwargs))
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return fine, *(finder.found or ("", ""))


def origin(model: nn.Module, made: Pass | None, step: int, order: Sequence[str], grown: bool) -> Origin:
    """Where the numbers of a step were lost: in what goes in, in the weights, forward, in the loss, or backward.

    ``made`` is the step's forward pass, where the model was called as a whole; ``order`` are the layers from the input to the output;
    ``grown`` as in ``Origin``.
    """
    weights = [name for name, p in model.named_parameters() if not finite(p)]
    if weights:
        return Origin(step, "weights", weights[0].rpartition(".")[0] or type(model).__name__, None, grown)
    if made and not finite((made.args, made.kwargs)):
        return Origin(step, "input")
    if made:
        fine, layer, operation = in_forward(model, made)
        if not fine:
            return Origin(step, "forward", layer or type(model).__name__, operation, grown)
    gradients = {name.rpartition(".")[0] for name, p in model.named_parameters() if p.grad is not None and not finite(p.grad)}
    if not gradients or all(p.grad is None or not finite(p.grad) for p in model.parameters()):
        return Origin(step, "loss", None, None, grown)
    reached = [layer for layer in order if layer in gradients]
    return Origin(step, "backward", reached[-1] if reached else min(gradients), None, grown)
