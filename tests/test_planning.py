"""A plan keeps its promise: what it says is enough shows the difference as often as it says."""

import math
from pathlib import Path

import numpy as np
import pytest
from handmade import sample, write_plan, write_run, write_sweep
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestPower

from qbench.errors import QBenchError
from qbench.plan import plan
from qbench.stats import (
    Design,
    Noise,
    cautious,
    items_needed,
    noise,
    paired_differences,
    power,
    smallest_difference,
    templates_needed,
)
from qbench.stats.planning import UNTOLD_CORRELATION

SOURCE = np.random.default_rng(4)


def clustered(n_templates: int, n_items: int, n_datasets: int, worse: float, concentration: float) -> np.ndarray:
    """Differences of items that fall at a rate which differs between templates (Beta), shape (items, data sets)."""
    rate = SOURCE.beta(worse * concentration, (1 - worse) * concentration, (n_templates, 1, n_datasets))
    fell = SOURCE.random((n_templates, n_items, n_datasets)) < rate
    return -fell.astype(float).reshape(-1, n_datasets)


def design(n_templates: int, n_items: int) -> Design:
    template = np.repeat(np.arange(n_templates), n_items)
    return Design.of(template, template // (n_templates // 3))


def test_without_correlation_it_is_the_power_of_statsmodels() -> None:
    # One item a template: a paired t-test of as many independent differences.
    seen_against, difference, n = Noise(0.2, 0.0), 0.1, 200
    spread = (0.2 - difference**2) ** 0.5
    theirs = TTestPower().power(difference / spread, n, alpha=0.05, alternative="two-sided")
    assert power(seen_against, difference, n, 1, n_strata=1) == pytest.approx(theirs, abs=0.002)


def test_noise_is_read_off_a_pilot_run() -> None:
    # Beta rates of mean 0.2 and concentration 9: correlation 1 / (9 + 1), flips 0.2.
    difference = clustered(600, 20, 1, 0.2, 9)[:, 0]
    found = noise(np.zeros(difference.size), difference, design(600, 20))
    assert found.flip_rate == pytest.approx(0.2, abs=0.015)
    assert found.correlation == pytest.approx(0.1, abs=0.02)


def test_the_correlation_is_the_textbook_one() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.normal(shift, 1, 6) for shift in (0.0, 0.5, 2.0)]
    values = np.concatenate(groups)
    between = 6 * np.var([group.mean() for group in groups], ddof=1)
    within = np.mean([np.var(group, ddof=1) for group in groups])
    assert between / within == pytest.approx(scipy_stats.f_oneway(*groups).statistic)
    found = noise(np.zeros(18), values, Design.of(np.repeat(np.arange(3), 6), np.zeros(18)))
    assert found.correlation == pytest.approx((between - within) / (between + 5 * within), rel=1e-10)


def test_flips_are_counted_and_changes_measured() -> None:
    # Of eight graded items four change, two by 0.1 and two by 0.5: by √(0.26 / 2) in the root mean square.
    level = np.array([0.1, 0.5, -0.1, 0.5, 0, 0, 0, 0])
    found = noise(np.zeros(8), level, Design.of([0, 0, 1, 1, 0, 0, 1, 1], np.zeros(8)))
    assert found.flip_rate == 0.5
    assert found.change == pytest.approx(0.13**0.5)
    assert found.mean_square() == pytest.approx(float(np.mean(level**2)))


def test_a_small_pilot_is_not_taken_at_its_word() -> None:
    # 1 - 0.2^(1/9): with that share of flips, nine items are without one in 20 of 100 pilots.
    nothing = noise(np.ones(9), np.ones(9), Design.of(np.arange(9), np.zeros(9)))
    assert math.isnan(nothing.correlation)
    planned = cautious(nothing, 9, 1, 1)
    assert planned.flip_rate == pytest.approx(1 - 0.2 ** (1 / 9))
    assert planned.correlation == UNTOLD_CORRELATION
    theirs = scipy_stats.binomtest(30, 300, alternative="less").proportion_ci(0.8, method="exact")
    assert cautious(Noise(0.1, math.nan), 300, 1, 1).flip_rate == pytest.approx(theirs.high)
    assert cautious(Noise(0.1, 0.3), 15, 20, 3).flip_rate > theirs.high  # items that flip together say less


def test_the_bound_of_a_correlation_is_kept_as_often_as_it_says() -> None:
    # 12 templates of 10 items with normal effects; a bound of 80 % lies above the true correlation in 80 % of the pilots.
    effects = np.sqrt(0.2) * SOURCE.standard_normal((400, 12, 1))
    pilots = (effects + np.sqrt(0.8) * SOURCE.standard_normal((400, 12, 10))).reshape(400, 120)
    own = design(12, 10)
    bounds = [cautious(noise(np.zeros(120), pilot, own), 12, 10, 3).correlation for pilot in pilots]
    assert np.mean(np.array(bounds) > 0.2) == pytest.approx(0.8, abs=0.06)


def test_a_difference_takes_flips_and_a_stratum_two_templates() -> None:
    needed = templates_needed(Noise(0.0, 0.0), 0.02, 1)  # McNemar's test needs eight flips one way: 2 % of 400
    assert needed is not None
    assert 380 < needed < 420
    assert templates_needed(Noise(0.5, 0.0), 0.5, 5000) == 6
    assert templates_needed(Noise(0.5, 0.0), 0.5, 5000, n_strata=1) == 2


def test_a_design_effect_says_the_same_as_a_correlation() -> None:
    stated = Noise.of_design_effect(0.1, 2.9, 20)
    assert stated.correlation == pytest.approx(0.1)
    assert stated.design_effect(20) == pytest.approx(2.9)


