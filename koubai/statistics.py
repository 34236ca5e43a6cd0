"""How a comparison is judged: paired over seeds, by the bootstrap interval of the difference and the smallest difference that matters."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from koubai.language import Words

Claimed = Literal["more", "less", "same", "no less", "no more"]
Verdict = Literal["supported", "refuted", "undecided"]

FEW = 6  # values that a bootstrap can do nothing with
MANY = 1_000_000  # seeds that nobody trains

VERDICTS: dict[str, Words] = {
    "supported": Words("supported", "支持"),
    "refuted": Words("refuted", "反証"),
    "undecided": Words("undecided", "未決"),
}
QUICK_LOOK = Words("quick look", "お試し")  # of verdicts from few seeds and steps


@dataclass(frozen=True)
class Judgement:
    """A judged comparison: the mean paired difference, its 95% interval, the effect in standard deviations, and the verdict.

    ``seeds_needed`` is the number of seeds that would probably decide an undecided one; ``None`` where it is decided, or where
    no number would do.
    """

    verdict: Verdict
    difference: float
    low: float
    high: float
    effect: float
    seeds: int
    seeds_needed: int | None


def interval(values: Sequence[float] | np.ndarray, resamples: int = 10_000) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean of ``values``: expanded percentiles, which hold their level for few values.

    Plain percentiles of ten values cover about 90%; Hesterberg's correction (2015, arXiv:1411.5279) widens them by the t distribution and
    ``sqrt(n / (n - 1))``: ten normal values cover 94%, somewhat skewed ones 92%, exponential ones 90%, as Student's interval does. The
    resampling is seeded: the same values give the same interval. Of fewer than ``FEW`` values it would end at about the least and the
    largest, however far the t distribution reaches, so Student's interval stands in. Where a value is not finite the interval is without
    bounds.
    """
    from scipy import special  # scipy.stats takes half a second to import

    values = np.asarray(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return -math.inf, math.inf
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    count = len(values)
    if count < FEW:
        half = special.stdtrit(count - 1, 0.975) * values.std(ddof=1) / math.sqrt(count)
        return float(values.mean() - half), float(values.mean() + half)
    tail = special.ndtr(-math.sqrt(count / (count - 1)) * special.stdtrit(count - 1, 0.975))
    picks = np.random.default_rng(0).integers(0, count, (resamples, count))
    low, high = np.quantile(values[picks].mean(1), [tail, 1 - tail])
    return float(low), float(high)


def judge(
    treated: Sequence[float] | np.ndarray, control: Sequence[float] | np.ndarray, claimed: Claimed, smallest: float
) -> Judgement:
    """Judge the claim that ``treated`` is more than, less than or the same as ``control``, seed by seed.

    *Supported*: the interval of the paired difference lies beyond ``smallest`` in the claimed direction (for ``"same"``: wholly inside
    it). *Refuted*: it lies beyond 0 the other way, or wholly inside ``smallest`` (for ``"same"``: wholly beyond it). *Undecided* otherwise.
    ``"no less"`` is supported where the interval lies above ``-smallest`` and refuted where it lies below; ``"no more"`` is its mirror.
    """
    if smallest <= 0:
        raise ValueError(f"the smallest difference that matters must be positive, not {smallest}")
    with np.errstate(invalid="ignore"):  # a path that left for infinity decides nothing, and is no reason to warn
        differences = np.asarray(treated, dtype=float) - np.asarray(control, dtype=float)
        mean, spread = float(differences.mean()), float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
    sign = -1 if claimed in ("less", "no more") else 1
    low, high = interval(differences)
    toward, away = sorted((sign * low, sign * high))
    inside = -smallest < toward and away < smallest
    beyond = toward > smallest or away < -smallest
    verdict: Verdict
    if claimed == "same":
        verdict = "supported" if inside else "refuted" if beyond else "undecided"
    elif claimed in ("no less", "no more"):
        verdict = "supported" if toward > -smallest else "refuted" if away < -smallest else "undecided"
    else:
        verdict = "supported" if toward > smallest else "refuted" if away < 0 or inside else "undecided"
    effect = mean / spread if spread else math.copysign(math.inf, mean) if mean else 0.0
    needed = seeds_needed(sign * mean, spread, claimed, smallest) if verdict == "undecided" else None
    if needed:  # the bootstrap's interval is not Student's: where this many have not decided, more have to
        needed = max(needed, len(differences) + 1)
    return Judgement(verdict, mean, low, high, effect, len(differences), needed)


def seeds_needed(mean: float, spread: float, claimed: Claimed, smallest: float) -> int | None:
    """How many seeds would shrink Student's interval until it decides, if mean and spread stay as they are."""
    from scipy import special

    if claimed in ("no less", "no more"):
        margin = abs(mean + smallest)
    elif claimed != "same" and mean < 0:
        margin = max(-mean, smallest + mean)  # below 0, or inside
    else:
        margin = abs(abs(mean) - smallest)
    if not math.isfinite(spread):
        return None
    counts = range(2, MANY)
    place = bisect_left(counts, True, key=lambda count: special.stdtrit(count - 1, 0.975) * spread / math.sqrt(count) < margin)
    return counts[place] if place < len(counts) else None


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a claim of several comparisons: refuted if one is, supported if all are, else undecided."""
    if "refuted" in verdicts:
        return "refuted"
    return "supported" if all(verdict == "supported" for verdict in verdicts) else "undecided"
