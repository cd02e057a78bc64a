"""Documents whose answer takes several steps: a chain of causes, of owners, of clauses; a running state; a sum over the whole text.

Every function takes ``words`` (how long the document is) and its other knobs as one number, or as a list of five, one per difficulty, and
returns the ``document`` beside the parts of its question. A number that is asked for is drawn, never counted from the filler.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.filler import (
    WORDS,
    Knob,
    at,
    capital,
    interleave,
    others,
    pick,
    plant,
    sample,
    shuffled,
)


def transfers(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    hops: Knob = (1, 2, 3, 4, 6),
    distractors: Knob = (0, 1, 1, 2, 3),
) -> dict[str, Any]:
    """An object goes from hand to hand; other objects do too. Who has it in the end? Harder with hops and other objects."""
    n_hops = at(hops, difficulty)
    objects = sample(
        rng, ["key", "lamp", "violin", "ring", "clock", "coin", "drum", "mirror"], 1 + at(distractors, difficulty)
    )
    phrases = [
        "{giver} gave the {object} to {taker}.",
        "{giver} sold the {object} to {taker}.",
        "{giver} passed the {object} on to {taker}.",
        "{taker} received the {object} from {giver}.",
    ]
    chains = []
    for name in objects:
        owners = sample(rng, word_list("people"), n_hops + 1)
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
        "hops": n_hops,
        "steps": steps,
        "document": plant(rng, facts, "chronicle", at(words, difficulty), in_order=True),
    }


DEVELOPMENTS = [
    "canal", "mill", "mine", "brewery", "foundry", "tannery", "shipyard", "newspaper",
    "hospital", "bank", "quarry", "dairy", "observatory", "waterworks", "university", "sawmill",
]  # fmt: skip


def causes(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    links: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (1, 1, 2, 3, 4),
) -> dict[str, Any]:
    """One development of a town makes the next possible; other pairs do not touch the chain. Harder with links and pairs."""
    phrases = [
        "The {cause} made the {effect} possible.",
        "The {effect} grew out of the {cause}.",
        "Without the {cause} there would have been no {effect}.",
        "It was the {cause} that led to the {effect}.",
    ]
    n_links, n_pairs = at(links, difficulty), at(distractors, difficulty)
    names = sample(rng, DEVELOPMENTS, n_links + 1 + 2 * n_pairs)
    chain, rest = names[: n_links + 1], names[n_links + 1 :]
    steps = list(itertools.pairwise(chain))
    pairs = steps + [(rest[2 * pair], rest[2 * pair + 1]) for pair in range(n_pairs)]
    facts = [pick(rng, phrases).format(cause=cause, effect=effect) for cause, effect in pairs]
    return {
        "first": chain[0],
        "last": chain[-1],
        "others": others(rng, chain[0], [*chain[1:-1], *rest], [name for name in DEVELOPMENTS if name != chain[-1]]),
        "links": n_links,
        "steps": [f"The {effect} came from the {cause}." for cause, effect in reversed(steps)],
        "document": plant(rng, facts, "chronicle", at(words, difficulty)),
    }


def study(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    changes: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (1, 1, 2, 3, 4),
    largest_change: Knob = (5, 9, 30, 60, 90),
) -> dict[str, Any]:
    """People leave and join a study while it runs. How many are there in the end? Harder with changes and larger numbers."""
    events = [
        (-1, "After the first visit {n} people moved away and left the study."),
        (+1, "From the waiting list {n} people joined the study."),
        (-1, "Because the visits took too much time {n} people left the study."),
        (+1, "A second call brought {n} further people into the study."),
        (-1, "In the last month {n} people fell ill and left the study."),
    ]
    asides = [
        ("The longest form had {n} questions.", 12, 80),
        ("The trained staff consisted of {n} nurses.", 3, 20),
        ("The plan was printed on {n} pages.", 8, 90),
        ("The visits were spread over {n} weeks.", 4, 52),
    ]
    largest = at(largest_change, difficulty)
    chosen = sorted(sample(rng, range(len(events)), at(changes, difficulty)))
    total = start = int(rng.integers(4 * largest, 10 * largest))
    facts = [f"At the beginning {start} people took part in the study."]
    steps = []
    for position in chosen:
        sign, sentence = events[position]
        change = int(rng.integers(2, largest + 1))
        facts.append(sentence.format(n=change))
        steps.append(f"{total} {'+' if sign > 0 else '-'} {change} = {total + sign * change}")
        total += sign * change
    noise = [
        aside.format(n=rng.integers(low, high)) for aside, low, high in sample(rng, asides, at(distractors, difficulty))
    ]
    return {
        "total": total,
        "steps": steps,
        "document": plant(rng, interleave(rng, [facts, noise]), "study", at(words, difficulty), in_order=True),
    }


def contract(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    references: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (0, 1, 2, 3, 4),
) -> dict[str, Any]:
    """A period is defined by another schedule of the contract, and that one by the next. Harder with references and other schedules."""
    n_references, n_others = at(references, difficulty), at(distractors, difficulty)
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
    periods = sample(rng, names, n_references + n_others)
    numbers = dict(zip(periods, sample(rng, range(2, 40), len(periods)), strict=True))
    chain, rest = periods[:n_references], periods[n_references:]
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
    steps, total = [f"{capital(chain[-1])} period: {days} days."], days
    for name, longer in zip(reversed(chain[:-1]), reversed(extra), strict=True):
        steps.append(f"{capital(name)} period: {total} + {longer} = {total + longer} days.")
        total += longer
    return {
        "duty": duty,
        "days": total,
        "steps": steps,
        "document": plant(rng, facts, "legal", at(words, difficulty), alone=True),
    }


CLUBS = ["chess club", "drama group", "rowing team", "film circle", "science club", "history society"]
PURCHASES = [
    "costumes", "books", "travel", "posters", "insurance", "rented rooms",
    "medals", "paint", "software", "tickets", "tables", "spare parts",
]  # fmt: skip


def spending(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    purchases: Knob = (2, 3, 4, 5, 7),
    largest: Knob = (9, 40, 90, 400, 900),
) -> dict[str, Any]:
    """Clubs spend money throughout a report, and some of it comes back. What did one spend in all? Harder with purchases and amounts."""
    n, limit = at(purchases, difficulty), at(largest, difficulty)
    clubs = sample(rng, CLUBS, 2 if difficulty < 4 else 3)
    asked, n_facts, facts, steps, total = clubs[0], 0, [], [], 0
    for club in clubs:
        refunds = difficulty >= 3
        for number, goods in enumerate(sample(rng, PURCHASES, n)):
            amount = int(rng.integers(limit // 3, limit + 1))
            back = int(rng.integers(2, max(3, amount // 2))) if refunds and number == 0 else 0
            facts.append(
                pick(
                    rng,
                    [
                        f"The {club} spent ${amount} on {goods}.",
                        f"For {goods} the {club} paid ${amount}.",
                        f"A bill of ${amount} for {goods} was settled by the {club}.",
                    ],
                )
            )
            if back:
                facts.append(f"Of the money for {goods} the {club} was later given back ${back}.")
            n_facts += 1
            if club == asked:
                for change in (amount, -back) if back else (amount,):
                    if total:
                        steps.append(f"{total} {'+' if change > 0 else '-'} {abs(change)} = {total + change}")
                    total += change
    return {
        "club": asked,
        "total": total,
        "steps": steps,
        "n_facts": n_facts,
        "document": plant(rng, shuffled(rng, facts), "office", at(words, difficulty)),
    }


def stock(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    movements: Knob = (1, 2, 3, 5, 7),
    largest: Knob = (10, 20, 40, 100, 400),
) -> dict[str, Any]:
    """Sacks move between depots, some by number and some by share, so that the order counts. Harder with movements and larger stocks."""
    depots = ["north depot", "south depot", "harbor depot"][: 2 if difficulty < 3 else 3]
    goods = pick(rng, ["rice", "flour", "sugar", "coffee", "salt", "barley", "oats", "beans"])
    limit = at(largest, difficulty)
    held = {depot: 2 * int(rng.integers(limit // 4, limit // 2 + 1)) for depot in depots}
    facts = [f"At the beginning of the year the {depot} held {n} sacks of {goods}." for depot, n in held.items()]
    steps = [", ".join(f"{depot} {n}" for depot, n in held.items())]
    for _ in range(at(movements, difficulty)):
        source, goal = sample(rng, depots, 2)
        kind = int(rng.integers(4)) if held[source] >= 4 else 1
        if kind == 0 and held[source] % 2 == 0:
            moved = held[source] // 2
            facts.append(f"Then half of the sacks in the {source} were taken to the {goal}.")
        elif kind == 1:
            moved, arrived = 0, int(rng.integers(2, limit // 2))
            held[goal] += arrived
            facts.append(f"Then a truck brought {arrived} new sacks to the {goal}.")
        elif kind == 2 and held[source] > held[goal] > 1:
            moved = 0
            held[source] = held[goal]
            facts.append(f"Then sacks in the {source} were sold until it held as many as the {goal}.")
        else:
            moved = int(rng.integers(1, held[source] // 2))
            facts.append(
                f"Then {moved} sacks were taken from the {source} to the {goal}."
                if moved > 1
                else f"Then a single sack was taken from the {source} to the {goal}."
            )
        held[source] -= moved
        held[goal] += moved
        steps.append(", ".join(f"{depot} {n}" for depot, n in held.items()))
    asked = pick(rng, depots)
    return {
        "goods": goods,
        "depot": asked,
        "sacks": held[asked],
        "n_movements": at(movements, difficulty),
        "steps": steps,
        "document": plant(rng, facts, "office", at(words, difficulty), in_order=True),
    }


PORTS = [
    "Aldmouth", "Berrow", "Carnhaven", "Dunsey", "Eastholm", "Farrowby", "Gullport", "Hythe Bay",
    "Inverlane", "Jarrick", "Kilmory", "Lowsand", "Morven", "Norhaven", "Oxmouth", "Penwick",
]  # fmt: skip
SHIPS = ["Albatross", "Good Hope", "Northern Star", "Seagull", "Blue Whale"]


def voyage(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    legs: Knob = (2, 3, 4, 6, 8),
    ships: Knob = (1, 1, 2, 2, 3),
) -> dict[str, Any]:
    """The legs of a voyage, told out of order. Where does it end? Harder with legs and with other ships that call at the same ports."""
    n_legs = at(legs, difficulty)
    names = sample(rng, SHIPS, at(ships, difficulty))
    voyages = [sample(rng, PORTS, n_legs + 1) for _ in names]
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
        "n_legs": n_legs,
        "others": others(rng, ports[-1], [*ports[1:-1], *(stops[-1] for stops in voyages[1:])], PORTS),
        "steps": [" → ".join(ports)],
        "document": plant(rng, shuffled(rng, facts), "chronicle", at(words, difficulty)),
    }


MONTHS = {"March": 31, "April": 30, "May": 31, "June": 30, "July": 31}
EVENTS = [
    "boat race", "flower show", "charity dinner", "book sale", "song contest", "open day",
    "kite festival", "craft fair", "chess tournament", "film night", "wine tasting", "costume ball",
]  # fmt: skip


def calendar(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    events: Knob = (3, 4, 5, 7, 9),
    relative: Knob = (0, 1, 1, 2, 3),
) -> dict[str, Any]:
    """Events with their dates, told out of order; some dates are relative to another event. Which was the k-th? Harder with events."""
    n_events, n_relative = at(events, difficulty), at(relative, difficulty)
    names = sample(rng, EVENTS, n_events)
    months = list(MONTHS)[: 2 if difficulty < 3 else 5]
    span = sum(MONTHS[month] for month in months)
    days = dict(zip(names, sample(rng, range(span), n_events), strict=True))
    facts, steps = [], []
    for number, name in enumerate(names):
        if number < n_relative:  # tells its distance to an event that has a date
            base = names[n_relative + number]
            gap = days[name] - days[base]
            apart = "1 day" if abs(gap) == 1 else f"{abs(gap)} days"
            facts.append(f"The {name} took place {apart} {'after' if gap > 0 else 'before'} the {base}.")
        else:
            facts.append(f"The {name} took place on {_date(days[name], months)}.")
        steps.append((days[name], f"{_date(days[name], months)}: {name}"))
    order = sorted(names, key=days.__getitem__)
    place = int(rng.integers(2, n_events + 1)) if difficulty > 1 else pick(rng, [1, n_events])
    answer = order[place - 1]
    near = [order[position] for position in (place - 2, place, place - 3, place + 1) if 0 <= position < n_events]
    return {
        "place": {1: "first", n_events: "last"}.get(place, f"number {place}"),
        "event": answer,
        "n_events": n_events,
        "others": others(rng, answer, near[:3], EVENTS),
        "steps": [text for _, text in sorted(steps)],
        "document": plant(rng, shuffled(rng, facts), "office", at(words, difficulty)),
    }


def _date(day: int, months: list[str]) -> str:
    for month in months:
        if day < MONTHS[month]:
            break
        day -= MONTHS[month]
    return f"{month} {day + 1}"


SETTINGS = ["timeout", "page size", "retry delay", "cache limit", "upload limit", "poll interval"]


def changelog(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    changes: Knob = (2, 3, 4, 5, 7),
    settings: Knob = (1, 2, 2, 3, 4),
) -> dict[str, Any]:
    """A change log, newest entry first; some entries take back an earlier one. What was the default in one version? Harder with entries."""
    n_changes = at(changes, difficulty)
    names = sample(rng, SETTINGS, at(settings, difficulty))
    asked = names[0]
    entries: list[tuple[str, str]] = []
    history: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        minors = sorted(sample(rng, range(1, 2 * n_changes + 4), n_changes))
        values = [int(value) for value in sample(rng, range(10, 100), n_changes)]
        history[name] = []
        for number, (minor, value) in enumerate(zip(minors, values, strict=True)):
            # What is taken back is the change before, so that the value is the one before that.
            takes_back = number >= 2 and difficulty > 1 and int(rng.integers(3)) == 0
            if takes_back and history[name][-2][1] != history[name][-1][1]:
                value = history[name][-2][1]
                text = f"takes back the change of the {name} made in version 3.{minors[number - 1]}"
            elif number == 0:
                text = f"introduces the {name} with a default of {value}"
            else:
                text = f"sets the default of the {name} to {value}"
            history[name].append((minor, value))
            entries.append((f"{minor:03d}", f"Version 3.{minor} {text}."))
    number = n_changes - 1 if difficulty < 3 else int(rng.integers(1, n_changes))
    start = history[asked][number][0]
    end = history[asked][number + 1][0] if number + 1 < n_changes else start + 3
    version = int(rng.integers(start, end))
    return {
        "setting": asked,
        "version": f"3.{version}",
        "value": history[asked][number][1],
        "n_entries": len(entries),
        "steps": [f"Version 3.{minor}: {value}" for minor, value in history[asked][: number + 1]],
        "document": plant(
            rng,
            [text for _, text in sorted(entries, reverse=True)],
            "software",
            at(words, difficulty),
            in_order=True,
            alone=True,
        ),
    }


def fare(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, rules: Knob = (1, 2, 3, 4, 5)
) -> dict[str, Any]:
    """Rules of a ferry with exceptions, scattered, and one passenger. What is the fare? Harder with rules."""
    n_rules = at(rules, difficulty)
    ordinary = 2 * int(rng.integers(6, 30))
    amounts = [int(amount) for amount in sample(rng, range(2, 6), 4)]
    child, islander, bicycle, weekend, night = (bool(rng.integers(2)) for _ in range(5))
    if difficulty == 1:
        child = True
    # Each rule: its text, and the change of the fare if it applies to this passenger.
    half = -ordinary // 2 if child else 0
    pool = [
        ("A child pays half of the ordinary fare.", half),
        (
            f"An islander pays ${amounts[0]} less, except on weekends.",
            -amounts[0] if islander and not weekend else 0,
        ),
        (f"A bicycle costs ${amounts[1]} more, except for children.", amounts[1] if bicycle and not child else 0),
        (f"At night everybody except islanders pays ${amounts[2]} more.", amounts[2] if night and not islander else 0),
        (
            f"On weekends everybody without a bicycle pays ${amounts[3]} more.",
            amounts[3] if weekend and not bicycle else 0,
        ),
    ]
    chosen = pool[:n_rules]
    total, steps = ordinary, [f"The ordinary fare is ${ordinary}."]
    for text, change in chosen:
        total += change
        steps.append(
            f"{text} Here: {'+' if change > 0 else '-'} {abs(change)}" if change else f"{text} Here: no change"
        )
    person = pick(rng, word_list("people"))
    facts = [f"The ordinary fare of the ferry is ${ordinary}.", *(text for text, _ in chosen)]
    noise = [
        f"A cabin on the ferry costs ${rng.integers(30, 90)}.",
        f"A lost ticket is replaced for ${rng.integers(2, 9)}.",
        f"Parking at the landing stage costs ${rng.integers(3, 20)} a day.",
    ][: difficulty // 2 + 1]
    kind = f"{'a child' if child else 'an adult'} who {'is' if islander else 'is not'} an islander"
    trip = f"{'at night' if night else 'by day'} on a {'weekend' if weekend else 'weekday'}"
    return {
        "case": f"{person} is {kind} and takes the ferry {'with' if bicycle else 'without'} a bicycle {trip}.",
        "person": person,
        "fare": total,
        "n_rules": n_rules,
        "steps": steps,
        "document": plant(rng, shuffled(rng, [*facts, *noise]), "legal", at(words, difficulty)),
    }


def linked(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    hops: Knob = (2, 2, 3, 4, 5),
    distractors: Knob = (1, 2, 2, 3, 4),
) -> dict[str, Any]:
    """Facts of different kinds that lead from a parcel to a number, each with others of its kind. Harder with hops and others."""
    n_hops, n_chains = at(hops, difficulty), 1 + at(distractors, difficulty)
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
    columns = [sample(rng, names, n_chains) for names, _ in kinds[:n_hops]]
    numbers = [int(number) for number in sample(rng, range(100, 1000), n_chains)]
    chains = []
    for chain in range(n_chains):
        stops = [column[chain] for column in columns]
        facts = [kinds[hop][1].format(a=stops[hop], b=stops[hop + 1]) for hop in range(n_hops - 1)] + [
            numbered[n_hops - 1].format(a=stops[-1], b=numbers[chain])
        ]
        chains.append(facts)
    noise = shuffled(rng, [fact for facts in chains[1:] for fact in facts])
    return {
        "parcel": columns[0][0],
        "number": numbers[0],
        "hops": n_hops,
        "n_facts": n_hops * n_chains,
        "steps": chains[0],
        "document": plant(rng, [*chains[0], *noise], "chronicle", at(words, difficulty), n_needles=n_hops),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "calendar": calendar,
    "causes": causes,
    "changelog": changelog,
    "contract": contract,
    "fare": fare,
    "linked": linked,
    "spending": spending,
    "stock": stock,
    "study": study,
    "transfers": transfers,
    "voyage": voyage,
}
