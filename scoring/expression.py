"""Expressions: ``{type: expression, target: "x^2+2*x+1", variables: [x], tolerance: {mode: exact}}``.

Further fields: ``lhs`` (left-hand sides that may stand before "=": ``["f(x)", "y"]``) and ``plus_c`` for antiderivatives (``optional``:
any constant may be added, ``required``: an arbitrary constant such as C must be).

Two expressions are equal if they have the same value at random real points, positive and negative, in 60-digit arithmetic, and if both
or neither leave the real numbers on the way there. So sin²x + cos²x is 1, sqrt(x^2) is not x, and sqrt(x)^2, which is undefined for
negative x, is not x either; -ln(1/x) is ln x. Points where one of the two has no value are passed over. (Zero testing by random
points: Schwartz 1980, Zippel 1979.)
"""

import functools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import grammar
from qbench.scoring.extract import Committed, committed, without_reason
from qbench.scoring.grammar import Node
from qbench.scoring.plain import plain
from qbench.scoring.tolerance import Tolerance, read_tolerance, texts
from qbench.scoring.values import Calculator, Evaluation, NoValue, rational
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("variables", "lhs", "plus_c")

DIGITS = 60  # of working precision
MATCHING = 30  # digits that must agree
LOST = 25  # digits that cancellation may cost before a point says nothing
MAX_SIDES = 5  # of an equation
POINTS = 9
ENOUGH_POINTS = 3  # with a value on both sides
SEED = 1979
CONSTANTS_OF_INTEGRATION = ("C", "c", "K", "k", "const", "constant")

VARIABLE = re.compile(r"[A-Za-z]+(?:_[A-Za-z0-9]{1,10})?")
CONDITION = re.compile(
    r",? ?\(?(?:where (?:the )?[A-Za-z]{1,8} is\b.*constant.*|for (?:all|every|any) (?:real )?[a-z])\)?"
)
UNSOLVED = re.compile(r"\\int\b|∫|\\frac ?\{ ?d ?\} ?\{ ?d")  # the question said again, before an equals sign
LEAD_IN = re.compile(r"(?:[A-Za-z']{2,} ){1,6}(?:is|equals|are) ")

PRIME = re.compile(r"\^(?:\{'\}|')")
QUOTIENT = re.compile(r"\\frac\{(\w+)\}\{(\w+)\}")

Point = dict[str, Any]


