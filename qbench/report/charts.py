"""The figures of a report as Vega-Lite, made with Altair: the page draws them, and vl-convert makes the PDF and SVG of a paper."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from qbench.pages.figures import (
    BAND,
    DATA,
    GAIN,
    INK,
    LINE,
    LOSS,
    NEUTRAL,
    PAPER,
    Record,
    Spec,
    blank,
    drawn,
    gradient,
    specify,
)
from qbench.pairing import Direction
from qbench.report.table import Cell, Kind, Row, Table, TemplateRow
from qbench.report.wording import caption, change, is_same, points, reading, scale, score
from qbench.stats import Estimate, Verdict

WORST = 30.0  # points at which the heatmap's color is full


def heatmap(table: Table) -> Spec:
    """Categories by levels, colored by the differences that are proven; in each cell the number with its mark, and its interval below."""
    shown = [row for row in table.rows if row.kind in (Kind.CATEGORY, Kind.TASK, Kind.ALL)]
    n_lines = 1 + max(level.count("-") for level in table.compared)
    head = alt.Axis(
        orient="top",
        labelAngle=0,
        labelLimit=84,
        labelExpr="split(datum.label, '-')",
        labelPadding=6 + 12 * (n_lines - 1),
    )
    strong = f"abs(datum.shade) > {0.7 * WORST}"
    base = blank().encode(
        x=alt.X("level:N", sort=list(table.compared), title=None, axis=head),
        y=alt.Y("row:N", sort=[scale(row) for row in shown], title=None, axis=alt.Axis(labelLimit=170)),
        tooltip=["row:N", "level:N", alt.Tooltip("text:N", title="difference"), "verdict:N"],
    )
    color = alt.Color(
        "shade:Q",
        scale=alt.Scale(domain=[-WORST, 0, WORST], range=[LOSS, PAPER, GAIN], interpolate="lab", clamp=True),
        legend=None,
    )
    squares = base.mark_rect(cornerRadius=3, stroke=PAPER, strokeWidth=1).encode(color=color)
    ink = alt.condition(strong, alt.value("white"), alt.value(INK))
    numbers = base.mark_text(fontSize=11, dy=-6).encode(text="short:N", color=ink)
    intervals = base.mark_text(fontSize=9, dy=8, opacity=0.85).encode(text="interval:N", color=ink)
    chart = (squares + numbers + intervals).properties(width=alt.Step(86), height=alt.Step(36))
    return specify(chart, _records(table, shown), f"Heatmap. {caption(table)}.")


def panels(table: Table) -> list[Spec]:
    """The difference of each row along the levels with its intervals: small charts for a grid of them, on one scale."""
    chart = _curve(table, height=112).properties(width="container")
    shared = specify(chart, [], "")
    return [
        {
            **shared,
            "datasets": {DATA: _curve_records(table, [row])},
            "title": {"text": scale(row), "anchor": "start"},
            "description": f"{scale(row)}: difference at each level. {caption(table)}.",
        }
        for row in table.rows
        if row.is_share
    ]


def curves(table: Table) -> Spec:
    """The curves of all rows in one figure, on one scale."""
    drawable = [row for row in table.rows if row.is_share]
    shown = [row for row in drawable if row.kind is not Kind.TASK] or drawable
    panels = alt.Facet("row:N", title=None, sort=[scale(row) for row in shown], header=alt.Header(labelAnchor="start"))
    chart = _curve(table, height=100).properties(width=150).facet(panels, columns=4)
    return specify(chart, _curve_records(table, shown), f"Degradation curves. {caption(table)}.")


def difficulty(table: Table) -> Spec:
    """Score by difficulty, a line for each level, with intervals."""
    records = [
        {"difficulty": row.name, "level": level, **_score(row, estimate)}
        for row in table.difficulty
        for level, estimate in _scores(table, row)
        if estimate.is_estimable
    ]
    levels = [table.baseline, *_ladder(table)]
    base = blank().encode(
        x=alt.X("difficulty:O", title="difficulty", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("level:N", sort=levels),
        color=alt.Color(
            "level:N",
            sort=levels,
            scale=alt.Scale(domain=levels, range=gradient(len(levels))),
            legend=alt.Legend(orient="top", title=None, columns=5, symbolOpacity=1),
        ),
        tooltip=["difficulty:O", "level:N", alt.Tooltip("text:N", title="score, %")],
    )
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("low:Q", title="score, %"), y2="high:Q")
    dots = base.mark_circle(size=46, opacity=1).encode(y=alt.Y("value:Q", title="score, %"))
    chart = (bars + dots).properties(width="container", height=260)
    return specify(chart, records, "Score by difficulty, 1 to 5, for each level, with intervals.")


def pareto(table: Table) -> Spec:
    """Score against bits a weight, with intervals; a line through the levels that no cheaper one reaches."""
    total = table.total
    bits = {level.name: level.bits_per_weight for level in table.levels}
    records: list[Record] = [
        {"level": level, "bits": bits[level], **_score(total, estimate)}
        for level, estimate in _scores(table, total)
        if estimate.is_estimable and not math.isnan(bits[level])
    ]
    best, sign = -math.inf, -1 if total.direction is Direction.LOWER else 1
    for position, record in enumerate(sorted(records, key=lambda record: (record["bits"], -sign * record["value"]))):
        record["above"] = position % 2 == 0  # names of neighbours are set on different sides
        record["frontier"] = sign * record["value"] > best
        best = max(best, sign * record["value"])
    unit = "score, %" if total.is_share else "score"
    y = f"{unit}, {scale(total)}"
    base = blank().encode(
        x=alt.X(
            "bits:Q",
            title="bits per weight",
            scale=alt.Scale(zero=False, padding=24),
            axis=alt.Axis(grid=False, tickCount=9),
        ),
        tooltip=["level:N", alt.Tooltip("bits:Q", format=".2f"), alt.Tooltip("text:N", title=unit)],
    )
    value = alt.Y("value:Q", title=y, scale=alt.Scale(zero=False))
    bars = base.mark_rule(color=NEUTRAL).encode(y=alt.Y("low:Q", title=y, scale=alt.Scale(zero=False)), y2="high:Q")
    frontier = base.mark_line(color=LINE, opacity=0.5).encode(y=value).transform_filter("datum.frontier")
    dots = base.mark_circle(size=70, color=LINE, opacity=1).encode(y=value)
    names = [
        base.mark_text(align="left", dx=7, dy=dy, color=INK).encode(y=value, text="level:N").transform_filter(which)
        for which, dy in (("datum.above", -8), ("!datum.above", 12))
    ]
    chart = alt.layer(frontier, bars, dots, *names).properties(width="container", height=280)
    return specify(chart, records, "Score against bits per weight for each level, with intervals.")


def forest(table: Table) -> Spec:
    """The difference of every template of one category at one level, from its own items. The page sets both parameters."""
    levels = list(_ladder(table))
    uses = Counter((row.category, row.template) for row in table.templates)
    records = [
        {"template": _name(row, uses), "category": row.category, "level": level, **_points(difference)}
        for row in sorted(table.templates, key=lambda row: row.category)
        for level, difference in zip(table.compared, row.differences, strict=True)
        if level in levels and difference.is_estimable
    ]
    category = alt.param(name="category", value=next((record["category"] for record in records), ""))
    level = alt.param(name="level", value=levels[-1] if levels else "")
    order = alt.EncodingSortField("difference", op="min", order="ascending")
    base = (
        blank()
        .transform_filter("datum.category == category && datum.level == level")
        .encode(
            y=alt.Y("template:N", sort=order, title=None, axis=alt.Axis(labelLimit=190)),
            tooltip=["template:N", alt.Tooltip("text:N", title="difference")],
        )
    )
    x = "difference, points"
    bars = base.mark_rule(color=NEUTRAL, strokeWidth=1.5).encode(x=alt.X("low:Q", title=x), x2="high:Q")
    dots = base.mark_circle(size=50, color=LINE, opacity=1).encode(x=alt.X("difference:Q", title=x))
    zero = blank().mark_rule(strokeDash=[3, 3], color=NEUTRAL).encode(x=alt.datum(0))
    chart = alt.layer(zero, bars, dots).properties(width="container", height=alt.Step(19)).add_params(category, level)
    return specify(chart, records, "The difference of each template of a category at a level, with intervals.")


FIGURES = {"heatmap": heatmap, "curves": curves, "difficulty": difficulty, "pareto": pareto}


def render(table: Table) -> dict[str, bytes]:
    """Return the figures that there is something to draw in, as PDF and SVG; the forest of each category at the last level."""
    files: dict[str, bytes] = {}
    for name, draw in FIGURES.items():
        spec = draw(table)
        if not spec["datasets"][DATA]:
            continue
        files |= drawn(name, spec)
    for category in dict.fromkeys(row.category for row in table.templates):
        rows = tuple(row for row in table.templates if row.category == category)
        spec = forest(replace(table, templates=rows))
        if spec["datasets"][DATA]:
            files |= drawn(f"forest_{category}", spec)
    return files


# ---------------------------------------------------------------- parts


def _curve(table: Table, *, height: int) -> Any:
    """Zero, the noise floor, the band of the intervals, the line."""
    levels = list(_ladder(table))
    angle = 0 if all(len(level) <= 4 for level in levels) else -40
    domain = _common_domain(table)
    scale = alt.Scale(domain=domain, nice=False, clamp=True)
    y_axis = alt.Axis(tickCount=4, grid=True)
    base = blank().encode(
        x=alt.X("level:N", sort=levels, title=None, axis=alt.Axis(labelAngle=angle, labelLimit=96, grid=False))
    )

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title="points", scale=scale, axis=y_axis)

    zero = blank().mark_rule(strokeDash=[3, 3], color=NEUTRAL).encode(y=alt.datum(0))
    floor = base.mark_area(opacity=0.25, color=NEUTRAL).encode(y=y("floor_low"), y2="floor_high")
    band = base.mark_area(opacity=0.28, color=BAND).encode(y=y("low"), y2="high")
    line = base.mark_line(color=LINE, strokeWidth=2).encode(y=y("difference"))
    dots = base.mark_circle(color=LINE, size=34, opacity=1).encode(
        y=y("difference"), tooltip=["level:N", alt.Tooltip("text:N", title="difference"), "verdict:N"]
    )
    return alt.layer(zero, floor, band, line, dots).properties(height=height)


def _curve_records(table: Table, rows: Sequence[Row]) -> list[Record]:
    """Each with the ends of its row's noise floor, where there is one and the baseline was not the same twice."""
    records = _records(table, rows)
    silent = {scale(row) for row in rows for cell in row.cells if is_same(table, cell)}
    floors = {
        record["row"]: record
        for record in records
        if record["level"] == table.noise_floor and record["row"] not in silent
    }
    for record in records:
        if floor := floors.get(record["row"]):
            record |= {"floor_low": floor["low"], "floor_high": floor["high"]}
    return [record for record in records if record["level"] != table.noise_floor]


