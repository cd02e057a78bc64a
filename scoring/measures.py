"""Units that people name differently, where they stand, and amounts in more than one: "12 min 30 s", "1 hour, 31 minutes and 8 seconds"."""

import re
from fractions import Fraction

from qbench.scoring.plain import plain

SAME_UNIT = [
    set(names.split())
    for names in (
        "s sec secs second seconds",
        "min mins minute minutes",
        "h hr hrs hour hours",
        "d day days",
        "m meter meters metre metres",
        "km kilometer kilometers kilometre kilometres",
        "cm centimeter centimeters centimetre centimetres",
        "mm millimeter millimeters millimetre millimetres",
        "g gram grams",
        "kg kilo kilos kilogram kilograms",
        "l L liter liters litre litres",
        "ml mL milliliter milliliters millilitre millilitres",
        "° deg degree degrees",
        "°C celsius",
        "°F fahrenheit",
        "km/h kph kmh",
        "m^2 sqm",
    )
]

# What one of each is worth in the last one.
FAMILIES = (
    {"d": 86_400, "h": 3_600, "min": 60, "s": 1},
    {"km": 100_000, "m": 100, "cm": 1},
    {"kg": 1_000, "g": 1},
    {"l": 1_000, "ml": 1},
)
PERCENT = {"%", "percent", "per cent", "pct"}
RAISED = {"2": r"(?:square|sq\.?)", "3": r"(?:cubic|cu\.?)"}
PART = r"(\d{1,9}(?:\.\d{1,9})?) ?([A-Za-z]+)"
AMOUNT = re.compile(rf"{PART}(?:(?:,? and |, | ){PART}){{0,3}}")
PARTS = re.compile(PART)


def amounts(text: str) -> dict[str, Fraction] | None:
    """The amount of each unit in ``12 min 30 s``, under the first name of its family; ``None`` if the text is nothing like it.

    Larger units stand first, and a smaller one never fills a larger one: 90 min 70 s is no way to say it.
    """
    if not AMOUNT.fullmatch(text):
        return None
    parts = [(Fraction(number), _first_name(name)) for number, name in PARTS.findall(text)]
    family = next((family for family in FAMILIES if parts[0][1] in family), {})
    worths = [family.get(name, 0) for _, name in parts]
    fills = [number * worth for (number, _), worth in zip(parts, worths, strict=True)]
    if 0 in worths or any(fill >= larger for fill, larger in zip(fills[1:], worths[:-1], strict=True)):
        return None
    if any(number.denominator > 1 for number, _ in parts[:-1]):
        return None
    return {name: number for number, name in parts}


def behind_a_number(unit: str) -> re.Pattern[str]:
    """A pattern for a unit in plain text, by any of its names, where it stands behind a number or a bracket."""
    base, _, power = plain(unit).replace("{", "").replace("}", "").partition("^")
    known = PERCENT if base in PERCENT else next((names for names in SAME_UNIT if base in names), {base})
    name = f"(?:{'|'.join(sorted(map(re.escape, known), key=len, reverse=True))})"
    if power:
        raised = rf"(?: ?(?:\^|\*\*) ?\{{? ?{power} ?\}}?|{power})"
        name = rf"(?:{name}{raised}|{RAISED.get(power, '(?!)')} {name})"
    return re.compile(rf"(?<=[\d)\]}}]) ?{name}(?![\w^%])")


def _first_name(unit: str) -> str:
    """The name that stands in `FAMILIES`."""
    known = [name for family in FAMILIES for name in family]
    for names in SAME_UNIT:
        if unit in names or (unit.lower() in names and len(unit) > 2):
            return next((name for name in known if name in names), "")
    return ""
