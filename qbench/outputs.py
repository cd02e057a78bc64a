"""Output folders of lm-eval: what ``lm_eval --log_samples --output_path DIR`` wrote, for any task and any type of model.

DIR/[model/]results_<date>.json
DIR/[model/]samples_<task>_<date>.jsonl
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.errors import RunError, SamplesError
from qbench.records import RUN_FILE, Run, Sample, read_run

SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d{2}-\d{2}T[\d.-]+)\.jsonl")


@dataclass(frozen=True)
class Output:
    """One run of lm_eval."""

    name: str
    files: Mapping[str, Path]
    """The samples of each task; of several runs in one folder, those of the last."""
    info: Mapping[str, Any]
    """What the results file says: model_name, model_source, git_hash and so on; empty without one."""

    @property
    def tasks(self) -> list[str]:
        return list(self.files)

    def samples(self, task: str) -> list[Sample]:
        """Read the samples of one task.

        Raises:
            SamplesError: a line is no JSON object, as in a file that is still being written or was cut.
        """
        path = self.files[task]
        samples = []
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                samples.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                raise SamplesError(
                    f"Line {number} of {path} is no JSON object; the file was cut or edited. Run lm_eval with --log_samples again."
                ) from None
        return samples


def read_output(path: Path) -> Output | Run:
    """Read an output folder of lm_eval, one samples file of it, or the folder of one level of a sweep.

    Raises:
        RunError: there is nothing of the kind.
    """
    if (path / RUN_FILE).is_file():
        return read_run(path)
    if path.is_file():
        found = SAMPLES.fullmatch(path.name)
        return Output(path.stem, {found["task"] if found else path.stem: path}, {})
    if not path.is_dir():
        raise RunError(f"There is no folder {path}. Give the --output_path of an lm_eval run with --log_samples.")
    files: dict[str, Path] = {}
    for file in sorted(path.rglob("samples_*.jsonl"), key=lambda file: _date(file)):
        if match := SAMPLES.fullmatch(file.name):
            files[match["task"]] = file  # a later run of the same task replaces an earlier one
    if not files:
        raise RunError(
            f"{path} holds no samples_<task>_<date>.jsonl. Run lm_eval again with --log_samples --output_path {path}."
        )
    return Output(path.name, dict(sorted(files.items())), _results(path))


def _date(file: Path) -> str:
    match = SAMPLES.fullmatch(file.name)
    return match["date"] if match else ""


def _results(path: Path) -> dict[str, Any]:
    """The last results file; what cannot be read says nothing, for the samples are what counts."""
    for file in sorted(path.rglob("results_*.json"), key=lambda file: file.name, reverse=True):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            return content
    return {}
