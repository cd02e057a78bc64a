"""Who tells the truth, where some lie. `qbench.generators.prover` looks at every world, so the targets are proved."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import sample
from qbench.generators.prover import (
    Claim,
    atoms,
    together,
)
from qbench.generators.wording import NUMBERS


def knights_and_knaves(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Islanders who always or never tell the truth, and statements of theirs that leave one possibility.

    Difficulty adds islanders, 2 to 6, and statements about several of them.
    """
    n = (2, 3, 4, 5, 6)[difficulty - 1]
    names = sorted(sample(rng, people, n))
    knight = atoms(n)
    n_knights = np.sum(knight, axis=0)

    def statement(speaker: int) -> tuple[str, Claim]:
        others = sample(rng, [person for person in range(n) if person != speaker], n - 1)
        one, other = others[0], others[-1]
        kind = int(rng.integers(4 if difficulty < 3 else 7))
        count = 1 + int(rng.integers(n - 1))
        islanders = "One of us is a knight" if count == 1 else f"{NUMBERS[count].capitalize()} of us are knights"
        return (
            (f"{names[one]} is a knave.", ~knight[one]),
            (f"{names[one]} is a knight.", knight[one]),
            (f"{names[one]} and I are of the same kind.", knight[one] == knight[speaker]),
            (f"{names[one]} and I are of different kinds.", knight[one] != knight[speaker]),
            (f"{islanders}, no more and no fewer.", n_knights == count),
            (f"{names[one]} is a knave or {names[other]} is a knight.", ~knight[one] | knight[other]),
            (f"{names[one]} and {names[other]} are both knaves.", ~knight[one] & ~knight[other]),
        )[kind]

    while True:
        said = [statement(speaker) for speaker in range(n)]
        left = together(knight[speaker] == truth for speaker, (_, truth) in enumerate(said))
        (worlds,) = np.nonzero(left)
        if len(worlds) == 1 and 0 < n_knights[worlds[0]] < n:
            break
    kinds = [bool(knight[person][worlds[0]]) for person in range(n)]
    wrong = [
        [name for position, name in enumerate(names) if kinds[position] != (position == slip)] for slip in range(n)
    ]
    return {
        "names": names,
        "statements": [f"{name}: “{words}”" for name, (words, _) in zip(names, said, strict=True)],
        "knights": [name for name, is_knight in zip(names, kinds, strict=True) if is_knight],
        "wrong": ["{" + ", ".join(some) + "}" for some in sample(rng, wrong, 3) if some],
        "n": n,
        "steps": [
            f"{name} is a {'knight' if is_knight else 'knave'}, so {'true' if is_knight else 'false'}: {words}"
            for name, is_knight, (words, _) in zip(names, kinds, said, strict=True)
        ],
    }


def inscriptions(rng: np.random.Generator, difficulty: int, *, colors: Sequence[str]) -> dict[str, Any]:
    """Boxes with inscriptions, a known number of which are true, and one place where the prize can be.

    Difficulty adds boxes, 3 to 6; at 1 and 2 exactly one inscription is true, and from 4 on one speaks about another.
    """
    n = (3, 3, 4, 5, 6)[difficulty - 1]
    names = sample(rng, colors, n)
    here = [np.arange(n) == box for box in range(n)]
    while True:
        said: list[tuple[str, Claim]] = []
        for box in range(n):
            one, other = sample(rng, [place for place in range(n) if place != box], 2)
            kind = int(rng.integers(4 if difficulty == 1 else 6))
            said.append(
                (
                    ("The prize is in this box.", here[box]),
                    ("The prize is not in this box.", ~here[box]),
                    (f"The prize is in the {names[one]} box.", here[one]),
                    (f"The prize is not in the {names[one]} box.", ~here[one]),
                    (f"The prize is in the {names[one]} or the {names[other]} box.", here[one] | here[other]),
                    (f"The prize is in this or the {names[one]} box.", here[box] | here[one]),
                )[kind]
            )
        if difficulty > 3:
            box, other = sample(rng, range(n), 2)
            words = f"The inscription on the {names[other]} box is {'true' if rng.integers(2) else 'false'}."
            said[box] = (words, said[other][1] if words.endswith("true.") else ~said[other][1])
        n_true = 1 if difficulty < 3 else 1 + int(rng.integers(n - 1))
        counts = np.sum([truth for _, truth in said], axis=0)
        (worlds,) = np.nonzero(counts == n_true)
        if len(worlds) == 1 and len({words for words, _ in said}) == n:
            break
    prize = int(worlds[0])
    return {
        "names": names,
        "inscriptions": [f"{name} box: “{words}”" for name, (words, _) in zip(names, said, strict=True)],
        "n_true": NUMBERS[n_true],
        "n": n,
        "prize": names[prize],
        "wrong": [name for name in names if name != names[prize]],
        "steps": [f"In the {name} box: {int(count)} would be true." for name, count in zip(names, counts, strict=True)],
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "inscriptions": inscriptions,
    "knights_and_knaves": knights_and_knaves,
}
