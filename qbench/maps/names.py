"""Names beside the points of a figure, none of which covers another."""

from collections.abc import Sequence
from dataclasses import dataclass

from qbench.pages.figures import Record

LETTER, LINE = 6.2, 13.0
"""Pixels that a letter is wide and a name is high, at 11 points."""
AWAY = 8
"""Pixels between a point and its name."""
MOVES = (0, *(sign * move for move in (4, 8, LINE) for sign in (-1, 1)))
"""Up and down, the least first: further off, a name would no longer belong to its point."""
NOWHERE: Record = {"label": "", "align": "left", "dx": 0, "dy": 0}


@dataclass(frozen=True)
class Point:
    """A point that should have its name beside it."""

    x: float
    """Pixels from the left edge of the plot at its narrowest: names that leave each other room there do so wherever it is wider."""
    y: float
    """Pixels from the top."""
    name: str
    is_left: bool = False
    """Whether its name rather stands to the left of it."""


def beside(points: Sequence[Point], width: float) -> list[Record]:
    """Return where the name of each point stands, as fields of a text mark; NOWHERE for those that found no room.

    Args:
        points: the most important first, which have the first choice.
        width: of the plot, in the pixels of the points.
    """
    taken = [(point.x - 5, point.x + 5, point.y - 5, point.y + 5) for point in points]
    return [_place(point, taken, width) for point in points]


def _place(point: Point, taken: list[tuple[float, float, float, float]], width: float) -> Record:
    """The first place beside the point that is free, which is then taken."""
    long = LETTER * len(point.name)
    for dy in MOVES:
        for is_left in (point.is_left, not point.is_left):
            start = point.x - AWAY - long if is_left else point.x + AWAY
            box = start, start + long, point.y + dy - LINE / 2, point.y + dy + LINE / 2
            if start >= 0 and start + long <= width and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                side: Record = {"align": "right", "dx": -AWAY} if is_left else {"align": "left", "dx": AWAY}
                return {"label": point.name, **side, "dy": dy}
    return NOWHERE


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
