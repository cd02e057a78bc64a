"""The numerical and iterative leaves, computed a second time by other means: machine floats, brute force, and running the programs."""

import json
import math
import re
from collections import deque
from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import sympy

from qbench.bank import leaves
from qbench.generators import calculations, iteration, recursion, sequences
from qbench.rendering import render
from qbench.templates import Item, draw, draw_values, stream

LEAVES = leaves()
DRAWS = 25  # of each difficulty
GENERATORS = calculations.GENERATORS | recursion.GENERATORS | iteration.GENERATORS | sequences.GENERATORS


def generated(name: str) -> Iterator[dict[str, Any]]:
    for seed in range(DRAWS):
        for difficulty in range(1, 6):
            yield GENERATORS[name](np.random.default_rng([seed, difficulty]), difficulty)


def drawn(template_id: str, count: int = 50) -> Iterator[tuple[dict[str, Any], Item]]:
    """The values and the item of some draws of a template."""
    leaf, template = next((leaf, t) for leaf in LEAVES for t in leaf.templates if t.id == template_id)
    families = draw(
        template,
        category=leaf.category,
        subcategory=leaf.subcategory,
        version=leaf.version,
        split="train",
        seed=3,
        count=count,
        offset=0,
    )
    for family in families:
        item = family[0]
        for attempt in range(100):
            values = draw_values(template, stream(3, template.id, "train", item.index, attempt), item.difficulty)
            if values is not None and render(template.question, values) == item.question:
                yield values, item
                break


def test_a_bracketed_expression_is_what_python_makes_of_it() -> None:
    for found in generated("bracketed"):
        assert eval(re.sub(r"\d+", r"Fraction(\g<0>)", found["expression"].replace("×", "*"))) == found["value"]


def test_a_rounded_sum_is_that_of_decimal_arithmetic() -> None:
    for found in generated("rounded_sum"):
        context = Context(prec=found["kept"])  # ties to even
        for numbers, total in (
            (found["numbers"], found["forward_sum"]),
            (found["numbers"][::-1], found["backward_sum"]),
        ):
            shown = Decimal(numbers[0])
            for number in numbers[1:]:
                shown = context.add(shown, Decimal(number))
            assert shown == total
        assert found["forward_sum"] != found["backward_sum"]


def test_depth_is_the_number_of_open_brackets() -> None:
    for found in generated("nested_list"):
        depths = [
            found["nested"][: match.start()].count("[") - found["nested"][: match.start()].count("]")
            for match in re.finditer(r"\d+", found["nested"])
        ]
        assert depths == found["depths"]
        assert re.findall(r"\d+", found["nested"]) == [str(number) for number in found["numbers"]]


def test_nested_calls_come_in_this_order() -> None:
    for found in generated("nested_calls"):
        waiting, argument, calls = 1, found["start"], []
        while waiting:  # McCarthy's function as a loop
            calls.append(argument)
            if argument > found["border"]:
                argument, waiting = argument - found["less"], waiting - 1
            else:
                argument, waiting = argument + found["more"], waiting + 1
        assert calls == found["calls"]
        assert argument == found["result"]


def test_players_leave_in_this_order() -> None:
    for found in generated("elimination"):
        circle = deque(range(1, found["players"] + 1))
        circle.rotate(1 - found["first"])
        leaving = []
        while circle:
            circle.rotate(1 - found["count"])
            leaving.append(circle.popleft())
        assert leaving == found["leaving"]


def test_coins_are_counted_by_trying() -> None:
    @cache
    def ways(amount: int, coins: tuple[int, ...]) -> int:
        if len(coins) == 1:
            return int(amount % coins[0] == 0)
        return sum(ways(amount - used, coins[:-1]) for used in range(0, amount + 1, coins[-1]))

    for found in generated("coin_ways"):
        assert ways(found["amount"], tuple(found["coins"])) == found["ways"] == sum(found["by_largest"])


def test_paths_are_counted_by_walking() -> None:
    def walks(grid: list[str], row: int, column: int) -> int:
        if row == len(grid) or column == len(grid[0]) or grid[row][column] == "#":
            return 0
        at_the_end = (row, column) == (len(grid) - 1, len(grid[0]) - 1)
        return 1 if at_the_end else walks(grid, row + 1, column) + walks(grid, row, column + 1)

    for found in generated("grid_paths"):
        assert walks(found["grid"], 0, 0) == found["n_paths"]


def test_a_text_is_rewritten_by_its_rules() -> None:
    for found in generated("rewriting"):
        rules = {ord(rule[0]): rule.split(" becomes ")[1] for rule in found["rules"]}
        text = "A"
        for _ in range(found["steps"]):
            text = text.translate(rules)
        assert text == found["result"]
        assert text not in found["wrong"]
        assert len(set(found["wrong"])) == 3


