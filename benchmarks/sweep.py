"""One sweep against as many runs of lm_eval, on the same items, compared item by item; and the sweep's peak memory.

    python benchmarks/sweep.py [--items 3] [--model PATH] [--batch-size 64] [--lm-eval-batch-size 1]

Everything is timed as whole processes, one after the other, in this one run. Both sides get the same batch size unless told otherwise.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from qbench.records import read_sweep
from qbench.sweep import DEFAULT_LEVELS


@dataclass(frozen=True)
class Process:
    seconds: float
    peak_bytes: int


def measure(command: list[str]) -> Process:
    """Run a command to its end; its wall-clock time and peak resident memory."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TQDM_DISABLE": "1"}
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    return Process(time.perf_counter() - started, usage.ru_maxrss * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--items", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lm-eval-batch-size", type=int, help="lm_eval's own default is 1 (default here: ours)")
    parser.add_argument("--tasks", default="qbench_*")
    options = parser.parse_args()
    qbench = [sys.executable, "-m", "qbench"]
    with tempfile.TemporaryDirectory() as folder:
        sweep_command = [*qbench, "sweep", "--tasks", options.tasks, "--items", str(options.items)]
        sweep_command += ["--batch-size", str(options.batch_size)]
        sweep_command += ["--model", options.model] if options.model else []
        ours = measure([*sweep_command, "--no-noise-floor", "--run", f"{folder}/sweep"])
        fp16_alone = measure([*sweep_command, "--levels", "fp16", "--run", f"{folder}/fp16"])
        sweep = read_sweep(Path(folder) / "sweep")
        model_args = f"pretrained={options.model}," if options.model else ""
        theirs, n_items, n_equal, n_same_score = [], 0, 0, 0
        for level in DEFAULT_LEVELS:
            output = Path(folder) / "lm_eval" / level
            command = [
                *qbench,
                "lm-eval",
                "run",
                "--model",
                "qbench",
                "--model_args",
                f"{model_args}level={level}",
                "--tasks",
                options.tasks,
            ]
            command += [
                "--batch_size",
                str(options.lm_eval_batch_size or options.batch_size),
                "--metadata",
                json.dumps({"qb_items": options.items}),
            ]
            theirs.append(measure([*command, "--log_samples", "--output_path", str(output)]))
            run = sweep.run(level)
            for task in run.tasks:
                (path,) = output.rglob(f"samples_{task}_*.jsonl")
                other = {row["doc"]["id"]: row for row in map(json.loads, path.read_text().splitlines())}
                for sample in run.samples(task):
                    if sample["failed"]:  # not applicable: lm_eval has no such state
                        continue
                    twin = other[sample["doc"]["id"]]
                    n_items += 1
                    n_equal += sample["resps"] == twin["resps"]
                    n_same_score += sample["score"] == twin["score"]
            print(f"{level:>5}  lm_eval {theirs[-1].seconds:6.1f} s", flush=True)
    total = sum(process.seconds for process in theirs)
    print(f"seven runs of lm_eval   {total:7.1f} s")
    print(f"one sweep               {ours.seconds:7.1f} s   {total / ours.seconds:.1f} times faster")
    print(f"same score              {n_same_score} of {n_items} items, identical response {n_equal}")
    print(
        f"peak memory             {ours.peak_bytes / 2**20:.0f} MiB, {ours.peak_bytes / fp16_alone.peak_bytes:.2f} times that of fp16 alone"
    )


if __name__ == "__main__":
    main()
