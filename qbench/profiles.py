"""Sensitivity profiles: what lowering each unit of a model costs, in a file that can be read without weights.

    sens.json        one model, some units, some formats, and a probe for every kind of text that was asked about

Written once and whole by ``qbench sensitivity``; read by ``qbench allocate``, by contrasts and by pictures. Every cost is in nats of KL
divergence per scored token, between the full-precision model and the model in which something was lowered. What was not measured is null
in the file and NaN here, never zero.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from qbench import json_files
from qbench.errors import ProfileError, QBenchError, did_you_mean
from qbench.json_files import from_json, to_json
from qbench.levels import Level
from qbench.records import write_atomically

SCHEMA_VERSION = 1
DEFAULT_FORMAT = "q4"  # where people want to know
UNIT_KINDS = ("module", "layer", "block")
FULL_PRECISION = "fp16"
"""Name of the level that nothing was lowered at, among the levels of a `Place`."""


@dataclass(frozen=True)
class Cost:
    """What one change of the model costs on a probe: nats of KL a scored token, with its uncertainty."""

    value: float
    standard_error: float
    """Over sequences: how far another draw of as many sequences like these would land. NaN with a single sequence."""
    halves: tuple[float, float]
    """The same value on the even and on the odd sequences: how alike two independent probes of half the size would be."""
    sequences: tuple[float, ...]
    """Nats of each sequence, summed over its scored tokens, to six digits; empty where nothing was measured. A predicted cost is an
    average over drawn labels of squares, a measured one a KL divergence."""

    @classmethod
    def of(cls, nats: Sequence[float], scored: Sequence[int]) -> Self:
        """From the nats and the number of scored tokens of each sequence: a ratio of sums, so that every scored token weighs the same.

        Missing where a sequence was not measured, or a model overflows.
        """
        total, counts = np.asarray(nats, float), np.asarray(scored, float)
        if not np.isfinite(total).all():
            return cls.missing()
        n = len(total)
        value = total.sum() / counts.sum()
        # The error of a ratio of sums, linearised (Cochran 1977, section 2.11).
        residual = total - value * counts
        error = math.sqrt(n / (n - 1) * float((residual**2).sum())) / counts.sum() if n > 1 else math.nan
        even, odd = (
            float(total[start::2].sum() / counts[start::2].sum()) if n > start else math.nan for start in (0, 1)
        )
        return cls(float(value), float(error), (even, odd), tuple(float(f"{nat:.6g}") for nat in total))

    @classmethod
    def missing(cls) -> Self:
        return cls(math.nan, math.nan, (math.nan, math.nan), ())

    @property
    def is_missing(self) -> bool:
        return math.isnan(self.value)

    def __str__(self) -> str:
        return f"{self.value:.3g} ± " + ("–" if math.isnan(self.standard_error) else f"{self.standard_error:.1g}")


Costs = dict[str, dict[str, Cost]]
"""By unit and by format; every unit and every format is there, a `Cost.missing` where nothing was measured."""


@dataclass(frozen=True)
class Unit:
    """A part of the model that is lowered as one: a module, a block (attention or MLP of a layer), or a layer."""

    name: str
    modules: tuple[str, ...]
    """Names of its modules, as `qbench.quant.modules.units` and the rules of a mix have them; of a tied weight, its first module."""
    layer: int | None
    """Counted from 0; None for what belongs to no layer, such as embeddings."""
    kind: str
    """What units of the same role share: ``q_proj``, ``down_proj``, ``embedding``, ``head``; of a block ``self_attn`` or ``mlp``; of a
    layer ``layer``. A tied embedding and head are ``embedding``."""
    n_weights: int
    full_bytes: float
    """Storage in full precision, two bytes a weight."""
    bytes: dict[str, float]
    """Storage at each format, scales and zero points included."""
    magnitude: float
    """Mean absolute weight."""
    relative_error: dict[str, float]
    """At each format: Frobenius norm of the change of the weights over that of the weights."""
    squared_error: dict[str, float]
    """At each format: the squared Frobenius norm of the change, which is what a measure that knows no data would rank by."""


@dataclass(frozen=True)
class Activations:
    """What a part of the model puts out, over the tokens of a probe."""

    sparsity: float
    """Share of the entries that are smaller than a hundredth of the root mean square of their token's vector."""
    mean: float
    std: float
    """Of all entries."""
    magnitude: float
    """Mean Euclidean norm of a token's vector."""
    effective_rank: float
    """exp of the entropy of the normalised singular values of (tokens, width) (Roy and Vetterli 2007), over at most 256 tokens."""


@dataclass(frozen=True)
class Attention:
    """How a layer's heads look at the text, over the tokens of a probe that see at least two positions."""

    entropy: float
    """Nats; mean over heads and tokens of the entropy of the attention weights."""
    focus: float
    """One less the mean of entropy / ln(number of visible positions): 0 looks everywhere alike, 1 at one place."""
    specialization: float
    """Mean over tokens of the Jensen-Shannon divergence among the heads over ln(heads): 0 where all heads look at the same places, 1 where
    no two look at the same. NaN with a single head."""


