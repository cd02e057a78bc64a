"""Draws that numpy keeps stable, for generators: by `rng.integers` and `rng.permutation` alone."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw a whole number from ``low`` to ``high``, both included."""
    return low + int(rng.integers(high - low + 1))


def numbers_of(rng: np.random.Generator, n_digits: int, count: int) -> list[int]:
    """Different numbers of so many digits."""
    smallest, found = 10 ** (n_digits - 1), list[int]()
    while len(found) < count:
        number = int(rng.integers(smallest, 10 * smallest))
        if number not in found:
            found.append(number)
    return found


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options."""
    return options[int(rng.integers(len(options)))]


def sample(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """Draw different options, in random order."""
    return [options[int(position)] for position in rng.permutation(len(options))[:count]]


def shuffled(rng: np.random.Generator, options: Sequence[T]) -> list[T]:
    """Return all the options in random order."""
    return sample(rng, options, len(options))


def interleave(rng: np.random.Generator, sequences: Sequence[Sequence[str]]) -> list[str]:
    """Merge sequences at random, each in its own order."""
    turns = shuffled(rng, [position for position, sequence in enumerate(sequences) for _ in sequence])
    queues = [iter(sequence) for sequence in sequences]
    return [next(queues[position]) for position in turns]


def others(rng: np.random.Generator, answer: str, near: Sequence[str], far: Sequence[str], count: int = 3) -> list[str]:
    """Wrong choices: those that occur in the document, and where they are too few, some that do not."""
    seen = [name for name in dict.fromkeys(near) if name != answer]
    unseen = [name for name in far if name != answer and name not in seen]
    return (shuffled(rng, seen) + shuffled(rng, unseen))[:count]
