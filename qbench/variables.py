"""The variables of a template: what each kind draws, given the random stream, the difficulty and the variables above it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import sympy

from qbench.errors import TemplateError, did_you_mean
from qbench.expressions import MAX_ELEMENTS, evaluate
from qbench.facts import table, words
from qbench.generators.drawing import pick, sample
from qbench.rendering import plain, render, render_tree
from qbench.shapes import (
    ANYTHING,
    COUNT,
    DECIMALS,
    DIFFICULTIES,
    EXPRESSION,
    LIST_OR_NAME,
    MAPPING,
    RANGE,
    STEP,
    TEXT,
    WHOLE_RANGE,
    Shape,
    check,
    shown,
)

Values = dict[str, Any]
Draw = Callable[[Values, np.random.Generator, int, Values], Any]
MOST = 2**63  # values in a range, as many as numpy draws from


@dataclass(frozen=True)
class Kind:
    """A kind of variable: how it is drawn, and the fields of its mapping."""

    draw: Draw
    required: dict[str, Shape]
    optional: dict[str, Shape] = field(default_factory=dict)


def check_variables(variables: Mapping[str, Any], place: str) -> None:
    """Hold variables against the fields of their kinds, before any is drawn.

    Raises:
        TemplateError: naming the variable and its field.
    """
    for name, spec in variables.items():
        if not isinstance(name, str):
            raise TemplateError(
                f"{place}: YAML reads the name of a variable as {name!r}; put yes, no, on and off in quotes, or name it otherwise."
            )
        _check_variable(spec, f"{place}, variable {name}")


def _check_variable(spec: Any, place: str) -> None:
    if isinstance(spec, Mapping):
        kind = VARIABLES.get(_kind(spec))
        if kind is None:
            raise TemplateError(f"{place}: {shown(dict(spec))} names none of {', '.join(VARIABLES)}.")
        check(spec, place, {**kind.required, **kind.optional}, required=kind.required)
        if "list" in spec:
            _check_variable(spec["of"], f"{place}, of")


def _kind(spec: Mapping[str, Any]) -> str:
    """The first key that says what a variable is; empty where none does."""
    return next((key for key in spec if key in VARIABLES), "")


def draw_variable(spec: Any, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    """Draw one variable that `check_variables` has seen. The first key of its mapping says what it is: see VARIABLES."""
    if not isinstance(spec, Mapping):
        return plain(spec)
    return VARIABLES[_kind(spec)].draw(dict(spec), rng, difficulty, values)


def _at(level_or_levels: Any, difficulty: int, *, nested: bool) -> Any:
    """Pick the range of this difficulty, where five are given.

    ``nested`` says that one range is itself a list, so that only a list of five lists means one per difficulty.
    """
    several = (
        isinstance(level_or_levels, list)
        and len(level_or_levels) == len(DIFFICULTIES)
        and (not nested or all(isinstance(entry, list) for entry in level_or_levels))
    )
    return level_or_levels[difficulty - 1] if several else level_or_levels


def _between(ranges: Any, rng: np.random.Generator, difficulty: int, values: Values, scale: int, step: int = 1) -> int:
    """Draw from the range of this difficulty, both ends included, in units of ``1 / scale``."""
    low, high = (_number(bound, values) for bound in _at(ranges, difficulty, nested=True))
    if low > high:
        raise TemplateError(f"the range {plain(low)} to {plain(high)} is empty; its low end comes first.")
    first, last = int(low * scale), int(high * scale)
    if (first, last) != (low * scale, high * scale):
        raise TemplateError(f"the range {plain(low)} to {plain(high)} ends between two of the values that it draws.")
    if (count := (last - first) // step + 1) > MOST:
        raise TemplateError(f"the range {plain(low)} to {plain(high)} holds more than 2**63 values; narrow it.")
    return first + step * int(rng.integers(count))


def _integers(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> int:
    return _between(spec["integers"], rng, difficulty, values, scale=1, step=spec.get("step", 1))


def _decimals(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Decimal:
    digits = _at(spec["decimals"], difficulty, nested=False)
    return Decimal(_between(spec["between"], rng, difficulty, values, scale=10**digits)).scaleb(-digits)


def _choice(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    options = _options(spec["choice"], difficulty, values)
    return plain(pick(rng, options))


def _sample(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    options = _options(spec["of"], difficulty, values)
    count = _count(spec["sample"], difficulty, values)
    if count > len(options):
        raise TemplateError(f"{count} different ones are wanted, and there are {len(options)}.")
    return [plain(option) for option in sample(rng, options, count)]


def _list(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    drawn: list[Any] = []
    room = MAX_ELEMENTS
    for _ in range(_count(spec["list"], difficulty, values)):
        drawn.append(draw_variable(spec["of"], rng, difficulty, values))
        room -= _elements(drawn[-1])
        if room < 0:
            raise TemplateError(f"its lists hold more than {MAX_ELEMENTS:,} elements in all; draw fewer.")
    return drawn


def _elements(value: Any) -> int:
    return sum(map(_elements, value)) if isinstance(value, list) else 1


def _rows(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    rows = table(spec["table"])
    wanted = {}
    for column, value in spec.get("where", {}).items():
        if column not in rows[0]:
            raise TemplateError(
                f"the fact table {spec['table']} has no column {column!r}.{did_you_mean(str(column), rows[0])}"
            )
        wanted[column] = render(str(_at(value, difficulty, nested=False)), values)
    found = [row for row in rows if wanted.items() <= row.items()]
    if not found:
        raise TemplateError(f"the fact table {spec['table']} has no row with {wanted}.")
    return _sample({"sample": spec.get("rows", 1), "of": found}, rng, difficulty, values)


def _value(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    return plain(evaluate(spec["value"], values))


def _generated(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Values:
    return generated(spec["generate"], rng, difficulty, render_tree(spec.get("options", {}), values))


VARIABLES = {
    # {integers: [low, high], step: 5}
    "integers": Kind(_integers, {"integers": WHOLE_RANGE}, {"step": STEP}),
    # {decimals: 2, between: [low, high]}
    "decimals": Kind(_decimals, {"decimals": DECIMALS, "between": RANGE}),
    # {choice: [a, b, c]}, or the name of a word list
    "choice": Kind(_choice, {"choice": LIST_OR_NAME}),
    # {sample: 3, of: [a, b, c, d]}: different ones, in random order
    "sample": Kind(_sample, {"sample": COUNT, "of": LIST_OR_NAME}),
    # {list: 5, of: {integers: [1, 9]}}: repeats allowed
    "list": Kind(_list, {"list": COUNT, "of": ANYTHING}),
    # {table: capitals, rows: 4, where: {fame: [1, 2, 3, 4, 5]}}: rows of tasks/facts/capitals.csv
    "table": Kind(_rows, {"table": TEXT}, {"rows": COUNT, "where": MAPPING}),
    # {value: "a * b"}: computed from the variables above it
    "value": Kind(_value, {"value": EXPRESSION}),
    # {generate: typos.typos, options: {text: "…"}}: a generator that uses the variables above it
    "generate": Kind(_generated, {"generate": TEXT}, {"options": MAPPING}),
}


def _options(spec: Any, difficulty: int, values: Values) -> list[Any]:
    if isinstance(spec, str):
        named = values.get(spec)
        options = named if isinstance(named, list) else words(spec)
    else:
        options = _at(spec, difficulty, nested=True)
    if not isinstance(options, list) or not options:
        raise TemplateError(f"there is nothing to choose from in {spec!r}.")
    return options


def _count(count: Any, difficulty: int, values: Values) -> int:
    number = _number(_at(count, difficulty, nested=False), values)
    if not (number.is_Integer and 0 <= number <= MAX_ELEMENTS):
        raise TemplateError(f"its length {count} is {plain(number)} here, not {COUNT.words}.")
    return int(number)


def _number(bound: Any, values: Values) -> Any:
    """A bound may be a number or an expression over the variables drawn before it."""
    number = evaluate(bound, values) if isinstance(bound, str) else sympy.Rational(str(bound))
    if not getattr(number, "is_real", False):
        raise TemplateError(f"{bound!r} is {shown(plain(number))} here, which is no number.")
    return number


def generated(name: str, rng: np.random.Generator, difficulty: int, options: Mapping[str, Any]) -> Values:
    """Call a generator of qbench.generators with options that a stranger wrote.

    Raises:
        TemplateError: there is no such generator, it has no such option, or it cannot work with its value.
    """
    function = generator(name)
    known = list(signature(function).parameters)[2:]
    for option in options:
        if option not in known:
            raise TemplateError(
                f"the generator {name} has no option {option!r}.{did_you_mean(str(option), known)} It takes "
                f"{', '.join(known) or 'none'}."
            )
    try:
        return function(rng, difficulty, **options)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(f"the generator {name} cannot work with {shown(dict(options))} ({error}).") from error


def generator(name: str) -> Callable[..., Values]:
    """Return a function of qbench.generators by ``file.function``; a YAML from a stranger must not name os.system."""
    file, _, function = name.partition(".")
    try:
        found: Callable[..., Values] = vars(import_module(f"qbench.generators.{file}"))["GENERATORS"][function]
    except (ImportError, KeyError):
        raise TemplateError(
            f"qbench.generators has no {name!r}; name it file.function, as in puzzles.ordering."
        ) from None
    return found
