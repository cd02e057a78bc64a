"""Chances that need a count over a small world: the cards of a deck, the faces of two dice, the cases of two hospitals."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from qbench.generators.drawing import between, pick

RANKS = ("ace", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "jack", "queen", "king")
COLORS = {"heart": "red", "diamond": "red", "spade": "black", "club": "black"}
FACES = ("jack", "queen", "king")

Card = tuple[str, str]
DECK: list[Card] = [(rank, suit) for rank in RANKS for suit in COLORS]


def card_event(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw an event of a single card, such as "a red ace or a king", and count the cards that fulfil it.

    Difficulty sets which kinds of cards are joined by "or", and whether they may share cards, so that adding up is not enough.
    """
    kinds = (
        ((_rank, _suit, _colored_rank)[int(rng.integers(3))],),
        (_rank, _rank),
        (_colored_rank, _rank),
        (_suit, _rank),
        (_suit, _colored_rank, _colored_face),
    )[difficulty - 1]
    parts: dict[str, set[Card]] = {}
    for kind in kinds:
        text, cards = kind(rng)
        # A kind inside another ("a red king or a king") would add nothing.
        while any(cards <= other or other <= cards for other in parts.values()):
            text, cards = kind(rng)
        parts[text] = cards
    overlaps = sum(not one.isdisjoint(other) for one, other in combinations(parts.values(), 2))
    *others, last = parts
    event = f"{', '.join(others)} or {last}" if others else last
    favorable = len(set().union(*parts.values()))
    return {"event": event, "favorable": favorable, "parts": len(parts), "overlaps": overlaps}


def _rank(rng: np.random.Generator) -> tuple[str, set[Card]]:
    rank = pick(rng, RANKS)
    return f"{'an' if rank[0] in 'ae' else 'a'} {rank}", {card for card in DECK if card[0] == rank}


def _suit(rng: np.random.Generator) -> tuple[str, set[Card]]:
    suit = pick(rng, tuple(COLORS))
    return f"a {suit}", {card for card in DECK if card[1] == suit}


def _colored_rank(rng: np.random.Generator) -> tuple[str, set[Card]]:
    color, rank = pick(rng, ("red", "black")), pick(rng, RANKS)
    return f"a {color} {rank}", {card for card in DECK if card[0] == rank and COLORS[card[1]] == color}


def _colored_face(rng: np.random.Generator) -> tuple[str, set[Card]]:
    color = pick(rng, ("red", "black"))
    return f"a {color} face card", {card for card in DECK if card[0] in FACES and COLORS[card[1]] == color}


# ---------------------------------------------------------------- two dice

Roll = tuple[int, int]
Event = tuple[str, Callable[[Roll], bool]]


