"""Plans are simulated: any that keeps the rules is right, and a response is hostile input."""

import itertools
import random
from typing import Any

import pytest
from hostile import corpus, soup
from hypothesis import given
from hypothesis import strategies as st

from qbench.errors import AnswerSpecError
from qbench.scoring import check_spec, judge, plan
from qbench.scoring.plan import RULES

DAY: dict[str, Any] = {
    "type": "plan",
    "names": ["castle", "old museum", "zoo"],
    "rules": [
        {"once": ["castle", "old museum", "zoo"]},
        {"visits": {"start": 9, "stops": [["castle", 2, 8, 12], ["old museum", 1, 11, 12], ["zoo", 3, 9, 18]]}},
    ],
    "target": "castle, old museum, zoo",
}
SHOPPING: dict[str, Any] = {
    "type": "plan",
    "names": ["small pack", "large pack"],
    "values": "number",
    "rules": [{"total": {"of": [["small pack", 4], ["large pack", 9]], "at_least": 20}}],
    "goal": {"total": {"of": [["small pack", 3], ["large pack", 6]], "at_most": 15}},
}
SHIFTS: dict[str, Any] = {
    "type": "plan",
    "names": ["Monday", "Tuesday", "Wednesday"],
    "values": ["Ann", "Ben"],
    "rules": [
        {"once": ["Monday", "Tuesday", "Wednesday"]},
        {"allowed": [["Monday", "Ann"], ["Tuesday", "Ann", "Ben"]]},
        {"changes": ["Monday", "Tuesday", "Wednesday"]},
        {"value_counts": {"at_most": 2}},
    ],
}
JOBS: dict[str, Any] = {
    "type": "plan",
    "names": ["cutting", "welding", "painting"],
    "values": "number",
    "rules": [
        {"once": ["cutting", "welding", "painting"]},
        {"alone": {"minutes": [["cutting", 10], ["welding", 20]], "names": ["cutting", "welding"]}},
        {"after": {"minutes": [["welding", 20], ["painting", 5]], "pairs": [["painting", "welding"]]}},
    ],
    "goal": {"done": {"minutes": [["cutting", 10], ["welding", 20], ["painting", 5]], "at_most": 30}},
}
ROADS = [["Ashford", "Corby", 5], ["Corby", "Elgin", 7], ["Ashford", "Elgin", 20]]
ROUTE: dict[str, Any] = {
    "type": "plan",
    "names": ["Ashford", "Corby", "Elgin"],
    "rules": [{"route": {"from": "Ashford", "to": "Elgin", "roads": ROADS}}],
    "goal": {"distance": {"roads": ROADS, "at_most": 12}},
}
SPECS = {"order": DAY, "numbers": SHOPPING, "shifts": SHIFTS, "jobs": JOBS, "route": ROUTE}


def test_exactly_the_orders_that_work_are_right() -> None:
    right = [
        order for order in itertools.permutations(DAY["names"]) if judge(f"Answer: {', '.join(order)}", DAY).correct
    ]
    assert right == [("castle", "old museum", "zoo")]


@pytest.mark.parametrize(
    "response",
    [
        "Answer: castle, old museum, zoo",
        "Answer: The castle, then the old museum, and the zoo.",
        "Answer: castle -> old museum -> zoo",
        "Answer: 1. Castle 2. Old Museum 3. Zoo".replace(" 2", ", 2").replace(" 3", ", 3"),
        "First the zoo?\n**Answer:** [castle; old museum; zoo]",
        "Answer: castle (9 to 11), old museum (11 to 12), zoo (12 to 15)",
        "\\boxed{\\text{castle, old museum, zoo}}",
    ],
)
def test_a_plan_may_be_written_in_several_ways(response: str) -> None:
    assert judge(response, DAY).correct


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("Answer: old museum, castle, zoo", (1 + 2 / 3) / 2),  # the castle closes first
        ("Answer: castle", (1 / 3 + 1 / 3) / 2),
        ("Answer: castle, castle, castle", 1 / 6),
        ("Answer: castle, old museum, zoo, tower", 0),  # what nobody asked for
        ("Answer: not the castle, old museum, zoo", 0),
        ("castle and more", 0),
    ],
)
def test_the_score_is_the_share_of_what_is_kept(response: str, score: float) -> None:
    verdict = judge(response, DAY)
    assert not verdict.correct
    assert verdict.score == pytest.approx(score)


