"""Puzzles of deduction. `qbench.generators.prover` looks at every world, so that the targets are proved."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.facts import table
from qbench.generators.prover import (
    CONTRADICTED,
    ENTAILED,
    NEITHER,
    VERDICTS,
    Claim,
    Formula,
    arrangements,
    atoms,
    claim,
    n_connectives,
    together,
    verdict,
    without_superfluous,
)

WORDS = {ENTAILED: "true", CONTRADICTED: "false", NEITHER: "undetermined"}


def _pick(rng: np.random.Generator, options: Sequence[Any], count: int) -> list[Any]:
    """Some of the options, in random order."""
    return [options[int(position)] for position in rng.permutation(len(options))[:count]]


def _one(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


# ---------------------------------------------------------------- rules and facts


def rule_base(rng: np.random.Generator, difficulty: int, *, facts: str) -> dict[str, Any]:
    """Rules with negations, some facts, and a sentence that is true, false or undetermined, each a third of the time.

    ``facts`` names a fact table with the columns ``is`` and ``is_not``. Difficulty makes the chain of rules longer; from 2 on rules are
    turned into their contrapositives, from 3 on they are shuffled and others stand among them, and from 4 on some have two conditions.
    """
    n_steps = (1, 2, 3, 4, 5)[difficulty - 1]
    n_others = (0, 0, 1, 2, 3)[difficulty - 1]
    n_pairs = (0, 0, 0, 1, 2)[difficulty - 1]
    wanted = VERDICTS[int(rng.integers(3))]
    n_atoms = n_steps + 1 + n_others + n_pairs
    sentences = _pick(rng, table(facts), n_atoms)
    columns = atoms(n_atoms)
    while True:
        literals: list[Formula] = [atom if rng.integers(2) else ("not", atom) for atom in range(n_atoms)]
        chain, others = literals[: n_steps + 1], literals[n_steps + 1 :]
        rules = [("if", chain[step], chain[step + 1]) for step in range(n_steps)]
        known = [chain[0]]
        for step, condition in zip(_pick(rng, range(n_steps), n_pairs), others[n_others:], strict=False):
            rules[step] = ("if", ("and", chain[step], condition), chain[step + 1])
            known.append(condition)
        if wanted == NEITHER:  # one link is missing or points the wrong way
            broken = int(rng.integers(n_steps))
            if len(known) > 1 and rng.integers(2):
                known.pop()
            else:
                rules[broken] = ("if", rules[broken][2], rules[broken][1])
        if difficulty > 1:
            rules = [
                _contrapositive(rule) if all(map(_is_literal, rule[1:])) and rng.integers(2) else rule for rule in rules
            ]
        # The rules beside the chain lead away from it: they say nothing about its end.
        rules += [("if", _one(rng, chain[:-1]), other) for other in others[:n_others]]
        asked = _negated(chain[-1]) if wanted == CONTRADICTED else chain[-1]
        if verdict([claim(premise, columns) for premise in rules + known], claim(asked, columns)) == wanted:
            break
    if difficulty > 2:
        rules = _pick(rng, rules, len(rules))
    said = [f"If {_say(rule[1], sentences)}, then {_say(rule[2], sentences)}." for rule in rules]
    said += [_capitalized(_say(fact, sentences)) + "." for fact in _pick(rng, known, len(known))]
    return {
        "premises": " ".join(said),
        "asked": _say(asked, sentences),
        "verdict": WORDS[wanted],
        "n_rules": len(rules),
        "n_steps": n_steps,
    }


def _negated(formula: Formula) -> Formula:
    """The negation, without a double one."""
    return formula[1] if isinstance(formula, tuple) and formula[0] == "not" else ("not", formula)


def _is_literal(formula: Formula) -> bool:
    return isinstance(formula, int) or (formula[0] == "not" and isinstance(formula[1], int))


def _contrapositive(rule: Formula) -> Formula:
    return ("if", _negated(rule[2]), _negated(rule[1]))


def _say(formula: Formula, sentences: Sequence[Mapping[str, str]]) -> str:
    """A literal, or two joined by "and", in English."""
    match formula:
        case ("and", one, other):
            return f"{_say(one, sentences)} and {_say(other, sentences)}"
        case ("not", atom):
            return str(sentences[atom]["is_not"])
        case _:
            return str(sentences[formula]["is"])


def elimination(
    rng: np.random.Generator, difficulty: int, *, things: Sequence[str], places: Sequence[str], facts: str
) -> dict[str, Any]:
    """A thing in one of some places, all but one of which are ruled out. Difficulty adds places.

    From 2 on a place may be ruled out by a rule whose consequence is not so (modus tollens), and from 4 on a rule with a true
    consequence suggests a wrong or the right place (affirming the consequent), which proves nothing.
    """
    n_places = (3, 4, 5, 6, 7)[difficulty - 1]
    n_tollens = (0, 1, 2, 3, 4)[difficulty - 1]
    n_red_herrings = (0, 0, 0, 1, 2)[difficulty - 1]
    thing = _one(rng, things)
    where = _pick(rng, places, n_places)
    sentences = _pick(rng, table(facts), n_tollens + n_red_herrings)
    right = int(rng.integers(n_places))
    wrong = [place for place in range(n_places) if place != right]
    # A world is a place for the thing and a truth value for every sentence.
    truth = atoms(len(sentences)) if sentences else (np.array([True]),)
    n_rows = len(truth[0])
    there = [np.repeat(np.arange(n_places) == place, n_rows) for place in range(n_places)]
    columns = [np.tile(column, n_places) for column in truth]
    premises: list[tuple[str, Claim]] = []
    steps: list[str] = []
    for position, place in enumerate(_pick(rng, wrong, len(wrong))):
        if position < n_tollens:
            holds = bool(rng.integers(2))
            yes, no = ("is", "is_not") if holds else ("is_not", "is")
            fact = columns[position] if holds else ~columns[position]
            said = sentences[position]
            premises.append((f"If the {thing} is {where[place]}, then {said[yes]}.", ~there[place] | fact))
            premises.append((_capitalized(said[no]) + ".", ~fact))
            steps.append(f"not {where[place]}, because {said[no]}")
        else:
            premises.append((f"The {thing} is not {where[place]}.", ~there[place]))
            steps.append(f"not {where[place]}")
    for position in range(n_red_herrings):
        place = _one(rng, range(n_places))
        said = sentences[n_tollens + position]
        fact = columns[n_tollens + position]
        premises.append((f"If the {thing} is {where[place]}, then {said['is']}.", ~there[place] | fact))
        premises.append((_capitalized(said["is"]) + ".", fact))
    claims = [said_claim for _, said_claim in premises]
    if [verdict(claims, column) == ENTAILED for column in there] != [place == right for place in range(n_places)]:
        raise AssertionError("the clues must leave one place")
    return {
        "thing": thing,
        "places": where,
        "clues": " ".join(premises[position][0] for position in map(int, rng.permutation(len(premises)))),
        "n_clues": len(premises),
        "place": where[right],
        "steps": steps,
    }


# ---------------------------------------------------------------- who tells the truth


def knights_and_knaves(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Islanders who always or never tell the truth, and statements of theirs that leave one possibility.

    Difficulty adds islanders, 2 to 6, and statements about several of them.
    """
    n = (2, 3, 4, 5, 6)[difficulty - 1]
    names = sorted(_pick(rng, people, n))
    knight = atoms(n)
    n_knights = np.sum(knight, axis=0)

    def statement(speaker: int) -> tuple[str, Claim]:
        others = _pick(rng, [person for person in range(n) if person != speaker], n - 1)
        one, other = others[0], others[-1]
        kind = int(rng.integers(4 if difficulty < 3 else 7))
        count = 1 + int(rng.integers(n - 1))
        islanders = "One of us is a knight" if count == 1 else f"{_capitalized(NUMBERS[count])} of us are knights"
        return (
            (f"{names[one]} is a knave.", ~knight[one]),
            (f"{names[one]} is a knight.", knight[one]),
            (f"{names[one]} and I are of the same kind.", knight[one] == knight[speaker]),
            (f"{names[one]} and I are of different kinds.", knight[one] != knight[speaker]),
            (f"{islanders}, no more and no fewer.", n_knights == count),
            (f"{names[one]} is a knave or {names[other]} is a knight.", ~knight[one] | knight[other]),
            (f"{names[one]} and {names[other]} are both knaves.", ~knight[one] & ~knight[other]),
        )[kind]

    while True:
        said = [statement(speaker) for speaker in range(n)]
        left = together(knight[speaker] == truth for speaker, (_, truth) in enumerate(said))
        (worlds,) = np.nonzero(left)
        if len(worlds) == 1 and 0 < n_knights[worlds[0]] < n:
            break
    kinds = [bool(knight[person][worlds[0]]) for person in range(n)]
    wrong = [
        [name for position, name in enumerate(names) if kinds[position] != (position == slip)] for slip in range(n)
    ]
    return {
        "names": names,
        "statements": [f"{name}: “{words}”" for name, (words, _) in zip(names, said, strict=True)],
        "knights": [name for name, is_knight in zip(names, kinds, strict=True) if is_knight],
        "wrong": ["{" + ", ".join(some) + "}" for some in _pick(rng, wrong, 3) if some],
        "n": n,
        "steps": [
            f"{name} is a {'knight' if is_knight else 'knave'}, so {'true' if is_knight else 'false'}: {words}"
            for name, is_knight, (words, _) in zip(names, kinds, said, strict=True)
        ],
    }