@dataclass(frozen=True)
class Place:
    """A part of the model whose output was looked at: the module of a unit, a whole layer, or a layer's attention."""

    name: str
    layer: int | None
    activations: dict[str, Activations]
    """By level: ``fp16``, and every format with the whole model at it."""
    attention: dict[str, Attention]
    """By level; empty but at a layer's attention, and where a model does not show its attention weights."""


@dataclass(frozen=True)
class Probe:
    """One kind of text, and what each unit costs on it."""

    name: str
    tasks: tuple[str, ...]
    """The lm-eval tasks, or the path of a text file."""
    responses: str
    """``reference`` for the items' own answers, ``own`` for what the model answers, ``text`` for a plain file."""
    split: str
    """Of the items: one that lm-eval does not evaluate, where the task has one; empty for a text file."""
    sha256: str
    """Over the token ids and the scored positions of every sequence."""
    items: tuple[str, ...]
    """What each sequence was made of: the id of an item of the bank, ``task/split/number`` of another document, ``file/number`` of
    a text."""
    scored: tuple[int, ...]
    """Scored tokens of each sequence: those of the response."""
    n_tokens: int
    """Of all sequences, prompts included."""
    n_left_out: int
    """Items passed over because they do not fit; nothing is ever cut."""
    predicted: Costs
    """Cost of each unit at each format alone, to second order, from one pass forward and a few back."""
    measured: Costs
    """KL with this unit alone lowered, all others in full precision (leave one in)."""
    restored: Costs
    """KL with the whole model at the format, less the KL with this unit alone restored to full precision: what restoring it gives back."""
    lowered: dict[str, Cost]
    """KL with the whole model at each format: always measured, since units together cost more than the sum of each alone."""
    fisher: dict[str, float]
    """Of each unit: mean over its weights and the sequences of the squared gradient of a sequence's mean log-likelihood a scored token,
    with the text's own tokens as labels (the diagonal empirical Fisher information). It knows nothing of a format."""
    gradient: dict[str, float]
    """Of each unit: mean over its weights and the sequences of the absolute value of that gradient."""
    signed: dict[str, dict[str, float]]
    """Of each unit at each format: |mean over sequences of that gradient · ΔW|, the first-order change of the loss; nats a scored token."""
    places: tuple[Place, ...]

    @property
    def n_sequences(self) -> int:
        return len(self.scored)

    @property
    def n_scored(self) -> int:
        return sum(self.scored)


@dataclass(frozen=True)
class Model:
    """Which model."""

    name: str
    """As it was named on the command line; ``nano`` for the reference model."""
    sha256: str
    """Over its weight files."""
    n_parameters: int
    other_bytes: float
    """Storage of what no level applies to: norms, biases, position tables, routers."""


