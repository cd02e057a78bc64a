"""Which units can be lowered, which should not be, and which nobody knows: verdicts on a sensitivity profile, with their evidence.

A unit's *share* is what it costs for a byte saved, over what all units together cost for a byte saved. Above `FACTOR` for certain it is
critical, below 1 / `FACTOR` for certain it is safe, and else undecided. No verdict at all is given before the order of the units was
checked, and agrees with measured costs better than depth order does and than a random order would.

What an order is checked by, the first of these that there is: the costs that a validation measured on fresh text; half of the profile's
text against the other half, where every unit was measured on it; the units that were measured, if only some were. In the last case the
others are known by their prediction alone, and its error, as the measured units show it, is part of their intervals.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbench.profiles import Profile
from qbench.stats import (
    MIN_UNITS,
    Agreement,
    Interval,
    chance_correlation,
    check_confidence,
    joint_confidence,
    prediction_reach,
    rank_advantage,
    rank_correlation,
    ratio_of_sums,
)

FACTOR = 2.0
REMEDY = "measure them with qbench sensitivity --measure all, or on fresh text with qbench sensitivity validate"

ON_FRESH_TEXT = "predicted costs with those measured on fresh text"

Array = NDArray[np.float64]


class Standing(StrEnum):
    """What may be said of a unit."""

    CRITICAL = "critical"
    SAFE = "safe"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Evidence:
    """Whether an order of the units says more than none."""

    compared: str
    """What was held against what."""
    correlation: Agreement
    """Over units."""
    chance: float
    """The correlation that a random order does not reach."""
    over_depth: Agreement
    """By how much it exceeds the correlation that depth order has, in whichever direction."""
    n_units: int
    """Of the profile, measured or not."""

    @property
    def is_checked(self) -> bool:
        return not math.isnan(self.correlation.value)

    @property
    def holds(self) -> bool:
        return self.correlation.interval.low > self.chance and self.over_depth.interval.low > 0

    @property
    def doubt(self) -> str:
        """Why the order decides nothing, in a sentence; empty where it does."""
        n = self.correlation.n
        if not n:
            return f"No unit was measured, so the order was not checked; {REMEDY}."
        if n < MIN_UNITS and n == self.n_units:
            return f"The model has {n} units, and an order is checked by at least {MIN_UNITS}."
        if n < MIN_UNITS:
            return f"Only {n} of {self.n_units} units were measured, and an order is checked by at least {MIN_UNITS}; {REMEDY}."
        if not self.is_checked:
            return f"The order was not checked: all {n} units that were measured cost the same."
        if not self.correlation.interval.low > self.chance:
            return f"The order is not certain: the interval of its rank correlation reaches down to that of a random order over {n} units."
        if not self.holds:
            return "Depth order may do as well: the interval of what the order adds to it reaches 0."
        return ""

    def __str__(self) -> str:
        if not self.is_checked:
            return f"{self.doubt} No verdict is given."
        said = (
            f"Rank correlation of {self.compared} {self.correlation} over {self.correlation.n} of {self.n_units} units; a random order "
            f"stays below {self.chance:.2g}, and it exceeds depth order by {self.over_depth}."
        )
        return said if self.holds else f"{said} {self.doubt} No verdict is given."


@dataclass(frozen=True)
class Advice:
    """One unit."""

    unit: str
    standing: Standing
    share: Agreement
    """Cost a byte saved, over that of all units together; the intervals of all units hold at once, and have in them what a prediction
    errs by, where it is one."""


@dataclass(frozen=True)
class Recommendation:
    """What a profile recommends about one format on one probe."""

    format: str
    probe: str
    source: str
    """``measured`` where every unit was, ``freshly measured`` where only a validation measured every unit, else ``predicted``."""
    evidence: Evidence
    advice: tuple[Advice, ...]
    """The highest share first."""

    def __str__(self) -> str:
        width = max(len(own.unit) for own in self.advice)
        lines = [
            f"At {self.format} on {self.probe}: {self.source} cost a byte saved, over that of the whole model",
            "",
            *(f"{own.unit:{width}}  {own.standing:9}  {own.share}" for own in self.advice),
            "",
            f"critical: surely above {FACTOR:g}. safe: surely below {1 / FACTOR:g}. {self.basis}",
        ]
        return "\n".join(lines)

    @property
    def basis(self) -> str:
        """What the verdicts rest on, or why there are none."""
        said = [str(self.evidence)]
        if self.source == "predicted" and self.evidence.is_checked:
            said.append("Intervals have in them how far the units that were measured lie from their prediction.")
        if why := why_no_shares([own.share for own in self.advice]):
            said.append(f"No unit has a share: {why}.")
        return " ".join(said)


def recommend(
    profile: Profile,
    *,
    probe: str = "",
    format: str = "",
    confidence: float = 0.95,
    fresh: ArrayLike | None = None,
    seed: int = 0,
) -> Recommendation:
    """Say of each unit whether it is safe or critical to lower it to a format.

    Args:
        profile: as `qbench.profiles.read` reads it.
        probe: name of a probe; the first if not given.
        format: name of a format; q4 if the profile has it, else the middle one.
        confidence: of every interval.
        fresh: nats of each unit at this format on sequences that the profile was not made from, (units, sequences), as
            `qbench.validation.fresh_nats` finds them.
        seed: of the random orders that the order has to beat.

    Raises:
        ProfileError: the profile has no such probe or format.
        QBenchError: the confidence is not between 0 and 1.
    """
    check_confidence(confidence)
    asked = profile.probe(probe) if probe else profile.probes[0]
    name = profile.format(format)
    units = [unit.name for unit in profile.units]
    saved = [unit.full_bytes - unit.bytes[name] for unit in profile.units]
    predicted, measured = (
        np.array([costs[unit][name].sequences or [math.nan] * asked.n_sequences for unit in units])
        for costs in (asked.predicted, asked.measured)
    )
    evidence, advice, source = judge(
        units, saved, predicted, measured, fresh, confidence=confidence, rng=np.random.default_rng(seed)
    )
    return Recommendation(name, asked.name, source, evidence, advice)


def judge(
    units: Sequence[str],
    saved: ArrayLike,
    predicted: ArrayLike,
    measured: ArrayLike,
    fresh: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> tuple[Evidence, tuple[Advice, ...], str]:
    """The evidence, the verdict on each unit, and which costs are what was judged, as `Recommendation.source` names them.

    Args:
        units: names in the order of depth.
        saved: bytes that lowering each unit saves.
        predicted, measured: nats of each unit on each sequence of the probe, (units, sequences); rows of NaN where nothing is known.
        fresh: nats of every unit on other sequences.
        confidence: of the evidence's intervals, and of those of all units at once.
        rng: source of the random orders that the order has to beat.
    """
    own, seen, bytes_saved = (np.asarray(values, dtype=float) for values in (predicted, measured, saved))
    is_measured = not np.isnan(seen).any()
    known, name = (seen, "measured") if is_measured else (own, "predicted")
    if fresh is not None:
        new = np.asarray(fresh, dtype=float)
        compared = "measured costs with those measured on fresh text" if is_measured else ON_FRESH_TEXT
        orders = known.sum(axis=1), new.sum(axis=1)
        source, nats = (name, seen) if is_measured else ("freshly measured", new)
    elif is_measured and seen.shape[1] > 1:
        compared, orders = (
            "measured costs on half of the text with the other half",
            (seen[:, ::2].sum(1), seen[:, 1::2].sum(1)),
        )
        source, nats = name, seen
    else:
        compared, orders = "predicted with measured costs on the profile's text", (own.sum(axis=1), seen.sum(axis=1))
        source, nats = name, known
    evidence = weigh(compared, *orders, confidence=confidence, rng=rng)
    joint = joint_confidence(confidence, len(units))
    reach = prediction_reach(*orders, confidence=joint) if source == "predicted" and evidence.is_checked else 0.0
    shares = [
        _widened(ratio_of_sums(row * bytes_saved.sum(), nats.sum(axis=0) * saving, confidence=joint), reach)
        for row, saving in zip(nats, bytes_saved, strict=True)
    ]
    advice = [Advice(unit, standing(share, evidence), share) for unit, share in zip(units, shares, strict=True)]
    return evidence, tuple(sorted(advice, key=lambda found: -found.share.value)), source


def weigh(
    compared: str, costs: Array, measured: Array, *, confidence: float = 0.95, rng: np.random.Generator
) -> Evidence:
    """Hold an order of units against measured costs, units given in the order of depth."""
    depth = np.arange(len(costs))
    correlation = rank_correlation(costs, measured, confidence=confidence)
    return Evidence(
        compared,
        correlation,
        chance_correlation(correlation.n, confidence=confidence, rng=rng),
        rank_advantage(costs, depth, measured, confidence=confidence),
        len(costs),
    )


def _widened(share: Agreement, reach: float) -> Agreement:
    """An interval that has two independent errors in it: its own, and one that is known on the logarithmic scale."""
    value, (low, high) = share.value, share.interval
    if not (reach > 0 and value > 0):
        return share if reach == 0 else Agreement(value, Interval(math.nan, math.nan), share.n)
    down = value * math.exp(-math.hypot(math.log(value / low), reach)) if low > 0 else low
    return Agreement(value, Interval(down, value * math.exp(math.hypot(math.log(high / value), reach))), share.n)


def why_no_shares(shares: Sequence[Agreement]) -> str:
    """Why no unit has a share of what all of them cost, in words; empty where units have."""
    if not all(math.isnan(share.value) for share in shares):
        return ""
    n_sequences = shares[0].n
    if not n_sequences:
        return "not every unit has a cost"
    return "there is a single sequence" if n_sequences == 1 else "together they cost nothing"


def standing(share: Agreement, evidence: Evidence) -> Standing:
    if evidence.holds and share.interval.low > FACTOR:
        return Standing.CRITICAL
    if evidence.holds and share.interval.high < 1 / FACTOR:
        return Standing.SAFE
    return Standing.UNDECIDED
