"""Every value of an iteration: ``{type: trace, target: ["2", "5", "14"], tolerance: {mode: exact}, recurrence: "3*x - 1"}``.

Right is every value, in order, none missing. Where it is not, two questions are answered: the first step that differs from the exact
trace, and the first step that does not follow from the model's own previous value. A slip in step 2 that is then carried on correctly
is one wrong transition, not a wrong rest.

In the recurrence, ``x`` is the previous value, ``y`` the one before it and ``n`` how many values came before: ``x + y`` makes Fibonacci
numbers, ``x * n`` factorials.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import grammar
from qbench.scoring.components import (
    component,
    inside,
    one_line,
    split,
    target_components,
    ungrouped,
    without_label,
    without_name,
)
from qbench.scoring.expression import value_at
from qbench.scoring.extract import Committed, committed
from qbench.scoring.grammar import Node
from qbench.scoring.tolerance import Tolerance, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("recurrence",)

SEPARATOR = re.compile(r"→|-{1,3}>|={1,2}>|,? \b(?:and|then|and then)\b |;")


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: tuple[Fraction, ...]
    tolerance: Tolerance
    recurrence: Node | None


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no list of numbers, the tolerance is missing, or the recurrence is no expression in x, y and n.
    """
    recurrence = answer.get("recurrence")
    try:
        step = grammar.parse(str(recurrence), ("x", "y", "n")) if recurrence else None
    except Unreadable as refusal:
        raise AnswerSpecError(f"The recurrence {recurrence!r} is no expression in x, y and n ({refusal}).") from None
    return Spec(target_components(answer, answer.get("target")), read_tolerance(answer), step)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> list[Fraction]:
    """Return the values in order."""
    text = one_line(found)
    content = inside(text, "[({⟨")
    parts = split(ungrouped(SEPARATOR.sub(", ", text if content is None else content), len(spec.target)), ",")
    return [component(part) for part in without_label([without_name(part) for part in parts])]


def compare(values: list[Fraction], spec: Spec) -> Verdict:
    """Accept if every value is right; else say where it went wrong."""
    wrong = _first_wrong_step(values, spec)
    details = {"right_steps": float((wrong or len(spec.target) + 1) - 1)}
    if wrong:
        details["first_wrong_step"] = float(wrong)
    if spec.recurrence and (slip := _first_wrong_transition(values, spec, spec.recurrence)):
        details["first_wrong_transition"] = float(slip)
    return Verdict.of(wrong is None, f"wrong from step {wrong}", **details)


def _first_wrong_step(values: list[Fraction], spec: Spec) -> int | None:
    """The first step, counted from 1, that differs from the exact trace, is missing or is one too many."""
    for step, (value, target) in enumerate(zip(values, spec.target, strict=False), start=1):
        if not spec.tolerance.accepts(value, target):
            return step
    return None if len(values) == len(spec.target) else min(len(values), len(spec.target)) + 1


def _first_wrong_transition(values: list[Fraction], spec: Spec, recurrence: Node) -> int | None:
    """The first step that neither starts like the target nor follows from the values before it."""
    given = 2 if "y" in grammar.names(recurrence) else 1
    for step, value in enumerate(values, start=1):
        if step <= given:
            right = step <= len(spec.target) and spec.tolerance.accepts(value, spec.target[step - 1])
        else:
            before = {"x": values[step - 2], "y": values[max(step - 3, 0)], "n": Fraction(step - 1)}
            expected = value_at(recurrence, before)
            right = expected is not None and spec.tolerance.accepts(value, expected)
        if not right:
            return step
    return None if len(values) >= len(spec.target) else len(values) + 1
