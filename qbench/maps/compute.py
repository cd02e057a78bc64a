"""Every number that the maps of a sensitivity profile show, computed once."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

from qbench import profiles, validation
from qbench.allocate import Curve
from qbench.contrasts import Contrast, side_by_side, silence
from qbench.profiles import FULL_PRECISION, Cost, Probe, Profile, Unit
from qbench.recommend import Recommendation, recommend
from qbench.stats import Agreement, Interval, median_ratio, rank_correlation, ratio_of_sums
from qbench.validation import Validation, mix_agreements

UNKNOWN = Agreement(math.nan, Interval(math.nan, math.nan), 0)
N_APART = 4
"""Units that stand out by their ranks on each side of the diagonal; more where the last of them are as far from it."""


@dataclass(frozen=True)
class Reading:
    """A number with its interval; NaN where nothing is known."""

    value: float
    low: float
    high: float

    @property
    def is_missing(self) -> bool:
        return math.isnan(self.value)


class Mark(StrEnum):
    """What an interval forbids to read into a cell."""

    NONE = ""
    NOTHING = "0"
    """Its interval reaches 0."""
    NEIGHBOURS = "≈"
    """Its differences from the units of the same kind in the layers before and after it have intervals that hold 0."""


@dataclass(frozen=True)
class Spot:
    """Where a unit stands on a map: its layer, and what it is inside of it. What belongs to no layer has a row of its own."""

    row: str
    column: str
    """Empty where the unit fills its row."""


@dataclass(frozen=True)
class Layout:
    """Rows and columns of a map, in the model's order."""

    spots: Mapping[str, Spot]
    """By the name of the unit."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    before: tuple[str, ...]
    """Rows above the layers, such as the embedding."""
    after: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One unit at one format on one probe."""

    unit: str
    format: str
    predicted: Reading
    measured: Reading
    mark: Mark


@dataclass(frozen=True)
class Row:
    """All units of one layer at one format: the sum of what each of them costs alone."""

    name: str
    format: str
    predicted: Reading


@dataclass(frozen=True)
class Total:
    """The whole model at one format."""

    format: str
    bits_per_weight: float
    predicted: Reading
    """The sum of what each unit costs alone."""
    measured: Reading
    """KL with everything lowered at once."""
    correlation: Agreement
    """Rank correlation of predicted with measured costs of the units, each lowered alone."""
    ratio: Agreement
    """Median of predicted over measured."""
    dearest: str
    """The unit with the highest predicted cost."""
    share: Agreement
    """Its part of the sum."""


@dataclass(frozen=True)
class Ranked:
    """A unit by two measures that know nothing of a format; rank 1 is the largest."""

    unit: str
    magnitude: float
    fisher: float
    magnitude_rank: float
    fisher_rank: float
    stands_out: bool
    """Whether its ranks are among those that differ the most, and by a third of the units at least."""

    @property
    def apart(self) -> float:
        """How far it is from the diagonal; above 0 are small weights that carry much information."""
        return self.magnitude_rank - self.fisher_rank


@dataclass(frozen=True)
class Statistic:
    """One statistic of one layer at full precision and with the whole model at a format. One value over all tokens: without interval."""

    name: str
    """Of STATISTICS."""
    format: str
    layer: int
    base: float
    lowered: float


@dataclass(frozen=True)
class ProbeMap:
    """What one probe says."""

    probe: Probe
    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    totals: tuple[Total, ...]
    ranked: tuple[Ranked, ...]
    silence: Agreement
    """Rank correlation of weight magnitude with Fisher information."""
    advice: Recommendation
    """At the format that is judged."""
    statistics: tuple[Statistic, ...]

    @property
    def measured(self) -> set[str]:
        """Units that were lowered alone at any format."""
        return {cell.unit for cell in self.cells if not cell.measured.is_missing}

    @property
    def silent(self) -> list[str]:
        """Units that stand out for small weights that carry much information, the most first."""
        return [own.unit for own in sorted(self.ranked, key=lambda own: -own.apart) if own.stands_out and own.apart > 0]

    @property
    def loud(self) -> list[str]:
        """Units that stand out for large weights that carry little information, the least first."""
        return [own.unit for own in sorted(self.ranked, key=lambda own: own.apart) if own.stands_out and own.apart < 0]

    def cell(self, unit: str, format: str) -> Cell:
        return next(cell for cell in self.cells if (cell.unit, cell.format) == (unit, format))


