"""Which of several differences is the worst: ranks with intervals, because the order of noisy numbers is noise."""

from collections.abc import Sequence

from qbench.stats.estimate import Interval


def joint_confidence(confidence: float, n: int) -> float:
    """The confidence that each of n independent intervals needs for all of them to hold at once (Šidák 1967): confidence^(1/n)."""
    return float(confidence ** (1 / n))


def rank_intervals(intervals: Sequence[Interval]) -> list[tuple[int, int]]:
    """Return the best and the worst rank that each number can have, rank 1 being the lowest number, such as the greatest loss.

    A number ranks below another for certain where its interval lies wholly above the other's. If the intervals hold at once (make them with
    `joint_confidence`), so do the ranks. A missing interval can have any rank.

    References:
        Klein, Wright & Wieczorek (2020), A joint confidence region for an overall ranking of populations, Journal of the Royal
        Statistical Society C 69, 589-606.
    """
    return [
        (
            1 + sum(other.high < own.low for other in intervals),
            len(intervals) - sum(other.low > own.high for other in intervals),
        )
        for own in intervals
    ]
