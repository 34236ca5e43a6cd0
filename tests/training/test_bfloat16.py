"""Steps in bfloat16: near those in float32, with weights, evaluation and everything measured in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from koubai.data import Dataset
from koubai.networks import build
from koubai.networks.layers import Mode
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.training import train
from koubai.training.stack import Stack

ROUNDING = 2**-8  # of one number in bfloat16

NETWORKS: list[dict[str, Any]] = [
    {"layers": [16, 12]},
    {"layers": [16, 12], "batch_norm": "before", "activation": "tanh"},
    {"layers": ["conv 6 3x3 pad 1", "maxpool 2", "conv 8 3x3", "avgpool 2", 12]},
    {"layers": ["conv 6 3x3", "batchnorm", "lrn", 12], "activation": "gelu"},
]


def gradients(trials: list[Trial], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss of a training step, and the gradients by every parameter."""
    network = build(trials, (8, 8), 10, torch.device("cpu"))
    buffers = network.allocate(len(x), steps=True)
    with torch.no_grad():
        network.forward(buffers, network.common(x), Mode.TRAIN)
        loss = network.loss(buffers, y.expand(len(trials), 1, -1))
        network.backward(buffers, y.expand(len(trials), 1, -1))
    assert network.weights.dtype == network.gradients.dtype == torch.float32
    return loss, [parameter.gradient.clone() for parameter in network.parameters]


@pytest.mark.parametrize("fields", NETWORKS, ids=str)
def test_a_step_is_near_that_of_float32(fields: dict[str, Any], digits: Dataset) -> None:
    x, y = torch.from_numpy(np.asarray(digits.x_train[:64])), torch.from_numpy(digits.y_train[:64])
    found = [gradients([Trial(**fields, dtype=dtype, seed=seed) for seed in (0, 1)], x, y) for dtype in ("float32", "bfloat16")]
    torch.testing.assert_close(found[1][0], found[0][0], rtol=4 * ROUNDING, atol=0)
    assert not torch.equal(found[1][0], found[0][0]), "it was done in bfloat16"
    size = torch.linalg.vector_norm
    least = 0.05 * max(map(size, found[0][1]))  # before batch normalization a bias has no gradient but rounding
    for full, short in zip(found[0][1], found[1][1], strict=True):
        assert size(short - full) < 12 * ROUNDING * max(size(full), least)


@pytest.mark.parametrize("fields", NETWORKS[:3], ids=str)
def test_what_is_evaluated_and_kept_is_float32(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    trial = Trial(**fields, dtype="bfloat16", learning_rate=0.05, steps=60)
    outcome = train([trial], digits, cpu)
    assert {weight.dtype for weight in outcome.weights.values()} == {np.dtype(np.float32)}
    model = module(trial, {name: value[0] for name, value in outcome.weights.items()}, (8, 8))
    with torch.no_grad():
        right = model(torch.from_numpy(np.asarray(digits.x_validation))).argmax(1).numpy() == digits.y_validation
    assert outcome.history["validation_accuracy"][0, -1] == pytest.approx(right.mean(), abs=1e-6)
    full = train([trial.replace({"dtype": "float32"})], digits, cpu)
    np.testing.assert_allclose(outcome.history["train_loss"][0, -1], full.history["train_loss"][0, -1], rtol=0.1)
    assert outcome.history["gradient"][0, 0] == pytest.approx(full.history["gradient"][0, 0], rel=1e-5), (
        "the ledger looks in float32"
    )


def test_alone_and_in_a_stack_it_is_the_same_training(digits: Dataset, cpu: torch.device) -> None:
    trials = [Trial(**NETWORKS[2], dtype="bfloat16", seed=seed, dropout=0.1, batch_size=20) for seed in (0, 1)]
    together, alone = Stack(trials, digits, cpu), Stack(trials[1:], digits, cpu)
    with torch.no_grad():
        torch.testing.assert_close(together.advance(3)[:, 1], alone.advance(3)[:, 0], rtol=0.02, atol=0.01)
    assert Trial(dtype="bfloat16").id != Trial().id and Trial(dtype="bfloat16").kept == "float32"
