"""The table for a terminal: plain text without colours, at most 120 columns wide."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qbench.report.table import Kind, Row, Table
from qbench.report.wording import (
    DEMONSTRATION,
    caption,
    is_same,
    label,
    legend,
    marks,
    notes,
    reading,
    score,
    stopping,
)

WIDTH = 120
NAME_WIDTH = 14
GAP = " "


@dataclass(frozen=True)
class _Column:
    """One level: a heading, and for each row its value with the interval below."""

    heading: str
    values: list[str]
    intervals: list[str]

    @property
    def width(self) -> int:
        return max(map(len, [self.heading, *self.values, *self.intervals]))


def summary(table: Table) -> str:
    """Return the main table, two lines a row, and the noise floor below it. Levels for which there is no room follow in a second table."""
    used = marks(table, table.rows)
    below = [f"{sign} {meaning}" for sign, meaning in legend(table) if sign in used]
    below += notes(table)
    below += [_noise(table)] if table.noise_floor else []
    below += [stopping(table)] if table.looks else []
    below += [DEMONSTRATION] if table.provenance.is_demonstration else []
    parts = [_wrapped(f"{caption(table)}."), *(_block(table.rows, block) for block in _blocks(_columns(table)))]
    return "\n\n".join([*parts, "\n".join(map(_wrapped, below))])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def _columns(table: Table) -> list[_Column]:
    scores = [score(row, row.baseline) for row in table.rows]
    columns = [_column(f"{table.baseline} score", scores)]
    if table.provenance.models:  # of which nothing else says how many items they share
        columns.insert(0, _column("items", [(str(row.baseline.n_items), "") for row in table.rows]))
    for position, level in enumerate(table.compared):
        if level == table.noise_floor:
            continue
        texts = [
            (f"{value} {found}".rstrip(), interval)
            for value, interval, found in (reading(table, row, row.cells[position]) for row in table.rows)
        ]
        columns.append(_column(level, texts))
    return columns


def _noise(table: Table) -> str:
    """The noise floor in a line: in how many rows nothing differs, and each row in which something does."""
    position = table.compared.index(table.noise_floor)
    cells = [(row, row.cells[position]) for row in table.rows]
    n_same = sum(is_same(table, cell) for _, cell in cells)
    found = [f"identical on all items in {n_same} of {len(cells)} rows"] if n_same else []
    for row, cell in cells:
        if not is_same(table, cell):
            value, interval, verdict = reading(table, row, cell)
            found.append(" ".join(filter(None, (label(row), value, verdict, interval))))
    return f"noise floor, {table.baseline} once more at another batch size: {'; '.join(found)}"


def _column(heading: str, texts: Sequence[tuple[str, str]]) -> _Column:
    return _Column(heading, [value for value, _ in texts], [interval.replace(", ", ",") for _, interval in texts])


def _blocks(columns: Sequence[_Column]) -> Iterator[list[_Column]]:
    """Share the columns out over as many tables as the width asks for."""
    block: list[_Column] = []
    room = WIDTH - NAME_WIDTH
    for column in columns:
        if block and column.width + len(GAP) > room:
            yield block
            block, room = [], WIDTH - NAME_WIDTH
        block.append(column)
        room -= column.width + len(GAP)
    yield block


def _block(rows: Sequence[Row], columns: Sequence[_Column]) -> str:
    def line(name: str, texts: Sequence[str]) -> str:
        cells = [text.rjust(column.width) for text, column in zip(texts, columns, strict=True)]
        return GAP.join([name[:NAME_WIDTH].ljust(NAME_WIDTH), *cells]).rstrip()

    lines = [line("", [column.heading for column in columns])]
    for i, row in enumerate(rows):
        if row.kind is Kind.ALL:
            lines.append("")
        lines.append(line(label(row), [column.values[i] for column in columns]))
        lines.append(line("", [column.intervals[i] for column in columns]))
    return "\n".join(lines)
