"""The main job: the same questions at every level, one finished file after the other.

Tasks are built once and the weights are read once; each level is made in place from the same memory-mapped checkpoint. Every cell (one
task at one level) is evaluated by lm-eval itself, on batches that never cross a cell, so that a sweep which was killed and continued
ends bit-identical to one that was not.

A sweep that ends when everything is decided asks in looks that were declared beforehand (`qbench.looks`). What a look decides is the
reading room's word; here it only says what is asked next.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lm_eval.evaluator import evaluate
from lm_eval.utils import sanitize_list
from tqdm import tqdm

from qbench import bank, levels, looks, provenance, records
from qbench import cost as costs
from qbench.answering import Answering
from qbench.errors import QBenchError, RunError, did_you_mean
from qbench.gguf.files import open_file
from qbench.harness import find_tasks, load_tasks, quiet
from qbench.levels import Rung
from qbench.models import nano_path, open_model
from qbench.notes import Note
from qbench.quant.as_is import quantization
from qbench.quant.weights import Checkpoint
from qbench.records import REPEAT, Sample
from qbench.report.compute import verdicts
from qbench.report.table import Settings

DEFAULT_LEVELS = ("fp16", "q8", "q6", "q5", "q4", "q3", "q2")
DEFAULT_TASKS = ("qbench_*",)
DEFAULT_BATCH_SIZE = 64
DECIDED = "decided"
DEFAULT_ENGINE = "intx"
OWN_ARGUMENTS = {"pretrained", "level", "batch_size", "engine", "model_backend"}
"""Of a model, which the sweep sets."""


@dataclass(frozen=True)
class Plan:
    """What a sweep asks, of what, at which levels. Two sweeps with the same plan write the same samples."""

    model: str
    model_sha256: str
    engine: str
    model_args: dict[str, Any]
    metadata: dict[str, Any]
    """What is handed to the tasks, such as ``qb_context_tokens``."""
    levels: list[str]
    stored_as: dict[str, dict[str, Any]]
    """Each level in full: a mix by its rules, a ready-made checkpoint by its hash."""
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
    margin: float
    """Percentage points of loss that were declared not to matter, and the confidence of the intervals. Without ``until`` they change no
    sample, so those of the first command stay declared and a later one may have others."""
    confidence: float
    until: str | None = None
    """``decided`` if the sweep may end before everything is asked; then margin, confidence and the looks say when."""
    looks: list[dict[str, Any]] | None = None
    model_backend: str | None = None
    """The program that runs the levels, where it is not the engine's own."""

    @property
    def baseline(self) -> str:
        return self.levels[0]


