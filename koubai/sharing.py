"""How the cores are shared: which stacks a study's trials train in, and which of them train side by side."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from koubai.caution import shape_and_classes, total_memory
from koubai.spec import Trial
from koubai.training import plan
from koubai.training.cohort import footprint, light, together
from koubai.training.kernels import by_onednn

MEMORY, SHARE = 2**33, 4  # bytes of a machine that does not say; of it, what large stacks side by side may take: a quarter


def stacks_of(
    trials: Sequence[Trial], todo: Sequence[Trial], begun: Collection[Sequence[Trial]], width: int | None, room: int, workers: int
) -> tuple[list[list[Trial]], list[list[Trial]]]:
    """The stacks in which ``todo`` is trained, and those in which all of ``trials`` would have been.

    A stack that was ``begun`` goes on as it was. The others are those of the whole study, so that one that was interrupted and goes on
    trains the same stacks as one that was not; only trials whose stack is stored in part are planned anew.
    """
    taken = [list(stack) for stack in begun]
    left = {trial.id for trial in todo} - {trial.id for stack in taken for trial in stack}
    whole = plan(trials, shape_and_classes, width, room, workers)
    same = [stack for stack in whole if all(trial.id in left for trial in stack)]
    left -= {trial.id for stack in same for trial in stack}
    return [*taken, *same, *plan([t for t in todo if t.id in left], shape_and_classes, width, room, workers)], whole


def by_threads(
    stacks: Sequence[list[Trial]], whole: Sequence[list[Trial]], room: int, workers: int, chosen: bool
) -> tuple[list[list[Trial]], list[list[Trial]]]:
    """The stacks that one thread each trains best, side by side, and those that take all threads, one after another.

    Small ones do with one thread where several stacks of the ``whole`` study are small. One that is small by itself does where its
    steps are so little work that a second is of no use, unless the number of threads was ``chosen``. Of large ones those do that are
    enough of a kind to keep all ``workers`` at work to their end.
    """
    beside = workers > 1 and sum(is_small(stack, room) for stack in whole) > 1
    alike = enough_alike([stack for stack in whole if not is_small(stack, room)], workers)
    small: list[list[Trial]] = []
    large: list[list[Trial]] = []
    for stack in stacks:
        light_alone = workers > 1 and not chosen and light(stack, shape_and_classes)
        alone = beside or light_alone if is_small(stack, room) else stack[0].id in alike
        (small if alone else large).append(stack)
    # trainings whose products are made by two libraries would wait for each other
    small.sort(key=lambda stack: not by_onednn(stack, *shape_and_classes(stack[0])))
    return small, large


def enough_alike(stacks: Sequence[list[Trial]], workers: int) -> set[str]:
    """The first trials of those large stacks of which ``workers``, or twice as many, or thrice, are alike and fit into memory.

    Beside each other on one thread each they take less time than one after another on all: on two cores 1.23 times less for the simple CNN
    on 28x28, 1.1 for 64-1000x2-10, 1.04 for the deep CNN, as much for AlexNet; and much less in a process that has used its threads before.
    """
    most = (total_memory() or MEMORY) / SHARE / workers
    cohorts: dict[Hashable, list[str]] = {}
    for stack in stacks:
        if len(stack) * footprint(stack[0], *shape_and_classes(stack[0])) <= most:
            cohorts.setdefault(together(stack[0]), []).append(stack[0].id)
    return {id for ids in cohorts.values() for id in ids[: len(ids) // workers * workers]} if workers > 1 else set()


def is_small(stack: Sequence[Trial], room: int) -> bool:
    """Whether a stack leaves room for others beside it."""
    return footprint(stack[0], *shape_and_classes(stack[0])) <= room
