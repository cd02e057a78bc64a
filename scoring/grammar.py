"""The grammar of expressions: text to tree, and nothing is executed on the way.

    expression := term (('+' | '-') term)*
    term       := factor (('*' | '/' | '%' | nothing) factor)*
    factor     := ('+' | '-') factor | postfix ('^' factor)?         so -x^2 is -(x^2) and 2^3^2 is 2^(3^2)
    postfix    := atom '!'*
    atom       := number | name | '(' expression ')' | '|' expression '|' | function | \\frac{…}{…} | \\sqrt[…]{…}

It reads `plain` text. A run of letters is split into the longest names that are known: functions, constants and the variables that
the answer spec declares. Everything else, an unknown name above all, is refused. A lower-case e is Euler's number, so 3e-2 is 3e - 2;
1E-2 is 0.01.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from qbench.scoring.plain import plain
from qbench.scoring.verdict import Unreadable

MAX_LENGTH = 1_000  # characters
MAX_TOKENS = 200
MAX_DEPTH = 40  # of brackets, exponents and signs inside each other
MAX_DIGITS = 100  # of one number

PLAIN_FUNCTIONS = str.split(
    "sin cos tan cot sec csc sinh cosh tanh asin acos atan asinh acosh atanh exp ln log sqrt cbrt abs floor ceil sign max min mod"
)
FUNCTIONS = {
    **{name: name for name in PLAIN_FUNCTIONS},
    **{"arcsin": "asin", "arccos": "acos", "arctan": "atan", "Abs": "abs", "Mod": "mod"},
    **{"lg": "log10", "log10": "log10", "log2": "log2"},
    **{"ceiling": "ceil", "factorial": "!", "sgn": "sign"},
}
INVERSE = {"sin": "asin", "cos": "acos", "tan": "atan", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh"}
CONSTANTS = {"π": "pi", "pi": "pi", "e": "e", "E": "e", "i": "i", "I": "i"}

NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:E[+-]?[0-9]{1,3})?|\.[0-9]+")
TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:E[+-]?\d{1,3})?|\.\d+)|(?P<command>\\[A-Za-z]+)"
    r"|(?P<name>[A-Za-zπ]*log(?:10|2)(?=\s*\()|[A-Za-zπ]+(?:_\{?[A-Za-z0-9]{1,10}\}?)?)|(?P<sign>\*\*|[-+*/^!%(){}\[\]|,√]))"
)


@dataclass(frozen=True)
class Number:
    value: Fraction


@dataclass(frozen=True)
class Name:
    """A variable or, as ``pi``, ``e`` or ``i``, a constant."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of its arguments; operators are functions too: ``+``, ``*``, ``negative``, ``reciprocal``, ``^``."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Name | Call
ONE = Number(Fraction(1))


