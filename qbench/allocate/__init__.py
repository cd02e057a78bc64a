"""The best mix under a budget: which format each unit of a model should have, by what a sensitivity profile predicts.

`allocate` reads a profile, lets a solver choose (`solve`), and writes a mix that a sweep, lm_eval and llama.cpp take (`rules`). Beside it
stand mixes of the same size that know less (`controls`). Nothing here loads a model: whether the prediction holds is for
``qbench sensitivity validate`` to measure.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qbench import profiles
from qbench.allocate.controls import controls as make_controls
from qbench.allocate.curve import Curve
from qbench.allocate.files import check_target, controls_beside, write_mix
from qbench.allocate.menu import KL, Menu, check_probes, predicted_nats, read_menu, weighed, weights_of
from qbench.allocate.rules import as_yaml, mix_of
from qbench.allocate.solve import Array, Choice, Integers, Limit, Unproven, choose
from qbench.errors import AllocationError
from qbench.levels import Mix

__all__ = ["KL", "Allocated", "Allocation", "Curve", "allocate", "predicted_nats"]


@dataclass(frozen=True)
class Allocated:
    """One mix, what it takes and what it is predicted to cost."""

    mix: Mix
    formats: dict[str, str]
    """Of every module."""
    storage_bits: int
    bits_per_weight: float
    predicted: dict[str, KL]
    """On each probe of the profile: the sum of what its units cost alone."""
    expected: dict[str, KL]
    """The same with what units do to one another, where the profile says how much that is (see `qbench.allocate.curve`)."""

    @property
    def name(self) -> str:
        return self.mix.name

    @property
    def storage_bytes(self) -> float:
        """Of the whole model, as a sweep's proof counts it."""
        return self.storage_bits / 8


@dataclass(frozen=True)
class Allocation:
    """The best mix, and its controls."""

    best: Allocated
    controls: tuple[Allocated, ...]
    made: str
    """What the KL of a mix is, in words: see `qbench.allocate.menu.Menu.made`."""
    paths: tuple[Path, ...] = ()
    """The files that were written."""
    replaced: tuple[Path, ...] = ()
    """Those of them that held an earlier allocation."""
    stale: tuple[Path, ...] = ()
    """Controls of an earlier mix of this name that were not written again: no validation takes them for controls of this one."""

    def __str__(self) -> str:
        mixes = [self.best, *self.controls]
        width = max(len(own.name) for own in mixes)
        heads = [f"KL on {probe}" for probe in self.best.expected]
        lines = [f"{'':{width}}  bits/weight  {'bytes':>14}  " + "  ".join(f"{head:>26}" for head in heads)]
        for own in mixes:
            expected = "  ".join(f"{found!s:>26}" for found in own.expected.values())
            lines.append(f"{own.name:{width}}  {own.bits_per_weight:11.4f}  {own.storage_bytes:14,.0f}  {expected}")
        lines += [
            "",
            f"KL: {self.made}, in nats a token; intervals are about other text like the probe's, not about the prediction.",
        ]
        if not self.paths:
            lines += ["", as_yaml(self.best.mix).rstrip()]
        if self.replaced:
            lines += ["", f"Earlier allocations that were replaced: {len(self.replaced)}."]
        if self.stale:
            lines += [
                "",
                f"Left as they were, and no controls of this mix: {len(self.stale)}, such as {self.stale[0].name}.",
            ]
        return "\n".join(lines)


