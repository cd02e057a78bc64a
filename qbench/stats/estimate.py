"""A number and its uncertainty, as one thing."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple


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
    """How the interval was made: ``bootstrap-t``, ``t``, ``t and score``, or ``not estimable``."""

    @property
    def is_estimable(self) -> bool:
        """Whether there is an interval, without which the value says nothing."""
        return not math.isnan(self.interval.low)

    def negated(self) -> "Estimate":
        """The same estimate counted the other way round."""
        return replace(self, value=-self.value, interval=self.interval.scaled(-1))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:+.3f} [{low:+.3f}, {high:+.3f}], {self.n_items} items in {self.n_templates} templates, {self.n_flips} flips"
