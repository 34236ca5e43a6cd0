"""The ledger against autograd hooks on the plain module, numpy, and values worked out by hand."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional as F

from koubai.data import Dataset
from koubai.networks.layers import Activation
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS
from koubai.techniques.clipping import norm, norms
from koubai.training import train
from koubai.training.ledger import BINS, NEAR, apart, describe, histogram, snapshot, weights_of
from koubai.training.stack import Stack


def trained(digits: Dataset, cpu: torch.device, steps: int = 20, **fields: Any) -> Stack:
    """A stack of three different trials a few steps into training, so that biases are not 0."""
    base = {"layers": [12, 10, 8], "batch_size": 50, "dtype": "float64", "learning_rate": 0.1, **fields}
    stack = Stack(
        [Trial(**base, initializer=name, seed=seed) for name, seed in (("xavier", 0), ("he", 1), ("orthogonal", 0))], digits, cpu
    )
    stack.advance(steps)
    return stack


def plain(stack: Stack, row: int) -> nn.Sequential:
    """One trial of a stack as a plain module that still trains."""
    weights = {
        f"{k}.{name}": tensor[row].numpy().copy()
        for k, layer in enumerate(stack.network.layers)
        for name, tensor in ({p.name: p.value for p in layer.parameters} | layer.state).items()
    }
    return module(stack.trials[row], weights).train()


def gradients(model: nn.Sequential, x: Tensor, y: Tensor) -> list[Tensor]:
    """The loss's gradient by the output of every layer, caught by autograd's hooks."""
    caught: dict[int, Tensor] = {}

    def catch(k: int) -> Any:
        def hook(_: nn.Module, into: Any, out: Tensor) -> None:
            out.register_hook(lambda gradient: caught.update({k: gradient.clone()}))

        return hook

    handles = [layer.register_forward_hook(catch(k)) for k, layer in enumerate(model)]
    F.cross_entropy(model(x), y).backward()
    for handle in handles:
        handle.remove()
    return [caught[k] for k in range(len(model))]


CASES = [
    *({"activation": name} for name in ACTIVATIONS),
    {"activation": "relu", "batch_norm": "before"},
    {"activation": "sigmoid", "batch_norm": "after"},
    {"activation": "tanh", "layers": []},
    {"activation": "sigmoid", "layers": [6] * 8},
]


@pytest.mark.parametrize("fields", CASES, ids=lambda fields: " ".join(map(str, fields.values())))
def test_norms_are_those_of_autograd_and_factors_multiply_to_the_attenuation(
    fields: dict[str, Any], digits: Dataset, cpu: torch.device
) -> None:
    stack = trained(digits, cpu, **fields)
    x, y = stack.x[:50], stack.y[:50]
    found = {name: values.numpy() for name, values in snapshot(stack, x, y, (), False).items()}
    kinds = [layer.kind for layer in stack.network.layers]
    for row in range(3):
        model = plain(stack, row)
        caught = gradients(model, x, y)
        norms = [gradient.norm().item() for gradient in caught]
        np.testing.assert_allclose(found["gradient"][row], norms, rtol=1e-9)
        dense = [layer for layer in model if isinstance(layer, nn.Linear)]
        np.testing.assert_allclose(found["weight_gradient"][row], [layer.weight.grad.norm().item() for layer in dense], rtol=1e-9)
        np.testing.assert_allclose(found["weight"][row], [layer.weight.norm().item() for layer in dense], rtol=1e-9)
        # a factor is |dL/dx| / |dL/dy| of a layer, and what goes into one layer comes out of the one below
        factors = found["gradient"][row, :-1] / found["gradient"][row, 1:]
        attenuation = norms[0] / norms[-1]
        assert np.prod(factors) == pytest.approx(attenuation, rel=1e-5)
        for kind in set(kinds):
            mine = [factor for factor, above in zip(factors, kinds[1:], strict=True) if above == kind]
            if kind == "activation" and fields["activation"] == "sigmoid":
                assert max(mine) <= 0.25
            if kind == "activation" and fields["activation"] == "identity":
                assert mine == pytest.approx([1.0] * len(mine), rel=1e-12)
            if kind == "activation" and fields["activation"] in ("tanh", "relu", "leaky_relu", "softplus"):
                assert max(mine) <= 1 + 1e-12


def test_looking_changes_nothing(digits: Dataset, cpu: torch.device, untouched: None) -> None:
    """A snapshot between two steps leaves weights, running statistics, dropout's streams and the next steps as they are."""
    fields = {"batch_norm": "before", "dropout": 0.3, "optimizer": "adam", "activation": "relu"}
    watched, alone = (trained(digits, cpu, **fields) for _ in range(2))
    for size in (50, 7):
        snapshot(watched, watched.x[:size], watched.y[:size], (), True)
        watched.evaluate(watched.x, watched.y)
        assert torch.equal(watched.advance(3), alone.advance(3))
    assert torch.equal(watched.network.weights, alone.network.weights)


