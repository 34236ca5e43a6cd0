"""What the doctor looks at: the history of one training, and what else is known of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from koubai.doctor.finding import GOOD, Unknown
from koubai.doctor.origin import Origin
from koubai.doctor.reachable import LOOKED_AT, reachable
from koubai.doctor.seen import Seen
from koubai.language import UserError

if TYPE_CHECKING:
    from koubai.data import Dataset
    from koubai.spec import Data, Trial
    from koubai.store import Record

ERRORS = 3  # standard errors, the usual number, beyond which a difference is none of chance
ANSWERED = 400  # validation samples of a class at most
MEASURED = 10_000  # training samples that means and spreads are taken of,
BYTES = 2**28  # and features of them


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of the training data.

    ``counts`` ``[class]`` are training samples, ``mean`` and ``spread`` ``[feature]`` (standard deviation) are what the network is
    given; ``reachable`` is the share of samples whose labels simpler methods tell from others, NaN where nobody looked.
    """

    counts: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    reachable: float = float("nan")

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, classes: int) -> Facts:
        """The facts of training samples ``x`` ``[sample, feature]`` (or of the first of them) with labels ``y`` ``[sample]``.

        Where ``y`` is a quantity, all samples count as one class.
        """
        quantity = y.dtype.kind == "f"
        counts = np.array([len(y)]) if quantity else np.bincount(y, minlength=classes)
        few = x[:MEASURED]
        least = float("nan") if quantity else reachable(x, y)
        return cls(counts, few.mean(0, dtype=np.float64), few.std(0, dtype=np.float64), least)

    @property
    def samples(self) -> int:
        """How many training samples there are."""
        return int(self.counts.sum())

    def doubt(self, share: float) -> float:
        """The standard error of such a share of the samples that ``reachable`` is taken of."""
        return math.sqrt(max(share * (1 - share), 0) / max(min(self.samples, LOOKED_AT), 1))

    @property
    def sizes(self) -> np.ndarray:
        """The root mean square of each feature ``[feature]``."""
        return np.asarray(np.sqrt(self.mean**2 + self.spread**2))

    @property
    def shares(self) -> np.ndarray:
        """The share of each class ``[class]``."""
        return np.asarray(self.counts / max(self.samples, 1))


