"""Questions about rows of a fact table: a row that is as well known as the difficulty allows, and wrong answers from other rows.

Every table has a column ``fame``, from 1 (everybody knows it) to 5 (few do). A wrong answer is never one that the table itself calls right:
a column ``also`` names what else is true of a row (of Isis, childbirth), semicolons between, and two rows that have a word in common never
stand beside each other.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from qbench.facts import table as rows_of
from qbench.generators.drawing import pick, shuffled

Row = Mapping[str, str]

FEWEST = 4  # rows of one fame; where there are fewer, those of the next join them
N_WRONG = 3
N_GROUPS = 6  # from which an odd one out is drawn


def one(
    rng: np.random.Generator,
    difficulty: int,
    *,
    table: str,
    ask: str,
    answer: str,
    near: str = "",
    where: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Draw a row that is asked about by its column ``ask``, the right ``answer`` and three wrong ones.

    The difficulty is the row's fame, and how many of the wrong answers come from rows that agree with it in the column ``near``: none at
    1, all three from 4 on. ``shown`` is all four in random order.
    """
    rows = _rows(table, where)
    row = pick(rng, _known(rows, difficulty))
    right = {other[answer] for other in rows if _true_of(row, ask, answer) & _true_of(other, ask, answer)}
    others = [other for other in shuffled(rng, rows) if other[answer] not in right]
    if near:
        n_near = min(difficulty - 1, N_WRONG)
        close = _answers([other for other in others if other[near] == row[near]], answer)
        far = _answers([other for other in others if other[near] != row[near]], answer)
        wrong = list(dict.fromkeys([*close[:n_near], *far, *close[n_near:]]))[:N_WRONG]
    else:
        wrong = _answers(others, answer)[:N_WRONG]
    return {
        "fact": row,
        "right": row[answer],
        "wrong": wrong,
        "shown": shuffled(rng, [row[answer], *wrong]),
        "fame": int(row["fame"]),
    }


def joined(
    rng: np.random.Generator, difficulty: int, *, table: str, to: str, by: str, answer: str, near: str = ""
) -> dict[str, Any]:
    """Draw a row of ``table`` and the row of ``to`` with the same value in the column ``by``, whose ``answer`` is asked: two steps.

    The difficulty is the fame of both together; wrong answers as in `one`.
    """
    links = {row[by]: row for row in _rows(table)}
    drawn = one(
        rng,
        difficulty,
        table=to,
        ask=by,
        answer=answer,
        near=near,
        where={by: [row[by] for row in _rows(to) if row[by] in links]},
    )
    link = links[drawn["fact"][by]]
    return {**drawn, "link": link, "fame": drawn["fame"] + int(link["fame"])}


