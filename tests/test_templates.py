"""One YAML entry becomes items: drawn by name, rendered, checked."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from qbench.errors import TemplateError
from qbench.rendering import decimal_text, render, show
from qbench.templates import FIELDS, Item, Template, draw, stream

SUM: dict[str, Any] = {
    "id": "sum",
    "question": "What is {{ a }} + {{ b }}?",
    "variables": {
        "a": {"integers": [[1, 9], [10, 99], [100, 999], [1000, 9999], [10000, 99999]]},
        "b": {"integers": [1, 9]},
    },
    "answer": "a + b",
    "scored_as": {"type": "number", "tolerance": {"mode": "exact"}},
}


def items_of(
    entry: dict[str, Any], *, count: int = 10, split: str = "test", seed: int = 1, offset: int = 0
) -> list[Item]:
    drawn = draw(
        Template.from_yaml(entry),
        category="cat",
        subcategory="sub",
        version="1.0",
        split=split,
        seed=seed,
        count=count,
        offset=offset,
    )
    return [item for pair in drawn for item in pair]


def test_the_target_is_the_answer_to_the_question() -> None:
    for item in items_of(SUM):
        a, b = (int(word.strip("?")) for word in item.question.split() if word.strip("?").isdigit())
        assert item.target == str(a + b)
        assert json.loads(item.answer)["target"] == item.target


def test_difficulty_runs_through_its_range_and_moves_the_knob() -> None:
    items = items_of(SUM, count=10, offset=2)
    assert [item.difficulty for item in items] == [3, 4, 5, 1, 2, 3, 4, 5, 1, 2]
    for item in items:
        assert len(item.question.split()[2]) == item.difficulty


def test_a_longer_draw_begins_like_a_shorter_one() -> None:
    assert items_of(SUM, count=20)[:5] == items_of(SUM, count=5)


def test_seeds_and_splits_are_separate_streams() -> None:
    # seed + index would make seed 1 item 1 the twin of seed 2 item 0.
    first, second = items_of(SUM, seed=1, count=40), items_of(SUM, seed=2, count=40)
    shifted = [a.question == b.question for a, b in zip(first[1:], second, strict=False)]
    assert sum(shifted) < 5
    assert [item.question for item in items_of(SUM, split="validation")] != [item.question for item in items_of(SUM)]
    assert stream(1, "sum", "test", 0).integers(1 << 60) != stream(1, "sum", "train", 0).integers(1 << 60)


def test_no_question_repeats_and_a_small_range_ends_early() -> None:
    small = {**SUM, "variables": {"a": {"integers": [1, 2]}, "b": {"integers": [1, 3]}}}
    questions = [item.question for item in items_of(small, count=50)]
    assert len(questions) == len(set(questions)) == 6


def test_conditions_hold() -> None:
    for item in items_of({**SUM, "conditions": ["(a + b) % 2 == 0"]}, count=20):
        assert int(item.target) % 2 == 0


def test_twins_share_their_draw_and_point_at_the_first() -> None:
    louder = {"loud": {"question": "WHAT IS {{ a }} + {{ b }}?"}, "louder": {"question": "WHAT IS {{ a }} + {{ b }}?!"}}
    items = items_of({**SUM, "twins": {"clean": {}, **louder}}, count=6)
    assert len(items) == 6
    for clean, loud, louder_still in zip(items[::3], items[1::3], items[2::3], strict=True):
        assert [item.variant for item in (clean, loud, louder_still)] == ["clean", "loud", "louder"]
        assert {item.twin for item in (clean, loud, louder_still)} == {clean.id}
        assert clean.question.upper() == loud.question
        assert len({item.target for item in (clean, loud, louder_still)}) == 1


def test_one_twin_asks_the_documents_question() -> None:
    document = {"values": {"a": 2, "b": 40}, "variant": "shouted"}
    entry = {**SUM, "twins": {"clean": {}, "shouted": {"question": "ADD {{ a }} AND {{ b }}."}}, "document": document}
    assert [item.source for item in items_of(entry)[:4]] == ["generated", "document", "generated", "generated"]


def test_the_knob_measures_the_item() -> None:
    for item in items_of({**SUM, "knob": "a + b"}):
        assert item.knob == float(item.target)


def test_a_declining_choice_is_known() -> None:
    entry = {**SUM, "distractors": ["There is no sum", "7777777"], "declines": "There is no sum"}
    for item in items_of(entry):
        assert item.choices[item.declining_index] == "There is no sum"
    assert all(item.declining_index == -1 for item in items_of({**SUM, "distractors": ["7777777"]}))


def test_the_documents_question_comes_first_and_only_in_the_test_split() -> None:
    entry = {**SUM, "document": {"difficulty": 2, "question": "Add 2 and 40.", "values": {"a": 2, "b": 40}}}
    first, second, *_ = items_of(entry)
    assert (first.question, first.target, first.source, first.difficulty) == ("Add 2 and 40.", "42", "document", 2)
    assert second.source == "generated"
    assert all(item.source == "generated" for item in items_of(entry, split="train"))


def test_choices_hold_the_target_once_at_balanced_places() -> None:
    entry = {**SUM, "distractors": ["{{ a + b + 1 }}", "{{ a + b - 1 }}", "{{ a + b + 10 }}"]}
    items = items_of(entry, count=200)
    for item in items:
        assert item.choices[item.target_index] == item.target
        assert len(set(item.choices)) == 4
    places = np.bincount([item.target_index for item in items], minlength=4)
    assert places.min() > 25  # 50 expected, standard deviation 6


def test_a_rubric_renders_its_checks_and_its_reference() -> None:
    entry = {
        "id": "letter",
        "question": "Write to {{ name }}.",
        "variables": {"name": {"choice": ["Ada", "Ben"]}},
        "rubric": [{"mentions": ["{{ name }}"]}, {"words": {"between": [3, 9]}}],
        "reference": "Dear {{ name }}, hello.",
    }
    item = items_of(entry, count=1)[0]
    name = item.question.removeprefix("Write to ").rstrip(".")
    assert json.loads(item.answer) == {
        "type": "rubric",
        "checks": [{"mentions": [name]}, {"words": {"between": [3, 9]}}],
        "tolerance": {"mode": "exact"},
    }
    assert item.reference == f"Dear {name}, hello."
    assert item.target == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": "What is {{ a }} + {{ c }}?"}, r"Template sum, item .*'c' is undefined"),
        ({"variables": {"a": {"integers": [1, 9]}}}, r"Template sum, item .*there is no variable 'b'"),
        ({"answer": "a / (b - b)"}, r"Template sum, item .*division by zero"),
        ({"answer": "sqrt(0 - a)"}, "is not a real number"),
        ({"variables": {"a": {"integer": [1, 9]}}}, "names none of integers, decimals"),
        ({"variables": {"a": {"integers": [9, 1]}}}, "Template sum, variable a: the range 9 to 1 is empty"),
        ({"conditions": ["a > 10**6"]}, "no draw at difficulty 1 met the conditions"),
        ({"conditions": ["a > c"]}, "Template sum, conditions: .*no variable 'c'"),
        ({"answr": "a"}, r"there is no field 'answr'\. Did you mean answer\?"),
        ({"target": "5"}, "give exactly one of answer, target and rubric"),
        ({"generate": "os.system"}, r"qbench\.generators has no 'os\.system'"),
        ({"distractors": ["{{ a + b }}", "1"]}, "are not all different"),
        ({"twins": {"only": {}}}, "twins are two or more; it names only 'only'"),
        ({"variables": {True: 1}}, "YAML reads the name of a variable as True"),
        ({"scored_as": {"type": "number"}}, "names no tolerance; every number needs one"),
        ({"answer": "factorial(1000)"}, "Template sum, item .*the answer has more than 900 digits"),
        ({"answer": "1 / 3**2000"}, "Template sum, item .*the answer has more than 900 digits"),
        ({"answer": "exp(exp(a + 9))"}, "Template sum, item .*the answer has more than 900 digits"),
        ({"knob": "c"}, "Template sum, item .*no variable 'c'"),
        ({"question": "{{ ''.__class__.__mro__ }}"}, "unsafe|undefined"),
    ],
)
def test_a_bad_template_is_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        items_of({**SUM, **change})


def test_every_field_of_a_template_has_a_shape() -> None:
    assert list(FIELDS) == [field.name for field in dataclasses.fields(Template)]


@given(st.fractions(min_value=-1000, max_value=1000), st.integers(0, 6))
def test_decimals_round_half_away_from_zero(value: Any, places: int) -> None:
    from decimal import ROUND_HALF_UP, Context, Decimal

    exact = Context(prec=60).divide(Decimal(value.numerator), Decimal(value.denominator))
    expected = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = decimal_text(sympy.Rational(value.numerator, value.denominator), places)
    assert Decimal(text) == expected
    assert text.lstrip("-").count(".") == (places > 0)


@pytest.mark.parametrize(
    ("value", "tolerance", "text"),
    [
        (sympy.Rational(1, 3), {"mode": "exact"}, "1/3"),
        (sympy.Rational(5, 4), {"mode": "exact"}, "1.25"),
        (sympy.Rational(5, 4), {"mode": "decimals", "n": 1}, "1.3"),
        (sympy.sqrt(2), {"mode": "decimals", "n": 4}, "1.4142"),
        (sympy.Integer(-2) / 3, {"mode": "sigfigs", "n": 3}, "-0.667"),
        (sympy.Rational(1234567, 1000), {"mode": "sigfigs", "n": 2}, "1200"),
        (sympy.Rational(9996, 1000), {"mode": "sigfigs", "n": 3}, "10.0"),
        (sympy.Rational(789, 10**33), {"mode": "sigfigs", "n": 2}, "7.9e-31"),
        (sympy.pi, {"mode": "rel", "rel": "0.01"}, "3.14159"),
    ],
)
def test_targets_are_shown_as_a_person_would_write_them(value: Any, tolerance: dict[str, Any], text: str) -> None:
    assert show(value, {"type": "number", "tolerance": tolerance})[0] == text


def test_filters_write_english() -> None:
    assert render("{{ n | counted('apple') }}", {"n": 1}) == "1 apple"
    assert render("{{ n | counted('box', 'boxes') }}", {"n": 3}) == "3 boxes"
    assert render("{{ n | ordinal }}", {"n": 22}) == "22nd"
    assert render("{{ n | ordinal }}", {"n": 113}) == "113th"
    assert render("{{ names | listed }}", {"names": ["Ada", "Ben", "Cy"]}) == "Ada, Ben and Cy"
    assert render("{{ n | commas }}", {"n": 1234567}) == "1,234,567"
