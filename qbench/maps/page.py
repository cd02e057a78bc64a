"""The maps of a profile as one HTML file that needs no network."""

from collections.abc import Iterable

from qbench import pages
from qbench.contrasts import Contrast
from qbench.maps import charts
from qbench.maps.compute import STATISTICS, Maps, ProbeMap, Size
from qbench.maps.wording import (
    ABOUT_BITS,
    CERTAIN,
    INTERVALS,
    KL,
    MEASURES,
    NOT_PREDICTED,
    about_sizes,
    about_standing_out,
    by_cost,
    certain,
    dearest,
    evidence,
    facts,
    figure,
    findings,
    interval,
    legend,
    mix_columns,
    nominal,
    points,
    short_name,
    title,
    units,
    verdict_rule,
)
from qbench.pages import Entry, Grid, Menu, Part
from qbench.pages.figures import DATA, Spec
from qbench.recommend import Recommendation, Standing
from qbench.report.wording import DEMONSTRATION

TONES = {Standing.CRITICAL: "loss", Standing.SAFE: "gain", Standing.UNDECIDED: "open"}
N_ROWS = 40
"""Units in a table of the page; the Markdown has all."""


def render(maps: Maps) -> str:
    """Return the page."""
    drawn: dict[str, Spec | list[Spec]] = {name: draw(maps) for name, draw in charts.FIGURES.items()}
    specs = {name: spec for name, spec in drawn.items() if _has_records(spec)}
    parts = [part for part in _parts(maps) if part.figure in specs or (part.grids and not part.figure)]
    return pages.render(
        specs,
        title=title(maps),
        kicker="qbench sensitivity",
        notice=DEMONSTRATION if maps.profile.model.name == "nano" else "",
        glances=[_glance(maps, probe) for probe in maps.probes],
        findings=findings(maps),
        parts=parts,
        method=f"{INTERVALS} {NOT_PREDICTED}",
        provenance=facts(maps),
    )


def _has_records(spec: Spec | list[Spec]) -> bool:
    return any(own["datasets"][DATA] for own in (spec if isinstance(spec, list) else [spec]))


def _parts(maps: Maps) -> Iterable[Part]:
    level = nominal(maps)
    probes = [(own.probe.name, own.probe.name.replace("_", " ")) for own in maps.probes]
    probe = [Menu("probe", "probe", probes, probes[0][0])]
    colors = [("own", "each format its own"), ("shared", "one scale for all formats")]
    formats = [(format, format) for format in maps.formats]
    yield Part(
        "map",
        "Where it is fragile",
        f"Each cell is one {maps.profile.unit}, and its color the predicted cost: {MEASURES['predicted cost']} The scale is logarithmic, "
        "and depth runs downwards.",
        "heatmaps",
        "natural panels",
        [*probe, Menu("colors", "colors", colors, "own")],
        legend=legend(maps),
    )
    yield Part(
        "layers",
        "Layer by layer",
        f"What the {units(maps)} of each layer cost, each alone, added up: {KL}, with {level} intervals. Every panel has its own scale.",
        "bars",
        "wide panels",
        probe,
    )
    yield Part(
        "difference",
        "Two kinds of text",
        f"Each {maps.profile.unit}'s share of the predicted cost at {maps.judged} on one probe, less its share on another. Red weighs more "
        "on the first, blue on the second.",
        "differences",
        "natural panels",
        legend=[(CERTAIN, certain(maps))],
        folded=[_contrast(maps, contrast) for contrast in maps.contrasts],
    )
    yield Part(
        "pareto",
        "Cost and size",
        f"KL of the whole model against its size: measured (filled), with {level} intervals, and the sum of what each of the {units(maps)} "
        f"is predicted to cost alone (dash). {about_sizes(maps)} Bits per weight are {ABOUT_BITS}.",
        "pareto",
        "narrow",
        probe,
        [_mixes(maps)] if any(size.role != "format" for size in maps.sizes) else [],
    )
    yield Part(
        "agreement",
        "Predicted against measured",
        f"Every {maps.profile.unit} that was really lowered, with both {level} intervals. On the dashed line the prediction is exact.",
        "agreement",
        "narrow",
        probe,
        [_checks(maps)],
    )
    yield Part(
        "silent",
        "Small weights that matter",
        f"Weight magnitude: {MEASURES['weight magnitude']} Fisher information: {MEASURES['Fisher information']} A policy by magnitude "
        "would lower the units above the diagonal first although the text's likelihood hangs on them; below it the opposite. "
        f"{about_standing_out(maps)} Neither is a cost: they are what is often ranked by instead.",
        "fisher",
        "narrow",
        probe,
        [_silence(maps)],
    )
    yield Part(
        "statistics",
        "Activations and attention",
        "Each layer's output and its attention at full precision (gray) and with the whole model at a format (red). One value over all "
        "tokens of the probe each, so there is no interval; they describe and predict nothing.",
        "statistics",
        "panels",
        [*probe, Menu("format", "format", formats, maps.formats[-1])],
        legend=[(name.replace("_", " "), about) for name, about in STATISTICS.items()],
    )
    first, *others = maps.probes
    yield Part(
        "advice",
        "Safe, critical, undecided",
        verdict_rule(maps),
        grids=[_advice(maps, first.advice)],
        folded=[_advice(maps, own.advice) for own in others],
        notes=[evidence(own) for own in maps.probes],
    )
    shown = (
        f" The {N_ROWS} dearest at {maps.judged}; sensitivity.md has all." if len(maps.profile.units) > N_ROWS else ""
    )
    yield Part(
        "numbers",
        "The numbers",
        f"Predicted and measured cost of each {maps.profile.unit} alone, {KL}, with {level} intervals. Marks as on the map.{shown}",
        grids=[_numbers(maps, first)],
        folded=[
            *(_measured(maps, own) for own in maps.probes if own.measured),
            *(_numbers(maps, own) for own in others),
        ],
    )