@dataclass(frozen=True)
class Size:
    """A whole model of some size on one probe."""

    probe: str
    name: str
    role: str
    """``format`` for all units at one format, on the profile's own text; ``allocated`` and ``control`` for mixes of a validation,
    measured on text that the profile was not made from."""
    bits_per_weight: float
    predicted: Reading
    """The sum of what each unit costs alone."""
    expected: Reading
    """Of a mix: the same with what units do to one another (see `qbench.allocate.curve`). Formats are where that is read off."""
    measured: Reading
    ratio: Agreement
    """Of a mix: measured over expected, on different text."""
    to_allocated: Agreement
    """Of a control: its measured KL over that of the allocated mix, on the same text."""
    is_best: bool = False
    """Of the controls of a validation on this probe, whether it has the lowest measured KL."""


@dataclass(frozen=True)
class Maps:
    """Everything that the pictures of a profile show."""

    profile: Profile
    confidence: float
    judged: str
    """The format that sentences and verdicts are about."""
    layout: Layout
    probes: tuple[ProbeMap, ...]
    sizes: tuple[Size, ...]
    contrasts: tuple[Contrast, ...]
    """The first probe beside each of the others, at the format that is judged."""
    sha256: str
    """Of the profile's file."""

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(self.profile.formats)


def compute(
    path: Path, validations: Sequence[Path] = (), *, format: str = "", confidence: float = 0.95, seed: int = 0
) -> Maps:
    """
    Args:
        path: of the profile.
        validations: files that ``qbench sensitivity validate`` wrote of mixes of this profile.
        format: that sentences and verdicts are about; q4 if the profile has it, else the middle one.
        confidence: of every interval.
        seed: of the random orders that a checked order has to beat.

    Raises:
        ProfileError: a file cannot be read, the profile has no such format, or a validation is of another profile.
    """
    profile = profiles.read(path)
    judged = profile.format(format)
    layout = lay_out(profile.units)
    validated = [replace(own, confidence=confidence) for own in validation.read_all(validations, path, profile)]
    made = [
        _probe_map(
            profile, layout, probe, judged, confidence, validation.fresh_nats(validated, probe.name, judged), seed
        )
        for probe in profile.probes
    ]
    first, *others = (probe.name for probe in profile.probes)
    contrasts = tuple(side_by_side(profile, first, own, format=judged, confidence=confidence) for own in others)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    sizes = [
        *(size for own in made for size in _formats(own)),
        *(size for own in validated for size in _mixes(own, profile)),
    ]
    return Maps(profile, confidence, judged, layout, tuple(made), tuple(sizes), contrasts, sha256)


def _formats(own: ProbeMap) -> Iterable[Size]:
    for total in own.totals:
        yield Size(
            own.probe.name,
            total.format,
            "format",
            total.bits_per_weight,
            total.predicted,
            Reading(math.nan, math.nan, math.nan),
            total.measured,
            UNKNOWN,
            UNKNOWN,
        )


