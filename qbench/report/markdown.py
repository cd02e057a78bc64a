"""The report as Markdown: tables that read as text and render on any forge."""

from collections.abc import Sequence

from qbench.pages.markdown import LONGEST_TEXT, as_table, safe
from qbench.report.expected import Comparison
from qbench.report.findings import at_a_glance, findings
from qbench.report.measures import ABOUT_COSTS, MEASURES, change_of, costs, level_of, without_interval
from qbench.report.table import Cell, ItemRow, Kind, Rank, Row, Table
from qbench.report.wording import (
    DEMONSTRATION,
    MISSING,
    about_flips,
    caption,
    counts,
    label,
    legend,
    mark,
    method,
    most_flipped,
    notes,
    origin,
    reading,
    score,
    score_head,
    share,
    stop,
    stopping,
    title,
)


def render(table: Table) -> str:
    """Return the whole report."""
    sections = [
        _head(table),
        _glance(table),
        _differences(table, table.rows),
        _legend(table),
        *([_looks(table)] if table.looks else []),
        _cliffs(table),
        _levels(table),
        _flips(table),
    ]
    if table.ranking:
        sections.append(_ranking(table))
    if table.difficulty:
        sections.append(
            f"## Difficulty\n\nItems of the bank by difficulty, 1 to 5.\n\n{_differences(table, table.difficulty)}"
        )
    if table.breakdown:
        sections.append(f"## By {safe(str(table.settings.by))}\n\n{_differences(table, table.breakdown)}")
    if table.hallucination:
        sections.append(_hallucination(table))
    if table.expected:
        sections.append(_expected(table))
    if table.measures:
        sections.append(_measures(table))
    if flipped := most_flipped(table):
        sections.append(_flipped(table, flipped))
    sections.append(_provenance(table))
    return "\n\n".join(sections) + "\n"


def _head(table: Table) -> str:
    notice = f"\n\n> {DEMONSTRATION}" if table.provenance.is_demonstration else ""
    return f"# {safe(title(table))}{notice}\n\n{safe(caption(table))}."


def _glance(table: Table) -> str:
    """What broke, by how much, and how sure that is: a line for each level, and sentences."""
    rows = []
    for glance in at_a_glance(table):
        overall = _cell(table, *glance.overall) if glance.overall else MISSING
        hardest = MISSING
        if glance.hardest:
            row, cell = glance.hardest
            hardest = f"{safe(label(row))} {_cell(table, row, cell)}"
        rows.append([safe(glance.level), overall, f"{glance.degraded} of {glance.estimable}", hardest])
    sentences = "\n".join(f"* {safe(sentence, None)}" for sentence in findings(table))
    return (
        f"{as_table(['', 'all categories', 'proven losses', 'lost the most'], rows)}\n\n{sentences}\n\n## The numbers"
    )


def _differences(table: Table, rows: Sequence[Row]) -> str:
    head = ["", "items / templates", f"{table.baseline} score"]
    head += [f"{level} (noise floor)" if level == table.noise_floor else level for level in table.compared]
    body = []
    for row in rows:
        cells = [
            safe(label(row)),
            counts(row),
            _joined(*score(row, row.baseline)),
            *(_cell(table, row, cell) for cell in row.cells),
        ]
        body.append([f"**{text}**" for text in cells] if row.kind is Kind.ALL else cells)
    return as_table(head, body)


def _cell(table: Table, row: Row, cell: Cell) -> str:
    """``−2.1 [−3.4, −0.8] ↓``."""
    failed = f"({cell.n_failed} failed)" if cell.n_failed else ""
    return _joined(*reading(table, row, cell), failed)


def _joined(*texts: str) -> str:
    return " ".join(filter(None, texts))


def _legend(table: Table) -> str:
    lines = [f"* {sign} {meaning}" for sign, meaning in legend(table)]
    return "\n".join([*lines, *(f"* {safe(sentence)}" for sentence in notes(table))])


def _levels(table: Table) -> str:
    """What each level costs, beside its score."""
    total = table.total
    scores = [total.baseline, *(cell.score for cell in total.cells)]
    titles, texts = costs(table)
    rows = [
        [level.name, _joined(*score(total, estimate)), *text, f"{level.n_items} / {level.n_failed}"]
        for level, estimate, text in zip(table.levels, scores, texts, strict=True)
    ]
    head = ["level", safe(score_head(total)), *titles, "items / failed"]
    return f"## Cost and quality\n\n{ABOUT_COSTS}\n\n{as_table(head, rows)}"


def _flips(table: Table) -> str:
    rows = [
        [safe(label(row)), *(f"{cell.flips.worse} / {cell.flips.better}" for cell in row.cells)] for row in table.rows
    ]
    return f"## Flips\n\n{about_flips(table)}\n\n{as_table(['', *table.compared], rows)}"


def _looks(table: Table) -> str:
    """Where each category stopped, of a sweep that went on until everything was decided."""
    rows = [[safe(label(row)), *(stop(cell, table.settings.confidence) for cell in row.cells)] for row in table.rows]
    about = "The look that each difference rests on, and what it found:"
    return f"## Looks\n\n{stopping(table)}\n\n{about}\n\n{as_table(['', *table.compared], rows)}"


