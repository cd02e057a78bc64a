"""Algorithms run by hand: the input, and every step that a reader has to follow."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def most_frequent(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An array in which one element occurs more often than every other."""
    length = (4, 6, 10, 18, 30)[difficulty - 1] + int(rng.integers(3 if difficulty < 3 else 6))
    smallest, n_different = ((1, 9), (1, 9), (1, 9), (10, 15), (100, 21))[difficulty - 1]
    while True:
        numbers = [smallest + int(number) for number in rng.integers(n_different, size=length)]
        (mode, count), (_, runner_up), *_ = [*Counter(numbers).most_common(2), (0, 0)]
        if count > runner_up:
            return {"numbers": numbers, "mode": mode, "count": count}


def binary_search(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A sorted list, a value in it, and the values that binary search looks at until it finds it (the lower middle of two)."""
    length = (3, 6, 12, 24, 45)[difficulty - 1] + int(rng.integers(3))
    numbers = sorted(1 + int(number) for number in rng.permutation(99)[:length])
    wanted = numbers[int(rng.integers(length))]
    probes: list[int] = []
    steps: list[str] = []
    low, high = 0, length - 1
    while not probes or probes[-1] != wanted:
        middle = (low + high) // 2
        probes.append(numbers[middle])
        if numbers[middle] < wanted:
            low = middle + 1
            steps.append(f"{numbers[middle]} is less than {wanted}: go right")
        elif numbers[middle] > wanted:
            high = middle - 1
            steps.append(f"{numbers[middle]} is greater than {wanted}: go left")
        else:
            steps.append(f"{numbers[middle]} is found")
    return {"numbers": numbers, "wanted": wanted, "probes": probes, "steps": steps}


def bubble_sort(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list, and what it looks like after each of some passes of bubble sort, all of which still change it."""
    length = (3, 4, 5, 7, 9)[difficulty - 1]
    n_passes = (1, 1, 2, 3, 4)[difficulty - 1]
    largest = 9 if difficulty == 1 else 99
    while True:
        numbers = [1 + int(number) for number in rng.permutation(largest)[:length]]
        after = list(itertools.accumulate(range(n_passes), lambda row, _: _bubbled(row), initial=numbers))
        if all(before != passed for before, passed in itertools.pairwise(after)):
            return {"numbers": numbers, "passes": n_passes, "after": after[1:], "result": after[-1]}


def _bubbled(row: list[int]) -> list[int]:
    passed = list(row)
    for at in range(len(passed) - 1):
        if passed[at] > passed[at + 1]:
            passed[at], passed[at + 1] = passed[at + 1], passed[at]
    return passed


def palindrome(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A string that reads the same in both directions, or, half of the time, differs in one letter from one that does."""
    n_letters = (3, 5, 7, 12, 20)[difficulty - 1] + int(rng.integers(2 if difficulty < 4 else 5))
    half = [LETTERS[int(letter)] for letter in rng.integers(len(LETTERS), size=(n_letters + 1) // 2)]
    letters = half + half[: n_letters // 2][::-1]
    if rng.integers(2):
        at = int(rng.integers(n_letters // 2))
        letters[at] = LETTERS[(LETTERS.index(letters[at]) + 1 + int(rng.integers(len(LETTERS) - 1))) % len(LETTERS)]
    return {"text": "".join(letters), "reversed": "".join(reversed(letters))}


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "most_frequent": most_frequent,
    "binary_search": binary_search,
    "bubble_sort": bubble_sort,
    "palindrome": palindrome,
}