def dice_given(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw what is known of a red and a green die and what is asked, and count the rolls that fulfil one and both.

    Difficulty sets the sides of the dice and how many of their rolls remain: those of one face of one die, up to most of them.
    """
    sides = (6, 6, 8, 10, 12)[difficulty - 1] if difficulty > 1 else pick(rng, (4, 6, 8, 10))
    rolls = [(red, green) for red in range(1, sides + 1) for green in range(1, sides + 1)]
    most = sides if difficulty == 1 else 2 * sides if difficulty == 2 else sides**2 * (difficulty + 1) // 6
    least = 2 if difficulty < 3 else most // 3
    while True:
        given, fulfils_given = _known(rng, sides, difficulty)
        asked, fulfils_asked = _asked(rng, sides)
        possible = [roll for roll in rolls if fulfils_given(roll)]
        favorable = sum(map(fulfils_asked, possible))
        if least <= len(possible) <= most and 0 < favorable < len(possible):
            return {
                "sides": sides,
                "condition": given,
                "event": asked,
                "favorable": favorable,
                "possible": len(possible),
            }


def _known(rng: np.random.Generator, sides: int, difficulty: int) -> Event:
    face, total = between(rng, 1, sides), between(rng, 3, 2 * sides - 1)
    if difficulty == 1:
        die, position = pick(rng, (("red", 0), ("green", 1)))
        return f"The {die} die shows {_a(face)}", lambda roll: roll[position] == face
    events: tuple[Event, ...] = (
        (f"The sum is {total}", lambda roll: sum(roll) == total),
        (f"At least one of them shows {_a(face)}", lambda roll: face in roll),
        (f"The sum is greater than {total}", lambda roll: sum(roll) > total),
        (f"The sum is less than {total}", lambda roll: sum(roll) < total),
        ("The two numbers are different", lambda roll: roll[0] != roll[1]),
        (f"Neither of them shows {_a(face)}", lambda roll: face not in roll),
        ("The red die shows more than the green one", lambda roll: roll[0] > roll[1]),
        ("The sum is even", lambda roll: sum(roll) % 2 == 0),
    )
    return pick(rng, events if difficulty > 2 else events[:4])


def _asked(rng: np.random.Generator, sides: int) -> Event:
    face, total = between(rng, 1, sides), between(rng, 3, 2 * sides - 1)
    events: tuple[Event, ...] = (
        (f"the sum is {total}", lambda roll: sum(roll) == total),
        (f"the sum is greater than {total}", lambda roll: sum(roll) > total),
        (f"the red die shows {_a(face)}", lambda roll: roll[0] == face),
        (f"at least one of them shows {_a(face)}", lambda roll: face in roll),
        (f"the higher number is {face}", lambda roll: max(roll) == face),
        (f"the two numbers differ by {face - 1}", lambda roll: abs(roll[0] - roll[1]) == face - 1),
    )
    return pick(rng, events)


def _a(number: int) -> str:
    return f"{'an' if number in (8, 11, 18) else 'a'} {number}"


# ---------------------------------------------------------------- Simpson's paradox


def simpson_table(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw the cases of two hospitals such that one has the better rate in every group and the worse rate of all.

    Difficulty sets the number of patients and, at the highest level, a third group.
    """
    groups = ("mild", "severe") if difficulty < 5 else ("mild", "moderate", "severe")
    largest = (60, 120, 300, 900, 2000)[difficulty - 1]
    names = ("Hospital A", "Hospital B")
    good = between(rng, 0, 1)
    while True:
        # The better hospital takes the hard cases.
        rates = sorted((between(rng, 25, 92) for _ in groups), reverse=True)
        lead = [between(rng, 2, 9) for _ in groups]
        few_to_many = [sorted(between(rng, largest // 8, largest) for _ in groups) for _ in names]
        cases = [few_to_many[0], few_to_many[1][::-1]]
        cured = [
            [n * (rate + ahead) // 100 for n, rate, ahead in zip(cases[0], rates, lead, strict=True)],
            [n * rate // 100 for n, rate in zip(cases[1], rates, strict=True)],
        ]
        wins = [
            one * other_n > other * one_n
            for one, one_n, other, other_n in zip(cured[0], cases[0], cured[1], cases[1], strict=True)
        ]
        possible = all(cure <= n for cure, n in zip(cured[0], cases[0], strict=True))
        if possible and all(wins) and sum(cured[0]) * sum(cases[1]) < sum(cured[1]) * sum(cases[0]):
            break
    if good == 1:
        cases.reverse()
        cured.reverse()
    told = []
    for h in (0, 1):
        *others, last = (f"{cured[h][g]} of {cases[h][g]} {group}" for g, group in enumerate(groups))
        told.append(f"{names[h]}: {', '.join(others)} and {last} cases recovered.")
    return {
        "story": " ".join(told),
        "groups": list(groups),
        "asked": between(rng, 0, len(groups) - 1),
        "better": names[good],
        "worse": names[1 - good],
        "rates": [[_rate(names[h], cured[h][g], cases[h][g]) for h in (0, 1)] for g in range(len(groups))],
        "overall": [_rate(names[h], sum(cured[h]), sum(cases[h])) for h in (0, 1)],
        "people": sum(map(sum, cases)),
    }


def _rate(name: str, part: int, whole: int) -> str:
    """ "Hospital A: 12/50 = 24.0%", rounded half up."""
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{name}: {part}/{whole} = {tenths // 10}.{tenths % 10}%"


# ---------------------------------------------------------------- permutations


def permutation_test(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw two tiny samples and count the divisions of their values in which the first has at least its sum.

    Difficulty sets the sizes. The first sample is drawn near the top, so that few divisions reach its sum.
    """
    n_first, n_second = ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4))[difficulty - 1]
    values = sorted(10 + int(value) for value in rng.permutation(10 * difficulty + 15)[: n_first + n_second])
    ranked = sorted(combinations(range(len(values)), n_first), key=lambda places: sum(values[i] for i in places))
    chosen = ranked[-between(rng, 1, 2 + difficulty)]
    first = [values[i] for i in chosen]
    reached = [[values[i] for i in places] for places in ranked if sum(values[i] for i in places) >= sum(first)]
    second = [values[i] for i in range(len(values)) if i not in chosen]
    return {
        "first": [first[int(i)] for i in rng.permutation(n_first)],
        "second": [second[int(i)] for i in rng.permutation(n_second)],
        "divisions": len(ranked),
        "extreme": len(reached),
        "reached": [" + ".join(map(str, division)) for division in reached],
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "card_event": card_event,
    "dice_given": dice_given,
    "permutation_test": permutation_test,
    "simpson_table": simpson_table,
}
