"""Calculations whose structure varies: expressions with brackets, sums in few digits."""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, shuffled

PRECEDENCE = {"+": 1, "-": 1, "×": 2, "/": 2}


def bracketed(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An expression with brackets, and its operations in an order in which they can be done.

    Difficulty adds operations, two to eight; division, always exact, comes in at 3, and negative results on the way at 4.
    """
    n_operations = (2, 3, 4, 6, 8)[difficulty - 1]
    largest = (9, 9, 12, 15, 20)[difficulty - 1]
    limit = (99, 199, 999, 2999, 9999)[difficulty - 1]
    lowest = 1 if difficulty < 4 else -limit
    operators = "+-×" if difficulty < 3 else "+-×/"

    def grown(n: int) -> tuple[int, str, int, list[str]] | None:
        """The value, the text, the precedence and the steps of a random tree of ``n`` operations; None where it gets out of hand."""
        if n == 0:
            number = 2 + int(rng.integers(largest - 1))
            return number, str(number), 3, []
        n_left = int(rng.integers(n))
        one, other = grown(n_left), grown(n - 1 - n_left)
        operator = pick(rng, operators)
        if one is None or other is None or (operator == "/" and (other[0] == 0 or one[0] % other[0])):
            return None
        left, left_text, left_precedence, left_steps = one
        right, right_text, right_precedence, right_steps = other
        value = {"+": left + right, "-": left - right, "×": left * right, "/": left // right if right else 0}[operator]
        precedence = PRECEDENCE[operator]
        if not lowest <= value <= limit or (operator == "/" and abs(right) == 1):
            return None
        if left_precedence < precedence:
            left_text = f"({left_text})"
        if right_precedence < precedence or (right_precedence == precedence and operator in "-/×"):
            right_text = f"({right_text})"
        step = f"{left} {operator} {right if right >= 0 else f'({right})'} = {value}"
        return value, f"{left_text} {operator} {right_text}", precedence, [*left_steps, *right_steps, step]

    while True:
        tree = grown(n_operations)
        if tree and "(" in tree[1]:
            return {"expression": tree[1], "value": tree[0], "steps": tree[3]}


def rounded_sum(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Numbers of very different size, added in both orders with a rounding to few digits after each step.

    Difficulty adds numbers, three to seven, and digits, two to five. The two orders give different results, and no rounding is a
    tie, so that every rule of rounding gives the same.
    """
    n_small = (2, 2, 3, 4, 6)[difficulty - 1]
    kept = (2, 3, 3, 4, 5)[difficulty - 1]
    while True:
        small = [1 + int(number) for number in rng.integers(10**kept - 1, size=n_small)]
        places = [kept, *(kept - 1 + int(extra) for extra in rng.integers(3, size=n_small - 1))]
        large = 10 ** (kept - 1) + int(rng.integers(9 * 10 ** (kept - 1)))
        numbers = [
            Decimal(large),
            *(Decimal(number).scaleb(-place) for number, place in zip(small, places, strict=True)),
        ]
        numbers = shuffled(rng, numbers)
        forward, backward = _added(numbers, kept), _added(numbers[::-1], kept)
        if forward and backward and forward[-1] != backward[-1]:
            return {
                "numbers": [f"{number:f}" for number in numbers],
                "kept": kept,
                "forward": [f"{total:f}" for total in forward],
                "backward": [f"{total:f}" for total in backward],
                "forward_sum": forward[-1],
                "backward_sum": backward[-1],
            }


def _added(numbers: Sequence[Decimal], digits: int) -> list[Decimal]:
    """The running total, rounded to so many significant digits after every step; empty where a rounding is a tie."""
    totals = [numbers[0]]
    for number in numbers[1:]:
        up, down = (
            Context(prec=digits, rounding=way).add(totals[-1], number) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)
        )
        if up != down:
            return []
        totals.append(up)
    return totals


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "bracketed": bracketed,
    "rounded_sum": rounded_sum,
}
