"""What stands in pieces all over a long document: keys to collect, sightings to count, a price that changes, letters of titles."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.generators.drawing import interleave, numbers_of, pick, sample
from qbench.generators.filler import Length, plant, plant_sections
from qbench.generators.knobs import knobs
from qbench.generators.long_needles import PLACES
from qbench.generators.wording import listed


@knobs(needles=(1, 2, 3, 4, 6), distractors=(1, 2, 3, 5, 8))
def codes(
    rng: np.random.Generator, difficulty: int, *, words: Length, needles: int, distractors: int
) -> dict[str, Any]:
    """A place has several keys, told one by one; so have others. What are all the numbers? Harder with keys."""
    asked, *rest = sample(rng, PLACES, 4)
    numbers = numbers_of(rng, 2 if difficulty == 1 else 3, needles + distractors)
    phrases = [
        "Key {n} opens the {place}.",
        "The {place} can be opened with key {n}.",
        "Key {n} fits the door of the {place}.",
    ]
    owners = [asked] * needles + [pick(rng, rest) for _ in range(distractors)]
    facts = [pick(rng, phrases).format(n=number, place=place) for number, place in zip(numbers, owners, strict=True)]
    return {
        "place": asked,
        "keys": numbers[:needles],
        "n_keys": needles,
        "document": plant(rng, facts, "chronicle", words, n_needles=needles),
    }


@knobs(seen=(2, 4, 6, 9, 13), distractors=(1, 3, 5, 8, 12))
def sightings(
    rng: np.random.Generator, difficulty: int, *, words: Length, seen: int, distractors: int
) -> dict[str, Any]:
    """A warden's notes: animals were seen now and then. How often was one of them? Harder with sightings of it and of others."""
    asked, *rest = sample(
        rng, ["kingfisher", "osprey", "otter", "badger", "beaver", "nightjar", "bittern", "polecat"], 4
    )
    n = int(rng.integers(max(1, seen - 2 - difficulty // 2), seen + 1))
    phrases = [
        "A {animal} was seen near the {place}.",
        "By the {place} the warden saw a {animal}.",
        "Walkers reported a {animal} at the {place}.",
        "There was a {animal} close to the {place}.",
    ]
    places = ["weir", "ford", "footbridge", "old willow", "gravel pit", "sluice", "reed bed", "sheepfold"]
    animals = [asked] * n + [pick(rng, rest) for _ in range(distractors)]
    facts = [_with_article(pick(rng, phrases), animal, pick(rng, places)) for animal in animals]
    return {
        "animal": asked,
        "times": n,
        "n_facts": len(facts),
        "document": plant(rng, facts, "chronicle", words, n_needles=n),
    }


def _with_article(phrase: str, animal: str, place: str) -> str:
    text = phrase.format(animal=animal, place=place)
    return text.replace("a o", "an o").replace("A o", "An o") if animal[0] == "o" else text


@knobs(updates=(1, 2, 3, 5, 7), distractors=(0, 1, 1, 2, 3))
def revisions(
    rng: np.random.Generator, difficulty: int, *, words: Length, updates: int, distractors: int
) -> dict[str, Any]:
    """Prices that are changed again and again, in order of time. What does one thing cost now? Harder with updates and things."""
    things = sample(
        rng,
        ["guided tour", "evening ticket", "group ticket", "museum pass", "boat trip", "audio guide"],
        1 + distractors,
    )
    phrases = [
        "Later the price of the {thing} was changed to ${n}.",
        "After a new decision the {thing} cost ${n}.",
        "From then on ${n} was charged for the {thing}.",
        "The price of the {thing} was corrected to ${n}.",
    ]
    runs, prices = [], {}
    for thing in things:
        values = [int(value) for value in sample(rng, range(5, 100), updates + 1)]
        prices[thing] = values
        runs.append(
            [
                f"At first the {thing} cost ${values[0]}.",
                *(pick(rng, phrases).format(thing=thing, n=value) for value in values[1:]),
            ]
        )
    facts = interleave(rng, runs)
    return {
        "thing": things[0],
        "price": prices[things[0]][-1],
        "n_updates": updates,
        "steps": ["Prices in order: " + ", ".join(f"${value}" for value in prices[things[0]])],
        "document": plant(rng, facts, "office", words, in_order=True),
    }


TITLES = {
    "A": ["Arrival", "Apples", "Archives"], "B": ["Bridges", "Barley", "Bells"], "C": ["Carpets", "Candles", "Customs"],
    "D": ["Dances", "Drainage", "Duties"], "E": ["Elections", "Evenings", "Errands"], "F": ["Forests", "Feasts", "Fences"],
    "G": ["Gardens", "Gloves", "Guests"], "H": ["Houses", "Harvest", "Honors"], "I": ["Islands", "Inns", "Ink"],
    "L": ["Lanterns", "Laws", "Linen"], "M": ["Meadows", "Music", "Mornings"], "N": ["Nets", "Names", "Nights"],
    "O": ["Orchards", "Oaths", "Ovens"], "P": ["Paths", "Pottery", "Plows"], "R": ["Roads", "Ribbons", "Repairs"],
    "S": ["Ships", "Salt", "Songs"], "T": ["Taxes", "Towers", "Timber"], "W": ["Wells", "Weddings", "Wages"],
}  # fmt: skip


@knobs(sections=(3, 4, 6, 8, 11))
def initials(rng: np.random.Generator, difficulty: int, *, words: Length, sections: int) -> dict[str, Any]:
    """The first letters of the section titles, in order. Harder with sections."""
    letters = [pick(rng, list(TITLES)) for _ in range(sections)]
    titles = [pick(rng, TITLES[letter]) for letter in letters]
    word = "".join(letters)
    wrong: list[str] = []
    while len(wrong) < 3:
        place, near = int(rng.integers(len(letters) - 1)), list(letters)
        if rng.integers(2):
            near[place], near[place + 1] = near[place + 1], near[place]
        else:
            near[place] = pick(rng, list(TITLES))
        if (text := "".join(near)) not in (word, *wrong):
            wrong.append(text)
    return {
        "word": word,
        "n_sections": len(letters),
        "others": wrong,
        "steps": [listed(titles)],
        "document": plant_sections(rng, [(f"# {title}", []) for title in titles], "chronicle", words),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "codes": codes,
    "initials": initials,
    "revisions": revisions,
    "sightings": sightings,
}
