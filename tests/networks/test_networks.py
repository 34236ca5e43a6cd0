"""The whole backward pass of stacked networks against autograd through plain modules, and against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn import functional as F

from koubai.networks import Network, build
from koubai.networks.layers import BatchNorm, Dense, Dropout, Layer, Mode
from koubai.networks.unstack import module
from koubai.report.figures.gradients import KINDS
from koubai.spec import Trial
from koubai.streams import generator
from koubai.techniques import ACTIVATIONS, INITIALIZERS
from tests.networks.stacks import walk, weights_of

CPU = torch.device("cpu")
Case = tuple[list[Trial], Network, Tensor, Tensor]


def kinds(layer: type[Layer]) -> dict[str, str]:
    """The kinds of a class of layers, or of those made of it."""
    return {k: v for one in layer.__subclasses__() for k, v in kinds(one).items()} or {layer.__name__: layer.kind}


def test_every_layer_says_what_it_does_to_the_gradient() -> None:
    assert {name: kind for name, kind in kinds(Layer).items() if kind not in KINDS} == {}


def wake(network: Network, seed: int) -> None:
    """Move every parameter and every running statistic off its start, where biases of 0 would hide mistakes."""
    draw = torch.Generator().manual_seed(seed)
    network.weights.add_(torch.randn(network.weights.shape, dtype=network.dtype, generator=draw), alpha=0.3)
    for layer in network.layers:
        for tensor in layer.state.values():
            tensor.add_(torch.rand(tensor.shape, dtype=network.dtype, generator=draw))


@st.composite
def cases(
    draw: st.DrawFn, activations: tuple[str, ...] = tuple(ACTIVATIONS), norms: tuple[str, ...] = ("none", "before", "after")
) -> Case:
    """Trials of one architecture that differ in everything else, their network, inputs and labels."""
    features, classes, samples = draw(st.integers(1, 5)), draw(st.integers(2, 4)), draw(st.integers(2, 9))
    name = draw(st.sampled_from(activations))
    shared = {
        "layers": draw(st.lists(st.integers(1, 6), max_size=4)),
        "batch_norm": draw(st.sampled_from(norms)),
        "dtype": "float64",
    }
    trials = []
    for _ in range(draw(st.integers(1, 4))):
        numbers = {key: draw(st.floats(0.0625, 1)) for key in ACTIVATIONS[name].numbers}
        initializer, seed = draw(st.sampled_from(sorted(INITIALIZERS))), draw(st.integers(0, 2))
        trials.append(Trial(**shared, activation={"name": name, **numbers}, initializer=initializer, seed=seed))
    seed = draw(st.integers(0, 2**32))
    network = build(trials, features, classes, CPU)
    wake(network, seed)
    noise = torch.Generator().manual_seed(seed)
    x = torch.randn(len(trials), features, samples, dtype=torch.float64, generator=noise)
    return trials, network, x, torch.randint(classes, (len(trials), 1, samples), generator=noise)


@given(cases())
@settings(max_examples=150)
def test_forward_and_backward_follow_autograd_through_the_plain_module(case: Case) -> None:
    trials, network, x, labels = case
    outputs, losses, seen = walk(network, x, labels)
    assert list(seen) == list(range(len(network.layers)))[::-1]
    for row, trial in enumerate(trials):
        plain = module(trial, weights_of(network, row)).train()
        assert len(plain) == len(network.layers)
        flow, points = x[row].T, []
        for layer in plain:
            flow = layer(flow)
            flow.retain_grad()
            points.append(flow)
        loss = F.cross_entropy(flow, labels[row, 0])
        loss.backward()
        torch.testing.assert_close(outputs[row].T, flow.detach(), rtol=1e-7, atol=1e-8)
        torch.testing.assert_close(losses[row], loss.detach(), rtol=1e-7, atol=1e-9)
        for k, point in enumerate(points):
            torch.testing.assert_close(
                seen[k][row].T, point.grad, rtol=1e-6, atol=1e-8, msg=lambda text, k=k: f"layer {k}: {text}"
            )
        for k, layer in enumerate(network.layers):
            for parameter in layer.parameters:
                want = plain[k].get_parameter(parameter.name).grad
                torch.testing.assert_close(parameter.gradient[row].view(want.shape), want, rtol=1e-6, atol=1e-8)


@given(cases())
def test_evaluation_follows_the_plain_module(case: Case) -> None:
    trials, network, x, _ = case
    outputs = network.forward(network.allocate(x.shape[2]), x, Mode.EVALUATE)
    for row, trial in enumerate(trials):
        with torch.no_grad():
            torch.testing.assert_close(outputs[row].T, module(trial, weights_of(network, row))(x[row].T), rtol=1e-7, atol=1e-8)


KINKED = ("relu", "leaky_relu", "elu")  # elu unless its alpha is 1
SMOOTH = tuple(name for name in ACTIVATIONS if name not in KINKED)  # no kink for a difference to step across


@given(cases(SMOOTH, ("none", "before")), st.integers(0, 2**32))
def test_gradient_is_the_slope_that_finite_differences_measure(case: Case, seed: int) -> None:
    _trials, network, x, labels = case
    walk(network, x, labels)
    gradient, weights = network.gradients.clone(), network.weights.clone()
    direction = torch.randn(len(weights), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    h = 1e-6

    def losses(step: float) -> Tensor:
        network.weights.copy_(weights + step * direction)
        return walk(network, x, labels)[1]

    # five points, so that batch normalization's curvature over few samples does not show
    measured = (8 * (losses(h) - losses(-h)) - (losses(2 * h) - losses(-2 * h))) / (12 * h)
    parts = zip(network.views(gradient), network.views(direction), strict=True)
    slope = sum((g * d).flatten(1).sum(1) for g, d in parts)
    torch.testing.assert_close(slope, measured, rtol=1e-4, atol=1e-6)


@given(cases())
def test_trials_of_a_stack_do_not_touch_each_other(case: Case) -> None:
    """With one trial's weights not numbers any more, the others' outputs and gradients stay bit for bit."""
    _trials, network, x, labels = case
    outputs, losses, seen = walk(network, x, labels)
    gradients = [parameter.gradient.clone() for parameter in network.parameters]
    for parameter in network.parameters:
        parameter.value[0].fill_(torch.nan)
    broken, lost, spoiled = walk(network, x, labels)
    assert lost[0].isnan()
    assert torch.equal(broken[1:], outputs[1:]) and torch.equal(lost[1:], losses[1:])
    assert all(torch.equal(spoiled[k][1:], seen[k][1:]) for k in seen)
    assert all(torch.equal(p.gradient[1:], g[1:]) for p, g in zip(network.parameters, gradients, strict=True))


def first_weights(trials: list[Trial]) -> list[list[Tensor]]:
    """Every trial's dense weights, first layer to last."""
    network = build(trials, 7, 3, CPU)
    layers = [layer for layer in network.layers if isinstance(layer, Dense)]
    return [[layer.weight.value[row].clone() for layer in layers] for row in range(len(trials))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_first_weights_are_a_trials_own_wherever_it_stands(dtype: str, untouched: None) -> None:
    trials = [Trial(layers=[5, 4], dtype=dtype, seed=seed, initializer=name) for seed in (3, 0) for name in INITIALIZERS]
    for order in (trials, trials[::-1]):
        for trial, together in zip(order, first_weights(order), strict=True):
            (alone,) = first_weights([trial])
            assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_trials_of_one_seed_share_their_draws_and_nothing_else() -> None:
    def draws(seed: int, name: str = "normal", layers: tuple[int, ...] = (7, 7)) -> list[Tensor]:
        initializer = {"name": "normal", "std": 1.0} if name == "normal" else name
        return first_weights([Trial(layers=layers, dtype="float64", seed=seed, initializer=initializer)])[0]

    base = draws(0)
    assert base[0].shape == base[1].shape == (7, 7)
    assert not torch.equal(base[0], base[1]), "layers of one shape have draws of their own"
    assert not torch.equal(base[0], draws(1)[0]), "seeds have draws of their own"
    for xavier, normal in zip(draws(0, "xavier"), base, strict=True):
        torch.testing.assert_close(xavier, normal / 7**0.5, rtol=1e-12, atol=0)
    assert torch.equal(draws(0, layers=(7, 9))[0], base[0]), "a layer's draws do not depend on the layers above"
    flat = torch.cat([weight.flatten() for seed in range(300) for weight in draws(seed)])
    assert abs(flat.mean().item()) < 5 / len(flat) ** 0.5
    assert flat.std().item() == pytest.approx(1, abs=5 / (2 * len(flat)) ** 0.5)


def test_float32_weights_are_float64_ones_rounded() -> None:
    (single,), (double,) = (first_weights([Trial(layers=[5], dtype=dtype)]) for dtype in ("float32", "float64"))
    assert all(torch.equal(s, d.float()) for s, d in zip(single, double, strict=True))


def test_parameters_are_views_of_one_flat_run_with_the_decaying_first() -> None:
    network = build([Trial(layers=[5, 4], batch_norm="before")] * 3, 7, 2, CPU)
    shapes = [(p.name, tuple(p.value.shape), p.decays) for p in network.parameters]
    assert shapes[:3] == [("weight", (3, 5, 7), True), ("weight", (3, 4, 5), True), ("weight", (3, 2, 4), True)]
    assert not any(decays for _, _, decays in shapes[3:])
    assert network.decaying == 3 * (35 + 20 + 8) and network.weights.numel() == network.decaying + 3 * (5 + 4 + 2 + 2 * 9)
    for number, parameter in enumerate(network.parameters):
        parameter.value.fill_(number)
    assert network.weights.sum() == sum(number * p.value.numel() for number, p in enumerate(network.parameters))


def test_layers_stand_where_the_trial_puts_them() -> None:
    def labels(**fields: Any) -> list[str]:
        return [layer.label for layer in build([Trial(layers=[5, 4], **fields)], 7, 2, CPU).layers]

    assert labels() == ["dense 1", "relu 1", "dense 2", "relu 2", "dense 3"]
    assert labels(batch_norm="before")[:3] == ["dense 1", "batch_norm 1", "relu 1"]
    assert labels(batch_norm="after", dropout=0.5)[:4] == ["dense 1", "relu 1", "batch_norm 1", "dropout 1"]
    assert [layer.label for layer in build([Trial(layers=[])], 7, 2, CPU).layers] == ["dense 1"]


def layers_of(network: Network, kind: type[Layer]) -> list[Any]:
    return [layer for layer in network.layers if isinstance(layer, kind)]


def test_only_training_steps_move_the_running_statistics() -> None:
    network = build([Trial(layers=[4], batch_norm="before", dtype="float64")], 3, 2, CPU)
    (norm,) = layers_of(network, BatchNorm)
    x = 3 + torch.randn(1, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for mode, moves in ((Mode.PROBE, False), (Mode.EVALUATE, False), (Mode.TRAIN, True)):
        before = {name: value.clone() for name, value in norm.state.items()}
        network.forward(network.allocate(8), x, mode)
        assert any(not torch.equal(before[name], value) for name, value in norm.state.items()) == moves


@pytest.mark.parametrize(
    "kinds", [((5, 0.5), (2, 0.5), (5, 0.2)), ((5, 0.5), (5, 0.2), (2, 0.5), (2, 0.2)), ((5, 0.5), (5, 0.5), (2, 0.5), (2, 0.5))]
)
def test_dropout_masks_are_the_seeds_own_and_only_in_training_steps(kinds: Sequence[tuple[int, float]], untouched: None) -> None:
    trials = [Trial(layers=[30, 30], dropout=rate, seed=seed, dtype="float64") for seed, rate in kinds]
    network = build(trials, 3, 2, CPU)
    first, second = layers_of(network, Dropout)
    x = torch.ones(len(trials), 3, 8, dtype=torch.float64)
    labels = torch.zeros(len(trials), 1, 8, dtype=torch.int64)
    calm = walk(network, x, labels)[0]
    assert torch.equal(calm, walk(network, x, labels, Mode.EVALUATE)[0])
    outputs, _, seen = walk(network, x, labels, Mode.TRAIN)
    assert not torch.equal(outputs, calm)
    before, after = (seen[network.layers.index(second) - back] for back in (1, 0))
    for depth, layer in enumerate((first, second), 1):
        masks = layer.mask.expand(layer.groups, len(trials) // layer.groups, 30, 8).flatten(0, 1)
        noises = []
        for row, trial in enumerate(trials):
            noises.append(torch.rand(30, 8, generator=generator(trial.seed, "dropout", depth)))
            kept = (noises[row] >= trial.dropout).double()
            torch.testing.assert_close(masks[row], kept / (1 - trial.dropout))
            if layer is second:
                torch.testing.assert_close(before[row], after[row] * masks[row])
        assert not torch.equal(noises[0], noises[trials.index(next(t for t in trials if t.seed == 2))])
    assert not torch.equal(first.mask, second.mask)


def test_zeros_by_hand() -> None:
    """The loss of a network of zeros is the logarithm of the number of classes, and its gradient is what the formula says."""
    network = build([Trial(layers=[], initializer="zeros", dtype="float64")], 2, 4, CPU)
    x = torch.tensor([[[1.0], [2.0]]], dtype=torch.float64)
    _, loss, seen = walk(network, x, torch.tensor([[[3]]]))
    assert loss.item() == pytest.approx(1.3862943611198906)
    assert seen[0].flatten().tolist() == pytest.approx([0.25, 0.25, 0.25, -0.75])
    assert network.parameters[0].gradient[0].tolist() == [[0.25, 0.5]] * 3 + [[-0.75, -1.5]]
