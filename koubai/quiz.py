"""The ten review questions of the notes (確認テスト): asked in both languages, answered by computation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.cells import set_cell_size

from koubai.answers import measured, worked
from koubai.answers.base import Answer, same
from koubai.language import UserError, Words, apart, counted, say, saying_both
from koubai.report.braille import canvas
from koubai.report.figures.surfaces import CURVATURE, OPTIMUM, best_within, limit, norm_contours, quadratic
from koubai.report.page import Drawing
from koubai.report.page import Question as Asked
from koubai.store import Store


@dataclass(frozen=True)
class Question:
    """A question, its choices by their signs, what computes the answer, and the answer that the notes give.

    ``right`` is the choice that the notes take. ``picture`` and ``drawings`` show
    what the question is about, in a terminal and on a page. ``answer`` keeps what it trains in a store.
    """

    words: Words
    answer: Callable[[Store], Answer]
    noted: Words
    choices: Mapping[str, Words] = field(default_factory=dict)
    right: str | None = None
    picture: Callable[[], str] | None = None
    drawings: Sequence[Drawing] = ()

    def lines(self) -> list[str]:
        """The question as it is asked, in the language in force."""
        drawn = self.picture().splitlines() if self.picture else []
        return [say(self.words), *drawn, *(f"  ({sign}) {say(words)}" for sign, words in self.choices.items())]

    def worked(self, store: Store) -> tuple[list[str], str | None]:
        """The answer with its working, computed now, and the choice it leads to."""
        found = self.answer(store)
        if not self.choices:
            head = say(found.short)
        elif found.choice is None:
            head = say(Words("The computation singles out none of the choices.", "計算では1つの選択肢に決まりません。"))
        else:
            head = f"({found.choice}) {say(self.choices[found.choice])}"
        lines = [say(Words("Computed: ", "計算: ")) + head]
        if self.choices and say(found.short) not in head:
            lines.append(f"  {say(found.short)}")
        lines += [f"  {say(line)}" for line in found.lines]
        lines.append(say(Words("The notes: ", "ノートの解答: ")) + say(self.noted))
        if self.right is not None and found.choice != self.right:
            lines.append(say(Words("THE COMPUTATION DOES NOT AGREE.", "計算はノートの解答と一致しません。")))
        return lines, found.choice

    def chosen(self, typed: str) -> str | None:
        """The choice that somebody means: by its sign, bracketed or not, full-width or not, or by its words."""
        said = re.sub(r"[()\[\]. ]|側", "", unicodedata.normalize("NFKC", typed)).lower()
        for sign, words in self.choices.items():
            if said and said in (sign, *(re.sub(r"[. ]", "", word).lower() for word in words)):
                return sign
        return None


def answered(store: Store) -> list[Asked]:
    """All questions with their answers, in both languages, for a report."""
    pages = []
    for one in QUESTIONS:
        with saying_both():
            lines, _ = one.worked(store)
        choices = [Words(f"({sign}) {words.en}", f"({sign}) {words.ja}") for sign, words in one.choices.items()]
        pages.append(Asked(one.words, choices, [apart(line) for line in lines], one.drawings))
    return pages


def question(number: int) -> Question:
    """The question of this number, from 1. Raises ``UserError``."""
    if not 1 <= number <= len(QUESTIONS):
        raise UserError(
            f"There are questions 1 to {len(QUESTIONS)}, not {number}.", f"問題は1から {len(QUESTIONS)} までです: {number}"
        )
    return QUESTIONS[number - 1]


def mark(right: int, choices: int) -> Words:
    """How many of the choices were right."""
    return Words(f"{right} of {counted(choices, 'choice')} right.", f"選択問題 {choices} 問中 {right} 問正解。")


def two_norms() -> str:
    """The two drawings of the question on L1: the limit, the loss's contour that touches it, and where they touch."""
    left, right, low, high = bounds = (-2.0, 2.4, -1.3, 2.0)
    angle = np.linspace(0, 2 * np.pi, 721)
    around = np.linalg.solve(np.linalg.cholesky(CURVATURE).T, np.stack([np.cos(angle), np.sin(angle)]))
    drawings = []
    for p in worked.NORMS.values():
        border, w = limit(p), best_within(p)
        x, y = OPTIMUM[:, None] + np.sqrt(quadratic(w)) * around
        lines = [
            (border[:, 0], border[:, 1], False),
            (np.array([left, right]), np.zeros(2), False),
            (x, y, False),
            (w[:1], w[1:], True),
            (OPTIMUM[:1], OPTIMUM[1:], True),
            (np.zeros(2), np.array([low, high]), False),
        ]
        drawings.append(canvas(lines, 32, 12, bounds))
    one, other = map(say, worked.SIDES.values())
    rows = [f"  {here}    {there}" for here, there in zip(*drawings, strict=True)]
    return "\n".join([f"  {set_cell_size(one, 36)}{other}", *rows])


def _alone(name: Words) -> Words:
    """The question on one of three optimizers, which the notes ask together."""
    return Words(f"Explain briefly what characterizes {name.en}.", f"{name.ja}の特徴を簡潔に説明せよ。")


