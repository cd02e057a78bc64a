"""From the files of a sweep to the table: read, pair, and let qbench.stats say what changed.

Every group of items (a category, a task, a value of a field) has its own stream of resamples, so that its interval does not depend on
which other groups there are.
"""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.errors import QBenchError, RunError, did_you_mean
from qbench.pairing import COUNTED, MEASURES, Answers, Pair, Selection, pair_levels
from qbench.records import RUN_FILE, Run, Sweep, go_on, read_run
from qbench.report.expected import Comparison, Scope, place, scopes, statements
from qbench.report.table import (
    Cell,
    Cost,
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
)
from qbench.stats import (
    SHARES,
    Cliff,
    Design,
    Estimate,
    Target,
    Verdict,
    calibration_errors,
    cliff,
    count_flips,
    holm,
    joint_confidence,
    level_estimates,
    look_confidences,
    mean_scores,
    minimum_detectable_effect,
    paired_differences,
    rank_intervals,
    relative_losses,
    repeated_p_value,
    template_differences,
    verdict,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

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
    levels = {name: (run, _facts(name, run)) for name, run in zip(names, runs, strict=True)}
    table = build_table(levels, sweep.tasks, settings, _provenance(sweep, runs[0]), noise_floor=sweep.noise_floor)
    if table.looks is None:
        return table
    declared = sum(sum(look["items"].values()) for look in sweep.info["looks"])
    asked = sum(facts.n_items for facts in table.levels) / (declared * len(table.levels))
    return replace(table, looks=replace(table.looks, share_asked=asked))


def verdicts(sweep: Sweep, settings: Settings) -> dict[str, dict[str, str]]:
    """What the looks so far say of each category, and of each task not of the bank, at each level but the baseline.

    They are the verdicts that a report would print if the sweep ended here.
    """
    names = [name for name in sweep.levels if name != sweep.baseline]
    baseline, others = sweep.run(sweep.baseline), [sweep.run(name) for name in names]
    scores = Scores.of([pair_levels(baseline, others, task) for task in sweep.tasks])
    rows = _groups(scores, _Sequential(names, settings, sweep.shares or SHARES))
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
    shares = next((tuple(run.info["shares"]) for run, _ in levels.values() if "shares" in run.info), None)
    if shares and settings.target is Target.ITEMS:
        raise QBenchError(
            "A sequential sweep was stopped by what it says about other templates like these, and which templates it asked depends on "
            "that; --target items needs a sweep of a fixed size."
        )
    compute = _Sequential(names[1:], settings, shares) if shares else _Statistics(names[1:], settings)
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


@dataclass(frozen=True)
class Scores:
    """All items of a sweep in one long table; columns of matrices are levels."""

    item_id: NDArray[np.str_]
    look: NDArray[np.intp]
    asked: Mask
    """Whether each level was asked the item; else it is NaN there, and no failure."""
    task: NDArray[np.str_]
    category: NDArray[np.str_]
    stratum: NDArray[np.str_]
    template: NDArray[np.str_]
    draw: NDArray[np.str_]
    in_bank: Mask
    difficulty: Array
    documents: tuple[Any, ...]
    responses: tuple[tuple[str, ...], ...]
    """Of each item, at the baseline and at each level."""
    baseline: Array
    levels: Array
    baseline_answered: Array
    answered: Array
    measures: dict[str, tuple[Array, Array]]
    """Of each measure, the baseline's and the levels' values; NaN where a task does not have it."""

    @staticmethod
    def of(tasks: Sequence[Sequence[Pair]]) -> "Scores":
        """Join the tasks; of each, one pair for each level. All pairs of a task have the baseline's items in the same order."""
        first = [pairs[0] for pairs in tasks]

        def joined(column: Callable[[Pair], Array]) -> Array:
            return np.concatenate([np.column_stack([column(pair) for pair in pairs]) for pairs in tasks])

        def measured(name: str, side: int) -> Callable[[Pair], Array]:
            return lambda pair: (
                pair.measures[name][side] if name in pair.measures else np.full(len(pair.item_id), math.nan)
            )

        names = dict.fromkeys(name for pair in first for name in pair.measures)
        return Scores(
            item_id=np.concatenate([pair.item_id for pair in first]),
            look=np.concatenate([pair.look for pair in first]),
            asked=np.concatenate([np.column_stack([pair.asked for pair in pairs]) for pairs in tasks]),
            task=np.concatenate([np.full(len(pair.item_id), pair.task) for pair in first]),
            category=np.concatenate([pair.category for pair in first]),
            stratum=np.concatenate([pair.stratum for pair in first]),
            template=np.concatenate([pair.template for pair in first]),
            draw=np.concatenate([pair.draw for pair in first]),
            in_bank=np.concatenate([np.full(len(pair.item_id), pair.in_bank) for pair in first]),
            difficulty=np.concatenate([pair.difficulty for pair in first]),
            documents=tuple(document for pair in first for document in pair.documents),
            responses=tuple(
                (pairs[0].baseline_responses[i], *(pair.level_responses[i] for pair in pairs))
                for pairs in tasks
                for i in range(len(pairs[0].item_id))
            ),
            baseline=np.concatenate([pair.baseline for pair in first]),
            levels=joined(lambda pair: pair.level),
            baseline_answered=np.concatenate([pair.baseline_answered for pair in first]),
            answered=joined(lambda pair: pair.level_answered),
            measures={name: (joined(measured(name, 0))[:, 0], joined(measured(name, 1))) for name in names},
        )

    def only(self, some: list[int]) -> "Scores":
        """The same items at some of the levels."""
        return replace(
            self,
            asked=self.asked[:, some],
            levels=self.levels[:, some],
            answered=self.answered[:, some],
            measures={name: (baseline, levels[:, some]) for name, (baseline, levels) in self.measures.items()},
            responses=tuple((own[0], *(own[1 + i] for i in some)) for own in self.responses),
        )


# ---------------------------------------------------------------- computing


@dataclass(frozen=True)
class _Statistics:
    """Turns groups of items into rows."""

    levels: Sequence[str]
    settings: Settings

    def row(self, scores: Scores, items: Mask, kind: Kind, name: str, *, largest: float = 1.0) -> Row:
        """Estimate everything of a group of items; for ``largest`` see `level_estimates`."""
        design, options = self._options(scores, items, f"{kind}:{name}")
        baseline, levels = scores.baseline[items], scores.levels[items]
        responses = [scores.responses[i] for i in np.flatnonzero(items)]
        differences, losses, (means, answered) = level_estimates(
            baseline,
            levels,
            [
                np.column_stack([baseline, levels]),
                np.column_stack([scores.baseline_answered[items], scores.answered[items]]),
            ],
            design,
            largest=largest,
            **options,
        )
        cells = tuple(
            Cell(
                level=level,
                difference=differences[i],
                score=means[1 + i],
                answered=answered[1 + i],
                relative_loss=losses[i],
                flips=count_flips(baseline, levels[:, i]),
                n_failed=int(np.isnan(baseline + levels[:, i])[scores.asked[items, i]].sum()),
                verdict=verdict(
                    differences[i].negated() if kind is Kind.HALLUCINATION else differences[i],
                    margin=self.settings.margin / 100,
                ),
                minimum_detectable_effect=minimum_detectable_effect(
                    differences[i], confidence=self.settings.confidence
                ),
                is_identical=np.array_equal(baseline, levels[:, i]) and all(own[0] == own[1 + i] for own in responses),
            )
            for i, level in enumerate(self.levels)
        )
        return Row(kind, name, means[0], answered[0], cells)

    def differences(self, scores: Scores, items: Mask, name: str) -> list[Estimate]:
        """The difference of a group of items at each level, and nothing else."""
        design, options = self._options(scores, items, f"differences:{name}")
        return paired_differences(scores.baseline[items], scores.levels[items], design, **options)

    def calibration(self, scores: Scores, items: Mask) -> Row:
        """The calibration error of forced choices as a row."""
        sure = np.column_stack(scores.measures["confidence"])[items]
        right = np.column_stack([scores.baseline, scores.levels])[items]
        design = Design.of(scores.template[items], scores.stratum[items], scores.category[items])
        errors, changes = calibration_errors(sure, right, design, level=self.settings.confidence)
        if self.settings.target is Target.ITEMS:  # a jackknife over templates says nothing about fresh items
            errors, changes = ([found.without_interval() for found in estimates] for estimates in (errors, changes))
        missing = mean_scores(np.full((int(items.sum()), 1), math.nan), design, rng=np.random.default_rng(0))[0]
        cells = tuple(
            Cell(
                level=level,
                difference=changes[i],
                score=errors[1 + i],
                answered=missing,
                relative_loss=missing,
                flips=count_flips([], []),
                n_failed=int(np.isnan(sure[:, 0] + sure[:, 1 + i])[scores.asked[items, i]].sum()),
                verdict=Verdict.NOT_ESTIMABLE,
                minimum_detectable_effect=math.nan,
            )
            for i, level in enumerate(self.levels)
        )
        return Row(Kind.MEASURE, "calibration error", errors[0], missing, cells)

    def losses(self, scores: Scores, items: Mask, name: str) -> list[Estimate]:
        """The relative loss of a group of items at each level."""
        design, options = self._options(scores, items, f"scope:{name}")
        return relative_losses(scores.baseline[items], scores.levels[items], design, **options)

    def _options(self, scores: Scores, items: Mask, stream: str) -> tuple[Design, dict[str, Any]]:
        """A group's own stream of resamples makes its interval independent of which other groups there are."""
        settings = self.settings
        # Where an item is its own template, fresh items are fresh items of the task.
        lone = (scores.template == scores.item_id) & (settings.target is Target.ITEMS)
        template = np.where(lone, scores.task, scores.template)
        design = Design.of(template[items], scores.stratum[items], scores.category[items], scores.draw[items])
        rng = np.random.default_rng([settings.seed, zlib.crc32(stream.encode())])
        return design, {
            "confidence": settings.confidence,
            "n_resamples": settings.n_resamples,
            "target": settings.target,
            "rng": rng,
        }


@dataclass(frozen=True)
class _Sequential(_Statistics):
    """The same of a sweep that looked before its end: each level from the items of one look, with that look's repeated intervals.

    A level of a group of items rests on the last look that asked it all categories of the group. What later looks asked of some of them
    was chosen by results; what a look asks was declared beforehand, and its repeated interval holds for whatever reason one reads that
    look (`qbench.stats.sequential`).
    """

    shares: tuple[float, ...] = SHARES

    def row(self, scores: Scores, items: Mask, kind: Kind, name: str, *, largest: float = 1.0) -> Row:
        return self._joined(scores, items, lambda plain, some, seen: plain.row(some, seen, kind, name, largest=largest))

    def calibration(self, scores: Scores, items: Mask) -> Row:
        return self._joined(scores, items, lambda plain, some, seen: plain.calibration(some, seen))

    def differences(self, scores: Scores, items: Mask, name: str) -> list[Estimate]:
        return self._in_order(scores, items, lambda plain, some, seen: plain.differences(some, seen, name))

    def losses(self, scores: Scores, items: Mask, name: str) -> list[Estimate]:
        return self._in_order(scores, items, lambda plain, some, seen: plain.losses(some, seen, name))

    def _joined(self, scores: Scores, items: Mask, row: Callable[[_Statistics, Scores, Mask], Row]) -> Row:
        """One row of the rows of some levels. The baseline's own scores are those beside the level that was asked the most."""
        rows, cells = [], {}
        for look, plain, some, seen in self._looks(scores, items):
            rows.append(row(plain, some, seen))
            for cell in rows[-1].cells:
                cells[cell.level] = replace(
                    cell,
                    difference=self._repeated(cell.difference, look),
                    relative_loss=self._repeated(cell.relative_loss, look),
                    look=look,
                )
        longest = max(rows, key=lambda found: found.baseline.n_items)
        return replace(longest, cells=tuple(cells[level] for level in self.levels))

    def _in_order(
        self, scores: Scores, items: Mask, estimates: Callable[[_Statistics, Scores, Mask], list[Estimate]]
    ) -> list[Estimate]:
        found: dict[str, Estimate] = {}
        for look, plain, some, seen in self._looks(scores, items):
            of_levels = (self._repeated(estimate, look) for estimate in estimates(plain, some, seen))
            found |= zip(plain.levels, of_levels, strict=True)
        return [found[level] for level in self.levels]

    def _repeated(self, estimate: Estimate, look: int) -> Estimate:
        """An estimate whose p-value knows that there were other looks, as its interval does."""
        return replace(estimate, p_value=repeated_p_value(estimate.p_value, look, self.shares))

    def _looks(self, scores: Scores, items: Mask) -> Iterator[tuple[int, _Statistics, Scores, Mask]]:
        """Levels that rest on the same look: that look, the statistics at its confidence, their scores, and the items that count.

        Levels with other failed items are apart, for their resamples differ: so a look finds what the report will find.
        """
        confidences = look_confidences(self.settings.confidence, self.shares)
        categories = np.unique(scores.category[items])
        groups: dict[tuple[int, bytes], list[int]] = {}
        for i in range(len(self.levels)):
            asked = np.where(scores.asked[:, i] & items, scores.look, 0)
            look = min(max(1, int(asked[scores.category == category].max())) for category in categories)
            failed = np.isnan(scores.levels[items & (scores.look <= look), i])
            groups.setdefault((look, failed.tobytes()), []).append(i)
        for (look, _), some in groups.items():
            settings = replace(self.settings, confidence=confidences[look - 1])
            plain = _Statistics([self.levels[i] for i in some], settings)
            yield look, plain, scores.only(some), items & (scores.look <= look)


def _rows(scores: Scores, compute: _Statistics) -> tuple[Row, ...]:
    """Categories of the bank, all of them together, then the other tasks. Holm's family is everything but the row of all."""
    rows = _with_holm(_groups(scores, compute))
    n_categories = sum(row.kind is Kind.CATEGORY for row in rows)
    if n_categories > 1:
        rows.insert(n_categories, compute.row(scores, scores.in_bank, Kind.ALL, "all"))
    return tuple(rows)


def _groups(scores: Scores, compute: _Statistics) -> list[Row]:
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


def _breakdown(scores: Scores, compute: _Statistics, by: str) -> tuple[Row, ...]:
    """One row for each value of a field of the documents; items whose document lacks it are in none.

    Raises:
        QBenchError: no document has the field, or its values are too many to be groups.
    """
    values = np.array([str(document[by]) if by in document else None for document in scores.documents], dtype=object)
    found = {value for value in values if value is not None}
    if not found:
        known = sorted({str(name) for document in scores.documents for name in document})
        raise QBenchError(f"No document has a field {by!r}.{did_you_mean(by, known)} There are: {', '.join(known)}.")
    if len(found) > MAX_VALUES:
        raise QBenchError(
            f"The field {by!r} has {len(found)} values; a breakdown shows at most {MAX_VALUES}. Choose a coarser field."
        )
    return tuple(
        _with_holm([compute.row(scores, values == value, Kind.FIELD, value) for value in sorted(found, key=_natural)])
    )


def _hallucination(scores: Scores, compute: _Statistics) -> tuple[Row, ...]:
    """How often a question that has no answer is answered: in each category that asks some, and in all of them."""
    unanswerable = np.array(
        [bool(scores.in_bank[i]) and _has_no_answer(scores.documents[i]) for i in range(len(scores.task))]
    )
    answered = replace(
        scores,
        baseline=scores.baseline_answered * (1 - scores.baseline),
        levels=scores.answered * (1 - scores.levels),
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
    """The bracket of each row, along the levels from the most to the least bits a weight, as given where bits are unknown."""
    ladder = [position for position, level in enumerate(levels) if level.name != noise_floor]
    if not any(math.isnan(levels[position].bits_per_weight) for position in ladder):
        ladder.sort(key=lambda position: -levels[position].bits_per_weight)
    names = [levels[position].name for position in ladder]
    return {
        row.name: cliff(names, [row.cells[position].difference for position in ladder], margin=settings.margin / 100)
        for row in rows
    }


def _ranking(scores: Scores, compute: _Statistics) -> dict[str, tuple[Rank, ...]]:
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


def _by_difficulty(scores: Scores, compute: _Statistics) -> tuple[Row, ...]:
    values = np.unique(scores.difficulty[scores.in_bank])
    return tuple(
        compute.row(scores, scores.in_bank & (scores.difficulty == value), Kind.FIELD, f"{value:g}") for value in values
    )


def _measures(scores: Scores, compute: _Statistics) -> tuple[Row, ...]:
    """A row for each measure, over all items that have it, and one for the calibration error."""
    rows = []
    known = {"answered": (scores.baseline_answered, scores.answered), **scores.measures}
    for name in ("answered", *MEASURES, "divergence"):
        if name not in known:
            continue
        baseline, levels = known[name]
        measured = replace(scores, baseline=baseline, levels=levels)
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


def _comparisons(scores: Scores, compute: _Statistics, rows: Sequence[Row]) -> tuple[Comparison, ...]:
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


# ---------------------------------------------------------------- provenance


def _facts(name: str, run: Run) -> LevelFacts:
    proof, cells = run.info.get("proof", {}), run.info["cells"].values()
    return LevelFacts(
        name=name,
        bits_per_weight=float(proof.get("bits_per_weight", math.nan)),
        storage_bytes=float(proof.get("storage_bytes", math.nan)),
        cost=Cost.of(run.info.get("cost") or {}),
        n_tokens=float(sum(cell.get("n_tokens", math.nan) for cell in cells)),
        seconds=float(sum(cell.get("seconds", math.nan) for cell in cells)),
        n_items=sum(cell["n_items"] for cell in cells),
        n_failed=sum(cell.get("n_failed", 0) for cell in cells),
        stored_as=_stored_as(run.info.get("level", {})),
    )


def _stored_as(level: Mapping[str, Any]) -> str:
    """What run.json says of a level, in words."""
    match level:
        case {"kind": "mix", "default": default, "rules": rules}:
            return f"a mix of {default} and {'; '.join(rules)}"
        case {"kind": "as-is", "quantization": found}:
            return f"a ready-made checkpoint ({(found or {}).get('quant_method', 'full precision')})"
        case {"kind": "level", "bits": int(bits), "engine": engine, "group_size": group_size, "symmetric": symmetric}:
            shared = f"one scale for every {group_size} weights" if group_size else "one scale for every row of weights"
            # bitsandbytes has formats of its own, which are neither.
            zero = "" if engine == "bnb" else ", symmetric" if symmetric else " and a zero point"
            return f"engine {engine}, {bits} bits, {shared}{zero}"
        case _:
            return ""


def _provenance(sweep: Sweep, baseline: Run) -> Provenance:
    info, model, bank = sweep.info, baseline.info.get("model", {}), baseline.info.get("bank", {})
    return Provenance(
        run=sweep.dir.name,
        model=str(info.get("model", model.get("name", ""))),
        model_sha256=str(model.get("sha256", "")),
        n_parameters=model.get("n_parameters"),
        bank_version=str(bank.get("version", "")),
        bank_sha256=str(bank.get("sha256", "")),
        seed=info.get("seed"),
        created=str(info.get("created", "")),
        git_commit=baseline.info.get("git_commit"),
        versions=dict(baseline.info.get("versions", {})),
        hardware=dict(baseline.info.get("hardware", {})),
        dtype=str(model.get("dtype", "")).removeprefix("torch."),
        num_fewshot=info.get("num_fewshot"),
        apply_chat_template=bool(info.get("apply_chat_template")),
        limit=info.get("limit"),
    )
