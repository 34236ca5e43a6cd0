"""What a claim compares: one number from the runs of one seed.

A measure takes the runs that a claim's selection leaves for one seed (one run, or several where an axis was left free,
such as all learning rates) and gives a float. A diverged trial counts as guessing: accuracy ``1 / classes``.
Where a quantity is predicted, the accuracy of a history is ``R^2``, and guessing, always its mean, is 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.data import load
from koubai.language import Words
from koubai.places import Place, places
from koubai.store import Record

if TYPE_CHECKING:
    from koubai.landscapes import Path

NOTHING = -20.0  # decades: as good as no gradient
Runs = Sequence[Any]  # of Record or Path


@dataclass(frozen=True)
class Measure:
    """A measure, its words and its unit (``""`` for a share or a count without one)."""

    function: Callable[[Runs], float]
    words: Words
    unit: Words = Words("", "")


MEASURES: dict[str, Measure] = {}


def measure(
    name: str, en: str, ja: str, unit: Words | None = None, together: bool = False
) -> Callable[[Callable[[Any], float]], Callable[[Any], float]]:
    """Register the function below as a measure: of one run, whose mean over several is taken, or of all of them ``together``."""

    def register(function: Callable[[Any], float]) -> Callable[[Any], float]:
        def mean(runs: Runs) -> float:
            return float(np.mean([function(run) for run in runs]))

        MEASURES[name] = Measure(function if together else mean, Words(en, ja), unit or Words("", ""))
        return function

    return register


STEPS = Words("steps", "ステップ")
DECADES = Words("decades", "桁")


def accuracy(record: Record, part: str = "validation") -> float:
    """Final accuracy; guessing for a trial that diverged, the last that was measured for one that was stopped."""
    curve = record.history[f"{part}_accuracy"]
    value = float(curve[np.isfinite(curve)][-1] if record.stopped else curve[-1])
    return value if math.isfinite(value) else guessing(record)


def guessing(record: Record) -> float:
    """The accuracy of an answer that does not look at the sample."""
    return 0.0 if is_regression(record) else 1 / classes(record)


def is_regression(record: Record) -> bool:
    """Whether a trial predicts a quantity."""
    return "validation_rmse" in record.history


def scored(words: Words, records: Iterable[Record]) -> Words:
    """Words on accuracy as they hold for these runs: of a quantity that is predicted it is R²."""
    return named(words, {is_regression(record) for record in records})


def named(words: Words, kinds: Collection[bool]) -> Words:
    """Words on accuracy, where among the runs are such that predict a quantity, such that do not, or both."""
    if True not in kinds:
        return words
    en, ja = ("accuracy or R²", "精度またはR²") if False in kinds else ("R²", "R²")
    return Words(re.sub("[Aa]ccuracy", en, words.en), words.ja.replace("精度", ja))


def spelled(value: float, regression: bool) -> str:
    """An accuracy, or R², as a reader wants it."""
    return f"{value:.1%}" if not regression else f"{value:z.3f}" if abs(value) < 100 else f"{value:.2g}"


def classes(record: Record) -> int:
    """How many classes a trial tells apart."""
    return len(record.weights()[f"{len(record.layers) - 1}.bias"])


@measure("validation accuracy", "validation accuracy at the end", "最終の検証精度")
def _(run: Record) -> float:
    return accuracy(run)


@measure("above guessing", "validation accuracy above guessing", "検証精度(当て推量との差)")
def _(run: Record) -> float:
    return accuracy(run) - guessing(run)


@measure("train accuracy", "training accuracy at the end", "最終の訓練精度")
def _(run: Record) -> float:
    return accuracy(run, "train")


@measure("gap", "training minus validation accuracy at the end", "最終の訓練精度と検証精度の差")
def _(run: Record) -> float:
    return accuracy(run, "train") - accuracy(run)


@measure("best accuracy", "validation accuracy at the best of the learning rates", "最良の学習率での検証精度", together=True)
def _(runs: Runs) -> float:
    return max(accuracy(run) for run in runs)


@measure(
    "range of rates",
    "range of learning rates within 5 points of the best accuracy",
    "最良の精度から5ポイント以内の学習率の幅",
    DECADES,
    together=True,
)
def _(runs: Runs) -> float:
    """Decades of learning rate, counted in the grid's own spacing."""
    rates = np.log10([run.trial.learning_rate for run in runs])
    reached = np.array([accuracy(run) for run in runs])
    spacing = float(np.diff(np.sort(rates)).min()) if len(rates) > 1 else 1.0
    return float((reached >= reached.max() - 0.05).sum() * spacing)


@measure(
    "attenuation",
    "gradient at the first layer over that at the last, at the start",
    "学習開始時の、最初の層と最後の層の勾配の比",
    DECADES,
)
def _(run: Record) -> float:
    return attenuation(run.history["gradient"][0])


def attenuation(gradient: np.ndarray) -> float:
    """``log10(|dL/dz_1| / |dL/dz_L|)`` of gradient norms ``[layer]``, at least ``NOTHING``, which it is where none arrives."""
    return max(math.log10(gradient[0] / gradient[-1]), NOTHING) if gradient[0] > 0 and gradient[-1] > 0 else NOTHING


