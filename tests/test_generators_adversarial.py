"""Mistakes are nested and spare what carries the answer; every generated fault has exactly one culprit, found here by brute force."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from qbench.errors import TemplateError
from qbench.facts import table
from qbench.generators import faults
from qbench.generators.typos import PERCENT_CHANGED, WORD_MISTAKES, homophones, typos

TEXT = (
    "The seventeen travelers from Geneva paid 1,250 dollars for invoice KD-204 and would need to wait there for an hour, "
    "because the whole train to Lausanne was late again."
)
STRENGTHS = ["clean", *PERCENT_CHANGED]
DRAWS = range(12)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def changed(clean: str, text: str) -> set[int]:
    """The positions of the words that differ; for mistakes that leave the number of words alone."""
    pairs = list(zip(clean.split(), text.split(), strict=True))
    return {position for position, (before, after) in enumerate(pairs) if before != after}


@pytest.mark.parametrize("make", [typos, homophones], ids=["typos", "homophones"])
@pytest.mark.parametrize("seed", DRAWS)
def test_a_stronger_text_has_the_mistakes_of_a_weaker_one_and_more(make: Callable[..., Any], seed: int) -> None:
    texts = make(rng(seed), 3, text=TEXT)
    assert list(texts) == STRENGTHS
    assert texts["clean"] == TEXT
    counts = [changed(TEXT, texts[strength]) for strength in STRENGTHS]
    assert all(fewer < more for fewer, more in pairwise(counts))


@pytest.mark.parametrize("make", [typos, homophones], ids=["typos", "homophones"])
def test_mistakes_depend_on_the_stream_and_not_on_the_difficulty(make: Callable[..., Any]) -> None:
    assert make(rng(1), 1, text=TEXT) == make(rng(1), 5, text=TEXT)
    assert make(rng(1), 1, text=TEXT) != make(rng(2), 1, text=TEXT)


@pytest.mark.parametrize("kind", [*WORD_MISTAKES, "join", "drift"])
@pytest.mark.parametrize("seed", DRAWS)
def test_numbers_codes_and_kept_names_stay(kind: str, seed: int) -> None:
    for text in typos(rng(seed), 3, text=TEXT, keep=["Geneva", "Lausanne"], kinds=[kind]).values():
        for kept in ("Geneva", "Lausanne", "1,250", "KD-204", "seventeen"):
            assert re.search(rf"(?<!\S){kept}(?!\S)", text), text


@pytest.mark.parametrize("kind", ["join", "drift"])
def test_spaces_move_and_letters_do_not(kind: str) -> None:
    texts = typos(rng(3), 3, text=TEXT, kinds=[kind])
    assert len({text.replace(" ", "") for text in texts.values()}) == 1
    assert len(set(texts.values())) == len(STRENGTHS)


def test_case_is_all_that_case_noise_changes() -> None:
    texts = typos(rng(3), 3, text=TEXT, kinds=["case"])
    assert {text.casefold() for text in texts.values()} == {TEXT.casefold()}


@pytest.mark.parametrize("seed", DRAWS)
def test_no_misspelling_is_another_word_of_the_text(seed: int) -> None:
    text = "The house in which the horse stands is larger than the house before the least of the last fields."
    heavy = typos(rng(seed), 3, text=text)["heavy"]
    words = text.casefold().strip(".").split()
    for before, after in zip(words, heavy.casefold().strip(".").split(), strict=True):
        assert before == after or after not in words


@pytest.mark.parametrize("seed", DRAWS)
def test_words_that_sound_nearly_alike_come_last(seed: int) -> None:
    near = {row["word"] for row in table("homophones") if row["near"]}
    words = TEXT.lower().replace(",", "").replace(".", "").split()
    texts = homophones(rng(seed), 3, text=TEXT)
    light = changed(TEXT, texts["light"])
    assert not any(words[position] in near for position in light)


def test_homophones_are_pairs_of_different_words_and_every_word_has_one() -> None:
    rows = table("homophones")
    assert len({row["word"] for row in rows}) == len(rows)
    for row in rows:
        assert row["word"] != row["sounds_like"]
        assert row["word"] == row["word"].lower()
        assert row["near"] in ("", "yes")


def test_a_text_without_words_that_may_change_is_refused() -> None:
    with pytest.raises(TemplateError, match="fewer than three"):
        typos(rng(0), 1, text="It is 7 pm.")
    with pytest.raises(TemplateError, match="fewer than three"):
        homophones(rng(0), 1, text="Cats purr.")
    with pytest.raises(TemplateError, match="no kind of mistake"):
        typos(rng(0), 1, text=TEXT, kinds=["burn"])


# ---------------------------------------------------------------- one culprit


NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"]


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_only_one_kind_of_part_explains_the_swaps(difficulty: int, seed: int) -> None:
    drawn = faults.swapped_parts(rng(seed), difficulty, places=["left", "right", "upper", "lower"], kinds=NAMES)
    explains = []
    for kind in drawn["kinds"]:
        at, seen = drawn["first"], []
        for swap in drawn["swaps"]:
            if swap["kind"] == kind and at in swap["between"]:
                at = next(place for place in swap["between"] if place != at)
            seen.append(at)
        if seen == [swap["fails"] for swap in drawn["swaps"]]:
            explains.append(kind)
    assert explains == [drawn["fault"]]


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_only_one_broken_service_makes_exactly_these_fail(difficulty: int, seed: int) -> None:
    drawn = faults.root_cause(rng(seed), difficulty, services=NAMES)
    needs = {service["name"]: service["needs"] for service in drawn["needs"]}

    def fails(name: str, broken: str) -> bool:
        return name == broken or any(fails(other, broken) for other in needs[name])

    culprits = [broken for broken in needs if {name for name in needs if fails(name, broken)} == set(drawn["failing"])]
    assert culprits == [drawn["fault"]]
    assert set(drawn["failing"]).isdisjoint(drawn["working"])


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_only_one_needed_step_was_left_out(difficulty: int, seed: int) -> None:
    drawn = faults.missing_step(rng(seed), difficulty, steps=NAMES, goals=["the goal"])
    needed, waiting = set(), ["the goal"]
    while waiting:
        step = waiting.pop()
        for rule in drawn["rules"]:
            if rule["after"] == step and rule["before"] not in needed:
                needed.add(rule["before"])
                waiting.append(rule["before"])
    assert needed - set(drawn["done"]) == {drawn["missing"]}
    for rule in drawn["rules"]:  # what was done was done in an order that the rules allow
        if rule["before"] in drawn["done"] and rule["after"] in drawn["done"]:
            assert drawn["done"].index(rule["before"]) < drawn["done"].index(rule["after"])


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_one_balance_does_not_follow_from_the_one_before(difficulty: int, seed: int) -> None:
    drawn = faults.wrong_balance(rng(seed), difficulty)
    balances = [drawn["opening"], *(line["balance"] for line in drawn["lines"])]
    wrong = [
        line["number"]
        for line, before in zip(drawn["lines"], balances, strict=False)
        if before + line["amount"] != line["balance"]
    ]
    assert wrong == [drawn["wrong"]]
    assert drawn["right"] == balances[drawn["wrong"] - 1] + drawn["lines"][drawn["wrong"] - 1]["amount"]
    assert all(balance > 0 for balance in balances)


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_one_cell_repairs_all_the_totals(difficulty: int, seed: int) -> None:
    drawn = faults.wrong_cell(rng(seed), difficulty)
    rows, columns = drawn["row_totals"], drawn["column_totals"]
    off_rows = [r for r, row in enumerate(drawn["table"]) if sum(row) != rows[r]]
    off_columns = [c for c in range(len(columns)) if sum(row[c] for row in drawn["table"]) != columns[c]]
    assert [f"{drawn['names'][c]}{r + 1}" for r in off_rows for c in off_columns] == [drawn["cell"]]
    row = drawn["table"][off_rows[0]]
    assert rows[off_rows[0]] - (sum(row) - row[off_columns[0]]) == drawn["right"]


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", DRAWS)
def test_only_one_part_one_hub_and_one_stage_can_be_at_fault(difficulty: int, seed: int) -> None:
    shared = faults.shared_part(rng(seed), difficulty, programs=NAMES, parts=NAMES)
    assert [
        part
        for part in shared["used"]
        if all(program["freezes"] == (part in program["parts"]) for program in shared["programs"])
    ] == [shared["fault"]]

    outage = faults.outage(rng(seed), difficulty, hubs=NAMES, devices=[f"device {n}" for n in range(16)])
    parents = {hub["name"]: hub["parent"] for hub in outage["tree"]}

    def behind(hub: str, failed: str) -> bool:
        return hub == failed or (hub in parents and behind(parents[hub], failed))

    assert [
        failed
        for failed in parents
        if {device for hub in outage["tree"] if behind(hub["name"], failed) for device in hub["devices"]}
        == set(outage["offline"])
    ] == [outage["fault"]]

    chain = faults.bottleneck(rng(seed), difficulty, stages=NAMES)["chain"]
    capacities = sorted(stage["machines"] * stage["each"] for stage in chain)
    assert capacities[0] < capacities[1]
