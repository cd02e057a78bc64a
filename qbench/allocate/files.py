"""The files of an allocation: which mix `qbench allocate` wrote, which control belongs to which mix, and what may be overwritten.

Beside what every mix has, these hold the fingerprint of their own default and rules (``allocation``), and a control that of the mix whose
control it is (``control_of``). So a mix that was edited, and a control that an earlier mix of the same name has left behind, are told by
what they hold, and not by what they are called.
"""

import hashlib
import json
from collections.abc import Mapping
from glob import escape
from pathlib import Path

import yaml

from qbench.allocate.rules import as_yaml
from qbench.errors import AllocationError, MixError
from qbench.levels import Mix, read_mix
from qbench.records import write_atomically

ENDINGS = (".yaml", ".yml")


def fingerprint(mix: Mix) -> str:
    """Of the default and the rules: equal for mixes that say the same, whatever they are called."""
    said = [mix.default.name, *([rule.modules, rule.layers, rule.level.name] for rule in mix.rules)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def write_mix(path: Path, mix: Mix, *, control_of: Mix | None = None) -> None:
    own = {"allocation": fingerprint(mix)}
    write_atomically(path, as_yaml(mix, own | ({"control_of": fingerprint(control_of)} if control_of else {})).encode())


def check_target(path: Path, *, control: bool = False) -> None:
    """Refuse to write a mix over anything but one that was allocated before.

    Raises:
        AllocationError: the name is none of a mix, or something else is there.
    """
    if path.is_dir():
        raise AllocationError(f"{path} is a folder; --out names a file in it, such as {path / 'mix.yaml'}.")
    if path.suffix not in ENDINGS:
        raise AllocationError(f"{path} is no name for a mix, which is a {' or '.join(ENDINGS)}; choose another --out.")
    if not path.exists():
        return
    stamp = _stamp(path)
    if stamp is None:
        raise AllocationError(
            f"{path} is there already and is not as qbench allocate writes a mix, so it was not overwritten. Choose another --out, or move "
            "the file away."
        )
    if (stamp != "") != control:
        kinds = ("a mix", "a control of a mix")
        raise AllocationError(
            f"{path} is {kinds[not control]} that qbench allocate wrote and would become {kinds[control]}, so it was not overwritten. "
            "Choose another --out, or move the file away."
        )


def controls_beside(path: Path) -> tuple[list[Path], list[Path]]:
    """The controls that were written beside a mix: those of this very mix, and those that an earlier one of its name has left behind.

    Raises:
        MixError: the mix itself cannot be read.
    """
    own, stale = fingerprint(read_mix(path)), "control of another mix"
    found: dict[str, list[Path]] = {own: [], stale: []}
    for other in sorted(path.parent.glob(f"{escape(path.stem)}-*.yaml")):
        if stamp := _stamp(other):
            found[stamp if stamp == own else stale].append(other)
    return found[own], found[stale]


def _stamp(path: Path) -> str | None:
    """Of a control the fingerprint of its mix, of another allocated mix an empty text; None where it was not allocated, or was edited."""
    try:
        mix = read_mix(path)
    except MixError:
        return None
    content: Mapping[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return str(content.get("control_of", "")) if content.get("allocation") == fingerprint(mix) else None
