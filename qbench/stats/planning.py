"""How many templates and items a difference takes to be seen.

The variance of the mean difference of G templates with n items each, when a share p of all items changes by c (root mean square; 1 where
answers are right or wrong) and d is the true difference, is

    (p c² - d²) · (1 + (n - 1) ρ) / (G n),

the variance of independent items times the design effect; ρ is the correlation of two items of one template. As n grows it tends to
(p c² - d²) ρ / G: beyond some point only more templates help. A mean difference of d takes a share of at least d / c of the items that
change, so p is never taken to be less.

The interval that has to leave 0 out is that of `qbench.stats.difference`: Student's t, and below `MIN_FLIPS` effective flips the score
interval too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, f, norm, t

from qbench.stats.design import Design, group_sums
from qbench.stats.score_interval import MIN_FLIPS

MOST = 10_000  # templates, or items of a template, beyond which an answer is no plan
UNTOLD_CORRELATION = (
    0.2  # where a pilot cannot tell: that of the scenario of benchmarks/coverage.py with the most unlike templates
)
BOUND = 0.8  # one-sided confidence of what is planned with after a pilot


@dataclass(frozen=True)
class Noise:
    """What a difference has to be seen against."""

    flip_rate: float
    """Share of the items whose score changes, either way."""
    correlation: float
    """Of two items of one template (intraclass correlation), 0 to 1; NaN where a pilot cannot tell."""
    change: float = 1.0
    """Root mean square of the changes of the items that change; 1 where answers are right or wrong."""

    def __post_init__(self) -> None:
        if not (math.isnan(self.correlation) or 0 <= self.correlation <= 1):
            raise ValueError(f"A correlation lies between 0 and 1, not at {self.correlation:.3f}.")

    @staticmethod
    def of_design_effect(flip_rate: float, design_effect: float, n_items: int) -> "Noise":
        """Read the correlation off a design effect, 1 + (n - 1) ρ, that was seen with ``n_items`` items a template; 1 to ``n_items``.

        A single item a template says nothing of the correlation: NaN.
        """
        return Noise(flip_rate, (design_effect - 1) / (n_items - 1) if n_items > 1 else math.nan)

    def design_effect(self, n_items: float) -> float:
        return 1 + (n_items - 1) * self.correlation if n_items != 1 else 1.0

    def mean_square(self, difference: float = 0.0) -> float:
        """Mean squared change of an item's score, where the mean change is ``difference``."""
        # A pilot of small changes says little of a difference beyond half of their size: then changes are taken to be as large as that.
        change = max(self.change, min(2 * abs(difference), 1.0))
        return max(self.flip_rate * self.change**2, abs(difference) * change)

    def standard_error(self, difference: float, n_templates: int, n_items: int) -> float:
        """Of the mean difference, if that is ``difference``."""
        variance = self.mean_square(difference) - difference**2
        return math.sqrt(max(variance, 0.0) * self.design_effect(n_items) / (n_templates * n_items))


def noise(baseline: ArrayLike, level: ArrayLike, design: Design) -> Noise:
    """Say how noisy one level was in a pilot run; `cautious` makes of it what to plan with.

    The correlation is the analysis-of-variance estimator within strata, (B - W) / (B + (m - 1) W), with B and W the mean squares between
    and within templates and m the (adjusted) number of items a template; cut to 0 to 1. It is NaN where each template has a single item or
    each stratum a single template, and where nothing changed.

    References:
        Donner & Koval (1980), The estimation of intraclass correlation in the analysis of family data, Biometrics 36, 19-25.
    """
    difference = np.asarray(level, dtype=float) - np.asarray(baseline, dtype=float)
    present = ~np.isnan(difference)
    design, difference = design.only(present), difference[present]
    if not difference.size:
        return Noise(math.nan, math.nan)
    flips = difference != 0
    change = math.sqrt(float(np.mean(difference[flips] ** 2))) if flips.any() else 1.0
    return Noise(float(flips.mean()), _correlation(difference, design), change)


