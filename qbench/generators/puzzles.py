"""Logic puzzles whose answer is proved, not remembered: every one is decided by an exhaustive check of its models."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.facts import table
from qbench.generators.drawing import pick, sample, shuffled

# ---------------------------------------------------------------- syllogisms

Statement = tuple[str, int, int]
"""A categorical statement about two classes: ("all" | "no" | "some" | "some not", subject, predicate)."""

CATEGORICAL = {
    "all": "All {0} are {1}",
    "no": "No {0} are {1}",
    "some": "Some {0} are {1}",
    "some not": "Some {0} are not {1}",
}
NEGATION = {"all": "some not", "some not": "all", "no": "some", "some": "no"}


def syllogism(rng: np.random.Generator, difficulty: int, *, classes: Sequence[str]) -> dict[str, Any]:
    """A chain of categorical premises and a conclusion that follows or does not, each half of the time.

    Two premises over three classes at difficulty 1 and 2, up to five over six; "some" comes in at 2 and shuffled order at 3. A
    puzzle whose verdict depends on whether a class may be empty is drawn again: logicians disagree about it.
    """
    n_premises = (2, 2, 3, 4, 5)[difficulty - 1]
    kinds = ["all", "no"] if difficulty == 1 else list(CATEGORICAL)
    wanted = bool(rng.integers(2))
    while True:
        names = sample(rng, classes, n_premises + 1)
        premises: list[Statement] = []
        for first in range(n_premises):
            pair = (first, first + 1) if rng.integers(4) else (first + 1, first)
            # Mostly "all", or long chains would hardly ever prove anything.
            kind = "all" if rng.integers(2) else pick(rng, kinds)
            premises.append((kind, *pair))
        ends = (0, n_premises) if rng.integers(2) else (n_premises, 0)
        conclusion: Statement = (pick(rng, kinds), *ends)
        strict = follows(premises, conclusion, n_premises + 1)
        somebody: list[Statement] = [("some", position, position) for position in range(n_premises + 1)]
        # Premises without a model would prove everything.
        consistent = satisfiable([*premises, *somebody], n_premises + 1)
        if consistent and strict is wanted and strict is follows([*premises, *somebody], conclusion, n_premises + 1):
            break
    order = rng.permutation(n_premises) if difficulty > 2 else range(n_premises)
    text = " ".join(_say(premises[int(position)], names) + "." for position in order)
    said = _say(conclusion, names)
    return {"premises": text, "conclusion": said[0].lower() + said[1:], "valid": wanted, "n_premises": n_premises}


def satisfiable(statements: Sequence[Statement], n_classes: int) -> bool:
    """Whether some world makes all the statements true.

    A world says which of the 2^n regions of the Venn diagram are inhabited. "All" and "no" empty regions; if any world is a model,
    the fullest one they leave is, because inhabitants never falsify a "some".
    """
    regions = [
        region
        for region in itertools.product((False, True), repeat=n_classes)
        if not any(kind == "all" and region[a] and not region[b] for kind, a, b in statements)
        and not any(kind == "no" and region[a] and region[b] for kind, a, b in statements)
    ]
    return all(
        any(region[a] and region[b] is (kind == "some") for region in regions)
        for kind, a, b in statements
        if kind in ("some", "some not")
    )


def follows(premises: Sequence[Statement], conclusion: Statement, n_classes: int) -> bool:
    """Whether no world makes the premises true and the conclusion false."""
    kind, a, b = conclusion
    return not satisfiable([*premises, (NEGATION[kind], a, b)], n_classes)


def _say(statement: Statement, names: Sequence[str]) -> str:
    kind, a, b = statement
    return CATEGORICAL[kind].format(names[a], names[b])


# ---------------------------------------------------------------- conditionals


def conditionals(rng: np.random.Generator, difficulty: int, *, facts: str) -> dict[str, Any]:
    """Rules "if A, then B", one observation, and a conclusion that follows or does not, each half of the time.

    ``facts`` names a fact table with the columns ``is`` and ``is_not``. One rule at difficulty 1 and 2, up to four in a chain, from 3 on in
    shuffled order, from 4 on with broken chains; from 2 on the observation may be negative (modus tollens, denying the antecedent).
    """
    n_rules = (1, 1, 2, 3, 4)[difficulty - 1]
    wanted = bool(rng.integers(2))
    known = table(facts)
    chosen = sample(rng, known, n_rules + 1)
    while True:
        turned = [difficulty > 3 and not rng.integers(5) for _ in range(n_rules)]
        rules = [(step + 1, step) if turned[step] else (step, step + 1) for step in range(n_rules)]
        holds = difficulty == 1 or bool(rng.integers(2))
        seen, asked = (0, n_rules) if rng.integers(2) else (n_rules, 0)
        worlds = [
            world
            for world in itertools.product((False, True), repeat=n_rules + 1)
            if world[seen] is holds and all(world[b] or not world[a] for a, b in rules)
        ]
        if all(world[asked] is holds for world in worlds) is wanted:
            break
    order = rng.permutation(n_rules) if difficulty > 2 else range(n_rules)
    said = [f"If {chosen[a]['is']}, then {chosen[b]['is']}." for a, b in (rules[int(position)] for position in order)]
    polarity = "is" if holds else "is_not"
    observation = chosen[seen][polarity]
    return {
        "rules": " ".join(said),
        "observation": observation[0].upper() + observation[1:] + ".",
        "conclusion": chosen[asked][polarity],
        "valid": wanted,
        "n_rules": n_rules,
    }


# ---------------------------------------------------------------- orderings

Clue = tuple[str, int, int]
"""A relation between two people, or between a person and a place counted from 0."""

CLUES: dict[str, tuple[str, Callable[[Sequence[int], int, int], bool]]] = {
    "before": ("{0} finished before {1}.", lambda place, a, b: place[a] < place[b]),
    "right after": ("{0} finished right after {1}.", lambda place, a, b: place[a] == place[b] + 1),
    "apart": (
        "{0} and {1} did not finish one right after the other.",
        lambda place, a, b: abs(place[a] - place[b]) > 1,
    ),
    "not place": ("{0} did not finish {1}.", lambda place, a, b: place[a] != b),
}
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def ordering(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """A race of three to six people, and clues of which none is superfluous and all together leave one order.

    Difficulty 1 says who finished before whom from first to last; from 2 on the clues are shuffled, and from 3 on they are of
    every kind.
    """
    n_people = (3, 3, 4, 5, 6)[difficulty - 1]
    names = sample(rng, people, n_people)
    # The names are listed in alphabetical order, so that the list tells nothing about the race.
    names.sort()
    place = tuple(int(position) for position in rng.permutation(n_people))
    finishers = sorted(range(n_people), key=place.__getitem__)
    clues = [("before", a, b) for a, b in itertools.pairwise(finishers)] if difficulty < 3 else _sufficient(rng, place)
    if difficulty > 1:
        clues = shuffled(rng, clues)
    asked = int(rng.integers(n_people))
    return {
        "names": names,
        "clues": " ".join(_say_clue(clue, names) for clue in clues),
        "place": PLACES[asked] if asked < n_people - 1 else "last",
        "finisher": names[finishers[asked]],
        "order": [names[person] for person in finishers],
    }


def _sufficient(rng: np.random.Generator, place: tuple[int, ...]) -> list[Clue]:
    """Collect true clues in random order until one order is left, then drop every clue that was not needed after all."""
    n_people = len(place)
    everything = set(itertools.permutations(range(n_people)))
    possible = [
        (kind, a, b)
        for kind in CLUES
        for a, b in itertools.product(range(n_people), repeat=2)
        if a != b or kind == "not place"
    ]
    true = [clue for clue in possible if _meets(place, clue)]
    kept: dict[Clue, set[tuple[int, ...]]] = {}  # with the orders that meet the clue
    left = everything
    for clue in shuffled(rng, true):
        meeting = {order for order in everything if _meets(order, clue)}
        if not left <= meeting:
            kept[clue] = meeting
            left = left & meeting
        if len(left) == 1:
            break
    for clue in list(kept):
        others = [meeting for other, meeting in kept.items() if other != clue]
        if others and len(set.intersection(*others)) == 1:
            del kept[clue]
    return list(kept)


def _meets(place: Sequence[int], clue: Clue) -> bool:
    kind, a, b = clue
    return CLUES[kind][1](place, a, b)


def _say_clue(clue: Clue, names: Sequence[str]) -> str:
    kind, a, b = clue
    return CLUES[kind][0].format(names[a], PLACES[b] if kind == "not place" else names[b])


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "syllogism": syllogism,
    "conditionals": conditionals,
    "ordering": ordering,
}