def test_update_is_the_last_steps_size_over_the_weights_size(digits: Dataset, cpu: torch.device) -> None:
    stack = trained(digits, cpu)
    before = [weight.clone() for weight in weights_of(stack)]
    kept = [weight.clone() for weight in before]
    stack.advance(1)
    after = weights_of(stack)
    found = snapshot(stack, stack.x[:50], stack.y[:50], before, False)["update"].numpy()
    for k, (old, new) in enumerate(zip(kept, after, strict=True)):
        for row in range(3):
            step = np.sqrt(((new[row] - old[row]).numpy() ** 2).sum())
            assert found[row, k] == pytest.approx(step / np.sqrt((new[row].numpy() ** 2).sum()), rel=1e-9)
    assert snapshot(stack, stack.x[:50], stack.y[:50], (), False)["update"].isnan().all()


def test_the_history_measures_each_points_last_step(digits: Dataset, cpu: torch.device) -> None:
    """Gradient descent's last step is the rate times the gradient of its minibatch, whatever the points' distance."""
    trial = Trial(
        layers=[10], activation="tanh", batch_size=1437, learning_rate=0.01, steps=300, dtype="float64"
    )  # a batch is all samples
    history = train([trial], digits, cpu).history
    # the weights' gradient on the probe batch, which is the same samples, one step of 0.01 later
    ratio = 0.01 * history["weight_gradient"][0, 1:] / history["weight"][0, 1:]
    np.testing.assert_allclose(history["update"][0, 1:], ratio, rtol=0.1)


def layer(name: str) -> Activation:
    return Activation(1, ACTIVATIONS[name], ACTIVATIONS[name].defaults())


def test_shares_by_hand() -> None:
    # two units, four samples: one unit never moves; of the eight values two are 0 and four are within 0.05 of 0 or 1
    y = torch.tensor([[[0.0, 0.04, 0.5, 0.97], [0.0, 0.0, 0.0, 0.0]], [[0.1, 0.2, 0.3, 0.4], [0.06, 0.94, 0.5, 0.5]]])
    found = {name: value.tolist() for name, value in describe(y, layer("sigmoid")).items()}
    assert found["saturated"] == pytest.approx([7 / 8, 0])
    assert found["dead"] == pytest.approx([1 / 2, 0])
    assert found["zeros"] == pytest.approx([5 / 8, 0])
    assert found["mean"] == pytest.approx([1.51 / 8, 3.0 / 8])
    assert found["std"] == pytest.approx([np.std(y[0].numpy()), np.std(y[1].numpy())])
    # tanh runs from -1 to 1: 0.05 of its range is 0.1
    assert NEAR == 0.05
    y = torch.tensor([[[-0.95, -0.85, 0.0, 0.91]]])
    assert describe(y, layer("tanh"))["saturated"].tolist() == [0.5]
    assert describe(100 * y, layer("relu"))["saturated"].tolist() == [0.0], "no upper bound, nothing to saturate at"


