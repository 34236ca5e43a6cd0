"""A remedy as it was tried, or several at once: what it gained over the seeds, and whether that repairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from koubai.doctor import Diagnosis, Finding, Joint
from koubai.doctor.case import recalls
from koubai.doctor.remedies import Remedy
from koubai.language import Words
from koubai.measures import accuracy
from koubai.spec import Trial
from koubai.statistics import interval
from koubai.store import Record

AS_GOOD = 0.9  # of the best one's gain: what gains less is another thing, however wide its interval
WORTH = 0.02  # of accuracy: what another change must gain beyond doubt
NO_WORSE = 0.01  # of accuracy: where a healthy network may end below the ill one
SIGNS = 5
SERIOUS = ("fatal", "serious")

UNEVEN = "class-imbalance"  # the accuracy hardly shows what becomes of rare classes
SHUFFLED = "shuffled-labels"  # as long as they look so, accuracies are those of guessing, and a gain is chance


def complaints(diagnoses: Sequence[Diagnosis]) -> list[Finding]:
    """What most seeds have (or any, where they have nothing in common), worst first; mild findings only where there is nothing else."""
    most = [finding for finding, _ in Joint(tuple(diagnoses)).findings] or [one.worst for one in diagnoses if one.worst]
    return [finding for finding in most if finding.severity in SERIOUS] or most


def reached(record: Record) -> float:
    """Final validation accuracy. A diverged training counts as guessing, and so does an ``R^2`` below 0, which has no lower end."""
    return max(accuracy(record), 0.0)


def recognized(record: Record) -> float:
    """The mean of the classes' recalls on validation samples (balanced accuracy); that of guessing where it diverged."""
    return accuracy(record) if record.diverged else float(np.nanmean(recalls(record)))


def _beyond_doubt(gains: np.ndarray) -> bool:
    """Whether the 95% interval of gains ``[seed]`` lies above 0, or each of ``SIGNS`` seeds or more gains over a point.

    The latter (a sign test, one-sided p = 1/32) holds where one seed gains so much that it stretches the interval over 0.
    """
    return interval(gains)[0] > 0 or (len(gains) >= SIGNS and float(gains.min()) > NO_WORSE)


@dataclass(frozen=True)
class Candidate:
    """Remedies as they were tried: the trial they make, its records (one a seed, in the original's order) and their diagnoses.

    ``original`` are the accuracies without them, over the same seeds. ``left`` says why it was not trained over all seeds. Where
    uneven classes are among the ``ills``, ``uneven`` has what the original ``recognized``, ``[seed]``.
    """

    remedies: tuple[Remedy, ...]
    trial: Trial
    records: tuple[Record, ...]
    diagnoses: tuple[Diagnosis, ...]
    original: np.ndarray
    ills: frozenset[str]
    left: Words | None = None
    uneven: np.ndarray | None = None

    @property
    def words(self) -> Words:
        """Its remedies in words."""
        return Words(" + ".join(r.words.en for r in self.remedies), "+".join(r.words.ja for r in self.remedies))

    @cached_property
    def accuracies(self) -> np.ndarray:
        """What its trainings ``reached``, ``[seed]``."""
        return np.array([reached(record) for record in self.records])

    @cached_property
    def gains(self) -> np.ndarray:
        """What it gains ``[seed]``, paired with the original of the same seed."""
        return self.accuracies - self.original[: len(self.records)]

    @cached_property
    def most(self) -> float:
        """What an accuracy of 1 would gain on average."""
        return 1 - float(self.original[: len(self.records)].mean())

    @property
    def gain(self) -> float:
        """The mean gain."""
        return float(self.gains.mean())

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The gain's 95% interval over seeds, not beyond what an accuracy of 1 would gain."""
        low, high = interval(self.gains)
        return low, min(high, self.most)

    @property
    def better(self) -> bool:
        """Whether the gain is beyond doubt. None is while the labels look shuffled, before and after."""
        return not (SHUFFLED in self.ills and SHUFFLED in self.symptoms) and _beyond_doubt(self.gains)

    @cached_property
    def symptoms(self) -> tuple[str, ...]:
        """The symptoms that most of its seeds have."""
        return tuple(finding.symptom for finding in complaints(self.diagnoses))

    @property
    def cured(self) -> bool:
        """Whether what the original was brought for is gone."""
        return not self.ills & set(self.symptoms)

    @cached_property
    def recalls(self) -> np.ndarray:
        """What its trainings ``recognized``, ``[seed]``."""
        return np.array([recognized(record) for record in self.records])

    @property
    def repaired(self) -> bool:
        """Whether the symptoms are gone and the accuracy is up beyond doubt; or nothing is wrong any more and it is no worse.

        No worse: by the interval, or in each of ``SIGNS`` seeds or more, where seeds that gain nothing stand beside some that gain much.
        Of uneven classes, whose rare ones an accuracy hides, the mean recall must be up beyond doubt.
        """
        if self.uneven is not None:
            return self.cured and _beyond_doubt(self.recalls - self.uneven[: len(self.records)])
        well = sum(one.verdict == "healthy" for one in self.diagnoses) * 2 > len(self.diagnoses)
        never = len(self.gains) >= SIGNS and float(self.gains.min()) > -NO_WORSE
        return self.cured and (self.better or (well and (never or self.bounds[0] > -NO_WORSE)))

    @property
    def enough(self) -> bool:
        """Whether it repairs, and a remedy that made every answer right would not be preferred to it, as ``prescription`` prefers."""
        return self.repaired and self.gain >= max(AS_GOOD * self.most, self.most - WORTH)
