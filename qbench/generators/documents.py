"""Documents with planted facts: coherent filler in which a few sentences matter.

Filler comes from tasks/facts/filler.csv, a genre at a time. It names no person, number or object that a question asks
for, so an answer can come from the planted sentences alone. Each function returns the ``document`` beside the parts of
its question, and takes ``words`` (how long the document is) and its other knobs as one number, or as a list of five,
one per difficulty.
"""

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.facts import table
from qbench.facts import words as word_list

Knob = int | Sequence[int]

SENTENCES_PER_PARAGRAPH = 4
DEFAULT_WORDS = (100, 200, 400, 900, 1800)

SLOTS = {
    "building": ["chapel", "town hall", "watchtower", "brickworks"],
    "channel": ["letter", "courier", "electronic mail", "registered mail"],
    "complaint": ["cough", "backache", "hay fever", "headache", "hoarseness"],
    "driver": ["fuel prices", "household budgets", "building costs", "interest rates", "shopping habits"],
    "factor": ["age", "sleep", "noise", "daily routine", "previous experience"],
    "group": ["older people", "shift workers", "young families", "commuters", "students"],
    "matter": ["the drawings", "the spare parts", "the packaging", "the software", "the samples"],
    "season": ["spring", "summer", "autumn", "winter"],
    "store": ["database", "archive", "journal", "main index"],
    "thing": ["the umbrella", "the picnic basket", "the old radio", "the thermos flask", "the chess set"],
    "topic": ["backups", "time zones", "search", "translations", "attachments"],
    "trade": ["baker", "carpenter", "clerk", "teacher", "gardener", "printer", "tailor", "fisherman"],
    "weather": ["rain", "fog", "frost", "wind", "snow"],
}


def transfers(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    hops: Knob = (1, 2, 3, 4, 6),
    distractors: Knob = (0, 1, 1, 2, 3),
) -> dict[str, Any]:
    """An object goes from hand to hand; other objects do too. Who has it in the end?"""
    n_hops = _at(hops, difficulty)
    objects = _sample(
        rng, ["key", "lamp", "violin", "ring", "clock", "coin", "drum", "mirror"], 1 + _at(distractors, difficulty)
    )
    phrases = [
        "{giver} gave the {object} to {taker}.",
        "{giver} sold the {object} to {taker}.",
        "{giver} passed the {object} on to {taker}.",
        "{taker} received the {object} from {giver}.",
    ]
    chains = []
    for name in objects:
        owners = _sample(rng, word_list("people"), n_hops + 1)
        first = f"At first the {name} belonged to {owners[0]}."
        later = [
            _pick(rng, phrases).format(giver=giver, taker=taker, object=name)
            for giver, taker in itertools.pairwise(owners)
        ]
        chains.append((owners, [first, *later]))
    owners, steps = chains[0]
    return {
        "object": objects[0],
        "first": owners[0],
        "last": owners[-1],
        "steps": steps,
        "document": weave(rng, _interleave(rng, [facts for _, facts in chains]), "chronicle", _at(words, difficulty)),
    }


def causes(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    links: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (1, 1, 2, 3, 4),
) -> dict[str, Any]:
    """One development of a town makes the next possible; other pairs of developments do not touch the chain."""
    developments = [
        "canal", "mill", "mine", "brewery", "foundry", "tannery", "shipyard", "newspaper",
        "hospital", "bank", "quarry", "dairy", "observatory", "waterworks", "university", "sawmill",
    ]  # fmt: skip
    phrases = [
        "The {cause} made the {effect} possible.",
        "The {effect} grew out of the {cause}.",
        "Without the {cause} there would have been no {effect}.",
        "It was the {cause} that led to the {effect}.",
    ]
    n_links, n_pairs = _at(links, difficulty), _at(distractors, difficulty)
    names = _sample(rng, developments, n_links + 1 + 2 * n_pairs)
    chain, rest = names[: n_links + 1], names[n_links + 1 :]
    steps = list(itertools.pairwise(chain))
    pairs = steps + [(rest[2 * pair], rest[2 * pair + 1]) for pair in range(n_pairs)]
    facts = [_pick(rng, phrases).format(cause=cause, effect=effect) for cause, effect in pairs]
    return {
        "first": chain[0],
        "last": chain[-1],
        "steps": [f"The {effect} came from the {cause}." for cause, effect in reversed(steps)],
        "document": weave(rng, _shuffled(rng, facts), "chronicle", _at(words, difficulty)),
    }


