"""``diagnose(case)``: every symptom looked for, what was found worst first, and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import koubai.doctor.symptoms  # noqa: F401 (registers them)
from koubai.doctor.case import Case
from koubai.doctor.finding import CAUSES, SEVERITIES, SYMPTOMS, Finding, Unknown
from koubai.language import Words, say

NOTHING_WRONG = Words("Nothing wrong found.", "異常は見つかりません。")
DONT_KNOW = Words("Don't know: too little to go by.", "判断できません。手がかりが足りません。")
MOST_UNKNOWN = 1 / 2  # of the symptoms: where more cannot be told, finding none says nothing


@dataclass(frozen=True)
class Diagnosis:
    """The findings, worst first, and the symptoms that could not be looked for, each with the reason."""

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
        return [NOTHING_WRONG if self.verdict == "healthy" else DONT_KNOW]

    def __str__(self) -> str:
        """The sentences, in the language in force."""
        return "\n".join(say(words) for words in self.lines())


def line(finding: Finding) -> Words:
    """A finding as one paragraph: severity, title, layer, cause, explanation."""
    severity, title = SEVERITIES[finding.severity], finding.title
    cause = CAUSES[finding.cause] if finding.cause else None
    en = ", ".join(filter(None, (finding.layer, cause and cause.en)))
    ja = "、".join(filter(None, (finding.layer, cause and cause.ja)))
    return Words(
        f"[{severity.en}] {title.en}{f' ({en})' if en else ''}: {finding.words.en}",
        f"[{severity.ja}] {title.ja}{f'({ja})' if ja else ''}: {finding.words.ja}",
    )


def diagnose(case: Case) -> Diagnosis:
    """Look for every symptom."""
    findings: list[Finding] = []
    unknown: dict[str, Words] = {}
    for name, one in SYMPTOMS.items():
        try:
            found = one.look(case)
        except Unknown as why:
            unknown[name] = why.words
        else:
            if found:
                findings.append(found)
    return Diagnosis(tuple(sorted(findings, key=_order)), unknown)


def _order(finding: Finding) -> int:
    return list(SEVERITIES).index(finding.severity)


def together(diagnoses: Sequence[Diagnosis]) -> list[tuple[Finding, int]]:
    """The findings over several seeds: of each symptom the worst, with how many seeds have it; those of most seeds first."""
    found: dict[str, list[Finding]] = {}
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            found.setdefault(finding.symptom, []).append(finding)
    worst = [(min(several, key=_order), len(several)) for several in found.values()]
    return sorted(worst, key=lambda one: (-one[1], _order(one[0])))
