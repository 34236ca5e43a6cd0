"""The figures of report, web page and notebooks. Each is a function over groups of runs; being registered under a name is all it needs."""

from koubai.report.figures import comparisons, curves, gains, gradients, images, surfaces, verdicts  # noqa: F401 (their figures)
from koubai.report.figures.registry import FIGURES, draw

__all__ = ["FIGURES", "draw"]
