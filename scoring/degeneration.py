"""How a text falls apart when the model behind it loses precision: it repeats itself, loses its syntax, mixes scripts, forgets what it
opened, stops.

`degeneration` measures, `damage` sums up. The thresholds leave ordinary English prose, letters, lists and verse at 0.
"""

import itertools
import math
import re
import unicodedata
import zlib
from collections import Counter

import numpy as np

from qbench.scoring.prose import Prose

WINDOW = 50  # words of the moving-average type-token ratio
SHORTEST = 200  # bytes below which zlib's header outweighs what it finds

BRACKETS = {")": "(", "]": "[", "}": "{"}
SENTENCE_CLOSERS = tuple(".!?…:\"')]}*`—>|”’")
MID_SENTENCE = frozenset(
    str.split("the a an and or but of to in on at for with from by as that which is are was were be this its their")
)
TOKEN = re.compile(r"[^\W\d_]+(?:['’_-][^\W\d_]+)*|\d[\d.,]*|\n|\S")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TO_BE = _words("is are was were am")
_MODALS = _words("will would could should must")
_HAD = _words("had did") | _MODALS - _words("will")
_ARTICLES = _words("the a an my your our their every")
_NO_NOUN = _ARTICLES | _words(
    "of from with at by for in on as to that this these those because if it you he she they we him them us"
)
_NO_NOUN |= _words("been could did had should")
_NO_PREDICATE = _words("am be have had do did could should must can") | _MODALS
NEVER_FOLLOWS: dict[str, frozenset[str]] = {
    # An article is waiting for its noun, a preposition for what it governs, a verb for anything but another finite verb.
    **dict.fromkeys(("the", "an", "every"), _NO_NOUN | _TO_BE | _words("and or but its be so have has which")),
    **dict.fromkeys(("my", "your", "our", "their", "its"), _NO_NOUN | _TO_BE | _words("but")),
    "a": _ARTICLES - _words("a")
    | _words(
        "of are because been did had should could than were was have its be has they we he she it you him them us"
    ),
    "of": _TO_BE - _words("is") | _words("of from with by for on am be been has because than") | _HAD,
    "to": _TO_BE - _words("is") | _words("to of for with at than because been") | _HAD,
    **dict.fromkeys(("from", "by", "in", "on"), _words("of been than")),
    **dict.fromkeys(("with", "for", "at"), _words("of to been than")),
    "is": _NO_PREDICATE | _TO_BE - _words("is"),
    "are": _NO_PREDICATE - _words("do") | _words("was were has"),
    "was": _NO_PREDICATE | _words("are were has"),
    "were": _NO_PREDICATE | _words("is are was has"),
    "be": _NO_PREDICATE - _words("had") | _TO_BE | _words("be has"),
    "has": _NO_PREDICATE - _words("had") | _words("are was were has"),
    **dict.fromkeys(_MODALS, _TO_BE | _words("been has had did of to") | _MODALS),
    **dict.fromkeys(("he", "she", "they", "we"), _ARTICLES - _words("a") | _words("of with from")),
    "and": _words("and than"),
    "but": _words("but and"),
    "or": _words("or than"),
    "than": _words("than and but of"),
}
NEVER_ENDS = _words("the an every and than")  # a sentence

MAX_VERSE_WORDS = 12
MIN_CUT_WORDS = 8  # a shorter last line without a full stop may be a signature, a heading or a verse


def degeneration(text: str) -> dict[str, float]:
    """Measure a text.

    ==================  =================================================================================================
    repeated_4grams     share of 4-word sequences that occurred before
    distinct_2          distinct 2-word sequences / all of them (Li et al. 2016)
    mattr               type-token ratio, averaged over windows of 50 words (Covington & McFall 2010)
    zlib_ratio          compressed / raw bytes; 1 for texts too short to tell
    broken_syntax       share of words in front of one that never follows them in English ("the of", "are was"), or of a full stop ("the.");
                        the first is forgiven, because a text may quote it
    script_switches     share of neighbouring words in different scripts
    unclosed            brackets and quotes that were opened and not closed
    cut_off             1 if the text stops in the middle of a sentence
    ==================  =================================================================================================
    """
    prose = Prose(text)
    return {
        "repeated_4grams": 1 - _distinct(prose.words, 4),
        "distinct_2": _distinct(prose.words, 2),
        "mattr": _mattr(prose.words),
        "zlib_ratio": _zlib_ratio(prose.text),
        "broken_syntax": _broken_syntax(prose.text),
        "script_switches": _script_switches(prose.words),
        "unclosed": float(_unclosed(prose.text)),
        "cut_off": float(_cut_off(prose)),
    }


