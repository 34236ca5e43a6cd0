"""The figures of report, web page and notebooks. Each is a function over groups of runs; being registered under a name is all it needs."""

from koubai.report.figures import (  # noqa: F401 (their figures)
    comparisons,
    curves,
    gains,
    gradients,
    images,
    quantities,
    surfaces,
    verdicts,
)
from koubai.report.figures.registry import FIGURES, draw

__all__ = ["FIGURES", "draw"]
