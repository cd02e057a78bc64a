"""The other target: what fresh items of these very templates would show, not other templates like them.

Narrower than the interval of `qbench.stats.paired_difference` for new templates, and it answers a narrower question: whether a level lost
anything on this bank, rather than on the kind of question that the bank samples. It is also all that can be said of a probe with a single
template.

**What is estimated.** With d_g the mean difference of template g, and w_s and G_s the weight and the number of templates of its stratum,

    value = Σ_s w_s Σ_g d_g / G_s,        standard error² = Σ_s w_s² Σ_g (s_g² / k_g) / G_s²,

where template g was drawn from k_g times and s_g² is the variance of its draws. A draw is an item, or a family of twins, which rise and
fall together: its value is the mean of its items, in proportion to their number. A template with a single draw borrows the pooled variance.

**How.** Student's t with draws - templates degrees of freedom, joined, where fewer than `MIN_FLIPS` effective items flipped, with Tango's
score interval on Kish's effective number of items, divided by what the twins' likeness takes away.

References:
    Cochran (1977), Sampling Techniques, section 5.4 (stratified sampling; here every template is a stratum) and 9.4 (draws of several).
    Kish (1965), Survey Sampling, section 11.7 (effective sample size under unequal weights).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from qbench.stats.design import Design, Indices, group_sums, in_errors, patterns, scales
from qbench.stats.estimate import T_OVER_ITEMS, T_OVER_ITEMS_AND_SCORE, Estimate, Interval, bounded, not_estimable
from qbench.stats.score_interval import MIN_FLIPS, score_p_value, tango_interval

Array = NDArray[np.float64]


def same_templates_difference(
    baseline: ArrayLike, level: ArrayLike, design: Design, *, confidence: float = 0.95
) -> Estimate:
    """Estimate the mean difference over the given templates, from their items as a sample of all items they could yield.

    Where all scores lie in [0, 1], the interval lies in [-1, 1]. Not estimable where each template was drawn from once.
    """
    before, after = np.asarray(baseline, dtype=float), np.asarray(level, dtype=float)
    found = fresh_items((after - before)[:, np.newaxis], design, confidence)
    return bounded(found, np.append(before, after), -1, 1)[0]


def fresh_items(
    difference: Array, design: Design, confidence: float, largest: float = 1.0, nulls: Array | None = None
) -> list[Estimate]:
    """Estimate what `same_templates_difference` does, for each column of differences; NaNs are left out. ``largest``: see `summarise`;
    ``nulls``: the value of each column that its p-value is of, or 0.
    """
    nulls = np.zeros(difference.shape[1]) if nulls is None else nulls
    estimates = [not_estimable(math.nan, 0, 0, 0)] * difference.shape[1]
    for columns, items, own in patterns(difference, design):
        block = difference[np.ix_(items, columns)]
        present = ~np.isnan(block)
        found = _by_template(block, own.of_item, *own.draws())
        weight = own.template_weight[:, np.newaxis]
        squares = (weight**2 * found.pooled().variance).sum(axis=0)
        as_items = (weight**2 * found.item_variance).sum(axis=0)
        weights = np.where(present, (weight / found.n_items)[own.of_item], 0.0)
        scale = scales(np.where(present, block, 0.0), largest)
        effective = 1 / (weights**2).sum(axis=0) / _likeness(squares, as_items)
        rises, falls = (
            effective * (weights * np.maximum(np.where(present, side, 0.0), 0)).sum(axis=0) / scale
            for side in (block, -block)
        )
        value = (weight * found.mean).sum(axis=0)
        freedom = found.n_draws.sum(axis=0) - len(weight)
        ends = _ends(value, np.sqrt(squares), freedom, rises, falls, effective, scale, confidence, nulls[columns])
        n_flips = (present & (block != 0)).sum(axis=0)
        for i, column in enumerate(columns):
            estimates[column] = ends.estimate(i, int(present[:, i].sum()), len(weight), int(n_flips[i]))
    return estimates


def template_differences(
    baseline: ArrayLike,
    levels: ArrayLike,
    template: ArrayLike,
    draw: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> list[list[Estimate]]:
    """Estimate what `same_templates_difference` does for each template by itself, at each level, all in one pass.

    Args:
        baseline: score of each item at the baseline.
        levels: one column of scores for each level.
        template: of each item, numbered from 0 without gaps.
        draw: of each item; without it each item is a draw of its own.
        confidence: nominal coverage of the intervals.

    Returns:
        For each template an estimate for each level.
    """
    before, after = np.asarray(baseline, dtype=float)[:, np.newaxis], np.asarray(levels, dtype=float)
    design = Design.of(template, np.zeros(len(after), dtype=int), draw=draw)
    of_item, difference = design.of_item, after - before
    found = _by_template(difference, of_item, *design.draws())
    filled = np.where(np.isnan(difference), 0.0, difference)
    scale = np.ones_like(found.mean)
    np.maximum.at(scale, of_item, np.abs(filled))
    likeness = _likeness(found.variance, found.item_variance)
    rises, falls = (group_sums(np.maximum(side, 0), of_item) / scale / likeness for side in (filled, -filled))
    effective = found.n_items / likeness
    ends = _ends(found.mean, np.sqrt(found.variance), found.n_draws - 1, rises, falls, effective, scale, confidence)
    beyond = (before < 0) | (before > 1) | (after < 0) | (after > 1)
    limit = np.where(group_sums(beyond.astype(float), of_item) > 0, math.inf, 1.0)
    ends = ends._replace(low=np.maximum(ends.low, -limit), high=np.minimum(ends.high, limit))
    n_flips = group_sums((filled != 0).astype(float), of_item)
    n_templates, n_levels = found.n_items.shape
    return [
        [
            ends.estimate(
                (row, column),
                int(found.n_items[row, column]),
                int(found.n_items[row, column] > 0),
                int(n_flips[row, column]),
            )
            for column in range(n_levels)
        ]
        for row in range(n_templates)
    ]


# ---------------------------------------------------------------- what is known of each template


class _Templates(NamedTuple):
    """One row per template, one column per level."""

    n_items: Array
    n_draws: Array
    mean: Array
    variance: Array
    """Of the mean, from the draws; NaN where there is a single one."""
    item_variance: Array
    """Of the mean if items were the draws; 0 where there is a single one."""

    def pooled(self) -> "_Templates":
        """With the variance that draws have on average lent to templates that were drawn from once."""
        freedom = np.maximum(self.n_draws - 1, 0)
        of_draws = np.where(self.n_draws > 1, self.variance * self.n_draws, 0.0)
        on_average = _quotient((of_draws * freedom).sum(axis=0), freedom.sum(axis=0))
        return self._replace(variance=np.where(self.n_draws > 1, self.variance, on_average / self.n_draws))


def _by_template(difference: Array, of_item: Indices, of_draw: Indices, template_of_draw: Indices) -> _Templates:
    present = ~np.isnan(difference)
    n_items = group_sums(present.astype(float), of_item)
    mean = _quotient(group_sums(np.where(present, difference, 0.0), of_item), n_items)
    off = np.where(present, difference - mean[of_item], 0.0)
    drawn = group_sums(present.astype(float), of_draw) > 0
    n_draws = group_sums(drawn.astype(float), template_of_draw)
    squares = group_sums(group_sums(off, of_draw) ** 2, template_of_draw)
    item_squares = group_sums(off**2, of_item)
    return _Templates(
        n_items,
        n_draws,
        mean,
        _quotient(squares, n_items**2) * _quotient(n_draws, n_draws - 1),
        np.nan_to_num(_quotient(item_squares, n_items * (n_items - 1))),
    )


def _likeness(variance: Array, item_variance: Array) -> Array:
    """By how much twins' likeness enlarges the variance; 1 where nothing varies, and never less."""
    ratio = np.divide(variance, item_variance, out=np.ones_like(variance), where=item_variance > 0)
    return np.where(ratio > 1, ratio, 1.0)


