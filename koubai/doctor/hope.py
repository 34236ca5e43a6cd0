r"""Which trainings under way are hopeless: ``stop = "diagnosis"`` stops them, and spends their time on the others.

It is judged at points of the history, from ``EARLY`` of the steps on, over a whole stack at once:

- *learning-rate-too-low*: all steps together cannot move the weights far enough. If all of them went the same way, those behind as far
  as the longest of them and those ahead as far as the longer of the last two measured (more or less by the schedule), no layer's
  weights would move by more than ``TRAVEL / sqrt(fan_in)`` of their size: a layer of width n learns by moving its weights by about
  1 / sqrt(n) (Jacot et al. 2018, arXiv:1806.07572; Lee et al. 2019, arXiv:1902.06720).
- *dead-relu*: a layer whose every activation is exactly 0 on the whole probe batch, twice in turn, passes nothing on and gets no gradient.
- *learning-rate-too-high*: the training loss is over ``BLOWN`` times the one before the first step and has risen again.
- from ``HALF`` of the steps on, whatever the diagnosis of the history so far calls fatal where the training is no better than guessing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from koubai.choices import Choice
from koubai.data import load
from koubai.doctor.case import Case
from koubai.doctor.diagnosis import diagnose
from koubai.doctor.finding import Finding, short
from koubai.language import UserError, Words
from koubai.networks.layers import Weighted
from koubai.spec import Trial
from koubai.techniques import SCHEDULES
from koubai.training.loop import DRAWN

if TYPE_CHECKING:
    from koubai.store import Record
    from koubai.training.loop import Training

EARLY = 0.05  # of the steps: before, momentum has not run up and rates have not warmed up
HALF = 0.5
TRAVEL = 0.3
BLOWN = 10.0
GUESSING = 1.5  # times the accuracy of guessing: no better than that


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen of trainings under way, all at the last of ``steps``.

    ``curves`` are ``[trial, point, ...]`` as far as they were taken, ``fans`` ``[weighted layer]`` the values that come into a unit,
    ``guessing`` the accuracy of always naming the most frequent class.
    """

    trials: Sequence[Trial]
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    steps: np.ndarray
    curves: Mapping[str, np.ndarray]
    fans: np.ndarray
    guessing: float


def past_hope(training: Training) -> dict[int, Finding]:
    """The trials of a training at a point of its history that are hopeless, by their number in ``trials``, each with the reason."""
    taken, layers = training.point, training.stack.network.layers
    if training.done or not taken:
        return {}
    sight = Sight(
        [training.trials[row] for row in training.rows], tuple(layer.label for layer in layers), tuple(layer.kind for layer in layers),
        np.array(training.marks[:taken]),
        {name: curve[training.rows, :taken] for name, curve in training.history.items() if name not in DRAWN},
        np.array([layer.fan_in for layer in layers if isinstance(layer, Weighted)]), _guessing(training.data.y_train),
    )  # fmt: skip
    return {int(training.rows[row]): finding for row, finding in judged(sight).items()}


def why(record: Record) -> Finding | None:
    """Why a stored trial was stopped; nothing for one that was not, or whose data are gone."""
    if not record.stopped:
        return None
    try:
        guessing = _guessing(load(record.trial.data).y_train)
    except UserError:
        return None
    taken = int(np.searchsorted(record.steps, record.stopped, side="right"))
    curves = {name: curve[None, :taken] for name, curve in record.history.items() if name not in DRAWN}
    weights = record.weights()
    fans = [int(np.prod(weights[f"{k}.weight"].shape[1:])) for k, kind in enumerate(record.kinds) if kind == "weights"]
    sight = Sight([record.trial], record.layers, record.kinds, record.steps[:taken], curves, np.array(fans), guessing)
    return judged(sight).get(0)


def judged(sight: Sight) -> dict[int, Finding]:
    """Those of the trials in sight that are hopeless, by number."""
    if len(sight.steps) < 3 or sight.steps[-1] < EARLY * sight.trials[0].steps:
        return {}
    found: dict[int, Finding] = {}
    for look in (_dead, _blown_up, _out_of_reach, _fatal):
        found = look(sight) | found
    return found


