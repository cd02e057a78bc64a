"""The main job: the same questions at every level, one finished file after the other.

Tasks are built once and the weights are read once; each level is made in place from the same memory-mapped checkpoint. Every cell (one
task at one level) is evaluated by lm-eval itself, on batches that never cross a cell, so that a sweep which was killed and continued
ends bit-identical to one that was not.
"""

import contextlib
import io
import logging
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import sanitize_list
from tqdm import tqdm

from qbench import bank, levels, records
from qbench.errors import BankError, QBenchError, RunError, did_you_mean
from qbench.models import Note, QBenchLM, nano_path
from qbench.records import REPEAT, Sample

DEFAULT_LEVELS = ("fp16", "q8", "q6", "q5", "q4", "q3", "q2")
DEFAULT_TASKS = ("qbench_*",)
DEFAULT_BATCH_SIZE = 64
LIBRARIES = ("qbench", "lm_eval", "torch", "transformers", "torchao", "datasets", "numpy", "scipy", "sympy")


@dataclass(frozen=True)
class Plan:
    """What a sweep asks, of what, at which levels. Two sweeps with the same plan write the same samples."""

    model: str
    model_sha256: str
    model_args: dict[str, Any]
    metadata: dict[str, Any]
    """What is handed to the tasks, such as ``qb_context_tokens``."""
    levels: list[str]
    tasks: list[str]
    items: int
    """Items a template, for tasks of the bank."""
    limit: int | None
    """Items a task, for every task; the first ones."""
    seed: int
    num_fewshot: int | None
    apply_chat_template: bool
    batch_size: int
    bank: dict[str, str]

    @property
    def baseline(self) -> str:
        return self.levels[0]


def sweep(
    model: str = "",
    *,
    levels: Sequence[str] = DEFAULT_LEVELS,
    tasks: Sequence[str] = DEFAULT_TASKS,
    run: Path | None = None,
    items: int = bank.DEFAULT_ITEMS,
    limit: int | None = None,
    seed: int = bank.DEFAULT_SEED,
    num_fewshot: int | None = None,
    apply_chat_template: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    model_args: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    include_path: Sequence[Path] = (),
    noise_floor: bool = True,
    drafts: bool = True,
    progress: bool = True,
) -> records.Sweep:
    """Evaluate a model at several levels and write everything down.

    Args:
        model: a folder or a hub id; empty for the reference model that ships with qbench.
        levels: names of levels and mixes, or paths of mixes; the first is the baseline of all comparisons.
        tasks: names or globs of lm-eval tasks, of the bank or any other.
        run: folder to write to, ``runs/<model>`` by default. If it holds the same plan, the sweep continues there.
        items: items drawn from each template of the bank.
        limit: items of each task, the first ones, as in lm-eval.
        seed: seed of the bank's items and of few-shot examples.
        num_fewshot: examples in front of each question.
        apply_chat_template: whether prompts go through the tokenizer's chat template.
        batch_size: rows in one forward pass.
        model_args: further arguments of the model, as lm-eval's ``--model_args``.
        metadata: further arguments of the tasks, as lm-eval's ``--metadata``: ``{"qb_context_tokens": [8192]}``.
        include_path: folders with task YAMLs of one's own.
        noise_floor: also evaluate the baseline a second time, at another batch size.
        drafts: verify the response of the level above before decoding (see `qbench.decoding`).
        progress: show a progress bar.

    Returns:
        The finished sweep, as `qbench.records.read_sweep` reads it.

    Raises:
        QBenchError: an unknown level or task, no such model, or a run folder with another plan.
    """
    for name in levels:
        _resolved(name)
    if not _resolved(levels[0]).is_full_precision:
        raise QBenchError(f"The first level is the baseline of every comparison and must be fp16, not {levels[0]}.")
    if own := sorted({"pretrained", "level", "batch_size"} & (model_args or {}).keys()):
        raise QBenchError(f"The model arguments must not set {', '.join(own)}: --model, --levels and --batch-size do.")
    # As lm_eval does, with the model's arguments: qbench-long counts in the tokens of its tokenizer.
    asked = {**(model_args or {}), "pretrained": model or nano_path()}
    asked |= {**(metadata or {}), "qb_items": items, "qb_seed": seed}
    manager, names = find_tasks(tasks, include_path, metadata=asked)
    run_dir = Path(run) if run else Path("runs") / Path(model or "nano").name
    with tqdm(desc="loading", disable=not progress, unit="cell", dynamic_ncols=True, file=sys.stderr) as bar:
        with quiet():
            loaded = _load_tasks(manager, names, num_fewshot, seed)
            lm = QBenchLM(pretrained=model or nano_path(), batch_size=batch_size, **(model_args or {}))
        lm.record_failures = True
        plan = Plan(
            model=model or "nano",
            model_sha256=lm.weights_sha256(),
            model_args=dict(model_args or {}),
            metadata=dict(metadata or {}),
            levels=list(levels),
            tasks=list(loaded),
            items=items,
            limit=limit,
            seed=seed,
            num_fewshot=num_fewshot,
            apply_chat_template=apply_chat_template,
            batch_size=batch_size,
            bank=bank.release(),
        )
        _write_plan(run_dir, plan)
        folders = [(name, _folder(name)) for name in levels]
        if noise_floor:
            folders.insert(1, (levels[0], _folder(levels[0]) + REPEAT))
        bar.reset(total=len(folders) * len(loaded))
        for name, folder in folders:
            _run_level(lm, name, run_dir, folder, loaded, plan, bar, drafts=drafts)
    return records.read_sweep(run_dir)


