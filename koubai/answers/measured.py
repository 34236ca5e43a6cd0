"""Answers that are measured: zero weights, batch normalization, and the characters of three optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from koubai.answers.base import Answer, over, verdict
from koubai.choices import choose
from koubai.experiments.catalogue import EXERCISES, RATES, SCALES, Race
from koubai.experiments.judging import Evidence, Observation, select
from koubai.laboratory import run
from koubai.landscapes import race
from koubai.language import Words
from koubai.measures import MEASURES
from koubai.store import Store
from koubai.study import Study


def zero_weights(store: Store) -> Answer:
    """Zeros against equal weights and He's, trained on digits."""
    starts = ["zeros", "constant", "he"]
    activations = ["sigmoid", "relu"]
    axes = {"activation": activations, "initializer": starts, "seed": 3}
    records = _trained("quiz-zero-weights", {"steps": 300}, axes, store)
    lines = [
        Words(
            "Trained: digits, 64-40-20-10, SGD, learning rate 0.1, 300 steps, 3 seeds.",
            "digits、64-40-20-10、SGD(学習率0.1)、300ステップ、3シード。",
        )
    ]
    found = {}
    for activation in activations:
        for start in starts:
            runs = _of(records, activation=activation, initializer=start)
            spread, right = (MEASURES[name].function(runs) for name in ("unit spread", "validation accuracy"))
            found[activation, start] = spread, right
            lines.append(
                Words(
                    f"{activation}, {start}: units of a layer differ by {spread:.2g} at most; validation accuracy {right:.1%}.",
                    f"{activation}、{start}: 層のユニットどうしの差は最大 {spread:.2g}、検証精度 {right:.1%}。",
                )
            )
    equal = all(spread == 0 for (_, start), (spread, _) in found.items() if start != "he")
    best = max(right for (_, start), (_, right) in found.items() if start == "zeros")
    short = Words(
        f"Units that start equal get equal gradients and {'stay equal' if equal else 'DO NOT stay equal here'}: "
        f"a layer is one unit many times over, and from zeros accuracy ends at {best:.0%} (guessing: 10%).",
        f"同じ値から始まるユニットは同じ勾配を受け取り、{'等しいままである' if equal else '等しいままのはずが、ここでは等しくない'}。"
        f"層は1個のユニットと同じになり、0から始めると精度は {best:.0%}(当て推量は10%)。",
    )
    return Answer(short, (*lines, *verdict("zeros-nothing", {"vanishing-gradient": records})))


def batch_normalization(store: Store) -> Answer:
    """Steps to 80% and the gradient that arrives, with and without."""
    starts: list[Any] = [{"name": "normal", "std": SCALES[8]}, "he"]
    places = ["none", "before", "after"]
    axes = {"initializer": starts, "batch_norm": places, "seed": 3}
    base = {"data": {"name": "digits", "samples": 1000}, "layers": [100] * 5, "learning_rate": 0.01, "steps": 200}
    records = _trained("quiz-batch-norm", base, axes, store)
    lines = [
        Words(
            "Trained: 1,000 digits, five layers of 100, SGD, learning rate 0.01, 200 steps, 3 seeds (means, 95% intervals).",
            "digits 1,000件、100×5層、SGD(学習率0.01)、200ステップ、3シード(平均と95%区間)。",
        )
    ]
    for start in starts:
        for place in places:
            runs = select(records, {"initializer": start, "batch_norm": place})
            speed, arriving = (over(runs, name) for name in ("steps to 80%", "attenuation"))
            name = start if isinstance(start, str) else f"N(0, {start['std']:.2g})"
            lines.append(
                Words(
                    f"{name}, batch_norm={place}: {speed} steps to 80% (200: never); log10 of the gradient ratio {arriving}.",
                    f"{name}、batch_norm={place}: 80%まで {speed} ステップ(200は未到達)、勾配比のlog10 {arriving}。",
                )
            )
    vanishing = _of(records, initializer=starts[0])
    for name in ("batch-norm-faster", "batch-norm-relieves"):
        lines += verdict(name, {"batch-norm": records})
    (slow, fast), (faded, kept) = (
        [MEASURES[name].function(_of(runs, batch_norm=place)) for place in ("none", "before")]
        for name, runs in (("steps to 80%", records), ("attenuation", vanishing))
    )
    short = Words(
        f"1. Steps to 80% accuracy: {fast:.0f} with it, {slow:.0f} without. "
        f"2. The gradient at the first layer, over the last layer's: 10^{kept:.1f} with it before the activation, 10^{faded:.1f} without.",
        f"1. 精度80%までのステップ数は、あり {fast:.0f}、なし {slow:.0f}。"
        f"2. 最初の層の勾配と最後の層の勾配の比は、あり(活性化の前) 10^{kept:.1f}、なし 10^{faded:.1f}。",
    )
    return Answer(short, tuple(lines))


