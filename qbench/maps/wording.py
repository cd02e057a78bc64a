"""How the maps of a profile read, in every format."""

import math
import re
from collections.abc import Mapping

from qbench.maps.compute import N_APART, Maps, Mark, ProbeMap, Reading, Total
from qbench.profiles import Probe
from qbench.recommend import FACTOR, Standing
from qbench.report.wording import MISSING
from qbench.stats import Agreement

KL = "nats a token"
COST = "predicted cost"
SUM = "sum of its units"
"""What each unit of a format or of a mix costs alone, added up."""
CERTAIN = "●"
"""On a cell whose difference is certain."""
MARKS = {
    Mark.NOTHING: "not distinguishable from 0",
    Mark.NEIGHBOURS: "not distinguishable from its neighbours",
    Mark.NONE: "",
}


def legend(maps: Maps) -> list[tuple[str, str]]:
    """Every mark and what it means."""
    level = nominal(maps)
    return [
        (Mark.NOTHING, f"not distinguishable from 0: its {level} interval reaches 0"),
        (
            Mark.NEIGHBOURS,
            f"not distinguishable from its neighbours, the same unit one layer up and down: the {level} intervals of both differences, "
            "on the same text, hold 0",
        ),
    ]


MEASURES = {
    "predicted cost": "the KL divergence of the model's next-token distribution when this unit alone is lowered, in nats a scored token, "
    "to second order: half the quadratic form of the Fisher information with the change that the format makes to the weights.",
    "measured cost": "the same divergence, of the model in which the unit really was lowered.",
    "weight magnitude": "the mean absolute weight of a unit; it knows neither text nor format.",
    "Fisher information": "the mean over a unit's weights of the squared gradient of the text's log-likelihood; it knows the text and no "
    "format.",
}
"""What each measure means, in one sentence."""

NOT_PREDICTED = (
    "What these maps do not say: how many answers become wrong (a sweep of a mix measures that); what two units cost together, which is "
    "the sum of both only while both are small, so at 2 or 3 bits the sum can be far off; anything about text unlike the probe's; and "
    "anything about activations or caches that are quantized too."
)
ABOUT_BITS = (
    "of the whole model, with what no format applies to, such as norms, at full precision; qbench levels counts a lowered weight "
    "alone"
)
INTERVALS = (
    "Intervals are over the sequences of the probe, Student's t: where another draw of as many sequences like these would land. They hold "
    "one by one; of a map of hundreds of cells, some of the marks are chance."
)


def nominal(maps: Maps) -> str:
    """The confidence of every interval."""
    return f"{100 * maps.confidence:g} %"


def title(maps: Maps) -> str:
    return f"What each part of {maps.profile.model.name or 'the model'} costs when it is lowered"


def units(maps: Maps) -> str:
    """What the units are, in the plural."""
    return f"{maps.profile.unit}s"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun if n == 1 else f'{noun}s'}"


def short_name(maps: Maps, unit: str) -> str:
    """A unit by its place on the map: ``layer 3 down_proj``."""
    spot = maps.layout.spots[unit]
    return f"layer {spot.row} {spot.column}" if spot.column else spot.row


def by_cost(maps: Maps, probe: ProbeMap) -> list[str]:
    """The units, the dearest at the judged format first."""
    costs = {cell.unit: cell.predicted.value for cell in probe.cells if cell.format == maps.judged}
    return sorted(costs, key=lambda unit: (math.isnan(costs[unit]), -costs[unit]))


def figure(value: float, digits: int = 3) -> str:
    """A number of any size with so many digits: ``0.0123``, ``1.23e-5``."""
    if math.isnan(value):
        return MISSING
    if 0 < abs(value) < 1e-3:
        text = re.sub(r"e-0*", "e-", f"{value:.{digits - 1}e}")
    else:
        text = f"{value:#.{digits}g}".rstrip(".") if value else "0"
    return re.sub(r"^-", "−", text)


def interval(reading: Reading | Agreement) -> str:
    low, high = reading.interval if isinstance(reading, Agreement) else (reading.low, reading.high)
    return "" if math.isnan(low + high) else f"[{figure(low, 2)}, {figure(high, 2)}]"


def known(reading: Reading | Agreement) -> str:
    """``0.0123 [0.010, 0.015]``."""
    return f"{figure(reading.value)} {interval(reading)}".strip()


def percent(share: Agreement) -> str:
    """``23 % [20, 26]``."""
    if math.isnan(share.value):
        return MISSING
    value, low, high = (figure(100 * number, 2) for number in (share.value, *share.interval))
    return f"{value} % [{low}, {high}]"


def points(share: Agreement) -> tuple[str, str]:
    """A share or a difference of shares and its interval, in percent or in points."""
    if math.isnan(share.value):
        return MISSING, ""
    value, low, high = (f"{100 * number:.1f}".replace("-", "−") for number in (share.value, *share.interval))
    return value, f"[{low}, {high}]"


def dearest(maps: Maps, total: Total) -> tuple[str, str]:
    """The unit that costs the most at a format, and its share; no unit is that while another one has no cost."""
    return (MISSING, "") if total.predicted.is_missing else (short_name(maps, total.dearest), percent(total.share))


