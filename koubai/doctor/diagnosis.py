"""``diagnose(case)``: every symptom looked for, what was found worst first, and what could not be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import koubai.doctor.symptoms  # noqa: F401 (registers them)
from koubai.doctor.case import Case
from koubai.doctor.finding import CAUSES, SEVERITIES, SYMPTOMS, Finding, Unknown
from koubai.language import Words, say

NOTHING_WRONG = Words("Nothing wrong found.", "異常は見つかりません。")
DONT_KNOW = Words("Don't know: too little to go by.", "判断できません。手がかりが足りません。")
MOST_UNKNOWN = 1 / 2  # of the symptoms: where more cannot be told, finding none says nothing


@dataclass(frozen=True)
class Diagnosis:
    """The findings, worst first and what follows from others last, and the symptoms that could not be looked for, each with the reason."""

    findings: tuple[Finding, ...]
    unknown: Mapping[str, Words] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``"ill"``, ``"healthy"``, or ``"unknown"`` where nothing was found and most symptoms could not be told."""
        if self.findings:
            return "ill"
        return "unknown" if len(self.unknown) > MOST_UNKNOWN * len(SYMPTOMS) else "healthy"

    @property
    def worst(self) -> Finding | None:
        """The finding to mend first."""
        return self.findings[0] if self.findings else None

    def has(self, name: str) -> bool:
        """Whether a symptom was found."""
        return any(finding.symptom == name for finding in self.findings)

    def lines(self) -> list[Words]:
        """The diagnosis in sentences: a finding each, or that nothing was found or can be said."""
        if self.findings:
            return [line(finding) for finding in self.findings]
        if self.verdict == "healthy":
            return [NOTHING_WRONG]
        (why, _), *_ = Counter(self.unknown.values()).most_common(1)
        return [Words(f"{DONT_KNOW.en} {why.en}", f"{DONT_KNOW.ja}{why.ja}")]

    def __str__(self) -> str:
        """The sentences, in the language in force."""
        return "\n".join(say(words) for words in self.lines())


def line(finding: Finding) -> Words:
    """A finding as one paragraph: severity, title, layer, cause, explanation."""
    severity, title = SEVERITIES[finding.severity], finding.title
    cause = CAUSES[finding.cause] if finding.cause else None
    root = SYMPTOMS[finding.follows].title if finding.follows else None
    en = ", ".join(filter(None, (finding.layer, cause and cause.en, root and f"follows from {root.en}")))
    ja = "、".join(filter(None, (finding.layer, cause and cause.ja, root and f"「{root.ja}」の結果")))
    return Words(
        f"[{severity.en}] {title.en}{f' ({en})' if en else ''}: {finding.words.en}",
        f"[{severity.ja}] {title.ja}{f'({ja})' if ja else ''}: {finding.words.ja}",
    )


def look(name: str, case: Case) -> Finding | None:
    """The finding where a case has the symptom of this name. Raises ``Unknown``."""
    one = SYMPTOMS[name]
    found = one.function(case, **{limit: given.value for limit, given in one.limits.items()})
    return found and replace(found, symptom=name)


def diagnose(case: Case) -> Diagnosis:
    """Look for every symptom."""
    findings: list[Finding] = []
    unknown: dict[str, Words] = {}
    for name in SYMPTOMS:
        try:
            found = look(name, case)
        except Unknown as why:
            unknown[name] = why.words
        else:
            if found:
                findings.append(found)
    findings.sort(key=_order)
    placed = [replace(finding, follows=_root(finding, findings)) for finding in findings]
    return Diagnosis(tuple(sorted(placed, key=_order)), unknown)


def _root(finding: Finding, findings: Sequence[Finding]) -> str:
    """The worst finding that brings this one with it."""
    return next((one.symptom for one in findings if finding.symptom in SYMPTOMS[one.symptom].brings), "")


def _order(finding: Finding) -> tuple[bool, int]:
    """What follows from something else stands behind; within, the worst first."""
    return bool(finding.follows), list(SEVERITIES).index(finding.severity)


@dataclass(frozen=True)
class Joint:
    """The diagnoses of one variant, seeds together."""

    diagnoses: tuple[Diagnosis, ...]

    @property
    def findings(self) -> list[tuple[Finding, int]]:
        """What at least half of the seeds have: of each symptom the worst finding, and how many have it; worst first."""
        found: dict[str, list[Finding]] = {}
        for diagnosis in self.diagnoses:
            for finding in diagnosis.findings:
                found.setdefault(finding.symptom, []).append(finding)
        common = [
            (min(several, key=_order), len(several)) for several in found.values() if 2 * len(several) >= len(self.diagnoses)
        ]
        return sorted(common, key=lambda one: (_order(one[0]), -one[1]))

    @property
    def verdict(self) -> str:
        """``"ill"``, ``"healthy"``, or ``"unknown"`` where most seeds give none."""
        if self.findings:
            return "ill"
        unknown = sum(diagnosis.verdict == "unknown" for diagnosis in self.diagnoses)
        return "unknown" if 2 * unknown >= len(self.diagnoses) else "healthy"

    def lines(self) -> list[Words]:
        """The findings in sentences, each with its seeds; or that nothing was found or can be said."""
        of = len(self.diagnoses)
        if not self.findings:
            return [NOTHING_WRONG if self.verdict == "healthy" else DONT_KNOW]
        if of == 1:
            return self.diagnoses[0].lines()
        return [
            Words(f"{words.en} ({count} of {of} seeds)", f"{words.ja}(シード {of} 個中 {count} 個)")
            for words, count in ((line(finding), count) for finding, count in self.findings)
        ]

    def __str__(self) -> str:
        """The sentences, in the language in force."""
        return "\n".join(say(words) for words in self.lines())


class Diagnoses(dict[str, Joint]):
    """The diagnoses of a study by variant. In a notebook it shows itself as text."""

    def __repr__(self) -> str:
        """Each variant and its sentences, in the language in force."""
        return "\n".join("\n  ".join([label, *map(say, joint.lines())]) for label, joint in self.items())

    __str__ = __repr__
