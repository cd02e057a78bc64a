"""The targets of logic and planning, computed a second time in another way: by brute force from the text of the question, or by scipy."""

import heapq
import itertools
import json
import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.sparse import csgraph

from qbench.bank import leaves
from qbench.facts import table
from qbench.generators import prover
from qbench.rendering import render, render_tree
from qbench.scoring import judge
from qbench.templates import Item, Template, draw, draw_values, stream

TEMPLATES = {template.id: (leaf, template) for leaf in leaves() for template in leaf.templates}


def items(template_id: str, count: int = 30) -> list[Item]:
    """Generated items of one template, six of each difficulty."""
    leaf, template = TEMPLATES[template_id]
    families = draw(
        template,
        category=leaf.category,
        subcategory=leaf.subcategory,
        version="",
        split="validation",
        seed=7,
        count=count,
        offset=0,
    )
    return [item for family in families for item in family]


def drawn(template_id: str, count: int = 30) -> Iterator[tuple[Template, dict[str, Any]]]:
    """The values that items are made of."""
    template = TEMPLATES[template_id][1]
    for index in range(count):
        values = draw_values(template, stream(7, template_id, "validation", index), 1 + index % 5)
        if values is not None:
            yield template, values


# ---------------------------------------------------------------- the prover


def test_the_rows_of_a_truth_table_are_in_the_usual_order() -> None:
    p, q = prover.atoms(2)
    assert p.tolist() == [True, True, False, False]
    assert q.tolist() == [True, False, True, False]
    assert prover.claim(("if", 0, 1), (p, q)).tolist() == [True, False, True, True]


def test_a_verdict_is_about_the_worlds_that_the_premises_leave() -> None:
    p, q = prover.atoms(2)
    rule = prover.claim(("if", 0, 1), (p, q))
    assert prover.verdict([rule, p], q) == prover.ENTAILED
    assert prover.verdict([rule, ~q], p) == prover.CONTRADICTED
    assert prover.verdict([rule, q], p) == prover.NEITHER


def test_premises_without_a_world_are_refused() -> None:
    (p,) = prover.atoms(1)
    with pytest.raises(ValueError, match="without a world"):
        prover.verdict([p, ~p], p)


def test_superfluous_claims_are_found() -> None:
    p, q = prover.atoms(2)
    assert prover.without_superfluous([p, p | q, q]) == [0, 2]


def test_arrangements_are_all_different() -> None:
    worlds = prover.arrangements(3, 2)
    assert worlds.shape == (6, 36)
    assert len({tuple(world) for world in worlds.T}) == 36


# ---------------------------------------------------------------- deduction, from the text

SENTENCES = {row["is"]: (row["is"], True) for row in table("conditions")} | {
    row["is_not"]: (row["is"], False) for row in table("conditions")
}


def literal(text: str, world: Mapping[str, bool]) -> bool:
    atom, holds = SENTENCES[text[0].lower() + text[1:]]
    return world[atom] is holds


def sentences_of(text: str) -> list[str]:
    return [sentence.strip() for sentence in re.findall(r"[^.?]+[.?]", text)]


def rule_holds(sentence: str, world: Mapping[str, bool]) -> bool:
    if match := re.fullmatch(r"If (.*), then (.*)\.", sentence):
        given = all(literal(part, world) for part in match[1].split(" and "))
        return not given or all(literal(part, world) for part in match[2].split(" and "))
    return literal(sentence.removesuffix("."), world)


def worlds_of(text: str) -> Iterator[dict[str, bool]]:
    atoms = sorted({atom for said, (atom, _) in SENTENCES.items() if said in text.lower()})
    for values in itertools.product((True, False), repeat=len(atoms)):
        yield dict(zip(atoms, values, strict=True))


def three_valued(answers: set[bool]) -> str:
    return {frozenset({True}): "true", frozenset({False}): "false"}.get(frozenset(answers), "undetermined")


def test_rule_base() -> None:
    for item in items("rule_base"):
        premises, _, rest = item.question.partition(" Nothing else is known. ")
        asked = rest.removeprefix("Is it true, false or undetermined that ").removesuffix("?")
        worlds = [w for w in worlds_of(item.question) if all(rule_holds(rule, w) for rule in sentences_of(premises))]
        assert three_valued({literal(asked, world) for world in worlds}) == item.target, item.question


def test_the_three_answers_are_equally_frequent() -> None:
    for template in ("rule_base", "row_of_seats"):
        counts = Counter(item.target for item in items(template, 150))
        assert min(counts.values()) > 30, counts