@dataclass(frozen=True)
class Cell:
    """One task at one level; in a sequential sweep the part of it that one look asks."""

    task: str
    built: Any
    n_items: int
    look: int | None = None
    items: list[int] | None = None
    """Which documents, by position in ascending order; None for all that the plan's limit allows."""

    @property
    def name(self) -> str:
        return records.cell_name(self.task, self.look)


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
    engine: str = DEFAULT_ENGINE,
    model_backend: str | None = None,
    noise_floor: bool = True,
    drafts: bool = True,
    cost: bool = True,
    until: str | None = None,
    margin: float = 2.0,
    confidence: float = 0.95,
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
        engine: what makes and runs the levels: ``intx``, or ``gguf`` for files of llama.cpp.
        model_backend: ``vllm`` has vLLM run the levels; by default the engine does.
        noise_floor: also evaluate the baseline a second time, at another batch size.
        drafts: verify the response of the level above before decoding (see `qbench.decoding`).
        cost: measure each level's speed and energy on a prompt of its own, for a second or two (see `qbench.cost`).
        until: ``decided`` asks in looks, and no category at a level any more once its repeated interval leaves 0 out or lies inside the
            margin (see `qbench.stats.sequential`). What is asked is a part of what is asked without it.
        margin: percentage points of loss that are declared, beforehand, not to matter; written down before the first item is asked.
        confidence: of the intervals, with ``until`` of all looks at once; written down likewise.
        progress: show a progress bar.

    Returns:
        The finished sweep, as `qbench.records.read_sweep` reads it.

    Raises:
        QBenchError: an unknown level or task, no such model, or a run folder with another plan.
    """
    _check_names(levels)
    if not _resolved(levels[0]).is_full_precision:
        raise QBenchError(f"The first level is the baseline of every comparison and must be fp16, not {levels[0]}.")
    if until is not None:
        _check_looks(until, levels, limit)
    settings = Settings(margin, confidence)
    if own := sorted(OWN_ARGUMENTS & (model_args or {}).keys()):
        raise QBenchError(
            f"The model arguments must not set {', '.join(own)}: --model, --levels, --batch-size, --engine and --model-backend do."
        )
    # As lm_eval does, with the model's arguments: qbench-long counts in the tokens of its tokenizer.
    asked = {**(model_args or {}), "pretrained": model or nano_path()}
    asked |= {**(metadata or {}), "qb_items": items, "qb_seed": seed}
    manager, names = find_tasks(tasks, include_path, metadata=asked)
    run_dir = Path(run) if run else Path("runs") / Path(model or "nano").name
    with tqdm(desc="loading", disable=not progress, unit="cell", dynamic_ncols=True, file=sys.stderr) as bar:
        with quiet():
            loaded = load_tasks(manager, names, num_fewshot, seed)
            started = time.perf_counter()
            lm = open_model(
                model_backend,
                pretrained=model or nano_path(),
                engine=engine,
                batch_size=batch_size,
                **(model_args or {}),
            )
            load_seconds = time.perf_counter() - started
        lm.record_failures = True
        documents = (
            {name: [dict(document) for document in task.eval_docs] for name, task in loaded.items()} if until else {}
        )
        checked = {name: lm.check_level(name) for name in levels}  # now, and not after hours of other levels
        plan = Plan(
            model=model or "nano",
            model_sha256=lm.weights_sha256(),
            engine=engine,
            model_args=dict(model_args or {}),
            metadata=dict(metadata or {}),
            levels=list(levels),
            stored_as={_folder(name): _describe(level) for name, level in checked.items()},
            tasks=list(loaded),
            items=items,
            limit=limit,
            seed=seed,
            num_fewshot=num_fewshot,
            apply_chat_template=apply_chat_template,
            batch_size=batch_size,
            bank=bank.release(),
            margin=margin,
            confidence=confidence,
            until=until,
            looks=looks.declared(documents, seed=seed, confidence=confidence) if until else None,
            model_backend=model_backend,
        )
        _write_plan(run_dir, plan)
        folders = [(name, _folder(name)) for name in levels]
        if noise_floor:
            folders.insert(1, (levels[0], _folder(levels[0]) + REPEAT))
        bench = _Bench(lm, run_dir, plan, bar, drafts=drafts, with_speed=cost, load_seconds=load_seconds)
        if until:
            _ask_in_looks(bench, folders, loaded, documents, settings)
        else:
            cells = [Cell(name, task, _n_items(task, limit)) for name, task in loaded.items()]
            bar.reset(total=len(folders) * len(cells))
            for name, folder in folders:
                _run_level(bench, name, folder, cells)
    return records.read_sweep(run_dir)


def _check_looks(until: str, levels: Sequence[str], limit: int | None) -> None:
    """Refuse what cannot be asked in looks.

    Raises:
        QBenchError: another end than ``decided``, a limit, or nothing to compare with the baseline.
    """
    if until != DECIDED:
        raise QBenchError(
            f"A sweep can go on until everything is {DECIDED!r}, not until {until!r}.{did_you_mean(until, [DECIDED])}"
        )
    if limit is not None:
        raise QBenchError(
            "--limit takes the first items of each task, and --until decided adds whole templates; leave --limit out, and make the sweep "
            "smaller with --items."
        )
    if len(levels) < 2:
        raise QBenchError("--until decided compares levels with the first; name at least one more with --levels.")


def _n_items(task: Any, limit: int | None) -> int:
    return len(task.eval_docs) if limit is None else min(limit, len(task.eval_docs))


def _resolved(name: str) -> Rung:
    return levels.resolve(name)


def _check_names(names: Sequence[str]) -> None:
    """Every name is a level, and no two would be written to the same folder."""
    for name in names:
        _resolved(name)
    folders = [_folder(name) for name in names]
    if twice := [name for name, folder in zip(names, folders, strict=True) if folders.count(folder) > 1]:
        raise QBenchError(
            f"The levels {' and '.join(twice)} would be written to one folder; name each once, or rename a file."
        )


def _folder(level: str) -> str:
    """A level's folder: its name as it was typed; that of a mix or a checkpoint for their paths."""
    is_path = level.startswith(levels.AS_IS) or Path(level).suffix
    return _resolved(level).name if is_path else level


