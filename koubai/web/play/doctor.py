"""What the doctor says of each variant while it trains, seeds together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from koubai.doctor import Case, Diagnosis, Joint, diagnose
from koubai.doctor.case import facts_of
from koubai.language import Words, say
from koubai.training import Training
from koubai.web.play.board import Board

MOST = 3  # findings of a variant that are said


class Doctor:
    """Looks at the trainings of a board whenever a point of their history was taken."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.points: list[int] = []
        self.said: list[list[dict[str, str]]] = [[] for _ in board.variants]

    def look(self, trainings: Sequence[Training]) -> None:
        """Diagnose anew where there is something new."""
        points = [training.point for training in trainings]
        if points == self.points:
            return
        self.points = points
        found: dict[str, list[Diagnosis]] = {}
        for training in trainings:
            if training.point > 1:
                for row, trial in enumerate(training.trials):
                    found.setdefault(trial.replace({"seed": 0}).id, []).append(diagnose(case(training, row)))
        for k, trial in enumerate(self.board.variants):
            if trial.id in found:
                self.said[k] = spoken(Joint(tuple(found[trial.id])))

    def says(self, variant: int) -> list[dict[str, str]]:
        """Its findings, worst first: severity, title and text."""
        return self.said[variant]


def case(training: Training, row: int) -> Case:
    """One trial under way as the doctor sees it: the points taken so far."""
    trial, layers, point = training.trials[row], training.stack.network.layers, training.point
    drawn = [mark for mark in training.histogram_marks if mark in training.marks[:point]]
    history = {
        name: curve[row, : len(drawn) if name in ("histogram", "low", "high") else point]
        for name, curve in training.history.items()
    }
    return Case(
        tuple(layer.label for layer in layers), tuple(layer.kind for layer in layers), np.array(training.marks[:point]), history,
        trial.steps, int(training.diverged[row]), np.array(drawn), trial, facts_of(trial.data), trial.batch_size, trial.learning_rate,
    )  # fmt: skip


def spoken(joint: Joint) -> list[dict[str, str]]:
    """The findings that are said, worst first: severity, title with the layer, and the explanation with the seeds."""
    said = []
    for finding, count in joint.findings[:MOST]:
        title, words, of = say(finding.title), say(finding.words), len(joint.diagnoses)
        seeds = say(Words(f" ({count} of {of} seeds)", f"(シード {of} 個中 {count} 個)")) if of > 1 else ""
        layer = say(Words(f" ({finding.layer})", f"({finding.layer})")) if finding.layer else ""
        said.append({"severity": finding.severity, "symptom": finding.symptom, "title": f"{title}{layer}", "text": words + seeds})
    return said
