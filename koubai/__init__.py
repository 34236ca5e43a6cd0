"""Koubai (勾配): trains every variant of a network side by side, and shows where the gradient goes.

>>> import koubai as kb
>>> kb.Trial(layers=[40, 20], activation="sigmoid").activation.name
'sigmoid'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from koubai.laboratory import run
    from koubai.language import UserError, speak
    from koubai.prescribing import prescribe
    from koubai.result import Result
    from koubai.spec import Trial
    from koubai.store import Store
    from koubai.study import Study
    from koubai.watching import watch

_HOMES = {
    "prescribe": "prescribing",
    "run": "laboratory",
    "Result": "result",
    "Store": "store",
    "Study": "study",
    "Trial": "spec",
    "UserError": "language",
    "speak": "language",
    "watch": "watching",
}

__all__ = ["Result", "Store", "Study", "Trial", "UserError", "prescribe", "run", "speak", "watch"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``import koubai`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'koubai' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"koubai.{_HOMES[name]}"), name)
