"""The main job: the same questions at every level, one finished file after the other.

Tasks are built once and the weights are read once; each level is made in place from the same memory-mapped checkpoint. Every cell (one
task at one level) is evaluated by lm-eval itself, on batches that never cross a cell, so that a sweep which was killed and continued
ends bit-identical to one that was not.

A sweep that ends when everything is decided asks in looks that were declared beforehand (`qbench.looks`). What a look decides is the
reading room's word; here it only says what is asked next.
"""

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from qbench import bank, looks, records
from qbench.errors import QBenchError, did_you_mean
from qbench.harness import find_tasks, load_tasks, quiet
from qbench.models import nano_path, open_model
from qbench.progress import Progress
from qbench.records import REPEAT
from qbench.report.compute import check_field, verdicts
from qbench.report.table import Settings
from qbench.sweep.cells import Bench, Cell, run_level
from qbench.sweep.plan import Plan, check_levels, described, folder_of, write_plan

DEFAULT_LEVELS = ("fp16", "q8", "q6", "q5", "q4", "q3", "q2")
DEFAULT_TASKS = ("qbench_*",)
DEFAULT_BATCH_SIZE = 64
DECIDED = "decided"
DEFAULT_ENGINE = "intx"
OWN_ARGUMENTS = {"pretrained", "level", "batch_size", "engine", "model_backend"}
"""Of a model, which the sweep sets."""
OWN_METADATA = {"qb_items": "--items", "qb_seed": "--seed"}
"""Of the tasks, likewise, and by what."""


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
    by: str | None = None,
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
        by: a field of the documents that the report is to be broken down by. It changes nothing that is asked; that there is one is checked
            before anything is.
        progress: show a progress bar.

    Returns:
        The finished sweep, as `qbench.records.read_sweep` reads it.

    Raises:
        QBenchError: an unknown level, task or field, no such model, or a run folder with another plan.
    """
    check_levels(levels)
    if until is not None:
        _check_looks(until, levels, limit)
    settings = Settings(margin, confidence)
    if own := sorted(OWN_ARGUMENTS & (model_args or {}).keys()):
        raise QBenchError(
            f"The model arguments must not set {', '.join(own)}: --model, --levels, --batch-size, --engine and --model-backend do."
        )
    if fixed := sorted(OWN_METADATA.keys() & (metadata or {}).keys()):
        ways = " and ".join(OWN_METADATA[name] for name in fixed)
        raise QBenchError(f"The metadata must not set {', '.join(fixed)}; use {ways}.")
    # As lm_eval does, with the model's arguments: qbench-long counts in the tokens of its tokenizer.
    asked = {**(model_args or {}), "pretrained": model or nano_path()}
    asked |= {**(metadata or {}), "qb_items": items, "qb_seed": seed}
    manager, names = find_tasks(tasks, include_path, metadata=asked)
    run_dir = Path(run) if run else Path("runs") / Path(model or "nano").name
    with Progress("cell", shown=progress) as bar:
        with quiet():
            loaded = load_tasks(manager, names, num_fewshot, seed)
            if by is not None:
                check_field(by, [dict(document) for task in loaded.values() for document in _asked(task, limit)])
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
        if lm.caution:
            tqdm.write(f"qbench: {lm.caution}", file=sys.stderr)
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
            stored_as={folder_of(name): described(level) for name, level in checked.items()},
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
        write_plan(run_dir, plan)
        folders = list(zip(levels, plan.folders, strict=True))
        if noise_floor:
            folders.insert(1, (plan.baseline, plan.folders[0] + REPEAT))
        bench = Bench(lm, run_dir, plan, bar, drafts=drafts, with_speed=cost, load_seconds=load_seconds)
        if until:
            _ask_in_looks(bench, folders, loaded, documents, settings)
        else:
            cells = [Cell(name, task, _n_items(task, limit)) for name, task in loaded.items()]
            bar.begin(len(folders) * len(cells))
            for name, folder in folders:
                run_level(bench, name, folder, cells)
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


def _asked(task: Any, limit: int | None) -> Iterator[Mapping[str, Any]]:
    """The documents of a task that are asked."""
    return itertools.islice(iter(task.eval_docs), limit)


# ---------------------------------------------------------------- looks


def _ask_in_looks(
    bench: Bench,
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
    compared = plan.folders[1:]
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
        bench.bar.begin(sum(map(len, cells.values())))
        for name, folder in folders:
            run_level(bench, name, folder, cells[folder])
        if look > len(found):
            said = verdicts(records.read_sweep(run_dir), settings)
            found.append({level: {name: said[level][name] for name in names} for level, names in wanted.items()})
            records.write_verdicts(run_dir, found)
        wanted = records.undecided(found[look - 1])
        n_open = sum(map(len, wanted.values()))
        if not bench.bar.disable:
            tqdm.write(f"look {look} of {n_looks}: {n_all - n_open} of {n_all} cells are decided", file=sys.stderr)
