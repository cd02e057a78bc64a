"""Calculations whose structure varies: bracketed expressions, sums in few digits, recursions that branch, programs run by hand."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np

# ---------------------------------------------------------------- calculations

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
        operator = operators[int(rng.integers(len(operators)))]
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
        numbers = [numbers[int(position)] for position in rng.permutation(len(numbers))]
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


# ---------------------------------------------------------------- recursion


def nested_list(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list of numbers and lists, and how deep each number lies. Difficulty adds depth, two to five, and numbers."""
    depth = (2, 2, 3, 4, 5)[difficulty - 1]
    n_numbers = (3, 4, 6, 8, 11)[difficulty - 1]
    largest = (5, 9, 9, 9, 20)[difficulty - 1]

    def grown(n: int, below: int) -> list[Any]:
        """A list with ``n`` numbers in it whose deepest element lies ``below`` levels down."""
        if below == 1:
            return [1 + int(rng.integers(largest)) for _ in range(n)]
        n_deep = 1 + int(rng.integers(max(1, n - 1)))
        rest: list[Any] = [1 + int(rng.integers(largest)) for _ in range(n - n_deep)]
        if len(rest) > 3 and below > 2:  # a second branch, less deep
            rest = [*rest[2:], rest[:2]]
        at = int(rng.integers(len(rest) + 1))
        return [*rest[:at], grown(n_deep, below - 1), *rest[at:]]

    while True:
        nested = grown(n_numbers, depth)
        found = list(_with_depth(nested, 1))
        if len({level for _, level in found}) >= min(depth, 4) and max(level for _, level in found) == depth:
            break
    by_depth = {level: [number for number, other in found if other == level] for level in range(1, depth + 1)}
    return {
        "nested": str(nested),
        "numbers": [number for number, _ in found],
        "depths": [level for _, level in found],
        "sums": [{"depth": level, "sum": sum(numbers)} for level, numbers in by_depth.items() if numbers],
        "depth": depth,
    }


