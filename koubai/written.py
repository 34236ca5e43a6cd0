"""How techniques are written in a trial, as TOML: for the pages, and for ``koubai explain``."""

from __future__ import annotations

from koubai.spec import Trial
from koubai.techniques import Technique

WRITTEN = {  # one example of each kind
    "activation": 'activation = "relu"',
    "initializer": 'initializer = { name = "normal", std = 0.1 }',
    "normalization": 'batch_norm = "before"  # or "after" the activation; "batchnorm" and "lrn" among the layers',
    "optimizer": 'optimizer = { name = "momentum", momentum = 0.95 }',
    "schedule": 'schedule = "cosine"',
    "penalty": 'penalty = { name = "l2", strength = 0.001 }',
    "dropout": "dropout = 0.2",
    "clipping": "clip_grad_norm = 1.0",
    "convolution": 'layers = ["conv 16 3x3 pad 1", "maxpool 2", 50]  # or a preset: "simple-cnn", "deep-cnn", "alexnet"',
    "pooling": 'layers = ["conv 16 3x3", "maxpool 3 stride 2", "conv 16 3x3", "avgpool 2", 50]',
    "augmentation": 'augment = ["flip", { name = "shift", reach = 0.1 }]  # of images, in training only',
    "loss": 'data = { name = "prices.csv", task = "regression" }  # the loss goes with what is to be predicted',
}


def written(kind: str, technique: Technique) -> str:
    """This technique in a trial, with its numbers at their defaults; the kind's example where it is no field of its own."""
    if kind not in Trial.model_fields or kind == technique.name:
        return WRITTEN[kind]
    numbers = "".join(f", {name} = {value:g}" for name, value in technique.defaults().items())
    return f'{kind} = {{ name = "{technique.name}"{numbers} }}' if numbers else f'{kind} = "{technique.name}"'
