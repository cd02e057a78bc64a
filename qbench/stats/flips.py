"""Flips: items whose score changed, and McNemar's test of whether they lean one way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr


@dataclass(frozen=True)
class Flips:
    """How many items fared worse and better at one level than at another.

    McNemar's test sees only these. It takes items for independent, which items of one template are not, so it describes the flips
    and decides nothing: verdicts come from the clustered interval.
    """

    worse: int
    better: int

    @property
    def exact_p(self) -> float:
        """Exact two-sided McNemar test: worse ~ Binomial(worse + better, 1/2). 1 where nothing flipped."""
        return min(1.0, 2 * self._at_most(min(self.worse, self.better)))

    @property
    def mid_p(self) -> float:
        """Mid-p McNemar test: the exact one with half of the observed outcome's probability; nearer to its nominal level.

        References:
            Fagerland, Lydersen & Laake (2013), The McNemar test for binary matched-pairs data, BMC Medical Research Methodology 13:91.
        """
        fewer = min(self.worse, self.better)
        return self._at_most(fewer) + self._at_most(fewer - 1)

    def _at_most(self, count: int) -> float:
        """The chance of so few flips of one kind among all, if either kind is as likely."""
        return float(bdtr(count, self.worse + self.better, 0.5)) if count >= 0 else 0.0


def count_flips(baseline: ArrayLike, level: ArrayLike, *, lower_is_better: bool = False) -> Flips:
    """Count the items whose score fell and rose, which is worse and better unless ``lower_is_better``. A NaN on either side is no flip.

    For scores of 0 and 1 these are McNemar's discordant pairs; for graded scores its test is then the sign test.
    """
    difference = np.asarray(level, dtype=float) - np.asarray(baseline, dtype=float)
    fell, rose = int(np.sum(difference < 0)), int(np.sum(difference > 0))
    return Flips(worse=rose, better=fell) if lower_is_better else Flips(worse=fell, better=rose)
