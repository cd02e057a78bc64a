"""How many templates and items a difference takes to be seen.

The variance of the mean difference of G templates with n items each, when a share p of all items flips and d is the true difference, is

    (p - d²) · (1 + (n - 1) ρ) / (G n),

the variance of independent items times the design effect; ρ is the correlation of two items of one template. As n grows it tends to
(p - d²) ρ / G: beyond some point only more templates help.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from qbench.stats.design import Design, group_sums

MOST = 10_000  # templates, or items of a template, beyond which an answer is no plan


@dataclass(frozen=True)
class Noise:
    """What a difference has to be seen against."""

    flip_rate: float
    """Share of the items whose score changes, either way; for graded scores the mean squared change."""
    correlation: float
    """Of two items of one template (intraclass correlation), 0 to 1."""

    @staticmethod
    def of_design_effect(flip_rate: float, design_effect: float, n_items: int) -> "Noise":
        """Read the correlation off a design effect that was seen with ``n_items`` items a template: 1 + (n - 1) ρ."""
        return Noise(flip_rate, (design_effect - 1) / (n_items - 1) if n_items > 1 else 0.0)

    def design_effect(self, n_items: int) -> float:
        return 1 + (n_items - 1) * self.correlation

    def standard_error(self, difference: float, n_templates: int, n_items: int) -> float:
        variance = max(self.flip_rate - difference**2, 0.0)
        return math.sqrt(variance * self.design_effect(n_items) / (n_templates * n_items))


def noise(baseline: ArrayLike, level: ArrayLike, design: Design) -> Noise:
    """Estimate the noise of one level from a pilot run.

    The correlation is the analysis-of-variance estimator within strata, (B - W) / (B + (m - 1) W), with B and W the mean squares between
    and within templates and m the (adjusted) number of items a template; cut to 0 to 1, and 0 where it cannot be estimated.

    References:
        Donner & Koval (1980), The estimation of intraclass correlation in the analysis of family data, Biometrics 36, 19-25.
    """
    difference = np.asarray(level, dtype=float) - np.asarray(baseline, dtype=float)
    present = ~np.isnan(difference)
    design, difference = design.only(present), difference[present]
    flip_rate = float(np.mean(difference**2)) if difference.size else math.nan
    n = np.bincount(design.of_item).astype(float)
    means = group_sums(difference[:, np.newaxis], design.of_item)[:, 0] / n
    of_item = design.of_template[design.of_item]
    stratum_means = np.bincount(of_item, difference) / np.bincount(of_item)
    df_between, df_within = len(n) - len(design.weight), difference.size - len(n)
    if df_between < 1 or df_within < 1:
        return Noise(flip_rate, 0.0)
    between = float(n @ (means - stratum_means[design.of_template]) ** 2) / df_between
    within = float(np.sum((difference - means[design.of_item]) ** 2)) / df_within
    in_stratum = np.bincount(design.of_template, n)
    adjusted = (difference.size - float(np.sum(np.bincount(design.of_template, n**2) / in_stratum))) / df_between
    spread = between + (adjusted - 1) * within
    return Noise(flip_rate, min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 0.0)


def power(
    seen_against: Noise,
    difference: float,
    n_templates: int,
    n_items: int,
    *,
    confidence: float = 0.95,
    n_strata: int = 3,
) -> float:
    """The chance that the interval of a true difference leaves 0 out: normal approximation with Student's critical value."""
    error = seen_against.standard_error(difference, n_templates, n_items)
    if n_templates <= n_strata:
        return 0.0
    critical = float(t.ppf((1 + confidence) / 2, n_templates - n_strata))
    return float(norm.cdf(abs(difference) / error - critical)) if error > 0 else 1.0


def templates_needed(
    seen_against: Noise,
    difference: float,
    n_items: int,
    *,
    confidence: float = 0.95,
    wanted: float = 0.8,
    n_strata: int = 3,
) -> int | None:
    """Return the templates of a category that show a true difference with the wanted power; None if 10,000 do not.

    Args:
        seen_against: flips and correlation, from a pilot run or stated.
        difference: true difference of the mean score, in the unit of the scores (0.02 is two points).
        n_items: items of each template.
        confidence: of the interval that has to leave 0 out.
        wanted: power.
        n_strata: subcategories, which cost degrees of freedom.
    """
    return _first(
        lambda g: power(seen_against, difference, g, n_items, confidence=confidence, n_strata=n_strata) >= wanted
    )


def items_needed(
    seen_against: Noise,
    difference: float,
    n_templates: int,
    *,
    confidence: float = 0.95,
    wanted: float = 0.8,
    n_strata: int = 3,
) -> int | None:
    """Return the items a template that do the same with so many templates; None if no number does, because templates differ too much."""
    return _first(
        lambda n: power(seen_against, difference, n_templates, n, confidence=confidence, n_strata=n_strata) >= wanted
    )


def smallest_difference(
    seen_against: Noise,
    n_templates: int,
    n_items: int,
    *,
    confidence: float = 0.95,
    wanted: float = 0.8,
    n_strata: int = 3,
) -> float:
    """Return the smallest true difference that so many templates and items show with the wanted power, on a grid of 0.05 points."""
    steps = _first(
        lambda k: (
            power(seen_against, k / 2000, n_templates, n_items, confidence=confidence, n_strata=n_strata) >= wanted
        )
    )
    return steps / 2000 if steps is not None and steps <= 2000 else math.nan


def _first(enough: Callable[[int], bool]) -> int | None:
    """The smallest number up to MOST that is enough; being enough never ends once it has begun."""
    if not enough(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