SEATS: list[tuple[str, Callable[..., bool]]] = [
    (r"(\w+) sits to the left of (\w+)", lambda at, a, b: at[a] < at[b]),
    (r"(\w+) sits next to (\w+)", lambda at, a, b: abs(at[a] - at[b]) == 1),
    (r"(\w+) does not sit next to (\w+)", lambda at, a, b: abs(at[a] - at[b]) > 1),
    (
        r"(\w+) sits somewhere between (\w+) and (\w+)",
        lambda at, a, b, c: at[b] < at[a] < at[c] or at[c] < at[a] < at[b],
    ),
    (r"(\w+) sits at an end of the row", lambda at, a: at[a] in (0, len(at) - 1)),
    (r"(\w+) does not sit at an end of the row", lambda at, a: at[a] not in (0, len(at) - 1)),
]


def seated(sentence: str, at: Mapping[str, int]) -> bool:
    for pattern, test in SEATS:
        if match := re.fullmatch(pattern, sentence.strip(" .?")):
            return test(at, *match.groups())
    raise AssertionError(sentence)


def test_row_of_seats() -> None:
    for item in items("row_of_seats"):
        who, _, rest = item.question.partition(" sit in a row. Left and right are as we see them. ")
        names = re.split(", | and ", who)
        clues, _, asked = rest.partition(" Is it true, false or undetermined that ")
        orders = [dict(zip(order, range(len(names)), strict=True)) for order in itertools.permutations(names)]
        left = [at for at in orders if all(seated(clue, at) for clue in sentences_of(clues))]
        assert three_valued({seated(asked, at) for at in left}) == item.target, item.question


def test_elimination() -> None:
    for item in items("elimination"):
        places, *clues, _ = sentences_of(item.question)
        thing, _, listed = places.removeprefix("The ").removesuffix(".").partition(" is ")
        possible = set()
        for place in re.split(", | or ", listed):
            for world in worlds_of(item.question):
                for clue in clues:
                    if match := re.fullmatch(rf"If the {thing} is (.*), then (.*)\.", clue):
                        holds = place != match[1] or literal(match[2], world)
                    elif match := re.fullmatch(rf"The {thing} is not (.*)\.", clue):
                        holds = place != match[1]
                    else:
                        holds = literal(clue.removesuffix("."), world)
                    if not holds:
                        break
                else:
                    possible.add(place)
        assert possible == {item.target}, item.question


NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def spoken(words: str, speaker: str, knight: Mapping[str, bool]) -> bool:
    patterns: list[tuple[str, Callable[..., bool]]] = [
        (r"(\w+) is a knave\.", lambda a: not knight[a]),
        (r"(\w+) is a knight\.", lambda a: knight[a]),
        (r"(\w+) and I are of the same kind\.", lambda a: knight[a] == knight[speaker]),
        (r"(\w+) and I are of different kinds\.", lambda a: knight[a] != knight[speaker]),
        (
            r"(\w+) of us (?:is a knight|are knights), no more and no fewer\.",
            lambda n: sum(knight.values()) == NUMBERS[n.lower()],
        ),
        (r"(\w+) is a knave or (\w+) is a knight\.", lambda a, b: not knight[a] or knight[b]),
        (r"(\w+) and (\w+) are both knaves\.", lambda a, b: not knight[a] and not knight[b]),
    ]
    for pattern, test in patterns:
        if match := re.fullmatch(pattern, words):
            return test(*match.groups())
    raise AssertionError(words)


def test_knights_and_knaves() -> None:
    for item in items("knights_and_knaves"):
        said = re.findall(r"(\w+): “(.*?)”", item.question)
        found = []
        for kinds in itertools.product((True, False), repeat=len(said)):
            knight = {name: kind for (name, _), kind in zip(said, kinds, strict=True)}
            if all(spoken(words, name, knight) == knight[name] for name, words in said):
                found.append({name for name in knight if knight[name]})
        assert [set(json.loads(item.answer)["target"])] == found, item.question


def test_inscriptions() -> None:
    for item in items("inscriptions"):
        said = dict(re.findall(r"(\w+) box: “(.*?)”", item.question))
        count = re.search(r"Exactly (\w+) of", item.question)
        assert count is not None

        def true(box: str, prize: str, said: dict[str, str] = said) -> bool:
            words = said[box]
            if match := re.fullmatch(r"The inscription on the (\w+) box is (true|false)\.", words):
                return true(match[1], prize) is (match[2] == "true")
            boxes = {box if name == "this" else name for name in re.findall(r"\b(this|\w+)(?= (?:or|box))", words)} - {
                "the"
            }
            return (prize in boxes) is (" not " not in words)

        found = [prize for prize in said if sum(true(box, prize) for box in said) == NUMBERS[count[1]]]
        assert found == [item.target], item.question


