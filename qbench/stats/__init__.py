"""Statistics of paired scores, on plain arrays.

The unit of evidence is the template, not the item: items drawn from one template rise and fall together. `paired_difference` is the
estimate behind every cell of a report, `flips` counts what changed, `verdict` says what may be concluded. What scipy and statsmodels
offer is used or is the oracle in the tests; benchmarks/coverage.py measures how often the intervals hold.
"""

from qbench.stats.agreement import (
    MIN_UNITS,
    Agreement,
    chance_correlation,
    median_ratio,
    prediction_reach,
    rank_advantage,
    rank_correlation,
    ratio_of_independent,
    ratio_of_sums,
)
from qbench.stats.calibration import calibration_error, calibration_errors, choice_divergence
from qbench.stats.cliff import Cliff, cliff
from qbench.stats.design import Design
from qbench.stats.difference import (
    level_estimates,
    mean_scores,
    paired_difference,
    paired_differences,
    relative_losses,
    simultaneous_band,
)
from qbench.stats.estimate import Estimate, Interval, Target, check_confidence, check_margin, not_estimable
from qbench.stats.flips import Flips, count_flips
from qbench.stats.planning import Noise, cautious, items_needed, noise, power, smallest_difference, templates_needed
from qbench.stats.ranking import joint_confidence, rank_intervals
from qbench.stats.same_templates import same_templates_difference, template_differences
from qbench.stats.score_interval import tango_interval
from qbench.stats.sequential import SHARES, look_confidences, repeated_p_value
from qbench.stats.verdict import Verdict, holm, minimum_detectable_effect, verdict

__all__ = [
    "MIN_UNITS",
    "SHARES",
    "Agreement",
    "Cliff",
    "Design",
    "Estimate",
    "Flips",
    "Interval",
    "Noise",
    "Target",
    "Verdict",
    "calibration_error",
    "calibration_errors",
    "cautious",
    "chance_correlation",
    "check_confidence",
    "check_margin",
    "choice_divergence",
    "cliff",
    "count_flips",
    "holm",
    "items_needed",
    "joint_confidence",
    "level_estimates",
    "look_confidences",
    "mean_scores",
    "median_ratio",
    "minimum_detectable_effect",
    "noise",
    "not_estimable",
    "paired_difference",
    "paired_differences",
    "power",
    "prediction_reach",
    "rank_advantage",
    "rank_correlation",
    "rank_intervals",
    "ratio_of_independent",
    "ratio_of_sums",
    "relative_losses",
    "repeated_p_value",
    "same_templates_difference",
    "simultaneous_band",
    "smallest_difference",
    "tango_interval",
    "template_differences",
    "templates_needed",
    "verdict",
]
