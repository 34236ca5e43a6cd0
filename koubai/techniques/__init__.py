"""The notes as formulas: every technique with its source, its reason and its numbers. Knows nothing of the rest of Koubai."""

from koubai.techniques.activations import ACTIVATIONS, activation
from koubai.techniques.initializers import INITIALIZERS, initializer
from koubai.techniques.optimizers import OPTIMIZERS, Block, optimizer
from koubai.techniques.registry import Number, Technique, Words
from koubai.techniques.schedules import SCHEDULES, schedule

KINDS = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "KINDS",
    "OPTIMIZERS",
    "SCHEDULES",
    "Block",
    "Number",
    "Technique",
    "Words",
    "activation",
    "initializer",
    "optimizer",
    "schedule",
]
