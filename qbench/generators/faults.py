"""Systems with one fault, and the symptoms that point to it and rule out every other cause."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample, shuffled

N_PARTS = (3, 4, 5, 6, 7)
N_PROGRAMS = (3, 4, 5, 6, 8)
N_STAGES = (3, 4, 5, 6, 8)
N_HUBS = (2, 3, 4, 5, 6)
N_PLACES = (2, 3, 3, 4, 4)  # machines between which parts are swapped
N_KINDS = (3, 3, 4, 4, 5)
N_SWAPS = (1, 2, 3, 4, 6)
N_LINES = (4, 5, 6, 8, 10)  # of a ledger
SIZES = (20, 100, 100, 1000, 10000)  # of the numbers in it
N_ROWS = (2, 2, 3, 3, 4)
N_COLUMNS = (2, 3, 3, 4, 4)
N_SERVICES = (3, 4, 6, 8, 10)
N_NEEDED = (3, 3, 4, 5, 6)  # steps that the goal needs
N_SIDE = (0, 2, 3, 4, 5)


def shared_part(
    rng: np.random.Generator, difficulty: int, *, programs: Sequence[str], parts: Sequence[str]
) -> dict[str, Any]:
    """Programs that freeze or work and the parts they use: one part is in all that freeze and in none that work."""
    n_programs, n_parts = N_PROGRAMS[difficulty - 1], N_PARTS[difficulty - 1]
    used = sample(rng, parts, n_parts)
    names = sample(rng, programs, n_programs)
    n_each = 2 if difficulty < 4 else 3
    while True:
        fault = used[int(rng.integers(n_parts))]
        observed: list[dict[str, Any]] = []
        for name in names:
            needs = [used[position] for position in sorted(rng.permutation(n_parts)[:n_each])]
            observed.append({"name": name, "parts": needs, "freezes": fault in needs})
        freezing = [set(one["parts"]) for one in observed if one["freezes"]]
        working = [set(one["parts"]) for one in observed if not one["freezes"]]
        if not freezing or not working:
            continue
        in_all = set.intersection(*freezing)
        if in_all - set.union(*working) == {fault}:
            return {
                "programs": observed,
                "used": used,
                "fault": fault,
                "in_all": [part for part in used if part in in_all],
                "cleared": [part for part in used if any(part in needs for needs in working)],
                "others": [part for part in used if part != fault],
            }


def outage(rng: np.random.Generator, difficulty: int, *, hubs: Sequence[str], devices: Sequence[str]) -> dict[str, Any]:
    """A tree of hubs below one router, two devices on each: which single failure cuts off exactly these devices?

    Two devices on every hub keep any two failures apart: no hub has the same devices behind it as another, and a dead
    device alone takes only one away. Something stays online, so that it is not the router.
    """
    n_hubs = N_HUBS[difficulty - 1]
    names = sample(rng, hubs, n_hubs)
    things = sample(rng, devices, 2 * n_hubs)
    while True:
        parents = [["router", *names[:position]][int(rng.integers(position + 1))] for position in range(n_hubs)]
        tree = [
            {"name": name, "parent": parents[position], "devices": things[2 * position : 2 * position + 2]}
            for position, name in enumerate(names)
        ]
        failed = names[int(rng.integers(n_hubs))]
        behind = {failed}
        for hub in tree:  # parents come before their children
            if hub["parent"] in behind:
                behind.add(str(hub["name"]))
        offline = {device for hub in tree if hub["name"] in behind for device in hub["devices"]}
        if len(offline) < len(things):
            break
    order = shuffled(rng, things)
    return {
        "tree": tree,
        "fault": failed,
        "offline": [device for device in order if device in offline],
        "online": [device for device in order if device not in offline],
        "others": ["router", *(name for name in names if name != failed)],
    }


def bottleneck(rng: np.random.Generator, difficulty: int, *, stages: Sequence[str]) -> dict[str, Any]:
    """Stages that every request passes, each of some equal machines: the least capacity limits them all."""
    n_stages = N_STAGES[difficulty - 1]
    names = [stages[position] for position in sorted(rng.permutation(len(stages))[:n_stages])]
    while True:
        chain = []
        for name in names:
            machines = 1 if difficulty == 1 else int(rng.integers(1, 2 + 2 * difficulty))
            # Shares of a similar total: neither the fewest machines nor the slowest ones give the answer away.
            each = int(rng.integers(30, 60)) * 10 // machines
            chain.append({"name": name, "machines": machines, "each": each, "capacity": machines * each})
        least, second = sorted(chain, key=lambda stage: stage["capacity"])[:2]
        if least["capacity"] < second["capacity"]:
            return {"chain": chain, "fault": least["name"], "others": [name for name in names if name != least["name"]]}


def swapped_parts(
    rng: np.random.Generator, difficulty: int, *, places: Sequence[str], kinds: Sequence[str]
) -> dict[str, Any]:
    """Equal machines, of which one fails; parts are swapped between them, and the failure moves with one kind of part.

    Difficulty adds machines, kinds of parts and swaps. Every kind but the faulty one would have put the failure elsewhere at least once.
    """
    n_places, n_kinds, n_swaps = N_PLACES[difficulty - 1], N_KINDS[difficulty - 1], N_SWAPS[difficulty - 1]
    used = sample(rng, kinds, n_kinds)
    names = sorted(sample(rng, places, n_places), key=list(places).index)
    while True:
        fault = used[int(rng.integers(n_kinds))]
        first = int(rng.integers(n_places))
        # Where the part of each kind is that stood in the failing machine at first.
        at = dict.fromkeys(used, first)
        possible = set(used)
        swaps = []
        for _ in range(n_swaps):
            kind = used[int(rng.integers(n_kinds))]
            one, other = (int(place) for place in rng.permutation(n_places)[:2])
            at[kind] = {one: other, other: one}.get(at[kind], at[kind])
            possible &= {name for name in used if at[name] == at[fault]}
            swaps.append({"kind": kind, "between": [names[one], names[other]], "fails": names[at[fault]]})
        if possible == {fault}:
            others = [kind for kind in used if kind != fault]
            return {
                "places": names,
                "kinds": used,
                "first": names[first],
                "swaps": swaps,
                "fault": fault,
                "others": others,
            }


def wrong_balance(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A ledger whose balances were carried on by hand: which line first has a balance that does not follow from the one before?

    Every later line is consistent with the wrong balance. Difficulty adds lines and digits.
    """
    n_lines, size = N_LINES[difficulty - 1], SIZES[difficulty - 1]
    opening = int(rng.integers(5 * size, 10 * size))
    wrong = 2 + int(rng.integers(n_lines - 1))
    balance, right, lines = opening, 0, []
    for number in range(1, n_lines + 1):
        amount = int(rng.integers(1, size))
        if balance > 2 * size and rng.integers(2):
            amount = -amount
        balance += amount
        if number == wrong:
            right = balance
            balance += (1, -1)[int(rng.integers(2))] * 10 ** int(rng.integers(len(str(size)) - 1))
        lines.append({"number": number, "amount": amount, "balance": balance})
    return {"opening": opening, "lines": lines, "wrong": wrong, "right": right}


