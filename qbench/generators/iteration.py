"""Steps that are repeated: programs in pseudo code, rows of cells, Euclid's divisions, sums with the reversal."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample


def program(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A short loop in pseudo code over two to four variables, and the value of the first after every pass.

    Difficulty adds variables, statements, passes and, from 3 on, a condition that is met in some passes only.
    """
    names = "abcd"[: (2, 2, 2, 3, 4)[difficulty - 1]]
    n_statements = (1, 2, 2, 3, 4)[difficulty - 1]
    passes = (2, 3, 4, 5, 6)[difficulty - 1]
    largest = (9, 9, 20, 20, 40)[difficulty - 1]
    limit = (99, 199, 499, 999, 1999)[difficulty - 1]
    while True:
        start = {name: 1 + int(rng.integers(largest)) for name in names}
        statements = [_statement(rng, names, largest) for _ in range(n_statements)]
        if difficulty >= 3:
            statements.append(_conditional(rng, names, largest))
        state = dict(start)
        after: list[dict[str, int]] = []
        met: set[bool] = set()
        for _ in range(passes):
            for _, target, operation, test in statements:
                holds = test is None or test(state)
                if test is not None:
                    met.add(holds)
                if holds:
                    state[target] = operation(state)
            after.append(dict(state))
        values = [row["a"] for row in after]
        calm = all(abs(value) <= limit for row in after for value in row.values())
        every = {target for _, target, _, _ in statements}
        lively = len(set(values)) == len(values) and (difficulty < 3 or len(met) == 2)
        if calm and lively and "a" in every and len(every) == min(len(names), n_statements):
            lines = [text for text, *_ in statements]
            if len(set(lines)) == len(lines):
                break
    return {
        "start": [f"{name} = {number}" for name, number in start.items()],
        "lines": lines,
        "passes": passes,
        "after": [", ".join(f"{name} = {number}" for name, number in row.items()) for row in after],
        "values": values,
        "operations": passes * len(lines),
    }


State = dict[str, int]
Statement = tuple[str, str, Callable[[State], int], Callable[[State], bool] | None]
"""A line of a program: its text, the variable it sets, the new value, and the condition under which it does."""


def _statement(rng: np.random.Generator, names: str, largest: int) -> Statement:
    one, other = sample(rng, names, 2)
    number = 2 + int(rng.integers(largest - 1))
    choices: list[Statement] = [
        (f"{one} = {one} + {other}", one, lambda state: state[one] + state[other], None),
        (f"{one} = {other} - {one}", one, lambda state: state[other] - state[one], None),
        (f"{one} = {one} + {number}", one, lambda state: state[one] + number, None),
        (f"{one} = 2 * {one} - {number}", one, lambda state: 2 * state[one] - number, None),
        (f"{one} = {one} - {other} + {number}", one, lambda state: state[one] - state[other] + number, None),
    ]
    return pick(rng, choices)


def _conditional(rng: np.random.Generator, names: str, largest: int) -> Statement:
    one, other = sample(rng, names, 2)
    number = 2 + int(rng.integers(largest - 1))
    choices: list[Statement] = [
        (
            f"if {one} > {other} then {one} = {one} - {other}",
            one,
            lambda state: state[one] - state[other],
            lambda state: state[one] > state[other],
        ),
        (
            f"if {one} is odd then {other} = {other} + {number}",
            other,
            lambda state: state[other] + number,
            lambda state: state[one] % 2 == 1,
        ),
        (
            f"if {one} < {number} then {one} = {one} + {other}",
            one,
            lambda state: state[one] + state[other],
            lambda state: state[one] < number,
        ),
    ]
    return pick(rng, choices)


def euclid(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Two numbers whose greatest common divisor takes a given number of divisions, from one to ten; they grow with it."""
    fewest, most = ((1, 2), (2, 3), (3, 4), (5, 6), (7, 10))[difficulty - 1]
    low, high, least = ((7, 30, 2), (20, 99, 5), (100, 999, 20), (1000, 9999, 300), (100000, 999999, 10000))[
        difficulty - 1
    ]
    while True:
        a = low + int(rng.integers(high - low + 1))
        b = least + int(rng.integers(a - least))
        steps, pair = 0, (a, b)
        while pair[1]:
            pair = (pair[1], pair[0] % pair[1])
            steps += 1
        if fewest <= steps <= most:
            return {"steps": steps, "a": a, "b": b}


RULES: dict[str, Callable[[int, int, int], bool]] = {
    "exactly one of its two neighbors was black": lambda left, _, right: left + right == 1,
    "exactly one cell among itself and its two neighbors was black": lambda left, own, right: left + own + right == 1,
    "one or three cells among itself and its two neighbors were black": lambda left, own, right: (
        (left + own + right) % 2 == 1
    ),
    "exactly two cells among itself and its two neighbors were black": lambda left, own, right: left + own + right == 2,
    "it was white and at least one of its two neighbors was black": lambda left, own, right: (
        not own and left + right > 0
    ),
    "it was black and its right neighbor white, or it was white and its left neighbor black": lambda left, own, right: (
        not right if own else left == 1
    ),
}


def automaton(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A row of black and white cells and what a rule makes of it. Difficulty adds cells, five to fifteen, and steps, one to five."""
    width = (5, 6, 8, 11, 14)[difficulty - 1] + int(rng.integers(2))
    steps = (1, 2, 3, 4, 5)[difficulty - 1]
    said = list(RULES)
    while True:
        rule = pick(rng, said)
        rows = [[int(cell) for cell in rng.integers(2, size=width)]]
        for _ in range(steps):
            padded = [0, *rows[-1], 0]
            rows.append([int(RULES[rule](*padded[place : place + 3])) for place in range(width)])
        counts = [sum(row) for row in rows]
        texts = ["".join("#" if cell else "." for cell in row) for row in rows]
        if min(counts) > 0 and len(set(texts)) == len(texts) and (steps < 3 or len(set(counts[1:])) > 1):
            return {"rule": rule, "rows": texts, "counts": counts, "steps": steps, "width": width}


def reverse_and_add(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A number to which its reversal is added again and again. Difficulty adds digits and steps; no term is a palindrome early."""
    n_digits = (2, 3, 3, 4, 6)[difficulty - 1]
    steps = (1, 2, 3, 4, 5)[difficulty - 1]
    while True:
        start = 10 ** (n_digits - 1) + int(rng.integers(9 * 10 ** (n_digits - 1)))
        numbers = [start]
        for _ in range(steps):
            numbers.append(numbers[-1] + int(str(numbers[-1])[::-1]))
        if all(str(number) != str(number)[::-1] and number % 10 for number in numbers[:-1]):
            sums = [f"{one} + {str(one)[::-1]} = {other}" for one, other in itertools.pairwise(numbers)]
            return {"start": start, "numbers": numbers[1:], "sums": sums, "steps": steps, "digits": n_digits}


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "automaton": automaton,
    "euclid": euclid,
    "program": program,
    "reverse_and_add": reverse_and_add,
}