def _guessing(y: np.ndarray) -> float:
    """The accuracy of always naming the most frequent class; of a quantity the ``R^2`` of always naming its mean."""
    return 0.0 if y.dtype.kind == "f" else float(np.bincount(y).max() / len(y))


def _out_of_reach(sight: Sight) -> dict[int, Finding]:
    """Weights that no longer can get anywhere."""
    pace = np.nan_to_num(sight.curves["update"], nan=0.0, posinf=np.inf)  # a step, [trial, point, weighted layer]
    t, total = int(sight.steps[-1]), sight.trials[0].steps
    ahead = np.array([_ahead(trial.schedule, total, t) for trial in sight.trials])
    reach = t * pace.max(1) + ahead[:, None] * pace[:, -2:].max(1)
    gone = (reach < TRAVEL / np.sqrt(sight.fans)).all(1)
    return {int(row): _too_low(float(reach[row].max()), total) for row in np.flatnonzero(gone)}


@lru_cache(maxsize=1024)
def _ahead(schedule: Choice, total: int, t: int) -> float:
    """How many steps of the size of step ``t`` are left, as the schedule has it; at most a thousand are looked at."""
    steps = torch.linspace(t, total - 1, min(total - t, 1000), dtype=torch.float64).round()
    shares = SCHEDULES[schedule.name](torch.cat([torch.tensor([t - 1.0], dtype=torch.float64), steps]), total, **schedule.numbers)
    now, rest = float(shares[0]), float(shares[1:].mean()) * (total - t)
    return rest / now if now > 0 else math.inf if rest > 0 else 0.0


def _too_low(reach: float, total: int) -> Finding:
    share = short(100 * reach)
    words = Words(
        f"All {total:,} steps together can move no layer's weights by more than {share}% of their size.",
        f"全 {total:,} ステップがすべて同じ向きでも、どの層の重みも大きさの {share}% までしか動きません。",
    )
    return Finding("fatal", words, None, "learning rate", {"reach": reach}, "learning-rate-too-low")


def _dead(sight: Sight) -> dict[int, Finding]:
    """A layer that answers nothing but 0."""
    if "zeros" not in sight.curves:
        return {}
    silent = (sight.curves["zeros"][:, -2:] == 1).all(1)  # [trial, activation]
    labels = [label for label, kind in zip(sight.layers, sight.kinds, strict=True) if kind == "activation"]
    found = {}
    for row in np.flatnonzero(silent.any(1)):
        label = labels[int(silent[row].argmax())]
        words = Words(
            f"Every unit of {label} outputs 0 for every sample: nothing gets through.",
            f"{label} のすべてのユニットがどのサンプルにも 0 を返し、何も通しません。",
        )
        found[int(row)] = Finding("fatal", words, label, "activation", {"zeros": 1.0}, "dead-relu")
    return found


def _blown_up(sight: Sight) -> dict[int, Finding]:
    """A loss far above where it began, and rising."""
    loss = sight.curves["train_loss"]
    times = loss[:, -1] / loss[:, 0]
    found = {}
    for row in np.flatnonzero((times > BLOWN) & (loss[:, -1] > loss[:, -2])):
        words = Words(
            f"The loss is {short(times[row])} times what it was before the first step, and still rising.",
            f"損失が学習前の {short(times[row])} 倍になり、さらに増えています。",
        )
        found[int(row)] = Finding("fatal", words, None, "learning rate", {"times": float(times[row])}, "learning-rate-too-high")
    return found


def _fatal(sight: Sight) -> dict[int, Finding]:
    """What the diagnosis so far calls fatal, where the second half has begun and nothing was learned."""
    total = sight.trials[0].steps
    if sight.steps[-1] < HALF * total:
        return {}
    found = {}
    for row in np.flatnonzero((sight.curves["train_accuracy"][:, -2:] < GUESSING * sight.guessing).all(1)):
        trial, history = sight.trials[int(row)], {name: curve[row] for name, curve in sight.curves.items()}
        worst = diagnose(
            Case(
                sight.layers, sight.kinds, sight.steps, history, total, trial=trial, batch_size=trial.batch_size,
                learning_rate=trial.learning_rate,
            )
        ).worst  # fmt: skip
        if worst and worst.severity == "fatal":
            found[int(row)] = worst
    return found