def _write_plan(run_dir: Path, plan: Plan) -> None:
    """Write sweep.json, or check that the one that is there is the same plan."""
    content = {**asdict(plan), "baseline": plan.baseline, "levels": [_folder(name) for name in plan.levels]}
    path = run_dir / records.SWEEP_FILE
    if not path.is_file():
        records.write_json(path, {**content, "created": datetime.now(UTC).isoformat(timespec="seconds")})
        return
    before = records.read_sweep(run_dir).info
    free = () if plan.until else ("margin", "confidence")
    if differing := [key for key in content if key not in free and before.get(key) != content[key]]:
        raise RunError(
            f"{run_dir} holds another sweep: it differs in {', '.join(differing)} (first: {before.get(differing[0])!r} there, "
            f"{content[differing[0]]!r} now). Give this one its own folder with --run, or repeat the old arguments to continue it."
        )


# ---------------------------------------------------------------- looks


def _ask_in_looks(
    bench: "_Bench",
    folders: Sequence[tuple[str, str]],
    tasks: Mapping[str, Any],
    documents: Mapping[str, Sequence[dict[str, Any]]],
    settings: Settings,
) -> None:
    """Ask look after look what is not decided yet, and write down what each look decided before the next one is asked.

    The baseline and the noise floor are asked what any level is asked.
    """
    plan, run_dir = bench.plan, bench.run_dir
    look_of = {task: looks.look_of_each(found, task=task, seed=plan.seed) for task, found in documents.items()}
    groups = {task: looks.groups(found, task=task) for task, found in documents.items()}
    everything = sorted(set().union(*groups.values()))
    compared = [_folder(name) for name in plan.levels[1:]]
    found = records.read_sweep(run_dir).verdicts
    wanted = dict.fromkeys(compared, everything)
    n_looks, n_all = len(plan.looks or ()), len(compared) * len(everything)
    for look in range(1, n_looks + 1):
        if not any(wanted.values()):
            break
        anywhere = set().union(*wanted.values())
        cells = {
            folder: [
                Cell(task, built, len(items), look, items)
                for task, built in tasks.items()
                if not groups[task].isdisjoint(wanted.get(folder, anywhere))
                and (items := [position for position, own in enumerate(look_of[task]) if own == look])
            ]
            for _, folder in folders
        }
        bench.bar.reset(total=sum(map(len, cells.values())))
        for name, folder in folders:
            _run_level(bench, name, folder, cells[folder])
        if look > len(found):
            said = verdicts(records.read_sweep(run_dir), settings)
            found.append({level: {name: said[level][name] for name in names} for level, names in wanted.items()})
            records.write_verdicts(run_dir, found)
        wanted = records.undecided(found[look - 1])
        n_open = sum(map(len, wanted.values()))
        if not bench.bar.disable:
            tqdm.write(f"look {look} of {n_looks}: {n_all - n_open} of {n_all} cells are decided", file=sys.stderr)


# ---------------------------------------------------------------- one level


@dataclass(frozen=True)
class _Bench:
    """What every cell of a sweep needs: the model, where to write to, and the plan."""

    lm: Answering
    run_dir: Path
    plan: Plan
    bar: Any
    drafts: bool
    with_speed: bool
    load_seconds: float


