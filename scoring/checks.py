"""The checks that rubrics are made of: one function each, which reads its options once and returns the check.

======================  ==========================================================  ==================================================
check                   options                                                     score
======================  ==========================================================  ==================================================
words, sentences,       ``{between: [a, b]}``, ``{at_least: n}``, ``{at_most: n}``  1 within the bounds, else how near: half the words
paragraphs, lines,                                                                  that were asked for is 0.5
sentence_words
mentions                a list of concepts, each a phrase or a list of synonyms;    share of the concepts found, as whole words
                        or ``{concepts: […], at_least: n}``
avoids                  a list of phrases                                           share of them that do not occur
starts_with, ends_with  a phrase or a list of alternatives                          0 or 1; case, quotes and punctuation do not count
contains_lines_         a list of phrases, such as headings                         share of them that begin some line
starting
numbered_steps          bounds                                                      lines numbered 1, 2, 3 … without a gap, as bounds
order                   a list of phrases                                           share that is found in this order
dialogue                ``{speakers: 2 or [names], turns: bounds}``                 mean over speakers and turns
verses                  ``{lines: bounds, stanzas: bounds, syllables: [5, 7, 5]}``  mean over what is asked for
json                    a JSON Schema (see `qbench.scoring.json_schema`) or ``{}``  0 no JSON, 0.5 JSON that breaks the schema, 1
grounded                ``{brief: text, allow: [words]}``                           share of the names and numbers that the brief has
not_degenerate          ``{}``                                                      1 - `qbench.scoring.degeneration.damage`
======================  ==========================================================  ==================================================
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from statistics import mean
from typing import Any

from qbench.scoring import degeneration, json_schema
from qbench.scoring.prose import WORD, Prose, fold, phrase_pattern, syllables

Check = Callable[[Prose], float]

STEP = re.compile(r"\W{0,4}(?:step ?)?(\d{1,3})\W{0,3}[.):]", re.IGNORECASE)
SPEAKER = re.compile(r"\W{0,3}([^\W\d_][\w .'-]{0,30}?)\W{0,3}(?:\([^()]{0,40}\))?\W{0,2}:\W{0,3}(?=\S)")
QUOTED = re.compile(r'"[^"\n]{2,}"')
HEADING = re.compile(r"\s*#|.{0,80}:\W{0,3}$|\s*\*\*[^*]+\*\*\s*$")
LIST_MARK = re.compile(r"^\W{0,4}(?:(?:step|day|week)? ?\d{1,3}[.):]|[-*•])\s*", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
CAPITALIZED = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
NO_NAMES = frozenset(str.split("i i'm i've i'll i'd ok mr mrs ms dr am pm ps"))


# ---------------------------------------------------------------- counting


def bounds(options: Any) -> Callable[[float], float]:
    """Read ``{between: [a, b]}``, ``{at_least: n}`` or ``{at_most: n}``; outside, the score is the ratio of count and bound."""
    match dict(options):
        case {"between": [low, high], **rest} if not rest:
            least, most = _number(low), _number(high)
        case {"at_least": low, **rest} if not rest:
            least, most = _number(low), float("inf")
        case {"at_most": high, **rest} if not rest:
            least, most = 0.0, _number(high)
        case _:
            raise ValueError("bounds are one of between, at_least and at_most")
    if not 0 <= least <= most:
        raise ValueError("the lower bound exceeds the upper one")

    def within(count: float) -> float:
        if count < least:
            return count / least
        return most / count if count > most else 1.0

    return within


def _number(value: Any) -> float:
    """Bounds that a template computed arrive as text."""
    return float(Fraction(str(value)))


def _counted(count: Callable[[Prose], float]) -> Callable[[Any], Check]:
    def read(options: Any) -> Check:
        within = bounds(options)
        return lambda prose: within(count(prose))

    return read


def _steps(prose: Prose) -> int:
    """How far the lines count 1, 2, 3 …"""
    reached = 0
    for line in prose.lines:
        step = STEP.match(line)
        if step and int(step[1]) == reached + 1:
            reached += 1
    return reached


# ---------------------------------------------------------------- phrases


def mentions(options: Any) -> Check:
    concepts = options["concepts"] if isinstance(options, Mapping) else options
    enough = (
        int(_number(options["at_least"])) if isinstance(options, Mapping) and "at_least" in options else len(concepts)
    )
    patterns = [_any_of([concept] if isinstance(concept, str) else concept) for concept in _texts(concepts)]
    return lambda prose: min(sum(pattern.search(prose.folded) is not None for pattern in patterns) / enough, 1.0)


def avoids(options: Any) -> Check:
    patterns = [_any_of([phrase]) for phrase in (_texts(options) if options else ())]  # easy items may forbid nothing
    return lambda prose: mean(pattern.search(prose.folded) is None for pattern in patterns) if patterns else 1.0


def starts_with(options: Any) -> Check:
    openings = tuple(_bare(phrase) for phrase in _texts([options] if isinstance(options, str) else options))
    return lambda prose: float(_bare(prose.text[:1_000]).startswith(openings))


def ends_with(options: Any) -> Check:
    endings = tuple(_bare(phrase) for phrase in _texts([options] if isinstance(options, str) else options))
    return lambda prose: float(_bare(prose.text[-1_000:]).endswith(endings))


def contains_lines_starting(options: Any) -> Check:
    openings = [_bare(phrase) for phrase in _texts(options)]

    def begun(prose: Prose) -> float:
        lines = [_bare(line[:200]) for line in prose.lines]
        return mean(any(line.startswith(opening) for line in lines) for opening in openings)

    return begun


def order(options: Any) -> Check:
    patterns = [_any_of([phrase]) for phrase in _texts(options)]

    def in_order(prose: Prose) -> float:
        found = position = 0
        for pattern in patterns:
            if match := pattern.search(prose.folded, position):
                found, position = found + 1, match.end()
        return found / len(patterns)

    return in_order


def _texts(options: Any) -> Sequence[Any]:
    if isinstance(options, str | Mapping) or not options:
        raise ValueError("a list of phrases is expected")
    return [str(option) if isinstance(option, int | float) else option for option in options]


def _any_of(synonyms: Sequence[str]) -> re.Pattern[str]:
    if not synonyms or not all(isinstance(synonym, str) and fold(synonym) for synonym in synonyms):
        raise ValueError("a phrase is a text that is not empty")
    return re.compile("|".join(map(phrase_pattern, synonyms)))


def _bare(text: str) -> str:
    """Words alone, on single spaces."""
    return " ".join(WORD.findall(fold(text)))


# ---------------------------------------------------------------- forms


def dialogue(options: Any) -> Check:
    """Speakers are the names before a colon at a line's start; quoted speech without names counts as two people taking turns."""
    speakers = options.get("speakers", 2)
    names = {_bare(str(name)) for name in speakers} if isinstance(speakers, list | tuple) else None
    wanted = len(names) if names is not None else int(_number(speakers))
    within = bounds(options.get("turns", {"at_least": wanted}))

    def spoken(prose: Prose) -> float:
        turns = [_bare(speaker[1]) for line in prose.lines if (speaker := SPEAKER.match(line))]
        if names is not None:
            turns = [speaker for speaker in turns if speaker in names]
        heard = len(set(turns))
        n_turns = len(turns)
        if not turns and names is None:
            n_turns = len(QUOTED.findall(prose.text))
            heard = min(n_turns, 2)
        return mean([min(heard / wanted, 1.0), within(n_turns)])

    return spoken


