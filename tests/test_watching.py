from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import optimizer as hooked
from torch.utils.checkpoint import checkpoint

import koubai
from koubai.doctor import Case
from koubai.language import UserError
from koubai.techniques.clipping import norms
from koubai.training import ledger
from koubai.watching import Watch, watch
from koubai.watching.layers import FUNCTIONAL, bounds
from koubai.watching.look import MANY, _fetched, size

Loop = Callable[[nn.Module, Any, "Watch | None"], None]


def batch(samples: int = 16, features: int = 6, classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, features, generator=generator), torch.randint(0, classes, (samples,), generator=generator)


def dense(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, 3)
    )


def train(
    model: nn.Module, optimizer: Any, seen: Watch | None, steps: int = 6, x: Tensor | None = None, y: Tensor | None = None
) -> None:
    first, labels = batch()
    x, y = first if x is None else x, labels if y is None else y
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        if seen:
            seen.loss(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def watched(model: nn.Module, steps: int = 3, rate: float = 0.1, **options: Any) -> Case:
    optimizer = torch.optim.SGD(model.parameters(), rate)
    with watch(model, optimizer) as seen:
        train(model, optimizer, seen, steps, **options)
    return seen.case()


def column(case: Case, name: str, layer: str, kind: str = "") -> np.ndarray:
    """A curve of one layer, by its name."""
    layers = [one for one, k in zip(case.layers, case.kinds, strict=True) if kind in ("", k)]
    return case.history[name][:, layers.index(layer)]


def norms_by_hand(model: nn.Module, x: Tensor, y: Tensor, names: list[str]) -> dict[str, float]:
    """The gradient's norm at the outputs of layers, by ``retain_grad``."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            kept[name] = output[0] if isinstance(output, tuple) else output
            kept[name].retain_grad()

        return hook

    model = copy.deepcopy(model)
    for name in names:
        model.get_submodule(name).register_forward_hook(keep(name))
    F.cross_entropy(model(x), y).backward()
    return {name: float(tensor.grad.double().norm()) for name, tensor in kept.items()}  # type: ignore[union-attr]


def test_gradients_are_those_that_retain_grad_keeps() -> None:
    model, (x, y) = dense(), batch()
    torch.manual_seed(1)
    by_hand = norms_by_hand(model, x, y, ["0", "1", "2", "3", "4", "5", "6"])
    torch.manual_seed(1)
    case = watched(model, 2)
    assert case.layers == ("0", "1", "2", "3", "4", "5", "6")
    assert case.kinds == ("weights", "activation", "weights", "normalization", "activation", "dropout", "weights")
    np.testing.assert_allclose(case.history["gradient"][0], list(by_hand.values()), rtol=1e-6)
    whole = by_hand["0"] / by_hand["6"]  # a chain: the factors multiply to the attenuation
    assert math.prod(case.history["factor"][0, 1:]) == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(case.factors[:, 1:], case.history["gradient"][:, :-1] / case.history["gradient"][:, 1:], rtol=1e-5)


def test_weights_and_their_gradients_and_steps() -> None:
    model, (x, y) = dense().double(), batch()
    before = [p.detach().clone() for p in (model[0].weight, model[2].weight, model[6].weight)]
    torch.manual_seed(1)
    reference = copy.deepcopy(model)
    F.cross_entropy(reference(x.double()), y).backward()
    torch.manual_seed(1)
    case = watched(model, 1, rate=0.5, x=x.double())
    gradients = [float(reference[k].weight.grad.norm()) for k in (0, 2, 6)]  # type: ignore[union-attr]
    after = [model[k].weight.detach() for k in (0, 2, 6)]
    np.testing.assert_allclose(case.history["weight_gradient"][0], gradients, rtol=1e-9)
    np.testing.assert_allclose(case.history["weight"][0], [float(w.norm()) for w in after], rtol=1e-9)
    np.testing.assert_allclose(
        case.history["update"][0], [0.5 * g / float(w.norm()) for g, w in zip(gradients, after, strict=True)], rtol=1e-6
    )
    np.testing.assert_allclose(
        case.history["apart"][0], [float(ledger.apart([w[None]], norms([w[None]]))) for w in after], rtol=1e-6
    )
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e25])
@pytest.mark.parametrize("shape", [(300, 4, 10, 10), (MANY + 1,), (3, 4)])
def test_norms_are_those_of_numpy_however_many_and_small_the_values(shape: tuple[int, ...], scale: float) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale
    found = size(x.requires_grad_())
    assert found.dtype is torch.float64 and not found.requires_grad and found.ndim == 0
    assert float(found) == pytest.approx(np.linalg.norm(x.detach().double().numpy().ravel()), rel=1e-6)
    assert float(size(x.bfloat16())) == pytest.approx(float(found), rel=1e-2)


def test_answers_of_activations_are_described_as_the_ledger_describes_them() -> None:
    model, (x, y) = dense(), batch(40)
    with torch.no_grad():
        model[2].bias[:2] = -100.0  # for the batch normalization that follows nothing, but with its scale at 0 two units are dead
        model[3].weight[:2], model[3].bias[:2] = 0.0, -1.0
    reference = copy.deepcopy(model)
    case = watched(model, 1, x=x, y=y)
    for k, (stop, name) in enumerate(((2, "sigmoid"), (5, "relu"))):
        from koubai.networks.layers import Activation
        from koubai.techniques.activations import ACTIVATIONS

        answers = reference[:stop](x).detach()
        layer = Activation(answers.shape[1], ACTIVATIONS[name], {})
        stacked = answers.T[None]
        for measure, value in (ledger.describe(stacked, layer) | ledger.histogram(stacked, layer)).items():
            np.testing.assert_allclose(case.history[measure][0, k], value[0], rtol=1e-5, atol=1e-7, err_msg=f"{name}: {measure}")
    assert column(case, "dead", "4", "activation")[0] == pytest.approx(2 / 7)


AS_FUNCTIONS = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu by tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
    "softplus": partial(F.softplus, beta=2.0, threshold=1.0),
    "leaky relu": partial(F.leaky_relu, negative_slope=0.2),
    "elu": partial(F.elu, alpha=2.0),
    "selu": F.selu,
    "hardtanh": partial(F.hardtanh, min_val=-0.5, max_val=2.0),
    "relu6": F.relu6,
}


@pytest.mark.parametrize("name", AS_FUNCTIONS)
def test_an_activations_answers_are_found_in_what_autograd_keeps(name: str) -> None:
    answers = AS_FUNCTIONS[name](torch.linspace(-8, 8, 33, requires_grad=True))
    node = answers.grad_fn
    torch.testing.assert_close(FUNCTIONAL[node.name()].output(node), answers)


def test_a_hardtanh_has_the_ends_that_it_was_given() -> None:
    for module, ends in (
        (nn.Hardtanh(), (-1, 1)),
        (nn.Hardtanh(-2, 3), (-2, 3)),
        (nn.ReLU6(), (0, None)),
        (nn.ELU(), (None, None)),
    ):
        assert bounds(module) == ends


class Away(Tensor):
    """A tensor that says it lies on another device."""

    device = torch.device("cuda")  # type: ignore[assignment]


def test_counts_are_fetched_from_another_device_as_measures_are() -> None:
    seen = {"zeros": torch.tensor(3), "histogram": torch.arange(4), "mean": torch.tensor(0.25)}
    numbers = _fetched({name: x.as_subclass(Away) for name, x in seen.items()}, False)
    assert {name: np.array(value).tolist() for name, value in numbers.items()} == {name: x.tolist() for name, x in seen.items()}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.memory, self.head = nn.Embedding(9, 5), nn.LSTM(5, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(self.words(x))[0][:, -1])


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(6, 8)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.lift(x)).mean(1))


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1, self.act = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.conv2, self.pool, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.AdaptiveAvgPool2d(2), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm1(self.conv1(x)))
        x = self.act(self.conv2(x) + x)  # the same module again, on a sum
        return self.head(self.pool(x).flatten(1))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(F.gelu(self.fc2(F.relu(self.fc1(x))).tanh()))


MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor, list[str]]] = {
    "recurrent": (
        Recurrent,
        torch.randint(0, 9, (16, 5), generator=torch.Generator().manual_seed(2)),
        ["words", "memory", "head"],
    ),
    "attentive": (
        Attentive,
        torch.randn(16, 5, 6, generator=torch.Generator().manual_seed(2)),
        ["lift", "encoder.layers.0.self_attn", "encoder.layers.0.linear1", "encoder.layers.1.norm2", "head"],
    ),
    "images": (
        Images,
        torch.randn(16, 1, 6, 6, generator=torch.Generator().manual_seed(2)),
        ["conv1", "norm1", "conv2", "pool", "head"],
    ),
    "functional": (Functional, batch()[0], ["fc1", "fc2", "fc3"]),
    "dense": (dense, batch()[0], ["0", "3", "6"]),
}


def made(name: str) -> tuple[nn.Module, Tensor, list[str]]:
    model, x, names = MODELS[name]
    torch.manual_seed(0)
    return model(), x, names


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_module_is_seen(name: str) -> None:
    model, x, names = made(name)
    torch.manual_seed(1)
    if name == "images":
        model_by_hand = copy.deepcopy(model)
        model_by_hand.act = nn.ReLU()  # retain_grad would see what the activation overwrote
    else:
        model_by_hand = model
    by_hand = norms_by_hand(model_by_hand, x, batch()[1], names)
    torch.manual_seed(1)
    case = watched(model, 2, x=x)
    for layer in names:
        assert column(case, "gradient", layer)[0] == pytest.approx(by_hand[layer], rel=1e-5), layer
    weighted = [layer for layer, kind in zip(case.layers, case.kinds, strict=True) if kind == "weights"]
    assert [layer for layer in names if layer in weighted] == [layer for layer in weighted if layer in names]
    assert np.isfinite(case.history["update"]).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_training_is_the_same_bit_for_bit(name: str, untouched: None) -> None:
    states = []
    with torch.random.fork_rng():
        for look in (False, True):
            model, x, _ = made(name)
            torch.manual_seed(3)
            optimizer = torch.optim.Adam(model.parameters(), 0.01)
            if look:
                with watch(model, optimizer) as seen:
                    train(model, optimizer, seen, 12, x)
            else:
                train(model, optimizer, None, 12, x)
            states.append((*model.state_dict().values(), torch.random.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def hooks(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[Any, Any]]:
    """Everything that a watch could leave behind, as it is now."""
    found = []
    for module in model.modules():
        found += [dict(value) for name, value in vars(module).items() if "hook" in name and isinstance(value, dict)]
    found += [dict(p._backward_hooks or {}) for p in model.parameters()]
    found += [dict(value) for name, value in vars(optimizer).items() if "hook" in name and isinstance(value, dict)]
    return [*found, dict(hooked._global_optimizer_pre_hooks), dict(hooked._global_optimizer_post_hooks)]


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_left_behind(broken: bool) -> None:
    model, x, _ = made("attentive")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before, dicts = hooks(model, optimizer), {name: set(vars(m)) for name, m in model.named_modules()}
    try:
        with watch(model, optimizer) as seen:
            train(model, optimizer, seen, 3, x)
            model(x)
            assert hooks(model, optimizer) != before
            if broken:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert hooks(model, optimizer) == before
    assert {name: set(vars(m)) for name, m in model.named_modules()} == dicts
    assert len(seen.case().steps) == 3


@pytest.mark.parametrize("told", [True, False])
def test_between_looks_no_hook_is_on_the_model(told: bool) -> None:
    model = dense()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        train(model, optimizer, seen if told else None, 6)
        assert [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()] == [0] * 8
    assert seen.history.steps == [0, 1, 2, 3, 4, 5]


def test_a_watch_inside_another_sees_the_same_and_neither_stays() -> None:
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before, kept = hooks(model, optimizer), set(vars(model))
    with watch(model, optimizer) as outer:
        train(model, optimizer, None, 2)
        with watch(model, optimizer) as inner:
            x, y = batch()
            train(model, optimizer, None, 2)
            train(model, optimizer, None, 1, x * math.inf, y)
    assert (outer.t, inner.t) == (5, 3)
    assert (outer.origin.part, outer.origin.step, inner.origin.part, inner.origin.step) == ("input", 5, "input", 3)  # type: ignore[union-attr]
    assert (hooks(model, optimizer), set(vars(model))) == (before, kept)


def test_a_copy_and_a_file_made_under_watch_are_the_models_own(tmp_path: Path) -> None:
    model, (x, _) = dense_plain(), batch()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        train(model, optimizer, seen, 6)  # at the next step nothing is looked at
        average = copy.deepcopy(model)
        torch.save(model, tmp_path / "model.pt")
        train(model, optimizer, seen, 6)
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for other in (average, loaded):
            assert torch.equal(other(x), type(model).forward(other, x))
            assert not torch.equal(other(x), model(x))
            assert not any(module._forward_hooks for module in other.modules())
    assert seen.t == 12


@pytest.mark.parametrize("first", [True, False])
def test_the_discriminator_of_a_pair_does_not_count_the_generators_loss(first: bool) -> None:
    """Its ledger is that of its own training on what the generator made, and nothing of the generator stands in it."""
    x, _ = batch()

    def history(pair: bool) -> Case:
        torch.manual_seed(1)
        generator, model = nn.Sequential(nn.Linear(6, 6), nn.Tanh()), dense_plain()
        optimizer, other = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(generator.parameters(), 0.0)

        def fool() -> None:
            other.zero_grad()
            model(generator(x)).square().mean().backward()
            other.step()

        with watch(model, optimizer) as seen:
            for _ in range(4):
                if pair and first:
                    fool()
                loss = F.cross_entropy(model(torch.tanh(generator(x))), torch.zeros(16, dtype=torch.int64))
                seen.loss(loss)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if pair and not first:
                    fool()
        return seen.case()

    alone, beside = history(False), history(True)
    assert alone.layers == beside.layers == ("0", "1", "2", "3", "4")
    for name in ("gradient", "factor", "weight_gradient", "mean"):
        np.testing.assert_array_equal(beside.history[name], alone.history[name], err_msg=name)


def test_a_copy_and_a_file_made_in_a_step_that_is_looked_at_hear_nothing(tmp_path: Path) -> None:
    model, (x, y) = dense_plain(), batch()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(copy.deepcopy(model)) as alone:
        train(alone.model, torch.optim.SGD(alone.model.parameters(), 0.1), alone, 1)
    with watch(model, optimizer) as seen:
        loss = F.cross_entropy(model(x), y)
        seen.loss(loss)
        loss.backward()
        average = copy.deepcopy(model)
        torch.save(model, tmp_path / "model.pt")
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for other in (average, loaded):
            assert torch.equal(other(x), model(x))
            train(other, torch.optim.SGD(other.parameters(), 0.1), None, 2)
            hook = next(iter(other[0]._forward_hooks.values()))
            assert not hook.__self__.calls and not hook.__self__._starts
        optimizer.step()
    assert seen.t == 1
    np.testing.assert_array_equal(seen.case().history["factor"][0], alone.case().history["factor"][0])


@pytest.mark.filterwarnings("ignore:Guards may run slower")  # PyTorch's advice on Python 3.13.0
def test_a_step_may_be_compiled_around_the_model() -> None:
    weights = []
    for look in (True, False):
        model, (x, y) = dense_plain(), batch()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        loss = torch.compile(lambda model=model, x=x, y=y: F.cross_entropy(model(x), y), backend="eager")
        with watch(model, optimizer) if look else nullcontext():
            for _ in range(8):
                optimizer.zero_grad()
                loss().backward()
                optimizer.step()
        weights.append(model.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_activations_called_as_functions_are_layers_too() -> None:
    model, x, _ = made("functional")
    fc1, fc2 = model.fc1, model.fc2
    first = F.relu(fc1(x)).detach()
    second = fc2(first).tanh().detach()
    case = watched(model, 2)
    assert case.layers == ("fc1", "fc1 → relu", "fc2", "fc2 → tanh", "fc2 → gelu", "fc3")
    assert case.kinds == ("weights", "activation", "weights", "activation", "activation", "weights")
    means = [first.mean(), second.mean(), F.gelu(second).mean()]
    np.testing.assert_allclose(case.history["mean"][0], [float(m) for m in means], rtol=1e-5)
    np.testing.assert_allclose(case.factors[0, 1:], case.history["gradient"][0, :-1] / case.history["gradient"][0, 1:], rtol=1e-5)


def test_a_branch_does_not_hide_what_a_layer_did() -> None:
    model, x, _ = made("images")
    case = watched(copy.deepcopy(model), 1, x=x)
    z = model.act(model.norm1(model.conv1(x))).detach().requires_grad_()
    out = model.conv2(z)
    out.retain_grad()
    F.cross_entropy(model.head(model.pool((out + z).relu()).flatten(1)), batch()[1]).backward()
    through = torch.nn.grad.conv2d_input(z.shape, model.conv2.weight, out.grad, padding=1)
    assert column(case, "factor", "conv2")[0] == pytest.approx(float((through.norm() / out.grad.norm()).detach()), rel=1e-4)


def test_a_module_called_twice_counts_both_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same, self.act, self.head = nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.same(self.act(self.same(x)))))

    torch.manual_seed(0)
    model, (x, y) = Twice(), batch()
    a = model.same(x)
    b = model.act(a)
    c = model.same(b)
    d = model.act(c)
    for tensor in (a, b, c, d):
        tensor.retain_grad()
    F.cross_entropy(model.head(d), y).backward()
    model.zero_grad()
    case = watched(model, 1)
    assert column(case, "gradient", "same")[0] == pytest.approx(math.hypot(a.grad.norm(), c.grad.norm()), rel=1e-5)
    assert column(case, "gradient", "act")[0] == pytest.approx(math.hypot(b.grad.norm(), d.grad.norm()), rel=1e-5)
    both = torch.cat([b, d]).detach()
    assert case.history["mean"][0, 0] == pytest.approx(float(both.mean()), rel=1e-4)
    assert case.history["std"][0, 0] == pytest.approx(float(both.std(unbiased=False)), rel=1e-4)


def test_a_part_that_is_not_used_says_so() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle, self.asked, self.frozen = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(6, 6)
            self.frozen.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            self.asked(x)  # nothing of it reaches the loss
            return self.used(self.frozen(x))

    case = watched(Parts(), 2)
    assert case.layers == ("asked", "used")
    assert column(case, "gradient", "asked").tolist() == [0, 0]
    assert (column(case, "gradient", "used") > 0).all()


def test_accumulated_gradients_are_those_of_the_whole_batch() -> None:
    x, y = batch(16)
    whole = watched(dense_plain(), 1, x=x, y=y)
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        for part in range(4):
            loss = F.cross_entropy(model(x[part::4]), y[part::4])
            seen.loss(loss)
            (loss / 4).backward()
        optimizer.step()
    parts = seen.case()
    for name in whole.history.keys() - {"histogram", "low", "high"}:
        np.testing.assert_allclose(parts.history[name], whole.history[name], rtol=2e-4, atol=1e-7, err_msg=name)
    assert parts.steps.tolist() == [0]


def dense_plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def test_evaluations_in_between_are_not_recorded() -> None:
    alone = watched(dense_plain(), 3)
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    other = batch(64, seed=5)[0] * 100
    with watch(model, optimizer) as seen:
        for _ in range(3):
            with torch.no_grad():
                model(other)
            model.eval()
            model(other)  # somebody forgot no_grad
            model.train()
            train(model, optimizer, seen, 1)
            seen.validation(model(other).square().mean(), accuracy=0.5)  # and told the tensor itself
    for name, curve in alone.history.items():
        np.testing.assert_allclose(seen.case().history[name], curve, rtol=1e-6, err_msg=name)
    assert seen.case().history["validation_accuracy"][-1] == 0.5
    assert not any(isinstance(value, Tensor) for told in seen.history.validated for value in told), "no graph is kept"


def test_autocast_in_bfloat16_with_a_scaler_records_unscaled_gradients() -> None:
    plain = watched(dense_plain(), 2)
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x, y = batch()
    with watch(model, optimizer) as seen:
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            seen.loss(loss)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    case = seen.case()
    assert case.steps.tolist() == [0, 1]
    for name in ("gradient", "weight_gradient", "factor"):
        np.testing.assert_allclose(case.history[name], plain.history[name], rtol=0.05, err_msg=name)


def test_a_step_that_the_scaler_skipped_does_not_count() -> None:
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=10**6)  # float32 overflows on the way down
    x, y = batch()
    with watch(model, optimizer) as seen:
        for _ in range(40):
            loss = F.cross_entropy(model(x), y) * 1e10
            seen.loss(loss)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
    assert 0 < seen.t < 40
    assert seen.origin is None
    assert all(np.isfinite(seen.case().history[name]).all() for name in ("gradient", "weight_gradient"))


def test_several_optimizers_and_one_that_nobody_named() -> None:
    for named in (True, False):
        model = dense_plain()
        ours = [torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.Adam(model[2:].parameters(), 0.01)]
        stranger = torch.optim.SGD(dense_plain().parameters(), 0.1)
        x, y = batch()
        with watch(model, ours if named else None) as seen:
            for _ in range(4):
                stranger.step()
                loss = F.cross_entropy(model(x), y)
                model.zero_grad()
                loss.backward()
                for one in ours:
                    one.step()
        case = seen.case()
        assert seen.t == 4
        assert (case.history["update"][0 if named else 1 :] > 0).all()


def test_one_of_several_optimizers_may_step_more_often_or_rest() -> None:
    model = dense_plain()
    often, rare = torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.SGD(model[2:].parameters(), 0.1)
    x, y = batch()
    with watch(model, [rare, often]) as seen:
        for step in range(100):
            F.cross_entropy(model(x), y).backward()
            often.step()
            if step < 20 and step % 5 == 4:
                rare.step()
    assert seen.t == 4 + 1 + 60  # for twenty steps the other was waited for
    assert np.isfinite(seen.case().history["update"][:4]).all()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_activations_are_recorded_once_and_in_order(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = dense_plain()[:4], dense_plain()[4]

        def forward(self, x: Tensor) -> Tensor:
            return self.head(checkpoint(self.body, x, use_reentrant=reentrant))

    plain = watched(dense_plain(), 3)
    case = watched(Checkpointed(), 3, x=batch()[0].requires_grad_(reentrant))
    assert case.layers == ("body.0", "body.1", "body.2", "body.3", "head")
    for name in ("gradient", "mean", "std", "weight_gradient", "loss"):
        np.testing.assert_allclose(case.history[name], plain.history[name], rtol=1e-5, err_msg=name)


def test_parametrized_layers_are_layers_and_stay_as_they_are() -> None:
    states = []
    for look in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        if look:
            with watch(model, optimizer) as seen:
                train(model, optimizer, seen, 4)
            assert seen.case().layers == ("0", "1", "2")
        else:
            train(model, optimizer, None, 4)
        states.append(model.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_gradients_of_functional_transforms_are_left_alone() -> None:
    model, (x, y) = dense_plain(), batch()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, weights, (x[None],)), y[None])

    with watch(model, optimizer) as seen:
        weights = {name: p.detach() for name, p in model.named_parameters()}
        each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(weights, x, y)
        for name, p in model.named_parameters():
            p.grad = each[name].mean(0)
        optimizer.step()
    assert seen.t == 1
    assert seen.case().history["weight_gradient"].shape == (1, 3)


def test_a_closure_makes_the_forward_inside_the_step() -> None:
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, y = batch()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    with watch(model, optimizer) as seen:
        for _ in range(3):
            optimizer.step(closure)
    plain = watched(dense_plain(), 3)
    for name in ("gradient", "weight_gradient", "weight", "update"):
        np.testing.assert_allclose(seen.case().history[name], plain.history[name], rtol=1e-6, err_msg=name)


@pytest.mark.filterwarnings("ignore:Guards may run slower")  # PyTorch's advice on Python 3.13.0
def test_a_compiled_model_does_not_crash() -> None:
    model = torch.compile(dense_plain(), backend="eager")
    case = watched(model, 4)
    assert case.history["weight"].shape == (4, 3)
    plain = watched(dense_plain(), 4)
    np.testing.assert_allclose(case.history["weight_gradient"], plain.history["weight_gradient"], rtol=1e-5)


def test_looks_grow_rare() -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    x = torch.ones(1, 1)
    with watch(model, optimizer) as seen:
        for _ in range(2000):
            model(x).sum().backward()
            optimizer.step()
    steps = seen.case().steps
    assert steps[:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert steps[-1] >= 2000 / 1.3
    assert len(steps) < 36


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu().log()


@pytest.mark.parametrize("told", [True, False])
def test_where_numbers_were_lost_forward(told: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential()
    for name, module in {"lift": nn.Linear(6, 8), "log": Logarithm(), "noise": nn.Dropout(0.5), "head": nn.Linear(8, 3)}.items():
        model.add_module(name, module)
    model.lift.requires_grad_(False)
    model.lift.bias.fill_(30.0)
    optimizer = torch.optim.SGD(model.head.parameters(), 0.01)
    x, y = batch()
    with watch(model, optimizer) as seen:
        for step in range(20):
            if step == 12:
                model.lift.bias.fill_(-30.0)
            loss = F.cross_entropy(model(x), y)
            if told:
                seen.loss(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert seen.origin is not None
    assert (seen.origin.step, seen.origin.part, seen.origin.layer, seen.origin.operation) == (13, "forward", "log", "log")
    assert seen.case().diverged == 13


def test_where_numbers_were_lost_otherwise() -> None:
    def lost(
        change: Callable[[nn.Sequential, Tensor], Tensor], loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    ) -> Any:
        model, (x, y) = dense_plain(), batch()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with watch(model, optimizer) as seen:
            train(model, optimizer, seen, 2)
            value = loss(model(change(model, x)), y)
            seen.loss(value)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        assert seen.origin is not None
        return seen.origin.part, seen.origin.layer

    def spoil(model: nn.Sequential, x: Tensor) -> Tensor:
        with torch.no_grad():
            model[2].weight[0, 0] = math.nan
        return x

    assert lost(lambda model, x: x * math.inf) == ("input", None)
    assert lost(spoil) == ("weights", "2")
    assert lost(lambda model, x: x, lambda z, y: (z * 0).log().sum()) == ("loss", None)


def test_where_numbers_were_lost_backward() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below, self.middle, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((self.middle(self.below(x)) * 0).sqrt())  # its slope at 0 is infinite

    model = Root()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        train(model, optimizer, seen, 1)
    assert seen.origin is not None
    assert (seen.origin.part, seen.origin.layer) == ("backward", "middle")


def test_what_cannot_be_watched_is_said_in_both_languages(tmp_path: Path) -> None:
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def twice() -> None:
        seen = watch(model, optimizer)
        for _ in range(2):
            with seen:
                pass

    def nothing() -> None:
        with watch(model, optimizer) as seen:
            pass
        seen.diagnose()

    def unknown() -> None:
        with watch(model, optimizer) as seen:
            train(model, optimizer, seen, 1)
        seen.figure("filters")

    cases: dict[str, Callable[[], Any]] = {
        "not Adam": lambda: watch(torch.optim.Adam(model.parameters()), model),  # type: ignore[arg-type]
        "not generator": lambda: watch(model.parameters(), optimizer),  # type: ignore[arg-type]
        "not dict": lambda: watch(model, optimizer.param_groups),  # type: ignore[arg-type]
        "no parameters": lambda: watch(nn.ReLU(), None),
        "meta device": lambda: watch(dense_plain().to("meta")).__enter__(),
        "none of the model's": lambda: watch(dense_plain(), optimizer),
        "used already": twice,
        "Nothing has been trained": nothing,
        "cannot show": unknown,
    }
    for words, wrong in cases.items():
        with pytest.raises(UserError, match=words) as error:
            wrong()
        assert error.value.words.ja != error.value.words.en
    assert hooks(model, optimizer)[-1] == {}


def test_the_report_is_one_page_in_both_languages(tmp_path: Path) -> None:
    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        for _ in range(5):
            train(model, optimizer, seen, 1)
            seen.validation(1.0, 0.4)
    assert repr(seen) == f"Watch of {type(model).__name__}: 5 steps, looked at {len(seen.history.steps)} times."
    page = seen.report(tmp_path / "out.html").read_text(encoding="utf-8")
    for words in (
        "What the doctor says",
        "診断",
        "Where the gradient goes",
        "勾配はどこへ行くか",
        "Activations by layer",
        "損失の推移",
    ):
        assert words in page
    assert "src=" not in page.split("<script>")[0]
    assert seen.figure("ledger").data


def test_tensorboard_gets_the_ledger(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = dense_plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        train(model, optimizer, seen, 6)
    events = EventAccumulator(str(seen.to_tensorboard(tmp_path / "runs")))
    events.Reload()
    case = seen.case()
    found = events.Scalars("gradient/2")
    assert [event.step for event in found] == case.steps.tolist()
    np.testing.assert_allclose([event.value for event in found], column(case, "gradient", "2"), rtol=1e-6)
    assert events.Tags()["histograms"] == ["activations/1", "activations/3"]


def test_koubai_watch_is_the_function() -> None:
    assert koubai.watch is watch


def chain(**modules: nn.Module) -> nn.Sequential:
    model = nn.Sequential()
    for name, module in modules.items():
        model.add_module(name, module)
    return model


def learner(activation: type[nn.Module], depth: int, width: int = 32) -> nn.Sequential:
    torch.manual_seed(0)
    layers: dict[str, nn.Module] = {}
    for k in range(depth):
        layers |= {f"fc{k}": nn.Linear(width if k else 64, width), f"act{k}": activation()}
    return chain(**layers, out=nn.Linear(width, 10))


def digits_seen(model: nn.Module, optimizer: torch.optim.Optimizer, digits: Any, told: bool = True, steps: int = 200) -> Watch:
    x, y = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
    draw = torch.Generator().manual_seed(1)
    with watch(model, optimizer) as seen:
        for _ in range(steps):
            picks = torch.randint(0, len(x), (64,), generator=draw)
            answers = model(x[picks])
            loss = F.cross_entropy(answers, y[picks])
            if told:
                seen.loss(loss, (answers.argmax(1) == y[picks]).float().mean())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return seen


def sgd(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), rate)


def test_a_deep_chain_of_sigmoids_lets_the_gradient_vanish(digits: Any) -> None:
    model = learner(nn.Sigmoid, 6)
    worst = digits_seen(model, sgd(model, 0.1), digits).diagnose().worst
    assert worst is not None
    assert (worst.symptom, worst.cause) == ("vanishing-gradient", "activation")
    assert worst.layer is not None
    assert worst.layer.startswith("act")


def test_units_pushed_below_zero_are_dead(digits: Any) -> None:
    model = learner(nn.ReLU, 3)
    with torch.no_grad():
        model.fc1.bias.fill_(-50.0)
    found = {one.symptom: one for one in digits_seen(model, sgd(model, 0.05), digits).diagnose().findings}
    assert found["dead-relu"].layer == "act1"
    assert found["dead-relu"].severity == "fatal"


def test_inputs_out_of_scale_are_seen_on_their_way_in(digits: Any) -> None:
    model = learner(nn.Tanh, 2)
    scaled = type(digits)(**{**vars(digits), "x_train": digits.x_train * 100})
    diagnosis = digits_seen(model, sgd(model, 0.1), scaled).diagnose()
    assert diagnosis.has("inputs-not-standardized")
    assert diagnosis.has("saturated-activations")


def test_equal_weights_make_identical_units(digits: Any) -> None:
    model = learner(nn.Tanh, 2)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.01)
    found = {one.symptom: one for one in digits_seen(model, sgd(model, 0.1), digits).diagnose().findings}
    assert found["identical-units"].layer == "fc0"


@pytest.mark.parametrize("told", [True, False])
def test_too_high_a_rate_is_told_from_a_wrong_operation(told: bool, digits: Any) -> None:
    model = learner(nn.ReLU, 3)
    found = digits_seen(model, sgd(model, 20.0), digits, told).diagnose().findings
    lost = next(one for one in found if one.symptom == "not-a-number")
    assert lost.cause == "learning rate"
    model = chain(lift=nn.Linear(64, 32), log=Logarithm(), head=nn.Linear(32, 10))
    found = digits_seen(model, sgd(model, 0.1), digits, told).diagnose().findings
    assert [(one.symptom, one.layer, one.cause) for one in found] == [("not-a-number", "log", None)]
    assert "log in log" in found[0].words.en


def test_nothing_is_wrong_with_a_sound_training_and_without_a_loss_nobody_knows(digits: Any) -> None:
    verdicts = []
    for told in (True, False):
        model = learner(nn.ReLU, 2)
        verdicts.append(digits_seen(model, torch.optim.Adam(model.parameters(), 3e-3), digits, told, 400).diagnose())
    assert [verdict.verdict for verdict in verdicts] == ["healthy", "unknown"]
    assert "loss" in str(verdicts[1])
