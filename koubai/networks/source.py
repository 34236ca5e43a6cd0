"""A network as Python that builds it with nothing but PyTorch: what a person reads, copies and takes along."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from koubai.language import UserError
from koubai.networks.unstack import Function

# what each layer is built from; of an activation its numbers, all of which are named
BUILT_FROM = {
    "Linear": ("in_features", "out_features"),
    "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding"),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "MaxPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "LocalResponseNorm": ("size", "alpha", "beta", "k"),
    "Dropout": ("p",),
    "LeakyReLU": ("negative_slope",),
    "ELU": ("alpha",),
}
PLAIN = ("in_features", "out_features", "in_channels", "out_channels", "num_features", "size", "p")  # written without their names

FILE = '''"""{about}

Written by Koubai {version}; it needs PyTorch and safetensors, and nothing of Koubai.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).parent


class Network(nn.Sequential):
    """Takes ``{takes}``, which ``prepare`` makes, gives {gives}."""

    def __init__(self):
        super().__init__(
{layers}
        )


def load(folder=HERE):
    """The trained network, in evaluation mode."""
    network = Network()
    network.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    return network.eval()

'''


def source(network: nn.Sequential, shape: Sequence[int], classes: int, about: str, prepared: str) -> str:
    """The file that builds ``network``, which takes samples of ``shape``, and then has the functions that are ``prepared``.

    Raises ``UserError`` for a layer that is not PyTorch's.
    """
    from koubai import __version__

    lines = ",\n".join(f"            {_call(layer)}" for layer in network)
    takes = f"[sample, {', '.join(map(str, shape))}]"
    about = about.replace("\\", r"\\").replace('"', r"\"")  # names are the user's, and stay inside the docstring
    gives = (
        f"``[sample, {classes}]`` before the softmax"
        if classes > 1
        else "``[sample, 1]``, of which ``target`` makes the quantity"
    )
    return FILE.format(about=about, version=__version__, takes=takes, gives=gives, layers=lines + ",") + prepared


def _call(layer: nn.Module) -> str:
    """The call that makes a layer."""
    if isinstance(layer, Function):
        name = getattr(layer.function, "__name__", "?")
        raise UserError(
            f"The activation {name!r} is your own, and PyTorch has no layer of it; take the network with result.best().module().",
            f"活性化関数 {name!r} は独自のもので、PyTorchに対応する層がありません。result.best().module() を使ってください。",
        )
    kind = type(layer).__name__
    words = []
    for name in BUILT_FROM.get(kind, ()):
        value = getattr(layer, name)
        words.append(repr(value) if name in PLAIN else f"{name}={value!r}")
    weight = getattr(layer, "weight", None)
    if isinstance(weight, torch.Tensor) and weight.dtype != torch.float32:
        words.append(f"dtype={weight.dtype}")
    return f"nn.{kind}({', '.join(words)})"
