"""Text with mistakes that a careful reader sees through: typing errors, scanning errors, words swapped for others that sound alike.

Both generators return the clean text beside three strengths of the same mistakes, nested: what is wrong in the light text is wrong in
the medium one as well, and what is wrong there is wrong in the heavy one. Twins that show them share everything but the mistakes, and
the strength is not the difficulty: what is asked is equally hard in all four.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qbench.errors import TemplateError
from qbench.facts import table
from qbench.generators.drawing import pick, sample, shuffled

PERCENT_CHANGED = {"light": 20, "medium": 50, "heavy": 90}  # of what may change
MIN_LETTERS = 4  # a shorter word has too few letters left to be recognized by
MIN_LETTERS_TWICE = 8  # a word so long bears a second mistake in the heavy text

KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LOOKALIKES = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7+", "b": "8", "g": "9"}
SCANNED = (
    *(("rn", "m"), ("m", "rn"), ("cl", "d"), ("d", "cl"), ("li", "h"), ("vv", "w"), ("w", "vv"), ("ri", "n")),
    *(("e", "c"), ("l", "1"), ("i", "l"), ("o", "0"), ("h", "b"), ("u", "ii"), ("t", "f"), ("nn", "im")),
)
"""What scanned print is misread as (letters, what the machine saw)."""

NUMBER_WORDS = frozenset(
    str.split(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
        "twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen half quarter once twice first second third "
        "fourth fifth sixth seventh eighth ninth tenth"
    )
)
MEANS_SOMETHING_ELSE = frozenset(
    str.split(
        "last least lest left lift most must more mere never ever even over every from form fewer fever first fist then than there three "
        "hour our four for fore after alter before below above about abut none nine note north south fourth forth later latter long "
        "lone loner longer mode mote lose loose loss house horse hose bigger digger smaller taller teller shorter sorter older holder "
        "colder earlier early only onto into upon without within with width when where here what that hat this his both moth booth same "
        "sane some soma dose done days bays week weak month mouth year yea ear minute minutes meter miter met pound pond foot food"
    )
)
"""Words that no mistake may produce: each is one slip away from a word that carries an answer."""

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
GAP = re.compile(r"(?<=[^\W\d_]{2}) (?=[^\W\d_]{2})")


@dataclass(frozen=True)
class Mistake:
    """A place in the text, what stands there when it is wrong, and what stands there in the heavy text."""

    start: int
    end: int
    wrong: str
    worse: str


def typos(
    rng: np.random.Generator,
    difficulty: int,
    *,
    text: str,
    keep: Sequence[str] = (),
    kinds: Sequence[str] = ("swap", "drop", "double", "neighbor"),
) -> dict[str, Any]:
    """Return ``text`` clean, light, medium and heavy, with mistakes of the given kinds. ``difficulty`` plays no part.

    Kinds: the edits of a hasty typist (Damerau, 1964), which are ``swap``, ``drop``, ``double`` and ``neighbor`` (the key beside it);
    ``join`` and ``drift`` (a space is missing, or comes a letter too late); ``case``; ``lookalike`` (4pp1e); ``scan`` (what a scanner
    reads: rn for m). Words of fewer than four letters, numbers in digits and in words, and the words of ``keep`` stay; a kept word and
    a number also keep the spaces around them.

    Raises:
        TemplateError: there is no such kind, or fewer than three places of the text may change.
    """
    unknown = [kind for kind in kinds if kind not in {*WORD_MISTAKES, *GAP_MISTAKES}]
    if unknown:
        raise TemplateError(f"there is no kind of mistake {unknown[0]!r}.")
    kept = {word.casefold() for entry in keep for word in WORD.findall(str(entry))} | NUMBER_WORDS
    words = [word for word in WORD.finditer(text) if _alone(text, word)]
    taken = {word[0].casefold() for word in words} | MEANS_SOMETHING_ELSE
    mistakes = []
    for word in words:
        if len(word[0]) >= MIN_LETTERS and word[0].casefold() not in kept:
            mistakes += _misspelt(rng, word, [kind for kind in kinds if kind in WORD_MISTAKES], taken)
    ends = {word.end(): word for word in words if word[0].casefold() not in kept}
    starts = {word.start(): word for word in words if word[0].casefold() not in kept}
    spacings = [kind for kind in kinds if kind in GAP_MISTAKES]
    if spacings:
        for gap in GAP.finditer(text):
            if gap.start() in ends and gap.end() in starts:
                wrong, end = GAP_MISTAKES[pick(rng, spacings)](starts[gap.end()])
                mistakes.append(Mistake(gap.start(), end, wrong, wrong))
    return _strengths(text, _apart(shuffled(rng, mistakes)))


def homophones(rng: np.random.Generator, difficulty: int, *, text: str, keep: Sequence[str] = ()) -> dict[str, Any]:
    """Return ``text`` clean, light, medium and heavy, with words swapped for words that sound like them. ``difficulty`` plays no part.

    The pairs are those of tasks/facts/homophones.csv. Words that sound the same come first; those that only sound nearly the same
    (column ``near``) are added last, at the heavy end. The words of ``keep`` stay.

    Raises:
        TemplateError: fewer than three words of the text are in the table.
    """
    kept = {word.casefold() for entry in keep for word in WORD.findall(str(entry))}
    sounds = {row["word"]: row for row in table("homophones") if row["word"] not in kept}
    found = [(word, sounds[word[0].lower()]) for word in WORD.finditer(text) if word[0].lower() in sounds]
    ordered = sorted(shuffled(rng, found), key=lambda pair: bool(pair[1]["near"]))
    swapped = [(word, _cased_like(word[0], row["sounds_like"])) for word, row in ordered]
    return _strengths(text, [Mistake(word.start(), word.end(), wrong, wrong) for word, wrong in swapped])


def _apart(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Those of the mistakes that touch no earlier one of the list."""
    apart: list[Mistake] = []
    for mistake in mistakes:
        if all(mistake.end <= other.start or other.end <= mistake.start for other in apart):
            apart.append(mistake)
    return apart


