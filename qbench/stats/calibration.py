"""Calibration: whether a model that is 80 % sure is right in 80 % of the cases, and instruments read off the log-likelihoods."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from qbench.stats.design import Design
from qbench.stats.estimate import JACKKNIFE, Estimate, Interval, not_estimable

Array = NDArray[np.float64]

N_BINS = 15


def calibration_error(confidence: ArrayLike, correct: ArrayLike, *, n_bins: int = N_BINS) -> float:
    """Return the root mean squared calibration error, debiased.

    With bins of equal numbers of items, c_b the mean confidence of bin b, a_b the share that is right, n_b its items and N all items,

        error² = Σ_b (n_b / N) [(c_b - a_b)² - a_b (1 - a_b) / (n_b - 1)],

    cut at 0. The subtracted term is what chance alone adds to (c_b - a_b)²; without it a perfectly calibrated model has an error that grows
    with the number of bins, and two models of different accuracy cannot be compared. Items without a confidence are left out; NaN where
    fewer than two items a bin are left.

    Args:
        confidence: probability that the model gave to the choice it made.
        correct: 1 where that choice was right, else 0.

    References:
        Kumar, Liang & Ma (2019), Verified Uncertainty Calibration, NeurIPS, section 5 and appendix E.
        Bröcker (2012), Estimating reliability and resolution of probability forecasts, Climate Dynamics 39, 655-667.
    """
    sure, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    present = ~(np.isnan(sure) | np.isnan(right))
    sure, right = sure[present], right[present]
    if sure.size < 2 * n_bins:
        return math.nan
    order = np.argsort(sure, kind="stable")
    squares = 0.0
    for items in np.array_split(order, n_bins):
        accuracy = right[items].mean()
        noise = accuracy * (1 - accuracy) / (items.size - 1)
        squares += items.size / sure.size * ((sure[items].mean() - accuracy) ** 2 - noise)
    return math.sqrt(max(squares, 0.0))


def calibration_errors(
    confidence: ArrayLike, correct: ArrayLike, design: Design, *, level: float = 0.95, n_bins: int = N_BINS
) -> tuple[list[Estimate], list[Estimate]]:
    """Estimate the calibration error of several levels, and its change against the first.

    Args:
        confidence, correct: one column for each level, the baseline first; see `calibration_error`.
        design: the template of each item. Standard errors are delete-one-template jackknife errors, which need no model of the bins;
            intervals are Student's with templates - strata degrees of freedom.
        level: nominal coverage of the intervals.
        n_bins: bins of equal numbers of items.

    Returns:
        An estimate for each column, and one of the difference from the first for each but the first. Not estimable where a category has
        a single template or too few items.

    References:
        Shao & Tu (1995), The Jackknife and Bootstrap, section 2.1.
    """
    sure, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)

    def errors(items: NDArray[np.bool_]) -> Array:
        return np.array(
            [calibration_error(*columns, n_bins=n_bins) for columns in zip(sure[items].T, right[items].T, strict=True)]
        )

    everything = np.ones(len(sure), dtype=bool)
    value = errors(everything)
    without = np.array([errors(design.of_item != template) for template in range(len(design.of_template))])
    counts = len(sure), len(design.of_template)
    changes = value[1:] - value[0], without[:, 1:] - without[:, :1]
    df = counts[1] - len(design.weight)
    return (
        [_jackknifed(v, column, df, level, *counts, lowest=0.0) for v, column in zip(value, without.T, strict=True)],
        [
            _jackknifed(v, column, df, level, *counts, lowest=-math.inf)
            for v, column in zip(changes[0], changes[1].T, strict=True)
        ],
    )


def _jackknifed(
    value: float, without: Array, df: int, level: float, n_items: int, n_templates: int, *, lowest: float
) -> Estimate:
    if df < 1 or math.isnan(value) or np.isnan(without).any():
        return not_estimable(float(value), n_items, n_templates, 0)
    error = math.sqrt((n_templates - 1) / n_templates * float(np.sum((without - without.mean()) ** 2)))
    half = float(t.ppf((1 + level) / 2, df)) * error
    p_value = 2 * float(t.sf(abs(value) / error, df)) if error > 0 else float(value == 0)
    interval = Interval(max(float(value) - half, lowest), float(value) + half)
    return Estimate(float(value), error, interval, p_value, n_items, n_templates, 0, JACKKNIFE)


def choice_divergence(baseline: ArrayLike, level: ArrayLike) -> float:
    """Return the Kullback-Leibler divergence KL(baseline || level) over the choices of one item, in nats.

    Both arguments are log-likelihoods of the same choices, in the same order; each is normalised over the choices by a softmax. 0 means
    that the level is exactly as sure of everything as the baseline; it can move where no answer flips. NaN where a
    log-likelihood is missing.
    """
    p, q = (_log_softmax(np.asarray(values, dtype=float)) for values in (baseline, level))
    return float(np.sum(np.exp(p) * (p - q)))


def _log_softmax(values: Array) -> Array:
    shifted = values - values.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
