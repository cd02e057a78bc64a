"""From the files of a sweep to the table: read, pair, and let qbench.stats say what changed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qbench.errors import QBenchError, RunError, did_you_mean
from qbench.pairing import COUNTED, LESS_IS_BETTER, MEASURES, Answers, Direction, Selection, pair_levels
from qbench.records import RUN_FILE, Run, Sweep, go_on, read_run
from qbench.report.expected import Comparison, Scope, place, scopes, statements
from qbench.report.origins import facts_of, provenance_of
from qbench.report.rows import Sequential, Statistics
from qbench.report.scores import Scores
from qbench.report.table import (
    ItemRow,
    Kind,
    LevelFacts,
    Looks,
    Provenance,
    Rank,
    Row,
    Settings,
    Table,
    TemplateRow,
    ladder,
)
from qbench.stats import (
    SHARES,
    Cliff,
    Estimate,
    Target,
    cliff,
    holm,
    joint_confidence,
    look_confidences,
    rank_intervals,
    template_differences,
)

NO_FRESH_ITEMS = (
    "A sequential sweep is stopped by what it says about other templates like these, and which templates it asks depends on that; "
    "--target items needs a sweep of a fixed size."
)
MAX_VALUES = 100  # of a field that a report is broken down by; more is an identifier, not a group


def build(sweep: Sweep, settings: Settings) -> Table:
    """Read a finished sweep and compute everything that a report says.

    Raises:
        RunError: cells are missing, or no task was evaluated.
        PairingError: the levels did not answer the same items.
    """
    names = [name for name in sweep.levels if name not in (sweep.baseline, sweep.noise_floor)]
    names = [name for name in (sweep.baseline, sweep.noise_floor, *names) if name is not None]
    runs = _finished_runs(sweep, names)
    levels = {name: (run, facts_of(name, run)) for name, run in zip(names, runs, strict=True)}
    table = build_table(levels, sweep.tasks, settings, provenance_of(sweep, runs[0]), noise_floor=sweep.noise_floor)
    if table.looks is None:
        return table
    declared = sum(sum(look.items.values()) for look in sweep.plan.looks or ())
    asked = sum(facts.n_items for facts in table.levels)
    share = asked / (declared * len(table.levels)) if declared > 0 else math.nan
    return replace(table, looks=replace(table.looks, share_asked=share))


def verdicts(sweep: Sweep, settings: Settings) -> dict[str, dict[str, str]]:
    """What the looks so far say of each category, and of each task not of the bank, at each level but the baseline.

    They are the verdicts that a report would print if the sweep ended here.
    """
    names = [name for name in sweep.levels if name != sweep.baseline]
    baseline, others = sweep.run(sweep.baseline), [sweep.run(name) for name in names]
    scores = Scores.of([pair_levels(baseline, others, task) for task in sweep.tasks])
    rows = _groups(scores, Sequential(names, settings, sweep.shares or SHARES))
    return {name: {row.name: str(row.cells[i].verdict) for row in rows} for i, name in enumerate(names)}


def build_table(
    levels: Mapping[str, tuple[Answers, LevelFacts]],
    tasks: Sequence[str],
    settings: Settings,
    provenance: Provenance,
    *,
    noise_floor: str | None = None,
    select: Selection | None = None,
) -> Table:
    """Pair every level with the first and compute everything that a report says.

    Raises:
        PairingError: the levels did not answer the same items.
    """
    names = list(levels)
    (baseline, _), *others = levels.values()
    scores = Scores.of([pair_levels(baseline, [run for run, _ in others], task, select=select) for task in tasks])
    shares = next((run.shares for run, _ in levels.values() if run.shares), None)
    if shares and settings.target is Target.ITEMS:
        raise QBenchError(NO_FRESH_ITEMS)
    compute = Sequential(names[1:], settings, shares) if shares else Statistics(names[1:], settings)
    breakdown = _breakdown(scores, compute, settings.by) if settings.by else ()
    rows = _rows(scores, compute)
    facts = tuple(facts for _, facts in levels.values())
    return Table(
        provenance=provenance,
        settings=settings,
        baseline=names[0],
        noise_floor=noise_floor,
        looks=Looks(shares, look_confidences(settings.confidence, shares)) if shares else None,
        levels=facts,
        cliffs=_cliffs(rows, facts[1:], settings, noise_floor),
        ranking=_ranking(scores, compute),
        difficulty=_by_difficulty(scores, compute),
        measures=_measures(scores, compute),
        templates=_templates(scores, settings),
        items=_items(scores),
        rows=rows,
        breakdown=breakdown,
        hallucination=_hallucination(scores, compute),
        expected=_comparisons(scores, compute, rows),
    )


# ---------------------------------------------------------------- reading


def _finished_runs(sweep: Sweep, names: Sequence[str]) -> list[Run]:
    """The runs of all levels.

    Raises:
        RunError: cells are missing; the message says which, and how to get them.
    """
    if not sweep.tasks or len(names) < 2:
        raise RunError(
            f"{sweep.dir} has {len(sweep.tasks)} tasks and {len(names)} levels; a report compares at least one task at two levels."
        )
    if sweep.shares and not sweep.is_decided:
        raise RunError(
            f"{sweep.dir} is not finished: {len(sweep.verdicts)} of at most {len(sweep.shares)} looks are, and not everything is decided. "
            f"{go_on(sweep.dir)}"
        )
    missing: dict[str, list[str]] = {}
    for name in names:
        finished = read_run(sweep.dir / name).tasks if (sweep.dir / name / RUN_FILE).is_file() else []
        if unfinished := [task for task in sweep.tasks if task not in finished]:
            missing[name] = unfinished
    if missing:
        n_missing = sum(map(len, missing.values()))
        where = "; ".join(f"{name}: {_names(tasks, sweep.tasks)}" for name, tasks in missing.items())
        raise RunError(
            f"{sweep.dir} is not finished: {n_missing} of {len(names) * len(sweep.tasks)} cells are missing ({where}). "
            f"{go_on(sweep.dir)}"
        )
    return [sweep.run(name) for name in names]


def _names(tasks: Sequence[str], of: Sequence[str]) -> str:
    """Tasks for a message: all, one by name, or how many and the first."""
    if len(tasks) == len(of):
        return "all"
    return tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks, first {tasks[0]}"


# ---------------------------------------------------------------- the main table


def _rows(scores: Scores, compute: Statistics) -> tuple[Row, ...]:
    """Categories of the bank, all of them together, then the other tasks. Holm's family is everything but the row of all."""
    rows = _with_holm(_groups(scores, compute))
    n_categories = sum(row.kind is Kind.CATEGORY for row in rows)
    if n_categories > 1:
        rows.insert(n_categories, compute.row(scores, scores.in_bank, Kind.ALL, "all"))
    return tuple(rows)


