"""What surrounds the scorers: specs that cannot be read, lm-eval's two hooks, the degeneration measures."""

import json
import math
from typing import Any

import pytest

from qbench.errors import AnswerSpecError
from qbench.scoring import FAILED, TYPES, check_spec, choice_results, judge, process_results
from qbench.scoring.degeneration import damage, degeneration
from qbench.scoring.prose import Prose, syllables

EXACT = {"mode": "exact"}


# ---------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"type": "nubmer", "target": "1"}, "Did you mean number"),
        ({"type": "number", "target": "1"}, "no tolerance"),
        ({"type": "number", "target": "1", "tolerance": {"mode": "digits"}}, "no mode|has the mode"),
        ({"type": "number", "target": "1", "tolerance": {"mode": "abs"}}, "needs the field 'abs'"),
        ({"type": "number", "target": "1", "tolerance": {"mode": "rel", "rel": -1}}, "outside its range"),
        ({"type": "number", "target": "one", "tolerance": EXACT}, "is not a number"),
        ({"type": "number", "target": "1/0", "tolerance": EXACT}, "is not a number"),
        ({"type": "number", "target": "1e999999", "tolerance": EXACT}, "is not a number"),
        ({"type": "number", "target": True, "tolerance": EXACT}, "is not a number"),
        ({"type": "number", "target": "1", "tolerance": EXACT, "percent": "yes"}, "'fraction' or 'value'"),
        ({"type": "number", "target": "1", "tolerance": EXACT, "units": ["km"]}, "must map"),
        ({"type": "choice", "target": "E", "labels": ["A", "B"]}, "none of its labels"),
        ({"type": "text", "target": " . "}, "letter or digit"),
        ({"type": "boolean", "target": "maybe"}, "true or false"),
        ({"type": "abstain", "target": ""}, "the word"),
        ({"type": "expression", "target": "x+", "variables": ["x"], "tolerance": EXACT}, "cannot be read"),
        ({"type": "expression", "target": "1/(x-x)", "variables": ["x"], "tolerance": EXACT}, "no value"),
        (
            {"type": "expression", "target": "x", "variables": ["x"], "tolerance": {"mode": "sigfigs", "n": 2}},
            "rounded",
        ),
        ({"type": "expression", "target": "x", "variables": ["x"], "tolerance": EXACT, "plus_c": "maybe"}, "plus_c"),
        ({"type": "interval", "target": "(5,2)", "tolerance": EXACT}, "malformed"),
        ({"type": "set", "target": "1", "tolerance": EXACT}, "list of elements"),
        ({"type": "vector", "target": [], "tolerance": EXACT}, "list of numbers"),
        ({"type": "vector", "target": ["one"], "tolerance": EXACT}, "no number"),
        ({"type": "matrix", "target": [["1"], ["2", "3"]], "tolerance": EXACT}, "equally long"),
        ({"type": "trace", "target": ["1"], "tolerance": EXACT, "recurrence": "3*z"}, "x, y and n"),
        ({"type": "rubric", "checks": []}, "list of checks"),
        ({"type": "rubric", "checks": [{"wrods": {}}]}, "Did you mean words"),
        ({"type": "rubric", "checks": [{"words": {"least": 3}}]}, "between, at_least and at_most"),
        ({"type": "rubric", "checks": [{"words": {"between": [9, 3]}}]}, "exceeds"),
        ({"type": "rubric", "checks": [{"mentions": "red"}]}, "list of phrases"),
        ({"type": "rubric", "checks": [{"json": {"pattern": "x"}}]}, "'pattern' is not supported"),
    ],
)
def test_a_malformed_spec_is_named(answer: dict[str, Any], message: str) -> None:
    with pytest.raises(AnswerSpecError, match=message):
        judge("Answer: 1", answer)


def test_a_field_that_no_scorer_reads_is_refused_by_the_bank_and_ignored_by_the_judge() -> None:
    answer = {"type": "number", "target": "1", "tolerance": EXACT, "unit": {"km": "1"}}
    with pytest.raises(AnswerSpecError, match="Did you mean units"):
        check_spec(answer)
    assert judge("Answer: 1", answer).correct


def test_every_type_has_its_module_and_cases() -> None:
    for kind in TYPES:
        with pytest.raises(AnswerSpecError):
            judge("Answer: 1", {"type": kind})


# ---------------------------------------------------------------- what lm-eval calls