def study(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    changes: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (1, 1, 2, 3, 4),
    largest_change: Knob = (5, 9, 30, 60, 90),
) -> dict[str, Any]:
    """People leave and join a study while it runs. How many are there in the end?"""
    events = [
        (-1, "After the first visit {n} people moved away and left the study."),
        (+1, "From the waiting list {n} people joined the study."),
        (-1, "Because the visits took too much time {n} people left the study."),
        (+1, "A second call brought {n} further people into the study."),
        (-1, "In the last month {n} people fell ill and left the study."),
    ]
    asides = [
        "The longest form had {n} questions.",
        "The trained staff consisted of {n} nurses.",
        "The plan was printed on {n} pages.",
        "The visits were spread over {n} weeks.",
    ]
    largest = _at(largest_change, difficulty)
    chosen = sorted(_sample(rng, range(len(events)), _at(changes, difficulty)))
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
        aside.format(n=rng.integers(6, 10 * largest)) for aside in _sample(rng, asides, _at(distractors, difficulty))
    ]
    return {
        "start": start,
        "total": total,
        "steps": steps,
        "document": weave(rng, _interleave(rng, [facts, noise]), "study", _at(words, difficulty)),
    }


def contract(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    references: Knob = (1, 2, 3, 4, 5),
    distractors: Knob = (0, 1, 2, 3, 4),
) -> dict[str, Any]:
    """A period is defined by reference to another clause, and that one by reference to the next."""
    periods = _sample(
        rng,
        ["delivery", "inspection", "payment", "repair", "review", "storage", "return", "warning", "grace", "renewal"],
        _at(references, difficulty) + _at(distractors, difficulty),
    )
    chain, others = periods[: _at(references, difficulty)], periods[_at(references, difficulty) :]
    duty = _pick(
        rng, ["hand over the goods", "answer the claim", "remove the machines", "return the deposit", "sign the plans"]
    )
    extra = [int(rng.integers(2, 10)) for _ in chain[:-1]]
    days = int(rng.integers(5, 31))
    planted = {
        "duty of Party A": f"Party A shall {duty} within the {chain[0]} period of Clause [{chain[0]}].",
        **{
            name: f"The {name} period is {longer} days longer than the {base} period of Clause [{base}]."
            for name, base, longer in zip(chain, chain[1:], extra, strict=False)
        },
        chain[-1]: f"The {chain[-1]} period is {days} days.",
        **{name: f"The {name} period is {rng.integers(5, 31)} days." for name in others},
    }
    target_words = _at(words, difficulty) - sum(len(text.split()) + 4 for text in planted.values())
    clauses = [(topic, " ".join(sentences)) for topic, sentences in _paragraphs(rng, "legal", target_words)]
    for name, text in _shuffled(rng, list(planted.items())):
        clauses.insert(int(rng.integers(len(clauses) + 1)), (name, text))
    numbers = {name: str(number) for number, (name, _) in enumerate(clauses, start=1)}
    lines = [
        f"Clause {number} ({_capital(name) if name in planted else name}). "
        + re.sub(r"\[(\w+)\]", lambda match: numbers[match[1]], text)
        for number, (name, text) in enumerate(clauses, start=1)
    ]
    steps, total = [f"{_capital(chain[-1])} period: {days} days."], days
    for name, longer in zip(reversed(chain[:-1]), reversed(extra), strict=True):
        steps.append(f"{_capital(name)} period: {total} + {longer} = {total + longer} days.")
        total += longer
    return {"duty": duty, "days": total, "steps": steps, "document": "\n".join(lines)}


