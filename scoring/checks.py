"""The checks that rubrics are made of: one function each, which reads its options once and returns the check.

======================  ==========================================================  ==================================================
check                   options                                                     score
======================  ==========================================================  ==================================================
words, sentences,       bounds: ``{between: [a, b]}``, ``{at_least: n}``,           1 within the bounds, else how near: half the words
paragraphs, lines,      ``{at_most: n}`` or ``{exactly: n}``                        that were asked for is 0.5; a miss of ``exactly``
sentence_words,                                                                     is worth at most 0.5
characters,
longest_word
each_sentence,          a list of checks                                            share of the pieces that meet all of them
each_line,
each_paragraph
mentions                a list of concepts, each a phrase or a list of synonyms;    share of the concepts found, as whole words
                        or ``{concepts: […], at_least: n, unless:           sentences with a phrase of ``unless`` do not count
                        [phrases]}``
avoids                  a list of phrases, or ``{phrases: […]}``                    share of them that do not occur
occurs                  ``{phrase: text}`` and bounds                               how often the phrase occurs, as bounds
starts_with, ends_with  a phrase or a list of alternatives; ends_with also a sign   0 or 1; case, quotes and punctuation do not count
contains_lines_         a list of phrases, such as headings                         share of them that begin some line
starting
numbered_steps          bounds                                                      lines numbered 1, 2, 3 … without a gap, as bounds
order                   a list of phrases, each possibly with synonyms              share that is found in this order
dialogue                ``{speakers: 2 or [names], turns: bounds,                   mean over what is asked for; the sequence is the
                        sequence: [names]}``                                        share of turns whose speaker is right
verses                  ``{lines: bounds, stanzas: bounds, syllables: [5, 7, 5]}``  mean over what is asked for
acrostic                ``{letters: GRACE, of: lines}``, or sentences, words, …     share of the pieces with the right first letter
line_words              a list of counts, one per line                              share of the lines with so many words
line_ends               a list of words, one per line                               share of the lines that end so
without_letters         a text of letters, or ``{letters: e}``                      share of the sentences that have none of them
case                    ``upper`` or ``lower``, or ``{of: upper}``                  share of the sentences that are in this case
contractions, passives  bounds                                                      their number, as bounds; passives are estimated
json                    a JSON Schema (see `qbench.scoring.json_schema`) or ``{}``  0 no JSON, 0.5 JSON that breaks the schema, 1
fields                  ``{name: value}``, or pairs ``[[name, value], …]``          share of a JSON object's fields that are right; one
                                                                                    too many is wrong
grounded                ``{brief: text, allow: [words]}``                           share of the names and numbers that the brief has
own_words               ``{brief: text, run: 4, at_least: 1}``                      share of the runs of 4 words that the brief does not
                                                                                    have; with ``at_least: 0.5`` half of them are enough
not_degenerate          ``{}``                                                      1 - `qbench.scoring.degeneration.damage`
======================  ==========================================================  ==================================================

Options that are a mapping, except of json and fields, may also hold ``about: [concepts]``, as mentions reads them: the score counts only
as far as the text is about these. A text about something else avoids a phrase and invents no name, and earns nothing by it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from statistics import mean
from typing import Any

from qbench.scoring import degeneration, json_schema
from qbench.scoring.prose import WORD, Prose, fold, phrase_pattern, syllables, unaccented

Check = Callable[[Prose], float]

STEP = re.compile(r"\W{0,4}(?:step ?)?(\d{1,3})\W{0,3}[.):]", re.IGNORECASE)
SPEAKER = re.compile(r"\W{0,3}([^\W\d_][\w .'-]{0,30}?)\W{0,3}(?:\([^()]{0,40}\))?\W{0,2}:\W{0,3}(?=\S)")
QUOTED = re.compile(r'"[^"\n]{2,}"')
HEADING = re.compile(r"\s*#|.{0,80}:\W{0,3}$|\s*\*\*[^*]+\*\*\s*$")
LIST_MARK = re.compile(r"^\W{0,4}(?:(?:step|day|week)? ?\d{1,3}[.):]|[-*•])\s*", re.IGNORECASE)
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
CAPITALIZED = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
CONTRACTION = re.compile(
    r"\b(?:\w+n't|\w+'(?:re|ve|ll|d|m)|(?:it|he|she|that|there|here|what|who|where|when|how|let|everything|nobody)'s)(?!\w)"
)
PARTICIPLES = (
    "begun bound broken brought built caught chosen cut done drawn driven eaten fed found frozen given ground heard held hung kept known "
    "laid left lost made paid put read run seen sent set shown shut sold spent split spread swept taken thrown told worn written"
)
PASSIVE = re.compile(
    r"\b(?:am|is|are|was|were|be|been|being) (?:not |then |also |\w+ly )?(?:\w+ed|"
    + PARTICIPLES.replace(" ", "|")
    + r")(?!\w)"
)
NO_NAMES = frozenset(str.split("i i'm i've i'll i'd ok mr mrs ms dr am pm ps"))


# ---------------------------------------------------------------- counting


def bounds(options: Any) -> Callable[[float], float]:
    """Read ``{between: [a, b]}``, ``{at_least: n}``, ``{at_most: n}`` or ``{exactly: n}``.

    Outside, the score is the ratio of count and bound, and half of it where the number was to be exact: an exact number that is nearly
    right is wrong.
    """
    match dict(options):
        case {"exactly": number, **rest} if not rest:
            exact = _number(number)
            near = bounds({"between": [number, number]})
            return lambda count: 1.0 if count == exact else near(count) / 2
        case {"between": [low, high], **rest} if not rest:
            least, most = _number(low), _number(high)
        case {"at_least": low, **rest} if not rest:
            least, most = _number(low), float("inf")
        case {"at_most": high, **rest} if not rest:
            least, most = 0.0, _number(high)
        case _:
            raise ValueError("bounds are one of between, at_least, at_most and exactly")
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
    asked = options if isinstance(options, Mapping) else {"concepts": options}
    concepts = asked["concepts"]
    enough = int(_number(asked.get("at_least", len(concepts))))
    patterns = [_any_of([concept] if isinstance(concept, str) else concept) for concept in _texts(concepts)]
    denial = _any_of(_texts(asked["unless"])) if "unless" in asked else None

    def found(prose: Prose) -> float:
        text = prose.folded
        if denial is not None:
            sentences = map(fold, prose.sentences)
            text = "\n".join(sentence for sentence in sentences if not denial.search(sentence))
        return min(sum(pattern.search(text) is not None for pattern in patterns) / enough, 1.0)

    return found


def avoids(options: Any) -> Check:
    phrases = options["phrases"] if isinstance(options, Mapping) else options
    patterns = [_any_of([phrase]) for phrase in (_texts(phrases) if phrases else ())]  # easy items may forbid nothing
    return lambda prose: mean(pattern.search(prose.folded) is None for pattern in patterns) if patterns else 1.0


def occurs(options: Any) -> Check:
    pattern = _any_of([options["phrase"]])
    within = bounds({name: option for name, option in options.items() if name != "phrase"})
    return lambda prose: within(sum(1 for _ in pattern.finditer(prose.folded)))


def starts_with(options: Any) -> Check:
    openings = tuple(_bare(phrase) for phrase in _texts([options] if isinstance(options, str) else options))
    return lambda prose: float(_bare(prose.text[:1_000]).startswith(openings))


def ends_with(options: Any) -> Check:
    phrases = _texts([options] if isinstance(options, str) else options)
    endings = tuple(bare for phrase in phrases if (bare := _bare(phrase)))
    signs = tuple(fold(phrase) for phrase in phrases if not _bare(phrase))  # a question mark, for example
    return lambda prose: float(
        bool(endings and _bare(prose.text[-1_000:]).endswith(endings))
        or bool(signs and prose.text.rstrip("\"')*_ ").endswith(signs))
    )


def contains_lines_starting(options: Any) -> Check:
    openings = [_bare(phrase) for phrase in _texts(options)]

    def begun(prose: Prose) -> float:
        lines = [_bare(line[:200]) for line in prose.lines]
        return mean(any(line.startswith(opening) for line in lines) for opening in openings)

    return begun


def order(options: Any) -> Check:
    patterns = [_any_of([phrase] if isinstance(phrase, str) else phrase) for phrase in _texts(options)]

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
    sequence = [_bare(str(name)) for name in options.get("sequence", ())]

    def spoken(prose: Prose) -> float:
        turns = [_bare(speaker[1]) for line in prose.lines if (speaker := SPEAKER.match(line))]
        if names is not None:
            turns = [speaker for speaker in turns if speaker in names]
        heard = len(set(turns))
        n_turns = len(turns)
        if not turns and names is None:
            n_turns = len(QUOTED.findall(prose.text))
            heard = min(n_turns, 2)
        parts = [min(heard / wanted, 1.0), within(n_turns)]
        return mean([*parts, _alike(turns, sequence)] if sequence else parts)

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


def _alike(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The share of positions that agree; what is missing or too much disagrees."""
    agreeing: int = sum(bool(one == other) for one, other in zip(found, wanted, strict=False))
    return agreeing / max(len(found), len(wanted), 1)


