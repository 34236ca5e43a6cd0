"""Which trials train together, and how wide a stack of them is."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

import torch

from koubai.places import places
from koubai.spec import Trial
from koubai.techniques import OPTIMIZERS

# Of one stack; wider ones leave the cache (benchmarks/, docs/performance.md). It holds for images too: measured on one core, milliseconds
# a network and step at widths 1, 4, 16, the simple CNN on 8x8 takes 0.86, 0.43, 0.45 (20 fit), the deep one on 8x8 8.0, 7.0, 7.7 (2 fit),
# and on 28x28, where one alone is over the budget, 61, 65 and more.
CPU_BYTES = 20 * 2**20
WIDEST = 4096
# Of ``cost``: what each part of a network costs a step however few networks share it, times 40. A stack is wide enough to make this small
# beside the rest, even where it then leaves the cache: two of 64-100x5-10 with batch norm and dropout, side by side on an Intel Xeon,
# take 394, 380, 386 us a network and step at widths 6, 12, 18 (15, 30, 45 MB); without them widths from 6 to 36 are alike.
PART = 9e7
# Of ``CPU_BYTES``: beyond some 50 MB a stack waits for memory. The same at widths 24, 30, 36 (60, 75, 90 MB): 457, 508, 561 us.
FAR = 2
# Halves of a stack, one thread each, against the whole on two: on one core the notes' network takes 205, 67, 45, 38, 37 us a step at
# widths 1, 5, 12, 30, 60, while two threads on one stack of 60 gain a factor of 1.5 only, and wait for each other on a busy machine.
NARROW = 8
# Of ``cost`` in a step: what is heavier gains from two threads however narrow it is. Five networks 64-100x4-10 take 1.7 ms a step on one
# thread, their halves 0.8 and 1.1 beside each other; together on two threads 1.2 at best, and 257 on a machine that does other things.
LIGHT = 5.5e7

# What a layer of a written chain keeps for each of its output's values: the value and the gradient by it, and what some remember
# beside; a piecewise activation works in the memory of the layer before it.
HELD = {"relu": 0, "identity": 0, "sigmoid": 0, "tanh": 0, "maxpool": 4, "dropout": 3}

Shape = int | Sequence[int]  # of one sample


def together(trial: Trial) -> Hashable:
    """What trials must have in common to train in one stack: the same shapes and the same functions."""
    return (
        trial.data, trial.layers, trial.activation.name, trial.batch_norm, trial.dropout > 0,
        trial.optimizer.name, trial.penalty.name, trial.layer_rates, trial.batch_size, trial.steps, trial.dtype,
        trial.augment, trial.clip_grad_norm > 0,
    )  # fmt: skip


def plan(
    trials: Iterable[Trial],
    shape: Callable[[Trial], tuple[Shape, int]],
    width: int | None = None,
    budget: int = CPU_BYTES,
    workers: int = 1,
) -> list[list[Trial]]:
    """Stacks of trials, each at most ``width`` wide (default: ``widest`` of ``budget`` bytes), near equal in width.

    ``shape(trial)`` gives the shape of a sample and the classes of its data. Within a stack the trials of one seed stand together, and
    where all seeds have as many trials a stack takes all or none of a seed's, if they fit: their minibatches are gathered once. Trials
    that need several stacks get as many for each of ``workers``, and a stack with more than a worker's share of the whole is halved, so
    that none of them ends alone.
    """
    cohorts: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        cohorts.setdefault(together(trial), []).append(trial)
    stacks = []
    for cohort in cohorts.values():
        cohort.sort(key=lambda trial: trial.seed)
        most = width or widest(cohort[0], *shape(cohort[0]), budget)
        seeds = Counter(trial.seed for trial in cohort)
        each = seeds[cohort[0].seed]
        if each > most or len(set(seeds.values())) > 1:
            each = 1
        units = len(cohort) // each
        count = -(-units // (most // each))
        if count > 1:
            count = min(units, -(-count // workers) * workers)
        bounds = [units * part // count * each for part in range(count + 1)]
        stacks += [cohort[start:stop] for start, stop in itertools.pairwise(bounds)]
    return shared_out(stacks, shape, workers)


def light(stack: Sequence[Trial], shape: Callable[[Trial], tuple[Shape, int]]) -> bool:
    """Whether a step of a stack is so little work that a second thread is of no use to it."""
    return len(stack) * cost(stack[0], *shape(stack[0])) < LIGHT


def shared_out(stacks: list[list[Trial]], shape: Callable[[Trial], tuple[Shape, int]], workers: int) -> list[list[Trial]]:
    """Stacks, the heaviest first, none with more than a worker's share of the whole unless its halves were too little for a thread."""

    def heavy(load: float, stack: list[Trial]) -> bool:
        one = load / len(stack)  # with less than this above the share, halves would only be narrower
        return load > 1.1 * share and load - one >= share and (len(stack) >= 2 * NARROW or not light(stack, shape))

    loads = [(len(stack) * stack[0].steps * cost(stack[0], *shape(stack[0])), stack) for stack in stacks]
    share = sum(load for load, _ in loads) / workers
    while found := [k for k, (load, stack) in enumerate(loads) if heavy(load, stack)]:
        load, stack = loads.pop(max(found, key=lambda k: loads[k][0]))
        middle = len(stack) // 2
        about = range(middle - len(stack) // 20, middle + len(stack) // 20 + 1)  # between two seeds, if that is about the middle
        between = [cut for cut in about if stack[cut - 1].seed != stack[cut].seed]
        cut = min(between, key=lambda cut: abs(cut - middle), default=middle)
        loads += [(load * cut / len(stack), stack[:cut]), (load * (1 - cut / len(stack)), stack[cut:])]
    return [stack for _, stack in sorted(loads, key=lambda each: -each[0])]


def widest(trial: Trial, shape: Shape, classes: int, budget: int) -> int:
    """How many trials like this a stack takes: what fits into ``budget`` bytes, or as many as share a step's fixed costs well."""
    one = footprint(trial, shape, classes)
    sharing = PART * len(places(trial, shape, classes)) / cost(trial, shape, classes)
    return max(1, min(WIDEST, max(budget // one, min(int(sharing), FAR * budget // one))))


def footprint(trial: Trial, shape: Shape, classes: int) -> int:
    """Bytes that one trial adds to a stack: weights, gradients, optimizer's memory and scratch, and a minibatch's values."""
    planned = places(trial, shape, classes)
    parameters = sum(place.parameters for place in planned)
    if all(isinstance(item, int) for item in trial.layers):
        kinds = 3 + 3 * (trial.batch_norm != "none") + 2 * (trial.dropout > 0)
        values = kinds * sum(place.behind[0] for place in planned if place.part.name == "dense")
    else:
        values = sum(HELD.get(place.part.name, 2) * math.prod(place.behind) for place in planned)
    values = trial.batch_size * (math.prod(planned[0].before) + values)
    slots = len(OPTIMIZERS[trial.optimizer.name].slots)
    return (parameters * (3 + slots) + values) * (8 if trial.dtype == "float64" else 4)


def cost(trial: Trial, shape: Shape, classes: int) -> float:
    """What one step of a trial costs beside others, about: its matrix products, and the passes over its values and weights."""
    products = sum(place.products for place in places(trial, shape, classes)) * trial.batch_size
    return products + 20 * footprint(trial, shape, classes)


def budget(device: torch.device) -> int:
    """Bytes that a stack may take: what a processor's cache likes, or a quarter of what a GPU has free or PyTorch keeps for itself."""
    if device.type == "cpu":
        return CPU_BYTES
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (torch.cuda.mem_get_info(device)[0] + kept) // 4
