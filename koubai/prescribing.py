"""``prescribe(trial)``: a remedy that was trained before it is given.

The trial is diagnosed over its seeds. Each symptom's remedies (``doctor.remedies``) are trained with the original's seeds, so a gain is
paired by seed. All remedies start with ``FIRST`` seeds (with all of them where networks are so small that they train side by side for
next to nothing). The most promising are paired up, unless one alone is so good that no pair would be preferred to it. Of the
``FINALISTS`` most promising of all as many go on to the other seeds as it takes to repair (successive halving over seeds: Jamieson and
Talwalkar 2016, arXiv:1502.07943; no training is begun twice). What the doctor finds hopeless is stopped on the way, and goes no
further. Where nothing repairs, remedies of what only follows from something else are tried, and a third remedy is added.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from koubai.candidate import AS_GOOD, UNEVEN, Candidate, complaints, reached, recognized
from koubai.caution import shape_and_classes
from koubai.doctor import Case, Diagnosis, diagnose
from koubai.doctor.hope import why
from koubai.doctor.remedies import Remedy, remedies_for, treated
from koubai.laboratory import STORE, check, run
from koubai.language import UserError, Words
from koubai.prescription import Prescription
from koubai.spec import Trial
from koubai.store import Record, Store
from koubai.study import together
from koubai.training.cohort import CPU_BYTES, footprint

FIRST = 2  # seeds that show whether a remedy promises anything
PAIRED = 3  # of the most promising remedies: they are tried in pairs
LEADING = 2  # of the most promising, and of those that cure: where no single remedy repairs, they are paired with every other
FINALISTS = 6
AHEAD = 3  # of these, the best single remedy and those about as good as the best, go first: where one of them repairs, others are left
SMALL = CPU_BYTES // 8  # bytes of the seeds of one remedy: so few that five cost hardly more than two
MOST = 3  # remedies at once
WHERE_UNKNOWN = ("slow-convergence", "plateau")  # whose remedies are tried where the diagnosis is "don't know"

Remedies = tuple[Remedy, ...]
Train = Callable[[Sequence[Trial], Sequence[int]], list[list[Record]]]


def prescribe(
    trial: Trial,
    *,
    seeds: int = 5,
    store: str | Path | Store = STORE,
    name: str = "trial",
    progress: Any = True,
    **options: Any,
) -> Prescription:
    """Diagnose a trial over so many ``seeds``, train the remedies for what is found, and say which help.

    What is stored is not trained again. ``options`` are those of ``run``. Raises ``UserError`` for what cannot be trained.
    """
    if seeds < FIRST:
        raise UserError(
            f"A gain needs at least {FIRST} seeds, not {seeds}.", f"効果の比較には {FIRST} 個以上のシードが必要です: {seeds}"
        )
    store, shown = store if isinstance(store, Store) else Store(store), f"{name}-prescription"
    start = 0 if trial.seed < seeds else trial.seed
    numbers = list(range(start, start + seeds))

    def train(trials: Sequence[Trial], seeds: Sequence[int]) -> list[list[Record]]:
        """The records of trials, one a seed. Hopeless ones are stopped, but for the original."""
        study = together(trial, trials, seeds, shown).model_copy(update={"stop": "none" if trials == [trial] else "diagnosis"})
        records = {record.trial: record for record in run(study, store=store, progress=progress, note=False, **options).records}
        return [[records[one.replace({"seed": seed})] for seed in seeds] for one in trials]

    records = tuple(train([trial], numbers)[0])
    diagnoses = seen(records)
    ills = complaints(diagnoses)
    names = [finding.symptom for finding in ills]
    roots = [finding.symptom for finding in ills if not finding.follows]
    if not ills and all(one.verdict == "unknown" for one in diagnoses):
        names = roots = list(WHERE_UNKNOWN)
    patient = Prescription(name, trial, records, diagnoses, ())
    everything = [(remedy,) for remedy in remedies_for(trial, [*roots, *names])]
    first = len(remedies_for(trial, roots))
    candidates = tried(patient, frozenset(names), everything[:first], everything[first:], numbers, train)
    found = replace(patient, candidates=tuple(candidates))
    store.note(together(trial, [trial, *(one.trial for one in found.finalists)], numbers, shown))
    return found


def tried(
    patient: Prescription,
    ills: frozenset[str],
    single: Sequence[Remedies],
    more: Sequence[Remedies],
    seeds: Sequence[int],
    train: Train,
) -> list[Candidate]:
    """Every candidate as far as it was trained: the finalists first, each part the most accurate first.

    Tried are the ``single`` remedies and their pairs, and where none of them repairs those that are ``more`` far-fetched.
    """
    search = Search(patient, ills, seeds, train)
    search.begin(single)
    enough = any(candidate.enough for candidate in search.known.values())
    if enough:
        search.finish()
    for size in range(2, MOST + 1):
        if enough and search.proved:
            break
        search.begin(search.joined(size))
        search.finish()
        if search.proved:
            break
        search.begin(more)
    return sorted(search.known.values(), key=lambda one: (one.left is not None, -one.gain))


class Search:
    """The candidates that are ``known``, each as far as it was trained."""

    def __init__(self, patient: Prescription, ills: frozenset[str], seeds: Sequence[int], train: Train) -> None:
        """Nothing is trained yet but the patient."""
        self.patient, self.ills, self.seeds, self.train = patient, ills, seeds, train
        self.known: dict[Remedies, Candidate] = {}
        self.original = np.array([reached(record) for record in patient.records])
        self.uneven = np.array([recognized(record) for record in patient.records]) if UNEVEN in ills else None
        small = len(seeds) * footprint(patient.trial, *shape_and_classes(patient.trial)) < SMALL
        self.first = len(seeds) if small else FIRST

    def begin(self, several: Iterable[Remedies]) -> None:
        """Train candidates over the first seeds."""
        had = {candidate.trial for candidate in self.known.values()}
        trials = {one: treated(self.patient.trial, one) for one in several}
        new = {one: trial for one, trial in trials.items() if trial is not None and trial not in had and fits(trial)}
        if new:
            for (one, trial), records in zip(new.items(), self.train(list(new.values()), self.seeds[: self.first]), strict=True):
                self.known[one] = Candidate(
                    one, trial, tuple(records), seen(records), self.original, self.ills, uneven=self.uneven
                )

    @property
    def ranked(self) -> list[Remedies]:
        """The most accurate over the first seeds first."""
        return sorted(self.known, key=lambda one: (-self.known[one].accuracies[: self.first].mean(), len(one)))

    def joined(self, size: int) -> Iterable[Remedies]:
        """The most promising candidates of one remedy fewer, each with one remedy more."""
        mended = any(candidate.repaired for candidate in self.known.values())
        before, alone = ([one for one in self.ranked if len(one) == count] for count in (size - 1, 1))
        curing = [one for one in before if self.known[one].cured][:LEADING]
        leading, beside = (before[:PAIRED], alone[:PAIRED]) if mended else (dict.fromkeys([*before[:LEADING], *curing]), alone)
        couples = itertools.product(leading, beside)
        return {frozenset((*a, *b)): (*a, *b) for a, b in couples if b[0] not in a}.values()

    def finish(self) -> None:
        """Train the most promising over all seeds, and say of the others why they were left."""
        hopeful = [one for one in self.ranked if not hopeless(self.known[one])]
        alone = [one for one in hopeful if len(one) == 1][: FINALISTS // 2]
        chosen = [*alone, *(one for one in hopeful if one not in alone)][:FINALISTS]
        order = list(dict.fromkeys([*alone[:1], *(one for one in hopeful if one in chosen)]))
        good = AS_GOOD * max((self.known[one].gain for one in order), default=0.0)
        ahead = [one for one in order if one in alone[:1] or self.known[one].gain >= good][:AHEAD]
        for part in (ahead, [one for one in order if one not in ahead]):
            self.go_on([one for one in part if len(self.known[one].records) < len(self.seeds)])
            if any(self.known[one].repaired for one in part):
                break
        for one, candidate in self.known.items():
            past = hopeless(candidate)
            if past or len(candidate.records) < len(self.seeds):
                self.known[one] = replace(candidate, left=past or LEFT)

    def go_on(self, several: Sequence[Remedies]) -> None:
        """Train candidates over the other seeds too."""
        if several:
            for one, rest in zip(
                several, self.train([self.known[one].trial for one in several], self.seeds[self.first :]), strict=True
            ):
                records = (*self.known[one].records, *rest)
                self.known[one] = replace(self.known[one], records=records, diagnoses=seen(records), left=None)

    @property
    def proved(self) -> bool:
        """Whether one that was trained over all seeds repairs."""
        return any(candidate.left is None and candidate.repaired for candidate in self.known.values())


LEFT = Words("others promise more", "ほかの方が有望")


def hopeless(candidate: Candidate) -> Words | None:
    """Why a candidate is hopeless: a training of it was stopped, all diverged, or all have a fatal symptom and nothing is gained."""
    stops = [finding for finding in map(why, candidate.records) if finding]
    if stops:
        return stops[0].title
    if all(record.diverged for record in candidate.records):
        return Words("diverged", "発散")
    fatal = [{f.title for f in one.findings if f.severity == "fatal"} for one in candidate.diagnoses]
    found = set.intersection(*fatal) if fatal else set()
    return min(found) if found and candidate.gain <= 0 else None


def seen(records: Sequence[Record]) -> tuple[Diagnosis, ...]:
    """The diagnosis of each record."""
    return tuple(diagnose(Case.of(record)) for record in records)


def fits(trial: Trial) -> bool:
    """Whether a trial can be trained on its data."""
    try:
        check(trial)
    except UserError:
        return False
    return True
