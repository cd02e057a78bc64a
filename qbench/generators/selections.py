"""What to take, make or hand out: plans with one best answer, small enough to try every one, so the targets are exact."""

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from qbench.generators.drawing import sample, shuffled
from qbench.generators.wording import letter

N_LINES = (2, 2, 3, 4, 5)
N_DISHES = (3, 4, 5, 6, 8)
N_CHOSEN = (1, 2, 2, 3, 4)


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
        {"name": letter(position), "x": x, "y": y, "makes_x": made[position][0], "makes_y": int(made[position][1])}
        for position, (x, y) in enumerate(rates)
    ]
    return {"lines": lines, "demand": demand, "most_y": int(sum(y for _, y in made.values()))}


def _price_of_x(rate: Sequence[int]) -> Fraction:
    """The units of Y that one unit of X costs on this line."""
    x, y = rate
    return Fraction(y, x)


def cheapest_dishes(
    rng: np.random.Generator, difficulty: int, *, dishes: Sequence[str], limit: int = 45
) -> dict[str, Any]:
    """The cheapest few dishes that are quick enough.

    From difficulty 4 their minutes together are limited too, tightly enough to rule out the cheapest choice.
    """
    n_dishes, n_chosen = N_DISHES[difficulty - 1], N_CHOSEN[difficulty - 1]
    while True:
        prices = rng.permutation(np.arange(2, 2 + 3 * n_dishes))[:n_dishes]
        menu: list[dict[str, Any]] = [
            {"name": name, "price": int(price), "minutes": 5 * int(rng.integers(3, 14))}
            for name, price in zip(shuffled(rng, dishes), prices, strict=False)
        ]
        quick = [dish for dish in menu if dish["minutes"] <= limit]
        choices = sorted(itertools.combinations(quick, n_chosen), key=lambda chosen: _total("price", chosen))
        if len(quick) == n_dishes or not choices:
            continue
        if difficulty < 4:
            return {"menu": menu, "limit": limit, "total_limit": 0, **_choice(choices, menu)}
        total_limit = _total("minutes", choices[0]) - 5
        in_time = [chosen for chosen in choices if _total("minutes", chosen) <= total_limit]
        if in_time:
            return {"menu": menu, "limit": limit, "total_limit": total_limit, **_choice(in_time, menu)}


def _total(key: str, dishes: Sequence[dict[str, Any]]) -> int:
    return sum(int(dish[key]) for dish in dishes)


