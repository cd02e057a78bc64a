"""Needles in long documents: one fact that has to be found among what looks like it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.drawing import numbers_of, others, pick, sample
from qbench.generators.filler import Length, plant
from qbench.generators.knobs import knobs


@knobs(facts=(2, 4, 6, 9, 12))
def endpoints(rng: np.random.Generator, difficulty: int, *, words: Length, facts: int) -> dict[str, Any]:
    """Technical documentation: every endpoint has a purpose, a credential and a request limit. Harder with endpoints that look alike."""
    actions = {"GET": "lists", "POST": "creates", "PUT": "replaces", "DELETE": "removes"}
    # From level 3 on the endpoints resemble each other: fewer resources, more versions and methods of each.
    resources = sample(
        rng, ["sessions", "tokens", "users", "devices", "passwords", "roles"], 6 if difficulty < 3 else 2
    )
    routes = [
        (method, f"/v{version}/{name}", name) for method in actions for version in (1, 2, 3) for name in resources
    ]
    chosen = sample(rng, routes, facts)
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
        "document": plant(rng, sentences, "software", words),
    }


@knobs(facts=(2, 4, 6, 9, 12), relatives=(0, 0, 2, 4, 6))
def patient(rng: np.random.Generator, difficulty: int, *, words: Length, facts: int, relatives: int) -> dict[str, Any]:
    """A medical history in order of time; from level 3 on a relative has the same measurements. Harder with measurements."""
    ranges = {
        "resting pulse": (55, 95),
        "systolic blood pressure": (110, 180),
        "total cholesterol": (150, 290),
        "fasting blood sugar": (80, 180),
        "body weight": (55, 99),
    }
    years = sorted(sample(rng, range(2001, 2025), 6))
    visits = sample(rng, [(measure, year) for measure in ranges for year in years], facts)
    n_relatives = min(relatives, len(visits))
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
        "document": plant(rng, [f"{text}{number}." for _, text, number in entries], "medical", words, in_order=True),
    }


@knobs(facts=(2, 3, 5, 8, 12), largest=(9, 20, 60, 99, 400))
def market(rng: np.random.Generator, difficulty: int, *, words: Length, facts: int, largest: int) -> dict[str, Any]:
    """A report on companies X, Y and Z. By how much is X ahead of a rival in one respect and region? Harder with facts and numbers."""
    sentences = {
        "shops": "Company {company} has {n} shops in the {region}.",
        "technicians": "Company {company} employs {n} technicians in the {region}.",
        "products": "Company {company} offers {n} products in the {region}.",
        "partners": "Company {company} works with {n} partners in the {region}.",
    }
    regions = sample(rng, ["north", "south", "east", "west"], 2 if difficulty < 4 else 4)
    aspect, region, rival = pick(rng, list(sentences)), pick(rng, regions), pick(rng, ["Y", "Z"])
    ahead = int(rng.integers(1, largest // 2))
    behind = int(rng.integers(2, largest - ahead + 1))
    asked = [("X", aspect, region, behind + ahead), (rival, aspect, region, behind)]
    rest = [
        (company, noun, place)
        for company in "XYZ"
        for noun in sentences
        for place in regions
        if (noun, place) != (aspect, region) or company not in ("X", rival)
    ]
    noise = [(*key, int(rng.integers(2, largest + 1))) for key in sample(rng, rest, facts - len(asked))]
    texts = [sentences[noun].format(company=company, n=n, region=place) for company, noun, place, n in [*asked, *noise]]
    return {
        "noun": aspect,
        "region": region,
        "rival": rival,
        "ours": behind + ahead,
        "theirs": behind,
        "n_facts": len(texts),
        "document": plant(rng, texts, "market", words, n_needles=2),
    }


PLACES = [
    "boathouse", "cellar", "attic", "greenhouse", "stable", "pavilion",
    "gatehouse", "laundry", "pantry", "garage", "balcony", "tunnel",
]  # fmt: skip


@knobs(digits=(2, 3, 4, 5, 6), distractors=(0, 1, 3, 6, 10))
def code(rng: np.random.Generator, difficulty: int, *, words: Length, digits: int, distractors: int) -> dict[str, Any]:
    """One code among those of other places. Harder with digits and places."""
    chosen = sample(rng, PLACES, 1 + distractors)
    codes = numbers_of(rng, digits, len(chosen))
    facts = [f"The code for the {place} is {code}." for place, code in zip(chosen, codes, strict=True)]
    return {
        "place": chosen[0],
        "code": codes[0],
        "n_digits": digits,
        "document": plant(rng, facts, "chronicle", words),
    }


@knobs(entries=(2, 4, 8, 14, 24), digits=(2, 3, 4, 5, 6))
def records(rng: np.random.Generator, difficulty: int, *, words: Length, entries: int, digits: int) -> dict[str, Any]:
    """Records whose keys differ in a character or two. What does one key hold? Harder with records and digits."""
    hexadecimal = "0123456789abcdef"
    base = [hexadecimal[int(sign)] for sign in rng.integers(16, size=12)]
    keys = ["".join(base)]
    while len(keys) < entries:
        near = list(base)
        for position in rng.permutation(12)[: int(rng.integers(1, 3)) if difficulty > 1 else 8]:
            near[int(position)] = hexadecimal[int(rng.integers(16))]
        if (key := "".join(near)) not in keys:
            keys.append(key)
    names = [f"{key[:4]}-{key[4:8]}-{key[8:]}" for key in keys]
    values = numbers_of(rng, digits, entries)
    facts = [f"Record {name} holds the value {value}." for name, value in zip(names, values, strict=True)]
    return {
        "key": names[0],
        "value": values[0],
        "n_entries": entries,
        "document": plant(rng, facts, "software", words, alone=True),
    }


@knobs(remarks=(2, 3, 5, 8, 12))
def quotes(rng: np.random.Generator, difficulty: int, *, words: Length, remarks: int) -> dict[str, Any]:
    """Remarks of several people that differ in a word. Who said one of them? Harder with remarks."""
    verbs = ["repair", "paint", "sell", "widen", "close", "insure"]
    objects = ["bridge", "playground", "ice rink", "bandstand", "parking lot", "fountain"]
    whens = ["before the holidays", "after the holidays", "before the election", "after the election"]
    # The harder ones share the verb and the object with others, and differ in the time alone.
    verbs, objects = (sample(rng, verbs, 6 if difficulty < 3 else 2), sample(rng, objects, 6 if difficulty < 3 else 2))
    said = sample(rng, [(verb, thing, when) for verb in verbs for thing in objects for when in whens], remarks)
    names = sample(rng, word_list("people"), remarks)
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
        "n_remarks": remarks,
        "others": others(rng, names[0], names, word_list("people")),
        "document": plant(rng, facts, "office", words),
    }


INSCRIPTION = [
    "amber", "anchor", "arrow", "autumn", "beacon", "candle", "cedar", "copper", "crown", "dawn", "eagle", "ember", "falcon",
    "feather", "flint", "garnet", "glacier", "hazel", "helmet", "island", "ivory", "jasper", "lantern", "laurel", "lily", "marble",
    "meadow", "mirror", "needle", "olive", "orchid", "pearl", "pepper", "prism", "raven", "saffron", "shadow", "silver", "thistle",
    "velvet", "willow", "winter",
]  # fmt: skip


@knobs(length=(3, 5, 7, 10, 14), distractors=(0, 1, 2, 3, 4))
def inscription(
    rng: np.random.Generator, difficulty: int, *, words: Length, length: int, distractors: int
) -> dict[str, Any]:
    """A row of words that must be copied exactly; others are almost the same. Harder with its length and the others."""
    stones = sample(rng, ["eastern", "western", "northern", "southern", "central"], 1 + distractors)
    row = sample(rng, INSCRIPTION, length)
    rows = [row]
    while len(rows) < max(4, len(stones)):  # the others have two neighbors swapped, or a word replaced
        near, place = list(row), int(rng.integers(length - 1))
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
        "n_words": length,
        "others": [" ".join(near) for near in rows[1:4]],
        "document": plant(rng, facts, "chronicle", words),
    }


@knobs(decisions=(2, 3, 5, 8, 12))
def minutes(rng: np.random.Generator, difficulty: int, *, words: Length, decisions: int) -> dict[str, Any]:
    """Decisions of a meeting and who carries them out, among duties that resemble each other. Harder with decisions.

    The needle can be left out (``document.missing``): then nobody was given the duty.
    """
    verbs = ["call", "write to", "pay", "invite"][: 2 if difficulty > 2 else 4]
    whom = ["the insurer", "the landlord", "the electrician", "the mayor", "the auditor", "the florist"]
    duties = sample(rng, [f"{verb} {person}" for verb in verbs for person in whom], decisions)
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
        "n_decisions": decisions,
        "others": others(rng, names[0], names, word_list("people"), 2),
        "document": plant(rng, facts, "office", words),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "code": code,
    "endpoints": endpoints,
    "inscription": inscription,
    "market": market,
    "minutes": minutes,
    "patient": patient,
    "quotes": quotes,
    "records": records,
}