def _groups(scores: Scores, compute: Statistics) -> list[Row]:
    """Categories of the bank, then the other tasks."""
    categories = list(dict.fromkeys(scores.category[scores.in_bank].tolist()))
    others = list(dict.fromkeys(scores.task[~scores.in_bank].tolist()))
    return [
        *(compute.row(scores, scores.in_bank & (scores.category == name), Kind.CATEGORY, name) for name in categories),
        *(compute.row(scores, ~scores.in_bank & (scores.task == name), Kind.TASK, name) for name in others),
    ]


def _with_holm(rows: list[Row]) -> list[Row]:
    adjusted = np.array(
        [
            holm(p_values)
            for p_values in zip(*([cell.difference.p_value for cell in row.cells] for row in rows), strict=True)
        ]
    ).T
    return [
        replace(row, cells=tuple(replace(cell, p_holm=float(p)) for cell, p in zip(row.cells, p_values, strict=True)))
        for row, p_values in zip(rows, adjusted, strict=True)
    ]


def _breakdown(scores: Scores, compute: Statistics, by: str) -> tuple[Row, ...]:
    """One row for each value of a field of the documents; items whose document lacks it are in none.

    Raises:
        QBenchError: `check_field` refuses the field.
    """
    names = check_field(by, scores.documents)
    values = np.array([str(document[by]) if by in document else None for document in scores.documents], dtype=object)
    return tuple(_with_holm([compute.row(scores, values == value, Kind.FIELD, value) for value in names]))


