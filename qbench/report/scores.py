"""All items of a sweep in one long table, as arrays: what the statistics of a report take."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.pairing import Direction, Pair

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


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
    metric: NDArray[np.str_]
    """The name of the score of each item."""
    direction: NDArray[np.str_]
    """Of each item's score: the values of `Direction`."""
    is_share: Mask
    """Whether all scores of the item's task lie between 0 and 1, as far as they are known. Others are in a unit of their own."""
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
            metric=np.concatenate([np.full(len(pair.item_id), pair.score) for pair in first]),
            direction=np.concatenate([np.full(len(pairs[0].item_id), _direction(pairs)) for pairs in tasks]),
            is_share=np.concatenate([np.full(len(pairs[0].item_id), _is_share(pairs)) for pairs in tasks]),
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


def _direction(pairs: Sequence[Pair]) -> Direction:
    """What any of the runs says of a task's score."""
    return next((pair.direction for pair in pairs if pair.direction is not Direction.UNKNOWN), Direction.UNKNOWN)


def _is_share(pairs: Sequence[Pair]) -> bool:
    return all(not np.any((scores < 0) | (scores > 1)) for pair in pairs for scores in (pair.baseline, pair.level))
