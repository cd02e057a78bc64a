"""Formulas of propositional logic: their truth tables, and which of them say the same."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample
from qbench.generators.prover import (
    Formula,
    atoms,
    claim,
    contrapositive,
    n_connectives,
    negated,
)

SIGNS = {"and": "AND", "or": "OR", "xor": "XOR", "if": "IMPLIES", "iff": "IFF"}
ATOMS = "pqrs"


def _written(formula: Formula, *, inside: bool = False) -> str:
    match formula:
        case int():
            return ATOMS[formula]
        case ("not", inner):
            return f"NOT {_written(inner, inside=True)}"
        case (connective, left, right):
            text = f"{_written(left, inside=True)} {SIGNS[connective]} {_written(right, inside=True)}"
            return f"({text})" if inside else text
    raise ValueError(f"{formula!r} is no formula")


def _random_formula(rng: np.random.Generator, n_atoms: int, n_binary: int, connectives: Sequence[str]) -> Formula:
    """A formula with so many binary connectives, in which every atom occurs if there is room."""
    leaves: list[Formula] = [*range(n_atoms), *(int(rng.integers(n_atoms)) for _ in range(n_binary + 1 - n_atoms))]
    parts = [("not", leaf) if not rng.integers(3) else leaf for leaf in sample(rng, leaves, n_binary + 1)]
    while len(parts) > 1:
        at = int(rng.integers(len(parts) - 1))
        joined: Formula = (pick(rng, connectives), parts[at], parts[at + 1])
        parts[at : at + 2] = [("not", joined) if not rng.integers(4) else joined]
    return parts[0]


def _repeats_itself(formula: Formula) -> bool:
    """Whether a connective joins a part with itself or its own negation."""
    if isinstance(formula, int):
        return False
    own = len(formula) == 3 and (formula[1] == formula[2] or formula[1] == negated(formula[2]))
    return own or any(_repeats_itself(part) for part in formula[1:])


def truth_table(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A formula and its column of the truth table. Two atoms up to difficulty 3, then three; difficulty adds connectives."""
    n_atoms = (2, 2, 2, 3, 3)[difficulty - 1]
    n_binary = (1, 2, 3, 3, 5)[difficulty - 1]
    connectives = ("and", "or", "if") if difficulty == 1 else tuple(SIGNS)
    columns = atoms(n_atoms)
    while True:
        formula = _random_formula(rng, n_atoms, n_binary, connectives)
        column = claim(formula, columns)
        if (
            column.any()
            and not column.all()
            and not _repeats_itself(formula)
            and (difficulty > 1 or n_connectives(formula) < 4)
        ):
            break
    rows = ["".join("T" if atom[row] else "F" for atom in columns) for row in range(len(column))]
    return {
        "formula": _written(formula),
        "atoms": list(ATOMS[:n_atoms]),
        "rows": rows,
        "column": [int(value) for value in column],
        "n_connectives": n_connectives(formula),
    }


