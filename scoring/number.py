"""Numbers: ``{type: number, target: "408", tolerance: {mode: exact}}``.

Further fields: ``units`` (name -> how many target units one of them is), ``percent`` (``fraction``: 0.05 is asked for, ``value``: 5 is)
and ``allow_percent`` (whether "5%" may stand for the fraction 0.05).

Conventions, where people differ:

* A committed line carries one value. Words may stand around it ("The total is 12 apples.") and a remark behind it ("12. I hope it is
  correct."), a second value may not, unless it is the same one said twice: ``17*24 = 408``, ``1/4 (25%)``, ``2/3 ≈ 0.667``, "3/4, or
  0.75". Negations, bounds and hedges ("not 12", "at least 12", "12 or so", "12 ± 1") commit to nothing.
* Without a marker the last line must be the value and its unit alone.
* Where units are declared, an undeclared one is a wrong answer and a missing one is not; ``SAME_UNIT`` lists other names of common
  units. Where none are declared, a noun or the symbol of a unit is ignored.
* "5 out of 9" and "5 in 9" are 5/9, where no units are declared.
* A percent sign is refused unless the spec has ``percent: value`` or ``allow_percent``. Beside the fraction that is asked for, it says the
  same once more: 0.527 (52.7%).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import grammar, numerals
from qbench.scoring.extract import Committed, committed, without_reason
from qbench.scoring.grammar import CONSTANTS, FUNCTIONS
from qbench.scoring.measures import SAME_UNIT
from qbench.scoring.numerals import MAGNITUDES, NUMERAL, PARTS, SPOKEN
from qbench.scoring.plain import plain
from qbench.scoring.tolerance import Tolerance, exact, read_tolerance
from qbench.scoring.values import NoValue, rational
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("units", "percent", "allow_percent")
MAX_LENGTH = 1_500  # characters; a numeral has at most 1,000 digits
MAX_SIDES = 10  # of an equation
MAX_UNIT_WORDS = 5
MAX_WORDS = 40  # of a number in words and what surrounds it
MAX_LEAD_WORDS = 8
MAX_MATCHING_DIGITS = 15.0  # what a double holds; the scale of the graded damage ends there

CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars", "us dollar", "us dollars", "u.s. dollars"), "usd"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "eur"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds"), "gbp"),
    **dict.fromkeys(("¥", "jpy", "yen"), "jpy"),
    **dict.fromkeys(("₹", "inr", "rupee", "rupees"), "inr"),
}
SHORT_MAGNITUDES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
LONG_MAGNITUDES = {**MAGNITUDES, "hundred": 100, "quadrillion": 10**15, "lakh": 10**5, "crore": 10**7}

# Words that turn "12" into something else than 12, or say that it is not meant.
UNCOMMITTED = frozenset(
    str.split(
        "or and but not no nor never neither either isn't wasn't wait actually maybe perhaps possibly unknown unsure "
        "uncertain wrong incorrect more less least most fewer under over above below between than up within plus minus "
        "times divided squared cubed mod modulo choose base per half dozen hundred point probably likely nearly almost ish "
        "doubled tripled halved twice thrice "
        "factorial infinity root tenths hundredths thousandths millionths halves thirds eighths"
    )
)
# In a remark behind a number many of those are harmless; these are not.
RETRACTING = frozenset(
    str.split(
        "or not no nor never neither either isn't wasn't wait actually maybe perhaps possibly probably unknown unsure uncertain wrong "
        "incorrect but however instead rather should correction oops mistake error plus minus times"
    )
)

ROUGHLY = ("about", "around", "roughly", "approximately", "approx.")

VALUE = re.compile(
    rf"""
    (?P<lead> (?:[A-Za-z][A-Za-z'-]*[,:]?[ ]){{0,{MAX_LEAD_WORDS}}}? )
    (?: [~≈][ ]? | (?:{"|".join(map(re.escape, ROUGHLY))})[ ] )?
    (?P<sign> [+-] | (?i:minus|negative)[ ] )?[ ]?
    (?P<currency> (?:US)?\$ | [€£¥₹] )?[ ]?
    (?P<inner_sign> [+-] )?
    (?=\.?\d)(?!0[xXbBoO]) {NUMERAL}
    (?:[ ]?(?P<magnitude> (?i:{"|".join(LONG_MAGNITUDES)}) | (?(currency) [kKmMbB]n? | (?!)) )\b)?
    (?P<percent> [ ]? (?: % | (?:percent|per[ ]cent|pct)\b ) )?
    """,
    re.VERBOSE,
)
PERCENT_WORD = re.compile(r" (?:percent|per cent|pct)\b")
GLOSS = re.compile(r"(?P<value>.*?[^\s^*]) ?\((?:= ?|or |i\.e\.,? |that is,? )?(?P<gloss>[^()]*)\)")
WORKING = re.compile(r"(?P<value>.*[^\s^*]) ?\((?P<working>[^()]*[=≈][^()]*)\)")
EQUALS = re.compile(
    r"(=|≈|,? (?:or|i\.e\.|that is|which is|which equals|equivalently),?"
    rf"(?: (?:{'|'.join(map(re.escape, ROUGHLY))}))?(?= [-+~$€£₹¥.\d\\]))"
)
NUMBER_SIGN = re.compile(r"(?<![^ (])(?<!\d )# ?(?=\d)")
BRACKETED = re.compile(
    r"\b((?:statement|sentence|claim|number)(?: is)?) ?\((\d{1,3})\)", re.IGNORECASE
)  # statement (7)
BASE_TEN = re.compile(r"(?<=\d)(?:_\{?10\}?(?!\d)| ?\(?(?:in )?base (?:10|ten)\b\)?)")
ELLIPSIS = re.compile(r"(?<=\.\d)(\d*) ?\.\.\.")
# "1 in 2 million" and "5 in 9.5" stay what they are: no fraction of two integers.
SHARE = re.compile(
    rf"(?<![\w.,'/^*+-])(?<!\d )(\d{{1,15}}) (?:out of|in) (\d{{1,15}})"
    rf"(?![\w/^%°]|[.,']\d| ?[-+*/^%°]| (?:\d|(?:in|out|to|per|percent|pct|{'|'.join(LONG_MAGNITUDES)})\b))"
)
RELATION = re.compile(r"[<>]|!=")
WORDS = re.compile(r" ?°[CF]?| ?[A-Za-z][A-Za-z'-]+(?: [A-Za-z][A-Za-z'-]+){0,3}|")
POWER = r"(?: ?\^ ?\{?[234]\}?)?"
SYMBOL = rf"(?:[kcm]?m|k?g|s|ms|min|h|m?[lL]|N|J|k?W|V|Hz|k?Pa|ft|in|mi|yd|lb|oz|rad|deg|units?){POWER}"
UNIT = re.compile(
    rf" {SYMBOL}(?:/{SYMBOL})?|(?:[kcm]m|kg){POWER}"
)  # where the item declares none; 12m may be a product
REMARK = re.compile(r"[A-Za-z ,.;:!'\"()-]{0,400}")
REMARK_BEGINS = re.compile(r" ?[,.;] (?=[A-Za-z])| - (?=[A-Za-z])")
BRACKETS = {"(": ")", "[": "]", "{": "}"}
# 2x = 12 is an equation still to be solved; "12. So x = 13" takes two turns.
UNSOLVED = re.compile(r"\d ?[a-z]\b(?!\()|[,;]|[.?!] ")
DIGITS = re.compile(r"\d+")


ANOTHER_NUMBER = SPOKEN - {"one", "zero"}
OPERATIONS = FUNCTIONS.keys() - {"min", "max", "sec", "floor", "ceiling", "sign"}  # those are plain words, too: 12 min
NO_LEADS = UNCOMMITTED | OPERATIONS
NO_NOUNS = UNCOMMITTED | ANOTHER_NUMBER | OPERATIONS | CONSTANTS.keys() | {"max", "maximum", "minimum"}


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
        for names in SAME_UNIT:
            if name in names or (name.lower() in names and len(name) > 2):
                return next((self.units[own] for own in sorted(names) if own in self.units), None)
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
    line = BASE_TEN.sub("", BRACKETED.sub(r"\1 \2", NUMBER_SIGN.sub("", line)))
    if len(line) > MAX_LENGTH:
        raise Unreadable("refused by parser: too long")
    if RELATION.search(line):
        raise Unreadable("a range, not a value")
    if spec.tolerance.mode in ("abs", "rel"):
        line = ELLIPSIS.sub(r"\1", line)  # 0.333... is near enough, or it is not
    if not spec.units:
        line = SHARE.sub(_share, line)
    if working := WORKING.fullmatch(line):
        line = f"{working['working']} = {working['value']}"  # 5 (2 + 3 = 5)
    first, *others = EQUALS.split(line, maxsplit=MAX_SIDES)
    signs, sides = others[::2], [first.strip(), *(side.strip() for side in others[1::2])]
    if not found.marked and len(sides) > 1:
        raise Unreadable("no number")
    readings = _sides([side for side in sides if side], spec, found.marked)
    said_again = any(sign not in ("=", "≈") for sign in signs)
    said_closely = any(sign not in ("=", "≈") and not sign.endswith(ROUGHLY) for sign in signs)
    if said_again and len(readings) < len(sides):
        raise Unreadable("not committed")
    if not all(_agree(readings[0], other, spec, closely=said_closely) for other in readings[1:]):
        raise Unreadable("two answers")
    if spec.percent == "value" and any(reading.percent for reading in readings):
        return [reading for reading in readings if reading.percent]  # 50% (0.5) says 50, not 0.5
    if spec.percent == "fraction" and not spec.allow_percent:
        readings = [reading for reading in readings if not reading.percent]
        if not readings:
            raise Unreadable("percent was not asked for")
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


def _sides(sides: list[str], spec: Spec, marked: bool) -> list[Reading]:
    """Read every side that states a value: the last one, or the first with the working behind it, as in ``5 = 2 + 3``."""
    if not sides:
        raise Unreadable("no number")
    try:
        readings = _side(sides[-1], spec, marked)
    except Unreadable:
        if len(sides) != 2 or not marked:
            raise
        readings = _side(sides[0], spec, marked)
        if _calculated(sides[1]) != readings[0].value:
            raise
        return readings
    for side in sides[:-1]:
        try:
            readings += _side(side, spec, marked)
        except Unreadable:
            if UNSOLVED.search(side) or not UNCOMMITTED.isdisjoint(side.lower().split()):
                raise Unreadable("two answers") from None
    return readings


def _side(text: str, spec: Spec, marked: bool) -> list[Reading]:
    """Read ``value`` or ``value (the same value in other words)``."""
    if text[:1] in BRACKETS and text.endswith(BRACKETS[text[0]]):
        text = text[1:-1].strip()
    gloss = GLOSS.fullmatch(text)
    if gloss is None:
        return [_reading(text, spec, marked)]
    readings = [_reading(gloss["value"], spec, marked)]
    said = gloss["gloss"].strip()
    try:
        if DIGITS.search(said) or not SPOKEN.isdisjoint(re.split("[ -]", said.lower())):
            readings.append(_reading(said, spec, marked))
            return readings
    except Unreadable:
        if DIGITS.search(said) and _calculated(said) != readings[0].value:
            raise
    if not RETRACTING.isdisjoint(said.lower().split()):
        raise Unreadable("not committed")
    return readings


def _share(match: re.Match[str]) -> str:
    """Write ``5 out of 9`` as 5/9; ``3 out of 3`` is rather a count."""
    return f"{match[1]}/{match[2]}" if int(match[1]) < int(match[2]) else match[0]


def _calculated(working: str) -> Fraction | None:
    """What an arithmetic expression comes to; it is never an answer itself, only held against one."""
    try:
        value: Fraction = rational(grammar.parse(working), {})
    except (Unreadable, NoValue):
        return None
    return value


def _reading(text: str, spec: Spec, marked: bool) -> Reading:
    match = VALUE.match(text)
    if match is None:
        return _in_words(text, spec, marked)
    lead = [word.strip(",:") for word in match["lead"].lower().split()]
    if not NO_LEADS.isdisjoint(lead) or (lead and not marked) or (match["sign"] and match["inner_sign"]):
        raise Unreadable("not committed")
    number = numerals.read(match)
    factor: int | Fraction = _percent(spec) if match["percent"] else 1
    if match["magnitude"]:
        magnitude = match["magnitude"].lower()
        factor *= LONG_MAGNITUDES.get(magnitude) or SHORT_MAGNITUDES[magnitude]
    currency = match["currency"] or (lead[-1] if lead and lead[-1] in CURRENCIES else "")
    tail = text[match.end() :]
    if tail and match[0].endswith("."):
        tail = f".{tail}"  # 12. I hope it is correct.
    if currency or tail:
        factor *= _unit_factor(currency, tail, spec, marked)
    if (match["sign"] or match["inner_sign"] or "").strip().lower() in ("-", "minus", "negative"):
        return Reading(number.value * -factor, number.unit * factor, bool(match["percent"]))
    if factor == 1:
        return Reading(number.value, number.unit, bool(match["percent"]))
    return Reading(number.value * factor, number.unit * factor, bool(match["percent"]))


def _in_words(text: str, spec: Spec, marked: bool) -> Reading:
    """Read ``twelve``, ``minus five percent`` or ``There are twelve apples``."""
    words = text.split(" ")
    if len(words) > MAX_WORDS:
        raise Unreadable("no number")
    start = next((n for n, word in enumerate(words) if _is_spoken(word, words[n + 1 : n + 2])), len(words))
    lead = [word.strip(",:").lower() for word in words[:start]]
    sign = -1 if lead[-1:] in (["minus"], ["negative"]) else 1
    lead = lead[:-1] if sign < 0 else lead
    if not UNCOMMITTED.isdisjoint(lead) or (lead and not marked) or len(lead) > MAX_LEAD_WORDS:
        raise Unreadable("not committed")
    for end in range(len(words), start, -1):
        try:
            value = sign * numerals.spelled(" ".join(words[start:end]))
        except Unreadable:
            continue
        tail = "".join(f" {word}" for word in words[end:])
        percent = PERCENT_WORD.match(tail)
        if percent:
            value *= _percent(spec)
            tail = tail[percent.end() :]
        return Reading(value * _unit_factor("", tail, spec, marked), Fraction(0), percent=bool(percent))
    raise Unreadable("two answers" if len(DIGITS.findall(text)) > 1 else "no number")


def _is_spoken(word: str, following: list[str]) -> bool:
    """Whether a number in words begins here; "a" begins one in "a thousand"."""
    first = word.lower().partition("-")[0]
    then = following[0].lower() if following else ""
    return first in SPOKEN or first == "half" or (first in ("a", "an") and (then in SPOKEN or then in PARTS))


def _percent(spec: Spec) -> int | Fraction:
    """What a percent sign is worth."""
    if spec.percent == "value":
        return 1
    if spec.percent is None and not spec.allow_percent:
        raise Unreadable("percent was not asked for")
    return Fraction(1, 100)


def _unit_factor(currency: str, tail: str, spec: Spec, marked: bool) -> Fraction:
    """Convert to the unit of the target, and refuse a tail that is more than a unit and a few words."""
    factor: Fraction | None = Fraction(1)
    aside = tail
    if spec.units and currency:
        factor = spec.factor(currency)
    elif spec.units and tail.strip() and not REMARK_BEGINS.match(tail):
        factor, aside = _declared(tail.strip(" []"), spec)
    if factor is None:
        raise Unreadable("wrong unit")
    if aside and not (marked and _is_aside(aside)):
        raise Unreadable("two answers" if DIGITS.search(aside) else "not a bare number")
    return factor


def _is_aside(text: str) -> bool:
    """Whether the text is up to four words that change nothing (``apples``, ``in total``), and maybe a remark that retracts nothing."""
    begins = REMARK_BEGINS.search(text)
    noun, remark = (text[: begins.start()], text[begins.end() :]) if begins else (text, "")
    words, remarked = noun.lower().split(), re.findall("[a-z']+", remark.lower())
    return (
        (WORDS.fullmatch(noun) is not None or UNIT.fullmatch(noun) is not None)
        and REMARK.fullmatch(remark) is not None
        and NO_NOUNS.isdisjoint(words)
        and RETRACTING.isdisjoint(remarked)
        and ANOTHER_NUMBER.isdisjoint(remarked)
    )


def _declared(tail: str, spec: Spec) -> tuple[Fraction | None, str]:
    """Split ``km in total`` into the worth of the longest declared unit and the rest."""
    words = tail.split(" ")
    for n in range(min(len(words), MAX_UNIT_WORDS), 0, -1):
        factor = spec.factor(" ".join(words[:n]).rstrip(","))
        if factor is not None:
            return factor, "".join(f" {word}" for word in words[n:])
    return None, ""


def _agree(one: Reading, other: Reading, spec: Spec, *, closely: bool) -> bool:
    """Whether two statements are of one value, up to the rounding of the coarser; ``closely``, if the other is exact."""
    values, units = [one.value, other.value], [one.unit, other.unit]
    if spec.percent == "value" and one.percent != other.percent:
        share = 1 if one.percent else 0  # 5% (0.05): the one without the sign is the fraction
        values[share] *= 100
        units[share] *= 100
    if closely and min(units) > 0:
        return values[0] == values[1]
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
