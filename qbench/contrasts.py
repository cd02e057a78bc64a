"""Sensitivity profiles laid side by side: two kinds of text, two ways to rank, two levels.

Quantitative against qualitative questions, arithmetic against algebra, magnitude against Fisher, activations at 8 against 4 bits: what the
source documents show as two pictures, as differences with intervals, and as rank correlations beside the highest that noise allows.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from qbench.errors import ProfileError
from qbench.profiles import FULL_PRECISION, Activations, Attention, Cost, Probe, Profile
from qbench.recommend import why_no_shares
from qbench.stats import Agreement, Interval, check_confidence, joint_confidence, rank_correlation, ratio_of_sums

STATISTICS_AT = ("q8", "q4")
"""The levels whose activations the documents compare; where a profile lacks them, its widest and its narrowest format."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UnitContrast:
    """One unit's share of the cost of all units, on two probes."""

    unit: str
    shares: tuple[Agreement, Agreement]
    difference: Agreement
    """First less second, of the shares; the intervals of all units hold at once."""

    @property
    def is_certain(self) -> bool:
        return self.difference.interval.low > 0 or self.difference.interval.high < 0


@dataclass(frozen=True)
class Contrast:
    """Two probes of one profile, at one format."""

    probes: tuple[str, str]
    format: str
    correlation: Agreement
    """Of the units' costs on the one and on the other: 1 where both texts need the same units."""
    ceiling: float
    """What the correlation would be if both probes asked for the same and differed by their draw of sequences alone: the geometric mean of
    their reliabilities, each from the correlation r of its two halves by 2r / (1 + r) (Spearman 1910, Brown 1910)."""
    units: tuple[UnitContrast, ...]
    """The largest differences first."""

    @property
    def why_no_shares(self) -> str:
        """Why there are no shares to compare, in a sentence; empty where there are."""
        found = {probe: why_no_shares([unit.shares[i] for unit in self.units]) for i, probe in enumerate(self.probes)}
        return " ".join(
            f"On {probe} no unit has a share of the cost at {self.format}: {why}."
            for probe, why in found.items()
            if why
        )


def side_by_side(profile: Profile, first: str, second: str, *, format: str = "", confidence: float = 0.95) -> Contrast:
    """Lay the predicted costs of two probes side by side.

    Args:
        profile: that has both.
        first, second: names of probes.
        format: name of a format; q4 if the profile has it, else the middle one.
        confidence: of the intervals; those of the differences hold for all units at once.

    Raises:
        ProfileError: the profile has no such probe or format, or the two are one.
    """
    if first == second:
        raise ProfileError(f"The probe {first} cannot be set beside itself; name two probes.")
    name = profile.format(format)
    ours, theirs = (profile.probe(own) for own in (first, second))
    joint = joint_confidence(confidence, len(profile.units))
    shares = [_shares(profile, probe, name, joint) for probe in (ours, theirs)]
    found = [
        UnitContrast(unit.name, (one, other), _difference(one, other, joint))
        for unit, one, other in zip(profile.units, *shares, strict=True)
    ]
    costs = [_values(profile, probe, name) for probe in (ours, theirs)]
    return Contrast(
        probes=(first, second),
        format=name,
        correlation=rank_correlation(*costs, confidence=confidence),
        ceiling=math.sqrt(reliability(profile, ours, name) * reliability(profile, theirs, name)),
        units=tuple(sorted(found, key=lambda own: -abs(own.difference.value))),
    )


def reliability(profile: Profile, probe: Probe, format: str) -> float:
    """Rank correlation that two draws of this probe's text would have: of its halves, corrected for their size (Spearman-Brown).

    0 where the halves contradict each other; NaN where they are not known, of fewer than five units, or all the same.
    """
    halves = np.array([probe.predicted[unit.name][format].halves for unit in profile.units])
    r = rank_correlation(halves[:, 0], halves[:, 1]).value
    return 0.0 if r < 0 else 2 * r / (1 + r)


