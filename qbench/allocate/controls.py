"""Mixes of the same size that know less: what an allocated mix has to beat.

All but the uniform ones are made by the same solver from the same cost curves, handed out to the units in another order: the steepest
curve goes to the unit that the control holds for the most fragile one. So they differ from the allocated mix in nothing but the ranking.
"""

import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from qbench.allocate.menu import Menu
from qbench.allocate.solve import Array, Choice, Limit, choose, total

N_RANDOM = 3


def controls(menu: Menu, costs: Array, budget: int, seed: int) -> dict[str, Choice]:
    """Return the controls by name, each as large as the budget allows.

    * ``uniform``: the largest format that fits everywhere; what is left of the budget raises units to the next one, first layers first.
      Between two formats there is no uniform mix of a given size, and this is as near as one comes.
    * ``uniform-random-N``: the same, in random order.
    * ``first``, ``last``, ``ends``: the first layers, the last ones, or both are held for the most fragile.
    * ``magnitude``: the units with the largest weights are.
    * ``random-N``: any are.
    * ``inverted``: the least fragile are.

    Args:
        menu: the choices.
        costs: what the allocated mix was made from, as (units, formats), without NaN.
        budget: bits for the units.
        seed: of the random orders.
    """
    found = {"uniform": _uniform(menu, budget, np.arange(len(costs)))}
    for number in range(1, N_RANDOM + 1):
        found[f"uniform-random-{number}"] = _uniform(menu, budget, _order(f"uniform-{number}", len(costs), seed))
    for name, fragile in _rankings(menu, costs, seed):
        choice = choose(_handed_out(menu, costs, fragile), [Limit(menu.bits, budget)])
        assert choice is not None  # the allocated mix fits, so others do
        found[name] = _filled(menu, choice, budget, np.argsort(-fragile, kind="stable"))
    return found


def _rankings(menu: Menu, costs: Array, seed: int) -> Iterator[tuple[str, Array]]:
    """Name of each control that ranks the units, and how fragile it holds each of them for."""
    depth = np.arange(len(costs), dtype=float)
    yield "first", -depth
    yield "last", depth
    yield "ends", np.abs(depth - depth.mean())
    yield "magnitude", np.array([unit.magnitude for unit in menu.profile.units])
    for number in range(1, N_RANDOM + 1):
        yield f"random-{number}", _order(f"random-{number}", len(costs), seed).astype(float)
    yield "inverted", -_fragility(menu, costs)


def _order(name: str, n: int, seed: int) -> Choice:
    return np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(n)


def _per_weight(menu: Menu, costs: Array) -> Array:
    return costs / _n_weights(menu)[:, np.newaxis]


def _n_weights(menu: Menu) -> Array:
    return np.array([unit.n_weights for unit in menu.profile.units], dtype=float)


def _fragility(menu: Menu, costs: Array) -> Array:
    """How steep the curve of each unit is: its cost a weight, as a share of all units' at each format, summed over the formats."""
    per_weight = _per_weight(menu, costs)
    whole = per_weight.sum(axis=0)
    return np.asarray(np.divide(per_weight, whole, out=np.zeros_like(per_weight), where=whole > 0).sum(axis=1))


def _handed_out(menu: Menu, costs: Array, fragile: Array) -> Array:
    """The same curves, the steepest to the unit that counts as the most fragile."""
    steepest = np.argsort(-_fragility(menu, costs), kind="stable")
    receivers = np.argsort(-fragile, kind="stable")
    curves = np.empty_like(costs)
    curves[receivers] = _per_weight(menu, costs)[steepest]
    return curves * _n_weights(menu)[:, np.newaxis]


def _uniform(menu: Menu, budget: int, order: Iterable[int]) -> Choice:
    sizes = menu.bits.sum(axis=0)
    fits = np.flatnonzero(sizes <= budget)
    base = int(fits[0]) if len(fits) else len(sizes) - 1
    return _filled(menu, menu.uniform(base), budget, order)


def _filled(menu: Menu, choice: Choice, budget: int, order: Iterable[int]) -> Choice:
    """Spend what is left of the budget: one unit after the other gets the next larger format, where that fits."""
    filled = choice.copy()
    left = budget - int(total(menu.bits, choice))
    for unit in order:
        position = filled[unit]
        more = int(menu.bits[unit, position - 1] - menu.bits[unit, position]) if position else 0
        if 0 < more <= left:
            filled[unit] -= 1
            left -= more
    return filled
