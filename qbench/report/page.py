"""The report as one HTML file that needs no network: tables, figures, and every item with its responses."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from qbench import pages
from qbench.pages import Entry, Grid, Menu, Part
from qbench.pages.figures import DATA
from qbench.report import charts
from qbench.report.browser import Packed, pack
from qbench.report.findings import at_a_glance, findings
from qbench.report.measures import ABOUT_COSTS, MEASURES, change_of, costs, level_of, without_interval
from qbench.report.table import Cell, Kind, Row, Table
from qbench.report.wording import (
    DEMONSTRATION,
    MISSING,
    about_flips,
    caption,
    change,
    counts,
    is_same,
    label,
    legend,
    mark,
    method,
    notes,
    number,
    origin,
    reading,
    score,
    score_head,
    share,
    stop,
    stopping,
    title,
)
from qbench.stats import Verdict

TONES = {Verdict.DEGRADED: "loss", Verdict.IMPROVED: "gain", Verdict.UNDECIDED: "open"}


def render(table: Table) -> str:
    """Return the page."""
    packed = pack(table)
    specs = _specs(table)
    return pages.render(
        specs,
        template=pages.source("report.html", __package__),
        style=pages.source("items.css", __package__),
        scripts=[pages.source("items.js", __package__)],
        title=title(table),
        kicker=" · ".join(filter(None, ("qbench report", table.provenance.run))),
        notice=DEMONSTRATION if table.provenance.is_demonstration else "",
        glances=[_glance(table)],
        findings=findings(table),
        parts=[part for part in _parts(table, specs) if part.figure or part.grids],
        method=method(table),
        provenance=origin(table),
        table=table,
        items=packed,
        browser=_browser_choices(packed),
    )


def _specs(table: Table) -> dict[str, Any]:
    """The figures that there is something to draw in."""
    drawn = {name: draw(table) for name, draw in charts.FIGURES.items() if name != "curves"}
    drawn["forest"] = charts.forest(table)
    found: dict[str, Any] = {name: spec for name, spec in drawn.items() if spec["datasets"][DATA]}
    panels = [spec for spec in charts.panels(table) if spec["datasets"][DATA]]
    return {**found, **({"curves": panels} if panels else {})}


def _forest_menus(table: Table) -> list[Menu]:
    levels = [level for level in table.compared if level != table.noise_floor]
    return [
        Menu("category", "category", _named(sorted({row.category for row in table.templates}))),
        Menu("level", "level", [(level, level) for level in levels], levels[-1]),
    ]


def _browser_choices(packed: Packed) -> dict[str, Any]:
    others = packed.levels[1:]
    changes = [("", "any"), ("changed", "changed"), ("worse", "worse than the baseline"), ("better", "better")]
    return {
        "levels": [(level, level) for level in others],
        "level": others[-1],
        "changes": changes,
        "categories": [("", "all"), *_named(packed.categories)],
    }


def _named(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in names]


# ---------------------------------------------------------------- sections


def _parts(table: Table, specs: dict[str, Any]) -> Iterable[Part]:
    def figure(name: str) -> str:
        return name if name in specs else ""

    confidence, margin = f"{100 * table.settings.confidence:g} %", f"{table.settings.margin:g}"
    yield Part(
        "heatmap",
        "Where it broke",
        f"{caption(table)}. Red is a proven loss and blue a proven gain; a cell without a color is within the margin or undecided.",
        figure("heatmap"),
        "natural",
        legend=legend(table),
        notes=notes(table),
    )
    floor = "; a gray band is the noise floor" if table.noise_floor else ""
    yield Part(
        "curves",
        "How it broke",
        "The same differences along the levels, all on one scale; those in a unit of their own are left out. "
        f"Bands are {confidence} intervals{floor}.",
        figure("curves"),
        "panels",
    )
    yield Part(
        "table",
        "The numbers",
        f"{caption(table)}. Marks as above.",
        grids=[_differences(table, table.rows, "Differences")],
    )
    if table.breakdown:
        name = str(table.settings.by)
        yield Part(
            "by", f"By {name}", "As above.", grids=[_differences(table, table.breakdown, f"Differences by {name}")]
        )
    if table.ranking:
        yield Part(
            "ranking",
            "What breaks first",
            "Categories by their loss, the greatest first. Below each the ranks that the data allow, for all categories at once: "
            "where they are wide, the order is noise.",
            grids=[_ranking(table)],
        )
    if table.looks:
        yield Part(
            "looks",
            "Looks",
            f"{stopping(table)} Below, the look that each difference rests on, and what it found.",
            grids=[_looks(table)],
        )
    yield Part(
        "cliff",
        "The cliff",
        f"The last level whose loss is proven smaller than {margin} points, going down, and the first whose loss is proven, going up; "
        f"the chance of naming a level wrongly is at most {100 * (1 - table.settings.confidence):.3g} % for each.",
        grids=[_cliffs(table)],
    )
    yield Part(
        "cost",
        "Cost and quality",
        f"Score against bits per weight. The line joins the levels that no cheaper one reaches. {ABOUT_COSTS}",
        figure("pareto"),
        "narrow",
        grids=[_levels(table)],
    )
    if table.difficulty:
        yield Part(
            "difficulty",
            "Difficulty",
            f"Score of the bank's items by difficulty, with {confidence} intervals.",
            figure("difficulty"),
            "narrow",
            folded=[_differences(table, table.difficulty, "Differences by difficulty")],
        )
    yield Part(
        "forest",
        "Template by template",
        f"The difference of every template from its own items alone, with {confidence} intervals for fresh items of the same template.",
        figure("forest"),
        "narrow",
        _forest_menus(table) if figure("forest") else (),
    )
    if table.hallucination:
        yield Part(
            "hallucination",
            "Hallucination",
            "Share of the questions that have no answer which were answered all the same, in percent: less is better. Marks are of the "
            f"change against {table.baseline}; ↓ is more invention.",
            grids=[_hallucination(table)],
        )
    if table.measures:
        yield Part(
            "behavior",
            "Calibration and behavior",
            f"Means over the items that have the measure. Below that of a level is its change against {table.baseline} with the interval, "
            f"= where it is the same for every item; at {table.baseline} the interval of the mean itself.{without_interval(table)}",
            grids=[_measures(table)],
        )
    yield Part(
        "flips",
        "Flips",
        about_flips(table),
        grids=[_flips(table)],
    )
    if table.expected:
        scopes, categories = _expected(table)
        yield Part(
            "expected",
            "Measured against expected",
            "Loss relative to the baseline's score, in percent, beside the range that “Exposing Differences Between Quantized LLM "
            "Models: From Q8 to Q2” expects (sections 2 and 5). The document reports no measurement behind its ranges.",
            grids=scopes,
            folded=categories,
        )


def _glance(table: Table) -> Grid:
    """What a reader wants to know first: what broke, by how much, and how sure that is."""
    found = at_a_glance(table)
    has_total = any(glance.overall for glance in found)
    rows = []
    for glance in found:
        bits = glance.bits_per_weight
        cells = [Entry(glance.level, "" if math.isnan(bits) else f"{number(bits, 2)} bits")]
        if has_total:
            cells.append(_cell(table, *glance.overall) if glance.overall else Entry(MISSING))
        cells.append(Entry(f"{glance.degraded} of {glance.estimable}", tone="loss" if glance.degraded else ""))
        if glance.hardest:
            row, cell = glance.hardest
            cells.append(Entry(label(row), " ".join(change(row, cell)), TONES.get(cell.verdict, "")))
        else:
            cells.append(Entry(MISSING))
        rows.append(cells)
    head = [
        "",
        *(["all categories, points"] if has_total else []),
        "proven losses",
        "lost the most",
    ]
    return Grid(head, rows, "Every level at a glance")


def _differences(table: Table, rows: Sequence[Row], about: str) -> Grid:
    levels = ["noise floor" if level == table.noise_floor else level for level in table.compared]
    body = [
        [
            Entry(label(row), tone="total" if row.kind is Kind.ALL else ""),
            Entry(*score(row, row.baseline)),
            *(_cell(table, row, cell) for cell in row.cells),
            Entry(counts(row)),
        ]
        for row in rows
    ]
    unit = ", %" if all(row.is_share for row in rows) else ""
    return Grid(["", f"{table.baseline} score{unit}", *levels, "items / templates"], body, about)


def _cell(table: Table, row: Row, cell: Cell) -> Entry:
    value, interval, found = reading(table, row, cell)
    failed = f"({cell.n_failed} failed)" if cell.n_failed else ""
    return Entry(
        " ".join(filter(None, (value, found, failed))),
        interval,
        "open" if is_same(table, cell) else TONES.get(cell.verdict, ""),
    )


def _ranking(table: Table) -> Grid:
    levels = [level for level in table.compared if level != table.noise_floor]
    rows = [
        [
            Entry(str(place + 1)),
            *(
                Entry(rank.category.replace("_", " "), f"rank {rank.best} to {rank.worst}")
                for rank in (table.ranking[level][place] for level in levels)
            ),
        ]
        for place in range(max(map(len, table.ranking.values())))
    ]
    return Grid(["", *levels], rows, "Categories by loss at each level", is_text=True)


def _looks(table: Table) -> Grid:
    rows = [
        [
            Entry(label(row)),
            *(Entry(stop(cell, table.settings.confidence), tone=TONES.get(cell.verdict, "")) for cell in row.cells),
        ]
        for row in table.rows
    ]
    return Grid(["", *table.compared], rows, "The look at which each category stopped")


def _cliffs(table: Table) -> Grid:
    rows = [
        [Entry(label(row)), Entry(found.last_safe or MISSING), Entry(found.first_harmful or MISSING)]
        for row in table.rows
        if (found := table.cliffs.get(row.name))
    ]
    return Grid(["", "proven safe down to", "proven harmful from"], rows, "The cliff of each category", is_text=True)


def _levels(table: Table) -> Grid:
    total = table.total
    scores = [total.baseline, *(cell.score for cell in total.cells)]
    titles, texts = costs(table)
    rows = [
        [
            Entry(level.name),
            Entry(*score(total, estimate)),
            *map(Entry, text),
            Entry(f"{level.n_items} / {level.n_failed}"),
        ]
        for level, estimate, text in zip(table.levels, scores, texts, strict=True)
    ]
    return Grid(["level", score_head(total), *titles, "items / failed"], rows, "What each level costs")


def _hallucination(table: Table) -> Grid:
    rows = [
        [
            Entry("all categories" if row.name == "all" else row.name.replace("_", " ")),
            Entry(*share(row.baseline)),
            *(
                Entry(
                    f"{share(cell.score)[0]} {mark(cell, table.settings.confidence)}".strip(),
                    share(cell.score)[1],
                    TONES.get(cell.verdict, ""),
                )
                for cell in row.cells
            ),
            Entry(counts(row)),
        ]
        for row in table.hallucination
    ]
    return Grid(["", table.baseline, *table.compared, "items / templates"], rows, "Hallucination rate at each level")


def _measures(table: Table) -> Grid:
    rows = [
        [
            Entry(MEASURES[row.name].title, MEASURES[row.name].about),
            Entry(*level_of(row, row.baseline)),
            *(Entry(level_of(row, cell.score)[0], change_of(row, cell)) for cell in row.cells),
            Entry(counts(row)),
        ]
        for row in table.measures
    ]
    return Grid(["", table.baseline, *table.compared, "items / templates"], rows, "Calibration and other measures")


def _flips(table: Table) -> Grid:
    rows = [
        [Entry(label(row)), *(Entry(f"{cell.flips.worse} / {cell.flips.better}") for cell in row.cells)]
        for row in table.rows
    ]
    return Grid(["", *table.compared], rows, "Items that fell and rose")


def _expected(table: Table) -> tuple[list[Grid], list[Grid]]:
    """Scopes of several categories, and each category with the document's words."""
    head = ["", "level", "expected", "measured", "where it lies"]
    scopes, categories = [], []
    for entry in table.expected:
        row = [
            Entry(entry.scope.replace("_", " ")),
            Entry(entry.level),
            Entry(f"{100 * entry.low:g} to {100 * entry.high:g}"),
            Entry(*share(entry.loss)),
            Entry(str(entry.placement)),
        ]
        if entry.statement is None:
            scopes.append(row)
        else:
            categories.append([*row, Entry(entry.statement)])
    words = [*head, "the document says (section 4)"]
    return (
        [Grid(head, scopes, "Measured and expected losses", is_text=True)] if scopes else [],
        [Grid(words, categories, "Measured and expected losses by category", is_text=True)] if categories else [],
    )