def _run_level(bench: _Bench, name: str, folder: str, cells: Sequence[Cell]) -> None:
    """Evaluate every unfinished cell of one level."""
    lm, plan, level_dir = bench.lm, bench.plan, bench.run_dir / folder
    info = records.read_run(level_dir).info if (level_dir / records.RUN_FILE).is_file() else None
    finished: dict[str, Any] = dict(info["cells"]) if info else {}
    portions = _portions(cells, plan)
    unfinished = [
        portion for portion in portions if not all(_is_finished(level_dir, finished, cell) for cell in portion)
    ]
    bench.bar.update(len(cells) - sum(map(len, unfinished)))
    if not unfinished:
        return
    if lm.is_in_process:
        costs.reset_peak()
    started = time.perf_counter()
    with quiet():
        proof = lm.set_level(name)
    quantize_seconds = time.perf_counter() - started
    # A level that is gone on with was measured when it was first made.
    cost = (info or {}).get("cost") or _cost(bench, quantize_seconds)
    is_repeat = folder.endswith(REPEAT)
    # The noise floor asks what another batch size alone changes, so it must decode for itself.
    lm.batch_size_per_gpu = max(1, plan.batch_size // 3) if is_repeat else plan.batch_size
    with_drafts = bench.drafts and lm.takes_drafts and not is_repeat
    sources = _draft_sources(bench.run_dir, plan, folder, proof.bits_per_weight) if with_drafts else []
    for portion in unfinished:
        bench.bar.set_description(f"{folder} {portion[0].name.removeprefix('qbench_')}")
        finished |= _evaluate(lm, portion, level_dir, sources, plan)
        records.write_json(
            level_dir / records.RUN_FILE,
            {
                "level": {"name": folder, **plan.stored_as[_folder(name)]},
                **_provenance(lm, plan),
                **({"shares": [look["share"] for look in plan.looks]} if plan.looks else {}),
                "draft_from": sources[0].dir.name if sources else None,
                "cost": {**cost, "peak_bytes": _peak_bytes(lm, cost)},
                "proof": proof.to_json(),
                "cells": finished,
            },
        )
        bench.bar.update(len(portion))


def _cost(bench: _Bench, quantize_seconds: float) -> dict[str, Any]:
    """What a level takes once it is made."""
    lm = bench.lm
    speed = costs.measure(lm.timed_pass, lm.max_length) if bench.with_speed and lm.can_be_timed else costs.Speed()
    return {
        "load_seconds": bench.load_seconds,
        "quantize_seconds": quantize_seconds,
        "device": lm.device.type,
        "arithmetic": _arithmetic(lm.level),
        "resident_bytes": costs.resident_bytes() if lm.is_in_process else None,
        **asdict(speed),
    }


def _peak_bytes(lm: Answering, cost: Mapping[str, Any]) -> int | None:
    return max(costs.peak_bytes(), cost.get("peak_bytes", 0)) if lm.is_in_process else None


def _arithmetic(level: Rung) -> str:
    """What the model computes with: where codes are turned back into full-precision weights, a level is as fast as the baseline."""
    if level.is_full_precision:
        return "full precision"
    return "native" if level.is_made_on_loading else "dequantized"


PORTION_BATCHES = 4  # full batches' worth of items in a portion, so that small tasks share batches


def _portions(cells: Sequence[Cell], plan: Plan) -> list[list[Cell]]:
    """Cut cells into portions that are evaluated together and finished together.

    The cut follows from the cells alone, never from what is already finished: batches are then the same in a sweep that was continued.
    """
    portions: list[list[Cell]] = []
    room = 0
    for cell in cells:
        if not portions or cell.n_items > room:
            portions.append([])
            room = PORTION_BATCHES * plan.batch_size
        portions[-1].append(cell)
        room -= cell.n_items
    return portions


def _is_finished(level_dir: Path, finished: Mapping[str, Any], cell: Cell) -> bool:
    """A cell is finished if run.json names it and its file is there; a file that was altered is an error of the reader."""
    return cell.name in finished and records.samples_path(level_dir, cell.name).is_file()


def _evaluate(
    lm: Answering, cells: Sequence[Cell], level_dir: Path, sources: Sequence[records.Run], plan: Plan
) -> dict[str, Any]:
    """Let lm-eval evaluate a portion of cells, write their samples, and return what run.json says of them."""
    lm.notes = {}
    lm.drafts = {prompt: draft for cell in cells for prompt, draft in _drafts(sources, cell)}
    # Few-shot examples that are drawn at random: the same at every level, and in a sweep that was continued.
    for cell in cells:
        cell.built.set_fewshot_seed(seed=plan.seed)
    started = time.perf_counter()
    with quiet():
        results = evaluate(
            lm,
            {"tasks": {cell.task: cell.built for cell in cells}},
            limit=plan.limit,
            samples={cell.task: cell.items for cell in cells} if plan.looks else None,
            bootstrap_iters=0,  # intervals are qbench.stats' work, on pairs
            log_samples=True,
            apply_chat_template=plan.apply_chat_template,
        )
    samples = {
        cell.name: [_as_written(sample, lm.notes, cell.look) for sample in results["samples"][cell.task]]
        for cell in cells
    }
    seconds_per_item = (time.perf_counter() - started) / max(1, sum(map(len, samples.values())))
    return {
        name: {
            **records.write_samples(level_dir, name, written),
            "n_failed": sum(sample["failed"] is not None for sample in written),
            "n_tokens": sum(sample["n_tokens"] for sample in written),
            "n_tokens_drafted": sum(lm.notes[prompt].accepted for prompt in _prompts(written) & lm.notes.keys()),
            "seconds": round(seconds_per_item * len(written), 3),
        }
        for name, written in samples.items()
    }


def _prompts(samples: Sequence[Sample]) -> set[str]:
    return {sample["arguments"]["gen_args_0"]["arg_0"] for sample in samples}


def _as_written(sample: Sample, notes: Mapping[str, Note], look: int | None) -> Sample:
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
        **({} if look is None else {"look": look}),
    }


