"""Remedies in the steps: data and batches, optimizers, learning rates and schedules."""

from __future__ import annotations

from koubai.doctor.remedies.base import Changes, remedy
from koubai.language import Words
from koubai.spec import Trial

USUAL_RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01}  # others: 0.001


@remedy(
    "standardize",
    Words("inputs standardized", "入力を標準化"),
    Words(
        "Features with mean 0 and standard deviation 1 give a loss that is about as steep in every direction, so one learning "
        "rate fits all.",
        "各特徴を平均0・標準偏差1にすると、損失の傾きがどの方向でも同程度になり、1つの学習率で足りる。",
    ),
    "LeCun et al. 1998 (Efficient BackProp), section 4.3",
    (
        "inputs-not-standardized", "vanishing-gradient", "exploding-gradient", "saturated-activations", "dead-relu", "slow-convergence",
        "plateau", "underfitting", "not-a-number", "growing-weights", "learning-rate-too-high", "learning-rate-too-low",
    ),
)  # fmt: skip
def _(trial: Trial) -> Changes:
    return {"data.standardize": True}


@remedy(
    "all-samples",
    Words("all training samples", "訓練サンプルをすべて使う"),
    Words(
        "The gap between training and validation shrinks with the number of samples: what is seen once is not learned by heart.",
        "訓練と検証の差はサンプルが多いほど縮む。一度しか見ないものは丸暗記できない。",
    ),
    "Vapnik 1998: the gap is bounded by about sqrt(capacity / samples)",
    ("overfitting", "class-imbalance", "shuffled-labels"),
)
def _(trial: Trial) -> Changes:
    return {"data.samples": None}


@remedy(
    "balance",
    Words("classes balanced", "クラスの数を揃える"),
    Words(
        "Where a class is rare, leaving it out costs the loss next to nothing; repeated, it weighs as much as the others.",
        "少数クラスは無視しても損失がほとんど増えない。繰り返して数を揃えれば、他のクラスと同じ重みになる。",
    ),
    "Buda et al. 2018, arXiv:1710.05381: oversampling until the classes are even",
    ("class-imbalance",),
)
def _(trial: Trial) -> Changes:
    return {"data.balance": True}


@remedy(
    "larger-batch",
    Words("a larger batch", "バッチを大きく"),
    Words(
        "The spread of a mean over n samples falls as 1 / sqrt(n): steadier gradients, and steadier batch statistics.",
        "n個の平均のばらつきは 1/√n に比例して小さくなる。勾配もバッチの統計量も安定する。",
    ),
    "Goyal et al. 2017, arXiv:1706.02677; four times the samples halve the noise",
    ("batch-too-small", "learning-rate-too-high", "plateau"),
)
def _(trial: Trial) -> Changes:
    return {"batch_size": max(32, 4 * trial.batch_size)} if trial.batch_size <= 64 else {}


@remedy(
    "momentum",
    Words("momentum", "モメンタム"),
    Words(
        "Steps in one direction add up, to ten times their size at mu = 0.9, and steps to and fro cancel.",
        "同じ向きの更新は積み重なり(μ=0.9なら10倍)、行ったり来たりする更新は打ち消し合う。",
    ),
    "notes, Section 2: V = mu V - eps dE, w += V",
    ("slow-convergence", "plateau", "learning-rate-too-low", "underfitting", "vanishing-gradient"),
)
def _(trial: Trial) -> Changes:
    return {"optimizer": "momentum"} if trial.optimizer.name == "sgd" else {}


@remedy(
    "adam",
    Words("Adam at 0.001", "Adam(学習率0.001)"),
    Words(
        "Every weight moves by about the learning rate, however small or large its gradient is.",
        "勾配の大小によらず、どの重みもおよそ学習率の分だけ動く。",
    ),
    "notes, Section 2; Kingma and Ba 2014, arXiv:1412.6980",
    (
        "vanishing-gradient", "exploding-gradient", "slow-convergence", "plateau", "underfitting", "not-a-number", "growing-weights",
        "learning-rate-too-high", "learning-rate-too-low", "inputs-not-standardized", "saturated-activations", "dead-relu",
        "class-imbalance",
    ),
)  # fmt: skip
def _(trial: Trial) -> Changes:
    return {} if trial.optimizer.name.startswith("adam") else {"optimizer": "adam", "learning_rate": 0.001}


@remedy(
    "usual-rate",
    Words("the optimizer's usual learning rate", "最適化手法の標準の学習率"),
    Words(
        "The learning rate with which the optimizer was published or is mostly used is right more often than any other.",
        "論文や実践で使われる標準の学習率が、たいていは一番よく合う。",
    ),
    "Bengio 2012, arXiv:1206.5533, section 3.1.1; Kingma and Ba 2014 (Adam: 0.001)",
    ("learning-rate-too-high", "learning-rate-too-low", "slow-convergence", "plateau", "not-a-number", "dead-relu", "underfitting",
     "exploding-gradient", "growing-weights", "saturated-activations"),
)  # fmt: skip
def _(trial: Trial) -> Changes:
    return {"learning_rate": USUAL_RATES.get(trial.optimizer.name, 0.001)}