def test_houses_in_a_row() -> None:
    for item in items("houses_in_a_row", 15):
        n = {"Three": 3, "Four": 4}[item.question.split()[0]]
        names = re.split(", | and ", item.question.partition("left to right. ")[2].partition(" live in them")[0])
        kinds = [names]
        for verb, who in (("owns a", "the owner of the {}"), ("drinks", "the {} drinker")):
            if match := re.search(rf"{verb} ([^,]*(?:, [^,]*?)* or \w+)", item.question):
                kinds.append([who.format(thing) for thing in re.split(", | or ", match[1])])
        clues = sentences_of(item.question.partition("no two of them the same. ")[2])
        asked = clues.pop().removeprefix("Who is ").removesuffix("?")
        owners = set()
        for orders in itertools.product(itertools.permutations(range(n)), repeat=len(kinds)):
            at = {
                thing: house
                for kind, order in zip(kinds, orders, strict=True)
                for thing, house in zip(kind, order, strict=True)
            }
            if all(lives(clue, at) for clue in clues):
                owners.add(next(name for name in names if at[name] == at[asked]))
        assert owners == {item.target}, item.question


def lives(clue: str, at: Mapping[str, int]) -> bool:
    relations: list[tuple[str, Callable[[int, int], bool]]] = [
        (" lives directly to the right of ", lambda a, b: a == b + 1),
        (" lives somewhere to the left of ", lambda a, b: a < b),
        (" lives next to ", lambda a, b: abs(a - b) == 1),
        (" lives in house ", lambda a, b: a == b),
        (" does not live in house ", lambda a, b: a != b),
        (" is not ", lambda a, b: a != b),
        (" is ", lambda a, b: a == b),
    ]
    for words, test in relations:
        one, found, other = clue.removesuffix(".").partition(words)
        if found:
            one = one if one in at else one[0].lower() + one[1:]
            return test(at[one], int(other) - 1 if other.isdigit() else at[other])
    raise AssertionError(clue)


def test_odd_statement_out() -> None:
    for item in items("odd_statement_out"):
        names = re.split(", | and ", item.question.partition(" are of different ages")[0])
        statements = re.findall(r"\(\d\) (.*?\.)", item.question)
        orders = [dict(zip(order, range(len(names)), strict=True)) for order in itertools.permutations(names)]
        true = [[older(words, at) for words in statements] for at in orders]  # 0 is the oldest
        removable = [
            position
            for position in range(len(statements))
            if any(all(row[:position] + row[position + 1 :]) for row in true)
        ]
        assert not any(map(all, true))
        assert [removable[0] + 1] == [int(item.target)], item.question
        assert len(removable) == 1


def older(words: str, at: Mapping[str, int]) -> bool:
    last = len(at) - 1
    patterns: list[tuple[str, Callable[..., bool]]] = [
        (r"(\w+) is older than (\w+)\.", lambda a, b: at[a] < at[b]),
        (r"(\w+) is the oldest\.", lambda a: at[a] == 0),
        (r"(\w+) is the youngest\.", lambda a: at[a] == last),
        (r"(\w+) is neither the oldest nor the youngest\.", lambda a: 0 < at[a] < last),
        (r"Exactly two of the others are older than (\w+)\.", lambda a: at[a] == 2),
    ]
    for pattern, test in patterns:
        if match := re.fullmatch(pattern, words):
            return test(*match.groups())
    raise AssertionError(words)


def test_rule_with_exceptions() -> None:
    rules = TEMPLATES["rule_with_exceptions"][1].variables["puzzle"]["options"]["rules"]
    for item in items("rule_with_exceptions"):
        rule = next(rule for rule in rules if item.question.startswith(rule["all"]))
        said = sentences_of(item.question)
        levels = [sentence for sentence in said if re.match(r"(Those|Of these|And of these)", sentence)]
        found = set()
        for sentence in said[1 + len(levels) : -1]:
            applies = True
            for level in levels:
                condition = next(who for who in rule["who"] if f"who {who['are']} " in level)
                if condition["is_not"] in sentence or condition["is"] not in sentence:
                    break
                applies = not applies
            if applies:
                found.add(sentence.split()[0])
        assert found == set(json.loads(item.answer)["target"]), item.question


