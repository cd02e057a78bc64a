"""Who can know what: numbers that clues pin down or not, beliefs about beliefs, news that travels, views that are reported."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from qbench.facts import words
from qbench.generators.drawing import between, pick, sample, shuffled

# ---------------------------------------------------------------- a number and its clues

Clue = tuple[str, Callable[[int], bool]]


def pinned_number(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw a whole number and clues of which none can be spared: without any one of them, several numbers fit.

    Difficulty sets the range of the number and the least number of clues.
    """
    size, n_clues = ((8, 1), (16, 2), (40, 2), (100, 3), (200, 3))[difficulty - 1]
    while True:
        low = between(rng, 10, 30 * difficulty)
        numbers = range(low, low + size)
        secret = between(rng, low, low + size - 1)
        clues: dict[str, frozenset[int]] = {}
        for text, fits in sample(rng, _clues(rng, secret, low, size), N_CLUES):
            fitting = frozenset(filter(fits, numbers))
            if not _common(clues, numbers) <= fitting:  # it says something new
                clues[text] = fitting
        for text in list(clues):
            rest = {other: fitting for other, fitting in clues.items() if other != text}
            if len(_common(rest, numbers)) == 1:
                clues = rest
        if len(_common(clues, numbers)) > 1 or len(clues) < n_clues:
            continue
        hidden = pick(rng, list(clues))
        fewer = {text: fitting for text, fitting in clues.items() if text != hidden}
        tempting = sorted(_common(fewer, numbers) - {secret})
        if len(tempting) > 1:
            return {
                "low": low,
                "high": low + size - 1,
                "number": secret,
                "clues": list(clues),
                "fewer": list(fewer),
                "tempting": tempting[:2],
                "candidates": size,
            }


N_CLUES = 7


def _clues(rng: np.random.Generator, secret: int, low: int, size: int) -> list[Clue]:
    """True statements about the number, of which few say much alone."""
    divisor, modulus = between(rng, 3, 12), between(rng, 3, 9)
    above, below = between(rng, low - 1, secret - 1), between(rng, secret + 1, low + size)
    return [
        (f"It is {'odd' if secret % 2 else 'even'}.", lambda number: number % 2 == secret % 2),
        (
            f"It is {'' if secret % divisor == 0 else 'not '}a multiple of {divisor}.",
            lambda number: (number % divisor == 0) == (secret % divisor == 0),
        ),
        (f"Its digits add up to {_digit_sum(secret)}.", lambda number: _digit_sum(number) == _digit_sum(secret)),
        (f"Its last digit is {secret % 10}.", lambda number: number % 10 == secret % 10),
        (
            f"Divided by {modulus}, it leaves a remainder of {secret % modulus}.",
            lambda number: number % modulus == secret % modulus,
        ),
        (f"It is greater than {above}.", lambda number: number > above),
        (f"It is less than {below}.", lambda number: number < below),
    ]


def _common(clues: dict[str, frozenset[int]], numbers: range) -> frozenset[int]:
    return frozenset(numbers).intersection(*clues.values())


def _digit_sum(number: int) -> int:
    return sum(map(int, str(number)))


# ---------------------------------------------------------------- beliefs about beliefs

PLACES = ("bag", "basket", "box", "bucket", "chest", "cupboard", "drawer", "jar", "oven", "pot", "suitcase", "trunk")
THINGS = ("ball", "book", "coin", "cup", "hat", "key", "letter", "ring", "spoon", "ticket")


