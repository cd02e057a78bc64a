"""Sets: ``{type: set, target: ["1", "2"], tolerance: {mode: exact}}``.

Order and repetition do not matter. Read are braces and their unions, and without them a list joined by commas, "and" or "or";
``x = ±3`` stands for two elements. Round and square brackets make pairs, intervals and vectors, not sets. A comma separates:
{1,234} has two elements. Only between three elements or more, with a space behind each comma that separates, do the others group
thousands: {1,234, 5,678, 9,012} has three.

A target with an element that is no number is a set of texts, compared like `qbench.scoring.text`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import grammar
from qbench.scoring.components import component, inside, one_line, split, ungrouped, without_label, without_name
from qbench.scoring.expression import value_at
from qbench.scoring.extract import Committed, committed
from qbench.scoring.plain import plain
from qbench.scoring.text import normal
from qbench.scoring.tolerance import Tolerance, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ()

JOINING_WORD = re.compile(r",? (?:\b(?:and|or)\b|&) (?=\S)")
BOTH = re.compile(r"(?:both|either) ")
EITHER_SIGN = re.compile(r"\+ ?/ ?-|\+-|\bplus (?:or|and) minus\b")
REMARK = re.compile(r"(?<=\}) ?\([A-Za-z ,.]{1,60}\)")  # {1, 2} (two solutions)
VARIABLE = re.compile(r"\b([A-Za-z])(?:_?\{?\d{1,3}\}?)? ?=")
EMPTY = re.compile(
    r"∅|\{ ?\}|(?:the )?empty set|none|(?:there (?:is|are) )?no (?:real )?(?:solutions?|elements?|roots?|such \w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Spec:
    """What is asked for: a set of numbers or, where ``texts`` is not ``None``, of texts."""

    numbers: tuple[Fraction, ...]
    texts: frozenset[str] | None
    tolerance: Tolerance


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no list, or the tolerance is missing.
    """
    elements = answer.get("target")
    if not isinstance(elements, list):
        raise AnswerSpecError(f"The target of a set answer must be a list of elements, not {elements!r}.")
    tolerance = read_tolerance(answer)
    try:
        return Spec(tuple(sorted({component(plain(str(element))) for element in elements})), None, tolerance)
    except Unreadable:
        return Spec((), frozenset(normal(str(element)) for element in elements), tolerance)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> set[Any]:
    """Return the elements, numbers or texts as the spec asks."""
    text = REMARK.sub("", EITHER_SIGN.sub("±", one_line(found)))
    if EMPTY.fullmatch(text):
        return set()
    if both := BOTH.match(text):
        text = text[both.end() :]
    parts = [inside(part.strip(), "{") for part in without_name(text).split("∪")]
    content = ",".join(part for part in parts if part) if None not in parts else None
    if content == "":
        return set()
    if len(set(VARIABLE.findall(text))) > 1:
        raise Unreadable("more than one unknown")  # x = 1, y = 2 is a point
    content = JOINING_WORD.sub(", ", text if content is None else content)
    if spec.texts is not None:
        return {normal(element) for element in split(content, ",;")}
    elements = split(ungrouped(content, len(spec.numbers)) if len(spec.numbers) > 1 else content, ",;")
    return {
        value
        for element in without_label([without_name(element) for element in elements])
        for value in _values(element)
    }


def compare(elements: set[Any], spec: Spec) -> Verdict:
    """Accept if the elements can be paired with the target's, one to one."""
    if spec.texts is not None:
        return Verdict.of(elements == spec.texts)
    if len(elements) != len(spec.numbers):
        return Verdict.of(False, "missing element" if len(elements) < len(spec.numbers) else "extra element")
    # On a line, pairing in order of size is a matching whenever there is one.
    pairs = zip(sorted(elements), spec.numbers, strict=True)
    return Verdict.of(all(spec.tolerance.accepts(value, target) for value, target in pairs))


def _values(element: str) -> list[Fraction]:
    """Read one element; ``1 ± sqrt(2)`` is two."""
    if "±" not in element:
        return [component(element)]
    if element.count("±") > 1:
        raise Unreadable("not a number")
    ends = [value_at(grammar.parse(element.replace("±", sign)), {}) for sign in "+-"]
    if None in ends:
        raise Unreadable("not a number")
    return [end for end in ends if end is not None]
