"""Strings of letters, brackets, bits and digits, and what an algorithm makes of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.generators.drawing import pick

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def palindrome(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A string that reads the same in both directions, or, half of the time, differs in one letter from one that does."""
    n_letters = (3, 5, 7, 12, 20)[difficulty - 1] + int(rng.integers(2 if difficulty < 4 else 5))
    half = [LETTERS[int(letter)] for letter in rng.integers(len(LETTERS), size=(n_letters + 1) // 2)]
    letters = half + half[: n_letters // 2][::-1]
    if rng.integers(2):
        at = int(rng.integers(n_letters // 2))
        letters[at] = LETTERS[(LETTERS.index(letters[at]) + 1 + int(rng.integers(len(LETTERS) - 1))) % len(LETTERS)]
    return {"text": "".join(letters), "reversed": "".join(reversed(letters)), "length": n_letters}


def run_lengths(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """A string with runs of equal letters, its run-length encoding, and encodings with one slip. Difficulty adds runs."""
    n_runs = (2, 3, 5, 8, 12)[difficulty - 1]
    longest = (3, 4, 5, 6, 9)[difficulty - 1]
    runs: list[tuple[str, int]] = []
    for _ in range(n_runs):
        others = [letter for letter in LETTERS[:4] if not runs or letter != runs[-1][0]]
        runs.append((pick(rng, others), 1 + int(rng.integers(longest))))
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
    word = pick(rng, choices).upper()
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
            asked = pick(rng, far)
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
    "bitwise": bitwise,
    "brackets": brackets,
    "luhn": luhn,
    "palindrome": palindrome,
    "run_lengths": run_lengths,
    "vigenere": vigenere,
}