@dataclass(frozen=True)
class Spec:
    """The target, evaluated beforehand at every point."""

    variables: tuple[str, ...]
    tolerance: Tolerance
    lhs: frozenset[str]
    plus_c: str | None
    references: tuple[tuple[Point, Evaluation | None], ...]
    imaginary: bool
    """Whether the target speaks of i or is never real, so that leaving the real numbers means nothing."""
    constants: tuple[str, ...]
    """Names that may stand for the constant of integration."""


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is not of the grammar or has no value, or a field has a value that it cannot have.
    """
    variables = tuple(map(plain, texts(answer, "variables")))
    for name in variables:
        if not VARIABLE.fullmatch(name):
            raise AnswerSpecError(f"{name!r} is no name of a variable; write a letter, a Greek letter's name or x_1.")
    plus_c = answer.get("plus_c")
    if plus_c not in (None, "optional", "required"):
        raise AnswerSpecError(f"plus_c is {plus_c!r}; it must be 'optional' or 'required'.")
    tolerance = read_tolerance(answer)
    if tolerance.mode not in ("exact", "abs", "rel"):
        raise AnswerSpecError(
            f"An expression cannot be rounded to {tolerance.mode}; its tolerance is exact, abs or rel."
        )
    constants = tuple(name for name in CONSTANTS_OF_INTEGRATION if name not in variables) if plus_c else ()
    try:
        tree = grammar.parse(str(answer.get("target")), (*variables, *constants))
    except Unreadable as refusal:
        raise AnswerSpecError(f"The target expression {answer.get('target')!r} cannot be read ({refusal}).") from None
    values = [(point, _value(tree, dict.fromkeys(constants, 0) | point)) for point in _points(variables)]
    # Real values first: they tell which constant of integration was added.
    references = tuple(sorted(values, key=lambda pair: pair[1] is None or not pair[1].real))
    if all(value is None for _, value in references):
        raise AnswerSpecError(f"The target expression {answer.get('target')!r} has no value at any point.")
    lhs = frozenset(map(_squeezed, texts(answer, "lhs")))
    imaginary = "i" in grammar.names(tree) or not any(value.real for _, value in references if value)
    return Spec(variables, tolerance, lhs, plus_c, references, imaginary, constants)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> list[Node]:
    """Return the expressions between the equals signs, without a declared left-hand side."""
    text = plain(found.text or "")
    if found.marked and (lead := LEAD_IN.match(text)):
        text = text[lead.end() :]
    text = without_reason(text)
    if condition := CONDITION.search(text):
        text = text[: condition.start()] if condition.end() == len(text) else text
    sides = [side for side in text.split("=") if side.strip() and _squeezed(side) not in spec.lhs]
    if len(sides) > 1 and UNSOLVED.match(sides[0].strip()):
        del sides[0]
    if not 1 <= len(sides) <= MAX_SIDES:
        raise Unreadable("no expression" if not sides else "too many expressions")
    return [grammar.parse(side, (*spec.variables, *spec.constants)) for side in sides]


def compare(sides: list[Node], spec: Spec) -> Verdict:
    """Accept if every side equals the target."""
    if spec.plus_c is None:
        return Verdict.of(all(_equal(side, spec) for side in sides))
    if spec.plus_c == "required" and not any(grammar.names(side) & set(spec.constants) for side in sides):
        return Verdict.of(False, "no constant of integration")
    return Verdict.of(all(_equal_up_to_constant(side, spec) for side in sides))


def constant(text: str) -> Fraction:
    """Read a number that may be irrational, such as an end point ``-\\sqrt{2}/2``, to 50 decimals.

    Rational arithmetic is refused, as in every numeral: ``17*24`` computes nothing. Two different constants that anybody writes differ
    within 50 decimals.
    """
    tree = grammar.parse(text)
    try:
        rational(tree, {})
    except NoValue:
        value = value_at(tree, {})
        if value is not None:
            return value
    raise Unreadable("not a number")


def value_at(tree: Node, values: Mapping[str, Fraction]) -> Fraction | None:
    """Evaluate exactly where the value is rational, else to 50 decimals; ``None`` where it is not a real number."""
    try:
        number: Fraction = rational(tree, values)
    except NoValue:
        context = _calculator().context
    else:
        return number
    evaluation = _value(
        tree, {name: context.mpf(value.numerator) / value.denominator for name, value in values.items()}
    )
    if evaluation is None or evaluation.value.imag:
        return None
    return Fraction(int(context.nint(evaluation.value.real * 10**50)), 10**50)


# ---------------------------------------------------------------- equality at random points


@functools.cache
def _calculator() -> Calculator:
    return Calculator(DIGITS)


def _points(variables: Sequence[str]) -> list[Point]:
    """Random real points of size 0.1 to 4, four with positive coordinates alone; the same ones in every process."""
    if not variables:
        return [{}]
    context = _calculator().context
    rng = random.Random(SEED)
    kinds = [(1, (1,))] * 2 + [(4, (1,))] * 2 + [(4, (-1, 1))] * (POINTS - 4)  # of the largest size and the signs
    return [
        {name: context.mpf(rng.randrange(10**29, size * 10**30)) / 10**30 * rng.choice(signs) for name in variables}
        for size, signs in kinds
    ]


def _value(tree: Node, point: Point) -> Evaluation | None:
    try:
        return _calculator().evaluate(tree, point)
    except NoValue:
        return None


def _equal(tree: Node, spec: Spec) -> bool:
    return _shift(tree, spec, expected=0) is not None


def _equal_up_to_constant(tree: Node, spec: Spec) -> bool:
    """Whether the difference to the target is one constant, and another one for another value of C."""
    shift = _shift(tree, spec)
    if shift is None or grammar.names(tree).isdisjoint(spec.constants):
        return shift is not None
    other = _shift(tree, spec, constant_value=1)
    return other is not None and other != shift


def _shift(tree: Node, spec: Spec, *, constant_value: int = 0, expected: Any = None) -> Any:
    """The difference to the target if it is the same (or as expected) at every point that says something, else ``None``."""
    constants = dict.fromkeys(spec.constants, _calculator().context.mpf(constant_value))
    shift, compared = expected, 0
    for point, reference in spec.references:
        here = _value(tree, constants | point)
        if here is None or reference is None or not _says_something(here, reference):
            continue
        if here.real != reference.real and not spec.imaginary:
            return None
        difference = here.value - reference.value
        agrees = shift is None or abs(difference - shift) <= _allowed(reference.value, spec.tolerance)
        if not here.real and not spec.imaginary and (not agrees or shift is None) and spec.variables:
            continue  # both are undefined over the real numbers here, whatever their principal values
        if not agrees:
            return None
        shift = difference if shift is None else shift
        compared += 1
    return shift if compared >= min(ENOUGH_POINTS, len(spec.references)) else None


def _says_something(here: Evaluation, reference: Evaluation) -> bool:
    """Whether cancellation has left enough digits at this point."""
    return bool(max(here.scale, reference.scale) < max(abs(reference.value), 1) * 10**LOST)


def _allowed(target: Any, tolerance: Tolerance) -> Any:
    context = _calculator().context
    size = abs(target)
    rounding = context.mpf(10) ** -MATCHING * max(size, 1)
    as_mpf = {
        name: context.mpf(bound.numerator) / bound.denominator
        for name, bound in (("abs", tolerance.abs), ("rel", tolerance.rel))
    }
    return max(rounding, as_mpf["abs"], as_mpf["rel"] * size)


def _squeezed(text: str) -> str:
    """One spelling of a left-hand side: f^{\\prime}(x) is f'(x), \\frac{dy}{dx} is dy/dx."""
    squeezed = PRIME.sub("'", "".join(plain(text).split()))
    return QUOTIENT.sub(r"\1/\2", squeezed)
