"""Explanations with chosen mistakes: a table's right text, and wrong ones that differ from it in a few words.

In tasks/facts/explanations.csv a text marks where it may go wrong, as in ``[raises|lowers]``: a cause, a direction,
a name.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.facts import table

N_DISTRACTORS = 3
PLACE = re.compile(r"\[([^|\]]+)\|([^\]]+)\]")


def mistaken(
    rng: np.random.Generator, difficulty: int, *, topic: str, mistakes: Sequence[int] = (3, 3, 2, 2, 1)
) -> dict[str, Any]:
    """Draw a question with its right explanation and three wrong ones; the fewer mistakes, the harder."""
    rows = [row for row in table("explanations") if row["topic"] == topic]
    row = rows[int(rng.integers(len(rows)))]
    marked = row["explanation"]
    sets = list(itertools.combinations(range(len(PLACE.findall(marked))), mistakes[difficulty - 1]))
    chosen = [sets[int(position)] for position in rng.permutation(len(sets))[:N_DISTRACTORS]]
    return {
        "question": row["question"],
        "right": with_mistakes(marked, ()),
        "wrong": [with_mistakes(marked, places) for places in chosen],
    }


def with_mistakes(marked: str, places: Sequence[int]) -> str:
    """Resolve the marks of a text: ``places`` become wrong, all others right."""
    numbers = itertools.count()
    return PLACE.sub(lambda match: match[2] if next(numbers) in places else match[1], marked)


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"mistaken": mistaken}
