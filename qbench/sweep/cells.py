"""The cells of a sweep: one task at one level, evaluated by lm-eval itself and finished as one file.

Batches never cross a portion of cells, and a portion follows from the cells alone, so that a continued sweep asks in the same batches.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lm_eval.evaluator import evaluate
from lm_eval.utils import sanitize_list

from qbench import cost as costs
from qbench import provenance, records
from qbench.answering import Answering
from qbench.harness import quiet
from qbench.levels import Rung
from qbench.notes import Note
from qbench.outputs import item_directions
from qbench.records import REPEAT
from qbench.samples import Sample
from qbench.sweep.plan import Plan, folder_of


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


@dataclass(frozen=True)
class Bench:
    """What every cell of a sweep needs: the model, where to write to, and the plan."""

    lm: Answering
    run_dir: Path
    plan: Plan
    bar: Any
    drafts: bool
    with_speed: bool
    load_seconds: float


def run_level(bench: Bench, name: str, folder: str, cells: Sequence[Cell]) -> None:
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
                "level": {"name": folder, **plan.stored_as[folder_of(name)]},
                **_provenance(lm, plan),
                **({"shares": [look["share"] for look in plan.looks]} if plan.looks else {}),
                "draft_from": sources[0].dir.name if sources else None,
                "cost": {**cost, "peak_bytes": _peak_bytes(lm, cost)},
                "proof": proof.to_json(),
                "cells": finished,
            },
        )
        bench.bar.update(len(portion))


def _cost(bench: Bench, quantize_seconds: float) -> dict[str, Any]:
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
    return max(costs.peak_bytes(), cost.get("peak_bytes") or 0) if lm.is_in_process else None


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
    better = {cell.name: item_directions(results, cell.task) for cell in cells}
    return {
        name: {
            **records.write_samples(level_dir, name, written),
            "n_failed": sum(sample["failed"] is not None for sample in written),
            "n_tokens": sum(sample["n_tokens"] for sample in written),
            "n_tokens_drafted": sum(lm.notes[prompt].accepted for prompt in _prompts(written) & lm.notes.keys()),
            "seconds": round(seconds_per_item * len(written), 3),
            "higher_is_better": better[name],
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
    earlier = [records.read_run(run_dir / name) for name in plan.folders[: plan.folders.index(folder)]]
    not_smaller = [run for run in earlier if run.facts.proof.bits_per_weight >= bits_per_weight]
    return sorted(not_smaller, key=lambda run: run.facts.proof.bits_per_weight)


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
