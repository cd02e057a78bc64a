"""What qbench costs when it is not used: a Python that starts in an environment with the wheel, and ``qbench --help``.

    python benchmarks/startup.py [--pairs 300]

Two bare environments differ in nothing but the wheel. ``python -c pass`` runs in both in turn, so that whatever else the machine does
falls on both, and the difference is taken pair by pair. Exit status 1 when the interval does not lie below 2 ms.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MILLISECONDS = 2.0


def milliseconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - started)


def environment(folder: Path) -> str:
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=300)
    pairs = options.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        without, with_wheel = environment(folder / "without"), environment(folder / "with")
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", with_wheel, "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*pip, str(wheel)], check=True)
        times = np.array(
            [[milliseconds([python, "-c", "pass"]) for python in (without, with_wheel)] for _ in range(pairs)]
        )
    difference = times[:, 1] - times[:, 0]
    # A median, because one interrupted start outweighs a hundred undisturbed ones.
    interval = stats.bootstrap((difference,), np.median, method="percentile", rng=np.random.default_rng(0))
    low, high = interval.confidence_interval
    print(f"python -c pass without qbench: median {np.median(times[:, 0]):.2f} ms")
    print(f"python -c pass with the wheel: {np.median(difference):+.2f} ms [{low:+.2f}, {high:+.2f}], {pairs} pairs")
    loaded = "import sys, qbench; print(*sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'lm_eval'}))"
    shown = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    print(f"import qbench loads of torch and lm_eval: {shown.stdout.strip() or 'neither'}")
    help_command = [sys.executable, "-m", "qbench", "--help"]
    print(f"qbench --help: median {np.median([milliseconds(help_command) for _ in range(10)]):.0f} ms of 10 runs")
    return int(high >= LIMIT_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
