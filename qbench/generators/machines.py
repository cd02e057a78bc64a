"""Machines run by hand: a stack, a processor, an automaton, a robot, a hash table, and every state they go through."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick, sample

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
                sign = pick(rng, list(OPERATIONS))
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
            return {
                "needs": needs,
                "slice": slice_,
                "finished": finished,
                "wrong": _misordered(finished, needs),
                "steps": steps,
                "turns": turns,
            }


def _misordered(finished: list[int], needs: Sequence[int]) -> list[str]:
    """Three other orders of the jobs: as they came, the shortest first, neighbors swapped from the end, backwards."""
    came = sorted(finished)
    orders = [came, sorted(came, key=lambda job: needs[job - 1])]
    for at in range(len(finished) - 1, 0, -1):
        orders.append([*finished[: at - 1], finished[at], finished[at - 1], *finished[at + 1 :]])
    orders.append(finished[::-1])
    texts = dict.fromkeys(", ".join(map(str, order)) for order in orders if order != finished)
    return list(texts)[:3]


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
        keys = sample(rng, range(1, 21 if difficulty == 1 else 100), n_keys)
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


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "hash_table": hash_table,
    "robot_walk": robot_walk,
    "round_robin": round_robin,
    "stack_machine": stack_machine,
    "state_machine": state_machine,
}