# ---------------------------------------------------------------- how an interval is made


class _Ends(NamedTuple):
    """Estimates, elementwise; NaN without a degree of freedom."""

    value: Array
    error: Array
    low: Array
    high: Array
    p_value: Array
    few: NDArray[np.bool_]
    """Where so few items flipped that the score interval was joined."""

    def estimate(self, place: int | tuple[int, int], n_items: int, n_templates: int, n_flips: int) -> Estimate:
        """One of them, with what was counted."""
        value, error, low, high, p_value = (float(array[place]) for array in self[:5])
        if math.isnan(low):
            return not_estimable(value, n_items, n_templates, n_flips)
        if self.few[place]:
            error, method = math.nan, T_OVER_ITEMS_AND_SCORE
        else:
            method = T_OVER_ITEMS
        return Estimate(value, error, Interval(low, high), p_value, n_items, n_templates, n_flips, method)


def _ends(
    value: Array,
    error: Array,
    freedom: Array,
    rises: Array,
    falls: Array,
    effective: Array,
    scale: Array,
    confidence: float,
    null: Array | float = 0.0,
) -> _Ends:
    """Student's t, joined with Tango's score interval where few items flipped; for rises to scale see `qbench.stats.design.Summary`."""
    known = freedom >= 1
    freedom = np.where(known, freedom, math.nan)
    half = t.ppf((1 + confidence) / 2, freedom) * error
    low, high = value - half, value + half
    p_value = 2 * t.sf(in_errors(np.abs(value - null), error), freedom)
    few = known & (np.minimum(rises + falls, effective - rises - falls) < MIN_FLIPS)
    score_low, score_high = tango_interval(rises[few], falls[few], effective[few], confidence=confidence)
    low[few] = np.minimum(low[few], score_low * scale[few])
    high[few] = np.maximum(high[few], score_high * scale[few])
    score_p = score_p_value(rises[few], falls[few], effective[few], (null / scale)[few])
    p_value[few] = np.maximum(p_value[few], score_p)
    return _Ends(value, error, low, high, p_value, few)


def _quotient(total: Array, count: Array) -> Array:
    """``total / count``; NaN where there is nothing to divide by."""
    return np.divide(total, count, out=np.full_like(total, math.nan), where=count > 0)
