"""Sequences that are continued: numbers read aloud, and the next primes."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np


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
    "look_and_say": look_and_say,
    "primes_after": primes_after,
}