def check_field(by: str, documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values of a field that a report is to be broken down by, in order.

    Raises:
        QBenchError: no document has the field, or its values are too many to be groups.
    """
    found = {str(document[by]) for document in documents if by in document}
    if not found:
        known = sorted({str(name) for document in documents for name in document})
        raise QBenchError(f"No document has a field {by!r}.{did_you_mean(by, known)} There are: {', '.join(known)}.")
    if len(found) > MAX_VALUES:
        raise QBenchError(
            f"The field {by!r} has {len(found)} values; a breakdown shows at most {MAX_VALUES}. Choose a coarser field."
        )
    return sorted(found, key=_natural)


def _hallucination(scores: Scores, compute: Statistics) -> tuple[Row, ...]:
    """How often a question that has no answer is answered: in each category that asks some, and in all of them."""
    unanswerable = np.array(
        [bool(scores.in_bank[i]) and _has_no_answer(scores.documents[i]) for i in range(len(scores.task))]
    )
    answered = replace(
        scores,
        baseline=scores.baseline_answered * (1 - scores.baseline),
        levels=scores.answered * (1 - scores.levels),
        direction=np.full(len(scores.task), Direction.LOWER),
    )
    categories = list(dict.fromkeys(scores.category[unanswerable].tolist()))
    groups = {name: unanswerable & (scores.category == name) for name in categories}
    if len(categories) > 1:
        groups["all"] = unanswerable
    return tuple(compute.row(answered, items, Kind.HALLUCINATION, name) for name, items in groups.items())


def _has_no_answer(document: Mapping[str, Any]) -> bool:
    """Whether the right thing is to decline: the target abstains, or is the choice that declines."""
    if document.get("declining_index", -1) >= 0:
        return bool(document["declining_index"] == document["target_index"])
    try:
        return bool(json.loads(document["answer"])["type"] == "abstain")
    except (KeyError, TypeError, ValueError):  # a document of another version of the bank
        return False


# ---------------------------------------------------------------- beyond the main table


def _cliffs(
    rows: Sequence[Row], levels: Sequence[LevelFacts], settings: Settings, noise_floor: str | None
) -> dict[str, Cliff]:
    """The bracket of each row, along the ladder."""
    positions = ladder(levels, noise_floor)
    names = [levels[position].name for position in positions]
    return {
        row.name: cliff(
            names,
            [row.gain(row.cells[position]) for position in positions],
            margin=settings.margin / 100 if row.is_share else 0.0,
        )
        for row in rows
    }


def _ranking(scores: Scores, compute: Statistics) -> dict[str, tuple[Rank, ...]]:
    """The categories of the bank at each level, the greatest loss first, with intervals that hold all at once."""
    categories = list(dict.fromkeys(scores.category[scores.in_bank].tolist()))
    if len(categories) < 2:
        return {}
    joint = replace(
        compute,
        settings=replace(compute.settings, confidence=joint_confidence(compute.settings.confidence, len(categories))),
    )
    differences = [joint.differences(scores, scores.in_bank & (scores.category == name), name) for name in categories]
    found = {}
    for position, level in enumerate(compute.levels):
        ranks = rank_intervals([of_category[position].interval for of_category in differences])
        order = np.argsort([of_category[position].value for of_category in differences], kind="stable")
        found[level] = tuple(Rank(categories[i], rank, *ranks[i]) for rank, i in enumerate(order, start=1))
    return found


def _by_difficulty(scores: Scores, compute: Statistics) -> tuple[Row, ...]:
    values = np.unique(scores.difficulty[scores.in_bank])
    return tuple(
        compute.row(scores, scores.in_bank & (scores.difficulty == value), Kind.FIELD, f"{value:g}") for value in values
    )


def _measures(scores: Scores, compute: Statistics) -> tuple[Row, ...]:
    """A row for each measure, over all items that have it, and one for the calibration error."""
    rows = []
    known = {"answered": (scores.baseline_answered, scores.answered), **scores.measures}
    for name in ("answered", *MEASURES, "divergence"):
        if name not in known:
            continue
        baseline, levels = known[name]
        measured = replace(
            scores,
            baseline=baseline,
            levels=levels,
            direction=np.full(len(scores.task), Direction.LOWER if name in LESS_IS_BETTER else Direction.HIGHER),
            is_share=np.full(len(scores.task), True),
        )
        if (items := ~np.isnan(baseline)).any():
            rows.append(compute.row(measured, items, Kind.MEASURE, name, largest=name in COUNTED))
    if "confidence" in scores.measures and (items := ~np.isnan(scores.measures["confidence"][0])).any():
        rows.append(compute.calibration(scores, items))
    return tuple(rows)


def _templates(scores: Scores, settings: Settings) -> tuple[TemplateRow, ...]:
    places = list(zip(scores.category.tolist(), scores.stratum.tolist(), scores.template.tolist(), strict=True))
    items = np.flatnonzero(scores.in_bank)
    numbers: dict[tuple[str, str, str], int] = {}
    template = np.array([numbers.setdefault(places[i], len(numbers)) for i in items.tolist()], dtype=np.intp)
    if not numbers:
        return ()
    baseline = scores.baseline[items]
    known = ~np.isnan(baseline)
    counts = np.bincount(template[known], minlength=len(numbers))
    sums = np.bincount(template[known], baseline[known], minlength=len(numbers))
    differences = template_differences(
        baseline, scores.levels[items], template, scores.draw[items], confidence=settings.confidence
    )
    return tuple(
        TemplateRow(
            name, category, stratum, float(sums[i] / counts[i]) if counts[i] else math.nan, tuple(differences[i])
        )
        for (category, stratum, name), i in numbers.items()
    )


def _items(scores: Scores) -> tuple[ItemRow, ...]:
    everything = np.column_stack([scores.baseline, scores.levels])
    return tuple(
        ItemRow(
            str(scores.item_id[i]),
            str(scores.task[i]),
            str(scores.category[i]),
            str(scores.template[i]),
            float(scores.difficulty[i]),
            scores.documents[i],
            tuple(map(float, everything[i])),
            scores.responses[i],
        )
        for i in range(len(scores.task))
    )


def _natural(value: str) -> tuple[float, str]:
    """Sort numbers by size and in front of words."""
    try:
        return float(value), value
    except ValueError:
        return math.inf, value


def _comparisons(scores: Scores, compute: Statistics, rows: Sequence[Row]) -> tuple[Comparison, ...]:
    """Measured beside expected: scopes of several categories first, then each category with the document's words."""
    found = []
    general = scopes()[0]
    for scope in scopes():
        present = [category for category in scope.categories if np.any(scores.in_bank & (scores.category == category))]
        if not present:
            continue
        name = (
            scope.name
            if len(present) == len(scope.categories)
            else f"{scope.name} ({len(present)} of {len(scope.categories)})"
        )
        losses = compute.losses(scores, scores.in_bank & np.isin(scores.category, present), scope.name)
        found += _beside(scope, name, dict(zip(compute.levels, losses, strict=True)))
    for row in rows:
        if row.kind is Kind.CATEGORY:
            losses_of_row = {cell.level: cell.relative_loss for cell in row.cells}
            said = statements(row.name)
            found += [
                replace(entry, statement=said.get(entry.level, ""))
                for entry in _beside(general, row.name, losses_of_row)
            ]
    return tuple(found)


def _beside(scope: Scope, name: str, losses: dict[str, Estimate]) -> list[Comparison]:
    return [
        Comparison(name, level, low, high, None, losses[level], place(losses[level], low, high))
        for level, (low, high) in scope.ranges.items()
        if level in losses
    ]