NUMBERS = ("none", "one", "two", "three", "four", "five", "six")


def inscriptions(rng: np.random.Generator, difficulty: int, *, colors: Sequence[str]) -> dict[str, Any]:
    """Boxes with inscriptions, a known number of which are true, and one place where the prize can be.

    Difficulty adds boxes, 3 to 6; at 1 and 2 exactly one inscription is true, and from 4 on one speaks about another.
    """
    n = (3, 3, 4, 5, 6)[difficulty - 1]
    names = _pick(rng, colors, n)
    here = [np.arange(n) == box for box in range(n)]
    while True:
        said: list[tuple[str, Claim]] = []
        for box in range(n):
            one, other = _pick(rng, [place for place in range(n) if place != box], 2)
            kind = int(rng.integers(4 if difficulty == 1 else 6))
            said.append(
                (
                    ("The prize is in this box.", here[box]),
                    ("The prize is not in this box.", ~here[box]),
                    (f"The prize is in the {names[one]} box.", here[one]),
                    (f"The prize is not in the {names[one]} box.", ~here[one]),
                    (f"The prize is in the {names[one]} or the {names[other]} box.", here[one] | here[other]),
                    (f"The prize is in this or the {names[one]} box.", here[box] | here[one]),
                )[kind]
            )
        if difficulty > 3:
            box, other = _pick(rng, range(n), 2)
            words = f"The inscription on the {names[other]} box is {'true' if rng.integers(2) else 'false'}."
            said[box] = (words, said[other][1] if words.endswith("true.") else ~said[other][1])
        n_true = 1 if difficulty < 3 else 1 + int(rng.integers(n - 1))
        counts = np.sum([truth for _, truth in said], axis=0)
        (worlds,) = np.nonzero(counts == n_true)
        if len(worlds) == 1 and len({words for words, _ in said}) == n:
            break
    prize = int(worlds[0])
    return {
        "names": names,
        "inscriptions": [f"{name} box: “{words}”" for name, (words, _) in zip(names, said, strict=True)],
        "n_true": NUMBERS[n_true],
        "n": n,
        "prize": names[prize],
        "wrong": [name for name in names if name != names[prize]],
        "steps": [f"In the {name} box: {int(count)} would be true." for name, count in zip(names, counts, strict=True)],
    }


