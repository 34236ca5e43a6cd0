"""Networks of images against autograd through plain modules, and PyTorch's own sizes, over drawn chains of layers."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings
from torch import Tensor, nn
from torch.nn import functional as F

from koubai.blueprint import PRESETS, read, takes_images
from koubai.language import UserError
from koubai.networks import Network, build
from koubai.networks.images import Convolution, ImageBatchNorm, ImageDropout, as_images
from koubai.networks.layers import Mode, Weighted
from koubai.networks.unstack import module
from koubai.places import places
from koubai.spec import Trial
from koubai.streams import generator
from koubai.techniques import ACTIVATIONS
from koubai.techniques.convolution import convolution, convolution_backward
from koubai.techniques.pooling import average_pool, max_pool
from tests.networks.stacks import walk, weights_of

CPU = torch.device("cpu")
Case = tuple[list[Trial], Network, Tensor, Tensor, tuple[int, ...]]

sides = st.one_of(st.integers(1, 3).map(str), st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda s: f"{s[0]}x{s[1]}"))


@st.composite
def image_layers(draw: st.DrawFn) -> str:
    """One layer of images as a study writes it."""
    kind = draw(st.sampled_from(["conv", "conv", "maxpool", "avgpool", "lrn", "batchnorm", *sorted(ACTIVATIONS)]))
    if kind not in ("conv", "maxpool", "avgpool"):
        return kind
    words = [kind, *([str(draw(st.integers(1, 4)))] * (kind == "conv")), draw(sides)]
    if draw(st.booleans()):
        words += ["stride", draw(sides)]
    if kind == "conv" and draw(st.booleans()):
        words += ["pad", draw(sides)]
    return " ".join(words)


chains = st.tuples(
    st.lists(image_layers(), min_size=1, max_size=4), st.lists(st.one_of(st.integers(1, 5), st.just("batchnorm")), max_size=2)
).map(lambda parts: [*parts[0], "flatten", *parts[1]])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A stack of different trials of one drawn chain, its network off its start, images and labels."""
    shape = draw(st.sampled_from([(4, 5), (1, 6, 6), (2, 7, 5), (3, 4, 4)]))
    chain = draw(chains)
    assume(takes_images([read(item) for item in chain]))
    classes, samples = draw(st.integers(2, 4)), draw(st.integers(2, 5))
    name = draw(st.sampled_from(sorted(ACTIVATIONS)))
    shared = {"layers": chain, "batch_norm": draw(st.sampled_from(["none", "before", "after"])), "dtype": "float64"}
    trials = []
    for seed in range(draw(st.integers(1, 3))):
        numbers = {key: draw(st.floats(0.0625, 1)) for key in ACTIVATIONS[name].numbers}
        trials.append(Trial(**shared, activation={"name": name, **numbers}, initializer="xavier", seed=seed))
    try:
        network = build(trials, shape, classes, CPU)
    except UserError:
        assume(False)
    noise = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    network.weights.add_(torch.randn(network.weights.shape, dtype=network.dtype, generator=noise), alpha=0.3)
    for layer in network.layers:
        for tensor in layer.state.values():
            tensor.add_(torch.rand(tensor.shape, dtype=network.dtype, generator=noise))
    x = torch.randn(len(trials), math.prod(shape), samples, dtype=torch.float64, generator=noise)
    return trials, network, x, torch.randint(classes, (len(trials), 1, samples), generator=noise), shape


def of_trial(gradient: Tensor, row: int, trials: int) -> Tensor:
    """One trial's part of what stands at a layer, samples first, as the plain module has it."""
    return gradient.unflatten(1, (trials, -1))[:, row] if gradient.dim() == 4 else gradient[row].T


@given(cases())
@settings(max_examples=150)
def test_forward_and_backward_follow_autograd_through_the_plain_module(case: Case) -> None:
    trials, network, x, labels, shape = case
    outputs, losses, seen = walk(network, x, labels)
    for row, trial in enumerate(trials):
        plain = module(trial, weights_of(network, row), shape).train()
        assert len(plain) == len(network.layers) + 2  # flat rows become images first
        flow, points = x[row].T, []
        for layer in plain:
            flow = layer(flow)
            if flow.requires_grad:
                flow.retain_grad()
            points.append(flow)
        loss = F.cross_entropy(flow, labels[row, 0])
        loss.backward()
        torch.testing.assert_close(outputs[row].T, flow.detach(), rtol=1e-7, atol=1e-8)
        torch.testing.assert_close(losses[row], loss.detach(), rtol=1e-7, atol=1e-9)
        for k, point in enumerate(points[2:]):
            if point.requires_grad:
                mine = of_trial(seen[k], row, len(trials))
                torch.testing.assert_close(mine, point.grad, rtol=1e-6, atol=1e-7, msg=lambda text, k=k: f"layer {k}: {text}")
        for k, layer in enumerate(network.layers):
            for parameter in layer.parameters:
                want = plain[k + 2].get_parameter(parameter.name).grad
                torch.testing.assert_close(parameter.gradient[row].reshape(want.shape), want, rtol=1e-6, atol=1e-7)


