"""Statistics of paired scores, on plain arrays.

The unit of evidence is the template, not the item: items drawn from one template rise and fall together. `paired_difference` is the
estimate behind every cell of a report, `flips` counts what changed, `verdict` says what may be concluded. What scipy and statsmodels
offer is used or is the oracle in the tests; benchmarks/coverage.py measures how often the intervals hold.
"""

from qbench.stats.design import Design
from qbench.stats.difference import (
    mean_scores,
    paired_difference,
    paired_differences,
    relative_losses,
    simultaneous_band,
)
from qbench.stats.estimate import Estimate, Interval
from qbench.stats.flips import Flips, count_flips
from qbench.stats.score_interval import tango_interval
from qbench.stats.verdict import Verdict, holm, minimum_detectable_effect, verdict

__all__ = [
    "Design",
    "Estimate",
    "Flips",
    "Interval",
    "Verdict",
    "count_flips",
    "holm",
    "mean_scores",
    "minimum_detectable_effect",
    "paired_difference",
    "paired_differences",
    "relative_losses",
    "simultaneous_band",
    "tango_interval",
    "verdict",
]
