"""Files of a run that were damaged, or made to do harm: each reader takes them or says in a sentence why not."""

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench import records
from qbench.compare import compare
from qbench.errors import QBenchError, SamplesError
from qbench.outputs import read_output
from qbench.plan import plan
from qbench.report import report
from qbench.rescore import rescore
from qbench.sweep import sweep

VALUES: tuple[Any, ...] = (None, True, -1, "x", [], {}, float("nan"), float("inf"), 10**30)
TASKS = ("qbench_numerical_arithmetic", "qbench-choice-knowledge-practical")
N_REPORTED = 5  # mutations of each file that are not only read, but reported too; drawn by seed
FORMATS = ("md", "json")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two levels, as it is written today."""
    folder = tmp_path_factory.mktemp("runs") / "nano"
    sweep("", levels=["fp16", "q2"], tasks=TASKS, run=folder, limit=2, noise_floor=False, cost=False, progress=False)
    return folder


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that ended when everything was decided."""
    folder = tmp_path_factory.mktemp("looks") / "nano"
    levels = ["fp16", "q2"]
    sweep(
        "",
        levels=levels,
        tasks=TASKS[1:],
        items=1,
        run=folder,
        noise_floor=False,
        cost=False,
        progress=False,
        until="decided",
        margin=50,
    )
    return folder


def mutations(content: Any) -> Iterator[tuple[str, Any]]:
    """The content with each of its values replaced by each of VALUES, and with each of its fields left out."""
    for *keys, last in paths(content):
        for value in (*VALUES, "left out"):
            mutated = deepcopy(content)
            target = mutated
            for key in keys:
                target = target[key]
            if value == "left out":
                del target[last]
            else:
                target[last] = value
            yield f"{'.'.join(map(str, [*keys, last]))}: {value}", mutated


def paths(content: Any) -> Iterator[tuple[Any, ...]]:
    """Where the values are; of a list the first stands for all."""
    entries = content.items() if isinstance(content, dict) else list(enumerate(content))[:1]
    for key, value in entries:
        yield (key,)
        if isinstance(value, dict | list):
            yield from ((key, *below) for below in paths(value))


def some(cases: list[Any], n: int) -> list[Any]:
    chosen = np.random.default_rng(20260101).permutation(len(cases))[:n]
    return [cases[i] for i in sorted(chosen)]


def outcome(read: Callable[[], Any]) -> Any:
    """What is read, or the sentence that says why it cannot be. Whatever else is raised fails the test."""
    try:
        return read()
    except QBenchError as error:
        return str(error)


def everything(folder: Path) -> Any:
    """All that reads a sweep."""
    return report(folder, formats=FORMATS, n_resamples=49), plan(folder), rescore(folder)


@pytest.mark.parametrize("file", [records.SWEEP_FILE, f"q2/{records.RUN_FILE}", f"fp16/{records.RUN_FILE}"])
def test_whatever_a_file_of_a_run_holds_it_is_read_or_refused(run_dir: Path, tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(run_dir, tmp_path / "nano")
    check_file(folder, folder / file)


@pytest.mark.parametrize("file", [records.SWEEP_FILE, records.LOOKS_FILE, f"q2/{records.RUN_FILE}"])
def test_whatever_a_file_of_looks_holds_it_is_read_or_refused(looked_at: Path, tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(looked_at, tmp_path / "nano")
    check_file(folder, folder / file)


def check_file(folder: Path, path: Path) -> None:
    """Read every mutation of a file, and report some of those that change what was read."""

    def read() -> Any:
        found = records.read_sweep(folder)
        return repr((found.plan, found.verdicts, [found.run(level).facts for level in ("fp16", "q2")]))

    content = json.loads(path.read_text())
    if "proof" in content:
        del content["proof"]["modules"][1:]
    path.write_text(json.dumps(content))
    as_written = read()
    refused, changed = 0, []
    for where, mutated in mutations(content):
        path.write_text(json.dumps(mutated))
        found = outcome(read)
        refused += str(path.parent) in found and "cannot be read" in found
        if found != as_written:
            changed.append((where, mutated))
    assert refused >= 30
    for where, mutated in some(changed, N_REPORTED):
        path.write_text(json.dumps(mutated))
        try:
            outcome(lambda: everything(folder))
        except Exception as error:
            pytest.fail(f"{where}: {error!r}")


def compared(before: list[Any], after: list[Any], folder: Path) -> Any:
    """Compare two runs as of lm_eval, which has no hash of what it wrote."""
    for side, samples in (("before", before), ("after", after)):
        (folder / side).mkdir(exist_ok=True)
        (folder / side / "theirs.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    files = [folder / side / "theirs.jsonl" for side in ("before", "after")]
    return compare(files[0], files[1:], out=folder / "compared", formats=FORMATS, n_resamples=49)


@pytest.mark.parametrize("task", TASKS)
def test_whatever_a_line_of_samples_holds_it_is_read_or_refused(run_dir: Path, tmp_path: Path, task: str) -> None:
    folder = shutil.copytree(run_dir, tmp_path / "nano")
    level = records.read_run(folder / "q2")
    first, *others = level.samples(task)
    for where, mutated in some(list(mutations(first)), 3 * N_REPORTED):
        cell = records.write_samples(level.dir, task, [mutated, *others])
        records.write_json(
            level.dir / records.RUN_FILE,
            {**level.info, "cells": {**level.info["cells"], task: {**level.info["cells"][task], **cell}}},
        )
        after = [mutated, *others]
        try:
            outcome(lambda: everything(folder))
            outcome(partial(compared, [first, *others], after, tmp_path))
        except Exception as error:
            pytest.fail(f"{where}: {error!r}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]", r"Line 2 of .* is no JSON object"),
        (b"{", r"Line 2 of .* is no JSON object"),
        (b"[" * 100_000, r"Line 2 of .* is no JSON object"),
        (b'{"doc": "\xff"}', r"Line 2 of .* is no JSON object"),
        (b'{"metrics": 0}', r"Line 2 of .* is no sample: metrics must be a list, not 0\."),
        (b'{"doc": []}', r"Line 2 of .* is no sample: doc must be an object, not \[\]\."),
        (b'{"resps": -1}', r"Line 2 of .* is no sample: resps must be a list, not -1\."),
        (
            b'{"doc": {"id": "a", "category": {}, "subcategory": "b", "template": "c", "difficulty": 1}}',
            r"Line 2 of .* is no sample: doc\.category must be text, not \{\}\.",
        ),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(b'{"doc": {}}\n' + line + b"\n")
    with pytest.raises(SamplesError, match=message):
        read_output(path).samples("theirs")