def _resolved(name: str) -> levels.Level | levels.Mix:
    return levels.resolve(name)


def _folder(level: str) -> str:
    """A level's folder: its name; for the path of a mix, the file's stem."""
    return Path(level).stem if Path(level).suffix else level


def _write_plan(run_dir: Path, plan: Plan) -> None:
    """Write sweep.json, or check that the one that is there is the same plan."""
    content = {**asdict(plan), "baseline": plan.baseline, "levels": [_folder(name) for name in plan.levels]}
    path = run_dir / records.SWEEP_FILE
    if not path.is_file():
        records.write_json(path, {**content, "created": datetime.now(UTC).isoformat(timespec="seconds")})
        return
    before = records.read_sweep(run_dir).info
    if differing := [key for key in content if before.get(key) != content[key]]:
        raise RunError(
            f"{run_dir} holds another sweep: it differs in {', '.join(differing)} (first: {before.get(differing[0])!r} there, "
            f"{content[differing[0]]!r} now). Give this one its own folder with --run, or repeat the old arguments to continue it."
        )


# ---------------------------------------------------------------- tasks


def find_tasks(
    patterns: Sequence[str], include_path: Sequence[Path] = (), metadata: dict[str, Any] | None = None
) -> tuple[TaskManager, list[str]]:
    """Return a task manager and the names that the patterns mean, each once, our leaves in the bank's order.

    lm-eval's own 10,000 tasks take seconds to index, so they are looked at only when a pattern matches none of ours.

    Raises:
        BankError: a pattern matches no task.
    """
    for folder in include_path:
        if not Path(folder).is_dir():
            raise BankError(f"There is no folder {folder} to include; name the folder that holds your task YAMLs.")
    folders = [str(bank.tasks_dir()), *map(str, include_path)]
    manager = TaskManager(include_path=folders, include_defaults=False, metadata=metadata)
    if not all(manager.match_tasks([pattern]) for pattern in patterns):
        manager = TaskManager(include_path=folders, metadata=metadata)
    _check_yaml(manager, folders)
    names: dict[str, None] = {}
    for pattern in patterns:
        matched = manager.match_tasks([pattern])
        if not matched:
            raise BankError(
                f"No task is named {pattern!r}.{did_you_mean(pattern, manager.all_tasks)} See qbench bank list, or lm_eval ls tasks."
            )
        leaves = [name for name in matched if name in manager.all_subtasks]
        names |= dict.fromkeys(leaves or matched)
    order = {category: position for position, category in enumerate(bank.CATEGORIES)}
    ours = [name for name in names if name.startswith("qbench_")]
    ours.sort(
        key=lambda name: next(
            (place for category, place in order.items() if name.startswith(f"qbench_{category}_")), len(order)
        )
    )
    return manager, [*ours, *(name for name in names if name not in ours)]


