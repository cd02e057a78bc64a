"""One format for every unit: the best choice under limits, by integer programming (HiGHS, through scipy)."""

import contextlib
import itertools
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_array

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Choice = NDArray[np.intp]
"""The format of each unit, by position."""

TIME_LIMIT = 60.0  # seconds; 200 units with 6 formats take one (benchmarks/allocate.py)
LARGEST = 1e6  # of a coefficient, which the solver's absolute tolerances of 1e-6 are meant for
INFEASIBLE, OUT_OF_TIME = 2, 1  # as scipy.optimize.milp has them


@dataclass(frozen=True)
class Limit:
    """A sum over the units that must not be exceeded."""

    values: Array | Integers
    """What each unit adds at each format, as (units, formats). Whole numbers are added up exactly."""
    largest: float


class Unproven(Exception):
    """The solver ran out of time."""


def total(values: Array | Integers, choice: Choice) -> float:
    """Sum over the units of what each adds at its format; exact for whole numbers."""
    own = values[np.arange(len(choice)), choice]
    return int(own.sum()) if own.dtype.kind == "i" else math.fsum(own)


def choose(objective: Array | Integers, limits: Sequence[Limit]) -> Choice | None:
    """Return the choice with the least objective that keeps every limit; None where there is none.

    The solver works with tolerances. What it returns is added up again, exactly, and a limit that is exceeded by a rounding error is drawn
    in by that much before the solver is asked again; so no limit is ever exceeded.

    Args:
        objective: what each unit adds at each format, as (units, formats). NaN, here or in a limit: the unit may not have the format.
        limits: any number of them.

    Raises:
        Unproven: no proof of the optimum within a minute.
    """
    n_units, n_formats = objective.shape
    barred = np.isnan(objective) | np.any([np.isnan(limit.values) for limit in limits], axis=0)
    if barred.all(axis=1).any():
        return None
    one_each = csr_array(
        (np.ones(barred.size), (np.repeat(np.arange(n_units), n_formats), np.arange(barred.size))),
        shape=(n_units, barred.size),
    )
    costs, _ = _increments(objective, barred)
    rooms = [limit.largest for limit in limits]
    for attempt in itertools.count():
        rows = [_row(limit.values, room, barred) for limit, room in zip(limits, rooms, strict=True)]
        constraints = [LinearConstraint(one_each, 1, 1), *(LinearConstraint(row, ub=room) for row, room in rows)]
        with _hushed():
            found = milp(
                costs.ravel(),
                constraints=constraints,
                integrality=np.ones(barred.size),
                bounds=Bounds(0, (~barred).ravel().astype(float)),
                options={"mip_rel_gap": 0.0, "time_limit": TIME_LIMIT},
            )
        if found.status == INFEASIBLE:
            return None
        choice = _read(found, barred.shape)
        excess = [total(limit.values, choice) - limit.largest for limit in limits]
        if max(excess, default=0) <= 0:
            return choice
        rooms = [room - max(0, over) * 2**attempt for room, over in zip(rooms, excess, strict=True)]
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep the solver off the standard output, where it leaves a line now and then whatever its options say."""
    sys.stdout.flush()
    before, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(nowhere)


def _read(found: OptimizeResult, shape: tuple[int, ...]) -> Choice:
    if found.status == OUT_OF_TIME or found.x is None:
        raise Unproven(found.message)
    return np.asarray(found.x.reshape(shape).argmax(axis=1))


def _row(values: Array | Integers, room: float, barred: NDArray[np.bool_]) -> tuple[csr_array, float]:
    """A limit as the solver takes it: what the units add beyond the least that they must, and the room that there is for it."""
    increments, scale = _increments(values, barred)
    least = np.where(barred, np.inf, values).min(axis=1)
    left = (room - math.fsum(least)) * scale
    if values.dtype.kind == "i" and not (increments % 1).any():  # in units of their greatest common divisor
        left = math.floor(left + 1e-9)
    return csr_array(increments.reshape(1, -1)), left


def _increments(values: Array | Integers, barred: NDArray[np.bool_]) -> tuple[Array, float]:
    """What each unit adds beyond its least, times a scale that suits the solver's tolerances.

    Sizes are multiples of something large. As small whole numbers they halve the solver's work.
    """
    if values.dtype.kind == "i":
        least = np.where(barred, np.iinfo(np.int64).max, values).min(axis=1, keepdims=True)
        whole = np.where(barred, 0, values - least)
        divisor = int(np.gcd.reduce(whole, axis=None)) or 1
        if whole.max() // divisor <= LARGEST:
            return whole / divisor, 1 / divisor
        return whole / whole.max() * LARGEST, LARGEST / float(whole.max())
    least = np.where(barred, np.inf, values).min(axis=1, keepdims=True)
    beyond = np.where(barred, 0.0, values - least)
    scale = LARGEST / float(beyond.max()) if beyond.max() > 0 else 1.0
    return beyond * scale, scale
