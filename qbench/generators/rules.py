"""Rules, facts and exceptions: what follows from them. `qbench.generators.prover` looks at every world, so the targets are proved."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.facts import table
from qbench.generators.drawing import pick, sample, shuffled
from qbench.generators.prover import (
    CONTRADICTED,
    ENTAILED,
    NEITHER,
    VERDICTS,
    WORDS,
    Claim,
    Formula,
    atoms,
    claim,
    contrapositive,
    negated,
    verdict,
)
from qbench.generators.wording import capitalized


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
    sentences = sample(rng, table(facts), n_atoms)
    columns = atoms(n_atoms)
    while True:
        literals: list[Formula] = [atom if rng.integers(2) else ("not", atom) for atom in range(n_atoms)]
        chain, others = literals[: n_steps + 1], literals[n_steps + 1 :]
        rules = [("if", chain[step], chain[step + 1]) for step in range(n_steps)]
        known = [chain[0]]
        for step, condition in zip(sample(rng, range(n_steps), n_pairs), others[n_others:], strict=False):
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
                contrapositive(rule) if all(map(_is_literal, rule[1:])) and rng.integers(2) else rule for rule in rules
            ]
        # The rules beside the chain lead away from it: they say nothing about its end.
        rules += [("if", pick(rng, chain[:-1]), other) for other in others[:n_others]]
        asked = negated(chain[-1]) if wanted == CONTRADICTED else chain[-1]
        if verdict([claim(premise, columns) for premise in rules + known], claim(asked, columns)) == wanted:
            break
    if difficulty > 2:
        rules = shuffled(rng, rules)
    said = [f"If {_say(rule[1], sentences)}, then {_say(rule[2], sentences)}." for rule in rules]
    said += [capitalized(_say(fact, sentences)) + "." for fact in shuffled(rng, known)]
    return {
        "premises": " ".join(said),
        "asked": _say(asked, sentences),
        "verdict": WORDS[wanted],
        "n_rules": len(rules),
        "n_steps": n_steps,
    }


def _is_literal(formula: Formula) -> bool:
    return isinstance(formula, int) or (formula[0] == "not" and isinstance(formula[1], int))


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
    thing = pick(rng, things)
    where = sample(rng, places, n_places)
    sentences = sample(rng, table(facts), n_tollens + n_red_herrings)
    right = int(rng.integers(n_places))
    wrong = [place for place in range(n_places) if place != right]
    # A world is a place for the thing and a truth value for every sentence.
    truth = atoms(len(sentences)) if sentences else (np.array([True]),)
    n_rows = len(truth[0])
    there = [np.repeat(np.arange(n_places) == place, n_rows) for place in range(n_places)]
    columns = [np.tile(column, n_places) for column in truth]
    premises: list[tuple[str, Claim]] = []
    steps: list[str] = []
    for position, place in enumerate(shuffled(rng, wrong)):
        if position < n_tollens:
            holds = bool(rng.integers(2))
            yes, no = ("is", "is_not") if holds else ("is_not", "is")
            fact = columns[position] if holds else ~columns[position]
            said = sentences[position]
            premises.append((f"If the {thing} is {where[place]}, then {said[yes]}.", ~there[place] | fact))
            premises.append((capitalized(said[no]) + ".", ~fact))
            steps.append(f"not {where[place]}, because {said[no]}")
        else:
            premises.append((f"The {thing} is not {where[place]}.", ~there[place]))
            steps.append(f"not {where[place]}")
    for position in range(n_red_herrings):
        place = pick(rng, range(n_places))
        said = sentences[n_tollens + position]
        fact = columns[n_tollens + position]
        premises.append((f"If the {thing} is {where[place]}, then {said['is']}.", ~there[place] | fact))
        premises.append((capitalized(said["is"]) + ".", fact))
    claims = [said_claim for _, said_claim in premises]
    if [verdict(claims, column) == ENTAILED for column in there] != [place == right for place in range(n_places)]:
        raise AssertionError("the clues must leave one place")
    return {
        "thing": thing,
        "places": where,
        "clues": " ".join(text for text, _ in shuffled(rng, premises)),
        "n_clues": len(premises),
        "place": where[right],
        "steps": steps,
    }


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
    rule = pick(rng, rules)
    who = sample(rng, rule["who"], depth + n_idle)
    conditions = who[:depth]
    # Applies unless the first exception does, which does unless the second one does, and so on.
    formula: Formula = ("not", depth - 1)
    for level in range(depth - 2, -1, -1):
        formula = ("not", ("and", level, formula))
    applies = claim(formula, atoms(depth + n_idle))
    names = sorted(sample(rng, people, n_people))
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
        facts = shuffled(rng, facts)
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
        "wrong": ["{" + ", ".join(some) + "}" for some in sample(rng, wrong, 3) if some],
        "depth": depth,
        "n_people": n_people,
    }


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "elimination": elimination,
    "exceptions": exceptions,
    "rule_base": rule_base,
}
