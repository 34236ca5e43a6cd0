"""What the tests of the store share: outcomes to put, and what to ask of a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from koubai.language import UserError, Words, speaking
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study
from koubai.training import Outcome

REASON = Words("because", "だから")


def trials_of(outcomes: list[Outcome]) -> list[Trial]:
    return [trial for outcome in outcomes for trial in outcome.trials]


def same(some: np.ndarray, other: np.ndarray) -> None:
    """Bit for bit, in kind and in shape."""
    assert some.dtype == other.dtype and some.shape == other.shape
    np.testing.assert_array_equal(some, other, strict=True)


def stretched(outcome: Outcome, trials: list[Trial]) -> Outcome:
    """An outcome of many trials made of one: each with its seed added to its losses, to tell them apart."""

    def repeat(value: np.ndarray) -> np.ndarray:
        return np.repeat(value[:1], len(trials), 0)

    history = {name: repeat(value) for name, value in outcome.history.items()}
    history["loss"] += np.array([[trial.seed] for trial in trials])
    weights = {name: repeat(value) for name, value in outcome.weights.items()}
    diverged, stopped = repeat(outcome.diverged), repeat(outcome.stopped)
    return dataclasses.replace(outcome, trials=trials, diverged=diverged, stopped=stopped, history=history, weights=weights)


def readers(store: Store, trials: list[Trial]) -> dict[str, Callable[[], Any]]:
    return {"has": lambda: store.has(trials), "get": lambda: store.get(trials), "studies": store.studies, "claims": store.claims}


def writers(store: Store, outcome: Outcome) -> dict[str, Callable[[], Any]]:
    return {
        "prepare": store.prepare,
        "put": lambda: store.put(outcome, "cpu"),
        "note": lambda: store.note(Study()),
        "note_claim": lambda: store.note_claim("a", "b", "c", REASON),
    }


def sentence(error: UserError, name: str) -> None:
    """One line in each language that names the thing and the mend."""
    for language in ("en", "ja"):
        with speaking(language):
            text = str(error)
            assert name in text and "--" in text and "\n" not in text
            assert text.endswith("." if language == "en" else "。")
