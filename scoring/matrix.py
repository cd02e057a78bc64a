"""Matrices: ``{type: matrix, target: [["1", "2"], ["3", "4"]], tolerance: {mode: exact}}``.

Read are nested brackets (``[[1, 2], [3, 4]]``, also as numpy and sympy print them), ``[1 2; 3 4]``, LaTeX's environments and, behind a
marker, rows on lines of their own, a Markdown table among them. A row is never taken for a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.components import component, inside, one_line, rows, target_components
from qbench.scoring.extract import ROW_SIGNS, Committed, committed
from qbench.scoring.tolerance import Tolerance, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ()


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: tuple[tuple[Fraction, ...], ...]
    tolerance: Tolerance


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no list of equally long lists of numbers, or the tolerance is missing.
    """
    lines = answer.get("target")
    if not isinstance(lines, list) or len({len(line) if isinstance(line, list) else -1 for line in lines}) != 1:
        raise AnswerSpecError(f"The target of a matrix answer must be a list of equally long rows, not {lines!r}.")
    return Spec(tuple(target_components(answer, line) for line in lines), read_tolerance(answer))


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response, rows=True)


def parse(found: Committed, spec: Spec) -> list[list[Fraction]]:
    """Return the rows, all of one length."""
    lines = (found.text or "").split("\n")
    text = _bracketed(lines) if len(lines) > 1 and all(map(ROW_SIGNS.issuperset, lines)) else one_line(found)
    left, equals, right = text.partition("=")
    if equals and not any(sign in "[(" for sign in left):
        text = right.strip()
    if found.marked and text[:1] in ("[", "(") and inside(text, "[(") is None:
        text = f"[{text}]"  # the rows alone: [1, 2], [3, 4]
    table = [[component(cell) for cell in row] for row in rows(text, "[({")]
    if len({len(row) for row in table}) != 1:
        raise Unreadable("rows of different lengths")
    return table


def _bracketed(lines: list[str]) -> str:
    """Write rows on lines of their own as ``[1 2; 3 4]``; the rule under a table's head has no digits."""
    text = " ".join(lines)
    if text.count("[") > len(lines):
        return " ".join(text.split())  # as numpy prints it
    cells = [" ".join(line.strip(" \t[]()|,;\\").replace("|", " ").replace("&", " ").split()) for line in lines]
    return f"[{'; '.join(row for row in cells if any(map(str.isdigit, row)))}]"


def compare(table: list[list[Fraction]], spec: Spec) -> Verdict:
    """Accept if the shape is the target's and every entry meets the tolerance."""
    if (len(table), len(table[0])) != (len(spec.target), len(spec.target[0])):
        return Verdict.of(False, "wrong shape")
    pairs = [pair for row, target in zip(table, spec.target, strict=True) for pair in zip(row, target, strict=True)]
    return Verdict.of(all(spec.tolerance.accepts(value, target) for value, target in pairs))
