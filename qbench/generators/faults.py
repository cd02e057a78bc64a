"""Systems with one fault, and the symptoms that point to it and rule out every other cause."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

N_PARTS = (3, 4, 5, 6, 7)
N_PROGRAMS = (3, 4, 5, 6, 8)
N_STAGES = (2, 3, 4, 5, 6)
N_HUBS = (2, 3, 4, 5, 6)


def shared_part(
    rng: np.random.Generator, difficulty: int, *, programs: Sequence[str], parts: Sequence[str]
) -> dict[str, Any]:
    """Programs that freeze or work and the parts they use: one part is in all that freeze and in none that work."""
    n_programs, n_parts = N_PROGRAMS[difficulty - 1], N_PARTS[difficulty - 1]
    used = [parts[position] for position in rng.permutation(len(parts))[:n_parts]]
    names = [programs[position] for position in rng.permutation(len(programs))[:n_programs]]
    n_each = 2 if difficulty < 4 else 3
    while True:
        fault = used[int(rng.integers(n_parts))]
        observed = []
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
    names = [hubs[position] for position in rng.permutation(len(hubs))[:n_hubs]]
    things = [devices[position] for position in rng.permutation(len(devices))[: 2 * n_hubs]]
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
    order = [things[position] for position in rng.permutation(len(things))]
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


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "bottleneck": bottleneck,
    "outage": outage,
    "shared_part": shared_part,
}
