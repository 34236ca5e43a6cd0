"""The report on exercises: the claims they decide first, then each exercise with its figures and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from koubai.experiments.catalogue import EXERCISES, Exercise
from koubai.experiments.catalogue import Race as Raced
from koubai.experiments.conduct import Outcome
from koubai.experiments.judging import Finding, Judged, claimed_words, decisive, reason, remark, sides
from koubai.language import Words, counted
from koubai.measures import MEASURES
from koubai.report.figures import FIGURES
from koubai.report.figures.verdicts import Compared
from koubai.report.groups import Race
from koubai.report.page import Drawing, Evidence, Page, Section, Verdict, drawing
from koubai.result import Result
from koubai.statistics import VERDICTS

Verdicts = Mapping[str, str]  # claim -> verdict


def page(
    exercises: Mapping[str, Exercise],
    outcomes: Mapping[str, Outcome],
    judged: Sequence[Judged],
    command: str,
    elsewhere: tuple[str, Verdicts] | None = None,
) -> Page:
    """The report on these exercises; ``command`` made it. ``elsewhere`` are the verdicts on other data, to say where they differ."""
    sections = [section(exercises[name], outcome, command) for name, outcome in outcomes.items()]
    results = [outcome for outcome in outcomes.values() if isinstance(outcome, Result)]
    trained = len({record.trial for result in results for record in result.records})
    data = sorted({record.trial.data.name for result in results for record in result.records} - {"noise"})
    words = [Words("Vanishing gradients and their remedies", "勾配消失とその対策")]
    title = exercises[next(iter(outcomes))].title if len(outcomes) == 1 else words[0]
    on = f" on {', '.join(data)}" if data else ""
    lead = Words(
        f"{counted(trained, 'network')} trained{on}.",
        f"学習したネットワーク {trained:,} 個({'、'.join(data) or '曲面上の探索のみ'})。",
    )
    if judged:
        first = Words(
            " The verdict on each claim comes first, and leads to its evidence.", "主張ごとの判定から、その根拠へ進めます。"
        )
        lead = Words(lead.en + first.en, lead.ja + first.ja)
    facts = {"command": f"koubai run{'' if len(outcomes) > 1 else ' ' + next(iter(outcomes))}{command}"}
    facts |= {"data": ", ".join(data), **results[0].facts()} if results else {}
    verdicts = [verdict(one, elsewhere) for one in judged]
    return Page(title, lead, sections, verdicts, facts=facts)


def section(exercise: Exercise, outcome: Outcome, command: str) -> Section:
    """One exercise of the report."""
    words = {"name": exercise.name, "title": exercise.title, "about": exercise.about}
    command = f"koubai run {exercise.name}{command}"
    if isinstance(outcome, Result):
        return outcome.section(exercise.figures, again=command, command=command, **words)
    paths: dict[str, list[object]] = {}
    for path in outcome:
        paths.setdefault(f"{path.optimizer} ({path.rate:g})", []).append(path)
    groups = [Race(label, ways) for label, ways in paths.items()]  # type: ignore[arg-type]
    assert isinstance(exercise.runs, Raced)
    note = Words(
        f"{counted(exercise.runs.steps, 'step')} from {counted(exercise.runs.starts, 'start')}; the learning rate stands beside each name.",
        f"{exercise.runs.starts} 個の出発点から {exercise.runs.steps} ステップ。括弧内は学習率。",
    )
    drawings = [drawing(name, groups, command) for name in exercise.figures]
    return Section(**words, command=command, notes=[note], drawings=drawings)  # type: ignore[arg-type]


def verdict(judged: Judged, elsewhere: tuple[str, Verdicts] | None) -> Verdict:
    """A judged claim as the page shows it."""
    claim = judged.claim
    kind = FIGURES["verdict"]
    shown = Drawing("verdict", kind.title, kind.caption, partial(kind.draw, [as_row(finding) for finding in judged.findings]))
    exercises = {finding.comparison.exercise: EXERCISES[finding.comparison.exercise].title for finding in judged.findings}
    differs = None
    if elsewhere and elsewhere[1].get(claim.name, judged.verdict) != judged.verdict:
        data, before = elsewhere[0], VERDICTS[elsewhere[1][claim.name]]
        differs = Words(f"differs: on {data} it was {before.en}", f"{data} での判定は「{before.ja}」")
    evidence = [row(finding) for finding in judged.findings]
    why = reason(decisive(judged))
    said = (claim.name, claim.words, claim.section, judged.verdict, why, evidence, shown, exercises)
    return Verdict(*said, differs=differs, remark=remark(judged))


def row(finding: Finding) -> Evidence:
    """A comparison as a row of numbers."""
    found, comparison = finding.judgement, finding.comparison
    unit = MEASURES[comparison.measure].unit.en
    return Evidence(
        heading(finding),
        f"{finding.treated.mean():.4g}",
        f"{finding.control.mean():.4g}",
        f"{found.difference:+.3g} [{found.low:+.3g}, {found.high:+.3g}]{' ' + unit if unit else ''}",
        f"{found.effect:+.1f}",
        found.seeds,
        claimed_words(comparison),
        found.verdict,
    )


def heading(finding: Finding) -> Words:
    """What a comparison compares."""
    comparison = finding.comparison
    measure, compared = MEASURES[comparison.measure].words, sides(comparison)
    return Words(f"{measure.en}: {compared}", f"{measure.ja}: {compared}")


def as_row(finding: Finding) -> Compared:
    """A comparison as a row of the figure."""
    found, comparison = finding.judgement, finding.comparison
    return Compared(
        heading(finding), found.difference, found.low, found.high, comparison.smallest, comparison.claimed, found.verdict
    )  # fmt: skip
