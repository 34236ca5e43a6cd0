"""What the doctor says of each variant while it trains, seeds together."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from koubai.doctor import Case, Diagnosis, Finding, Joint, diagnose
from koubai.doctor.case import facts_of
from koubai.language import Words, say
from koubai.training import Training
from koubai.training.loop import DRAWN
from koubai.web.play.board import Board

MOST = 3  # findings of a variant that are said
EARLY = 0.02  # of the steps, before which nothing is said
SHARE = 0.03  # of the time that may go into diagnoses


class Doctor:
    """Looks at the trainings of a board when points of their history were taken, as often as its ``SHARE`` of the time allows.

    What is not fatal is said when it is found twice in a row, or at the end: early on, a training has many faces.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._seen: tuple[list[int], bool] = [], False  # points of the history, and whether they were all
        self._next = 0.0
        self._found: list[set[str]] = [set() for _ in board.variants]
        self._said: list[list[dict[str, str]]] = [[] for _ in board.variants]

    def look(self, trainings: Sequence[Training]) -> None:
        """Diagnose anew where there is something new, or all has come to its end."""
        points, ended = [training.point for training in trainings], all(training.done for training in trainings)
        begun = time.monotonic()
        if (points, ended) == self._seen or (begun < self._next and not ended):
            return
        self._seen = points, ended
        diagnoses: dict[str, list[Diagnosis]] = {}
        for training in trainings:
            if training.point > 1 and training.t >= EARLY * training.trials[0].steps:
                for row, trial in enumerate(training.trials):
                    diagnoses.setdefault(trial.replace({"seed": 0}).id, []).append(diagnose(case(training, row)))
        for k, trial in enumerate(self.board.variants):
            joint = Joint(tuple(diagnoses.get(trial.id, ())))
            sure = self._found[k] | {finding.symptom for finding, _ in joint.findings if ended or finding.severity == "fatal"}
            findings = [one for one in joint.findings if one[0].symptom in sure]
            self._said[k] = [spoken(*one, len(joint.diagnoses)) for one in findings[:MOST]]
            self._found[k] = {finding.symptom for finding, _ in joint.findings}
        self._next = time.monotonic() + (time.monotonic() - begun) / SHARE

    def says(self, variant: int) -> list[dict[str, str]]:
        """Its findings, worst first: severity, title and text."""
        return self._said[variant]


def case(training: Training, row: int) -> Case:
    """One trial under way as the doctor sees it: the points taken so far."""
    trial, layers, point = training.trials[row], training.stack.network.layers, training.point
    drawn = [mark for mark in training.histogram_marks if mark in training.marks[:point]]
    history = {name: curve[row, : len(drawn) if name in DRAWN else point] for name, curve in training.history.items()}
    return Case(
        tuple(layer.label for layer in layers), tuple(layer.kind for layer in layers), np.array(training.marks[:point]), history,
        trial.steps, int(training.diverged[row]), np.array(drawn), trial, facts_of(trial.data), trial.batch_size, trial.learning_rate,
    )  # fmt: skip


def spoken(finding: Finding, count: int, of: int) -> dict[str, str]:
    """A finding as the page says it: its title with the layer, and the explanation with how many of the seeds have it."""
    layer = say(Words(f" ({finding.layer})", f"({finding.layer})")) if finding.layer else ""
    seeds = say(Words(f" ({count} of {of} seeds)", f"(シード {of} 個中 {count} 個)")) if of > 1 else ""
    return {
        "severity": finding.severity, "symptom": finding.symptom, "title": say(finding.title) + layer, "text": say(finding.words) + seeds,
    }  # fmt: skip
