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
from qbench.generators.drawing import pick, sample, shuffled

N_DISTRACTORS = 3
FEWEST_WORDS = 3  # of a phrase that is pointed at
PLACE = re.compile(r"\[([^|\]]+)\|([^\]]+)\]")
EDGE = re.compile(r"[.,:;?](?:\s|$)|\[|\]")  # of what may be quoted with a phrase


def mistaken(
    rng: np.random.Generator, difficulty: int, *, topic: str, mistakes: Sequence[int] = (3, 3, 2, 2, 1)
) -> dict[str, Any]:
    """Draw a question with its right explanation and three wrong ones; the fewer mistakes, the harder.

    ``hint`` is a phrase of the right explanation, and as far as possible the wrong ones have it too.
    """
    rows = [row for row in table("explanations") if row["topic"] == topic]
    row = pick(rng, rows)
    marked = row["explanation"]
    places = PLACE.findall(marked)
    n_mistakes = mistakes[difficulty - 1]
    sets = list(itertools.combinations(range(len(places)), n_mistakes))
    hinted = int(rng.integers(len(places)))
    chosen = sorted(shuffled(rng, sets), key=lambda chosen_places: hinted in chosen_places)[:N_DISTRACTORS]
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

    The wrong answers are phrases that stand in the texts and are right. Each comes with words beside it, three at least, so that no
    single word gives itself away.
    """
    rows = [row for row in table("explanations") if row["topic"] in topics]
    chosen = sample(rng, rows, texts[difficulty - 1])
    marked = [f"{row['question']} {row['explanation']}" for row in chosen]
    places = PLACE.findall(marked[0])
    said = " ".join(with_mistakes(text, ()) for text in marked)
    # A mistaken phrase that also stands elsewhere, where it is right, could not be pointed at.
    unique = [number for number, (_, wrong) in enumerate(places) if not re.search(rf"\b{re.escape(wrong)}\b", said)]
    place = pick(rng, unique)
    shown = [with_mistakes(text, (place,) if text is marked[0] else ()) for text in marked]
    text = " ".join(shuffled(rng, shown))
    correction, mistake = places[place]
    phrases = dict.fromkeys(
        _in_words(text, number, phrase)
        for text in marked
        for number, (phrase, _) in enumerate(PLACE.findall(text))
        if phrase != correction
    )
    right = list(phrases)
    return {
        "text": text,
        "mistake": _in_words(marked[0], place, mistake),
        "correction": correction,
        "wrong": sample(rng, right, N_DISTRACTORS),
        "n_texts": len(chosen),
    }


def _in_words(marked: str, place: int, phrase: str) -> str:
    """Quote the phrase that stands at a place, with words before it and then behind it until there are three.

    The words come from its own clause and never reach into another place, so now and then there are only two.
    """
    at = list(PLACE.finditer(marked))[place]
    before = EDGE.split(marked[: at.start()])[-1].split()
    behind = EDGE.split(marked[at.end() :])[0].split()
    words = phrase.split()
    while len(words) < FEWEST_WORDS and (before or behind):
        words = [before.pop(), *words] if before else [*words, behind.pop(0)]
    return " ".join(words)


def with_mistakes(marked: str, places: Sequence[int]) -> str:
    """Resolve the marks of a text: ``places`` become wrong, all others right."""
    numbers = itertools.count()
    return PLACE.sub(lambda match: match[2] if next(numbers) in places else match[1], marked)


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"mistaken": mistaken, "flawed": flawed}
