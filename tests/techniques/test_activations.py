"""Every activation against PyTorch's own module through autograd, and against finite differences, in float64."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import example, given
from torch import Tensor, nn

from koubai.data import Dataset
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS, Number, Words, activation
from koubai.training import train

every = pytest.mark.parametrize("name", list(ACTIVATIONS))

# PyTorch's softplus is the straight line above 20, which is off by 2e-9: the one place where 1e-12 cannot be asked for.
CLOSE = {"rtol": 1e-8, "atol": 1e-12}
VALUES = st.one_of(st.floats(-60, 60), st.sampled_from([0.0, -0.0, 1e-12, -1e-12, 1e3, -1e3, 1e300, -1e300]))


def inside(number: Number) -> st.SearchStrategy[float]:
    """Values of a number, its ends among them where they belong to it."""
    low, high = (float(end) for end in number.interval[1:-1].split(","))
    return st.floats(max(low, -3.0), min(high, 3.0)).filter(number.accepts)


@st.composite
def cases(draw: st.DrawFn, name: str) -> tuple[Tensor, Tensor, list[dict[str, float]]]:
    """Inputs and gradients ``[trial, feature, sample]``, and each trial's numbers."""
    shape = draw(st.tuples(*[st.integers(1, 4)] * 3))
    count = int(np.prod(shape))
    x = torch.tensor(draw(st.lists(VALUES, min_size=count, max_size=count)), dtype=torch.float64).view(shape)
    dy = torch.tensor(draw(st.lists(st.floats(-10, 10), min_size=count, max_size=count)), dtype=torch.float64).view(shape)
    numbers = [{key: draw(inside(number)) for key, number in ACTIVATIONS[name].numbers.items()} for _ in range(shape[0])]
    return x, dy, numbers


def by_pytorch(name: str, x: Tensor, dy: Tensor, numbers: list[dict[str, float]]) -> tuple[Tensor, Tensor]:
    """Output and gradient by the module that the technique names, trial by trial, through autograd."""
    outputs, gradients = [], []
    for row, each in enumerate(numbers):
        leaf = x[row].clone().requires_grad_()
        y = getattr(nn, ACTIVATIONS[name].module)(**each)(leaf)
        y.backward(dy[row])
        outputs.append(y.detach())
        gradients.append(leaf.grad)
    return torch.stack(outputs), torch.stack(gradients)


def by_koubai(name: str, x: Tensor, dy: Tensor, numbers: dict[str, Any], in_place: bool) -> tuple[Tensor, Tensor]:
    technique = ACTIVATIONS[name]
    x, dy = x.clone(), dy.clone()
    y, dx = (x, dy) if in_place else (torch.full_like(x, torch.nan), torch.full_like(x, torch.nan))
    technique(x, y, **numbers)
    assert technique.backward_function is not None
    technique.backward_function(dy, x, y, dx, **numbers)
    return y, dx


@every
def test_follows_pytorch(name: str) -> None:
    technique = ACTIVATIONS[name]

    @given(cases(name))
    def check(case: tuple[Tensor, Tensor, list[dict[str, float]]]) -> None:
        x, dy, numbers = case
        want = by_pytorch(name, x, dy, numbers)
        stacked = {key: torch.tensor([each[key] for each in numbers], dtype=x.dtype).view(-1, 1, 1) for key in technique.numbers}
        for in_place in {False, technique.needs == "output"}:
            torch.testing.assert_close(by_koubai(name, x, dy, stacked, in_place), want, **CLOSE)
            alone = by_koubai(name, x[:1], dy[:1], numbers[0], in_place)  # one trial, its numbers plain floats
            torch.testing.assert_close(alone, (want[0][:1], want[1][:1]), **CLOSE)

    check()


@every
def test_backward_is_the_slope_that_finite_differences_measure(name: str) -> None:
    technique = ACTIVATIONS[name]

    @given(st.lists(st.floats(-15, 15).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=20), st.data())
    def check(points: list[float], data: st.DataObject) -> None:
        numbers = {key: data.draw(inside(number)) for key, number in technique.numbers.items()}
        x = torch.tensor(points, dtype=torch.float64).view(1, 1, -1)
        h = 1e-6
        ahead, behind = (by_koubai(name, x + step, x, numbers, False)[0] for step in (h, -h))
        _, slope = by_koubai(name, x, torch.ones_like(x), numbers, False)
        torch.testing.assert_close(slope, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-7)

    check()