def _check_yaml(manager: TaskManager, folders: Sequence[str]) -> None:
    """lm-eval drops a YAML that it cannot read at debug level; here that is an error."""
    indexed = {entry.yaml_path.resolve() for entry in manager.task_index.values() if entry.yaml_path}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.yaml")):
            if path.resolve() not in indexed and path.parent.name != "facts" and path.stem != "release":
                bank.read_leaf(path)  # says what is wrong with the file, where that is known
                raise BankError(
                    f"lm-eval could not read {path} and would drop its task in silence; check its YAML and its include, and whether "
                    "another task has its name."
                )
            if folder != folders[0] and "templates" in (bank.task_fields(path).get("dataset_kwargs") or {}):
                bank.check_way_of_asking(path)


def _load_tasks(manager: TaskManager, names: list[str], num_fewshot: int | None, seed: int) -> dict[str, Any]:
    """Build the tasks, groups and tags resolved to their leaves; few-shot settings as lm-eval's simple_evaluate makes them."""
    loaded: dict[str, Any] = manager.load(names)["tasks"]
    for task in loaded.values():
        if num_fewshot is not None and task.get_config("num_fewshot") != 0:
            task.set_config(key="num_fewshot", value=num_fewshot)
        elif task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=seed)
    return loaded


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep lm-eval's progress bars and its notices about custom datasets off the terminal; errors still come as exceptions."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)


# ---------------------------------------------------------------- one level


