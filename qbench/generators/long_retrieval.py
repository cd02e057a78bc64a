"""Needles: something that stands in the document and has to be found among what looks like it.

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
    listed,
    others,
    pick,
    plant,
    plant_sections,
    sample,
    shuffled,
)


def endpoints(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, facts: Knob = (2, 4, 6, 9, 12)
) -> dict[str, Any]:
    """Technical documentation: every endpoint has a purpose, a credential and a request limit. Harder with endpoints that look alike."""
    actions = {"GET": "lists", "POST": "creates", "PUT": "replaces", "DELETE": "removes"}
    # From level 3 on the endpoints resemble each other: fewer resources, more versions and methods of each.
    resources = sample(
        rng, ["sessions", "tokens", "users", "devices", "passwords", "roles"], 6 if difficulty < 3 else 2
    )
    routes = [
        (method, f"/v{version}/{name}", name) for method in actions for version in (1, 2, 3) for name in resources
    ]
    chosen = sample(rng, routes, at(facts, difficulty))
    limits = sample(rng, range(10, 100), len(chosen))
    credentials = ["an access token", "a password", "an administrator key", "no credential"]
    sentences = [
        f"{method} {path} {actions[method]} {name}, needs {pick(rng, credentials)} "
        f"and allows {limit} requests a minute."
        for (method, path, name), limit in zip(chosen, limits, strict=True)
    ]
    return {
        "endpoint": f"{chosen[0][0]} {chosen[0][1]}",
        "limit": limits[0],
        "n_facts": len(chosen),
        "document": plant(rng, sentences, "software", at(words, difficulty)),
    }


def patient(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    facts: Knob = (2, 4, 6, 9, 12),
    relatives: Knob = (0, 0, 2, 4, 6),
) -> dict[str, Any]:
    """A medical history in order of time; from level 3 on a relative has the same measurements. Harder with measurements."""
    ranges = {
        "resting pulse": (55, 95),
        "systolic blood pressure": (110, 180),
        "total cholesterol": (150, 290),
        "fasting blood sugar": (80, 180),
        "body weight": (55, 99),
    }
    years = sorted(sample(rng, range(2001, 2025), 6))
    visits = sample(rng, [(measure, year) for measure in ranges for year in years], at(facts, difficulty))
    n_relatives = min(at(relatives, difficulty), len(visits))
    records = [("patient", *visit) for visit in visits] + [
        ("brother of the patient", *visit) for visit in visits[:n_relatives]
    ]
    entries = sorted(
        (year, f"In {year} the {measure} of the {who} was ", int(rng.integers(*ranges[measure])))
        for who, measure, year in records
    )
    measure, year = visits[0]
    asked = f"In {year} the {measure} of the patient was "
    return {
        "measure": measure,
        "year": year,
        "measurement": next(value for _, text, value in entries if text == asked),
        "n_facts": len(entries),
        "document": plant(
            rng, [f"{text}{number}." for _, text, number in entries], "medical", at(words, difficulty), in_order=True
        ),
    }


def market(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    facts: Knob = (2, 3, 5, 8, 12),
    largest: Knob = (9, 20, 60, 99, 400),
) -> dict[str, Any]:
    """A report on companies X, Y and Z. By how much is X ahead of a rival in one respect and region? Harder with facts and numbers."""
    sentences = {
        "shops": "Company {company} has {n} shops in the {region}.",
        "technicians": "Company {company} employs {n} technicians in the {region}.",
        "products": "Company {company} offers {n} products in the {region}.",
        "partners": "Company {company} works with {n} partners in the {region}.",
    }
    limit = at(largest, difficulty)
    regions = sample(rng, ["north", "south", "east", "west"], 2 if difficulty < 4 else 4)
    aspect, region, rival = pick(rng, list(sentences)), pick(rng, regions), pick(rng, ["Y", "Z"])
    ahead = int(rng.integers(1, limit // 2))
    behind = int(rng.integers(2, limit - ahead + 1))
    asked = [("X", aspect, region, behind + ahead), (rival, aspect, region, behind)]
    rest = [
        (company, noun, place)
        for company in "XYZ"
        for noun in sentences
        for place in regions
        if (noun, place) != (aspect, region) or company not in ("X", rival)
    ]
    noise = [(*key, int(rng.integers(2, limit + 1))) for key in sample(rng, rest, at(facts, difficulty) - len(asked))]
    texts = [sentences[noun].format(company=company, n=n, region=place) for company, noun, place, n in [*asked, *noise]]
    return {
        "noun": aspect,
        "region": region,
        "rival": rival,
        "ours": behind + ahead,
        "theirs": behind,
        "n_facts": len(texts),
        "document": plant(rng, texts, "market", at(words, difficulty), n_needles=2),
    }


PLACES = [
    "boathouse", "cellar", "attic", "greenhouse", "stable", "pavilion",
    "gatehouse", "laundry", "pantry", "garage", "balcony", "tunnel",
]  # fmt: skip


def code(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    digits: Knob = (2, 3, 4, 5, 6),
    distractors: Knob = (0, 1, 3, 6, 10),
) -> dict[str, Any]:
    """One code among those of other places. Harder with digits and places."""
    chosen = sample(rng, PLACES, 1 + at(distractors, difficulty))
    codes = _numbers(rng, at(digits, difficulty), len(chosen))
    facts = [f"The code for the {place} is {code}." for place, code in zip(chosen, codes, strict=True)]
    return {
        "place": chosen[0],
        "code": codes[0],
        "n_digits": at(digits, difficulty),
        "document": plant(rng, facts, "chronicle", at(words, difficulty)),
    }


def codes(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    needles: Knob = (1, 2, 3, 4, 6),
    distractors: Knob = (1, 2, 3, 5, 8),
) -> dict[str, Any]:
    """A place has several keys, told one by one; so have others. What are all the numbers? Harder with keys."""
    n, n_others = at(needles, difficulty), at(distractors, difficulty)
    asked, *rest = sample(rng, PLACES, 4)
    numbers = _numbers(rng, 2 if difficulty == 1 else 3, n + n_others)
    phrases = [
        "Key {n} opens the {place}.",
        "The {place} can be opened with key {n}.",
        "Key {n} fits the door of the {place}.",
    ]
    owners = [asked] * n + [pick(rng, rest) for _ in range(n_others)]
    facts = [pick(rng, phrases).format(n=number, place=place) for number, place in zip(numbers, owners, strict=True)]
    return {
        "place": asked,
        "keys": numbers[:n],
        "n_keys": n,
        "document": plant(rng, facts, "chronicle", at(words, difficulty), n_needles=n),
    }


def sightings(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    seen: Knob = (2, 4, 6, 9, 13),
    distractors: Knob = (1, 3, 5, 8, 12),
) -> dict[str, Any]:
    """A warden's notes: animals were seen now and then. How often was one of them? Harder with sightings of it and of others."""
    most = at(seen, difficulty)
    asked, *rest = sample(
        rng, ["kingfisher", "osprey", "otter", "badger", "beaver", "nightjar", "bittern", "polecat"], 4
    )
    n = int(rng.integers(max(1, most - 2 - difficulty // 2), most + 1))
    phrases = [
        "A {animal} was seen near the {place}.",
        "By the {place} the warden saw a {animal}.",
        "Walkers reported a {animal} at the {place}.",
        "There was a {animal} close to the {place}.",
    ]
    places = ["weir", "ford", "footbridge", "old willow", "gravel pit", "sluice", "reed bed", "sheepfold"]
    animals = [asked] * n + [pick(rng, rest) for _ in range(at(distractors, difficulty))]
    facts = [_with_article(pick(rng, phrases), animal, pick(rng, places)) for animal in animals]
    return {
        "animal": asked,
        "times": n,
        "n_facts": len(facts),
        "document": plant(rng, facts, "chronicle", at(words, difficulty), n_needles=n),
    }


def _with_article(phrase: str, animal: str, place: str) -> str:
    text = phrase.format(animal=animal, place=place)
    return text.replace("a o", "an o").replace("A o", "An o") if animal[0] == "o" else text


def revisions(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    updates: Knob = (1, 2, 3, 5, 7),
    distractors: Knob = (0, 1, 1, 2, 3),
) -> dict[str, Any]:
    """Prices that are changed again and again, in order of time. What does one thing cost now? Harder with updates and things."""
    n = at(updates, difficulty)
    things = sample(
        rng,
        ["guided tour", "evening ticket", "group ticket", "museum pass", "boat trip", "audio guide"],
        1 + at(distractors, difficulty),
    )
    phrases = [
        "Later the price of the {thing} was changed to ${n}.",
        "After a new decision the {thing} cost ${n}.",
        "From then on ${n} was charged for the {thing}.",
        "The price of the {thing} was corrected to ${n}.",
    ]
    runs, prices = [], {}
    for thing in things:
        values = [int(value) for value in sample(rng, range(5, 100), n + 1)]
        prices[thing] = values
        runs.append(
            [
                f"At first the {thing} cost ${values[0]}.",
                *(pick(rng, phrases).format(thing=thing, n=value) for value in values[1:]),
            ]
        )
    turns = shuffled(rng, [position for position, run in enumerate(runs) for _ in run])
    queues = [iter(run) for run in runs]
    facts = [next(queues[position]) for position in turns]
    return {
        "thing": things[0],
        "price": prices[things[0]][-1],
        "n_updates": n,
        "steps": ["Prices in order: " + ", ".join(f"${value}" for value in prices[things[0]])],
        "document": plant(rng, facts, "office", at(words, difficulty), in_order=True),
    }


def records(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    entries: Knob = (2, 4, 8, 14, 24),
    digits: Knob = (2, 3, 4, 5, 6),
) -> dict[str, Any]:
    """Records whose keys differ in a character or two. What does one key hold? Harder with records and digits."""
    n, hexadecimal = at(entries, difficulty), "0123456789abcdef"
    base = [hexadecimal[int(sign)] for sign in rng.integers(16, size=12)]
    keys = ["".join(base)]
    while len(keys) < n:
        near = list(base)
        for position in rng.permutation(12)[: int(rng.integers(1, 3)) if difficulty > 1 else 8]:
            near[int(position)] = hexadecimal[int(rng.integers(16))]
        if (key := "".join(near)) not in keys:
            keys.append(key)
    names = [f"{key[:4]}-{key[4:8]}-{key[8:]}" for key in keys]
    values = _numbers(rng, at(digits, difficulty), n)
    facts = [f"Record {name} holds the value {value}." for name, value in zip(names, values, strict=True)]
    return {
        "key": names[0],
        "value": values[0],
        "n_entries": n,
        "document": plant(rng, facts, "software", at(words, difficulty), alone=True),
    }


def quotes(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, remarks: Knob = (2, 3, 5, 8, 12)
) -> dict[str, Any]:
    """Remarks of several people that differ in a word. Who said one of them? Harder with remarks."""
    n = at(remarks, difficulty)
    verbs = ["repair", "paint", "sell", "widen", "close", "insure"]
    objects = ["bridge", "playground", "ice rink", "bandstand", "parking lot", "fountain"]
    whens = ["before the holidays", "after the holidays", "before the election", "after the election"]
    # The harder ones share the verb and the object with others, and differ in the time alone.
    verbs, objects = (sample(rng, verbs, 6 if difficulty < 3 else 2), sample(rng, objects, 6 if difficulty < 3 else 2))
    said = sample(rng, [(verb, thing, when) for verb in verbs for thing in objects for when in whens], n)
    names = sample(rng, word_list("people"), n)
    remarks_ = [f"We should {verb} the {thing} {when}" for verb, thing, when in said]
    ways = [
        '{name} said: "{text}."',
        '"{text}," said {name}.',
        '"{text}," {name} insisted.',
        '{name} repeated: "{text}."',
    ]
    facts = [pick(rng, ways).format(name=name, text=text) for name, text in zip(names, remarks_, strict=True)]
    return {
        "remark": remarks_[0],
        "speaker": names[0],
        "n_remarks": n,
        "others": others(rng, names[0], names, word_list("people")),
        "document": plant(rng, facts, "office", at(words, difficulty)),
    }


INSCRIPTION = [
    "amber", "anchor", "arrow", "autumn", "beacon", "candle", "cedar", "copper", "crown", "dawn", "eagle", "ember", "falcon",
    "feather", "flint", "garnet", "glacier", "hazel", "helmet", "island", "ivory", "jasper", "lantern", "laurel", "lily", "marble",
    "meadow", "mirror", "needle", "olive", "orchid", "pearl", "pepper", "prism", "raven", "saffron", "shadow", "silver", "thistle",
    "velvet", "willow", "winter",
]  # fmt: skip


def inscription(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = WORDS,
    length: Knob = (3, 5, 7, 10, 14),
    distractors: Knob = (0, 1, 2, 3, 4),
) -> dict[str, Any]:
    """A row of words that must be copied exactly; others are almost the same. Harder with its length and the others."""
    n = at(length, difficulty)
    stones = sample(rng, ["eastern", "western", "northern", "southern", "central"], 1 + at(distractors, difficulty))
    row = sample(rng, INSCRIPTION, n)
    rows = [row]
    while len(rows) < max(4, len(stones)):  # the others have two neighbors swapped, or a word replaced
        near, place = list(row), int(rng.integers(n - 1))
        if rng.integers(2):
            near[place], near[place + 1] = near[place + 1], near[place]
        else:
            near[place] = pick(rng, [word for word in INSCRIPTION if word not in row])
        if near not in rows:
            rows.append(near)
    facts = [f"The words on the {stone} stone are: {' '.join(row)}." for stone, row in zip(stones, rows, strict=False)]
    return {
        "stone": stones[0],
        "row": " ".join(row),
        "n_words": n,
        "others": [" ".join(near) for near in rows[1:4]],
        "document": plant(rng, facts, "chronicle", at(words, difficulty)),
    }


def minutes(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, decisions: Knob = (2, 3, 5, 8, 12)
) -> dict[str, Any]:
    """Decisions of a meeting and who carries them out, among duties that resemble each other. Harder with decisions.

    The needle can be left out (``document.missing``): then nobody was given the duty.
    """
    n = at(decisions, difficulty)
    verbs = ["call", "write to", "pay", "invite"][: 2 if difficulty > 2 else 4]
    whom = ["the insurer", "the landlord", "the electrician", "the mayor", "the auditor", "the florist"]
    duties = sample(rng, [f"{verb} {person}" for verb in verbs for person in whom], n)
    names = [pick(rng, word_list("people")) for _ in duties]
    phrases = [
        "{name} will {duty}.",
        "It was decided that {name} should {duty}.",
        "{name} agreed to {duty}.",
        "The task to {duty} went to {name}.",
    ]
    facts = [pick(rng, phrases).format(name=name, duty=duty) for name, duty in zip(names, duties, strict=True)]
    return {
        "duty": duties[0],
        "person": names[0],
        "n_decisions": n,
        "others": others(rng, names[0], names, word_list("people"), 2),
        "document": plant(rng, facts, "office", at(words, difficulty)),
    }


TITLES = {
    "A": ["Arrival", "Apples", "Archives"], "B": ["Bridges", "Barley", "Bells"], "C": ["Carpets", "Candles", "Customs"],
    "D": ["Dances", "Drainage", "Duties"], "E": ["Elections", "Evenings", "Errands"], "F": ["Forests", "Feasts", "Fences"],
    "G": ["Gardens", "Gloves", "Guests"], "H": ["Houses", "Harvest", "Honors"], "I": ["Islands", "Inns", "Ink"],
    "L": ["Lanterns", "Laws", "Linen"], "M": ["Meadows", "Music", "Mornings"], "N": ["Nets", "Names", "Nights"],
    "O": ["Orchards", "Oaths", "Ovens"], "P": ["Paths", "Pottery", "Plows"], "R": ["Roads", "Ribbons", "Repairs"],
    "S": ["Ships", "Salt", "Songs"], "T": ["Taxes", "Towers", "Timber"], "W": ["Wells", "Weddings", "Wages"],
}  # fmt: skip


def initials(
    rng: np.random.Generator, difficulty: int, *, words: Knob = WORDS, sections: Knob = (3, 4, 6, 8, 11)
) -> dict[str, Any]:
    """The first letters of the section titles, in order. Harder with sections."""
    letters = [pick(rng, list(TITLES)) for _ in range(at(sections, difficulty))]
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
        "document": plant_sections(rng, [(f"# {title}", []) for title in titles], "chronicle", at(words, difficulty)),
    }


def _numbers(rng: np.random.Generator, n_digits: int, count: int) -> list[int]:
    """Different numbers of so many digits."""
    smallest, found = 10 ** (n_digits - 1), list[int]()
    while len(found) < count:
        number = int(rng.integers(smallest, 10 * smallest))
        if number not in found:
            found.append(number)
    return found


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "code": code,
    "codes": codes,
    "endpoints": endpoints,
    "initials": initials,
    "inscription": inscription,
    "market": market,
    "minutes": minutes,
    "patient": patient,
    "quotes": quotes,
    "records": records,
    "revisions": revisions,
    "sightings": sightings,
}
