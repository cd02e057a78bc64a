"""The tables of a profile's maps as Markdown, every unit of them."""

import re
from collections.abc import Iterator, Sequence

from qbench.contrasts import Contrast
from qbench.maps.compute import Cell, Maps, Mark, ProbeMap, Size
from qbench.maps.wording import (
    INTERVALS,
    KL,
    MEASURES,
    NOT_PREDICTED,
    about_sizes,
    by_cost,
    dearest,
    evidence,
    facts,
    figure,
    findings,
    known,
    legend,
    mix_columns,
    points,
    title,
    units,
    verdict_rule,
)
from qbench.pages.markdown import as_table, safe
from qbench.report.wording import DEMONSTRATION


def render(maps: Maps) -> str:
    """Return the whole document."""
    notice = [f"> {DEMONSTRATION}"] if maps.profile.model.name == "nano" else []
    parts = [f"# {safe(title(maps))}", *notice, _list(_sentence(sentence) for sentence in findings(maps))]
    for probe in maps.probes:
        parts += [f"## {safe(probe.probe.name)}", *_tables(maps, probe)]
    for contrast in maps.contrasts:
        first, second = map(safe, contrast.probes)
        parts += [f"## {first} against {second}", _contrast(maps, contrast)]
    if mixes := [size for size in maps.sizes if size.role != "format"]:
        parts += ["## Mixes", about_sizes(maps), _mixes(maps, mixes)]
    parts += ["## How these numbers were made", f"{INTERVALS} {NOT_PREDICTED}"]
    parts.append(_list(f"{name}: {about}" for name, about in MEASURES.items()))
    parts.append(_list(f"{name}: {safe(value, None)}" for name, value in facts(maps)))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    """A sentence of ours with names from files in it; intervals are no links and stay as they are."""
    return re.sub(r"\\\[([-−–+\d.,e ]+)\\\](?!\()", r"[\1]", safe(text, None))


def _list(lines: Iterator[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _tables(maps: Maps, probe: ProbeMap) -> Iterator[str]:
    totals = [
        [
            total.format,
            f"{total.bits_per_weight:.2f}",
            known(total.predicted),
            known(total.measured),
            ", ".join(safe(part) for part in dearest(maps, total) if part),
            known(total.correlation),
            known(total.ratio),
        ]
        for total in probe.totals
    ]
    head = [
        "",
        "bits per weight",
        f"all {units(maps)}, each alone, {KL}",
        f"measured, all at once, {KL}",
        "dearest, its share",
    ]
    yield as_table([*head, "rank correlation with measured", "median of predicted / measured"], totals)
    yield f"Predicted cost of each {maps.profile.unit} alone, {KL}, the dearest at {maps.judged} first:"
    cells = {(cell.unit, cell.format): cell for cell in probe.cells}
    order = by_cost(maps, probe)
    predicted = [
        [safe(unit), *(f"{known(own.predicted)} {own.mark}".rstrip() for own in _row(cells, maps, unit))]
        for unit in order
    ]
    yield as_table(["", *maps.formats], predicted)
    yield _list(f"{mark} {about}" for mark, about in legend(maps) if mark is not Mark.NONE)
    if probe.measured:
        yield "Measured cost of those that were lowered alone:"
        measured = [
            [safe(unit), *(known(own.measured) for own in _row(cells, maps, unit))]
            for unit in order
            if unit in probe.measured
        ]
        yield as_table(["", *maps.formats], measured)
    yield f"{verdict_rule(maps)} {_sentence(evidence(probe))}"
    advice = [[safe(own.unit), str(own.standing), known(own.share)] for own in probe.advice.advice]
    yield as_table(["", "verdict", f"{probe.advice.source} cost a byte saved, over the whole model's"], advice)
    ranked = [
        [safe(own.unit), figure(own.magnitude), f"{own.magnitude_rank:g}", figure(own.fisher), f"{own.fisher_rank:g}"]
        for own in sorted(probe.ranked, key=lambda own: own.fisher_rank - own.magnitude_rank)
    ]
    about = "Weight magnitude against Fisher information, small weights with much information first; rank correlation"
    yield f"{about} {known(probe.silence)}:"
    yield as_table(["", "mean \\|w\\|", "rank", "Fisher information", "rank"], ranked)


def _row(cells: dict[tuple[str, str], Cell], maps: Maps, unit: str) -> list[Cell]:
    return [cells[unit, format] for format in maps.formats]


def _mixes(maps: Maps, sizes: Sequence[Size]) -> str:
    rows = [
        [
            safe(size.name),
            safe(size.probe),
            f"{size.bits_per_weight:.3f}",
            known(size.predicted),
            known(size.expected),
            known(size.measured),
            known(size.ratio),
            known(size.to_allocated),
        ]
        for size in sizes
    ]
    return as_table(["", "probe", *mix_columns(maps)], rows)


def _contrast(maps: Maps, contrast: Contrast) -> str:
    first, second = map(safe, contrast.probes)
    rows = [
        [
            safe(own.unit),
            *(" ".join(points(value)) for value in (*own.shares, own.difference)),
            "yes" if own.is_certain else "",
        ]
        for own in contrast.units
    ]
    return as_table(["", f"{first}, %", f"{second}, %", "difference, points", "certain"], rows)
