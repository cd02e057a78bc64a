"""Families: what two people are to each other, over several steps."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample, shuffled

KINSHIP: dict[str, tuple[str, str]] = {
    "P": ("father", "mother"),
    "C": ("son", "daughter"),
    "S": ("brother", "sister"),
    "M": ("husband", "wife"),
    "PP": ("grandfather", "grandmother"),
    "CC": ("grandson", "granddaughter"),
    "PS": ("uncle", "aunt"),
    "SC": ("nephew", "niece"),
    "MP": ("father-in-law", "mother-in-law"),
    "CM": ("son-in-law", "daughter-in-law"),
    "MS": ("brother-in-law", "sister-in-law"),
    "SM": ("brother-in-law", "sister-in-law"),
    "PPP": ("great-grandfather", "great-grandmother"),
    "CCC": ("great-grandson", "great-granddaughter"),
    "PPS": ("great-uncle", "great-aunt"),
    "SCC": ("great-nephew", "great-niece"),
    "PSC": ("cousin", "cousin"),
}
"""Who it is at the end of a path of parents, children, siblings and married partners: a man and a woman."""
LONGER = {"S": "SS", "P": "SP", "C": "CS"}
"""The same relative by one step more: a brother's brother is a brother, if brothers and sisters share their parents."""
BACK = {"P": "C", "C": "P", "S": "S", "M": "M"}


def family(rng: np.random.Generator, difficulty: int, *, women: Sequence[str], men: Sequence[str]) -> dict[str, Any]:
    """Statements that lead from one person to another through a family, and what the one is to the other.

    Two steps at difficulty 1 and 2, three at 3, four and five above, where a step more leads to the same relative. From 2 on
    statements are shuffled and said from either side; from 4 on others stand among them.
    """
    n_steps = (2, 2, 3, 4, 5)[difficulty - 1]
    n_others = (0, 1, 1, 2, 2)[difficulty - 1]
    path = relation = pick(rng, [known for known in KINSHIP if len(known) == min(n_steps, 3)])
    while len(path) < n_steps:
        at = pick(rng, [position for position, step in enumerate(path) if step in LONGER])
        path = path[:at] + LONGER[path[at]] + path[at + 1 :]
    female = [bool(rng.integers(2)) for _ in range(len(path) + 1 + n_others)]
    for step, kind in enumerate(path):
        if kind == "M":
            female[step + 1] = not female[step]
    pools = {True: sample(rng, women, len(female)), False: sample(rng, men, len(female))}
    names = [pools[is_woman].pop() for is_woman in female]
    links = [(step, kind, step + 1) for step, kind in enumerate(path)]
    for other in range(len(path) + 1, len(names)):  # a child of somebody on the way, who leads nowhere
        links.append((int(rng.integers(len(path) + 1)), "C", other))
    said = []
    for one, kind, other in links:
        if difficulty > 1 and rng.integers(2):
            one, kind, other = other, BACK[kind], one
        said.append(f"{names[other]} is {_possessive(names[one])} {KINSHIP[kind][female[other]]}.")
    if difficulty > 1:
        said = shuffled(rng, said)
    end = female[len(path)]
    answer = KINSHIP[relation][end]
    near = [KINSHIP[known][end] for known in KINSHIP if abs(len(known) - len(relation)) < 2]
    wrong = list(dict.fromkeys(word for word in near if word != answer))
    return {
        "statements": " ".join(said),
        "from": names[0],
        "to": names[len(path)],
        "relation": answer,
        "wrong": sample(rng, wrong, 3),
        "n_steps": n_steps,
        "n_statements": len(said),
        "steps": [
            f"{names[step + 1]} is {_possessive(names[step])} {KINSHIP[kind][female[step + 1]]}."
            for step, kind in enumerate(path)
        ],
    }


def _possessive(name: str) -> str:
    return f"{name}'s"


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "family": family,
}
