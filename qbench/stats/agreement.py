"""Does a prediction agree with what was measured? Ranks, ratios, and how far either could be chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, norm, rankdata, t

from qbench.stats.estimate import Interval

Array = NDArray[np.float64]

MIN_UNITS = 5
"""Fewer pairs than these say nothing about an order: of four, one order in twelve is the right one or its reverse."""


@dataclass(frozen=True)
class Agreement:
    """A number that says how well two sets of numbers agree."""

    value: float
    interval: Interval
    n: int
    """Pairs behind it."""

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.interval.low:.3g}, {self.interval.high:.3g}]"


def missing(n: int) -> Agreement:
    """Nothing is known."""
    return Agreement(math.nan, Interval(math.nan, math.nan), n)


def rank_correlation(
    predicted: ArrayLike,
    measured: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    rng: np.random.Generator,
) -> Agreement:
    """Spearman's rank correlation, with a percentile bootstrap interval over pairs: what other units like these would show.

    Pairs with a NaN are left out. NaN with fewer than `MIN_UNITS` pairs, or where one side is constant.
    """
    x, y = _pairs(predicted, measured)
    if len(x) < MIN_UNITS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return missing(len(x))
    drawn = rng.integers(len(x), size=(n_resamples, len(x)))
    return Agreement(float(_spearman(x, y)), _percentiles(_spearman(x[drawn], y[drawn]), confidence), len(x))


def rank_advantage(
    predicted: ArrayLike,
    rival: ArrayLike,
    measured: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    rng: np.random.Generator,
) -> Agreement:
    """By how much the rank correlation of a prediction exceeds that of a rival, such as depth, from the same resampled units.

    The rival may be read in either direction: its correlation counts without its sign, in the data and in each resample, which favours the
    rival.
    """
    x, r, y = _pairs(predicted, rival, measured)
    if len(x) < MIN_UNITS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return missing(len(x))
    drawn = rng.integers(len(x), size=(n_resamples, len(x)))
    value = _spearman(x, y) - np.abs(_spearman(r, y))
    resampled = _spearman(x[drawn], y[drawn]) - np.abs(_spearman(r[drawn], y[drawn]))
    return Agreement(float(value), _percentiles(resampled, confidence), len(x))


def chance_correlation(n: int, *, confidence: float = 0.95, n_resamples: int = 9999, rng: np.random.Generator) -> float:
    """The rank correlation that a random order of n units does not reach, with this confidence (one-sided, from random permutations)."""
    if n < MIN_UNITS:
        return math.nan
    orders = rng.permuted(np.tile(np.arange(n, dtype=float), (n_resamples, 1)), axis=1)
    return float(np.quantile(_spearman(orders, np.arange(n, dtype=float)), confidence, method="higher"))


def median_ratio(predicted: ArrayLike, measured: ArrayLike, *, confidence: float = 0.95) -> Agreement:
    """Median of predicted / measured, with the exact interval between two order statistics (Conover 1999, section 3.2).

    Pairs with a NaN or a measured value of 0 or less are left out. The interval is NaN with so few pairs that not even the smallest and
    the largest ratio hold the median with this confidence (fewer than 6 at 95 %).
    """
    x, y = _pairs(predicted, measured)
    ratios = np.sort(x[y > 0] / y[y > 0])
    n = len(ratios)
    if not n:
        return missing(0)
    below = int(
        binom.ppf((1 - confidence) / 2, n, 0.5)
    )  # the largest number of ratios that may lie outside on one side, plus one
    interval = Interval(float(ratios[below - 1]), float(ratios[n - below])) if below else missing(n).interval
    return Agreement(float(np.median(ratios)), interval, n)


def ratio_of_sums(numerator: ArrayLike, denominator: ArrayLike, *, confidence: float = 0.95) -> Agreement:
    """Σ numerator / Σ denominator over paired sequences, with Student's interval of the linearised ratio (Cochran 1977, section 2.11).

    For the KL a token of one mix as a share of another's, or of a mix as a share of its units' on the same text.
    """
    x, y = _pairs(numerator, denominator)
    n = len(x)
    if n < 2 or y.sum() <= 0:
        return missing(n)
    ratio = x.sum() / y.sum()
    error = math.sqrt(n / (n - 1) * float(((x - ratio * y) ** 2).sum())) / y.sum()
    reach = error * float(t.ppf((1 + confidence) / 2, n - 1))
    return Agreement(float(ratio), Interval(ratio - reach, ratio + reach), n)


def ratio_of_independent(
    numerator: float, numerator_error: float, denominator: float, denominator_error: float, *, confidence: float = 0.95
) -> Agreement:
    """The ratio of two positive numbers that were found on different text, with their standard errors: normal on the logarithms, whose
    variances are the squared relative errors and add up (delta method)."""
    if not (numerator > 0 and denominator > 0):
        return missing(2)
    ratio = numerator / denominator
    error = math.hypot(numerator_error / numerator, denominator_error / denominator)
    reach = math.exp(error * float(norm.ppf((1 + confidence) / 2)))
    return Agreement(ratio, Interval(ratio / reach, ratio * reach), 2)


def _pairs(*columns: ArrayLike) -> Sequence[Array]:
    stacked = np.array([np.asarray(column, dtype=float) for column in columns])
    return list(stacked[:, ~np.isnan(stacked).any(axis=0)])


def _spearman(x: Array, y: Array) -> Array:
    """Pearson's correlation of the ranks along the last axis; 0 where one side is constant."""
    ranks = [rankdata(side, axis=-1) for side in np.broadcast_arrays(x, y)]
    a, b = (rank - rank.mean(axis=-1, keepdims=True) for rank in ranks)
    norm = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.asarray(np.divide((a * b).sum(axis=-1), norm, out=np.zeros_like(norm), where=norm > 0))


def _percentiles(resampled: Array, confidence: float) -> Interval:
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
