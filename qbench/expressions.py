"""The arithmetic of the template language: a small part of Python's expression syntax, evaluated to exact values.

Bank YAML may come from strangers, so nothing is handed to ``eval`` or ``sympify``. Python's own parser gives the tree (it executes
nothing), and the interpreter below knows only the nodes and functions listed here. Decimal literals are exact: ``0.1`` is 1/10.

Inside, whole numbers are ``int`` and other rationals ``Fraction``, twenty times as fast as sympy; only what is irrational is a sympy
number. `evaluate` returns sympy numbers.
"""

import ast
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sympy

from qbench.errors import TemplateError, did_you_mean

MAX_LENGTH = 1_000  # characters of one expression
MAX_EXPONENT = 10_000  # keeps 9**9**9 from eating the machine; 2**100 and friends pass
MAX_ARGUMENT = 10_000  # of factorial, binomial, fibonacci
MAX_ELEMENTS = 10_000  # of a range or an iteration
MAX_BITS = 200_000  # of a number on the way: 60,000 digits, as 10000! has almost
MAX_ROOT_BITS = 1_000  # of a number whose root is taken, which sympy tries to factor
MAX_ROUNDED = sympy.Integer(10) ** 1_000  # whatever is rounded is written out
MAX_ROWS = 20  # of a determinant
MAX_SYMBOLIC_ROWS = 4  # of one with roots and the like
MAX_WORK = 500_000  # of one evaluation, a second or so: nodes visited, and what values of many parts cost
SYMBOLIC_WORK = 100  # of each part of a number that is not rational


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """Evaluate an expression over the drawn variables.

    Numbers come back as exact sympy numbers, comparisons as ``bool``, lists as ``list``; text and table rows pass through.

    Raises:
        TemplateError: the expression does not parse, uses a name or a construct that the language lacks, or divides by zero.
    """
    try:
        return exact(_Interpreter(names, {}, _Budget()).visit(_parse(expression)))
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
        case Fraction():
            return sympy.Rational(value.numerator, value.denominator)
        case Decimal():
            return sympy.Rational(str(value))
        case list() | tuple():
            return [exact(element) for element in value]
        case _:
            return value


def _inner(value: Any) -> Any:
    """Turn a value into what the interpreter computes with."""
    kind = type(value)
    if kind is int or kind is str or kind is bool or kind is Fraction:
        return value
    if kind is list or kind is tuple:
        return [_inner(element) for element in value]
    if kind is Decimal:
        return _lowest(Fraction(value))
    if isinstance(value, sympy.Rational):
        return int(value.p) if value.q == 1 else Fraction(int(value.p), int(value.q))
    return value


