"""Near misses are wrong, look like the target, and are the slips they claim to be."""

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from qbench.bank import Leaf, leaves
from qbench.near_misses import begins_alike, near_misses
from qbench.proofreading import flaws
from qbench.rendering import show
from qbench.templates import Item, Template, draw_values, stream

EXACT = {"mode": "exact"}


def misses(target: str, spec: dict[str, Any], *, answer: str = "", seed: int = 0, **values: Any) -> list[str]:
    variables = {name: {"value": value} for name, value in values.pop("steps", {}).items()}
    full = {"tolerance": EXACT, "target": target, **spec}
    return near_misses(answer, variables, values, target, full, np.random.default_rng(seed))


def all_misses(target: str, spec: dict[str, Any], **options: Any) -> set[str]:
    return {text for seed in range(60) for text in misses(target, spec, seed=seed, **options)}


def test_a_slip_in_the_expression_drops_a_term_or_swaps_operands() -> None:
    # 12 - 5: the terms alone, a sum instead of a difference; 5 - 12 has another sign and would give itself away.
    found = all_misses("7", {"type": "number"}, answer="a - b", a=12, b=5)
    assert {"12", "5", "17"} <= found
    assert not {"7", "-7"} & found


def test_what_is_ruled_out_by_its_size_is_no_near_miss() -> None:
    assert "345" not in all_misses("42435", {"type": "number"}, answer="a * b", a=345, b=123)


def test_a_slip_in_a_step_is_carried_through_to_the_answer() -> None:
    # cost = 3 x 4; one factor forgotten gives 20 - 3 or 20 - 4, one time too few 20 - 9.
    found = all_misses(
        "8", {"type": "number"}, answer="paid - cost", steps={"cost": "n * price"}, n=3, price=4, paid=20, cost=12
    )
    assert {"17", "16", "11"} <= found


def test_one_step_too_many_and_too_few() -> None:
    # 2, 5, 14, 41, 122: each is three times the one before, less one.
    trace: dict[str, Any] = {"steps": {"all": 'iterate("3*x - 1", 2, n)'}, "n": 3, "all": [2, 5, 14, 41]}
    assert {"14", "122"} <= all_misses("41", {"type": "number"}, answer="all[-1]", **trace)
    last_two = {"type": "trace", "target": ["14", "41"]}
    assert {"5, 14", "41, 122"} <= all_misses("14, 41", last_two, answer="[all[-2], all[-1]]", **trace)
    power = all_misses("8", {"type": "number"}, answer="a ** n", a=2, n=3)
    assert {"16", "4", "6"} <= power  # 2^4, 2^2, 2 x 3


def test_a_trace_that_only_stops_early_or_goes_on_is_never_offered() -> None:
    # A continuation can't be likelier than its own beginning: "2, 5, 14" would always win and "2, 5, 14, 41, 122" always lose.
    spec = {"type": "trace", "target": ["2", "5", "14", "41"]}
    found = all_misses("2, 5, 14, 41", spec, answer='iterate("3*x - 1", 2, n)', n=3)
    assert {len(text.split(", ")) for text in found} == {4}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("8, 12", "8, 12, 20", True),
        ("130240", "1302400", True),
        ("Guinea", "Guinea-Bissau", True),
        ("new  york", "new york city", True),
        ("[8, 12]", "[8, 12, 20]", False),  # the bracket ends it
        ("8, 12", "12, 8, 12", False),
        ("co", "Cobalt", False),  # tokens have case
        ("Th", "There is no such element", False),  # a word is not cut
        ("yes", "no", False),
    ],
)
def test_choices_that_begin_alike(one: str, other: str, alike: bool) -> None:
    assert begins_alike(one, other) is begins_alike(other, one) is alike


