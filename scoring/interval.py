"""Intervals and their unions: ``{type: interval, target: "(-∞,1)∪(3,∞)", tolerance: {mode: exact}}``.

Read are brackets (also ISO's ``]2, 5]``), unions, intersections and differences, inequalities (``2 < x ≤ 5``, ``x < 1 or x > 3``),
set-builder notation, single points ``{3}``, ℝ and ∅. One set may be said in two ways ("(2, 5], i.e. 2 < x ≤ 5"). Two answers are
equal if they are the same set of points: pieces that touch are joined first, so [0,1]∪(1,2] is [0,2] and [0,1)∪(1,2] is not. Reversed
end points and a bracket closed at infinity are malformed. "between 2 and 5" and "from 2 to 5" are [2, 5]. With ``unit: cm`` the ends or the
whole may carry that unit, and no other.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.components import component, inside, one_line, split
from qbench.scoring.extract import Committed, committed
from qbench.scoring.measures import behind_a_number
from qbench.scoring.tolerance import Tolerance, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("unit",)
MAX_LENGTH = 1_000  # characters
MAX_RELATIONS = 60  # brackets, commas and inequality signs, which bound the pieces

LEAD_IN = re.compile(
    r"[A-Z] ?= ?(?=[\[\](){])|either (?=[a-z] ?[<>])"
    r"|(?:[Tt]he set of )?(?:[Aa]ll|[Ee]very) (?:real )?(?:numbers? |values? (?:of )?)?(?=[a-z] )"
    r"(?:[a-z] (?:such that|with|where|satisfying) )?"
)
FROM_TO = re.compile(
    r"(?:(?:[Ii]t |[a-z] |(?:[Tt]he|[Ii]ts|[Tt]heir) (?:\w+ ){1,3})?(?:lies |is )?[Bb]etween (?P<low>[^ ]{1,60}) and"
    r"|[Ff]rom (?P<from>[^ ]{1,60}) to) (?P<high>[^ ,]{1,60})(?:,? \(?inclusive\)?)?"
)
UNKNOWN = re.compile(r"(?<![A-Za-z\\])[a-df-z](?![A-Za-z])")
RESTATED = re.compile(r",? ?\(?\b(?:i\.e\.|that is|equivalently|in other words)[,:]? ")
UNION = re.compile(r"∪|,? ?\bor\b|\|\||(?<=[\])\[(]) ?U ?(?=[\])\[(])")
INTERSECTION = re.compile(r"∩|,? ?\band\b|&&?")
WITHOUT = re.compile(r"([\])]) ?\\ (?=[\[(])")  # [0, 3] \ (1, 2), written with a bare backslash
DIFFERENCE = re.compile(r"∖|\\(?= ?\{)|(?<=ℝ) ?- ?(?=[\[({])")
BRACKETS = re.compile(r"([\[\](]) ?([^\[\]]*?) ?[,;] ?([^\[\],;]*?) ?([\[\])])")
AND = re.compile(r",(?! ?(?:and|or)\b)")
BRACKET = re.compile(r"[\[\](){}]")
RELATION = re.compile(r"<=|>=|!=|<|>|=")
MEMBER = re.compile(r"[A-Za-z]\w{0,5}(?: ?∈| in\b) ?")
BUILDER = re.compile(r"[A-Za-z]\w{0,5} ?(?:∈ ?ℝ ?)?[|:] ?(.*)")
VARIABLE = re.compile(r"[A-Za-zθ]|[A-Za-z]_\d|theta|alpha|beta|lambda|mu")
INFINITE = re.compile(r"([+-]?) ?(?:∞|inf|infinity|oo)", re.IGNORECASE)
EVERYTHING = re.compile(r"ℝ|R|(?:the set of )?(?:all|any|every)(?: of)?(?: the)? reals?(?: numbers?)?", re.IGNORECASE)
NOTHING = re.compile(r"∅|\{ ?\}|(?:the )?empty set|no (?:real )?solutions?|none", re.IGNORECASE)
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Bound = Fraction | float
"""An end point; the only floats are the two infinities."""


@dataclass(frozen=True)
class Piece:
    """One interval."""

    low: Bound
    high: Bound
    low_closed: bool
    high_closed: bool

    @property
    def key(self) -> tuple[Bound, bool]:
        """Pieces are ordered by where they start; a closed start comes before an open one."""
        return (self.low, not self.low_closed)


EVERY_NUMBER = Piece(-math.inf, math.inf, False, False)
Pieces = tuple[Piece, ...]


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: Pieces
    tolerance: Tolerance
    unit: re.Pattern[str] | None = None
    """The unit of the end points, where it stands behind a number or a bracket."""


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no interval, or the tolerance is missing.
    """
    target = answer.get("target")
    try:
        pieces = parse(Committed(str(target), marked=True))
    except Unreadable as refusal:
        raise AnswerSpecError(f"The target {target!r} of an interval answer cannot be read ({refusal}).") from None
    unit = behind_a_number(str(answer["unit"])) if answer.get("unit") else None
    return Spec(pieces, read_tolerance(answer), unit)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec | None = None) -> Pieces:
    """Return the disjoint pieces in order."""
    text = one_line(dataclasses.replace(found, text=WITHOUT.sub(r"\1∖ ", found.text or "")))
    if spec and spec.unit:
        text = spec.unit.sub("", text)
    if len(text) > MAX_LENGTH or sum(map(text.count, "()[],;<>=")) > MAX_RELATIONS:
        raise Unreadable("refused by parser: too long")
    first, *again = RESTATED.split(text)
    pieces = _union_of(first)
    for other in again:
        if _union_of(other.removesuffix(")") if other.count(")") > other.count("(") else other) != pieces:
            raise Unreadable("two answers")
    return pieces