def _lowest(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _is_rational(value: Any) -> bool:
    """Whether it is a plain number. A bool is none: it does not take part in arithmetic."""
    return type(value) is int or type(value) is Fraction


# ---------------------------------------------------------------- functions of the language


def _bounded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Refuse arguments whose result would not fit into memory or patience."""

    def call(*arguments: Any) -> Any:
        if any(abs(argument) > MAX_ARGUMENT for argument in arguments):
            raise TemplateError(f"{name} takes arguments up to {MAX_ARGUMENT}.")
        return function(*arguments)

    return call


def _writable(value: Any) -> Any:
    """Refuse to round what has more digits than memory: the floor of exp(10**9)."""
    if not abs(sympy.N(value, 15)) < MAX_ROUNDED:
        raise TemplateError("a number of more than 1,000 digits is rounded; compute with smaller ones.")
    return value


def _rootable(value: Any) -> Any:
    """Refuse a root of what takes long to factor."""
    if _is_rational(value) and (value.numerator * value.denominator).bit_length() > MAX_ROOT_BITS:
        raise TemplateError(f"roots are taken of numbers of at most {MAX_ROOT_BITS:,} bits.")
    return value


def _round(value: Any, digits: Any = 0) -> Any:
    """Round half away from zero, as a person rounds."""
    if not _is_rational(value):
        # The floor of a root or an exponential takes sympy milliseconds. Fifty digits decide it, unless they come close to a tie.
        near = Fraction(Decimal(str(sympy.N(_writable(value), 50))))
        shifted = abs(near) * 10**digits + Fraction(1, 2)
        tie = Fraction(1, 10**10)
        if not (shifted < 10**30 and tie < shifted - math.floor(shifted) < 1 - tie):
            scale = sympy.Integer(10) ** int(digits)
            return _inner(sympy.sign(value) * sympy.floor(abs(value) * scale + sympy.Rational(1, 2)) / scale)
        value = near
    units = math.floor(abs(value) * Fraction(10) ** digits + Fraction(1, 2))
    return _lowest(Fraction(-units if value < 0 else units) / Fraction(10) ** digits)


def _number(text: str) -> Any:
    """Read a cell of a fact table, which is text. No exponents: 1e999999999 would fill the memory."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        raise TemplateError(f"{text!r} is no decimal number.")
    return _lowest(Fraction(text))


def _det(rows: list[Any]) -> Any:
    matrix = sympy.Matrix(rows)
    limit = MAX_ROWS if all(element.is_Rational for element in matrix) else MAX_SYMBOLIC_ROWS
    if matrix.rows > limit:
        raise TemplateError(f"det takes at most {limit} rows of such numbers.")
    return matrix.det()


def _range(*bounds: Any) -> list[Any]:
    numbers = range(*(int(bound) for bound in bounds))
    if len(numbers) > MAX_ELEMENTS:
        raise TemplateError(f"a range holds at most {MAX_ELEMENTS} numbers.")
    return list(numbers)


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _in_sympy(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of sympy, which takes and gives sympy's own numbers."""
    return lambda *arguments: _inner(function(*map(exact, arguments)))


def _fast(of_rationals: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A function of Python where all arguments are rational, and sympy's where one is a root or the like."""
    general = _in_sympy(otherwise)

    def call(*arguments: Any) -> Any:
        return of_rationals(*arguments) if all(map(_is_rational, arguments)) else general(*arguments)

    return call


def _of_whole_numbers(of_integers: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """The same for functions that Python has for whole numbers from 0 on."""
    general = _in_sympy(otherwise)

    def call(*arguments: Any) -> Any:
        whole = all(type(argument) is int and argument >= 0 for argument in arguments)
        return of_integers(*arguments) if whole else general(*arguments)

    return call


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": _fast(abs, sympy.Abs),
    "acos": _in_sympy(sympy.acos),
    "asin": _in_sympy(sympy.asin),
    "atan": _in_sympy(sympy.atan),
    "binomial": _bounded(_of_whole_numbers(math.comb, sympy.binomial), "binomial"),
    "ceiling": _fast(math.ceil, lambda value: sympy.ceiling(_writable(value))),
    "cos": _in_sympy(sympy.cos),
    "det": _in_sympy(_det),
    "distinct": _distinct,
    "erf": _in_sympy(sympy.erf),
    "exp": _in_sympy(sympy.exp),
    "factorial": _bounded(_of_whole_numbers(math.factorial, sympy.factorial), "factorial"),
    "fibonacci": _bounded(_in_sympy(sympy.fibonacci), "fibonacci"),
    "floor": _fast(math.floor, lambda value: sympy.floor(_writable(value))),
    "gcd": _of_whole_numbers(math.gcd, sympy.gcd),
    "lcm": _of_whole_numbers(math.lcm, sympy.lcm),
    "len": len,
    "log": _in_sympy(sympy.log),
    "max": _fast(lambda *values: max(values), sympy.Max),
    "min": _fast(lambda *values: min(values), sympy.Min),
    "number": _number,
    "range": _range,
    "round": _round,
    "sign": _in_sympy(sympy.sign),
    "sin": _in_sympy(sympy.sin),
    "sorted": sorted,
    "sqrt": lambda value: _inner(sympy.sqrt(exact(_rootable(value)))),
    "sum": lambda values: functools.reduce(BINARY[ast.Add], values, 0),
    "tan": _in_sympy(sympy.tan),
}
ITERATE = "iterate"  # evaluates an expression of its own, so the interpreter calls it
CONSTANTS: dict[str, Any] = {"pi": sympy.pi, "e": sympy.E}


def _arithmetic(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compute(a: Any, b: Any) -> Any:
        if _is_rational(a) and _is_rational(b):
            result = operator(a, b)
            return _lowest(result) if type(result) is Fraction else result
        return _inner(operator(exact(a), exact(b)))

    return compute


def _add(a: Any, b: Any) -> Any:
    return a + b


def _divide(a: Any, b: Any) -> Any:
    return Fraction(a, b) if _is_rational(a) and _is_rational(b) else a / b


def _floor_divide(a: Any, b: Any) -> Any:
    return a // b if _is_rational(a) and _is_rational(b) else sympy.floor(_writable(a / b))


def _modulo(a: Any, b: Any) -> Any:
    return a % b if _is_rational(a) and _is_rational(b) else sympy.Mod(_writable(a), b)


def _power(a: Any, b: Any) -> Any:
    """Python's where the result is rational for certain."""
    if not (_is_rational(a) and _is_rational(b)):
        return a**b
    if type(b) is int and (b >= 0 or a != 0):
        return Fraction(a) ** b
    return _inner(exact(_rootable(a)) ** exact(b))


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _arithmetic(_add),
    ast.Sub: _arithmetic(lambda a, b: a - b),
    ast.Mult: _arithmetic(lambda a, b: a * b),
    ast.Div: _arithmetic(_divide),
    ast.FloorDiv: _arithmetic(_floor_divide),
    ast.Mod: _arithmetic(_modulo),
    ast.Pow: _arithmetic(_power),
}


def _comparison(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        if isinstance(a, sympy.Basic) or isinstance(b, sympy.Basic):
            a, b = exact(a), exact(b)
        return bool(operator(a, b))

    return compare


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: _comparison(lambda a, b: a == b),
    ast.NotEq: _comparison(lambda a, b: a != b),
    ast.Lt: _comparison(lambda a, b: a < b),
    ast.LtE: _comparison(lambda a, b: a <= b),
    ast.Gt: _comparison(lambda a, b: a > b),
    ast.GtE: _comparison(lambda a, b: a >= b),
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class _Budget:
    """The work that is left to one evaluation, all of its loops and iterations together."""

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise TemplateError(f"it takes more than {MAX_WORK:,} steps; compute less.")

    def hold(self, value: Any) -> Any:
        """Pay for a value by its size, so that what doubles at each step ends soon; one that is too large is never walked to its end."""
        kind = type(value)
        if kind is int:
            if value.bit_length() > 64:
                self._pay_bits(value.bit_length())
        elif kind is Fraction:
            self._pay_bits(max(abs(value.numerator), value.denominator).bit_length())
        elif kind is str:
            self.spend(len(value))
        elif kind is list:
            self.spend(len(value))
            for element in value:
                self.hold(element)
        elif isinstance(value, sympy.Basic):
            self.spend(SYMBOLIC_WORK)
            for part in value.args:
                self.hold(part)
        return value

    def hold_power(self, base: int | Fraction, exponent: Any) -> None:
        """Pay for a power of a rational before it is computed."""
        if abs(base) != 1:
            self._pay_bits(max(abs(base.numerator), base.denominator).bit_length() * math.ceil(abs(exponent)))

    def _pay_bits(self, bits: int) -> None:
        if bits > MAX_BITS:
            raise TemplateError(f"a number has more than {MAX_BITS:,} bits; compute with smaller ones.")
        self.spend(bits >> 3)


class _Interpreter(ast.NodeVisitor):
    """Walks an expression. A node without a method of its own is refused by name."""

    def __init__(self, names: Mapping[str, Any], known: dict[str, Any], budget: _Budget) -> None:
        self.names = names
        self.known = known
        """Names whose values are what the interpreter computes with: those that were read already, and those of loops."""
        self.budget = budget

    def visit(self, node: ast.AST) -> Any:
        self.budget.left -= 1  # a spend(1) without the call: every node comes by
        if self.budget.left < 0:
            self.budget.spend(0)
        return getattr(self, f"visit_{type(node).__name__}", self.generic_visit)(node)

    def generic_visit(self, node: ast.AST) -> Any:
        raise TemplateError(f"{type(node).__name__} is not part of the template language.")

    def visit_Constant(self, node: ast.Constant) -> Any:
        # repr of a float is the shortest literal that means it, so 0.1 in the YAML stays one tenth.
        return _lowest(Fraction(repr(node.value))) if isinstance(node.value, float) else node.value

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.known:
            return self.known[node.id]
        if node.id in self.names:
            return self.known.setdefault(node.id, _inner(self.names[node.id]))
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        known = [*self.known, *self.names, *CONSTANTS, *FUNCTIONS, ITERATE]
        raise TemplateError(f"there is no variable {node.id!r}.{did_you_mean(node.id, known)}")

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if type(node.op) not in BINARY:
            return self.generic_visit(node.op)
        if isinstance(left, str | list) or isinstance(right, str | list):
            if isinstance(node.op, ast.Add) and type(left) is type(right):
                return self.budget.hold(left + right)
            raise TemplateError("text and lists can be added to their like, and that is all.")
        if isinstance(node.op, ast.Pow):
            if not abs(right) <= MAX_EXPONENT:
                raise TemplateError(f"exponents go up to {MAX_EXPONENT}.")
            if _is_rational(left):
                self.budget.hold_power(left, right)
        if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod) and right == 0:
            raise ZeroDivisionError("division by zero")
        return self.budget.hold(BINARY[type(node.op)](left, right))

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
            if isinstance(right, list | str):  # `in` looks through all of it
                self.budget.hold(right)
            if not COMPARISONS[type(operator)](left, right):
                return False
        return True

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def visit_List(self, node: ast.List) -> list[Any]:
        return list(self.budget.hold([self.visit(element) for element in node.elts]))

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        container, key = self.visit(node.value), self.visit(node.slice)
        return _inner(self.budget.hold(container[key]))

    def visit_Call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise TemplateError("functions are called by their plain name and without keywords.")
        if node.func.id == ITERATE:
            return self._iterate(*map(self.visit, node.args))
        if node.func.id not in FUNCTIONS:
            known = [*FUNCTIONS, ITERATE]
            raise TemplateError(f"there is no function {node.func.id!r}.{did_you_mean(node.func.id, known)}")
        arguments = [self.visit(argument) for argument in node.args]
        for argument in arguments:
            if type(argument) is list:  # a function goes through all of it
                self.budget.hold(argument)
        return self.budget.hold(FUNCTIONS[node.func.id](*arguments))

    def _iterate(self, step: str, start: Any, times: Any) -> list[Any]:
        """Return ``start`` and the ``times`` values that follow when x becomes ``step``: iterate("3*x - 1", 2, 3) is [2, 5, 14, 41].

        The step sees all variables, x and n, the number of the step. x may be a list: "[x[1], x[0] + x[1]]".
        """
        if times > MAX_ELEMENTS:
            raise TemplateError(f"iterate runs at most {MAX_ELEMENTS} times.")
        tree = _parse(step)
        values = [start]
        for _ in range(int(times)):
            values.append(self.budget.hold(self._with(x=values[-1], n=len(values)).visit(tree)))
        return values

    def _with(self, **known: Any) -> "_Interpreter":
        return _Interpreter(self.names, {**self.known, **known}, self.budget)

    def visit_ListComp(self, node: ast.ListComp) -> list[Any]:
        (loop, *more) = node.generators
        if more or not isinstance(loop.target, ast.Name):
            raise TemplateError("a list comprehension has one loop over one name.")
        results = []
        for value in self.visit(loop.iter):
            inner = self._with(**{loop.target.id: _inner(value)})
            if all(inner.visit(test) for test in loop.ifs):
                results.append(self.budget.hold(inner.visit(node.elt)))
        return results
