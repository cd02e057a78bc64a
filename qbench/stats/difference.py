"""The paired difference, and an interval that keeps its coverage on clustered, stratified and nearly unchanged data.

**What is estimated.** The mean over templates of (score at level - score at baseline), each template with equal weight in its stratum,
each stratum in its category, each category in the whole. The population is that of templates like these: an interval says what
another draw of templates would show, and is wider than one for fresh items of the same templates, which every function here gives under
``target="items"`` (see `qbench.stats.same_templates`).

**How.** Three ingredients, each there because the others fail somewhere; benchmarks/coverage.py prints where.

1. Templates are resampled within their stratum, and the studentised |t*| of the resamples gives the critical value (Hall 1988). It
   allows for few, skewed and unequal templates, which Student's t does not.
2. The half-width is never below z times the standard error of independent items. With 15 templates the cluster error is small by chance
   often enough to matter, while true clustering only enlarges it.
3. Below `MIN_FLIPS` effective flips a resample has nothing to work with. There the interval is Student's t with the same guard, joined
   with Tango's score interval on counts that the design effect has deflated.

References:
    Hall (1988), On symmetric bootstrap confidence intervals, Journal of the Royal Statistical Society B 50, 35-45.
    Davison & Hinkley (1997), Bootstrap Methods and their Application, Cambridge University Press.
    Miller (2024), Adding Error Bars to Evals, arXiv:2411.00640.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from qbench.stats.bootstrap import can_resample, resampled_t, upper_quantile
from qbench.stats.design import Design, Summary, in_errors, summarise, weighted_means
from qbench.stats.estimate import (
    BOOTSTRAP_T,
    STUDENT_T,
    T_AND_SCORE,
    Estimate,
    Interval,
    Target,
    bounded,
    not_estimable,
)
from qbench.stats.same_templates import fresh_items
from qbench.stats.score_interval import MIN_FLIPS, score_p_value, tango_interval
from qbench.stats.verdict import minimum_detectable_effect

Array = NDArray[np.float64]

MAX_WIDENING = (
    1.5  # times Student's critical value; with two templates a stratum the bootstrap's own has no upper bound
)


def paired_difference(
    baseline: ArrayLike,
    level: ArrayLike,
    template: ArrayLike,
    stratum: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    target: Target = Target.TEMPLATES,
    rng: np.random.Generator,
) -> Estimate:
    """Estimate the mean difference between two levels over the templates of one category.

    Args:
        baseline: score of each item at the baseline.
        level: score of the same item at the other level. Items that are NaN on either side are left out.
        template: the template of each item: what is resampled.
        stratum: the subcategory of each item; strata weigh equally.
        confidence: nominal coverage of the interval.
        n_resamples: bootstrap resamples; fresh items need none.
        target: what the interval is about, other templates or fresh items of these.
        rng: source of the resamples; the same generator gives the same interval.

    Returns:
        The estimate. Its interval is NaN where no stratum has two templates: then nothing is known about other templates.
    """
    levels = np.asarray(level, dtype=float)[:, np.newaxis]
    return paired_differences(
        baseline,
        levels,
        Design.of(template, stratum),
        confidence=confidence,
        n_resamples=n_resamples,
        target=target,
        rng=rng,
    )[0]


def paired_differences(
    baseline: ArrayLike,
    levels: ArrayLike,
    design: Design,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    target: Target = Target.TEMPLATES,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate the difference at several levels, one column of ``levels`` each, from one set of resamples.

    With categories in the design this is the macro difference: they weigh equally, whatever their number of strata and templates. Where
    all scores lie in [0, 1], the intervals lie in [-1, 1].
    """
    before, after = _columns(baseline, levels)
    found = _estimates(after - before, design, confidence, n_resamples, target, rng)
    return bounded(found, np.hstack([before, after]), -1, 1)


