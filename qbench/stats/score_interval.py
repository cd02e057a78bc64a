"""Tango's score interval for a paired difference of proportions: the one that is right when hardly anything flips."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise
from scipy.stats import norm

from qbench.stats.design import in_errors

Array = NDArray[np.float64]

MIN_FLIPS = (
    20  # effective flips below which an interval is joined with this one, because nearly equal scores are not normal
)

# The search starts this far off the estimate, where the statistic is 0/0 if nothing flipped at all.
_OFF_CENTRE = 1e-9


def tango_interval(
    rises: ArrayLike, falls: ArrayLike, n: ArrayLike, *, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Return both ends of the interval for (rises - falls) / n, elementwise.

    The interval holds every difference δ that the score test would not reject: with b rises and c falls among n pairs,

        T(δ) = (b - c - nδ) / √(n (2q + δ(1 - δ))),   q = (√(B² - 4AC) - B) / 2A,
        A = 2n,   B = (2n - b + c)δ - b - c,   C = -cδ(1 - δ),

    q being the likeliest probability of a fall given δ. Unlike a Wald interval it has a width when nothing flipped: z² / (n + z²)
    to either side. The counts need not be whole. A graded change of 0.3 may count as 0.3 of a flip, which errs on the wide side, for no
    variable in [0, 1] varies more than a Bernoulli variable of the same mean.

    References:
        Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
        Statistics in Medicine 17, 891-908.
    """
    b, c, total = np.broadcast_arrays(*(np.asarray(counts, dtype=float) for counts in (rises, falls, n)))
    z = float(norm.ppf((1 + confidence) / 2))
    centre = np.clip((b - c) / total, -1 + _OFF_CENTRE, 1 - _OFF_CENTRE)

    def excess(delta: Array, b: Array, c: Array, n: Array) -> Array:
        """T(δ)² - z², times the denominator: negative inside the interval."""
        return np.asarray((b - c - n * delta) ** 2 - z**2 * _variance(delta, b, c, n))

    inner = _OFF_CENTRE / 2
    low = elementwise.find_root(excess, (np.full(centre.shape, -1.0), centre - inner), args=(b, c, total))
    high = elementwise.find_root(excess, (centre + inner, np.full(centre.shape, 1.0)), args=(b, c, total))
    # No root is found where not even a difference of a whole point is rejected: everything flipped, one way.
    return np.where(low.success, low.x, -1.0), np.where(high.success, high.x, 1.0)


def score_p_value(rises: ArrayLike, falls: ArrayLike, n: ArrayLike, difference: ArrayLike) -> Array:
    """Return the two-sided p-value of a true ``difference``, elementwise.

    `tango_interval` leaves the difference out where the confidence is below one minus that. For a difference of 0 the statistic is
    McNemar's, (b - c) / √(b + c).
    """
    b, c, total, delta = (np.asarray(values, dtype=float) for values in (rises, falls, n, difference))
    # A difference beyond a whole point is impossible.
    variance = np.maximum(_variance(np.clip(delta, -1, 1), b, c, total), 0.0)
    statistic = in_errors(np.abs(b - c - total * delta), np.sqrt(variance))
    return np.asarray(2 * norm.sf(statistic))


def _variance(delta: Array, b: Array, c: Array, n: Array) -> Array:
    """Of b - c if δ is the truth: n (2q + δ(1 - δ))."""
    linear = (2 * n - b + c) * delta - b - c
    fall = (np.sqrt(np.maximum(linear**2 + 8 * n * c * delta * (1 - delta), 0)) - linear) / (4 * n)
    return np.asarray(n * (2 * fall + delta * (1 - delta)))
