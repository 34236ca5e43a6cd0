"""``koubai chain``, ``output-size``, ``quiz`` and ``explain``: the notes' questions and techniques, worked out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import OUT, Lang, Out, command, option, text
from koubai.language import UserError, Words, say, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from koubai.quiz import Question
    from koubai.store import Store
    from koubai.techniques import Technique

    Stored = Mapping[tuple[str, str], tuple[str, Words, bool]]  # claim and data set -> verdict, reason, of a quick look


@command(
    "chain",
    'The chain rule, step by step. As in: koubai chain "t**2" "t = x + y" --wrt x',
    '連鎖律による微分を、途中の式とともに示します。例: koubai chain "t**2" "t = x + y" --wrt x',
    ignore_unknown_options=True,  # a formula may begin with a minus
)
def chain(
    formulas: Annotated[
        list[str],
        typer.Argument(
            metavar="FORMULA",
            help=text("The outer formula, then the inner ones as NAME = FORMULA.", "外側の式、続いて内側の式(名前 = 式)。"),
        ),
    ],
    wrt: Annotated[str, option("--wrt", "The variable to differentiate by.", "どの変数で微分するか。", "NAME")],
    lang: Lang = None,
) -> None:
    """Differentiate."""
    from koubai.chain import show

    show(formulas[0], formulas[1:], wrt)


@command(
    "output-size",
    "The size of a convolution's output. As in: koubai output-size 6 2 --stride 1 --padding 1",
    "畳み込みの出力サイズを計算します。例: koubai output-size 6 2 --stride 1 --padding 1",
    ignore_unknown_options=True,  # a negative number is no option
)
def output_size(
    size: Annotated[str, typer.Argument(metavar="INPUT", help=text("Side of the input, or 6x8.", "入力の一辺。または 6x8。"))],
    filter: Annotated[
        str, typer.Argument(metavar="FILTER", help=text("Side of the filter, or 2x3.", "フィルタの一辺。または 2x3。"))
    ],
    stride: Annotated[int, option("--stride", "Pixels that the filter moves at a time.", "フィルタの移動量(画素)。", "N")] = 1,
    padding: Annotated[int, option("--padding", "Pixels added on each side.", "各辺に足す画素数。", "N")] = 0,
    lang: Lang = None,
) -> None:
    """Work out a size."""
    from koubai.answers.sizes import worked
    from koubai.techniques.convolution import ImpossibleSize, output_size

    inputs, filters = _sides(size), _sides(filter)
    both = max(len(inputs), len(filters))
    pairs = list(zip(inputs * (both // len(inputs)), filters * (both // len(filters)), strict=True))
    try:
        for one, other in pairs:
            print(say(worked(one, other, stride, padding)))
        sides = [output_size(one, other, stride, padding) for one, other in pairs]
    except ImpossibleSize as error:
        raise UserError(*error.words) from None
    print(f"{sides[0]}x{sides[-1]}")


def _sides(typed: str) -> list[int]:
    """``"6"`` or ``"6x8"`` in numbers."""
    try:
        sides = [int(side) for side in typed.lower().replace("×", "x").split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise UserError(
            f"{typed[:30]!r} is no size; write one side as 6, or two as 6x8.",
            f"{typed[:30]!r} はサイズではありません。6 または 6x8 のように書いてください。",
        )
    return sides


@command(
    "quiz",
    "The ten review questions, or one of them. Each is answered by a computation; --answers prints them all with their working.",
    "確認テストの10問(または1問)を出題します。答えはその場で計算します。--answers は解答を途中の計算とともに表示します。",
)
def quiz(
    number: Annotated[int | None, typer.Argument(metavar="NUMBER", help=text("Only this question.", "この問題だけ。"))] = None,
    answers: Annotated[bool, option("--answers", "Print the answers, computed now.", "解答を計算して表示する。")] = False,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Ask."""
    from koubai.quiz import QUESTIONS, question
    from koubai.store import Store

    numbers = range(1, len(QUESTIONS) + 1) if number is None else [number]
    asked = [(k, question(k)) for k in numbers]
    store = Store(out / "store")
    if not answers and sys.stdin.isatty():
        _examine(asked, store)
        return
    for k, one in asked:
        _ask(k, one)
        print(*(one.worked(store)[0] if answers else ()), sep="\n", end="\n\n" if answers else "\n")
    if not answers:
        print(text("The answers, with their working: koubai quiz --answers", "解答と計算の過程: koubai quiz --answers"))


def _ask(number: int, question: Question) -> None:
    print(f"{number}. " + "\n".join(question.lines()), flush=True)


def _examine(asked: list[tuple[int, Question]], store: Store) -> None:
    """Ask one by one, show each answer after the user's own, and count the choices that were right."""
    from koubai.quiz import mark

    right = choices = 0
    try:
        for k, one in asked:
            _ask(k, one)
            mine = _choice(one) if one.choices else input(text("Your answer, then Enter: ", "答え(Enterで解答): "))
            lines, choice = one.worked(store)
            if one.choices:
                choices += 1
                right += mine == choice
                print(text("Right.", "正解。") if mine == choice else text("Not right.", "不正解。"))
            print(*lines, "", sep="\n")
    except EOFError:
        print()
    except KeyboardInterrupt:
        print()
        raise typer.Exit(130) from None
    if choices:
        print(say(mark(right, choices)))


