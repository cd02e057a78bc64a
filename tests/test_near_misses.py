"""Near misses are wrong, look like the target, and are the slips they claim to be."""

from typing import Any

import numpy as np
import pytest
import sympy

from qbench.bank import Leaf
from qbench.near_misses import near_misses
from qbench.rendering import show
from qbench.scoring import judge
from qbench.templates import Template

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
    spec = {"type": "trace", "target": ["5", "14", "41"]}
    found = all_misses("5, 14, 41", spec, answer='iterate("3*x - 1", 2, n)[1]', n=3)
    assert all(judge(f"Answer: {text}", {**spec, "tolerance": EXACT}).answered for text in found)
    power = all_misses("8", {"type": "number"}, answer="a ** n", a=2, n=3)
    assert {"16", "4", "6"} <= power  # 2^4, 2^2, 2 x 3


def test_a_wrong_step_of_a_trace_is_followed_from_there() -> None:
    spec = {"type": "trace", "target": ["2", "5", "14", "41"], "recurrence": "3*x - 1"}
    found = all_misses("2, 5, 14, 41", spec)
    assert "2, 6, 17, 50" in found  # 5 + 1, then 3 x 6 - 1 and 3 x 17 - 1
    for text in found:
        verdict = judge(f"Answer: {text}", {**spec, "tolerance": EXACT})
        assert not verdict.correct


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
    "mode", [{"mode": "decimals", "n": 2}, {"mode": "sigfigs", "n": 3}, {"mode": "rel", "rel": "0.01", "abs": "0"}]
)
def test_what_the_tolerance_lets_pass_is_no_near_miss(mode: dict[str, Any]) -> None:
    spec = {"type": "number", "tolerance": mode}
    target, exact = show(sympy.Rational("12.3456"), spec)
    for text in all_misses(target, {**spec, "target": exact}):
        assert not judge(f"Answer: {text}", {**spec, "target": exact}).correct


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
