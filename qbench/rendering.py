"""From values to text: Jinja over drawn values, sandboxed, and numbers as a person would write them."""

import functools
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import jinja2
import sympy
from jinja2.sandbox import ImmutableSandboxedEnvironment

from qbench.errors import TemplateError
from qbench.expressions import evaluate, exact


def plain(value: Any) -> Any:
    """Turn exact numbers into what reads well in a sentence: ``5``, ``5.25``, and ``2/3`` only where no decimal ends."""
    match value:
        case sympy.Integer():
            return int(value)
        case sympy.Rational():
            return Decimal(decimal_text(value)) if decimal_places(value) is not None else value
        case float():
            return Decimal(repr(value))
        case list():
            return [plain(element) for element in value]
        case dict():
            return {key: plain(entry) for key, entry in value.items()}
        case _:
            return value


def decimal_places(value: sympy.Rational) -> int | None:
    """How many decimals a rational has; None where they do not end."""
    rest, powers = int(value.q), {2: 0, 5: 0}
    for prime in powers:
        while rest % prime == 0:
            rest //= prime
            powers[prime] += 1
    return max(powers.values()) if rest == 1 else None


def decimal_text(value: sympy.Rational, places: int | None = None) -> str:
    """Write a rational with ``places`` decimals, half away from zero; with None, as many as it needs (it must end)."""
    if places is None:
        places = decimal_places(value) or 0
    p, q = int(value.p), int(value.q)
    scaled = (2 * abs(p) * 10**places + q) // (2 * q)
    digits = str(scaled).rjust(places + 1, "0")
    text = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{text}" if value < 0 and scaled != 0 else text


def show(value: Any, spec: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the target as the text a model should write, and as the scorer's exact target.

    A number that is asked to two decimals is shown with two, but judged against its exact value, so that both ways of rounding a tie
    can be accepted.
    """
    if isinstance(value, bool | sympy.logic.boolalg.BooleanAtom):
        return ("Yes" if value else "No"), bool(value)
    if isinstance(value, list):
        parts = [
            show(element, {**spec, "type": "vector" if isinstance(element, list) else "number"}) for element in value
        ]
        opening, closing = {"set": "{}", "trace": ("", "")}.get(spec.get("type", ""), "[]")
        return opening + ", ".join(text for text, _ in parts) + closing, [target for _, target in parts]
    if isinstance(value, str):
        return value, value
    return _show_number(value, spec)


LARGEST_DIGITS = 900  # of an answer; Python writes no number of more than 4300, decimals among them
LARGEST = sympy.Integer(10) ** LARGEST_DIGITS
EXACT_DIGITS = 40  # an irrational target, or one with a longer denominator, is kept to this many significant digits


def _show_number(value: Any, spec: Mapping[str, Any]) -> tuple[str, str]:
    number = exact(value)
    if not getattr(number, "is_number", False) or not number.is_real or number.is_infinite:
        raise TemplateError(f"the answer {number} is not a real number.")
    near = sympy.N(number, EXACT_DIGITS)
    too_long = TemplateError(
        f"the answer has more than {LARGEST_DIGITS} digits; ask for a number that can be written out."
    )
    if near != 0 and not LARGEST**-1 < abs(near) < LARGEST:
        raise too_long
    rational = number if number.is_Rational else sympy.Rational(str(near))
    target = str(rational) if number.is_Rational and rational.q < 10**EXACT_DIGITS else str(near)
    tolerance = spec.get("tolerance", {"mode": "exact"})
    match tolerance.get("mode"):
        case "decimals":
            return decimal_text(rational, int(tolerance["n"])), target
        case "sigfigs":
            return _significant_text(rational, int(tolerance["n"])), target
        case "exact":
            if rational.q > LARGEST:
                raise too_long
            return (decimal_text(rational) if decimal_places(rational) is not None else str(rational)), target
        case _:  # a tolerance band: write the number out if it is short, else to six significant digits
            places = decimal_places(rational)
            text = decimal_text(rational, places) if places is not None and places < 8 else ""
            return (text if 0 < len(text) <= 8 else _significant_text(rational, 6)), target


SMALLEST_WRITTEN_OUT = Decimal("1e-7")  # below it zeros are no longer written out: 7.89e-31


def _significant_text(value: sympy.Rational, digits: int) -> str:
    """Write a rational with so many significant digits: 1234.567 to two is 1200, 9.996 to three is 10.0."""
    number = Context(prec=EXACT_DIGITS).divide(Decimal(int(value.p)), Decimal(int(value.q)))
    rounded = Context(prec=digits, rounding=ROUND_HALF_UP).plus(number)
    return f"{rounded:f}" if rounded == 0 or abs(rounded) >= SMALLEST_WRITTEN_OUT else f"{rounded:e}"


def render(text: str, values: Mapping[str, Any]) -> str:
    """Render Jinja text over drawn values, sandboxed; an undefined variable is an error."""
    if "{" not in text:
        return text.strip()
    try:
        return _compile(text).render(values).strip()
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise TemplateError(f"{error} (in {text[:60]!r}).") from None


def render_tree(tree: Any, values: Mapping[str, Any]) -> Any:
    """Render every text inside lists and mappings. ``{expression: …}`` stands for the value of an expression."""
    match tree:
        case str():
            return render(tree, values)
        case {"expression": str(expression)} if len(tree) == 1:
            return _json_value(evaluate(expression, values))
        case Mapping():
            return {key: render_tree(value, values) for key, value in tree.items()}
        case list():
            return [render_tree(value, values) for value in tree]
        case _:
            return tree


def _json_value(value: Any) -> Any:
    written = plain(value)
    match written:
        case list():
            return [_json_value(element) for element in written]
        case bool() | int() | str():
            return written
        case _:
            return str(written)


@functools.lru_cache(maxsize=4096)
def _compile(text: str) -> jinja2.Template:
    return _environment().from_string(text)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=_written,
    )
    environment.filters |= {"commas": _commas, "counted": _counted, "listed": _listed, "ordinal": _ordinal}
    return environment


def _written(value: Any) -> Any:
    """Write tiny decimals out: 0.0000001, where str says 1E-7."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def _commas(number: Any, places: int | None = None) -> str:
    """1234567 becomes 1,234,567; with two places, 1234.5 becomes 1,234.50."""
    return f"{number:,}" if places is None else f"{number:,.{places}f}"


def _counted(number: Any, noun: str, plural: str = "") -> str:
    """``{{ n | counted('apple') }}`` is 1 apple or 3 apples."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _listed(values: Sequence[Any], last: str = "and") -> str:
    """[a, b, c] becomes a, b and c."""
    texts = [str(_written(value)) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def _ordinal(number: int) -> str:
    """3 becomes 3rd."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
