"""The notes as formulas: every technique with its source, its reason and its numbers. Knows nothing of the rest of Koubai."""

from collections.abc import Mapping

from koubai.techniques.activations import ACTIVATIONS, activation
from koubai.techniques.augmentation import AUGMENTATIONS, augmentation
from koubai.techniques.clipping import CLIPPINGS
from koubai.techniques.convolution import CONVOLUTIONS
from koubai.techniques.dropout import DROPOUTS
from koubai.techniques.initializers import INITIALIZERS, initializer
from koubai.techniques.losses import LOSSES
from koubai.techniques.normalization import NORMALIZATIONS
from koubai.techniques.optimizers import OPTIMIZERS, Block, optimizer
from koubai.techniques.penalties import PENALTIES, penalty
from koubai.techniques.pooling import POOLINGS
from koubai.techniques.registry import Number, Technique, Words
from koubai.techniques.schedules import SCHEDULES, schedule

KINDS: dict[str, Mapping[str, Technique]] = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "penalty": PENALTIES,
    "dropout": DROPOUTS,
    "clipping": CLIPPINGS,
    "convolution": CONVOLUTIONS,
    "pooling": POOLINGS,
    "augmentation": AUGMENTATIONS,
    "loss": LOSSES,
}

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "CLIPPINGS",
    "CONVOLUTIONS",
    "DROPOUTS",
    "INITIALIZERS",
    "KINDS",
    "LOSSES",
    "NORMALIZATIONS",
    "OPTIMIZERS",
    "PENALTIES",
    "POOLINGS",
    "SCHEDULES",
    "Block",
    "Number",
    "Technique",
    "Words",
    "activation",
    "augmentation",
    "initializer",
    "optimizer",
    "penalty",
    "schedule",
]
