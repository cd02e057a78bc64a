"""What a report found, in a few sentences and in a line for each level. None of them has a number without its interval."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qbench.pairing import Direction
from qbench.report.table import Cell, Kind, Row, Table
from qbench.report.wording import change, is_same, label, not_estimable, score
from qbench.stats import Verdict


def findings(table: Table) -> list[str]:
    """The largest loss, what breaks first, where the cliff is, and what of all this is noise."""
    return [*_largest(table), *_first(table), *_cliff(table), *_noise(table), *_stop(table)]


@dataclass(frozen=True)
class Glance:
    """One level in a line."""

    level: str
    bits_per_weight: float
    overall: tuple[Row, Cell] | None
    """Of all categories; None where there is no such row."""
    degraded: int
    """Categories and tasks whose loss is proven, after Holm's correction."""
    estimable: int
    hardest: tuple[Row, Cell] | None
    """The category or task that lost the most, of those whose differences can be compared."""


def at_a_glance(table: Table) -> list[Glance]:
    """Every level but the noise floor: what it lost, and where the most."""
    total = next((row for row in table.rows if row.kind is Kind.ALL), None)
    found = []
    for position, level in enumerate(table.levels[1:]):
        if level.name == table.noise_floor:
            continue
        cells = [(row, cell) for row, cell in _cells(table) if cell.level == level.name]
        found.append(
            Glance(
                level.name,
                level.bits_per_weight,
                (total, total.cells[position]) if total else None,
                sum(cell.is_degraded_after_holm(table.settings.confidence) for _, cell in cells),
                len(cells),
                _worst(cells),
            )
        )
    return found


def _number(row: Row, cell: Cell) -> str:
    """``−2.1 points [−3.4, −0.8]``; in its own unit without a word for it, and with one where lower is better."""
    value, interval = change(row, cell)
    turned = f" ({row.direction})" if row.direction is Direction.LOWER else ""
    return f"{value}{' points' if row.is_share else ''} {interval}{turned}"


def _worst(cells: Sequence[tuple[Row, Cell]]) -> tuple[Row, Cell] | None:
    """The cell that lost the most, of those that can be compared: percentage points, or a single row in a unit of its own."""
    shares = [(row, cell) for row, cell in cells if row.is_share]
    compared = shares or (cells if len({row.name for row, _ in cells}) == 1 else [])
    return min(compared, key=lambda entry: entry[0].gain(entry[1]).value, default=None)


def _cells(table: Table) -> list[tuple[Row, Cell]]:
    """The cells of categories and tasks at levels, where there is a number."""
    return [
        (row, cell)
        for row in table.rows
        for cell in row.cells
        if row.kind is not Kind.ALL and cell.level != table.noise_floor and cell.difference.is_estimable
    ]


def _largest(table: Table) -> Iterator[str]:
    cells = _cells(table)
    if not cells:
        yield from not_estimable(table)
        return
    shares = [(row, cell) for row, cell in cells if row.is_share]
    if shares:
        yield _largest_of(table, shares)
    for name in dict.fromkeys(row.name for row, _ in cells if not row.is_share):  # each in a unit of its own
        yield _largest_of(table, [(row, cell) for row, cell in cells if row.name == name and not row.is_share])


def _largest_of(table: Table, cells: Sequence[tuple[Row, Cell]]) -> str:
    row, cell = min(cells, key=lambda entry: entry[0].gain(entry[1]).value)
    of, where = ("", f"in {label(row)} at {cell.level}") if row.is_share else (f" of {label(row)}", f"at {cell.level}")
    found = f"{where}: {_number(row, cell)}"
    if cell.verdict is Verdict.DEGRADED:
        value, interval = score(row, row.baseline)
        unit = " %" if row.is_share else ""
        return f"The largest loss{of} is {found}, from {value}{unit} {interval} at {table.baseline}."
    if row.gain(cell).value < 0:
        return f"No loss{of} is proven. The largest that was seen is {found}."
    return f"No loss{of} was seen. The smallest gain is {found}."


def _first(table: Table) -> Iterator[str]:
    """The first level, going down, at which a category is degraded after Holm's correction, and who loses the most there."""
    cells = _cells(table)
    kind = Kind.CATEGORY if any(row.kind is Kind.CATEGORY for row, _ in cells) else Kind.TASK
    degraded = [
        (row, cell)
        for row, cell in cells
        if row.kind is kind and cell.is_degraded_after_holm(table.settings.confidence)
    ]
    level = next((level for level in table.ladder if any(cell.level == level for _, cell in degraded)), None)
    if level is None:
        return
    hit = [(row, cell) for row, cell in degraded if cell.level == level]
    worst = _worst(hit)
    if worst is None:
        some = f"there are {', '.join(label(row) for row, _ in hit)}"
    else:
        row, cell = worst
        who = f"it is {label(row)}" if len(hit) == 1 else f"there are {len(hit)}, {label(row)} the most"
        some = f"{who}: {_number(row, cell)}"
    yield (
        f"What breaks first: going down, {level} is the first level at which the loss of a single {kind} is proven, after Holm's "
        f"correction; {some}.{_rank(table, worst[0], level) if worst else ''}"
    )


def _rank(table: Table, row: Row, level: str) -> str:
    ranks = {rank.category: rank for rank in table.ranking.get(level, ())}
    rank = ranks.get(row.name)
    if row.kind is not Kind.CATEGORY or rank is None:
        return ""
    allowed = f"rank {rank.best}" if rank.best == rank.worst else f"any rank from {rank.best} to {rank.worst}"
    return f" Among {len(ranks)} categories the data allow it {allowed}."


def _cliff(table: Table) -> Iterator[str]:
    total = table.total
    found = table.cliffs.get(total.name)
    if not found:
        return
    at = {cell.level: _number(total, cell) for cell in total.cells}
    margin = f"lose less than {table.settings.margin:g} points" if total.is_share else "be better"
    safe = (
        f"levels down to {found.last_safe} are proven to {margin} ({at[found.last_safe]})"
        if found.last_safe
        else f"no level is proven to {margin}"
    )
    harmful = (
        f"a loss is proven from {found.first_harmful} on ({at[found.first_harmful]})"
        if found.first_harmful
        else "no level is proven to lose anything"
    )
    yield f"The cliff, for {label(total)}: {safe}, and {harmful}."


def _stop(table: Table) -> Iterator[str]:
    if table.looks and not math.isnan(table.looks.share_asked):
        cells = [cell for _, cell in _cells(table)]
        n_decided = sum(cell.verdict is not Verdict.UNDECIDED for cell in cells)
        yield (
            f"The sweep was sequential: it asked {100 * table.looks.share_asked:.0f} % of the items in {len(table.looks.shares)} looks "
            f"declared beforehand at most, and decided {n_decided} of {len(cells)} differences."
        )


def _noise(table: Table) -> Iterator[str]:
    total = table.total
    cell = next((cell for cell in total.cells if cell.level == table.noise_floor), None)
    if cell is None:
        yield "The noise floor was not measured, so small differences may come from batch size and rounding alone."
    elif is_same(table, cell):
        yield (
            f"The noise floor: {table.baseline} once more, at another batch size, is identical on all {cell.difference.n_items} items for "
            f"{label(total)}."
        )
    elif cell.difference.is_estimable:
        yield (
            f"The noise floor: {table.baseline} once more, at another batch size, differs from itself by "
            f"{_number(total, cell)} for {label(total)}."
        )