def document(**answer: Any) -> dict[str, str]:
    return {"answer": json.dumps(answer)}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Answer: 408", {"score": 1, "answered": 1, "matching_digits": 15}),
        ("Answer: 404", {"score": 0, "answered": 1, "matching_digits": math.log10(408 / 4)}),
        ("Answer: -400", {"score": 0, "answered": 1, "matching_digits": 0}),
        ("I would rather not", {"score": 0, "answered": 0, "matching_digits": 0}),
        ("<think>it is 408", {"score": 0, "answered": 0, "matching_digits": 0}),
    ],
)
def test_a_number_is_scored_with_its_matching_digits(response: str, expected: dict[str, float]) -> None:
    assert process_results(document(type="number", target="408", tolerance=EXACT), [response]) == pytest.approx(
        expected
    )


def test_other_answers_have_fifteen_digits_or_none() -> None:
    assert process_results(document(type="text", target="Paris"), ["Answer: Paris"])["matching_digits"] == 15
    rubric = document(type="rubric", checks=[{"words": {"at_least": 4}}])
    assert process_results(rubric, ["two words"]) == {"score": 0.5, "answered": 1, "matching_digits": 7.5}


def test_a_failure_of_the_machine_is_missing_and_not_wrong() -> None:
    metrics = process_results(document(type="text", target="Paris"), [FAILED + "logits are NaN"])
    assert list(metrics) == ["score", "answered", "matching_digits"]
    assert all(math.isnan(value) for value in metrics.values())
    metrics = choice_results({"target_index": 0}, [(math.nan, False), (-1.0, True)])
    assert list(metrics) == ["score", "answered", "margin", "brier"]
    assert all(math.isnan(value) for value in metrics.values())


def test_a_choice_is_scored_by_margin_and_brier() -> None:
    results = [(math.log(0.6), True), (math.log(0.3), False), (math.log(0.1), False)]
    assert choice_results({"target_index": 0}, results) == pytest.approx(
        {"score": 1, "answered": 1, "margin": math.log(2), "brier": 0.4**2 + 0.3**2 + 0.1**2}
    )
    assert choice_results({"target_index": 1}, results)["score"] == 0
    assert choice_results({"target_index": 0}, [(-5.0, False), (-5.0, False)])["score"] == 0  # a tie is no choice


def test_a_cut_response_says_so() -> None:
    answer = {"type": "number", "target": "12", "tolerance": EXACT}
    assert judge("First \\boxed{12}, then \\boxed{", answer).details == {"truncated": 1}
    assert judge("No idea", answer).details == {}


# ---------------------------------------------------------------- degeneration


def test_the_moving_average_is_that_of_every_window() -> None:
    words = str.split("the quick brown fox jumps over the lazy dog and then the dog sleeps") * 12
    windows = [words[start : start + 50] for start in range(len(words) - 49)]
    expected = sum(len(set(window)) / 50 for window in windows) / len(windows)
    assert degeneration(" ".join(words))["mattr"] == pytest.approx(expected)


def test_each_kind_of_damage_is_measured() -> None:
    whole = degeneration('She closed the door (quietly). "Good night," he said.')
    assert whole == {
        "repeated_4grams": 0,
        "distinct_2": 1,
        "mattr": 1,
        "zlib_ratio": 1,
        "script_switches": 0,
        "unclosed": 0,
        "cut_off": 0,
    }
    assert damage(whole) == 0
    assert degeneration("we go on and we go on and we go on and")["repeated_4grams"] > 0.4
    assert degeneration("the 漢字 of the 漢字 of")["script_switches"] > 0.3
    assert degeneration('He said "go (now')["unclosed"] == 2
    assert degeneration("He went into the")["cut_off"] == 1
    assert degeneration("Yours sincerely,\nAnna Lee")["cut_off"] == 0


@pytest.mark.parametrize(
    ("line", "count"), [("An old silent pond", 5), ("A frog jumps into the pond", 7), ("time heals", 2)]
)
def test_syllables_are_counted_as_spoken(line: str, count: int) -> None:
    assert syllables(line) == count


def test_prose_is_counted() -> None:
    prose = Prose("Dr. Lee didn't come. Why?\n\n- first point\n- second point\n")
    assert prose.words == ["dr", "lee", "didn't", "come", "why", "first", "point", "second", "point"]
    assert prose.sentences == ["Dr. Lee didn't come.", "Why?", "- first point", "- second point"]
    assert (len(prose.paragraphs), len(prose.lines)) == (2, 3)
