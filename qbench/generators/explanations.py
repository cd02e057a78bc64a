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
    """Draw a question with its right explanation and three wrong ones; the fewer mistakes, the harder.

    ``hint`` is a phrase of the right explanation, and as far as possible the wrong ones have it too.
    """
    rows = [row for row in table("explanations") if row["topic"] == topic]
    row = rows[int(rng.integers(len(rows)))]
    marked = row["explanation"]
    places = PLACE.findall(marked)
    n_mistakes = mistakes[difficulty - 1]
    sets = list(itertools.combinations(range(len(places)), n_mistakes))
    hinted = int(rng.integers(len(places)))
    shuffled = [sets[int(position)] for position in rng.permutation(len(sets))]
    chosen = sorted(shuffled, key=lambda chosen_places: hinted in chosen_places)[:N_DISTRACTORS]
    return {
        "question": row["question"],
        "right": with_mistakes(marked, ()),
        "wrong": [with_mistakes(marked, chosen_places) for chosen_places in chosen],
        "hint": f' Use the phrase "{places[hinted][0]}".',
        "mistakes": n_mistakes,
    }


def flawed(
    rng: np.random.Generator, difficulty: int, *, topics: Sequence[str], texts: Sequence[int] = (1, 1, 2, 2, 3)
) -> dict[str, Any]:
    """Draw right explanations, make one mistake in them, and ask for it; the more texts to look through, the harder.

    The wrong answers are phrases that stand in the texts and are right.
    """
    rows = [row for row in table("explanations") if row["topic"] in topics]
    chosen = [rows[int(position)] for position in rng.permutation(len(rows))[: texts[difficulty - 1]]]
    marked = [f"{row['question']} {row['explanation']}" for row in chosen]
    places = PLACE.findall(marked[0])
    said = " ".join(with_mistakes(text, ()) for text in marked)
    # A mistaken phrase that also stands elsewhere, where it is right, could not be pointed at.
    unique = [number for number, (_, wrong) in enumerate(places) if not re.search(rf"\b{re.escape(wrong)}\b", said)]
    place = unique[int(rng.integers(len(unique)))]
    shown = [with_mistakes(text, (place,) if text is marked[0] else ()) for text in marked]
    text = " ".join(shown[int(position)] for position in rng.permutation(len(shown)))
    correction, mistake = places[place]
    phrases = dict.fromkeys(right for text in marked for right, _ in PLACE.findall(text))
    right = [phrase for phrase in phrases if phrase != correction]
    return {
        "text": text,
        "mistake": mistake,
        "correction": correction,
        "wrong": [right[int(position)] for position in rng.permutation(len(right))[:N_DISTRACTORS]],
        "n_texts": len(chosen),
    }


def with_mistakes(marked: str, places: Sequence[int]) -> str:
    """Resolve the marks of a text: ``places`` become wrong, all others right."""
    numbers = itertools.count()
    return PLACE.sub(lambda match: match[2] if next(numbers) in places else match[1], marked)


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"mistaken": mistaken, "flawed": flawed}
