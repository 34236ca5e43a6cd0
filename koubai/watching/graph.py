"""Autograd's graph: from a tensor down, and where the gradient of one layer leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils._pytree import tree_leaves

FAR = 20_000  # nodes that are walked at most

Edge = tuple[Node, int]


def recordable() -> bool:
    """Whether what is computed now will have a gradient that can be heard: not in an evaluation, a compilation or a ``vmap``."""
    return torch.is_grad_enabled() and not torch.compiler.is_compiling() and torch._C._functorch.peek_interpreter_stack() is None


class Total:
    """Adds up the gradients by one input that a layer uses at several places, and tells ``done`` of the sum."""

    def __init__(self, parts: int, done: Any) -> None:
        self.parts = self.left = parts
        self.done = done
        self.sum: Tensor | None = None

    def add(self, place: int, inputs: Sequence[Tensor | None], outputs: Any) -> None:
        """A node's hook: its gradients by what went in."""
        self.left -= 1
        gradient = inputs[place]
        if gradient is not None:
            self.sum = gradient if self.sum is None else self.sum + gradient
        if self.left == 0:
            if self.sum is not None:
                self.done(self.sum)
            self.left, self.sum = self.parts, None


def floats(tree: Any) -> list[Tensor]:
    """The tensors of floating point numbers in what a module takes or gives."""
    leaves = [tree] if isinstance(tree, Tensor) else tree_leaves(tree)
    return [x for x in leaves if isinstance(x, Tensor) and x.is_floating_point()]


def edge(x: Tensor) -> Edge:
    """Where the gradient by a tensor goes: a node, and the number of its output."""
    if x.grad_fn is None:
        found = get_gradient_edge(x)
        return found.node, found.output_nr
    return x.grad_fn, x.output_nr


def walk(nodes: Iterable[Node], stop: Iterable[Node] = ()) -> Iterable[Node]:
    """The nodes of a graph from some on down to those to ``stop`` before, the near ones first."""
    seen = dict.fromkeys(stop)
    queue = [node for node in dict.fromkeys(nodes) if node not in seen]
    seen |= dict.fromkeys(queue)
    for node in queue:  # grows while it is gone through
        yield node
        for below, _ in node.next_functions:
            if below is not None and below not in seen and len(seen) < FAR:
                seen[below] = None
                queue.append(below)


def between(ends: Sequence[Node], inputs: Sequence[Edge]) -> tuple[set[Node], dict[Edge, list[tuple[Node, int]]]]:
    """The nodes of a layer, between those it ends in and its inputs, and by input the places where a gradient leaves."""
    doors: dict[Edge, list[tuple[Node, int]]] = {}
    seen = set(ends)
    queue = list(seen)
    for node in queue:
        for place, (below, number) in enumerate(node.next_functions):
            if below is None:
                continue
            if (below, number) in inputs:
                doors.setdefault((below, number), []).append((node, place))
            elif below not in seen and len(seen) < FAR:
                seen.add(below)
                queue.append(below)
    return seen, doors
