"""The arithmetic of the template language: exact, small, and closed to everything else."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sympy

from qbench.errors import TemplateError
from qbench.expressions import FUNCTIONS, evaluate

# Values computed by hand or by a calculator, not by this program.
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("0.1 + 0.2 == 0.3", {}, True),
    ("a / b", {"a": 1, "b": 3}, sympy.Rational(1, 3)),
    ("price * 3", {"price": Decimal("0.10")}, sympy.Rational(3, 10)),
    ("round(2.5)", {}, 3),
    ("round(-2.675, 2)", {}, sympy.Rational(-268, 100)),
    ("round(-sqrt(2), 3)", {}, sympy.Rational(-1414, 1000)),
    ("round(sqrt(3 + 2 * sqrt(2)) - sqrt(2))", {}, 1),
    ("iterate('3*x - 1', 2, 3)", {}, [2, 5, 14, 41]),
    ("iterate('x + n', 0, 4)", {}, [0, 1, 3, 6, 10]),
    ("gcd(1071, 462)", {}, 21),
    ("binomial(10, 4)", {}, 210),
    ("fibonacci(15)", {}, 610),
    ("17 // 5 + 17 % 5", {}, 5),
    ("sum([x * x for x in range(1, 4) if x != 2])", {}, 10),
    ("'even' if n % 2 == 0 else 'odd'", {"n": 7}, "odd"),
    ("rows[1]['capital']", {"rows": [{"capital": "Paris"}, {"capital": "Rome"}]}, "Rome"),
    ("1 < x <= 3 and not x == 2", {"x": 3}, True),
    ("2**100 + 1", {}, 1267650600228229401496703205377),
]


@pytest.mark.parametrize(("expression", "names", "value"), CASES, ids=[case[0] for case in CASES])
def test_expressions_have_their_exact_value(expression: str, names: dict[str, Any], value: Any) -> None:
    assert evaluate(expression, names) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("__import__('os').system('true')", "functions are called by their plain name"),
        ("__import__('os')", "there is no function '__import__'"),
        ("().__class__", "Attribute is not part of the template language"),
        ("lambda: 1", "Lambda is not part of the template language"),
        ("prise * 2", r"there is no variable 'prise'\. Did you mean price\?"),
        ("1 / (price - price)", "division by zero"),
        ("9**9**9**9", "exponents go up to 10000"),
        ("factorial(10**9)", "factorial takes arguments up to 10000"),
        ("range(10**9)", "a range holds at most 10000 numbers"),
        ("1 +", "does not parse"),
        ("(" * 600 + ")" * 600, "characters"),
        ("[1, 2][5]", "has no value here"),
        ("iterate('x + x', [1], 40)", "it takes more than 500,000 steps; compute less"),
        ("iterate('x + x', 'a', 60)[60]", "it takes more than 500,000 steps"),
        ("iterate('[x, x]', [1], 60)", "it takes more than 500,000 steps"),
        ("iterate('x + sqrt(n)', 0, 9999)", "it takes more than 500,000 steps"),
        ("iterate('sqrt(x + 1)', 2, 9999)", "it takes more than 500,000 steps"),
        ("[[x*y for x in range(3000)] for y in range(3000)]", "it takes more than 500,000 steps"),
        ("[n in range(9999) for n in range(9999)]", "it takes more than 500,000 steps"),
        ("[factorial(9999) for n in range(9999)]", "it takes more than 500,000 steps"),
        ("iterate('x*x', 3, 22)[22]", "a number has more than 200,000 bits"),
        ("(2**4000)**9999", "a number has more than 200,000 bits"),
        ("floor(exp(10**9))", "more than 1,000 digits is rounded"),
        ("round(exp(10**9))", "more than 1,000 digits is rounded"),
        ("sqrt(3**9999 + 2)", "roots are taken of numbers of at most 1,000 bits"),
        ("det([[n + k for n in range(21)] for k in range(21)])", "det takes at most 20 rows"),
        ("det([[sqrt(n + 2) for n in range(9)] for k in range(9)])", "det takes at most 4 rows"),
    ],
)
def test_everything_else_is_refused(expression: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        evaluate(expression, {"price": 3})


def test_the_page_names_every_function() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "templates.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| functions \|.*?\n\n", page, re.DOTALL)
    assert set(FUNCTIONS) | {"iterate"} <= set(re.findall(r"\w+", table))