def _correlation(difference: np.ndarray, design: Design) -> float:
    n = np.bincount(design.of_item).astype(float)
    means = group_sums(difference[:, np.newaxis], design.of_item)[:, 0] / n
    of_item = design.of_template[design.of_item]
    stratum_means = np.bincount(of_item, difference) / np.bincount(of_item)
    df_between, df_within = len(n) - len(design.weight), difference.size - len(n)
    if df_between < 1 or df_within < 1:
        return math.nan
    between = float(n @ (means - stratum_means[design.of_template]) ** 2) / df_between
    within = float(np.sum((difference - means[design.of_item]) ** 2)) / df_within
    in_stratum = np.bincount(design.of_template, n)
    adjusted = (difference.size - float(np.sum(np.bincount(design.of_template, n**2) / in_stratum))) / df_between
    spread = between + (adjusted - 1) * within
    return min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else math.nan


def cautious(seen: Noise, n_templates: int, n_items: float, n_strata: int) -> Noise:
    """Return the noise to plan with, after a pilot of so many templates with so many items each on average.

    No flip among nine items does not mean that nothing flips. Flip rate and correlation are the upper ends of one-sided 80 % intervals:
    Clopper & Pearson's on the items divided by the design effect, and that of the F statistic of templates, which is exact for normal
    differences. A correlation that the pilot cannot tell is taken to be `UNTOLD_CORRELATION`.

    References:
        Clopper & Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26, 404-413.
        Donner (1986), A review of inference procedures for the intraclass correlation coefficient in the one-way random effects model,
            International Statistical Review 54, 67-82.
    """
    n, correlation = n_templates * n_items, UNTOLD_CORRELATION
    if not math.isnan(seen.correlation):
        smallest = float(f.ppf(1 - BOUND, n_templates - n_strata, n - n_templates))
        ratio = (1 + (n_items - 1) * seen.correlation) / max(1 - seen.correlation, 1e-9) / smallest
        correlation = (ratio - 1) / (ratio + n_items - 1)
    planned = replace(seen, correlation=correlation)
    effective = n / planned.design_effect(n_items)
    flips = seen.flip_rate * effective
    bound = float(beta.ppf(BOUND, flips + 1, effective - flips)) if flips < effective else 1.0
    return replace(planned, flip_rate=bound)


def power(
    seen_against: Noise,
    difference: float,
    n_templates: int,
    n_items: int,
    *,
    confidence: float = 0.95,
    n_strata: int = 3,
) -> float:
    """The chance that the interval of a true difference leaves 0 out.

    The estimate is taken to be normal, the reach of the interval to be that of Student's t, and where few flips are expected no less than
    that of the score interval, whose error under no difference is that of all the flips.
    """
    if n_templates <= n_strata:
        return 0.0
    error = seen_against.standard_error(difference, n_templates, n_items)
    reach = float(t.ppf((1 + confidence) / 2, n_templates - n_strata)) * error
    effective = n_templates * n_items / seen_against.design_effect(n_items)
    flips = seen_against.mean_square(difference) * effective
    if flips < MIN_FLIPS:
        reach = max(reach, float(norm.ppf((1 + confidence) / 2)) * math.sqrt(flips) / effective)
    margin = abs(difference) - reach
    return float(norm.cdf(margin / error)) if error > 0 else float(margin > 0)


def templates_needed(
    seen_against: Noise,
    difference: float,
    n_items: int,
    *,
    confidence: float = 0.95,
    wanted: float = 0.8,
    n_strata: int = 3,
) -> int | None:
    """Return the templates of a category that show a true difference with the wanted power, two of each stratum at least; None if 10,000
    do not.

    Args:
        seen_against: flips and correlation, stated, or those that `cautious` makes of a pilot run.
        difference: true difference of the mean score, in the unit of the scores (0.02 is two points).
        n_items: items of each template.
        confidence: of the interval that has to leave 0 out.
        wanted: power.
        n_strata: subcategories, which cost degrees of freedom.
    """
    return _first(
        lambda g: (
            g >= 2 * n_strata
            and power(seen_against, difference, g, n_items, confidence=confidence, n_strata=n_strata) >= wanted
        )
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
