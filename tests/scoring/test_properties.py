"""What holds for every answer: a target scores itself, spelling does not matter, other values are wrong."""

import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.scoring import judge
from qbench.scoring.interval import EVERY_NUMBER, Piece, Pieces, complement, intersection, union
from qbench.scoring.number import matching_digits
from qbench.scoring.plain import plain
from qbench.scoring.tolerance import roundings

EXACT = {"mode": "exact"}
INTEGERS = st.integers(-(10**40), 10**40)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9)
FRACTIONS = st.fractions(max_denominator=10**6)
WORDS = st.from_regex(r"[a-z]{2,10}( [a-z]{2,10})?", fullmatch=True).filter(
    lambda text: text.split()[0] not in ("a", "an", "the")
)


def number(target: object, tolerance: dict[str, Any] = EXACT) -> dict[str, Any]:
    return {"type": "number", "target": str(target), "tolerance": tolerance}


@pytest.mark.parametrize(
    "form", ["Answer: {}", "{}", "\\boxed{{{}}}", "<answer>{}</answer>", "work 7\n#### {}", "**Answer:** ${}$"]
)
@given(value=st.one_of(INTEGERS, DECIMALS, FRACTIONS))
def test_a_number_scores_itself_in_every_form(form: str, value: int | Decimal | Fraction) -> None:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    assert judge(form.format(text), number(text)).correct


@given(value=INTEGERS)
def test_every_grouping_and_script_reads_the_same(value: int) -> None:
    arabic = str(value).translate(str.maketrans("0123456789-", "٠١٢٣٤٥٦٧٨٩−"))
    for text in (
        f"{value:,}",
        f"{value:_}",
        f"{value:,}".replace(",", "\u202f"),
        f"{value:,}".replace(",", "{,}"),
        arabic,
    ):
        assert judge(f"Answer: {text}", number(value)).correct


@given(value=INTEGERS, off=st.integers(1, 10**6))
def test_another_integer_is_wrong(value: int, off: int) -> None:
    assert not judge(f"Answer: {value + off}", number(value)).correct


@given(value=INTEGERS, other=INTEGERS)
def test_two_values_are_a_miss(value: int, other: int) -> None:
    assert judge(f"Answer: {value} or {other}", number(value)).correct == (value == other)


@given(value=DECIMALS, before=st.text(" \t\n", max_size=5), after=st.text(" \t\n", max_size=5))
def test_surrounding_whitespace_changes_nothing(value: Decimal, before: str, after: str) -> None:
    text = f"Answer: {value:f}"
    assert judge(before + text + after, number(f"{value:f}")) == judge(text, number(f"{value:f}"))


@given(value=FRACTIONS, places=st.integers(0, 8))
def test_a_rounded_number_meets_its_tolerance(value: Fraction, places: int) -> None:
    tolerance = {"mode": "decimals", "n": places}
    for rounded in roundings(value, Fraction(1, 10**places)):
        assert judge(f"Answer: {rounded}", number(value, tolerance)).correct
        assert abs(rounded - value) <= Fraction(1, 2 * 10**places)


@given(value=FRACTIONS.filter(bool), digits=st.integers(0, 14))
def test_matching_digits_are_the_size_of_the_relative_error(value: Fraction, digits: int) -> None:
    assert matching_digits(value * (1 + Fraction(1, 10**digits)), value) == pytest.approx(digits, abs=1e-9)


@given(elements=st.lists(FRACTIONS, min_size=1, max_size=8), order=st.randoms())
def test_a_set_scores_itself_in_any_order(elements: list[Fraction], order: Any) -> None:
    target = [str(element) for element in elements]
    shuffled = target + target[:1]
    order.shuffle(shuffled)
    answer = {"type": "set", "target": target, "tolerance": EXACT}
    assert judge("Answer: {" + ", ".join(shuffled) + "}", answer).correct


@given(parts=st.lists(DECIMALS, min_size=2, max_size=6))
def test_a_vector_scores_itself_and_not_its_reverse(parts: list[Decimal]) -> None:
    target = [format(part, "f") for part in parts]
    answer = {"type": "vector", "target": target, "tolerance": EXACT}
    assert judge(f"Answer: ({', '.join(target)})", answer).correct
    assert judge(f"Answer: [{', '.join(reversed(target))}]", answer).correct == (parts == parts[::-1])


@given(target=WORDS, case=st.sampled_from([str.upper, str.title, str]), article=st.sampled_from(["", "the ", "A "]))
def test_a_text_scores_itself_whatever_its_case_and_article(target: str, case: Any, article: str) -> None:
    assert judge(f'Answer: "{article}{case(target)}."', {"type": "text", "target": target}).correct


@given(coefficients=st.lists(st.integers(-9, 9), min_size=1, max_size=5), error=st.integers(-3, 3))
def test_a_polynomial_equals_its_horner_form_and_no_neighbour(coefficients: list[int], error: int) -> None:
    target = " + ".join(f"({coefficient})*x^{power}" for power, coefficient in enumerate(coefficients))
    horner = "0"
    for coefficient in reversed(coefficients):
        horner = f"({coefficient}) + x({horner})"
    answer = {"type": "expression", "target": target, "variables": ["x"], "tolerance": EXACT}
    assert judge(f"Answer: {horner} + {error}", answer).correct == (error == 0)


BOUNDS = st.one_of(st.integers(-5, 5).map(Fraction), st.sampled_from([-math.inf, math.inf]))


@st.composite
def pieces(draw: st.DrawFn) -> Pieces:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        low, high = sorted((draw(BOUNDS), draw(BOUNDS)))
        closed = low == high and math.isfinite(low)
        if low < high or closed:
            low_closed, high_closed = draw(st.booleans()), draw(st.booleans())
            found.append(
                Piece(
                    low, high, closed or (low_closed and low > -math.inf), closed or (high_closed and high < math.inf)
                )
            )
    return union(tuple(found))


@given(one=pieces(), other=pieces())
def test_intervals_obey_the_laws_of_sets(one: Pieces, other: Pieces) -> None:
    assert complement(complement(one)) == one
    assert union(one, complement(one)) == (EVERY_NUMBER,)
    assert intersection(one, complement(one)) == ()
    assert union(one, other) == union(other, one)
    assert intersection(one, union(one, other)) == one


@given(text=st.text(max_size=100))
def test_plain_text_stays_plain(text: str) -> None:
    assert "  " not in plain(text).replace("\n", " \n ").replace(" \n ", "\n")


@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_json_documents_are_found_and_valid(answer: object) -> None:
    rubric = {"type": "rubric", "checks": [{"json": {"type": "object", "required": ["answer"]}}]}
    assert judge(f"Here it is: {json.dumps({'answer': answer})}", rubric).score == 1
