"""What the docstring of each technique says after "Weakness:", and the same in Japanese."""

from __future__ import annotations

from koubai.language import Words
from koubai.techniques import Technique

JAPANESE = {
    ("activation", "identity"): "層を深くしても何も増えない。",
    ("activation", "sigmoid"): "0から離れると微分が消え、0でも掛け重ねるうちに消える(0.25, 0.0625, ...)。",
    ("activation", "tanh"): "両側で飽和する。",
    ("activation", "relu"): "一度も正にならないユニットは死んだままになる。",
    ("activation", "leaky_relu"): "活性がスパースでなくなる。",
    ("activation", "elu"): "ユニットごとに指数関数の計算が要る。0より下では飽和する。",
    ("activation", "gelu"): "0より下で単調でない。",
    ("activation", "softplus"): "0にならないので、スパースにならない。",
    ("initializer", "zeros"): "重みが0では勾配が通らず、等しいユニットは等しいまま。",
    ("initializer", "constant"): "等しいユニットばかりの層は、1つのユニットと同じ。",
    ("initializer", "normal"): "小さすぎると信号が消え、大きすぎると飽和する。適切な大きさは層の幅による。",
    ("initializer", "xavier"): "信号の半分を捨てるReLUでは、1層ごとに√2分の1に弱まる。",
    ("initializer", "glorot"): "0の近くで線形な関数を前提としている。",
    ("initializer", "he"): "tanhには少し大きすぎ、飽和しやすい。",
    ("initializer", "orthogonal"): "層ごとに行列の分解が1回要る。",
    ("normalization", "batch_norm"): "バッチが小さいと、平均と分散はほとんど雑音になる。",
    ("normalization", "lrn"): "ネットワークで最も大きな配列を何度も走査するわりに、後の研究では効果がほとんどないとされた。",
    ("optimizer", "sgd"): "横に急で縦に緩やかな谷では、ジグザグに進む。",
    ("optimizer", "momentum"): "傾きの向きが変わるところで行き過ぎる。",
    ("optimizer", "nesterov"): "モメンタムと同じ弱点が、少し遅れて現れる。",
    ("optimizer", "adagrad"): "h は増える一方なので、遅くなり続け、鞍点で止まってしまう。",
    ("optimizer", "rmsprop"): "h が小さく始まるので、最初の数ステップの更新が大きい。",
    ("optimizer", "adam"): "勾配に加えたL2の項まで √v で割られる。AdamWは減衰を別に行う。",
    ("optimizer", "adamw"): "決める数値が1つ増える。",
    ("schedule", "constant"): "最初にちょうどよい学習率は、終わりには大きすぎる。",
    ("schedule", "step"): "決める数値が2つ増える。",
    ("schedule", "exponential"): "大半の時間を小さな学習率で過ごす。",
    ("schedule", "inverse_time"): "早くに下がり、その後はほとんど下がらない。",
    ("schedule", "cosine"): "終わりのステップ数を先に決める必要がある。",
    ("schedule", "warmup"): "最初の数ステップが危険な場合にしか役に立たない。",
    ("penalty", "none"): "重みを抑えるものがない。",
    ("penalty", "l2"): "重みを小さくするが、ほとんど0にはしない。",
    ("penalty", "l1"): "単純な勾配の一歩は0で止まらず通り過ぎるので、重みは0のまわりを揺れる。",
    ("penalty", "lp"): "引き寄せる力が、重みの大きさに応じて強くならない。",
    ("dropout", "dropout"): "学習に多くのステップが要る。",
    ("clipping", "clip_grad_norm"): "ほとんどの更新で縮められると、上限の値が学習率の代わりになってしまう。",
    ("convolution", "conv"): "ネットワークの計算の大半がここにあり、パッチを並べた配列は画像の何倍にもなる。",
    ("pooling", "maxpool"): "勾配は領域の中の1画素だけに流れ、領域の中のどこだったかは失われる。",
    ("pooling", "avgpool"): "ぼやける。",
    ("loss", "cross_entropy"): "ラベルの誤りが1つあるだけで、損失はいくらでも大きくなる。",
    ("loss", "squared_error"): "大きく外れた値が2乗で効くので、少数の外れ値がすべてを決めてしまう。",
    ("augmentation", "flip"): "左右を反転した2は2ではない。数字や文字、標識には向かない。",
    ("augmentation", "shift"): "枠の外に出た部分は失われる。",
    ("augmentation", "crop"): "ぼやけるうえ、ラベルの対象そのものを切り落とすことがある。",
}


def weakness(kind: str, technique: Technique) -> Words | None:
    """The known weakness; in English in both languages where nobody has said it in Japanese yet."""
    _, found, english = (technique.__doc__ or "").partition("Weakness:")
    if not found:
        return None
    english, _, _ = english.partition("\n\n")  # what follows is on the code
    english = " ".join(english.split()).replace("``", "")
    english = english[0].upper() + english[1:] if not english.startswith("h ") else english
    return Words(english, JAPANESE.get((kind, technique.name), english))
