"""Start: what this is, three things to try, and what became of the notes' claims."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from koubai.experiments.claims import CLAIMS
from koubai.language import Words, say
from koubai.statistics import QUICK_LOOK, VERDICTS
from koubai.store import Store
from koubai.study import Study
from koubai.web.play.board import Board
from koubai.web.shell import put, tabular


class Try(NamedTuple):
    """Something to try: a study that trains within seconds, and what to look at."""

    title: Words
    about: Words
    study: Study


class Judged(NamedTuple):
    """How a claim was judged on a data set, and why; by a quick look or by a whole run."""

    data: str
    verdict: str
    reason: Words
    quick: bool


TRIES = (
    Try(
        Words("Where does the gradient go?", "勾配はどこで消える?"),
        Words(
            "Four hidden layers on handwritten digits, sigmoid against ReLU. Watch the gradient on its way to the first layer.",
            "手書き数字と隠れ層4つ。シグモイドとReLUで、最初の層に届く勾配を見比べる。",
        ),
        Study(
            {"layers": [40] * 4, "initializer": "xavier", "learning_rate": 0.1, "steps": 500},
            name="gradient",
            axes={"activation": ["sigmoid", "relu"], "seed": 3},
        ),
    ),
    Try(
        Words("Do the initial weights matter?", "重みの初期値は大事?"),
        Words(
            "The same ReLU network from three kinds of initial weights: N(0, 0.01²), Xavier's and He's.",
            "同じReLUのネットワークを3種類の初期値から: N(0, 0.01²)、Xavier、He。",
        ),
        Study(
            {"layers": [100] * 4, "activation": "relu", "batch_size": 128, "learning_rate": 0.01, "steps": 500},
            name="first-weights",
            axes={"initializer": ["normal", "xavier", "he"], "seed": 3},
        ),
    ),
    Try(
        Words("What if the learning rate is too high?", "学習率が高すぎると?"),
        Words(
            "Two moons, learning rates from 0.01 to 10. Too low is slow; too high jumps about and never settles.",
            "2つの半月で、学習率0.01から10まで。低すぎれば遅く、高すぎれば跳ね回って落ち着かない。",
        ),
        Study(
            {"data": "moons", "layers": [20, 20], "activation": "tanh", "initializer": "xavier", "steps": 600},
            name="learning-rates",
            axes={"learning_rate": [0.01, 0.1, 1.0, 10.0], "seed": 3},
        ),
    ),
)


def content(store: Store) -> None:
    """Fill the page."""
    put("h1", Words("Why does a network not train? See where the gradient goes.", "なぜ学習が進まないのか。勾配の行方を見る。"))
    put(
        "p",
        Words(
            "Koubai (勾配, gradient) trains every variant of a network side by side, measures at each layer what is left of the "
            "gradient, and says in plain words what is wrong and what mends it. Everything runs on this machine.",
            "Koubai(勾配)は、ネットワークのあらゆる設定を並べて学習させ、各層に届く勾配を測り、何がいけないのか、どうすれば直るのかを"
            "わかりやすい言葉で伝えます。すべてこのマシンの中で動きます。",
        ),
        "lead",
    )
    with put("section", aria_labelledby="try"):
        put("h2", Words("Three things to try", "まず試す3つのこと"), id="try")
        with put("div", classes="cards"):
            for one in TRIES:
                with put("a", classes="card", href=Board.of(one.study).link()):
                    put("h3", one.title)
                    put("p", one.about)
                    put("span", Words("Train it →", "学習させる →"), "go")
    with put("section", aria_labelledby="claims"):
        put("h2", Words("What the notes say, put to the test", "ノートの主張の検証"), id="claims")
        _claims(store)


def _claims(store: Store) -> None:
    """Every claim with its verdicts, by section; or how to get some."""
    found = store.claims() if store.exists else {}
    judged: dict[str, list[Judged]] = {}
    for (name, data), (verdict, reason, quick) in found.items():
        if name in CLAIMS:
            judged.setdefault(name, []).append(Judged(data, verdict, reason, quick))
    put(
        "p",
        Words(
            f"The notes this laboratory is built on draw {len(CLAIMS)} conclusions. Each was stated as a comparison before anything was "
            "trained, and is judged by the 95% interval of the difference, paired by seed.",
            f"もとになったノートには {len(CLAIMS)} の結論があります。それぞれ学習の前に比較の形で定め、シードごとに対にした差の95%区間で"
            "判定します。",
        ),
    )
    if not judged:
        with put("div", classes="empty"):
            put("p", Words("None of them has been tested on this machine yet.", "このマシンでは、まだ検証されていません。"))
            put("p", Words("To test them all, in a terminal:", "すべて検証するには、ターミナルで:"))
            with put("p"):
                put("code", "koubai run")
    else:
        for quick in (False, True):
            _counts([one for verdicts in judged.values() for one in verdicts if one.quick == quick], quick)
    heads = (Words("verdict", "判定"), Words("claim", "主張"), Words("because", "根拠"))
    with tabular(heads, "claims" if judged else "claims untested"):
        before = None
        for claim in CLAIMS.values():
            if claim.section != before:
                with put("tr", classes="group"):
                    put("th", claim.section, colspan="3", scope="rowgroup")
                before = claim.section
            with put("tr"):
                verdicts = judged.get(claim.name, [])
                with put("td"):
                    _verdicts(verdicts)
                put("td", claim.words)
                with put("td", classes="because"):
                    for one in verdicts:
                        put("div", f"{one.data}: {say(one.reason)}" if len(verdicts) > 1 else one.reason, "small soft")


def _verdicts(verdicts: list[Judged]) -> None:
    for one in verdicts:
        put("span", VERDICTS[one.verdict], f"badge {one.verdict}" + " quick" * one.quick)
        if one.quick:
            put("div", QUICK_LOOK, "small soft")
    if not verdicts:
        put("span", Words("not tested", "未検証"), "soft small")


def _counts(judged: list[Judged], quick: bool) -> None:
    """How many claims were judged how; on several data sets each verdict counts. Quick looks are called that, and counted apart."""
    counts = Counter(one.verdict for one in judged)
    if not judged:
        return
    if quick:
        with put("p"):
            words = Words(
                "These are from a quick look: 3 of 10 seeds, an eighth of the steps. A whole run may judge otherwise, and its "
                "verdicts replace these: ",
                "お試しの判定です(シード数は10分の3、ステップ数は8分の1)。全体を実行すると変わることもあり、その判定に置き換わります: ",
            )
            put("span", words)
            put("code", "koubai run")
    with put("ul", classes="counts" + " quick" * quick):
        for verdict, words in VERDICTS.items():
            with put("li", classes=verdict):
                put("b", str(counts[verdict]))
                put("span", words)
