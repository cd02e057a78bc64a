"""Looks at data that are still coming in, each at a confidence such that all of them together keep the one that was promised.

Who looks at an interval every now and then and stops as soon as it leaves 0 out is wrong more often than the interval says. An
error-spending rule (Lan & DeMets 1983) declares beforehand how much of the error α may have been used up when a share t of the
templates has been asked; ours is that of Hwang, Shih & DeCani (1990),

    α(t) = α (1 - exp(-γt)) / (1 - exp(-γ)),    γ = -2:  10, 27, 54 and 100 % of α after a quarter, a half, three quarters and all.

The statistics of two looks, normal with the covariance of means of growing samples, correlate with √(t₁/t₂). From that follows the
critical value c of each look: P(|Z₁| < c₁, …, |Zₖ₋₁| < cₖ₋₁, |Zₖ| ≥ cₖ) = α(tₖ) - α(tₖ₋₁) if nothing has changed. What is used of it is
the confidence of the look, P(|Z| < c), which is handed to any interval for a fixed size (the significance-level approach, Jennison &
Turnbull 2000, section 3.8). These are *repeated confidence intervals* (Jennison & Turnbull 1989): with probability 1 - α those of all
looks hold the truth at once, for whatever reason one stops, so the one that was reached may be reported.

Assumptions: looks and the order of the templates are declared before anything is known of the results, and the studentised means are
near enough to normal for √(t₁/t₂) to describe how looks depend on each other. benchmarks/sequential.py measures what that is worth.

References:
    Lan & DeMets (1983), Discrete sequential boundaries for clinical trials, Biometrika 70, 659-663.
    Hwang, Shih & DeCani (1990), Group sequential designs using a family of type I error probability spending functions, Statistics in
        Medicine 9, 1439-1445.
    Armitage, McPherson & Rowe (1969), Repeated significance tests on accumulating data, JRSS A 132, 235-244.
    Jennison & Turnbull (1989), Interim analyses: the repeated confidence interval approach, JRSS B 51, 305-361.
    Jennison & Turnbull (2000), Group Sequential Methods with Applications to Clinical Trials, Chapman & Hall.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

Array = NDArray[np.float64]

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the templates, after each look
GAMMA = -2.0
GRID = 201  # points between two critical values; Simpson's rule is then good to seven digits
LARGEST = 12.0  # critical value that can be asked for: an error of 1e-32


def spent(share: ArrayLike, error: float, gamma: float = GAMMA) -> Array:
    """The error that may have been used up when a share of the templates has been asked (Hwang, Shih & DeCani)."""
    return np.asarray(error * np.expm1(-gamma * np.asarray(share, dtype=float)) / math.expm1(-gamma))


def critical_values(shares: Sequence[float], spending: ArrayLike) -> Array:
    """The two-sided critical value of each look, for looks after these shares that have spent so much error in all.

    The density of √t Z within the bounds so far is carried from look to look on a grid (Armitage, McPherson & Rowe).
    """
    found: list[float] = []
    inside, density, weight = np.zeros(1), np.ones(1), np.ones(1)  # before the first look: all in one point
    before = 0.0
    for share, error in zip(shares, np.diff(np.asarray(spending, dtype=float), prepend=0.0), strict=True):
        step, scale = math.sqrt(share - before), math.sqrt(share)
        mass = weight * density

        def excess(
            bound: float, *, inside: Array = inside, mass: Array = mass, step: float = step, error: float = error
        ) -> float:
            return float(mass @ (ndtr((inside - bound) / step) + ndtr((-bound - inside) / step))) - error

        bound = float(brentq(excess, 0.0, LARGEST * scale, xtol=1e-12))
        grid = np.linspace(-bound, bound, GRID)
        density = mass @ (np.exp(-(((grid - inside[:, np.newaxis]) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi)))
        weight = np.full(GRID, 2.0)
        weight[1::2], weight[[0, -1]] = 4.0, 1.0
        weight *= (grid[1] - grid[0]) / 3
        inside, before = grid, share
        found.append(bound / scale)
    return np.array(found)


@functools.cache
def look_confidences(confidence: float, shares: tuple[float, ...] = SHARES) -> tuple[float, ...]:
    """The confidence of the interval at each look such that all of them hold at once with probability ``confidence``."""
    critical = critical_values(shares, spent(shares, 1 - confidence))
    return tuple(float(1 - 2 * ndtr(-value)) for value in critical)


def repeated_p_value(p_value: float, look: int, shares: tuple[float, ...] = SHARES) -> float:
    """The largest error at which the repeated interval of this look still holds 0, for a p-value that knows of no other look.

    It may be used like any p-value, by Holm's correction too, whatever made one stop at this look.

    Args:
        p_value: two-sided, of the data so far.
        look: 1 for the first.
        shares: of the templates, after each look.
    """
    if math.isnan(p_value):
        return math.nan
    errors, nominal = _nominal_errors(shares)
    of_look = nominal[:, look - 1]
    if p_value < of_look[0]:  # where errors are this small, no two looks err together, and each takes a fixed share
        return float(p_value * errors[0] / of_look[0])
    if p_value > of_look[-1]:
        return 1.0
    return float(np.exp(np.interp(math.log(p_value), np.log(of_look), np.log(errors))))


@functools.cache
def _nominal_errors(shares: tuple[float, ...]) -> tuple[Array, Array]:
    """Errors from 1e-9 to nearly 1, and for each the error of every single look. 0.05 and 0.01 are among them exactly."""
    errors = np.unique(np.concatenate([np.geomspace(1e-9, 0.01, 36), np.linspace(0.01, 0.99, 99)]))
    critical = np.array([critical_values(shares, spent(shares, error)) for error in errors])
    return errors, 2 * ndtr(-critical)
