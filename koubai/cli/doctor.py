"""``koubai diagnose``: what is wrong with a training, in which layer, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from koubai.cli.base import OUT, Lang, Out, command, option, text
from koubai.cli.leave import Run
from koubai.cli.printing import console, hanging, put_json
from koubai.language import UserError, say

if TYPE_CHECKING:
    from koubai.doctor import Diagnosis, Finding, Joint

COLORS = {"fatal": "bold red", "serious": "yellow", "mild": "cyan"}


@command(
    "diagnose",
    "Say what is wrong with trainings. The symptom, the layer, the cause: of a study, or of one trial of it.",
    "学習のどこが悪いかを診断します。実験全体または1つの試行の、症状・層・原因を示します。",
)
def diagnose(
    run: Run,
    trial: Annotated[
        str | None,
        typer.Argument(
            metavar="TRIAL",
            help=text(
                "best, or a number or the beginning of an id, as koubai runs RUN lists them. Else all, by variant.",
                "best、または番号か id の先頭(一覧は koubai runs RUN)。省くと全試行を設定ごとに診断。",
            ),
        ),
    ] = None,
    json: Annotated[bool, option("--json", "As JSON, with the evidence.", "根拠の数値を含めてJSONで出す。")] = False,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Look for every symptom."""
    from koubai.naming import result_named, trial_named
    from koubai.store import Store

    result = result_named(Store(out / "store"), run)
    if trial is None:
        if not result.records:
            raise UserError(
                f"No trial of {result.study.name} is stored yet; run the study to its end.",
                f"{result.study.name} の試行はまだ1つも保存されていません。実験を最後まで実行してください。",
            )
        diagnoses = result.diagnose()
        if json:
            put_json({label: [_table(one) for one in joint.diagnoses] for label, joint in diagnoses.items()})
            return
        for label, joint in diagnoses.items():
            _print(label, joint)
        return
    diagnosis = trial_named(result, trial).diagnose()
    if json:
        put_json(_table(diagnosis))
        return
    from koubai.doctor import Joint

    _print(result.study.name, Joint((diagnosis,)))
    for name, words in diagnosis.unknown.items():
        hanging("", text(f"cannot be judged: {name}: {words.en}", f"判断できません: {name}: {words.ja}"), 2, style="dim")


def _print(label: str, joint: Joint) -> None:
    """A heading, and under it each sentence in the colour of its severity."""
    console().print(label, style="bold")
    styles = [COLORS[finding.severity] for finding, _ in joint.findings] or ["green" if joint.verdict == "healthy" else "dim"]
    for words, style in zip(joint.lines(), styles, strict=True):
        hanging("", say(words), 2, style)


def _table(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain values."""
    return {
        "verdict": diagnosis.verdict,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "unknown": {name: say(words) for name, words in diagnosis.unknown.items()},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """A finding as plain values; a number that is none as text."""
    from math import isfinite

    return {
        "symptom": finding.symptom,
        "severity": finding.severity,
        "layer": finding.layer,
        "cause": finding.cause,
        "words": say(finding.words),
        "evidence": {name: value if isfinite(value) else str(value) for name, value in finding.evidence.items()},
    }