@measure(
    "activation factor", "largest factor of an activation on the gradient", "活性化関数が勾配にかける倍率の最大", together=True
)
def _(runs: Runs) -> float:
    """The largest ``|dL/dz| / |dL/da|`` of any layer at any recorded step."""
    with np.errstate(invalid="ignore"):  # 0 / 0 where no gradient arrives: nothing to measure
        factors = [
            run.history["gradient"][:, k - 1] / run.history["gradient"][:, k]
            for run in runs
            for k, kind in enumerate(run.kinds)
            if kind == "activation"
        ]
    return float(np.nanmax(factors))


@measure("zeros", "share of activations that are exactly 0", "ちょうど0の活性の割合")
def _(run: Record) -> float:
    return float(run.history["zeros"][-1].mean())


@measure("small weights", "share of weights under a hundredth of the largest", "最大の重みの100分の1に満たない重みの割合")
def _(run: Record) -> float:
    weights = [np.abs(value) for value in dense_weights(run)]
    return float(np.concatenate([(w < w.max() / 100).ravel() for w in weights]).mean())


def dense_weights(record: Record) -> list[np.ndarray]:
    """The final weight matrices, first to last."""
    weights = record.weights()
    return [weights[f"{k}.weight"] for k, kind in enumerate(record.kinds) if kind == "weights"]


@measure("unit spread", "largest difference between two units of a hidden layer", "隠れ層のユニットどうしの最大の差")
def _(run: Record) -> float:
    return max(float(np.ptp(w, axis=0).max()) for w in dense_weights(run)[:-1])


@measure("steps to 80%", "steps to 80% validation accuracy", "検証精度80%までのステップ数", STEPS)
def _(run: Record) -> float:
    return first_step(run, 0.8)


def first_step(record: Record, reached: float) -> float:
    """The step at which the validation accuracy first reaches a value, between two recorded steps by a straight line.

    The whole budget where it never does.
    """
    curve = np.nan_to_num(record.history["validation_accuracy"])
    over = np.flatnonzero(curve >= reached)
    if not len(over):
        return float(record.trial.steps)
    k = int(over[0])
    if k == 0:
        return 0.0
    share = (reached - curve[k - 1]) / (curve[k] - curve[k - 1])
    return float(record.steps[k - 1] + share * (record.steps[k] - record.steps[k - 1]))


@measure(
    "convolution share",
    "share of a forward pass's multiplications that convolutions make",
    "順伝播の乗算に占める畳み込み層の割合",
)
def _(run: Record) -> float:
    products = {place.label: place.products for place in planned(run)}
    return sum(count for label, count in products.items() if label.startswith("conv ")) / sum(products.values())


def planned(record: Record) -> list[Place]:
    """The layers of a trial's network, as its data make them."""
    data = load(record.trial.data)
    return places(record.trial, data.shape, data.outputs)


@measure("im2col error", "|col2im(im2col(x)) - x| / |x| on an image", "画像での |col2im(im2col(x)) - x| / |x|")
def _(run: Record) -> float:
    return there_and_back(run, divided=False)


@measure(
    "im2col error, divided",
    "|col2im(im2col(x)) / overlaps - x| / |x| on an image",
    "画像での |col2im(im2col(x)) / 重なりの数 - x| / |x|",
)
def _(run: Record) -> float:
    return there_and_back(run, divided=True)


def there_and_back(record: Record, divided: bool) -> float:
    """How far ``col2im(im2col(x))`` is from ``x``, as a share of ``|x|``, where the windows are those of the first convolution.

    ``x`` is the training image whose number is the trial's seed, in float64; ``divided`` by how many windows each pixel stood in.
    """
    import torch

    from koubai.techniques.convolution import col2im, im2col, overlaps

    images = load(record.trial.data).x_train
    first = next(place for place in planned(record) if place.part.name == "conv")
    x = torch.from_numpy(images[record.trial.seed % len(images)]).double().view(1, -1, *first.before[1:])
    how = first.part.filter, first.part.stride, first.part.pad
    back = col2im(im2col(x, *how), x.shape, *how)
    if divided:
        back /= overlaps(x.shape, *how).clamp(min=1)  # 0 where a stride leaves a pixel out
    return float((back - x).norm() / x.norm())


@measure("steps to the bottom", "steps until f is below 0.1 for good", "fが0.1未満に落ち着くまでのステップ数", STEPS)
def _(path: Path) -> float:
    above = np.flatnonzero(~(path.values < 0.1))
    return float(above[-1] + 1) if len(above) else 0.0


@measure("height", "height of f above its minimum at the end", "最終のfと最小値の差")
def _(path: Path) -> float:
    from koubai.landscapes import lowest_value

    return float(path.values[-1] - lowest_value(path.landscape))


@measure("global minimum", "share of starts that end in the deeper well", "深い方の井戸に到達した割合")
def _(path: Path) -> float:
    return float(path.points[-1, 0] < 0)


@measure("steps to leave", "steps until the saddle is left (|y| > 0.7)", "鞍点から離れる(|y| > 0.7)までのステップ数", STEPS)
def _(path: Path) -> float:
    out = np.flatnonzero(np.abs(path.points[:, 1]) > 0.7)
    return float(out[0]) if len(out) else float(len(path.points) - 1)
