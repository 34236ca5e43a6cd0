"""Claims put to the test: which runs a claim compares, what came out, and the verdict with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from koubai.blueprint import title
from koubai.landscapes import Path
from koubai.language import Words
from koubai.measures import MEASURES
from koubai.spec import Trial
from koubai.statistics import Claimed, Judgement, Verdict, combine, judge
from koubai.store import Record

Observation = Record | Path
Evidence = Mapping[str, Sequence[Observation]]  # exercise -> its runs


@dataclass(frozen=True)
class Like:
    """Values of a field that a selection takes where the value itself follows from the data: what they are called, and which they are."""

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Comparison:
    """What decides a claim, stated beforehand: two selections of an exercise's runs, a measure, a direction, the least that matters.

    ``treated`` and ``control`` give fields of the trials (or of a path) and their values; fields left free are all taken together.
    ``control`` may be a number to compare with.
    """

    exercise: str
    treated: Mapping[str, Any]
    control: Mapping[str, Any] | float
    measure: str
    claimed: Claimed
    smallest: float


@dataclass(frozen=True)
class Claim:
    """A conclusion of the notes as data: its words, its section, the techniques it is about, the comparisons that decide it."""

    name: str
    words: Words
    section: Words
    techniques: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Finding:
    """A comparison, what was measured of each seed (or of each ``over``: seeds or starts), and how it is judged."""

    comparison: Comparison
    treated: np.ndarray
    control: np.ndarray
    judgement: Judgement
    over: Words = Words("seeds", "シード")


@dataclass(frozen=True)
class Judged:
    """A claim with its findings and the verdict they combine to."""

    claim: Claim
    findings: tuple[Finding, ...]
    verdict: Verdict


def decide(claim: Claim, evidence: Evidence) -> Judged:
    """Judge a claim on the runs of the exercises it needs. Raises ``KeyError`` where an exercise is not in ``evidence``."""
    findings = []
    for comparison in claim.comparisons:
        measure = MEASURES[comparison.measure].function
        observations = evidence[comparison.exercise]
        treated = {seed: measure(runs) for seed, runs in select(observations, comparison.treated).items()}
        if isinstance(comparison.control, Mapping):
            control = {seed: measure(runs) for seed, runs in select(observations, comparison.control).items()}
        else:
            control = dict.fromkeys(treated, float(comparison.control))
        seeds = sorted(treated.keys() & control.keys())
        left, right = (np.array([side[seed] for seed in seeds]) for side in (treated, control))
        over = Words("starts", "出発点") if isinstance(observations[0], Path) else Words("seeds", "シード")
        findings.append(Finding(comparison, left, right, judge(left, right, comparison.claimed, comparison.smallest), over))
    return Judged(claim, tuple(findings), combine([finding.judgement.verdict for finding in findings]))


def decisive(judged: Judged) -> Finding:
    """The first comparison that came out as the whole claim did."""
    return next((one for one in judged.findings if one.judgement.verdict == judged.verdict), judged.findings[0])


def remark(judged: Judged) -> Words | None:
    """Of a remedy for overfitting: whether it cured, or bought a smaller gap with accuracy; of other claims nothing."""
    came = {finding.comparison.measure: finding.judgement for finding in judged.findings}
    if not came.keys() >= {"gap", "validation accuracy"}:
        return None
    gap, reached = came["gap"], came["validation accuracy"]
    shrinks = {
        "supported": Words("the gap shrinks", "差は縮む"),
        "refuted": Words("the gap does not shrink enough to matter", "差は意味のあるほど縮まない"),
        "undecided": Words("whether the gap shrinks enough is open", "差が十分に縮むかは未決"),
    }[gap.verdict]
    fate = "falls" if reached.high < 0 else reached.verdict
    rises = {
        "falls": Words("the validation accuracy falls", "検証精度は下がる"),
        "supported": Words("the validation accuracy rises", "検証精度は上がる"),
        "refuted": Words("the validation accuracy stays", "検証精度は変わらない"),
        "undecided": Words("whether the validation accuracy rises is open", "検証精度が上がるかは未決"),
    }[fate]
    cure = gap.verdict == "supported" and fate == "supported"
    bought = gap.verdict == "supported" and fate == "falls"
    head = (
        Words("A cure", "有効")
        if cure
        else Words("Bought, not cured", "精度と引き換え")
        if bought
        else Words("No cure", "有効とは言えない")
    )
    return Words(f"{head.en}: {shrinks.en}, {rises.en}.", f"{head.ja}: {shrinks.ja}、{rises.ja}。")


def needs(claims: Iterable[Claim]) -> set[str]:
    """The exercises whose runs decide these claims."""
    return {comparison.exercise for claim in claims for comparison in claim.comparisons}


def select(observations: Sequence[Observation], where: Mapping[str, Any]) -> dict[int, list[Observation]]:
    """The runs that have the given values, by seed. Raises ``LookupError`` where there are none."""
    chosen: dict[int, list[Observation]] = {}
    fitting = chooser(where)
    for observation in observations:
        if isinstance(observation, Record):
            fits = fitting(observation.trial)
            seed = observation.trial.seed
        else:
            fits = all(getattr(observation, name) == value for name, value in where.items())
            seed = observation.seed
        if fits:
            chosen.setdefault(seed, []).append(observation)
    if not chosen:
        raise LookupError(f"no run has {dict(where)}")
    return chosen


def chooser(where: Mapping[str, Any]) -> Callable[[Trial], bool]:
    """Whether a trial has the given values."""
    wanted = {
        name: value if isinstance(value, Like) else getattr(Trial().replace({name: value}), name)
        for name, value in where.items()
        if name in Trial.model_fields
    }

    def fits(trial: Trial) -> bool:
        found = ((getattr(trial, name), value) for name, value in wanted.items())
        return all(value.holds(own) if isinstance(value, Like) else own == value for own, value in found)

    return fits


def name_of(where: Mapping[str, Any] | float) -> str:
    """A selection, as a table names it: what is not at a trial's default, or the first of it where everything is."""
    if not isinstance(where, Mapping):
        return f"{where:g}"
    plain, parts = Trial(), []
    for name, value in where.items():
        if isinstance(value, Like):
            parts.append(value.name)
            continue
        if name in Trial.model_fields:
            value = getattr(plain.replace({name: value}), name)
            if value == getattr(plain, name) and name in ("penalty", "dropout") and len(where) > 1:
                continue
        named = name in ("learning_rate", "batch_norm", "dropout", "layer_rates")
        shown = f"{value:.3g}" if isinstance(value, float) else title(value) if name == "layers" else str(value)
        parts.append(f"{name}={shown}" if named else shown)
    return ", ".join(parts) or "none"


