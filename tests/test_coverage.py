"""The coverage certificate, small and seeded: our intervals hold the truth as often as they say, in every scenario of the benchmark."""

import sys

import pytest
from scripts import benchmark

BENCHMARK = benchmark("coverage")
with pytest.MonkeyPatch.context() as patch:  # it takes its models from the file beside it
    patch.setitem(sys.modules, "coverage", BENCHMARK)
    SEQUENTIAL = benchmark("sequential")


@pytest.mark.parametrize("n_templates", [15, 30])
@pytest.mark.parametrize("scenario", BENCHMARK.SCENARIOS, ids=lambda scenario: scenario.name)
def test_our_interval_holds_the_truth_as_often_as_it_says(scenario: object, n_templates: int) -> None:
    coverage, _ = BENCHMARK.covered(scenario, BENCHMARK.ours, n_templates, n_datasets=2000, n_resamples=499, seed=0)
    assert 0.935 <= coverage <= 0.98


@pytest.mark.parametrize("n_templates", [15, 30])
@pytest.mark.parametrize("scenario", BENCHMARK.SCENARIOS, ids=lambda scenario: scenario.name)
def test_so_does_the_interval_for_fresh_items_of_these_templates(scenario: object, n_templates: int) -> None:
    method, target = BENCHMARK.ours_for_items, BENCHMARK.Target.ITEMS
    coverage, _ = BENCHMARK.covered(scenario, method, n_templates, 2000, 0, seed=0, target=target)
    assert 0.935 <= coverage <= 0.98


def test_the_interval_that_most_people_print_does_not() -> None:
    coverage, _ = BENCHMARK.covered(BENCHMARK.SCENARIOS[0], BENCHMARK.item_bootstrap, 15, 500, 499, 0)
    assert coverage < 0.9


@pytest.mark.parametrize("scenario", [*SEQUENTIAL.UNCHANGED, *SEQUENTIAL.AT_MARGIN], ids=lambda scenario: scenario.name)
def test_four_looks_miss_the_truth_no_more_often_than_one_look_may(scenario: object) -> None:
    """0.07 is 5 % and three standard errors of 1,000 data sets."""
    found = SEQUENTIAL.measured(scenario, 33, n_datasets=1000, n_resamples=499, seed=0)
    assert found.sequential.missed <= 0.07
    assert found.sequential.wrong <= 0.07
    assert found.sequential.undecided <= found.fixed.undecided + 0.12


def test_looks_save_work_where_the_answer_is_clear() -> None:
    unchanged, *_, cliff = SEQUENTIAL.LADDER
    for scenario, most in ((unchanged, 0.6), (cliff, 0.45)):
        found = SEQUENTIAL.measured(scenario, 33, n_datasets=200, n_resamples=999, seed=0)
        assert found.sequential.undecided == found.sequential.wrong == 0
        assert found.asked.mean() < most
