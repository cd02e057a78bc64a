"""Who sits, lives or stands where, from clues. `qbench.generators.prover` looks at every order, so the targets are proved."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample, shuffled
from qbench.generators.prover import (
    NEITHER,
    VERDICTS,
    WORDS,
    Claim,
    arrangements,
    together,
    verdict,
    without_superfluous,
)
from qbench.generators.wording import NUMBERS, capitalized, listed


def row_of_seats(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """People in a row, clues that leave several orders, and a sentence that is true, false or undetermined.

    Difficulty adds people, 3 to 6, and clues. No clue is superfluous, and none decides the question alone.
    """
    n = (3, 4, 4, 5, 6)[difficulty - 1]
    n_clues = (2, 2, 3, 4, 5)[difficulty - 1]
    names = sorted(sample(rng, people, n))
    sayable = [
        (words.format(*(names[person] for person in who)), column)
        for words, who, column in _seating(n, 1 if difficulty == 1 else len(SEATING))
    ]
    n_worlds = len(sayable[0][1])
    wanted = VERDICTS[int(rng.integers(3))]
    while True:
        world = int(rng.integers(n_worlds))
        true = [position for position, (_, column) in enumerate(sayable) if column[world]]
        clues = sample(rng, true, n_clues)
        claims = [sayable[position][1] for position in clues]
        if len(without_superfluous(claims)) < n_clues:
            continue
        left = [together(claims)]
        asked = next(
            (
                position
                for position in map(int, rng.permutation(len(sayable)))
                if verdict(left, sayable[position][1]) == wanted
                and all(verdict([one], sayable[position][1]) == NEITHER for one in claims)
            ),
            None,
        )
        if asked is not None:
            break
    return {
        "names": names,
        "clues": " ".join(sayable[position][0] + "." for position in clues),
        "asked": sayable[asked][0],
        "verdict": WORDS[wanted],
        "n": n,
        "n_clues": n_clues,
        "n_left": int(left[0].sum()),
    }


@functools.cache
def _seating(n: int, n_kinds: int) -> list[tuple[str, tuple[int, ...], Claim]]:
    """Everything that can be said about ``n`` people in a row, with the orders in which it is true."""
    place = arrangements(n)
    return [
        (words, who, test(place, *who, last=n - 1))
        for words, n_who, test in SEATING[:n_kinds]
        for who in itertools.permutations(range(n), n_who)
    ]


SEATING: tuple[tuple[str, int, Callable[..., Claim]], ...] = (
    ("{0} sits to the left of {1}", 2, lambda place, a, b, last: place[a] < place[b]),
    ("{0} sits next to {1}", 2, lambda place, a, b, last: abs(place[a] - place[b]) == 1),
    ("{0} does not sit next to {1}", 2, lambda place, a, b, last: abs(place[a] - place[b]) != 1),
    (
        "{0} sits somewhere between {1} and {2}",
        3,
        lambda place, a, b, c, last: (place[a] - place[b]) * (place[a] - place[c]) < 0,
    ),
    ("{0} sits at an end of the row", 1, lambda place, a, last: (place[a] == 0) | (place[a] == last)),
    ("{0} does not sit at an end of the row", 1, lambda place, a, last: (place[a] != 0) & (place[a] != last)),
)


def houses(
    rng: np.random.Generator, difficulty: int, *, people: Sequence[str], kinds: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Einstein's riddle in small: houses in a row, a person, a pet and a drink in each, and clues that leave one possibility.

    Three houses at difficulty 1 and 2, four from 3 on; drinks come in at 2 and again from 4 on. At 5 no clue names a house.
    ``kinds`` has pets and drinks: how they are said (``{who: "the owner of the {}", what: […]}``). No clue is superfluous.
    """
    n = (3, 3, 4, 4, 4)[difficulty - 1]
    n_kinds = (2, 3, 2, 3, 3)[difficulty - 1]
    names = sorted(sample(rng, people, n))
    things = {kind: sample(rng, kinds[kind]["what"], n) for kind in list(kinds)[: n_kinds - 1]}
    said = [*names, *(kinds[kind]["who"].format(thing) for kind, some in things.items() for thing in some)]
    place = arrangements(n, n_kinds)
    possible = [
        (kind, a, b)
        for kind in NEIGHBORHOOD
        for a, b in itertools.permutations(range(n * n_kinds), 2)
        # Symmetric clues are said once, and who lives in the same house is of two kinds.
        if (a < b or kind in ("left", "right after")) and (kind not in ("same", "other") or a // n != b // n)
    ]
    if difficulty < 5:
        possible += [(kind, a, house) for kind in ADDRESS for a in range(n * n_kinds) for house in range(n)]
    while True:
        world = int(rng.integers(place.shape[1]))
        here = [int(house) for house in place[:, world]]
        true = [clue for clue in possible if _meets(clue, here)]
        clues: list[tuple[str, int, int]] = []
        left = place
        for clue in shuffled(rng, true):
            column = _meets(clue, left)
            if not column.all():
                clues.append(clue)
                left = left[:, column]
            if left.shape[1] == 1:
                break
        if left.shape[1] == 1:
            break
    claims = [_meets(clue, place) for clue in clues]
    clues = [clues[position] for position in without_superfluous(claims)]
    owner = {here[person]: names[person] for person in range(n)}
    asked = n + int(rng.integers(n * (n_kinds - 1)))
    order = [" and ".join(said[thing] for thing in range(n * n_kinds) if here[thing] == house) for house in range(n)]
    return {
        "n": NUMBERS[n],
        "names": names,
        "things": [f"{kinds[kind]['verb']} {listed(some, 'or')}" for kind, some in things.items()],
        "clues": " ".join(capitalized(_clue(clue, said)) for clue in clues),
        "n_clues": len(clues),
        "n_indirect": sum(kind in NEIGHBORHOOD for kind, _, _ in clues),
        "asked": said[asked],
        "owner": owner[here[asked]],
        "wrong": [name for name in names if name != owner[here[asked]]],
        "order": order,
    }


NEIGHBORHOOD: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "same": ("{0} is {1}.", lambda one, other: one == other),
    "other": ("{0} is not {1}.", lambda one, other: one != other),
    "next": ("{0} lives next to {1}.", lambda one, other: abs(one - other) == 1),
    "left": ("{0} lives somewhere to the left of {1}.", lambda one, other: one < other),
    "right after": ("{0} lives directly to the right of {1}.", lambda one, other: one == other + 1),
}
ADDRESS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "at": ("{0} lives in house {1}.", lambda one, house: one == house),
    "not at": ("{0} does not live in house {1}.", lambda one, house: one != house),
}


