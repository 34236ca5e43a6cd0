"""Remedies in the layers: activations, initial weights, batch normalization."""

from __future__ import annotations

from koubai.doctor.remedies.base import Changes, activated, hidden, normalized, remedy, rewritten
from koubai.language import Words
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS

BENT = ("relu", "leaky_relu", "elu", "gelu")  # activations whose slope is about 1 on one side, however far out


@remedy(
    "relu",
    Words("ReLU", "活性化関数をReLUに"),
    Words(
        "A sigmoid passes at most 0.25 of the gradient, and what saturates passes next to nothing; ReLU passes all of it where it is "
        "positive.",
        "シグモイドは勾配を最大でも0.25倍しか通さず、飽和した所ではほとんど通さない。ReLUは正の所で勾配をそのまま通す。",
    ),
    "notes, Section 1; Glorot et al. 2011 (Deep sparse rectifier neural networks): f' = 1 for x > 0",
    ("vanishing-gradient", "saturated-activations", "slow-convergence", "plateau", "underfitting", "learning-rate-too-low"),
)
def _(trial: Trial) -> Changes:
    return activated(trial, "relu", set(ACTIVATIONS) - {*BENT, "softplus"})


@remedy(
    "tanh",
    Words("tanh", "活性化関数をtanhに"),
    Words(
        "Its slope at 0 is 1 where the sigmoid's is 0.25, and its values lie around 0.",
        "0での傾きがシグモイドの0.25に対して1あり、値が0を中心に広がる。",
    ),
    "LeCun et al. 1998 (Efficient BackProp), section 4.4: f'(0) = 1",
    ("vanishing-gradient", "saturated-activations", "slow-convergence"),
)
def _(trial: Trial) -> Changes:
    return activated(trial, "tanh", {"sigmoid"})


@remedy(
    "leaky-relu",
    Words("leaky ReLU", "活性化関数をLeaky ReLUに"),
    Words(
        "A unit that is negative for every sample still gets a hundredth of the gradient, so it can come back.",
        "すべてのサンプルで負になったユニットにも勾配の100分の1が届き、生き返ることができる。",
    ),
    "Maas et al. 2013 (Rectifier nonlinearities): f' = 0.01 for x < 0",
    ("dead-relu", "plateau"),
)
def _(trial: Trial) -> Changes:
    return activated(trial, "leaky_relu", {"relu"})


@remedy(
    "elu",
    Words("ELU", "活性化関数をELUに"),
    Words(
        "Below 0 its slope fades slowly instead of being 0, and its values lie nearer to 0 on average.",
        "負の側でも傾きがすぐには0にならず、値の平均も0に近い。",
    ),
    "Clevert et al. 2015, arXiv:1511.07289: f' = exp(x) for x < 0",
    ("dead-relu",),
)
def _(trial: Trial) -> Changes:
    return activated(trial, "elu", {"relu"})


SIZED = (
    "vanishing-gradient", "exploding-gradient", "saturated-activations", "dead-relu", "identical-units", "slow-convergence",
    "plateau", "underfitting", "not-a-number", "growing-weights", "learning-rate-too-high", "learning-rate-too-low",
)  # fmt: skip


@remedy(
    "he",
    Words("He's initial weights", "Heの初期値"),
    Words(
        "Weights with standard deviation sqrt(2 / n) keep the spread of signals and gradients from layer to layer under "
        "ReLU, and no two units are alike.",
        "標準偏差 √(2/n) の重みは、ReLUの層を越えて信号と勾配の広がりを保つ。同じ値のユニットもできない。",
    ),
    "notes, Section 1; He et al. 2015, arXiv:1502.01852: W = randn * sqrt(2 / n_in)",
    SIZED,
)
def _(trial: Trial) -> Changes:
    return {"initializer": "he"}


@remedy(
    "xavier",
    Words("Xavier's initial weights", "Xavierの初期値"),
    Words(
        "Weights with standard deviation 1 / sqrt(n) keep the spread of signals and gradients from layer to layer under "
        "tanh, and no two units are alike.",
        "標準偏差 1/√n の重みは、tanhの層を越えて信号と勾配の広がりを保つ。同じ値のユニットもできない。",
    ),
    "notes, Section 1; Glorot and Bengio 2010: W = randn / sqrt(n_in)",
    SIZED,
)
def _(trial: Trial) -> Changes:
    return {"initializer": "xavier"}


NORMALIZED = (
    "vanishing-gradient", "exploding-gradient", "saturated-activations", "dead-relu", "slow-convergence", "plateau",
    "underfitting", "not-a-number", "growing-weights", "learning-rate-too-high", "learning-rate-too-low", "inputs-not-standardized",
)  # fmt: skip


@remedy(
    "batch-norm-before",
    Words("batch norm before activation", "活性化の前にバッチ正規化"),
    Words(
        "What goes into every activation has mean 0 and standard deviation 1, whatever the weights and inputs are, so units "
        "hardly saturate and signals hardly fade.",
        "重みや入力がどうであれ、活性化に入る値は平均0・標準偏差1になり、飽和も消失もしにくい。",
    ),
    "notes, Section 1; Ioffe and Szegedy 2015, arXiv:1502.03167",
    NORMALIZED,
)
def _(trial: Trial) -> Changes:
    return {} if normalized(trial) or not hidden(trial) else {"batch_norm": "before"}


@remedy(
    "batch-norm-after",
    Words("batch norm after activation", "活性化の後にバッチ正規化"),
    Words(
        "What goes into every layer has mean 0 and standard deviation 1: the next layer's weights see signals of the size they "
        "are made for.",
        "次の層に入る値が平均0・標準偏差1になり、重みに見合った大きさの信号が届く。",
    ),
    "notes, Section 1 (before or after); Ioffe and Szegedy 2015, arXiv:1502.03167",
    NORMALIZED,
)
def _(trial: Trial) -> Changes:
    return {} if normalized(trial) or not hidden(trial) else {"batch_norm": "after"}


@remedy(
    "no-batch-norm",
    Words("no batch norm", "バッチ正規化をやめる"),
    Words(
        "Mean and variance of a few samples are mostly noise, and differ from those that the network is judged with.",
        "少数のサンプルの平均と分散はほとんど雑音で、評価のときに使う値ともずれる。",
    ),
    "Wu and He 2018, arXiv:1803.08494: the error of batch statistics grows as the batch shrinks",
    ("batch-too-small",),
)
def _(trial: Trial) -> Changes:
    if not normalized(trial):
        return {}
    return {"batch_norm": "none"} | dict(rewritten(trial, lambda part: None if part.name == "batchnorm" else part))
