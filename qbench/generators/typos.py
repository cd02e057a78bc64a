"""Text with mistakes that a reader sees through: typing errors, and words swapped for others that sound alike.

Both return the clean text beside the perturbed one, so that twins share everything but the mistakes.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.errors import TemplateError
from qbench.facts import table

KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
MIN_LETTERS = 4  # a shorter word has too few letters left to be recognised by
SHARE_OF_WORDS = (0.15, 0.3, 0.45, 0.6, 0.8)  # of the words that may change, by difficulty
EDITS_PER_WORD = (1, 1, 1, 2, 2)  # by difficulty


def typos(rng: np.random.Generator, difficulty: int, *, text: str, keep: Sequence[str] = ()) -> dict[str, Any]:
    """Misspell some words of ``text``: more of them, and more heavily, with difficulty.

    The edits are those of a hasty typist (Damerau, 1964): two letters swapped, one dropped, one doubled, one neighbouring key. The
    first letter, numbers, short words and the words in ``keep`` stay.

    Raises:
        TemplateError: no word of the text may change.
    """
    found = [word for word in re.finditer(r"[^\W\d_]+", text) if len(word[0]) >= MIN_LETTERS and word[0] not in keep]
    chosen = _some(rng, found, SHARE_OF_WORDS[difficulty - 1], text)
    misspelt = {}
    for word in chosen:
        wrong = word[0]
        while wrong == word[0]:  # two letters swapped may be the same one, and a second edit can undo the first
            for _ in range(min(EDITS_PER_WORD[difficulty - 1], len(wrong) // 3)):
                wrong = _edit(rng, wrong)
        misspelt[word.start()] = wrong
    return {"clean": text, "perturbed": _replaced(text, chosen, misspelt)}


def homophones(rng: np.random.Generator, difficulty: int, *, text: str) -> dict[str, Any]:
    """Swap words of ``text`` for words that sound like them (tasks/facts/homophones.csv): about half at difficulty 1, all at 5.

    Raises:
        TemplateError: no word of the text is in the table.
    """
    sounds_like = {row["word"]: row["sounds_like"] for row in table("homophones")}
    found = [word for word in re.finditer(r"[^\W\d_]+(?:'[^\W\d_]+)?", text) if word[0].lower() in sounds_like]
    chosen = _some(rng, found, 0.4 + 0.12 * difficulty, text)
    swapped = {word.start(): _cased_like(word[0], sounds_like[word[0].lower()]) for word in chosen}
    return {"clean": text, "perturbed": _replaced(text, chosen, swapped)}


def _some(rng: np.random.Generator, found: Sequence[re.Match[str]], share: float, text: str) -> list[re.Match[str]]:
    """Choose a share of the words, at least one, in the order in which they stand."""
    if not found:
        raise TemplateError(
            f"no word of {text[:60]!r} may change; give the text words that the generator knows how to change."
        )
    count = max(1, round(share * len(found)))
    return [found[int(position)] for position in sorted(rng.permutation(len(found))[:count])]


def _edit(rng: np.random.Generator, word: str) -> str:
    at = 1 + int(rng.integers(len(word) - 1))
    match int(rng.integers(4)):
        case 0 if at + 1 < len(word):
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case 2:
            return word[:at] + word[at] + word[at:]
        case _:
            return word[:at] + _neighbour(rng, word[at]) + word[at + 1 :]


def _neighbour(rng: np.random.Generator, letter: str) -> str:
    """A key beside this one; a letter that no key row has stays itself."""
    row = next((row for row in KEYBOARD_ROWS if letter in row), letter)
    at = row.index(letter)
    beside = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    return beside[int(rng.integers(len(beside)))] if beside else letter


def _cased_like(model: str, word: str) -> str:
    return word.capitalize() if model[0].isupper() else word


def _replaced(text: str, words: Sequence[re.Match[str]], replacements: dict[int, str]) -> str:
    parts, end = [], 0
    for word in words:
        parts += [text[end : word.start()], replacements[word.start()]]
        end = word.end()
    return "".join([*parts, text[end:]])


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"typos": typos, "homophones": homophones}