def _draft_sources(run_dir: Path, plan: Plan, folder: str, bits_per_weight: float) -> list[records.Run]:
    """The runs whose responses are likely here, the likeliest first: the levels before this one that are not smaller, by size."""
    names = [_folder(name) for name in plan.levels]
    earlier = [records.read_run(run_dir / name) for name in names[: names.index(folder)]]
    not_smaller = [run for run in earlier if run.info["proof"]["bits_per_weight"] >= bits_per_weight]
    return sorted(not_smaller, key=lambda run: float(run.info["proof"]["bits_per_weight"]))


def _drafts(sources: Sequence[records.Run], cell: Cell) -> Iterator[tuple[str, str]]:
    """Prompts and responses of the likeliest run that was asked this. Read back from the file even in one go, so that a continued sweep
    verifies the same drafts."""
    source = next((run for run in sources if cell.name in run.cells), None)
    for sample in source.samples_of_cell(cell.name) if source else ():
        first = sample["arguments"]["gen_args_0"]
        if isinstance(first.get("arg_1"), dict) and not sample["failed"]:
            yield first["arg_0"], sample["resps"][0][0]


# ---------------------------------------------------------------- provenance


def _provenance(lm: Answering, plan: Plan) -> dict[str, Any]:
    assert lm.proof is not None
    return {
        "model": {
            "name": plan.model,
            "sha256": plan.model_sha256,
            "n_parameters": lm.proof.n_parameters,
            "dtype": lm.weights_dtype,
        },
        "bank": plan.bank,
        "seeds": {"items": plan.seed, "fewshot": plan.seed},
        "batch_size": lm.batch_size_per_gpu,
        "engine": plan.engine,
        "model_backend": plan.model_backend,
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        "hardware": provenance.hardware(),
    }


def _describe(level: Rung) -> dict[str, Any]:
    if isinstance(level, levels.AsIs) and level.path.endswith(".gguf"):
        hashed = open_file(Path(level.path)).weights_sha256
        return {"kind": "as-is", "path": level.path, "sha256": hashed, "quantization": {"quant_method": "gguf"}}
    if isinstance(level, levels.AsIs):
        hashed = Checkpoint(level.path).sha256()
        return {"kind": "as-is", "path": level.path, "sha256": hashed, "quantization": quantization(level.path)}
    if isinstance(level, levels.Mix):
        return {"kind": "mix", "default": level.default.name, "rules": [str(rule) for rule in level.rules]}
    return {
        "kind": "level",
        "engine": level.engine,
        "bits": level.bits,
        "group_size": level.group_size,
        "symmetric": level.symmetric,
    }
