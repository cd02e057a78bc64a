"""The arithmetic of the template language: a small part of Python's expression syntax, evaluated to exact sympy values.

Bank YAML may come from strangers, so nothing is handed to ``eval`` or ``sympify``. Python's own parser gives the tree (it executes
nothing), and the interpreter below knows only the nodes and functions listed here. Decimal literals are exact: ``0.1`` is 1/10.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import sympy

from qbench.errors import TemplateError, did_you_mean

MAX_LENGTH = 1_000  # characters of one expression
MAX_EXPONENT = 10_000  # keeps 9**9**9 from eating the machine; 2**100 and friends pass
MAX_ARGUMENT = 10_000  # of factorial, binomial, fibonacci
MAX_ELEMENTS = 10_000  # of a list, a range or an iteration


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """Evaluate an expression over the drawn variables.

    Numbers come back as exact sympy numbers, comparisons as ``bool``, lists as ``list``; text and table rows pass through.

    Raises:
        TemplateError: the expression does not parse, uses a name or a construct that the language lacks, or divides by zero.
    """
    try:
        return _Interpreter(names).visit(_parse(expression))
    except TemplateError as error:
        raise TemplateError(f"In the expression {expression!r}: {error}") from None
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise TemplateError(f"The expression {expression!r} has no value here: {error}.") from error


@functools.lru_cache(maxsize=4096)
def _parse(expression: str) -> ast.expr:
    if len(expression) > MAX_LENGTH:
        raise TemplateError(f"it has {len(expression)} characters; at most {MAX_LENGTH} are allowed.")
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise TemplateError(f"it does not parse ({error}).") from None


def exact(value: Any) -> Any:
    """Turn drawn values into sympy numbers, leaving text, lists and table rows as they are."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return sympy.Integer(value)
        case Decimal():
            return sympy.Rational(str(value))
        case list() | tuple():
            return [exact(element) for element in value]
        case _:
            return value


# ---------------------------------------------------------------- functions of the language


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse arguments whose result would not fit into memory or patience."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        if any(abs(argument) > MAX_ARGUMENT for argument in arguments):
            raise TemplateError(f"{function.__name__} takes arguments up to {MAX_ARGUMENT}.")
        return function(*arguments)

    return call


def _round(value: Any, digits: Any = 0) -> Any:
    """Round half away from zero, as a person rounds."""
    scale = sympy.Integer(10) ** int(digits)
    shifted = abs(value) * scale + sympy.Rational(1, 2)
    return sympy.sign(value) * sympy.floor(shifted) / scale


def _iterate(step: str, start: Any, times: Any, *, names: Mapping[str, Any]) -> list[Any]:
    """Return ``start`` and the ``times`` values that follow when x becomes ``step``: iterate("3*x - 1", 2, 3) is [2, 5, 14, 41].

    The step sees the variables in ``names``, x and n, the number of the step. x may be a list: "[x[1], x[0] + x[1]]".
    """
    if times > MAX_ELEMENTS:
        raise TemplateError(f"iterate runs at most {MAX_ELEMENTS} times.")
    values = [exact(start)]
    for _ in range(int(times)):
        values.append(evaluate(step, {**names, "x": values[-1], "n": sympy.Integer(len(values))}))
    return values


