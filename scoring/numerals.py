"""Written numbers, read exactly.

A numeral is an integer or a decimal with valid grouping (1,234,567; 12,34,567; 1 234 567; 1'234'567; 1_234_567; 1.234.567), with or
without a power of ten (1e3, 6.02 * 10^23, 10^8) or a repeating end (0.1\\overline{6}), a fraction of two integers (3/4) or a mixed number
(1 1/2). One dot is a decimal point; a decimal comma is not English. Arithmetic (17*24, 2^10) is not a numeral: whoever writes it has
not computed it.

Values are `Fraction`s, so 0.1 + 0.2 is 0.3 and 2**53 + 1 differs from 2**53.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from qbench.scoring.verdict import Unreadable

MAX_DIGITS = 1_000  # of one numeral; far more than any target, far less than Python's own limit for int()
MAX_EXPONENT = 5_000  # of ten; keeps 1e999999999 from filling the memory

INTEGER = r"""(?:
      [1-9]\d{0,2} (?: (?:,\d{3})+ | (?:[ ]\d{3})+ | (?:'\d{3})+ | (?:_\d{3})+ | (?:\.\d{3}){2,}(?!\.) ) (?!\d)
    | [1-9]\d? (?:,\d\d)+ ,\d{3} (?!\d)
    | \d+
)"""
EXPONENT = r"[+-]?[ ]?\d+"


def _power_of_ten(group: str) -> str:
    """The three ways to write an exponent: 10^8, 10^{8}, 10^(8)."""
    ways = [
        rf"\{{[ ]?(?P<{group}_1>{EXPONENT})[ ]?\}}",
        rf"\([ ]?(?P<{group}_2>{EXPONENT})[ ]?\)",
        rf"(?P<{group}_3>[+-]?\d+)",
    ]
    return rf"10[ ]?(?:\^|\*\*)[ ]?(?:{'|'.join(ways)})"


NUMERAL = rf"""(?:
      (?P<whole>\d+) [ ]+ (?P<part>\d+) [ ]?/[ ]? (?P<parts>\d+)
    | (?P<numerator>{INTEGER}) [ ]?/[ ]? (?P<denominator>-?{INTEGER})
    | {_power_of_ten("power")}
    | (?P<integer>{INTEGER})? (?:\.(?P<decimals>\d*))?
      (?: [eE](?P<exponent>[+-]?\d+) | [ ]?(?:[*xX]|times)[ ]?{_power_of_ten("scale")} | \\overline\ ?\{{ ?(?P<repeating>\d+) ?\}} )?
)"""
FRACTION_COMMAND = re.compile(r"\\frac\s*(?:\{\s*([^{}]*?)\s*\}|(\d))\s*(?:\{\s*([^{}]*?)\s*\}|(\d))")
BARE = re.compile(rf"(?P<sign>[+-]?)[ ]?{NUMERAL}", re.VERBOSE)


@dataclass(frozen=True)
class Numeral:
    """A number and how finely it was written."""

    value: Fraction
    unit: Fraction = Fraction(0)
    """What one unit in the last written place is worth: 0.01 for ``2.50``, 0 for a fraction, which is exact."""


def numeral(text: str) -> Numeral:
    """Read plain text that is one numeral and nothing else."""
    match = BARE.fullmatch(slashed(text))
    if match is None:
        raise Unreadable("not a number")
    found = read(match)
    return Numeral(-found.value, found.unit) if match["sign"] == "-" else found


def slashed(text: str) -> str:
    r"""Write ``\frac{3}{4}`` as 3/4, so that 1\frac12 becomes the mixed number 1 1/2."""
    if "\\frac" not in text:
        return text
    return FRACTION_COMMAND.sub(lambda found: f" {found[1] or found[2]}/{found[3] or found[4]}", text).strip()


def read(match: re.Match[str]) -> Numeral:
    """Turn the groups of a NUMERAL into its value, without the sign."""
    if len(match[0]) > MAX_DIGITS:
        raise Unreadable("refused by parser: too many digits")
    group = match.groupdict()
    if group["parts"]:
        part, parts = int(group["part"]), int(group["parts"])
        if part >= parts:
            raise Unreadable("not a number")
        return Numeral(int(group["whole"]) + Fraction(part, parts))
    if group["denominator"]:
        denominator = _integer(group["denominator"])
        if denominator == 0:
            raise Unreadable("division by zero")
        return Numeral(Fraction(_integer(group["numerator"]), denominator))
    if power := _exponent(group, "power"):
        return Numeral(_ten_to(power))
    integer, decimals = group["integer"] or "", group["decimals"] or ""
    if not integer and not decimals:
        raise Unreadable("not a number")
    scale = _ten_to(group["exponent"] or _exponent(group, "scale") or "0")
    unit = scale / 10 ** len(decimals)
    if repeating := group["repeating"]:
        if group["decimals"] is None:
            raise Unreadable("not a number")
        return Numeral(
            _integer(f"{integer}{decimals}") * unit + unit * Fraction(int(repeating), 10 ** len(repeating) - 1)
        )
    return Numeral(_integer(f"{integer}{decimals}") * unit, unit)


def _integer(text: str) -> int:
    return int(re.sub("[,' _.]", "", text))


def _exponent(group: dict[str, str | None], name: str) -> str | None:
    return group[f"{name}_1"] or group[f"{name}_2"] or group[f"{name}_3"]


def _ten_to(exponent: str) -> Fraction:
    digits = exponent.replace(" ", "").lstrip("+-0")
    if len(digits) > len(str(MAX_EXPONENT)) or int(digits or 0) > MAX_EXPONENT:
        raise Unreadable("refused by parser: exponent too large")
    power = 10 ** int(digits or 0)
    return Fraction(1, power) if exponent.startswith("-") else Fraction(power)


# ---------------------------------------------------------------- numbers in words

ONES = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
SMALL = {word: number for number, word in enumerate(ONES)}
TENS = dict(zip(str.split("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True))
MAGNITUDES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = dict(zip(str.split("half third quarter fifth sixth seventh eighth ninth tenth"), range(2, 11), strict=True))
PARTS |= {"fourth": 4, "hundredth": 100, "thousandth": 1_000, "halve": 2}
SPOKEN = frozenset([*SMALL, *TENS, "hundred", *MAGNITUDES])


def spelled(text: str) -> Fraction:
    """Read a number in English words: ``two hundred and five``, ``three quarters``, ``one and a half``, ``three point one four``."""
    words = re.split(r"[ -]", text.lower())
    if words[-1] in MAGNITUDES and ("half" in words or "point" in words):
        return spelled(" ".join(words[:-1])) * MAGNITUDES[words[-1]]
    if "point" in words:
        place = words.index("point")
        digits = [SMALL.get(word, 10) for word in words[place + 1 :]]
        if not digits or max(digits) > 9:
            raise Unreadable("not a number")
        return _cardinal(words[:place]) + Fraction(int("".join(map(str, digits))), 10 ** len(digits))
    parts = PARTS.get(words[-1].removesuffix("s"), 0) if len(words) > 1 or words[-1] == "half" else 0
    if not parts:
        return _cardinal(words)
    *whole, count = words[:-1] or ["one"]
    share = Fraction(1) if count in ("a", "an") else _cardinal([count])
    if whole and (whole[-1] != "and" or share >= parts):
        raise Unreadable("not a number")
    return (_cardinal(whole) if whole else 0) + share / parts


def _cardinal(words: list[str]) -> Fraction:
    total = current = 0
    previous = ""
    words = [word for word in words if word != "and"]
    if words[:1] == ["a"] and words[1:2] and words[1] in ("hundred", *MAGNITUDES):
        words[0] = "one"
    for word in words:
        if word in SMALL and previous not in SMALL and (previous not in TENS or 0 < SMALL[word] < 10):
            current += SMALL[word]
        elif word in TENS and previous not in SMALL and previous not in TENS:
            current += TENS[word]
        elif word == "hundred" and 0 < current < 100 and current % 10:
            current *= 100
        elif word in MAGNITUDES and current:
            total += current * MAGNITUDES[word]
            current = 0
        else:
            raise Unreadable("not a number")
        previous = word
    if not words:
        raise Unreadable("not a number")
    return Fraction(total + current)