def _cliffs(table: Table) -> str:
    text = (
        f"The last level whose loss is proven smaller than {table.settings.margin:g} points, going down, and the first whose loss is "
        "proven, going up; the chance of naming a level wrongly is at most "
        f"{100 * (1 - table.settings.confidence):.3g} % for each."
    )
    rows = [
        [safe(label(row)), found.last_safe or MISSING, found.first_harmful or MISSING]
        for row in table.rows
        if (found := table.cliffs.get(row.name))
    ]
    return f"## The cliff\n\n{text}\n\n{as_table(['', 'proven safe down to', 'proven harmful from'], rows)}"


def _ranking(table: Table) -> str:
    """Categories by name in the order of their loss, each with the ranks that the data allow."""
    text = (
        "Categories by their loss, the greatest first. In parentheses the ranks that the data allow, for all categories at once: "
        "where they are wide, the order is noise."
    )
    levels = [level for level in table.compared if level != table.noise_floor]
    places = range(max(len(ranks) for ranks in table.ranking.values()))
    rows = [[str(place + 1), *(_ranked(table.ranking[level][place]) for level in levels)] for place in places]
    return f"## What breaks first\n\n{text}\n\n{as_table(['', *levels], rows, is_text=True)}"


def _ranked(rank: Rank) -> str:
    return f"{safe(rank.category.replace('_', ' '))} ({rank.best}–{rank.worst})"


def _measures(table: Table) -> str:
    """Measures in their own units: the mean at the baseline, and at each level the mean and its change."""
    rows = [
        [
            f"{MEASURES[row.name].title}: {MEASURES[row.name].about}",
            counts(row),
            _joined(*level_of(row, row.baseline)),
            *(_changed(level_of(row, cell.score)[0], change_of(row, cell)) for cell in row.cells),
        ]
        for row in table.measures
    ]
    text = (
        f"Means over the items that have the measure; behind those of a level the change against {safe(table.baseline)} with its "
        "interval, = where it is the same for every item."
    )
    head = ["", "items / templates", safe(table.baseline), *map(safe, table.compared)]
    return f"## Behavior\n\n{text}{without_interval(table)}\n\n{as_table(head, rows)}"


def _changed(value: str, difference: str) -> str:
    return f"{value} ({difference})" if difference else value


def _flipped(table: Table, items: Sequence[ItemRow]) -> str:
    """Items beside what the baseline and the first differing level answered."""
    names = [table.baseline, *table.compared]
    rows = []
    for item in items:
        other = next(i for i, score in enumerate(item.scores) if score != item.scores[0])
        rows.append(
            [
                safe(item.id),
                safe(str(item.document.get("question", ""))),
                safe(str(item.document.get("target", ""))),
                f"{item.scores[0]:g}: {safe(_end(item.responses[0]))}",
                f"{names[other]} {item.scores[other]:g}: {safe(_end(item.responses[other]))}",
                str(item.n_flips),
            ]
        )
    head = ["item", "question", "target", table.baseline, "first other level", "levels that differ"]
    return f"## Items that flipped most\n\n{as_table(head, rows, is_text=True)}"


def _end(text: str) -> str:
    """The end of a response, where its answer is."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= LONGEST_TEXT else "…" + one_line[1 - LONGEST_TEXT :]


def _hallucination(table: Table) -> str:
    """The rate at each level, not the change: what a reader wants to know of a level that is to be shipped."""
    text = (
        "Share of the questions that have no answer (the capital of a country that does not exist) which were answered all the "
        "same, in percent. Marks are of the change against the baseline, as above: ↓ is more invention."
    )
    rows = [
        [
            "all categories" if row.name == "all" else safe(row.name.replace("_", " ")),
            counts(row),
            _joined(*share(row.baseline)),
            *(_joined(*share(cell.score), mark(cell, table.settings.confidence)) for cell in row.cells),
        ]
        for row in table.hallucination
    ]
    return f"## Hallucination\n\n{text}\n\n{as_table(['', 'items / templates', table.baseline, *table.compared], rows)}"


def _expected(table: Table) -> str:
    """Scopes of several categories, then each category beside the document's words."""
    text = (
        "Loss relative to the baseline's score, in percent, beside the range that “Exposing Differences Between Quantized "
        "LLM Models: From Q8 to Q2” expects (sections 2 and 5). The document reports no measurement behind its ranges."
    )
    head = ["", "level", "expected", "measured", ""]
    scopes = [[safe(entry.scope), *_beside(entry)] for entry in table.expected if entry.statement is None]
    categories = [
        [safe(entry.scope.replace("_", " ")), *_beside(entry), safe(entry.statement)]
        for entry in table.expected
        if entry.statement is not None
    ]
    parts = ["## Measured against expected", text, as_table(head, scopes)]
    if categories:
        parts += [
            "Category by category, with the general range of the level and the document's words (section 4):",
            as_table([*head, "the document says"], categories),
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
    lines = [f"* {name}: {safe(str(value))}" for name, value in origin(table)]
    return f"## How these numbers were made\n\n{method(table)}\n\n" + "\n".join(lines)
