"""What the fields of a YAML must be, said as tables of field and shape; `check` holds a mapping against its table."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import TemplateError, did_you_mean
from qbench.expressions import MAX_ELEMENTS

MAX_DECIMALS = 100
DIFFICULTIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Shape:
    """What a value must be, to a person and to Python."""

    words: str
    fits: Callable[[Any], bool]


def check(
    entry: Any, place: str, shapes: Mapping[str, Shape], *, required: Iterable[str] = (), and_others: bool = False
) -> None:
    """Hold a mapping against the shapes of its fields.

    Args:
        entry: what YAML gave, of any type.
        place: what the message begins with, as in ``Template change, twin heavy``.
        and_others: fields that the table does not name are somebody else's.

    Raises:
        TemplateError: it is no mapping, has a field that there is not or one of another shape, or lacks a required one.
    """
    if not isinstance(entry, Mapping):
        raise TemplateError(f"{place} must be {MAPPING.words}, not {shown(entry)}.")
    for name, value in entry.items():
        if name not in shapes and not and_others:
            raise TemplateError(f"{place}: there is no field {name!r}.{did_you_mean(str(name), shapes)}")
        if name in shapes and not shapes[name].fits(value):
            raise TemplateError(f"{place}: {name} must be {shapes[name].words}, not {shown(value)}.")
    for name in required:
        if entry.get(name) in (None, ""):
            raise TemplateError(f"{place} has no {name}; add it, {shapes[name].words}.")


def shown(value: Any) -> str:
    """A value of YAML in a message, which stays short."""
    return "nothing" if value is None else repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:79]}…"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number_or_text(value: Any) -> bool:
    return _is_text(value) or _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _one_or_five(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    several = _list_of(fits)
    return lambda value: fits(value) or (several(value) and len(value) == len(DIFFICULTIES))


def _range_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    bounds = _list_of(fits)
    return _one_or_five(lambda value: bounds(value) and len(value) == 2)


FIVE = "or a list of five, one for each difficulty"
ANYTHING = Shape("anything", lambda value: True)
TEXT = Shape("a text (a number needs quotes)", _is_text)
TEXTS = Shape("a list of texts (numbers need quotes)", _list_of(_is_text))
TEXTS_OR_EXPRESSION = Shape(
    "a list of texts (numbers need quotes), or one expression that gives a list",
    lambda value: _is_text(value) or TEXTS.fits(value),
)
EXPRESSION = Shape('an expression in quotes, as in "a + b"', _is_text)
EXPRESSIONS = Shape('a list of expressions, as in ["a > b"]', _list_of(_is_text))
MAPPING = Shape("a mapping, as in {name: value}", lambda value: isinstance(value, Mapping))
MAPPINGS = Shape("a list of mappings", _list_of(MAPPING.fits))
LIST = Shape("a list", lambda value: isinstance(value, list))
LIST_OR_NAME = Shape("a list, or the name of one", lambda value: isinstance(value, list | str))
DIFFICULTY = Shape("a whole number from 1 to 5", lambda value: _is_whole(value) and value in DIFFICULTIES)
STEP = Shape("a whole number above zero", lambda value: _is_whole(value) and value > 0)
DECIMALS = Shape(
    f"a whole number from 0 to {MAX_DECIMALS}, {FIVE}",
    _one_or_five(lambda value: _is_whole(value) and 0 <= value <= MAX_DECIMALS),
)
COUNT = Shape(
    f"a whole number from 0 to {MAX_ELEMENTS:,}, an expression that gives one, {FIVE}",
    _one_or_five(lambda value: _is_text(value) or (_is_whole(value) and 0 <= value <= MAX_ELEMENTS)),
)
RANGE = Shape(f"a range [low, high], {FIVE}", _range_of(_is_number_or_text))
WHOLE_RANGE = Shape(
    f"a range [low, high] of whole numbers or expressions, {FIVE}",
    _range_of(lambda value: _is_whole(value) or _is_text(value)),
)
