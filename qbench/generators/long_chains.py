"""Chains in long documents: each step leads to the next, of owners, causes, clauses, ports, a parcel's way."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.drawing import interleave, others, pick, sample, shuffled
from qbench.generators.filler import Length, plant
from qbench.generators.knobs import knobs
from qbench.generators.wording import capitalized


@knobs(hops=(1, 2, 3, 4, 6), distractors=(0, 1, 1, 2, 3))
def transfers(
    rng: np.random.Generator, difficulty: int, *, words: Length, hops: int, distractors: int
) -> dict[str, Any]:
    """An object goes from hand to hand; other objects do too. Who has it in the end? Harder with hops and other objects."""
    objects = sample(rng, ["key", "lamp", "violin", "ring", "clock", "coin", "drum", "mirror"], 1 + distractors)
    phrases = [
        "{giver} gave the {object} to {taker}.",
        "{giver} sold the {object} to {taker}.",
        "{giver} passed the {object} on to {taker}.",
        "{taker} received the {object} from {giver}.",
    ]
    chains = []
    for name in objects:
        owners = sample(rng, word_list("people"), hops + 1)
        hands = [
            pick(rng, phrases).format(giver=giver, taker=taker, object=name)
            for giver, taker in itertools.pairwise(owners)
        ]
        chains.append((owners, [f"At first the {name} belonged to {owners[0]}.", *hands]))
    owners, steps = chains[0]
    facts = interleave(rng, [facts for _, facts in chains])
    return {
        "object": objects[0],
        "last": owners[-1],
        "others": others(rng, owners[-1], owners[::-1], word_list("people")),
        "hops": hops,
        "steps": steps,
        "document": plant(rng, facts, "chronicle", words, in_order=True),
    }


DEVELOPMENTS = [
    "canal", "mill", "mine", "brewery", "foundry", "tannery", "shipyard", "newspaper",
    "hospital", "bank", "quarry", "dairy", "observatory", "waterworks", "university", "sawmill",
]  # fmt: skip


@knobs(links=(1, 2, 3, 4, 5), distractors=(1, 1, 2, 3, 4))
def causes(rng: np.random.Generator, difficulty: int, *, words: Length, links: int, distractors: int) -> dict[str, Any]:
    """One development of a town makes the next possible; other pairs do not touch the chain. Harder with links and pairs."""
    phrases = [
        "The {cause} made the {effect} possible.",
        "The {effect} grew out of the {cause}.",
        "Without the {cause} there would have been no {effect}.",
        "It was the {cause} that led to the {effect}.",
    ]
    names = sample(rng, DEVELOPMENTS, links + 1 + 2 * distractors)
    chain, rest = names[: links + 1], names[links + 1 :]
    steps = list(itertools.pairwise(chain))
    pairs = steps + [(rest[2 * pair], rest[2 * pair + 1]) for pair in range(distractors)]
    facts = [pick(rng, phrases).format(cause=cause, effect=effect) for cause, effect in pairs]
    return {
        "first": chain[0],
        "last": chain[-1],
        "others": others(rng, chain[0], [*chain[1:-1], *rest], [name for name in DEVELOPMENTS if name != chain[-1]]),
        "links": links,
        "steps": [f"The {effect} came from the {cause}." for cause, effect in reversed(steps)],
        "document": plant(rng, facts, "chronicle", words),
    }


@knobs(references=(1, 2, 3, 4, 5), distractors=(0, 1, 2, 3, 4))
def contract(
    rng: np.random.Generator, difficulty: int, *, words: Length, references: int, distractors: int
) -> dict[str, Any]:
    """A period is defined by another schedule of the contract, and that one by the next. Harder with references and other schedules."""
    names = [
        "delivery",
        "inspection",
        "payment",
        "repair",
        "review",
        "storage",
        "return",
        "warning",
        "grace",
        "renewal",
    ]
    periods = sample(rng, names, references + distractors)
    numbers = dict(zip(periods, sample(rng, range(2, 40), len(periods)), strict=True))
    chain, rest = periods[:references], periods[references:]
    duty = pick(
        rng, ["hand over the goods", "answer the claim", "remove the machines", "return the deposit", "sign the plans"]
    )
    extra = [int(rng.integers(2, 10)) for _ in chain[:-1]]
    days = int(rng.integers(5, 31))
    facts = [
        f"Party A shall {duty} within the {chain[0]} period of Schedule {numbers[chain[0]]}.",
        *(
            f"Schedule {numbers[name]}. The {name} period is {longer} days longer than the {base} period of Schedule {numbers[base]}."
            for name, base, longer in zip(chain, chain[1:], extra, strict=False)
        ),
        f"Schedule {numbers[chain[-1]]}. The {chain[-1]} period is {days} days.",
        *(f"Schedule {numbers[name]}. The {name} period is {rng.integers(5, 31)} days." for name in rest),
    ]
    steps, total = [f"{capitalized(chain[-1])} period: {days} days."], days
    for name, longer in zip(reversed(chain[:-1]), reversed(extra), strict=True):
        steps.append(f"{capitalized(name)} period: {total} + {longer} = {total + longer} days.")
        total += longer
    return {
        "duty": duty,
        "days": total,
        "steps": steps,
        "document": plant(rng, facts, "legal", words, alone=True),
    }


PORTS = [
    "Aldmouth", "Berrow", "Carnhaven", "Dunsey", "Eastholm", "Farrowby", "Gullport", "Hythe Bay",
    "Inverlane", "Jarrick", "Kilmory", "Lowsand", "Morven", "Norhaven", "Oxmouth", "Penwick",
]  # fmt: skip
SHIPS = ["Albatross", "Good Hope", "Northern Star", "Seagull", "Blue Whale"]


@knobs(legs=(2, 3, 4, 6, 8), ships=(1, 1, 2, 2, 3))
def voyage(rng: np.random.Generator, difficulty: int, *, words: Length, legs: int, ships: int) -> dict[str, Any]:
    """The legs of a voyage, told out of order. Where does it end? Harder with legs and with other ships that call at the same ports."""
    names = sample(rng, SHIPS, ships)
    voyages = [sample(rng, PORTS, legs + 1) for _ in names]
    phrases = [
        "From {a} the {ship} sailed to {b}.",
        "The {ship} reached {b} straight from {a}.",
        "In {a} the {ship} took on water and then made for {b}.",
        "The next port of the {ship} after {a} was {b}.",
    ]
    facts = [
        pick(rng, phrases).format(a=a, b=b, ship=ship)
        for ship, ports in zip(names, voyages, strict=True)
        for a, b in itertools.pairwise(ports)
    ]
    ports = voyages[0]
    return {
        "ship": names[0],
        "start": ports[0],
        "end": ports[-1],
        "n_legs": legs,
        "others": others(rng, ports[-1], [*ports[1:-1], *(stops[-1] for stops in voyages[1:])], PORTS),
        "steps": [" → ".join(ports)],
        "document": plant(rng, shuffled(rng, facts), "chronicle", words),
    }


@knobs(hops=(2, 2, 3, 4, 5), distractors=(1, 2, 2, 3, 4))
def linked(rng: np.random.Generator, difficulty: int, *, words: Length, hops: int, distractors: int) -> dict[str, Any]:
    """Facts of different kinds that lead from a parcel to a number, each with others of its kind. Harder with hops and others."""
    n_chains = 1 + distractors
    kinds = [
        (["amber", "ivory", "purple", "silver", "golden", "crimson"], "The {a} parcel is addressed to {b}."),
        (word_list("people"), "{a} lives in {b}."),
        (["Fox Lane", "Mill Row", "Castle Street", "Orchard Way", "Bell Yard", "Quay Road"], "Mail for {a} goes out with the {b}."),
        (["tricycle", "steam tram", "hay wagon", "donkey cart", "milk float", "motor boat"], "The {a} is kept behind the {b}."),
        (["old mint", "tea house", "rope walk", "ice cellar", "wax museum", "dye works"], ""),
    ]  # fmt: skip
    # A chain of two hops ends with a person's number, one of three with a street's, and so on.
    numbered = ["", "{a} lives at number {b}.", "The gate of {a} bears the number {b}.",
                "The {a} has the number {b}.", "The door of the {a} bears the number {b}."]  # fmt: skip
    columns = [sample(rng, names, n_chains) for names, _ in kinds[:hops]]
    numbers = [int(number) for number in sample(rng, range(100, 1000), n_chains)]
    chains = []
    for chain in range(n_chains):
        stops = [column[chain] for column in columns]
        facts = [kinds[hop][1].format(a=stops[hop], b=stops[hop + 1]) for hop in range(hops - 1)] + [
            numbered[hops - 1].format(a=stops[-1], b=numbers[chain])
        ]
        chains.append(facts)
    noise = shuffled(rng, [fact for facts in chains[1:] for fact in facts])
    return {
        "parcel": columns[0][0],
        "number": numbers[0],
        "hops": hops,
        "n_facts": hops * n_chains,
        "steps": chains[0],
        "document": plant(rng, [*chains[0], *noise], "chronicle", words, n_needles=hops),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "causes": causes,
    "contract": contract,
    "linked": linked,
    "transfers": transfers,
    "voyage": voyage,
}
