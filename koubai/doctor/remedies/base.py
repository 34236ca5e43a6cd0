"""Remedies: what may help against a symptom, as changes to a trial.

A remedy is a function from a trial to changes that ``Trial.replace`` takes; no changes where it does not apply. It is registered under
a name with the symptoms it treats, why it should help, and where that is from. Whether it helps is not believed but trained:
``koubai.prescribe``. ``eps`` is the learning rate, ``W`` a layer's weights, ``f`` its activation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from koubai.blueprint import Part, read, spell, weighted
from koubai.language import UserError, Words
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Remedy:
    """A remedy: its name, what it does, why that should help, the source, the symptoms it treats, and the changes for a trial."""

    name: str
    words: Words
    why: Words
    source: str
    treats: tuple[str, ...]
    changes: Callable[[Trial], Changes]

    def applied(self, trial: Trial) -> Trial | None:
        """The trial with this remedy; ``None`` where it does not apply, or where the trial cannot be so."""
        try:
            changed = trial.replace(self.changes(trial))
        except UserError:
            return None
        return None if changed == trial else changed


REMEDIES: dict[str, Remedy] = {}


def remedy(
    name: str, words: Words, why: Words, source: str, treats: Sequence[str]
) -> Callable[[Callable[[Trial], Changes]], Callable[[Trial], Changes]]:
    """Register the function below as a remedy."""

    def register(function: Callable[[Trial], Changes]) -> Callable[[Trial], Changes]:
        REMEDIES[name] = Remedy(name, words, why, source, tuple(treats), function)
        return function

    return register


def remedies_for(trial: Trial, symptoms: Iterable[str]) -> list[Remedy]:
    """The remedies that treat any of the symptoms and change the trial, each change once; those of the first symptom first."""
    found: dict[Trial, Remedy] = {}
    for symptom in symptoms:
        for one in REMEDIES.values():
            changed = one.applied(trial) if symptom in one.treats else None
            if changed is not None:
                found.setdefault(changed, one)
    return list(found.values())


def treated(trial: Trial, remedies: Sequence[Remedy]) -> Trial | None:
    """The trial with several remedies, one after the other; ``None`` where one does not apply or would undo another."""
    touched: set[str] = set()
    for one in remedies:
        try:
            fields = {name for name in one.changes(trial) if name != "layers"}  # a chain's layers may be changed in several ways
        except UserError:
            return None
        changed = one.applied(trial)
        if changed is None or fields & touched:
            return None
        trial, touched = changed, touched | fields
    return trial


def activations(trial: Trial) -> set[str]:
    """The names of a trial's activations: its own, and those that stand in its layers."""
    return {trial.activation.name} | {part.name for part in map(read, trial.layers) if part.name in ACTIVATIONS}


def rewritten(trial: Trial, change: Callable[[Part], Part | None]) -> Changes:
    """The layers with each part changed, or left out; no change where all stay."""
    parts = [change(read(item)) for item in trial.layers]
    layers = tuple(spell(part) for part in parts if part is not None)
    return {} if layers == trial.layers else {"layers": layers}


def activated(trial: Trial, new: str, old: Collection[str]) -> Changes:
    """The old activations made new, in the trial and in its layers."""
    if not activations(trial) & set(old):
        return {}
    own = {"activation": new} if trial.activation.name in old else {}
    return own | dict(rewritten(trial, lambda part: replace(part, name=new) if part.name in old else part))


def widened(trial: Trial, factor: float, least: int) -> Changes:
    """The layers with so many times the units and filters, ``least`` at least."""
    return rewritten(trial, lambda part: replace(part, width=max(least, round(part.width * factor))) if part.width else part)


def dropping(trial: Trial, rate: float) -> Changes:
    """Another rate of dropout, in the trial and in its layers."""
    rows = any(part.name == "dropout" for part in map(read, trial.layers))
    if rows:
        return {"dropout": 0.0} | dict(
            rewritten(trial, lambda part: replace(part, rate=rate) if part.name == "dropout" else part)
        )
    return {"dropout": rate} if hidden(trial) else {}


def hidden(trial: Trial) -> int:
    """How many layers with weights stand before the output."""
    return weighted(trial.layers) - 1


def drops(trial: Trial) -> float:
    """The highest rate of dropout."""
    return max([trial.dropout, *(part.rate for part in map(read, trial.layers) if part.name == "dropout")])


def normalized(trial: Trial) -> bool:
    """Whether there is batch normalization, of the trial or in its layers."""
    return trial.batch_norm != "none" or "batchnorm" in trial.layers
