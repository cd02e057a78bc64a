"""Long documents that have to be kept account of: people, money, stock, the rules of a fare, dates, versions.

A number that is asked for is drawn, never counted from the filler.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.facts import words as word_list
from qbench.generators.drawing import interleave, others, pick, sample, shuffled
from qbench.generators.filler import Length, plant
from qbench.generators.knobs import knobs


@knobs(changes=(1, 2, 3, 4, 5), distractors=(1, 1, 2, 3, 4), largest_change=(5, 9, 30, 60, 90))
def study(
    rng: np.random.Generator, difficulty: int, *, words: Length, changes: int, distractors: int, largest_change: int
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
    chosen = sorted(sample(rng, range(len(events)), changes))
    total = start = int(rng.integers(4 * largest_change, 10 * largest_change))
    facts = [f"At the beginning {start} people took part in the study."]
    steps = []
    for position in chosen:
        sign, sentence = events[position]
        change = int(rng.integers(2, largest_change + 1))
        facts.append(sentence.format(n=change))
        steps.append(f"{total} {'+' if sign > 0 else '-'} {change} = {total + sign * change}")
        total += sign * change
    noise = [aside.format(n=rng.integers(low, high)) for aside, low, high in sample(rng, asides, distractors)]
    return {
        "total": total,
        "steps": steps,
        "document": plant(rng, interleave(rng, [facts, noise]), "study", words, in_order=True),
    }


CLUBS = ["chess club", "drama group", "rowing team", "film circle", "science club", "history society"]
PURCHASES = [
    "costumes", "books", "travel", "posters", "insurance", "rented rooms",
    "medals", "paint", "software", "tickets", "tables", "spare parts",
]  # fmt: skip


@knobs(purchases=(2, 3, 4, 5, 7), largest=(9, 40, 90, 400, 900))
def spending(
    rng: np.random.Generator, difficulty: int, *, words: Length, purchases: int, largest: int
) -> dict[str, Any]:
    """Clubs spend money throughout a report, and some of it comes back. What did one spend in all? Harder with purchases and amounts."""
    clubs = sample(rng, CLUBS, 2 if difficulty < 4 else 3)
    asked, n_facts, facts, steps, total = clubs[0], 0, [], [], 0
    for club in clubs:
        refunds = difficulty >= 3
        for number, goods in enumerate(sample(rng, PURCHASES, purchases)):
            amount = int(rng.integers(largest // 3, largest + 1))
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
        "document": plant(rng, shuffled(rng, facts), "office", words),
    }


@knobs(movements=(1, 2, 3, 5, 7), largest=(10, 20, 40, 100, 400))
def stock(rng: np.random.Generator, difficulty: int, *, words: Length, movements: int, largest: int) -> dict[str, Any]:
    """Sacks move between depots, some by number and some by share, so that the order counts. Harder with movements and larger stocks."""
    depots = ["north depot", "south depot", "harbor depot"][: 2 if difficulty < 3 else 3]
    goods = pick(rng, ["rice", "flour", "sugar", "coffee", "salt", "barley", "oats", "beans"])
    held = {depot: 2 * int(rng.integers(largest // 4, largest // 2 + 1)) for depot in depots}
    facts = [f"At the beginning of the year the {depot} held {n} sacks of {goods}." for depot, n in held.items()]
    steps = [", ".join(f"{depot} {n}" for depot, n in held.items())]
    for _ in range(movements):
        source, goal = sample(rng, depots, 2)
        kind = int(rng.integers(4)) if held[source] >= 4 else 1
        if kind == 0 and held[source] % 2 == 0:
            moved = held[source] // 2
            facts.append(f"Then half of the sacks in the {source} were taken to the {goal}.")
        elif kind == 1:
            moved, arrived = 0, int(rng.integers(2, largest // 2))
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
        "n_movements": movements,
        "steps": steps,
        "document": plant(rng, facts, "office", words, in_order=True),
    }


@knobs(rules=(1, 2, 3, 4, 5))
def fare(rng: np.random.Generator, difficulty: int, *, words: Length, rules: int) -> dict[str, Any]:
    """Rules of a ferry with exceptions, scattered, and one passenger. What is the fare? Harder with rules."""
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
    chosen = pool[:rules]
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
        "n_rules": rules,
        "steps": steps,
        "document": plant(rng, shuffled(rng, [*facts, *noise]), "legal", words),
    }


MONTHS = {"March": 31, "April": 30, "May": 31, "June": 30, "July": 31}
EVENTS = [
    "boat race", "flower show", "charity dinner", "book sale", "song contest", "open day",
    "kite festival", "craft fair", "chess tournament", "film night", "wine tasting", "costume ball",
]  # fmt: skip


@knobs(events=(3, 4, 5, 7, 9), relative=(0, 1, 1, 2, 3))
def calendar(rng: np.random.Generator, difficulty: int, *, words: Length, events: int, relative: int) -> dict[str, Any]:
    """Events with their dates, told out of order; some dates are relative to another event. Which was the k-th? Harder with events."""
    names = sample(rng, EVENTS, events)
    months = list(MONTHS)[: 2 if difficulty < 3 else 5]
    span = sum(MONTHS[month] for month in months)
    days = dict(zip(names, sample(rng, range(span), events), strict=True))
    facts, steps = [], []
    for number, name in enumerate(names):
        if number < relative:  # tells its distance to an event that has a date
            base = names[relative + number]
            gap = days[name] - days[base]
            apart = "1 day" if abs(gap) == 1 else f"{abs(gap)} days"
            facts.append(f"The {name} took place {apart} {'after' if gap > 0 else 'before'} the {base}.")
        else:
            facts.append(f"The {name} took place on {_date(days[name], months)}.")
        steps.append((days[name], f"{_date(days[name], months)}: {name}"))
    order = sorted(names, key=days.__getitem__)
    place = int(rng.integers(2, events + 1)) if difficulty > 1 else pick(rng, [1, events])
    answer = order[place - 1]
    near = [order[position] for position in (place - 2, place, place - 3, place + 1) if 0 <= position < events]
    return {
        "place": {1: "first", events: "last"}.get(place, f"number {place}"),
        "event": answer,
        "n_events": events,
        "others": others(rng, answer, near[:3], EVENTS),
        "steps": [text for _, text in sorted(steps)],
        "document": plant(rng, shuffled(rng, facts), "office", words),
    }


def _date(day: int, months: list[str]) -> str:
    for month in months:
        if day < MONTHS[month]:
            break
        day -= MONTHS[month]
    return f"{month} {day + 1}"


SETTINGS = ["timeout", "page size", "retry delay", "cache limit", "upload limit", "poll interval"]


@knobs(changes=(2, 3, 4, 5, 7), settings=(1, 2, 2, 3, 4))
def changelog(
    rng: np.random.Generator, difficulty: int, *, words: Length, changes: int, settings: int
) -> dict[str, Any]:
    """A change log, newest entry first; some entries take back an earlier one. What was the default in one version? Harder with entries."""
    names = sample(rng, SETTINGS, settings)
    asked = names[0]
    entries: list[tuple[str, str]] = []
    history: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        minors = sorted(sample(rng, range(1, 2 * changes + 4), changes))
        values = [int(value) for value in sample(rng, range(10, 100), changes)]
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
    number = changes - 1 if difficulty < 3 else int(rng.integers(1, changes))
    start = history[asked][number][0]
    end = history[asked][number + 1][0] if number + 1 < changes else start + 3
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
            words,
            in_order=True,
            alone=True,
        ),
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "calendar": calendar,
    "changelog": changelog,
    "fare": fare,
    "spending": spending,
    "stock": stock,
    "study": study,
}