def _run_level(
    lm: QBenchLM, name: str, run_dir: Path, folder: str, tasks: Mapping[str, Any], plan: Plan, bar: Any, *, drafts: bool
) -> None:
    """Evaluate every unfinished cell of one level."""
    level_dir = run_dir / folder
    info = records.read_run(level_dir).info if (level_dir / records.RUN_FILE).is_file() else None
    cells: dict[str, Any] = dict(info["cells"]) if info else {}
    portions = _portions(tasks, plan)
    unfinished = [portion for portion in portions if not all(_is_finished(level_dir, cells, task) for task in portion)]
    bar.update(len(tasks) - sum(map(len, unfinished)))
    if not unfinished:
        return
    started = time.perf_counter()
    proof = lm.set_level(name)
    seconds = time.perf_counter() - started
    is_repeat = folder.endswith(REPEAT)
    # The noise floor asks what another batch size alone changes, so it must decode for itself.
    lm.batch_size_per_gpu = max(1, plan.batch_size // 3) if is_repeat else plan.batch_size
    draft_dir = _draft_source(run_dir, plan, folder, proof.bits_per_weight) if drafts and not is_repeat else None
    for portion in unfinished:
        bar.set_description(f"{folder} {next(iter(portion)).removeprefix('qbench_')}")
        cells |= _evaluate(lm, portion, level_dir, draft_dir, plan)
        records.write_json(
            level_dir / records.RUN_FILE,
            {
                "level": {"name": folder, **_describe(lm.level)},
                **_provenance(lm, plan),
                "draft_from": draft_dir.name if draft_dir else None,
                "timing_seconds": {
                    "load_and_quantize": round(seconds, 3),
                    "evaluate": round(sum(cell["seconds"] for cell in cells.values()), 3),
                },
                "peak_memory_bytes": _peak_memory(),
                "energy_joules": None,
                "proof": proof.to_json(),
                "cells": cells,
            },
        )
        bar.update(len(portion))


PORTION_BATCHES = 4  # full batches' worth of items in a portion, so that small tasks share batches


def _portions(tasks: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """Cut the tasks into portions that are evaluated together and finished together.

    The cut follows from the plan alone, never from what is already finished: batches are then the same in a sweep that was continued.
    """
    portions: list[dict[str, Any]] = [{}]
    room = PORTION_BATCHES * plan.batch_size
    for name, task in tasks.items():
        n_items = len(task.eval_docs) if plan.limit is None else min(plan.limit, len(task.eval_docs))
        if portions[-1] and n_items > room:
            portions.append({})
            room = PORTION_BATCHES * plan.batch_size
        portions[-1][name] = task
        room -= n_items
    return portions


def _is_finished(level_dir: Path, cells: Mapping[str, Any], task: str) -> bool:
    """A cell is finished if run.json names it and its file is there; a file that was altered is an error of the reader."""
    return task in cells and records.samples_path(level_dir, task).is_file()


def _evaluate(
    lm: QBenchLM, tasks: dict[str, Any], level_dir: Path, draft_dir: Path | None, plan: Plan
) -> dict[str, Any]:
    """Let lm-eval evaluate a portion of tasks, write their samples, and return what run.json says of these cells."""
    lm.notes = {}
    lm.drafts = {prompt: draft for task in tasks for prompt, draft in _drafts(draft_dir, task)} if draft_dir else {}
    started = time.perf_counter()
    with quiet():
        results = evaluate(
            lm,
            {"tasks": tasks},
            limit=plan.limit,
            bootstrap_iters=0,  # intervals are qbench.stats' work, on pairs
            log_samples=True,
            apply_chat_template=plan.apply_chat_template,
        )
    samples = {task: [_as_written(sample, lm.notes) for sample in results["samples"][task]] for task in tasks}
    seconds_per_item = (time.perf_counter() - started) / max(1, sum(map(len, samples.values())))
    return {
        task: {
            **records.write_samples(level_dir, task, samples[task]),
            "n_failed": sum(sample["failed"] is not None for sample in samples[task]),
            "n_tokens": sum(sample["n_tokens"] for sample in samples[task]),
            "n_tokens_drafted": sum(lm.notes[prompt].accepted for prompt in _prompts(samples[task]) & lm.notes.keys()),
            "seconds": round(seconds_per_item * len(samples[task]), 3),
        }
        for task in tasks
    }


def _prompts(samples: Sequence[Sample]) -> set[str]:
    return {sample["arguments"]["gen_args_0"]["arg_0"] for sample in samples}


def _as_written(sample: Sample, notes: Mapping[str, Note]) -> Sample:
    """Bring a sample to the form that lm-eval's --log_samples writes, and add what happened to its prompt."""
    asked = [notes[arguments[0]] for arguments in sample["arguments"] if arguments[0] in notes]
    failed = next((note.failed for note in asked if note.failed), None)
    return {
        **sample,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": argument for j, argument in enumerate(arguments)}
            for i, arguments in enumerate(sample["arguments"])
        },
        "resps": sanitize_list(sample["resps"]),
        "filtered_resps": sanitize_list(sample["filtered_resps"]),
        "target": str(sample["target"]),
        **({metric: None for metric in sample["metrics"]} if failed else {}),
        "failed": failed,
        "truncated": any(note.truncated for note in asked),
        "n_tokens": sum(note.n_tokens for note in asked),
    }


def _draft_source(run_dir: Path, plan: Plan, folder: str, bits_per_weight: float) -> Path | None:
    """The run whose responses are the likeliest here: of the levels before this one, the smallest that is not smaller."""
    earlier = [_folder(name) for name in plan.levels][: [_folder(name) for name in plan.levels].index(folder)]
    sizes = {name: records.read_run(run_dir / name).info["proof"]["bits_per_weight"] for name in earlier}
    not_smaller = {name: size for name, size in sizes.items() if size >= bits_per_weight}
    return run_dir / min(not_smaller, key=not_smaller.__getitem__) if not_smaller else None


def _drafts(draft_dir: Path, task: str) -> Iterator[tuple[str, str]]:
    """Prompts and responses. Read back from the file even in one go, so that a continued sweep verifies the same drafts."""
    for sample in records.read_run(draft_dir).samples(task):
        first = sample["arguments"]["gen_args_0"]
        if isinstance(first.get("arg_1"), dict) and not sample["failed"]:
            yield first["arg_0"], sample["resps"][0][0]


# ---------------------------------------------------------------- provenance


def _provenance(lm: QBenchLM, plan: Plan) -> dict[str, Any]:
    return {
        "model": {
            "name": plan.model,
            "sha256": plan.model_sha256,
            "n_parameters": sum(parameter.numel() for parameter in lm.model.parameters()),
            "dtype": str(lm.model.dtype),
        },
        "bank": plan.bank,
        "seeds": {"items": plan.seed, "fewshot": plan.seed},
        "batch_size": lm.batch_size_per_gpu,
        "versions": {"python": platform.python_version(), **{library: version(library) for library in LIBRARIES}},
        "git_commit": _git_commit(),
        "hardware": _hardware(),
    }


def _describe(level: levels.Level | levels.Mix) -> dict[str, Any]:
    if isinstance(level, levels.Mix):
        return {"kind": "mix", "default": level.default.name, "rules": [str(rule) for rule in level.rules]}
    return {
        "kind": "level",
        "engine": level.engine,
        "bits": level.bits,
        "group_size": level.group_size,
        "symmetric": level.symmetric,
    }


def _git_commit() -> str | None:
    """Commit of the checkout that qbench runs from; None for an installed wheel."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _hardware() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _peak_memory() -> int:
    """Peak memory of the process so far, in bytes: on the GPU where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
