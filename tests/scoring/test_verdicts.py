"""What surrounds the scorers: specs that cannot be read, lm-eval's two hooks, the degeneration measures."""

import json
import math
from typing import Any

import pytest
from hostile import SPECS
from hypothesis import given
from hypothesis import strategies as st

from qbench.errors import AnswerSpecError
from qbench.scoring import (
    FAILED,
    TYPES,
    check_spec,
    choice_results,
    declinable_choice_results,
    judge,
    mean_where_asked,
    process_results,
)
from qbench.scoring.degeneration import damage, degeneration
from qbench.scoring.prose import Prose, syllables

EXACT = {"mode": "exact"}
FIELDS = sorted({field for spec in SPECS.values() for field in spec} | {"aliases", "lhs", "plus_c", "options"})
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1/0", "1e99999", "(1,"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["mode", "abs", "n", "A", "km", ""]), inner, max_size=3)
    ),
)


# ---------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"type": "nubmer", "target": "1"}, "Did you mean number"),
        ({"type": "number", "target": "1"}, "no tolerance"),
        ({"type": ["number"], "target": "1"}, "has the type"),
        ({"type": "number", "target": "1", "tolerance": {"mode": ["exact"]}}, "has the mode"),
        ({"type": "text", "target": "red", "aliases": 3}, "aliases is 3; it must be a list"),
        ({"type": "choice", "target": "A", "labels": 3}, "labels is 3; it must be a list"),
        ({"type": "choice", "target": "A", "options": ["Paris"]}, "must map each label"),
        ({"type": "expression", "target": "x", "variables": ["x", ""], "tolerance": EXACT}, "no name of a variable"),
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
        ({"type": "rubric", "checks": [{"words": {"least": 3}}]}, "between, at_least, at_most and exactly"),
        ({"type": "rubric", "checks": [{"words": {"between": [9, 3]}}]}, "exceeds"),
        ({"type": "rubric", "checks": [{"mentions": "red"}]}, "list of phrases"),
        ({"type": "rubric", "checks": [{"json": {"pattern": "x"}}]}, "'pattern' is not supported"),
    ],
)
def test_a_malformed_spec_is_named(answer: dict[str, Any], message: str) -> None:
    with pytest.raises(AnswerSpecError, match=message) as caught:
        judge("Answer: 1", answer)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


@given(
    kind=st.sampled_from(list(SPECS)),
    changes=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, min_size=1, max_size=3),
)
def test_whatever_a_spec_says_it_is_read_or_refused(kind: str, changes: dict[str, Any]) -> None:
    answer = SPECS[kind] | changes
    try:
        check_spec(answer)
    except AnswerSpecError:
        return
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
    metrics = process_results(document(type="number", target="408", tolerance=EXACT), [response])
    assert metrics == pytest.approx({**expected, "degeneration": 0})


def test_other_answers_have_fifteen_digits_or_none() -> None:
    assert process_results(document(type="text", target="Paris"), ["Answer: Paris"])["matching_digits"] == 15
    rubric = document(type="rubric", checks=[{"words": {"at_least": 4}}])
    assert process_results(rubric, ["two words"]) == {
        "score": 0.5,
        "answered": 1,
        "matching_digits": 7.5,
        "degeneration": 0,
    }


def test_a_response_that_repeats_itself_is_degenerate_whatever_it_answers() -> None:
    loop = "We add the next one and then the next one. " * 40
    metrics = process_results(document(type="number", target="408", tolerance=EXACT), [f"{loop}\nAnswer: 408"])
    assert metrics["score"] == 1
    assert metrics["degeneration"] > 0.9


def test_a_failure_of_the_machine_is_missing_and_not_wrong() -> None:
    metrics = process_results(document(type="text", target="Paris"), [FAILED + "logits are NaN"])
    assert list(metrics) == ["score", "answered", "matching_digits", "degeneration"]
    assert all(math.isnan(value) for value in metrics.values())
    metrics = choice_results({"target_index": 0, "choices": ["a", "b"]}, [(math.nan, False), (-1.0, True)])
    assert list(metrics) == ["score", "score_norm", "answered", "margin", "brier", "confidence"]
    assert all(math.isnan(value) for value in metrics.values())


def choice(target_index: int, declining_index: int = -1) -> dict[str, Any]:
    choices = ["ten", "one", "thousand"]
    return {"choices": choices, "target_index": target_index, "declining_index": declining_index}


def test_a_choice_is_scored_by_margin_and_brier() -> None:
    results = [(math.log(0.6), True), (math.log(0.3), False), (math.log(0.1), False)]
    assert choice_results(choice(0), results) == pytest.approx(
        {
            "score": 1,
            "score_norm": 1,
            "answered": 1,
            "margin": math.log(2),
            "brier": 0.4**2 + 0.3**2 + 0.1**2,
            "confidence": 0.6,
        }
    )
    assert choice_results(choice(1), results)["score"] == 0
    by_length = choice_results(choice(2), [(-1.0, True), (-1.2, False), (-2.0, False)])
    assert (by_length["score"], by_length["score_norm"]) == (0, 1)  # 1/3 nat a byte against 1/4
    assert choice_results(choice(0), [(-5.0, False), (-5.0, False), (-6.0, False)])["score"] == 0  # a tie is no choice


def test_who_declines_does_not_answer_and_who_answers_the_unanswerable_hallucinates() -> None:
    first, second = [(-1.0, True), (-2.0, False), (-3.0, False)], [(-2.0, False), (-1.0, True), (-3.0, False)]
    declined = declinable_choice_results(choice(0, declining_index=0), first)
    assert (declined["score"], declined["answered"], declined["hallucinated"]) == (1, 0, 0)
    invented = declinable_choice_results(choice(0, declining_index=0), second)
    assert (invented["score"], invented["answered"], invented["hallucinated"]) == (0, 1, 1)
    shy = declinable_choice_results(choice(1, declining_index=0), first)
    assert (shy["score"], shy["answered"]) == (0, 0)
    assert math.isnan(shy["hallucinated"])  # the question had an answer
    assert mean_where_asked([declined["hallucinated"], invented["hallucinated"], shy["hallucinated"]]) == 0.5
    assert math.isnan(mean_where_asked([math.nan]))


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
        "broken_syntax": 0,
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