def items_of(distractors: list[str] | str) -> tuple[Leaf, list[Item]]:
    template = Template.from_yaml(
        {
            "id": "reversed_word",
            "question": "Write {{ word }} backward.",
            "variables": {"word": {"choice": ["pot", "rat", "tip", "nap", "won", "desk", "stop", "plan"]}},
            "target": "{{ word | reverse }}",
            "distractors": distractors,
            "scored_as": {"type": "text", "tolerance": EXACT},
        }
    )
    leaf = Leaf("task", "category", "subcategory", "1.0", (template,))
    return leaf, leaf.items(items=8)


def test_an_authors_choice_that_the_target_begins_with_is_left_out_and_named() -> None:
    leaf, items = items_of(["{{ word }}", "{{ word[1:] | reverse }}", "{{ word | reverse }}s"])
    assert all(len(item.choices) == 2 for item in items)
    (flaw,) = flaws(leaf, items=8)
    assert "3 distractors" in flaw
    leaf, items = items_of(["{{ word }}", "{{ word[:-1] | reverse }}"])
    assert all(len(item.choices) == 3 for item in items)
    assert flaws(leaf, items=8) == []


def test_two_choices_never_have_the_same_value() -> None:
    assert "-0" not in all_misses("-1", {"type": "number"})
    for seed in range(60):
        values = [Fraction(text) for text in misses("120/13", {"type": "number"}, seed=seed)]
        assert len(set(values)) == len(values) > 0


def test_a_fraction_in_lowest_terms_has_near_misses_in_lowest_terms() -> None:
    for text in all_misses("9/20", {"type": "number"}):
        part, whole = map(int, text.split("/"))
        assert sympy.gcd(part, whole) == 1, text
    assert all_misses("5/20", {"type": "number"}) & {"4/20", "6/20"}  # as was asked here, they need not be


def test_a_probability_that_is_rounded_to_one_is_still_below_one() -> None:
    spec = {"type": "number", "tolerance": {"mode": "decimals", "n": 3}, "target": "0.99967"}
    found = all_misses("1.000", spec, answer="1 - p**n", p=Fraction("0.07"), n=3)
    assert found
    assert max(map(Fraction, found)) < 1


def test_a_correlation_keeps_within_minus_one() -> None:
    spec = {"type": "number", "percent": "fraction", "tolerance": {"mode": "decimals", "n": 3}, "target": "-1"}
    found = all_misses("-1.000", spec, answer="1 - 6 * d / (n * (n**2 - 1))", d=20, n=4)
    assert found
    assert min(map(Fraction, found)) >= -1


def test_a_column_of_truth_values_has_no_two() -> None:
    found = all_misses("[1, 1, 0, 1]", {"type": "vector", "target": ["1", "1", "0", "1"]})
    assert len(found) > 3
    assert set(re.findall(r"\d", "".join(found))) == {"0", "1"}


def drawn(template_id: str) -> list[dict[str, Any]]:
    template = next(template for leaf in leaves() for template in leaf.templates if template.id == template_id)
    return [
        values
        for index in range(100)
        if (values := draw_values(template, stream(7, template_id, "test", index), 1 + index % 5))
    ]


def test_wrong_orders_of_jobs_name_every_job_once() -> None:
    for values in drawn("round_robin"):
        jobs = ", ".join(map(str, values["finished"]))
        assert len({jobs, *values["wrong"]}) == 4
        for wrong in values["wrong"]:
            assert sorted(map(int, wrong.split(", "))) == sorted(values["finished"])


def test_the_less_frequent_elements_stand_in_the_array() -> None:
    for values in drawn("most_frequent"):
        counts = [values["numbers"].count(number) for number in values["others"]]
        assert all(0 < count < values["numbers"].count(values["mode"]) for count in counts)
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    "template_id", ["most_talks", "packing_list", "charging_stops", "enough_packs", "rewriting_system"]
)
def test_plans_that_are_wrong_are_not_how_the_best_one_begins(template_id: str) -> None:
    right = {"enough_packs": "bought", "rewriting_system": "result", "charging_stops": "stops"}.get(
        template_id, "chosen"
    )
    left_out = 0
    for values in drawn(template_id):
        target = values[right] if isinstance(values[right], str) else ", ".join(values[right])
        left_out += sum(begins_alike(target, wrong) for wrong in values["wrong"])
    assert left_out < 10  # of 300; the rest is chance