def wrong_cell(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A table with right totals of rows and columns in which one cell was mistyped: which number belongs there?"""
    n_rows, n_columns, size = N_ROWS[difficulty - 1], N_COLUMNS[difficulty - 1], SIZES[difficulty - 1]
    table = [[int(rng.integers(size // 10, size)) for _ in range(n_columns)] for _ in range(n_rows)]
    rows = [sum(row) for row in table]
    columns = [sum(row[column] for row in table) for column in range(n_columns)]
    row, column = int(rng.integers(n_rows)), int(rng.integers(n_columns))
    right = table[row][column]
    while True:
        digits = list(str(right))
        place = int(rng.integers(len(digits)))
        digits[place] = str(int(rng.integers(10)))
        typed = int("".join(digits))
        if typed != right and digits[0] != "0":
            break
    table[row][column] = typed
    names = "ABCDEFGH"[:n_columns]
    return {
        "names": list(names),
        "table": table,
        "row_totals": rows,
        "column_totals": columns,
        "cell": f"{names[column]}{row + 1}",
        "typed": typed,
        "right": right,
        "row_sum": rows[row] + typed - right,
        "row_total": rows[row],
        "row": row + 1,
    }


def root_cause(rng: np.random.Generator, difficulty: int, *, services: Sequence[str]) -> dict[str, Any]:
    """Services that need one another, of which some fail: the cause is the one that fails although all it needs works.

    A service fails if something that it needs fails. Difficulty adds services; two of them need nothing, and one unrelated
    service at least works.
    """
    n_services = N_SERVICES[difficulty - 1]
    names = sample(rng, services, n_services)
    while True:
        needs: dict[str, list[str]] = {}
        for position, name in enumerate(names):
            count = 0 if position < 2 else 1 + int(rng.integers(min(2, position)))
            needs[name] = [names[other] for other in sorted(rng.permutation(position)[:count])]
        fault = names[int(rng.integers(n_services - 1))]
        failing = {fault}
        for name in names:  # what is needed stands before what needs it
            if failing & set(needs[name]):
                failing.add(name)
        if 2 <= len(failing) < n_services:
            break
    order = [names[position] for position in rng.permutation(n_services)]
    return {
        "needs": [{"name": name, "needs": needs[name]} for name in order],
        "failing": [name for name in order if name in failing],
        "working": [name for name in order if name not in failing],
        "fault": fault,
        "others": [name for name in order if name != fault][:4],
    }


def missing_step(
    rng: np.random.Generator, difficulty: int, *, steps: Sequence[str], goals: Sequence[str]
) -> dict[str, Any]:
    """Rules of what has to be done before what, and a report of what was done: which step that the goal needs was left out?

    Every needed step leads to the goal, at last; nothing leads from a side step to it, so that the side steps left out did no harm.
    Difficulty adds needed steps and side steps.
    """
    n_needed, n_side = N_NEEDED[difficulty - 1], N_SIDE[difficulty - 1]
    chosen = sample(rng, steps, n_needed + n_side)
    needed, side = chosen[:n_needed], chosen[n_needed:]
    goal = pick(rng, goals)
    later = [*needed, goal]
    rules = [(step, later[int(rng.integers(at + 1, min(at + 3, n_needed) + 1))]) for at, step in enumerate(needed)]
    rules += [(needed[int(rng.integers(n_needed))], step) for step in side]
    missing = needed[int(rng.integers(n_needed))]
    harmless = side[: (n_side + 1) // 2]
    remaining, order = list(chosen), []
    while remaining:
        ready = [
            step for step in remaining if not any(after == step and before in remaining for before, after in rules)
        ]
        order.append(pick(rng, ready))
        remaining.remove(order[-1])
    done = [step for step in order if step != missing and step not in harmless]
    return {
        "goal": goal,
        "rules": [{"before": before, "after": after} for before, after in shuffled(rng, rules)],
        "done": done,
        "missing": missing,
        "not_done": [step for step in order if step not in done],
        "others": [*harmless, *done][:3],
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "bottleneck": bottleneck,
    "missing_step": missing_step,
    "outage": outage,
    "root_cause": root_cause,
    "shared_part": shared_part,
    "swapped_parts": swapped_parts,
    "wrong_balance": wrong_balance,
    "wrong_cell": wrong_cell,
}