def _values(profile: Profile, probe: Probe, format: str) -> Array:
    return np.array([probe.predicted[unit.name][format].value for unit in profile.units])


def _shares(profile: Profile, probe: Probe, format: str, confidence: float) -> list[Agreement]:
    missing = (math.nan,) * probe.n_sequences
    nats = np.array([probe.predicted[unit.name][format].sequences or missing for unit in profile.units])
    return [ratio_of_sums(row, nats.sum(0), confidence=confidence) for row in nats]


def _difference(one: Agreement, other: Agreement, confidence: float) -> Agreement:
    """Of two independent estimates with Student's intervals: theirs gives back the errors, and Welch's degrees of freedom the new one."""
    at = (1 + confidence) / 2
    value, n = one.value - other.value, min(one.n, other.n)
    squares = [((own.interval.high - own.interval.low) / 2 / float(t.ppf(at, own.n - 1))) ** 2 for own in (one, other)]
    if n < 2 or not sum(squares) > 0:
        return Agreement(value, Interval(math.nan, math.nan), n)
    freedom = sum(squares) ** 2 / sum(own**2 / (side.n - 1) for own, side in zip(squares, (one, other), strict=True))
    reach = math.sqrt(sum(squares)) * float(t.ppf(at, freedom))
    return Agreement(value, Interval(value - reach, value + reach), n)


# ---------------------------------------------------------------- ways to rank


@dataclass(frozen=True)
class Ranking:
    """A way to rank units, and how far it goes with the measured cost."""

    name: str
    scores: tuple[float, ...]
    """In the order of the profile's units."""
    with_measured: Agreement
    """Rank correlation with the measured cost, over the units that were measured."""
    with_predicted: Agreement


def rankings(profile: Profile, probe: Probe, format: str, *, confidence: float = 0.95) -> list[Ranking]:
    """Every indicator of the profile as a way to rank units, the predicted cost first."""
    units = profile.units
    measured = np.array([probe.measured[unit.name][format].value for unit in units])
    predicted = _values(profile, probe, format)
    outputs = {place.name: place.activations.get(FULL_PRECISION) for place in probe.places}
    named: dict[str, Sequence[float]] = {
        "predicted cost": predicted.tolist(),
        "error of the weights, squared": [unit.squared_error[format] for unit in units],
        "error of the weights, relative": [unit.relative_error[format] for unit in units],
        "diagonal Fisher": [probe.fisher[unit.name] for unit in units],
        "gradient magnitude": [probe.gradient[unit.name] for unit in units],
        "signed gradient · ΔW": [probe.signed[unit.name][format] for unit in units],
        "weight magnitude": [unit.magnitude for unit in units],
        **{
            f"activations: {field.name.replace('_', ' ')}": [
                getattr(outputs.get(unit.name), field.name, math.nan) for unit in units
            ]
            for field in fields(Activations)
        },
        "depth": [float(place) for place in range(len(units))],
    }
    return [
        Ranking(
            name,
            tuple(scores),
            rank_correlation(scores, measured, confidence=confidence),
            rank_correlation(scores, predicted, confidence=confidence),
        )
        for name, scores in named.items()
    ]


def silence(profile: Profile, probe: Probe, *, confidence: float = 0.95) -> Agreement:
    """Rank correlation of the weight magnitude with the Fisher information: low where small weights carry much information."""
    magnitude, fisher = [unit.magnitude for unit in profile.units], [probe.fisher[unit.name] for unit in profile.units]
    return rank_correlation(magnitude, fisher, confidence=confidence)


# ---------------------------------------------------------------- tables


