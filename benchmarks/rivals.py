"""The competitors, in full: what a good engineer would write. Each trains ``steps`` steps and returns its seconds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from koubai.spec import Trial

CPU = torch.device("cpu")
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
}


def modules(trial: Trial, features: int, classes: int) -> nn.Sequential:
    """The trial's network of dense layers, as modules."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise((features, *map(int, trial.layers))):
        layers.append(nn.Linear(fan_in, fan_out))
        if trial.batch_norm == "before":
            layers.append(nn.BatchNorm1d(fan_out))
        layers.append(nn.ReLU())
        if trial.dropout:
            layers.append(nn.Dropout(trial.dropout))
    return nn.Sequential(*layers, nn.Linear(int(trial.layers[-1]), classes))


def plain_pytorch(trial: Trial, x: np.ndarray, y: np.ndarray, steps: int, device: torch.device = CPU) -> float:
    """One network: modules, ``torch.optim``, data where it trains, minibatches by indexing, no DataLoader, no logging."""
    model = modules(trial, x.shape[1], int(y.max()) + 1).to(device)
    optimizer = OPTIMIZERS[trial.optimizer.name](model.parameters(), lr=trial.learning_rate)
    return loop(model, optimizer, torch.from_numpy(x).to(device), torch.from_numpy(y).to(device), trial.batch_size, steps)


def loop(model: nn.Module, optimizer: torch.optim.Optimizer, features: Tensor, labels: Tensor, batch: int, steps: int) -> float:
    """The loop that everybody writes."""
    criterion = nn.CrossEntropyLoss()
    begun = time.perf_counter()
    for _ in range(steps):
        picks = torch.randint(0, len(features), (batch,), device=features.device)
        loss = criterion(model(features[picks]), labels[picks])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    finish(features.device)
    return time.perf_counter() - begun


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def vmapped(trial: Trial, x: np.ndarray, y: np.ndarray, steps: int, count: int, device: torch.device = CPU) -> float:
    """``count`` networks at once, as PyTorch's tutorial on model ensembling has it: ``stack_module_state``, ``vmap`` and Adam."""
    features, labels = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    models = [modules(trial, x.shape[1], int(y.max()) + 1).to(device) for _ in range(count)]
    parameters, _ = stack_module_state(models)
    skeleton = modules(trial, x.shape[1], int(y.max()) + 1).to("meta")
    optimizer = torch.optim.Adam(list(parameters.values()), lr=trial.learning_rate)

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(skeleton, parameters, (x,)), y)

    gradients = vmap(grad(loss))
    begun = time.perf_counter()
    for _ in range(steps):
        picks = torch.randint(0, len(features), (count, trial.batch_size), device=device)
        found = gradients(parameters, features[picks], labels[picks])
        for name, parameter in parameters.items():
            parameter.grad = found[name].detach()
        optimizer.step()
    finish(device)
    return time.perf_counter() - begun


def jax_scan(trial: Trial, x: np.ndarray, y: np.ndarray, steps: int, count: int) -> tuple[Callable[[], float], float]:
    """``count`` networks at once in JAX: Adam's step under ``vmap``, the steps under ``scan``, all compiled by XLA.

    Gives what trains and returns its seconds, and the seconds that compiling took. Raises ``ImportError`` where JAX is not installed.
    """
    jax: Any = import_module("jax")
    jnp: Any = import_module("jax.numpy")
    sizes = (x.shape[1], *map(int, trial.layers), int(y.max()) + 1)
    draw = np.random.default_rng(0)
    layers = [
        (
            draw.standard_normal((count, i, o), dtype=np.float32) * np.sqrt(2 / i, dtype=np.float32),
            np.zeros((count, o), np.float32),
        )
        for i, o in itertools.pairwise(sizes)
    ]
    picks = draw.integers(0, len(x), (steps, count, trial.batch_size), dtype=np.int32)
    features, labels = jnp.asarray(x), jnp.asarray(y)

    def loss(layers: Any, x: Any, y: Any) -> Any:
        for w, b in layers[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = layers[-1]
        return -jnp.take_along_axis(jax.nn.log_softmax(x @ w + b), y[:, None], 1).mean()

    def adam(state: Any, picked: Any) -> tuple[Any, None]:
        t, w, m, v = state
        g = jax.grad(loss)(w, features[picked], labels[picked])
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate = trial.learning_rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), w, m, v)
        return (t, w, m, v), None

    train = jax.jit(lambda state, picks: jax.lax.scan(jax.vmap(adam), state, picks)[0])
    zeros = jax.tree.map(np.zeros_like, layers)
    state = (np.zeros(count, np.float32), layers, zeros, zeros)
    begun = time.perf_counter()
    compiled = train.lower(state, picks).compile()
    seconds = time.perf_counter() - begun

    def again() -> float:
        begun = time.perf_counter()
        jax.block_until_ready(compiled(state, picks))
        return time.perf_counter() - begun

    return again, seconds


def numpy_by_hand(trial: Trial, x: np.ndarray, y: np.ndarray, steps: int) -> float:
    """The chain rule in NumPy, float32, Adam, as textbooks write it."""
    draw, batch = np.random.default_rng(0), trial.batch_size
    shapes = list(itertools.pairwise((x.shape[1], *map(int, trial.layers), int(y.max()) + 1)))
    weights = [(draw.standard_normal(s) * np.sqrt(2 / s[0])).astype(np.float32) for s in shapes]
    biases = [np.zeros(s[1], np.float32) for s in shapes]
    parameters = [*weights, *biases]
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    begun = time.perf_counter()
    for t in range(1, steps + 1):
        picks = draw.integers(0, len(x), batch)
        values = [x[picks]]
        for w, b in zip(weights, biases, strict=True):
            z = values[-1] @ w + b
            values.append(np.maximum(z, 0) if w is not weights[-1] else z)
        p = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(batch), y[picks]] -= 1
        d = p / batch
        d_weights: list[np.ndarray] = []
        d_biases: list[np.ndarray] = []
        for k in range(len(weights) - 1, -1, -1):
            d_weights.insert(0, values[k].T @ d)
            d_biases.insert(0, d.sum(0))
            if k:
                d = (d @ weights[k].T) * (values[k] > 0)
        for k, (parameter, gradient) in enumerate(zip(parameters, [*d_weights, *d_biases], strict=True)):
            m[k] += 0.1 * (gradient - m[k])
            v[k] += 0.001 * (gradient * gradient - v[k])
            parameter -= np.float32(1e-3 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)) * m[k] / (np.sqrt(v[k]) + 1e-8)
    return time.perf_counter() - begun


def best_of_threads(train: Callable[[], float], threads: Sequence[int]) -> float:
    """The better of a rival's times over numbers of PyTorch's threads: small networks are quicker on one."""
    before, found = torch.get_num_threads(), []
    for count in threads:
        torch.set_num_threads(count)
        found.append(train())
    torch.set_num_threads(before)
    return min(found)