@given(
    st.sampled_from(list(ACTIVATIONS)),
    st.integers(1, 3),
    st.integers(1, 200),
    st.sampled_from([0.0, 1e-6, 1.0, 1e4]),
    st.integers(0, 2**32),
)
def test_histograms_are_numpys(name: str, trials: int, samples: int, scale: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(trials, 3, samples, dtype=torch.float64, generator=draw)
    y = torch.empty_like(x)
    ACTIVATIONS[name](x, y, **ACTIVATIONS[name].defaults())
    found = {key: value.numpy() for key, value in histogram(y, layer(name)).items()}
    assert found["histogram"].shape == (trials, BINS)
    np.testing.assert_allclose(found["histogram"].sum(1), 1, rtol=1e-6)
    for row in range(trials):
        low, high = found["low"][row], found["high"][row]
        bounds = ACTIVATIONS[name].bounds
        assert low == (y[row].min() if bounds[0] is None else bounds[0])
        if y[row].max() > low:
            assert high == pytest.approx(y[row].max().item() if bounds[1] is None else bounds[1], rel=1e-12)
        counts, _ = np.histogram(y[row].numpy(), BINS, (low, high))
        shares = np.cumsum(counts) / y[row].numel()  # a value on an edge may fall on either side of it
        assert np.abs(np.cumsum(found["histogram"][row]) - shares).max() <= 1.5 / y[row].numel()


def test_values_that_are_no_numbers_do_not_stop_the_histogram() -> None:
    y = torch.tensor([[[float("nan"), float("inf"), -float("inf"), 1.0]], [[1.0, 2.0, 3.0, 4.0]]])
    found = histogram(y, layer("identity"))
    assert found["histogram"].sum(1).tolist() == pytest.approx([1, 1])


def test_norms_are_float64s_and_nobody_s_neighbour_changes_them() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(6, 40, 784, generator=draw) * torch.tensor([1e-30, 1e-14, 1e-6, 1.0, 1e14, 1e25]).view(-1, 1, 1)
    np.testing.assert_allclose(norm(x), np.sqrt((x.double().numpy() ** 2).sum((1, 2))), rtol=1e-6)
    beside = torch.cat([x, torch.full((1, 40, 784), torch.nan), torch.zeros(1, 40, 784)])
    assert norm(beside)[:6].equal(norm(x)) and all(norm(x[k : k + 1]).equal(norm(x)[k : k + 1]) for k in range(6))
    assert norm(beside)[6].isnan() and norm(beside)[7] == 0


def test_a_vanished_gradient_is_still_a_number(digits: Dataset, cpu: torch.device) -> None:
    """Squares of 1e-30 are 0 in float32; the norm is not."""
    assert norm(torch.full((2, 3, 4), 1e-30)).tolist() == pytest.approx([12**0.5 * 1e-30] * 2)
    assert norm(torch.full((1, 4), 1e30)).tolist() == pytest.approx([2e30])
    assert norm(torch.full((1, 4, 2), 1e30)).tolist() == pytest.approx([8**0.5 * 1e30])
    trial = Trial(layers=[8] * 18, activation="sigmoid", initializer="normal", batch_size=50, steps=3)
    history = train([trial], digits, cpu).history
    gradient = history["gradient"][0, 0]
    assert (gradient > 0).all() and gradient[0] < 1e-30
    assert (history["weight_gradient"][0, 0] > 0).all()


def test_history_has_every_measure_at_every_point(digits: Dataset, cpu: torch.device) -> None:
    trials = [Trial(layers=[6, 5], batch_size=50, steps=70, batch_norm="before", seed=seed) for seed in (0, 1)]
    outcome = train(trials, digits, cpu)
    points, marks = len(outcome.steps), len(outcome.histogram_steps)
    assert outcome.layers == ["dense 1", "batch_norm 1", "relu 1", "dense 2", "batch_norm 2", "relu 2", "dense 3"]
    assert outcome.kinds == ["weights", "normalization", "activation", "weights", "normalization", "activation", "weights"]
    shapes = {"gradient": 7, "weight": 3, "weight_gradient": 3, "update": 3, "apart": 3}
    shapes |= dict.fromkeys(("mean", "std", "saturated", "dead", "zeros"), 2)
    for name, curve in outcome.history.items():
        if name in ("loss", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            assert curve.shape == (2, points), name
        elif name in ("low", "high"):
            assert curve.shape == (2, marks, 2), name
        elif name == "histogram":
            assert curve.shape == (2, marks, 2, BINS)
        else:
            assert curve.shape == (2, points, shapes.pop(name)), name
        missing = np.isnan(curve)
        assert (
            not missing[:, 1:].any()
            and (name in ("loss", "update")) == missing[:, 0].all()
            and missing[:, 0].all() == missing[:, 0].any()
        )
    assert not shapes
    assert outcome.history["std"][0, -1, 1] > 0
    assert set(outcome.histogram_steps) <= set(outcome.steps) and {0, 70} <= set(outcome.histogram_steps)


def test_apart_says_how_far_units_differ() -> None:
    def of(weight: Tensor) -> list[list[float]]:
        found: list[list[float]] = apart([weight], norms([weight])).tolist()
        return found

    alike, spread = torch.ones(1, 3, 4), torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    assert of(alike) == [[0.0]] and of(torch.zeros(1, 3, 4)) == [[0.0]]
    assert of(spread) == [[1.0]]  # a mean of nothing: all of it is difference
    assert np.isnan(of(torch.ones(2, 1, 4))).all()
