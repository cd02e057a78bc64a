"""Who was where, who has it and who could know: long documents that do not say so, and from which it follows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.drawing import others, pick, sample, shuffled
from qbench.generators.filler import Length, plant
from qbench.generators.knobs import knobs
from qbench.generators.long_needles import PLACES
from qbench.generators.wording import capitalized


@knobs(suspects=(2, 3, 4, 5, 6), conditions=(1, 2, 2, 3, 3))
def alibis(
    rng: np.random.Generator, difficulty: int, *, words: Length, suspects: int, conditions: int
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
    rules = sample(rng, pool, conditions)
    names = sample(rng, word_list("people"), suspects)
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
        "document": plant(rng, shuffled(rng, facts), "evening", words),
    }


HIDING_PLACES = ["red box", "piano", "desk", "wardrobe", "flour bin", "suitcase", "bread oven", "cradle"]


@knobs(moves=(1, 2, 3, 4, 6), things=(1, 1, 2, 2, 3))
def beliefs(rng: np.random.Generator, difficulty: int, *, words: Length, moves: int, things: int) -> dict[str, Any]:
    """A thing is moved while somebody is out of the room, or is not. Where will this person look? Harder with moves and things."""
    owner, mover = sample(rng, word_list("people"), 2)
    objects = sample(rng, ["marble", "thimble", "locket", "pipe", "passport", "medal"], things)
    asked = objects[0]
    place = dict(zip(objects, sample(rng, HIDING_PLACES, len(objects)), strict=True))
    believed = dict(place)
    facts = [f"{owner} put the {name} into the {where}." for name, where in place.items()]
    steps = [f"{owner} saw the {asked} in the {place[asked]}."]
    visited = list(place.values())
    is_present = True
    for number in range(moves):
        if rng.integers(2):
            facts.append(f"Then {owner} {'left' if is_present else 'came back into'} the room.")
            is_present = not is_present
        name = asked if number == moves - 1 else pick(rng, objects)
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
        "n_moves": moves,
        "others": others(rng, believed[asked], [place[asked], *visited], HIDING_PLACES),
        "steps": steps,
        "document": plant(rng, facts, "travel", words, in_order=True),
    }


WOMEN = ["Alice", "Clara", "Emma", "Grace", "Ines", "Kate", "Maria", "Olga", "Rosa", "Tara"]
MEN = ["Ben", "David", "Felix", "Henry", "Jack", "Liam", "Noah", "Paul", "Victor"]


@knobs(meetings=(1, 2, 3, 5, 7))
def pronouns(rng: np.random.Generator, difficulty: int, *, words: Length, meetings: int) -> dict[str, Any]:
    """A thing that is handed on, or not, by people who are called he and she. Who has it in the end? Harder with meetings."""
    women, men = sample(rng, WOMEN, meetings + 1), sample(rng, MEN, meetings + 1)
    thing = pick(rng, ["compass", "manuscript", "necklace", "telescope", "banknote", "diploma"])
    holder, holder_is_she = (women[0], True) if rng.integers(2) else (men[0], False)
    facts, steps = [f"{holder} had the {thing} at first."], []
    met, n_moved = [holder], 0
    for number in range(1, meetings + 1):
        other = men[number] if holder_is_she else women[number]
        he, him = ("She", "him") if holder_is_she else ("He", "her")  # the holder, and the one the holder meets
        other_he, me = ("he", "her") if holder_is_she else ("she", "him")
        met.append(other)
        two = [holder, other] if rng.integers(2) else [other, holder]
        kind = 0 if number == 1 and difficulty < 3 else int(rng.integers(4))
        sentence = [
            f"{he} gave the {thing} to {him}.",
            f"{capitalized(other_he)} talked {me} into parting with the {thing} and took it home.",
            f"{capitalized(other_he)} asked for the {thing}, but {he.lower()} kept it.",
            f"{he} lent the {thing} to {him}, and {other_he} returned it the same day.",
        ][kind]
        facts.append(f"Then {two[0]} met {two[1]}. {sentence}")
        if kind < 2:
            holder, holder_is_she, n_moved = other, not holder_is_she, n_moved + 1
        steps.append(f"After this meeting {holder} has the {thing}.")
    return {
        "thing": thing,
        "holder": holder,
        "n_meetings": meetings,
        "others": others(rng, holder, met[::-1], WOMEN + MEN),
        "steps": steps,
        "document": plant(rng, facts, "travel", words, in_order=True),
    }


@knobs(people=(2, 3, 4, 6, 8))
def visitors(rng: np.random.Generator, difficulty: int, *, words: Length, people: int) -> dict[str, Any]:
    """Who came when and who left when, apart from each other. Who alone was in the building at one moment? Harder with people."""
    names = sample(rng, word_list("people"), people)
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
        "document": plant(rng, shuffled(rng, facts), "office", words),
    }


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{(hours - 1) % 12 + 1}:{rest:02d} {'PM' if hours >= 12 else 'AM'}"


SEARCHED = PLACES[:10]  # no balcony or tunnel: these are not searched from top to bottom


@knobs(places=(3, 4, 5, 7, 9))
def searches(rng: np.random.Generator, difficulty: int, *, words: Length, places: int) -> dict[str, Any]:
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
    chosen = sample(rng, SEARCHED, places)
    missed = chosen[0]
    facts = [pick(rng, no[:difficulty]).format(missed)]
    facts += [pick(rng, yes[:n_yes]).format(place) for place in chosen[1:]]
    return {
        "place": missed,
        "n_places": len(chosen),
        "others": others(rng, missed, chosen, SEARCHED),
        "steps": [facts[0]],
        "document": plant(rng, shuffled(rng, facts), "evening", words),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "alibis": alibis,
    "beliefs": beliefs,
    "pronouns": pronouns,
    "searches": searches,
    "visitors": visitors,
}