def _with_depth(nested: Sequence[Any], depth: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for element in nested:
        found += _with_depth(element, depth + 1) if isinstance(element, list) else [(element, depth)]
    return found


def nested_calls(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A function that calls itself on its own result, as McCarthy's does, and the arguments of all calls in order.

    Difficulty adds calls, from two or three to about twenty.
    """
    shortest, longest = ((2, 3), (3, 5), (5, 8), (9, 13), (14, 20))[difficulty - 1]
    while True:
        border = 10 + int(rng.integers((10, 20, 40, 90, 190)[difficulty - 1]))
        less = 2 + int(rng.integers((6, 9, 9, 12, 15)[difficulty - 1]))
        more = less + 1 + int(rng.integers(4))
        start = border + 4 - int(rng.integers(30))
        calls: list[int] = []

        def called(
            argument: int, border: int = border, less: int = less, more: int = more, calls: list[int] = calls
        ) -> int:
            calls.append(argument)
            if len(calls) > 40:
                return 0
            return argument - less if argument > border else called(called(argument + more))

        result = called(start)
        if shortest <= len(calls) <= longest and start > 0:
            return {"border": border, "less": less, "more": more, "start": start, "calls": calls, "result": result}


def elimination(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Players in a circle of whom every k-th leaves. Difficulty adds players, three to fifteen, and lengthens the count."""
    n_players = (3, 5, 7, 10, 13)[difficulty - 1] + int(rng.integers(3))
    count = 2 + int(rng.integers((4, 4, 4, 6, 8)[difficulty - 1]))
    first = 1 + int(rng.integers(n_players))
    circle = [1 + (first - 1 + place) % n_players for place in range(n_players)]
    leaving: list[int] = []
    at = 0
    while circle:
        at = (at + count - 1) % len(circle)
        leaving.append(circle.pop(at))
    return {"players": n_players, "count": count, "first": first, "leaving": leaving}


def coin_ways(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An amount, coins that may be used as often as wanted, and in how many ways they make it: by the number of the largest coin.

    Difficulty adds coins, two to four, and raises the amount.
    """
    n_coins = (2, 2, 3, 3, 4)[difficulty - 1]
    kinds = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20]
    while True:
        others = sorted(kinds[int(position)] for position in rng.permutation(len(kinds))[: n_coins - 1])
        coins = [1, *others]
        smallest, largest = ((5, 20), (15, 40), (12, 30), (25, 60), (25, 60))[difficulty - 1]
        amount = smallest + int(rng.integers(largest - smallest + 1))
        top = coins[-1]
        by_largest = [ways_to_make(amount - used * top, coins[:-1]) for used in range(amount // top + 1)]
        if (2 if difficulty < 3 else 3) <= len(by_largest) <= 8:
            return {"coins": coins, "amount": amount, "by_largest": by_largest, "largest": top, "ways": sum(by_largest)}


def ways_to_make(amount: int, coins: Sequence[int]) -> int:
    """In how many ways the coins make the amount, the order of the coins not counted."""
    ways = [1, *[0] * amount]
    for coin in coins:
        for total in range(coin, amount + 1):
            ways[total] += ways[total - coin]
    return ways[amount]


def grid_paths(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A grid with walls, and how many paths right and down reach each cell. Difficulty adds rows, columns and walls."""
    n_rows, n_columns, n_walls = ((2, 3, 0), (3, 3, 1), (3, 5, 2), (4, 5, 3), (5, 6, 4))[difficulty - 1]
    n_columns += int(rng.integers(4 if difficulty < 3 else 3))
    if difficulty == 1:
        n_rows += int(rng.integers(2))
        n_walls += int(rng.integers(2))
    cells = [(row, column) for row in range(n_rows) for column in range(n_columns)][1:-1]
    while True:
        walls = {cells[int(position)] for position in rng.permutation(len(cells))[:n_walls]}
        paths: list[list[int]] = []
        for row in range(n_rows):
            paths.append([])
            for column in range(n_columns):
                above = paths[row - 1][column] if row else 0
                left = paths[row][column - 1] if column else 0
                free = (row, column) not in walls
                paths[row].append((above + left if row or column else 1) if free else 0)
        if paths[-1][-1] > 1:
            break
    grid = ["".join("#" if (row, column) in walls else "." for column in range(n_columns)) for row in range(n_rows)]
    return {"grid": grid, "paths": paths, "cells": n_rows * n_columns, "n_paths": paths[-1][-1]}


LETTERS = "ABC"


def rewriting(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Letters that are replaced all at once, as in a Lindenmayer system, step by step, and three ways to get the last text wrong.

    Difficulty lengthens the last text, from about 4 letters to 40, and adds a third letter at 3.
    """
    n_letters = 2 if difficulty < 3 else 3
    n_steps = (2, 3, 3, 4, 5)[difficulty - 1]
    shortest, longest = ((4, 9), (7, 13), (11, 18), (18, 28), (28, 40))[difficulty - 1]
    letters = LETTERS[:n_letters]
    while True:
        rules = {
            letter: "".join(letters[int(other)] for other in rng.integers(n_letters, size=1 + int(rng.integers(3))))
            for letter in letters
        }
        texts = [letters[0]]
        for _ in range(n_steps):
            texts.append(rewritten(texts[-1], rules))
        last = texts[-1]
        wrong = _miswritten(rng, last, rewritten(last, rules), texts[-2])
        varied = len(set(texts)) == len(texts) and set(last) == set(letters) and len(set(rules.values())) == n_letters
        varied = varied and all(letter * 5 not in last for letter in letters)  # long runs are hard to count, and dull
        if varied and shortest <= len(last) <= longest and len(wrong) == 3:
            said = [f"{letter} becomes {text}" for letter, text in rules.items()]
            return {
                "rules": said,
                "texts": texts,
                "result": last,
                "wrong": wrong,
                "steps": n_steps,
                "length": len(last),
            }


def rewritten(text: str, rules: Mapping[str, str]) -> str:
    return "".join(rules[letter] for letter in text)


def _miswritten(rng: np.random.Generator, text: str, after: str, before: str) -> list[str]:
    """A letter lost, two neighbors swapped, and a letter changed, near the end of the text; or a step too few where these agree."""
    half = len(text) // 2
    at = half + int(rng.integers(len(text) - half))
    lost = text[:at] + text[at + 1 :]
    swaps = [place for place in range(half, len(text) - 1) if text[place] != text[place + 1]]
    swapped = text
    if swaps:
        place = swaps[int(rng.integers(len(swaps)))]
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    other = "B" if text[at] == "A" else "A"
    changed = text[:at] + other + text[at + 1 :]
    candidates = dict.fromkeys((lost, swapped, changed, before, after))
    return [candidate for candidate in candidates if candidate != text][:3]


# ---------------------------------------------------------------- iteration


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
    one, other = (names[int(position)] for position in rng.permutation(len(names))[:2])
    number = 2 + int(rng.integers(largest - 1))
    choices: list[Statement] = [
        (f"{one} = {one} + {other}", one, lambda state: state[one] + state[other], None),
        (f"{one} = {other} - {one}", one, lambda state: state[other] - state[one], None),
        (f"{one} = {one} + {number}", one, lambda state: state[one] + number, None),
        (f"{one} = 2 * {one} - {number}", one, lambda state: 2 * state[one] - number, None),
        (f"{one} = {one} - {other} + {number}", one, lambda state: state[one] - state[other] + number, None),
    ]
    return choices[int(rng.integers(len(choices)))]


def _conditional(rng: np.random.Generator, names: str, largest: int) -> Statement:
    one, other = (names[int(position)] for position in rng.permutation(len(names))[:2])
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
    return choices[int(rng.integers(len(choices)))]


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
        rule = said[int(rng.integers(len(said)))]
        rows = [[int(cell) for cell in rng.integers(2, size=width)]]
        for _ in range(steps):
            padded = [0, *rows[-1], 0]
            rows.append([int(RULES[rule](*padded[place : place + 3])) for place in range(width)])
        counts = [sum(row) for row in rows]
        texts = ["".join("#" if cell else "." for cell in row) for row in rows]
        if min(counts) > 0 and len(set(texts)) == len(texts) and (steps < 3 or len(set(counts[1:])) > 1):
            return {"rule": rule, "rows": texts, "counts": counts, "steps": steps, "width": width}


# ---------------------------------------------------------------- sequences


def look_and_say(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A number and the ones that describe it, each read aloud from the one before. Difficulty adds terms and digits."""
    n_terms = (1, 1, 2, 3, 4)[difficulty - 1]
    n_digits = (2, 4, 3, 3, 3)[difficulty - 1]
    while True:
        digits = [1 + int(digit) for digit in rng.integers((3, 3, 5, 6, 9)[difficulty - 1], size=n_digits)]
        if difficulty == 1:  # runs, so that even one step has something to count
            digits = [digit for digit in digits for _ in range(1 + int(rng.integers(4)))]
        terms = ["".join(map(str, digits))]
        for _ in range(n_terms):
            terms.append("".join(f"{len(list(run))}{digit}" for digit, run in itertools.groupby(terms[-1])))
        if len(set(terms)) == len(terms) and len(terms[-1]) <= 20:
            return {"first": terms[0], "terms": [int(term) for term in terms[1:]], "length": sum(map(len, terms[1:]))}


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


def primes_after(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """The primes that follow a number. Difficulty adds digits to the number, one to four, and primes, two to five."""
    low, high = ((2, 40), (20, 99), (100, 300), (300, 1500), (1500, 9500))[difficulty - 1]
    n_primes = (2, 3, 4, 5, 5)[difficulty - 1] + int(rng.integers(2))
    start = low + int(rng.integers(high - low))
    numbers = list(range(start + 1, start + 200))
    primes = [number for number in numbers if smallest_factor(number) == number][:n_primes]
    traps = [number for number in range(start + 1, primes[-1]) if 5 < smallest_factor(number) < number]
    return {
        "start": start,
        "primes": primes,
        "traps": [f"{number} = {smallest_factor(number)} × {number // smallest_factor(number)}" for number in traps],
    }


def smallest_factor(number: int) -> int:
    """The smallest prime that divides a number of at least 2."""
    return next((factor for factor in range(2, math.isqrt(number) + 1) if number % factor == 0), number)


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "bracketed": bracketed,
    "rounded_sum": rounded_sum,
    "nested_list": nested_list,
    "nested_calls": nested_calls,
    "elimination": elimination,
    "coin_ways": coin_ways,
    "grid_paths": grid_paths,
    "rewriting": rewriting,
    "program": program,
    "euclid": euclid,
    "automaton": automaton,
    "look_and_say": look_and_say,
    "reverse_and_add": reverse_and_add,
    "primes_after": primes_after,
}