def _meets(clue: tuple[str, int, int], place: Any) -> Any:
    """Whether a clue is true, given the place of each thing: in one world, or in every world at once."""
    kind, a, b = clue
    return ADDRESS[kind][1](place[a], b) if kind in ADDRESS else NEIGHBORHOOD[kind][1](place[a], place[b])


def _clue(clue: tuple[str, int, int], said: Sequence[str]) -> str:
    kind, a, b = clue
    return (
        ADDRESS[kind][0].format(said[a], b + 1) if kind in ADDRESS else NEIGHBORHOOD[kind][0].format(said[a], said[b])
    )


def odd_statement_out(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Numbered statements about who is older, of which exactly one cannot be true if the others are.

    Difficulty adds people, 3 to 5, and statements, 4 to 8. Without that one the others are consistent; without any other one they
    are not, so that no second answer is right.
    """
    n = (3, 3, 4, 4, 5)[difficulty - 1]
    n_statements = (4, 5, 6, 7, 8)[difficulty - 1]
    names = sorted(sample(rng, people, n))
    place = arrangements(n)  # 0 is the oldest
    sayable = [
        (f"{names[a]} is older than {names[b]}.", place[a] < place[b]) for a, b in itertools.permutations(range(n), 2)
    ]
    sayable += [
        (f"{names[a]} is neither the oldest nor the youngest.", (place[a] > 0) & (place[a] < n - 1)) for a in range(n)
    ]
    sayable += [(f"{names[a]} is the oldest.", place[a] == 0) for a in range(n)]
    sayable += [(f"{names[a]} is the youngest.", place[a] == n - 1) for a in range(n)]
    if n > 3:
        sayable += [(f"Exactly two of the others are older than {names[a]}.", place[a] == 2) for a in range(n)]
    while True:
        world = int(rng.integers(place.shape[1]))
        true = [statement for statement in sayable if statement[1][world]]
        false = [statement for statement in sayable if not statement[1][world]]
        statements = [*sample(rng, true, n_statements - 1), pick(rng, false)]
        order = [int(position) for position in rng.permutation(n_statements)]
        statements = [statements[position] for position in order]
        odd = order.index(n_statements - 1)
        columns = [column for _, column in statements]
        if all(
            bool(together(columns[:position] + columns[position + 1 :]).any()) is (position == odd)
            for position in range(n_statements)
        ):
            break
    oldest_first = [names[person] for person in np.argsort(place[:, world])]
    return {
        "names": names,
        "statements": [words for words, _ in statements],
        "odd": odd + 1,
        "n": n,
        "order": oldest_first,
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "houses": houses,
    "odd_statement_out": odd_statement_out,
    "row_of_seats": row_of_seats,
}