def verses(options: Any) -> Check:
    parts: list[Check] = []
    for name, option in options.items():
        if name == "lines":
            parts.append(CHECKS["lines"](option))
        elif name == "stanzas":
            parts.append(CHECKS["paragraphs"](option))
        elif name == "syllables":
            parts.append(_metre([int(count) for count in option]))
        else:
            raise ValueError(f"verses have lines, stanzas and syllables, no {name}")
    if not parts:
        raise ValueError("nothing is asked of the verses")
    return lambda prose: mean(part(prose) for part in parts)


def _metre(counts: list[int]) -> Check:
    """The share of lines with the right number of syllables, give or take one: the count is an estimate."""

    def measured(prose: Prose) -> float:
        right: int = sum(abs(syllables(line) - count) <= 1 for line, count in zip(prose.lines, counts, strict=False))
        return right / max(len(counts), len(prose.lines), 1)

    return measured


def json_document(options: Any) -> Check:
    json_schema.check_schema(options)

    def conforms(prose: Prose) -> float:
        found, document = json_schema.find_json(prose.text)
        if not found:
            return 0.0
        return 1.0 if json_schema.is_valid(document, options) else 0.5

    return conforms


# ---------------------------------------------------------------- content


def grounded(options: Any) -> Check:
    """Names are words with a capital that do not open a sentence, a line or a heading; numbers are written in digits."""
    brief = fold(" ".join([str(options["brief"]), *map(str, options.get("allow", []))]))
    words = {_stem(word) for word in CAPITALIZED.findall(brief)}
    numbers = {_plain_number(number) for number in NUMBER.findall(brief)}

    def invented_nothing(prose: Prose) -> float:
        sentences = [LIST_MARK.sub("", sentence) for sentence in prose.sentences if not HEADING.match(sentence)]
        known = [_stem(name.casefold()) in words for sentence in sentences for name in _names(sentence)]
        known += [_plain_number(number) in numbers for sentence in sentences for number in NUMBER.findall(sentence)]
        return sum(known) / len(known) if known else 1.0

    return invented_nothing


def _names(sentence: str) -> list[str]:
    _, *others = CAPITALIZED.findall(sentence) or [""]
    return [word for word in others if word[0].isupper() and word.casefold() not in NO_NAMES]


def _stem(word: str) -> str:
    return word.removesuffix("'s").removesuffix("s")


def _plain_number(number: str) -> str:
    """One spelling: 1,200 and 1200.0 are 1200. As text, because a degenerate response holds numbers of any length."""
    whole, _, decimals = number.replace(",", "").partition(".")
    return f"{whole.lstrip('0')}.{decimals.rstrip('0')}"


def not_degenerate(options: Any) -> Check:
    if options:
        raise ValueError("it has none")

    def whole(prose: Prose) -> float:
        measures: dict[str, float] = degeneration.degeneration(prose.text)
        return 1.0 - float(degeneration.damage(measures)) if prose.words else 0.0

    return whole


CHECKS: dict[str, Callable[[Any], Check]] = {
    "words": _counted(lambda prose: len(prose.words)),
    "sentences": _counted(lambda prose: len(prose.sentences)),
    "paragraphs": _counted(lambda prose: len(prose.paragraphs)),
    "lines": _counted(lambda prose: len(prose.lines)),
    "sentence_words": _counted(lambda prose: len(prose.words) / max(len(prose.sentences), 1)),
    "mentions": mentions,
    "avoids": avoids,
    "starts_with": starts_with,
    "ends_with": ends_with,
    "contains_lines_starting": contains_lines_starting,
    "numbered_steps": _counted(_steps),
    "order": order,
    "dialogue": dialogue,
    "verses": verses,
    "json": json_document,
    "grounded": grounded,
    "not_degenerate": not_degenerate,
}
