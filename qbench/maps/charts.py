"""The maps of a sensitivity profile as Vega-Lite."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from qbench.contrasts import Contrast
from qbench.maps.compute import STATISTICS, Maps, ProbeMap, Ranked, Reading
from qbench.maps.wording import KL, MARKS, short_name
from qbench.pages.figures import (
    BAND,
    DATA,
    GAIN,
    HEAT,
    INK,
    LINE,
    LOSS,
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
GAP = " ", "  "
"""Rows without a name between what belongs to no layer and the layers."""
OWN, SHARED = "own", "shared"


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
    rows = [*layout.before, *([GAP[0]] if layout.before else []), *_layers(maps)]
    rows += [*([GAP[1]] if layout.after else []), *layout.after]
    axis = alt.Axis(labelOverlap="greedy", labelLimit=90, labelPadding=5, grid=False)
    y = alt.Y("row:N", title=None, scale=alt.Scale(domain=rows), axis=axis)
    across = alt.Axis(orient="top", labelAngle=-90, labelLimit=160, labelPadding=5, grid=False)
    x = alt.X("column:N", title=None, scale=alt.Scale(domain=list(layout.columns)), axis=across)
    inside = marks(base.transform_filter("datum.column != ''").encode(x=x, y=y))
    outside = marks(base.transform_filter("datum.column == ''").encode(y=y))
    step = 15 if len(rows) < 40 else 11
    width = alt.Step(22) if layout.columns else 120
    return alt.layer(*inside, *outside).properties(width=width, height=alt.Step(step))


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
        }
        for own in contrast.units
        for spot in [maps.layout.spots[own.unit]]
        for ends in [(own.difference.value, *own.difference.interval)]
        if not math.isnan(sum(ends))
    ]
    most = max((abs(100 * own.difference.value) for own in contrast.units if own.is_certain), default=1.0)
    color = alt.Color(
        "shade:Q",
        title="points of share",
        scale=alt.Scale(domain=[-most, 0, most], range=[GAIN, PAPER, LOSS], interpolate="lab"),
        legend=alt.Legend(
            orient="bottom", values=[-most, 0, most], format="+.1f", gradientLength=130, gradientThickness=8
        ),
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
    chart = _on_the_map(maps, base, lambda part: [part.mark_rect(stroke=NEUTRAL, strokeWidth=0.15).encode(color=color)])
    title = f"{first} − {second}"
    return specify(_titled(chart, title), records, f"Difference of shares of the predicted cost: {title}.")


def bars(maps: Maps) -> list[Spec]:
    """What the units of each layer cost together, with intervals: a panel for each format, each on its own scale."""
    return [
        specify(
            _titled(_bars(maps).properties(width="container", height=120), format),
            [record for probe in maps.probes for record in _row_records(probe, format)],
            f"Predicted cost of each layer at {format}, with intervals.",
        )
        for format in maps.formats
    ]


def layer_bars(maps: Maps, probe: ProbeMap) -> Spec:
    """The same of one probe as one figure."""
    facet = alt.Facet("format:N", sort=list(maps.formats), title=None, header=alt.Header(labelFontSize=12))
    chart = _bars(maps).properties(width=200, height=110).facet(facet, columns=3).resolve_scale(y="independent")
    records = [record for format in maps.formats for record in _row_records(probe, format)]
    return specify(chart, records, f"Predicted cost of each layer: {probe.probe.name}.")


def _bars(maps: Maps) -> Any:
    x = alt.X(
        "row:N",
        title=None,
        scale=alt.Scale(domain=list(maps.layout.rows), paddingInner=0.25),
        axis=alt.Axis(labelAngle=-90, labelOverlap="greedy", labelLimit=80, grid=False),
    )
    y_axis = alt.Axis(tickCount=4, format=".3~g")
    tooltip = ["row:N", alt.Tooltip("value:Q", title=KL, format=".3e"), "interval:N"]
    base = (
        blank()
        .transform_calculate(interval="format(datum.low, '.2e') + ' to ' + format(datum.high, '.2e')")
        .encode(x=x, tooltip=tooltip)
    )
    columns = base.mark_bar(color=BAND, opacity=0.75).encode(y=alt.Y("value:Q", title=KL, axis=y_axis))
    rules = base.mark_rule(color=INK).encode(y=alt.Y("low:Q", title=KL, axis=y_axis), y2="high:Q")
    return alt.layer(columns, rules)


def _row_records(probe: ProbeMap, format: str) -> list[Record]:
    return [
        {"probe": probe.probe.name, "row": row.name, "format": format, **_short(row.predicted)}
        for row in probe.rows
        if row.format == format and not row.predicted.is_missing
    ]


def pareto(maps: Maps) -> Spec:
    """KL of the whole model against its bits per weight, measured and predicted: its formats, and the mixes that were validated."""
    records: list[Record] = [
        {
            "probe": size.probe,
            "name": size.name,
            "bits": round(size.bits_per_weight, 4),
            "role": size.role,
            "how": how,
            **_short(reading),
        }
        for size in maps.sizes
        for how, reading in (("measured", size.measured), ("predicted", size.predicted))
        if reading.value > 0
    ]
    best = {size.name for size in maps.sizes if size.role == "control" and size.is_best}
    for record in records:
        record["label"] = record["name"] if record["role"] != "control" or record["name"] in best else ""
    values = [record["value"] for record in records] or [1.0]
    for record in records:
        record["low"] = _above(record["low"], min(values) / 2)
    x = alt.X("bits:Q", title="bits per weight", scale=alt.Scale(zero=False, padding=20), axis=alt.Axis(grid=False))
    decades = [
        10.0**power for power in range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    ]
    y_axis = alt.Axis(format=".3~g", values=decades)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=f"KL, {KL}", scale=alt.Scale(type="log", nice=False, padding=12), axis=y_axis)

    roles = [role for role in ROLES if any(record["role"] == role for record in records)]
    hues = alt.Scale(domain=roles, range=[ROLES[role] for role in roles])
    base = (
        blank()
        .transform_calculate(interval="format(datum.low, '.2e') + ' to ' + format(datum.high, '.2e')")
        .encode(
            x=x,
            color=alt.Color("role:N", scale=hues, legend=alt.Legend(orient="top", title=None, symbolOpacity=1)),
            tooltip=[
                "name:N",
                "how:N",
                alt.Tooltip("bits:Q", format=".3f"),
                alt.Tooltip("value:Q", title=KL, format=".3e"),
                "interval:N",
            ],
        )
    )
    is_measured = "datum.how == 'measured'"
    bars = base.mark_rule(opacity=0.6).encode(y=y("low"), y2="high")
    dots = base.mark_point(size=50, opacity=1, filled=True).encode(y=y("value")).transform_filter(is_measured)
    rings = (
        base.mark_point(size=110, opacity=1, filled=False).encode(y=y("value")).transform_filter(f"!({is_measured})")
    )
    # A name stands once: beside the measured point where there is one.
    seen = {(record["probe"], record["name"]) for record in records if record["how"] == "measured"}
    for record in records:
        if record["how"] == "predicted" and (record["probe"], record["name"]) in seen:
            record["label"] = ""
    text = base.mark_text(align="left", dx=9, dy=-7, fontSize=11)
    names = text.encode(y=y("value"), text="label:N", color=alt.value(INK))
    chart = alt.layer(bars, rings, dots, names).properties(width="container", height=320)
    return specify(
        chart, records, "KL of the whole model against bits per weight, measured and predicted, with intervals."
    )


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
            "label": short_name(maps, own.unit) if own.is_named else "",
            "side": "right" if own.magnitude_rank > 0.6 * len(probe.ranked) else "left",
            "tone": _tone(own),
        }
        for probe in maps.probes
        for own in probe.ranked
    ]
    n = len(maps.profile.units)
    scale = alt.Scale(domain=[1, max(n, 2)], reverse=True, nice=False, padding=12)
    axis = alt.Axis(tickCount=6, format="d", grid=False)
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
    same = _line(1, max(n, 2)).mark_line(color=NEUTRAL, strokeDash=[4, 3], opacity=0.6)
    dots = base.mark_circle(size=44, opacity=0.85).encode(color=color)
    texts = []
    for side, align, dx in (("right", "left", 7), ("left", "right", -7)):
        own = base.transform_filter(f"datum.side == '{side}'").encode(text="label:N")
        # Names are legible among dots: each stands on its own outline.
        texts.append(own.mark_text(align=align, dx=dx, fontSize=11, stroke=PAPER, strokeWidth=4, strokeJoin="round"))
        texts.append(own.mark_text(align=align, dx=dx, fontSize=11, color=INK))
    line = same.encode(x=alt.X("at:Q", scale=scale), y=alt.Y("at:Q", scale=scale))
    chart = alt.layer(line, dots, *texts).properties(width="container", height=420)
    return specify(
        chart, records, "Units by the rank of their weights' magnitude and the rank of their Fisher information."
    )


def _tone(own: Ranked) -> str:
    """Small weights with much information, the opposite, or neither."""
    if not own.is_named:
        return ""
    return "silent" if own.magnitude_rank > own.fisher_rank else "loud"


def statistics(maps: Maps) -> list[Spec]:
    """Activation and attention statistics by layer at full precision and at a format: a panel for each statistic."""
    made = []
    for name in STATISTICS:
        title = name.replace("_", " ")
        if records := [
            record for probe in maps.probes for record in _statistic_records(probe) if record["name"] == title
        ]:
            chart = _titled(_statistic().properties(width="container", height=110), title)
            made.append(specify(chart, records, f"{title} of each layer at full precision and at a format."))
    return made


def layer_statistics(maps: Maps, probe: ProbeMap) -> Spec:
    """The same of one probe as one figure, at the format that is judged."""
    records = [record for record in _statistic_records(probe) if record["format"] == maps.judged]
    names = [name.replace("_", " ") for name in STATISTICS]
    facet = alt.Facet("name:N", sort=names, title=None, header=alt.Header(labelFontSize=12, labelAnchor="start"))
    chart = _statistic().properties(width=160, height=100).facet(facet, columns=4).resolve_scale(y="independent")
    about = f"Activations and attention of each layer at full precision (gray) and at {maps.judged} (red): {probe.probe.name}."
    return specify(chart, records, about)


def _statistic_records(probe: ProbeMap) -> list[Record]:
    return [
        {
            "probe": probe.probe.name,
            "name": own.name.replace("_", " "),
            "format": own.format,
            "layer": own.layer,
            "base": float(f"{own.base:.4g}"),
            "lowered": float(f"{own.lowered:.4g}"),
        }
        for own in probe.statistics
    ]


def _statistic() -> Any:
    axis = alt.Axis(tickMinStep=1, tickCount=6, format="d", grid=False)
    x = alt.X("layer:Q", title="layer", scale=alt.Scale(zero=False, nice=False, padding=6), axis=axis)
    base = blank().encode(
        x=x, tooltip=["layer:Q", alt.Tooltip("base:Q", title="full precision"), "lowered:Q", "format:N"]
    )
    marks = []
    for field, color, width in (("base", NEUTRAL, 3.5), ("lowered", LINE, 1.5)):
        y = alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=".3~g"))
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
