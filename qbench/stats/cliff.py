"""The cliff: the last level that is proven safe and the first that is proven harmful, with the error of each statement controlled."""

from collections.abc import Sequence
from dataclasses import dataclass

from qbench.stats.estimate import Estimate


@dataclass(frozen=True)
class Cliff:
    """Where quality falls off along the ladder. None where no level is proven to be either."""

    last_safe: str | None
    first_harmful: str | None

    def __str__(self) -> str:
        safe = f"safe down to {self.last_safe}" if self.last_safe else "no level proven safe"
        harmful = f"harmful from {self.first_harmful}" if self.first_harmful else "no level proven harmful"
        return f"{safe}, {harmful}"


def cliff(levels: Sequence[str], differences: Sequence[Estimate], *, margin: float) -> Cliff:
    """Bracket the cliff by two sequences of tests that are fixed before looking.

    From the most precise level downward: is the loss smaller than the margin (the interval lies above -margin)? The last level before the
    first no is the last one proven safe. From the least precise level upward: is there a loss at all (the interval lies below 0)? The last
    level before the first no is the first one proven harmful. A sequence stops at its first no, so each of its tests may spend the whole
    error rate, and the chance of naming any level wrongly is at most that rate for each of the two statements, as far as the intervals
    have the coverage that they claim. No model of the curve is assumed, and one strange level in the middle cannot be jumped over. Both
    statements may hold of one level: a loss that is certain and smaller than the margin.

    Args:
        levels: from the most precise to the least precise, without the baseline.
        differences: level minus baseline, one for each. The printed two-sided interval decides, so each one-sided test spends half the
            error rate: careful, and to be checked by eye.
        margin: the loss declared not to matter, in the unit of the scores.

    References:
        Maurer, Hothorn & Lehmacher (1995), Multiple comparisons in drug clinical trials and preclinical assays: a-priori ordered
        hypotheses, in Biometrie in der chemisch-pharmazeutischen Industrie 6, 3-18.
        Westfall & Krishen (2001), Optimally weighted, fixed sequence and gatekeeper multiple testing procedures, Journal of Statistical
        Planning and Inference 99, 25-40.
    """
    last_safe = first_harmful = None
    for name, difference in zip(levels, differences, strict=True):
        if not difference.interval.low > -margin:  # a missing interval proves nothing
            break
        last_safe = name
    for name, difference in zip(reversed(levels), reversed(differences), strict=True):
        if not difference.interval.high < 0:
            break
        first_harmful = name
    return Cliff(last_safe, first_harmful)