def compare(pieces: Pieces, spec: Spec) -> Verdict:
    """Accept if the pieces have the target's end points, open and closed alike."""
    if len(pieces) != len(spec.target):
        return Verdict.of(False)
    return Verdict.of(
        all(_same(piece, target, spec.tolerance) for piece, target in zip(pieces, spec.target, strict=True))
    )


def _same(piece: Piece, target: Piece, tolerance: Tolerance) -> bool:
    if (piece.low_closed, piece.high_closed) != (target.low_closed, target.high_closed):
        return False
    return all(
        tolerance.accepts(ours, theirs)
        if isinstance(ours, Fraction) and isinstance(theirs, Fraction)
        else ours == theirs
        for ours, theirs in ((piece.low, target.low), (piece.high, target.high))
    )


# ---------------------------------------------------------------- reading


def _union_of(text: str) -> Pieces:
    text = MEMBER.sub("", text.strip(), count=1) if MEMBER.match(text) else text.strip()
    if (content := inside(text, "{")) and (builder := BUILDER.fullmatch(content)):
        text = builder[1]
    if lead := LEAD_IN.match(text):
        text = text[lead.end() :]
    if ends := FROM_TO.fullmatch(text):
        return (_interval(_bound(ends["low"] or ends["from"]), _bound(ends["high"]), True, True),)
    if len(set(UNKNOWN.findall(text))) > 1:
        raise Unreadable("more than one unknown")
    if not BRACKET.search(text):
        text = AND.sub(" and ", text)  # x > 2, x ≤ 5
    return union(*(_intersection_of(part) for part in UNION.split(text)))


def _intersection_of(text: str) -> Pieces:
    pieces: Pieces = (EVERY_NUMBER,)
    for part in INTERSECTION.split(text):
        first, *removed = DIFFERENCE.split(part)
        pieces = intersection(pieces, _piece(first.strip()))
        for hole in removed:
            pieces = intersection(pieces, complement(_piece(hole.strip())))
    return pieces