class Bit:
    """A truth value with operators that bind as the formulas are bracketed."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __invert__(self) -> "Bit":
        return Bit(not self.value)

    def __and__(self, other: "Bit") -> "Bit":
        return Bit(self.value and other.value)

    def __or__(self, other: "Bit") -> "Bit":
        return Bit(self.value or other.value)

    def __xor__(self, other: "Bit") -> "Bit":
        return Bit(self.value != other.value)

    def __rshift__(self, other: "Bit") -> "Bit":
        return Bit(not self.value or other.value)

    def __matmul__(self, other: "Bit") -> "Bit":
        return Bit(self.value == other.value)


def column(formula: str, atoms: Sequence[str]) -> list[bool]:
    for word, sign in (("NOT ", "~"), ("AND", "&"), ("XOR", "^"), ("OR", "|"), ("IMPLIES", ">>"), ("IFF", "@")):
        formula = formula.replace(word, sign)
    rows = itertools.product((True, False), repeat=len(atoms))
    return [eval(formula, {}, dict(zip(atoms, map(Bit, row), strict=True))).value for row in rows]


def test_truth_table_column() -> None:
    for item in items("truth_table_column"):
        match = re.match(r"In the truth table of (.*), the rows for (.*) are", item.question)
        assert match is not None
        atoms = re.split(", | and ", match[2])
        assert [str(int(value)) for value in column(match[1], atoms)] == json.loads(item.answer)["target"]


def test_formula_equivalence() -> None:
    answers: Counter[str] = Counter()
    for item in items("formula_equivalence", 60):
        match = re.match(r"Are the formulas (.*) and (.*) logically equivalent", item.question)
        assert match is not None
        same = column(match[1], "pqrs") == column(match[2], "pqrs")
        assert item.target == ("Yes" if same else "No"), item.question
        answers[item.target] += 1
    assert min(answers.values()) > 15


def meets(words: str, n: int) -> bool:
    digits = sum(map(int, str(n)))
    if words == "n is even":
        return n % 2 == 0
    if words.startswith("n ends in"):
        return str(n)[-1] in re.findall(r"\d", words)
    if match := re.fullmatch(r"the digits of n add up to a multiple of (\d)", words):
        return digits % int(match[1]) == 0
    if match := re.fullmatch(r"n is greater than (\d+)", words):
        return n > int(match[1])
    divisors = [n % int(divisor) == 0 for divisor in re.findall(r"by (\d+)", words)]
    return any(divisors) if " or " in words else all(divisors)


def test_necessary_or_sufficient() -> None:
    for item in items("necessary_or_sufficient"):
        match = re.search(
            r"condition that (.*) necessary, sufficient, both or neither for it to be true that (.*)\?", item.question
        )
        assert match is not None
        pairs = {(meets(match[1], n), meets(match[2], n)) for n in range(1, 5041)}
        necessary, sufficient = (False, True) not in pairs, (True, False) not in pairs
        expected = {(True, True): "both", (True, False): "necessary", (False, True): "sufficient"}
        assert item.target == expected.get((necessary, sufficient), "neither"), item.question


def test_family_relation() -> None:
    for item in items("family_relation", 60):
        facts = re.findall(r"(\w+) is (\w+)'s ([\w-]+)\.", item.question)
        asked = re.search(r"What is (\w+) to (\w+)\?", item.question)
        assert asked is not None
        people = {name for one, other, _ in facts for name in (one, other)}
        siblings = {name: {name} for name in people}
        for one, other, word in facts:
            if word in ("brother", "sister"):
                group = siblings[one] | siblings[other]
                siblings |= dict.fromkeys(group, group)
        up = {(one, other) for one, other, word in facts if word in ("father", "mother")}  # a parent and a child
        up |= {(other, one) for one, other, word in facts if word in ("son", "daughter")}
        up = {(parent, child) for parent, known in up for child in siblings[known]}
        married = {
            pair for one, other, word in facts if word in ("husband", "wife") for pair in ((one, other), (other, one))
        }

        def parents(group: set[str], up: set[tuple[str, str]] = up) -> set[str]:
            return {parent for parent, child in up if child in group}

        def children(group: set[str], up: set[tuple[str, str]] = up) -> set[str]:
            return {child for parent, child in up if parent in group}

        def others(group: set[str], siblings: dict[str, set[str]] = siblings) -> set[str]:
            return {other for one in group for other in siblings[one]} - group

        def partners(group: set[str], married: set[tuple[str, str]] = married) -> set[str]:
            return {other for one, other in married if one in group}

        me = {asked[2]}
        kin = {
            "grand(father|mother)": parents(parents(me)),
            "grand(son|daughter)": children(children(me)),
            "great-grand(father|mother)": parents(parents(parents(me))),
            "great-grand(son|daughter)": children(children(children(me))),
            "uncle|aunt": others(parents(me)),
            "great-(uncle|aunt)": others(parents(parents(me))),
            "nephew|niece": children(others(me)),
            "great-(nephew|niece)": children(children(others(me))),
            "cousin": children(others(parents(me))),
            "(father|mother)-in-law": parents(partners(me)),
            "(son|daughter)-in-law": partners(children(me)),
            "(brother|sister)-in-law": others(partners(me)) | partners(others(me)),
        }
        (relation,) = (words for words, group in kin.items() if asked[1] in group)
        assert re.fullmatch(relation, item.target), item.question


# ---------------------------------------------------------------- algorithms, from the text


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def target(item: Item) -> list[int]:
    return numbers(item.target)


def test_insertion_sort_sorts_the_beginning() -> None:
    for item in items("insertion_sort"):
        *row, count = numbers(item.question)
        assert target(item) == sorted(row[: count + 1]) + row[count + 1 :]


def test_quicksort_partition_puts_the_pivot_in_its_place() -> None:
    for item in items("quicksort_partition"):
        *row, pivot = numbers(item.question)[: item.question.count(",", 0, item.question.index("]")) + 2]
        result = target(item)
        at = result.index(pivot)
        assert sorted(result) == sorted(row)
        assert max(result[:at], default=0) < pivot < min(result[at + 1 :], default=100)
        assert result[:at] == [number for number in row if number < pivot]  # Lomuto keeps their order


def test_heap_insertions() -> None:
    for item in items("heap_insertions"):
        array, _, rest = item.question.partition("]")
        heap = numbers(array)
        for number in numbers(re.split("numbers? ", rest)[-1].partition(" inserted")[0]):
            heapq.heappush(heap, number)
        assert target(item) == heap


def test_walks_through_a_graph() -> None:
    for item in items("shortest_distances"):
        edges = [tuple(map(int, edge)) for edge in re.findall(r"(\d+) and (\d+) \((\d+) km\)", item.question)]
        n = 1 + len(target(item))
        ones, others, lengths = zip(*edges, strict=True)
        matrix = sparse.coo_matrix((lengths, (np.array(ones) - 1, np.array(others) - 1)), shape=(n, n)).tocsr()
        assert csgraph.dijkstra(matrix, directed=False, indices=0)[1:].astype(int).tolist() == target(item)
    for item in items("breadth_first_order"):
        near = neighbors(item.question)
        order, queue = [1], deque([1])
        while queue:
            for node in sorted(near[queue.popleft()]):
                if node not in order:
                    order.append(node)
                    queue.append(node)
        assert target(item) == order
    for item in items("depth_first_order"):
        near = neighbors(item.question)
        order, stack = [], [1]
        while stack:
            node = stack.pop()
            if node not in order:
                order.append(node)
                stack += sorted(near[node], reverse=True)
        assert target(item) == order


def neighbors(text: str) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for one, other in re.findall(r"(\d+)-(\d+)", text):
        near.setdefault(int(one), set()).add(int(other))
        near.setdefault(int(other), set()).add(int(one))
    return near


def test_joined_groups() -> None:
    for item in items("joined_groups"):
        n = numbers(item.question)[1]
        pairs = re.findall(r"(\d+) and (\d+)", item.question)
        asked = int(re.findall(r"group of (\d+)", item.question)[-1])
        ones, others = (np.array([int(pair[side]) - 1 for pair in pairs]) for side in (0, 1))
        matrix = sparse.coo_matrix((np.ones(len(pairs)), (ones, others)), shape=(n, n))
        _, label = csgraph.connected_components(matrix, directed=False)
        assert target(item) == [node + 1 for node in range(n) if label[node] == label[asked - 1]]


def test_stack_machine() -> None:
    for item in items("stack_machine"):
        stack: list[int] = []
        tops = []
        for token in item.question.split('"')[1].split():
            if token.isdigit():
                stack.append(int(token))
            else:
                b, a = stack.pop(), stack.pop()
                stack.append({"+": a + b, "-": a - b, "*": a * b}[token])
                tops.append(stack[-1])
        assert len(stack) == 1
        assert target(item) == tops


def test_round_robin() -> None:
    for item in items("round_robin"):
        _, _, *rest = numbers(item.question)
        *needs, most = rest
        queue, finished = deque(enumerate(needs, start=1)), []
        while queue:
            job, need = queue.popleft()
            for _ in range(most):
                need -= 1
                if need == 0:
                    finished.append(job)
                    break
            else:
                queue.append((job, need))
        assert target(item) == finished


def test_state_machine() -> None:
    for item in items("state_machine"):
        rules = {
            (int(state), letter): int(to)
            for state, moves in re.findall(r"in state (\d), (.*?)[;.]", item.question)
            for letter, to in re.findall(r"(\w) leads to (\d)", moves)
        }
        state, states = 1, []
        for letter in item.question.split('"')[1]:
            state = rules[state, letter]
            states.append(state)
        assert target(item) == states


def test_robot_walk() -> None:
    for item in items("robot_walk"):
        at, heading = 0j, 1j
        for command in re.findall(r"walk \d+|turn \w+", item.question):
            if command.startswith("turn"):
                heading *= {"left": 1j, "right": -1j, "around": -1}[command.split()[1]]
            else:
                at += heading * int(command.split()[1])
        assert target(item) == [int(at.real), int(at.imag)]


def test_hash_table() -> None:
    for item in items("hash_table"):
        size = numbers(item.question)[0]
        keys = numbers(re.findall(r"The keys (.*) are inserted", item.question)[0])
        slots: dict[int, int] = {}
        for key in keys:
            slots[next(at % size for at in itertools.count(key) if at % size not in slots)] = key
        assert target(item) == [slots.get(at, 0) for at in range(size)]


def test_texts_and_digits() -> None:
    for item in items("run_lengths"):
        assert (
            "".join(letter * int(count) for letter, count in re.findall(r"([a-z])(\d+)", item.target)) in item.question
        )
    for item in items("vigenere_cipher"):
        key = re.findall(r"the key ([A-Z]+)", item.question)
        (word,) = re.findall(r"What does ([A-Z]+) become", item.question)
        moves = [ord(letter) - 65 for letter in key[0]] if key else numbers(item.question)[:1]
        back = "".join(chr((ord(c) - 65 - moves[i % len(moves)]) % 26 + 65) for i, c in enumerate(item.target))
        assert back == word
    for item in items("matching_bracket"):
        signs, start, end = item.question.split('"')[1], numbers(item.question)[-1], int(item.target)
        inside = signs[start : end - 1]
        while "()" in inside:
            inside = inside.replace("()", "")
        assert (signs[start - 1], signs[end - 1], inside) == ("(", ")", "")
    for item in items("bitwise_operations"):
        formula = item.question.partition("What is ")[2].removesuffix("?")
        formula = re.sub(r"[01]+", lambda number: str(int(number[0], 2)), formula)
        for word, sign in (("AND", "&"), ("XOR", "^"), ("OR", "|")):
            formula = formula.replace(word, sign)
        assert int(item.target, 2) == eval(formula, {})
    for item in items("luhn_check_digit"):
        number = re.findall(r"digit of (\d+)", item.question)[0] + item.target
        total = sum(sum(divmod(int(digit) * (1 + at % 2), 10)) for at, digit in enumerate(reversed(number)))
        assert total % 10 == 0


# ---------------------------------------------------------------- mathematics, by brute force


def test_smallest_with_remainders() -> None:
    for item in items("smallest_with_remainders"):
        pairs = [tuple(map(int, pair)) for pair in re.findall(r"remainder (\d+) when divided by (\d+)", item.question)]
        found = next(n for n in itertools.count(1) if all(n % modulus == left for left, modulus in pairs))
        assert int(item.target) == found


def test_ways_to_share() -> None:
    for item in items("ways_to_share"):
        n, children, *least = numbers(item.question)
        low = least[0] if least else 0
        ways = [1, *[0] * n]  # how often each total is reached by the children so far
        for _ in range(children):
            ways = [sum(ways[total - gets] for gets in range(low, total + 1)) for total in range(n + 1)]
        assert int(item.target) == ways[n]


def test_certain_draws() -> None:
    for item in items("certain_draws"):
        *counts, wanted = numbers(item.question.removesuffix("of one color?"))
        most = 0  # that can be taken without having enough of any color, one color after the other
        for count in counts:
            most += max(taken for taken in range(count + 1) if taken < wanted)
        assert int(item.target) == most + 1


def test_survey_overlap() -> None:
    for item in items("survey_overlap"):
        total, *counts = numbers(item.question)
        n = 2 if len(counts) == 3 else 3
        singles, both, every = counts[:n], counts[n : n + n * (n - 1) // 2], counts[-1] if n == 3 else 0
        if n == 2:
            only = [singles[0] - both[0], singles[1] - both[0]]
            nobody = total - sum(only) - both[0]
        else:
            ab, ac, bc = (pair - every for pair in both)
            only = [singles[0] - ab - ac - every, singles[1] - ab - bc - every, singles[2] - ac - bc - every]
            nobody = total - sum(only) - ab - ac - bc - every
        assert min(only) >= 0
        assert int(item.target) == (sum(only) if "exactly one" in item.question else nobody)


def test_numbers() -> None:
    for item in items("leave_together"):
        assert int(item.target) == math.lcm(*map(int, re.findall(r"every (\d+) minutes", item.question)))
    for item in items("power_remainder"):
        assert int(item.target) == pow(*numbers(item.question))
    for item in items("rearrangements", 15):
        letters = re.findall(r"letters of ([A-Z]+)", item.question)[0]
        ways = math.factorial(len(letters))
        for count in Counter(letters).values():
            ways //= math.factorial(count)
        assert int(item.target) == ways
        if len(letters) < 7:
            assert len(set(itertools.permutations(letters))) == ways


def test_compound_inequality() -> None:
    for item in items("compound_inequality"):
        match = re.search(r"satisfy (-?\d+) ([<≤]) (-?\d*)x ([+-]) (\d+) ([<≤]) (-?\d+)\?", item.question)
        assert match is not None
        low, first, factor, sign, term, second, high = match.groups()
        a = {"": 1, "-": -1}.get(factor) or int(factor)
        b = int(sign + term)
        ends = re.fullmatch(r"([\[(])(-?\d+), (-?\d+)([\])])", item.target)
        assert ends is not None
        for quarter in range(4 * int(ends[2]) - 8, 4 * int(ends[3]) + 9):
            x = Fraction(quarter, 4)
            middle = a * x + b
            right = (int(low) <= middle if first == "≤" else int(low) < middle) and (
                middle <= int(high) if second == "≤" else middle < int(high)
            )
            after = x >= int(ends[2]) if ends[1] == "[" else x > int(ends[2])
            before = x <= int(ends[3]) if ends[4] == "]" else x < int(ends[3])
            assert right == (after and before), item.question


def test_stories_with_numbers() -> None:
    for item in items("working_together"):
        hours = [Fraction(hour) for hour in re.findall(r"in (\d+) hours", item.question)]
        late = Fraction(*map(int, re.findall(r"works alone for (\d+)", item.question)))
        done = late / hours[0] + (Fraction(item.target) - late) * sum(1 / hour for hour in hours)
        assert done == 1
    for item in items("mixture"):
        strong, *amounts = numbers(item.question)
        amount, weak, wanted = amounts if len(amounts) == 3 else (amounts[0], 0, amounts[1])
        added = Fraction(item.target)
        assert (added * strong + amount * weak) / (added + amount) == wanted
    for item in items("ticket_prices"):
        a, b, e, c, d, f = numbers(item.question)
        adult, child = target(item)
        assert (a * adult + b * child, c * adult + d * child) == (e, f)


# ---------------------------------------------------------------- plans, against scipy


def milp(cost: Sequence[float], *rows: tuple[Sequence[float], float, float], upper: float = 1) -> float:
    """The least cost with whole numbers from 0 to ``upper``; each row is coefficients with a lower and an upper bound."""
    matrix = np.array([row for row, _, _ in rows], dtype=float)
    constraints = optimize.LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows])
    found = optimize.milp(
        np.array(cost, dtype=float),
        constraints=constraints,
        integrality=np.ones(len(cost)),
        bounds=optimize.Bounds(0, upper),
    )
    assert found.success
    return round(float(found.fun))


def spec_of(template: Template, values: dict[str, Any]) -> dict[str, Any]:
    return dict(render_tree(template.scored_as, values))


def assert_right(plan: str, template: Template, values: dict[str, Any]) -> None:
    verdict = judge(f"Answer: {plan}", spec_of(template, values))
    assert verdict.correct, (plan, verdict)


def assert_wrong_ones_are_wrong(template: Template, values: dict[str, Any]) -> None:
    assert_right(render(template.target, values), template, values)
    for plan in values["wrong"]:
        verdict = judge(f"Answer: {plan}", spec_of(template, values))
        assert verdict.answered
        assert not verdict.correct, plan
        assert 0 <= verdict.score < 1


PLANS = [name for name, (_, template) in TEMPLATES.items() if template.scored_as.get("type") == "plan"]


@pytest.mark.parametrize("name", PLANS)
def test_the_target_is_a_right_plan_and_near_misses_are_not(name: str) -> None:
    for template, values in drawn(name):
        assert_wrong_ones_are_wrong(template, values)


def test_task_assignment_is_what_the_hungarian_method_finds() -> None:
    for template, values in drawn("task_assignment"):
        hours = np.array(values["hours"])
        rows, columns = optimize.linear_sum_assignment(hours)
        assert hours[rows, columns].sum() == values["best"]
        assert_right(
            "; ".join(
                f"{values['tasks'][job]} - {values['people'][person]}"
                for person, job in zip(rows, columns, strict=True)
            ),
            template,
            values,
        )


def test_packing_list_is_what_milp_packs() -> None:
    for _, values in drawn("packing_list"):
        kilos = [thing["kilos"] for thing in values["things"]]
        assert -milp([-thing["points"] for thing in values["things"]], (kilos, 0, values["limit"])) == values["best"]


def test_enough_packs_is_what_milp_buys() -> None:
    for _, values in drawn("enough_packs"):
        pieces = [pack["pieces"] for pack in values["packs"]]
        cost = [pack["price"] for pack in values["packs"]]
        assert milp(cost, (pieces, values["needed"], math.inf), upper=math.inf) == values["best"]


def test_cheapest_dinners_are_what_milp_chooses() -> None:
    for _, values in drawn("cheapest_dinners"):
        menu = values["menu"]
        rows = [
            ([1] * len(menu), values["n_chosen"], values["n_chosen"]),
            ([dish["minutes"] > values["limit"] for dish in menu], 0, 0),
        ]
        if values["total_limit"]:
            rows.append(([dish["minutes"] for dish in menu], 0, values["total_limit"]))
        assert milp([dish["price"] for dish in menu], *rows) == values["cost"]


def test_shortest_route_is_a_cheapest_flow() -> None:
    for _, values in drawn("shortest_route"):
        towns = values["towns"]
        arcs = [arc for one, other, km in values["roads"] for arc in ((one, other, km), (other, one, km))]
        start, end = values["ends"]
        balance = np.array([[(one == town) - (other == town) for one, other, _ in arcs] for town in towns])
        wanted = [(town == start) - (town == end) for town in towns]
        found = optimize.linprog([km for *_, km in arcs], A_eq=balance, b_eq=wanted)
        assert round(found.fun) == values["best"]


def test_round_trip_is_a_tour_of_milp() -> None:
    for template, values in drawn("round_trip", 15):
        places = ["depot", *values["stops"]]
        roads = values["roads"]
        rows: list[tuple[list[int], float, float]] = [
            ([int(place in road[:2]) for road in roads], 2, 2) for place in places
        ]
        for size in range(2, len(places)):  # no tour of a part of the places
            for part in itertools.combinations(places, size):
                rows.append(([int((road[0] in part) != (road[1] in part)) for road in roads], 2, math.inf))
        assert milp([blocks for *_, blocks in roads], *rows) == values["best"]
        assert_right(", then the ".join(reversed(values["tour"])), template, values)  # the other way round


def test_workshop_schedule_is_what_milp_finds() -> None:
    for _, values in drawn("workshop_schedule"):
        jobs = values["jobs"]
        n = len(jobs)
        position = {job["name"]: at for at, job in enumerate(jobs)}
        crane = list(itertools.combinations([at for at, job in enumerate(jobs) if job["crane"]], 2))
        horizon = sum(job["minutes"] for job in jobs)
        size = n + 1 + len(crane)  # a start for each job, the end, and who of each pair is first on the crane
        rows = []

        def row(entries: Mapping[int, float], low: float, size: int = size) -> tuple[list[float], float, float]:
            return [entries.get(at, 0) for at in range(size)], low, math.inf

        for at, job in enumerate(jobs):
            rows.append(row({n: 1, at: -1}, job["minutes"]))
            rows += [row({at: 1, position[before]: -1}, jobs[position[before]]["minutes"]) for before in job["after"]]
        for pair, (one, other) in enumerate(crane, start=n + 1):
            rows.append(row({other: 1, one: -1, pair: horizon}, jobs[one]["minutes"]))
            rows.append(row({one: 1, other: -1, pair: -horizon}, jobs[other]["minutes"] - horizon))
        found = optimize.milp(
            [float(at == n) for at in range(size)],
            constraints=optimize.LinearConstraint(
                np.array([r for r, _, _ in rows]), [low for _, low, _ in rows], [high for *_, high in rows]
            ),
            integrality=[float(at > n) for at in range(size)],
            bounds=optimize.Bounds(0, [horizon if at <= n else 1 for at in range(size)]),
        )
        assert round(found.fun) == values["best"]


def test_most_talks_is_a_largest_set_without_clashes() -> None:
    for _, values in drawn("most_talks"):
        talks = values["rows"]
        rows = [([1] * len(talks), 0, len(talks))]
        for one, other in itertools.combinations(range(len(talks)), 2):
            if talks[one][1] < talks[other][2] and talks[other][1] < talks[one][2]:
                rows.append(([int(at in (one, other)) for at in range(len(talks))], 0, 1))
        assert -milp([-1] * len(talks), *rows) == values["best"]


def test_charging_stops_are_a_cheapest_flow() -> None:
    for _, values in drawn("charging_stops"):
        places = [0, *(km for _, km in values["stations"]), values["length"]]
        arcs = [(one, other) for one, other in itertools.combinations(places, 2) if other - one <= values["range"]]
        balance = np.array([[(one == place) - (other == place) for one, other in arcs] for place in places])
        wanted = [1, *[0] * (len(places) - 2), -1]
        found = optimize.linprog([1] * len(arcs), A_eq=balance, b_eq=wanted)
        assert round(found.fun) == values["best"] + 1


def test_production_split_is_a_linear_program() -> None:
    for _, values in drawn("production_split"):
        lines = values["lines"]
        found = optimize.linprog(
            [-line["y"] for line in lines],  # the share of the day that each line makes Y
            bounds=[(0, 1)] * len(lines),
            A_ub=[[line["x"] for line in lines]],
            b_ub=[sum(line["x"] for line in lines) - values["demand"]],
        )
        assert round(-found.fun) == values["most_y"]


def test_project_days_is_the_longest_path() -> None:
    for _, values in drawn("project_days"):
        tasks = {task["name"]: task for task in values["tasks"]}

        def ends(name: str, tasks: dict[str, Any] = tasks) -> int:
            return int(tasks[name]["days"]) + max((ends(before) for before in tasks[name]["after"]), default=0)

        assert max(map(ends, tasks)) == values["total_days"]


def test_a_timetable_has_as_many_solutions_as_the_generator_says() -> None:
    for template, values in drawn("weekly_timetable", 10):
        activities, spec = values["activities"], spec_of(template, values)
        right = 0
        for days in itertools.permutations(values["days"], len(activities)):
            plan = ", ".join(f"{activity}: {day}" for activity, day in zip(activities, days, strict=True))
            right += judge(f"Answer: {plan}", spec).correct
        assert right == values["n_left"] >= 1


def test_opening_hours_have_one_order() -> None:
    for template, values in drawn("opening_hours", 10):
        spec = spec_of(template, values)
        names = [sight["name"] for sight in values["sights"]]
        orders = [", ".join(order) for order in itertools.permutations(names)]
        assert [order for order in orders if judge(f"Answer: {order}", spec).correct] == [
            render(template.target, values)
        ]
