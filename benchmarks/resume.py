"""Kill a sweep with SIGKILL at random moments, continue it, and compare every sample file with an undisturbed sweep.

python benchmarks/resume.py [--kills 10] [--seed 0]
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def sample_files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob("*/samples_*.jsonl"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", default="qbench_numerical_*,qbench_knowledge_*")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "qbench",
            "sweep",
            "--tasks",
            options.tasks,
            "--items",
            "1",
            "--batch-size",
            "2",
            "--run",
        ]
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        subprocess.run([*command, str(undisturbed)], check=True, capture_output=True)
        for number in range(options.kills):
            # So many new cells, and a moment more: the kill falls into a cell, or into the writing of one.
            wanted, moment = len(sample_files(killed)) + moments.randrange(4), moments.uniform(0, 3)
            process = subprocess.Popen(
                [*command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            while len(sample_files(killed)) < wanted and process.poll() is None:
                time.sleep(0.01)
            time.sleep(moment)
            still_running = process.poll() is None
            if still_running:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            state = "killed" if still_running else "was finished"
            print(f"kill {number + 1:>2}: {state}, {len(sample_files(killed))} cells on disk", flush=True)
        subprocess.run([*command, str(killed)], check=True, capture_output=True)
        same = sample_files(killed) == sample_files(undisturbed)
        print(
            f"{len(sample_files(undisturbed))} sample files, {'all identical' if same else 'DIFFERENT'} to an undisturbed sweep"
        )
        sys.exit(not same)


if __name__ == "__main__":
    main()
