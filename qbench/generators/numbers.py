"""Numbers that need a count over a small world: the cards of a deck."""

from collections.abc import Callable
from typing import Any

import numpy as np

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
    *others, last = parts
    event = f"{', '.join(others)} or {last}" if others else last
    return {"event": event, "favorable": len(set().union(*parts.values()))}


def _rank(rng: np.random.Generator) -> tuple[str, set[Card]]:
    rank = _pick(rng, RANKS)
    return f"{'an' if rank[0] in 'ae' else 'a'} {rank}", {card for card in DECK if card[0] == rank}


def _suit(rng: np.random.Generator) -> tuple[str, set[Card]]:
    suit = _pick(rng, tuple(COLORS))
    return f"a {suit}", {card for card in DECK if card[1] == suit}


def _colored_rank(rng: np.random.Generator) -> tuple[str, set[Card]]:
    color, rank = _pick(rng, ("red", "black")), _pick(rng, RANKS)
    return f"a {color} {rank}", {card for card in DECK if card[0] == rank and COLORS[card[1]] == color}


def _colored_face(rng: np.random.Generator) -> tuple[str, set[Card]]:
    color = _pick(rng, ("red", "black"))
    return f"a {color} face card", {card for card in DECK if card[0] in FACES and COLORS[card[1]] == color}


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {"card_event": card_event}