def parse(text: str, variables: Collection[str] = ()) -> Node:
    """Read one expression over the given variables.

    Raises:
        Unreadable: the text is not of this grammar, or exceeds a cap.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("refused by parser: too long")
    parser = _Parser(_tokens(plain(text), variables), variables)
    tree = parser.expression()
    if parser.peek():
        raise Unreadable(f"refused by parser: unexpected {parser.peek()[:10]}")
    return tree


def names(tree: Node) -> set[str]:
    """The names that occur in a tree."""
    match tree:
        case Name(name):
            return {name}
        case Call(_, arguments):
            return set().union(*map(names, arguments))
        case _:
            return set()


def _tokens(text: str, variables: Collection[str]) -> list[str]:
    tokens: list[str] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise Unreadable("refused by parser: not mathematics")
        position = match.end()
        if match["name"]:
            tokens += _split(match["name"], variables)
        else:
            tokens.append("^" if match["sign"] == "**" else match[match.lastgroup or 0])
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("refused by parser: too many tokens")
    return tokens


def _split(run: str, variables: Collection[str]) -> list[str]:
    """Split a run of letters into known names, the longest first: ``xsin`` is x and sin, ``pix`` is π and x."""
    letters, _, subscript = run.replace("{", "").replace("}", "").partition("_")
    subscripted = f"{letters[-1]}_{subscript}"
    if subscript and subscripted in variables:
        return [*(_split(letters[:-1], variables) if letters[:-1] else []), subscripted]
    known = [*variables, *FUNCTIONS, *CONSTANTS]
    found: list[str] = []
    while letters:
        name = max((name for name in known if letters.startswith(name)), key=len, default=None)
        if name is None:
            raise Unreadable(f"refused by parser: unknown name {letters[:10]}")
        found.append(name)
        letters = letters[len(name) :]
    return [*found, "_", subscript] if subscript else found


class _Parser:
    """Recursive descent over the tokens, one method a rule."""

    def __init__(self, tokens: list[str], variables: Collection[str]) -> None:
        self.tokens = tokens
        self.variables = variables
        self.position = 0
        self.depth = 0
        self.open_bars = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise Unreadable(f"refused by parser: {expected or 'more'} expected")
        self.position += 1
        return token

    def expression(self) -> Node:
        terms = [self.term()]
        while self.peek() in ("+", "-"):
            sign = self.take()
            term = self.term()
            terms.append(term if sign == "+" else Call("negative", (term,)))
        return terms[0] if len(terms) == 1 else Call("+", tuple(terms))

    def term(self) -> Node:
        factors = [self.factor()]
        while True:
            token = self.peek()
            if token in ("*", "/", "%"):
                self.take()
                factor = self.factor()
                if token == "%":
                    factors = [Call("mod", (_product(factors), factor))]
                else:
                    factors.append(factor if token == "*" else Call("reciprocal", (factor,)))
            elif self.starts_factor():
                factors.append(self.factor())
            else:
                return _product(factors)

    def starts_factor(self) -> bool:
        """Whether the next token begins a factor that is multiplied without a sign. A number never does: x2 is no product."""
        token = self.peek()
        return (
            token in ("(", "[", "{", "√", "\\frac", "\\sqrt")
            or token[:1].isalpha()
            or (token == "|" and not self.open_bars)
        )

    def factor(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("refused by parser: too deep")
        if self.peek() in ("+", "-"):
            sign = self.take()
            operand = self.factor()
            result = operand if sign == "+" else Call("negative", (operand,))
        else:
            result = self.postfix()
            if self.peek() == "^":
                self.take()
                result = Call("^", (result, self.factor()))
        self.depth -= 1
        return result

    def postfix(self) -> Node:
        result = self.atom()
        while self.peek() == "!":
            self.take()
            result = Call("!", (result,))
        return result

    def atom(self) -> Node:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return _number(token)
        if token in ("(", "[", "{"):
            return self.closed({"(": ")", "[": "]", "{": "}"}[token])
        if token == "|":
            self.open_bars += 1
            inside = self.closed("|")
            self.open_bars -= 1
            return Call("abs", (inside,))
        if token == "\\frac":
            above, below = self.argument(), self.argument()
            return Call("*", (above, Call("reciprocal", (below,))))
        if token in ("\\sqrt", "√"):
            return self.root(token)
        if token in self.variables:
            return Name(token)
        if token in FUNCTIONS:
            return self.function(FUNCTIONS[token])
        if token in CONSTANTS:
            return Name(CONSTANTS[token])
        raise Unreadable(f"refused by parser: unexpected {token[:10]}")

    def closed(self, closing: str) -> Node:
        bars, self.open_bars = self.open_bars, self.open_bars if closing == "|" else 0
        inside = self.expression()
        self.take(closing)
        self.open_bars = bars
        return inside

    def argument(self) -> Node:
        """A LaTeX argument: a group, or one digit or letter, so that \\frac34 is 3/4."""
        token = self.peek()
        if token == "{":
            self.take()
            return self.closed("}")
        if token[:1].isdigit() and len(token) > 1:
            self.tokens[self.position] = token[1:]
            return _number(token[0])
        return self.atom()

    def root(self, sign: str) -> Node:
        degree: Node = Number(Fraction(2))
        if sign == "\\sqrt" and self.peek() == "[":
            self.take()
            degree = self.closed("]")
        radicand = self.argument() if sign == "\\sqrt" else self.postfix()
        if degree == Number(Fraction(2)):
            return Call("sqrt", (radicand,))
        return Call("^", (radicand, Call("reciprocal", (degree,))))

    def function(self, name: str) -> Node:
        """Read ``sin(x)``, ``sin x``, ``sin^2 x``, ``sin^{-1} x``, ``log_2 x`` and ``log(x, 2)``."""
        base: Node | None = None
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.argument() if self.peek() == "{" else self.constant()
        power: Node | None = None
        if self.peek() == "^":
            self.take()
            power = self.argument() if self.peek() != "-" else self.factor()
        arguments = self.arguments() if self.peek() in ("(", "[", "{") else (self.unbracketed(),)
        if power == Call("negative", (ONE,)) and name in INVERSE:
            name, power = INVERSE[name], None
        result = Call(name, arguments if base is None else (*arguments, base))
        return result if power is None else Call("^", (result, power))

    def constant(self) -> Node:
        token = self.take()
        return Name(CONSTANTS[token]) if token in CONSTANTS else _number(token)

    def arguments(self) -> tuple[Node, ...]:
        closing = {"(": ")", "[": "]", "{": "}"}[self.take()]
        bars, self.open_bars = self.open_bars, 0
        found = [self.expression()]
        while self.peek() == ",":
            self.take()
            found.append(self.expression())
        self.take(closing)
        self.open_bars = bars
        return tuple(found)

    def unbracketed(self) -> Node:
        """The argument of ``sin 2x``: a product of numbers and names, up to the next sign, bracket or function."""
        factors = [self.factor()]
        while self.starts_factor() and (self.peek() in self.variables or self.peek() in CONSTANTS):
            factors.append(self.factor())
        return _product(factors)


def _product(factors: list[Node]) -> Node:
    return factors[0] if len(factors) == 1 else Call("*", tuple(factors))


def _number(token: str) -> Number:
    # A subscript comes here unread: log_9E999999 must not be computed.
    if len(token) > MAX_DIGITS or not NUMBER.fullmatch(token):
        raise Unreadable("refused by parser: not a number")
    return Number(Fraction(token.removesuffix(".")))
