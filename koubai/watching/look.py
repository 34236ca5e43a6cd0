"""One step looked at: hooks on every layer, from the forward to the optimizer's step, and what they saw as numbers.

A hook only reads what it is handed; nothing is put into the graph and no random number is drawn, so the training's own numbers stay as
they are, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from koubai.techniques.clipping import norm
from koubai.watching.graph import Edge, Total, between, edge, floats, recordable, walk
from koubai.watching.layers import FUNCTIONAL, ROWS, bounds, channels_first, held, matrices
from koubai.watching.values import pooled, values

# values of which a norm is taken along rows in float32, and over the rows in float64, in a fifth to a half of the time
MANY = 2**16
PART = 2**22  # of a weight's values, how many are kept to see how far a step moves them

Numbers = dict[str, dict[str, Any]]  # name, layer: a float or an array


def exact(x: Tensor) -> torch.dtype:
    """Float64, where a vanished gradient is still a number; on a device without it, float32."""
    return torch.float32 if x.device.type == "mps" else torch.float64


def size(x: Tensor) -> Tensor:
    """The Euclidean norm."""
    x = x.detach()
    if x.numel() > MANY and x.is_cpu:
        return norm(x[None])[0]
    return torch.linalg.vector_norm(x, dtype=exact(x))


def _size_of_gradient(gradient: Tensor) -> Tensor:
    return size(gradient.coalesce().values() if gradient.is_sparse else gradient)


@dataclass
class Call:
    """One call of a layer in the forward pass number ``forward``, and the norms of the gradients at its outputs and by its inputs.

    ``reached`` says whether a gradient could come at all.
    """

    layer: str
    forward: int
    reached: bool = False
    values: dict[str, Tensor | int] = field(default_factory=dict)
    out: list[Tensor] = field(default_factory=list)
    into: list[Tensor] = field(default_factory=list)


class Look:
    """The hooks of one step on the layers of a model, ``names`` their names and kinds; ``close`` takes them away again.

    A ``compiled`` model calls no modules, and hooks would have it compiled anew: only its weights are looked at.
    """

    def __init__(self, model: nn.Module, names: Mapping[nn.Module, tuple[str, str]], histograms: bool, compiled: bool) -> None:
        self.names, self.histograms = names, histograms
        self.kinds: dict[str, str] = {}  # of the layers, in the order of their first calls
        self.calls: list[Call] = []
        self.numbers: Numbers = {}
        self.open = True
        self.losses: list[int] = []  # for each backward that came from a loss that was given, how many forwards were done
        self._starts: list[Any] = []  # the hooks on them
        self._forward = 0
        self._scale: Tensor | None = None  # what the gradients under way are multiplied by
        self._last = self._norm = torch.empty(0)
        self._channels = False  # whether the values under way are images, units second
        self._inputs: dict[nn.Module, list[Edge]] = {}
        self._ends: dict[Node, str] = {}  # the nodes that layers end in
        self._inside: set[Node] = set()
        self._weights = [(module, name, matrices(module)) for module, (name, kind) in names.items() if kind == "weights"]
        self._before: dict[nn.Parameter, Tensor] = {}
        self._handles: list[Any] = []
        if compiled:
            return
        self._handles.append(model.register_forward_hook(self._through, with_kwargs=True))
        for module in names:
            self._handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._leave))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy or a file of the model, made in this step, hears nothing: what comes along is a look that is over."""
        return _over, ()

    def close(self) -> None:
        """Take the hooks away, and let go of the graph. Gradients that come later are not heard."""
        self.open = False
        for handle in self._handles:
            handle.remove()
        self._inputs, self._ends, self._inside, self._before = {}, {}, set(), {}
        self._last = torch.empty(0)

    def loss(self, value: Tensor) -> None:
        """Take a loss that a backward will start from: the gradients that come are divided by the one that comes to it.

        That is the scale of AMP's ``GradScaler``, or the share of a minibatch where gradients are accumulated.
        """
        if value.grad_fn is None:
            return
        if not self._forward:  # the model is not called as a whole
            self._through(None, (), {}, value)
            self._forward = 0

        def started(gradient: Tensor) -> None:
            # gradients that came before are of another's loss: a generator's, through the discriminator watched
            if not self.losses:
                for call in self.calls:
                    call.out.clear()
                    call.into.clear()
            self._scale = gradient.detach().sum(dtype=exact(gradient))
            self.losses.append(self._forward)

        self._starts.append(value.register_hook(started))

    def forget(self) -> None:
        """Forget the losses taken so far."""
        for handle in self._starts:
            handle.remove()
        self._starts, self.losses = [], []

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if self.open and recordable():
            given = args[0] if len(args) == 1 and not kwargs else (args, kwargs)
            self._inputs[module] = [edge(x) for x in floats(given) if x.requires_grad]

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self.open:
            return
        if not recordable():
            self.kinds.setdefault(*self.names[module])  # where activations are checkpointed, the order is known only now
            return
        call = self._called(*self.names[module])
        self._channels = channels_first(module, self._channels)
        tensors = floats(output)
        if self.kinds[call.layer] == "activation" and tensors:
            call.values = values(tensors[0], bounds(module), self._channels, self.histograms)
        self._listen(call, [y for y in tensors if y.grad_fn is not None], self._inputs.pop(module, []))

    def _called(self, layer: str, kind: str, after: str = "") -> Call:
        if after and layer not in self.kinds:
            known = list(self.kinds.items())
            known.insert(list(self.kinds).index(after) + 1, (layer, kind))
            self.kinds = dict(known)
        self.kinds.setdefault(layer, kind)
        self.calls.append(Call(layer, self._forward))
        return self.calls[-1]

    def _listen(self, call: Call, outputs: Sequence[Tensor], inputs: Sequence[Edge]) -> None:
        """Hear of the gradients that come to a call's outputs, and of those that it hands to its inputs."""
        edges = [edge(y) for y in outputs]
        call.reached = bool(outputs)
        for y in outputs:
            y.register_hook(partial(self._came, call.out))
        if set(edges) & set(inputs):  # it hands on what it was given
            call.into = call.out
            return
        inside, doors = between([node for node, _ in edges], inputs)
        self._ends.update((node, call.layer) for node, _ in edges)
        self._inside |= inside
        for found in doors.values():
            total = Total(len(found), partial(self._came, call.into))
            for node, place in found:
                node.register_hook(partial(total.add, place))

    def _came(self, norms: list[Tensor], gradient: Tensor) -> None:
        if not self.open:
            return
        if gradient is not self._last:  # what leaves one layer often comes to the next just so
            self._last, self._norm = gradient, size(gradient)
        norms.append(self._norm if self._scale is None else self._norm / self._scale)

    def _through(self, model: nn.Module | None, args: Any, kwargs: Any, output: Any) -> None:
        """A forward pass is done: find the activations that the model called as functions, and not those of whoever made its input."""
        if not (self.open and recordable()):
            return
        nodes, given = ([x.grad_fn for x in floats(tree) if x.grad_fn is not None] for tree in (output, (args, kwargs)))
        for node in walk(nodes if self._ends else [], given):
            function = FUNCTIONAL.get(node.name())
            if function and node not in self._inside:
                after = next((self._ends[below] for below in walk([node]) if below in self._ends), "")
                call = self._called(f"{after} → {function.name}" if after else function.name, "activation", after)
                call.reached = True
                with torch.no_grad():
                    call.values = values(function.output(node), function.bounds, self._channels, self.histograms)
                node.register_prehook(partial(self._reached, call.out))
                node.register_hook(partial(Total(1, partial(self._came, call.into)).add, 0))
                self._ends[node] = call.layer
        self._forward += 1
        self._ends, self._inside = {}, set()

    def _reached(self, norms: list[Tensor], gradients: Sequence[Tensor | None]) -> None:
        if gradients[0] is not None:
            self._came(norms, gradients[0])

    def before_step(self, optimizer: Optimizer, read: bool) -> None:
        """An optimizer is about to step: ``read`` the gradients as it gets them, and keep the weights to see how far they move."""
        if read:
            self.read(optimizer)
        for parameter in _held(optimizer):
            self._before[parameter] = _part(parameter).clone()

    def read(self, optimizer: Optimizer) -> None:
        """The sizes of the weights' gradients, as an optimizer gets them."""
        if not self.calls:  # a compiled model calls no modules; its weights can be seen all the same
            self.kinds = {name: kind for name, kind in self.names.values() if kind == "weights"}
        scale = getattr(optimizer, "grad_scale", None)  # the fused ones divide by it themselves
        held = _held(optimizer)
        for _, name, weights in self._weighted():
            found = [_size_of_gradient(p.grad) for p in weights if p in held and p.grad is not None]
            if found:
                self._note("weight_gradient", name, found if scale is None else [norm / scale for norm in found])

    def after_step(self) -> None:
        """An optimizer has stepped: how large the weights are now, and how far they moved."""
        for module, name, weights in self._weighted():
            self._note("weight", name, [size(p) for p in weights])
            self._note("moved", name, [size(_part(p) - self._before[p]) for p in weights if p in self._before])
            if isinstance(module, ROWS) and not is_parametrized(module):
                rows = module.weight.detach().flatten(1)
                self._note("apart", name, [size(rows - rows.mean(0))] if len(rows) > 1 else [])

    def _weighted(self) -> Iterable[tuple[nn.Module, str, list[nn.Parameter]]]:
        return [one for one in self._weights if one[1] in self.kinds]

    def _note(self, name: str, layer: str, norms: list[Tensor]) -> None:
        if norms:
            self.numbers.setdefault(name, {})[layer] = norms

    def finish(self) -> Numbers:
        """What was seen, as numbers by name and layer: ``gradient`` at the outputs, ``factor`` on the way through, and the ledger's others.

        Forward passes that no gradient came back to do not count, nor those whose gradients were no numbers where the optimizer's were:
        there AMP took the scale down and began the step anew.
        """
        trained = {call.forward for call in self.calls if call.out}
        calls = [call for call in self.calls if call.forward in trained and call.reached]
        at_hand = all(norm.device.type == "cpu" for call in calls for norm in call.out)
        numbers, *seen = _fetched([self.numbers, *([call.out, call.into, call.values] for call in calls)], at_hand)
        shares = {"moved": "update", "apart": "apart"}  # of the weights' own size
        found: Numbers = {
            name: {layer: _whole(norms) for layer, norms in layers.items()}
            for name, layers in numbers.items()
            if name not in shares
        }
        for name, share in shares.items():
            for layer, norms in numbers.get(name, {}).items():
                weight = found["weight"][layer]
                found.setdefault(share, {})[layer] = _whole(norms) / weight if weight else 0.0
        lost = {call.forward for call, (out, _, _) in zip(calls, seen, strict=True) if not all(map(math.isfinite, out))}
        if lost == trained or not all(map(math.isfinite, found.get("weight_gradient", {"": math.nan}).values())):
            lost = set()
        backwards = len([done for done in self.losses if done - 1 not in lost]) or 1
        for layer in self.kinds:
            mine = [one for call, one in zip(calls, seen, strict=True) if call.layer == layer and call.forward not in lost]
            if not mine:
                continue
            came, left = (_whole([norm for one in mine for norm in one[k]]) for k in (0, 1))
            measured = {"gradient": came / backwards} | pooled([one[2] for one in mine if one[2]])
            if came > 0 and any(one[1] for one in mine):
                measured["factor"] = left / came
            for name, value in measured.items():
                found.setdefault(name, {})[layer] = value
        return found