def test_a_wrong_step_of_a_trace_is_followed_from_there() -> None:
    spec = {"type": "trace", "target": ["2", "5", "14", "41"], "recurrence": "3*x - 1"}
    # One more or less at each place but the first, and from there three times the one before, less one.
    assert all_misses("2, 5, 14, 41", spec) == {
        "2, 4, 11, 32",
        "2, 6, 17, 50",
        "2, 5, 13, 38",
        "2, 5, 15, 44",
        "2, 5, 14, 40",
        "2, 5, 14, 42",
    }


def test_digits_slip_by_a_carry_and_by_a_swap() -> None:
    found = all_misses("4172", {"type": "number"})
    assert {"4182", "4162", "4173", "4712", "1472"} <= found
    assert all(len(text) == 4 for text in found)


def test_a_probability_keeps_below_one_and_may_be_that_of_the_other_event() -> None:
    found = all_misses("3/4", {"type": "number"})
    assert {"1/4", "3/7"} <= found
    assert not {"4/4", "5/4"} & found


def test_an_interval_slips_at_its_ends() -> None:
    found = all_misses("[2, 5)", {"type": "interval"})
    assert {"(2, 5)", "[2, 5]", "(2, 5]"} <= found


@pytest.mark.parametrize(
    ("spec", "target", "wrong"),
    [
        ({"type": "boolean", "target": True}, "Yes", ["No"]),
        ({"type": "choice", "labels": ["A", "B", "C"]}, "B", ["A", "C"]),
        ({"type": "text"}, "Paris", []),
        ({"type": "rubric", "checks": []}, "", []),
    ],
)
def test_answers_without_slips(spec: dict[str, Any], target: str, wrong: list[str]) -> None:
    assert misses(target, spec) == wrong


@pytest.mark.parametrize(
    ("mode", "passes", "fails"),
    [
        ({"mode": "rel", "rel": "0.01", "abs": "0"}, "0.123456", {"11.3456", "13.3456"}),
        ({"mode": "abs", "abs": "0.05"}, "0.05", {"12.2456", "12.4456"}),
        ({"mode": "decimals", "n": 2}, "0.005", {"12.34", "12.36"}),
        ({"mode": "sigfigs", "n": 3}, "0.05", {"12.2", "12.4"}),
    ],
)
def test_what_the_tolerance_lets_pass_is_no_near_miss(mode: dict[str, Any], passes: str, fails: set[str]) -> None:
    spec = {"type": "number", "tolerance": mode}
    target, exact = show(sympy.Rational("12.3456"), spec)
    found = all_misses(target, {**spec, "target": exact})
    assert fails <= found
    assert all(abs(Fraction(text) - Fraction("12.3456")) > Fraction(passes) for text in found)


def test_the_places_of_the_target_are_balanced() -> None:
    template = Template.from_yaml(
        {
            "id": "product",
            "question": "What is {{ a }} × {{ b }}?",
            "variables": {"a": {"integers": [11, 99]}, "b": {"integers": [11, 99]}},
            "answer": "a * b",
            "scored_as": {"type": "number", "tolerance": EXACT},
        }
    )
    leaf = Leaf("task", "category", "subcategory", "1.0", (template,))
    items = leaf.items(items=400, seed=3, as_choices=True)
    assert all(len(item.choices) == 4 for item in items)
    places = np.bincount([item.target_index for item in items], minlength=4)
    assert places.min() > 70  # 100 expected, standard deviation 9
    # Choosing the largest, the smallest or the longest number must not beat chance by much.
    for rank in (0, 1, 2, 3):
        hits = np.mean([sorted(map(int, item.choices))[rank] == int(item.target) for item in items])
        assert 0.15 < hits < 0.35, f"rank {rank}: {hits}"