def _choice(choices: Sequence[Sequence[dict[str, Any]]], menu: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The cheapest of some choices, and near it what costs more or takes too long."""
    best = choices[0]
    cost, n_chosen = _total("price", best), len(best)
    tempting = sorted(itertools.combinations(menu, n_chosen), key=lambda chosen: _total("price", chosen))
    cheaper = [chosen for chosen in tempting if _total("price", chosen) < cost]
    dearer = [chosen for chosen in choices if _total("price", chosen) > cost]
    wrong = [*cheaper[-2:], *dearer[:1]]
    return {
        "n_chosen": n_chosen,
        "chosen": list(best),
        "cost": cost,
        "wrong": [", ".join(dish["name"] for dish in chosen) for chosen in wrong],
    }


def assignment(
    rng: np.random.Generator, difficulty: int, *, people: Sequence[str], tasks: Sequence[str]
) -> dict[str, Any]:
    """Hours that people need for tasks, and the least total if each does one. Difficulty adds people, 2 to 5.

    From 3 on it does not do to give each person in turn the task that is left and quickest for them.
    """
    n = (2, 3, 3, 4, 5)[difficulty - 1]
    longest = (9, 9, 12, 15, 20)[difficulty - 1]
    names, jobs = sorted(sample(rng, people, n)), sample(rng, tasks, n)
    while True:
        hours = [[1 + int(number) for number in rng.integers(longest, size=n)] for _ in range(n)]
        orders = sorted(itertools.permutations(range(n)), key=lambda order: _hours(hours, order))
        best = _hours(hours, orders[0])
        worse = [order for order in orders if _hours(hours, order) > best]
        if worse and (difficulty < 3 or _hours(hours, _greedy(hours)) > best):
            break
    return {
        "people": names,
        "tasks": jobs,
        "hours": hours,
        "rows": [[name, job, hours[a][b]] for a, name in enumerate(names) for b, job in enumerate(jobs)],
        "best": best,
        "chosen": [jobs[job] for job in orders[0]],
        "needed": [hours[person][job] for person, job in enumerate(orders[0])],
        "wrong": [
            ", ".join(f"{name}: {jobs[job]}" for name, job in zip(names, order, strict=True)) for order in worse[:3]
        ],
        "n": n,
    }


def _hours(hours: Sequence[Sequence[int]], order: Sequence[int]) -> int:
    return sum(row[job] for row, job in zip(hours, order, strict=True))


def _greedy(hours: Sequence[Sequence[int]]) -> list[int]:
    """Each person in turn takes the quickest task that is left."""
    order: list[int] = []
    for row in hours:
        order.append(min((job for job in range(len(row)) if job not in order), key=row.__getitem__))
    return order


def packing(rng: np.random.Generator, difficulty: int, *, things: Sequence[str]) -> dict[str, Any]:
    """Things with weights and values, and the most value within a weight limit (a knapsack). Difficulty adds things, 3 to 8.

    From 3 on it does not do to pack by value for weight until nothing more fits.
    """
    n = (3, 4, 5, 6, 8)[difficulty - 1]
    heaviest = (5, 9, 12, 20, 40)[difficulty - 1]
    while True:
        names = sample(rng, things, n)
        kilos = [1 + int(number) for number in rng.integers(heaviest, size=n)]
        points = [1 + int(number) for number in rng.integers(2 * heaviest, size=n)]
        limit = sum(kilos) * int(rng.integers(40, 65)) // 100
        plans: list[tuple[int, int, list[str]]] = [(0, 0, [])]
        for name, weighs, worth in zip(names, kilos, points, strict=True):
            plans += [(value + worth, load + weighs, [*some, name]) for value, load, some in plans]
        fitting = [plan for plan in plans if plan[1] <= limit]
        best, weight, chosen = max(fitting)
        left, greedy = limit, 0
        for thing in sorted(range(n), key=lambda thing: Fraction(kilos[thing], points[thing])):
            if kilos[thing] <= left:
                left, greedy = left - kilos[thing], greedy + points[thing]
        if len(chosen) > 1 and (difficulty < 3 or greedy < best):
            break
    # No choice is how the best one begins, or begins with it.
    others = [plan for plan in plans if plan[2][: len(chosen)] != chosen[: len(plan[2])]]
    near = sorted((plan for plan in others if plan[1] <= limit and plan[0] < best), reverse=True)[:2]
    near += sorted((plan for plan in others if plan[1] > limit), key=lambda plan: (plan[1], plan[0]))[:1]
    return {
        "things": [
            {"name": name, "kilos": weighs, "points": worth}
            for name, weighs, worth in zip(names, kilos, points, strict=True)
        ],
        "limit": limit,
        "best": best,
        "weight": weight,
        "chosen": chosen,
        "wrong": [", ".join(some) for _, _, some in near],
        "n": n,
    }


def packs(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Packs of different sizes and prices, and the cheapest way to get enough pieces. Difficulty adds sizes and pieces.

    From 3 on it does not do to buy only the pack that is cheapest by the piece.
    """
    n_sizes = (2, 2, 2, 3, 3)[difficulty - 1]
    n_largest = (2, 3, 4, 4, 6)[difficulty - 1]  # as many of the largest pack would do
    names = ("small", "large") if n_sizes == 2 else ("small", "medium", "large")
    while True:
        sizes = sorted(2 + int(size) for size in rng.permutation((6, 8, 11, 14, 18)[difficulty - 1])[:n_sizes])
        prices = sorted(1 + int(price) for price in rng.permutation((6, 9, 12, 18, 25)[difficulty - 1])[:n_sizes])
        needed = sizes[-1] * (n_largest - 1) + 1 + int(rng.integers(sizes[-1]))
        enough = []  # the larger packs in every number, and no more of the smallest than are missing then
        for larger in itertools.product(*(range(-(-needed // size) + 1) for size in sizes[1:])):
            missing = max(0, needed - _dot(sizes[1:], larger))
            count = (-(-missing // sizes[0]), *larger)
            enough.append((_dot(prices, count), count))
        enough.sort()
        best, chosen = enough[0]
        worse = [count for price, count in enough if price > best]
        only = min(prices[at] * -(-needed // sizes[at]) for at in range(n_sizes))
        if (only > best) is (difficulty > 2) and len(worse) > (0 if difficulty < 3 else 1):
            break
    fewer = [*chosen]
    at = min(
        position for position, count in enumerate(chosen) if count
    )  # the last, if it was one, would leave how the best begins
    fewer[at] -= 1
    return {
        "packs": [
            {"name": f"{name} pack", "pieces": size, "price": price}
            for name, size, price in zip(names, sizes, prices, strict=True)
        ],
        "needed": needed,
        "best": best,
        "pieces": _dot(sizes, chosen),
        "bought": _shopping(names, chosen),
        "wrong": [_shopping(names, count) for count in [*worse[:2], *([fewer] if any(fewer) else [])]],
        "size": n_sizes + n_largest,
    }


def _dot(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _shopping(names: Sequence[str], counts: Sequence[int]) -> str:
    return ", ".join(
        f"{count} {name} {'pack' if count == 1 else 'packs'}"
        for name, count in zip(names, counts, strict=True)
        if count
    )


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "assignment": assignment,
    "cheapest_dishes": cheapest_dishes,
    "packing": packing,
    "packs": packs,
    "production_split": production_split,
}