# ---------------------------------------------------------------- orders and grids


def row_of_seats(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """People in a row, clues that leave several orders, and a sentence that is true, false or undetermined.

    Difficulty adds people, 3 to 6, and clues. No clue is superfluous, and none decides the question alone.
    """
    n = (3, 4, 4, 5, 6)[difficulty - 1]
    n_clues = (2, 2, 3, 4, 5)[difficulty - 1]
    names = sorted(_pick(rng, people, n))
    sayable = [
        (words.format(*(names[person] for person in who)), column)
        for words, who, column in _seating(n, 1 if difficulty == 1 else len(SEATING))
    ]
    n_worlds = len(sayable[0][1])
    wanted = VERDICTS[int(rng.integers(3))]
    while True:
        world = int(rng.integers(n_worlds))
        true = [position for position, (_, column) in enumerate(sayable) if column[world]]
        clues = _pick(rng, true, n_clues)
        claims = [sayable[position][1] for position in clues]
        if len(without_superfluous(claims)) < n_clues:
            continue
        left = [together(claims)]
        asked = next(
            (
                position
                for position in map(int, rng.permutation(len(sayable)))
                if verdict(left, sayable[position][1]) == wanted
                and all(verdict([one], sayable[position][1]) == NEITHER for one in claims)
            ),
            None,
        )
        if asked is not None:
            break
    return {
        "names": names,
        "clues": " ".join(sayable[position][0] + "." for position in clues),
        "asked": sayable[asked][0],
        "verdict": WORDS[wanted],
        "n": n,
        "n_clues": n_clues,
        "n_left": int(left[0].sum()),
    }


@functools.cache
def _seating(n: int, n_kinds: int) -> list[tuple[str, tuple[int, ...], Claim]]:
    """Everything that can be said about ``n`` people in a row, with the orders in which it is true."""
    place = arrangements(n)
    return [
        (words, who, test(place, *who, last=n - 1))
        for words, n_who, test in SEATING[:n_kinds]
        for who in itertools.permutations(range(n), n_who)
    ]


SEATING: tuple[tuple[str, int, Callable[..., Claim]], ...] = (
    ("{0} sits to the left of {1}", 2, lambda place, a, b, last: place[a] < place[b]),
    ("{0} sits next to {1}", 2, lambda place, a, b, last: abs(place[a] - place[b]) == 1),
    ("{0} does not sit next to {1}", 2, lambda place, a, b, last: abs(place[a] - place[b]) != 1),
    (
        "{0} sits somewhere between {1} and {2}",
        3,
        lambda place, a, b, c, last: (place[a] - place[b]) * (place[a] - place[c]) < 0,
    ),
    ("{0} sits at an end of the row", 1, lambda place, a, last: (place[a] == 0) | (place[a] == last)),
    ("{0} does not sit at an end of the row", 1, lambda place, a, last: (place[a] != 0) & (place[a] != last)),
)


def houses(
    rng: np.random.Generator, difficulty: int, *, people: Sequence[str], kinds: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Einstein's riddle in small: houses in a row, a person, a pet and a drink in each, and clues that leave one possibility.

    Three houses at difficulty 1 and 2, four from 3 on; drinks come in at 2 and again from 4 on. At 5 no clue names a house.
    ``kinds`` has pets and drinks: how they are said (``{who: "the owner of the {}", what: […]}``). No clue is superfluous.
    """
    n = (3, 3, 4, 4, 4)[difficulty - 1]
    n_kinds = (2, 3, 2, 3, 3)[difficulty - 1]
    names = sorted(_pick(rng, people, n))
    things = {kind: _pick(rng, kinds[kind]["what"], n) for kind in list(kinds)[: n_kinds - 1]}
    said = [*names, *(kinds[kind]["who"].format(thing) for kind, some in things.items() for thing in some)]
    place = arrangements(n, n_kinds)
    possible = [
        (kind, a, b)
        for kind in NEIGHBORHOOD
        for a, b in itertools.permutations(range(n * n_kinds), 2)
        # Symmetric clues are said once, and who lives in the same house is of two kinds.
        if (a < b or kind in ("left", "right after")) and (kind not in ("same", "other") or a // n != b // n)
    ]
    if difficulty < 5:
        possible += [(kind, a, house) for kind in ADDRESS for a in range(n * n_kinds) for house in range(n)]
    while True:
        world = int(rng.integers(place.shape[1]))
        here = [int(house) for house in place[:, world]]
        true = [clue for clue in possible if _meets(clue, here)]
        clues: list[tuple[str, int, int]] = []
        left = place
        for position in rng.permutation(len(true)):
            column = _meets(true[int(position)], left)
            if not column.all():
                clues.append(true[int(position)])
                left = left[:, column]
            if left.shape[1] == 1:
                break
        if left.shape[1] == 1:
            break
    claims = [_meets(clue, place) for clue in clues]
    clues = [clues[position] for position in without_superfluous(claims)]
    owner = {here[person]: names[person] for person in range(n)}
    asked = n + int(rng.integers(n * (n_kinds - 1)))
    order = [" and ".join(said[thing] for thing in range(n * n_kinds) if here[thing] == house) for house in range(n)]
    return {
        "n": NUMBERS[n],
        "names": names,
        "things": [f"{kinds[kind]['verb']} {_listed(some)}" for kind, some in things.items()],
        "clues": " ".join(_capitalized(_clue(clue, said)) for clue in clues),
        "n_clues": len(clues),
        "n_indirect": sum(kind in NEIGHBORHOOD for kind, _, _ in clues),
        "asked": said[asked],
        "owner": owner[here[asked]],
        "wrong": [name for name in names if name != owner[here[asked]]],
        "order": order,
    }


NEIGHBORHOOD: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "same": ("{0} is {1}.", lambda one, other: one == other),
    "other": ("{0} is not {1}.", lambda one, other: one != other),
    "next": ("{0} lives next to {1}.", lambda one, other: abs(one - other) == 1),
    "left": ("{0} lives somewhere to the left of {1}.", lambda one, other: one < other),
    "right after": ("{0} lives directly to the right of {1}.", lambda one, other: one == other + 1),
}
ADDRESS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "at": ("{0} lives in house {1}.", lambda one, house: one == house),
    "not at": ("{0} does not live in house {1}.", lambda one, house: one != house),
}


def _meets(clue: tuple[str, int, int], place: Any) -> Any:
    """Whether a clue is true, given the place of each thing: in one world, or in every world at once."""
    kind, a, b = clue
    return ADDRESS[kind][1](place[a], b) if kind in ADDRESS else NEIGHBORHOOD[kind][1](place[a], place[b])


def _clue(clue: tuple[str, int, int], said: Sequence[str]) -> str:
    kind, a, b = clue
    return (
        ADDRESS[kind][0].format(said[a], b + 1) if kind in ADDRESS else NEIGHBORHOOD[kind][0].format(said[a], said[b])
    )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def odd_statement_out(rng: np.random.Generator, difficulty: int, *, people: Sequence[str]) -> dict[str, Any]:
    """Numbered statements about who is older, of which exactly one cannot be true if the others are.

    Difficulty adds people, 3 to 5, and statements, 4 to 8. Without that one the others are consistent; without any other one they
    are not, so that no second answer is right.
    """
    n = (3, 3, 4, 4, 5)[difficulty - 1]
    n_statements = (4, 5, 6, 7, 8)[difficulty - 1]
    names = sorted(_pick(rng, people, n))
    place = arrangements(n)  # 0 is the oldest
    sayable = [
        (f"{names[a]} is older than {names[b]}.", place[a] < place[b]) for a, b in itertools.permutations(range(n), 2)
    ]
    sayable += [
        (f"{names[a]} is neither the oldest nor the youngest.", (place[a] > 0) & (place[a] < n - 1)) for a in range(n)
    ]
    sayable += [(f"{names[a]} is the oldest.", place[a] == 0) for a in range(n)]
    sayable += [(f"{names[a]} is the youngest.", place[a] == n - 1) for a in range(n)]
    if n > 3:
        sayable += [(f"Exactly two of the others are older than {names[a]}.", place[a] == 2) for a in range(n)]
    while True:
        world = int(rng.integers(place.shape[1]))
        true = [statement for statement in sayable if statement[1][world]]
        false = [statement for statement in sayable if not statement[1][world]]
        statements = [*_pick(rng, true, n_statements - 1), _one(rng, false)]
        order = [int(position) for position in rng.permutation(n_statements)]
        statements = [statements[position] for position in order]
        odd = order.index(n_statements - 1)
        columns = [column for _, column in statements]
        if all(
            bool(together(columns[:position] + columns[position + 1 :]).any()) is (position == odd)
            for position in range(n_statements)
        ):
            break
    oldest_first = [names[person] for person in np.argsort(place[:, world])]
    return {
        "names": names,
        "statements": [words for words, _ in statements],
        "odd": odd + 1,
        "n": n,
        "order": oldest_first,
    }


# ---------------------------------------------------------------- formulas

SIGNS = {"and": "AND", "or": "OR", "xor": "XOR", "if": "IMPLIES", "iff": "IFF"}
ATOMS = "pqrs"


def _written(formula: Formula, *, inside: bool = False) -> str:
    match formula:
        case int():
            return ATOMS[formula]
        case ("not", inner):
            return f"NOT {_written(inner, inside=True)}"
        case (connective, left, right):
            text = f"{_written(left, inside=True)} {SIGNS[connective]} {_written(right, inside=True)}"
            return f"({text})" if inside else text
    raise ValueError(f"{formula!r} is no formula")


def _random_formula(rng: np.random.Generator, n_atoms: int, n_binary: int, connectives: Sequence[str]) -> Formula:
    """A formula with so many binary connectives, in which every atom occurs if there is room."""
    leaves: list[Formula] = [*range(n_atoms), *(int(rng.integers(n_atoms)) for _ in range(n_binary + 1 - n_atoms))]
    parts = [("not", leaf) if not rng.integers(3) else leaf for leaf in _pick(rng, leaves, n_binary + 1)]
    while len(parts) > 1:
        at = int(rng.integers(len(parts) - 1))
        joined: Formula = (_one(rng, connectives), parts[at], parts[at + 1])
        parts[at : at + 2] = [("not", joined) if not rng.integers(4) else joined]
    return parts[0]


def _repeats_itself(formula: Formula) -> bool:
    """Whether a connective joins a part with itself or its own negation."""
    if isinstance(formula, int):
        return False
    own = len(formula) == 3 and (formula[1] == formula[2] or formula[1] == _negated(formula[2]))
    return own or any(_repeats_itself(part) for part in formula[1:])


def truth_table(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A formula and its column of the truth table. Two atoms up to difficulty 3, then three; difficulty adds connectives."""
    n_atoms = (2, 2, 2, 3, 3)[difficulty - 1]
    n_binary = (1, 2, 3, 3, 5)[difficulty - 1]
    connectives = ("and", "or", "if") if difficulty == 1 else tuple(SIGNS)
    columns = atoms(n_atoms)
    while True:
        formula = _random_formula(rng, n_atoms, n_binary, connectives)
        column = claim(formula, columns)
        if (
            column.any()
            and not column.all()
            and not _repeats_itself(formula)
            and (difficulty > 1 or n_connectives(formula) < 4)
        ):
            break
    rows = ["".join("T" if atom[row] else "F" for atom in columns) for row in range(len(column))]
    return {
        "formula": _written(formula),
        "atoms": list(ATOMS[:n_atoms]),
        "rows": rows,
        "column": [int(value) for value in column],
        "n_connectives": n_connectives(formula),
    }


def equivalence(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Two formulas, the second made from the first by laws of logic, or, half of the time, with one false law among them.

    Difficulty adds connectives and laws.
    """
    n_atoms = (2, 2, 3, 3, 4)[difficulty - 1]
    n_binary = (1, 2, 3, 4, 5)[difficulty - 1]
    n_laws = (1, 2, 2, 3, 4)[difficulty - 1]
    columns = atoms(n_atoms)
    equivalent = bool(rng.integers(2))
    while True:
        first = _random_formula(rng, n_atoms, n_binary, ("and", "or", "if"))
        second = first
        wrong = -1 if equivalent else int(rng.integers(n_laws))
        for step in range(n_laws):
            second = _rewritten(rng, second, FALLACIES if step == wrong else LAWS)
        same = np.array_equal(claim(first, columns), claim(second, columns))
        if (
            same is equivalent
            and second != first
            and not _repeats_itself(first)
            and n_connectives(second) <= n_connectives(first) + 4
        ):
            break
    return {
        "first": _written(first),
        "second": _written(second),
        "equivalent": equivalent,
        "n_connectives": n_connectives(first) + n_connectives(second),
        "differ": _counterexample(first, second, n_atoms),
    }


def _counterexample(first: Formula, second: Formula, n_atoms: int) -> str:
    """The first row of the truth table in which the two differ, or nothing."""
    columns = atoms(n_atoms)
    (rows,) = np.nonzero(claim(first, columns) != claim(second, columns))
    if not len(rows):
        return ""
    values = ("true" if column[rows[0]] else "false" for column in columns)
    return ", ".join(f"{ATOMS[atom]} {value}" for atom, value in enumerate(values))


def _swapped(f: Formula) -> Formula:
    return (f[0], f[2], f[1])


def _de_morgan(f: Formula) -> Formula:
    (_, (connective, left, right)) = f
    return ({"and": "or", "or": "and"}[connective], _negated(left), _negated(right))


def _is(formula: Formula, *connectives: str) -> bool:
    return isinstance(formula, tuple) and formula[0] in connectives


Law = tuple[Callable[[Formula], bool], Callable[[Formula], Formula]]
"""Where it applies, and what it makes of a formula."""

LAWS: tuple[Law, ...] = (
    (lambda f: _is(f, "and", "or"), _swapped),
    (lambda f: _is(f, "not") and _is(f[1], "and", "or"), _de_morgan),
    (lambda f: _is(f, "if"), _contrapositive),
    (lambda f: _is(f, "if"), lambda f: ("or", _negated(f[1]), f[2])),
    (lambda f: _is(f, "or"), lambda f: ("if", _negated(f[1]), f[2])),
    (lambda f: _is(f, "not") and _is(f[1], "if"), lambda f: ("and", f[1][1], _negated(f[1][2]))),
    (lambda f: _is(f, "and") and _is(f[2], "or"), lambda f: ("or", ("and", f[1], f[2][1]), ("and", f[1], f[2][2]))),
    (lambda f: _is(f, "or") and _is(f[2], "and"), lambda f: ("and", ("or", f[1], f[2][1]), ("or", f[1], f[2][2]))),
    (lambda f: _is(f, "and"), lambda f: ("not", ("or", _negated(f[1]), _negated(f[2])))),
    (lambda f: _is(f, "or"), lambda f: ("not", ("and", _negated(f[1]), _negated(f[2])))),
)
FALLACIES: tuple[Law, ...] = (
    (lambda f: _is(f, "if"), _swapped),
    (lambda f: _is(f, "if"), lambda f: ("if", _negated(f[1]), _negated(f[2]))),
    (lambda f: _is(f, "not") and _is(f[1], "and", "or"), lambda f: (f[1][0], _negated(f[1][1]), _negated(f[1][2]))),
    (lambda f: _is(f, "not") and _is(f[1], "if"), lambda f: ("if", f[1][1], _negated(f[1][2]))),
    (lambda f: _is(f, "if"), lambda f: ("and", f[1], f[2])),
    (lambda f: _is(f, "and"), lambda f: ("not", ("and", _negated(f[1]), _negated(f[2])))),
    (lambda f: _is(f, "or"), lambda f: ("if", f[1], f[2])),
)


def _rewritten(rng: np.random.Generator, formula: Formula, laws: Sequence[Law]) -> Formula:
    """Apply one law at one place; the formula itself where none applies anywhere."""
    choices = [(path, law) for path in _paths(formula) for law in laws if law[0](_at(formula, path))]
    if not choices:
        return formula
    path, (_, rewrite) = _one(rng, choices)
    return _without_double_negation(_replaced(formula, path, rewrite(_at(formula, path))))


def _without_double_negation(formula: Formula) -> Formula:
    match formula:
        case ("not", ("not", inner)):
            return _without_double_negation(inner)
        case (connective, *parts):
            return (connective, *map(_without_double_negation, parts))
        case _:
            return formula


def _paths(formula: Formula) -> list[tuple[int, ...]]:
    if isinstance(formula, int):
        return [()]
    return [(), *((part, *path) for part in range(1, len(formula)) for path in _paths(formula[part]))]


def _at(formula: Formula, path: Sequence[int]) -> Formula:
    for part in path:
        formula = formula[part]
    return formula


def _replaced(formula: Formula, path: Sequence[int], new: Formula) -> Formula:
    if not path:
        return new
    return tuple(_replaced(part, path[1:], new) if at == path[0] else part for at, part in enumerate(formula))


# ---------------------------------------------------------------- conditions on numbers

DOMAIN = np.arange(1, 27_721)  # the least common multiple of all divisors below, and far beyond every bound
BY_DIGITS = {
    "n is even": (2, DOMAIN % 2 == 0),
    "n ends in 0": (10, DOMAIN % 10 == 0),
    "n ends in 0 or 5": (5, np.isin(DOMAIN % 10, (0, 5))),
    "the digits of n add up to a multiple of 3": (3, DOMAIN % 3 == 0),
    "the digits of n add up to a multiple of 9": (9, DOMAIN % 9 == 0),
}
RELATIONS = {(True, True): "both", (True, False): "necessary", (False, True): "sufficient", (False, False): "neither"}


def necessary_or_sufficient(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Two conditions on a number, one of which is necessary or sufficient for the other, both or neither, each a quarter of the time.

    Divisors up to 6 at difficulty 1, and up to 12 above; from 3 on conditions are joined by "and" or "or".
    """
    wanted = tuple(RELATIONS.values())[int(rng.integers(4))]
    goal, given, size = _one(rng, _related(difficulty)[wanted])
    return {"goal": goal, "given": given, "verdict": wanted, "size": size}


@functools.cache
def _related(difficulty: int) -> dict[str, list[tuple[str, str, int]]]:
    """Every pair of conditions of a difficulty, by whether the second is necessary or sufficient for the first."""
    one, other = (
        _conditions(n_terms, 6 if difficulty == 1 else 12 if difficulty < 4 else 9)
        for n_terms in ((1, 1), (1, 1), (1, 2), (2, 2), (2, 3))[difficulty - 1]
    )
    pairs = [*itertools.product(one, other), *(itertools.product(other, one) if difficulty == 3 else ())]
    found: dict[str, list[tuple[str, str, int]]] = {relation: [] for relation in RELATIONS.values()}
    for (goal, is_goal, about), (given, is_given, also) in pairs:
        if goal != given:
            relation = RELATIONS[is_goal & ~is_given == 0, is_given & ~is_goal == 0]
            found[relation].append((goal, given, 5 * len(about + also) + max(about + also)))
    return found


def _conditions(n_terms: int, largest: int) -> list[tuple[str, int, tuple[int, ...]]]:
    """Conditions in words, with the numbers that meet them as the bits of an integer, and the numbers that they speak of."""
    divisible = {divisor: DOMAIN % divisor == 0 for divisor in range(2, largest + 1)}
    found: list[tuple[str, Claim, tuple[int, ...]]]
    if n_terms == 1:
        found = [(f"n is divisible by {divisor}", column, (divisor,)) for divisor, column in divisible.items()]
        found += [(words, column, (divisor,)) for words, (divisor, column) in BY_DIGITS.items() if divisor <= largest]
        found += [(f"n is greater than {bound}", bound < DOMAIN, (bound,)) for bound in range(2, largest + 3)]
    else:
        found = [
            (
                f"n is divisible {f' {word} '.join(f'by {divisor}' for divisor in some)}",
                join.reduce([divisible[divisor] for divisor in some]),
                some,
            )
            for some in itertools.combinations(divisible, n_terms)
            for word, join in (("and", np.logical_and), ("or", np.logical_or))
        ]
    return [(words, int.from_bytes(np.packbits(column).tobytes(), "big"), some) for words, column, some in found]


# ---------------------------------------------------------------- exceptions to exceptions


def exceptions(
    rng: np.random.Generator, difficulty: int, *, people: Sequence[str], rules: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A rule with exceptions to exceptions, people with properties, and those to whom it applies.

    A rule is ``{all: "every visitor pays", does: "pay", does_not: "not pay", who: [{is: "is a student", are: "are students"}, …]}``.
    Difficulty adds exceptions, 1 to 4, and people, 2 to 5.
    """
    depth = (1, 2, 2, 3, 4)[difficulty - 1]
    n_people = (2, 3, 4, 4, 5)[difficulty - 1]
    n_idle = (0, 0, 1, 1, 1)[difficulty - 1]
    rule = _one(rng, rules)
    who = _pick(rng, rule["who"], depth + n_idle)
    conditions = who[:depth]
    # Applies unless the first exception does, which does unless the second one does, and so on.
    formula: Formula = ("not", depth - 1)
    for level in range(depth - 2, -1, -1):
        formula = ("not", ("and", level, formula))
    applies = claim(formula, atoms(depth + n_idle))
    names = sorted(_pick(rng, people, n_people))
    while True:
        worlds = []
        for _ in names:  # somebody may stop at any exception: with independent properties few would get far
            reached = int(rng.integers(depth + 1))
            rest = [bool(rng.integers(2)) for _ in range(depth + n_idle - reached - 1)]
            has = [*[True] * reached, False, *rest][: depth + n_idle]
            worlds.append(int("".join("01"[not yes] for yes in has), 2))
        among = [name for name, world in zip(names, worlds, strict=True) if applies[world]]
        if 0 < len(among) < n_people and len(set(worlds)) > 1:
            break
    columns = atoms(depth + n_idle)
    people_said = []
    for name, world in zip(names, worlds, strict=True):
        facts = [who[at]["is"] if columns[at][world] else who[at]["is_not"] for at in range(depth + n_idle)]
        facts = _pick(rng, facts, len(facts))
        people_said.append(f"{name} {facts[0] if len(facts) == 1 else ', '.join(facts[:-1]) + ' and ' + facts[-1]}.")
    levels = []
    for level, condition in enumerate(conditions):
        does = rule["do"] if level % 2 else rule["do_not"]
        opening = (
            "Those who {} {}",
            "Of these, however, those who {} {}",
            "Of these again, those who {} {}",
            "And of these, those who {} {} after all",
        )[level]
        levels.append(opening.format(condition["are"], does) + ".")
    wrong = [[other for other in names if (other in among) != (other == name)] for name in names]
    return {
        "rule": " ".join([rule["all"] + ".", *levels]),
        "facts": " ".join(people_said),
        "do": rule["do"],
        "among": among,
        "wrong": ["{" + ", ".join(some) + "}" for some in _pick(rng, wrong, 3) if some],
        "depth": depth,
        "n_people": n_people,
    }


# ---------------------------------------------------------------- families

KINSHIP: dict[str, tuple[str, str]] = {
    "P": ("father", "mother"),
    "C": ("son", "daughter"),
    "S": ("brother", "sister"),
    "M": ("husband", "wife"),
    "PP": ("grandfather", "grandmother"),
    "CC": ("grandson", "granddaughter"),
    "PS": ("uncle", "aunt"),
    "SC": ("nephew", "niece"),
    "MP": ("father-in-law", "mother-in-law"),
    "CM": ("son-in-law", "daughter-in-law"),
    "MS": ("brother-in-law", "sister-in-law"),
    "SM": ("brother-in-law", "sister-in-law"),
    "PPP": ("great-grandfather", "great-grandmother"),
    "CCC": ("great-grandson", "great-granddaughter"),
    "PPS": ("great-uncle", "great-aunt"),
    "SCC": ("great-nephew", "great-niece"),
    "PSC": ("cousin", "cousin"),
}
"""Who it is at the end of a path of parents, children, siblings and married partners: a man and a woman."""
LONGER = {"S": "SS", "P": "SP", "C": "CS"}
"""The same relative by one step more: a brother's brother is a brother, if brothers and sisters share their parents."""
BACK = {"P": "C", "C": "P", "S": "S", "M": "M"}


def family(rng: np.random.Generator, difficulty: int, *, women: Sequence[str], men: Sequence[str]) -> dict[str, Any]:
    """Statements that lead from one person to another through a family, and what the one is to the other.

    Two steps at difficulty 1 and 2, three at 3, four and five above, where a step more leads to the same relative. From 2 on
    statements are shuffled and said from either side; from 4 on others stand among them.
    """
    n_steps = (2, 2, 3, 4, 5)[difficulty - 1]
    n_others = (0, 1, 1, 2, 2)[difficulty - 1]
    path = relation = _one(rng, [known for known in KINSHIP if len(known) == min(n_steps, 3)])
    while len(path) < n_steps:
        at = _one(rng, [position for position, step in enumerate(path) if step in LONGER])
        path = path[:at] + LONGER[path[at]] + path[at + 1 :]
    female = [bool(rng.integers(2)) for _ in range(len(path) + 1 + n_others)]
    for step, kind in enumerate(path):
        if kind == "M":
            female[step + 1] = not female[step]
    pools = {True: _pick(rng, women, len(female)), False: _pick(rng, men, len(female))}
    names = [pools[is_woman].pop() for is_woman in female]
    links = [(step, kind, step + 1) for step, kind in enumerate(path)]
    for other in range(len(path) + 1, len(names)):  # a child of somebody on the way, who leads nowhere
        links.append((int(rng.integers(len(path) + 1)), "C", other))
    said = []
    for one, kind, other in links:
        if difficulty > 1 and rng.integers(2):
            one, kind, other = other, BACK[kind], one
        said.append(f"{names[other]} is {_possessive(names[one])} {KINSHIP[kind][female[other]]}.")
    if difficulty > 1:
        said = _pick(rng, said, len(said))
    end = female[len(path)]
    answer = KINSHIP[relation][end]
    near = [KINSHIP[known][end] for known in KINSHIP if abs(len(known) - len(relation)) < 2]
    wrong = list(dict.fromkeys(word for word in near if word != answer))
    return {
        "statements": " ".join(said),
        "from": names[0],
        "to": names[len(path)],
        "relation": answer,
        "wrong": _pick(rng, wrong, 3),
        "n_steps": n_steps,
        "n_statements": len(said),
        "steps": [
            f"{names[step + 1]} is {_possessive(names[step])} {KINSHIP[kind][female[step + 1]]}."
            for step, kind in enumerate(path)
        ],
    }


def _possessive(name: str) -> str:
    return f"{name}'s"


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "elimination": elimination,
    "equivalence": equivalence,
    "exceptions": exceptions,
    "family": family,
    "houses": houses,
    "inscriptions": inscriptions,
    "knights_and_knaves": knights_and_knaves,
    "necessary_or_sufficient": necessary_or_sufficient,
    "odd_statement_out": odd_statement_out,
    "row_of_seats": row_of_seats,
    "rule_base": rule_base,
    "truth_table": truth_table,
}
