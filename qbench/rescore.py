"""Judge stored responses again with today's scorers, and show what changed: weights are not needed, and nothing is overwritten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench import records
from qbench.errors import RunError
from qbench.pairing import ITEM_FIELDS
from qbench.scoring import choice_results, declinable_choice_results, process_results

SHOWN = 20  # changes that are printed


@dataclass(frozen=True)
class Change:
    """An item whose score is another one today."""

    level: str
    task: str
    item: str
    before: float
    after: float
    response: str
    target: str


@dataclass(frozen=True)
class Rescored:
    """What a second judgement found."""

    n_items: int
    changes: tuple[Change, ...]
    skipped: tuple[str, ...]
    """Tasks that are not of the bank; only their authors' code can score them."""

    def __str__(self) -> str:
        up = sum(change.after > change.before for change in self.changes)
        lines = [
            f"{self.n_items:,} responses judged again: {up} score more than before, {len(self.changes) - up} less."
        ]
        for change in self.changes[:SHOWN]:
            response = " ".join(change.response.split())[-80:]
            lines.append(
                f"  {change.level} {change.item}: {change.before:g} -> {change.after:g}  …{response!r}, target {change.target!r}"
            )
        if len(self.changes) > SHOWN:
            lines.append(f"  and {len(self.changes) - SHOWN} more")
        if self.skipped:
            lines.append(f"Not of the bank, left as they were: {', '.join(self.skipped)}.")
        return "\n".join(lines)


def rescore(run: Path, *, out: Path | None = None) -> Rescored:
    """Judge every response of a sweep again.

    Args:
        run: folder of a sweep.
        out: folder for a copy of the sweep with today's scores; nothing is written without it.

    Raises:
        RunError: no sweep there, or ``out`` exists already.
    """
    sweep = records.read_sweep(Path(run))
    if out is not None and Path(out).exists():
        raise RunError(f"{out} exists already; name a folder that does not.")
    names = [name for name in (*sweep.levels, sweep.noise_floor) if name is not None]
    changes: list[Change] = []
    skipped: dict[str, None] = {}
    n_items = 0
    for name in dict.fromkeys(names):
        level = sweep.run(name)
        cells = {}
        for cell in level.cells:
            samples = level.samples_of_cell(cell)
            if all(sample["doc"].keys() >= ITEM_FIELDS for sample in samples):
                judged = [_judged_again(sample) for sample in samples]
                changes += [
                    _change(name, records.task_of(cell), before, after)
                    for before, after in zip(samples, judged, strict=True)
                    if before.get("score") != after["score"]
                ]
                n_items += len(samples)
                samples = judged
            else:
                skipped[records.task_of(cell)] = None
            if out is not None:
                cells[cell] = {**level.info["cells"][cell], **records.write_samples(Path(out) / name, cell, samples)}
        if out is not None:
            records.write_json(Path(out) / name / records.RUN_FILE, {**level.info, "cells": cells})
    if out is not None:
        records.write_json(Path(out) / records.SWEEP_FILE, sweep.info)
        if sweep.verdicts:  # of the scores of that time: they say why no more was asked
            records.write_verdicts(Path(out), sweep.verdicts)
    return Rescored(n_items, tuple(changes), tuple(skipped))


def _judged_again(sample: Mapping[str, Any]) -> records.Sample:
    """The sample with today's metrics; one that failed stays as it is, for it has no response."""
    if sample.get("failed"):
        return dict(sample)
    first = sample["resps"][0][0]
    if isinstance(first, str):
        metrics = process_results(sample["doc"], [first])
    else:
        likelihoods = [(float(value), str(greedy) == "True") for ((value, greedy),) in sample["resps"]]
        declinable = "hallucinated" in sample["metrics"]
        metrics = (declinable_choice_results if declinable else choice_results)(sample["doc"], likelihoods)
    return {**sample, **metrics, "metrics": list(metrics)}


def _change(level: str, task: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    responses: Sequence[Any] = before["resps"][0]
    return Change(
        level,
        task,
        str(before["doc"]["id"]),
        float(before.get("score") or 0),
        float(after["score"]),
        str(responses[0]),
        str(before["doc"].get("target", "")),
    )