def allocate(
    profile: Path,
    *,
    bits: float | None = None,
    bytes: float | None = None,
    limit: Mapping[str, float] | None = None,
    weight: Mapping[str, float] | None = None,
    formats: Sequence[str] = (),
    controls: bool = False,
    out: Path | None = None,
    seed: int = 0,
) -> Allocation:
    """Choose a format for each unit: the least predicted KL within a size, or the least size within limits of the KL.

    The KL of a mix is predicted as the sum of what its units cost alone, which ranks mixes well, and then raised to what the whole model
    was measured to cost at such a sum (`qbench.allocate.curve`). Whether that is true of a mix, ``qbench sensitivity validate`` measures.

    Args:
        profile: file that ``qbench sensitivity`` wrote.
        bits: budget as bits per parameter of the whole model, as a sweep's proof counts them.
        bytes: budget as the bytes of the whole model.
        limit: largest expected KL by probe, in nats a token. Without a budget, the smallest mix that keeps all of them.
        weight: of the probes in the KL that is made least, 1 for those that are not named.
        formats: which may be chosen; all of the profile's if empty. ``fp16`` may be among them.
        controls: also make mixes of the same size that know less (see `qbench.allocate.controls`).
        out: the mix's file, ``mix.yaml`` say; controls go beside it, as ``mix-uniform.yaml`` and so on. Without it nothing is written.
        seed: of the random controls.

    Raises:
        AllocationError: nothing fits, and the message says what can be reached; or ``out`` is something that was not allocated; or a
            seed below 0.
        ProfileError: the profile cannot be read.
    """
    if out is not None:
        check_target(Path(out))
    if seed < 0:
        raise AllocationError(f"A seed is a whole number of 0 or more, not {seed}.")
    menu = read_menu(profiles.read(Path(profile)), formats)
    request = _request(menu, bits, bytes, limit or {})
    costs = weighed(menu, weight or {})
    try:
        choice = _best(menu, costs, request)
    except Unproven:
        raise AllocationError(
            "The solver found no proof of the best mix within a minute. Profile larger units (qbench sensitivity --unit block), or name "
            "fewer limits."
        ) from None
    name = Path(out).stem if out else "mix"
    source = f"{Path(profile).name} (sha256 {hashlib.sha256(Path(profile).read_bytes()).hexdigest()[:16]})"
    weights = ", ".join(f"{probe} {value:g}" for probe, value in weights_of(menu, weight or {}).items())
    weighted = f", weights {weights}," if weight else ""
    best = _allocated(menu, choice, name, f"{request.aim}{weighted} by {source}")
    others = []
    if controls:
        if np.isnan(costs).any():
            raise AllocationError("Controls need a prediction for every unit at every format; leave --controls out.")
        room = request.budget if request.budget is not None else menu.storage_bits(choice)
        for control, own in make_controls(menu, costs, room - menu.other_bits, seed).items():
            about = f"Control {control!r} of {name}, the same budget{weighted or ','} by {source}"
            others.append(_allocated(menu, own, f"{name}-{control}", about))
    if out is None:
        return Allocation(best, tuple(others), menu.made)
    return _written(Allocation(best, tuple(others), menu.made), Path(out))


def _written(allocation: Allocation, out: Path) -> Allocation:
    """Write the mix and its controls, after a look at all that would be overwritten."""
    targets = {out.with_name(f"{control.name}.yaml"): control for control in allocation.controls}
    for path in targets:
        check_target(path, control=True)
    paths = (out, *targets)
    replaced = tuple(path for path in paths if path.exists())
    write_mix(out, allocation.best.mix)
    for path, control in targets.items():
        write_mix(path, control.mix, control_of=allocation.best.mix)
    return replace(allocation, paths=paths, replaced=replaced, stale=tuple(controls_beside(out)[1]))


@dataclass(frozen=True)
class _Request:
    """What is asked for."""

    budget: int | None
    """Bits of the whole model; None asks for as few as the limits allow."""
    limit: Mapping[str, float]

    @property
    def aim(self) -> str:
        """In words, for the mix's ``about``."""
        kept = ", ".join(f"{probe} at most {value:g}" for probe, value in self.limit.items())
        if self.budget is None:
            return f"Fewest bytes with a KL on {kept}"
        within = f"Least predicted KL within {self.budget / 8:,.0f} bytes"
        return f"{within} and on {kept}" if kept else within


def _request(menu: Menu, bits: float | None, n_bytes: float | None, limit: Mapping[str, float]) -> _Request:
    check_probes(menu, limit)
    if bits is not None and n_bytes is not None:
        raise AllocationError("Give the budget as --bits or as --bytes, not as both.")
    given = n_bytes if bits is None else bits
    if given is None and not limit:
        raise AllocationError("Say what the mix may take (--bits or --bytes) or what it may cost (--limit PROBE=KL).")
    if not all(0 < value < math.inf for value in (*limit.values(), *([] if given is None else [given]))):
        raise AllocationError("Budgets and limits must be finite numbers above 0.")
    if given is None:
        return _Request(None, limit)
    # To the nearest millionth of a bit: 4.1 is below what it says, as a binary number.
    budget = math.floor(given * menu.n_parameters + 1e-6) if bits is not None else math.floor(8 * given)
    return _Request(budget, limit)


def _best(menu: Menu, costs: Array, request: _Request) -> Choice:
    """
    Raises:
        AllocationError: nothing fits.
    """
    allowed = {probe: menu.curves[probe].allowed(largest) for probe, largest in request.limit.items()}
    limits = [Limit(menu.costs[probe], largest) for probe, largest in allowed.items()]
    if request.budget is not None:
        fits = Limit(menu.bits, request.budget - menu.other_bits)
        choice = choose(costs, [fits, *limits])
        if choice is None:
            raise AllocationError(_reach(menu, request, allowed, _unknown(menu, costs, request), [fits]))
        return choice
    smallest = choose(menu.bits, limits)
    if smallest is None:
        raise AllocationError(_reach(menu, request, allowed, _unknown(menu, menu.bits, request), []))
    # Of all mixes of that size, the one that costs least.
    choice = choose(costs, [Limit(menu.bits, menu.storage_bits(smallest) - menu.other_bits), *limits])
    return smallest if choice is None else choice


def _unknown(menu: Menu, objective: Array | Integers, request: _Request) -> NDArray[np.bool_]:
    """Which formats a unit may not have, as (units, formats), since the objective or a limit has no number for them."""
    return np.asarray(np.any([np.isnan(objective), *(np.isnan(menu.costs[probe]) for probe in request.limit)], axis=0))


def _reach(
    menu: Menu, request: _Request, allowed: Mapping[str, float], unknown: NDArray[np.bool_], size: Sequence[Limit]
) -> str:
    """Why nothing fits, and what does."""
    if (without := unknown.all(axis=1)).any():
        unit = menu.profile.units[int(without.argmax())].name
        return (
            f"No format of {', '.join(menu.formats)} has a predicted cost for {unit} on every probe that counts here; profile it at one of "
            "them, or add --formats fp16."
        )
    mixes = f"mixes of {', '.join(menu.formats)}" + (", where they have a predicted cost," if unknown.any() else "")
    sizes = np.ma.array(menu.bits, mask=unknown)
    least, most = (int(extreme.sum()) + menu.other_bits for extreme in (sizes.min(axis=1), sizes.max(axis=1)))
    size = [*size, Limit(np.where(unknown, np.nan, 0.0), 0.0)]  # a limit to what is known
    if request.budget is not None and request.budget < least:
        return (
            f"A budget of {request.budget / menu.n_parameters:.4g} bits per weight ({request.budget / 8:,.0f} bytes) cannot be kept: "
            f"{mixes} reach from {least / menu.n_parameters:.4g} to {most / menu.n_parameters:.4g} bits per "
            f"weight ({math.ceil(least / 8):,} to {math.ceil(most / 8):,} bytes)."
        )
    within = f" within {request.budget / 8:,.0f} bytes" if request.budget is not None else ""
    for probe, largest in request.limit.items():
        lowest, curve = choose(menu.costs[probe], size), menu.curves[probe]
        assert lowest is not None
        reached, highest = _sum(menu.costs[probe], lowest), float(np.nanmax(menu.costs[probe], axis=1).sum())
        if reached > allowed[probe]:
            return (
                f"An expected KL of {largest:g} on {probe} cannot be reached{within}: {mixes} reach from "
                f"{curve.expected(reached):.4g} to {curve.expected(highest):.4g}."
            )
    nearest = choose(np.asarray(sum(menu.costs[probe] / largest for probe, largest in allowed.items())), size)
    assert nearest is not None
    found = ", ".join(
        f"{probe} {menu.curves[probe].expected(_sum(menu.costs[probe], nearest)):.4g}" for probe in request.limit
    )
    return f"Each limit can be kept{within}, but not all at once; a mix between them reaches {found}."


def _sum(costs: Array, choice: Choice) -> float:
    return math.fsum(costs[np.arange(len(choice)), choice])


def _allocated(menu: Menu, choice: Choice, name: str, about: str) -> Allocated:
    units = menu.units(choice)
    formats = {module: units[unit.name] for unit in menu.profile.units for module in unit.modules}
    predicted = {probe.name: KL.of(predicted_nats(probe, units), probe.scored) for probe in menu.profile.probes}
    expected = {
        probe: KL(*(menu.curves[probe].expected(value) for value in found)) for probe, found in predicted.items()
    }
    said = "; ".join(f"{probe} {found}" for probe, found in expected.items())
    size = f"{menu.bits_per_weight(choice):.4f} bits per weight"
    mix = mix_of(formats, name, f"{about}: {size}; KL a token, {menu.made}: {said}.")
    assert {module: level.name for module, level in mix.assign(formats).items()} == formats
    return Allocated(mix, formats, menu.storage_bits(choice), menu.bits_per_weight(choice), predicted, expected)
