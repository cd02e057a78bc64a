"""When to do what: plans with one best answer, small enough to try every one, so the targets are exact."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.generators.drawing import sample
from qbench.generators.prover import Claim
from qbench.generators.wording import letter

N_TASKS = (2, 3, 4, 6, 8)
N_PEOPLE = (2, 2, 3, 4, 5)
N_FREE_HOURS = (3, 4, 5, 7, 8)


def opening_hours(
    rng: np.random.Generator, difficulty: int, *, sights: Sequence[str], start: int = 9
) -> dict[str, Any]:
    """Sights with opening hours that can all be seen in exactly one order. Difficulty adds sights: 2 to 6."""
    n_sights = difficulty + 1
    while True:
        hour = start
        visits: list[dict[str, Any]] = []
        for name in sample(rng, sights, n_sights):
            hours = int(rng.integers(1, 3))
            opens = max(start - 1, hour - int(rng.integers(4)))
            closes = hour + hours + int(rng.integers(4))
            visits.append({"name": name, "hours": hours, "opens": opens, "closes": closes, "begins": hour})
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
                "name": letter(position),
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
        diaries: list[dict[str, Any]] = [
            {"name": name, "free": sorted(8 + int(hour) for hour in rng.permutation(11)[:n_hours])}
            for name in sample(rng, people, n_people)
        ]
        shared = sorted(set.intersection(*(set(diary["free"]) for diary in diaries)))
        if shared and (difficulty < 3 or shared[0] > 10):
            return {"diaries": diaries, "shared": shared}


def workshop(rng: np.random.Generator, difficulty: int, *, jobs: Sequence[str]) -> dict[str, Any]:
    """Jobs that take their time, some after others, some with the only crane, and the earliest time at which all are done.

    Difficulty adds jobs, 2 to 5, and makes more of them need the crane.
    """
    n = (2, 3, 4, 5, 5)[difficulty - 1]
    n_crane = (2, 2, 2, 3, 3)[difficulty - 1]
    n_after = (0, 1, 1, 2, 3)[difficulty - 1]
    while True:
        names = sample(rng, jobs, n)
        minutes = [5 * int(rng.integers(2, 13)) for _ in range(n)]
        crane = sorted(sample(rng, range(n), n_crane))
        after = sorted(sample(rng, list(itertools.combinations(range(n), 2)), n_after))
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
        "wrong": [_starts(names, slip) for slip in sample(rng, wrong, 3)],
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
    names = sample(rng, activities, n)
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
        for day in sample(rng, range(len(DAYS)), 2):
            free = [other for other in DAYS if other != DAYS[day]]
            wishes.append(
                ("allowed", f"{names[one]} is not possible on {DAYS[day]}", [names[one], *free], day_of[one] != day)
            )
    kept: list[tuple[str, str, list[str]]] = []
    left: Claim = np.ones(day_of.shape[1], dtype=np.bool_)
    for kind, words, row, meeting in sample(rng, [wish for wish in wishes if wish[3][world]], len(wishes)):
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
        "wrong": [_timetable(names, day_of[:, other]) for other in sample(rng, wrong, 3)],
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
    names = sorted(sample(rng, people, n_people))
    while True:
        turns = [int(rng.integers(n_people)) for _ in days]
        counts = [turns.count(person) for person in range(n_people)]
        if max(counts) <= most and min(counts) > 0 and all(a != b for a, b in itertools.pairwise(turns)):
            break
    free = [[person == turn for turn in turns] for person in range(n_people)]
    busy = [(person, day) for person in range(n_people) for day in range(n_days) if not free[person][day]]
    for person, day in sample(rng, busy, n_spare):
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
        "wrong": [_shifts(days, names, slip) for slip in sample(rng, wrong, 3)],
        "size": n_days * n_people,
    }


def _shifts(days: Sequence[str], names: Sequence[str], turns: Sequence[int]) -> str:
    return ", ".join(f"{day}: {names[turn]}" for day, turn in zip(days, turns, strict=True))


def talks(rng: np.random.Generator, difficulty: int, *, topics: Sequence[str]) -> dict[str, Any]:
    """Talks that overlap, and the most that one can hear. Difficulty adds talks, 3 to 9.

    From 3 on it does not do to go to whichever free talk begins next.
    """
    n = (3, 4, 6, 7, 9)[difficulty - 1]
    names = sample(rng, topics, n)
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
    fewer = by_end[1:]  # the first left out: no choice is how another begins
    clashing = [plan for plan in swapped if _heard(spans, plan) != plan and plan[: len(fewer)] != fewer]
    plans = [fewer, *clashing[:2]]
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


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "common_hour": common_hour,
    "opening_hours": opening_hours,
    "project": project,
    "roster": roster,
    "talks": talks,
    "week": week,
    "workshop": workshop,
}