def _records(table: Table, rows: Sequence[Row]) -> list[Record]:
    return [
        {
            "row": scale(row),
            "level": cell.level,
            "verdict": str(cell.verdict),
            **_drawn(cell.difference, *change(row, cell), 100 if row.is_share else 1),
            **_seen(table, row, cell),
        }
        for row in rows
        for cell in row.cells
        if cell.difference.is_estimable
    ]


def _seen(table: Table, row: Row, cell: Cell) -> Record:
    """What a cell of the heatmap shows, as in the table, and what it is colored by: only a difference that is proven has a color, by its
    size in points; one in a unit of its own has always the same."""
    value, interval, found = reading(table, row, cell)
    is_proven = cell.verdict in (Verdict.DEGRADED, Verdict.IMPROVED)
    gain = row.gain(cell).value
    size = round(100 * gain, 3) if row.is_share else math.copysign(WORST / 2, gain)
    shade = size if is_proven else 0
    return {"short": f"{value} {found}".rstrip(), "interval": interval, "shade": shade}


def _points(estimate: Estimate) -> Record:
    """A difference in percentage points."""
    low, high = estimate.interval
    return _drawn(estimate, points(estimate.value), f"[{points(low)}, {points(high)}]", 100)


def _drawn(estimate: Estimate, value: str, interval: str, factor: float) -> Record:
    """A difference with its words."""
    return {**_ends("difference", estimate, factor), "interval": interval, "text": f"{value} {interval}"}