def test_the_goal_counts_only_where_the_rules_are_kept() -> None:
    assert judge("Answer: 3 small packs, 1 large pack", SHOPPING).correct
    assert judge("Answer: large packs: 1, small packs: 3", SHOPPING).correct
    dearer = judge("Answer: 3 large packs", SHOPPING)
    assert not dearer.correct
    assert dearer.score == pytest.approx((1 + 15 / 18) / 2)
    too_few = judge("Answer: 1 small pack", SHOPPING)
    assert too_few.score == pytest.approx((4 / 20 + 0) / 2)
    assert judge("Answer: three small packs and a large pack", SHOPPING).correct
    for words in (
        "some small packs, the large pack",
        "3 packs",
        "3 small packs 1 large pack",
        "-3 small packs, 9 large packs, 3 of them",
    ):
        assert judge(f"Answer: {words}", SHOPPING).score == 0


def test_values_are_read_on_either_side() -> None:
    assert judge("Answer: Monday: Ann, Tuesday: Ben, Wednesday: Ann", SHIFTS).correct
    assert judge("Answer: Ann on Monday, Ben on Tuesday and Ann on Wednesday", SHIFTS).correct
    twice = judge("Answer: Monday: Ann, Tuesday: Ann, Wednesday: Ben", SHIFTS)
    assert twice.details["changes"] == 0.5
    assert judge("Answer: Monday: Ann, Tuesday: Cleo, Wednesday: Ann", SHIFTS).score == 0


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        ("Monday: Ann (7 hours), Tuesday: Ben (3 hours, the rest), Wednesday: Ann", SHIFTS),
        ("Monday → Ann, Tuesday → Ben, Wednesday → Ann", SHIFTS),
        ("Monday -> Ann (7 hours); Tuesday -> Ben; Wednesday -> Ann", SHIFTS),
        ("Monday (Ann), Tuesday (Ben), Wednesday (Ann)", SHIFTS),
        ("Monday: Ann → Tuesday: Ben → Wednesday: Ann", SHIFTS),
        ("3 small packs ($3), 1 large pack ($6)", SHOPPING),
        ("small packs (3), large packs (1)", SHOPPING),
        ("small pack → 3, large pack → 1", SHOPPING),
        ("welding 0 (20 minutes), cutting 20, painting 20", JOBS),
        ("Ashford → Corby (5 km) → Elgin (7 km)", ROUTE),
    ],
)
def test_what_stands_in_parentheses_and_behind_an_arrow_is_a_value_or_an_aside(
    words: str, spec: dict[str, Any]
) -> None:
    assert judge(f"Answer: {words}", spec).correct


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        ("Monday → Ann → Tuesday → Ben → Wednesday → Ann", SHIFTS),
        ("Monday: not Ann (7 hours), Tuesday: Ben, Wednesday: Ann", SHIFTS),
        ("Monday (7 hours), Tuesday: Ben, Wednesday: Ann", SHIFTS),
        ("small packs ($3), large packs ($6)", SHOPPING),
    ],
)
def test_an_aside_is_not_taken_for_a_step(words: str, spec: dict[str, Any]) -> None:
    assert judge(f"Answer: {words}", spec).score < 1


def test_a_schedule_is_simulated() -> None:
    assert judge("Answer: welding 0, cutting 20, painting 20", JOBS).correct
    assert judge("Answer: welding at minute 0, cutting at minute 20 and painting at minute 25", JOBS).correct
    clash = judge("Answer: welding 0, cutting 10, painting 20", JOBS)
    assert clash.details == {"once": 1, "alone": 0, "after": 1, "goal": 0}
    late = judge("Answer: cutting 0, welding 10, painting 30", JOBS)
    assert late.details["goal"] == pytest.approx(30 / 35)


def test_a_route_has_roads_and_two_ends() -> None:
    assert judge("Answer: Ashford, Corby, Elgin", ROUTE).correct
    assert judge("Answer: Ashford, Elgin", ROUTE).details == {"route": 1, "goal": 12 / 20}
    assert judge("Answer: Corby, Elgin", ROUTE).details == {"route": 2 / 3, "goal": 0}
    assert judge("Answer: Elgin, Corby, Ashford", ROUTE).details["route"] == 0.5