def findings(maps: Maps) -> list[str]:
    """What a reader wants to know first, each number with its interval."""
    format, found = maps.judged, []
    for probe in maps.probes:
        total = next(total for total in probe.totals if total.format == format)
        if not total.predicted.is_missing:
            name, share = dearest(maps, total)
            found.append(
                f"At {format} on {probe.probe.name}, {name} costs the most: "
                f"{known(probe.cell(total.dearest, format).predicted)} {KL}, {share} of what all "
                f"{len(maps.profile.units)} {units(maps)} cost, each alone."
            )
        else:
            n_missing = sum(cell.predicted.is_missing for cell in probe.cells if cell.format == format)
            found.append(
                f"At {format} on {probe.probe.name}, a predicted cost is missing for {n_missing} of {len(maps.profile.units)} "
                f"{units(maps)}, so nothing is known of all together."
            )
    for probe in maps.probes:
        total = next(total for total in probe.totals if total.format == format)
        if not math.isnan(total.correlation.value):
            found.append(
                f"On {probe.probe.name} the prediction was checked at {format}: rank correlation with the measured cost "
                f"{known(total.correlation)} over {total.correlation.n} {units(maps)}, median of predicted over measured "
                f"{known(total.ratio)}."
            )
        else:
            found.append(f"At {format} on {probe.probe.name}: {probe.advice.evidence}")
    for contrast in maps.contrasts:
        first, second = contrast.probes
        certain = sum(own.is_certain for own in contrast.units)
        said = contrast.why_no_shares or (
            f"{certain} of {len(contrast.units)} {units(maps)} weigh differently on {first} and on {second} for certain, at {format}."
        )
        found.append(
            f"{said} The rank correlation of the two maps is {known(contrast.correlation)}, and noise alone would leave "
            f"{figure(contrast.ceiling, 2)}."
        )
    found += [verdicts(maps, probe) for probe in maps.probes]
    return found


def verdicts(maps: Maps, probe: ProbeMap) -> str:
    """How many units are safe, critical or undecided."""
    advice = probe.advice
    counts = {
        standing: sum(own.standing is standing for own in advice.advice)
        for standing in (Standing.SAFE, Standing.CRITICAL, Standing.UNDECIDED)
    }
    said = ", ".join(f"{count} {standing}" for standing, count in counts.items())
    return f"Of the {len(advice.advice)} {units(maps)} at {advice.format} on {probe.probe.name}, by {advice.source} costs: {said}."


def verdict_rule(maps: Maps) -> str:
    return (
        f"What a {maps.profile.unit} costs for a byte saved at {maps.judged}, over what all of them cost for a byte saved. Critical is "
        f"surely above {FACTOR:g}, safe surely below {1 / FACTOR:g}, by intervals that hold for all {units(maps)} at once. No verdict is "
        "given where the order does not beat depth order and random order."
    )


def evidence(probe: ProbeMap) -> str:
    """What the verdicts on a probe rest on."""
    return f"On {probe.probe.name}: {probe.advice.basis}"


def about_sizes(maps: Maps) -> str:
    """What the points of the map of sizes are."""
    formats = "A format is everything lowered to it, on the profile's own text."
    if all(size.role == "format" for size in maps.sizes):
        return formats
    return (
        f"{formats} A mix that qbench allocate chose stands beside controls of the same size that know less, all measured on text that "
        "the profile was not made from; of the controls, the best is named. What a mix is expected to cost (ring) is what qbench "
        f"allocate promises: the sum of its {units(maps)} with what they do to one another, read off the formats that were measured. "
        "A control above 1 in the last column is worse than the allocated mix."
    )


def mix_columns(maps: Maps) -> list[str]:
    """What is said of each mix."""
    return [
        "bits per weight",
        f"sum of its {units(maps)}, each alone, {KL}",
        f"expected, {KL}",
        f"measured, {KL}",
        "measured / expected",
        "measured, over the allocated mix's",
    ]


def certain(maps: Maps) -> str:
    """When a difference between two probes is certain."""
    return (
        f"certain: the interval of the difference leaves out 0. A cell without a dot may not differ at all. The {nominal(maps)} intervals "
        f"hold for all {units(maps)} at once."
    )


def about_standing_out(maps: Maps) -> str:
    """Which units the map of ranks picks out."""
    return (
        f"Colored and listed are the {N_APART} on each side (more at a tie) whose ranks differ the most, by a third of all {units(maps)} "
        "at least; the figure names those for whose name there is room."
    )


def facts(maps: Maps) -> list[tuple[str, str]]:
    """Where the numbers come from."""
    profile = maps.profile
    formats = ", ".join(
        f"{name} ({level.bits} bits, groups of {level.group_size or 'a row'}, {'symmetric' if level.symmetric else 'with zero points'})"
        for name, level in profile.formats.items()
    )
    probes = [(f"probe {own.probe.name}", _text_of(own.probe)) for own in maps.probes]
    return [
        (
            "model",
            f"{profile.model.name}, SHA-256 {profile.model.sha256[:16]}, {profile.model.n_parameters:,} parameters",
        ),
        ("units", _counted(len(profile.units), profile.unit)),
        ("formats", formats),
        ("bits per weight", ABOUT_BITS),
        *probes,
        ("draws", f"{profile.draws} a sequence, seed {profile.seed}"),
        ("asked for", _pairs(profile.settings)),
        ("bank", _pairs(profile.bank)),
        ("versions", _pairs({"qbench": profile.qbench} | profile.versions)),
        ("intervals", nominal(maps)),
        ("profile", f"SHA-256 {maps.sha256[:16]}"),
    ]


def _text_of(probe: Probe) -> str:
    """What text a probe is."""
    split = f", {probe.split} split" if probe.split else ""
    too_long = f", {_counted(probe.n_left_out, 'item')} too long" if probe.n_left_out else ""
    return (
        f"{', '.join(probe.tasks)}; {_responses(probe.responses)}{split}; {_counted(probe.n_sequences, 'sequence')}, "
        f"{probe.n_scored:,} scored of {_counted(probe.n_tokens, 'token')}{too_long}; SHA-256 {probe.sha256[:16]}"
    )


def _pairs(table: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in table.items()) or MISSING


def _responses(kind: str) -> str:
    return {"reference": "the items' own answers", "own": "the model's own answers"}.get(kind, "plain text")