def _side(name: str) -> Drawing:
    """One of the two pictures of the question on L1: a page has them beside each other, or on a phone below each other."""
    words = worked.SIDES[name]
    return Drawing(name, words, words, lambda: norm_contours((), (say(words),), (worked.NORMS[name],)))


QUESTIONS = (
    Question(
        Words("Find dz/dx by the chain rule: z = t², t = x + y.", "連鎖律の原理を使い、dz/dxを求めよ。z = t²、t = x + y"),
        worked.chain_rule,
        same("dz/dx = dz/dt · dt/dx = 2t = 2(x + y)"),
    ),
    Question(
        Words(
            "The derivative of the sigmoid is largest where the input is 0. How large is it there?",
            "シグモイド関数を微分した時、入力値が0の時に最大値をとる。その値として正しいものを選択肢から選べ。",
        ),
        worked.steepest_slope,
        Words(
            "(2): (1 - sigmoid(x))·sigmoid(x) is largest where sigmoid(x) = 0.5: (1 - 0.5)·0.5 = 0.25", "(2) (1-0.5)・(0.5)=0.25"
        ),
        {sign: same(f"{slope:g}") for sign, slope in worked.SLOPES.items()},
        "2",
    ),
    Question(
        Words(
            "What goes wrong if the weights start at 0? Explain briefly.",
            "重みの初期値に0を設定すると、どのような問題が発生するか。簡潔に説明せよ。",
        ),
        measured.zero_weights,
        Words(
            "All values are passed on as the same value, so the parameters are not tuned.",
            "全ての値が同じ値で伝わるためパラメータのチューニングが行われなくなる。",
        ),
    ),
    Question(
        Words(
            "Name two effects that batch normalization is thought to have.", "一般的に考えられるバッチ正規化の効果を2点挙げよ。"
        ),
        measured.batch_normalization,
        Words(
            "Computing takes less time; the gradient vanishes less easily.", "計算時間が短縮される。勾配消失が起きづらくなる。"
        ),
    ),
    Question(
        _alone(Words("momentum", "モメンタム")),
        measured.momentum,
        Words(
            "It tends to find the global optimum rather than a local one.", "局所的最適解ではなく、大域的最適解が得られやすい。"
        ),
    ),
    Question(
        _alone(Words("AdaGrad", "AdaGrad")),
        measured.adagrad,
        Words("It converges well where the slope is gentle, too.", "なだらかな部分でも最適値に収束しやすい。"),
    ),
    Question(
        _alone(Words("RMSProp", "RMSProp")),
        measured.rmsprop,
        Words("It needs little tuning of parameters.", "パラメータの調整が少なくて済む。"),
    ),
    Question(
        Words(
            "Linear models (linear regression, principal components and so on) are regularized by limiting their weights. "
            "One such method is ridge regression. Which statement about it is right?",
            "機械学習で使われる線形モデル(線形回帰、主成分分析・・・etc)の正則化は、モデルの重みを制限することで可能となる。"
            "前述の線形モデルの正則化手法の中にリッジ回帰という手法があり、その特徴として正しいものを選択しなさい。",
        ),
        worked.ridge,
        Words(
            "(a). Regularized or not, (b) linear regression stays linear; (c) the bias is not regularized; "
            "(d) the term is added to the error function.",
            "(a)。(b) 正則化を行っても、線形回帰が非線形回帰にならない。(c) バイアスに関しては正則化されない。"
            "(d) 誤差関数に対して正則化項を加える。",
        ),
        {
            "a": Words(
                "With a large hyperparameter all weights come arbitrarily close to 0.",
                "ハイパーパラメータを大きな値に設定すると、すべての重みが限りなく0に近づく",
            ),
            "b": Words(
                "With the hyperparameter at 0 it becomes non-linear regression.",
                "ハイパーパラメータを0に設定すると、非線形回帰となる",
            ),
            "c": Words("The bias is regularized too.", "バイアス項についても、正則化される"),
            "d": Words(
                "In ridge regression the term is added to the hidden layers.", "リッジ回帰の場合、隠れ層に対して正則化項を加える"
            ),
        },
        "a",
    ),
    Question(
        Words(
            "Which picture shows L1 regularization? (Solid: the limit on the weights; dashed: equal loss.)",
            "下図について、L1正則化を表しているグラフはどちらか答えよ。(実線: 重みの制約、破線: 損失の等高線)",
        ),
        worked.norms,
        Words("Left: L2, right: L1.", "左側 L2正則化、右側 L1正則化"),
        {side[0]: words for side, words in worked.SIDES.items()},
        "r",
        two_norms,
        [_side(name) for name in worked.SIDES],
    ),
    Question(
        Words(
            "A 6x6 image is convolved with a 2x2 filter; stride and padding are 1. How large is the output?",
            "サイズ6×6の入力画像を、サイズ2×2のフィルタで畳み込んだ時の出力画像のサイズを答えよ。なおストライドとパディングは1とする。",
        ),
        worked.output,
        same("7×7"),
    ),
)