def _number(text: str) -> Any:
    """Read a cell of a fact table, which is text. No exponents: 1e999999999 would fill the memory."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        raise TemplateError(f"{text!r} is no decimal number.")
    return sympy.Rational(text)


def _range(*bounds: Any) -> list[Any]:
    numbers = range(*(int(bound) for bound in bounds))
    if len(numbers) > MAX_ELEMENTS:
        raise TemplateError(f"a range holds at most {MAX_ELEMENTS} numbers.")
    return [sympy.Integer(number) for number in numbers]


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": sympy.Abs,
    "acos": sympy.acos,
    "asin": sympy.asin,
    "atan": sympy.atan,
    "binomial": _bounded(sympy.binomial),
    "ceiling": sympy.ceiling,
    "cos": sympy.cos,
    "det": lambda rows: sympy.Matrix(rows).det(),
    "distinct": _distinct,
    "erf": sympy.erf,
    "exp": sympy.exp,
    "factorial": _bounded(sympy.factorial),
    "fibonacci": _bounded(sympy.fibonacci),
    "floor": sympy.floor,
    "gcd": sympy.gcd,
    "iterate": _iterate,
    "lcm": sympy.lcm,
    "len": lambda values: sympy.Integer(len(values)),
    "log": sympy.log,
    "max": sympy.Max,
    "min": sympy.Min,
    "number": _number,
    "range": _range,
    "round": _round,
    "sign": sympy.sign,
    "sin": sympy.sin,
    "sorted": lambda values: sorted(values),
    "sqrt": sympy.sqrt,
    "sum": lambda values: sum(values, sympy.Integer(0)),
    "tan": sympy.tan,
}
CONSTANTS: dict[str, Any] = {"pi": sympy.pi, "e": sympy.E}

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: sympy.floor(a / b),
    ast.Mod: lambda a, b: sympy.Mod(a, b),
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class _Interpreter(ast.NodeVisitor):
    """Walks an expression. A node without a method of its own is refused by name."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> Any:
        raise TemplateError(f"{type(node).__name__} is not part of the template language.")

    def visit_Constant(self, node: ast.Constant) -> Any:
        # repr of a float is the shortest literal that means it, so 0.1 in the YAML stays one tenth.
        return sympy.Rational(repr(node.value)) if isinstance(node.value, float) else exact(node.value)

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return exact(self.names[node.id])
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        known = [*self.names, *CONSTANTS, *FUNCTIONS]
        raise TemplateError(f"there is no variable {node.id!r}.{did_you_mean(node.id, known)}")

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Pow):
            if not abs(right) <= MAX_EXPONENT or (left.is_Integer and right.is_Integer and left.p.bit_length() > 4_000):
                raise TemplateError(f"exponents go up to {MAX_EXPONENT}.")
            return left**right
        if type(node.op) not in BINARY:
            return self.generic_visit(node.op)
        if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod) and right == 0:
            raise ZeroDivisionError("division by zero")
        return BINARY[type(node.op)](left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        value = self.visit(node.operand)
        match node.op:
            case ast.USub():
                return -value
            case ast.UAdd():
                return value
            case ast.Not():
                return not value
            case _:
                return self.generic_visit(node.op)

    def visit_BoolOp(self, node: ast.BoolOp) -> bool:
        combine = all if isinstance(node.op, ast.And) else any
        return combine(bool(self.visit(value)) for value in node.values)

    def visit_Compare(self, node: ast.Compare) -> bool:
        values = [self.visit(node.left), *map(self.visit, node.comparators)]
        for operator, left, right in zip(node.ops, values, values[1:], strict=False):
            if type(operator) not in COMPARISONS:
                return bool(self.generic_visit(operator))
            if not COMPARISONS[type(operator)](left, right):
                return False
        return True

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def visit_List(self, node: ast.List) -> list[Any]:
        return [self.visit(element) for element in node.elts]

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        container, key = self.visit(node.value), self.visit(node.slice)
        return exact(container[int(key) if isinstance(key, sympy.Integer) else key])

    def visit_Call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise TemplateError("functions are called by their plain name and without keywords.")
        if node.func.id not in FUNCTIONS:
            raise TemplateError(f"there is no function {node.func.id!r}.{did_you_mean(node.func.id, FUNCTIONS)}")
        function = FUNCTIONS[node.func.id]
        if function is _iterate:  # the only one that evaluates an expression of its own
            function = functools.partial(_iterate, names=self.names)
        return function(*map(self.visit, node.args))

    def visit_ListComp(self, node: ast.ListComp) -> list[Any]:
        (loop, *more) = node.generators
        if more or not isinstance(loop.target, ast.Name):
            raise TemplateError("a list comprehension has one loop over one name.")
        results = []
        for value in self.visit(loop.iter):
            inner = _Interpreter({**self.names, loop.target.id: value})
            if all(inner.visit(test) for test in loop.ifs):
                results.append(inner.visit(node.elt))
        return results
