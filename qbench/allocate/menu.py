"""What each unit of a model may be stored as, what that takes, and what it is predicted to cost: a profile as arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from qbench.allocate.curve import Curve
from qbench.allocate.solve import Array, Choice, Integers, total
from qbench.errors import AllocationError, did_you_mean
from qbench.levels import LEVELS
from qbench.profiles import FULL_PRECISION, Cost, Probe, Profile

CONFIDENCE = 0.95


class KL(NamedTuple):
    """The KL of a mix on some text, in nats a scored token, with how far other sequences like these would move it (Student's t)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, nats: Sequence[float], scored: Sequence[int], *, confidence: float = CONFIDENCE) -> "KL":
        """From the nats and the scored tokens of each sequence. The interval is NaN with a single sequence."""
        cost = Cost.of(nats, scored)
        reach = cost.standard_error * float(t.ppf((1 + confidence) / 2, max(len(scored) - 1, 1)))
        return cls(cost.value, max(cost.value - reach, 0.0), cost.value + reach)

    def __str__(self) -> str:
        value, low, high = ("–" if math.isnan(own) else f"{own:.4g}" for own in self)
        return value if math.isnan(self.value) else f"{value} [{low}, {high}]"


def predicted_nats(probe: Probe, formats: Mapping[str, str]) -> list[float]:
    """The predicted nats of each sequence of a probe, with the units in these formats: the sum over the units.

    Summed before anything is averaged, because units err together: they read the same text. NaN where one of them has no prediction.
    """
    missing = (math.nan,) * probe.n_sequences
    costs = [
        probe.predicted[unit][name].sequences or missing for unit, name in formats.items() if name != FULL_PRECISION
    ]
    total: list[float] = np.sum(costs, axis=0).tolist() if costs else [0.0] * probe.n_sequences
    return total


@dataclass(frozen=True)
class Menu:
    """The choices that there are."""

    profile: Profile
    formats: tuple[str, ...]
    """The largest first."""
    bits: Integers
    """Storage as (units, formats), in whole bits, in which nothing is ever rounded."""
    costs: dict[str, Array]
    """Of each probe: predicted KL as (units, formats); NaN where a unit may not have a format."""
    curves: dict[str, Curve]
    """Of each probe: what mixes cost beyond the sum of their units."""

    @property
    def other_bits(self) -> int:
        """Storage of what no level applies to."""
        return round(8 * self.profile.model.other_bytes)

    @property
    def made(self) -> str:
        """What the KL of a mix is, in words: raised along a curve on every probe that has one, else the plain sum."""
        plain = [probe for probe, curve in self.curves.items() if not curve.is_known]
        where = f"expected, and on {', '.join(plain)} " if len(plain) < len(self.curves) else ""
        return f"{where}the sum of what units are predicted to cost alone" if plain else "expected"

    @property
    def n_parameters(self) -> int:
        return self.profile.model.n_parameters

    def storage_bits(self, choice: Choice) -> int:
        return int(total(self.bits, choice)) + self.other_bits

    def bits_per_weight(self, choice: Choice) -> float:
        return self.storage_bits(choice) / self.n_parameters

    def units(self, choice: Choice) -> dict[str, str]:
        """The format of every unit."""
        return {unit.name: self.formats[position] for unit, position in zip(self.profile.units, choice, strict=True)}

    def uniform(self, position: int) -> Choice:
        return np.full(len(self.profile.units), position)


def read_menu(profile: Profile, formats: Sequence[str]) -> Menu:
    """Make the arrays of a profile.

    Args:
        formats: which may be chosen; all of the profile's if empty. ``fp16``, which costs nothing, may be among them.

    Raises:
        AllocationError: the profile does not have a format, or this qbench makes other weights of it; or a unit has no prediction at all.
    """
    known = [FULL_PRECISION, *profile.formats]
    for name in formats:
        if name not in known:
            raise AllocationError(
                f"The profile has no format {name!r}.{did_you_mean(name, known)} It has {', '.join(known)}."
            )
    for name in formats or profile.formats:
        if name != FULL_PRECISION and LEVELS.get(name) != profile.formats[name]:
            raise AllocationError(
                f"The profile was made with another {name} than the level of this qbench, so a mix would not be what was profiled. Run "
                "qbench sensitivity again."
            )
    size = {name: sum(_bits(profile, name)) for name in formats or profile.formats}
    names = tuple(sorted(size, key=lambda name: -size[name]))
    costs = {probe.name: _costs(profile, probe, names) for probe in profile.probes}
    for name, table in costs.items():
        if (without := np.isnan(table).all(axis=1)).any():
            unit = profile.units[int(without.argmax())].name
            raise AllocationError(
                f"The probe {name} predicts no cost for {unit} at {' or '.join(names)}; profile it at one of them, or add --formats fp16."
            )
    bits = np.array([_bits(profile, name) for name in names], dtype=np.int64).T
    return Menu(profile, names, bits, costs, {probe.name: Curve.of(probe) for probe in profile.probes})


def _bits(profile: Profile, name: str) -> list[int]:
    """Storage of each unit, which in bits is whole."""
    return [round(8 * (unit.full_bytes if name == FULL_PRECISION else unit.bytes[name])) for unit in profile.units]


def _costs(profile: Profile, probe: Probe, names: Sequence[str]) -> Array:
    return np.array(
        [
            [0.0 if name == FULL_PRECISION else probe.predicted[unit.name][name].value for name in names]
            for unit in profile.units
        ]
    )


def weighed(menu: Menu, weight: Mapping[str, float]) -> Array:
    """The costs of all probes as one: their mean, with these weights.

    Raises:
        AllocationError: as `weights_of`.
    """
    weights = weights_of(menu, weight)
    largest = max(weights.values())  # before they are added: the sum of two large numbers may be none
    shares = {name: value / largest for name, value in weights.items() if value}
    whole = sum(shares.values())
    return np.asarray(sum(share / whole * menu.costs[name] for name, share in shares.items()))


def weights_of(menu: Menu, weight: Mapping[str, float]) -> dict[str, float]:
    """The weight of every probe: 1 for those that are not named.

    Raises:
        AllocationError: a weight of a probe that there is not, below 0, or all of them 0.
    """
    check_probes(menu, weight)
    weights = {name: weight.get(name, 1.0) for name in menu.costs}
    if not all(0 <= value < math.inf for value in weights.values()) or not any(weights.values()):
        raise AllocationError("Weights must be numbers of 0 and more, and not all of them 0.")
    return weights


def check_probes(menu: Menu, given: Mapping[str, float]) -> None:
    for name in given:
        if name not in menu.costs:
            raise AllocationError(
                f"The profile has no probe {name!r}.{did_you_mean(name, menu.costs)} It has {', '.join(menu.costs)}."
            )
