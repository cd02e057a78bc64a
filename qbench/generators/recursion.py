"""Recursions that branch: lists in lists, functions of themselves, circles, coins, paths and texts that grow."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample


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
        others = sorted(sample(rng, kinds, n_coins - 1))
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
        walls = set(sample(rng, cells, n_walls))
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
    """A letter lost, two neighbors swapped, and a letter changed, near the end of the text; or a step too few where these agree.

    The letter that is lost is none of those alike at the end, or what is left would be how the text begins.
    """
    half = len(text) // 2
    at = half + int(rng.integers(len(text) - half))
    lost_at = min(at, len(text.rstrip(text[-1])) - 1)
    lost = text[:lost_at] + text[lost_at + 1 :]
    swaps = [place for place in range(half, len(text) - 1) if text[place] != text[place + 1]]
    swapped = text
    if swaps:
        place = pick(rng, swaps)
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    other = "B" if text[at] == "A" else "A"
    changed = text[:at] + other + text[at + 1 :]
    candidates = dict.fromkeys((lost, swapped, changed, before, after))
    return [candidate for candidate in candidates if candidate != text][:3]


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "coin_ways": coin_ways,
    "elimination": elimination,
    "grid_paths": grid_paths,
    "nested_calls": nested_calls,
    "nested_list": nested_list,
    "rewriting": rewriting,
}
