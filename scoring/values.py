"""The value of an expression tree: exactly, where it is rational, else by mpmath to as many digits as the question needs.

A value can be refused (`NoValue`): a pole, a power tower, something that is no number. Functions take their principal complex value,
and `Evaluation.real` tells whether everything on the way was real.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath

from qbench.scoring.grammar import Call, Name, Node, Number

MAX_BITS = 2_000  # magnitude of any intermediate value: |log2|; 9^9^9 is refused before it is computed
MAX_RATIONAL_EXPONENT = 1_000
MAX_FACTORIAL = 170


AS_IN_MPMATH = str.split(
    "sin cos tan cot sec csc sinh cosh tanh asin acos atan asinh acosh atanh exp ln sqrt log10 floor ceil sign"
)


class NoValue(Exception):
    """The expression has no value here."""


@dataclass(frozen=True)
class Evaluation:
    """A value, and what happened on the way to it."""

    value: Any
    """An mpf or mpc."""
    scale: Any
    """The largest absolute value on the way: what cancellation may have cost."""
    real: bool
    """Whether every value on the way was real."""


# ---------------------------------------------------------------- exact


def rational(tree: Node, values: Mapping[str, Fraction]) -> Fraction:
    """Evaluate exactly.

    Raises:
        NoValue: the value is not rational, does not exist or is too large.
    """
    if isinstance(tree, Number):
        return Fraction(tree.value)
    name = tree.name if isinstance(tree, Name) else tree.function
    if isinstance(tree, Name) and name in values:
        return values[name]
    if name not in RATIONAL:
        raise NoValue(f"{name} is not rational")
    try:
        result = RATIONAL[name](*(rational(argument, values) for argument in tree.arguments))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NoValue(str(error)) from None
    if max(result.numerator.bit_length(), result.denominator.bit_length()) > MAX_BITS:
        raise NoValue("too large")
    return result


def _rational_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > MAX_RATIONAL_EXPONENT:
        raise NoValue("not rational")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(exponent) > 2 * MAX_BITS:
        raise NoValue("too large")
    return base ** int(exponent)


def _factorial(number: Fraction) -> Fraction:
    if number.denominator != 1 or not 0 <= number <= MAX_FACTORIAL:
        raise NoValue("no factorial")
    return Fraction(math.factorial(int(number)))


RATIONAL: dict[str, Callable[..., Fraction]] = {
    "+": lambda *terms: sum(terms, Fraction(0)),
    "*": lambda *factors: math.prod(factors, start=Fraction(1)),
    "negative": lambda a: -a,
    "reciprocal": lambda a: 1 / a,
    "^": _rational_power,
    "!": _factorial,
    "abs": abs,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "sign": lambda a: Fraction((a > 0) - (a < 0)),
    "mod": lambda a, b: a % b,
    "max": max,
    "min": min,
}


# ---------------------------------------------------------------- to many digits


class Calculator:
    """mpmath at a fixed number of decimal digits, in a context of its own."""

    def __init__(self, digits: int) -> None:
        self.context = mpmath.MPContext()
        self.context.dps = digits
        self.digits = digits
        c = self.context
        self.constants = {"pi": c.pi, "e": c.e, "i": c.mpc(0, 1)}
        self.functions: dict[str, Callable[..., Any]] = {
            **{name: getattr(c, name) for name in AS_IN_MPMATH},
            "+": lambda *terms: c.fsum(terms),
            "*": lambda *factors: c.fprod(factors),
            "negative": lambda a: -a,
            "reciprocal": lambda a: 1 / a,
            "^": self._power,
            "!": self._factorial,
            "abs": abs,
            "cbrt": lambda a: self._power(a, c.mpf(1) / 3),
            "log": lambda a, base=None: c.ln(a) if base is None else c.ln(a) / c.ln(base),
            "log2": lambda a: c.ln(a) / c.ln(2),
            "mod": lambda a, b: a % b,
            "max": max,
            "min": min,
        }

    def evaluate(self, tree: Node, values: Mapping[str, Any]) -> Evaluation:
        """Evaluate a tree over mpf values.

        Raises:
            NoValue: there is a pole, or something is infinite, not a number or too large on the way.
        """
        journey = _Journey(self, values)
        value = journey.walk(tree)
        return Evaluation(value, journey.scale, journey.real)

    def _power(self, base: Any, exponent: Any) -> Any:
        c = self.context
        if base != 0 and abs(exponent) * abs(c.mag(base)) > MAX_BITS:
            raise NoValue("too large")
        return base**exponent

    def _factorial(self, value: Any) -> Any:
        if not self.context.isint(value):
            raise NoValue("no factorial")
        return self.context.mpf(int(_factorial(Fraction(int(value)))))


class _Journey:
    """One walk through a tree, watching the values on the way."""

    def __init__(self, calculator: Calculator, values: Mapping[str, Any]) -> None:
        self.calculator = calculator
        self.values = {**calculator.constants, **values}
        self.scale = calculator.context.mpf(1)
        self.real = True

    def walk(self, tree: Node) -> Any:
        c = self.calculator.context
        match tree:
            case Number(fraction):
                value = c.mpf(fraction.numerator) / fraction.denominator
            case Name(name):
                value = +self.values[name]
            case Call(function, arguments):
                inside = [self.walk(argument) for argument in arguments]
                try:
                    value = self.calculator.functions[function](*inside)
                except (ArithmeticError, TypeError, ValueError, NotImplementedError) as error:
                    raise NoValue(str(error)) from None
        if not c.isfinite(value):
            raise NoValue("infinite")
        if value != 0 and abs(c.mag(value)) > MAX_BITS:
            raise NoValue("too large")
        self.scale = max(self.scale, abs(value))
        self.real = self.real and not value.imag
        return value
