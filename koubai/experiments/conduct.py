"""Conducting exercises: their studies trained (or asked from the store), their races run, the claims judged on what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from koubai.data import load
from koubai.experiments.catalogue import EXERCISES, Exercise, Race
from koubai.experiments.claims import CLAIMS
from koubai.experiments.judging import Evidence, Judged, Observation, decide, needs
from koubai.laboratory import run, to_train
from koubai.landscapes import Path, race
from koubai.language import UserError, Words, unknown
from koubai.places import places
from koubai.progress import reporter
from koubai.result import Result
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study

QUICK_SEEDS, QUICK_SHARE, QUICK_LEAST = 0.3, 0.125, 50  # shares of seeds and of steps, and the fewest steps

Outcome = Result | Sequence[Path]


class Changes(TypedDict, total=False):
    """What may be other in an exercise or a study than it is written: ``None`` leaves it; ``quick`` is a first look."""

    seeds: int | None
    steps: int | None
    data: str | None
    target: str | None
    missing: str | None
    quick: bool


def adapt(exercise: Exercise, **changes: Unpack[Changes]) -> Exercise:
    """The exercise changed as by ``change``, and with what fits the data.

    ``steps`` and what is about the data leave alone what has no steps to speak of, or makes its own inputs. Raises ``UserError``, and
    ``Unsuited`` where the data are not such as the exercise is about.
    """
    if isinstance(exercise.runs, Race):
        return exercise
    base = exercise.runs.base
    if base.steps == 1:
        changes["steps"] = None
    if base.data.name == "noise":
        changes["data"] = changes["target"] = changes["missing"] = None
    study = change(exercise.runs, **changes)
    return replace(exercise, runs=study if changes.get("data") is None else fitted(exercise, study))


class Unsuited(UserError):
    """Data that an exercise cannot be about, such as a table where it takes images."""


def fitted(exercise: Exercise, study: Study) -> Study:
    """The exercise's study with samples, minibatches and layers that fit its data. Raises ``Unsuited`` where none do."""
    spec = study.base.data
    data = load(spec.model_copy(update={"samples": None}))
    if data.target is not None:
        raise Unsuited(
            f"The exercise {exercise.name} is about classes, and the target of {study.base.data} is a quantity; write it as a study.",
            f"演習 {exercise.name} は分類用で、{study.base.data} の target は連続量です。koubai study で実験を書いてください。",
        )
    count = min(spec.samples or len(data.y_train), len(data.y_train))
    if spec.samples:
        study = study.with_base(**{"data.samples": count})
    if study.base.batch_size > count:
        study = study.with_base(batch_size=count)
    if exercise.layers is None and not any("flatten" in trial.layers for trial in study.trials):
        return study
    try:
        if exercise.layers is not None:
            study = study.changed(axes={**study.axes, "layers": exercise.layers(data.shape, data.outputs)})
        for trial in {trial.layers: trial for trial in study.trials}.values():
            places(trial, data.shape, data.outputs)
    except UserError as error:
        raise Unsuited(
            f"The exercise {exercise.name} does not go with {study.base.data}. {error.words.en}",
            f"演習 {exercise.name} は {study.base.data} では行えません。{error.words.ja}",
        ) from None
    return study


def suited(exercises: Iterable[Exercise], **changes: Unpack[Changes]) -> tuple[list[Exercise], list[Words]]:
    """The exercises adapted, without those that the data do not suit, and a sentence on each that is left out. Raises ``UserError``."""
    kept, left = [], []
    for exercise in exercises:
        try:
            kept.append(adapt(exercise, **changes))
        except Unsuited as error:
            left.append(error.words)
    return kept, left


def change(study: Study, **changes: Unpack[Changes]) -> Study:
    """The study with other seeds, steps, data, target column, or another way with missing values.

    ``quick`` is a first look: three of ten seeds, an eighth of the steps. Raises ``UserError``.
    """
    seeds, steps = changes.get("seeds"), changes.get("steps")
    if changes.get("quick"):
        seeds = max(1, round(len(study.axes.get("seed", (0,))) * QUICK_SEEDS)) if seeds is None else seeds
        few = max(round(study.base.steps * QUICK_SHARE), min(study.base.steps, QUICK_LEAST))
        steps = few if steps is None else steps
    about = {"data.name": changes.get("data"), "data.target": changes.get("target"), "data.missing": changes.get("missing")}
    if about := {name: value for name, value in about.items() if value is not None}:
        study = study.with_base(**about)
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
    todo = to_train(trials_of(exercises), store, fresh)
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
    for name in names:
        if name not in EXERCISES:
            raise unknown(Words("exercise", "演習"), name, EXERCISES)
    return [EXERCISES[name] for name in names] if names else list(EXERCISES.values())
