"""The other target: what fresh items of these very templates would show, not other templates like them.

Narrower than `qbench.stats.paired_difference`, and it answers a narrower question: whether a level lost anything on this bank, rather
than on the kind of question that the bank samples. It is also all that can be said of a probe with a single template.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from qbench.stats.design import Design, group_sums, means_of_templates, patterns
from qbench.stats.estimate import Estimate, Interval, bounded
from qbench.stats.score_interval import tango_interval

Array = NDArray[np.float64]

MIN_FLIPS = 20  # effective flips below which the normal approximation is joined with a score interval
T_OVER_ITEMS, T_AND_SCORE, NOT_ESTIMABLE = "t over items", "t over items and score", "not estimable"


def same_templates_difference(
    baseline: ArrayLike, level: ArrayLike, design: Design, *, confidence: float = 0.95
) -> Estimate:
    """Estimate the mean difference over the given templates, from their items as a sample of all items they could yield.

    With d_g the mean difference of template g, s_g² the variance of its n_g items, and w_s and G_s the weight and the number of templates
    of its stratum,

        value = Σ_s w_s Σ_g d_g / G_s,        standard error² = Σ_s w_s² Σ_g (s_g² / n_g) / G_s².

    A template with a single item borrows the pooled variance. The interval is Student's with items - templates degrees of freedom (at
    least 1), joined with Tango's score interval on Kish's effective number of items where fewer than 20 flipped. It assumes that items are
    drawn independently within their template, which is how the bank draws them; twins of one family count as the same item drawn twice,
    so a template of twins is a little less certain than it looks.

    References:
        Cochran (1977), Sampling Techniques, section 5.4 (stratified sampling; here every template is a stratum).
        Kish (1965), Survey Sampling, section 11.7 (effective sample size under unequal weights).
    """
    before, after = np.asarray(baseline, dtype=float), np.asarray(level, dtype=float)
    found = fresh_items((after - before)[:, np.newaxis], design, confidence)
    return bounded(found, np.append(before, after), -1, 1)[0]


def fresh_items(difference: Array, design: Design, confidence: float) -> list[Estimate]:
    """Estimate what `same_templates_difference` does, for each column of differences; NaNs are left out."""
    estimates = [_not_estimable(math.nan, 0, 0, 0)] * difference.shape[1]
    for columns, items, own in patterns(difference, design):
        found = _of_columns(difference[np.ix_(items, columns)], own, confidence)
        for column, estimate in zip(columns, found, strict=True):
            estimates[column] = estimate
    return estimates


def _of_columns(difference: Array, design: Design, confidence: float) -> list[Estimate]:
    """Estimates of columns of which each has an item in each template."""
    present = ~np.isnan(difference)
    n, means = means_of_templates(difference, design)
    weight = design.template_weight[:, np.newaxis]
    value = (weight * means).sum(axis=0)
    n_items, n_templates = present.sum(axis=0), len(means)
    freedom = (n_items - n_templates).astype(float)
    squares = group_sums(np.where(present, difference - means[design.of_item], 0.0) ** 2, design.of_item)
    pooled = np.broadcast_to(_quotient(squares.sum(axis=0), freedom), n.shape)
    variance = np.divide(squares, n - 1, out=pooled.copy(), where=n > 1)
    error = np.sqrt((weight**2 * variance / n).sum(axis=0))

    filled = np.where(present, difference, 0.0)
    weights = np.where(present, (weight / n)[design.of_item], 0.0)
    effective = 1 / (weights**2).sum(axis=0)
    scale = np.maximum(1.0, np.abs(filled).max(axis=0))
    rises, falls = (effective * (weights * np.maximum(side, 0)).sum(axis=0) / scale for side in (filled, -filled))
    n_flips = (filled != 0).sum(axis=0)
    ends = _intervals(_Counts(value, error, freedom, rises, falls, effective, scale), confidence)
    return [
        _estimate(ends, place, value, error, (int(n_items[place]), n_templates, int(n_flips[place])))
        for place in range(len(value))
    ]


def template_differences(
    baseline: ArrayLike, levels: ArrayLike, template: ArrayLike, *, confidence: float = 0.95
) -> list[list[Estimate]]:
    """Estimate what `same_templates_difference` does for each template by itself, at each level, all in one pass.

    Args:
        baseline: score of each item at the baseline.
        levels: one column of scores for each level.
        template: of each item, numbered from 0 without gaps.
        confidence: nominal coverage of the intervals.

    Returns:
        For each template an estimate for each level.
    """
    of_item = np.asarray(template)
    before, after = np.asarray(baseline, dtype=float)[:, np.newaxis], np.asarray(levels, dtype=float)
    difference = after - before
    present = ~np.isnan(difference)
    filled = np.where(present, difference, 0.0)
    n = group_sums(present.astype(float), of_item)
    value = _quotient(group_sums(filled, of_item), n)
    squares = group_sums(np.where(present, difference - value[of_item], 0.0) ** 2, of_item)
    error = np.sqrt(_quotient(_quotient(squares, n - 1), n))
    scale = np.ones_like(n)
    np.maximum.at(scale, of_item, np.abs(filled))
    rises, falls = (group_sums(np.maximum(side, 0), of_item) / scale for side in (filled, -filled))
    n_flips = group_sums((filled != 0).astype(float), of_item)

    ends = _intervals(_Counts(value, error, n - 1, rises, falls, n, scale), confidence)
    beyond = (before < 0) | (before > 1) | (after < 0) | (after > 1)
    limit = np.where(group_sums(beyond.astype(float), of_item) > 0, math.inf, 1.0)
    ends = ends._replace(low=np.maximum(ends.low, -limit), high=np.minimum(ends.high, limit))
    n_templates, n_levels = n.shape
    return [
        [
            _estimate(
                ends,
                (row, column),
                value,
                error,
                (int(n[row, column]), int(n[row, column] > 0), int(n_flips[row, column])),
            )
            for column in range(n_levels)
        ]
        for row in range(n_templates)
    ]


# ---------------------------------------------------------------- how an interval is made


class _Counts(NamedTuple):
    """What an interval needs, elementwise; see `qbench.stats.design.Summary`."""

    value: Array
    error: Array
    freedom: Array
    rises: Array
    falls: Array
    effective: Array
    scale: Array


class _Ends(NamedTuple):
    """Intervals, elementwise; NaN without a degree of freedom."""

    low: Array
    high: Array
    p_value: Array
    few: NDArray[np.bool_]
    """Where so few items flipped that the score interval was joined."""


def _intervals(of: _Counts, confidence: float) -> _Ends:
    """Student's t, joined with Tango's score interval where few items flipped."""
    known = of.freedom >= 1
    freedom = np.where(known, of.freedom, math.nan)
    half = t.ppf((1 + confidence) / 2, freedom) * of.error
    low, high = of.value - half, of.value + half
    p_value = np.where(known, 2 * t.sf(_ratio(np.abs(of.value), of.error), freedom), math.nan)
    few = known & (np.minimum(of.rises + of.falls, of.effective - of.rises - of.falls) < MIN_FLIPS)
    score_low, score_high = tango_interval(of.rises[few], of.falls[few], of.effective[few], confidence=confidence)
    low[few] = np.minimum(low[few], score_low * of.scale[few])
    high[few] = np.maximum(high[few], score_high * of.scale[few])
    score_p = 2 * norm.sf(_ratio(np.abs(of.rises - of.falls), np.sqrt(of.rises + of.falls)))
    p_value[few] = np.maximum(p_value, score_p)[few]
    return _Ends(low, high, p_value, few)


def _estimate(
    ends: _Ends, place: int | tuple[int, int], value: Array, error: Array, counts: tuple[int, int, int]
) -> Estimate:
    if np.isnan(ends.low[place]):
        return _not_estimable(float(value[place]), *counts)
    interval = Interval(float(ends.low[place]), float(ends.high[place]))
    method = T_AND_SCORE if ends.few[place] else T_OVER_ITEMS
    return Estimate(float(value[place]), float(error[place]), interval, float(ends.p_value[place]), *counts, method)


def _quotient(total: Array, count: Array) -> Array:
    """``total / count``; NaN where there is nothing to divide by."""
    return np.divide(total, count, out=np.full_like(total, math.nan), where=count > 0)


def _ratio(distance: Array, error: Array) -> Array:
    """``distance / error``; infinite over an error of 0, and 0 where both are."""
    return np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)


def _not_estimable(value: float, n_items: int, n_templates: int, n_flips: int) -> Estimate:
    nothing = Interval(math.nan, math.nan)
    return Estimate(value, math.nan, nothing, math.nan, n_items, n_templates, n_flips, NOT_ESTIMABLE)
