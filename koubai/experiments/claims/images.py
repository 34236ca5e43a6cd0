"""Sections 4 and 5 of the notes: convolutional networks, im2col, AlexNet."""

from __future__ import annotations

from koubai.experiments.judging import Claim, Comparison, Like
from koubai.language import Words

SECTION = Words("Section 4: CNN", "Section4 CNN")
ALEXNET = Words("Section 5: AlexNet", "Section5 AlexNet")
CNN, ALEX = "cnn", "alexnet"
SIMPLE, DEEP = {"layers": "simple-cnn"}, {"layers": "deep-cnn"}
# Their widths follow from the images, see ``experiments.images.rivals``: one hidden layer for the parameters, two for the operations.
AS_MANY_PARAMETERS = {"layers": Like("dense-parameters", lambda layers: len(layers) == 1)}
AS_MANY_OPERATIONS = {"layers": Like("dense-operations", lambda layers: len(layers) == 2)}

CLAIMS = (
    Claim(
        "cnn-learns",
        Words("A CNN learns image data.", "CNNを利用することにより、画像データの学習が進められる。"),
        SECTION,
        ("conv", "maxpool"),
        (
            Comparison(CNN, SIMPLE, 0.0, "above guessing", "more", 0.5),
            Comparison(CNN, DEEP, 0.0, "above guessing", "more", 0.5),
        ),
    ),
    Claim(
        "cnn-beats-dense",
        Words(
            "On images a CNN is better than a dense network with as many parameters, and than one with as many operations.",
            "画像では、CNNはパラメータ数の等しい全結合ネットワークより、また演算数の等しい全結合ネットワークより良い。",
        ),
        SECTION,
        ("conv", "maxpool"),
        (
            Comparison(CNN, SIMPLE, AS_MANY_PARAMETERS, "validation accuracy", "more", 0.005),
            Comparison(CNN, SIMPLE, AS_MANY_OPERATIONS, "validation accuracy", "more", 0.005),
        ),
    ),
    Claim(
        "convolution-costs",
        Words(
            "Convolution is most of the cost of a deep CNN.",
            "深いCNNの計算の大部分は畳み込みである。",
        ),
        SECTION,
        ("conv",),
        (Comparison(CNN, DEEP, 0.5, "convolution share", "more", 0.1),),
    ),
    Claim(
        "im2col-no-inverse",
        Words(
            "col2im is not the inverse of im2col: it sums where windows overlap, and dividing by the overlaps gives the image back.",
            "col2imはim2colの逆変換ではない。領域の重なる所で値が足し合わされ、重なりの数で割れば元の画像に戻る。",
        ),
        SECTION,
        ("conv",),
        (
            Comparison(CNN, SIMPLE, 0.0, "im2col error", "more", 0.5),
            Comparison(CNN, SIMPLE, 0.0, "im2col error, divided", "same", 1e-9),
        ),
    ),
    Claim(
        "alexnet-dropout",
        Words(
            "Dropout on AlexNet's dense layers reduces overfitting.",
            "AlexNetの全結合層の出力にドロップアウトを使うと、過学習が抑えられる。",
        ),
        ALEXNET,
        ("dropout",),
        (
            Comparison(ALEX, {"dropout": 0.5}, {"dropout": 0.0}, "gap", "less", 0.02),
            Comparison(ALEX, {"dropout": 0.5}, {"dropout": 0.0}, "validation accuracy", "more", 0.005),
        ),
    ),
)
