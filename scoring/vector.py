"""Vectors: ``{type: vector, target: ["1", "2"], tolerance: {mode: exact}}``.

Order and length matter. Round, square and angle brackets are read, a LaTeX column or row, and behind a marker a bare list; a set in
braces is no vector. Components that are named x, y and z come in that order, however they were listed. A dollar sign is math mode or a
currency, and neither changes a component. With ``unit: cm`` the components or the whole may carry that unit, and no other. With
``units: [h, min, s]``, 12 min 30 s is (0, 12, 30), and so is 0:12:30.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import measures
from qbench.scoring.components import (
    component,
    inside,
    one_line,
    rows,
    split,
    target_components,
    ungrouped,
    without_label,
    without_name,
)
from qbench.scoring.extract import Committed, committed
from qbench.scoring.measures import FAMILIES
from qbench.scoring.tolerance import Tolerance, read_tolerance, texts
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("unit", "units")

SEPARATOR = re.compile(r",? \band\b |;")
DOLLAR = re.compile(r"(?<!\\)\\?\$")  # two amounts are no pair of math delimiters: [$33, 8, $5]
COORDINATE = re.compile(r"[xyz] ?=")
CLOCK = re.compile(r"\d{1,4}:\d\d:\d\d")
TRANSPOSED = re.compile(r" ?\^ ?\{? ?(?:[Tt]|\\top|\\intercal) ?\}?$")


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: tuple[Fraction, ...]
    tolerance: Tolerance
    units: tuple[str, ...] = ()
    """The units of the components, of one family of `qbench.scoring.measures`; none if they have no units of their own."""
    unit: re.Pattern[str] | None = None
    """The one unit of all components, where it stands behind a number."""


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no list of numbers, the tolerance is missing, or the units are not those of the components.
    """
    spec = Spec(
        target_components(answer, answer.get("target")),
        read_tolerance(answer),
        texts(answer, "units"),
        measures.behind_a_number(str(answer["unit"])) if answer.get("unit") else None,
    )
    if spec.units and (len(spec.units) != len(spec.target) or not any(set(spec.units) <= set(f) for f in FAMILIES)):
        raise AnswerSpecError(f"units is {spec.units}; it must name the unit of each component, such as [h, min, s].")
    return spec


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> list[Fraction]:
    """Return the components in order."""
    text = one_line(replace(found, text=DOLLAR.sub(" ", found.text or "")))
    if spec.unit:
        text = spec.unit.sub("", text)
    left, equals, right = text.partition("=")
    if equals and "=" not in right and not any(sign.isdigit() for sign in left.partition("_")[0]):
        text = right
    text = TRANSPOSED.sub("", text.strip())  # a row and a column are the same vector
    if spec.units:
        if CLOCK.fullmatch(text):
            return [Fraction(part) for part in text.split(":")]
        amounts = measures.amounts(inside(text, "([") or text)
        if amounts and amounts.keys() <= set(spec.units):
            return [amounts.get(unit, Fraction(0)) for unit in spec.units]
    content = inside(text, "([⟨<")
    if content is not None:
        text = text[0] + ungrouped(content, len(spec.target)) + text[-1]
    if text[:1] in tuple("([⟨<\\"):
        table = rows(text, "([⟨<")
        if len(table) > 1 and any(len(row) != 1 for row in table):
            raise Unreadable("a matrix, not a vector")
        cells = [cell for row in table for cell in row]
    elif found.marked:
        cells = split(ungrouped(SEPARATOR.sub(", ", text), len(spec.target)), ",")
        if len(cells) == 1:
            raise Unreadable("not a vector")
        if all(map(COORDINATE.match, cells)) and len({cell[0] for cell in cells}) == len(cells):
            cells.sort()
    else:
        raise Unreadable("not a vector")
    return [component(cell) for cell in without_label([without_name(cell) for cell in cells])]


def compare(components: list[Fraction], spec: Spec) -> Verdict:
    """Accept if every component meets the tolerance."""
    if len(components) != len(spec.target):
        return Verdict.of(False, "wrong length")
    return Verdict.of(
        all(spec.tolerance.accepts(value, target) for value, target in zip(components, spec.target, strict=True))
    )