def mean_scores(
    scores: ArrayLike,
    design: Design,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    target: Target = Target.TEMPLATES,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate the mean score of each column: its paired difference from a model that scores 0 everywhere.

    Where all scores lie in [0, 1], so does the interval.
    """
    columns = np.asarray(scores, dtype=float)
    return bounded(_estimates(columns, design, confidence, n_resamples, target, rng), columns, 0, 1)


def relative_losses(
    baseline: ArrayLike,
    levels: ArrayLike,
    design: Design,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    target: Target = Target.TEMPLATES,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate the loss as a share of the baseline's score, r = (baseline - level) / baseline, for each column of ``levels``.

    The residuals baseline - level - r baseline have mean 0 and are score differences like any other; their interval, divided by the mean
    of the baseline, is the interval around r (delta method), and where all scores lie in [0, 1] it ends at 1. Not estimable where the
    baseline's own interval reaches 0.
    """
    return level_estimates(
        baseline,
        levels,
        (),
        design,
        confidence=confidence,
        n_resamples=n_resamples,
        target=target,
        rng=rng,
    ).losses


class LevelEstimates(NamedTuple):
    """What is known of several levels from one set of resamples."""

    differences: list[Estimate]
    detectable: list[float]
    """Of each difference the `minimum_detectable_effect`, of its interval as it was before it was cut off where scores end."""
    losses: list[Estimate]
    means: list[list[Estimate]]


def level_estimates(
    baseline: ArrayLike,
    levels: ArrayLike,
    scores: Sequence[ArrayLike],
    design: Design,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    target: Target = Target.TEMPLATES,
    largest: float = 1.0,
    rng: np.random.Generator,
) -> LevelEstimates:
    """Estimate `paired_differences`, `relative_losses`, and the `mean_scores` of each of several sets of columns, in one pass of resamples
    where they would take four.

    ``largest`` is the largest change that a score can make: 1 for scores from 0 to 1; 0 for a measure without such a limit, of which the
    largest change that was seen takes its place.
    """
    before, after = _columns(baseline, levels)
    both, n_levels = np.hstack([before, after]), after.shape[1]
    whole, lost = np.split(weighted_means(np.hstack([before, before - after]), design), 2)
    ratio = np.divide(lost, whole, out=np.full(n_levels, math.nan), where=whole > 0)
    blocks = [after - before, before, before - after - ratio * before]
    blocks += [np.asarray(block, dtype=float) for block in scores]
    # The interval around r holds 0 where that of the residuals holds -r times the baseline, which is what their p-value is of.
    nulls = np.zeros(sum(block.shape[1] for block in blocks))
    nulls[2 * n_levels : 3 * n_levels] = np.where(np.isnan(ratio), 0.0, -lost)
    found = iter(_estimates(np.hstack(blocks), design, confidence, n_resamples, target, rng, largest, nulls))
    differences, wholes, residuals, *means = ([next(found) for _ in block.T] for block in blocks)
    losses = [_relative(*parts) for parts in zip(ratio, residuals, differences, wholes, strict=True)]
    return LevelEstimates(
        bounded(differences, both, -1, 1),
        [minimum_detectable_effect(estimate, confidence=confidence) for estimate in differences],
        bounded(losses, both, -math.inf, 1),
        [bounded(estimates, block, 0, 1) for estimates, block in zip(means, blocks[3:], strict=True)],
    )


def simultaneous_band(
    baseline: ArrayLike,
    levels: ArrayLike,
    design: Design,
    *,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    rng: np.random.Generator,
) -> list[Interval]:
    """Return one interval for each column of ``levels``, which hold all at once: the band around a curve over levels.

    Columns with enough flips share a quantile of the largest ``|t*|`` (max-t; neighbouring levels fail on the same items, and it profits
    from that). Each other column takes its share of the error by Bonferroni, because its t* cannot be trusted.
    """
    difference = np.asarray(levels, dtype=float) - np.asarray(baseline, dtype=float)[:, np.newaxis]
    share = (1 - confidence) / difference.shape[1]
    band = [Interval(math.nan, math.nan)] * difference.shape[1]
    for columns, summary in summarise(difference, design):
        resampled = resampled_t(summary, n_resamples, rng) if can_resample(summary) else None
        critical = _critical_values(summary, resampled, 1 - share)
        enough = summary.informative >= MIN_FLIPS
        if resampled is not None and enough.any():
            largest = resampled[:, enough].max(axis=1, keepdims=True)
            critical[enough] = np.minimum(upper_quantile(largest, 1 - share * enough.sum()), critical[enough])
        for column, interval in zip(columns, _intervals(summary, critical, 1 - share), strict=True):
            band[column] = interval
    return band


# ---------------------------------------------------------------- how an interval is made


def _columns(baseline: ArrayLike, levels: ArrayLike) -> tuple[Array, Array]:
    """The levels, and for each the baseline without the items that the level lacks."""
    after = np.asarray(levels, dtype=float)
    return np.where(np.isnan(after), np.nan, np.asarray(baseline, dtype=float)[:, np.newaxis]), after


def _estimates(
    difference: Array,
    design: Design,
    confidence: float,
    n_resamples: int,
    target: Target,
    rng: np.random.Generator,
    largest: float = 1.0,
    nulls: Array | None = None,
) -> list[Estimate]:
    """Estimate the mean of each column of differences, NaNs left out; p-values are of the ``nulls``, one for each column, or of 0."""
    nulls = np.zeros(difference.shape[1]) if nulls is None else nulls
    if target is Target.ITEMS:
        return fresh_items(difference, design, confidence, largest, nulls)
    estimates = [not_estimable(math.nan, 0, 0, 0)] * difference.shape[1]
    for columns, summary in summarise(difference, design, largest):
        resampled = resampled_t(summary, n_resamples, rng) if can_resample(summary) else None
        intervals = _intervals(summary, _critical_values(summary, resampled, confidence), confidence)
        p_values = _p_values(summary, resampled, nulls[columns])
        enough = summary.informative >= MIN_FLIPS
        errors = np.maximum(summary.cluster_error, summary.item_error)
        n_templates = len(summary.design.of_template)
        for i, column in enumerate(columns):
            counts = int(summary.n_items[i]), n_templates, int(summary.n_flips[i])
            if summary.df < 1:
                estimates[column] = not_estimable(float(summary.value[i]), *counts)
                continue
            method = T_AND_SCORE if not enough[i] else STUDENT_T if resampled is None else BOOTSTRAP_T
            error = float(errors[i]) if enough[i] else math.nan
            estimates[column] = Estimate(
                float(summary.value[i]), error, intervals[i], float(p_values[i]), *counts, method
            )
    return estimates


def _relative(ratio: float, residual: Estimate, difference: Estimate, whole: Estimate) -> Estimate:
    """The loss as a share of the whole, with the interval of the residuals; see `relative_losses`."""
    counts = difference.n_items, difference.n_templates, difference.n_flips
    if not whole.interval.low > 0:
        return not_estimable(math.nan, *counts)
    return Estimate(
        float(ratio),
        residual.standard_error / whole.value,
        residual.interval.scaled(1 / whole.value, shift=float(ratio)),
        residual.p_value,
        *counts,
        residual.method,
    )


def _critical_values(summary: Summary, resampled: Array | None, confidence: float) -> Array:
    """How many cluster errors the interval reaches to either side, for each column."""
    student = np.full(len(summary.value), t.ppf((1 + confidence) / 2, summary.df))
    if resampled is None:
        return student
    bootstrap = np.minimum(upper_quantile(resampled, confidence), MAX_WIDENING * student)
    return np.where(summary.informative >= MIN_FLIPS, bootstrap, student)


def _intervals(summary: Summary, critical: Array, confidence: float) -> list[Interval]:
    z = norm.ppf((1 + confidence) / 2)
    half = np.maximum(critical * summary.cluster_error, z * summary.item_error)
    low, high = summary.value - half, summary.value + half
    few = summary.informative < MIN_FLIPS
    if few.any():
        score_low, score_high = tango_interval(
            summary.rises[few], summary.falls[few], summary.effective[few], confidence=confidence
        )
        low[few] = np.minimum(low[few], score_low * summary.scale[few])
        high[few] = np.maximum(high[few], score_high * summary.scale[few])
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _p_values(summary: Summary, resampled: Array | None, nulls: Array) -> Array:
    """The largest error rate at which the interval still holds the null: each part of the interval gives one, the widest part decides."""
    distance = np.abs(summary.value - nulls)
    in_clusters = in_errors(distance, summary.cluster_error)
    of_items = 2 * norm.sf(in_errors(distance, summary.item_error))
    student = 2 * t.sf(in_clusters, summary.df)
    score = score_p_value(summary.rises, summary.falls, summary.effective, nulls / summary.scale)
    of_clusters = student
    if resampled is not None:
        exceeding = (1 + (resampled >= in_clusters).sum(axis=0)) / (len(resampled) + 1)
        of_clusters = np.minimum(exceeding, 2 * t.sf(in_clusters / MAX_WIDENING, summary.df))
    few = summary.informative < MIN_FLIPS
    return np.asarray(np.maximum(of_items, np.where(few, np.maximum(student, score), of_clusters)))
