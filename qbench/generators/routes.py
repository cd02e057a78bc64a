"""Ways through a map: plans with one best answer, small enough to try every one, so the targets are exact."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import sample


def road_map(rng: np.random.Generator, difficulty: int, *, towns: Sequence[str]) -> dict[str, Any]:
    """Roads between towns, and a shortest route from one to another. Difficulty adds towns, 4 to 8, and roads.

    The route has two legs or more, and from 3 on the way with the fewest towns is longer.
    """
    n = (4, 5, 6, 7, 8)[difficulty - 1]
    n_extra = (1, 2, 3, 4, 5)[difficulty - 1]
    n_legs = (2, 2, 2, 3, 3)[difficulty - 1]
    names = sample(rng, towns, n)
    while True:
        tree = {(int(rng.integers(node)), node) for node in range(1, n)}
        others = [pair for pair in itertools.combinations(range(n), 2) if pair not in tree]
        pairs = sorted(tree | set(sample(rng, others, n_extra)))
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
    names = sample(rng, places, n)
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


def charging(rng: np.random.Generator, difficulty: int, *, towns: Sequence[str]) -> dict[str, Any]:
    """Charging stations on a long road, a car's range, and the fewest stops. Difficulty adds stations, 3 to 9."""
    n = (3, 4, 5, 7, 9)[difficulty - 1]
    least = (1, 1, 2, 2, 3)[difficulty - 1]
    names = sample(rng, towns, n)
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
    far = [plan for plan in far if more[: len(plan)] != plan]  # no choice is how another begins
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


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "charging": charging,
    "road_map": road_map,
    "round_trip": round_trip,
}