def damage(measures: dict[str, float]) -> float:
    """Sum up: 0 for a whole text, 1 for a ruin. The damages are taken as independent: 1 - Π (1 - damage)."""
    damages = (
        _between(measures["repeated_4grams"], 0.15, 0.6),
        _between(-measures["mattr"], -0.5, -0.2),
        _between(-measures["zlib_ratio"], -0.25, -0.05),
        _between(measures["broken_syntax"], 0.0, 0.03),
        _between(measures["script_switches"], 0.02, 0.2),
        min(0.1 * measures["unclosed"], 0.3),
        0.3 * measures["cut_off"],
    )
    return 1 - math.prod(1 - part for part in damages)


def _between(value: float, harmless: float, ruinous: float) -> float:
    return min(max((value - harmless) / (ruinous - harmless), 0.0), 1.0)


def _distinct(words: list[str], n: int) -> float:
    ngrams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 1.0


def _mattr(words: list[str]) -> float:
    """The window slides by one word; the counter tells when a type enters and leaves it."""
    if len(words) < WINDOW:
        return 1.0
    inside = Counter(words[:WINDOW])
    types = [len(inside)]
    for leaving, entering in zip(words, words[WINDOW:], strict=False):
        inside[entering] += 1
        inside[leaving] -= 1
        if not inside[leaving]:
            del inside[leaving]
        types.append(len(inside))
    return float(np.mean(types)) / WINDOW


def _zlib_ratio(text: str) -> float:
    raw = text.encode("utf-8", errors="replace")
    return len(zlib.compress(raw)) / len(raw) if len(raw) >= SHORTEST else 1.0


def _broken_syntax(text: str) -> float:
    """Words in capitals are left out: they are often names, as in "Party A is"."""
    tokens = TOKEN.findall(text)
    n_broken = n_words = 0
    for one, other in itertools.pairwise(tokens):
        n_words += one[0].isalpha()
        if one.isupper():
            continue
        if other in ".!?;":
            n_broken += one.lower() in NEVER_ENDS
        else:
            n_broken += other in NEVER_FOLLOWS.get(one.lower(), ())
    return max(0, n_broken - 1) / n_words if n_words else 0.0


def _script_switches(words: list[str]) -> float:
    scripts = [_script(word) for word in words if not word.isdigit()]
    switches = sum(one != other for one, other in itertools.pairwise(scripts))
    return switches / (len(scripts) - 1) if len(scripts) > 1 else 0.0


def _script(word: str) -> str:
    if word.isascii():
        return "LATIN"
    scripts = {unicodedata.name(sign, "?").split(" ")[0] for sign in word if sign.isalpha()}
    return scripts.pop() if len(scripts) == 1 else "MIXED" if scripts else "LATIN"


def _unclosed(text: str) -> int:
    opened: list[str] = []
    for sign in text:
        if sign in "([{":
            opened.append(sign)
        elif sign in BRACKETS and opened and opened[-1] == BRACKETS[sign]:
            opened.pop()
    return len(opened) + text.count('"') % 2 + text.count("```") % 2


def _is_verse(line: str) -> bool:
    return len(line.split()) <= MAX_VERSE_WORDS and not line.endswith((".", "!", "?"))


def _cut_off(prose: Prose) -> bool:
    if not prose.words or prose.text.endswith(SENTENCE_CLOSERS):
        return False
    *earlier, final = prose.lines
    if len(earlier) >= 2 and all(_is_verse(line) for line in earlier):  # then the last line needs no full stop either
        return False
    last_line = final.split()
    return len(last_line) >= MIN_CUT_WORDS or prose.words[-1] in MID_SENTENCE