def nested_belief(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw a scene in which somebody hides a thing again and again while two others come and go.

    Who is in the room at a move knows the new place, and knows it of the other if that one is there, too. The second may watch in
    secret and know it alone.

    Difficulty sets the number of moves; where the thing is, where one thinks it is, and where one thinks that the other
    thinks it is are three different places.
    """
    n_moves = 1 + difficulty
    while True:
        one, other, mover = sample(rng, words("people"), 3)
        places = sample(rng, PLACES, n_moves + 1)
        thing = pick(rng, THINGS)
        present = {one: True, other: True}
        believed = {one: places[0], other: places[0]}
        shared = places[0]  # where one thinks that the other thinks it is: what both saw together
        told = [f"{one}, {other} and {mover} are in a room. {mover} puts a {thing} in the {places[0]}."]
        for before, place in pairwise(places):
            for person in (one, other):
                if between(rng, 0, 2) == 0:
                    present[person] = not present[person]
                    told.append(f"{person} {'comes back' if present[person] else 'leaves the room'}.")
            spy = other if not present[other] and between(rng, 0, 2) == 0 else ""
            secret = f", and {spy} secretly watches through the keyhole" if spy else ""
            told.append(f"{mover} moves the {thing} from the {before} to the {place}{secret}.")
            believed |= {person: place for person in (one, other) if present[person] or person == spy}
            if all(present.values()):
                shared = place
        if len({places[-1], believed[one], shared}) == min(3, n_moves) and shared != believed[one]:
            return {
                "scene": " ".join(told),
                "one": one,
                "other": other,
                "thing": thing,
                "places": places,
                "real": places[-1],
                "first": believed[one],
                "second": shared,
                "told": len(told),
            }


# ---------------------------------------------------------------- news that travels


def news(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw meetings in a row at which whoever knows the news tells it, and count who knows it in the end.

    Difficulty sets the number of meetings. The order of the meetings matters: the other way round, another number of people know.
    """
    n_people, n_meetings = ((4, 3), (5, 4), (6, 6), (7, 8), (8, 10))[difficulty - 1]
    while True:
        people = sample(rng, words("people"), n_people)
        meetings = [sample(rng, people, 2) for _ in range(n_meetings)]
        forward, backward = _spread(people[0], meetings), _spread(people[0], meetings[::-1])
        repeated = any(set(meeting) == set(following) for meeting, following in pairwise(meetings))
        if len(forward) != len(backward) and not repeated and len({name for pair in meetings for name in pair}) > 2:
            return {
                "source": people[0],
                "n_people": n_people,
                "people": people[1:],
                "meetings": [f"{one} and {other}" for one, other in meetings],
                "forward": forward,
                "backward": backward,
                "n_forward": len(forward),
                "n_backward": len(backward),
            }


def _spread(source: str, meetings: list[list[str]]) -> list[str]:
    """Who knows the news after the meetings, in the order in which they heard it."""
    knowing = [source]
    for one, other in meetings:
        if (one in knowing) != (other in knowing):
            knowing.append(other if one in knowing else one)
    return knowing


# ---------------------------------------------------------------- views and reports of views


def reported_views(rng: np.random.Generator, difficulty: int, claims: Sequence[str]) -> dict[str, Any]:
    """Draw what people think of a claim and what some of them say that others think.

    One report is wrong and is asked for, and so is the view that it misstates; a third question is about a report that nobody made.
    Difficulty sets the number of people and of reports.
    """
    n_people = 2 + difficulty
    claim = pick(rng, claims)
    people = sample(rng, words("people"), n_people)
    views = {person: bool(between(rng, 0, 1)) for person in people}
    holder, reporter, silent = people[:3]
    reports = [(reporter, holder, not views[holder])]
    others = [
        (one, other)
        for one in people
        for other in people
        if one != other and (one, other) not in ((reporter, holder), (silent, holder))
    ]
    reports += [(one, other, bool(between(rng, 0, 1))) for one, other in sample(rng, others, difficulty - 1)]
    told = [_view(rng, person, claim, view) for person, view in views.items()]
    told += [
        f"{one} says that {pick(rng, ('deep down ', 'in truth ', ''))}{_view(rng, other, claim, view)}"
        for one, other, view in reports
    ]
    return {
        "told": shuffled(rng, told),
        "claim": claim,
        "holder": holder,
        "reporter": reporter,
        "silent": silent,
        "own": views[holder],
        "said": not views[holder],
        "n_told": len(told),
    }


def _view(rng: np.random.Generator, person: str, claim: str, agrees: bool) -> str:
    verbs = ("thinks", "believes", "is convinced") if agrees else ("doubts", "denies", "does not think")
    return f"{person} {pick(rng, verbs)} that {claim}."


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "nested_belief": nested_belief,
    "news": news,
    "pinned_number": pinned_number,
    "reported_views": reported_views,
}