def _over() -> Look:
    look = Look(nn.Identity(), {}, histograms=False, compiled=True)
    look.close()
    return look


def _held(optimizer: Optimizer) -> set[nn.Parameter]:
    """The weights, without biases, that an optimizer moves."""
    return {p for p in held(optimizer) if p.ndim > 1}


def _part(parameter: nn.Parameter) -> Tensor:
    """The values of a weight whose way is measured."""
    x = parameter.detach()
    return x if x.numel() <= PART else x.flatten()[:PART]


def _fetched(tree: Any, at_hand: bool) -> Any:
    """Lists and dictionaries of tensors as floats and arrays; where they are not ``at_hand``, brought over from their device at once."""
    away = [] if at_hand else [x for x in tree_leaves(tree) if isinstance(x, Tensor) and x.device.type != "cpu"]
    flat = torch.cat([x.detach().flatten().to(exact(x)) for x in away]).cpu().split([x.numel() for x in away]) if away else ()
    here = {id(x): part.view(x.shape) for x, part in zip(away, flat, strict=True)}

    def plain(one: Any) -> Any:
        if isinstance(one, Tensor):
            x = here.get(id(one), one)
            return x.item() if x.ndim == 0 else (x.detach().float() if x.dtype == torch.bfloat16 else x.detach()).numpy()
        if isinstance(one, dict):
            return {name: plain(value) for name, value in one.items()}
        return [plain(value) for value in one] if isinstance(one, list) else one

    return plain(tree)


def _whole(norms: Iterable[Any]) -> float:
    """The norm of several parts together."""
    return math.hypot(*norms)