def equivalence(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Two formulas, the second made from the first by laws of logic, or, half of the time, with one false law among them.

    Difficulty adds connectives and laws.
    """
    n_atoms = (2, 2, 3, 3, 4)[difficulty - 1]
    n_binary = (1, 2, 3, 4, 5)[difficulty - 1]
    n_laws = (1, 2, 2, 3, 4)[difficulty - 1]
    columns = atoms(n_atoms)
    equivalent = bool(rng.integers(2))
    while True:
        first = _random_formula(rng, n_atoms, n_binary, ("and", "or", "if"))
        second = first
        wrong = -1 if equivalent else int(rng.integers(n_laws))
        for step in range(n_laws):
            second = _rewritten(rng, second, FALLACIES if step == wrong else LAWS)
        same = np.array_equal(claim(first, columns), claim(second, columns))
        if (
            same is equivalent
            and second != first
            and not _repeats_itself(first)
            and n_connectives(second) <= n_connectives(first) + 4
        ):
            break
    return {
        "first": _written(first),
        "second": _written(second),
        "equivalent": equivalent,
        "n_connectives": n_connectives(first) + n_connectives(second),
        "differ": _counterexample(first, second, n_atoms),
    }


def _counterexample(first: Formula, second: Formula, n_atoms: int) -> str:
    """The first row of the truth table in which the two differ, or nothing."""
    columns = atoms(n_atoms)
    (rows,) = np.nonzero(claim(first, columns) != claim(second, columns))
    if not len(rows):
        return ""
    values = ("true" if column[rows[0]] else "false" for column in columns)
    return ", ".join(f"{ATOMS[atom]} {value}" for atom, value in enumerate(values))


def _swapped(f: Formula) -> Formula:
    return (f[0], f[2], f[1])


def _de_morgan(f: Formula) -> Formula:
    (_, (connective, left, right)) = f
    return ({"and": "or", "or": "and"}[connective], negated(left), negated(right))


def _is(formula: Formula, *connectives: str) -> bool:
    return isinstance(formula, tuple) and formula[0] in connectives


Law = tuple[Callable[[Formula], bool], Callable[[Formula], Formula]]
"""Where it applies, and what it makes of a formula."""

LAWS: tuple[Law, ...] = (
    (lambda f: _is(f, "and", "or"), _swapped),
    (lambda f: _is(f, "not") and _is(f[1], "and", "or"), _de_morgan),
    (lambda f: _is(f, "if"), contrapositive),
    (lambda f: _is(f, "if"), lambda f: ("or", negated(f[1]), f[2])),
    (lambda f: _is(f, "or"), lambda f: ("if", negated(f[1]), f[2])),
    (lambda f: _is(f, "not") and _is(f[1], "if"), lambda f: ("and", f[1][1], negated(f[1][2]))),
    (lambda f: _is(f, "and") and _is(f[2], "or"), lambda f: ("or", ("and", f[1], f[2][1]), ("and", f[1], f[2][2]))),
    (lambda f: _is(f, "or") and _is(f[2], "and"), lambda f: ("and", ("or", f[1], f[2][1]), ("or", f[1], f[2][2]))),
    (lambda f: _is(f, "and"), lambda f: ("not", ("or", negated(f[1]), negated(f[2])))),
    (lambda f: _is(f, "or"), lambda f: ("not", ("and", negated(f[1]), negated(f[2])))),
)
FALLACIES: tuple[Law, ...] = (
    (lambda f: _is(f, "if"), _swapped),
    (lambda f: _is(f, "if"), lambda f: ("if", negated(f[1]), negated(f[2]))),
    (lambda f: _is(f, "not") and _is(f[1], "and", "or"), lambda f: (f[1][0], negated(f[1][1]), negated(f[1][2]))),
    (lambda f: _is(f, "not") and _is(f[1], "if"), lambda f: ("if", f[1][1], negated(f[1][2]))),
    (lambda f: _is(f, "if"), lambda f: ("and", f[1], f[2])),
    (lambda f: _is(f, "and"), lambda f: ("not", ("and", negated(f[1]), negated(f[2])))),
    (lambda f: _is(f, "or"), lambda f: ("if", f[1], f[2])),
)


def _rewritten(rng: np.random.Generator, formula: Formula, laws: Sequence[Law]) -> Formula:
    """Apply one law at one place; the formula itself where none applies anywhere."""
    choices = [(path, law) for path in _paths(formula) for law in laws if law[0](_at(formula, path))]
    if not choices:
        return formula
    path, (_, rewrite) = pick(rng, choices)
    return _without_double_negation(_replaced(formula, path, rewrite(_at(formula, path))))


def _without_double_negation(formula: Formula) -> Formula:
    match formula:
        case ("not", ("not", inner)):
            return _without_double_negation(inner)
        case (connective, *parts):
            return (connective, *map(_without_double_negation, parts))
        case _:
            return formula


def _paths(formula: Formula) -> list[tuple[int, ...]]:
    if isinstance(formula, int):
        return [()]
    return [(), *((part, *path) for part in range(1, len(formula)) for path in _paths(formula[part]))]


def _at(formula: Formula, path: Sequence[int]) -> Formula:
    for part in path:
        formula = formula[part]
    return formula


def _replaced(formula: Formula, path: Sequence[int], new: Formula) -> Formula:
    if not path:
        return new
    return tuple(_replaced(part, path[1:], new) if at == path[0] else part for at, part in enumerate(formula))


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "equivalence": equivalence,
    "truth_table": truth_table,
}
