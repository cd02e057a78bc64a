"""Does a prediction agree with what was measured? Ranks, ratios, and how far either could be chance."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, kendalltau, norm, rankdata, t

from qbench.stats.estimate import Interval

Array = NDArray[np.float64]

MIN_UNITS = 5
"""Fewer pairs than these say nothing about an order: of four, one order in twelve is the right one or its reverse."""
ALL_ORDERS = 7
"""Units of which all orders (5,040) are fewer than the resamples that else stand for them."""


@dataclass(frozen=True)
class Agreement:
    """A number that says how well two sets of numbers agree."""

    value: float
    interval: Interval
    n: int
    """Pairs behind it."""

    def __str__(self) -> str:
        value, low, high = ("–" if math.isnan(own) else f"{own:.3g}" for own in (self.value, *self.interval))
        return value if math.isnan(self.value) else f"{value} [{low}, {high}]"


def missing(n: int) -> Agreement:
    """Nothing is known."""
    return Agreement(math.nan, Interval(math.nan, math.nan), n)


def rank_correlation(predicted: ArrayLike, measured: ArrayLike, *, confidence: float = 0.95) -> Agreement:
    """Spearman's rank correlation, with an interval for what other units like these would show.

    Pairs with a NaN are left out. NaN with fewer than `MIN_UNITS` pairs, or where one side is constant.
    """
    x, y = _pairs(predicted, measured)
    n = len(x)
    if n < MIN_UNITS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return missing(n)
    r = float(_spearman(x, y))
    low, high = spearman_interval(r, float(kendalltau(x, y, method="asymptotic").statistic), n, confidence=confidence)
    return Agreement(r, Interval(float(low), float(high)), n)


def spearman_interval(r: ArrayLike, tau: ArrayLike, n: int, *, confidence: float = 0.95) -> tuple[Array, Array]:
    """Both ends of the interval of a rank correlation, from Spearman's and Kendall's coefficients of n pairs.

    A bootstrap of a perfect order draws nothing but perfect orders, so its interval has no width however few the units. This one is normal
    on Fisher's scale, with the variance (1 + r² / 2) / (n - 3) of Bonett & Wright, and two corrections for few units. The sample's r falls
    short of the population's, by up to 0.07 at n = 6, and Hoeffding's unbiased estimate ((n + 1) r - 3 τ) / (n - 2) does not: the lower
    end is reached from the lower of the two, the upper end from the higher. And neither counts as larger in size than the correlation of
    a perfect order with two neighbours swapped, 1 - 12 / (n (n² - 1)).

    References:
        Bonett & Wright (2000), Sample size requirements for estimating Pearson, Kendall and Spearman correlations, Psychometrika 65, 23-28.
        Hoeffding (1948), A class of statistics with asymptotically normal distribution, Annals of Mathematical Statistics 19, 293-325.
    """
    seen = np.asarray(r, float)
    unbiased = ((n + 1) * seen - 3 * np.asarray(tau, float)) / (n - 2)
    largest = 1 - 12 / (n * (n**2 - 1))
    quantile = norm.ppf((1 + confidence) / 2)

    def end(of: Array, sign: int) -> Array:
        own = np.clip(of, -largest, largest)
        return np.asarray(np.tanh(np.arctanh(own) + sign * quantile * np.sqrt((1 + own**2 / 2) / (n - 3))))

    low, high = end(np.minimum(seen, unbiased), -1), end(np.maximum(seen, unbiased), 1)
    return np.minimum(low, seen), np.maximum(high, seen)


def rank_advantage(
    predicted: ArrayLike, rival: ArrayLike, measured: ArrayLike, *, confidence: float = 0.95
) -> Agreement:
    """By how much the rank correlation of a prediction exceeds that of a rival, such as depth, on the same units.

    The rival may be read in either direction: its correlation counts without its sign. The interval is put together from those of the two
    correlations (MOVER) as if they were independent; they share the measured costs, and as a rule rise and fall together, so that it is
    wider than it need be.

    References:
        Zou (2007), Toward using confidence intervals to compare correlations, Psychological Methods 12, 399-413.
    """
    x, rival_scores, y = _pairs(predicted, rival, measured)
    own, other = (rank_correlation(scores, y, confidence=confidence) for scores in (x, rival_scores))
    size, against = abs(other.value), other.interval.scaled(math.copysign(1, other.value))
    down = math.hypot(own.value - own.interval.low, against.high - size)
    up = math.hypot(own.interval.high - own.value, size - against.low)
    value = own.value - size
    return Agreement(value, Interval(value - down, value + up).within(-1, 1), own.n)


def prediction_reach(predicted: ArrayLike, measured: ArrayLike, *, confidence: float = 0.95) -> float:
    """How far, on the logarithmic scale, the measured value of one more unit may lie from its predicted one.

    Student's prediction interval of a normal log(measured / predicted), whose standard deviation the pairs show; a factor that all units
    have in common is no error. Pairs with a NaN, or with a value of 0 or less, are left out. NaN with fewer than `MIN_UNITS` pairs.
    """
    x, y = _pairs(predicted, measured)
    is_positive = (x > 0) & (y > 0)
    n = int(is_positive.sum())
    if n < MIN_UNITS:
        return math.nan
    spread = float(np.log(y[is_positive] / x[is_positive]).std(ddof=1))
    return spread * math.sqrt(1 + 1 / n) * float(t.ppf((1 + confidence) / 2, n - 1))


def chance_correlation(n: int, *, confidence: float = 0.95, n_resamples: int = 9999, rng: np.random.Generator) -> float:
    """The rank correlation that a random order of n units stays below, with this confidence: the smallest that is reached no more often.

    One-sided, from all orders of up to `ALL_ORDERS` units and from random ones of more. NaN where even the right order is not so rare.
    """
    if n < MIN_UNITS:
        return math.nan
    right = np.arange(n, dtype=float)
    every = list(itertools.permutations(right)) if n <= ALL_ORDERS else []
    orders = np.array(every) if every else rng.permuted(np.tile(right, (n_resamples, 1)), axis=1)
    found, counts = np.unique(_spearman(orders, right), return_counts=True)
    reached = np.cumsum(counts[::-1])[::-1]
    rare = found[reached <= (1 - confidence) * len(orders)]
    return float(rare[0]) if rare.size else math.nan


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
