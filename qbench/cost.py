"""What running a level costs, as measured here: speed, memory and energy. What its weights would take in a file is the proof's business.

Speed is that of a single stream: one prompt of `PROMPT_TOKENS` synthetic tokens, then `NEW_TOKENS` greedy ones, the same at every level.
"""

import functools
import importlib
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from qbench.decoding import device_of, roomy_cache

PROMPT_TOKENS = 128
NEW_TOKENS = 32
REPEATS = 5
FEWEST_REPEATS = 3  # a median of fewer is no median
ENOUGH_SECONDS = 2.0  # after which the fewest repeats will do

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the energy counters of Intel and AMD processors; on most systems only root may read them."""


@dataclass(frozen=True)
class Speed:
    """What a fixed piece of work took. None is what could not be measured."""

    prompt_tokens_per_second: float | None = None
    generation_tokens_per_second: float | None = None
    energy_joules: float | None = None
    """Of one prompt and its new tokens, mean over the repeats; other processes on the same chips included."""
    energy_from: tuple[str, ...] = ()
    """``rapl`` (processors and their memory) and ``nvml`` (the GPUs in use): what reported."""


def measure(timed_pass: Callable[[int, int], tuple[float, float]], window: int) -> Speed:
    """Measure speed and energy, after a pass that warms up.

    Args:
        timed_pass: reads a prompt of so many tokens, generates so many more, and returns the seconds that each took.
        window: tokens that prompt and response may have together.
    """
    n_prompt = min(PROMPT_TOKENS, window - NEW_TOKENS)
    if n_prompt < 1:
        return Speed()
    timed_pass(n_prompt, NEW_TOKENS)
    counters = energy_counters()
    before = [counter.read() for counter in counters]
    started = time.perf_counter()
    passes: list[tuple[float, float]] = []
    while len(passes) < FEWEST_REPEATS or (len(passes) < REPEATS and time.perf_counter() - started < ENOUGH_SECONDS):
        passes.append(timed_pass(n_prompt, NEW_TOKENS))
    joules = sum(counter.since(reading) for counter, reading in zip(counters, before, strict=True))
    return Speed(
        prompt_tokens_per_second=n_prompt / statistics.median(prompt for prompt, _ in passes),
        generation_tokens_per_second=NEW_TOKENS / statistics.median(generation for _, generation in passes),
        energy_joules=joules / len(passes) if counters else None,
        energy_from=tuple(sorted({counter.source for counter in counters})),
    )


@torch.inference_mode()
def timed_pass(model: torch.nn.Module, n_prompt: int, n_new: int) -> tuple[float, float]:
    """Return the seconds that a causal language model takes to read ``n_prompt`` tokens, and to generate ``n_new`` behind them."""
    ids = torch.arange(1, n_prompt + 1, device=device_of(model))[None] % model.get_input_embeddings().num_embeddings  # type: ignore[operator]
    started = time.perf_counter()
    step = model(input_ids=ids, past_key_values=roomy_cache(model), use_cache=True, logits_to_keep=1)
    token = int(step.logits.argmax())  # waits for the device
    read = time.perf_counter()
    for _ in range(n_new):
        step = model(input_ids=ids.new_tensor([[token]]), past_key_values=step.past_key_values, use_cache=True)
        token = int(step.logits.argmax())
    return read - started, time.perf_counter() - read


# ---------------------------------------------------------------- memory


def resident_bytes() -> int:
    """Memory in use now: allocated on the GPUs where there are any, else resident in this process."""
    if torch.cuda.is_available():
        return sum(torch.cuda.memory_allocated(device) for device in range(torch.cuda.device_count()))
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The most that was in use since `reset_peak`; since the process began where the system cannot forget (outside Linux)."""
    if torch.cuda.is_available():
        return sum(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count()))
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> None:
    """Begin a new peak, so that one level's is not another's."""
    for device in range(torch.cuda.device_count()):
        torch.cuda.reset_peak_memory_stats(device)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # 5: forget the peak (man 5 proc)
    except OSError:
        return


# ---------------------------------------------------------------- energy


@dataclass(frozen=True)
class Counter:
    """A counter of energy that only grows, up to where it starts again."""

    source: str
    read: Callable[[], float]
    """Joules since some moment."""
    wraps_at: float = math.inf

    def since(self, before: float) -> float:
        difference = self.read() - before
        return difference if difference >= 0 else difference + self.wraps_at


def energy_counters(powercap: Path = POWERCAP) -> list[Counter]:
    """What this machine reports: processor packages and their memory by RAPL, and the GPUs that torch uses by NVML."""
    counters = [_rapl(zone) for zone in sorted(powercap.glob("intel-rapl:*")) if _is_counted(zone)]
    if torch.cuda.is_available():
        counters += _nvml()
    return counters


def _is_counted(zone: Path) -> bool:
    """A package or its DRAM, readable. Cores are part of the package, and ``psys`` is all of it once more."""
    try:
        name = (zone / "name").read_text().strip()
        return (name.startswith("package") or name == "dram") and (zone / "energy_uj").read_text() != ""
    except OSError:
        return False


def _rapl(zone: Path) -> Counter:
    def microjoules(file: str) -> float:
        return int((zone / file).read_text()) / 1e6

    return Counter("rapl", lambda: microjoules("energy_uj"), microjoules("max_energy_range_uj"))


def _nvml() -> list[Counter]:
    """One counter for each GPU that torch sees; none without nvidia-ml-py, or on a GPU older than Volta."""
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError:
        return []

    def joules(handle: object) -> float:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3

    try:
        pynvml.nvmlInit()
        uuids = [torch.cuda.get_device_properties(device).uuid for device in range(torch.cuda.device_count())]
        handles = [pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}") for uuid in uuids]
        for handle in handles:
            joules(handle)
    except pynvml.NVMLError:
        return []
    return [Counter("nvml", functools.partial(joules, handle)) for handle in handles]
