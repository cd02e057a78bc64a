"""Long documents whose answer is in no sentence: it follows when what stands in several places is compared."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.drawing import others, pick, sample, shuffled
from qbench.generators.filler import Length, plant, plant_sections
from qbench.generators.knobs import knobs
from qbench.generators.wording import capitalized, listed

VILLAGES = [
    "Ashby", "Brightwell", "Colmere", "Dunmore", "Elmford", "Fairlea", "Greyport", "Hollin", "Kestrel Bay", "Larkham",
]  # fmt: skip


@knobs(travelers=(1, 2, 3, 4, 5), villages=(2, 3, 4, 5, 6))
def trip(rng: np.random.Generator, difficulty: int, *, words: Length, travelers: int, villages: int) -> dict[str, Any]:
    """Each traveler has a wish, and one village fulfils them all. What a wish needs is left to be inferred. Harder with both."""
    wishes = {
        "a beach": "wants to swim in the sea",
        "a castle": "wants to stand on old battlements",
        "an art museum": "wants to look at paintings",
        "a forest": "wants to walk under tall trees",
        "a lake": "wants to row a boat on fresh water",
        "a railway station": "wants to arrive by train",
        "a zoo": "wants to see live lions",
        "a bookshop": "wants to buy novels",
    }
    extras = ["a post office", "a windmill", "a fountain", "a town wall"]
    needed = sample(rng, list(wishes), travelers)
    people = sample(rng, word_list("people"), len(needed))
    names = sample(rng, VILLAGES, villages)
    facts = [f"{person} {wishes[need]}." for person, need in zip(people, needed, strict=True)]
    most_missing = len(needed) if difficulty < 4 else 1  # near misses make the hard ones
    lacks: dict[str, str] = {}
    for position, name in enumerate(names):
        missing = sample(rng, needed, int(rng.integers(1, most_missing + 1))) if position else []
        offered = shuffled(rng, [need for need in needed if need not in missing] + [pick(rng, extras)])
        facts.append(f"{name} has {listed(offered)}.")
        if missing:
            lacks[name] = missing[0]
    return {
        "place": names[0],
        "others": others(rng, names[0], names, VILLAGES),
        "n_facts": len(facts),
        "steps": [f"{name} does not have {missing}." for name, missing in lacks.items()],
        "document": plant(rng, shuffled(rng, facts), "travel", words),
    }


DETAILS = [
    ("the color of the car", "The car was {}.", ["red", "blue", "green", "white", "black"]),
    ("the number of people", "There were {} people in the car.", ["two", "three", "four", "five"]),
    ("the direction", "The car drove off towards the {}.", ["river", "hills", "coast", "motorway"]),
    ("the time", "It happened at {} in the evening.", ["seven", "eight", "nine", "ten"]),
    ("the sound", "Before it happened one could hear a {}.", ["whistle", "shout", "horn", "siren"]),
    ("the clothing", "The driver wore a {}.", ["hat", "scarf", "raincoat", "uniform"]),
    ("the lost object", "The driver lost a {}.", ["glove", "wallet", "camera", "notebook"]),
]


@knobs(details=(1, 2, 3, 5, 7))
def witnesses(rng: np.random.Generator, difficulty: int, *, words: Length, details: int) -> dict[str, Any]:
    """Three statements agree in every detail but one, and in that one a single witness stands alone. Harder with details."""
    (_, sentence, options), *rest = sample(rng, DETAILS, details)
    names = sample(rng, word_list("people"), 3)
    odd = pick(rng, names)
    true, false = sample(rng, options, 2)
    shared = [text.format(pick(rng, values)) for _, text, values in rest]
    said = {name: sentence.format(false if name == odd else true) for name in names}
    statements = [(f"Statement of {name}:", shuffled(rng, [*shared, said[name]])) for name in names]
    return {
        "witness": odd,
        "others": others(rng, odd, names, word_list("people"), 2),
        "n_details": details,
        "steps": [f"{name}: {said[name]}" for name in names],
        "document": plant_sections(rng, statements, "evening", words),
    }


@knobs(details=(2, 3, 4, 6, 7))
def reports(rng: np.random.Generator, difficulty: int, *, words: Length, details: int) -> dict[str, Any]:
    """Two reports of one evening, worded differently, agree in all details but one. Which? Harder with details."""
    again = {  # the same details in the words of the second report
        "the color of the car": "A {} car was seen by several people.",
        "the number of people": "In the car sat {} people.",
        "the direction": "Towards the {} the car disappeared.",
        "the time": "The hour was {} in the evening.",
        "the sound": "A {} was heard before it happened.",
        "the clothing": "A {} was what the driver had on.",
        "the lost object": "Later a {} that belonged to the driver was found.",
    }
    chosen = sample(rng, DETAILS, details)
    odd = chosen[0][0]
    first, second = [], []
    for topic, sentence, options in chosen:
        one, other = sample(rng, options, 2)
        first.append(sentence.format(one))
        second.append(again[topic].format(other if topic == odd else one))
    return {
        "detail": odd,
        "topics": shuffled(rng, [topic for topic, _, _ in chosen]),
        "others": others(rng, odd, [topic for topic, _, _ in chosen], [topic for topic, _, _ in DETAILS]),
        "n_details": len(chosen),
        "steps": [f"First report: {first[0]}", f"Second report: {second[0]}"],
        "document": plant_sections(
            rng,
            [("First report.", shuffled(rng, first)), ("Second report.", shuffled(rng, second))],
            "evening",
            words,
        ),
    }


@knobs(products=(2, 3, 4, 5, 6), quarters=(2, 2, 3, 4, 4), largest=(30, 60, 99, 400, 900))
def business(
    rng: np.random.Generator, difficulty: int, *, words: Length, products: int, quarters: int, largest: int
) -> dict[str, Any]:
    """Revenue by product and quarter. Which product fell most from the first quarter to the last? Harder with the size of the table."""
    names = ["tea", "soap", "paper", "honey", "cheese", "glass", "wool", "furniture"]
    chosen = sample(rng, names, products)
    drops = sample(rng, range(-largest // 6, largest // 3), len(chosen) - 1)
    drops.append(max(*drops, largest // 6) + int(rng.integers(2, 6)))
    revenue = {}
    for name, drop in zip(chosen, drops, strict=True):
        first = int(rng.integers(largest // 2 + 5, largest + 1))
        middle = [int(rng.integers(largest // 2, largest + 1)) for _ in range(quarters - 2)]
        revenue[name] = [first, *middle, first - drop]
    labels = [*["first", "second", "third"][: quarters - 1], "last"]
    facts = [
        f"In the {label} quarter {name} brought in {amount} thousand dollars."
        for name, amounts in revenue.items()
        for label, amount in zip(labels, amounts, strict=True)
    ]
    return {
        "product": chosen[-1],
        "others": others(rng, chosen[-1], chosen, names),
        "n_facts": len(facts),
        "steps": [
            f"{capitalized(name)}: {revenue[name][0]} - {revenue[name][-1]} = {drop}"
            for name, drop in zip(chosen, drops, strict=True)
        ],
        "document": plant(rng, shuffled(rng, facts), "market", words),
    }


@knobs(invited=(3, 4, 6, 9, 12))
def guests(rng: np.random.Generator, difficulty: int, *, words: Length, invited: int) -> dict[str, Any]:
    """A list of guests, and mentions of all of them but one; others come uninvited. Who stayed away? Harder with guests."""
    people = sample(rng, word_list("people"), invited + 1 + invited // 3)
    absent, present, uninvited = people[0], people[1:invited], people[invited:]
    seen = [
        "{} danced in the hall.", "{} brought a cake for everyone.", "{} came late and stayed to the end.",
        "{} sang a song after dinner.", "{} told a long story by the door.", "{} broke a glass and apologized.",
        "{} fell asleep on the sofa.", "{} played cards with the hosts.",
    ]  # fmt: skip
    facts = [pick(rng, seen).format(name) for name in [*present, *uninvited]]
    return {
        "absent": absent,
        "invited": invited,
        "others": others(rng, absent, present, []) if invited > 3 else [*present, uninvited[0]],
        "steps": [f"Invited and seen at the party: {listed(present)}.", f"Invited and never seen: {absent}."],
        "document": plant(
            rng,
            [
                f"These people were invited to the party: {listed(shuffled(rng, [absent, *present]))}.",
                *shuffled(rng, facts),
            ],
            "evening",
            words,
        ),
    }


@knobs(tasks=(2, 3, 4, 6, 8))
def deadlines(rng: np.random.Generator, difficulty: int, *, words: Length, tasks: int) -> dict[str, Any]:
    """Who promised what by which day, and elsewhere when it was done. Who was late? Harder with people and with closer dates."""
    jobs = [
        "the roof inspection", "the tax form", "the seating plan", "the train tickets", "the speech",
        "the floor plan", "the menu", "the fire report", "the guest list", "the first draft",
    ]  # fmt: skip
    names, works = sample(rng, word_list("people"), tasks), sample(rng, jobs, tasks)
    due = [int(day) for day in sample(rng, range(8, 24), tasks)]
    closest = {1: 4, 2: 3, 3: 2}.get(difficulty, 1)
    done = [
        day + int(rng.integers(closest, 7)) if not number else day - int(rng.integers(0, 7))
        for number, day in enumerate(due)
    ]
    facts = [f"{name} promised {work} for May {day}." for name, work, day in zip(names, works, due, strict=True)]
    # Who did it is not said again: promise and delivery are joined by the work.
    facts += [f"{capitalized(work)} was delivered on May {day}." for work, day in zip(works, done, strict=True)]
    return {
        "late": names[0],
        "n_tasks": tasks,
        "others": others(rng, names[0], names, word_list("people")),
        "steps": [
            f"{name}: due May {end}, done May {day}, {'late' if day > end else 'in time'}"
            for name, end, day in sorted(zip(names, due, done, strict=True))
        ],
        "document": plant(rng, shuffled(rng, facts), "office", words),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "business": business,
    "deadlines": deadlines,
    "guests": guests,
    "reports": reports,
    "trip": trip,
    "witnesses": witnesses,
}
