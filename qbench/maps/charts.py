"""The maps of a sensitivity profile as Vega-Lite."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from qbench.contrasts import Contrast
from qbench.maps.compute import STATISTICS, Maps, ProbeMap, Reading
from qbench.maps.names import NOWHERE, Point, beside
from qbench.maps.wording import CERTAIN, KL, MARKS, SUM, short_name
from qbench.pages.figures import (
    BAND,
    DATA,
    GAIN,
    GAIN_MARK,
    HEAT,
    INK,
    LINE,
    LOSS,
    LOSS_MARK,
    NEUTRAL,
    ON_HEAT,
    PAPER,
    Record,
    Spec,
    blank,
    drawn,
    gradient,
    specify,
)

LOUD = "#4a8fd0"  # readable on a light and on a dark page
ROLES = {"allocated": LINE, "control": NEUTRAL, "format": LOUD}
SHIFTS = {"allocated": -6, "control": 6, "format": 0}
"""Pixels: a mix and its controls have the same size, and stand side by side."""
HEIGHT, PADDING = 320, 20
"""Pixels of the figure of sizes."""
N_NAMED = 12
"""Layers that are named along the foot of a panel; of more, every second, fifth, tenth or so."""
OWN, SHARED = "own", "shared"
NARROWEST = 300
"""Pixels of a plot on a phone: names that leave each other room there do so everywhere."""


def heatmaps(maps: Maps) -> list[Spec]:
    """Layers by kinds at each format, colored by predicted cost on a log scale: a panel for each format."""
    costs = {format: _costs(maps, [format]) for format in maps.formats}
    every = _costs(maps, maps.formats)
    return [
        specify(
            _titled(_heat(maps, _span(costs[format]), _span(every)), format),
            _cell_records(maps, maps.probes, [format], every),
            f"Heatmap of the predicted cost of each unit at {format}.",
        )
        for format in maps.formats
        if costs[format]
    ]


def heatmap(maps: Maps, probe: ProbeMap) -> Spec:
    """The same of one probe as one figure, all formats on one scale."""
    every = _costs(maps, maps.formats)
    chart = _heat(maps, _span(every), _span(every), is_shared=True).facet(
        alt.Facet("format:N", sort=list(maps.formats), title=None, header=alt.Header(labelFontSize=12)), columns=3
    )
    return specify(
        chart, _cell_records(maps, [probe], maps.formats, every), f"Predicted cost of each unit: {probe.probe.name}."
    )


def _heat(maps: Maps, own: tuple[float, float], shared: tuple[float, float], *, is_shared: bool = False) -> Any:
    ends = [f"(colors == '{OWN}' ? {low:.6g} : {all_low:.6g})" for low, all_low in zip(own, shared, strict=True)]
    color = alt.Color(
        "shade:Q",
        title=KL,
        scale=alt.Scale(domain=[0, 0.25, 0.5, 0.75, 1], range=list(HEAT), interpolate="lab", clamp=True),
        legend=alt.Legend(
            orient="bottom",
            values=[0, 0.5, 1],
            labelExpr=f"format(pow(10, {ends[0]} + datum.value * ({ends[1]} - {ends[0]})), '.0e')",
            gradientLength=130,
            gradientThickness=8,
            titleLimit=200,
        ),
    )
    chosen = alt.param(name="colors", value=SHARED if is_shared else OWN)
    base = (
        blank()
        .transform_calculate(
            shade=f"(datum.log - {ends[0]}) / max({ends[1]} - {ends[0]}, 1e-9)",
            interval="format(datum.low, '.2e') + ' to ' + format(datum.high, '.2e')",
        )
        .encode(
            tooltip=[
                alt.Tooltip("unit:N"),
                alt.Tooltip("format:N"),
                alt.Tooltip("value:Q", title=KL, format=".3e"),
                alt.Tooltip("interval:N"),
                alt.Tooltip("note:N", title=" "),
            ],
        )
    )
    ink = alt.condition("datum.shade > 0.55", alt.value(ON_HEAT), alt.value(INK))

    def marks(part: Any) -> list[Any]:
        return [
            part.mark_rect(stroke=PAPER, strokeWidth=0.5).encode(color=color),
            part.mark_text(fontSize=10).encode(text="mark:N", color=ink),
        ]

    return _on_the_map(maps, base, marks).add_params(chosen)


def _on_the_map(maps: Maps, base: Any, marks: Callable[[Any], list[Any]]) -> Any:
    """Layers from top to bottom and kinds from left to right; what belongs to no layer fills a row of its own, apart from them."""
    layout = maps.layout
    rows = _rows(maps)
    axis = alt.Axis(labelOverlap=False, labelLimit=90, labelPadding=5, labelFontSize=10, grid=False)
    y = alt.Y("row:N", title=None, scale=alt.Scale(domain=rows), axis=axis)
    across = alt.Axis(orient="top", labelAngle=-90, labelLimit=160, labelPadding=5, grid=False)
    x = alt.X("column:N", title=None, scale=alt.Scale(domain=list(layout.columns)), axis=across)
    inside = marks(base.transform_filter("datum.column != ''").encode(x=x, y=y))
    outside = marks(base.transform_filter("datum.column == ''").encode(y=y))
    step = 15 if len(rows) < 40 else 11
    width = alt.Step(22) if layout.columns else 120
    return alt.layer(*inside, *outside).properties(width=width, height=alt.Step(step))


def _rows(maps: Maps, n_gaps: int = 1) -> list[str]:
    """All rows of the map, with rows without a name between the layers and what belongs to none."""
    layout = maps.layout
    above, below = ([" " * (side * n_gaps + gap + 1) for gap in range(n_gaps)] for side in (0, 1))
    return [
        *layout.before,
        *(above if layout.before else []),
        *_layers(maps),
        *(below if layout.after else []),
        *layout.after,
    ]


def _layers(maps: Maps) -> list[str]:
    outside = {*maps.layout.before, *maps.layout.after}
    return [row for row in maps.layout.rows if row not in outside]


def _costs(maps: Maps, formats: Sequence[str]) -> list[float]:
    """The costs above 0, which have a logarithm."""
    return [
        cell.predicted.value
        for probe in maps.probes
        for cell in probe.cells
        if cell.format in formats and cell.predicted.value > 0
    ]


def _span(costs: Sequence[float]) -> tuple[float, float]:
    """Decades of the smallest and the largest."""
    return (math.log10(min(costs)), math.log10(max(costs))) if costs else (0.0, 1.0)


def _cell_records(
    maps: Maps, probes: Iterable[ProbeMap], formats: Sequence[str], every: Sequence[float]
) -> list[Record]:
    least = min(every, default=1.0)
    return [
        {
            "probe": probe.probe.name,
            "unit": cell.unit,
            "format": cell.format,
            "row": spot.row,
            "column": spot.column,
            **_short(cell.predicted),
            "log": round(math.log10(max(cell.predicted.value, least)), 3),
            "mark": str(cell.mark),
            "note": MARKS[cell.mark],
        }
        for probe in probes
        for cell in probe.cells
        if cell.format in formats and not cell.predicted.is_missing
        for spot in [maps.layout.spots[cell.unit]]
    ]


def differences(maps: Maps) -> list[Spec]:
    """Shares of the cost on one probe less those on another, colored only where the interval leaves out 0: a panel for each pair."""
    return [difference(maps, contrast) for contrast in maps.contrasts]


def difference(maps: Maps, contrast: Contrast) -> Spec:
    first, second = contrast.probes
    records = [
        {
            "unit": own.unit,
            "row": spot.row,
            "column": spot.column,
            "first": round(100 * own.shares[0].value, 2),
            "second": round(100 * own.shares[1].value, 2),
            **{name: round(100 * value, 2) for name, value in zip(("value", "low", "high"), ends, strict=True)},
            "shade": round(100 * own.difference.value, 2) if own.is_certain else 0,
            "mark": CERTAIN if own.is_certain else "",
        }
        for own in contrast.units
        for spot in [maps.layout.spots[own.unit]]
        for ends in [(own.difference.value, *own.difference.interval)]
        if not math.isnan(sum(ends))
    ]
    most = max((abs(100 * own.difference.value) for own in contrast.units if own.is_certain), default=1.0)
    legend = alt.Legend(
        orient="bottom",
        values=[-most, 0, most],
        labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.1f')",
        gradientLength=130,
        gradientThickness=8,
    )
    color = alt.Color(
        "shade:Q",
        title="points of share",
        scale=alt.Scale(domain=[-most, 0, most], range=[GAIN, PAPER, LOSS], interpolate="lab"),
        legend=legend if any(own.is_certain for own in contrast.units) else None,
    )
    base = (
        blank()
        .transform_calculate(interval="format(datum.low, '+.2f') + ' to ' + format(datum.high, '+.2f')")
        .encode(
            tooltip=[
                "unit:N",
                alt.Tooltip("first:Q", title=f"{first}, %"),
                alt.Tooltip("second:Q", title=f"{second}, %"),
                alt.Tooltip("value:Q", title="difference", format="+.2f"),
                "interval:N",
            ],
        )
    )
    # The dots of faint cells have the color of their side, so that a small difference beside a large one shows which way it goes.
    ink = (
        alt.when(f"abs(datum.shade) > {most / 2:.6g}")
        .then(alt.value("#ffffff"))
        .when("datum.shade > 0")
        .then(alt.value(LOSS_MARK))
        .otherwise(alt.value(GAIN_MARK))
    )

    def marks(part: Any) -> list[Any]:
        return [
            part.mark_rect(stroke=NEUTRAL, strokeWidth=0.15).encode(color=color),
            part.mark_text(fontSize=10).encode(text="mark:N", color=ink),
        ]

    chart = _on_the_map(maps, base, marks)
    title = f"{first} − {second}"
    return specify(_titled(chart, title), records, f"Difference of shares of the predicted cost: {title}.")


def bars(maps: Maps) -> list[Spec]:
    """What the units of each layer cost together, with intervals: a panel for each format, each on its own scale."""
    return [
        specify(
            _titled(_bars(maps, records).properties(width="container", height=120), format),
            records,
            f"Predicted cost of each layer at {format}, with intervals.",
        )
        for format in maps.formats
        for records in [[record for probe in maps.probes for record in _row_records(probe, format)]]
    ]


def layer_bars(maps: Maps, probe: ProbeMap) -> Spec:
    """The same of one probe as one figure."""
    facet = alt.Facet("format:N", sort=list(maps.formats), title=None, header=alt.Header(labelFontSize=12))
    records = [record for format in maps.formats for record in _row_records(probe, format)]
    chart = (
        _bars(maps, records).properties(width=200, height=110).facet(facet, columns=3).resolve_scale(y="independent")
    )
    return specify(chart, records, f"Predicted cost of each layer: {probe.probe.name}.")


def _bars(maps: Maps, records: Sequence[Record]) -> Any:
    layers = _layers(maps)
    named = [*maps.layout.before, *layers[:: _step(len(layers), N_NAMED)], *maps.layout.after]
    x = alt.X(
        "row:N",
        title=None,
        scale=alt.Scale(domain=_rows(maps, n_gaps=(len(layers) - 1) // N_NAMED), paddingInner=0.25),
        axis=alt.Axis(labelAngle=-90, labelOverlap=False, labelLimit=80, grid=False, values=named),
    )
    y_axis = alt.Axis(tickCount=4, **_numbers(_largest(records, "format")))
    tooltip = ["row:N", alt.Tooltip("value:Q", title=KL, format=".3e"), "interval:N"]
    base = (
        blank()
        .transform_calculate(interval="format(datum.low, '.2e') + ' to ' + format(datum.high, '.2e')")
        .encode(x=x, tooltip=tooltip)
    )
    columns = base.mark_bar(color=BAND, opacity=0.75).encode(y=alt.Y("value:Q", title=KL, axis=y_axis))
    rules = base.mark_rule(color=INK).encode(y=alt.Y("low:Q", title=KL, axis=y_axis), y2="high:Q")
    has_intervals = any(record["low"] is not None for record in records)
    return alt.layer(columns, *([rules] if has_intervals else []))


def _step(n: int, most: int) -> int:
    """The least of 1, 2, 5, 10, 20, … of which there are at most so many in n."""
    decade = 1
    while n > 5 * decade * most:
        decade *= 10
    return next(first * decade for first in (1, 2, 5) if n <= first * decade * most)


def _largest(records: Sequence[Record], panel: str) -> list[float]:
    """Of each panel the largest value on its axis."""
    found: dict[str, float] = {}
    for record in records:
        ends = [record[name] for name in ("value", "high") if record[name] is not None]
        found[record[panel]] = max(found.get(record[panel], 0.0), *ends)
    return list(found.values())


def _numbers(largest: Sequence[float]) -> dict[str, Any]:
    """How an axis writes its numbers: all as decimals or all with a power of ten, whichever is short."""
    if min(largest, default=1.0) >= 1e-3:
        return {"format": ".3~g"}
    return {"labelExpr": "datum.value == 0 ? '0' : format(datum.value, '.2~e')"}


def _row_records(probe: ProbeMap, format: str) -> list[Record]:
    return [
        {"probe": probe.probe.name, "row": row.name, "format": format, **_short(row.predicted)}
        for row in probe.rows
        if row.format == format and not row.predicted.is_missing
    ]


def pareto(maps: Maps) -> Spec:
    """KL of the whole model against its bits per weight: measured, the sum of its units, and for the mixes of a validation expected."""
    records: list[Record] = [
        {
            "probe": size.probe,
            "name": size.name,
            "bits": round(size.bits_per_weight, 4),
            "role": size.role,
            "how": how,
            "shift": SHIFTS[size.role],
            "is_named": size.role != "control" or size.is_best,
            "is_ruled": how == "measured" or size.measured.is_missing,
            **_short(reading),
        }
        for size in maps.sizes
        for how, reading in (("measured", size.measured), ("expected", size.expected), (SUM, size.predicted))
        if reading.value > 0
    ]
    values = [record["value"] for record in records] or [1.0]
    for record in records:
        record["low"] = _above(record["low"], min(values) / 2)
    ends = [end for record in records for end in (record["low"], record["high"]) if end is not None] + values
    low, high = min(ends), max(ends)
    if high < 10 * low:  # else no decade may lie between them
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** (math.floor(math.log10(high)) + 1)
    costs = low, high
    bits = [record["bits"] for record in records] or [0.0]
    sizes = (min(bits), max(bits)) if max(bits) > min(bits) else (bits[0] - 0.5, bits[0] + 0.5)
    _name_sizes(records, sizes, costs)
    axis = alt.Axis(grid=False, tickCount=8)
    x_scale = alt.Scale(domain=sizes, nice=False, padding=PADDING)
    x = alt.X("bits:Q", title="bits per weight", scale=x_scale, axis=axis)
    decades = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    y_axis = alt.Axis(values=decades, **_numbers([min(values)]))
    scale = alt.Scale(type="log", domain=costs, nice=False, padding=12)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=f"KL, {KL}", scale=scale, axis=y_axis)

    roles = [role for role in ROLES if any(record["role"] == role for record in records)]
    hues = alt.Scale(domain=roles, range=[ROLES[role] for role in roles])
    legend = alt.Legend(orient="top", title=None, symbolOpacity=1) if len(roles) > 1 else None
    base = (
        blank()
        .transform_calculate(interval="format(datum.low, '.2e') + ' to ' + format(datum.high, '.2e')")
        .encode(
            x=x,
            color=alt.Color("role:N", scale=hues, legend=legend),
            tooltip=[
                "name:N",
                "how:N",
                alt.Tooltip("bits:Q", format=".3f"),
                alt.Tooltip("value:Q", title=KL, format=".3e"),
                "interval:N",
            ],
        )
    )
    shift = alt.expr("datum.shift")

    def only(how: str) -> Any:
        return base.transform_filter(f"datum.how == '{how}'")

    # One interval for each size: those of what is only predicted would cover the measured ones.
    ruled = base.transform_filter("datum.is_ruled")

    marks = [
        ruled.mark_rule(opacity=0.6, xOffset=shift).encode(y=y("low"), y2="high"),
        only(SUM).mark_point(size=130, opacity=1, shape="stroke", strokeWidth=1.5, xOffset=shift).encode(y=y("value")),
        only("expected").mark_point(size=110, opacity=1, filled=False, xOffset=shift).encode(y=y("value")),
        only("measured").mark_point(size=50, opacity=1, filled=True, xOffset=shift).encode(y=y("value")),
        *_names(base.encode(y=y("value"))),
    ]
    chart = alt.layer(*marks).properties(width="container", height=HEIGHT)
    about = "KL of the whole model against bits per weight: measured, with intervals, expected, and the sum of its units alone."
    return specify(chart, records, about)


def _name_sizes(records: Sequence[Record], sizes: tuple[float, float], costs: tuple[float, float]) -> None:
    """Name each size once, beside its measured point where there is one: an allocated mix on the left, the others on the right."""
    across = (NARROWEST - 2 * PADDING) / (sizes[1] - sizes[0])
    down = (HEIGHT - 24) / math.log(costs[1] / costs[0])
    for probe in dict.fromkeys(record["probe"] for record in records):
        once: dict[tuple[str, float], Record] = {}
        for record in records:
            if record["probe"] == probe:
                record |= NOWHERE
                if record.pop("is_named"):
                    once.setdefault((record["name"], record["bits"]), record)
        named = sorted(once.values(), key=lambda record: list(ROLES).index(record["role"]))
        points = [
            Point(
                PADDING + across * (record["bits"] - sizes[0]) + record["shift"],
                12 + down * math.log(costs[1] / record["value"]),
                record["name"],
                is_left=record["role"] == "allocated",
            )
            for record in named
        ]
        for record, place in zip(named, beside(points, NARROWEST), strict=True):
            record |= {**place, "dx": place["dx"] + record["shift"]}


def _above(low: float | None, floor: float) -> float | None:
    """A lower end, cut off where a logarithmic axis ends; None where there is no interval."""
    return None if low is None else max(low, floor)


def agreement(maps: Maps) -> Spec:
    """Predicted against measured cost of every unit that was lowered alone, on logarithmic axes, with both intervals."""
    records = [
        {
            "probe": probe.probe.name,
            "unit": cell.unit,
            "format": cell.format,
            **_short(cell.predicted),
            **{f"m_{name}": value for name, value in _short(cell.measured).items()},
        }
        for probe in maps.probes
        for cell in probe.cells
        if cell.predicted.value > 0 and cell.measured.value > 0
    ]
    ends = [record[name] for record in records for name in ("value", "m_value")] or [1.0]
    low, high = 10 ** math.floor(math.log10(min(ends))), 10 ** math.ceil(math.log10(max(ends)))
    for record in records:
        for name in ("low", "m_low"):
            record[name] = _above(record[name], low)
    scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
    axis = alt.Axis(format=".0e", tickCount=6, labelOverlap="greedy")
    x_title, y_title = f"predicted, {KL}", f"measured, {KL}"
    color = alt.Color(
        "format:N",
        sort=list(maps.formats),
        scale=alt.Scale(domain=list(maps.formats), range=gradient(len(maps.formats))),
        legend=alt.Legend(orient="top", title=None, symbolOpacity=1, columns=6),
    )
    base = (
        blank()
        .transform_calculate(
            predicted="format(datum.value, '.2e') + ' [' + format(datum.low, '.1e') + ', ' + format(datum.high, '.1e') + ']'",
            measured="format(datum.m_value, '.2e') + ' [' + format(datum.m_low, '.1e') + ', ' + format(datum.m_high, '.1e') + ']'",
        )
        .encode(color=color, tooltip=["unit:N", "format:N", "predicted:N", "measured:N"])
    )

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis, title=x_title)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis, title=y_title)

    same = _line(low, high).mark_line(color=NEUTRAL, strokeDash=[4, 3])
    across = base.mark_rule(opacity=0.35).encode(x=x("low"), x2="high", y=y("m_value"))
    up = base.mark_rule(opacity=0.35).encode(x=x("value"), y=y("m_low"), y2="m_high")
    dots = base.mark_circle(size=34, opacity=0.9).encode(x=x("value"), y=y("m_value"))
    chart = alt.layer(same.encode(x=x("at"), y=y("at")), across, up, dots).properties(width="container", height=420)
    return specify(
        chart, records, "Predicted against measured cost of each unit, with intervals and the line of equality."
    )


def fisher_map(maps: Maps) -> Spec:
    """Ranks of the units by the magnitude of their weights and by Fisher information, with the names of those that stand out."""
    records = [
        {
            "probe": probe.probe.name,
            "unit": own.unit,
            "magnitude": float(f"{own.magnitude:.3g}"),
            "fisher": float(f"{own.fisher:.3g}"),
            "x": own.magnitude_rank,
            "y": own.fisher_rank,
            "tone": ("silent" if own.apart > 0 else "loud") if own.stands_out else "",
            **place,
        }
        for probe in maps.probes
        for own, place in zip(probe.ranked, _rank_names(maps, probe), strict=True)
    ]
    n = max(len(maps.profile.units), 2)
    scale = alt.Scale(domain=[1, n], reverse=True, nice=False, padding=12)
    axis = alt.Axis(values=sorted({1, *range(_step(n, 9), n + 1, _step(n, 9))}), format="d", grid=False)
    x = alt.X("x:Q", title="rank by weight magnitude, largest to the right", scale=scale, axis=axis)
    y = alt.Y("y:Q", title="rank by Fisher information, highest on top", scale=scale, axis=axis)
    base = blank().encode(
        x=x,
        y=y,
        tooltip=[
            "unit:N",
            alt.Tooltip("x:Q", title="rank by magnitude"),
            alt.Tooltip("magnitude:Q", title="mean |w|", format=".3g"),
            alt.Tooltip("y:Q", title="rank by Fisher"),
            alt.Tooltip("fisher:Q", title="Fisher information", format=".3g"),
        ],
    )
    tones = alt.Scale(domain=["silent", "loud", ""], range=[LINE, LOUD, NEUTRAL])
    color = alt.Color("tone:N", scale=tones, legend=None)
    same = _line(1, n).mark_line(color=NEUTRAL, strokeDash=[4, 3], opacity=0.6)
    dots = base.mark_circle(size=44, opacity=0.85).encode(color=color)
    line = same.encode(x=alt.X("at:Q", scale=scale), y=alt.Y("at:Q", scale=scale))
    chart = alt.layer(line, dots, *_names(base)).properties(width="container", height=420)
    return specify(
        chart, records, "Units by the rank of their weights' magnitude and the rank of their Fisher information."
    )


def _rank_names(maps: Maps, probe: ProbeMap) -> list[Record]:
    """Names of the units that stand out, the furthest from the diagonal first."""
    n = max(len(maps.profile.units), 2)
    found = sorted((own for own in probe.ranked if own.stands_out), key=lambda own: -abs(own.apart))
    points = [
        Point(
            12 + (NARROWEST - 24) * (n - own.magnitude_rank) / (n - 1),
            12 + (420 - 24) * (own.fisher_rank - 1) / (n - 1),
            short_name(maps, own.unit),
            is_left=own.magnitude_rank <= 0.6 * n,
        )
        for own in found
    ]
    places = dict(zip((own.unit for own in found), beside(points, NARROWEST), strict=True))
    return [places.get(own.unit, NOWHERE) for own in probe.ranked]


def _names(base: Any) -> list[Any]:
    """The names of points, legible among others: each stands on its own outline."""
    named = base.transform_filter("datum.label != ''").encode(text="label:N", color=alt.value(INK))
    place = {name: alt.expr(f"datum.{name}") for name in ("align", "dx", "dy")}
    return [
        named.mark_text(fontSize=11, stroke=PAPER, strokeWidth=4, strokeJoin="round", **place),
        named.mark_text(fontSize=11, **place),
    ]


def statistics(maps: Maps) -> list[Spec]:
    """Activation and attention statistics by layer at full precision and at a format: a panel for each statistic."""
    made = []
    for name in STATISTICS:
        title = name.replace("_", " ")
        if records := [
            record for probe in maps.probes for record in _statistic_records(probe) if record["name"] == title
        ]:
            chart = _titled(_statistic(records).properties(width="container", height=110), title)
            made.append(specify(chart, records, f"{title} of each layer at full precision and at a format."))
    return made


def layer_statistics(maps: Maps, probe: ProbeMap) -> Spec:
    """The same of one probe as one figure, at the format that is judged."""
    records = [record for record in _statistic_records(probe) if record["format"] == maps.judged]
    names = [name.replace("_", " ") for name in STATISTICS]
    facet = alt.Facet("name:N", sort=names, title=None, header=alt.Header(labelFontSize=12, labelAnchor="start"))
    chart = _statistic(records).properties(width=160, height=100).facet(facet, columns=4).resolve_scale(y="independent")
    about = f"Activations and attention of each layer at full precision (gray) and at {maps.judged} (red): {probe.probe.name}."
    return specify(chart, records, about)


def _statistic_records(probe: ProbeMap) -> list[Record]:
    return [
        {
            "probe": probe.probe.name,
            "name": own.name.replace("_", " "),
            "format": own.format,
            "layer": own.layer,
            "base": float(f"{own.base:.6g}"),
            "lowered": float(f"{own.lowered:.6g}"),
        }
        for own in probe.statistics
    ]


def _statistic(records: Sequence[Record]) -> Any:
    layers = sorted({record["layer"] for record in records})
    axis = alt.Axis(values=layers[:: _step(len(layers), 7)], format="d", grid=False)
    x = alt.X("layer:Q", title="layer", scale=alt.Scale(zero=False, nice=False, padding=6), axis=axis)
    base = blank().encode(
        x=x, tooltip=["layer:Q", alt.Tooltip("base:Q", title="full precision"), "lowered:Q", "format:N"]
    )
    marks = []
    for field, color, width in (("base", NEUTRAL, 3.5), ("lowered", LINE, 1.5)):
        y = alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
        marks.append(base.mark_line(color=color, strokeWidth=width, opacity=0.8).encode(y=y))
        marks.append(base.mark_circle(color=color, size=12 * width, opacity=1).encode(y=y))
    return alt.layer(*marks)


FIGURES: dict[str, Callable[[Maps], Spec | list[Spec]]] = {
    "heatmaps": heatmaps,
    "bars": bars,
    "differences": differences,
    "pareto": pareto,
    "agreement": agreement,
    "fisher": fisher_map,
    "statistics": statistics,
}
"""Those of the page."""


def render(maps: Maps) -> dict[str, bytes]:
    """Return the figures of a paper as PDF and SVG, those of each probe by its name."""
    files: dict[str, bytes] = {}
    for own in maps.probes:
        alone = replace(maps, probes=(own,))
        for figure, spec in (
            ("heatmap", heatmap(alone, own)),
            ("layers", layer_bars(alone, own)),
            ("agreement", agreement(alone)),
            ("fisher", fisher_map(alone)),
            ("pareto", pareto(alone)),
            ("statistics", layer_statistics(maps, own)),
        ):
            if spec["datasets"][DATA]:
                files |= drawn(f"{figure}_{_file_name(own.probe.name)}", spec)
    for contrast in maps.contrasts:
        files |= drawn("difference_" + "_".join(map(_file_name, contrast.probes)), difference(maps, contrast))
    return files


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)


def _line(*ends: float) -> Any:
    """A chart of the points at which both axes have the same value; marked as a line, the diagonal."""
    return alt.Chart(alt.Data(values=[{"at": end} for end in ends]))  # type: ignore[no-untyped-call]


def _titled(chart: Any, title: str) -> Any:
    return chart.properties(title=alt.TitleParams(text=title, anchor="start"))


def _short(reading: Reading) -> Record:
    """To three digits: what an interval of any width allows to say."""
    return {
        name: None if math.isnan(value) else float(f"{value:.3g}")
        for name, value in (("value", reading.value), ("low", reading.low), ("high", reading.high))
    }
