"""Section 1 of the notes: vanishing gradients, activations, initial weights, batch normalization."""

from __future__ import annotations

from koubai.experiments.catalogue import SCALES
from koubai.experiments.judging import Claim, Comparison
from koubai.language import Words

SECTION = Words("Section 1: vanishing gradients", "Section1 勾配消失問題")
SIGMOID, RELU = {"activation": "sigmoid"}, {"activation": "relu"}
SMALL, XAVIER, HE, ZEROS = ({"initializer": name} for name in ("normal", "xavier", "he", "zeros"))
TINY = {"initializer": {"name": "normal", "std": SCALES[8]}}
NOTES, DEPTH, DEEP, BATCH = "vanishing-gradient", "activations-by-depth", "initial-weights", "batch-norm"

CLAIMS = (
    Claim(
        "sigmoid-quarter",
        Words(
            "The sigmoid's slope is at most 0.25, and gradients shrink accordingly, layer by layer.",
            "シグモイド関数の微分は最大0.25であり、層を重ねるごとに勾配が小さくなる。",
        ),
        SECTION,
        ("sigmoid",),
        (
            Comparison(NOTES, SIGMOID, 0.25, "activation factor", "no more", 1e-6),
            Comparison(DEPTH, SIGMOID | XAVIER, {"activation": "identity"} | XAVIER, "attenuation", "less", 2.0),
        ),
    ),
    Claim(
        "relu-relieves",
        Words(
            "ReLU instead of the sigmoid relieves the vanishing gradient.",
            "活性化関数をシグモイドからReLUに変えると、勾配消失が改善する。",
        ),
        SECTION,
        ("relu", "sigmoid"),
        (
            Comparison(NOTES, RELU | SMALL, SIGMOID | SMALL, "attenuation", "more", 0.3),
            Comparison(NOTES, RELU | XAVIER, SIGMOID | XAVIER, "attenuation", "more", 0.3),
            Comparison(NOTES, RELU | SMALL, SIGMOID | SMALL, "validation accuracy", "more", 0.02),
            Comparison(NOTES, RELU | XAVIER, SIGMOID | XAVIER, "validation accuracy", "more", 0.02),
        ),
    ),
    Claim(
        "relu-sparse",
        Words("ReLU makes activations sparse.", "ReLUは活性をスパースにする。"),
        SECTION,
        ("relu",),
        (Comparison(NOTES, RELU | HE, SIGMOID | HE, "zeros", "more", 0.1),),
    ),
    Claim(
        "xavier-both",
        Words(
            "Xavier's initial weights help both ReLU and the sigmoid.",
            "Xavierの初期値では、ReLUとシグモイドの両方で勾配消失が改善する。",
        ),
        SECTION,
        ("xavier", "relu", "sigmoid"),
        (
            Comparison(NOTES, RELU | XAVIER, RELU | SMALL, "validation accuracy", "more", 0.02),
            Comparison(NOTES, SIGMOID | XAVIER, SIGMOID | SMALL, "validation accuracy", "more", 0.02),
            Comparison(NOTES, RELU | XAVIER, RELU | SMALL, "attenuation", "more", 0.3),
            Comparison(NOTES, SIGMOID | XAVIER, SIGMOID | SMALL, "attenuation", "more", 0.3),
        ),
    ),
    Claim(
        "he-relu-only",
        Words("He's initial weights help ReLU only.", "Heの初期値では、ReLUのみ勾配消失が改善する。"),
        SECTION,
        ("he", "relu", "sigmoid"),
        (
            Comparison(NOTES, RELU | HE, RELU | SMALL, "validation accuracy", "more", 0.02),
            Comparison(NOTES, SIGMOID | HE, SIGMOID | SMALL, "validation accuracy", "same", 0.02),
        ),
    ),
    Claim(
        "initial-weights-deep",
        Words(
            "In a deep network too, the right initial weights mend the vanishing gradient.",
            "深いネットワークでも、初期値の調節で勾配消失を改善できる。",
        ),
        SECTION,
        ("xavier", "he", "normal"),
        (
            Comparison(DEEP, XAVIER, SMALL, "validation accuracy", "more", 0.02),
            Comparison(DEEP, HE, SMALL, "validation accuracy", "more", 0.02),
            Comparison(DEEP, HE, XAVIER, "attenuation", "more", 0.3),
        ),
    ),
    Claim(
        "zeros-nothing",
        Words(
            "Weights that start at 0 train nothing: all units of a layer stay equal.",
            "重みの初期値を0にすると、すべて同じ値が伝わり、学習が進まない。",
        ),
        SECTION,
        ("zeros",),
        (
            Comparison(NOTES, ZEROS, 0.0, "unit spread", "same", 1e-9),
            Comparison(NOTES, RELU | ZEROS, 0.0, "above guessing", "same", 0.02),
            Comparison(NOTES, SIGMOID | ZEROS, 0.0, "above guessing", "same", 0.02),
        ),
    ),
    Claim(
        "batch-norm-faster",
        Words("Batch normalization shortens training.", "バッチ正規化により学習が速くなる。"),
        SECTION,
        ("batch_norm",),
        (
            Comparison(BATCH, {"batch_norm": "before"}, {"batch_norm": "none"}, "steps to 80%", "less", 10),
            Comparison(BATCH, {"batch_norm": "after"}, {"batch_norm": "none"}, "steps to 80%", "less", 10),
        ),
    ),
    Claim(
        "batch-norm-relieves",
        Words("With batch normalization the gradient vanishes less.", "バッチ正規化により勾配消失が起きづらくなる。"),
        SECTION,
        ("batch_norm",),
        tuple(
            Comparison(BATCH, {"batch_norm": place} | TINY, {"batch_norm": "none"} | TINY, "attenuation", "more", 0.3)
            for place in ("before", "after")
        ),
    ),
)
