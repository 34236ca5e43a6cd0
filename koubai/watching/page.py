"""The report on a training that was watched: what is wrong, and the laboratory's figures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from koubai.doctor import Case, Diagnosis
from koubai.doctor.finding import SYMPTOMS
from koubai.language import Words, counted
from koubai.report.figures import FIGURES
from koubai.report.groups import Group
from koubai.report.page import Drawing, Page, Section
from koubai.watching.history import only

if TYPE_CHECKING:
    from koubai.store import Record

MOST = 40  # layers that a figure has room for

CAPTIONS = {
    "loss": Words(
        "Each point is the mean of the minibatches since the last one; validation values are those given to the watch.",
        "各点は直前の点からのミニバッチの平均。検証の値は watch に伝えられたもの。",
    ),
    "train-validation": Words(
        "The distance between the two curves is the overfitting. Training is the mean of the minibatches since the last point.",
        "2本の線の開きが過学習の大きさ。訓練は直前の点からのミニバッチの平均。",
    ),
    "gradient-flow": Words(
        "The gradient's size at the output of each layer, relative to that at the model's output: read from right (the loss) to left "
        "(the first layer). Upper row: in the first step; lower row: at the last step that was looked at.",
        "各層の出力での勾配の大きさ。モデルの出力での値を1とする。右(損失側)から左(最初の層)へ読む。上段は最初のステップ、"
        "下段は最後に記録したステップ。",
    ),
    "ledger": Words(
        "The first step, the chain rule taken apart. Each piece of the bar is one layer's factor on the gradient, in powers of ten: left "
        "of 0 it shrinks, right of 0 it grows. The diamond is the whole way from the last layer to the first; where the model is one "
        "chain, it is the sum of the pieces.",
        "最初のステップの勾配を連鎖律で分解する。棒の各部分は1つの層が勾配にかける倍率(10の累乗)。0より左は縮小、右は拡大。"
        "ひし形は最後の層から最初の層まで全体の倍率で、枝分かれのないモデルでは各部分の合計になる。",
    ),
    "gradient-norm": Words(
        "One cell for each layer's output and each step that was looked at; bright is a large gradient, dark a small one, empty none.",
        "各層の出力と記録したステップごとの勾配の大きさ。明るいほど大きく、暗いほど小さい。空白は勾配なし。",
    ),
    "activations": Words(
        "What comes out of each activation: left half in the first step, right half in the last that was looked at. Widths follow the "
        "square root of the share, so that thin tails show, and are scaled to each layer's widest.",
        "各活性化関数の出力の分布。左半分は最初のステップ、右半分は最後に記録したステップ。幅は割合の平方根(裾が見えるように)で、"
        "層ごとに最大幅をそろえる。",
    ),
}


def page(name: str, case: Case, diagnosis: Diagnosis) -> Page:
    """The report on the training of the model called ``name``, before it is written."""
    drawings = []
    for figure, caption in CAPTIONS.items():
        kind, shown = FIGURES[figure], groups(name, case, figure)
        if kind.fits(shown):
            drawings.append(Drawing(figure, kind.title, caption, partial(kind.draw, shown), f'watch.figure("{figure}")'))
    about = Words(
        f"{counted(case.budget, 'step')}, looked at {counted(len(case.steps), 'time')}; {counted(len(case.layers), 'layer')}.",
        f"{case.budget:,} ステップ、うち {len(case.steps)} 回を記録。層は {len(case.layers)} 個。",
    )
    notes = [*diagnosis.lines(), *untold(diagnosis)]
    section = Section("watch", Words("What the doctor says", "診断"), Words("", ""), notes=notes, drawings=drawings)
    return Page(Words(name, name), about, [section])


def untold(diagnosis: Diagnosis) -> list[Words]:
    """What the doctor could not look for, by the reason."""
    found: dict[Words, list[Words]] = {}
    for symptom, why in diagnosis.unknown.items():
        found.setdefault(why, []).append(SYMPTOMS[symptom].title)
    return [
        Words(
            f"Could not be judged: {', '.join(title.en for title in titles)}. {why.en}",
            f"判断できない症状: {'、'.join(title.ja for title in titles)}。{why.ja}",
        )
        for why, titles in found.items()
    ]


def groups(name: str, case: Case, figure: str) -> list[Group]:
    """The training as a figure takes it: one group of one run, with those layers that took part at its start and at its end.

    Where these are too many for one figure, only the ones with weights.
    """
    gradient = case.history.get("gradient", np.zeros((2, len(case.layers))))
    there = np.isfinite(gradient[[0, -1]]).all(0)
    if there.sum() > MOST and figure != "activations":
        there &= np.array([kind == "weights" for kind in case.kinds])
    # it has what a figure of networks asks a record for
    return [Group(name, {"model": name}, [cast("Record", only(case, there))])]
