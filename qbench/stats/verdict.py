"""What an interval allows one to say, at a margin declared beforehand."""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from qbench.stats.estimate import Estimate

POWER = 0.8


class Verdict(StrEnum):
    """What may be concluded about one level in one category."""

    WITHIN_MARGIN = "within margin"
    DEGRADED = "degraded"
    IMPROVED = "improved"
    UNDECIDED = "undecided"
    NOT_ESTIMABLE = "not estimable"


def verdict(difference: Estimate, *, margin: float) -> Verdict:
    """Say what the interval of a paired difference proves.

    * within margin: the whole interval lies inside ±margin, so any loss, even a certain one, is smaller than what was declared to matter.
    * degraded: it lies below zero and reaches beyond the margin. (improved: above.)
    * undecided: it holds zero and reaches beyond the margin. That an interval holds zero never shows that nothing was lost.

    The interval that decides is the one that is printed. Equivalence at level α would allow the narrower one of confidence 1 - 2α
    (two one-sided tests); using the printed one errs on the careful side and can be checked by eye.

    Args:
        difference: level minus baseline.
        margin: the difference that is declared not to matter, in the unit of the scores.
    """
    low, high = difference.interval
    if not difference.is_estimable:
        return Verdict.NOT_ESTIMABLE
    if -margin < low and high < margin:
        return Verdict.WITHIN_MARGIN
    if high < 0:
        return Verdict.DEGRADED
    return Verdict.IMPROVED if low > 0 else Verdict.UNDECIDED


def minimum_detectable_effect(difference: Estimate, *, confidence: float = 0.95, power: float = POWER) -> float:
    """Return the true difference that this many templates would have shown with the given power.

    (z₁ + z₂) / z₁ times the half-width of the interval, z₁ the normal quantile of the confidence and z₂ that of the power: 1.43 half-widths
    at 95 % and 80 %. Taken from the interval, not from the standard error, because the interval is what has to leave zero out. It must be
    one that was not cut off where scores end, whose width says nothing of the noise: `qbench.stats.difference.level_estimates` has both.
    """
    low, high = difference.interval
    z = float(norm.ppf((1 + confidence) / 2))
    return (high - low) / 2 * (1 + float(norm.ppf(power)) / z)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjust the p-values of a family so that one threshold holds for all of it, whatever their dependence.

    The k-th smallest of m is multiplied by m - k + 1, and no adjusted value is smaller than the one before it. NaNs stay NaN and do
    not count.

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
    """
    adjusted = np.full(len(p_values), math.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(np.asarray(p_values)[known])]
    stepped = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted
