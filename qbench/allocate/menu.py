"""What each unit of a model may be stored as, what that takes, and what it is predicted to cost: a profile as arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from qbench.allocate.solve import Array, Choice, Integers, total
from qbench.errors import AllocationError, did_you_mean
from qbench.levels import LEVELS
from qbench.profiles import FULL_PRECISION, Cost, Probe, Profile

CONFIDENCE = 0.95


class Predicted(NamedTuple):
    """The predicted KL of a mix on one probe, in nats a scored token."""

    value: float
    low: float
    high: float
    """How far other sequences like these would move it (Student's t over sequences); not how far the prediction itself is off."""

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


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

    @property
    def other_bits(self) -> int:
        """Storage of what no level applies to."""
        return round(8 * self.profile.model.other_bytes)

    @property
    def n_parameters(self) -> int:
        return self.profile.model.n_parameters

    def storage_bits(self, choice: Choice) -> int:
        return int(total(self.bits, choice)) + self.other_bits

    def bits_per_weight(self, choice: Choice) -> float:
        return self.storage_bits(choice) / self.n_parameters

    def modules(self, choice: Choice) -> dict[str, str]:
        """The format of every module."""
        return {
            module: self.formats[position]
            for unit, position in zip(self.profile.units, choice, strict=True)
            for module in unit.modules
        }

    def uniform(self, position: int) -> Choice:
        return np.full(len(self.profile.units), position)

    def predicted(self, choice: Choice, probe: Probe) -> Predicted:
        """The sum over the units, with an interval from the sums of each sequence: units err together, because they read the same text."""
        nats = np.zeros(probe.n_sequences)
        for unit, position in zip(self.profile.units, choice, strict=True):
            if self.formats[position] != FULL_PRECISION:
                nats += probe.predicted[unit.name][self.formats[position]].sequences
        cost = Cost.of(nats.tolist(), probe.scored)
        reach = cost.standard_error * float(t.ppf((1 + CONFIDENCE) / 2, max(probe.n_sequences - 1, 1)))
        return Predicted(cost.value, max(0.0, cost.value - reach), cost.value + reach)


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
    return Menu(profile, names, bits, costs)


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
    """The costs of all probes as one: their mean, with these weights; equal ones if none are given.

    Raises:
        AllocationError: a weight of a probe that there is not, below 0, or all of them 0.
    """
    check_probes(menu, weight)
    weights = {name: weight.get(name, 0.0) for name in menu.costs} if weight else dict.fromkeys(menu.costs, 1.0)
    if not all(0 <= value < math.inf for value in weights.values()) or not any(weights.values()):
        raise AllocationError("Weights must be numbers of 0 and more, and not all of them 0.")
    whole = sum(weights.values())
    return np.asarray(sum(weights[name] / whole * table for name, table in menu.costs.items() if weights[name]))


def check_probes(menu: Menu, given: Mapping[str, float]) -> None:
    for name in given:
        if name not in menu.costs:
            raise AllocationError(
                f"The profile has no probe {name!r}.{did_you_mean(name, menu.costs)} It has {', '.join(menu.costs)}."
            )
