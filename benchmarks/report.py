"""How long a report takes, what it needs and how large it is, on a generated run of 6,000 items at 8 levels and the noise floor.

    python benchmarks/report.py [--items 6000] [--keep DIR] [--write]

It must take less than 15 seconds of a processor and 2 GB, and its page less than 15 MB; where it does not, this exits with status 1.

The questions are the bank's own; the responses are made up: worked steps and an answer, which a level garbles the more often the fewer
bits it has. The report runs as a process of its own, with the default formats and 9,999 resamples.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from quoting import quote

from qbench import records
from qbench.bank import leaves
from qbench.samples import Sample
from qbench.templates import Item

LEVELS = {  # bits per weight, and the share of items that change
    "fp16": (16.0, 0.0),
    "fp16-repeat": (16.0, 0.004),
    "q8": (8.25, 0.012),
    "q6": (6.25, 0.03),
    "attention8-mlp4": (5.2, 0.06),
    "q5": (5.25, 0.05),
    "q4": (4.25, 0.13),
    "q3": (3.25, 0.38),
    "q2": (2.25, 0.75),
}
MOST_SECONDS, MOST_MEGABYTES, MOST_PAGE = 15, 2000, 15
BANK = {"version": "1.0", "sha256": "b" * 64}
OPENINGS = ("", "Let us work it out.\n", "Step by step:\n", "We need to be careful here.\n", "First, the facts.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=6000, help="of all leaves together (default: 6000)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the run and its report there, and keep them")
    parser.add_argument("--write", action="store_true", help="quote what was measured in docs/reports.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "run"
        if not (folder / records.SWEEP_FILE).is_file():
            write_run(folder, options.items)
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "qbench", "report", str(folder)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit("qbench report failed")
        seconds, megabytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        page = (folder / "report" / "report.html").stat().st_size / 1e6
        lines = [
            f"{options.items} items at {len(LEVELS)} levels, noise floor included",
            f"{seconds:6.1f} s on a processor (limit {MOST_SECONDS} s)",
            f"{time.perf_counter() - started:6.1f} s by the clock, at a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            f"{megabytes:6.0f} MB of memory at most (limit {MOST_MEGABYTES} MB)",
            f"{page:6.1f} MB report.html (limit {MOST_PAGE} MB)",
        ]
        for path in sorted((folder / "report").rglob("*.*")):
            if path.name != "report.html":
                lines.append(f"{path.stat().st_size / 1e6:6.2f} MB {path.relative_to(folder / 'report')}")
        print("\n".join(lines))
        if options.write:
            quote("docs/reports.md", {"report": ["```text", *lines, "```"]})
        if seconds >= MOST_SECONDS or megabytes >= MOST_MEGABYTES or page >= MOST_PAGE:
            sys.exit("A limit was exceeded.")


def write_run(folder: Path, n_items: int) -> None:
    """Write a finished sweep whose losses are known."""
    rng = np.random.default_rng(2026)
    found = leaves()
    share = -(-n_items // len(found))
    documents = {leaf.task: leaf.items(items=-(-2 * share // len(leaf.templates)))[:share] for leaf in found}
    weight = {leaf.category: 0.4 + 1.4 * rng.random() for leaf in found}
    templates = {leaf.task: rng.gamma(2, 0.5, len(leaf.templates)) for leaf in found}
    right = {task: rng.random(len(items)) < 0.9 - 0.1 * _difficulty(items) for task, items in documents.items()}
    baseline = {
        task: [_response(item, bool(ok), rng) for item, ok in zip(items, right[task], strict=True)]
        for task, items in documents.items()
    }
    for level, (bits, loss) in LEVELS.items():
        cells = {}
        for leaf in found:
            items = documents[leaf.task]
            position = {template.id: i for i, template in enumerate(leaf.templates)}
            fragile = np.array([templates[leaf.task][position[item.template]] for item in items])
            garbled = rng.random(len(items)) < np.minimum(loss * weight[leaf.category] * fragile, 0.97)
            samples = []
            for i, item in enumerate(items):
                ok = bool(right[leaf.task][i]) and not garbled[i]
                same = not garbled[i] and rng.random() > 3 * loss
                response = baseline[leaf.task][i] if same else _response(item, ok, rng, loss)
                samples.append(_sample(item, i, response, ok, rng))
            cells[leaf.task] = {
                **records.write_samples(folder / level, leaf.task, samples),
                "n_failed": 0,
                "seconds": 20.0,
            }
        run = {
            "level": {"name": level},
            "model": {"name": "example-1b", "sha256": "a" * 64, "n_parameters": 1_000_000_000},
            "bank": BANK,
            "versions": {"qbench": "0.1.0", "lm_eval": "0.4.13"},
            "hardware": {"machine": "x86_64", "gpu": None},
            "git_commit": None,
            "proof": {"bits_per_weight": bits, "storage_bytes": bits / 8 * 1e9},
            "cells": cells,
        }
        records.write_json(folder / level / records.RUN_FILE, run)
    plan = {
        "model": "example-1b",
        "levels": [level for level in LEVELS if not level.endswith(records.REPEAT)],
        "baseline": "fp16",
        "tasks": list(documents),
        "items": 20,
        "seed": 2026,
        "bank": BANK,
        "created": "2026-01-01T00:00:00+00:00",
    }
    records.write_json(folder / records.SWEEP_FILE, plan)


def _difficulty(items: list[Item]) -> np.ndarray:
    return np.array([item.difficulty for item in items])


def _response(item: Item, ok: bool, rng: np.random.Generator, loss: float = 0.0) -> str:
    """Worked steps and an answer; below four bits sometimes a loop that is cut off."""
    steps = item.solution or item.reference or " ".join(item.question.split()[:60])
    opening = OPENINGS[int(rng.integers(len(OPENINGS)))]
    if ok:
        return f"{opening}{steps}\nThe answer is {item.target}."
    words = steps.split()
    if rng.random() < loss / 2:
        phrase = " ".join(words[: int(rng.integers(2, 9))])
        return f"{opening}{' '.join([phrase] * 40)}"[:900]
    wrong = re.sub(r"\d", lambda digit: str((int(digit[0]) + int(rng.integers(0, 3))) % 10), steps)
    target = item.choices[(item.target_index + 1) % len(item.choices)] if item.choices else str(rng.integers(1000))
    return f"{opening}{wrong}\nThe answer is {target}."


def _sample(item: Item, doc_id: int, response: str, ok: bool, rng: np.random.Generator) -> Sample:
    measures = {"truncated": float(len(response) >= 900), "n_tokens": float(len(response) // 4)}
    if item.category == "uncertainty":
        sure = 0.5 + 0.5 * float(rng.random())
        measures |= {"confidence": sure, "brier": 2 * (float(ok) - sure) ** 2}
    return {
        "doc_id": doc_id,
        "doc": item.row(),
        "target": item.target,
        "arguments": {"gen_args_0": {"arg_0": item.question}},
        "resps": [[response]],
        "filtered_resps": [response],
        "filter": "none",
        "metrics": ["score", "answered", *measures],
        "score": float(ok),
        "answered": float("answer is" in response),
        **measures,
        "doc_hash": item.id,
        "prompt_hash": item.id,
        "target_hash": item.id,
        "failed": None,
    }


if __name__ == "__main__":
    main()
