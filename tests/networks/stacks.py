"""What the tests of stacked networks share: one trial's weights, and a walk there and back."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from koubai.networks import Network
from koubai.networks.layers import Mode


def weights_of(network: Network, row: int) -> dict[str, Any]:
    """One trial's weights and statistics, named as in the plain module's ``state_dict``."""
    return {
        f"{k}.{name}": tensor[row].numpy().copy()
        for k, layer in enumerate(network.layers)
        for name, tensor in ({p.name: p.value for p in layer.parameters} | layer.state).items()
    }


def walk(network: Network, x: Tensor, labels: Tensor, mode: Mode = Mode.PROBE) -> tuple[Tensor, Tensor, dict[int, Tensor]]:
    """Outputs, losses, and the gradient at the output of every layer as it stands there; the parameters' stand in the network."""
    buffers = network.allocate(x.shape[2])
    if mode is Mode.TRAIN:
        network.draw(x.shape[2])
    outputs = network.forward(buffers, x, mode).clone()
    losses = network.loss(buffers, labels).clone()
    seen: dict[int, Tensor] = {}
    network.backward(buffers, labels, lambda k, dy: seen.update({k: dy.clone()}))
    return outputs, losses, seen
