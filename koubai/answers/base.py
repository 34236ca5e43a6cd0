"""What an answer is, and how the notes' sentences are judged on what was measured for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from koubai.experiments.claims import CLAIMS
from koubai.experiments.judging import Evidence, Observation, decide, reason
from koubai.language import Words
from koubai.measures import MEASURES
from koubai.statistics import VERDICTS, interval


@dataclass(frozen=True)
class Answer:
    """What was computed: the answer in short, its working, a line each, and for a choice question the choice it leads to.

    ``choice`` is ``None`` where there are no choices, and where the computation singles none of them out.
    """

    short: Words
    lines: tuple[Words, ...]
    choice: str | None = None


def verdict(name: str, evidence: Evidence) -> list[Words]:
    """What the notes say, whether what was measured here bears it out, and the comparisons that decide."""
    judged = decide(CLAIMS[name], evidence)
    said, words = VERDICTS[judged.verdict], judged.claim.words
    lines = [Words(f"The notes: {words.en} Measured here: {said.en}.", f"ノート: {words.ja} ここでの測定: {said.ja}。")]
    for finding in judged.findings:
        because = reason(finding)
        mark = VERDICTS[finding.judgement.verdict]
        lines.append(Words(f"  {mark.en}: {because.en}", f"  {mark.ja}: {because.ja}"))
    return lines


def over(by_seed: Mapping[int, Sequence[Observation]], measure: str) -> str:
    """A measure's mean over seeds with its 95% interval."""
    values = [MEASURES[measure].function(runs) for runs in by_seed.values()]
    low, high = interval(values)
    return f"{np.mean(values):.3g} [{low:.3g}, {high:.3g}]"


def same(text: str) -> Words:
    """A text that both languages share."""
    return Words(text, text)
