"""The ledger: where the gradient goes on its way down, split by the chain rule, and what the layers look like meanwhile.

A snapshot walks forward and backward over a fixed probe batch and reads the gradient's norm at the output of every
layer. ``|dL/dx| / |dL/dy|`` of a layer is the factor by which it shrinks or grows the gradient; the factors multiply to the
attenuation from the last layer to the first. Norms are summed in float64, where a vanished gradient is still a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from koubai.networks.layers import Activation, Mode, Weighted
from koubai.techniques.clipping import norm, norms
from koubai.training.stack import Stack

BINS = 40
NEAR = 0.05  # of its range: a bounded activation this close to a bound counts as saturated

Snapshot = dict[str, Tensor]


def weights_of(stack: Stack) -> list[Tensor]:
    """The weights of conv and dense layers, of which copies are for the next snapshot's update-to-weight ratio."""
    return [layer.weight.value for layer in stack.network.layers if isinstance(layer, Weighted)]


def snapshot(stack: Stack, x: Tensor, y: Tensor, before: Sequence[Tensor], histograms: bool) -> Snapshot:
    """Measure the stack as it stands on probe samples ``x`` ``[sample, feature]``, ``y``; every tensor has the trials first.

    ``gradient`` ``[trial, layer]`` is the gradient's norm at each layer's output; ``weight_gradient``, ``weight``, ``update``
    (the last step's size over the weights', from the weights ``before`` it, NaN without them) and ``apart`` ``[trial, weighted layer]``;
    ``mean``, ``std``, ``saturated``, ``dead``, ``zeros`` ``[trial, activation]``; with ``histograms`` also ``histogram``
    ``[trial, activation, bin]`` (shares) between ``low`` and ``high`` ``[trial, activation]``.
    """
    network, trials = stack.network, len(stack.trials)
    gradient, values_of = gradients(stack, x, y)
    weighted = [layer for layer in network.layers if isinstance(layer, Weighted)]
    weights = weights_of(stack)
    sizes = norms(weights)
    moved = torch.full_like(sizes, torch.nan)
    if before:
        moved = norms([weight - old for weight, old in zip(weights, before, strict=True)]) / sizes
    found = {
        "gradient": torch.stack(gradient, 1),
        "weight_gradient": norms([layer.weight.gradient for layer in weighted]),
        "weight": sizes,
        "update": moved,
        "apart": apart(weights, sizes),
    }
    seen: dict[str, list[Tensor]] = {}
    for layer, values in zip(network.layers, values_of, strict=True):
        if isinstance(layer, Activation):
            y = layer.units(values, trials)
            for name, value in (describe(y, layer) | (histogram(y, layer) if histograms else {})).items():
                seen.setdefault(name, []).append(value)
    return found | {name: torch.stack(values, 1) for name, values in seen.items()}


def gradients(stack: Stack, x: Tensor, y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The gradient's norm at each layer's output on probe samples, float64 ``[trial]`` each, and what comes out of each layer."""
    network, trials = stack.network, len(stack.trials)
    buffers = stack.buffers_for(len(x))
    labels = y.expand(trials, 1, -1)
    network.forward(buffers, network.common(x), Mode.PROBE)
    network.loss(buffers, labels)
    found: list[Tensor] = [torch.empty(0)] * len(network.layers)

    def observe(k: int, dy: Tensor) -> None:
        found[k] = norm(network.layers[k].units(dy, trials))

    network.backward(buffers, labels, observe)
    return found, buffers.values[1:]


def apart(weights: Sequence[Tensor], sizes: Tensor) -> Tensor:
    """How far units differ: ``|W - mean over units| / |W|`` ``[trial, layer]``, 0 where all are one, NaN where there is only one.

    ``sizes`` are the norms of ``weights``.
    """
    found = norms([weight - weight.mean(1, keepdim=True) for weight in weights]) / sizes
    single = torch.tensor([weight.shape[1] < 2 for weight in weights], device=sizes.device)
    return found.where(sizes > 0, 0.0).masked_fill(single, torch.nan)


def describe(y: Tensor, layer: Activation) -> dict[str, Tensor]:
    """Mean, spread and the shares that are saturated, dead (a unit that always answers alike) and zero, ``[trial]`` each."""
    low, high = layer.technique.bounds
    flat = y.flatten(1)
    scratch = torch.empty_like(flat)
    # comparisons as numbers, since means of booleans take seven times as long
    zeros = torch.eq(flat, 0, out=scratch).mean(1)
    saturated = torch.zeros_like(zeros)
    if low is not None and high is not None:
        margin = NEAR * (high - low)
        saturated = torch.gt(flat, high - margin, out=scratch).mean(1) + torch.lt(flat, low + margin, out=scratch).mean(1)
    mean = flat.mean(1, keepdim=True)
    apart = torch.sub(flat, mean, out=scratch).view_as(y)
    return {
        "mean": mean.squeeze(1),
        # a pass over differences; std_mean takes four times as long
        "std": (norm(apart) / flat.shape[1] ** 0.5).to(y.dtype),
        "saturated": saturated,
        "dead": (y.amax(2) == y.amin(2)).mean(1, dtype=torch.float32),
        "zeros": zeros,
    }


def histogram(y: Tensor, layer: Activation) -> dict[str, Tensor]:
    """Shares of values in ``BINS`` equal bins over the activation's range, or over the values' own where it has none."""
    counts, low, high = binned(y.flatten(1), layer.technique.bounds)
    return {"histogram": counts / y[0].numel(), "low": low, "high": high}


def binned(flat: Tensor, bounds: tuple[float | None, float | None]) -> tuple[Tensor, Tensor, Tensor]:
    """How many of each trial's values ``[trial, value]`` lie in each of ``BINS`` equal bins ``[trial, bin]``, and the two ends ``[trial]``.

    The bins lie between the ``bounds``; where there is none, the values' own end stands for it.
    """
    flat = flat.nan_to_num()
    low = flat.amin(1, keepdim=True) if bounds[0] is None else flat.new_full((len(flat), 1), bounds[0])
    high = flat.amax(1, keepdim=True) if bounds[1] is None else flat.new_full((len(flat), 1), bounds[1])
    width = torch.where(high > low, high - low, torch.ones_like(low))
    cell = flat.sub_(low).div_(width).mul_(BINS).int().clamp_(0, BINS - 1)
    cell += torch.arange(len(flat), dtype=torch.int32, device=flat.device).view(-1, 1) * BINS
    counts = torch.bincount(cell.flatten(), minlength=len(flat) * BINS).view(-1, BINS)
    return counts, low.squeeze(1), (low + width).squeeze(1)
