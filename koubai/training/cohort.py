"""Which trials train together, and how wide a stack of them is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable

from koubai.spec import Trial
from koubai.techniques import OPTIMIZERS

CPU_BYTES = 20 * 2**20  # of one stack; wider ones leave the cache (benchmarks/, docs/performance.md)
WIDEST = 4096


def together(trial: Trial) -> Hashable:
    """What trials must have in common to train in one stack: the same shapes and the same functions."""
    return (
        trial.data, trial.layers, trial.activation.name, trial.batch_norm, trial.dropout > 0,
        trial.optimizer.name, trial.penalty.name, trial.layer_rates, trial.batch_size, trial.steps, trial.dtype,
    )  # fmt: skip


def plan(
    trials: Iterable[Trial], shape: Callable[[Trial], tuple[int, int]], width: int | None = None, budget: int = CPU_BYTES
) -> list[list[Trial]]:
    """Stacks of trials, each at most ``width`` wide (default: as many as fit into ``budget`` bytes), near equal in width.

    ``shape(trial)`` gives the features and classes of its data. Within a stack the trials of one seed stand together.
    """
    cohorts: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        cohorts.setdefault(together(trial), []).append(trial)
    stacks = []
    for cohort in cohorts.values():
        cohort.sort(key=lambda trial: trial.seed)
        widest = width or max(1, min(WIDEST, budget // footprint(cohort[0], *shape(cohort[0]))))
        count = -(-len(cohort) // widest)
        bounds = [len(cohort) * part // count for part in range(count + 1)]
        stacks += [cohort[start:stop] for start, stop in itertools.pairwise(bounds)]
    return stacks


def footprint(trial: Trial, features: int, classes: int) -> int:
    """Bytes that one trial adds to a stack: weights, gradients, optimizer's memory and scratch, and a minibatch's values."""
    widths = [features, *trial.layers, classes]
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(widths))
    kinds = 3 + 3 * (trial.batch_norm != "none") + 2 * (trial.dropout > 0)
    values = trial.batch_size * (features + kinds * sum(widths[1:]))
    slots = len(OPTIMIZERS[trial.optimizer.name].slots)
    return (parameters * (3 + slots) + values) * (8 if trial.dtype == "float64" else 4)


def cost(trial: Trial, features: int, classes: int) -> float:
    """What one step of a trial costs beside others, about: its matrix products, and the passes over its values and weights."""
    widths = [features, *trial.layers, classes]
    products = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(widths)) * trial.batch_size
    return products + 20 * footprint(trial, features, classes)
