"""Vectors: ``{type: vector, target: ["1", "2"], tolerance: {mode: exact}}``.

Order and length matter. Round, square and angle brackets are read, a LaTeX column or row, and behind a marker a bare list; a set in
braces is no vector. Components that are named x, y and z come in that order, however they were listed. A dollar sign is math mode or a
currency, and neither changes a component.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from qbench.scoring.components import component, one_line, rows, split, target_components, without_name
from qbench.scoring.extract import Committed, committed
from qbench.scoring.tolerance import Tolerance, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ()

SEPARATOR = re.compile(r",? \band\b |;")
DOLLAR = re.compile(r"(?<!\\)\\?\$")  # two amounts are no pair of math delimiters: [$33, 8, $5]
COORDINATE = re.compile(r"[xyz] ?=")
TRANSPOSED = re.compile(r" ?\^ ?\{? ?(?:[Tt]|\\top|\\intercal) ?\}?$")


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: tuple[Fraction, ...]
    tolerance: Tolerance


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no list of numbers, or the tolerance is missing.
    """
    return Spec(target_components(answer, answer.get("target")), read_tolerance(answer))


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> list[Fraction]:
    """Return the components in order."""
    text = one_line(replace(found, text=DOLLAR.sub(" ", found.text or "")))
    left, equals, right = text.partition("=")
    if equals and "=" not in right and not any(sign.isdigit() for sign in left.partition("_")[0]):
        text = right
    text = TRANSPOSED.sub("", text.strip())  # a row and a column are the same vector
    if text[:1] in tuple("([⟨<\\"):
        table = rows(text, "([⟨<")
        if len(table) > 1 and any(len(row) != 1 for row in table):
            raise Unreadable("a matrix, not a vector")
        cells = [cell for row in table for cell in row]
    elif found.marked:
        cells = split(SEPARATOR.sub(",", text), ",")
        if len(cells) == 1:
            raise Unreadable("not a vector")
        if all(map(COORDINATE.match, cells)) and len({cell[0] for cell in cells}) == len(cells):
            cells.sort()
    else:
        raise Unreadable("not a vector")
    return [component(without_name(cell)) for cell in cells]


def compare(components: list[Fraction], spec: Spec) -> Verdict:
    """Accept if every component meets the tolerance."""
    if len(components) != len(spec.target):
        return Verdict.of(False, "wrong length")
    return Verdict.of(
        all(spec.tolerance.accepts(value, target) for value, target in zip(components, spec.target, strict=True))
    )
