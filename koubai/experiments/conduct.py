"""Conducting exercises: their studies trained (or asked from the store), their races run, the claims judged on what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from koubai.experiments.catalogue import EXERCISES, Exercise, Race
from koubai.experiments.claims import CLAIMS
from koubai.experiments.judging import Evidence, Judged, Observation, decide, needs
from koubai.laboratory import check, reporter, run
from koubai.landscapes import Path, race
from koubai.result import Result
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study

QUICK_SEEDS, QUICK_SHARE = 3, 0.25

Outcome = Result | Sequence[Path]


def adapt(
    exercise: Exercise,
    *,
    seeds: int | None = None,
    steps: int | None = None,
    data: str | None = None,
    target: str | None = None,
    quick: bool = False,
) -> Exercise:
    """The exercise with other seeds, steps, data or target column, as in ``change``.

    ``steps``, ``data`` and ``target`` leave alone what has no steps to speak of, or makes its own inputs. Raises ``UserError``.
    """
    if isinstance(exercise.runs, Race):
        return exercise
    base = exercise.runs.base
    steps = None if base.steps == 1 else steps
    data, target = (None, None) if base.data.name == "noise" else (data, target)
    return replace(exercise, runs=change(exercise.runs, seeds=seeds, steps=steps, data=data, target=target, quick=quick))


def change(
    study: Study,
    *,
    seeds: int | None = None,
    steps: int | None = None,
    data: str | None = None,
    target: str | None = None,
    quick: bool = False,
) -> Study:
    """The study with other seeds, steps, data or target column; ``quick`` is a first look: three seeds, a quarter of the steps.

    Raises ``UserError``.
    """
    if quick:
        seeds = QUICK_SEEDS if seeds is None else seeds
        steps = max(1, round(study.base.steps * QUICK_SHARE)) if steps is None else steps
    if data is not None:
        study = study.with_base(**{"data.name": data})
    if target is not None:
        study = study.with_base(**{"data.target": target})
    if steps is not None:
        study = study.with_base(steps=steps)
    return study if seeds is None else study.with_seeds(seeds)


def trials_of(exercises: Iterable[Exercise]) -> list[Trial]:
    """The trials of these exercises, each once."""
    return list({trial.id: trial for one in exercises if isinstance(one.runs, Study) for trial in one.runs.trials}.values())


def conduct(
    exercises: Sequence[Exercise], *, store: Store, fresh: bool = False, progress: bool = True, **options: Any
) -> dict[str, Outcome]:
    """What each exercise gave, by its name, under one progress bar; ``options`` are those of ``laboratory.run``."""
    trials = trials_of(exercises)
    for trial in {(trial.data, trial.batch_size, trial.layers): trial for trial in trials}.values():
        check(trial)
    done = set() if fresh else store.has(trials)
    todo = [trial for trial in trials if trial.id not in done]
    outcomes: dict[str, Outcome] = {}
    with reporter(progress, todo) as report:
        for exercise in exercises:
            if isinstance(exercise.runs, Race):
                runs = exercise.runs
                outcomes[exercise.name] = race(runs.landscape, runs.runs, runs.steps, runs.starts)
            else:
                outcomes[exercise.name] = run(exercise.runs, store=store, fresh=fresh, progress=report, **options)
    return outcomes


def judge_all(outcomes: Mapping[str, Outcome]) -> list[Judged]:
    """The claims that these exercises decide, judged, in the order of the notes."""
    evidence: Evidence = {name: observations(outcome) for name, outcome in outcomes.items()}
    return [decide(claim, evidence) for claim in CLAIMS.values() if needs([claim]) <= evidence.keys()]


def observations(outcome: Outcome) -> Sequence[Observation]:
    """The single runs of an outcome."""
    return outcome.records if isinstance(outcome, Result) else outcome


def named(names: Sequence[str]) -> list[Exercise]:
    """The exercises of these names, or all. Raises ``UserError`` for an unknown one."""
    from koubai.language import Words, unknown

    for name in names:
        if name not in EXERCISES:
            raise unknown(Words("exercise", "演習"), name, EXERCISES)
    return [EXERCISES[name] for name in names] if names else list(EXERCISES.values())
