"""Learning-rate schedules: the share of the learning rate that is in force at each step.

A schedule is called as ``function(t, total, **numbers)``: ``t`` is a float64 tensor of steps, counted from 0, ``total`` the length of
the training; the answer has ``t``'s shape. The notes' advice (Section 2) is to start high and decrease.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from koubai.techniques.lazy import torch
from koubai.techniques.registry import Number, Technique, Words, register

if TYPE_CHECKING:
    from torch import Tensor

SCHEDULES: dict[str, Technique] = {}
schedule = partial(register, SCHEDULES)


@schedule(
    "constant",
    formula="1",
    about=Words("The same learning rate all the time.", "学習率を変えない。"),
    source="baseline",
)
def constant(t: Tensor, total: int) -> Tensor:
    """``1``. Weakness: a rate that is right at the start is too high for the end."""
    return torch.ones_like(t)


@schedule(
    "step",
    formula=r"\gamma^{\lfloor t / s \rfloor}",
    about=Words("Down by a factor every so many steps.", "一定のステップごとに一定の倍率で下げる。"),
    source="torch.optim.lr_scheduler.StepLR",
    numbers={
        "every": Number(1000, "[1, inf)", Words("steps between cuts", "下げる間隔(ステップ)"), whole=True),
        "factor": Number(0.1, "(0, 1]", Words("what a cut leaves", "下げる倍率")),
    },
)
def step(t: Tensor, total: int, *, every: float, factor: float) -> Tensor:
    """``factor ** floor(t / every)``. Weakness: two more numbers to choose."""
    return factor ** torch.floor(t / every)


@schedule(
    "exponential",
    formula=r"\gamma^{t / T}",
    about=Words("An exponential decay to a share of the learning rate at the end.", "終わりまでに一定の割合へ、指数的に下げる。"),
    source="torch.optim.lr_scheduler.ExponentialLR, by the whole training instead of by the step",
    numbers={"final": Number(0.01, "(0, 1]", Words("share of the learning rate that is left at the end", "終わりに残る割合"))},
)
def exponential(t: Tensor, total: int, *, final: float) -> Tensor:
    """``final ** (t / total)``. Weakness: most of the time is spent at small rates."""
    return final ** (t / total)


@schedule(
    "inverse_time",
    formula=r"1 / (1 + k t)",
    about=Words(
        "Falls as one over time, as in the classical convergence proofs.",
        "時間に反比例して下げる。収束の古典的な証明で使われる形。",
    ),
    source="Robbins and Monro 1951",
    numbers={"decay": Number(0.01, "[0, inf)", Words("k: how fast", "k: 下がる速さ"))},
)
def inverse_time(t: Tensor, total: int, *, decay: float) -> Tensor:
    """``1 / (1 + decay t)``. Weakness: falls early and then hardly at all."""
    return 1 / (1 + decay * t)


@schedule(
    "cosine",
    formula=r"\tfrac12 \left(1 + \cos \frac{\pi (t - w)}{T - w}\right)",
    about=Words(
        "Half a cosine from the full learning rate to 0, after an optional warm-up.",
        "余弦の半周期で0まで下げる。ウォームアップも可。",
    ),
    source="Loshchilov and Hutter 2016, arXiv:1608.03983",
    numbers={
        "warmup": Number(0, "[0, inf)", Words("steps of linear warm-up first", "最初に直線的に上げるステップ数"), whole=True)
    },
)
def cosine(t: Tensor, total: int, *, warmup: float) -> Tensor:
    """``(1 + cos(pi (t - warmup) / (total - warmup))) / 2`` after a linear warm-up. Weakness: must know the end beforehand."""
    progress = ((t - warmup) / max(total - warmup, 1)).clamp(0, 1)
    return torch.where(t < warmup, (t + 1) / max(warmup, 1), (1 + torch.cos(math.pi * progress)) / 2)


@schedule(
    "warmup",
    formula=r"\min(1, (t + 1) / w)",
    about=Words("Rises linearly to the full learning rate and stays there.", "直線的に上げてから一定に保つ。"),
    source="Goyal et al. 2017, arXiv:1706.02677",
    numbers={
        "steps": Number(
            100, "[1, inf)", Words("steps until the full learning rate", "所定の学習率になるまでのステップ数"), whole=True
        )
    },
)
def warmup(t: Tensor, total: int, *, steps: float) -> Tensor:
    """``min(1, (t + 1) / steps)``. Weakness: helps only where the first steps are the dangerous ones."""
    return ((t + 1) / steps).clamp(max=1)
