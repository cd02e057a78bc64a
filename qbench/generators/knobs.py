"""The knobs of long documents: options that are one number, or five, one for each difficulty.

A generator of long documents returns its ``document`` beside the parts of its question.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.filler import Later

Knob = int | Later | Sequence[int]
WORDS = (100, 200, 400, 900, 1800)
"""How long documents are, by difficulty."""


def knobs(**defaults: Knob) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]]:
    """Let a generator have the value that each of its knobs, ``words`` among them, has at the difficulty.

    What a template's options leave out is as in ``defaults``.
    """

    def at_difficulty(generate: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        @functools.wraps(generate)
        def generator(rng: np.random.Generator, difficulty: int, **options: Knob) -> dict[str, Any]:
            settings = {"words": WORDS, **defaults, **options}
            values = {
                name: knob[difficulty - 1] if isinstance(knob, Sequence) else knob for name, knob in settings.items()
            }
            return generate(rng, difficulty, **values)

        return generator

    return at_difficulty