@dataclass(frozen=True)
class Table:
    """A table with a sentence above and below, as aligned Markdown, which a terminal shows as well."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            padded = [
                cells[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
            ]
            return f"| {' | '.join(padded)} |"

        rule = f"|{'-' * (widths[0] + 2)}|" + "".join(f"{'-' * (width + 1)}:|" for width in widths[1:])
        return "\n".join(
            [self.caption, "", line(self.heads), rule, *map(line, self.rows), *(["", self.note] if self.note else [])]
        )


def show(profile: Profile, *, contrast: Sequence[str] = (), format: str = "", confidence: float = 0.95) -> str:
    """Say in tables what a profile holds.

    Args:
        profile: as `qbench.profiles.read` reads it.
        contrast: two probes to lay side by side; the first two where there are two.
        format: of the costs that are shown; q4 if the profile has it, else the middle one.
        confidence: of every interval.

    Raises:
        ProfileError: the profile has no such probe or format, or not two probes are named.
        QBenchError: the confidence is not between 0 and 1.
    """
    check_confidence(confidence)
    if contrast and len(contrast) != 2:
        raise ProfileError(f"A contrast is of two probes, not of {len(contrast)} ({', '.join(contrast)}).")
    name = profile.format(format)
    pair = tuple(contrast) or tuple(probe.name for probe in profile.probes[:2])
    parts = [_head(profile)]
    for probe in profile.probes:
        parts += [
            str(costs_table(profile, probe, name)),
            str(rankings_table(profile, probe, name, confidence=confidence)),
        ]
    if len(pair) == 2:
        parts.append(str(contrast_table(side_by_side(profile, *pair, format=name, confidence=confidence))))
    for probe in profile.probes:
        found = (magnitude_table(profile, probe, confidence=confidence), *layer_tables(profile, probe))
        parts += [str(table) for table in found]
    return "\n\n".join(parts)


def _head(profile: Profile) -> str:
    model = profile.model
    probes = "; ".join(
        f"{probe.name}: {probe.n_sequences} sequences of {', '.join(probe.tasks)}, {probe.n_scored:,} scored tokens"
        + (f", {probe.n_left_out} too long and left out" if probe.n_left_out else "")
        for probe in profile.probes
    )
    return (
        f"{model.name} ({model.n_parameters:,} parameters, sha256 {model.sha256[:12]}), {len(profile.units)} units ({profile.unit}), "
        f"formats {', '.join(profile.formats)}.\n{probes}."
    )


def costs_table(profile: Profile, probe: Probe, format: str) -> Table:
    measured = any(not row[format].is_missing for row in probe.measured.values())
    heads = ("unit", "predicted", "share") + (("measured alone", "given back alone") if measured else ())
    total = sum(row[format].value for row in probe.predicted.values())
    rows = []
    for unit in profile.units:
        own = probe.predicted[unit.name][format]
        cells = [unit.name, _cell(own), f"{100 * own.value / total:.1f} %" if total > 0 else "–"]
        if measured:
            cells += [_cell(probe.measured[unit.name][format]), _cell(probe.restored[unit.name][format])]
        rows.append(tuple(cells))
    note = f"All units together, measured: {probe.lowered[format]}." if not probe.lowered[format].is_missing else ""
    caption = f"Cost at {format} on {probe.name}: nats of KL a scored token, ± its standard error"
    return Table(caption, heads, tuple(rows), note)


def _cell(cost: Cost) -> str:
    return "–" if cost.is_missing else str(cost)


def rankings_table(profile: Profile, probe: Probe, format: str, *, confidence: float = 0.95) -> Table:
    found = rankings(profile, probe, format, confidence=confidence)
    n_measured, n_predicted = found[0].with_measured.n, found[0].with_predicted.n
    rows = tuple(
        (own.name, _agreement(own.with_measured, n_measured), _agreement(own.with_predicted, n_predicted))
        for own in found
    )
    caption = f"What else could rank the units at {format} on {probe.name}: rank correlation over units"
    heads = ("ranked by", f"with measured cost, {n_measured} units", f"with predicted cost, {n_predicted} units")
    return Table(caption, heads, rows)


def _agreement(found: Agreement, n: int | None = None) -> str:
    """A correlation, and over how many units it is where that is not what a head says."""
    if math.isnan(found.value):
        return "–"
    said = f"{found.value:+.2f} [{found.interval.low:+.2f}, {found.interval.high:+.2f}]"
    return said if n in (None, found.n) else f"{said}, {found.n} units"


def contrast_table(found: Contrast) -> Table:
    first, second = found.probes
    rows = tuple(
        (
            own.unit,
            *("–" if math.isnan(share.value) else f"{100 * share.value:.1f} %" for share in own.shares),
            _points(own.difference),
            "yes" if own.is_certain else "",
        )
        for own in found.units
    )
    n_certain = sum(own.is_certain for own in found.units)
    note = (
        f"Rank correlation of the two {_agreement(found.correlation)} over {found.correlation.n} units; with the same needs, noise alone "
        f"would leave {'–' if math.isnan(found.ceiling) else f'{found.ceiling:.2f}'}. "
        f"{found.why_no_shares or f'{n_certain} of {len(found.units)} units differ for certain; the intervals hold at once.'}"
    )
    caption = f"{first} against {second} at {found.format}: each unit's share of the predicted cost, and the difference in points"
    return Table(caption, ("unit", first, second, "difference", "certain"), rows, note)


def _points(found: Agreement) -> str:
    value, low, high = (100 * own for own in (found.value, *found.interval))
    return "–" if math.isnan(low) else f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def magnitude_table(profile: Profile, probe: Probe, *, confidence: float = 0.95) -> Table:
    """Units that the weight magnitude and the Fisher information rank most differently: the silent ones on top."""
    magnitude = np.array([unit.magnitude for unit in profile.units])
    information = np.array([probe.fisher[unit.name] for unit in profile.units])
    places = [np.argsort(np.argsort(-scores)) + 1 for scores in (magnitude, information)]
    order = np.argsort(places[1] - places[0], kind="stable")
    rows = tuple(
        (
            profile.units[at].name,
            f"{magnitude[at]:.3g}",
            str(places[0][at]),
            f"{information[at]:.3g}",
            str(places[1][at]),
            f"{places[0][at] - places[1][at]:+d}",
        )
        for at in order
    )
    agreement = silence(profile, probe, confidence=confidence)
    note = f"Rank correlation {_agreement(agreement)} over {agreement.n} units. On top: small weights that the loss feels most."
    heads = ("unit", "magnitude", "rank", "Fisher", "rank", "ranks higher by Fisher")
    return Table(f"Weight magnitude against Fisher information on {probe.name}", heads, rows, note)


def layer_tables(profile: Profile, probe: Probe) -> Iterator[Table]:
    """Activations and attention, layer by layer, at two levels and by how much they change."""
    names = list(profile.formats)
    wide, narrow = STATISTICS_AT if {*STATISTICS_AT} <= {*names} else (names[0], names[-1])
    units = {unit.name for unit in profile.units}
    layers = [
        place for place in probe.places if place.activations and (place.name not in units or profile.unit == "layer")
    ]
    looks = [place for place in probe.places if place.attention]
    kinds = (
        ("What layers put out", Activations, [(place.name, place.activations) for place in layers]),
        ("How heads look", Attention, [(place.name, place.attention) for place in looks]),
    )
    for caption, kind, found in kinds:
        measures = [field.name for field in fields(kind)]
        rows = tuple(
            (
                name,
                *(
                    f"{getattr(by_level[wide], measure):.3g} → {getattr(by_level[narrow], measure):.3g}"
                    for measure in measures
                ),
            )
            for name, by_level in found
            if {wide, narrow} <= by_level.keys()
        )
        if rows:
            heads = ("place", *(measure.replace("_", " ") for measure in measures))
            yield Table(f"{caption} on {probe.name}: the whole model at {wide} → at {narrow}", heads, rows)