@given(cases())
def test_evaluation_follows_the_plain_module_on_rows_and_on_images(case: Case) -> None:
    trials, network, x, _, shape = case
    outputs = network.forward(network.allocate(x.shape[2]), x, Mode.EVALUATE)
    for row, trial in enumerate(trials):
        rows = x[row].T
        images = rows.reshape(len(rows), *((1, *shape) if len(shape) == 2 else shape))
        weights = weights_of(network, row)
        with torch.no_grad():
            for found in (
                module(trial, weights, shape)(rows),
                module(trial, weights, shape)(images),
                module(trial, weights)(images),
            ):
                torch.testing.assert_close(outputs[row].T, found, rtol=1e-7, atol=1e-8)


def plain_shapes(trial: Trial, shape: tuple[int, ...]) -> list[tuple[int, ...]] | None:
    """The shapes that PyTorch's own layers give, ``None`` where they refuse."""
    flow = torch.zeros(2, *((1, *shape) if len(shape) == 2 else shape))
    shapes = []
    for item in trial.layers:
        name, *words = str(item).split()
        pairs = {word: tuple(map(int, words[k + 1].split("x"))) for k, word in enumerate(words) if word in ("stride", "pad")}
        pairs = {word: pair * (2 // len(pair)) for word, pair in pairs.items()}
        try:
            if name == "conv":
                filter = tuple(map(int, words[1].split("x")))
                flow = nn.Conv2d(flow.shape[1], int(words[0]), filter, pairs.get("stride", 1), pairs.get("pad", 0))(flow)
            elif name in ("maxpool", "avgpool"):
                filter = tuple(map(int, words[0].split("x")))
                kind = nn.MaxPool2d if name == "maxpool" else nn.AvgPool2d
                flow = kind(filter * (2 // len(filter)), pairs.get("stride"), pairs.get("pad", 0))(flow)
            elif name == "flatten":
                flow = flow.flatten(1)
            elif isinstance(item, int):
                flow = nn.Linear(flow.shape[1], item)(flow)
        except RuntimeError:
            return None
        shapes.append(tuple(flow.shape[1:]))
    return shapes


@given(chains, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
@settings(max_examples=150)
def test_sizes_are_those_of_pytorchs_layers(chain: list[int | str], shape: tuple[int, int, int]) -> None:
    trial = Trial(layers=chain, activation="relu")
    assume("flatten" in trial.layers)
    want = plain_shapes(trial, shape)
    if want is None:
        with pytest.raises(UserError, match=r"^layers: '.+' gets \d+x\d+x\d+\. A filter of"):
            places(trial, shape, 3)
        return
    found = places(trial, shape, 3)
    written = [place.behind for place in found[:-1] if not place.part.own]
    assert written == want
    network = build([trial], shape, 3, CPU)
    assert sum(place.parameters for place in found) == network.weights.numel()
    assert network.weights.numel() == sum(p.numel() for p in module(trial, weights_of(network, 0)).parameters())


def test_the_layers_kernels_are_the_notes_im2col() -> None:
    """A trained layer's forward and backward and the two-dimensional array's give the same numbers."""
    trial = Trial(layers=["conv 4 3x2 stride 2 pad 1", "identity", "maxpool 2 stride 1", "avgpool 2"], dtype="float64")
    network = build([trial], (2, 7, 8), 3, CPU)
    noise = torch.Generator().manual_seed(0)
    network.weights.copy_(torch.randn(network.weights.shape, dtype=torch.float64, generator=noise))
    x = torch.randn(1, 2 * 7 * 8, 5, dtype=torch.float64, generator=noise)
    buffers = network.allocate(5)
    labels = torch.zeros(1, 1, 5, dtype=torch.int64)
    network.forward(buffers, x, Mode.TRAIN)
    network.loss(buffers, labels)
    seen: dict[int, Tensor] = {}
    network.backward(buffers, labels, lambda k, dy: seen.update({k: dy.clone()}))
    layer = network.layers[0]
    assert isinstance(layer, Convolution)
    images, filters = as_images(x, (2, 7, 8)), layer.filters(layer.weight.value)
    y = convolution(images, filters, layer.bias.value.flatten(), (2, 2), (1, 1))
    torch.testing.assert_close(buffers.values[1], y)
    torch.testing.assert_close(buffers.values[3], max_pool(y, 2, 1)[0])
    torch.testing.assert_close(buffers.values[4], average_pool(max_pool(y, 2, 1)[0], 2))
    _, weight, bias = convolution_backward(seen[0], images, filters, (2, 2), (1, 1))
    torch.testing.assert_close(layer.weight.gradient.view_as(weight), weight)
    torch.testing.assert_close(layer.bias.gradient.flatten(), bias)


@given(cases())
def test_trials_of_a_stack_do_not_touch_each_other(case: Case) -> None:
    """With one trial's weights not numbers any more, the others' outputs and gradients stay."""
    trials, network, x, labels, _ = case
    assume(len(trials) > 1)
    outputs, losses, seen = walk(network, x, labels)
    for parameter in network.parameters:
        parameter.value[0].fill_(torch.nan)
    broken, lost, spoiled = walk(network, x, labels)
    assert lost[0].isnan()
    torch.testing.assert_close(broken[1:], outputs[1:])
    torch.testing.assert_close(lost[1:], losses[1:])
    for k in seen:
        for row in range(1, len(trials)):
            torch.testing.assert_close(of_trial(spoiled[k], row, len(trials)), of_trial(seen[k], row, len(trials)))


@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.PROBE, Mode.EVALUATE])
def test_batch_normalization_is_batch_norm_2d_in_every_mode(mode: Mode) -> None:
    noise = torch.Generator().manual_seed(1)
    trials, size = 3, (2, 4, 3)
    layer = ImageBatchNorm(size, trials, torch.float64, CPU)
    for parameter in layer.parameters:
        parameter.value = torch.randn(trials, 2, 1, dtype=torch.float64, generator=noise)
        parameter.gradient = torch.empty(trials, 2, 1, dtype=torch.float64)
    plain = [nn.BatchNorm2d(2, dtype=torch.float64) for _ in range(trials)]
    for row, one in enumerate(plain):
        with torch.no_grad():
            one.weight.copy_(layer.gamma.value[row].flatten())
            one.bias.copy_(layer.beta.value[row].flatten())
        one.train(mode is not Mode.EVALUATE)
    before = {name: value.clone() for name, value in layer.state.items()}
    for _ in range(3):
        x = 2 + torch.randn(5, trials * 2, 4, 3, dtype=torch.float64, generator=noise)
        y, dx = layer.empty(trials, 5, torch.float64, CPU), layer.empty(trials, 5, torch.float64, CPU)
        dy = torch.randn(x.shape, dtype=torch.float64, generator=noise)
        layer.forward(x, y, mode)
        if mode is not Mode.EVALUATE:
            layer.backward(x, y, dy, dx)
        for row, one in enumerate(plain):
            mine = slice(2 * row, 2 * row + 2)
            leaf = x[:, mine].clone().requires_grad_()
            out = one(leaf)
            torch.testing.assert_close(y[:, mine], out.detach())
            if mode is not Mode.EVALUATE:
                gradients = torch.autograd.grad(out, (leaf, one.weight, one.bias), dy[:, mine])
                torch.testing.assert_close(dx[:, mine], gradients[0])
                torch.testing.assert_close(layer.gamma.gradient[row].flatten(), gradients[1])
                torch.testing.assert_close(layer.beta.gradient[row].flatten(), gradients[2])
            if mode is Mode.TRAIN:
                torch.testing.assert_close(layer.state["running_mean"][row].flatten(), one.running_mean)
                torch.testing.assert_close(layer.state["running_var"][row].flatten(), one.running_var)
    if mode is not Mode.TRAIN:
        assert all(torch.equal(before[name], value) for name, value in layer.state.items())


def test_filters_start_from_a_seeds_own_draws_scaled_by_the_patch(untouched: None) -> None:
    chain = ["conv 6 3x3", "conv 4 2x2"]
    trials = [
        Trial(layers=chain, dtype="float64", seed=seed, initializer=name)
        for seed, name in ((1, "he"), (0, "xavier"), (1, "glorot"))
    ]
    network = build(trials, (3, 8, 8), 10, CPU)
    weighted = [layer for layer in network.layers if isinstance(layer, Weighted)]
    assert [(layer.fan_in, layer.fan_out) for layer in weighted] == [(27, 54), (24, 16), (100, 10)]
    draws = torch.randn(6, 27, dtype=torch.float64, generator=generator(1, "weights", 0))
    torch.testing.assert_close(weighted[0].weight.value[0], draws * (2 / 27) ** 0.5)
    torch.testing.assert_close(weighted[0].weight.value[2], draws * (2 / (27 + 54)) ** 0.5)
    plain = nn.init.kaiming_normal_(torch.empty(6000, 3, 3, 3), generator=torch.Generator().manual_seed(0))
    assert plain.std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.02)
    for row, trial in enumerate(trials):
        alone = build([trial], (3, 8, 8), 10, CPU)
        assert all(torch.equal(p.value[row], q.value[0]) for p, q in zip(network.parameters, alone.parameters, strict=True))


def test_dropout_of_images_is_the_seeds_own_and_only_in_training_steps(untouched: None) -> None:
    trials = [
        Trial(layers=["conv 2 1x1", "identity"], dropout=rate, seed=seed, dtype="float64")
        for seed, rate in ((5, 0.5), (2, 0.5), (5, 0.2))
    ]
    network = build(trials, (4, 4), 2, CPU)
    (layer,) = (layer for layer in network.layers if isinstance(layer, ImageDropout))
    x, labels = torch.ones(3, 16, 8, dtype=torch.float64), torch.zeros(3, 1, 8, dtype=torch.int64)
    calm = walk(network, x, labels)[0]
    assert torch.equal(calm, walk(network, x, labels, Mode.EVALUATE)[0])
    _, _, seen = walk(network, x, labels, Mode.TRAIN)
    kept = (layer.mask > 0).unflatten(1, (3, 2))
    assert torch.equal(kept[:, 0] & kept[:, 2], kept[:, 0]), "what a low rate drops, a higher one drops too"
    assert not torch.equal(kept[:, 0], kept[:, 1])
    for row, trial in enumerate(trials):
        assert kept[:, row].double().mean().item() == pytest.approx(1 - trial.dropout, abs=0.1)
        noise = torch.rand(8, 4, 4, 2, generator=generator(trial.seed, "dropout", 1)).permute(0, 3, 1, 2)
        assert torch.equal(kept[:, row], noise >= trial.dropout)
        before, after = (of_trial(seen[network.layers.index(layer) - back], row, 3) for back in (1, 0))
        torch.testing.assert_close(before, after * kept[:, row] / (1 - trial.dropout))


ALEX = (3, 224, 224)


def test_alexnets_parameters_are_the_published_ones() -> None:
    """The paper's two halves have 60,965,224; one tower keeps what they save where they do not see each other."""
    found = places(Trial(layers="alexnet"), ALEX, 1000)
    total = sum(place.parameters for place in found)
    parted = ((256, 96, 5), (384, 384, 3), (256, 384, 3))  # the second, fourth and fifth convolution
    halves = sum(out * channels // 2 * side * side for out, channels, side in parted)
    assert total - halves == 60_965_224
    assert abs(total / 60e6 - 1) < 0.05
    shapes = [place.behind for place in found if place.part.name in ("conv", "maxpool", "flatten")]
    assert shapes == [
        (96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6), (9216,)
    ]  # fmt: skip
    assert [p.behind for p in places(Trial(layers="alexnet"), (3, 227, 227), 1000)][-1] == (1000,)
    assert "lrn" in PRESETS["alexnet-lrn"] and sum(p.parameters for p in places(Trial(layers="alexnet-lrn"), ALEX, 1000)) == total


def test_alexnet_refuses_small_images_and_takes_63() -> None:
    assert places(Trial(layers="alexnet"), (3, 63, 63), 10)[-1].behind == (10,)
    for side in (62, 32, 8):
        with pytest.raises(UserError, match=r"^layers: 'maxpool 3 stride 2' gets \d+x\d+x\d+\. A filter of 3 does not fit"):
            places(Trial(layers="alexnet"), (3, side, side), 10)


def test_the_deep_cnns_sizes_are_the_books() -> None:
    found = places(Trial(layers="deep-cnn"), (28, 28), 10)
    assert [place.behind[1] for place in found if place.part.name in ("conv", "maxpool")] == [28, 28, 14, 14, 16, 8, 8, 8, 4]
    assert [place.behind for place in found if place.part.name == "dense"] == [(50,), (10,)]


def test_rows_cannot_be_convolved() -> None:
    with pytest.raises(
        UserError, match=r"^layers: 'conv 3 3x3' needs images, .*; this data has 2 features a sample\.$"
    ) as raised:
        places(Trial(layers=["batchnorm", "conv 3 3x3"]), (2,), 2)
    assert "1サンプルは 2 個の特徴量です" in raised.value.words.ja
