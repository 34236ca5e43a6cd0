"""``koubai list`` and ``koubai runs``: what there is, and what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from koubai.cli.base import OUT, Lang, Out, command, console, rows, table, text
from koubai.language import Words, say


@command("list", "List the exercises, the techniques and the data sets.", "演習・手法・データセットの一覧を表示します。")
def list_(lang: Lang = None) -> None:
    """List what there is."""
    from koubai.data.builtin import BUILTIN
    from koubai.experiments.catalogue import EXERCISES
    from koubai.spec import KIND_WORDS
    from koubai.techniques import KINDS

    exercises = ((one.name, say(one.title) + text(". ", ": ") + say(one.about)) for one in EXERCISES.values())
    rows(text("Exercises (koubai run NAME)", "演習(koubai run NAME)"), exercises)
    for kind, techniques in KINDS.items():
        about = ((name, " ".join(filter(None, (say(t.about), _numbers(t.defaults()))))) for name, t in techniques.items())
        rows(text(f"Techniques: {kind}", f"手法: {say(KIND_WORDS[kind])}({kind})"), about)
    data = ((name, say(source.about)) for name, source in BUILTIN.items())
    rows(text("Data sets (--data NAME)", "データセット(--data NAME)"), data)


def _numbers(defaults: Mapping[str, float]) -> str:
    listed = ", ".join(f"{name}={value:g}" for name, value in defaults.items())
    return f"({listed})" if listed else ""


@command("runs", "List the studies in a store.", "保存先にある実験の一覧を表示します。")
def runs(out: Out = OUT, lang: Lang = None) -> None:
    """List what was run."""
    from koubai.store import Store

    studies = Store(out / "store").studies()
    if not studies:
        print(text(f"Nothing has been run in {out} yet; try: koubai run", f"{out} にはまだ何もありません。まず: koubai run"))
        return
    listed = table(*(say(head) for head in HEADS))
    for one in studies:
        when = datetime.fromtimestamp(one["created"]).strftime("%Y-%m-%d %H:%M")
        best = "" if one["best"] is None else f"{one['best']:.1%}"
        listed.add_row(one["name"], when, *(f"{one[key]:,}" for key in ("trials", "stored", "diverged")), best)
    console().print(listed)


HEADS = (
    Words("study", "実験"),
    Words("when", "日時"),
    Words("trials", "試行"),
    Words("stored", "保存済み"),
    Words("diverged", "発散"),
    Words("best validation accuracy", "最高の検証精度"),
)