RISING = Words(
    "Each step moves the weights by the learning rate times the gradient, so a loss that hardly falls will fall faster.",
    "1ステップで重みは学習率×勾配だけ動くので、ほとんど下がらない損失が速く下がるようになる。",
)
FALLING = Words(
    "At a learning rate above 2 / (the largest curvature) each step overshoots by more than the last; below it, steps settle.",
    "最大の曲率の逆数の2倍を超える学習率では、更新の行き過ぎがしだいに大きくなる。それより小さければ落ち着く。",
)
TOO_SLOW = ("learning-rate-too-low", "slow-convergence", "vanishing-gradient", "plateau", "underfitting")
TOO_FAST = (
    "learning-rate-too-high", "exploding-gradient", "not-a-number", "growing-weights", "dead-relu", "saturated-activations", "plateau",
    "batch-too-small", "class-imbalance",
)  # fmt: skip


def _rate(factor: float, up: bool) -> None:
    """Register a remedy that multiplies or divides the learning rate by ``factor``."""
    sign = ("times", "倍") if up else ("divided by", "分の1")
    words = Words(f"learning rate {sign[0]} {factor:g}", f"学習率を{factor:g}{sign[1]}に")
    source = (
        "Bengio 2012, arXiv:1206.5533, section 3.1.1"
        if up
        else "LeCun et al. 1998 (Efficient BackProp), section 5.1: eps < 2 / h"
    )

    @remedy(f"rate-{'up' if up else 'down'}-{factor:g}", words, RISING if up else FALLING, source, TOO_SLOW if up else TOO_FAST)
    def _(trial: Trial) -> Changes:
        rate = trial.learning_rate * factor if up else trial.learning_rate / factor
        return {"learning_rate": float(f"{rate:.6g}")}  # as a person would write it


for _factor in (10.0, 3.0, 100.0):
    _rate(_factor, up=True)
    _rate(_factor, up=False)


@remedy(
    "cosine",
    Words("learning rate down to 0 (cosine)", "学習率を余弦で0まで下げる"),
    Words(
        "High learning rates find the valley, low ones its bottom: the noise of the steps falls with the learning rate.",
        "大きな学習率で谷を見つけ、小さな学習率で底に落ち着く。更新の雑音は学習率とともに減る。",
    ),
    "notes, Section 2 (start high, decrease); Loshchilov and Hutter 2016, arXiv:1608.03983",
    ("learning-rate-too-high", "plateau", "batch-too-small"),
)
def _(trial: Trial) -> Changes:
    return {"schedule": "cosine"}


@remedy(
    "warmup",
    Words("learning rate up, then down", "学習率を徐々に上げてから下げる"),
    Words(
        "The first steps, on the steepest slopes, are short; the full learning rate comes once they are past.",
        "傾きが最も急な最初のうちは歩幅を短くし、越えてから広げる。",
    ),
    "Goyal et al. 2017, arXiv:1706.02677; a twentieth of the steps",
    ("learning-rate-too-high", "exploding-gradient", "not-a-number", "dead-relu"),
)
def _(trial: Trial) -> Changes:
    return {"schedule": {"name": "cosine", "warmup": max(1, trial.steps // 20)}}


@remedy(
    "clip",
    Words("gradients clipped to norm 1", "勾配をノルム1にクリップ"),
    Words(
        "A step is never longer than the learning rate times 1, however steep the slope under it: one cliff no longer throws the weights "
        "away.",
        "傾きがどれほど急でも、1歩は学習率×1より長くならない。崖のような所でも重みが遠くへ飛ばされない。",
    ),
    "Pascanu et al. 2013, arXiv:1211.5063: g <- g min(1, 1 / |g|)",
    ("exploding-gradient", "not-a-number", "learning-rate-too-high", "dead-relu", "growing-weights"),
)
def _(trial: Trial) -> Changes:
    return {"clip_grad_norm": 1.0} if trial.clip_grad_norm == 0 or trial.clip_grad_norm > 1 else {}


@remedy(
    "constant-rate",
    Words("constant learning rate", "学習率を一定に保つ"),
    Words(
        "A schedule that falls too early leaves the weights all but still for the rest of the training.",
        "早く下げすぎるスケジュールでは、残りの学習で重みがほとんど動かない。",
    ),
    "Robbins and Monro 1951: the sum of the rates must be able to reach the minimum",
    TOO_SLOW,
)
def _(trial: Trial) -> Changes:
    return {"schedule": "constant"}


@remedy(
    "even-rates",
    Words("one learning rate for all layers", "全層の学習率をそろえる"),
    Words("A layer whose factor is near 0 hardly learns.", "倍率が0に近い層はほとんど学習しない。"),
    "definition of layer_rates",
    (*TOO_SLOW, "learning-rate-too-high", "exploding-gradient", "not-a-number"),
)
def _(trial: Trial) -> Changes:
    return {"layer_rates": ()}
