"""Schedules: the learning rate over a training."""

from __future__ import annotations

from koubai.language import Words
from koubai.report import pictures
from koubai.store import Store
from koubai.techniques import SCHEDULES
from koubai.web.controls import choice
from koubai.web.ideas.base import About, idea, picture
from koubai.web.shell import figure, put, update

FIRST = "cosine"


@idea(
    "schedules",
    Words("Section 2: optimizers", "Section2 学習率最適化手法"),
    Words("Learning rate schedules", "学習率のスケジュール"),
    Words("Begin with large steps, end with small ones.", "大きな歩幅で始めて、小さな歩幅で終える。"),
)
def fill(store: Store) -> None:
    """Fill the page."""

    def chosen(name: str) -> None:
        about.show(SCHEDULES[name])
        update(drawn, picture(pictures.schedule(SCHEDULES[name])))

    with put("div", classes="side"):
        with put("div", classes="controls"):
            choice(Words("Schedule", "スケジュール"), list(SCHEDULES), FIRST, chosen)
            about = About()
        drawn = figure(None, Words("The share of the learning rate by step", "ステップごとの学習率の倍率"))
    chosen(FIRST)
