"""A number and its uncertainty, as one thing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qbench.errors import QBenchError

# How an interval was made: for new templates, for fresh items of the same ones, and for calibration.
BOOTSTRAP_T, STUDENT_T, T_AND_SCORE = "bootstrap-t", "t", "t and score"
T_OVER_ITEMS, T_OVER_ITEMS_AND_SCORE = "t over items", "t over items and score"
JACKKNIFE, NOT_ESTIMABLE = "jackknife", "not estimable"


class Target(StrEnum):
    """What an interval is a statement about."""

    TEMPLATES = "templates"
    """Other templates like these: what another draw of templates would show."""
    ITEMS = "items"
    """These very templates: what fresh items of them would show."""


class Interval(NamedTuple):
    """Both ends of a confidence interval; NaN where it cannot be had."""

    low: float
    high: float

    def scaled(self, factor: float, shift: float = 0.0) -> "Interval":
        """Map both ends through ``shift + factor * end``; the ends change places under a negative factor."""
        low, high = sorted((shift + factor * self.low, shift + factor * self.high))
        return Interval(low, high)

    def within(self, low: float, high: float) -> "Interval":
        """Cut both ends to a range that the truth cannot leave."""
        return Interval(*(end if math.isnan(end) else min(max(end, low), high) for end in self))


def check_confidence(confidence: float) -> None:
    """Refuse a nominal coverage that no interval can have.

    Raises:
        QBenchError: it is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise QBenchError(f"confidence must lie between 0 and 1, not {confidence:g}; 0.95 is usual.")


def check_margin(margin: float) -> None:
    """Refuse a margin of equivalence, in percentage points, that no difference can lie inside, or that every one does.

    Raises:
        QBenchError: it is not above 0 and finite.
    """
    if not 0 < margin < math.inf:
        raise QBenchError(f"margin must be above 0 percentage points, and finite, not {margin:g}; 2 is the default.")


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty."""

    value: float
    standard_error: float
    """The larger of the cluster and the item standard error, a multiple of which reaches from the value to the ends of the interval (unless
    they are cut off where scores end). NaN if not estimable, and where a score interval was joined, which reaches further than the error of
    so few flips says, and not as far to both sides: never 0 for want of data."""
    interval: Interval
    p_value: float
    """Two-sided, of the value 0: at most 1 - confidence exactly where the interval leaves 0 out."""
    n_items: int
    """Items with a score on both sides. Failed items are not among them."""
    n_templates: int
    """Independent units behind the estimate."""
    n_flips: int
    """Items whose score changed, either way."""
    method: str
    """How the interval was made: ``bootstrap-t``, ``t`` and ``t and score`` for new templates, ``t over items`` and ``t over items and
    score`` for fresh items, ``jackknife``, or ``not estimable``."""

    @property
    def is_estimable(self) -> bool:
        """Whether there is an interval, without which the value says nothing."""
        return not math.isnan(self.interval.low)

    def negated(self) -> "Estimate":
        """The same estimate counted the other way round."""
        return replace(self, value=-self.value, interval=self.interval.scaled(-1))

    def without_interval(self) -> "Estimate":
        """The value alone, where the interval at hand is about something else than the one that is wanted."""
        return not_estimable(self.value, self.n_items, self.n_templates, self.n_flips)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:+.3f} [{low:+.3f}, {high:+.3f}], {self.n_items} items in {self.n_templates} templates, {self.n_flips} flips"


def not_estimable(value: float, n_items: int, n_templates: int, n_flips: int) -> Estimate:
    """A value of which no more can be said."""
    missing = Interval(math.nan, math.nan)
    return Estimate(value, math.nan, missing, math.nan, n_items, n_templates, n_flips, NOT_ESTIMABLE)


def bounded(estimates: Sequence[Estimate], scores: NDArray[np.float64], low: float, high: float) -> list[Estimate]:
    """The estimates with their intervals cut to a range that the truth cannot leave, if all the scores lie in [0, 1]."""
    if np.any((scores < 0) | (scores > 1)):
        return list(estimates)
    return [replace(estimate, interval=estimate.interval.within(low, high)) for estimate in estimates]
