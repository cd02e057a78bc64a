"""How often do the intervals hold? Coverage and mean width of ours beside the ones that most people print.

Draws many data sets of the bank's shape (three subcategories, 15 or 30 templates, 20 items each) from a model whose truth is known, and
counts how often each interval holds it: that of the templates' population for the target "templates", and that of the very templates
drawn for the target "items". Nominal coverage is 95 %; ours is meant to stay between 93.5 and 98 % in every one of `SCENARIOS`, and is
shown where it does not (`LIMITS`).

    python benchmarks/coverage.py                  # a minute on one core
    python benchmarks/coverage.py --write          # also quote the tables in docs/statistics.md
    python benchmarks/coverage.py --datasets 10000 --resamples 1999
"""

import argparse
import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from quoting import quote
from scipy.stats import bootstrap, norm, t

from qbench.stats import Design, Target, paired_differences

Array = NDArray[np.float64]

N_STRATA = 3
N_ITEMS = 20
FAMILY = 4
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
    skew: float = 0.0
    """The three subcategories lose 1 - skew, 1 and 1 + skew times the mean rate."""
    graded: bool = False
    """Whether a changed item gains or loses a random part of a point instead of a whole one."""
    unequal: bool = False
    """Whether templates have 4 to 20 items instead of 20 each."""
    lone: bool = False
    """Whether the first subcategory has a single template."""
    twins: bool = False
    """Whether items come in families of four, which share half of their luck."""
    worse_elsewhere: Rate | None = None
    """The rate ``worse`` of the second and third subcategory, where theirs is another than that of the first."""

    def strata(self, n_templates: int) -> NDArray[np.intp]:
        """The subcategory of each template."""
        if not self.lone:
            return np.repeat(np.arange(N_STRATA), n_templates // N_STRATA)
        return np.concatenate([[0], 1 + np.arange(n_templates - 1) % (N_STRATA - 1)])

    def draw(self, n_templates: int, n_datasets: int, rng: np.random.Generator) -> "Data":
        shape = (n_templates, n_datasets)
        strata = self.strata(n_templates)
        skew = np.array([-self.skew, 0.0, self.skew])[strata][:, np.newaxis]
        right, better = self.right.draw(shape, rng), self.better.draw(shape, rng)
        worse = self.worse.draw(shape, rng, skew)
        if self.worse_elsewhere:
            worse = np.where(strata[:, np.newaxis] == 0, worse, self.worse_elsewhere.draw(shape, rng, skew))
        each_item = (n_templates, N_ITEMS, n_datasets)
        luck = rng.random((2, *each_item))
        if self.twins:
            shared = np.repeat(luck[:, :, ::FAMILY], FAMILY, axis=2)
            luck = np.where(rng.random(each_item) < 0.5, shared, luck)
        baseline = luck[0] < right[:, np.newaxis]
        change = luck[1] < np.where(baseline, worse[:, np.newaxis], better[:, np.newaxis])
        truth = (1 - self.right.mean) * self.better.mean - self.right.mean * self.worse.mean
        of_templates = (1 - right) * better - right * worse
        size: Array | float = rng.random(each_item) if self.graded else 1.0
        difference = np.where(change, np.where(baseline, -size, size), 0.0)
        if self.unequal:
            n_items = rng.integers(4, N_ITEMS + 1, n_templates)
            difference[np.arange(N_ITEMS) >= n_items[:, np.newaxis]] = math.nan
        before = baseline.astype(float)
        half = 0.5 if self.graded else 1.0
        return Data(before, before + difference, strata, half * truth, half * of_templates, self.twins)


@dataclass(frozen=True)
class Data:
    """Scores of shape (templates, items, data sets), NaN where a template has no such item."""

    baseline: Array
    level: Array
    strata: NDArray[np.intp]
    truth: float
    """The true mean difference of the population of templates."""
    of_templates: Array
    """The true difference of each template of each data set."""
    twins: bool

    @property
    def truth_of_these(self) -> Array:
        """The true mean difference of the templates that each data set has."""
        means = [self.of_templates[self.strata == stratum].mean(axis=0) for stratum in np.unique(self.strata)]
        return np.asarray(np.mean(means, axis=0))

    @property
    def difference(self) -> Array:
        return self.level - self.baseline

    @property
    def template_means(self) -> Array:
        return np.asarray(np.nanmean(self.difference, axis=1))


NO_SPREAD = math.inf
SCENARIOS = (
    Scenario("Q4-like", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), skew=0.3),
    Scenario("Q8-like", Rate(0.6, 4), worse=Rate(0.03, 10), better=Rate(0.015, 20), skew=0.3),
    Scenario("Q2 cliff", Rate(0.6, 4), worse=Rate(0.72, 3.5), better=Rate(0.05, 20), skew=0.2),
    Scenario("no cluster effect", Rate(0.6, NO_SPREAD), worse=Rate(0.15, NO_SPREAD), better=Rate(0.1, NO_SPREAD)),
    Scenario("strong heterogeneity", Rate(0.6, 8), worse=Rate(0.25, 1.5), better=Rate(0.15, 3), skew=0.2),
    Scenario("graded scores", Rate(0.6, 4), worse=Rate(0.3, 12), better=Rate(0.1, 20), skew=0.3, graded=True),
    Scenario("unequal items", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), skew=0.3, unequal=True),
    Scenario("a lone template", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), lone=True),
    Scenario("all right, some fall", Rate(1.0, NO_SPREAD), worse=Rate(0.1, 12), better=Rate(0.0, NO_SPREAD), skew=0.3),
    Scenario("all wrong, some rise", Rate(0.0, NO_SPREAD), worse=Rate(0.0, NO_SPREAD), better=Rate(0.1, 12)),
    Scenario("families of twins", Rate(0.6, 4), worse=Rate(0.15, 12), better=Rate(0.05, 20), skew=0.3, twins=True),
)
LIMITS = (
    # A third of the templates carries nearly all of the variance, and most of them lose nothing: with five such templates no interval
    # that knows only them can tell how far the sixth would fall. Satterthwaite's degrees of freedom change nothing (0.901 for 0.900).
    Scenario(
        "one subcategory varies, two do not",
        Rate(1.0, NO_SPREAD),
        worse=Rate(0.15, 1.5),
        better=Rate(0.0, NO_SPREAD),
        worse_elsewhere=Rate(0.15, 60),
    ),
)
SHOWN = (*SCENARIOS, *LIMITS)

