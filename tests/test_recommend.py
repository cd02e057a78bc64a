"""Agreement of a prediction with measurements, and the verdicts that it allows."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from qbench.recommend import Standing, judge
from qbench.stats import (
    chance_correlation,
    median_ratio,
    rank_advantage,
    rank_correlation,
    ratio_of_independent,
    ratio_of_sums,
)

Array = NDArray[np.float64]
N_UNITS, N_SEQUENCES = 24, 40


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


# ---------------------------------------------------------------- agreement


def test_the_rank_correlation_is_scipys_ties_included() -> None:
    x = np.array([1, 2, 2, 3, 5, 8, 8, 9], dtype=float)
    y = np.array([2, 1, 4, 4, 4, 9, 7, 8], dtype=float)
    found = rank_correlation([*x, math.nan], [*y, 1.0], rng=rng())
    assert found.value == pytest.approx(float(scipy_stats.spearmanr(x, y).statistic))
    assert found.n == 8
    assert found.interval.low < found.value <= found.interval.high <= 1


def test_too_few_or_constant_numbers_have_no_rank_correlation() -> None:
    assert math.isnan(rank_correlation([1, 2, 3, 4], [1, 2, 3, 4], rng=rng()).value)
    assert math.isnan(rank_correlation([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], rng=rng()).value)


def test_a_random_order_reaches_the_chance_correlation_once_in_twenty() -> None:
    # Large n: Spearman's coefficient is normal with standard deviation 1 / sqrt(n - 1) (Kendall & Gibbons).
    assert chance_correlation(101, rng=rng()) == pytest.approx(1.6449 / 10, abs=0.01)
    # n = 5, all 120 orders: 1 and four of 0.9 are 5 of 120, the next (0.8, three more) make 8 of 120, so 0.8 is the 95 % quantile.
    assert chance_correlation(5, rng=rng()) == pytest.approx(0.8, abs=1e-9)


def test_depth_is_a_rival_in_either_direction() -> None:
    measured = np.arange(20.0)
    noisy = measured + np.random.default_rng(0).normal(0, 6, 20)
    lead = rank_advantage(noisy, -measured, measured, rng=rng())
    assert lead.value == pytest.approx(float(scipy_stats.spearmanr(noisy, measured).statistic) - 1)
    assert lead.interval.high <= 0
    shuffled = np.random.default_rng(1).permutation(20)
    assert rank_advantage(measured, shuffled, measured, rng=rng()).interval.low > 0


def test_the_interval_of_a_median_ratio_is_the_binomial_one() -> None:
    # n = 10: P(Binomial(10, 1/2) <= 1) = 11 / 1024 < 2.5 %, so the second smallest and the second largest.
    ratios = np.array([3.0, 0.2, 1.0, 1.5, 0.5, 0.9, 1.1, 2.0, 0.7, 1.2])
    found = median_ratio(ratios * 4, np.full(10, 4.0))
    assert found.value == pytest.approx(1.05)
    assert tuple(found.interval) == pytest.approx((0.5, 2.0))
    assert math.isnan(median_ratio([1, 2, 3, 4, 5], [1, 1, 1, 1, 1]).interval.low)  # 2 / 2^5 is more than 5 %
    assert median_ratio([1, 2], [-1, 2]).n == 1


def test_a_ratio_of_sums_is_that_of_a_hand_calculation() -> None:
    # Cochran 1977, section 2.11: R = 12 / 6, residuals y - R x = (-1, 1, 0), error = sqrt(3/2 * 2) / 6.
    found = ratio_of_sums([1, 5, 6], [1, 2, 3])
    assert found.value == 2
    assert found.interval.high - 2 == pytest.approx(
        math.sqrt(3) / 6 * 4.302653
    )  # Student's t with 2 degrees of freedom
    assert math.isnan(ratio_of_sums([1], [1]).value)


def test_relative_errors_of_independent_numbers_add_up_in_squares() -> None:
    # 4 ± 0.24 over 2 ± 0.16: relative errors 0.06 and 0.08, together 0.1, of which 1.96 are a factor of e^0.196.
    found = ratio_of_independent(4, 0.24, 2, 0.16)
    assert found.value == 2
    assert tuple(found.interval) == pytest.approx((2 / 1.21653, 2 * 1.21653), rel=1e-4)
    assert math.isnan(ratio_of_independent(1, 0.1, 0, 0.1).value)


# ---------------------------------------------------------------- verdicts


def spread(seed: int) -> tuple[list[str], Array, Array]:
    """Units whose true costs are spread evenly over two orders of magnitude, in no order of depth."""
    generator = np.random.default_rng(seed)
    truth = generator.permutation(np.geomspace(0.1, 10, N_UNITS))
    nats = truth[:, np.newaxis] * generator.lognormal(0, 0.2, (N_UNITS, N_SEQUENCES))
    return [f"layers.{i}" for i in range(N_UNITS)], np.full(N_UNITS, 1000.0), nats


def test_a_checked_prediction_gives_verdicts() -> None:
    units, saved, nats = spread(1)
    measured = nats.copy()
    measured[0] = math.nan  # not all were measured, so the prediction is what is judged
    evidence, advice, source = judge(units, saved, nats, measured, rng=rng())
    assert source == "predicted"
    assert evidence.holds
    assert evidence.correlation.n == N_UNITS - 1
    shares = nats.sum(axis=1) / nats.sum() * N_UNITS  # all save the same
    for own in advice:
        assert own.share.value == pytest.approx(shares[units.index(own.unit)])
        expected = Standing.CRITICAL if own.share.interval.low > 2 else Standing.UNDECIDED
        assert own.standing == (Standing.SAFE if own.share.interval.high < 0.5 else expected)
    assert {own.standing for own in advice} == set(Standing)


def test_where_every_unit_was_measured_the_measured_cost_is_judged() -> None:
    units, saved, nats = spread(1)
    evidence, advice, source = judge(units, saved, nats[::-1], nats, rng=rng())  # a prediction that is wrong
    assert source == "measured"
    halves = nats[:, ::2].sum(axis=1), nats[:, 1::2].sum(axis=1)
    assert evidence.correlation.value == pytest.approx(float(scipy_stats.spearmanr(*halves).statistic))
    assert {own.standing for own in advice} == set(Standing)


def test_a_share_counts_the_bytes_that_are_saved() -> None:
    units, saved, nats = spread(2)
    saved[3] = 9000.0
    _, advice, _ = judge(units, saved, nats, nats, rng=rng())
    share = next(own.share.value for own in advice if own.unit == "layers.3")
    assert share == pytest.approx(nats[3].sum() / 9000 / (nats.sum() / saved.sum()))


def test_without_measured_costs_everything_is_undecided() -> None:
    units, saved, nats = spread(3)
    evidence, advice, _ = judge(units, saved, nats, np.full_like(nats, math.nan), rng=rng())
    assert {own.standing for own in advice} == {Standing.UNDECIDED}
    assert "no verdict" in str(evidence)


def test_an_order_that_depth_gives_as_well_is_undecided() -> None:
    units, saved, _ = spread(4)
    generator = np.random.default_rng(4)
    truth = np.geomspace(0.1, 10, N_UNITS)  # costs rise with depth
    nats = truth[:, np.newaxis] * generator.lognormal(0, 0.2, (N_UNITS, N_SEQUENCES))
    evidence, advice, _ = judge(units, saved, nats, nats, rng=rng())
    assert evidence.correlation.value > 0.95
    assert not evidence.holds
    assert {own.standing for own in advice} == {Standing.UNDECIDED}


def test_an_order_that_is_noise_is_undecided() -> None:
    units, saved, nats = spread(5)
    measured = np.random.default_rng(9).permutation(nats)
    measured[0] = math.nan
    evidence, advice, _ = judge(units, saved, nats, measured, rng=rng())
    assert not evidence.holds
    assert {own.standing for own in advice} == {Standing.UNDECIDED}
