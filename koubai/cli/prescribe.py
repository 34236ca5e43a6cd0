"""``koubai prescribe``: what mends a trial, trained before it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import OUT, Device, Lang, Out, Threads, command, interruptible, option, text
from koubai.cli.leave import TRIAL, Run
from koubai.cli.printing import Table, console, hanging, put
from koubai.language import Words, say

if TYPE_CHECKING:
    from koubai.prescription import Prescription

SEEDS = 5


@command(
    "prescribe",
    "Train the remedies for what is wrong with a trial. Diagnoses it, compares them over several seeds, and says which mends it.",
    "試行を診断し、問題を直せる対策を探します。症状に対する対策を複数シードで実際に学習させて比べます。",
)
def prescribe(
    run: Run,
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help=TRIAL)],
    seeds: Annotated[int, option("--seeds", "Compare over N seeds.", "N個のシードで比べる。", "N")] = SEEDS,
    out: Out = OUT,
    device: Device = "auto",
    threads: Threads = None,
    lang: Lang = None,
) -> None:
    """Find a remedy, prove it, and write the mended trial."""
    from koubai.naming import SHOWN, file_name, result_named, trial_named
    from koubai.prescribing import prescribe as find
    from koubai.store import Store, write_out

    store = Store(out / "store")
    result = result_named(store, run)
    study, chosen = result.study, trial_named(result, trial).record.trial
    name = f"{study.name}-{chosen.id[:SHOWN]}"
    with interruptible(store):
        found = find(chosen, seeds=seeds, store=store, name=name, device=device, threads=threads)
    _show(found)
    plain = f"{file_name(study.name)}-{chosen.id[:SHOWN]}"
    if found.mended:
        file = out / f"{plain}-mended.toml"
        write_out(file, found.to_toml().encode())
        print(
            text(f"\nMended trial: {file} (koubai study {file} trains it)", f"\n直した試行: {file}(koubai study {file} で学習)")
        )
    written = found.report(out / f"{plain}-prescription.html")
    print(text(f"Report: {written.resolve().as_uri()}", f"レポート: {written.resolve().as_uri()}"))


def _show(found: Prescription) -> None:
    """The diagnosis, the prescription, and what each remedy gained."""
    from koubai.doctor import SYMPTOMS
    from koubai.measures import is_regression, scored, spelled
    from koubai.prescription import points

    out = console()
    out.print(text("Diagnosis", "診断"), style="bold")
    for words in found.told:
        hanging("", say(words), 2)
    out.print(text("\nPrescription", "\n処方"), style="bold")
    hanging("", say(found.verdict), 2)
    for field, (before, after) in found.changes().items():
        hanging("", f"{field}: {before} → {after}", 2)
    for words in found.reasons():
        hanging("", say(words), 2)
    best, small = found.best, found.smallest
    if best and best is not small:
        end = text("but the difference is not certain.", "ただし差は確実ではありません。")
        out.print(f"  {text('Highest', '最高')}: {say(best.words)}, {say(points(best))}, {end}")
    if found.simplest:
        out.print(
            f"  {text('With one change alone', '1つだけ変えるなら')}: {say(found.simplest.words)}, {say(points(found.simplest))}"
        )
    if not found.candidates:
        return
    print()
    score, quantity = scored(Words("validation accuracy", "検証精度"), found.records), is_regression(found.records[0])
    heads = (("remedy", "対策"), score, ("gain [95%]", "効果 [95%区間]"), ("seeds", "シード"))
    listed = Table(
        *(text(*head) for head in heads),
        text("symptoms still there, or why it was dropped", "残る症状・見送りの理由"),
        left=(0, 4),
    )
    for one in found.candidates:
        titles = text(", ", "、").join(say(SYMPTOMS[name].title) for name in one.symptoms)
        rest = say(one.left) if one.left else titles or text("nothing wrong", "異常なし")
        reached = spelled(float(one.accuracies.mean()), quantity)
        listed.add_row(say(one.words), reached, say(points(one)), str(len(one.records)), rest)
    put(listed)
    useless = text(", ", "、").join(say(one.words) for one in found.useless)
    if useless:
        out.print(f"\n{text('Did not help', '効かなかったもの')}: {useless}")
