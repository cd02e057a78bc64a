"""The report as Markdown: tables that read as text and render on any forge."""

import re
from collections.abc import Iterable, Sequence

from qbench.report.expected import Comparison
from qbench.report.table import Cell, Kind, Row, Table
from qbench.report.wording import (
    DEMONSTRATION,
    caption,
    change,
    counts,
    finding,
    label,
    legend,
    method,
    number,
    share,
    size,
)

LONGEST_TEXT = 240  # characters of a value from a document or a name from a file


def render(table: Table) -> str:
    """Return the whole report."""
    sections = [_head(table), _differences(table, table.rows), _legend(table), _levels(table), _flips(table)]
    if table.breakdown:
        sections.append(f"## By {_safe(str(table.settings.by))}\n\n{_differences(table, table.breakdown)}")
    if table.expected:
        sections.append(_expected(table))
    sections.append(_provenance(table))
    return "\n\n".join(sections) + "\n"


def _head(table: Table) -> str:
    notice = f"\n\n> {DEMONSTRATION}" if table.provenance.is_demonstration else ""
    return f"# What quantization changed: {_safe(table.provenance.model)}{notice}\n\n{_safe(caption(table))}."


def _differences(table: Table, rows: Sequence[Row]) -> str:
    head = ["", "items / templates", f"{table.baseline} score"]
    head += [f"{level} (noise floor)" if level == table.noise_floor else level for level in table.compared]
    body = []
    for row in rows:
        cells = [
            _safe(label(row)),
            counts(row),
            _joined(*share(row.baseline)),
            *(_cell(table, cell) for cell in row.cells),
        ]
        body.append([f"**{text}**" for text in cells] if row.kind is Kind.ALL else cells)
    return _table(head, body)


def _cell(table: Table, cell: Cell) -> str:
    """``−2.1 [−3.4, −0.8] ↓``."""
    failed = f"({cell.n_failed} failed)" if cell.n_failed else ""
    return _joined(*change(cell.difference), finding(cell, table.settings.confidence), failed)


def _joined(*texts: str) -> str:
    return " ".join(filter(None, texts))


def _legend(table: Table) -> str:
    return "\n".join(f"* {sign} {meaning}" for sign, meaning in legend(table))


def _levels(table: Table) -> str:
    total = next((row for row in table.rows if row.kind is Kind.ALL), table.rows[0])
    answered = [total.baseline_answered, *(cell.answered for cell in total.cells)]
    rows = [
        [
            level.name,
            number(level.bits_per_weight, 2),
            size(level),
            number(level.seconds),
            _joined(*share(answers)),
            str(level.n_items),
            str(level.n_failed),
        ]
        for level, answers in zip(table.levels, answered, strict=True)
    ]
    head = ["level", "bits per weight", "size", "seconds", f"answered %, {_safe(label(total))}", "items", "failed"]
    return f"## Levels\n\n{_table(head, rows)}"


def _flips(table: Table) -> str:
    rows = [
        [_safe(label(row)), *(f"{cell.flips.worse} / {cell.flips.better}" for cell in row.cells)] for row in table.rows
    ]
    text = (
        f"Items whose score fell / rose against {table.baseline}. Items of one template are not independent, so no test "
        "can be read off these counts; the intervals above allow for it."
    )
    return f"## Flips\n\n{text}\n\n{_table(['', *table.compared], rows)}"


def _expected(table: Table) -> str:
    """Scopes of several categories, then each category beside the document's words."""
    text = (
        "Loss relative to the baseline's score, in percent, beside the range that “Exposing Differences Between Quantized "
        "LLM Models: From Q8 to Q2” expects (sections 2 and 5). The document reports no measurement behind its ranges."
    )
    head = ["", "level", "expected", "measured", ""]
    scopes = [[_safe(entry.scope), *_beside(entry)] for entry in table.expected if entry.statement is None]
    categories = [
        [_safe(entry.scope.replace("_", " ")), *_beside(entry), _safe(entry.statement)]
        for entry in table.expected
        if entry.statement is not None
    ]
    parts = ["## Measured against expected", text, _table(head, scopes)]
    if categories:
        parts += [
            "Category by category, with the general range of the level and the document's words (section 4):",
            _table([*head, "the document says"], categories),
        ]
    return "\n\n".join(parts)


def _beside(comparison: Comparison) -> list[str]:
    return [
        comparison.level,
        f"{100 * comparison.low:g} to {100 * comparison.high:g}",
        _joined(*share(comparison.loss)),
        str(comparison.placement),
    ]


def _provenance(table: Table) -> str:
    source = table.provenance
    facts = {
        "run": source.run,
        "model": f"{source.model}, SHA-256 {source.model_sha256[:16]}"
        + (f", {source.n_parameters:,} parameters" if source.n_parameters else ""),
        "bank": f"version {source.bank_version}, SHA-256 {source.bank_sha256[:16]}, seed {source.seed}",
        "begun": source.created,
        "versions": ", ".join(f"{name} {version}" for name, version in source.versions.items()),
        "commit": source.git_commit,
        "hardware": ", ".join(f"{name} {value}" for name, value in source.hardware.items() if value is not None),
    }
    lines = [f"* {name}: {_safe(str(value))}" for name, value in facts.items() if value]
    return f"## How these numbers were made\n\n{method(table)}\n\n" + "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _safe(text: str) -> str:
    """Text from files shown as text: nothing in it can end a cell, start a tag or become a link."""
    one_line = " ".join(text.split())
    shortened = one_line if len(one_line) <= LONGEST_TEXT else one_line[:LONGEST_TEXT] + "…"
    return re.sub(r"([\\`*\[\]<>|&])", r"\\\1", shortened)
