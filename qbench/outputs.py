"""Output folders of lm-eval: what ``lm_eval --log_samples --output_path DIR`` wrote, for any task and any type of model.

DIR/[model/]results_<date>.json
DIR/[model/]samples_<task>_<date>.jsonl
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qbench.errors import RunError, SamplesError
from qbench.records import RUN_FILE, Run, directions, read_run
from qbench.samples import Sample, read_samples

TURNING = frozenset({"perplexity"})
"""Aggregations of lm-eval that fall as the values of the items rise: exp(-mean) of log-likelihoods."""
SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d{2}-\d{2}T[\d.-]+)\.jsonl")


@dataclass(frozen=True)
class Output:
    """One run of lm_eval."""

    name: str
    files: Mapping[str, Path]
    """The samples of each task; of several runs in one folder, those of the last."""
    info: Mapping[str, Any]
    """What the results file says: model_name, model_source, git_hash and so on; empty without one."""
    known: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """By task what the results files say of its metrics; see `item_directions`."""

    shares = None
    """lm_eval asks everything; see `qbench.records.Run.shares`."""
    bank_sha256 = ""
    """It writes down no bank."""

    @property
    def tasks(self) -> list[str]:
        return list(self.files)

    def higher_is_better(self, task: str) -> Mapping[str, bool]:
        """Of each metric of a task whether more of it is better, where a results file says so."""
        return self.known.get(task, {})

    def samples(self, task: str) -> list[Sample]:
        """Read the samples of one task.

        Raises:
            SamplesError: a line is no sample, as in a file that is still being written or was cut, or the file cannot be read.
        """
        path = self.files[task]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SamplesError(
                f"{path} cannot be read ({error.strerror}). Give the files another owner, or copy them."
            ) from None
        return read_samples(path, content, "Run lm_eval with --log_samples again.")


def read_output(path: Path) -> Output | Run:
    """Read an output folder of lm_eval, one samples file of it, or the folder of one level of a sweep.

    Raises:
        RunError: there is nothing of the kind.
    """
    if (path / RUN_FILE).is_file():
        return read_run(path)
    if path.is_file():
        found = SAMPLES.fullmatch(path.name)
        own = [] if found is None else list(_read_results([path.with_name(f"results_{found['date']}.json")]))
        return Output(path.stem, {found["task"] if found else path.stem: path}, own[0] if own else {}, _known(own))
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
    results = list(_read_results(sorted(path.rglob("results_*.json"), key=lambda file: file.name)))
    return Output(path.name, dict(sorted(files.items())), results[-1] if results else {}, _known(results))


def _date(file: Path) -> str:
    match = SAMPLES.fullmatch(file.name)
    return match["date"] if match else ""


def _read_results(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """What results files say; one that is not there or cannot be read says nothing, for the samples are what counts."""
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            continue
        if isinstance(content, dict):
            yield content


def _known(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, bool]]:
    """The directions of every task that any results file names; of several the last one's."""
    tasks = {
        task
        for content in results
        if isinstance(content.get("higher_is_better"), Mapping)
        for task in content["higher_is_better"]
    }
    return {
        task: {metric: more for content in results for metric, more in item_directions(content, task).items()}
        for task in tasks
    }


def item_directions(results: Mapping[str, Any], task: str) -> dict[str, bool]:
    """Of each metric of a task whether more of it is better in an item, from the results of lm-eval's ``evaluate`` or its results file.

    lm-eval says it of the number that it prints. Its ``perplexity`` falls as the log-likelihoods rise that are its items' values, so of an
    item more is better.
    """
    of_tasks = results.get("higher_is_better")
    printed = directions(of_tasks.get(task)) if isinstance(of_tasks, Mapping) else {}
    configs = results.get("configs")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    metrics = config.get("metric_list") if isinstance(config, Mapping) else None
    turned = {
        entry.get("metric")
        for entry in (metrics if isinstance(metrics, list) else ())
        if isinstance(entry, Mapping) and entry.get("aggregation", entry.get("metric")) in TURNING
    }
    return {metric: more is not (metric in turned) for metric, more in printed.items()}
