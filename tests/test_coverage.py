"""The coverage certificate, small and seeded: our intervals hold the truth as often as they say, in every scenario of the benchmark."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_benchmark", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = benchmark()


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