def _mixes(validated: Validation, profile: Profile) -> Iterable[Size]:
    curves = {probe.name: Curve.of(probe) for probe in profile.probes}
    bits = {mix.name: mix.bits_per_weight for mix in validated.mixes}
    found = list(mix_agreements(validated))
    for probe in dict.fromkeys(own.probe for own in found):
        first, *controls = (own for own in found if own.probe == probe)
        best = min(controls, key=lambda own: own.measured.value, default=first)
        for own in (first, *controls):
            yield Size(
                probe,
                own.mix,
                "allocated" if own is first else "control",
                bits[own.mix],
                Reading(*own.predicted),
                Reading(own.expected, *(curves[probe].expected(end) for end in own.predicted[1:])),
                Reading(*own.measured),
                own.ratio,
                own.to_allocated,
                own is best,
            )


def lay_out(units: Sequence[Unit]) -> Layout:
    """Give each unit its place. Units that share a layer and a kind, such as experts, have columns by their whole names."""
    uses = Counter((unit.layer, unit.kind) for unit in units)
    spots = {}
    for unit in units:
        is_alone = uses[unit.layer, unit.kind] == 1
        if unit.layer is None:
            spots[unit.name] = Spot(unit.kind if is_alone else unit.name, "")
        else:
            inside = unit.kind if is_alone else re.sub(rf"(?<![^.]){unit.layer}(?![^.])", "#", unit.name, count=1)
            spots[unit.name] = Spot(str(unit.layer), inside)
    layers = sorted({unit.layer for unit in units if unit.layer is not None})
    place_of = {unit.name: place for place, unit in enumerate(units)}
    first = min((place_of[unit.name] for unit in units if unit.layer is not None), default=len(units))
    outside = [unit for unit in units if unit.layer is None]
    before = tuple(spots[unit.name].row for unit in outside if place_of[unit.name] < first)
    after = tuple(spots[unit.name].row for unit in outside if place_of[unit.name] >= first)
    columns = dict.fromkeys(spot.column for spot in spots.values() if spot.column)
    return Layout(spots, (*before, *map(str, layers), *after), tuple(columns), before, after)


def _probe_map(
    profile: Profile,
    layout: Layout,
    probe: Probe,
    judged: str,
    confidence: float,
    fresh: NDArray[np.float64] | None,
    seed: int,
) -> ProbeMap:
    advice = recommend(profile, probe=probe.name, format=judged, confidence=confidence, fresh=fresh, seed=seed)
    units = [unit.name for unit in profile.units]
    reach = float(t.ppf((1 + confidence) / 2, max(probe.n_sequences - 1, 1)))
    neighbours = _neighbours(layout)

    def reading(cost: Cost) -> Reading:
        return Reading(cost.value, cost.value - reach * cost.standard_error, cost.value + reach * cost.standard_error)

    def summed(names: Iterable[str], format: str) -> Cost:
        own = [probe.predicted[name][format] for name in names]
        if any(cost.is_missing for cost in own):
            return Cost.missing()
        return Cost.of(np.sum([cost.sequences for cost in own], axis=0).tolist(), probe.scored)

    def mark(unit: str, format: str) -> Mark:
        cost = probe.predicted[unit][format]
        if cost.is_missing:
            return Mark.NONE
        if not reading(cost).low > 0:
            return Mark.NOTHING
        others = [other for name in neighbours[unit] if not (other := probe.predicted[name][format]).is_missing]
        if others and not any(_differ(cost, other, probe.scored, reach) for other in others):
            return Mark.NEIGHBOURS
        return Mark.NONE

    cells = tuple(
        Cell(unit, format, reading(cost), reading(probe.measured[unit][format]), mark(unit, format))
        for unit in units
        for format, cost in probe.predicted[unit].items()
    )
    members = {row: [unit for unit in units if layout.spots[unit].row == row] for row in layout.rows}
    rows = tuple(
        Row(row, format, reading(summed(names, format))) for format in profile.formats for row, names in members.items()
    )
    totals = []
    for format in profile.formats:
        whole, costs = summed(units, format), {unit: probe.predicted[unit][format] for unit in units}
        dearest = max(costs, key=lambda unit: np.nan_to_num(costs[unit].value))
        total = Total(
            format,
            profile.bits_per_weight(dict.fromkeys(units, format)),
            reading(whole),
            reading(probe.lowered[format]),
            rank_correlation(*_pairs(cells, format), confidence=confidence),
            median_ratio(*_pairs(cells, format), confidence=confidence),
            dearest,
            UNKNOWN
            if whole.is_missing
            else ratio_of_sums(costs[dearest].sequences, whole.sequences, confidence=confidence),
        )
        totals.append(total)
    magnitude, fisher = [unit.magnitude for unit in profile.units], [probe.fisher[unit] for unit in units]
    return ProbeMap(
        probe,
        cells,
        rows,
        tuple(totals),
        _ranked(units, magnitude, fisher),
        silence(profile, probe, confidence=confidence),
        advice,
        tuple(_statistics(profile, probe)),
    )


