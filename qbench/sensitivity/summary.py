"""What ``qbench sensitivity`` prints when it is done: the dearest units; the rest of a profile is for ``qbench sensitivity show``."""

from dataclasses import replace
from pathlib import Path

from qbench.contrasts import Table, costs_table
from qbench.profiles import Probe, Profile

MOST_ROWS = 20
LEAST_ROWS = 5
"""Of each probe, where many share the page."""


def summary(profile: Profile, path: Path) -> str:
    """The dearest units of each probe, and where the others are.

    Args:
        profile: as `qbench.profiles.read` reads it.
        path: of its file.
    """
    n_rows = max(LEAST_ROWS, MOST_ROWS // len(profile.probes))
    tables = [str(_dearest(profile, probe, n_rows)) for probe in profile.probes]
    rest = (
        f"All units and formats, what else could rank them, activations and attention: qbench sensitivity show {path}"
    )
    return "\n\n".join([*tables, rest])


def _dearest(profile: Profile, probe: Probe, n_rows: int) -> Table:
    name = profile.format()
    whole = costs_table(profile, probe, name)
    costs = [probe.predicted[unit.name][name].value for unit in profile.units]
    order = sorted(range(len(costs)), key=lambda at: -costs[at])
    cut = f" (the {n_rows} dearest of {len(order)} units)" if n_rows < len(order) else ""
    return replace(whole, caption=whole.caption + cut, rows=tuple(whole.rows[at] for at in order[:n_rows]))