Ends = tuple[Array, Array]
Method = Callable[[Data, int, np.random.Generator], Ends]


def unpaired_normal(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    """What lm-eval's own comparator does: two independent samples of items."""
    level = np.where(np.isnan(data.level), math.nan, data.level)
    baseline = np.where(np.isnan(data.level), math.nan, data.baseline)
    n = (~np.isnan(level)).sum(axis=(0, 1))
    error = np.sqrt((np.nanvar(baseline, axis=(0, 1)) + np.nanvar(level, axis=(0, 1))) / n)
    value = np.nanmean(level, axis=(0, 1)) - np.nanmean(baseline, axis=(0, 1))
    return value - Z * error, value + Z * error


def item_bootstrap(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    items = data.difference.reshape(-1, data.difference.shape[-1])
    return _percentiles(_resample(items[~np.isnan(items[:, 0])], n_resamples, rng))


def cluster_bootstrap(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    return _percentiles(_resample(data.template_means, n_resamples, rng))


def cluster_bca(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    with warnings.catch_warnings():  # no flips at all: BCa has no interval, which counts as a miss
        warnings.simplefilter("ignore")
        result = bootstrap(
            (data.template_means,), np.mean, axis=0, method="BCa", n_resamples=n_resamples, batch=100, rng=rng
        )
    low, high = result.confidence_interval
    return low, high


def student_t(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    """Stratified cluster-robust t, without guard and without help where flips are few."""
    means = [data.template_means[data.strata == stratum] for stratum in range(N_STRATA)]
    variance = sum(group.var(axis=0, ddof=1) / len(group) if len(group) > 1 else 0.0 for group in means)
    value = np.mean([group.mean(axis=0) for group in means], axis=0)
    half = t.ppf(TAILS[1], len(data.strata) - N_STRATA) * np.sqrt(variance) / N_STRATA
    return value - half, value + half


def stratified_t(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    """The textbook interval of stratified sampling with templates as strata, without help where flips are few or items are twins."""
    n = (~np.isnan(data.difference)).sum(axis=1)
    weight = (1 / (N_STRATA * np.bincount(data.strata)))[data.strata]
    value = weight @ data.template_means
    half = t.ppf(TAILS[1], n.sum(axis=0) - len(n)) * np.sqrt(
        weight**2 @ (np.nanvar(data.difference, axis=1, ddof=1) / n)
    )
    return value - half, value + half


def ours(data: Data, n_resamples: int, rng: np.random.Generator, target: Target = Target.TEMPLATES) -> Ends:
    n_templates, n_items, n_datasets = data.difference.shape
    template = np.repeat(np.arange(n_templates), n_items)
    draw = np.arange(template.size) // (FAMILY if data.twins else 1)
    design = Design.of(template, data.strata[template], draw=draw)
    difference = data.difference.reshape(-1, n_datasets)
    estimates = paired_differences(
        np.zeros(len(difference)), difference, design, n_resamples=n_resamples, target=target, rng=rng
    )
    low, high = np.array([estimate.interval for estimate in estimates]).T
    return low, high


def ours_for_items(data: Data, n_resamples: int, rng: np.random.Generator) -> Ends:
    return ours(data, n_resamples, rng, Target.ITEMS)


METHODS: dict[Target, dict[str, Method]] = {
    Target.TEMPLATES: {
        "unpaired normal": unpaired_normal,
        "paired item bootstrap": item_bootstrap,
        "cluster bootstrap, percentile": cluster_bootstrap,
        "cluster bootstrap, BCa": cluster_bca,
        "stratified cluster t": student_t,
        "**qbench**": ours,
    },
    Target.ITEMS: {
        "unpaired normal": unpaired_normal,
        "paired item bootstrap": item_bootstrap,
        "stratified t": stratified_t,
        "**qbench, --target items**": ours_for_items,
    },
}


def _resample(units: Array, n_resamples: int, rng: np.random.Generator) -> Array:
    """Means of resampled rows; all data sets share the resamples, which leaves each one's coverage as it is."""
    share = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=n_resamples) / len(units)
    return np.asarray(share @ units)


def _percentiles(means: Array) -> Ends:
    low, high = np.quantile(means, TAILS, axis=0)
    return low, high


def covered(
    scenario: Scenario,
    method: Method,
    n_templates: int,
    n_datasets: int,
    n_resamples: int,
    seed: int,
    target: Target = Target.TEMPLATES,
) -> tuple[float, float]:
    """Return the share of data sets whose interval holds the truth, and the mean width."""
    rng = np.random.default_rng([seed, n_templates, SHOWN.index(scenario)])
    data = scenario.draw(n_templates, n_datasets, rng)
    low, high = method(data, n_resamples, rng)
    truth = data.truth if target is Target.TEMPLATES else data.truth_of_these
    return float(np.mean((low <= truth) & (truth <= high))), float(np.nanmean(high - low))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--datasets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=999)
    parser.add_argument(
        "--templates", type=int, nargs="+", default=[15, 30], help="templates of a category, a multiple of three"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="quote the tables in docs/statistics.md")
    options = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    for target, n_templates in itertools.product(Target, options.templates):
        methods = METHODS[target]
        say(
            f"\nTarget {target}: {n_templates} templates of {N_ITEMS} items in {N_STRATA} subcategories, "
            f"{options.datasets:,} data sets a scenario:"
        )
        say(f"\n| scenario | {' | '.join(methods)} |\n|---|{'--:|' * len(methods)}")
        for scenario in SHOWN:
            cells = []
            for method in methods.values():
                coverage, width = covered(
                    scenario, method, n_templates, options.datasets, options.resamples, options.seed, target
                )
                cells.append(f"{100 * coverage:.1f} ({100 * width:.1f})")
            say(f"| {scenario.name} | {' | '.join(cells)} |")
    if options.write:
        quote("docs/statistics.md", {"coverage": lines})


if __name__ == "__main__":
    main()
