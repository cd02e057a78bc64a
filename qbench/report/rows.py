"""From a group of items to a row of the table: every estimate that a report prints of it.

Every group of items (a category, a task, a value of a field) has its own stream of resamples, so that its interval does not depend on
which other groups there are.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qbench.errors import QBenchError
from qbench.pairing import Direction
from qbench.report.scores import Mask, Scores
from qbench.report.table import Cell, Kind, Row, Settings, gain
from qbench.stats import (
    SHARES,
    Design,
    Estimate,
    Target,
    Verdict,
    calibration_errors,
    count_flips,
    level_estimates,
    look_confidences,
    not_estimable,
    paired_differences,
    relative_losses,
    repeated_p_value,
    verdict,
)


@dataclass(frozen=True)
class Statistics:
    """Turns groups of items into rows."""

    levels: Sequence[str]
    settings: Settings

    def row(self, scores: Scores, items: Mask, kind: Kind, name: str, *, largest: float = 1.0) -> Row:
        """Estimate everything of a group of items; for ``largest`` see `level_estimates`.

        Raises:
            QBenchError: the items have scores that no mean can be taken of.
        """
        direction, is_share = _kind_of_score(scores, items, name)
        design, options = self._options(scores, items, f"{kind}:{name}")
        baseline, levels = scores.baseline[items], scores.levels[items]
        responses = [scores.responses[i] for i in np.flatnonzero(items)]
        differences, detectable, losses, (means, answered) = level_estimates(
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
                relative_loss=gain(losses[i], direction),
                flips=count_flips(baseline, levels[:, i], lower_is_better=direction is Direction.LOWER),
                n_failed=int(np.isnan(baseline + levels[:, i])[scores.asked[items, i]].sum()),
                verdict=verdict(
                    gain(differences[i], direction), margin=self.settings.margin / 100 if is_share else 0.0
                ),
                minimum_detectable_effect=detectable[i],
                is_identical=np.array_equal(baseline, levels[:, i]) and all(own[0] == own[1 + i] for own in responses),
            )
            for i, level in enumerate(self.levels)
        )
        metric = str(scores.metric[items][0]) if kind is Kind.TASK else ""
        return Row(kind, name, means[0], answered[0], cells, metric, direction, is_share)

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
        missing = not_estimable(math.nan, 0, 0, 0)
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
class Sequential(Statistics):
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

    def _joined(self, scores: Scores, items: Mask, row: Callable[[Statistics, Scores, Mask], Row]) -> Row:
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
        self, scores: Scores, items: Mask, estimates: Callable[[Statistics, Scores, Mask], list[Estimate]]
    ) -> list[Estimate]:
        found: dict[str, Estimate] = {}
        for look, plain, some, seen in self._looks(scores, items):
            of_levels = (self._repeated(estimate, look) for estimate in estimates(plain, some, seen))
            found |= zip(plain.levels, of_levels, strict=True)
        return [found[level] for level in self.levels]

    def _repeated(self, estimate: Estimate, look: int) -> Estimate:
        """An estimate whose p-value knows that there were other looks, as its interval does."""
        return replace(estimate, p_value=repeated_p_value(estimate.p_value, look, self.shares))

    def _looks(self, scores: Scores, items: Mask) -> Iterator[tuple[int, Statistics, Scores, Mask]]:
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
            plain = Statistics([self.levels[i] for i in some], settings)
            yield look, plain, scores.only(some), items & (scores.look <= look)


def _kind_of_score(scores: Scores, items: Mask, name: str) -> tuple[Direction, bool]:
    """Which scores of a group of items are better, and whether they are shares.

    Raises:
        QBenchError: some and others differ in that, so that their mean says nothing.
    """
    found = dict.fromkeys(zip(scores.direction[items].tolist(), scores.is_share[items].tolist(), strict=True))
    if len(found) > 1:
        tasks = ", ".join(dict.fromkeys(scores.task[items].tolist()))
        raise QBenchError(
            f"{name} has items of {tasks}, whose scores differ in unit or direction, so that they have no mean. Choose another field, or "
            "tasks that are scored alike."
        )
    direction, is_share = next(iter(found), (Direction.HIGHER, True))
    return Direction(direction), is_share
