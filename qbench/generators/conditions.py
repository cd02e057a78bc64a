"""Conditions on whole numbers: which are necessary for which, and which suffice."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.generators.drawing import pick
from qbench.generators.prover import (
    Claim,
)

DOMAIN = np.arange(1, 27_721)  # the least common multiple of all divisors below, and far beyond every bound
BY_DIGITS = {
    "n is even": (2, DOMAIN % 2 == 0),
    "n ends in 0": (10, DOMAIN % 10 == 0),
    "n ends in 0 or 5": (5, np.isin(DOMAIN % 10, (0, 5))),
    "the digits of n add up to a multiple of 3": (3, DOMAIN % 3 == 0),
    "the digits of n add up to a multiple of 9": (9, DOMAIN % 9 == 0),
}
RELATIONS = {(True, True): "both", (True, False): "necessary", (False, True): "sufficient", (False, False): "neither"}


def necessary_or_sufficient(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Two conditions on a number, one of which is necessary or sufficient for the other, both or neither, each a quarter of the time.

    Divisors up to 6 at difficulty 1, and up to 12 above; from 3 on conditions are joined by "and" or "or".
    """
    wanted = tuple(RELATIONS.values())[int(rng.integers(4))]
    goal, given, size = pick(rng, _related(difficulty)[wanted])
    return {"goal": goal, "given": given, "verdict": wanted, "size": size}


@functools.cache
def _related(difficulty: int) -> dict[str, list[tuple[str, str, int]]]:
    """Every pair of conditions of a difficulty, by whether the second is necessary or sufficient for the first."""
    one, other = (
        _conditions(n_terms, 6 if difficulty == 1 else 12 if difficulty < 4 else 9)
        for n_terms in ((1, 1), (1, 1), (1, 2), (2, 2), (2, 3))[difficulty - 1]
    )
    pairs = [*itertools.product(one, other), *(itertools.product(other, one) if difficulty == 3 else ())]
    found: dict[str, list[tuple[str, str, int]]] = {relation: [] for relation in RELATIONS.values()}
    for (goal, is_goal, about), (given, is_given, also) in pairs:
        if goal != given:
            relation = RELATIONS[is_goal & ~is_given == 0, is_given & ~is_goal == 0]
            found[relation].append((goal, given, 5 * len(about + also) + max(about + also)))
    return found


def _conditions(n_terms: int, largest: int) -> list[tuple[str, int, tuple[int, ...]]]:
    """Conditions in words, with the numbers that meet them as the bits of an integer, and the numbers that they speak of."""
    divisible = {divisor: DOMAIN % divisor == 0 for divisor in range(2, largest + 1)}
    found: list[tuple[str, Claim, tuple[int, ...]]]
    if n_terms == 1:
        found = [(f"n is divisible by {divisor}", column, (divisor,)) for divisor, column in divisible.items()]
        found += [(words, column, (divisor,)) for words, (divisor, column) in BY_DIGITS.items() if divisor <= largest]
        found += [(f"n is greater than {bound}", bound < DOMAIN, (bound,)) for bound in range(2, largest + 3)]
    else:
        found = [
            (
                f"n is divisible {f' {word} '.join(f'by {divisor}' for divisor in some)}",
                join.reduce([divisible[divisor] for divisor in some]),
                some,
            )
            for some in itertools.combinations(divisible, n_terms)
            for word, join in (("and", np.logical_and), ("or", np.logical_or))
        ]
    return [(words, int.from_bytes(np.packbits(column).tobytes(), "big"), some) for words, column, some in found]


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "necessary_or_sufficient": necessary_or_sufficient,
}
