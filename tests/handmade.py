"""Sweeps written by hand: folders as `qbench sweep` leaves them, from scores that the test chose."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qbench import records
from qbench.samples import Sample

BANK = {"version": "1.0", "sha256": "b" * 64}


def bank_item(category: str, subcategory: str, template: str, index: int, **fields: Any) -> dict[str, Any]:
    """A document of the bank, with the fields that the reading room looks at."""
    item_id = f"{category}_{subcategory}.{template}.test.{index}"
    names = {
        "id": item_id,
        "category": category,
        "subcategory": subcategory,
        "template": template,
        "difficulty": 1 + index % 5,
    }
    return {**names, "question": f"What is {index}?", "target": str(index), **fields}


def sample(
    doc: Mapping[str, Any], doc_id: int, score: float | None, *, response: str = "an answer", **fields: Any
) -> Sample:
    """One line of a samples file. A score of None is an item that failed."""
    answered = None if score is None else 1.0
    return {
        "doc_id": doc_id,
        "doc": dict(doc),
        "target": "",
        "arguments": {"gen_args_0": {"arg_0": "a prompt"}},
        "resps": [[response]],
        "filtered_resps": [response],
        "filter": "none",
        "metrics": ["score", "answered"],
        "score": score,
        "answered": answered,
        "doc_hash": hashlib.sha256(str(sorted(doc.items())).encode()).hexdigest(),
        "prompt_hash": hashlib.sha256(str(doc_id).encode()).hexdigest(),
        "target_hash": "0",
        "failed": "the logits are NaN" if score is None else None,
        **fields,
    }


def write_run(
    folder: Path,
    tasks: Mapping[str, list[Sample]],
    *,
    bits: float = 16.0,
    bank: Mapping[str, str] = BANK,
    higher_is_better: Mapping[str, bool] | None = None,
) -> None:
    """Write one level; without a word on the metrics as runs were written before there was one."""
    cells = {}
    for task, samples in tasks.items():
        n_failed = sum(line["failed"] is not None for line in samples)
        cells[task] = {**records.write_samples(folder, task, samples), "n_failed": n_failed, "seconds": 1.5}
        if higher_is_better is not None:
            cells[task]["higher_is_better"] = dict(higher_is_better)
    records.write_json(
        folder / records.RUN_FILE,
        {
            "level": {"name": folder.name},
            "model": {"name": "nano", "sha256": "a" * 64, "n_parameters": 4_000_000},
            "bank": dict(bank),
            "versions": {"qbench": "0.1.0", "lm_eval": "0.4.13"},
            "hardware": {"machine": "x86_64", "gpu": None},
            "git_commit": None,
            "proof": {"bits_per_weight": bits, "storage_bytes": bits * 500_000},
            "cells": cells,
        },
    )


def write_plan(folder: Path, levels: list[str], tasks: list[str], **fields: Any) -> None:
    """Write sweep.json. The first level is the baseline."""
    plan = {
        "model": "nano",
        "levels": levels,
        "baseline": levels[0],
        "tasks": tasks,
        "items": 20,
        "seed": 2026,
        "bank": BANK,
    }
    records.write_json(folder / records.SWEEP_FILE, {**plan, "created": "2026-01-01T00:00:00+00:00", **fields})


LOSSES = {"fp16": 0.0, "fp16-repeat": 0.004, "q8": 0.01, "q4": 0.15, "q2": 0.8}
BITS = {"fp16": 16.0, "fp16-repeat": 16.0, "q8": 8.5, "q4": 4.5, "q2": 2.5}


def write_sweep(
    folder: Path, *, categories: tuple[str, ...] = ("numerical", "logic"), n_templates: int = 5, n_items: int = 12
) -> None:
    """Write a finished sweep: some categories of three subcategories, one foreign task, and levels that lose known shares of the items."""
    rng = np.random.default_rng(1)
    documents = {
        f"qbench_{category}_{subcategory}": [
            bank_item(category, subcategory, f"template{t}", i) for i in range(n_items) for t in range(n_templates)
        ]
        for category in categories
        for subcategory in ("one", "two", "three")
    }
    documents["gsm8k"] = [{"question": f"How many are {i}?", "answer": str(i), "steps": 1 + i % 3} for i in range(60)]
    right = {task: rng.random(len(docs)) < 0.75 for task, docs in documents.items()}
    for level, loss in LOSSES.items():
        tasks = {}
        for task, docs in documents.items():
            scores = right[task] & (rng.random(len(docs)) >= loss)
            tasks[task] = [
                sample(doc, i, float(score), response=level)
                for i, (doc, score) in enumerate(zip(docs, scores, strict=True))
            ]
        write_run(folder / level, tasks, bits=BITS[level])
    write_plan(folder, [level for level in LOSSES if not level.endswith("-repeat")], list(documents))
