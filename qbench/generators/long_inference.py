"""Documents that do not state the answer: it follows from what is said, from who could know it, or from what is not said.

Every function takes ``words`` (how long the document is) and its other knobs as one number, or as a list of five, one per difficulty, and
returns the ``document`` beside the parts of its question.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.filler import (
    WORDS,
    Knob,
    at,
    capital,
    listed,
    others,
    pick,
    plant,
    plant_sections,
    sample,
    shuffled,
)

VILLAGES = [
    "Ashby", "Brightwell", "Colmere", "Dunmore", "Elmford", "Fairlea", "Greyport", "Hollin", "Kestrel Bay", "Larkham",
]  # fmt: skip


def trip(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    travelers: Knob = (1, 2, 3, 4, 5),
    villages: Knob = (2, 3, 4, 5, 6),
) -> dict[str, Any]:
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
    needed = sample(rng, list(wishes), at(travelers, difficulty))
    people = sample(rng, word_list("people"), len(needed))
    names = sample(rng, VILLAGES, at(villages, difficulty))
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
        "document": plant(rng, shuffled(rng, facts), "travel", at(words, difficulty)),
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


def witnesses(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, details: Knob = (1, 2, 3, 5, 7)
) -> dict[str, Any]:
    """Three statements agree in every detail but one, and in that one a single witness stands alone. Harder with details."""
    (_, sentence, options), *rest = sample(rng, DETAILS, at(details, difficulty))
    names = sample(rng, word_list("people"), 3)
    odd = pick(rng, names)
    true, false = sample(rng, options, 2)
    shared = [text.format(pick(rng, values)) for _, text, values in rest]
    said = {name: sentence.format(false if name == odd else true) for name in names}
    statements = [(f"Statement of {name}:", shuffled(rng, [*shared, said[name]])) for name in names]
    return {
        "witness": odd,
        "others": others(rng, odd, names, word_list("people"), 2),
        "n_details": at(details, difficulty),
        "steps": [f"{name}: {said[name]}" for name in names],
        "document": plant_sections(rng, statements, "evening", at(words, difficulty)),
    }


def reports(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, details: Knob = (2, 3, 4, 6, 7)
) -> dict[str, Any]:
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
    chosen = sample(rng, DETAILS, at(details, difficulty))
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
            at(words, difficulty),
        ),
    }


def business(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    products: Knob = (2, 3, 4, 5, 6),
    quarters: Knob = (2, 2, 3, 4, 4),
    largest: Knob = (30, 60, 99, 400, 900),
) -> dict[str, Any]:
    """Revenue by product and quarter. Which product fell most from the first quarter to the last? Harder with the size of the table."""
    names = ["tea", "soap", "paper", "honey", "cheese", "glass", "wool", "furniture"]
    chosen = sample(rng, names, at(products, difficulty))
    limit, n_quarters = at(largest, difficulty), at(quarters, difficulty)
    drops = sample(rng, range(-limit // 6, limit // 3), len(chosen) - 1)
    drops.append(max(*drops, limit // 6) + int(rng.integers(2, 6)))
    revenue = {}
    for name, drop in zip(chosen, drops, strict=True):
        first = int(rng.integers(limit // 2 + 5, limit + 1))
        middle = [int(rng.integers(limit // 2, limit + 1)) for _ in range(n_quarters - 2)]
        revenue[name] = [first, *middle, first - drop]
    labels = [*["first", "second", "third"][: n_quarters - 1], "last"]
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
            f"{capital(name)}: {revenue[name][0]} - {revenue[name][-1]} = {drop}"
            for name, drop in zip(chosen, drops, strict=True)
        ],
        "document": plant(rng, shuffled(rng, facts), "market", at(words, difficulty)),
    }


def alibis(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    suspects: Knob = (2, 3, 4, 5, 6),
    conditions: Knob = (1, 2, 2, 3, 3),
) -> dict[str, Any]:
    """Only one person meets every condition that the thief must have met. Harder with suspects and conditions."""
    pool = [
        ("The thief was in the house at nine.", "{} was in the house until ten.", "{} left the house at eight."),
        ("The thief had a key to the study.", "{} had a key to the study.", "{} had no key to the study."),
        (
            "The thief knew the number of the safe.",
            "{} had chosen the number of the safe.",
            "{} had never learned the number of the safe.",
        ),
        ("The thief had small hands.", "{} has small hands.", "{} has very large hands."),
    ]
    rules = sample(rng, pool, at(conditions, difficulty))
    names = sample(rng, word_list("people"), at(suspects, difficulty))
    thief, innocent = names[0], names[1:]
    most_failed = len(rules) if difficulty < 4 else 1
    facts = [rule for rule, _, _ in rules]
    steps = []
    for name in names:
        failed = sample(rng, range(len(rules)), int(rng.integers(1, most_failed + 1))) if name in innocent else []
        facts += [(no if position in failed else yes).format(name) for position, (_, yes, no) in enumerate(rules)]
        if failed:
            steps.append(rules[min(failed)][2].format(name))
    return {
        "thief": thief,
        "others": others(rng, thief, names, word_list("people")),
        "n_facts": len(facts),
        "steps": shuffled(rng, steps),
        "document": plant(rng, shuffled(rng, facts), "evening", at(words, difficulty)),
    }


def guests(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, invited: Knob = (3, 4, 6, 9, 12)
) -> dict[str, Any]:
    """A list of guests, and mentions of all of them but one; others come uninvited. Who stayed away? Harder with guests."""
    n = at(invited, difficulty)
    people = sample(rng, word_list("people"), n + 1 + n // 3)
    absent, present, uninvited = people[0], people[1:n], people[n:]
    seen = [
        "{} danced in the hall.", "{} brought a cake for everyone.", "{} came late and stayed to the end.",
        "{} sang a song after dinner.", "{} told a long story by the door.", "{} broke a glass and apologized.",
        "{} fell asleep on the sofa.", "{} played cards with the hosts.",
    ]  # fmt: skip
    facts = [pick(rng, seen).format(name) for name in [*present, *uninvited]]
    return {
        "absent": absent,
        "invited": n,
        "others": others(rng, absent, present, []) if n > 3 else [*present, uninvited[0]],
        "steps": [f"Invited and seen at the party: {listed(present)}.", f"Invited and never seen: {absent}."],
        "document": plant(
            rng,
            [
                f"These people were invited to the party: {listed(shuffled(rng, [absent, *present]))}.",
                *shuffled(rng, facts),
            ],
            "evening",
            at(words, difficulty),
        ),
    }


HIDING_PLACES = ["red box", "piano", "desk", "wardrobe", "flour bin", "suitcase", "bread oven", "cradle"]


def beliefs(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    moves: Knob = (1, 2, 3, 4, 6),
    things: Knob = (1, 1, 2, 2, 3),
) -> dict[str, Any]:
    """A thing is moved while somebody is out of the room, or is not. Where will this person look? Harder with moves and things."""
    owner, mover = sample(rng, word_list("people"), 2)
    objects = sample(rng, ["marble", "thimble", "locket", "pipe", "passport", "medal"], at(things, difficulty))
    asked = objects[0]
    place = dict(zip(objects, sample(rng, HIDING_PLACES, len(objects)), strict=True))
    believed = dict(place)
    facts = [f"{owner} put the {name} into the {where}." for name, where in place.items()]
    steps = [f"{owner} saw the {asked} in the {place[asked]}."]
    visited = list(place.values())
    is_present, n_moves = True, at(moves, difficulty)
    for number in range(n_moves):
        if rng.integers(2):
            facts.append(f"Then {owner} {'left' if is_present else 'came back into'} the room.")
            is_present = not is_present
        name = asked if number == n_moves - 1 else pick(rng, objects)
        place[name] = pick(rng, [where for where in HIDING_PLACES if where not in place.values()])
        watching = f"Then, while {owner} was watching, " if is_present else "Then "
        facts.append(f"{watching}{mover} moved the {name} to the {place[name]}.")
        visited.append(place[name])
        if is_present:
            believed[name] = place[name]
        if name == asked:
            seen = "saw" if is_present else "did not see"
            steps.append(f"{owner} {seen} that it was moved to the {place[asked]}.")
    if is_present:
        facts.append(f"Then {owner} left the room.")
    facts.append(f"At the end {owner} came back to look for the {asked}.")
    return {
        "owner": owner,
        "object": asked,
        "believed": believed[asked],
        "n_moves": n_moves,
        "others": others(rng, believed[asked], [place[asked], *visited], HIDING_PLACES),
        "steps": steps,
        "document": plant(rng, facts, "travel", at(words, difficulty), in_order=True),
    }


WOMEN = ["Alice", "Clara", "Emma", "Grace", "Ines", "Kate", "Maria", "Olga", "Rosa", "Tara"]
MEN = ["Ben", "David", "Felix", "Henry", "Jack", "Liam", "Noah", "Paul", "Victor"]


def pronouns(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, meetings: Knob = (1, 2, 3, 5, 7)
) -> dict[str, Any]:
    """A thing that is handed on, or not, by people who are called he and she. Who has it in the end? Harder with meetings."""
    n_meetings = at(meetings, difficulty)
    women, men = sample(rng, WOMEN, n_meetings + 1), sample(rng, MEN, n_meetings + 1)
    thing = pick(rng, ["compass", "manuscript", "necklace", "telescope", "banknote", "diploma"])
    holder, holder_is_she = (women[0], True) if rng.integers(2) else (men[0], False)
    facts, steps = [f"{holder} had the {thing} at first."], []
    met, n_moved = [holder], 0
    for number in range(1, n_meetings + 1):
        other = men[number] if holder_is_she else women[number]
        he, him = ("She", "him") if holder_is_she else ("He", "her")  # the holder, and the one the holder meets
        other_he, me = ("he", "her") if holder_is_she else ("she", "him")
        met.append(other)
        two = [holder, other] if rng.integers(2) else [other, holder]
        kind = 0 if number == 1 and difficulty < 3 else int(rng.integers(4))
        sentence = [
            f"{he} gave the {thing} to {him}.",
            f"{capital(other_he)} talked {me} into parting with the {thing} and took it home.",
            f"{capital(other_he)} asked for the {thing}, but {he.lower()} kept it.",
            f"{he} lent the {thing} to {him}, and {other_he} returned it the same day.",
        ][kind]
        facts.append(f"Then {two[0]} met {two[1]}. {sentence}")
        if kind < 2:
            holder, holder_is_she, n_moved = other, not holder_is_she, n_moved + 1
        steps.append(f"After this meeting {holder} has the {thing}.")
    return {
        "thing": thing,
        "holder": holder,
        "n_meetings": n_meetings,
        "others": others(rng, holder, met[::-1], WOMEN + MEN),
        "steps": steps,
        "document": plant(rng, facts, "travel", at(words, difficulty), in_order=True),
    }


def visitors(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, people: Knob = (2, 3, 4, 6, 8)
) -> dict[str, Any]:
    """Who came when and who left when, apart from each other. Who alone was in the building at one moment? Harder with people."""
    names = sample(rng, word_list("people"), at(people, difficulty))
    step = 30 if difficulty < 3 else 5  # minutes
    moment = 60 * 12 + step * int(rng.integers(-90 // step, 90 // step + 1))
    stays = []
    for number, _ in enumerate(names):
        near, far = (step * int(rng.integers(1, 150 // step)) for _ in range(2))
        if number == 0:
            stays.append((moment - near, moment + far))
        elif rng.integers(2):  # gone before
            stays.append((moment - near - far, moment - near))
        else:  # came after
            stays.append((moment + near, moment + near + far))
    facts = [f"{name} came in at {_clock(start)}." for name, (start, _) in zip(names, stays, strict=True)]
    facts += [f"{name} went out at {_clock(end)}." for name, (_, end) in zip(names, stays, strict=True)]
    return {
        "moment": _clock(moment),
        "present": names[0],
        "n_facts": len(facts),
        "others": others(rng, names[0], names, word_list("people")),
        "steps": [
            f"{name}: {_clock(start)} to {_clock(end)}" for name, (start, end) in sorted(zip(names, stays, strict=True))
        ],
        "document": plant(rng, shuffled(rng, facts), "office", at(words, difficulty)),
    }


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{(hours - 1) % 12 + 1}:{rest:02d} {'PM' if hours >= 12 else 'AM'}"


PLACES_TO_SEARCH = [
    "boathouse", "cellar", "attic", "greenhouse", "stable", "pavilion", "gatehouse", "laundry", "pantry", "garage",
]  # fmt: skip


def searches(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, places: Knob = (3, 4, 5, 7, 9)
) -> dict[str, Any]:
    """All places but one were searched, and most sentences that say so are negated. Which was not? Harder with places and negations."""
    yes = [
        "The {} was searched from top to bottom.",
        "Nobody left before the {} had been searched.",
        "It is not true that the {} was left out.",
        "The {} was not spared by the searchers.",
        "Nobody denies that the searchers went through the {}.",
    ]
    no = [
        "The {} was not searched.",
        "Nobody looked into the {}.",
        "It is not true that the {} was searched.",
        "The searchers went past the {} without going in.",
        "Nobody believes any longer that the {} was searched, and nobody should.",
    ]
    n_yes = 1 if difficulty == 1 else len(yes)
    chosen = sample(rng, PLACES_TO_SEARCH, at(places, difficulty))
    missed = chosen[0]
    facts = [pick(rng, no[:difficulty]).format(missed)]
    facts += [pick(rng, yes[:n_yes]).format(place) for place in chosen[1:]]
    return {
        "place": missed,
        "n_places": len(chosen),
        "others": others(rng, missed, chosen, PLACES_TO_SEARCH),
        "steps": [facts[0]],
        "document": plant(rng, shuffled(rng, facts), "evening", at(words, difficulty)),
    }


def deadlines(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, tasks: Knob = (2, 3, 4, 6, 8)
) -> dict[str, Any]:
    """Who promised what by which day, and elsewhere when it was done. Who was late? Harder with people and with closer dates."""
    jobs = [
        "the roof inspection", "the tax form", "the seating plan", "the train tickets", "the speech",
        "the floor plan", "the menu", "the fire report", "the guest list", "the first draft",
    ]  # fmt: skip
    n = at(tasks, difficulty)
    names, works = sample(rng, word_list("people"), n), sample(rng, jobs, n)
    due = [int(day) for day in sample(rng, range(8, 24), n)]
    closest = {1: 4, 2: 3, 3: 2}.get(difficulty, 1)
    done = [
        day + int(rng.integers(closest, 7)) if not number else day - int(rng.integers(0, 7))
        for number, day in enumerate(due)
    ]
    facts = [f"{name} promised {work} for May {day}." for name, work, day in zip(names, works, due, strict=True)]
    # Who did it is not said again: promise and delivery are joined by the work.
    facts += [f"{capital(work)} was delivered on May {day}." for work, day in zip(works, done, strict=True)]
    return {
        "late": names[0],
        "n_tasks": n,
        "others": others(rng, names[0], names, word_list("people")),
        "steps": [
            f"{name}: due May {end}, done May {day}, {'late' if day > end else 'in time'}"
            for name, end, day in sorted(zip(names, due, done, strict=True))
        ],
        "document": plant(rng, shuffled(rng, facts), "office", at(words, difficulty)),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "alibis": alibis,
    "beliefs": beliefs,
    "business": business,
    "deadlines": deadlines,
    "guests": guests,
    "pronouns": pronouns,
    "reports": reports,
    "searches": searches,
    "trip": trip,
    "visitors": visitors,
    "witnesses": witnesses,
}
