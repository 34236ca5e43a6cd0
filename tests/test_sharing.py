"""How the cores are shared: the stacks of a study that goes on, and which of them train side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from koubai import sharing
from koubai.sharing import by_threads, stacks_of
from koubai.spec import Trial
from koubai.study import Study

BASE = {"data": {"name": "moons", "samples": 60}, "layers": [3], "batch_size": 20}


def ids(stack: Sequence[Trial]) -> list[str]:
    return [trial.id for trial in stack]


def test_the_plan_of_what_is_left_is_that_of_the_whole() -> None:
    """Whatever stacks were finished or begun: each of the others stays as it was."""
    study = Study(BASE, axes={"activation": ["relu", "tanh"], "seed": 23})
    _, whole = stacks_of(study.trials, study.trials, [], 4, 20 * 2**20, 2)
    for done in range(len(whole)):
        for one in range(len(whole)):
            left = [stack for k, stack in enumerate(whole) if k > done or k == one]
            todo = [trial for stack in left for trial in stack]
            stacks, same = stacks_of(study.trials, todo, [tuple(whole[one])], 4, 20 * 2**20, 2)
            assert same == whole and sorted(map(ids, stacks)) == sorted(map(ids, left))
    odd = [trial for trial in study.trials if trial.seed != 5]  # a stack that is stored in part
    stacks, _ = stacks_of(study.trials, odd, [], 4, 20 * 2**20, 2)
    assert sorted(trial.id for stack in stacks for trial in stack) == sorted(trial.id for trial in odd)


FEW = [
    (2, [4, 2]),
    (3, [3, 3]),
    (4, [4, 0]),
    (6, [0, 0]),
    (1, [0, 0]),
]  # of five alike and three of another kind, on so many workers


@pytest.mark.parametrize(
    ("workers", "memory", "beside"), [*((n, 2**40, few) for n, few in FEW), (2, 10, [0, 0]), (2, None, [4, 2])]
)
def test_large_stacks_train_side_by_side_where_no_thread_is_left_without_one(
    monkeypatch: pytest.MonkeyPatch, workers: int, memory: int | None, beside: list[int]
) -> None:
    """If they fit into memory. The rest take all threads, one after another; one that goes on does as it would have."""
    monkeypatch.setattr(sharing, "total_memory", lambda: memory)
    kinds = [[[Trial(**BASE, activation=name, seed=seed)] for seed in range(count)] for name, count in (("relu", 5), ("tanh", 3))]
    whole = [stack for kind in kinds for stack in kind]
    alone, together = by_threads(whole, whole, room=1, workers=workers, chosen=True)
    assert [sum(stack in alone for stack in kind) for kind in kinds] == beside
    assert sorted(map(ids, [*alone, *together])) == sorted(map(ids, whole))
    rest = whole[1:]
    left = tuple([stack for stack in part if stack in rest] for part in (alone, together))
    assert by_threads(rest, whole, room=1, workers=workers, chosen=True) == left
