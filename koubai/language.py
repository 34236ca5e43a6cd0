"""The two languages: every text a person reads is written in both, and spoken in the one that is in force."""

from __future__ import annotations

import difflib
import locale
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from koubai.techniques.registry import Words as Words

Language = Literal["en", "ja"]

# What users of Keras, scikit-learn and PyTorch call things, and what they are called here.
HABITS = {
    "lr": "learning_rate", "eta": "learning_rate", "learning_rate_init": "learning_rate",
    "epochs": "steps", "iterations": "steps", "max_iter": "steps",
    "units": "layers", "hidden": "layers", "hidden_layer_sizes": "layers", "hidden_sizes": "layers",
    "batch": "batch_size", "init": "initializer", "kernel_initializer": "initializer",
    "opt": "optimizer", "solver": "optimizer", "random_state": "seed", "dataset": "data", "regularizer": "penalty",
    "mu": "momentum", "rho": "alpha", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps",
    "lambda": "strength", "weight_decay": "strength", "stddev": "std",
    "logistic": "sigmoid", "linear": "identity", "kaiming": "he", "kaiming_normal": "he", "he_normal": "he",
    "glorot_normal": "glorot", "xavier_normal": "glorot", "gaussian": "normal", "ridge": "l2", "lasso": "l1",
}  # fmt: skip

_chosen: ContextVar[Language | None] = ContextVar("language", default=None)
_both: ContextVar[bool] = ContextVar("both", default=False)


def counted(count: int, noun: str) -> str:
    """So many of an English noun: ``1 trial``, ``2 trials``."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def language() -> Language:
    """The language in force: the one chosen by ``speak``, else the locale's, else English."""
    return _chosen.get() or _of_locale()


def speak(choice: Language | None) -> None:
    """Choose the language from here on; ``None`` goes back to the locale's."""
    _chosen.set(choice)


@contextmanager
def speaking(choice: Language) -> Iterator[None]:
    """Speak a language inside a ``with``, and what was spoken before after it."""
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


def _of_locale() -> Language:
    names = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((name for name in names if name), None) or locale.getlocale()[0] or ""
    return "ja" if name.lower().startswith("ja") else "en"


def say(words: Words) -> str:
    """``words`` in the language in force, ``harmless``."""
    if _both.get() and words.en != words.ja:
        return f"\x02{words.en}\x03{words.ja}\x04"
    return harmless(words.ja if language() == "ja" else words.en)


OBEYED = dict.fromkeys((0x07, 0x1B, *range(0x80, 0xA0)), "\ufffd")  # letters that begin what terminals obey


def harmless(text: str) -> str:
    """A text without what a terminal would obey: a stranger's name in it can be anything."""
    return text.translate(OBEYED)


@contextmanager
def saying_both() -> Iterator[None]:
    """Inside a ``with``, ``say`` gives a text that holds both languages, wherever it is put: ``apart`` takes them apart again."""
    token = _both.set(True)
    try:
        yield
    finally:
        _both.reset(token)


def apart(text: str) -> Words:
    """A text made while ``saying_both``, in each language."""
    return Words(re.sub("\x02(.*?)\x03.*?\x04", r"\1", text, flags=re.S), re.sub("\x02.*?\x03(.*?)\x04", r"\1", text, flags=re.S))


def tell(words: Words) -> None:
    """Say a sentence that stops nothing, on stderr."""
    print(say(words), file=sys.stderr)


LONGEST = 900  # letters of a sentence: more is somebody's data in it, of which the middle is left out


class UserError(Exception):
    """Something the user can mend: one sentence in both languages that names the thing and the mend.

    Whatever names it quotes, it stays in one line that a terminal shows as it is.
    """

    def __init__(self, en: str, ja: str) -> None:
        self.words = Words(_line(en), _line(ja))
        super().__init__(self.words.en)

    def __str__(self) -> str:
        """The sentence, in the language in force."""
        return say(self.words)


def _line(text: str) -> str:
    """A text in one line, without what a terminal would obey, and not endless."""
    text = "".join(letter if letter.isprintable() or letter == "\u3000" else " " for letter in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 3 :]}"


def unknown(kind: Words, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not known, with the nearest right one."""
    known = list(known)
    habit = HABITS.get(name.lower())
    near = [habit] if habit in known else difflib.get_close_matches(name.lower(), [choice.lower() for choice in known], 1, 0.5)
    listed = ", ".join(known)
    if near:
        near = [choice for choice in known if choice.lower() == near[0]]
        return UserError(
            f"There is no {kind.en} {name!r}; did you mean {near[0]!r}? Known: {listed}.",
            f"{kind.ja} {name!r} はありません。{near[0]!r} のことですか。使えるもの: {listed}。",
        )
    return UserError(
        f"There is no {kind.en} {name!r}. Known: {listed}.", f"{kind.ja} {name!r} はありません。使えるもの: {listed}。"
    )
