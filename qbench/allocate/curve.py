"""From what the units of a mix cost alone to what the mix costs: interactions, read off the formats that the whole model was measured at.

What units cost alone does not add up at few bits: each is predicted beside neighbours in full precision. But how far the sum falls short
depends little on which units it is made of (docs/sensitivity.md has the measurement), and a profile holds a few points of that curve: the
whole model at each format, as the sum of its units' predictions and as its measured KL.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qbench.profiles import Probe


@dataclass(frozen=True)
class Curve:
    """Measured KL by the sum of predictions, on one probe. Straight lines between the points, both axes logarithmic; beyond the ends the
    ratio of the last point. Without points, the sum itself."""

    sums: NDArray[np.float64]
    """Ascending, of their logarithms."""
    measured: NDArray[np.float64]
    """Likewise."""

    @classmethod
    def of(cls, probe: Probe) -> Self:
        """Read it off a profile; without points where fewer than two formats were measured, or a larger sum did not cost more."""
        points = [
            (sum(costs[name].value for costs in probe.predicted.values()), cost.value)
            for name, cost in probe.lowered.items()
        ]
        found = np.array(sorted(point for point in points if all(value > 0 for value in point))).reshape(-1, 2)
        if len(found) < 2 or not (np.diff(found, axis=0) > 0).all():
            found = np.empty((0, 2))
        logs = np.log(found)
        return cls(logs[:, 0], logs[:, 1])

    @property
    def is_known(self) -> bool:
        return len(self.sums) > 0

    def expected(self, total: float) -> float:
        """What a mix with this sum of predictions costs."""
        return _along(total, self.sums, self.measured)

    def allowed(self, cost: float) -> float:
        """The sum of predictions at which a mix costs so much."""
        return _along(cost, self.measured, self.sums)


def _along(value: float, here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    if not len(here) or not value > 0:
        return value
    at = math.log(value)
    return math.exp(at + float(np.interp(at, here, there - here)))
