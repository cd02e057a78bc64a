"""Known answers from scipy, statsmodels and the literature, and what must hold for every input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from qbench.stats import (
    Design,
    Estimate,
    Flips,
    Interval,
    Target,
    Verdict,
    calibration_error,
    calibration_errors,
    choice_divergence,
    cliff,
    count_flips,
    holm,
    joint_confidence,
    level_estimates,
    mean_scores,
    minimum_detectable_effect,
    paired_difference,
    paired_differences,
    rank_intervals,
    relative_losses,
    same_templates_difference,
    simultaneous_band,
    tango_interval,
    template_differences,
    verdict,
)
from qbench.stats.design import summarise
from qbench.stats.score_interval import score_p_value

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

N_RESAMPLES = 999


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def estimate(baseline: object, level: object, template: object, stratum: object) -> Estimate:
    return paired_difference(baseline, level, template, stratum, n_resamples=N_RESAMPLES, rng=rng())  # type: ignore[arg-type]


def bank_like(n_templates: int = 15, n_items: int = 20, worse: float = 0.3) -> tuple[Array, Array, Labels, Labels]:
    """Scores of a category with three subcategories, and a level that loses some of them, unevenly over templates."""
    source = np.random.default_rng(11)
    template = np.repeat(np.arange(n_templates), n_items)
    baseline = (source.random(template.size) < 0.7).astype(float)
    rate = source.beta(10 * worse, 10 * (1 - worse), n_templates)[template]
    level = np.where(source.random(template.size) < rate, 0.0, baseline)
    return baseline, level, template, template // (n_templates // 3)


# ---------------------------------------------------------------- the estimand


def test_templates_weigh_equally_whatever_their_number_of_items() -> None:
    level = [-1, -1, -1, -1, 0]
    assert estimate(np.zeros(5), level, ["a", "a", "a", "a", "b"], ["s"] * 5).value == pytest.approx(-0.5)


def test_strata_weigh_equally_whatever_their_number_of_templates() -> None:
    template, stratum = ["a", "b", "c", "d", "e"], ["s", "s", "s", "t", "t"]
    assert estimate(np.zeros(5), [-1, -1, -1, 0, 0], template, stratum).value == pytest.approx(-0.5)


def test_categories_weigh_equally_whatever_their_number_of_strata() -> None:
    design = Design.of(["a", "b", "c"], ["s", "t", "u"], ["one", "one", "two"])
    difference = np.array([[-1.0], [-1.0], [0.0]])
    assert paired_differences(np.zeros(3), difference, design, rng=rng())[0].value == pytest.approx(-0.5)


def test_two_strata_may_use_the_same_name_for_a_template() -> None:
    assert estimate(np.zeros(4), [0, -1, -1, 0], ["a", "b", "a", "b"], ["s", "s", "t", "t"]).n_templates == 4


# ---------------------------------------------------------------- known answers


def test_the_t_interval_is_that_of_scipy() -> None:
    """One stratum, one item a template and too many templates to resample: the one-sample t interval of the differences."""
    source = np.random.default_rng(5)
    baseline, level = source.normal(size=400), source.normal(loc=-0.2, size=400)
    ours = estimate(baseline, level, np.arange(400), np.zeros(400))
    expected = scipy_stats.ttest_rel(level, baseline)
    assert ours.method == "t"
    assert ours.value == pytest.approx((level - baseline).mean(), abs=1e-12)
    assert ours.standard_error == pytest.approx(scipy_stats.sem(level - baseline), abs=1e-12)
    assert ours.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-8)
    assert ours.p_value == pytest.approx(expected.pvalue, abs=1e-8)


def test_the_cluster_error_is_the_textbook_one() -> None:
    """Stratified sampling: Σ w² s² / n with w = 1/2 (Cochran, Sampling Techniques, section 5.3)."""
    means = np.array([-1.0, 0.0, -0.5, 0.5, -2.0, -1.0])
    stratum = np.array([0, 0, 0, 1, 1, 1])
    variance = (means[:3].var(ddof=1) / 3 + means[3:].var(ddof=1) / 3) / 4
    baseline = np.zeros(60)
    level = np.repeat(means, 10) + np.tile([0.001, -0.001], 30)
    design = Design.of(np.repeat(np.arange(6), 10), np.repeat(stratum, 10))
    ((_, summary),) = summarise((level - baseline)[:, np.newaxis], design)
    assert summary.cluster_error == pytest.approx(math.sqrt(variance), abs=1e-8)


@pytest.mark.parametrize(
    ("worse", "better", "n", "low", "high", "source"),
    [
        (
            16,
            6,
            161,
            -0.1240,
            -0.0054,
            "Cavo et al. 2012, in contingencytables 3.0.0: Tango_asymptotic_score_CI_paired_2x2(cavo_2012)",
        ),
        (
            7,
            1,
            21,
            -0.517,
            -0.026,
            "Bentur et al. 2009, in Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33, table IV",
        ),
    ],
)
def test_the_score_interval_is_the_published_one(
    worse: int, better: int, n: int, low: float, high: float, source: str
) -> None:
    ours = tango_interval(better, worse, n)
    decimals = len(str(high).split(".")[1])
    assert (round(float(ours[0]), decimals), round(float(ours[1]), decimals)) == (low, high), source


def test_without_flips_the_score_interval_still_has_a_width() -> None:
    z2 = scipy_stats.norm.ppf(0.975) ** 2
    low, high = tango_interval(0, 0, 300)
    assert (float(low), float(high)) == pytest.approx((-z2 / (300 + z2), z2 / (300 + z2)), abs=1e-8)


def test_if_everything_flipped_the_score_interval_ends_at_one() -> None:
    low, high = tango_interval([300, 0], [0, 300], 300)
    assert high[0] == 1
    assert low[1] == -1
    assert low[0] == pytest.approx(-high[1])


@given(worse=st.integers(0, 60), better=st.integers(0, 60))
def test_mcnemar_exact_is_that_of_statsmodels(worse: int, better: int) -> None:
    expected = mcnemar([[0, worse], [better, 0]], exact=True).pvalue if worse + better else 1.0
    assert Flips(worse, better).exact_p == pytest.approx(expected, abs=1e-8)


def test_mcnemar_mid_p_is_the_published_one() -> None:
    # contingencytables 3.0.0: McNemar_midP_test_paired_2x2(cavo_2012) prints P = 0.034690
    assert Flips(worse=16, better=6).mid_p == pytest.approx(0.034690, abs=5e-7)


def test_mid_p_is_one_where_the_flips_balance() -> None:
    assert Flips(4, 4).mid_p == pytest.approx(1)
    assert Flips(0, 0).mid_p == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_holm_leaves_out_what_is_missing() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)


# ---------------------------------------------------------------- what holds for every input

SCORES = arrays.arrays(float, 24, elements=st.sampled_from([0.0, 1.0]))
TEMPLATES, STRATA = np.repeat(np.arange(6), 4), np.repeat([0, 1], 12)


@settings(max_examples=25, deadline=None)
@given(SCORES, SCORES)
def test_swapping_the_levels_flips_the_sign(baseline: Array, level: Array) -> None:
    there, back = estimate(baseline, level, TEMPLATES, STRATA), estimate(level, baseline, TEMPLATES, STRATA)
    assert back.value == pytest.approx(-there.value)
    assert back.interval == pytest.approx(there.interval.scaled(-1), abs=1e-9)
    assert back.p_value == pytest.approx(there.p_value)


@settings(max_examples=25, deadline=None)
@given(SCORES, SCORES)
def test_the_names_of_templates_mean_nothing(baseline: Array, level: Array) -> None:
    named = np.array(["f", "e", "d", "c", "b", "a"])[TEMPLATES]
    plain, renamed = estimate(baseline, level, TEMPLATES, STRATA), estimate(baseline, level, named, STRATA)
    assert renamed.value == pytest.approx(plain.value)
    assert renamed.standard_error == pytest.approx(plain.standard_error, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(SCORES, SCORES)
def test_the_interval_holds_the_value_and_leaves_zero_out_where_p_is_small(baseline: Array, level: Array) -> None:
    ours = estimate(baseline, level, TEMPLATES, STRATA)
    assert ours.interval.low <= ours.value <= ours.interval.high
    excludes_zero = ours.interval.low > 0 or ours.interval.high < 0
    assert excludes_zero == (ours.p_value <= 0.05) or ours.p_value == pytest.approx(0.05, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([-0.75, -0.25, 0.25, 0.5]))  # of which no mean has a rounding error
def test_a_constant_difference_has_no_standard_error(shift: float) -> None:
    ours = estimate(np.zeros(240), np.full(240, shift), np.repeat(TEMPLATES, 10), np.repeat(STRATA, 10))
    assert ours.value == pytest.approx(shift)
    assert ours.standard_error == pytest.approx(0, abs=1e-12)


def test_a_standard_error_belongs_to_its_interval_or_is_missing() -> None:
    baseline, level, template, stratum = bank_like()
    few = np.where(np.arange(300) % 60, baseline, 1 - baseline)
    for target in Target:
        many = paired_difference(baseline, level, template, stratum, target=target, rng=rng())
        low, high = many.interval
        assert high - many.value == pytest.approx(many.value - low)
        assert (high - low) / 2 > 1.9 * many.standard_error > 0
        ours = paired_difference(baseline, few, template, stratum, target=target, rng=rng())
        assert ours.method.endswith("and score")
        assert math.isnan(ours.standard_error)
        assert ours.is_estimable


@settings(max_examples=25, deadline=None)
@given(SCORES, SCORES, st.integers(0, 23))
def test_a_failed_item_counts_as_absent(baseline: Array, level: Array, position: int) -> None:
    failed = level.copy()
    failed[position] = math.nan
    without = np.arange(24) != position
    ours = estimate(baseline, failed, TEMPLATES, STRATA)
    absent = estimate(baseline[without], level[without], TEMPLATES[without], STRATA[without])
    assert ours.n_items == absent.n_items == 23
    assert ours.value == pytest.approx(absent.value)
    assert ours.interval == pytest.approx(absent.interval)


# ---------------------------------------------------------------- missing is not zero


def test_one_template_in_each_stratum_is_not_estimable() -> None:
    ours = estimate(np.ones(4), [0, 1, 0, 1], ["a", "a", "b", "b"], ["s", "s", "t", "t"])
    assert ours.value == pytest.approx(-0.5)
    assert math.isnan(ours.standard_error)
    assert math.isnan(ours.interval.low)
    assert math.isnan(ours.p_value)
    assert ours.method == "not estimable"


def test_a_lone_template_borrows_the_variance_of_the_other_strata() -> None:
    baseline, level, template, stratum = bank_like()
    alone = np.where(template == 14, 9, stratum)
    ours = estimate(baseline, level, template, alone)
    assert (
        ours.method == "t and score"
    )  # templates of one stratum cannot stand in for each other, so nothing is resampled
    assert ours.interval.low < ours.value < ours.interval.high


def test_nothing_but_failures_is_not_a_number() -> None:
    ours = estimate(np.ones(24), np.full(24, math.nan), TEMPLATES, STRATA)
    assert math.isnan(ours.value)
    assert ours.n_items == 0


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_level_that_changed_nothing_has_an_interval_all_the_same(score: float) -> None:
    ours = estimate(
        np.full(300, score), np.full(300, score), np.repeat(np.arange(15), 20), np.repeat(np.arange(3), 100)
    )
    assert ours.value == 0
    assert ours.interval == pytest.approx((-0.01264, 0.01264), abs=1e-5)
    assert ours.p_value == 1


def test_a_level_that_lost_everything_has_an_interval_all_the_same() -> None:
    ours = estimate(np.ones(300), np.zeros(300), np.repeat(np.arange(15), 20), np.repeat(np.arange(3), 100))
    assert ours.interval == pytest.approx((-1, -0.9747), abs=1e-4)


# ---------------------------------------------------------------- many levels, scores, ratios and bands


def test_levels_together_give_what_they_give_alone() -> None:
    baseline, level, template, stratum = bank_like()
    failed = np.where(template == 3, math.nan, level)  # a whole template is missing at this level only
    design = Design.of(template, stratum)
    together = paired_differences(
        baseline, np.column_stack([level, failed]), design, n_resamples=N_RESAMPLES, rng=rng()
    )
    alone = estimate(baseline, failed, template, stratum)
    assert together[1].value == pytest.approx(alone.value)
    assert together[1].standard_error == pytest.approx(alone.standard_error, nan_ok=True)
    assert (together[0].n_templates, together[1].n_templates) == (15, 14)


def test_the_same_generator_gives_the_same_interval() -> None:
    first, second = estimate(*bank_like()), estimate(*bank_like())
    assert first.method == "bootstrap-t"
    assert first == second


def test_the_bootstrap_agrees_with_students_t_on_many_normal_templates() -> None:
    source = np.random.default_rng(3)
    means = np.repeat(source.normal(-0.2, 0.1, 240), 5)
    ours = estimate(np.zeros(1200), means + source.normal(0, 0.01, 1200), np.repeat(np.arange(240), 5), np.zeros(1200))
    half = scipy_stats.t.ppf(0.975, 239) * ours.standard_error
    assert ours.method == "bootstrap-t"
    assert (ours.interval.high - ours.interval.low) / 2 == pytest.approx(half, rel=0.1)


def test_a_mean_score_stays_between_zero_and_one() -> None:
    baseline, _, template, stratum = bank_like()
    rare = (np.arange(baseline.size) % 97 == 0).astype(float)
    scores = np.column_stack([baseline, rare, 1 - rare])
    for ours, column in zip(mean_scores(scores, Design.of(template, stratum), rng=rng()), scores.T, strict=True):
        assert ours.value == pytest.approx(column.mean())
        assert 0 <= ours.interval.low < ours.value < ours.interval.high <= 1


def test_a_relative_loss_is_the_loss_over_the_baseline() -> None:
    baseline, level, template, stratum = bank_like()
    design = Design.of(template, stratum)
    loss = relative_losses(baseline, level[:, np.newaxis], design, rng=rng())[0]
    assert loss.value == pytest.approx((baseline.mean() - level.mean()) / baseline.mean())
    assert loss.interval.low < loss.value < loss.interval.high


@pytest.mark.parametrize("target", Target)
def test_a_relative_loss_is_certain_exactly_where_its_interval_leaves_zero_out(target: Target) -> None:
    source, certain, by_score = np.random.default_rng(21), [], 0
    template = np.repeat(np.arange(12), 15)
    design = Design.of(template, template // 4)
    for lost in (0.01, 0.03, 0.06, 0.12, 0.3):
        baseline = (source.random(180) < source.beta(4, 3, 12)[template]).astype(float)
        rate = source.beta(6 * lost, 6 * (1 - lost), (12, 25))[template]
        levels = np.where(source.random((180, 25)) < rate, 0.0, baseline[:, np.newaxis])
        levels = np.where(source.random((180, 25)) < 0.03, 1.0, levels)
        for loss in relative_losses(baseline, levels, design, n_resamples=N_RESAMPLES, target=target, rng=rng()):
            excludes_zero = loss.interval.low > 0 or loss.interval.high < 0
            assert excludes_zero == (loss.p_value <= 0.05) or loss.p_value == pytest.approx(0.05, abs=1e-3)
            certain.append(excludes_zero)
            by_score += loss.method.endswith("and score")
    assert 10 < sum(certain) < 115
    assert by_score > 10


def test_the_score_test_is_mcnemars_and_agrees_with_its_interval() -> None:
    assert score_p_value(16, 6, 161, 0) == pytest.approx(
        mcnemar([[0, 16], [6, 0]], exact=False, correction=False).pvalue
    )
    for end in tango_interval(6, 16, 161):
        assert score_p_value(6, 16, 161, end) == pytest.approx(0.05, abs=1e-6)


def test_intervals_end_where_differences_of_shares_and_losses_of_them_must() -> None:
    template, stratum = np.repeat(np.arange(4), 5), np.zeros(20)
    baseline, level = np.ones(20), (template == 0).astype(float)  # three of four templates lose everything
    design = Design.of(template, stratum)
    ours = paired_differences(baseline, level[:, np.newaxis], design, rng=rng())[0]
    beyond = paired_differences(2 * baseline, 2 * level[:, np.newaxis], design, rng=rng())[0]
    assert ours.interval.low == -1
    assert beyond.interval.low < -2  # scores that are no shares have no such end
    assert relative_losses(baseline, level[:, np.newaxis], design, rng=rng())[0].interval.high == 1
    few = np.array([1.0, 1.0, 1.0]), np.array([[0.0], [0.0], [1.0]])
    assert template_differences(*few, np.zeros(3, dtype=int))[0][0].interval.low == -1
    assert same_templates_difference(few[0], few[1][:, 0], Design.of(np.zeros(3), np.zeros(3))).interval.low == -1


def test_a_relative_loss_of_nothing_is_not_estimable() -> None:
    _, level, template, stratum = bank_like()
    loss = relative_losses(np.zeros_like(level), level[:, np.newaxis], Design.of(template, stratum), rng=rng())[0]
    assert math.isnan(loss.value)
    assert not loss.is_estimable


def test_a_simultaneous_band_is_wider_than_its_intervals_and_narrower_than_twice() -> None:
    baseline, level, template, stratum = bank_like()
    levels = np.column_stack([level, np.where(np.arange(level.size) % 3 == 0, 0.0, level), baseline])
    design = Design.of(template, stratum)
    single = paired_differences(baseline, levels, design, rng=rng())
    for alone, joint in zip(single, simultaneous_band(baseline, levels, design, rng=rng()), strict=True):
        assert joint.low < alone.interval.low
        assert joint.high > alone.interval.high
        assert joint.high - joint.low < 2 * (alone.interval.high - alone.interval.low)


def test_a_band_over_one_level_is_its_interval() -> None:
    baseline, level, template, stratum = bank_like()
    band = simultaneous_band(
        baseline, level[:, np.newaxis], Design.of(template, stratum), n_resamples=N_RESAMPLES, rng=rng()
    )
    assert band == [estimate(baseline, level, template, stratum).interval]


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.034, -0.008, Verdict.DEGRADED),
        (-0.015, 0.012, Verdict.WITHIN_MARGIN),
        (-0.019, -0.001, Verdict.WITHIN_MARGIN),  # a loss, and a smaller one than was declared to matter
        (-0.030, 0.010, Verdict.UNDECIDED),
        (0.010, 0.050, Verdict.IMPROVED),
        (math.nan, math.nan, Verdict.NOT_ESTIMABLE),
    ],
)
def test_a_verdict_is_read_off_the_interval(low: float, high: float, expected: Verdict) -> None:
    ours = Estimate((low + high) / 2, 0.01, Interval(low, high), 0.5, 300, 15, 30, "t")
    assert verdict(ours, margin=0.02) == expected


def test_the_minimum_detectable_effect_has_the_stated_power() -> None:
    """A normal estimate with this error, at that true effect, leaves zero out in 80 % of the samples (and never on the other side)."""
    z = scipy_stats.norm.ppf(0.975)
    ours = Estimate(0, 0.01, Interval(-z * 0.01, z * 0.01), 1, 300, 15, 30, "t")
    effect = minimum_detectable_effect(ours)
    assert scipy_stats.norm.cdf(effect / 0.01 - z) == pytest.approx(0.8, abs=1e-8)


def test_flips_are_counted_both_ways_and_failures_not_at_all() -> None:
    flips = count_flips([1, 1, 0, 0, 1, math.nan], [0, 1, 1, 0, math.nan, 1])
    assert (flips.worse, flips.better) == (1, 1)


def test_all_estimates_of_levels_at_once_are_those_made_one_by_one() -> None:
    baseline, level, template, stratum = bank_like()
    levels = np.column_stack([level, np.where(np.arange(len(level)) % 7, level, np.nan), 0.3 * baseline])
    design, scores = Design.of(template, stratum), np.column_stack([baseline, levels])

    def rng() -> np.random.Generator:
        return np.random.default_rng(1)

    found = level_estimates(baseline, levels, [scores], design, rng=rng())
    alone = paired_differences(baseline, levels, design, rng=rng())
    assert [vars(ours) for ours in found.differences] == [vars(theirs) for theirs in alone]
    for ours, theirs in zip(found.losses, relative_losses(baseline, levels, design, rng=rng()), strict=True):
        assert (ours.value, ours.standard_error) == pytest.approx((theirs.value, theirs.standard_error), nan_ok=True)
        assert ours.interval == pytest.approx(theirs.interval, rel=0.05)  # other resamples
        assert (ours.n_items, ours.n_flips, ours.method) == (theirs.n_items, theirs.n_flips, theirs.method)
    for ours, theirs in zip(found.means[0], mean_scores(scores, design, rng=rng()), strict=True):
        assert ours.value == pytest.approx(theirs.value)
        assert ours.interval == pytest.approx(theirs.interval, rel=0.05)


# ---------------------------------------------------------------- these templates, fresh items


def test_with_one_template_it_is_scipys_paired_t_interval() -> None:
    source = np.random.default_rng(3)
    baseline, level = source.random(80), source.random(80)
    ours = same_templates_difference(baseline, level, Design.of(np.zeros(80), np.zeros(80)))
    theirs = scipy_stats.ttest_rel(level, baseline)
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-8)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-8)
    assert ours.standard_error == pytest.approx(float(scipy_stats.sem(level - baseline)), rel=1e-8)


def test_it_is_narrower_than_the_interval_for_new_templates() -> None:
    baseline, level, template, stratum = bank_like()
    same, new = same_templates_difference(baseline, level, Design.of(template, stratum)), estimate(*bank_like())
    assert same.value == pytest.approx(new.value)
    assert new.interval.low < same.interval.low < same.value < same.interval.high < new.interval.high


def test_its_error_is_that_of_stratified_sampling() -> None:
    baseline, level, template, stratum = bank_like()
    variances = [np.var((level - baseline)[template == g], ddof=1) for g in range(15)]
    ours = same_templates_difference(baseline, level, Design.of(template, stratum))
    assert ours.standard_error == pytest.approx(math.sqrt(sum(variances) / 20) / 15, rel=1e-12)


def test_without_flips_fresh_items_have_an_interval_all_the_same() -> None:
    ones = np.ones(300)
    ours = same_templates_difference(ones, ones, Design.of(np.repeat(np.arange(15), 20), np.zeros(300)))
    assert ours.interval == pytest.approx((-0.01264, 0.01264), abs=1e-5)


def test_the_target_is_an_option_of_every_estimate() -> None:
    baseline, level, template, stratum = bank_like()
    level[::50] = math.nan
    design, columns = Design.of(template, stratum), level[:, np.newaxis]
    alone = same_templates_difference(baseline, level, design)
    options = {"target": Target.ITEMS, "rng": rng()}
    assert paired_difference(baseline, level, template, stratum, **options) == alone  # type: ignore[arg-type]
    assert paired_differences(baseline, columns, design, **options) == [alone]  # type: ignore[arg-type]
    before = np.where(np.isnan(level), np.nan, baseline)
    mean = mean_scores(before[:, np.newaxis], design, **options)[0]  # type: ignore[arg-type]
    assert mean.interval == pytest.approx(same_templates_difference(np.zeros(300), before, design).interval)
    found = level_estimates(baseline, columns, [columns], design, **options)  # type: ignore[arg-type]
    assert found.differences[0].interval == pytest.approx(alone.interval)
    loss = found.losses[0]
    assert loss.value == pytest.approx(-alone.value / mean.value)
    # The delta method by hand: the residuals' interval over the mean of the baseline.
    residual = same_templates_difference(loss.value * before, before - level, design)
    assert loss.interval == pytest.approx(tuple(loss.value + end / mean.value for end in residual.interval))


def test_a_family_of_twins_is_one_draw() -> None:
    baseline, level, template, stratum = bank_like()
    family = np.arange(300) // 4
    ours = same_templates_difference(baseline, level, Design.of(template, stratum, draw=family))
    means = (level - baseline).reshape(75, 4).mean(axis=1)
    theirs = same_templates_difference(np.zeros(75), means, Design.of(template[::4], stratum[::4]))
    error = math.sqrt(means.reshape(15, 5).var(axis=1, ddof=1).sum() / 5) / 15
    assert (ours.value, ours.standard_error) == pytest.approx((theirs.value, error), rel=1e-12)
    half = scipy_stats.t.ppf(0.975, 75 - 15) * error
    assert ours.interval == pytest.approx((ours.value - half, ours.value + half), rel=1e-12)
    # The same item four times over says no more than once, also where a score interval is needed.
    few = np.where(np.arange(300) % 60, baseline, 1 - baseline)
    alone = same_templates_difference(baseline, few, Design.of(template, stratum))
    fourfold = Design.of(np.repeat(template, 4), np.repeat(stratum, 4), draw=np.repeat(np.arange(300), 4))
    repeated = same_templates_difference(np.repeat(baseline, 4), np.repeat(few, 4), fourfold)
    assert alone.method == repeated.method == "t over items and score"
    assert repeated.interval == pytest.approx(tuple(alone.interval), rel=0.02)
    one = template_differences(baseline, level[:, np.newaxis], template, family)[3][0]
    items = template == 3
    design = Design.of(np.zeros(20), np.zeros(20), draw=family[items])
    assert one.interval == pytest.approx(
        tuple(same_templates_difference(baseline[items], level[items], design).interval)
    )


def test_one_item_a_template_says_nothing_about_fresh_items() -> None:
    ours = same_templates_difference([1, 1, 0], [1, 0, 0], Design.of([0, 1, 2], [0, 0, 0]))
    assert ours.value == pytest.approx(-1 / 3)
    assert math.isnan(ours.interval.low)
    assert ours.method == "not estimable"


def test_all_templates_in_one_pass_are_each_template_by_itself() -> None:
    source = np.random.default_rng(8)
    template = source.permutation(np.repeat(np.arange(12), 30))
    baseline = (source.random(360) < 0.8).astype(float)
    levels = np.column_stack(
        [np.where(source.random(360) < share, 0.4 * baseline, baseline) for share in (0, 0.1, 0.9)]
    )
    levels[template == 3] = (
        np.nan
    )  # a template whose items all failed, one with a single item left, and scores beyond 1
    levels[np.flatnonzero(template == 4)[1:]] = np.nan
    levels[template == 5] *= 3
    for number, estimates in enumerate(template_differences(baseline, levels, template)):
        items = template == number
        design = Design.of(np.zeros(items.sum()), np.zeros(items.sum()))
        for ours, level in zip(estimates, levels[items].T, strict=True):
            alone = same_templates_difference(baseline[items], level, design)
            assert vars(ours) == {
                name: pytest.approx(value, abs=1e-9, nan_ok=True) if isinstance(value, float | tuple) else value
                for name, value in vars(alone).items()
            }


# ---------------------------------------------------------------- the cliff


def ladder(*intervals: tuple[float, float]) -> list[Estimate]:
    return [Estimate((a + b) / 2, 0.01, Interval(a, b), 0.5, 300, 15, 30, "bootstrap-t") for a, b in intervals]


@pytest.mark.parametrize(
    ("intervals", "last_safe", "first_harmful"),
    [
        ([(-0.01, 0.01), (-0.015, 0.01), (-0.06, -0.01), (-0.3, -0.2)], "q6", "q4"),
        ([(-0.01, 0.01), (-0.05, 0.01), (-0.015, 0.01), (-0.3, -0.2)], "q8", "q2"),  # nothing is jumped over
        ([(-0.04, 0.01), (-0.01, 0.01), (-0.01, 0.01), (-0.02, 0.2)], None, None),
        ([(-0.01, -0.002)] * 4, "q2", "q8"),  # a loss that is certain and does not matter
        ([(math.nan, math.nan)] * 4, None, None),
    ],
)
def test_the_cliff_is_bracketed(
    intervals: list[tuple[float, float]], last_safe: str | None, first_harmful: str | None
) -> None:
    found = cliff(["q8", "q6", "q4", "q2"], ladder(*intervals), margin=0.02)
    assert (found.last_safe, found.first_harmful) == (last_safe, first_harmful)


def test_the_cliff_names_a_level_wrongly_no_more_often_than_stated() -> None:
    # Truth: q8 and q6 lose nothing, q4 loses exactly the margin, q2 twice that; normal errors, 95 % intervals.
    source = np.random.default_rng(5)
    truth, error, margin = np.array([0, 0, -0.02, -0.04]), 0.008, 0.02
    unsafe = harmless = 0
    for _ in range(4000):
        values = truth + error * source.standard_normal(4)
        found = cliff(
            ["q8", "q6", "q4", "q2"], ladder(*((v - 1.96 * error, v + 1.96 * error) for v in values)), margin=margin
        )
        unsafe += found.last_safe in ("q4", "q2")
        harmless += found.first_harmful in ("q8", "q6")
    assert unsafe / 4000 < 0.035
    assert harmless / 4000 < 0.035


# ---------------------------------------------------------------- calibration and divergence


def test_a_calibrated_model_has_hardly_an_error_and_a_plain_estimate_has_one() -> None:
    source = np.random.default_rng(9)
    debiased, plain = [], []
    for _ in range(200):
        sure = source.uniform(0.3, 1, 300)
        right = (source.random(300) < sure).astype(float)
        debiased.append(calibration_error(sure, right) ** 2)
        bins = np.array_split(np.argsort(sure), 15)
        plain.append(np.mean([(sure[items].mean() - right[items].mean()) ** 2 for items in bins]))
    assert np.mean(plain) > 0.009  # 0.65 x 0.35 / 20
    assert np.mean(debiased) < 0.003  # cut at 0, so not exactly 0


def test_overconfidence_is_measured() -> None:
    source = np.random.default_rng(9)
    right = (source.random(20_000) < 0.6).astype(float)
    assert calibration_error(np.full(20_000, 0.9), right) == pytest.approx(0.3, abs=0.02)
    assert math.isnan(calibration_error([0.5] * 20, [1] * 20))


def test_divergence_is_that_of_scipy() -> None:
    source = np.random.default_rng(2)
    p, q = source.normal(size=5), source.normal(size=5)
    theirs = scipy_stats.entropy(np.exp(p) / np.exp(p).sum(), np.exp(q) / np.exp(q).sum())
    assert choice_divergence(p, q) == pytest.approx(float(theirs), rel=1e-10)
    assert choice_divergence(p, p - 7) == pytest.approx(0, abs=1e-12)
    assert math.isnan(choice_divergence([0.0, math.nan], [0.0, 1.0]))


def test_a_change_of_calibration_has_an_interval_that_holds_it() -> None:
    # The level is 0.1 surer than it should be everywhere; the baseline is calibrated.
    source = np.random.default_rng(12)
    held = 0
    for _ in range(100):
        template = np.repeat(np.arange(30), 20)
        sure = source.uniform(0.3, 0.85, 600)
        right = (source.random(600) < sure).astype(float)
        errors, (change,) = calibration_errors(
            np.column_stack([sure, sure + 0.1]),
            np.column_stack([right, right]),
            Design.of(template, template // 10),
            n_bins=5,
        )
        held += errors[1].interval.low < 0.1 < errors[1].interval.high
        assert change.value == pytest.approx(errors[1].value - errors[0].value)
    assert held >= 88


def test_one_template_has_no_calibration_interval() -> None:
    (error,), changes = calibration_errors(
        np.full((40, 1), 0.5), np.ones((40, 1)), Design.of(np.zeros(40), np.zeros(40))
    )
    assert math.isnan(error.interval.low)
    assert changes == []


# ---------------------------------------------------------------- ranks


def test_ranks_are_certain_where_intervals_are_apart() -> None:
    intervals = [Interval(-0.4, -0.3), Interval(-0.1, 0.0), Interval(-0.05, 0.02), Interval(math.nan, math.nan)]
    assert rank_intervals(intervals) == [(1, 2), (2, 4), (2, 4), (1, 4)]


def test_rank_intervals_hold_the_true_ranks_together() -> None:
    source = np.random.default_rng(6)
    truth = np.array([-0.3, -0.2, -0.18, -0.05, 0.0])
    z = float(scipy_stats.norm.ppf((1 + joint_confidence(0.95, 5)) / 2))
    held = 0
    for _ in range(1000):
        values = truth + 0.04 * source.standard_normal(5)
        ranks = rank_intervals([Interval(v - z * 0.04, v + z * 0.04) for v in values])
        held += all(best <= rank <= worst for rank, (best, worst) in zip(range(1, 6), ranks, strict=True))
    assert held >= 940
