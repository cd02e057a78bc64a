"""Agreement of a prediction with measurements, and the verdicts that it allows."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from qbench.recommend import Standing, judge
from qbench.stats import (
    chance_correlation,
    median_ratio,
    prediction_reach,
    rank_advantage,
    rank_correlation,
    ratio_of_independent,
    ratio_of_sums,
)
from qbench.stats.agreement import spearman_interval

Array = NDArray[np.float64]
N_UNITS, N_SEQUENCES = 24, 40


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


# ---------------------------------------------------------------- agreement


def test_the_rank_correlation_is_scipys_ties_included() -> None:
    x = np.array([1, 2, 2, 3, 5, 8, 8, 9], dtype=float)
    y = np.array([2, 1, 4, 4, 4, 9, 7, 8], dtype=float)
    found = rank_correlation([*x, math.nan], [*y, 1.0])
    assert found.value == pytest.approx(float(scipy_stats.spearmanr(x, y).statistic))
    assert found.n == 8
    assert found.interval.low < found.value <= found.interval.high <= 1


def test_too_few_or_constant_numbers_have_no_rank_correlation() -> None:
    assert math.isnan(rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]).value)
    assert math.isnan(rank_correlation([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]).value)


def ranked_normal(correlation: float, n: int, draws: int) -> tuple[Array, Array]:
    """Ranks of samples from a bivariate normal of this Spearman correlation, which is 6/π asin(ρ/2) of Pearson's ρ (Pearson 1907)."""
    rho = 2 * math.sin(math.pi * correlation / 6)
    first, noise = np.random.default_rng([n, int(1000 * correlation)]).normal(size=(2, draws, n))
    second = rho * first + math.sqrt(1 - rho**2) * noise
    return first.argsort(axis=1).argsort(axis=1) * 1.0, second.argsort(axis=1).argsort(axis=1) * 1.0


def spearman_and_kendall(x: Array, y: Array) -> tuple[Array, Array]:
    """By definition, of ranks without ties, row by row."""
    n = x.shape[1]
    r = 1 - 6 * ((x - y) ** 2).sum(axis=1) / (n * (n**2 - 1))
    agreeing = sum((np.sign(np.roll(x, k, 1) - x) * np.sign(np.roll(y, k, 1) - y)).sum(axis=1) for k in range(1, n))
    return r, agreeing / (n * (n - 1))


@pytest.mark.parametrize("n", [5, 8, 12, 29])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.98])
def test_the_interval_of_a_rank_correlation_holds_the_truth_in_93_of_100_samples(n: int, correlation: float) -> None:
    low, high = spearman_interval(*spearman_and_kendall(*ranked_normal(correlation, n, 3000)), n)
    assert np.mean((low <= correlation) & (correlation <= high)) >= 0.93


def test_the_interval_of_a_perfect_order_has_width() -> None:
    # n = 12, by hand: 1 - 12 / (12 * 143) = 0.993007 is 2.8269 on Fisher's scale, its error sqrt((1 + 0.49303) / 9) = 0.40730.
    found = rank_correlation(range(12), range(12))
    assert found.value == 1
    assert tuple(found.interval) == pytest.approx((math.tanh(2.8269 - 1.95996 * 0.40730), 1), abs=1e-4)
    assert rank_correlation(range(5), range(5)).interval.low < 0.8  # five in a row says little
    backwards = rank_correlation(range(12), range(12, 0, -1))
    assert tuple(backwards.interval) == pytest.approx([-end for end in found.interval][::-1])
    wider = rank_correlation(range(12), range(12), confidence=0.999)
    assert wider.interval.low < found.interval.low


def test_the_interval_is_that_of_the_pairs_own_coefficients() -> None:
    x, y = (side[0] for side in ranked_normal(0.8, 15, 1))
    r, tau = scipy_stats.spearmanr(x, y).statistic, scipy_stats.kendalltau(x, y).statistic
    assert tuple(rank_correlation(x, y).interval) == pytest.approx(spearman_interval(r, tau, 15))


