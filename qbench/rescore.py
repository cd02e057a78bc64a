"""Judge stored responses again with today's scorers, and show what changed: weights are not needed, and nothing is overwritten."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench import records
from qbench.errors import RunError, SamplesError
from qbench.samples import Sample, is_item
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
        SamplesError: a sample lacks what a scorer needs.
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
            if all(is_item(sample.get("doc", {})) for sample in samples):
                _check(samples, records.samples_path(level.dir, cell))
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


def _check(samples: Sequence[Sample], path: Path) -> None:
    """
    Raises:
        SamplesError: one cannot be judged; the message has the file and the line.
    """
    for number, sample in enumerate(samples, start=1):
        if flaw := _flaw(sample):
            raise SamplesError(
                f"Line {number} of {path} cannot be judged again: {flaw}. Restore the file from a copy, or sweep again."
            )


def _flaw(sample: Sample) -> str:
    """What keeps an item of the bank from being judged; empty if nothing does."""
    document, responses = sample["doc"], sample.get("resps")
    if type(sample.get("score", "")) not in (float, int, types.NoneType) or not responses or not responses[0]:
        return "it has no score or no response"
    if sample.get("failed"):
        return ""
    if isinstance(responses[0][0], str):
        return "" if _is_object(document.get("answer")) else "the answer of its document is no JSON object"
    if not all(len(own) == 1 and _is_likelihood(own[0]) for own in responses) or "metrics" not in sample:
        return "its responses are neither a text nor a log-likelihood for each choice"
    if not 1 < len(responses) == len(document.get("choices", ())):
        return "its document has another number of choices"
    if not 0 <= document.get("target_index", -1) < len(responses):
        return "the target of its document is none of the choices"
    return ""


def _is_object(text: Any) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (RecursionError, TypeError, ValueError):
        return False


def _is_likelihood(response: Any) -> bool:
    """Whether it is a number, which lm-eval writes as text, and whether the choice was the greedy one."""
    try:
        value, _ = response
        float(value)
    except (OverflowError, TypeError, ValueError):
        return False
    return True


def _judged_again(sample: Mapping[str, Any]) -> Sample:
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