def _choice(question: Question) -> str | None:
    """The sign of the choice that is typed; ``None`` for Enter alone."""
    signs = "/".join(question.choices)
    while typed := input(text(f"Your choice ({signs}): ", f"選択({signs}): ")).strip():
        if choice := question.chosen(typed):
            return choice
        print(
            text(
                f"Type one of {signs}, or Enter alone for the answer.",
                f"{signs} のどれかを入力してください。Enterだけなら解答を表示します。",
            )
        )
    return None


@command(
    "explain",
    "One technique, explained. Formula, reason, weakness, hyperparameters, a picture, and what came of the notes' claims about it.",
    "手法を1つ説明します。数式、理由、弱点、ハイパーパラメータ、図、そしてノートの主張の検証結果を示します。",
)
def explain(
    technique: Annotated[
        str,
        typer.Argument(
            metavar="TECHNIQUE", help=text("The technique's name; koubai list has all.", "手法の名前。一覧は koubai list。")
        ),
    ],
    figure: Annotated[
        Path | None, option("--figure", "Write the picture as an HTML file too.", "図をHTMLファイルにも書き出す。", "FILE.html")
    ] = None,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Explain."""
    from koubai.report.pictures import as_text, picture, write
    from koubai.store import Store
    from koubai.techniques import KINDS

    known = dict.fromkeys(name for members in KINDS.values() for name in members)
    technique = _spelled(technique, [*known, *KINDS])
    homes = [(kind, members[technique]) for kind, members in KINDS.items() if technique in members]
    homes = homes or [(technique, one) for one in KINDS.get(technique, {}).values()]  # a whole kind, such as pooling
    if not homes:
        raise unknown(Words("technique", "手法"), technique, known)
    stored = Store(out / "store").claims()
    drawn = [picture(kind, one) for kind, one in homes]
    if figure is not None:
        write(figure, [one for one in drawn if one])
    # a name may stand for two: a constant initial weight, a constant rate
    for (kind, one), seen in zip(homes, drawn, strict=True):
        print(*_described(kind, one), sep="\n")
        if seen:
            print("", as_text(seen), sep="\n")
        print("", *_claimed(kind, one, stored, len({kind for kind, _ in homes}) > 1), "", sep="\n")
    if figure is not None:
        print(text(f"Figure: {figure}", f"図: {figure}"))


def _spelled(name: str, known: Iterable[str]) -> str:
    """The known name that differs from ``name`` in capitals, blanks and signs alone (``Batch Norm``), or ``name`` as it is."""

    def letters(name: str) -> str:
        return "".join(filter(str.isalnum, name)).lower()

    return next((one for one in known if letters(one) == letters(name)), name)


def _described(kind: str, technique: Technique) -> Iterator[str]:
    """What a technique says of itself."""
    from koubai.choices import KIND_WORDS
    from koubai.report.typeset import plain
    from koubai.report.weaknesses import weakness
    from koubai.written import written

    yield f"{technique.name} ({say(KIND_WORDS[kind])})"
    derivative = getattr(technique, "derivative", "")
    yield f"\n  {'f = ' if derivative else ''}{plain(technique.formula)}"
    if derivative:
        yield f"  f' = {plain(derivative)}"
    yield f"\n{say(technique.about)}"
    if weak := weakness(kind, technique):
        yield text("Weakness: ", "弱点: ") + say(weak)
    if technique.source:
        yield text("Source: ", "出典: ") + technique.source
    for name, number in technique.numbers.items():
        default = number.default if isinstance(number.default, str) else f"{number.default:g}"
        yield (
            text("Hyperparameter: ", "ハイパーパラメータ: ")
            + f"{name} = {default}, {text('in', '範囲')} {number.interval}: {say(number.about)}"
        )
    yield text("In a trial: ", "試行での書き方: ") + written(kind, technique)


def _claimed(kind: str, technique: Technique, stored: Stored, shared: bool) -> Iterator[str]:
    """The claims of the notes about a technique, each with its verdicts, or the command that gives them."""
    from koubai.experiments.claims import CLAIMS
    from koubai.experiments.judging import needs
    from koubai.statistics import QUICK_LOOK, VERDICTS

    about = [
        claim
        for claim in CLAIMS.values()
        if technique.name in claim.techniques and (not shared or any(kind in one.treated for one in claim.comparisons))
    ]
    if not about:
        yield text("The notes claim nothing about it that is tested.", "この手法について検証する主張は、ノートにありません。")
        return
    yield text("What the notes claim about it:", "ノートの主張:")
    for claim in about:
        yield f"- {say(claim.words)}"
        verdicts = {data: judged for (name, data), judged in stored.items() if name == claim.name}
        for data, (verdict, reason, quick) in verdicts.items():
            look = f", {say(QUICK_LOOK)}" if quick else ""
            yield f"  {say(VERDICTS[verdict])} ({data}{look}): {say(reason)}"
        if not verdicts:
            yield text("  Not tested yet: koubai run ", "  未検証: koubai run ") + " ".join(sorted(needs([claim])))
