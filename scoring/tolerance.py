"""How near is right: part of every numeric answer, and without a default.

========================  =====================================================================================
``mode: exact``           the same rational number
``mode: abs``             ``|value - target| <= abs``, the bound included
``mode: rel``             ``|value - target| <= max(rel * |target|, abs)``; ``abs`` is the floor for targets near 0
``mode: decimals``        the target rounded to ``n`` decimals; a tie may go away from zero or to the even digit
``mode: sigfigs``         the target rounded to ``n`` significant digits, ties likewise
========================  =====================================================================================

The rounding modes ask for a rounded number: more digits than asked for are a miss, missing trailing zeros are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError, did_you_mean

MAX_MAGNITUDE = 4_000  # power of ten of a target; Python refuses to print integers much beyond
MAX_PLACES = 1_000  # decimals or significant digits to round to
FIELDS: dict[str, tuple[str, ...]] = {
    "exact": (),
    "abs": ("abs",),
    "rel": ("rel",),
    "decimals": ("n",),
    "sigfigs": ("n",),
}


@dataclass(frozen=True)
class Tolerance:
    """A rule that accepts values near a target."""

    mode: str
    n: int = 0
    abs: Fraction = Fraction(0)
    rel: Fraction = Fraction(0)

    def accepts(self, value: Fraction, target: Fraction) -> bool:
        match self.mode:
            case "abs":
                return abs(value - target) <= self.abs
            case "rel":
                return abs(value - target) <= max(self.rel * abs(target), self.abs)
            case "decimals":
                return value in roundings(target, Fraction(1, 10**self.n))
            case "sigfigs":
                return (
                    value in roundings(target, Fraction(10) ** (magnitude(target) - self.n + 1))
                    if target
                    else value == 0
                )
            case _:
                return value == target


def read_tolerance(answer: Mapping[str, Any]) -> Tolerance:
    """Read the ``tolerance`` of an answer spec.

    Raises:
        AnswerSpecError: it is missing, of an unknown mode, or without the bound that its mode needs.
    """
    spec = answer.get("tolerance")
    if not isinstance(spec, Mapping) or "mode" not in spec:
        raise AnswerSpecError(
            f"The {answer.get('type')} answer {answer.get('target')!r} has no tolerance; add one, such as {{mode: exact}}."
        )
    mode = spec["mode"]
    if not isinstance(mode, str) or mode not in FIELDS:
        raise AnswerSpecError(
            f"No tolerance has the mode {mode!r}.{did_you_mean(str(mode), FIELDS)} Known: {', '.join(FIELDS)}."
        )
    for name in FIELDS[mode]:
        if name not in spec:
            raise AnswerSpecError(f"A tolerance of mode {mode!r} needs the field {name!r}.")
    n, absolute, relative = (exact(spec.get(name, 0)) for name in ("n", "abs", "rel"))
    if min(absolute, relative) < 0 or n.denominator != 1 or not (mode == "sigfigs") <= n <= MAX_PLACES:
        raise AnswerSpecError(f"The tolerance {dict(spec)} has a bound outside its range.")
    return Tolerance(mode, int(n), absolute, relative)


def texts(answer: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a field of a spec that lists texts, none if it is missing.

    Raises:
        AnswerSpecError: it is something else.
    """
    listed = answer.get(name) or ()
    if not isinstance(listed, list | tuple | str):
        raise AnswerSpecError(f"{name} is {listed!r}; it must be a list of texts.")
    return tuple(map(str, listed))


def exact(number: Any) -> Fraction:
    """The number that a spec means: 0.1 is one tenth, whether YAML read it as a float or as text."""
    text = str(number)
    try:
        if "/" in text:
            return Fraction(text)
        decimal = Decimal(text)
        if abs(decimal.adjusted()) > MAX_MAGNITUDE:
            raise ValueError(f"{text} is out of range")
        return Fraction(decimal)
    except (ArithmeticError, ValueError, TypeError):
        raise AnswerSpecError(
            f"{text[:40]!r} is not a number. Write an integer, a decimal or a fraction such as 3/4."
        ) from None


def roundings(value: Fraction, unit: Fraction) -> set[Fraction]:
    """Round to a multiple of ``unit``: half away from zero and half to even, which differ at a tie only."""
    quotient = abs(value) / unit
    away = (quotient + Fraction(1, 2)).__floor__()
    sign = -1 if value < 0 else 1
    return {sign * away * unit, sign * round(quotient) * unit}


def magnitude(value: Fraction) -> int:
    """The power of ten of the first significant digit: 2 for 123, -4 for 0.00098."""
    guess = len(str(abs(value.numerator))) - len(str(value.denominator))
    return guess if abs(value) >= Fraction(10) ** guess else guess - 1
