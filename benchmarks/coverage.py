"""How often do the intervals hold? Coverage and mean width of ours beside the ones that most people print.

Draws many data sets of the bank's shape (three subcategories, 15 or 30 templates, 20 items each) from a model whose truth is known, and
counts how often each interval holds it. Nominal coverage is 95 %; ours is meant to stay between 93.5 and 98 % in every scenario.

    python benchmarks/coverage.py                  # seconds on one core
    python benchmarks/coverage.py --datasets 10000 --resamples 1999
"""

import argparse
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

from qbench.stats import Design, paired_differences

Array = NDArray[np.float64]

N_STRATA = 3
N_ITEMS = 20
CONFIDENCE = 0.95
Z = float(norm.ppf((1 + CONFIDENCE) / 2))
TAILS = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]


@dataclass(frozen=True)
class Rate:
    """A probability that differs between templates: Beta distributed with this mean; infinite concentration means no difference."""

    mean: float
    concentration: float

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, skew: Array | float = 0.0) -> Array:
        mean = np.broadcast_to(self.mean * (1 + skew), shape)
        if math.isinf(self.concentration):
            return np.asarray(mean)
        return rng.beta(mean * self.concentration, (1 - mean) * self.concentration)


@dataclass(frozen=True)
class Scenario:
    """How a level changes answers. An item right at the baseline turns wrong at the rate ``worse``, a wrong one right at ``better``."""

    name: str
    right: Rate
    worse: Rate
    better: Rate
    skew: float
    """The three subcategories lose 1 - skew, 1 and 1 + skew times the mean rate."""

    def draw(self, n_templates: int, n_datasets: int, rng: np.random.Generator) -> tuple[Array, Array, float]:
        """Return scores at baseline and at the level, shape (templates, items, data sets), and the true mean difference."""
        shape = (n_templates, n_datasets)
        skew = np.repeat([-self.skew, 0.0, self.skew], n_templates // N_STRATA)[:, np.newaxis]
        right, better = self.right.draw(shape, rng), self.better.draw(shape, rng)
        worse = self.worse.draw(shape, rng, skew)
        each_item = (n_templates, N_ITEMS, n_datasets)
        baseline = rng.random(each_item) < right[:, np.newaxis]
        change = rng.random(each_item) < np.where(baseline, worse[:, np.newaxis], better[:, np.newaxis])
        truth = (1 - self.right.mean) * self.better.mean - self.right.mean * self.worse.mean
        return baseline.astype(float), (baseline ^ change).astype(float), truth


SCENARIOS = (
    Scenario("Q4-like", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), skew=0.3),
    Scenario("Q8-like", Rate(0.6, 4), worse=Rate(0.03, 10), better=Rate(0.015, 20), skew=0.3),
    Scenario("Q2 cliff", Rate(0.6, 4), worse=Rate(0.72, 3.5), better=Rate(0.05, 20), skew=0.2),
    Scenario(
        "no cluster effect", Rate(0.6, math.inf), worse=Rate(0.15, math.inf), better=Rate(0.1, math.inf), skew=0.0
    ),
    Scenario("strong heterogeneity", Rate(0.6, 8), worse=Rate(0.25, 1.5), better=Rate(0.15, 3), skew=0.2),
)

Ends = tuple[Array, Array]
Method = Callable[[Array, Array, int, np.random.Generator], Ends]


def unpaired_normal(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    """What lm-eval's own comparator does: two independent samples of items."""
    rates = [scores.mean(axis=(0, 1)) for scores in (baseline, level)]
    error = np.sqrt(sum(rate * (1 - rate) for rate in rates) / (len(baseline) * N_ITEMS))
    return rates[1] - rates[0] - Z * error, rates[1] - rates[0] + Z * error


def item_bootstrap(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    items = (level - baseline).reshape(-1, baseline.shape[-1])
    return _percentiles(_resample(items, n_resamples, rng))


def cluster_bootstrap(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    return _percentiles(_resample((level - baseline).mean(axis=1), n_resamples, rng))


def cluster_bca(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    means = (level - baseline).mean(axis=1)
    with warnings.catch_warnings():  # no flips at all: BCa has no interval, which counts as a miss
        warnings.simplefilter("ignore")
        result = bootstrap((means,), np.mean, axis=0, method="BCa", n_resamples=n_resamples, batch=100, rng=rng)
    low, high = result.confidence_interval
    return low, high


def student_t(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    """Stratified cluster-robust t, without guard and without help where flips are few."""
    by_stratum = (level - baseline).mean(axis=1).reshape(N_STRATA, -1, baseline.shape[-1])
    n_in_stratum = by_stratum.shape[1]
    error = np.sqrt(by_stratum.var(axis=1, ddof=1).sum(axis=0) / n_in_stratum) / N_STRATA
    half = t.ppf(TAILS[1], N_STRATA * (n_in_stratum - 1)) * error
    value = by_stratum.mean(axis=(0, 1))
    return value - half, value + half


def ours(baseline: Array, level: Array, n_resamples: int, rng: np.random.Generator) -> Ends:
    n_templates, n_items, n_datasets = baseline.shape
    template = np.repeat(np.arange(n_templates), n_items)
    design = Design.of(template, template // (n_templates // N_STRATA))
    difference = (level - baseline).reshape(-1, n_datasets)
    estimates = paired_differences(np.zeros(len(difference)), difference, design, n_resamples=n_resamples, rng=rng)
    low, high = np.array([estimate.interval for estimate in estimates]).T
    return low, high


METHODS: dict[str, Method] = {
    "unpaired normal": unpaired_normal,
    "paired item bootstrap": item_bootstrap,
    "cluster bootstrap, percentile": cluster_bootstrap,
    "cluster bootstrap, BCa": cluster_bca,
    "stratified cluster t": student_t,
    "qbench": ours,
}


def _resample(units: Array, n_resamples: int, rng: np.random.Generator) -> Array:
    """Means of resampled rows; all data sets share the resamples, which leaves each one's coverage as it is."""
    share = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=n_resamples) / len(units)
    return np.asarray(share @ units)


def _percentiles(means: Array) -> Ends:
    low, high = np.quantile(means, TAILS, axis=0)
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--datasets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=999)
    parser.add_argument(
        "--templates", type=int, nargs="+", default=[15, 30], help="templates of a category, a multiple of three"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for n_templates in options.templates:
        print(
            f"\n{n_templates} templates of {N_ITEMS} items in {N_STRATA} subcategories, {options.datasets} data sets a scenario"
        )
        print("coverage in % (mean width in percentage points)\n")
        print(f"| interval | {' | '.join(scenario.name for scenario in SCENARIOS)} |")
        print(f"|---|{'--:|' * len(SCENARIOS)}")
        for name, method in METHODS.items():
            cells = []
            for position, scenario in enumerate(SCENARIOS):
                rng = np.random.default_rng([options.seed, n_templates, position])
                baseline, level, truth = scenario.draw(n_templates, options.datasets, rng)
                low, high = method(baseline, level, options.resamples, rng)
                cells.append(
                    f"{100 * np.mean((low <= truth) & (truth <= high)):.1f} ({100 * np.nanmean(high - low):.1f})"
                )
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
