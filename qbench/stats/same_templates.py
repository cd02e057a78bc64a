"""The other target: what fresh items of these very templates would show, not other templates like them.

Narrower than `qbench.stats.paired_difference`, and it answers a narrower question: whether a level lost anything on this bank, rather
than on the kind of question that the bank samples. It is also all that can be said of a probe with a single template.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from qbench.stats.design import Design, group_sums
from qbench.stats.estimate import Estimate, Interval
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
    difference = np.asarray(level, dtype=float) - np.asarray(baseline, dtype=float)
    present = ~np.isnan(difference)
    if not present.any():
        return _not_estimable(math.nan, 0, 0, 0)
    design, difference = design.only(present), difference[present]
    n = np.bincount(design.of_item).astype(float)
    means = group_sums(difference[:, np.newaxis], design.of_item)[:, 0] / n
    weight = (design.weight / design.sizes)[design.of_template]
    value = float(weight @ means)
    counts = difference.size, len(means), int(np.count_nonzero(difference))
    freedom = difference.size - len(means)
    if freedom < 1:
        return _not_estimable(value, *counts)
    squares = group_sums(((difference - means[design.of_item]) ** 2)[:, np.newaxis], design.of_item)[:, 0]
    variance = np.divide(squares, n - 1, out=np.full_like(squares, squares.sum() / freedom), where=n > 1)
    error = float(np.sqrt(weight**2 @ (variance / n)))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * error
    low, high, p_value = value - half, value + half, 2 * float(t.sf(_ratio(abs(value), error), freedom))

    weight_of_item = (weight / n)[design.of_item]
    effective = 1 / float(weight_of_item @ weight_of_item)
    scale = max(1.0, float(np.abs(difference).max()))
    rises = effective * float(weight_of_item @ np.maximum(difference, 0)) / scale
    falls = effective * float(weight_of_item @ np.maximum(-difference, 0)) / scale
    if min(rises + falls, effective - rises - falls) >= MIN_FLIPS:
        return Estimate(value, error, Interval(low, high), p_value, *counts, T_OVER_ITEMS)
    score_low, score_high = tango_interval(rises, falls, effective, confidence=confidence)
    score_p = 2 * float(norm.sf(_ratio(abs(rises - falls), math.sqrt(rises + falls))))
    interval = Interval(min(low, float(score_low) * scale), max(high, float(score_high) * scale))
    return Estimate(value, error, interval, max(p_value, score_p), *counts, T_AND_SCORE)


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
    difference = np.asarray(levels, dtype=float) - np.asarray(baseline, dtype=float)[:, np.newaxis]
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

    half = t.ppf((1 + confidence) / 2, n - 1) * error
    low, high = value - half, value + half
    p_value = 2 * t.sf(_ratios(np.abs(value), error), n - 1)
    few = (n > 1) & (np.minimum(rises + falls, n - rises - falls) < MIN_FLIPS)
    score_low, score_high = tango_interval(rises[few], falls[few], n[few], confidence=confidence)
    low[few] = np.minimum(low[few], score_low * scale[few])
    high[few] = np.maximum(high[few], score_high * scale[few])
    score_p = 2 * norm.sf(_ratios(np.abs(rises - falls), np.sqrt(rises + falls)))
    p_value[few] = np.maximum(p_value, score_p)[few]

    def estimate(place: tuple[int, int]) -> Estimate:
        counts = int(n[place]), int(n[place] > 0), int(n_flips[place])
        if n[place] < 2:
            return _not_estimable(float(value[place]), *counts)
        interval = Interval(float(low[place]), float(high[place]))
        method = T_AND_SCORE if few[place] else T_OVER_ITEMS
        return Estimate(float(value[place]), float(error[place]), interval, float(p_value[place]), *counts, method)

    n_templates, n_levels = n.shape
    return [[estimate((row, column)) for column in range(n_levels)] for row in range(n_templates)]


def _quotient(total: Array, count: Array) -> Array:
    """``total / count``; NaN where there is nothing to divide by."""
    return np.divide(total, count, out=np.full_like(total, math.nan), where=count > 0)


def _ratios(distance: Array, error: Array) -> Array:
    """`_ratio` for each entry."""
    return np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)


def _ratio(distance: float, error: float) -> float:
    """``distance / error``; infinite over an error of 0, and 0 where both are."""
    return distance / error if error > 0 else math.inf if distance > 0 else 0.0


def _not_estimable(value: float, n_items: int, n_templates: int, n_flips: int) -> Estimate:
    nothing = Interval(math.nan, math.nan)
    return Estimate(value, math.nan, nothing, math.nan, n_items, n_templates, n_flips, NOT_ESTIMABLE)
