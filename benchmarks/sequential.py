"""How often is a sweep wrong that may stop as soon as everything is decided, and what does it save?

Draws many categories of the bank's shape (three subcategories, 33 or 48 templates, 20 items each) from models whose truth is known, as
benchmarks/coverage.py does, and looks at each as `qbench sweep --until decided --margin 2` would: after 25, 50, 75 and 100 % of the
templates, until its repeated interval is beyond 0 or inside the margin. Beside it the sweep of a fixed size, which asks everything and
looks once.

    python benchmarks/sequential.py                  # two minutes on one core
    python benchmarks/sequential.py --write          # also quote the tables in docs/statistics.md
    python benchmarks/sequential.py --datasets 10000 --resamples 9999
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np
from coverage import N_STRATA, NO_SPREAD, Array, Rate, Scenario
from numpy.typing import NDArray
from quoting import quote

from qbench.stats import SHARES, Design, Verdict, look_confidences, paired_differences, verdict

MARGIN = 0.02
CONFIDENCE = 0.95

UNCHANGED = (  # on average: what is called degraded or improved is wrong
    Scenario("Q8-like", Rate(0.6, 4), worse=Rate(0.03, 10), better=Rate(0.045, 20), skew=0.3),
    Scenario("Q4-like", Rate(0.6, 4), worse=Rate(0.1, 12), better=Rate(0.15, 20), skew=0.3),
    Scenario("no cluster effect", Rate(0.6, NO_SPREAD), worse=Rate(0.1, NO_SPREAD), better=Rate(0.15, NO_SPREAD)),
    Scenario("strong heterogeneity", Rate(0.6, 8), worse=Rate(0.25, 1.5), better=Rate(0.375, 3), skew=0.2),
    Scenario("graded scores", Rate(0.6, 4), worse=Rate(0.1, 12), better=Rate(0.15, 20), graded=True),
    Scenario("unequal items", Rate(0.6, 4), worse=Rate(0.1, 12), better=Rate(0.15, 20), unequal=True),
)
AT_MARGIN = (  # 2 points are lost or won: what is called within the margin is wrong
    Scenario("Q8-like, loses 2", Rate(0.6, 4), worse=Rate(0.05, 10), better=Rate(0.025, 20), skew=0.3),
    Scenario("Q4-like, loses 2", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.175, 20), skew=0.3),
    Scenario("all right, 2 fall", Rate(1.0, NO_SPREAD), worse=Rate(0.02, 12), better=Rate(0.0, NO_SPREAD)),
    Scenario("all wrong, 2 rise", Rate(0.0, NO_SPREAD), worse=Rate(0.0, NO_SPREAD), better=Rate(0.02, 12)),
)
LADDER = (  # what levels do: how much need be asked
    Scenario("nothing flips", Rate(0.6, 4), worse=Rate(0.0, NO_SPREAD), better=Rate(0.0, NO_SPREAD)),
    Scenario("Q8-like, 0.5 % flip", Rate(0.6, 4), worse=Rate(0.005, 10), better=Rate(0.005, 20)),
    Scenario("Q6-like, loses 0.4", Rate(0.6, 4), worse=Rate(0.015, 10), better=Rate(0.0125, 20)),
    Scenario("Q5-like, loses 1", Rate(0.6, 4), worse=Rate(0.03, 10), better=Rate(0.02, 20)),
    Scenario("Q4-like, loses 7", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), skew=0.3),
    Scenario("Q3-like, loses 16", Rate(0.6, 4), worse=Rate(0.3, 8), better=Rate(0.05, 20), skew=0.3),
    Scenario("Q2 cliff, loses 41", Rate(0.6, 4), worse=Rate(0.72, 3.5), better=Rate(0.05, 20), skew=0.2),
)
RARE = (  # a few templates lose everything: those that were asked first may not show it
    Scenario("few templates collapse", Rate(0.6, 4), worse=Rate(0.05, 0.3), better=Rate(0.075, NO_SPREAD)),
    Scenario("few collapse, loses 2", Rate(0.6, 4), worse=Rate(0.05, 0.5), better=Rate(0.025, NO_SPREAD)),
)
SCENARIOS = (*UNCHANGED, *AT_MARGIN, *LADDER, *RARE)


@dataclass(frozen=True)
class Outcome:
    """Shares of the data sets."""

    missed: float
    """An interval that was looked at did not hold the truth; of the sequential sweep, any of all four."""
    wrong: float
    """The verdict was wrong: degraded or improved where that is not the direction of the truth, or within the margin where it is not."""
    undecided: float


@dataclass(frozen=True)
class Measured:
    """One scenario in both kinds of sweep."""

    truth: float
    fixed: Outcome
    sequential: Outcome
    asked: Array
    """Share of the templates that the sequential sweep asked, for each data set."""


def measured(scenario: Scenario, n_templates: int, n_datasets: int, n_resamples: int, seed: int) -> Measured:
    """Draw data sets, look at each, and count."""
    rng = np.random.default_rng([seed, n_templates, SCENARIOS.index(scenario)])
    data = scenario.draw(n_templates, n_datasets, rng)
    truth = 0.0 if abs(data.truth) < 1e-12 else float(data.truth)
    place = np.arange(n_templates) % (n_templates // N_STRATA)  # within its subcategory; templates are exchangeable
    n_each = [math.ceil(share * n_templates / N_STRATA) for share in SHARES]
    missed, verdicts = [], []
    for n, confidence in [*zip(n_each, look_confidences(CONFIDENCE), strict=True), (n_each[-1], CONFIDENCE)]:
        asked = place < n
        difference = data.difference[asked].reshape(-1, n_datasets)
        template = np.repeat(np.arange(asked.sum()), data.difference.shape[1])
        estimates = paired_differences(
            np.zeros(len(difference)),
            difference,
            Design.of(template, data.strata[asked][template]),
            confidence=confidence,
            n_resamples=n_resamples,
            rng=rng,
        )
        low, high = np.array([estimate.interval for estimate in estimates]).T
        missed.append((truth < low - 1e-12) | (high + 1e-12 < truth))
        verdicts.append(np.array([str(verdict(estimate, margin=MARGIN)) for estimate in estimates]))
    looks = np.array(verdicts[:-1])
    decided = looks != Verdict.UNDECIDED
    stop = np.where(decided.any(axis=0), decided.argmax(axis=0), len(SHARES) - 1)
    said = looks[stop, np.arange(n_datasets)]
    return Measured(
        truth,
        _outcome(missed[-1], verdicts[-1], truth),
        _outcome(np.any(missed[:-1], axis=0), said, truth),
        np.array(n_each)[stop] / n_each[-1],
    )


def _outcome(missed: NDArray[np.bool_], said: NDArray[np.str_], truth: float) -> Outcome:
    wrong = np.zeros(len(said), dtype=bool)
    if truth >= 0:
        wrong |= said == Verdict.DEGRADED
    if truth <= 0:
        wrong |= said == Verdict.IMPROVED
    if abs(truth) >= MARGIN - 1e-12:
        wrong |= said == Verdict.WITHIN_MARGIN
    return Outcome(float(missed.mean()), float(wrong.mean()), float(np.mean(said == Verdict.UNDECIDED)))


def table(n_templates: int, n_datasets: int, n_resamples: int, seed: int) -> list[str]:
    """The table of one size, line by line, and what a whole ladder asks."""
    head = [
        "missed, fixed",
        "missed, sequential",
        "wrong, fixed",
        "wrong, sequential",
        "undecided, fixed",
        "undecided, sequential",
    ]
    lines = [
        f"\n{n_templates} templates of 20 items in {N_STRATA} subcategories, {n_datasets:,} data sets a scenario:",
        f"\n| scenario | truth | {' | '.join(head)} | asked |\n|---|{'--:|' * (len(head) + 2)}",
    ]
    print(*lines, sep="\n")
    asked = []
    for scenario in SCENARIOS:
        found = measured(scenario, n_templates, n_datasets, n_resamples, seed)
        kinds = found.fixed, found.sequential
        shares = [getattr(kind, name) for name in ("missed", "wrong", "undecided") for kind in kinds]
        cells = [f"{100 * found.truth:+.1f}" if found.truth else "0", *(f"{100 * share:.1f}" for share in shares)]
        lines.append(f"| {scenario.name} | {' | '.join(cells)} | {100 * found.asked.mean():.0f} |")
        print(lines[-1], flush=True)
        asked += [found.asked] if scenario in LADDER else []
    levels = np.array(asked)
    whole = (levels.sum(axis=0) + levels.max(axis=0)).mean() / (
        len(levels) + 1
    )  # the baseline is asked what any level is asked
    lines.append(
        f"\nThe seven levels from “{LADDER[0].name}” to “{LADDER[-1].name}” and their baseline, together: {100 * whole:.0f} % of the items."
    )
    print(lines[-1])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--datasets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1999)
    parser.add_argument("--templates", type=int, nargs="+", default=[33, 48], help="of a category, a multiple of three")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="quote the tables in docs/statistics.md")
    options = parser.parse_args()
    lines = [line for n in options.templates for line in table(n, options.datasets, options.resamples, options.seed)]
    if options.write:
        quote("docs/statistics.md", {"sequential": lines})


if __name__ == "__main__":
    main()
