"""The pieces of training: minibatches, evaluation, the points of a history, and which trials stand together."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, log_loss

from koubai.data import Dataset
from koubai.networks.unstack import module
from koubai.spec import Trial
from koubai.techniques import KINDS
from koubai.training import plan, train
from koubai.training.cohort import CPU_BYTES, footprint, together
from koubai.training.loop import points
from koubai.training.minibatches import Minibatches
from koubai.training.stack import CHUNK, Stack, first_largest

SEEDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4, unique=True)


@given(SEEDS, st.integers(1, 40), st.data())
def test_every_sample_comes_once_an_epoch(seeds: list[int], samples: int, data: st.DataObject) -> None:
    batch = data.draw(st.integers(1, samples))
    steps = samples  # as many minibatches as there are samples: `batch` whole epochs
    picks = Minibatches(seeds, samples, batch).take(steps)
    assert picks.shape == (steps, len(seeds), batch) and picks.dtype == torch.int64
    for k in range(len(seeds)):
        epochs = picks[:, k].reshape(batch, samples)
        assert all(sorted(epoch) == list(range(samples)) for epoch in epochs.tolist())


@given(SEEDS, st.integers(1, 30), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.data())
def test_a_seeds_stream_is_its_own(seeds: list[int], samples: int, parts: list[int], data: st.DataObject) -> None:
    """Neither the other seeds nor the size of the portions it is taken in change it."""
    batch = data.draw(st.integers(1, samples))
    whole = Minibatches(seeds, samples, batch).take(sum(parts))
    for k, seed in enumerate(seeds):
        alone = Minibatches([seed], samples, batch)
        assert torch.equal(torch.cat([alone.take(part) for part in parts])[:, 0], whole[:, k])


def test_seeds_differ_and_orders_are_shuffled(untouched: None) -> None:
    one, two = (Minibatches([seed], 1000, 1000).take(2) for seed in (0, 1))
    assert not torch.equal(one, two) and not torch.equal(one[0], one[1])
    assert not torch.equal(one[0, 0], torch.arange(1000))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 7, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 88, 1437])
def test_evaluation_is_sklearns_log_loss_and_accuracy(samples: int, dtype: str, digits: Dataset, cpu: torch.device) -> None:
    trials = [Trial(layers=[9], initializer="he", seed=seed, dtype=dtype, batch_norm="before") for seed in (0, 1, 2)]
    stack = Stack(trials, digits, cpu)
    stack.advance(30)
    x, y = stack.x[-samples:], stack.y[-samples:]
    losses, accuracies = stack.evaluate(x, y)
    for row, trial in enumerate(trials):
        named = {
            f"{k}.{name}": tensor[row].numpy()
            for k, layer in enumerate(stack.network.layers)
            for name, tensor in ({p.name: p.value for p in layer.parameters} | layer.state).items()
        }
        with torch.no_grad():
            probabilities = module(trial, {k: v.copy() for k, v in named.items()})(x).double().softmax(1).numpy()
        want = log_loss(y.numpy(), probabilities, labels=range(10))
        assert losses[row].item() == pytest.approx(want, rel=1e-5 if dtype == "float32" else 1e-12)
        assert accuracies[row].item() == pytest.approx(accuracy_score(y.numpy(), probabilities.argmax(1)), abs=1e-12)


def test_the_last_point_of_a_history_takes_all_samples(digits: Dataset, cpu: torch.device) -> None:
    trial = Trial(layers=[9], steps=60, dtype="float64", batch_size=50)
    outcome = train([trial], digits, cpu)
    model = module(trial, {name: value[0] for name, value in outcome.weights.items()})
    for part, x, y in (("train", digits.x_train, digits.y_train), ("validation", digits.x_validation, digits.y_validation)):
        with torch.no_grad():
            probabilities = model(torch.from_numpy(x).double()).softmax(1).numpy()
        assert outcome.history[f"{part}_loss"][0, -1] == pytest.approx(log_loss(y, probabilities), rel=1e-12)
        assert outcome.history[f"{part}_accuracy"][0, -1] == pytest.approx(accuracy_score(y, probabilities.argmax(1)), rel=1e-6)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 5)),
        elements=st.sampled_from([-np.inf, -1, 0, 0.5, 2, np.inf]),
    )
)
def test_first_largest_is_argmax_and_the_first_where_several_tie(outputs: np.ndarray) -> None:
    found = first_largest(torch.from_numpy(outputs))
    assert np.array_equal(found.numpy(), outputs.argmax(1)[:, None])


def test_no_class_is_the_largest_where_outputs_are_not_numbers() -> None:
    outputs = torch.tensor([[[1.0, float("nan")], [0.0, 2.0], [3.0, 1.0]]])
    found = first_largest(outputs)
    assert found[0, 0, 0] == 2
    assert found[0, 0, 1] not in (0, 1, 2), "an answer that is no number is right for no label"


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 59, 60, 127, 128, 129, 2000, 10**6, 10**9])
def test_points_run_from_0_to_the_last_step(steps: int) -> None:
    marks = points(steps)
    assert marks[0] == 0 and marks[-1] == steps
    assert all(isinstance(mark, int) for mark in marks)
    assert all(a < b for a, b in itertools.pairwise(marks))
    assert 1 in marks, "the first step is looked at"
    assert len(marks) <= 25
    if steps >= 2000:
        assert len(marks) >= 20, "more than 20 in a training of the usual length"
        assert max(b - a for a, b in itertools.pairwise(marks)) <= steps / 12 + 1, "no long stretch goes unseen"


@given(st.integers(1, 10**9))
def test_points_of_any_length(steps: int) -> None:
    marks = points(steps)
    assert marks[0] == 0 and marks[-1] == steps and len(marks) <= 25 and sorted(set(marks)) == marks


def one_of(name: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(KINDS[name]))


TRIALS = st.builds(
    Trial,
    layers=st.sampled_from([[4], [4, 3]]),
    activation=st.sampled_from(["relu", "tanh", {"name": "elu", "alpha": 0.5}, "elu"]),
    initializer=one_of("initializer"),
    optimizer=st.sampled_from(["sgd", "adam", {"name": "adam", "beta1": 0.5}]),
    learning_rate=st.sampled_from([0.1, 0.2]),
    schedule=one_of("schedule"),
    penalty=st.sampled_from(["none", "l1", {"name": "l1", "strength": 0.5}]),
    batch_norm=st.sampled_from(["none", "after"]),
    dropout=st.sampled_from([0.0, 0.1, 0.2]),
    batch_size=st.sampled_from([10, 20]),
    steps=st.sampled_from([5, 6]),
    seed=st.integers(0, 3),
    dtype=st.sampled_from(["float32", "float64"]),
)


@given(st.lists(TRIALS, max_size=25, unique=True), st.one_of(st.none(), st.integers(1, 6)), st.integers(1, 10**5))
def test_every_trial_stands_in_one_stack_with_its_like(trials: list[Trial], width: int | None, budget: int) -> None:
    stacks = plan(trials, lambda trial: (64, 10), width, budget)
    assert sorted(trial.id for stack in stacks for trial in stack) == sorted(trial.id for trial in trials)
    by_cohort: dict[Any, list[int]] = {}
    for stack in stacks:
        assert stack and len({together(trial) for trial in stack}) == 1
        widest = width or max(1, budget // footprint(stack[0], 64, 10))
        assert len(stack) <= widest
        seeds = [trial.seed for trial in stack]
        assert seeds == sorted(seeds), "those of one seed share their minibatches: they stand together"
        by_cohort.setdefault(together(stack[0]), []).append(len(stack))
    for sizes in by_cohort.values():
        assert max(sizes) - min(sizes) <= 1, "near equal in width"
        limit = width or max(1, budget // footprint(next(t for t in trials if sizes is by_cohort[together(t)]), 64, 10))
        assert len(sizes) == -(-sum(sizes) // limit), "no more stacks than needed"


@pytest.mark.parametrize(
    ("seeds", "each", "workers", "widths"),
    [(10, 6, 2, [30, 30]), (10, 6, 1, [60]), (5, 6, 2, [15, 15]), (2, 6, 2, [12]), (1, 40, 2, [20, 20]), (16, 1, 8, [8, 8])],
)
def test_no_worker_is_left_without_a_share(seeds: int, each: int, workers: int, widths: list[int]) -> None:
    """One cohort alone is parted between the workers, between two seeds where that can be, unless the parts were too narrow."""
    trials = [Trial(layers=[4], seed=seed, learning_rate=0.1 + k) for seed in range(seeds) for k in range(each)]
    stacks = plan(trials, lambda trial: (64, 10), workers=workers)
    assert [len(stack) for stack in stacks] == widths
    assert [trial for stack in stacks for trial in stack] == trials


def test_cohorts_enough_for_all_workers_stay_whole() -> None:
    trials = [Trial(layers=[width], seed=seed) for width in (4, 5, 6) for seed in range(20)]
    assert [len(stack) for stack in plan(trials, lambda trial: (64, 10), workers=2)] == [20, 20, 20]


def test_heavy_networks_are_halved_for_two_threads_however_few_and_light_ones_stay_together() -> None:
    heavy, light = ([Trial(layers=[width] * 4, seed=seed) for seed in range(5)] for width in (100, 10))
    assert sorted(len(stack) for stack in plan(heavy, lambda trial: (64, 10), workers=2)) == [2, 3]
    assert [len(stack) for stack in plan(light, lambda trial: (64, 10), workers=2)] == [5]
    assert [len(stack) for stack in plan(heavy[:1], lambda trial: (64, 10), workers=2)] == [1]


@pytest.mark.parametrize("fields", [{}, {"batch_norm": "before", "dropout": 0.2}, {"layers": [1000] * 4}], ids=str)
def test_a_stack_takes_no_more_memory_than_twice_the_cache(fields: dict[str, Any]) -> None:
    trial = Trial(**({"layers": [100] * 5} | fields))
    (stack, *_) = plan([trial.replace({"seed": seed}) for seed in range(200)], lambda trial: (64, 10))
    assert len(stack) == 1 or len(stack) * footprint(trial, 64, 10) <= 2 * CPU_BYTES


@given(st.lists(TRIALS, min_size=2, max_size=12))
def test_trials_that_stand_together_have_the_same_shapes_and_functions(trials: list[Trial]) -> None:
    """What may differ inside a stack is numbers, schedules, first weights and seeds; nothing else does."""
    own = {"initializer", "learning_rate", "schedule", "seed"}
    for one in trials:
        for two in trials:
            if together(one) != together(two):
                continue
            for name in set(Trial.model_fields) - own:
                mine, theirs = getattr(one, name), getattr(two, name)
                if name == "dropout":
                    assert (mine > 0) == (theirs > 0)
                else:
                    assert getattr(mine, "name", mine) == getattr(theirs, "name", theirs), name


@pytest.mark.parametrize("fields", [{}, {"optimizer": "adam"}, {"dtype": "float64"}, {"batch_norm": "after"}, {"dropout": 0.5}])
def test_footprint_covers_what_a_stack_holds(fields: dict[str, Any], digits: Dataset, cpu: torch.device) -> None:
    """Counted from the tensors themselves: weights, gradients, memory, scratch and a minibatch's values."""
    trial = Trial(layers=[40, 20], **fields)
    stack = Stack([trial], digits, cpu)
    storages = {}
    tensors = [stack.network.weights, stack.network.gradients, *stack.slots, stack.batch, *stack.buffers.values]
    tensors += [tensor for tensor in stack.buffers.gradients if tensor is not None]
    tensors += [block.scratch for _, blocks in stack.paces for block in blocks]
    for tensor in tensors:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    held = sum(storages.values())
    assert held <= 1.05 * footprint(trial, 64, 10) <= 3 * held