@dataclass(frozen=True, eq=False)
class Case:
    """One training as the doctor sees it, finished or under way.

    ``layers`` are labels from the input to the output, ``kinds`` say what each does to the gradient (``"weights"``, ``"activation"``,
    ``"normalization"``, ``"dropout"``, ``"pooling"``, ``"flatten"`` or another word). ``steps`` ``[point]`` are the points taken so
    far, of ``budget`` steps in all. ``history`` has a curve ``[point, ...]`` a name, as ``training.ledger.snapshot`` and ``training.train``
    name them, without the trial axis; what is not known is left out, and what could not be taken is NaN:

    - ``gradient`` ``[point, layer]``: the gradient's norm at each layer's output; of a watched model also ``factor``, see ``factors``;
    - ``weight_gradient``, ``weight``, ``update``, ``apart`` ``[point, weighted layer]``, in the order of the layers of kind ``"weights"``;
    - ``mean``, ``std``, ``saturated``, ``dead``, ``zeros`` ``[point, activation]``, in the order of those of kind ``"activation"``;
    - ``loss`` (mean over the minibatches since the last point), ``train_loss``, ``train_accuracy``, ``validation_loss``,
      ``validation_accuracy`` ``[point]``.

    ``histogram``, ``low`` and ``high`` are taken at ``histogram_steps``. ``diverged`` is the step at which the loss stopped being a number,
    0 where it did not. ``batch_size`` and ``learning_rate`` come from the ``trial`` where there is one; ``recall`` gives the share of right
    answers of each class ``[class]`` on validation samples (NaN where there are none), and is only asked where classes are uneven.
    ``origin`` says where numbers were lost, where that was traced; ``inputs`` ``[feature]`` are the root mean squares of what goes in,
    where a watch has seen it, and ``seen`` how the training is put together.
    """

    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    steps: np.ndarray
    history: Mapping[str, np.ndarray]
    budget: int = 0
    diverged: int = 0
    histogram_steps: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    trial: Trial | None = None
    facts: Facts | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    recall: Callable[[], np.ndarray] | None = None
    origin: Origin | None = None
    inputs: np.ndarray | None = None
    seen: Seen | None = None

    @classmethod
    def of(cls, record: Record, facts: Facts | None = None) -> Case:
        """The case of a finished trial. The ``facts`` of its data are looked up where they are not given and the data are still there."""
        trial = record.trial
        return cls(
            record.layers, record.kinds, record.steps, record.history, trial.steps, record.diverged, record.histogram_steps,
            trial, facts or facts_of(trial.data), trial.batch_size, trial.learning_rate, lambda: recalls(record),
        )  # fmt: skip

    def need(self, name: str) -> np.ndarray:
        """A curve of the history, at the points where it was taken; raises ``Unknown`` where it was not, or only once."""
        curve = self.history.get(name)
        if curve is None:
            raise Unknown(f"{name} was not recorded.", f"{name} が記録されていません。")
        taken = np.asarray(curve)[: self.taken]
        if len(taken) < 2 or not np.isfinite(taken).any():
            raise Unknown(f"{name} was recorded at fewer than two points.", f"{name} の記録が2点に足りません。")
        return taken

    @cached_property
    def taken(self) -> int:
        """How many points have been taken, those before a divergence."""
        some = next((curve for name, curve in self.history.items() if name in ("gradient", "train_loss", "loss")), None)
        if some is None:
            return len(self.steps)
        flat = np.asarray(some, dtype=np.float64).reshape(len(some), -1)
        there = np.flatnonzero(~np.isnan(flat).all(1))
        return int(there[-1]) + 1 if len(there) else 0

    @property
    def regression(self) -> bool:
        """Whether a quantity is predicted, and accuracies are ``R^2``."""
        return "validation_rmse" in self.history

    def where(self, kind: str) -> list[int]:
        """The places of the layers of a kind."""
        return [k for k, one in enumerate(self.kinds) if one == kind]

    def label(self, kind: str, number: int) -> str:
        """The label of the layer of a kind with this number, from 0."""
        return self.layers[self.where(kind)[number]]

    @cached_property
    def fit(self) -> np.ndarray:
        """The training loss ``[point]``: ``train_loss``, or the minibatches' ``loss`` where that alone is known. Raises ``Unknown``."""
        if not self.history.keys() & {"train_loss", "loss"}:
            raise Unknown(
                "The loss is not known; watch.loss(loss) tells it.", "損失がわかりません。watch.loss(loss) で伝えてください。"
            )
        return self.need("train_loss" if "train_loss" in self.history else "loss").astype(np.float64)

    @cached_property
    def guess(self) -> float:
        """The loss of one who knows the classes' shares and nothing else: their entropy; without ``facts``, the first loss.

        Of a quantity, which is standardized, it is that of its mean: 1.
        """
        if self.regression:
            return 1.0
        if self.facts is None:
            return float(self.fit[np.isfinite(self.fit)][0])
        shares = self.facts.shares[self.facts.shares > 0]
        return float(-(shares * np.log(shares)).sum())

    @cached_property
    def learned(self) -> float:
        """How much of what is to be learned has been: ``1 - loss / guess``; 1 where the loss is 0, below 0 where guessing is better."""
        end = self.fit[-1]
        return float(1 - end / self.guess) if np.isfinite(end) and self.guess > 0 else -np.inf

    @cached_property
    def fitted(self) -> float:
        """The training accuracy at the end, 0 at guessing (always the largest class) and 1 at all right, or ``R^2``.

        Where it is not known, ``learned``, or a good validation accuracy if that is higher: a loss need not be able to come near 0.
        """
        if "train_accuracy" not in self.history:
            told = float(self.history["validation_accuracy"][self.taken - 1]) if "validation_accuracy" in self.history else 0.0
            return max(self.learned, told) if told >= GOOD.value else self.learned
        floor = float(self.facts.shares.max()) if self.facts and not self.regression else 0.0
        end = float(self.need("train_accuracy")[-1])
        return (end - floor) / (1 - floor) if floor < 1 and np.isfinite(end) else 0.0

    def enough(self, errors: float = ERRORS) -> bool:
        """Whether as much of the training samples is right as simpler methods reach on others: what is left may be noise.

        That is, no less than that by so many standard ``errors`` and more than half of its way from guessing. Where that is itself no more
        than guessing by ``ERRORS``, it says nothing.
        """
        if self.facts is None or not math.isfinite(least := self.facts.reachable):
            return False
        guess, right = float(self.facts.shares.max()), float(self.need("train_accuracy")[-1])
        if least <= guess + ERRORS * self.facts.doubt(guess):
            return False
        return right >= max(least - errors * self.facts.doubt(least), (guess + least) / 2)

    def poor(self, limit: float) -> bool:
        """Whether the fit is below ``limit``, and simpler methods do better."""
        return self.fitted < limit and not self.enough()

    def level(self, begin: float, end: float, curve: np.ndarray | None = None) -> float:
        """The mean of a curve, or of the training loss, between two shares of the steps taken, by straight lines between the points."""
        steps = self.steps[: self.taken]
        return float(np.interp(np.linspace(begin, end, 8) * steps[-1], steps, self.fit if curve is None else curve).mean())

    @property
    def sizes(self) -> np.ndarray | None:
        """The root mean square of each feature of the inputs ``[feature]``, where it is known."""
        return self.facts.sizes if self.facts and self.inputs is None else self.inputs

    def after(self, share: float) -> int:
        """The first point at or after so much of the steps taken."""
        return int(np.searchsorted(self.steps[: self.taken], share * self.steps[self.taken - 1]))

    @cached_property
    def travel(self) -> np.ndarray:
        """How far each layer's weights went in all steps taken, in units of their size: the median step times the steps ``[weighted]``."""
        update = self.need("update")[1:]
        if not np.isfinite(update).any():
            raise Unknown("The size of the steps was not recorded.", "更新量の記録がありません。")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a layer without a number stays without one
            return np.asarray(np.nanmedian(update, axis=0) * float(self.steps[self.taken - 1]))

    @cached_property
    def factors(self) -> np.ndarray:
        """By what each layer multiplies the gradient on its way down, ``[point, layer]``; NaN for the first, which passes it to nobody.

        In a chain it is told by the layer before; a model with branches was measured layer by layer.
        """
        if "factor" in self.history:
            return self.need("factor")
        gradient = self.need("gradient").astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.concatenate([np.full((len(gradient), 1), np.nan), gradient[:, :-1] / gradient[:, 1:]], axis=1)


def facts_of(spec: Data) -> Facts | None:
    """The facts of the data that ``spec`` names; nothing where they are no longer there."""
    from koubai.data import load

    try:
        return _facts(load(spec))
    except UserError:
        return None


@lru_cache(maxsize=8)
def _facts(data: Dataset) -> Facts:
    most = max(2, min(MEASURED, BYTES // (4 * data.features)))
    return Facts.of(np.asarray(data.x_train[:most]), data.y_train, data.outputs)


def recalls(record: Record) -> np.ndarray:
    """The share of right answers of each class on at most ``ANSWERED`` validation samples of it."""
    import torch

    from koubai.data import load
    from koubai.networks.unstack import module

    data: Dataset = load(record.trial.data)
    network = module(record.trial, record.weights(), data.shape).eval()
    found = np.full(len(data.classes), np.nan)
    for label in range(len(found)):
        x = np.asarray(data.x_validation[np.flatnonzero(data.y_validation == label)[:ANSWERED]])
        if len(x):
            with torch.no_grad():
                answers = network(torch.from_numpy(x).to(next(network.parameters()).dtype)).argmax(1)
            found[label] = float((answers == label).double().mean())
    return found