@every
def test_in_float32_too_and_one_dimensional(name: str) -> None:
    x = torch.linspace(-8, 8, 101)
    numbers = ACTIVATIONS[name].defaults()
    y, dx = by_koubai(name, x, torch.ones_like(x), numbers, False)
    assert y.dtype == dx.dtype == torch.float32
    want = by_pytorch(name, x[None].double(), torch.ones(1, 101, dtype=torch.float64), [numbers])
    torch.testing.assert_close((y[None].double(), dx[None].double()), want, rtol=1e-4, atol=1e-6)


@every
def test_stays_inside_its_bounds_and_reaches_them(name: str) -> None:
    low, high = ACTIVATIONS[name].bounds
    x = torch.cat([torch.linspace(-50, 50, 1001, dtype=torch.float64), torch.tensor([-1e4, 1e4], dtype=torch.float64)])
    y, _ = by_koubai(name, x, x, ACTIVATIONS[name].defaults(), False)
    if low is not None:
        assert y.min() >= low and y.min() - low < 1e-9
    if high is not None:
        assert y.max() <= high and high - y.max() < 1e-9
    if low is None and high is None:
        assert y.max() > 1e3


def test_sigmoid_is_steepest_at_0_with_a_quarter() -> None:
    x = torch.arange(-1000, 1001, dtype=torch.float64) / 100
    _, slope = by_koubai("sigmoid", x, torch.ones_like(x), {}, True)
    assert slope[1000] == 0.25 == slope.max()
    assert x[slope.argmax()] == 0


@given(st.integers(1, 5))
@example(5)
def test_a_chain_of_sigmoids_passes_at_most_a_quarter_a_layer(depth: int) -> None:
    gradient = torch.ones(1, dtype=torch.float64)
    for _ in range(depth):
        _, gradient = by_koubai("sigmoid", torch.zeros(1, dtype=torch.float64), gradient, {}, True)
    assert gradient.item() == 0.25**depth


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two activations as a user would write them, functions of ``x`` alone, registered for one test."""
    for name in ("my_tanh", "my_leaky"):
        monkeypatch.setitem(ACTIVATIONS, name, None)

    @activation("my_tanh", formula=r"\tanh x", about=Words("Mine.", "自作。"))
    def my_tanh(x: Tensor) -> Tensor:
        return 2 * torch.sigmoid(2 * x) - 1

    slope = Number(0.5, "[0, 1]", Words("slope", "傾き"))

    @activation("my_leaky", formula=r"\max(ax, x)", about=Words("Mine.", "自作。"), numbers={"a": slope})
    def my_leaky(x: Tensor, *, a: float | Tensor) -> Tensor:
        return torch.maximum(a * x, x)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("batch_norm", ["none", "before", "after"])
def test_one_without_a_backward_trains_through_autograd_to_the_same_numbers(
    small: Dataset, cpu: torch.device, batch_norm: str
) -> None:
    def outcome(*activations: object) -> Any:
        base = {"data": small.spec, "layers": [5, 4], "batch_size": 20, "steps": 30, "dtype": "float64", "batch_norm": batch_norm}
        return train([Trial(**base, activation=each, seed=k) for k, each in enumerate(activations)], small, cpu)

    pairs = [
        (["my_tanh"], ["tanh"]),
        (
            [{"name": "my_leaky", "a": 0.1}, {"name": "my_leaky", "a": 0.3}],
            [{"name": "leaky_relu", "negative_slope": 0.1}, {"name": "leaky_relu", "negative_slope": 0.3}],
        ),
    ]
    for mine, builtin in pairs:
        got, want = outcome(*mine), outcome(*builtin)
        for name, value in want.weights.items():
            np.testing.assert_allclose(got.weights[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
        for name in ("loss", "train_loss", "validation_accuracy", "gradient", "weight_gradient"):
            np.testing.assert_allclose(got.history[name], want.history[name], rtol=1e-6, err_msg=name)


@pytest.mark.usefixtures("own")
def test_one_of_the_users_leaves_the_stack_inside_a_plain_module() -> None:
    trial = Trial(layers=[3], activation={"name": "my_leaky", "a": 0.25}, dtype="float64")
    weights = {"0.weight": np.eye(3), "0.bias": np.zeros((3, 1)), "2.weight": np.eye(3), "2.bias": np.zeros((3, 1))}
    x = torch.tensor([[-4.0, 0.0, 2.0]], dtype=torch.float64)
    assert module(trial, weights)(x).tolist() == [[-1.0, 0.0, 2.0]]
