"""A number and its uncertainty, as one thing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty."""

    value: float
    standard_error: float
    """The larger of the cluster and the item standard error; NaN if not estimable, never 0 for want of data."""
    interval: Interval
    p_value: float
    """Two-sided, of the value 0: below 1 - confidence exactly where the interval leaves 0 out."""
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
        missing = Interval(math.nan, math.nan)
        return replace(self, standard_error=math.nan, interval=missing, p_value=math.nan, method="not estimable")

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:+.3f} [{low:+.3f}, {high:+.3f}], {self.n_items} items in {self.n_templates} templates, {self.n_flips} flips"


def bounded(estimates: Sequence[Estimate], scores: NDArray[np.float64], low: float, high: float) -> list[Estimate]:
    """The estimates with their intervals cut to a range that the truth cannot leave, if all the scores lie in [0, 1]."""
    if np.any((scores < 0) | (scores > 1)):
        return list(estimates)
    return [replace(estimate, interval=estimate.interval.within(low, high)) for estimate in estimates]