@pytest.mark.parametrize(("worse", "concentration", "n_items"), [(0.05, 15, 20), (0.15, 12, 20), (0.1, 30, 5)])
def test_the_planned_templates_show_the_difference_as_often_as_planned(
    worse: float, concentration: float, n_items: int
) -> None:
    seen_against = Noise(worse, 1 / (concentration + 1))
    needed = templates_needed(seen_against, worse, n_items)
    assert needed is not None
    n_templates = max(6, -(-needed // 3) * 3)
    planned = power(seen_against, worse, n_templates, n_items)
    difference = clustered(n_templates, n_items, 1500, worse, concentration)
    found = paired_differences(
        np.zeros(len(difference)),
        difference,
        design(n_templates, n_items),
        n_resamples=499,
        rng=np.random.default_rng(2),
    )
    seen = np.mean([estimate.interval.high < 0 for estimate in found])
    assert seen > planned - 0.05


def test_more_items_help_only_so_far() -> None:
    seen_against = Noise(0.1, 0.2)
    assert items_needed(seen_against, 0.02, 30) is None
    assert items_needed(seen_against, 0.08, 30) is not None
    alone = smallest_difference(seen_against, 30, 1)
    assert alone > smallest_difference(seen_against, 30, 20) > smallest_difference(seen_against, 60, 20)


def test_what_is_planned_is_enough_and_one_less_is_not() -> None:
    seen_against = Noise(0.1, 0.05)
    needed = templates_needed(seen_against, 0.03, 10)
    assert needed is not None
    assert power(seen_against, 0.03, needed, 10) >= 0.8 > power(seen_against, 0.03, needed - 1, 10)
    items = items_needed(seen_against, 0.05, 30)
    assert items is not None
    assert power(seen_against, 0.05, 30, items) >= 0.8 > power(seen_against, 0.05, 30, items - 1)


# ---------------------------------------------------------------- the command


def test_a_pilot_run_says_what_each_category_takes(tmp_path: Path) -> None:
    write_sweep(tmp_path / "pilot")
    found = plan(tmp_path / "pilot", level="q4", difference=5)
    assert [row.category for row in found.needed] == ["numerical", "logic", "gsm8k"]
    numerical, _, foreign = found.needed
    assert (numerical.n_templates, numerical.n_items, foreign.n_templates, foreign.n_items) == (15, 12, 60, 1)
    assert numerical.seen.flip_rate == pytest.approx(0.15 * 0.75, abs=0.06)  # what q4 loses of what was right
    assert numerical.seen.flip_rate < numerical.noise.flip_rate < numerical.seen.flip_rate + 0.05
    assert math.isnan(foreign.seen.correlation)
    needed = numerical.templates[20]
    assert needed is not None
    assert power(numerical.noise, 0.05, needed, 20) >= 0.8
    assert "15: " in str(found)
    assert "– → 0.20" in str(found)
    assert "cannot tell the correlation" in str(found)


def test_a_pilot_without_flips_does_not_promise_much(tmp_path: Path) -> None:
    tasks = {"gsm8k": [sample({"question": str(i)}, i, 1.0) for i in range(9)]}
    for level in ("fp16", "q4"):
        write_run(tmp_path / level, tasks)
    write_plan(tmp_path, ["fp16", "q4"], ["gsm8k"])
    (row,) = plan(tmp_path).needed
    assert row.seen.flip_rate == 0
    assert row.noise.flip_rate == pytest.approx(0.164, abs=0.001)
    # A paired t-test of independent items of which 16.4 % flip.
    theirs = TTestPower().solve_power(0.02 / (0.164 - 0.02**2) ** 0.5, power=0.8, alpha=0.05)
    assert row.templates[1] == pytest.approx(theirs, rel=0.02)
    assert math.isnan(row.smallest) or row.smallest > 0.3


def test_stated_noise_needs_no_run() -> None:
    (row,) = plan(flip_rate=10, design_effect=3, items=20).needed
    assert row.noise.correlation == pytest.approx(2 / 19)
    assert row.templates[1] == templates_needed(row.noise, 0.02, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give a finished sweep as a pilot"),
        ({"flip_rate": 10, "power": 1.5}, "power must lie between 0 and 1"),
        ({"flip_rate": 0}, "The flip rate must lie between 0 and 100"),
        ({"flip_rate": 10, "design_effect": 0.5}, "design effect"),
        ({"flip_rate": 10, "design_effect": math.nan}, "design effect and the items be at least 1"),
        ({"flip_rate": 10, "level": "q4"}, "belongs to no level; leave out --level q4"),
        ({"flip_rate": 0.5, "difference": 2}, "needs at least 2 % of the items to flip, not 0.5 %"),
        ({"flip_rate": 10, "design_effect": 30, "items": 20}, "design effect of 30 is impossible with 20 items"),
    ],
)
def test_a_plan_from_nothing_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(QBenchError, match=message):
        plan(**options)  # type: ignore[arg-type]


def test_a_level_that_the_pilot_lacks_is_refused(tmp_path: Path) -> None:
    write_sweep(tmp_path / "pilot")
    with pytest.raises(QBenchError, match="has no level 'q5'"):
        plan(tmp_path / "pilot", level="q5")


def test_a_pilot_and_a_stated_noise_are_one_too_many(tmp_path: Path) -> None:
    write_sweep(tmp_path / "pilot")
    with pytest.raises(QBenchError, match="so --flip-rate and --design-effect would change nothing"):
        plan(tmp_path / "pilot", flip_rate=30, design_effect=9)
