"""``accelerate launch`` with two processes against one: the same level, the same items, the same samples?

    python benchmarks/processes.py [--limit 4] [--level q4] [--model PATH]
    python benchmarks/processes.py --write    # also quote the result in docs/speed.md

On processors alone (gloo), one thread each. Both runs are lm_eval's own command line; what is compared are the samples that it writes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from quoting import quote

from qbench.models import nano_path

TASKS = ("qbench_numerical_arithmetic", "qbench-choice-numerical-arithmetic")
LAUNCH = ("-m", "accelerate.commands.launch", "--cpu", "--num_machines", "1", "--mixed_precision", "no")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=4, help="items of each task")
    parser.add_argument("--level", default="q4")
    parser.add_argument("--model", default=nano_path())
    parser.add_argument("--write", action="store_true", help="quote the result in docs/speed.md")
    options = parser.parse_args()
    lines = compare(options.model, options.level, options.limit)
    print(*lines, sep="\n")
    if options.write:
        quote("docs/speed.md", {"processes": lines})


def compare(model: str, level: str, limit: int) -> list[str]:
    one, two = (run(n, model, level, limit) for n in (1, 2))
    if one.keys() != two.keys():
        raise SystemExit(f"Not the same items: {len(one)} with one process, {len(two)} with two.")
    generated = [key for key in one if isinstance(one[key][0][0], str)]
    chosen = [key for key in one if key not in generated]
    same = sum(one[key] == two[key] for key in generated)
    apart = max(abs(a[0] - b[0]) for key in chosen for a, b in zip(scores(one[key]), scores(two[key]), strict=True))
    return [
        f"nano at {level}, {len(one)} items, two processes against one: {same} of {len(generated)} responses are the same text, and the",
        f"log-likelihoods of {sum(len(one[key]) for key in chosen)} choices are at most {apart:.1e} nats apart.",
    ]


def scores(responses: list[Any]) -> list[tuple[float, bool]]:
    return [(float(response[0][0]), response[0][1] == "True") for response in responses]


def run(n_processes: int, model: str, level: str, limit: int) -> dict[tuple[str, int], list[Any]]:
    """The responses that lm_eval writes, by task and document."""
    launched = (*LAUNCH, "--num_processes", str(n_processes), "-m", "qbench") if n_processes > 1 else ("-m", "qbench")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *launched, "lm-eval", "run", "--model", "qbench"]
        command += ["--model_args", f"pretrained={model},level={level},dtype=float32", "--tasks", ",".join(TASKS)]
        command += ["--limit", str(limit), "--batch_size", "8", "--log_samples", "--output_path", folder]
        started = time.perf_counter()
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-4000:])
        print(f"{n_processes} process(es): {time.perf_counter() - started:.0f} s", file=sys.stderr)
        found: dict[tuple[str, int], list[Any]] = {}
        for path in Path(folder).rglob("samples_*.jsonl"):
            task = path.name.removeprefix("samples_").rpartition("_")[0]
            for line in path.read_text(encoding="utf-8").splitlines():
                sample = json.loads(line)
                found[task, sample["doc_id"]] = sample["resps"]
        return found


if __name__ == "__main__":
    main()
