"""Draws that numpy keeps stable, for generators: by `rng.integers` and `rng.permutation` alone."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw a whole number from ``low`` to ``high``, both included."""
    return low + int(rng.integers(high - low + 1))


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options."""
    return options[int(rng.integers(len(options)))]


def sample(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """Draw different options, in random order."""
    return [options[int(position)] for position in rng.permutation(len(options))[:count]]