PIECES: dict[str, Callable[[Prose], Sequence[str]]] = {
    "words": lambda prose: prose.words,
    "sentences": lambda prose: prose.sentences,
    "lines": lambda prose: prose.lines,
    "paragraphs": lambda prose: prose.paragraphs,
}


def _each(pieces: Callable[[Prose], Sequence[str]]) -> Callable[[Any], Check]:
    def read(options: Any) -> Check:
        checks = [CHECKS[name](inner) for check in _entries(options) for name, inner in check.items()]

        def share(prose: Prose) -> float:
            found = [Prose(piece) for piece in pieces(prose)]
            return mean(all(check(piece) == 1 for check in checks) for piece in found) if found else 0.0

        return share

    return read


def _entries(options: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(options, list) or not options or not all(isinstance(check, Mapping) for check in options):
        raise ValueError("a list of checks is expected")
    return options


def acrostic(options: Any) -> Check:
    letters = list(fold(str(options["letters"])).replace(" ", ""))
    pieces = PIECES[options.get("of", "lines")]
    if not letters:
        raise ValueError("there are no letters")
    return lambda prose: _alike([_bare(piece[:200])[:1] for piece in pieces(prose)], letters)


def line_words(options: Any) -> Check:
    counts = [int(_number(count)) for count in options]
    if not counts:
        raise ValueError("there are no counts")
    return lambda prose: _alike([len(_bare(line).split()) for line in prose.lines], counts)


def line_ends(options: Any) -> Check:
    wanted = [_bare(word) for word in _texts(options)]

    def ended(prose: Prose) -> float:
        lines = [_bare(line) for line in prose.lines]
        right = sum(f" {line}".endswith(f" {word}") for line, word in zip(lines, wanted, strict=False))
        return right / max(len(lines), len(wanted))

    return ended


def without_letters(options: Any) -> Check:
    letters = frozenset(fold(str(options["letters"] if isinstance(options, Mapping) else options)))
    if not letters:
        raise ValueError("there are no letters")

    def spared(prose: Prose) -> float:
        sentences = [unaccented(sentence) for sentence in prose.sentences]
        return mean(letters.isdisjoint(sentence) for sentence in sentences) if sentences else 0.0

    return spared


def case(options: Any) -> Check:
    wanted = options["of"] if isinstance(options, Mapping) else options
    change = {"upper": str.upper, "lower": str.lower}[wanted]
    return lambda prose: mean(change(sentence) == sentence for sentence in prose.sentences) if prose.sentences else 0.0


def json_document(options: Any) -> Check:
    json_schema.check_schema(options)

    def conforms(prose: Prose) -> float:
        found, document = json_schema.find_json(prose.text)
        if not found:
            return 0.0
        return 1.0 if json_schema.is_valid(document, options) else 0.5

    return conforms


def fields(options: Any) -> Check:
    pairs = list(options.items()) if isinstance(options, Mapping) else [tuple(pair) for pair in options]
    wanted = {str(name): _matcher(value) for name, value in pairs}
    if not wanted:
        raise ValueError("there are no fields")

    def right(prose: Prose) -> float:
        _, document = json_schema.find_json(prose.text)
        if not isinstance(document, dict):
            return 0.0
        n_right = sum(name in document and matches(document[name]) for name, matches in wanted.items())
        return n_right / len(wanted.keys() | document.keys())

    return right


def _matcher(wanted: Any) -> Callable[[Any], bool]:
    """Texts are equal but for case and spaces; numbers as numbers, which a text is not; lists in order."""
    match wanted:
        case bool() | int() | float() | None:
            return lambda found: type(found) is type(wanted) and bool(found == wanted)
        case str():
            return lambda found: isinstance(found, str) and fold(found) == fold(wanted)
        case list():
            inner = [_matcher(value) for value in wanted]
            return lambda found: (
                isinstance(found, list)
                and len(found) == len(inner)
                and all(matches(value) for matches, value in zip(inner, found, strict=True))
            )
        case _:
            raise ValueError(f"a field is a text, a number or a list, not {wanted!r}")


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
    """Words with a capital, but for those that begin the sentence or follow a colon or an opening quote."""
    found = []
    for part in re.split(r'[:"]', sentence):
        _, *others = CAPITALIZED.findall(part) or [""]
        found += [word for word in others if word[0].isupper() and word.casefold() not in NO_NAMES]
    return found


def _stem(word: str) -> str:
    return word.removesuffix("'s").removesuffix("s")


def _plain_number(number: str) -> str:
    """One spelling: 1,200 and 1200.0 are 1200. As text, because a degenerate response holds numbers of any length."""
    whole, _, decimals = number.replace(",", "").partition(".")
    return f"{whole.lstrip('0')}.{decimals.rstrip('0')}"


def own_words(options: Any) -> Check:
    length = int(_number(options.get("run", 4)))
    copied = set(_runs(WORD.findall(fold(str(options["brief"]))), length))
    within = bounds({"at_least": options.get("at_least", 1)})

    def own(prose: Prose) -> float:
        runs = _runs(prose.words, length)
        return within(mean(run not in copied for run in runs)) if runs else 0.0

    return own


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


def not_degenerate(options: Any) -> Check:
    if options:
        raise ValueError("it has none")

    def whole(prose: Prose) -> float:
        measures: dict[str, float] = degeneration.degeneration(prose.text)
        return 1.0 - float(degeneration.damage(measures)) if prose.words else 0.0

    return whole


def _as_far_as_about(read: Callable[[Any], Check]) -> Callable[[Any], Check]:
    """Let a check's options hold ``about``, the concepts without which it counts for nothing."""

    def read_both(options: Any) -> Check:
        if not isinstance(options, Mapping) or "about" not in options:
            return read(options)
        check = read({name: option for name, option in options.items() if name != "about"})
        on_topic = mentions(options["about"])
        return lambda prose: check(prose) * on_topic(prose)

    return read_both


_PLAIN: dict[str, Callable[[Any], Check]] = {
    "words": _counted(lambda prose: len(prose.words)),
    "sentences": _counted(lambda prose: len(prose.sentences)),
    "paragraphs": _counted(lambda prose: len(prose.paragraphs)),
    "lines": _counted(lambda prose: len(prose.lines)),
    "sentence_words": _counted(lambda prose: len(prose.words) / max(len(prose.sentences), 1)),
    "characters": _counted(lambda prose: len(prose.text)),
    "longest_word": _counted(lambda prose: max(map(len, prose.words), default=0)),
    "each_sentence": _each(PIECES["sentences"]),
    "each_line": _each(PIECES["lines"]),
    "each_paragraph": _each(PIECES["paragraphs"]),
    "mentions": mentions,
    "avoids": avoids,
    "occurs": occurs,
    "starts_with": starts_with,
    "ends_with": ends_with,
    "contains_lines_starting": contains_lines_starting,
    "numbered_steps": _counted(_steps),
    "order": order,
    "dialogue": dialogue,
    "verses": verses,
    "acrostic": acrostic,
    "line_words": line_words,
    "line_ends": line_ends,
    "without_letters": without_letters,
    "case": case,
    "contractions": _counted(lambda prose: sum(1 for _ in CONTRACTION.finditer(prose.folded))),
    "passives": _counted(lambda prose: sum(1 for _ in PASSIVE.finditer(prose.folded))),
    "grounded": grounded,
    "own_words": own_words,
    "not_degenerate": not_degenerate,
}
CHECKS: dict[str, Callable[[Any], Check]] = {
    **{name: _as_far_as_about(read) for name, read in _PLAIN.items()},
    "json": json_document,  # their options are what a document holds, about among it
    "fields": fields,
}