@pytest.mark.parametrize(("own", "rival", "n"), [(0.9, 0.5, 12), (0.95, -0.4, 29), (0.6, 0.6, 12), (0.5, 0.0, 29)])
def test_the_interval_of_an_advantage_holds_the_truth_in_93_of_100_samples(own: float, rival: float, n: int) -> None:
    generator = np.random.default_rng(n)
    held = []
    for _ in range(300):
        measured = generator.normal(size=n)
        mine, theirs = (
            rho * measured + math.sqrt(1 - rho**2) * generator.normal(size=n)
            for rho in (2 * math.sin(math.pi * correlation / 6) for correlation in (own, rival))
        )
        low, high = rank_advantage(mine, theirs, measured).interval
        held.append(low <= own - abs(rival) <= high)
    assert np.mean(held) >= 0.93


def test_a_random_order_reaches_the_chance_correlation_once_in_twenty() -> None:
    # Large n: Spearman's coefficient is normal with standard deviation 1 / sqrt(n - 1) (Kendall & Gibbons).
    assert chance_correlation(101, rng=rng()) == pytest.approx(1.6449 / 10, abs=0.01)
    # n = 5, all 120 orders: 1 and four of 0.9 are 5 of 120 (4.2 %), three of 0.8 make 8 of 120 (6.7 %): below 0.9, not below 0.8.
    assert chance_correlation(5, rng=rng()) == pytest.approx(0.9, abs=1e-9)
    assert math.isnan(chance_correlation(5, confidence=0.999, rng=rng()))


@pytest.mark.parametrize("n", [5, 6, 7])
def test_chance_stays_below_it_in_every_order_that_there_is(n: int) -> None:
    # Spearman's own formula on every order; of whole numbers, so that nothing is rounded.
    squares = [sum((a - b) ** 2 for a, b in enumerate(order)) for order in itertools.permutations(range(n))]
    found = [1 - 6 * square / (n * (n**2 - 1)) for square in squares]
    bar = chance_correlation(n, rng=rng())
    reached = [sum(value >= at - 1e-9 for value in found) / len(found) for at in (bar, bar - 12 / (n * (n**2 - 1)))]
    assert reached[0] <= 0.05 < reached[1]  # and no lower bar would do


def test_depth_is_a_rival_in_either_direction() -> None:
    measured = np.arange(20.0)
    noisy = measured + np.random.default_rng(0).normal(0, 6, 20)
    lead = rank_advantage(noisy, -measured, measured)
    assert lead.value == pytest.approx(float(scipy_stats.spearmanr(noisy, measured).statistic) - 1)
    assert lead.interval.high <= 0
    shuffled = np.random.default_rng(1).permutation(20)
    ahead = rank_advantage(measured, shuffled, measured)
    assert ahead.interval.low > 0
    assert ahead.interval.high <= 1  # no correlation exceeds another's size by more
    assert math.isnan(rank_advantage(measured[:4], shuffled[:4], measured[:4]).interval.low)


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
    assert str(evidence).startswith("No unit was measured")


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


def a_few_measured(seed: int, *, n_measured: int = 12, error: float = 0.3) -> tuple[list[str], Array, Array, Array]:
    """The units of 24 layers, of which few were measured, evenly from the predicted order; their names, and what all of them truly cost."""
    generator = np.random.default_rng(seed)
    n_units = 24 * 7 + 2
    truth = generator.permutation(np.geomspace(0.1, 10, n_units))
    predicted = truth * generator.lognormal(0, error, n_units)
    shown = np.argsort(predicted)[np.linspace(0, n_units - 1, n_measured).round().astype(int)]
    texts = generator.lognormal(0, 0.1, (2, n_units, N_SEQUENCES))
    measured = np.full((n_units, N_SEQUENCES), math.nan)
    measured[shown] = truth[shown, np.newaxis] * texts[0, shown]
    return [f"layers.{i}" for i in range(n_units)], truth, predicted[:, np.newaxis] * texts[1], measured


def test_twelve_units_in_perfect_order_certify_no_unit_that_is_otherwise() -> None:
    """Their order is certain, and beats depth; what is not is how far one of the other 158 lies from its prediction."""
    n_wrong = []
    for seed in itertools.count():
        units, truth, predicted, measured = a_few_measured(seed)
        if not np.isclose(rank_correlation(predicted.sum(axis=1), measured.sum(axis=1)).value, 1):
            continue
        evidence, advice, source = judge(units, np.full(len(units), 1000.0), predicted, measured, rng=rng())
        assert (source, evidence.correlation.n, evidence.holds) == ("predicted", 12, True)
        shares = dict(zip(units, truth / truth.mean(), strict=True))
        n_wrong.append(sum(own.standing is Standing.SAFE and shares[own.unit] >= 0.5 for own in advice))
        by_text = [ratio_of_sums(row, predicted.mean(axis=0), confidence=0.95 ** (1 / len(units))) for row in predicted]
        is_unsafe = np.array([shares[unit] >= 0.5 for unit in units])
        assert is_unsafe[[share.interval.high < 0.5 for share in by_text]].any()  # what the text alone calls certain
        assert sum(own.standing is Standing.SAFE for own in advice) > 5  # what is far from the line is told
        if len(n_wrong) == 20:
            break
    assert np.mean(np.array(n_wrong) > 0) <= 0.05


