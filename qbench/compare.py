"""Compare runs of lm_eval, whatever their tasks and models: the statistics of a sweep for anybody's samples."""

import math
from collections.abc import Sequence
from pathlib import Path

from qbench.errors import PairingError, QBenchError
from qbench.outputs import Output, read_output
from qbench.pairing import Selection
from qbench.records import Cost, Run, Size
from qbench.report import DEFAULT_FORMATS, Report, check_formats, write_report
from qbench.report.compute import build_table
from qbench.report.table import LevelFacts, Provenance, Settings, read_target


def compare(
    base: Path,
    others: Sequence[Path],
    *,
    tasks: Sequence[str] = (),
    out: Path | None = None,
    metric: str | None = None,
    filter_name: str | None = None,
    cluster: str | None = None,
    margin: float = 2.0,
    confidence: float = 0.95,
    by: str | None = None,
    n_resamples: int = 9999,
    seed: int = 0,
    target: str = "templates",
    formats: Sequence[str] = DEFAULT_FORMATS,
) -> Report:
    """Compare other runs with a base run, item by item.

    Args:
        base: output folder of lm_eval with ``--log_samples``, a samples file of it, or the folder of one level of a sweep.
        others: further ones, which answered the same items.
        tasks: which tasks; those that all runs have if not given.
        out: folder for the report; nothing is written without it.
        metric, filter_name, cluster: see `qbench.pairing.Selection`.
        margin, confidence, by, n_resamples, seed, target, formats: as for `qbench.report.report`.

    Raises:
        RunError: a folder without samples.
        PairingError: no task in common, or the runs did not answer the same items with the same prompts.
    """
    check_formats(formats)
    runs = [read_output(Path(path)) for path in (base, *others)]
    names = _names([Path(path) for path in (base, *others)])
    levels = {name: (run, _facts(name, run)) for name, run in zip(names, runs, strict=True)}
    table = build_table(
        levels,
        _tasks(names, runs, tasks),
        Settings(margin, confidence, by, n_resamples, seed, read_target(target)),
        _provenance(names, runs),
        select=Selection(metric, filter_name, cluster),
    )
    return write_report(table, out, formats)


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart.

    Raises:
        QBenchError: the same path twice.
    """
    parts = [path.resolve().parts for path in paths]
    if len(set(parts)) < len(parts):
        repeated = next(path for path, own in zip(paths, parts, strict=True) if parts.count(own) > 1)
        raise QBenchError(f"{repeated} is given twice; a run is compared with other runs.")
    length = 1
    while len({own[-length:] for own in parts}) < len(parts):
        length += 1
    return ["/".join(own[-length:]) for own in parts]


def _tasks(names: Sequence[str], runs: Sequence[Output | Run], wanted: Sequence[str]) -> list[str]:
    for name, run in zip(names, runs, strict=True):
        if missing := [task for task in wanted if task not in run.tasks]:
            raise PairingError(f"{name} has no samples of {', '.join(missing)}; it has {', '.join(run.tasks)}.")
    common = [task for task in runs[0].tasks if all(task in run.tasks for run in runs)]
    if not common:
        had = "; ".join(f"{name}: {', '.join(run.tasks)}" for name, run in zip(names, runs, strict=True))
        raise PairingError(f"The runs have no task in common ({had}). Run lm_eval with the same --tasks for each.")
    return list(wanted) or common


def _facts(name: str, run: Output | Run) -> LevelFacts:
    size, cost = (run.facts.proof, run.facts.cost) if isinstance(run, Run) else (Size(), Cost())
    return LevelFacts(
        name,
        size.bits_per_weight,
        size.storage_bytes,
        cost,
        seconds=math.nan,
        n_tokens=math.nan,
        n_items=0,
        n_failed=0,
    )


def _model(run: Output | Run) -> str:
    """The model's name as the results file of lm-eval or the run of a sweep has it; empty where there is none."""
    return run.facts.model.name if isinstance(run, Run) else str(run.info.get("model_name") or "")


def _provenance(names: Sequence[str], runs: Sequence[Output | Run]) -> Provenance:
    info = runs[0].info
    versions = {field: str(info[field]) for field in ("lm_eval_version", "transformers_version") if info.get(field)}
    commit = info.get("git_hash")
    return Provenance(
        run="",
        model="",  # every run may be of another one
        model_sha256="",
        n_parameters=None,
        bank_version="",
        bank_sha256="",
        seed=None,
        created="",
        git_commit=str(commit) if commit else None,
        versions=versions,
        hardware={},
        models={name: _model(run) for name, run in zip(names, runs, strict=True)},
    )