def trip(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    travelers: Knob = (1, 2, 3, 4, 5),
    villages: Knob = (2, 3, 4, 5, 6),
) -> dict[str, Any]:
    """Each traveler has a wish, and one village fulfils them all. What a wish needs is left to be inferred."""
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
    needed = _sample(rng, list(wishes), _at(travelers, difficulty))
    people = _sample(rng, word_list("people"), len(needed))
    names = _sample(
        rng,
        [
            "Ashby",
            "Brightwell",
            "Colmere",
            "Dunmore",
            "Elmford",
            "Fairlea",
            "Greyport",
            "Hollin",
            "Kestrel Bay",
            "Larkham",
        ],
        _at(villages, difficulty),
    )
    facts = [f"{person} {wishes[need]}." for person, need in zip(people, needed, strict=True)]
    most_missing = len(needed) if difficulty < 4 else 1  # near misses make the hard ones
    lacks: dict[str, str] = {}
    for position, name in enumerate(names):
        missing = _sample(rng, needed, int(rng.integers(1, most_missing + 1))) if position else []
        offered = _shuffled(rng, [need for need in needed if need not in missing] + [_pick(rng, extras)])
        facts.append(f"{name} has {_listed(offered)}.")
        if missing:
            lacks[name] = missing[0]
    return {
        "place": names[0],
        "people": people,
        "steps": [f"{name} does not have {missing}." for name, missing in lacks.items()],
        "document": weave(rng, _shuffled(rng, facts), "travel", _at(words, difficulty)),
    }


def witnesses(
    rng: np.random.Generator, difficulty: int, *, words: Knob = DEFAULT_WORDS, details: Knob = (1, 2, 3, 5, 7)
) -> dict[str, Any]:
    """Three statements agree in every detail but one, and in that one a single witness stands alone."""
    pool = [
        ("the color of the car", "The car was {}.", ["red", "blue", "green", "white", "black"]),
        ("the number of people", "There were {} people in the car.", ["two", "three", "four", "five"]),
        ("the direction", "The car drove off towards the {}.", ["river", "hills", "coast", "motorway"]),
        ("the time", "It happened at {} in the evening.", ["seven", "eight", "nine", "ten"]),
        ("the sound", "Before it happened I heard a {}.", ["whistle", "shout", "horn", "siren"]),
        ("the clothing", "The driver wore a {}.", ["hat", "scarf", "raincoat", "uniform"]),
        ("the lost object", "The driver lost a {}.", ["glove", "wallet", "camera", "notebook"]),
    ]
    chosen = _sample(rng, pool, _at(details, difficulty))
    names = _sample(rng, word_list("people"), 3)
    odd = _pick(rng, names)
    topic, sentence, options = chosen[0]
    true, false = _sample(rng, options, 2)
    shared = [text.format(_pick(rng, values)) for _, text, values in chosen[1:]]
    length = _at(words, difficulty) // len(names)
    statements = [
        f"{name}: "
        + weave(
            rng,
            _shuffled(rng, [*shared, sentence.format(false if name == odd else true)]),
            "evening",
            length,
            separator=" ",
        )
        for name in names
    ]
    return {
        "witness": odd,
        "topic": topic,
        "steps": [f"{name} says {false if name == odd else true}." for name in names],
        "document": "\n".join(statements),
    }