@dataclass(frozen=True)
class Profile:
    """The whole file."""

    qbench: str
    """Version of qbench that wrote it."""
    model: Model
    unit: str
    """Kind of the units: module, block or layer."""
    formats: dict[str, Level]
    """What may be chosen for a unit, by name and in full: this is the quantizer's identity. Not among them: full precision."""
    seed: int
    """Of the labels that are drawn from the model."""
    draws: int
    """Draws of labels for each sequence."""
    units: tuple[Unit, ...]
    """In the model's order. Disjoint, and together all weights that levels apply to."""
    probes: tuple[Probe, ...]
    settings: dict[str, str] = field(default_factory=dict)
    """What else was asked for, such as ``sequences`` and ``measure``: the same settings of the same model make the same file."""
    bank: dict[str, str] = field(default_factory=dict)
    """Version and SHA-256 of the question bank's release."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the libraries that can move a number."""

    def probe(self, name: str) -> Probe:
        """
        Raises:
            ProfileError: there is none of this name.
        """
        found = next((probe for probe in self.probes if probe.name == name), None)
        if found is None:
            names = ", ".join(probe.name for probe in self.probes)
            raise ProfileError(f"The profile has no probe {name!r}; it has {names}.")
        return found

    def format(self, name: str = "") -> str:
        """The format of this name; q4 if none is named, or the middle one of a profile without it.

        Raises:
            ProfileError: there is none of this name.
        """
        names = list(self.formats)
        if not name:
            return DEFAULT_FORMAT if DEFAULT_FORMAT in names else names[len(names) // 2]
        if name not in names:
            raise ProfileError(
                f"The profile has no format {name!r}.{did_you_mean(name, names)} It has {', '.join(names)}."
            )
        return name

    def storage_bytes(self, formats: Mapping[str, str]) -> float:
        """Storage of the whole model when the units are stored in these formats; units that are not named stay in full precision."""
        own = sum(unit.bytes[formats[unit.name]] if unit.name in formats else unit.full_bytes for unit in self.units)
        return own + self.model.other_bytes

    def bits_per_weight(self, formats: Mapping[str, str]) -> float:
        """The same per parameter of the whole model, as a sweep reports it."""
        return 8 * self.storage_bytes(formats) / self.model.n_parameters


# ---------------------------------------------------------------- the file


def write(profile: Profile, path: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        ProfileError: the profile contradicts itself.
        RunError: the disk is full or the folder cannot be written.
    """
    _check(profile, path)
    content = {"schema_version": SCHEMA_VERSION, **to_json(profile)}
    write_atomically(path, (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode())


def read(path: Path) -> Profile:
    """Read the file and check that it is whole.

    Raises:
        ProfileError: there is no such file, it is of another schema, or it contradicts itself.
    """
    content = read_object(path, "sensitivity profile", "qbench sensitivity")
    version = content.pop("schema_version")
    if version != SCHEMA_VERSION:
        raise ProfileError(
            f"{path} has schema version {version!r}, and this qbench reads version {SCHEMA_VERSION}. Use the qbench that wrote it, or run "
            "qbench sensitivity again."
        )
    try:
        profile: Profile = from_json(Profile, content, "")
    except (ValueError, QBenchError) as error:
        raise _unreadable(path, str(error)) from None
    _check(profile, path)
    return profile


def read_object(path: Path, what: str, command: str) -> dict[str, Any]:
    """The JSON object in a file that a command wrote, with its ``schema_version``.

    Raises:
        ProfileError: there is no such file, or it holds something else; the message says what, without a codec's own words.
    """
    if path.is_dir():
        raise ProfileError(f"{path} is a folder; name the {what} in it, a .json file.")
    try:
        return json_files.read_object(path, parse_constant=_no_constant)
    except FileNotFoundError:
        raise ProfileError(f"There is no {what} {path}; {command} writes one.") from None
    except ValueError as error:
        raise ProfileError(
            f"{path} cannot be read as a {what} ({error}). Name the file that {command} wrote, or run it again."
        ) from None


def _unreadable(path: Path, why: str) -> ProfileError:
    return ProfileError(f"{path} cannot be read as a sensitivity profile ({why}). Run qbench sensitivity again.")


def _no_constant(name: str) -> float:
    raise ValueError(f"it has {name}, which is not JSON")


def _check(profile: Profile, path: Path) -> None:
    """
    Raises:
        ProfileError: the first contradiction.
    """
    for flaw in _flaws(profile):
        raise _unreadable(path, flaw)


def _flaws(profile: Profile) -> Iterator[str]:
    """What contradicts itself."""
    units, formats = [unit.name for unit in profile.units], list(profile.formats)
    modules = [module for unit in profile.units for module in unit.modules]
    if profile.unit not in UNIT_KINDS:
        yield f"its units are of the kind {profile.unit!r}"
    if not units or not formats or not profile.probes:
        yield "it has no units, no formats or no probes"
    model = profile.model
    if model.n_parameters < 1 or not model.other_bytes >= 0:
        yield "its model has no size"
    if not all(unit.modules for unit in profile.units):
        yield "a unit has no modules"
    if len({*units}) < len(units) or len({*modules}) < len(modules):
        yield "a unit or a module is there twice"
    for name, level in profile.formats.items():
        if level.name != name or level.is_full_precision:
            yield f"the format {name} is stored as {level.name}"
    for unit in profile.units:
        if any(table.keys() != {*formats} for table in (unit.bytes, unit.relative_error, unit.squared_error)):
            yield f"the unit {unit.name} has other formats"
        if unit.n_weights < 1 or not all(size > 0 for size in (unit.full_bytes, *unit.bytes.values())):
            yield f"the unit {unit.name} has no size"
    names = [probe.name for probe in profile.probes]
    if len({*names}) < len(names):
        yield "two probes share a name"
    for probe in profile.probes:
        if not probe.scored or min(probe.scored) < 1:
            yield f"the probe {probe.name} has a sequence without scored tokens"
        if len(probe.items) != probe.n_sequences:
            yield f"the probe {probe.name} has another number of items than of sequences"
        tables: tuple[Mapping[str, Mapping[str, Any]], ...] = (
            probe.predicted,
            probe.measured,
            probe.restored,
            probe.signed,
        )
        if any([*table] != units or any([*row] != formats for row in table.values()) for table in tables):
            yield f"the probe {probe.name} does not have a cost for every unit and format"
        for cost in _costs(probe):
            if cost.is_missing != (not cost.sequences) or any(map(math.isnan, cost.sequences)):
                yield f"a cost of the probe {probe.name} has a value without its sequences, or sequences without a value"
            if cost.sequences and len(cost.sequences) != probe.n_sequences:
                yield f"a cost of the probe {probe.name} has another number of sequences"
        if any(cost.value < 0 for row in probe.predicted.values() for cost in row.values()):
            yield f"the probe {probe.name} predicts a negative cost"
        if probe.lowered.keys() != {*formats} or any(
            table.keys() != {*units} for table in (probe.fisher, probe.gradient)
        ):
            yield f"the probe {probe.name} lacks a format or a unit"


def _costs(probe: Probe) -> Iterator[Cost]:
    for table in (probe.predicted, probe.measured, probe.restored):
        for row in table.values():
            yield from row.values()
    yield from probe.lowered.values()