@pytest.mark.parametrize(
    ("rules", "said", "score"),
    [
        ([{"apart": [["chess", "yoga"]]}], "chess: Monday, yoga: Wednesday", 1),
        ([{"apart": [["chess", "yoga"]]}], "chess: Monday, yoga: Tuesday", 0),
        ([{"in_order": [["chess", "yoga"]]}], "yoga: Wednesday, chess: Monday", 1),
        ([{"in_order": [["chess", "yoga"]]}], "chess: Monday", 0),
        ([{"values_differ": {}}], "chess: Monday, yoga: Monday", 0),
        ([{"steps": {"exactly": 2}}], "chess: Monday, yoga: Monday", 1),
        ([{"at_most_once": ["chess", "yoga"]}], "chess: Monday, chess: Tuesday", 0.5),
        ([{"total": {"of": [["chess", "Monday", 3], ["chess", "Tuesday", 5]], "at_most": 3}}], "chess: Tuesday", 0.6),
    ],
)
def test_rules_about_values(rules: list[Any], said: str, score: float) -> None:
    spec = {"type": "plan", "names": ["chess", "yoga"], "values": ["Monday", "Tuesday", "Wednesday"], "rules": rules}
    assert judge(f"Answer: {said}", spec).score == pytest.approx(score)


@pytest.mark.parametrize(
    ("rule", "said", "score"),
    [
        ({"no_overlap": [["bees", 0, 10], ["maps", 10, 20], ["tides", 15, 30]]}, "bees, maps", 1),
        ({"no_overlap": [["bees", 0, 10], ["maps", 10, 20], ["tides", 15, 30]]}, "bees, maps, tides", 2 / 3),
        ({"gaps": {"at": [["bees", 4], ["maps", 8]], "from": 0, "to": 12, "at_most": 4}}, "bees, maps", 1),
        ({"gaps": {"at": [["bees", 4], ["maps", 8]], "from": 0, "to": 12, "at_most": 4}}, "maps, bees", 0),
        ({"each": {"of": [["bees", 4], ["maps", 8]], "at_most": 5}}, "bees, maps", 0.5),
    ],
)
def test_rules_about_selections(rule: dict[str, Any], said: str, score: float) -> None:
    spec = {"type": "plan", "names": ["bees", "maps", "tides"], "rules": [rule]}
    assert judge(f"Answer: {said}", spec).score == pytest.approx(score)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": []}, "lists of texts"),
        ({"names": ["the zoo", "zoo"]}, "told apart"),
        ({"names": ["salt and pepper"]}, "told apart"),
        ({"values": ["castle", "tower"]}, "must differ"),
        ({"rules": []}, "list of rules"),
        ({"rules": [{"visit": {}}]}, "Did you mean visits"),
        ({"rules": [{"visits": {"start": 9}}]}, "cannot read its options"),
        ({"rules": [{"steps": {"about": 3}}]}, "cannot read its options"),
        ({"goal": {"cost": 3}}, "no rule 'cost'"),
        ({"rule": []}, "no field 'rule'"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AnswerSpecError, match=message):
        check_spec({**DAY, **change})


def test_every_rule_is_in_the_table_of_the_docstring() -> None:
    text = plan.__doc__ or ""
    assert all(f"\n{rule} " in text for rule in RULES)


@pytest.mark.parametrize("kind", SPECS)
def test_hostile_responses_are_wrong(kind: str) -> None:
    rng = random.Random(kind)
    responses = [response for _, response in corpus()] + [soup(rng) for _ in range(300)]
    responses += ["Answer: " + "castle, " * 400, "Answer: " + "(" * 3000, "Answer: small pack 9999999999, large pack 1"]
    for response in responses:
        verdict = judge(response, SPECS[kind])
        assert not verdict.correct
        assert 0 <= verdict.score < 1


@given(
    words=st.lists(st.sampled_from(["castle", "zoo", "old", "museum", ",", "then", "the", "9", "(", "->"]), max_size=30)
)
def test_any_words_are_scored_between_nothing_and_everything(words: list[str]) -> None:
    for spec in SPECS.values():
        assert 0 <= judge("Answer: " + " ".join(words), spec).score <= 1