def business(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    products: Knob = (2, 3, 4, 5, 6),
    quarters: Knob = (2, 2, 3, 4, 4),
    largest: Knob = (30, 60, 99, 400, 900),
) -> dict[str, Any]:
    """Revenue by product and quarter. Which product fell most from the first quarter to the last?"""
    names = _sample(
        rng, ["tea", "soap", "paper", "honey", "cheese", "glass", "wool", "furniture"], _at(products, difficulty)
    )
    limit = _at(largest, difficulty)
    drops = _sample(rng, range(-limit // 6, limit // 3), len(names) - 1)
    drops.append(max(*drops, limit // 6) + int(rng.integers(2, 6)))
    revenue = {}
    for name, drop in zip(names, drops, strict=True):
        first = int(rng.integers(limit // 2 + 5, limit + 1))
        middle = [int(rng.integers(limit // 2, limit + 1)) for _ in range(_at(quarters, difficulty) - 2)]
        revenue[name] = [first, *middle, first - drop]
    labels = [*["first", "second", "third"][: _at(quarters, difficulty) - 1], "last"]
    facts = [
        f"In the {label} quarter {name} brought in {amount} thousand dollars."
        for name, amounts in revenue.items()
        for label, amount in zip(labels, amounts, strict=True)
    ]
    return {
        "product": names[-1],
        "fall": drops[-1],
        "steps": [
            f"{_capital(name)}: {revenue[name][0]} - {revenue[name][-1]} = {drop}"
            for name, drop in zip(names, drops, strict=True)
        ],
        "document": weave(rng, _shuffled(rng, facts), "market", _at(words, difficulty)),
    }


def alibis(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    suspects: Knob = (2, 3, 4, 5, 6),
    conditions: Knob = (1, 2, 2, 3, 3),
) -> dict[str, Any]:
    """Only one person meets every condition that the thief must have met."""
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
    rules = _sample(rng, pool, _at(conditions, difficulty))
    names = _sample(rng, word_list("people"), _at(suspects, difficulty))
    thief, innocent = names[0], names[1:]
    most_failed = len(rules) if difficulty < 4 else 1
    facts = [rule for rule, _, _ in rules]
    steps = []
    for name in names:
        failed = _sample(rng, range(len(rules)), int(rng.integers(1, most_failed + 1))) if name in innocent else []
        facts += [(no if position in failed else yes).format(name) for position, (_, yes, no) in enumerate(rules)]
        if failed:
            steps.append(rules[min(failed)][2].format(name))
    return {
        "thief": thief,
        "steps": _shuffled(rng, steps),
        "document": weave(rng, _shuffled(rng, facts), "evening", _at(words, difficulty)),
    }


def endpoints(
    rng: np.random.Generator, difficulty: int, *, words: Knob = DEFAULT_WORDS, facts: Knob = (2, 4, 6, 9, 12)
) -> dict[str, Any]:
    """Technical documentation: every endpoint has a purpose, a credential and a request limit."""
    actions = {"GET": "lists", "POST": "creates", "PUT": "replaces", "DELETE": "removes"}
    resources = ["sessions", "tokens", "users", "devices", "passwords", "roles"]
    # From level 3 on the endpoints resemble each other: fewer resources, more versions and methods of each.
    resources = _sample(rng, resources, 6 if difficulty < 3 else 2)
    routes = [
        (method, f"/v{version}/{name}", name) for method in actions for version in (1, 2, 3) for name in resources
    ]
    chosen = _sample(rng, routes, _at(facts, difficulty))
    limits = _sample(rng, range(10, 100), len(chosen))
    credentials = ["an access token", "a password", "an administrator key", "no credential"]
    sentences = [
        f"{method} {path} {actions[method]} {name}, needs {_pick(rng, credentials)} "
        f"and allows {limit} requests a minute."
        for (method, path, name), limit in zip(chosen, limits, strict=True)
    ]
    return {
        "endpoint": f"{chosen[0][0]} {chosen[0][1]}",
        "limit": limits[0],
        "document": weave(rng, _shuffled(rng, sentences), "software", _at(words, difficulty)),
    }


def patient(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    facts: Knob = (2, 4, 6, 9, 12),
    relatives: Knob = (0, 0, 2, 4, 6),
) -> dict[str, Any]:
    """A medical history in order of time; from level 3 on a relative has the same measurements."""
    ranges = {
        "resting pulse": (55, 95),
        "systolic blood pressure": (110, 180),
        "total cholesterol": (150, 290),
        "fasting blood sugar": (80, 180),
        "body weight": (55, 99),
    }
    years = sorted(_sample(rng, range(2001, 2025), 6))
    visits = _sample(rng, [(measure, year) for measure in ranges for year in years], _at(facts, difficulty))
    n_relatives = min(_at(relatives, difficulty), len(visits))
    records = [("patient", *visit) for visit in visits] + [
        ("brother of the patient", *visit) for visit in visits[:n_relatives]
    ]
    entries = sorted(
        (year, f"In {year} the {measure} of the {who} was ", int(rng.integers(*ranges[measure])))
        for who, measure, year in records
    )
    measure, year = visits[0]
    asked = f"In {year} the {measure} of the patient was "
    value = next(value for _, text, value in entries if text == asked)
    return {
        "measure": measure,
        "year": year,
        "measurement": value,
        "document": weave(rng, [f"{text}{number}." for _, text, number in entries], "medical", _at(words, difficulty)),
    }


def market(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    facts: Knob = (2, 3, 5, 8, 12),
    largest: Knob = (9, 20, 60, 99, 400),
) -> dict[str, Any]:
    """A market report on companies X, Y and Z. By how much is X ahead of a rival in one respect and region?"""
    sentences = {
        "shops": "Company {company} has {n} shops in the {region}.",
        "technicians": "Company {company} employs {n} technicians in the {region}.",
        "products": "Company {company} offers {n} products in the {region}.",
        "partners": "Company {company} works with {n} partners in the {region}.",
    }
    limit = _at(largest, difficulty)
    regions = _sample(rng, ["north", "south", "east", "west"], 2 if difficulty < 4 else 4)
    aspect, region, rival = _pick(rng, list(sentences)), _pick(rng, regions), _pick(rng, ["Y", "Z"])
    ahead = int(rng.integers(1, limit // 2))
    behind = int(rng.integers(2, limit - ahead + 1))
    asked = [("X", aspect, region, behind + ahead), (rival, aspect, region, behind)]
    others = [
        (company, noun, place)
        for company in "XYZ"
        for noun in sentences
        for place in regions
        if (noun, place) != (aspect, region) or company not in ("X", rival)
    ]
    noise = [
        (*key, int(rng.integers(2, limit + 1))) for key in _sample(rng, others, _at(facts, difficulty) - len(asked))
    ]
    texts = [sentences[noun].format(company=company, n=n, region=place) for company, noun, place, n in [*asked, *noise]]
    return {
        "noun": aspect,
        "region": region,
        "rival": rival,
        "ours": behind + ahead,
        "theirs": behind,
        "document": weave(rng, _shuffled(rng, texts), "market", _at(words, difficulty)),
    }


def needle(
    rng: np.random.Generator,
    difficulty: int,
    *,
    words: Knob = DEFAULT_WORDS,
    digits: Knob = (2, 3, 4, 5, 6),
    distractors: Knob = (0, 1, 3, 6, 10),
    depth: Knob | None = None,
) -> dict[str, Any]:
    """One code among others in a long document and, for the twin, in one of the facts alone.

    ``depth`` is the share of the filler in front of the needle in percent; without it every fact stands anywhere.
    """
    places = [
        "boathouse", "cellar", "attic", "greenhouse", "stable", "pavilion",
        "gatehouse", "laundry", "pantry", "garage", "balcony", "tunnel",
    ]  # fmt: skip
    chosen = _sample(rng, places, 1 + _at(distractors, difficulty))
    smallest = 10 ** (_at(digits, difficulty) - 1)
    codes = [int(code) for code in rng.integers(smallest, 10 * smallest, size=len(chosen))]
    facts = [f"The code for the {place} is {code}." for place, code in zip(chosen, codes, strict=True)]
    at = None if depth is None else _at(depth, difficulty)
    return {
        "place": chosen[0],
        "code": codes[0],
        "short_document": " ".join(_shuffled(rng, facts)),
        "document": weave(rng, facts, "chronicle", _at(words, difficulty), depth=at),
    }


# ---------------------------------------------------------------- filler and planting


def weave(
    rng: np.random.Generator,
    facts: Sequence[str],
    genre: str,
    words: int,
    *,
    depth: int | None = None,
    separator: str = "\n",
) -> str:
    """Plant facts, in their order, between paragraphs of filler until the document has about ``words`` words.

    With ``depth`` the first fact follows that percentage of the filler, and the other facts stand anywhere.
    """
    n_fact_words = sum(len(fact.split()) for fact in facts)
    paragraphs = [sentences for _, sentences in _paragraphs(rng, genre, words - n_fact_words)]
    gaps = sorted(int(gap) for gap in rng.integers(len(paragraphs) + 1, size=len(facts)))
    if depth is not None:
        gaps = [round(depth / 100 * len(paragraphs)), *_shuffled(rng, gaps[1:])]
    # Gap 0 lies before the first paragraph; a fact in any other gap ends the paragraph in front of it.
    planted: list[list[str]] = [[], *paragraphs]
    for fact, gap in zip(facts, gaps, strict=True):
        planted[gap].append(fact)
    return separator.join(" ".join(sentences) for sentences in planted if sentences)


def _paragraphs(rng: np.random.Generator, genre: str, words: int) -> list[tuple[str, list[str]]]:
    """Paragraphs of filler as (topic, sentences); topics come round again only when all have been used."""
    topics = _topics(genre)
    paragraphs: list[tuple[str, list[str]]] = []
    queue: list[str] = []
    while words > 0:
        queue = queue or _shuffled(rng, list(topics))
        topic = queue.pop()
        opening, *others = topics[topic]
        picked = sorted(_sample(rng, range(len(others)), SENTENCES_PER_PARAGRAPH - 1))
        sentences = []
        for sentence in (opening, *(others[position] for position in picked)):
            if words > 0:
                sentences.append(_filled(rng, sentence))
                words -= len(sentences[-1].split())
        paragraphs.append((topic, sentences))
    return paragraphs


@functools.cache
def _topics(genre: str) -> dict[str, list[str]]:
    topics: dict[str, list[str]] = {}
    for row in table("filler"):
        if row["genre"] == genre:
            topics.setdefault(row["topic"], []).append(row["sentence"])
    return topics


def _filled(rng: np.random.Generator, sentence: str) -> str:
    """Fill the slots of a sentence: {season} by a season, {Season} by one with a capital."""
    return _capital(re.sub(r"\{(\w+)\}", lambda match: str(_pick(rng, SLOTS[match[1].lower()])), sentence))


# ---------------------------------------------------------------- small helpers


def _at(knob: Knob, difficulty: int) -> int:
    return knob if isinstance(knob, int) else knob[difficulty - 1]


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _sample(rng: np.random.Generator, options: Sequence[Any], count: int) -> list[Any]:
    return [options[int(position)] for position in rng.permutation(len(options))[:count]]


def _shuffled(rng: np.random.Generator, options: Sequence[Any]) -> list[Any]:
    return _sample(rng, options, len(options))


def _interleave(rng: np.random.Generator, sequences: Sequence[Sequence[str]]) -> list[str]:
    """Merge sequences at random, each in its own order."""
    turns = _shuffled(rng, [position for position, sequence in enumerate(sequences) for _ in sequence])
    queues = [iter(sequence) for sequence in sequences]
    return [next(queues[position]) for position in turns]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "alibis": alibis,
    "business": business,
    "causes": causes,
    "contract": contract,
    "endpoints": endpoints,
    "market": market,
    "needle": needle,
    "patient": patient,
    "study": study,
    "transfers": transfers,
    "trip": trip,
    "witnesses": witnesses,
}