def test_an_order_of_29_units_that_is_nearly_right_gives_verdicts() -> None:
    generator = np.random.default_rng(0)
    truth = generator.permutation(np.geomspace(0.1, 10, 29))
    predicted = (truth * generator.lognormal(0, 0.4, 29))[:, np.newaxis] * generator.lognormal(
        0, 0.2, (29, N_SEQUENCES)
    )
    fresh = truth[:, np.newaxis] * generator.lognormal(0, 0.2, (29, 20))
    units, nothing = [f"layers.{i}" for i in range(29)], np.full_like(predicted, math.nan)
    evidence, advice, source = judge(units, np.full(29, 1000.0), predicted, nothing, fresh, rng=rng())
    assert 0.95 < evidence.correlation.value < 0.98
    assert evidence.holds
    assert source == "freshly measured"
    assert "fresh text" in str(evidence)
    assert {own.standing for own in advice} == set(Standing)
    shares = fresh.sum(axis=1) / fresh.sum() * 29
    assert {own.unit: own.share.value for own in advice} == pytest.approx(dict(zip(units, shares, strict=True)))


def test_measured_costs_are_judged_and_fresh_ones_are_their_check() -> None:
    units, saved, nats = spread(6)
    fresh = nats[:, :15] * np.random.default_rng(1).lognormal(0, 0.1, (N_UNITS, 15))
    evidence, advice, source = judge(units, saved, nats[::-1], nats, fresh, rng=rng())
    assert source == "measured"
    assert evidence.compared == "measured costs with those measured on fresh text"
    expected = scipy_stats.spearmanr(nats.sum(axis=1), fresh.sum(axis=1)).statistic
    assert evidence.correlation.value == pytest.approx(float(expected))
    assert {own.standing for own in advice} == set(Standing)


def test_each_reason_for_no_verdict_is_its_own_sentence() -> None:
    units, saved, nats = spread(7)

    def doubt(measured: Array, predicted: Array = nats) -> str:
        evidence, advice, _ = judge(units, saved, predicted, measured, rng=rng())
        assert {own.standing for own in advice} == {Standing.UNDECIDED}
        assert "No verdict is given." in str(evidence)
        return evidence.doubt

    def only(n: int) -> Array:
        return np.where(np.arange(N_UNITS)[:, np.newaxis] < n, nats, math.nan)

    assert doubt(only(0)).startswith("No unit was measured")
    assert doubt(only(3)).startswith("Only 3 of 24 units were measured, and an order is checked by at least 5;")
    assert doubt(np.where(np.isnan(only(9)), math.nan, 1.0)) == (
        "The order was not checked: all 9 units that were measured cost the same."
    )
    noise = np.random.default_rng(2).lognormal(0, 1, (N_UNITS, N_SEQUENCES))
    assert doubt(noise).startswith("The order is not certain")
    assert "--measure" not in doubt(noise)
    rising = nats[np.argsort(nats.sum(axis=1))]
    assert doubt(rising, rising).startswith("Depth order may do as well")


def test_the_error_of_a_prediction_is_that_of_a_hand_calculation() -> None:
    # Logarithms of measured / predicted 0, 1, 0, 1, 0.5 and a common factor of 7: standard deviation 0.5; Student's t with 4 degrees
    # of freedom reaches 2.776445 of them at 95 %, times sqrt(1 + 1 / 5) for one more unit.
    measured = 7 * np.exp([0, 1, 0, 1, 0.5])
    assert prediction_reach(np.ones(5), measured) == pytest.approx(0.5 * math.sqrt(1.2) * 2.776445)
    assert math.isnan(prediction_reach(np.ones(5), [1, 2, 3, 4, 0]))