def mismatched(
    rng: np.random.Generator,
    difficulty: int,
    *,
    table: str,
    left: str,
    right: str,
    near: str = "",
    where: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Draw four pairs, of which one has the right half of another row. From difficulty 3 on that row agrees with it in ``near``."""
    rows = _rows(table, where)
    chosen: list[Row] = []
    for row in shuffled(rng, _known(rows, difficulty)):
        if len(chosen) < N_WRONG + 1 and row[left] not in [other[left] for other in chosen]:
            chosen.append(row)
    odd = chosen[0]
    right_of_odd = {row[right] for row in rows if row[left] == odd[left]}
    strangers = [row for row in shuffled(rng, rows) if row[right] not in right_of_odd]
    close = [row for row in strangers if near and row[near] == odd[near]]
    stranger = (close if difficulty > 2 and close else strangers)[0]
    pairs = [(odd[left], stranger[right]), *((row[left], row[right]) for row in chosen[1:])]
    return {
        "wrong_pair": pairs[0],
        "right_pairs": pairs[1:],
        "pairs": shuffled(rng, pairs),
        "corrected": odd[right],
        "fame": sum(int(row["fame"]) for row in chosen),
    }


def odd_one(rng: np.random.Generator, difficulty: int, *, table: str, name: str, by: str) -> dict[str, Any]:
    """Draw four rows, three of which agree in the column ``by``. The difficulty is their fame."""

    def unlike(row: Row) -> int:
        return abs(int(row["fame"]) - difficulty)

    rows = _rows(table)
    groups: dict[str, list[Row]] = {}
    for row in shuffled(rng, rows):
        groups.setdefault(row[by], []).append(row)
    # The three of each group that are nearest to the wanted fame; one of the best groups is taken.
    threes = [sorted(members, key=unlike)[:N_WRONG] for members in groups.values() if len(members) >= N_WRONG]
    members = pick(rng, sorted(threes, key=lambda three: sum(map(unlike, three)))[:N_GROUPS])
    known = _known(rows, difficulty)
    names = {row[name] for row in members}
    odd = pick(rng, [row for row in known if row[by] != members[0][by] and row[name] not in names])
    return {
        "odd": odd[name],
        "wrong": [row[name] for row in members],
        "shown": shuffled(rng, [row[name] for row in [odd, *members]]),
        "fame": sum(int(row["fame"]) for row in [odd, *members]),
    }


def in_order(
    rng: np.random.Generator,
    difficulty: int,
    *,
    table: str,
    name: str,
    by: str,
    counts: Sequence[int] = (3, 3, 4, 4, 4),
    spans: Sequence[int] = (0, 0, 0, 0, 0),
    where: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Draw rows with different values of a numeric column ``by``, and sort them by it.

    ``counts`` and ``spans`` have a number for each difficulty: how many are drawn, and among how many neighbors in the sorted table
    (0: the whole). The rarer the facts, the closer their values and the more of them, the harder. Wrong orders are those of the right
    one with two neighbors swapped, and the reverse.
    """
    count, span = counts[difficulty - 1], spans[difficulty - 1]
    ranked: dict[Decimal, Row] = {}
    for row in shuffled(rng, _rows(table, where)):
        ranked.setdefault(Decimal(row[by]), row)
    rows = [ranked[value] for value in sorted(ranked)]
    if span:
        start = int(rng.integers(max(1, len(rows) - span + 1)))
        rows = rows[start : start + span]
    chosen = sorted(int(position) for position in rng.permutation(len(rows))[:count])
    ordered = [rows[position] for position in chosen]
    names = [row[name] for row in ordered]
    swapped = [[*names[:i], names[i + 1], names[i], *names[i + 2 :]] for i in range(count - 1)]
    turned = [names[1:] + names[:1], names[::-1]]
    wrong = [list(order) for order in dict.fromkeys(map(tuple, [*swapped, *turned])) if list(order) != names]
    return {
        "ordered": names,
        "wrong": wrong[:N_WRONG],
        "shown": shuffled(rng, names),
        "values": [row[by] for row in ordered],
        "span": len(rows),
    }


def places_on(
    rng: np.random.Generator, difficulty: int, *, table: str, name: str, steps: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Draw a row, and ask for the one some places after or before it in the table; ``steps`` has a range for each difficulty.

    Wrong answers are the rows beside the right one, and the one as far away in the other direction.
    """
    names = [row[name] for row in _rows(table)]
    low, high = steps[difficulty - 1]
    step = low + int(rng.integers(high - low + 1))
    start = high + 2 + int(rng.integers(len(names) - 2 * (high + 2)))
    sign = 1 if rng.integers(2) else -1
    end = start + sign * step
    near = [end + sign, end - sign, start - sign * step, end + 2 * sign]
    return {
        "start": names[start],
        "right": names[end],
        "wrong": [names[position] for position in dict.fromkeys(near) if position not in (start, end)][:N_WRONG],
        "step": step,
        "direction": "after" if sign > 0 else "before",
    }


def rounded(rng: np.random.Generator, difficulty: int, *, table: str, places: Sequence[int]) -> dict[str, Any]:
    """Draw a constant and its mantissa to as many decimals as ``places`` says for the difficulty, with three near misses.

    A near miss is a unit or two off in the last place, has its last two digits swapped, or another digit before the last.
    """
    n = places[difficulty - 1]
    row = pick(rng, _rows(table))
    value = Decimal(row["mantissa"]).quantize(Decimal(1).scaleb(-n), rounding=ROUND_HALF_UP)
    text = f"{value:f}"
    step = Decimal(1).scaleb(-n)
    swapped = text[:-2] + text[-1] + text[-2] if n > 1 else text
    misses = [swapped, *(f"{value + shift * step:f}" for shift in (-1, 1, 10, -10, 2, -2)[: 4 if n > 1 else 6])]
    wrong = [miss for miss in dict.fromkeys(misses) if miss != text and Decimal(miss) > 0]
    return {
        "fact": row,
        "right": text,
        "wrong": shuffled(rng, wrong)[:N_WRONG],
        "places": n,
        "power": f" × 10^{row['exponent']}" if row["exponent"] != "0" else "",
        "unit": f" {row['unit']}" if row["unit"] else "",
    }


ATOM = re.compile(r"([A-Z][a-z]?)(\d*)")


def molecule(rng: np.random.Generator, difficulty: int) -> dict[str, Any]:
    """Draw a compound of tasks/facts/compounds.csv and one of its elements: how many of its atoms does the formula have?

    The difficulty is the compound's fame. Wrong numbers are those of its other elements, and the nearest ones.
    """
    row = pick(rng, _known(_rows("compounds"), difficulty))
    counts: Counter[str] = Counter()
    for atom, digits in ATOM.findall(row["formula"]):  # NH4NO3 names nitrogen twice
        counts[atom] += int(digits or 1)
    names = {element["symbol"]: element["name"] for element in rows_of("elements")}
    symbol = pick(rng, list(counts))
    near = [counts[symbol] + shift for shift in (1, -1, 2, 3)]
    wrong = [n for n in dict.fromkeys([*counts.values(), *near]) if n > 0 and n != counts[symbol]]
    return {
        "compound": row["compound"],
        "element": names[symbol],
        "n": counts[symbol],
        "n_atoms": sum(counts.values()),
        "wrong": wrong[:N_WRONG],
        "formula": row["formula"],
        "fame": int(row["fame"]),
    }


def quiz(rng: np.random.Generator, difficulty: int, *, topics: Sequence[str] = (), n: int = 1) -> dict[str, Any]:
    """Draw ``n`` questions of tasks/facts/practical_questions.csv, each with its answer and three wrong ones in random order."""
    rows = _rows("practical_questions", {"topic": topics} if topics else None)
    asked = []
    for row in shuffled(rng, _known(rows, difficulty))[:n]:
        wrong = shuffled(rng, [row[f"wrong_{k}"] for k in (1, 2, 3)])
        asked.append({"question": row["question"], "answer": row["answer"], "wrong": wrong, "fame": int(row["fame"])})
    return {"asked": asked, "fame": sum(entry["fame"] for entry in asked)}


def procedure(rng: np.random.Generator, difficulty: int, *, of_any_fame: bool = False) -> dict[str, Any]:
    """Draw a task of tasks/facts/procedures.csv with its five steps in order.

    The difficulty is its fame, or how many people have done it, unless it may be ``of_any_fame``.
    """
    rows = _rows("procedures")
    row = pick(rng, rows if of_any_fame else _known(rows, difficulty))
    return {"task": row["task"], "steps": [row[f"step_{k}"] for k in range(1, 6)], "fame": int(row["fame"])}


def _rows(table: str, where: Mapping[str, Sequence[str]] | None = None) -> list[Row]:
    wanted = where or {}
    return [row for row in rows_of(table) if all(row[column] in values for column, values in wanted.items())]


def _true_of(row: Row, ask: str, answer: str) -> set[str]:
    """What a row is asked about, its answer, and what else is true of it."""
    also = row.get("also", "")
    return {row[ask], row[answer], *(also.split("; ") if also else ())}


def _known(rows: Sequence[Row], difficulty: int) -> list[Row]:
    """Return the rows of this fame; where they are few, with those of the next ones."""
    for reach in itertools.count():
        found = [row for row in rows if abs(int(row["fame"]) - difficulty) <= reach]
        if len(found) >= min(FEWEST, len(rows)):
            return found
    raise AssertionError("unreachable: the widest reach holds every row")


def _answers(rows: Sequence[Row], column: str) -> list[str]:
    return list(dict.fromkeys(row[column] for row in rows))


GENERATORS: dict[str, Callable[..., dict[str, Any]]] = {
    "one": one,
    "joined": joined,
    "mismatched": mismatched,
    "in_order": in_order,
    "places_on": places_on,
    "rounded": rounded,
    "odd_one": odd_one,
    "molecule": molecule,
    "quiz": quiz,
    "procedure": procedure,
}