def momentum(store: Store) -> Answer:
    """Momentum between two wells and down the valley."""
    wells = _wells("momentum")
    short = Words(f"A heavy ball: it keeps part of its last step. {wells.en}", f"慣性: 直前の更新量の一部を引き継ぐ。{wells.ja}")
    return Answer(short, (*verdict("momentum-global", _races()), *verdict("momentum-valley", _races()), _widths("momentum")))


def adagrad(store: Store) -> Answer:
    """AdaGrad on the gentle slope and at the saddle."""
    ours, plain = (_height("valley", name) for name in ("adagrad", "sgd"))
    short = Words(
        f"A learning rate for each weight, smaller the more that weight has moved. Along the gentle valley it ends {ours:.2g} "
        f"above the lowest point, SGD {plain:.2g}.",
        f"重みごとの学習率が、動いた分だけ小さくなる。なだらかな谷で、最低点との差は {ours:.2g}(SGDは {plain:.2g})。",
    )
    return Answer(short, (*verdict("adagrad-gentle", _races()), *verdict("adagrad-saddle", _races()), _widths("adagrad")))


def rmsprop(store: Store) -> Answer:
    """RMSProp's range of rates, on data and in the valley, and AdaGrad's weakness."""
    rivals = ["sgd", "momentum", "adagrad", "rmsprop"]
    axes = {"optimizer": rivals, "learning_rate": RATES, "seed": 5}
    records = _trained("quiz-rates", {"steps": 300}, axes, store)
    ranges = {name: over(select(records, {"optimizer": name}), "range of rates") for name in rivals}
    listed = ", ".join(f"{name} {reached}" for name, reached in ranges.items())
    short = Words(
        "AdaGrad with a memory that fades, so its learning rate does not run out. Decades of learning rate that come within "
        f"5 points of the best accuracy: {listed}.",
        f"過去の勾配を徐々に忘れるAdaGrad。学習率が0に近づき続けない。最良の精度から5ポイント以内に入る学習率の幅(桁): {listed}。",
    )
    lines = [
        Words(
            "Trained: digits, 64-40-20-10, 300 steps, 11 learning rates from 1e-4 to 10, 5 seeds (means, 95% intervals).",
            "digits、64-40-20-10、300ステップ、1e-4から10までの11通りの学習率、5シード(平均と95%区間)。",
        ),
        *verdict("rmsprop-tuning", {"optimizers": records}),
        *verdict("rmsprop-mends", _races()),
        *verdict("rmsprop-global", _races()),
        _widths("rmsprop"),
    ]
    return Answer(short, tuple(lines))


def _trained(name: str, base: Mapping[str, Any], axes: Mapping[str, Any], store: Store) -> Sequence[Observation]:
    """The records of a small study, from the store where they are in it."""
    return run(Study({"learning_rate": 0.1, **base}, name=name, axes=axes), store=store, progress=False).records


def _of(observations: Sequence[Observation], **where: Any) -> list[Observation]:
    """The runs with these values, all seeds together."""
    return [one for runs in select(observations, where).values() for one in runs]


@cache
def _races() -> Evidence:
    """The optimizers on the three landscapes, as the exercises run them."""
    races = {name: EXERCISES[name].runs for name in ("valley", "double-well", "saddle")}
    return {name: race(one.landscape, one.runs, one.steps, one.starts) for name, one in races.items() if isinstance(one, Race)}


def _height(landscape: str, optimizer: str) -> float:
    return MEASURES["height"].function(_of(_races()[landscape], optimizer=optimizer))


def _wells(optimizer: str) -> Words:
    """From how many starts the deeper well is reached."""
    ours, plain = (
        MEASURES["global minimum"].function(_of(_races()["double-well"], optimizer=name)) for name in (optimizer, "sgd")
    )
    return Words(
        f"Between two wells it ends in the deeper one from {ours:.0%} of the starts, SGD from {plain:.0%}.",
        f"2つの井戸では、深い方に着くのは出発点の {ours:.0%}(SGDは {plain:.0%})。",
    )


@cache
def _widths(optimizer: str) -> Words:
    """The learning rates with which an optimizer, and SGD, get down the valley and stay there."""
    steps = 100
    runs = {f"{name} {rate}": (choose("optimizer", name), rate) for name in (optimizer, "sgd") for rate in RATES}
    works = [path for path in race("valley", runs, steps, 1) if MEASURES["steps to the bottom"].function([path]) < steps]
    ours, plain = (sum(path.optimizer.startswith(f"{name} ") for path in works) for name in (optimizer, "sgd"))
    return Words(
        f"Of {len(RATES)} learning rates from 1e-4 to 10, those that reach the valley's bottom in {steps} steps: "
        f"{optimizer} {ours}, sgd {plain}.",
        f"1e-4から10までの {len(RATES)} 通りの学習率のうち、{steps} ステップ以内に谷底に着くもの: {optimizer} {ours}、sgd {plain}。",
    )