def _glance(maps: Maps, probe: ProbeMap) -> Grid:
    """Each format in a line."""
    rows = [
        [
            Entry(total.format, f"{total.bits_per_weight:.2f} bits"),
            Entry(figure(total.predicted.value), interval(total.predicted)),
            Entry(figure(total.measured.value), interval(total.measured)),
            Entry(*dearest(maps, total)),
        ]
        for total in probe.totals
    ]
    head = ["", f"all {units(maps)}, each alone, {KL}", f"measured, all at once, {KL}", "dearest, its share"]
    return Grid(head, rows, f"Every format at a glance, on {probe.probe.name}", is_named=True)


def _checks(maps: Maps) -> Grid:
    rows = [
        [
            Entry(f"{own.probe.name.replace('_', ' ')}, {total.format}"),
            Entry(figure(total.correlation.value), interval(total.correlation)),
            Entry(figure(total.ratio.value), interval(total.ratio)),
            Entry(str(total.correlation.n)),
        ]
        for own in maps.probes
        for total in own.totals
        if total.ratio.n
    ]
    return Grid(
        ["", "rank correlation", "median of predicted / measured", units(maps)], rows, "Predicted against measured cost"
    )


def _silence(maps: Maps) -> Grid:
    rows = [
        [
            Entry(own.probe.name.replace("_", " ")),
            Entry(figure(own.silence.value), interval(own.silence)),
            *(Entry(", ".join(short_name(maps, unit) for unit in side) or "none") for side in (own.silent, own.loud)),
        ]
        for own in maps.probes
    ]
    head = [
        "",
        "rank correlation of magnitude and Fisher",
        "stand out: small weights, high information",
        "large weights, low information",
    ]
    return Grid(head, rows, "Weight magnitude against Fisher information", is_text=True)


def _advice(maps: Maps, advice: Recommendation) -> Grid:
    rows = [
        [
            Entry(short_name(maps, own.unit)),
            Entry(own.standing, tone=TONES[own.standing]),
            Entry(figure(own.share.value), interval(own.share)),
        ]
        for own in advice.advice
    ]
    shown = (
        rows
        if len(rows) <= N_ROWS
        else [*rows[: N_ROWS // 2], [Entry("…"), Entry("…"), Entry("…")], *rows[-N_ROWS // 2 :]]
    )
    about = f"{advice.format} on {advice.probe}: {advice.source} cost a byte saved"
    return Grid(
        ["", "verdict", f"{advice.source} cost a byte saved, over the whole model's"],
        shown,
        about,
        is_text=True,
        is_named=True,
    )


def _mixes(maps: Maps) -> Grid:
    rows = [
        [
            Entry(size.name, size.probe, "total" if size.role == "allocated" else ""),
            Entry(f"{size.bits_per_weight:.3f}"),
            *(
                Entry(figure(own.value), interval(own))
                for own in (size.predicted, size.expected, size.measured, size.ratio)
            ),
            Entry(figure(size.to_allocated.value), interval(size.to_allocated), _tone(size)),
        ]
        for size in maps.sizes
        if size.role != "format"
    ]
    return Grid(["", *mix_columns(maps)], rows, "Allocated mixes and their controls", is_named=True)


def _tone(size: Size) -> str:
    """Of a control: whether it is surely worse or surely better than the allocated mix."""
    low, high = size.to_allocated.interval
    return "gain" if low > 1 else "loss" if high < 1 else ""


def _contrast(maps: Maps, contrast: Contrast) -> Grid:
    first, second = contrast.probes
    rows = [
        [
            Entry(short_name(maps, own.unit)),
            *(Entry(*points(share)) for share in own.shares),
            Entry(*points(own.difference), "" if own.is_certain else "open"),
        ]
        for own in contrast.units[:N_ROWS]
    ]
    return Grid(["", f"{first}, %", f"{second}, %", "difference, points"], rows, f"Shares on {first} and on {second}")


def _numbers(maps: Maps, probe: ProbeMap) -> Grid:
    cells = {(cell.unit, cell.format): cell for cell in probe.cells}
    rows = [
        [
            Entry(short_name(maps, unit)),
            *(
                Entry(f"{figure(cell.predicted.value)} {cell.mark}".rstrip(), interval(cell.predicted))
                for cell in (cells[unit, format] for format in maps.formats)
            ),
        ]
        for unit in by_cost(maps, probe)[:N_ROWS]
    ]
    return Grid(["", *maps.formats], rows, f"Predicted cost on {probe.probe.name}", is_named=True)


def _measured(maps: Maps, probe: ProbeMap) -> Grid:
    cells = {(cell.unit, cell.format): cell.measured for cell in probe.cells}
    rows = [
        [
            Entry(short_name(maps, unit)),
            *(Entry(figure(own.value), interval(own)) for own in (cells[unit, format] for format in maps.formats)),
        ]
        for unit in by_cost(maps, probe)
        if unit in probe.measured
    ]
    return Grid(["", *maps.formats], rows[:N_ROWS], f"Measured cost on {probe.probe.name}")