def _piece(text: str) -> Pieces:
    text = MEMBER.sub("", text, count=1) if MEMBER.match(text) else text
    if EVERYTHING.fullmatch(text):
        return (EVERY_NUMBER,)
    if NOTHING.fullmatch(text):
        return ()
    if brackets := BRACKETS.fullmatch(text):
        opening, low, high, closing = brackets.groups()
        return (_interval(_bound(low), _bound(high), opening == "[", closing == "]"),)
    if points := inside(text, "{"):
        return union(*((_interval(point, point, True, True),) for point in map(_bound, split(points, ",;"))))
    return _inequality(text)


def _interval(low: Bound, high: Bound, low_closed: bool, high_closed: bool) -> Piece:
    closed_at_infinity = (low_closed and low == -math.inf) or (high_closed and high == math.inf)
    if low > high or closed_at_infinity or (low == high and not (low_closed and high_closed)):
        raise Unreadable("malformed interval")
    return Piece(low, high, low_closed, high_closed)


def _inequality(text: str) -> Pieces:
    """Read ``x > 3``, ``5 >= x > 2`` and ``x != 1``."""
    sides = [side.strip() for side in RELATION.split(text)]
    relations = RELATION.findall(text)
    places = [n for n, side in enumerate(sides) if VARIABLE.fullmatch(side)]
    if len(places) != 1 or not 1 <= len(relations) <= 2:
        raise Unreadable("not an interval")
    pieces: Pieces = (EVERY_NUMBER,)
    for n, relation in enumerate(relations):
        if n + 1 == places[0]:
            pieces = intersection(pieces, _half_line(MIRRORED.get(relation, relation), _bound(sides[n])))
        elif n == places[0]:
            pieces = intersection(pieces, _half_line(relation, _bound(sides[n + 1])))
        else:
            raise Unreadable("not an interval")
    return pieces


def _half_line(relation: str, bound: Bound) -> Pieces:
    """The numbers x with ``x <relation> bound``."""
    match relation:
        case "<" | "<=":
            return (
                () if bound == -math.inf else (Piece(-math.inf, bound, False, relation == "<=" and bound != math.inf),)
            )
        case ">" | ">=":
            return (
                () if bound == math.inf else (Piece(bound, math.inf, relation == ">=" and bound != -math.inf, False),)
            )
        case _:
            point = (_interval(bound, bound, True, True),)
            return point if relation == "=" else complement(point)


def _bound(text: str) -> Bound:
    if infinite := INFINITE.fullmatch(text.strip()):
        return -math.inf if infinite[1] == "-" else math.inf
    number: Fraction = component(text)
    return number


# ---------------------------------------------------------------- the algebra of pieces


def union(*sets: Pieces) -> Pieces:
    """Join sets, and pieces that overlap or touch in a point that one of them contains."""
    joined: list[Piece] = []
    for piece in sorted(itertools.chain(*sets), key=lambda piece: piece.key):
        last = joined[-1] if joined else None
        if last and (piece.low < last.high or (piece.low == last.high and (piece.low_closed or last.high_closed))):
            high, closed = max((last.high, last.high_closed), (piece.high, piece.high_closed))
            joined[-1] = Piece(last.low, high, last.low_closed, closed)
        else:
            joined.append(piece)
    return tuple(joined)


def complement(pieces: Pieces) -> Pieces:
    """Every real number that is in none of the pieces."""
    gaps, low, closed = [], -math.inf, False
    start: Bound = low
    for piece in union(pieces):
        if start < piece.low or (start == piece.low and closed and not piece.low_closed):
            gaps.append(Piece(start, piece.low, closed, not piece.low_closed and piece.low != -math.inf))
        start, closed = piece.high, not piece.high_closed
    if start < math.inf:
        gaps.append(Piece(start, math.inf, closed, False))
    return tuple(gaps)


def intersection(one: Pieces, other: Pieces) -> Pieces:
    """De Morgan: what is missing from neither."""
    return complement(union(complement(one), complement(other)))