def _strengths(text: str, mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """The text with the first mistakes of the list, with more of them, and with nearly all."""
    if len(mistakes) < len(PERCENT_CHANGED):
        raise TemplateError(f"fewer than three places of {text[:60]!r} may change; give it more words that may.")
    texts, count = {"clean": text}, 0
    for position, (strength, percent) in enumerate(PERCENT_CHANGED.items()):
        room = len(mistakes) - (len(PERCENT_CHANGED) - 1 - position)  # every strength adds at least one mistake
        count = min(room, max(count + 1, (percent * len(mistakes) + 50) // 100))
        chosen = {mistake.start: mistake for mistake in mistakes[:count]}
        texts[strength] = _replaced(text, chosen, worse=strength == "heavy")
    return texts


def _replaced(text: str, mistakes: Mapping[int, Mistake], *, worse: bool) -> str:
    parts, end = [], 0
    for start in sorted(mistakes):
        mistake = mistakes[start]
        parts += [text[end:start], mistake.worse if worse else mistake.wrong]
        end = mistake.end
    return "".join([*parts, text[end:]])


def _alone(text: str, word: re.Match[str]) -> bool:
    """Whether the letters are a word of their own, and no part of a code, a unit behind a number, or an address."""
    around = text[max(word.start() - 1, 0) : word.start()] + text[word.end() : word.end() + 1]
    return not re.search(r"[\d_$#@/-]", around)


def _misspelt(
    rng: np.random.Generator, word: re.Match[str], kinds: Sequence[str], taken: Iterable[str]
) -> list[Mistake]:
    """One mistake in this word, or none where every attempt gives another word of the text."""
    for _ in range(8 if kinds else 0):
        wrong = WORD_MISTAKES[pick(rng, kinds)](rng, word[0])
        if wrong == word[0] or (wrong.casefold() in taken and wrong.casefold() != word[0].casefold()):
            continue
        worse = WORD_MISTAKES[pick(rng, kinds)](rng, wrong) if len(word[0]) >= MIN_LETTERS_TWICE else wrong
        undone = worse.casefold() in taken or worse == word[0]
        return [Mistake(word.start(), word.end(), wrong, wrong if undone else worse)]
    return []


# ---------------------------------------------------------------- mistakes in a word


def _swap(rng: np.random.Generator, word: str) -> str:
    at = 1 + int(rng.integers(len(word) - 2))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(rng: np.random.Generator, word: str) -> str:
    at = 1 + int(rng.integers(len(word) - 1))
    return word[:at] + word[at + 1 :]


def _double(rng: np.random.Generator, word: str) -> str:
    at = 1 + int(rng.integers(len(word) - 1))
    return word[:at] + word[at] + word[at:]


def _neighbor(rng: np.random.Generator, word: str) -> str:
    """One letter becomes the key beside it; a letter that no key row has stays itself."""
    at = 1 + int(rng.integers(len(word) - 1))
    row = next((row for row in KEYBOARD_ROWS if word[at] in row), word[at])
    place = row.index(word[at])
    beside = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    return word[:at] + (pick(rng, beside) if beside else word[at]) + word[at + 1 :]


def _case(rng: np.random.Generator, word: str) -> str:
    """Some letters behind the first in the other case: tHe CaPItal."""
    flips = rng.integers(2, size=len(word))
    return "".join(letter.swapcase() if flip else letter for letter, flip in zip(word, flips, strict=True))


def _lookalike(rng: np.random.Generator, word: str) -> str:
    places = [at for at, letter in enumerate(word) if letter.lower() in LOOKALIKES]
    if not places:
        return word
    chosen = set(sample(rng, places, (len(places) + 1) // 2))
    return "".join(pick(rng, LOOKALIKES[letter.lower()]) if at in chosen else letter for at, letter in enumerate(word))


def _scan(rng: np.random.Generator, word: str) -> str:
    options = [(at, read, seen) for read, seen in SCANNED for at in range(1, len(word)) if word.startswith(read, at)]
    if not options:
        return word
    at, read, seen = pick(rng, options)
    return word[:at] + seen + word[at + len(read) :]


WORD_MISTAKES: dict[str, Callable[[np.random.Generator, str], str]] = {
    "swap": _swap,
    "drop": _drop,
    "double": _double,
    "neighbor": _neighbor,
    "case": _case,
    "lookalike": _lookalike,
    "scan": _scan,
}

# ---------------------------------------------------------------- mistakes between two words


def _join(following: re.Match[str]) -> tuple[str, int]:
    return "", following.start()


def _drift(following: re.Match[str]) -> tuple[str, int]:
    """The space comes one letter too late: the capital becomes thec apital."""
    return following[0][0] + " ", following.start() + 1


GAP_MISTAKES: dict[str, Callable[[re.Match[str]], tuple[str, int]]] = {"join": _join, "drift": _drift}
"""From the word behind a gap to what stands instead of the gap, and where the text goes on."""


def _cased_like(model: str, word: str) -> str:
    return word[0].upper() + word[1:] if model[0].isupper() else word


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"typos": typos, "homophones": homophones}
