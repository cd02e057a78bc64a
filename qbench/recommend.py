"""Which units can be lowered, which should not be, and which nobody knows: verdicts on a sensitivity profile, with their evidence.

A unit's *share* is what it costs for a byte saved, over what all units together cost for a byte saved. Above `FACTOR` for certain it is
critical, below 1 / `FACTOR` for certain it is safe, and else undecided. No verdict at all is given before the order of the units was
checked, and agrees with measured costs better than depth order does and than a random order would: predicted costs are held against
measured ones, and where every unit was measured, half of the text against the other half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbench.errors import ProfileError, did_you_mean
from qbench.profiles import Profile
from qbench.stats import (
    Agreement,
    chance_correlation,
    joint_confidence,
    rank_advantage,
    rank_correlation,
    ratio_of_sums,
)

FACTOR = 2.0
DEFAULT_FORMAT = "q4"  # where people want to know


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

    @property
    def holds(self) -> bool:
        return self.correlation.interval.low > self.chance and self.over_depth.interval.low > 0

    def __str__(self) -> str:
        if math.isnan(self.correlation.value):
            return (
                f"The order was not checked against measured costs ({self.correlation.n} units have one), so no verdict is given; measure "
                "them with qbench sensitivity --measure all."
            )
        said = (
            f"Rank correlation of {self.compared} {self.correlation} over {self.correlation.n} units; a random order stays below "
            f"{self.chance:.2g}, and it exceeds depth order by {self.over_depth}."
        )
        return said if self.holds else f"{said} That does not beat both, so no verdict is given."


@dataclass(frozen=True)
class Advice:
    """One unit."""

    unit: str
    standing: Standing
    share: Agreement
    """Cost a byte saved, over that of all units together; the intervals of all units hold at once."""


@dataclass(frozen=True)
class Recommendation:
    """What a profile recommends about one format on one probe."""

    format: str
    probe: str
    source: str
    """``measured`` where every unit was, else ``predicted``."""
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
            f"critical: surely above {FACTOR:g}. safe: surely below {1 / FACTOR:g}. {self.evidence}",
        ]
        return "\n".join(lines)


def recommend(profile: Profile, *, probe: str = "", format: str = "", seed: int = 0) -> Recommendation:
    """Say of each unit whether it is safe or critical to lower it to a format.

    Args:
        profile: as `qbench.profiles.read` reads it.
        probe: name of a probe; the first if not given.
        format: name of a format; q4 if the profile has it, else its last.
        seed: of the resamples behind the evidence.

    Raises:
        ProfileError: the profile has no such probe or format.
    """
    asked = profile.probe(probe) if probe else profile.probes[0]
    name = format or (DEFAULT_FORMAT if DEFAULT_FORMAT in profile.formats else list(profile.formats)[-1])
    if name not in profile.formats:
        raise ProfileError(
            f"The profile has no format {name!r}.{did_you_mean(name, profile.formats)} It has {', '.join(profile.formats)}."
        )
    units = [unit.name for unit in profile.units]
    saved = [unit.full_bytes - unit.bytes[name] for unit in profile.units]
    predicted, measured = (
        np.array([costs[unit][name].sequences or [math.nan] * asked.n_sequences for unit in units])
        for costs in (asked.predicted, asked.measured)
    )
    evidence, advice, source = judge(units, saved, predicted, measured, rng=np.random.default_rng(seed))
    return Recommendation(name, asked.name, source, evidence, advice)


def judge(
    units: Sequence[str],
    saved: ArrayLike,
    predicted: ArrayLike,
    measured: ArrayLike,
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> tuple[Evidence, tuple[Advice, ...], str]:
    """The evidence, the verdict on each unit, and whether measured or predicted costs are what was judged.

    Args:
        units: names in the order of depth.
        saved: bytes that lowering each unit saves.
        predicted, measured: nats of each unit on each sequence of the probe, (units, sequences); rows of NaN where nothing is known.
        confidence: of the evidence's intervals, and of those of all units at once.
        rng: source of the resamples.
    """
    own, seen, bytes_saved = (np.asarray(values, dtype=float) for values in (predicted, measured, saved))
    if np.isnan(seen).any():
        source, nats = "predicted", own
        compared, orders = "predicted with measured costs", (own.sum(axis=1), seen.sum(axis=1))
    else:
        source, nats = "measured", seen
        compared, orders = "costs on half of the text with the other half", (seen[:, ::2].sum(1), seen[:, 1::2].sum(1))
    evidence = weigh(compared, *orders, confidence=confidence, rng=rng)
    joint = joint_confidence(confidence, len(units))
    shares = [
        ratio_of_sums(row * bytes_saved.sum(), nats.sum(axis=0) * saving, confidence=joint)
        for row, saving in zip(nats, bytes_saved, strict=True)
    ]
    advice = [Advice(unit, standing(share, evidence), share) for unit, share in zip(units, shares, strict=True)]
    return evidence, tuple(sorted(advice, key=lambda found: -found.share.value)), source


def weigh(
    compared: str,
    costs: NDArray[np.float64],
    measured: NDArray[np.float64],
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
) -> Evidence:
    """Hold an order of units against measured costs, units given in the order of depth."""
    depth = np.arange(len(costs))
    correlation = rank_correlation(costs, measured, confidence=confidence, rng=rng)
    return Evidence(
        compared,
        correlation,
        chance_correlation(correlation.n, confidence=confidence, rng=rng),
        rank_advantage(costs, depth, measured, confidence=confidence, rng=rng),
    )


def standing(share: Agreement, evidence: Evidence) -> Standing:
    if evidence.holds and share.interval.low > FACTOR:
        return Standing.CRITICAL
    if evidence.holds and share.interval.high < 1 / FACTOR:
        return Standing.SAFE
    return Standing.UNDECIDED