def _score(row: Row, estimate: Estimate) -> Record:
    """A score with its words."""
    return {**_ends("value", estimate, 100 if row.is_share else 1), "text": " ".join(score(row, estimate))}


def _ends(name: str, estimate: Estimate, factor: float) -> Record:
    ends = {name: estimate.value, "low": estimate.interval.low, "high": estimate.interval.high}
    return {name: round(factor * value, 3) for name, value in ends.items()}


def _scores(table: Table, row: Row) -> Iterator[tuple[str, Estimate]]:
    yield table.baseline, row.baseline
    yield from ((cell.level, cell.score) for cell in row.cells if cell.level != table.noise_floor)


def _ladder(table: Table) -> Iterator[str]:
    """The levels that have cells, without the noise floor."""
    return (level for level in table.compared if level != table.noise_floor)


def _name(row: TemplateRow, uses: Counter[tuple[str, str]]) -> str:
    """The template's name, behind that of its subcategory where another one has the same."""
    return row.template if uses[row.category, row.template] == 1 else f"{row.stratum}: {row.template}"


def _common_domain(table: Table) -> list[float]:
    """One scale for all small charts, so that they can be compared."""
    ends = [
        100 * end
        for row in table.rows
        for cell in row.cells
        if row.is_share and cell.difference.is_estimable
        for end in cell.difference.interval
    ]
    return [5 * math.floor(min([*ends, -5.0]) / 5), 5 * math.ceil(max([*ends, 5.0]) / 5)]