def _pairs(cells: Sequence[Cell], format: str) -> tuple[list[float], list[float]]:
    own = [cell for cell in cells if cell.format == format]
    return [cell.predicted.value for cell in own], [cell.measured.value for cell in own]


def _neighbours(layout: Layout) -> dict[str, list[str]]:
    """Of each unit the units of its kind in the layers before and after it."""
    found = {}
    for column in ("", *layout.columns):
        own = [unit for unit, spot in layout.spots.items() if spot.column == column]
        for place, unit in enumerate(own):
            found[unit] = [*own[max(place - 1, 0) : place], *own[place + 1 : place + 2]] if column else []
    return found


def _differ(cost: Cost, other: Cost, scored: Sequence[int], reach: float) -> bool:
    """Whether the interval of the difference on the same sequences leaves out 0."""
    difference = Cost.of(np.subtract(cost.sequences, other.sequences).tolist(), scored)
    return abs(difference.value) > reach * difference.standard_error


def _ranked(units: Sequence[str], magnitude: Sequence[float], fisher: Sequence[float]) -> tuple[Ranked, ...]:
    known = [place for place, pair in enumerate(zip(magnitude, fisher, strict=True)) if not math.isnan(sum(pair))]
    ranks = [rankdata([-values[place] for place in known]) for values in (magnitude, fisher)]
    apart = ranks[0] - ranks[1]
    furthest = [np.sort(sign * apart)[-N_APART:] for sign in (1, -1)]
    above, below = (max([len(known) / 3, *ends[:1]]) for ends in furthest)
    return tuple(
        Ranked(
            units[own],
            magnitude[own],
            fisher[own],
            float(ranks[0][at]),
            float(ranks[1][at]),
            not -below < apart[at] < above,
        )
        for at, own in enumerate(known)
    )


STATISTICS = {
    "sparsity": "share of entries below a hundredth of the root mean square of their token's vector",
    "mean": "mean of all entries",
    "std": "standard deviation of all entries",
    "magnitude": "mean length of a token's vector",
    "effective_rank": "exp of the entropy of the normalised singular values, of at most 256 tokens",
    "entropy": "of the attention weights, in nats, mean over heads and tokens",
    "focus": "1 less entropy over its largest possible value: 0 looks everywhere alike, 1 at one place",
    "specialization": "divergence among the heads: 0 where all look at the same places, 1 where no two do",
}
"""What is known of a layer's output and of its attention (`qbench.profiles.Activations`, `qbench.profiles.Attention`)."""


def _statistics(profile: Profile, probe: Probe) -> Iterable[Statistic]:
    """Of whole layers and of their attention, at full precision and at each format."""
    for place in probe.places:
        if place.layer is None:
            continue
        is_layer = place.name.rpartition(".")[2] == str(place.layer)
        for looks in (place.activations if is_layer else {}, place.attention):
            base = looks.get(FULL_PRECISION)
            for format in profile.formats:
                if base is not None and format in looks:
                    for name, value in asdict(base).items():
                        other = getattr(looks[format], name)
                        if not math.isnan(value + other):
                            yield Statistic(name, format, place.layer, value, other)
