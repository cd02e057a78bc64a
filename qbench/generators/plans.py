"""Plans with one best answer. They are small enough to try every plan, so the targets are exact."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.generators.prover import Claim

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
        if list(itertools.islice(_orders_that_fit(visits, start), 2)) == [visits]:
            break
    shuffled = [visits[position] for position in rng.permutation(n_sights)]
    swapped = [[*visits[:at], visits[at + 1], visits[at], *visits[at + 2 :]] for at in range(n_sights - 1)]
    return {
        "start": start,
        "sights": shuffled,
        "visits": visits,
        "wrong": [", ".join(visit["name"] for visit in order) for order in swapped[-3:]],
    }


def _orders_that_fit(visits: Sequence[dict[str, Any]], hour: int) -> Iterator[list[dict[str, Any]]]:
    """Simulate every day: wait for a sight to open, and leave before it closes."""
    if not visits:
        yield []
    for position, visit in enumerate(visits):
        leaves = max(hour, visit["opens"]) + visit["hours"]
        if leaves <= visit["closes"]:
            rest = [*visits[:position], *visits[position + 1 :]]
            yield from ([visit, *order] for order in _orders_that_fit(rest, leaves))


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
        if shared and (difficulty < 3 or shared[0] > 10):
            return {"diaries": diaries, "shared": shared}


# ---------------------------------------------------------------- plans that are simulated
#
# The tables below are the rows that `qbench.scoring.plan` reads; ``wrong`` are plans that break a rule or miss the optimum.


def assignment(
    rng: np.random.Generator, difficulty: int, *, people: Sequence[str], tasks: Sequence[str]
) -> dict[str, Any]:
    """Hours that people need for tasks, and the least total if each does one. Difficulty adds people, 2 to 5.

    From 3 on it does not do to give each person in turn the task that is left and quickest for them.
    """
    n = (2, 3, 3, 4, 5)[difficulty - 1]
    longest = (9, 9, 12, 15, 20)[difficulty - 1]
    names, jobs = sorted(_sample(rng, people, n)), _sample(rng, tasks, n)
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
        names = _sample(rng, things, n)
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
    near = sorted((plan for plan in fitting if plan[0] < best and plan[2]), reverse=True)[:2]
    near += sorted((plan for plan in plans if plan[1] > limit), key=lambda plan: (plan[1], plan[0]))[:1]
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
    at = max(position for position, count in enumerate(chosen) if count)
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


def road_map(rng: np.random.Generator, difficulty: int, *, towns: Sequence[str]) -> dict[str, Any]:
    """Roads between towns, and a shortest route from one to another. Difficulty adds towns, 4 to 8, and roads.

    The route has two legs or more, and from 3 on the way with the fewest towns is longer.
    """
    n = (4, 5, 6, 7, 8)[difficulty - 1]
    n_extra = (1, 2, 3, 4, 5)[difficulty - 1]
    n_legs = (2, 2, 2, 3, 3)[difficulty - 1]
    names = _sample(rng, towns, n)
    while True:
        tree = {(int(rng.integers(node)), node) for node in range(1, n)}
        others = [pair for pair in itertools.combinations(range(n), 2) if pair not in tree]
        pairs = sorted(tree | set(_sample(rng, others, n_extra)))
        roads = {pair: int(rng.integers(5, (20, 30, 40, 60, 90)[difficulty - 1])) for pair in pairs}
        routes = sorted((_length(roads, route), route) for route in _routes(pairs, 0, n - 1))
        best, route = routes[0]
        worse = [longer for longer, other in routes if longer > best]
        fewest = min(len(other) for _, other in routes)
        if len(route) > n_legs and worse and (difficulty < 3 or fewest < len(route)):
            break
    return {
        "towns": sorted(names),
        "roads": [[names[one], names[other], roads[one, other]] for one, other in pairs],
        "ends": [names[0], names[-1]],
        "best": best,
        "route": [names[town] for town in route],
        "legs": [_length(roads, leg) for leg in itertools.pairwise(route)],
        "wrong": [", ".join(names[town] for town in other) for longer, other in routes if longer > best][:3],
        "n_roads": len(pairs),
    }


def _routes(pairs: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, ...]]:
    """Every route between two towns that visits none twice."""
    near: dict[int, list[int]] = {}
    for one, other in pairs:
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    found: list[tuple[int, ...]] = []
    open_: list[tuple[int, ...]] = [(start,)]
    while open_:
        route = open_.pop()
        if route[-1] == end:
            found.append(route)
        else:
            open_ += [(*route, town) for town in near[route[-1]] if town not in route]
    return found


def _length(roads: Mapping[tuple[int, int], int], route: Sequence[int]) -> int:
    return sum(roads[min(leg), max(leg)] for leg in itertools.pairwise(route))


def round_trip(rng: np.random.Generator, difficulty: int, *, places: Sequence[str]) -> dict[str, Any]:
    """A depot and stops on a grid of streets, and a shortest tour. Difficulty adds stops, 3 to 5, and blocks.

    From 3 on it does not do to go to the nearest stop that is left.
    """
    n = (3, 3, 4, 4, 5)[difficulty - 1]
    size = (6, 10, 10, 20, 20)[difficulty - 1]
    names = _sample(rng, places, n)
    while True:
        at = [(int(rng.integers(size)), int(rng.integers(size))) for _ in range(n + 1)]
        blocks = [[abs(x - u) + abs(y - v) for u, v in at] for x, y in at]

        def trip(*stops: int, blocks: list[list[int]] = blocks) -> int:
            return sum(blocks[one][other] for one, other in itertools.pairwise((0, *stops, 0)))

        tours = sorted((trip(*order), order) for order in itertools.permutations(range(1, n + 1)))
        best, tour = tours[0]
        worse = [order for longer, order in tours if longer > best]
        nearest: list[int] = [0]
        while len(nearest) <= n:
            left = [stop for stop in range(1, n + 1) if stop not in nearest]
            nearest.append(min(left, key=blocks[nearest[-1]].__getitem__))
        apart = all(blocks[one][other] for one, other in itertools.combinations(range(n + 1), 2))
        if apart and worse and (difficulty < 3 or trip(*nearest[1:]) > best):
            break
    known = ["depot", *names]
    return {
        "stops": names,
        "roads": [
            [known[one], known[other], blocks[one][other]] for one, other in itertools.combinations(range(n + 1), 2)
        ],
        "best": best,
        "tour": [known[stop] for stop in tour],
        "legs": [blocks[one][other] for one, other in itertools.pairwise((0, *tour, 0))],
        "wrong": [", ".join(known[stop] for stop in order) for order in worse[:6:2]],
        "size": n * n + best,
    }


def workshop(rng: np.random.Generator, difficulty: int, *, jobs: Sequence[str]) -> dict[str, Any]:
    """Jobs that take their time, some after others, some with the only crane, and the earliest time at which all are done.

    Difficulty adds jobs, 2 to 5, and makes more of them need the crane.
    """
    n = (2, 3, 4, 5, 5)[difficulty - 1]
    n_crane = (2, 2, 2, 3, 3)[difficulty - 1]
    n_after = (0, 1, 1, 2, 3)[difficulty - 1]
    while True:
        names = _sample(rng, jobs, n)
        minutes = [5 * int(rng.integers(2, 13)) for _ in range(n)]
        crane = sorted(_sample(rng, range(n), n_crane))
        after = sorted(_sample(rng, list(itertools.combinations(range(n), 2)), n_after))
        starts = sorted(
            (max(map(sum, zip(begins, minutes, strict=True))), begins)
            for order in itertools.permutations(crane)
            if (begins := _earliest(minutes, [*after, *itertools.pairwise(order)])) is not None
        )
        best, begins = starts[0]
        if max(minutes) < best < sum(minutes) or n == 2:
            break
    before = [(one, other) for one, other in itertools.permutations(crane, 2)]

    def works(starts: Sequence[int]) -> bool:
        ends = [begin + takes for begin, takes in zip(starts, minutes, strict=True)]
        waits = all(ends[one] <= starts[other] for one, other in after)
        alone = all(ends[one] <= starts[other] or ends[other] <= starts[one] for one, other in before)
        return waits and alone and max(ends) <= best

    slips = [[*begins[:job], begins[job] + slip, *begins[job + 1 :]] for job in range(n) for slip in (5, -5, -10)]
    wrong = [slip for slip in slips if min(slip) >= 0 and not works(slip)]
    ends = [begin + takes for begin, takes in zip(begins, minutes, strict=True)]
    return {
        "jobs": [
            {
                "name": name,
                "minutes": minutes[job],
                "crane": job in crane,
                "after": [names[earlier] for earlier, later in after if later == job],
                "begins": begins[job],
                "ends": ends[job],
            }
            for job, name in enumerate(names)
        ],
        "crane": [names[job] for job in crane],
        "pairs": [[names[later], names[earlier]] for earlier, later in after],
        "best": best,
        "plan": _starts(names, begins),
        "wrong": [_starts(names, slip) for slip in _sample(rng, wrong, 3)],
        "size": n + n_crane + n_after,
    }


def _starts(names: Sequence[str], begins: Sequence[int]) -> str:
    return ", ".join(f"{name} {begin}" for name, begin in zip(names, begins, strict=True))


def _earliest(minutes: Sequence[int], before: Sequence[tuple[int, int]]) -> list[int] | None:
    """The earliest starts if the first of each pair must be done before the second starts; ``None`` if they wait in a circle."""
    begins = [0] * len(minutes)
    for _ in range(len(minutes) + 1):
        changed = False
        for one, other in before:
            if begins[other] < begins[one] + minutes[one]:
                begins[other], changed = begins[one] + minutes[one], True
        if not changed:
            return begins
    return None


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def week(rng: np.random.Generator, difficulty: int, *, activities: Sequence[str]) -> dict[str, Any]:
    """Activities for the days of a week, and wishes that leave few timetables. Difficulty adds activities, 2 to 5."""
    n = (2, 3, 4, 5, 5)[difficulty - 1]
    most = (6, 6, 4, 3, 1)[difficulty - 1]
    names = _sample(rng, activities, n)
    day_of = _days(n)
    world = int(rng.integers(day_of.shape[1]))
    # What kind of wish it is, in words and as the scorer reads it, and the timetables that meet it.
    wishes: list[tuple[str, str, list[str], Claim]] = []
    for one, other in itertools.permutations(range(n), 2):
        pair = [names[one], names[other]]
        words = f"{pair[0]} comes on an earlier day than {pair[1]}"
        wishes.append(("in_order", words, pair, day_of[one] < day_of[other]))
        if one < other:
            words = f"{pair[0]} and {pair[1]} are not on neighboring days"
            wishes.append(("apart", words, pair, abs(day_of[one] - day_of[other]) > 1))
    for one in range(n):
        for day in _sample(rng, range(len(DAYS)), 2):
            free = [other for other in DAYS if other != DAYS[day]]
            wishes.append(
                ("allowed", f"{names[one]} is not possible on {DAYS[day]}", [names[one], *free], day_of[one] != day)
            )
    kept: list[tuple[str, str, list[str]]] = []
    left: Claim = np.ones(day_of.shape[1], dtype=np.bool_)
    for kind, words, row, meeting in _sample(rng, [wish for wish in wishes if wish[3][world]], len(wishes)):
        if left.sum() > most and (left & ~meeting).any():
            kept.append((kind, words, row))
            left = left & meeting
    near = (day_of != day_of[:, [world]]).sum(axis=0) <= 2
    wrong = [int(other) for other in np.nonzero(near & ~left)[0]]
    return {
        "days": list(DAYS),
        "activities": names,
        "wishes": [words[0].upper() + words[1:] + "." for _, words, _ in kept],
        **{kind: [row for name, _, row in kept if name == kind] for kind in ("in_order", "apart", "allowed")},
        "plan": _timetable(names, day_of[:, world]),
        "wrong": [_timetable(names, day_of[:, other]) for other in _sample(rng, wrong, 3)],
        "n_left": int(left.sum()),
        "n": n,
    }


@functools.cache
def _days(n: int) -> NDArray[np.int8]:
    """Every way to put ``n`` activities on different days: for each activity a row with its day in every timetable."""
    return np.array(list(itertools.permutations(range(len(DAYS)), n)), dtype=np.int8).T


def _timetable(names: Sequence[str], days: Iterable[int]) -> str:
    return ", ".join(f"{name}: {DAYS[day]}" for name, day in zip(names, days, strict=True))


def roster(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Shifts on some days for people who are not always free. Nobody works twice running or more often than agreed.

    Difficulty adds days, 3 to 7, and makes the people less free.
    """
    n_days = (3, 4, 5, 6, 7)[difficulty - 1]
    n_people = (2, 2, 3, 3, 4)[difficulty - 1]
    n_spare = (2, 2, 3, 2, 2)[difficulty - 1]
    most = -(-n_days // n_people)
    days = [*DAYS, "Saturday", "Sunday"][:n_days]
    names = sorted(_sample(rng, people, n_people))
    while True:
        turns = [int(rng.integers(n_people)) for _ in days]
        counts = [turns.count(person) for person in range(n_people)]
        if max(counts) <= most and min(counts) > 0 and all(a != b for a, b in itertools.pairwise(turns)):
            break
    free = [[person == turn for turn in turns] for person in range(n_people)]
    busy = [(person, day) for person in range(n_people) for day in range(n_days) if not free[person][day]]
    for person, day in _sample(rng, busy, n_spare):
        free[person][day] = True
    slips = [
        [*turns[:day], person, *turns[day + 1 :]] for person, day in itertools.product(range(n_people), range(n_days))
    ]
    wrong = [
        slip
        for slip in slips
        if not all(free[person][day] for day, person in enumerate(slip))
        or any(a == b for a, b in itertools.pairwise(slip))
        or max(slip.count(person) for person in range(n_people)) > most
    ]
    return {
        "days": days,
        "people": names,
        "free": [
            {"name": name, "days": list(itertools.compress(days, free[person]))} for person, name in enumerate(names)
        ],
        "allowed": [
            [day, *(name for person, name in enumerate(names) if free[person][at])] for at, day in enumerate(days)
        ],
        "most": most,
        "plan": _shifts(days, names, turns),
        "wrong": [_shifts(days, names, slip) for slip in _sample(rng, wrong, 3)],
        "size": n_days * n_people,
    }


def _shifts(days: Sequence[str], names: Sequence[str], turns: Sequence[int]) -> str:
    return ", ".join(f"{day}: {names[turn]}" for day, turn in zip(days, turns, strict=True))


def talks(rng: np.random.Generator, difficulty: int, *, topics: Sequence[str]) -> dict[str, Any]:
    """Talks that overlap, and the most that one can hear. Difficulty adds talks, 3 to 9.

    From 3 on it does not do to go to whichever free talk begins next.
    """
    n = (3, 4, 6, 7, 9)[difficulty - 1]
    names = _sample(rng, topics, n)
    while True:
        spans = [
            (begins, begins + 15 * int(rng.integers(2, (6, 7, 9, 11, 13)[difficulty - 1])))
            for begins in (9 * 60 + 15 * int(quarter) for quarter in rng.integers(3 * n, size=n))
        ]
        by_end = _heard(spans, sorted(range(n), key=lambda talk: (spans[talk][1], spans[talk][0])))
        by_start = _heard(spans, sorted(range(n), key=spans.__getitem__))
        if 1 < len(by_end) < n and len(set(spans)) == n and (difficulty < 3 or len(by_start) < len(by_end)):
            break
    left_out = [talk for talk in range(n) if talk not in by_end]
    swapped = [
        sorted([*by_end[:at], talk, *by_end[at + 1 :]], key=spans.__getitem__)
        for at in range(len(by_end))
        for talk in left_out
    ]
    clashing = [plan for plan in swapped if _heard(spans, plan) != plan]
    plans = [by_end[:-1], *clashing[:2]]
    return {
        "talks": [
            {"name": names[talk], "begins": _clock(spans[talk][0]), "ends": _clock(spans[talk][1])}
            for talk in sorted(range(n), key=lambda talk: (spans[talk], talk))
        ],
        "rows": [[names[talk], *spans[talk]] for talk in range(n)],
        "names": names,
        "best": len(by_end),
        "chosen": [names[talk] for talk in by_end],
        "wrong": [", ".join(names[talk] for talk in plan) for plan in plans],
        "n": n,
    }


def _heard(spans: Sequence[tuple[int, int]], order: Sequence[int]) -> list[int]:
    """The talks of an order that one hears who leaves out what has begun already."""
    chosen: list[int] = []
    for talk in order:
        if not chosen or spans[talk][0] >= spans[chosen[-1]][1]:
            chosen.append(talk)
    return chosen


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def charging(rng: np.random.Generator, difficulty: int, *, towns: Sequence[str]) -> dict[str, Any]:
    """Charging stations on a long road, a car's range, and the fewest stops. Difficulty adds stations, 3 to 9."""
    n = (3, 4, 5, 7, 9)[difficulty - 1]
    least = (1, 1, 2, 2, 3)[difficulty - 1]
    names = _sample(rng, towns, n)
    while True:
        range_ = 10 * int(rng.integers(20, 46))
        stations = sorted(10 * (1 + int(km)) for km in rng.permutation(25 * (least + 1))[:n])
        length = stations[-1] + 10 * int(rng.integers(3, 20))
        stops: list[int] = []
        at = 0
        while length - at > range_:
            reachable = [km for km in stations if at < km <= at + range_]
            if not reachable:
                break
            at = reachable[-1]
            stops.append(at)
        if length - at <= range_ and least <= len(stops) < n:
            break
    more = sorted([*stops, next(km for km in stations if km not in stops)])
    others = [
        sorted([*stops[:stop], km, *stops[stop + 1 :]])
        for stop in range(len(stops))
        for km in stations
        if km not in stops
    ]
    far = [plan for plan in others if max(b - a for a, b in itertools.pairwise([0, *plan, length])) > range_]
    known = dict(zip(stations, names, strict=True))
    return {
        "stations": [[known[km], km] for km in stations],
        "range": range_,
        "length": length,
        "best": len(stops),
        "stops": [known[km] for km in stops],
        "legs": [b - a for a, b in itertools.pairwise([0, *stops, length])],
        "wrong": [", ".join(known[km] for km in plan) for plan in [more, *far[:2]]],
        "size": n + len(stops),
    }


def _sample(rng: np.random.Generator, options: Sequence[Any], count: int) -> list[Any]:
    """Some of the options, in random order."""
    return [options[int(position)] for position in rng.permutation(len(options))[:count]]


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "assignment": assignment,
    "charging": charging,
    "cheapest_dishes": cheapest_dishes,
    "common_hour": common_hour,
    "opening_hours": opening_hours,
    "packing": packing,
    "packs": packs,
    "production_split": production_split,
    "project": project,
    "road_map": road_map,
    "roster": roster,
    "round_trip": round_trip,
    "talks": talks,
    "week": week,
    "workshop": workshop,
}