def claimed_words(comparison: Comparison) -> Words:
    """What a comparison claims, in words."""
    return {
        "more": Words(f"higher by more than {comparison.smallest:g}", f"{comparison.smallest:g} を超えて高い"),
        "less": Words(f"lower by more than {comparison.smallest:g}", f"{comparison.smallest:g} を超えて低い"),
        "same": Words(f"the same within {comparison.smallest:g}", f"差は {comparison.smallest:g} 以内"),
        "no less": Words(f"not lower by more than {comparison.smallest:g}", f"{comparison.smallest:g} を超えて下がらない"),
        "no more": Words(f"not higher by more than {comparison.smallest:g}", f"{comparison.smallest:g} を超えて上がらない"),
    }[comparison.claimed]


def sides(comparison: Comparison) -> str:
    """Both sides of a comparison, what they share behind them: ``momentum / sgd (relu, he)``."""
    treated, control = comparison.treated, comparison.control
    if not isinstance(control, Mapping):
        return f"{name_of(treated)} / {name_of(control)}"
    shared = {name: value for name, value in treated.items() if name in control and control[name] == value}
    left, right = ({name: value for name, value in side.items() if name not in shared} for side in (treated, control))
    return f"{name_of(left)} / {name_of(right)}" + (f" ({name_of(shared)})" if shared else "")


def reason(finding: Finding) -> Words:
    """What came out, in a sentence: both means, the difference with its interval, and what was claimed."""
    measure, comparison, found = MEASURES[finding.comparison.measure], finding.comparison, finding.judgement
    over = finding.over
    numbers = f"{finding.treated.mean():.3g} / {finding.control.mean():.3g}"
    span = f"{found.difference:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"
    claimed = claimed_words(comparison)
    unit = Words(*(f" {text}" if text else "" for text in measure.unit))
    more = Words("", "")
    if found.seeds_needed:
        more = Words(
            f"; about {found.seeds_needed} {over.en} would decide it", f"。約 {found.seeds_needed} {over.ja}で決まる見込み"
        )
    return Words(
        f"{measure.words.en}: {sides(comparison)}: {numbers}, difference {span}{unit.en} over {found.seeds} {over.en} "
        f"(claimed: {claimed.en}){more.en}",
        f"{measure.words.ja}: {sides(comparison)}: {numbers}、差 {span}{unit.ja}({found.seeds} {over.ja}、主張: {claimed.ja}){more.ja}",
    )
