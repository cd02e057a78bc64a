"""Studentised resamples of templates: how far a mean lies from the truth, in units of its own standard error."""

import numpy as np
from numpy.typing import NDArray

from qbench.stats.design import Summary

Array = NDArray[np.float64]

MANY_TEMPLATES = (
    300  # in one stratum: from here on both critical values agree within 2 %, and resampling only costs time
)
BLOCK = 1000  # resamples at a time, so that what they need stays in the processor's cache: twice as fast, and the same draws


def can_resample(summary: Summary) -> bool:
    """Whether every stratum has templates to exchange, and none so many that resampling tells nothing new."""
    sizes = summary.design.sizes
    return bool(sizes.min() > 1 and sizes.max() < MANY_TEMPLATES)


def resampled_t(summary: Summary, n_resamples: int, rng: np.random.Generator) -> Array:
    """Draw templates anew within each stratum and return ``|t*|``, one row per resample and one column per level.

    t* = (value* - value) / cluster error*. All levels see the same resamples, so rows can be compared across columns. A resample that
    repeats one template of every stratum has no error; its t* is infinite, or 0 where the levels do not differ.
    """
    design = summary.design
    shape = (n_resamples, summary.template_means.shape[1])
    deviation, variance = np.zeros(shape), np.zeros(shape)
    for first, size, weight in zip(design.first, design.sizes, design.weight, strict=True):
        means = summary.template_means[first : first + size]
        centred = weight * (means - means.mean(axis=0))
        squares = centred**2 / (size - 1)
        for start in range(0, n_resamples, BLOCK):
            rows = slice(start, min(start + BLOCK, n_resamples))
            share = _shares(int(size), rows.stop - start, rng)
            shift = share @ centred
            deviation[rows] += shift
            variance[rows] += share @ squares
            shift *= shift
            shift /= size - 1
            variance[rows] -= shift
    deviation = np.abs(deviation)
    # Sums of rounding errors are not differences.
    noise = 1e-12 * (1 + np.abs(summary.template_means).max(axis=0))
    deviation[deviation < noise] = 0
    variance = np.maximum(variance, 0)
    return np.divide(deviation, np.sqrt(variance), out=np.where(deviation > 0, np.inf, 0.0), where=variance > noise**2)


def _shares(size: int, n_resamples: int, rng: np.random.Generator) -> Array:
    """How often each of ``size`` templates is drawn, as a share; one row per resample. Counting draws is ten times as fast as
    `numpy.random.Generator.multinomial`.
    """
    drawn = rng.integers(size, size=(n_resamples, size)) + size * np.arange(n_resamples)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=n_resamples * size).reshape(n_resamples, size) / size


def upper_quantile(resampled: Array, confidence: float) -> Array:
    """The value that a share ``confidence`` of the resamples does not exceed, for each column (Davison & Hinkley, section 2.4)."""
    position = min(int(np.ceil(confidence * (len(resampled) + 1) - 1e-9)), len(resampled)) - 1
    return np.asarray(np.partition(resampled, position, axis=0)[position])
