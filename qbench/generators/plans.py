"""Plans with one best answer. They are small enough to try every plan, so the targets are exact."""

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

N_LINES = (2, 2, 3, 4, 5)
N_TASKS = (2, 3, 4, 6, 8)
N_DISHES = (3, 4, 5, 6, 8)
N_CHOSEN = (1, 2, 2, 3, 4)
N_PEOPLE = (2, 2, 3, 4, 5)
N_FREE_HOURS = (3, 4, 5, 7, 8)


def production_split(
    rng: np.random.Generator, difficulty: int, *, rates: Sequence[Sequence[int]] = (), demand: int = 0
) -> dict[str, Any]:
    """Production lines that share a day between two products: how much Y is left when the demand for X is met?

    ``rates`` (units of X and of Y that each line makes in a whole day) and ``demand`` are drawn unless given. At
    difficulty 1 one line makes just the X that is asked for; above it one line splits its day in tenths, so that the
    target is whole.
    """
    if not rates:
        n_lines = N_LINES[difficulty - 1]
        while True:
            rates = [[10 * int(rng.integers(2, 21)), 10 * int(rng.integers(2, 21))] for _ in range(n_lines)]
            if len({_price_of_x(rate) for rate in rates}) == n_lines:  # no ties: one best plan
                break
        cheapest_first = sorted(rates, key=_price_of_x)
        n_whole = 0 if difficulty == 1 else int(rng.integers(n_lines))
        tenths = 10 if difficulty == 1 else int(rng.integers(1, 10))
        demand = sum(x for x, _ in cheapest_first[:n_whole]) + cheapest_first[n_whole][0] * tenths // 10
    # Cheapest X first is optimal: moving X to a line that gives up more Y for it only loses Y (a fractional knapsack).
    remaining = demand
    made = {}
    for position in sorted(range(len(rates)), key=lambda position: _price_of_x(rates[position])):
        x, y = rates[position]
        made[position] = min(remaining, x), y - Fraction(y * min(remaining, x), x)
        remaining -= min(remaining, x)
    lines = [
        {"name": _letter(position), "x": x, "y": y, "makes_x": made[position][0], "makes_y": int(made[position][1])}
        for position, (x, y) in enumerate(rates)
    ]
    return {"lines": lines, "demand": demand, "most_y": int(sum(y for _, y in made.values()))}


def _letter(position: int) -> str:
    return chr(ord("A") + position)


def _price_of_x(rate: Sequence[int]) -> Fraction:
    """The units of Y that one unit of X costs on this line."""
    x, y = rate
    return Fraction(y, x)


def opening_hours(
    rng: np.random.Generator, difficulty: int, *, sights: Sequence[str], start: int = 9
) -> dict[str, Any]:
    """Sights with opening hours that can all be seen in exactly one order. Difficulty adds sights: 2 to 6."""
    n_sights = difficulty + 1
    while True:
        hour = start
        visits: list[dict[str, Any]] = []
        for position in rng.permutation(len(sights))[:n_sights]:
            hours = int(rng.integers(1, 3))
            opens = max(start - 1, hour - int(rng.integers(4)))
            closes = hour + hours + int(rng.integers(4))
            visits.append({"name": sights[position], "hours": hours, "opens": opens, "closes": closes, "begins": hour})
            hour += hours
        if [order for order in itertools.permutations(visits) if _fits(order, start)] == [tuple(visits)]:
            break
    shuffled = [visits[position] for position in rng.permutation(n_sights)]
    return {"start": start, "sights": shuffled, "visits": visits}


def _fits(order: Sequence[dict[str, Any]], start: int) -> bool:
    """Simulate a day: wait for a sight to open, and leave before it closes."""
    hour = start
    for visit in order:
        hour = max(hour, visit["opens"]) + visit["hours"]
        if hour > visit["closes"]:
            return False
    return True


def cheapest_dishes(
    rng: np.random.Generator, difficulty: int, *, dishes: Sequence[str], limit: int = 45
) -> dict[str, Any]:
    """The cheapest few dishes that are quick enough.

    From difficulty 4 their minutes together are limited too, tightly enough to rule out the cheapest choice.
    """
    n_dishes, n_chosen = N_DISHES[difficulty - 1], N_CHOSEN[difficulty - 1]
    while True:
        prices = rng.permutation(np.arange(2, 2 + 3 * n_dishes))[:n_dishes]
        menu = [
            {"name": dishes[position], "price": int(price), "minutes": 5 * int(rng.integers(3, 14))}
            for position, price in zip(rng.permutation(len(dishes)), prices, strict=False)
        ]
        quick = [dish for dish in menu if dish["minutes"] <= limit]
        choices = sorted(itertools.combinations(quick, n_chosen), key=lambda chosen: _total("price", chosen))
        if len(quick) == n_dishes or not choices:
            continue
        if difficulty < 4:
            return {"menu": menu, "limit": limit, "total_limit": 0, **_choice(choices[0])}
        total_limit = _total("minutes", choices[0]) - 5
        in_time = [chosen for chosen in choices if _total("minutes", chosen) <= total_limit]
        if in_time:
            return {"menu": menu, "limit": limit, "total_limit": total_limit, **_choice(in_time[0])}


def _total(key: str, dishes: Sequence[dict[str, Any]]) -> int:
    return sum(int(dish[key]) for dish in dishes)


def _choice(dishes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"n_chosen": len(dishes), "chosen": list(dishes), "cost": _total("price", dishes)}


def project(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Tasks that wait for others, with hands enough to work on all that may start: when is the last one done?"""
    tasks: list[dict[str, Any]] = []
    for position in range(N_TASKS[difficulty - 1]):
        n_before = min(position, int(rng.integers(3)))
        before = [tasks[earlier] for earlier in sorted(rng.permutation(position)[:n_before])]
        begins = max((task["ends"] for task in before), default=0)
        days = int(rng.integers(1, 10))
        tasks.append(
            {
                "name": _letter(position),
                "days": days,
                "after": [task["name"] for task in before],
                "begins": begins,
                "ends": begins + days,
            }
        )
    return {"tasks": tasks, "total_days": max(task["ends"] for task in tasks)}


def common_hour(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Free hours of some people, and the first hour that all of them share. Difficulty adds people and hours."""
    n_people, n_hours = N_PEOPLE[difficulty - 1], N_FREE_HOURS[difficulty - 1]
    while True:
        diaries = [
            {"name": people[position], "free": sorted(8 + int(hour) for hour in rng.permutation(11)[:n_hours])}
            for position in rng.permutation(len(people))[:n_people]
        ]
        shared = sorted(set.intersection(*(set(diary["free"]) for diary in diaries)))
        if shared:
            return {"diaries": diaries, "shared": shared}


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "cheapest_dishes": cheapest_dishes,
    "common_hour": common_hour,
    "opening_hours": opening_hours,
    "production_split": production_split,
    "project": project,
}
