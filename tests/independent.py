"""A second evaluator of the template language, in 50-digit floating point, to hold qbench.expressions against.

It shares no code with it: Python's ast gives the tree, mpmath the arithmetic.
"""

import ast
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any

import mpmath

from qbench.templates import Template

mp = mpmath.mp.clone()
mp.dps = 50
TINY = mp.mpf(10) ** -40


def floor(value: Any) -> Any:
    """What is a whole number to 40 digits is one."""
    return mp.floor(value + TINY)


OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: floor(a / b),
    ast.Mod: lambda a, b: a - b * floor(a / b),
    ast.Pow: lambda a, b: mp.power(a, b),
    ast.Eq: lambda a, b: same(a, b),
    ast.NotEq: lambda a, b: not same(a, b),
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b or same(a, b),
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b or same(a, b),
    ast.In: lambda a, b: any(same(a, x) for x in b) if not isinstance(b, str) else a in b,
    ast.NotIn: lambda a, b: not any(same(a, x) for x in b) if not isinstance(b, str) else a not in b,
}


def mpmath_answer(template: Template, values: Mapping[str, Any]) -> Any:
    """The answer to a template for what was drawn; variables that were computed are computed anew."""
    names = dict(values)
    for name, spec in template.variables.items():
        if isinstance(spec, Mapping) and "value" in spec:
            names[name] = mpmath_value(str(spec["value"]), names)
    return mpmath_value(template.answer, names)


def mpmath_value(expression: str, names: Mapping[str, Any]) -> Any:
    """The value of an expression as text, bool, mpf, or a list of them."""
    return _value(
        ast.parse(expression.strip(), mode="eval").body, {name: _number(value) for name, value in names.items()}
    )


def same(ours: Any, theirs: Any) -> bool:
    """Equal to 40 digits."""
    if isinstance(ours, list) or isinstance(theirs, list):
        return len(ours) == len(theirs) and all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, str | bool) or isinstance(theirs, str | bool):
        return bool(ours == theirs) or (isinstance(theirs, bool) and bool(ours) == theirs)
    return bool(mp.almosteq(_number(ours), _number(theirs), rel_eps=TINY, abs_eps=TINY))


def _number(value: Any) -> Any:
    match value:
        case bool() | str() | None:
            return value
        case list() | tuple():
            return [_number(entry) for entry in value]
        case Mapping():
            return {key: _number(entry) for key, entry in value.items()}
        case int() | Decimal():
            return mp.mpf(str(value))
    if isinstance(value, mp.mpf):
        return value
    if getattr(value, "is_Rational", False):
        return mp.mpf(int(value.p)) / int(value.q)
    return mp.mpf(str(value.evalf(60))) if hasattr(value, "evalf") else value


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return _number(Decimal(repr(value)) if isinstance(value, float) else value)
        case ast.Name(name):
            return names[name] if name in names else {"pi": mp.pi, "e": mp.e}[name]
        case ast.BinOp(left, operator, right):
            one, other = _value(left, names), _value(right, names)
            return one + other if isinstance(one, list | str) else OPERATORS[type(operator)](one, other)
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, names)
        case ast.UnaryOp(ast.Not(), operand):
            return not _value(operand, names)
        case ast.BoolOp(ast.And(), values):
            return all(_value(value, names) for value in values)
        case ast.BoolOp(_, values):
            return any(_value(value, names) for value in values)
        case ast.Compare(left, operators, comparators):
            values = [_value(entry, names) for entry in (left, *comparators)]
            return all(OPERATORS[type(op)](a, b) for op, a, b in zip(operators, values, values[1:], strict=False))
        case ast.IfExp(test, body, otherwise):
            return _value(body if _value(test, names) else otherwise, names)
        case ast.List(elements):
            return [_value(element, names) for element in elements]
        case ast.Subscript(container, key):
            index = _value(key, names)
            return _number(_value(container, names)[index if isinstance(index, str) else int(index)])
        case ast.ListComp(element, [ast.comprehension(ast.Name(name), iterable, conditions)]):
            inner = ({**names, name: _number(value)} for value in _value(iterable, names))
            return [_value(element, bound) for bound in inner if all(_value(test, bound) for test in conditions)]
        case ast.Call(ast.Name("iterate"), [step, start, times]):
            return _iterated(_value(step, names), _value(start, names), int(_value(times, names)), names)
        case ast.Call(ast.Name(name), arguments):
            return FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
    raise NotImplementedError(ast.dump(node))


def _iterated(step: str, start: Any, times: int, names: dict[str, Any]) -> list[Any]:
    found = [start]
    for n in range(1, times + 1):
        found.append(_value(ast.parse(step, mode="eval").body, {**names, "x": found[-1], "n": mp.mpf(n)}))
    return found


def _determinant(rows: list[list[Any]]) -> Any:
    """Laplace expansion along the first row."""
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        (-1) ** i * rows[0][i] * _determinant([row[:i] + row[i + 1 :] for row in rows[1:]]) for i in range(len(rows))
    )


def _rounded(value: Any, digits: Any = 0) -> Any:
    scale = mp.mpf(10) ** int(digits)
    # Half away from zero.
    return mp.sign(value) * floor(abs(value) * scale + mp.mpf("0.5")) / scale


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(same(value, other) for other in found):
            found.append(value)
    return found


SAME_NAME = ("acos", "asin", "atan", "binomial", "cos", "erf", "exp", "factorial", "sign", "sin", "sqrt", "tan")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(mp, name) for name in SAME_NAME},
    "abs": abs,
    "ceiling": lambda x: -floor(-x),
    "det": _determinant,
    "distinct": _distinct,
    "fibonacci": mp.fib,
    "floor": floor,
    "gcd": lambda *values: reduce(math.gcd, map(int, values)),
    "lcm": lambda *values: reduce(math.lcm, map(int, values)),
    "len": len,
    "log": lambda x, base=None: mp.log(x) if base is None else mp.log(x) / mp.log(base),
    "max": max,
    "min": min,
    "number": mp.mpf,
    "range": lambda *bounds: list(range(*map(int, bounds))),
    "round": _rounded,
    "sorted": sorted,
    "sum": lambda values: sum(values, mp.mpf(0)),
}
