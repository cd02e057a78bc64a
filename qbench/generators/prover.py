"""A small complete prover: what follows from some premises, decided by looking at every world there could be.

A world is one way that things could stand: who is a knight, who sits where, which sentences are true. A claim is a column of truth
values, one for each world. Premises leave the worlds in which all of them are true, and a conclusion is true in all of these, in none,
or in some. Nothing is searched, so nothing is missed; the worlds are few enough (14,000 at most).
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Claim = NDArray[np.bool_]
"""A truth value for each world."""

ENTAILED, CONTRADICTED, NEITHER = "entailed", "contradicted", "neither"
VERDICTS = (ENTAILED, CONTRADICTED, NEITHER)
WORDS = {ENTAILED: "true", CONTRADICTED: "false", NEITHER: "undetermined"}

Formula = Any
"""An atom's number, or a connective with its parts: ``("if", 0, ("not", 1))``."""


def together(claims: Iterable[Claim]) -> Claim:
    """The worlds in which all the claims are true."""
    worlds: Claim = np.logical_and.reduce(list(claims))
    return worlds


def verdict(premises: Sequence[Claim], conclusion: Claim) -> str:
    """Whether the premises entail the conclusion, contradict it, or neither. They must be consistent."""
    left = conclusion[together(premises)]
    if not len(left):
        raise ValueError("premises without a world prove everything")
    return ENTAILED if left.all() else NEITHER if left.any() else CONTRADICTED


def without_superfluous(claims: Sequence[Claim]) -> list[int]:
    """The positions of claims that leave the same worlds as all of them, none of which could be left out."""
    goal = together(claims)
    kept = list(range(len(claims)))
    for position in range(len(claims)):
        others = [other for other in kept if other != position]
        if others and np.array_equal(together(claims[other] for other in others), goal):
            kept = others
    return kept


# ---------------------------------------------------------------- propositional logic


@functools.cache
def atoms(n: int) -> tuple[Claim, ...]:
    """The columns of a truth table with ``n`` atoms, in the usual order of the rows: all true first, all false last."""
    rows = np.array(list(itertools.product((True, False), repeat=n)))
    return tuple(rows.T)


def claim(formula: Formula, columns: Sequence[Claim]) -> Claim:
    """The column of a formula, given the columns of its atoms."""
    match formula:
        case int():
            return columns[formula]
        case ("not", inner):
            return ~claim(inner, columns)
        case (connective, left, right):
            one, other = claim(left, columns), claim(right, columns)
            joined: dict[str, Claim] = {
                "and": one & other,
                "or": one | other,
                "xor": one ^ other,
                "if": ~one | other,
                "iff": one == other,
            }
            return joined[connective]
    raise ValueError(f"{formula!r} is no formula")


def n_connectives(formula: Formula) -> int:
    """How many connectives a formula has."""
    return 0 if isinstance(formula, int) else 1 + sum(n_connectives(part) for part in formula[1:])


# ---------------------------------------------------------------- orders and grids


@functools.cache
def arrangements(n: int, n_kinds: int = 1) -> NDArray[np.int8]:
    """Every way to put ``n`` things of each of some kinds into ``n`` places: for each thing a row with its place in every world.

    The things of the first kind come first; ``arrangements(5)`` is the 120 orders of five people.
    """
    orders = list(itertools.permutations(range(n)))
    worlds = [sum(kinds, ()) for kinds in itertools.product(orders, repeat=n_kinds)]
    return np.ascontiguousarray(np.array(worlds, dtype=np.int8).T)


def negated(formula: Formula) -> Formula:
    """The negation, without a double one."""
    return formula[1] if isinstance(formula, tuple) and formula[0] == "not" else ("not", formula)


def contrapositive(rule: Formula) -> Formula:
    return ("if", negated(rule[2]), negated(rule[1]))
