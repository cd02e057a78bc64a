"""What a level costs: counters of energy as Linux shows them, medians by hand, memory that was really taken."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from qbench import cost
from qbench.cost import NEW_TOKENS, PROMPT_TOKENS, Counter, Speed, energy_counters


def zone(powercap: Path, folder: str, name: str, microjoules: int) -> Path:
    """A zone of /sys/class/powercap (Linux's Documentation/power/powercap)."""
    path = powercap / folder
    path.mkdir()
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text("262143328850\n")
    return path


def test_a_package_and_its_memory_are_counted_once(tmp_path: Path) -> None:
    zones = [
        zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000),
        zone(tmp_path, "intel-rapl:0:0", "core", 3_000_000),  # part of the package
        zone(tmp_path, "intel-rapl:0:1", "dram", 1_000_000),
        zone(tmp_path, "intel-rapl:1", "psys", 9_000_000),  # the package, and more, once again
        zone(tmp_path, "intel-rapl-mmio:0", "package-0", 5_000_000),  # the same package by another way
    ]
    counters = [counter for counter in energy_counters(tmp_path) if counter.source == "rapl"]
    before = [counter.read() for counter in counters]
    for path in zones:
        (path / "energy_uj").write_text(str(int((path / "energy_uj").read_text()) + 2_500_000))
    assert [counter.since(reading) for counter, reading in zip(counters, before, strict=True)] == [2.5, 2.5]


def test_a_counter_that_started_again_goes_on() -> None:
    assert Counter("rapl", lambda: 1.5, wraps_at=100.0).since(99.0) == pytest.approx(2.5)


def test_a_machine_that_reports_nothing_has_no_energy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (unreadable / "energy_uj").unlink()
    monkeypatch.setattr(cost, "POWERCAP", tmp_path)
    assert [counter.source for counter in energy_counters(tmp_path) if counter.source == "rapl"] == []
    monkeypatch.setattr(cost, "energy_counters", lambda: [])
    assert cost.measure(lambda n_prompt, n_new: (0.5, 0.5), 1024).energy_joules is None


def test_speed_is_the_median_of_the_repeats_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([(100.0, 100.0), (1.0, 4.0), (2.0, 8.0), (9.0, 2.0), (3.0, 9.0), (2.5, 8.5)])
    joules = iter([10.0, 60.0])
    monkeypatch.setattr(cost, "energy_counters", lambda: [Counter("rapl", lambda: next(joules))])
    measured = cost.measure(lambda n_prompt, n_new: next(seconds), 1024)
    assert measured == Speed(PROMPT_TOKENS / 2.5, NEW_TOKENS / 8.0, (60.0 - 10.0) / 5, ("rapl",))


def test_a_slow_model_is_measured_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))  # ten seconds between two looks
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    passes: list[int] = []

    def timed_pass(n_prompt: int, n_new: int) -> tuple[float, float]:
        passes.append(n_prompt)
        return 1.0, 1.0

    cost.measure(timed_pass, 1024)
    assert len(passes) == 1 + cost.FEWEST_REPEATS


@pytest.mark.parametrize(("window", "expected"), [(40, 40 - NEW_TOKENS), (NEW_TOKENS, None)])
def test_a_small_window_is_respected(window: int, expected: int | None) -> None:
    prompts: list[int] = []

    def timed_pass(n_prompt: int, n_new: int) -> tuple[float, float]:
        assert n_prompt + n_new <= window
        prompts.append(n_prompt)
        return 1.0, 1.0

    measured = cost.measure(timed_pass, window)
    assert measured.prompt_tokens_per_second == expected
    assert set(prompts) == ({expected} if expected else set())


def test_a_pass_reads_the_prompt_at_once_and_the_rest_token_by_token(random_llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    lengths: list[int] = []
    model.register_forward_pre_hook(lambda m, a, inputs: lengths.append(inputs["input_ids"].shape[1]), with_kwargs=True)
    prompt_seconds, generation_seconds = cost.timed_pass(model, 20, 3)
    assert lengths == [20, 1, 1, 1]
    assert 0 < prompt_seconds < math.inf
    assert 0 < generation_seconds < math.inf


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU its own memory is measured")
def test_a_new_peak_forgets_the_old_one() -> None:
    size = 200 * 2**20
    before = cost.resident_bytes()
    block = torch.ones(size // 4)
    assert cost.resident_bytes() >= before + 0.9 * size
    assert cost.peak_bytes() >= before + 0.9 * size
    del block
    cost.reset_peak()
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system cannot forget a peak")
    assert cost.peak_bytes() < before + 0.5 * size


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_reports_its_energy() -> None:
    pytest.importorskip("pynvml")
    (counter,) = [counter for counter in energy_counters() if counter.source == "nvml"][:1]
    before = counter.read()
    matrix = torch.ones(4096, 4096, device="cuda")
    for _ in range(200):
        matrix = (matrix @ matrix).clamp(max=1)
    torch.cuda.synchronize()
    assert counter.since(before) > 0
