"""The variables of a template: what each kind draws, given the random stream, the difficulty and the variables above it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any

import numpy as np
import sympy

from qbench.errors import TemplateError
from qbench.expressions import evaluate
from qbench.facts import table, words
from qbench.generators.drawing import pick, sample
from qbench.rendering import plain, render, render_tree

DIFFICULTIES = (1, 2, 3, 4, 5)

Values = dict[str, Any]


def draw_variable(spec: Any, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    """Draw one variable. The first key of its mapping says what it is: see VARIABLES."""
    if not isinstance(spec, Mapping):
        return plain(spec)
    kind = next((key for key in spec if key in VARIABLES), None)
    if kind is None:
        raise TemplateError(f"{dict(spec)} names none of {', '.join(VARIABLES)}.")
    return VARIABLES[kind](dict(spec), rng, difficulty, values)


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


def _bounds(ranges: Any, difficulty: int) -> Any:
    """Both ends of the range of this difficulty."""
    bounds = _at(ranges, difficulty, nested=True)
    if not isinstance(bounds, list) or len(bounds) != 2 or any(isinstance(bound, list) for bound in bounds):
        raise TemplateError(f"{ranges} is no range [low, high], and no list of five, one for each difficulty.")
    return bounds


def _integers(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> int:
    low, high = (int(_number(bound, values)) for bound in _bounds(spec["integers"], difficulty))
    if low > high:
        raise TemplateError(f"the range {low} to {high} is empty.")
    step = int(spec.get("step", 1))
    return low + step * int(rng.integers((high - low) // step + 1))


def _decimals(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Decimal:
    digits = int(_at(spec["decimals"], difficulty, nested=False))
    low, high = (_number(bound, values) for bound in _bounds(spec["between"], difficulty))
    scale = 10**digits
    units = int(low * scale) + int(rng.integers(int(high * scale) - int(low * scale) + 1))
    return Decimal(units).scaleb(-digits)


def _choice(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    options = _options(spec["choice"], difficulty, values)
    return plain(pick(rng, options))


def _sample(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    options = _options(spec["of"], difficulty, values)
    count = int(_number(_at(spec["sample"], difficulty, nested=False), values))
    if count > len(options):
        raise TemplateError(f"{count} different ones are wanted, and there are {len(options)}.")
    return [plain(option) for option in sample(rng, options, count)]


def _list(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    count = int(_number(_at(spec["list"], difficulty, nested=False), values))
    return [draw_variable(spec["of"], rng, difficulty, values) for _ in range(count)]


def _rows(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    where = spec.get("where", {}).items()
    wanted = {key: render(str(_at(value, difficulty, nested=False)), values) for key, value in where}
    rows = [row for row in table(spec["table"]) if wanted.items() <= row.items()]
    return _sample({"sample": spec.get("rows", 1), "of": rows}, rng, difficulty, values)


def _value(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    return plain(evaluate(spec["value"], values))


def _generated(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Values:
    return generator(spec["generate"])(rng, difficulty, **render_tree(spec.get("options", {}), values))


VARIABLES: dict[str, Callable[[Values, np.random.Generator, int, Values], Any]] = {
    "integers": _integers,  # {integers: [low, high], step: 5}
    "decimals": _decimals,  # {decimals: 2, between: [low, high]}
    "choice": _choice,  # {choice: [a, b, c]}, or the name of a word list
    "sample": _sample,  # {sample: 3, of: [a, b, c, d]}: different ones, in random order
    "list": _list,  # {list: 5, of: {integers: [1, 9]}}: repeats allowed
    "table": _rows,  # {table: capitals, rows: 4, where: {fame: [1, 2, 3, 4, 5]}}: rows of tasks/facts/capitals.csv
    "value": _value,  # {value: "a * b"}: computed from the variables above it
    "generate": _generated,  # {generate: typos.typos, options: {text: "…"}}: a generator that uses the variables above it
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


def _number(bound: Any, values: Values) -> Any:
    """A bound may be a number or an expression over the variables drawn before it."""
    return evaluate(bound, values) if isinstance(bound, str) else sympy.Rational(str(bound))


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
