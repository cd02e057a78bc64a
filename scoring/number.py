"""Numbers: ``{type: number, target: "408", tolerance: {mode: exact}}``.

Further fields: ``units`` (name -> how many target units one of them is), ``percent`` (``fraction``: 0.05 is asked for, ``value``: 5 is)
and ``allow_percent`` (whether "5%" may stand for the fraction 0.05).

Conventions, where people differ:

* A committed line carries one value. Words may stand around it ("The total is 12 apples."), a second value may not, unless it is
  the same one said twice: ``17*24 = 408``, ``1/4 (25%)``, ``2/3 ≈ 0.667``. Negations, bounds and hedges ("not 12", "at least 12",
  "12 or so", "12 ± 1") commit to nothing.
* Without a marker the last line must be the value and its unit alone.
* Where units are declared, an undeclared one is a wrong answer and a missing one is not. Where none are, a noun is ignored.
* A percent sign is refused unless the spec has ``percent: value`` or ``allow_percent``.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import numerals
from qbench.scoring.extract import Committed, committed, without_reason
from qbench.scoring.grammar import FUNCTIONS
from qbench.scoring.numerals import MAGNITUDES, NUMERAL
from qbench.scoring.plain import plain
from qbench.scoring.tolerance import Tolerance, exact, read_tolerance
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("units", "percent", "allow_percent")
MAX_LENGTH = 1_500  # characters; a numeral has at most 1,000 digits
MAX_SIDES = 10  # of an equation
MAX_UNIT_WORDS = 5
MAX_MATCHING_DIGITS = 15.0  # what a double holds; the scale of the graded damage ends there

CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars"), "usd"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "eur"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds"), "gbp"),
    **dict.fromkeys(("¥", "jpy", "yen"), "jpy"),
    **dict.fromkeys(("₹", "inr", "rupee", "rupees"), "inr"),
}
SHORT_MAGNITUDES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}

# Words that turn "12" into something else than 12, or say that it is not meant.
UNCOMMITTED = frozenset(
    str.split(
        "or and but not no nor never neither either isn't wasn't wait actually maybe perhaps possibly unknown unsure "
        "uncertain wrong incorrect more less least most fewer under over above below between than up within plus minus "
        "times divided squared cubed mod modulo choose base per half dozen hundred point"
    )
)

VALUE = re.compile(
    rf"""
    (?P<lead> (?:[A-Za-z][A-Za-z'-]*[,:]?[ ]){{0,8}}? )
    (?: [~≈][ ]? | (?:about|around|roughly|approx\.|approximately)[ ] )?
    (?P<sign> [+-] | (?:minus|negative)[ ] )?[ ]?
    (?P<currency> (?:US)?\$ | [€£¥₹] )?[ ]?
    (?P<inner_sign> [+-] )?
    (?=\.?\d)(?!0[xXbBoO]) {NUMERAL}
    (?:[ ]?(?P<magnitude> {"|".join(MAGNITUDES)} | (?(currency) [kKmMbB]n? | (?!)) )\b)?
    (?P<percent> [ ]? (?: % | (?:percent|per[ ]cent|pct)\b ) )?
    """,
    re.VERBOSE,
)
GLOSS = re.compile(r"(?P<value>.*?\S) ?\((?P<gloss>[^()]*)\)")
RELATION = re.compile(r"[<>]|!=")
WORDS = re.compile(r" ?°[CF]?| ?[A-Za-z][A-Za-z'-]+[,.]?(?: [A-Za-z][A-Za-z'-]+[,.]?){0,3}")
# 2x = 12 is an equation still to be solved; "12. So x = 13" takes two turns.
UNSOLVED = re.compile(r"\d ?[a-z]\b(?!\()|[,;]|[.?!] ")
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Spec:
    """What is asked for."""

    target: Fraction
    tolerance: Tolerance
    units: Mapping[str, Fraction]
    percent: str | None = None
    allow_percent: bool = False

    def factor(self, unit: str) -> Fraction | None:
        """How many target units one ``unit`` is; ``None`` if the spec does not declare it."""
        name = _unit(unit)
        for spelling in (name, name.lower(), *_other_number(name)):
            if spelling in self.units:
                return self.units[spelling]
        return self.units.get(CURRENCIES.get(name.lower(), ""))


@dataclass(frozen=True)
class Reading:
    """One value that the answer states, in the unit of the target."""

    value: Fraction
    unit: Fraction
    """What one unit in the last written place is worth; 0 for a fraction."""
    percent: bool


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target or a unit is no number, or the tolerance is missing.
    """
    percent, units = answer.get("percent"), answer.get("units") or {}
    if percent not in (None, "fraction", "value"):
        raise AnswerSpecError(f"percent is {percent!r}; it must be 'fraction' or 'value'.")
    if not isinstance(units, Mapping):
        raise AnswerSpecError(f"units is {units!r}; it must map each unit's name to its worth in target units.")
    factors = {_unit(str(name)): exact(factor) for name, factor in units.items()}
    factors |= {CURRENCIES[name.lower()]: factor for name, factor in factors.items() if name.lower() in CURRENCIES}
    return Spec(
        target=exact(answer.get("target")),
        tolerance=read_tolerance(answer),
        units={name.lower(): factor for name, factor in factors.items()} | factors,
        percent=percent,
        allow_percent=bool(answer.get("allow_percent", False)),
    )


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> list[Reading]:
    """Return the values that the text states; where there are several, they agree."""
    line = without_reason(numerals.slashed(plain(found.text or "")))
    if len(line) > MAX_LENGTH:
        raise Unreadable("refused by parser: too long")
    if RELATION.search(line):
        raise Unreadable("a range, not a value")
    sides = [side.strip() for side in re.split("=|≈", line, maxsplit=MAX_SIDES) if side.strip()]
    if not sides or (len(sides) > 1 and not found.marked):
        raise Unreadable("no number")
    readings = _side(sides[-1], spec, found.marked)
    for side in sides[:-1]:
        try:
            readings += _side(side, spec, found.marked)
        except Unreadable:
            if UNSOLVED.search(side) or not UNCOMMITTED.isdisjoint(side.lower().split()):
                raise Unreadable("two answers") from None
    if not all(_agree(readings[0], other, spec) for other in readings[1:]):
        raise Unreadable("two answers")
    return readings


def compare(readings: list[Reading], spec: Spec) -> Verdict:
    """Accept if one way of stating the value meets the tolerance."""
    correct = any(spec.tolerance.accepts(reading.value, spec.target) for reading in readings)
    digits = (
        MAX_MATCHING_DIGITS if correct else max(matching_digits(reading.value, spec.target) for reading in readings)
    )
    return Verdict.of(correct, matching_digits=digits)


def matching_digits(value: Fraction, target: Fraction) -> float:
    """Correct leading digits: ``-log10(|value - target| / |target|)``, between 0 and 15. For a target of 0 the error is absolute."""
    error = abs(value - target) / (abs(target) or 1)
    if error == 0:
        return MAX_MATCHING_DIGITS
    # The logarithms of the two integers apart: the quotient itself may not fit into a float.
    return min(max(math.log10(error.denominator) - math.log10(error.numerator), 0.0), MAX_MATCHING_DIGITS)


# ---------------------------------------------------------------- one side of an equation


def _side(text: str, spec: Spec, marked: bool) -> list[Reading]:
    """Read ``value`` or ``value (the same value in other words)``."""
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    gloss = GLOSS.fullmatch(text)
    if gloss is None:
        return [_reading(text, spec, marked)]
    readings = [_reading(gloss["value"], spec, marked)]
    if DIGITS.search(gloss["gloss"]):
        readings.append(_reading(gloss["gloss"].strip(), spec, marked))
    elif not UNCOMMITTED.isdisjoint(gloss["gloss"].lower().split()):
        raise Unreadable("not committed")
    return readings


def _reading(text: str, spec: Spec, marked: bool) -> Reading:
    match = VALUE.match(text)
    if match is None:
        return _in_words(text, spec, marked)
    lead = [word.strip(",:") for word in match["lead"].lower().split()]
    if not UNCOMMITTED.isdisjoint(lead) or (lead and not marked) or (match["sign"] and match["inner_sign"]):
        raise Unreadable("not committed")
    number = numerals.read(match)
    factor = _percent(spec) if match["percent"] else Fraction(1)
    if match["magnitude"]:
        factor *= MAGNITUDES.get(match["magnitude"]) or SHORT_MAGNITUDES[match["magnitude"].lower()]
    currency = match["currency"] or (lead[-1] if lead and lead[-1] in CURRENCIES else "")
    factor *= _unit_factor(currency, text[match.end() :], spec, marked)
    negative = (match["sign"] or match["inner_sign"] or "").strip() in ("-", "minus", "negative")
    return Reading(number.value * (-factor if negative else factor), number.unit * abs(factor), bool(match["percent"]))


def _in_words(text: str, spec: Spec, marked: bool) -> Reading:
    """Read ``twelve`` or ``twelve km``."""
    words = text.split(" ")
    for n in (len(words), len(words) - 1):
        try:
            value = numerals.spelled(" ".join(words[:n]))
        except Unreadable:
            continue
        tail = "".join(f" {word}" for word in words[n:])
        return Reading(value * _unit_factor("", tail, spec, marked), Fraction(1), percent=False)
    raise Unreadable("two answers" if len(DIGITS.findall(text)) > 1 else "no number")


def _percent(spec: Spec) -> Fraction:
    """What a percent sign is worth."""
    if spec.percent == "value":
        return Fraction(1)
    if not spec.allow_percent:
        raise Unreadable("percent was not asked for")
    return Fraction(1, 100)


def _unit_factor(currency: str, tail: str, spec: Spec, marked: bool) -> Fraction:
    """Convert to the unit of the target, and refuse a tail that is more than a unit and a few words."""
    factor: Fraction | None = Fraction(1)
    aside = tail
    if spec.units and currency:
        factor = spec.factor(currency)
    elif spec.units and tail.strip():
        factor, aside = _declared(tail.strip(), spec)
    if factor is None:
        raise Unreadable("wrong unit")
    if aside and not (marked and _is_aside(aside)):
        raise Unreadable("two answers" if DIGITS.search(aside) else "not a bare number")
    return factor


def _is_aside(text: str) -> bool:
    """Whether the text is up to four words that change nothing: ``apples``, ``in total``."""
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return bool(WORDS.fullmatch(text)) and UNCOMMITTED.isdisjoint(words) and FUNCTIONS.keys().isdisjoint(words)


def _declared(tail: str, spec: Spec) -> tuple[Fraction | None, str]:
    """Split ``km in total`` into the worth of the longest declared unit and the rest."""
    words = tail.split(" ")
    for n in range(min(len(words), MAX_UNIT_WORDS), 0, -1):
        factor = spec.factor(" ".join(words[:n]).rstrip(","))
        if factor is not None:
            return factor, "".join(f" {word}" for word in words[n:])
    return None, ""


def _agree(one: Reading, other: Reading, spec: Spec) -> bool:
    """Whether two statements are of one value, up to the rounding of the coarser."""
    values, units = [one.value, other.value], [one.unit, other.unit]
    if spec.percent == "value" and one.percent != other.percent:
        share = 1 if one.percent else 0  # 5% (0.05): the one without the sign is the fraction
        values[share] *= 100
        units[share] *= 100
    return abs(values[0] - values[1]) <= max(units) / 2


def _unit(text: str) -> str:
    """One spelling of a unit: m², m**2 and m^{2} are m^2, km per h is km/h."""
    name = plain(text).replace("**", "^").replace("{", "").replace("}", "").replace(" per ", "/")
    return re.sub(r" ?([/^*]) ?", r"\1", name)


def _other_number(name: str) -> tuple[str, ...]:
    """The singular of a plural and the other way round; not of abbreviations, lest ms become m."""
    if len(name) < 3:
        return ()
    return (name[:-1],) if name.endswith("s") else (f"{name}s",)