def test_a_program_does_what_python_does() -> None:
    for found in generated("program"):
        state: dict[str, int] = {}
        exec("\n".join(found["start"]), {}, state)
        values = []
        for _ in range(found["passes"]):
            for line in found["lines"]:
                exec(line.replace(" is odd", " % 2 == 1").replace(" then ", ": "), {}, state)
            values.append(state["a"])
        assert values == found["values"]


# By their numbers in Wolfram's catalog of elementary automata.
AUTOMATA = {
    "exactly one of its two neighbors was black": 90,
    "exactly one cell among itself and its two neighbors was black": 22,
    "one or three cells among itself and its two neighbors were black": 150,
    "exactly two cells among itself and its two neighbors were black": 104,
    "it was white and at least one of its two neighbors was black": 50,
    "it was black and its right neighbor white, or it was white and its left neighbor black": 116,
}


def test_automata_follow_their_numbers() -> None:
    for found in generated("automaton"):
        row = found["rows"][0].replace("#", "1").replace(".", "0")
        counts = [row.count("1")]
        for _ in range(found["steps"]):
            padded = f"0{row}0"
            row = "".join(
                str(AUTOMATA[found["rule"]] >> int(padded[at : at + 3], 2) & 1) for at in range(found["width"])
            )
            counts.append(row.count("1"))
        assert counts == found["counts"]


def test_look_and_say_reads_aloud() -> None:
    for found in generated("look_and_say"):
        term = found["first"]
        for following in found["terms"]:
            term = re.sub(r"(\d)\1*", lambda run: f"{len(run[0])}{run[1]}", term)
            assert term == str(following)


def test_primes_are_prime() -> None:
    for found in generated("primes_after"):
        assert found["primes"] == list(sympy.primerange(found["start"] + 1, found["primes"][-1] + 1))


def test_euclid_takes_so_many_divisions() -> None:
    for found in generated("euclid"):
        assert len(sympy.continued_fraction(sympy.Rational(found["a"], found["b"]))) == found["steps"] or (
            found["a"] % found["b"] == 0
        )


def test_the_nearest_half_precision_number_is_numpys() -> None:
    for values, item in drawn("nearest_float"):
        if values["bits"] == 11:
            assert float(np.float16(float(values["x"]))) == float(item.target)


def test_the_spacing_of_floats_is_numpys() -> None:
    for values, item in drawn("float_spacing"):
        kind: Any = {11: np.float16, 24: np.float32}.get(values["bits"])
        if kind:
            assert float(np.spacing(kind(int(values["x"])))) == float(item.target)


def test_bits_mean_what_numpy_reads_from_them() -> None:
    compared = 0
    for values, item in drawn("decode_float", 100):
        if values["exponent_bits"] == 5 and values["fraction_bits"] <= 10:
            bits = re.findall(r"[01]{2,}|(?<= )[01](?= )", item.question.split("do the bits")[1])
            pattern = "".join(bits).ljust(16, "0")
            assert float(np.array([int(pattern, 2)], dtype=np.uint16).view(np.float16)[0]) == float(item.target)
            compared += 1
    assert compared


def test_the_limits_of_half_precision_are_numpys() -> None:
    leaf = next(leaf for leaf in LEAVES if leaf.task == "qbench_numerical_floating_point")
    template = next(template for template in leaf.templates if template.id == "format_limits")
    limits = np.finfo(np.float16)
    wanted = [limits.max, limits.smallest_normal, limits.smallest_subnormal, limits.eps]
    for limit, right in zip(template.variables["limit"]["choice"], wanted, strict=True):
        names = {"fraction_bits": 10, "bias": 15}
        assert Fraction(eval(limit["rule"].replace("2", "Fraction(2)"), {"Fraction": Fraction}, names)) == Fraction(
            float(right)
        )


def test_trailing_zeros_are_seen() -> None:
    for values, item in drawn("trailing_zeros"):
        if values["last"] < 1200:  # Python prints no more than 4,300 digits
            product = str(math.prod(range(values["first"], values["last"] + 1)))
            assert len(product) - len(product.rstrip("0")) == int(item.target)


def test_codes_are_the_nearest_multiples_of_the_scale() -> None:
    for values, item in drawn("absmax_codes"):
        weights = [Fraction(str(weight)) for weight in values["weights"]]
        scale = max(map(abs, weights)) / (2 ** (values["n_bits"] - 1) - 1)
        codes = json.loads(item.target)
        assert all(abs(weight - code * scale) < scale / 2 for weight, code in zip(weights, codes, strict=True))
        assert max(map(abs, codes)) == values["top"]
