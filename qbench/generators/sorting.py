"""Lists that are counted, searched and sorted by hand, with every step that a reader has to follow."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.generators.drawing import sample


def most_frequent(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An array in which one element occurs more often than every other; ``others`` are the most frequent ones after it."""
    length = (4, 6, 10, 18, 30)[difficulty - 1] + int(rng.integers(3 if difficulty < 3 else 6))
    smallest, n_different = ((1, 9), (1, 9), (1, 9), (10, 15), (100, 21))[difficulty - 1]
    while True:
        numbers = [smallest + int(number) for number in rng.integers(n_different, size=length)]
        (mode, count), *others = Counter(numbers).most_common(4)
        if not others or count > others[0][1]:
            return {"numbers": numbers, "mode": mode, "count": count, "others": [element for element, _ in others]}


def binary_search(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A sorted list, a value in it, and the values that binary search looks at until it finds it (the lower middle of two)."""
    length = (3, 6, 12, 24, 45)[difficulty - 1] + int(rng.integers(3))
    numbers = sorted(sample(rng, range(1, 100), length))
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
        numbers = sample(rng, range(1, largest + 1), length)
        after = list(itertools.accumulate(range(n_passes), lambda row, _: _bubbled(row), initial=numbers))
        if all(before != passed for before, passed in itertools.pairwise(after)):
            return {"numbers": numbers, "passes": n_passes, "after": after[1:], "result": after[-1]}


def _bubbled(row: list[int]) -> list[int]:
    passed = list(row)
    for at in range(len(passed) - 1):
        if passed[at] > passed[at + 1]:
            passed[at], passed[at + 1] = passed[at + 1], passed[at]
    return passed


def insertion_sort(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list after some insertions of insertion sort. Difficulty adds elements and insertions, and so moves."""
    length = (3, 4, 6, 8, 10)[difficulty - 1]
    n_insertions = (1, 2, 3, 5, 7)[difficulty - 1]
    while True:
        numbers = sample(rng, range(1, 10 if difficulty == 1 else 100), length)
        row = list(numbers)
        after: list[list[int]] = []
        moves = 0
        for position in range(1, n_insertions + 1):
            place = sum(number < row[position] for number in row[:position])
            moves += position - place
            row.insert(place, row.pop(position))
            after.append(row[: position + 1])
        # The last insertion must change something, or a list of one insertion fewer would be right as well.
        if after[-1][-1] != numbers[n_insertions]:
            return {"numbers": numbers, "insertions": n_insertions, "after": after, "result": row, "moves": moves}


def quicksort_partition(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list partitioned around its last element (Lomuto). Difficulty adds elements."""
    length = (3, 5, 7, 9, 12)[difficulty - 1]
    while True:
        numbers = sample(rng, range(1, 10 if difficulty == 1 else 100), length)
        row, pivot, border = list(numbers), numbers[-1], 0
        swaps: list[str] = []
        for position in range(length - 1):
            if row[position] < pivot:
                if position != border:
                    swaps.append(f"swap {row[border]} and {row[position]}")
                    row[border], row[position] = row[position], row[border]
                border += 1
        row[border], row[-1] = row[-1], row[border]
        if len(swaps) >= difficulty - 1 and swaps and 0 < border < length - 1:
            return {"numbers": numbers, "pivot": pivot, "border": border, "swaps": swaps, "result": row}


def heap_insertions(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A binary min-heap in an array, and numbers inserted into it. Difficulty makes the heap larger and the insertions more."""
    size = (2, 3, 5, 7, 10)[difficulty - 1]
    n_insertions = (1, 1, 2, 3, 4)[difficulty - 1]
    while True:
        numbers = sample(rng, range(1, 10 if difficulty == 1 else 100), size + n_insertions)
        heap = sorted(numbers[:size]) if difficulty == 1 else []
        for number in numbers[len(heap) : size]:
            _sift_up(heap, number)
        before = list(heap)
        steps, swaps = [], 0
        for number in numbers[size:]:
            passed = _sift_up(heap, number)
            swaps += len(passed)
            steps.append(f"{number} is swapped with {', '.join(map(str, passed))}" if passed else f"{number} stays")
        if swaps >= n_insertions:
            return {"heap": before, "inserted": numbers[size:], "steps": steps, "result": heap, "swaps": swaps}


def _sift_up(heap: list[int], number: int) -> list[int]:
    """Insert a number into a min-heap and return the parents with which it changed places."""
    heap.append(number)
    at = len(heap) - 1
    passed = []
    while at and heap[at] < heap[(at - 1) // 2]:
        passed.append(heap[(at - 1) // 2])
        heap[at], heap[(at - 1) // 2] = heap[(at - 1) // 2], heap[at]
        at = (at - 1) // 2
    return passed


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "binary_search": binary_search,
    "bubble_sort": bubble_sort,
    "heap_insertions": heap_insertions,
    "insertion_sort": insertion_sort,
    "most_frequent": most_frequent,
    "quicksort_partition": quicksort_partition,
}
