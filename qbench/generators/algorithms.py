"""Algorithms run by hand: the input, and every step that a reader has to follow."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def most_frequent(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An array in which one element occurs more often than every other."""
    length = (4, 6, 10, 18, 30)[difficulty - 1] + int(rng.integers(3 if difficulty < 3 else 6))
    smallest, n_different = ((1, 9), (1, 9), (1, 9), (10, 15), (100, 21))[difficulty - 1]
    while True:
        numbers = [smallest + int(number) for number in rng.integers(n_different, size=length)]
        (mode, count), (_, runner_up), *_ = [*Counter(numbers).most_common(2), (0, 0)]
        if count > runner_up:
            return {"numbers": numbers, "mode": mode, "count": count}


def binary_search(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A sorted list, a value in it, and the values that binary search looks at until it finds it (the lower middle of two)."""
    length = (3, 6, 12, 24, 45)[difficulty - 1] + int(rng.integers(3))
    numbers = sorted(1 + int(number) for number in rng.permutation(99)[:length])
    wanted = numbers[int(rng.integers(length))]
    probes: list[int] = []
    steps: list[str] = []
    low, high = 0, length - 1
    while not probes or probes[-1] != wanted:
        middle = (low + high) // 2
        probes.append(numbers[middle])
        if numbers[middle] < wanted:
            low = middle + 1
            steps.append(f"{numbers[middle]} is less than {wanted}: go right")
        elif numbers[middle] > wanted:
            high = middle - 1
            steps.append(f"{numbers[middle]} is greater than {wanted}: go left")
        else:
            steps.append(f"{numbers[middle]} is found")
    return {"numbers": numbers, "wanted": wanted, "probes": probes, "steps": steps}


def bubble_sort(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list, and what it looks like after each of some passes of bubble sort, all of which still change it."""
    length = (3, 4, 5, 7, 9)[difficulty - 1]
    n_passes = (1, 1, 2, 3, 4)[difficulty - 1]
    largest = 9 if difficulty == 1 else 99
    while True:
        numbers = [1 + int(number) for number in rng.permutation(largest)[:length]]
        after = list(itertools.accumulate(range(n_passes), lambda row, _: _bubbled(row), initial=numbers))
        if all(before != passed for before, passed in itertools.pairwise(after)):
            return {"numbers": numbers, "passes": n_passes, "after": after[1:], "result": after[-1]}


def _bubbled(row: list[int]) -> list[int]:
    passed = list(row)
    for at in range(len(passed) - 1):
        if passed[at] > passed[at + 1]:
            passed[at], passed[at + 1] = passed[at + 1], passed[at]
    return passed


def palindrome(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A string that reads the same in both directions, or, half of the time, differs in one letter from one that does."""
    n_letters = (3, 5, 7, 12, 20)[difficulty - 1] + int(rng.integers(2 if difficulty < 4 else 5))
    half = [LETTERS[int(letter)] for letter in rng.integers(len(LETTERS), size=(n_letters + 1) // 2)]
    letters = half + half[: n_letters // 2][::-1]
    if rng.integers(2):
        at = int(rng.integers(n_letters // 2))
        letters[at] = LETTERS[(LETTERS.index(letters[at]) + 1 + int(rng.integers(len(LETTERS) - 1))) % len(LETTERS)]
    return {"text": "".join(letters), "reversed": "".join(reversed(letters)), "length": n_letters}


def insertion_sort(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list after some insertions of insertion sort. Difficulty adds elements and insertions, and so moves."""
    length = (3, 4, 6, 8, 10)[difficulty - 1]
    n_insertions = (1, 2, 3, 5, 7)[difficulty - 1]
    while True:
        numbers = _different(rng, length, 9 if difficulty == 1 else 99)
        row = list(numbers)
        after: list[list[int]] = []
        moves = 0
        for position in range(1, n_insertions + 1):
            place = sum(number < row[position] for number in row[:position])
            moves += position - place
            row.insert(place, row.pop(position))
            after.append(row[: position + 1])
        # The last insertion must change something, or a list of one insertion fewer would be right as well.
        if after[-1][-1] != numbers[n_insertions]:
            return {"numbers": numbers, "insertions": n_insertions, "after": after, "result": row, "moves": moves}


def quicksort_partition(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A list partitioned around its last element (Lomuto). Difficulty adds elements."""
    length = (3, 5, 7, 9, 12)[difficulty - 1]
    while True:
        numbers = _different(rng, length, 9 if difficulty == 1 else 99)
        row, pivot, border = list(numbers), numbers[-1], 0
        swaps: list[str] = []
        for position in range(length - 1):
            if row[position] < pivot:
                if position != border:
                    swaps.append(f"swap {row[border]} and {row[position]}")
                    row[border], row[position] = row[position], row[border]
                border += 1
        row[border], row[-1] = row[-1], row[border]
        if len(swaps) >= difficulty - 1 and swaps and 0 < border < length - 1:
            return {"numbers": numbers, "pivot": pivot, "border": border, "swaps": swaps, "result": row}


def heap_insertions(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A binary min-heap in an array, and numbers inserted into it. Difficulty makes the heap larger and the insertions more."""
    size = (2, 3, 5, 7, 10)[difficulty - 1]
    n_insertions = (1, 1, 2, 3, 4)[difficulty - 1]
    while True:
        numbers = _different(rng, size + n_insertions, 9 if difficulty == 1 else 99)
        heap = sorted(numbers[:size]) if difficulty == 1 else []
        for number in numbers[len(heap) : size]:
            _sift_up(heap, number)
        before = list(heap)
        steps, swaps = [], 0
        for number in numbers[size:]:
            passed = _sift_up(heap, number)
            swaps += len(passed)
            steps.append(f"{number} is swapped with {', '.join(map(str, passed))}" if passed else f"{number} stays")
        if swaps >= n_insertions:
            return {"heap": before, "inserted": numbers[size:], "steps": steps, "result": heap, "swaps": swaps}


def _sift_up(heap: list[int], number: int) -> list[int]:
    """Insert a number into a min-heap and return the parents with which it changed places."""
    heap.append(number)
    at = len(heap) - 1
    passed = []
    while at and heap[at] < heap[(at - 1) // 2]:
        passed.append(heap[(at - 1) // 2])
        heap[at], heap[(at - 1) // 2] = heap[(at - 1) // 2], heap[at]
        at = (at - 1) // 2
    return passed


def _different(rng: np.random.Generator, length: int, largest: int) -> list[int]:
    """Different numbers from 1 to ``largest``, in random order."""
    return [1 + int(number) for number in rng.permutation(largest)[:length]]


# ---------------------------------------------------------------- graphs


def graph(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An undirected connected graph with weights, walked from node 1 by breadth, by depth and by distance.

    Difficulty adds nodes and edges. Neighbors are visited in increasing order, so every walk is unique; a graph whose two walks
    agree is drawn again.
    """
    n_nodes = (5, 6, 7, 8, 10)[difficulty - 1]
    n_extra = (0, 1, 2, 4, 6)[difficulty - 1]
    largest = (5, 9, 9, 20, 50)[difficulty - 1]
    while True:
        labels = [1, *(2 + int(label) for label in rng.permutation(n_nodes - 1))]
        pairs = {_edge(labels[node], labels[int(rng.integers(node))]) for node in range(1, n_nodes)}
        every = list(itertools.combinations(range(1, n_nodes + 1), 2))
        others = [pair for pair in every if pair not in pairs]
        pairs |= {others[int(position)] for position in rng.permutation(len(others))[:n_extra]}
        edges = [{"from": one, "to": other, "length": 1 + int(rng.integers(largest))} for one, other in sorted(pairs)]
        breadth, depth = breadth_first(edges), depth_first(edges)
        if breadth != depth:
            break
    distance, settled = shortest_distances(edges)
    return {
        "edges": edges,
        "n_nodes": n_nodes,
        "breadth": breadth,
        "depth": depth,
        "distances": [distance[node] for node in range(2, n_nodes + 1)],
        "settled": settled,
    }


def _edge(one: int, other: int) -> tuple[int, int]:
    return (min(one, other), max(one, other))


def _neighbors(edges: Sequence[Mapping[str, int]], node: int) -> list[int]:
    return sorted(
        edge["to"] if edge["from"] == node else edge["from"] for edge in edges if node in (edge["from"], edge["to"])
    )


def breadth_first(edges: Sequence[Mapping[str, int]]) -> list[int]:
    """The nodes in the order in which a breadth-first search from node 1 visits them."""
    order = [1]
    for node in order:  # grows while it is read: a queue that forgets nothing
        order += [neighbor for neighbor in _neighbors(edges, node) if neighbor not in order]
    return order


def depth_first(edges: Sequence[Mapping[str, int]]) -> list[int]:
    """The nodes in the order in which a recursive depth-first search from node 1 visits them."""
    order: list[int] = []

    def visit(node: int) -> None:
        order.append(node)
        for neighbor in _neighbors(edges, node):
            if neighbor not in order:
                visit(neighbor)

    visit(1)
    return order


def shortest_distances(edges: Sequence[Mapping[str, int]]) -> tuple[dict[int, int], list[str]]:
    """Dijkstra's distances from node 1, and a line for every node in the order in which its distance becomes final."""
    best, final = {1: 0}, {}
    lines: list[str] = []
    while best:
        node = min(best, key=lambda node: (best[node], node))
        final[node] = best.pop(node)
        lines.append(f"{node}: {final[node]}")
        for edge in edges:
            if node in (edge["from"], edge["to"]):
                other = edge["to"] if edge["from"] == node else edge["from"]
                if other not in final:
                    best[other] = min(best.get(other, final[node] + edge["length"]), final[node] + edge["length"])
    return final, lines


def joined_groups(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Numbers joined pair by pair into groups (union-find), and the group of one of them. Difficulty adds numbers and pairs."""
    n_numbers = (5, 7, 10, 14, 20)[difficulty - 1]
    n_pairs = (2, 4, 6, 9, 14)[difficulty - 1]
    least = (2, 3, 4, 4, 5)[difficulty - 1]
    while True:
        pairs = [tuple(1 + int(number) for number in rng.permutation(n_numbers)[:2]) for _ in range(n_pairs)]
        group = {number: {number} for number in range(1, n_numbers + 1)}
        for one, other in pairs:
            if other not in group[one]:
                joined = group[one] | group[other]
                group |= dict.fromkeys(joined, joined)
        asked = 1 + int(rng.integers(n_numbers))
        if least <= len(group[asked]) <= n_numbers - 2:
            return {
                "n_numbers": n_numbers,
                "pairs": [list(pair) for pair in pairs],
                "asked": asked,
                "group": sorted(group[asked]),
            }


# ---------------------------------------------------------------- machines

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def stack_machine(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """An expression in postfix notation, and the top of the stack after each operator. Difficulty adds operators."""
    n_operators = (2, 3, 4, 6, 8)[difficulty - 1]
    largest = (9, 9, 12, 12, 15)[difficulty - 1]
    while True:
        tokens: list[str] = []
        stack: list[int] = []
        results: list[int] = []
        steps: list[str] = []
        left = n_operators
        while left:
            # An operator must be possible, and there must be a number for each of those that are left.
            if len(stack) > 1 and (len(stack) == left + 1 or rng.integers(2)):
                sign = list(OPERATIONS)[int(rng.integers(len(OPERATIONS)))]
                b, a = stack.pop(), stack.pop()
                stack.append(OPERATIONS[sign](a, b))
                results.append(stack[-1])
                steps.append(f"{a} {sign} {f'({b})' if b < 0 else b} = {stack[-1]}")
                tokens.append(sign)
                left -= 1
            else:
                stack.append(1 + int(rng.integers(largest)))
                tokens.append(str(stack[-1]))
        if max(map(abs, results)) < 1000 and 0 not in results:
            return {"program": " ".join(tokens), "results": results, "steps": steps}


def round_robin(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Jobs that take turns on a processor, and the order in which they finish. Difficulty adds jobs and turns."""
    n_jobs = (3, 3, 4, 5, 6)[difficulty - 1]
    longest = (7, 10, 11, 15, 20)[difficulty - 1]
    slice_ = (3, 3, 3, 4, 4)[difficulty - 1]
    while True:
        needs = [2 + int(need) for need in rng.integers(longest, size=n_jobs)]
        queue = [(job + 1, need) for job, need in enumerate(needs)]
        finished: list[int] = []
        steps: list[str] = []
        turns = clock = 0
        while queue:
            job, need = queue.pop(0)
            turns += 1
            clock += min(need, slice_)
            if need > slice_:
                queue.append((job, need - slice_))
            else:
                finished.append(job)
                steps.append(f"after {clock} ms: job {job} is done")
        # In an order other than the one they came in, and with more turns than jobs.
        if finished != sorted(finished) and turns > n_jobs:
            return {"needs": needs, "slice": slice_, "finished": finished, "steps": steps, "turns": turns}


def state_machine(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A finite automaton with numbered states, an input, and the states it goes through. Difficulty adds states and input."""
    n_states = (2, 3, 4, 5, 6)[difficulty - 1]
    letters = "ab" if difficulty < 4 else "abc"
    length = (3, 5, 8, 12, 18)[difficulty - 1]
    while True:
        table = [[1 + int(state) for state in rng.integers(n_states, size=len(letters))] for _ in range(n_states)]
        word = "".join(letters[int(letter)] for letter in rng.integers(len(letters), size=length))
        states = [1]
        for letter in word:
            states.append(table[states[-1] - 1][letters.index(letter)])
        if len(set(states)) >= min(3, n_states):
            rules = [
                f"in state {state}, "
                + ", ".join(f"{letter} leads to {to}" for letter, to in zip(letters, row, strict=True))
                for state, row in enumerate(table, start=1)
            ]
            return {"rules": rules, "word": word, "trace": states[1:]}


HEADINGS = (("north", 0, 1), ("east", 1, 0), ("south", 0, -1), ("west", -1, 0))


def robot_walk(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A robot that turns and walks on a grid from [0, 0], facing north. Difficulty adds commands and longer ways."""
    n_walks = (2, 3, 5, 7, 10)[difficulty - 1]
    longest = (5, 9, 9, 20, 40)[difficulty - 1]
    x = y = heading = 0
    commands: list[str] = []
    steps: list[str] = []
    for walk in range(n_walks):
        if walk:
            turn = ("right", "left", "around")[int(rng.integers(3 if difficulty > 2 else 2))]
            heading = (heading + {"right": 1, "left": 3, "around": 2}[turn]) % 4
            commands.append(f"turn {turn}")
        far = 1 + int(rng.integers(longest))
        name, dx, dy = HEADINGS[heading]
        x, y = x + far * dx, y + far * dy
        commands.append(f"walk {far}")
        steps.append(f"{name} {far}: [{x}, {y}]")
    return {"commands": commands, "steps": steps, "end": [x, y]}


def hash_table(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Keys put into a hash table with linear probing. Difficulty adds slots, keys and collisions."""
    size = (3, 5, 7, 8, 11)[difficulty - 1]
    n_keys = (2, 3, 5, 6, 9)[difficulty - 1]
    wanted = (0, 1, 2, 3, 5)[difficulty - 1]
    while True:
        keys = _different(rng, n_keys, 20 if difficulty == 1 else 99)
        slots = [0] * size
        steps: list[str] = []
        probes = 0
        for key in keys:
            at = key % size
            while slots[at]:
                at = (at + 1) % size
                probes += 1
            slots[at] = key
            steps.append(f"{key} mod {size} = {key % size}" + (f", slot {at} is free" if at != key % size else ""))
        if probes >= wanted:
            return {"size": size, "keys": keys, "slots": slots, "steps": steps, "probes": probes}


# ---------------------------------------------------------------- texts and digits


def run_lengths(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A string with runs of equal letters, its run-length encoding, and encodings with one slip. Difficulty adds runs."""
    n_runs = (2, 3, 5, 8, 12)[difficulty - 1]
    longest = (3, 4, 5, 6, 9)[difficulty - 1]
    runs: list[tuple[str, int]] = []
    for _ in range(n_runs):
        others = [letter for letter in LETTERS[:4] if not runs or letter != runs[-1][0]]
        runs.append((others[int(rng.integers(len(others)))], 1 + int(rng.integers(longest))))
    at, other = (int(position) for position in rng.permutation(n_runs)[:2])
    more, fewer, swapped = list(runs), list(runs), list(runs)
    more[at] = (runs[at][0], runs[at][1] + 1)
    fewer[other] = (runs[other][0], runs[other][1] - 1 if runs[other][1] > 1 else 3)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    return {
        "text": "".join(letter * count for letter, count in runs),
        "encoded": _encoded(runs),
        "wrong": [_encoded(wrong) for wrong in (more, fewer, swapped)],
        "n_runs": n_runs,
    }


def _encoded(runs: Sequence[tuple[str, int]]) -> str:
    return "".join(f"{letter}{count}" for letter, count in runs)


def vigenere(rng: np.random.Generator, difficulty: int, *, words: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A word encrypted with Vigenère's cipher; at difficulty 1 and 2 the key is one letter (Caesar's cipher).

    ``words`` has one list per difficulty. Difficulty makes the word and the key longer.
    """
    choices = words[difficulty - 1]
    word = choices[int(rng.integers(len(choices)))].upper()
    n_key = (1, 1, 2, 3, 4)[difficulty - 1]
    while True:
        shifts = [1 + int(shift) for shift in rng.integers(4 if difficulty == 1 else 25, size=n_key)]
        if len(set(shifts)) == n_key:
            break
    encrypted = [_shifted(letter, shifts[at % n_key]) for at, letter in enumerate(word)]
    slip = int(rng.integers(len(word)))
    one_off = [*encrypted[:slip], _shifted(encrypted[slip], 1), *encrypted[slip + 1 :]]
    late = [_shifted(letter, shifts[at % n_key] + (1 if at == len(word) - 1 else 0)) for at, letter in enumerate(word)]
    backward = [_shifted(letter, -shifts[at % n_key]) for at, letter in enumerate(word)]
    wrong = dict.fromkeys("".join(letters) for letters in (one_off, late, backward))
    return {
        "word": word,
        "key": "".join(_shifted("A", shift) for shift in shifts),
        "shifts": shifts,
        "steps": [f"{letter} + {shifts[at % n_key]} = {encrypted[at]}" for at, letter in enumerate(word)],
        "encrypted": "".join(encrypted),
        "wrong": [text for text in wrong if text != "".join(encrypted)],
    }


def _shifted(letter: str, shift: int) -> str:
    return chr(ord("A") + (ord(letter) - ord("A") + shift) % 26)


def brackets(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A balanced string of brackets, an opening one in it, and the position of the one that closes it.

    Difficulty adds brackets, and puts the two farther apart.
    """
    n_pairs = (5, 6, 8, 12, 18)[difficulty - 1]
    least = (1, 3, 5, 9, 15)[difficulty - 1]
    while True:
        signs, open_ = "", 0
        while len(signs) < 2 * n_pairs:
            left = 2 * n_pairs - len(signs)
            opens = open_ == 0 or (open_ < left and rng.integers(5) < 3)
            signs += "(" if opens else ")"
            open_ += 1 if opens else -1
        partner: dict[int, int] = {}
        waiting: list[int] = []
        for position, sign in enumerate(signs, start=1):
            if sign == "(":
                waiting.append(position)
            else:
                partner[waiting.pop()] = position
        far = sorted(one for one, other in partner.items() if other - one >= least)
        if far:
            asked = far[int(rng.integers(len(far)))]
            return {"signs": signs, "asked": asked, "partner": partner[asked], "distance": partner[asked] - asked}


def bitwise(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Binary numbers of equal length combined bit by bit, from left to right. Difficulty adds bits and operations."""
    n_bits = (4, 6, 8, 10, 14)[difficulty - 1]
    n_operations = (1, 1, 2, 3, 4)[difficulty - 1]
    names = ("AND", "OR", "XOR")

    def number() -> int:
        # The first bit is 1, so that no leading zero is in question.
        return int("1" + "".join(str(int(bit)) for bit in rng.integers(2, size=n_bits - 1)), 2)

    while True:
        value = number()
        said, steps = f"{value:b}", []
        for _ in range(n_operations):
            name, other = names[int(rng.integers(3))], number()
            before, value = value, {"AND": value & other, "OR": value | other, "XOR": value ^ other}[name]
            said = f"({said}) {name} {other:b}" if " " in said else f"{said} {name} {other:b}"
            steps.append(f"{before:0{n_bits}b} {name} {other:b} = {value:0{n_bits}b}")
        if value not in (0, before, other):
            flipped = [value ^ (1 << int(bit)) for bit in rng.permutation(n_bits)[:3]]
            return {
                "said": said,
                "steps": steps,
                "result": f"{value:0{n_bits}b}",
                "wrong": [f"{wrong:0{n_bits}b}" for wrong in flipped],
                "n_bits": n_bits,
                "n_operations": n_operations,
            }


def luhn(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A number without its check digit, and the digit that Luhn's algorithm appends. Difficulty adds digits."""
    n_digits = (3, 5, 8, 11, 15)[difficulty - 1]
    digits = [1 + int(rng.integers(9)), *(int(digit) for digit in rng.integers(10, size=n_digits - 1))]
    doubled = [2 * digit if (n_digits - at) % 2 else digit for at, digit in enumerate(digits)]
    summed = [number - 9 if number > 9 else number for number in doubled]
    return {"number": "".join(map(str, digits)), "summed": summed, "total": sum(summed), "check": -sum(summed) % 10}


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "most_frequent": most_frequent,
    "binary_search": binary_search,
    "bubble_sort": bubble_sort,
    "palindrome": palindrome,
    "insertion_sort": insertion_sort,
    "quicksort_partition": quicksort_partition,
    "heap_insertions": heap_insertions,
    "graph": graph,
    "joined_groups": joined_groups,
    "stack_machine": stack_machine,
    "round_robin": round_robin,
    "state_machine": state_machine,
    "robot_walk": robot_walk,
    "hash_table": hash_table,
    "run_lengths": run_lengths,
    "vigenere": vigenere,
    "brackets": brackets,
    "bitwise": bitwise,
    "luhn": luhn,
}
