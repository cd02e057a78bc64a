"""Does what a profile predicts hold? Predicted against measured KL of units and of mixes, and what a mix answers beside its controls.

    validation.json    predicted and measured nats, sequence by sequence, and the differences between mixes on test items

Written by ``qbench sensitivity validate`` on text that the profile was not made from; every number of `markdown` is computed from the file.
"""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qbench import profiles
from qbench.allocate import KL
from qbench.errors import ProfileError, QBenchError
from qbench.json_files import from_json, to_json
from qbench.pages.markdown import as_table, safe
from qbench.profiles import Cost, Profile
from qbench.recommend import ON_FRESH_TEXT, Evidence, weigh
from qbench.records import write_atomically
from qbench.stats import MIN_UNITS, Agreement, median_ratio, rank_correlation, ratio_of_independent, ratio_of_sums

SCHEMA_VERSION = 2
FILE = "validation.json"
REPORT = "validation.md"


@dataclass(frozen=True)
class UnitCheck:
    """One unit at one format."""

    unit: str
    format: str
    predicted: float
    """Nats a scored token, on the profile's own text."""
    measured: tuple[float, ...]
    """Nats of each sequence of the new text, with this unit alone lowered."""


@dataclass(frozen=True)
class Text:
    """The text of one probe: what the profile was made from, and what it is held against."""

    name: str
    tasks: tuple[str, ...]
    profile_items: tuple[str, ...]
    profile_scored: tuple[int, ...]
    """Scored tokens of each sequence."""
    items: tuple[str, ...]
    """None of them among the profile's."""
    scored: tuple[int, ...]
    units: tuple[UnitCheck, ...]
    """In the model's order, format by format."""


@dataclass(frozen=True)
class MixCheck:
    """One mix."""

    name: str
    formats: dict[str, str]
    """Of every unit."""
    storage_bytes: float
    """As the proof of the loaded model counts it."""
    bits_per_weight: float
    predicted: dict[str, tuple[float, ...]]
    """Of each probe: nats of each sequence that the profile was made from, summed over the units."""
    expected: dict[str, float]
    """Of each probe: nats a scored token, interactions included (see `qbench.allocate.curve`)."""
    measured: dict[str, tuple[float, ...]]
    """Of each probe: nats of each sequence of the new text."""


@dataclass(frozen=True)
class Difference:
    """The score of a mix on test items, less that of the mix it is held against; the other way round where lower scores are better."""

    mix: str
    row: str
    """A category, a task that is not of the bank, or ``all categories``."""
    value: float
    """In percentage points, like its interval."""
    low: float
    high: float
    n_items: int
    n_templates: int
    verdict: str
    p_value: float
    """Adjusted for all rows of this mix (Holm)."""


@dataclass(frozen=True)
class Validation:
    """The whole file."""

    qbench: str
    profile: str
    """Name of its file."""
    profile_sha256: str
    model: str
    model_sha256: str
    unit: str
    sequences: int
    """Asked for, of each probe."""
    mixes: tuple[MixCheck, ...]
    """The allocated one first, then its controls."""
    texts: tuple[Text, ...]
    reference: str
    """The control that all mixes are held against on test items."""
    margin: float
    """Percentage points that count as no difference."""
    confidence: float
    run: str
    """Folder of the sweep over the test items; empty where none was made."""
    test: tuple[Difference, ...]
    settings: dict[str, str] = field(default_factory=dict)
    """What was asked for, profile and mixes by their SHA-256: the same settings make the same file."""

    @property
    def allocated(self) -> MixCheck:
        return self.mixes[0]

    @property
    def controls(self) -> tuple[MixCheck, ...]:
        return self.mixes[1:]

    def __str__(self) -> str:
        return markdown(self)


def write(validation: Validation, folder: Path) -> tuple[Path, ...]:
    """Write the file and its tables as Markdown into a folder.

    Raises:
        ProfileError: the validation contradicts itself.
        RunError: the disk is full or the folder cannot be written.
    """
    _check(validation, folder / FILE)
    content = {"schema_version": SCHEMA_VERSION, **to_json(validation)}
    write_atomically(
        folder / FILE, (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
    )
    write_atomically(folder / REPORT, markdown(validation).encode())
    return folder / FILE, folder / REPORT


def read(path: Path) -> Validation:
    """Read the file and check that it is whole.

    Raises:
        ProfileError: there is none, it is of another schema, or it contradicts itself.
    """
    content = profiles.read_object(path, "validation", "qbench sensitivity validate")
    version = content.pop("schema_version")
    try:
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema version {version!r}, and this qbench reads version {SCHEMA_VERSION}")
        validation: Validation = from_json(Validation, content, "")
    except (ValueError, QBenchError) as error:
        raise _unreadable(path, str(error)) from None
    _check(validation, path)
    return validation


def read_all(paths: Sequence[Path], profile: Path, made: Profile) -> list[Validation]:
    """Read validations of mixes of one profile.

    Args:
        paths: of the files.
        profile: file that all of them must be about.
        made: what it holds.

    Raises:
        ProfileError: one cannot be read, or is about another profile.
    """
    found = [read(path) for path in paths]
    sha256 = hashlib.sha256(profile.read_bytes()).hexdigest() if paths else ""
    units, probes = [unit.name for unit in made.units], {probe.name for probe in made.probes}
    for path, own in zip(paths, found, strict=True):
        if own.profile_sha256 != sha256:
            raise ProfileError(
                f"{path} validates another profile than {profile}; name that one, or validate this one's mixes."
            )
        if [*own.allocated.formats] != units or not {text.name for text in own.texts} <= probes:
            raise _unreadable(path, f"it has other units or probes than {profile}")
    return found


def _unreadable(path: Path, why: str) -> ProfileError:
    return ProfileError(f"{path} cannot be read as a validation ({why}). Run qbench sensitivity validate again.")


def _check(validation: Validation, path: Path) -> None:
    """
    Raises:
        ProfileError: the first contradiction.
    """
    for flaw in _flaws(validation):
        raise _unreadable(path, flaw)


def _flaws(validation: Validation) -> Iterator[str]:
    """What contradicts itself."""
    if not validation.mixes or not validation.texts:
        yield "it has no mixes or no texts"
    names, probes = [mix.name for mix in validation.mixes], [text.name for text in validation.texts]
    if len({*names}) < len(names) or len({*probes}) < len(probes):
        yield "a mix or a probe is there twice"
    if not 0 < validation.confidence < 1 or not validation.margin > 0:
        yield "its confidence is not between 0 and 1, or its margin not above 0"
    units = [*validation.allocated.formats]
    if not units or any([*mix.formats] != units for mix in validation.mixes):
        yield "its mixes do not have the same units"
    if not all(mix.storage_bytes > 0 and mix.bits_per_weight > 0 for mix in validation.mixes):
        yield "a mix has no size"
    for text in validation.texts:
        for items, scored in ((text.profile_items, text.profile_scored), (text.items, text.scored)):
            if not scored or min(scored) < 1:
                yield f"the probe {text.name} has a sequence without scored tokens"
            if len(items) != len(scored):
                yield f"the probe {text.name} has another number of items than of sequences"
        checks = [(check.unit, check.format) for check in text.units]
        if len({*checks}) < len(checks) or not {unit for unit, _ in checks} <= {*units}:
            yield f"the probe {text.name} has a unit twice at one format, or one that no mix has"
        if any(
            [check.unit for check in text.units if check.format == name] != units for name in _whole(validation, text)
        ):
            yield f"the probe {text.name} has the units in another order than the mixes"
        if any(len(check.measured) != len(text.scored) for check in text.units):
            yield f"a unit has another number of sequences than the probe {text.name}"
    for mix in validation.mixes:
        tables: tuple[Mapping[str, object], ...] = (mix.predicted, mix.expected, mix.measured)
        if any({*table} != {*probes} for table in tables):
            yield f"the mix {mix.name} does not have a cost on every probe"
        for text in validation.texts:
            made, new = mix.predicted[text.name], mix.measured[text.name]
            if (len(made), len(new)) != (len(text.profile_scored), len(text.scored)):
                yield f"the mix {mix.name} has another number of sequences than the probe {text.name}"
    if validation.controls and validation.reference not in names[1:]:
        yield f"there is no control {validation.reference!r}, which mixes are held against"
    others, rows = {*names} - {validation.reference}, {own.row for own in validation.test}
    if Counter((own.row, own.mix) for own in validation.test) != Counter(itertools.product(rows, others)):
        yield "its test items do not have a row for every mix"


# ---------------------------------------------------------------- what it says


@dataclass(frozen=True)
class UnitAgreement:
    """How well the units of one probe are predicted at one format."""

    probe: str
    format: str
    evidence: Evidence
    ratio: Agreement
    """Median of predicted / measured."""


@dataclass(frozen=True)
class MixAgreement:
    """How well one mix is predicted on one probe, and how it compares with the allocated one."""

    mix: str
    probe: str
    predicted: KL
    """The sum of what its units cost alone."""
    expected: float
    """The same with what units do to one another."""
    measured: KL
    ratio: Agreement
    """Measured / expected: on different text."""
    additivity: Agreement
    """Measured / the sum of what its units cost alone on the same text; NaN where not all of them were measured at its formats."""
    to_allocated: Agreement
    """Its measured KL over the allocated mix's, on the same text."""


def fresh_nats(validations: Sequence[Validation], probe: str, format: str) -> NDArray[np.float64] | None:
    """Nats of every unit, each lowered alone to a format, on text that the profile was not made from, (units, sequences).

    Of the validation with the most sequences; None where none measured every unit at this format.
    """
    found = [
        np.array([check.measured for check in text.units if check.format == format])
        for validation in validations
        for text in validation.texts
        if text.name == probe and format in _whole(validation, text)
    ]
    return max(found, key=lambda nats: nats.shape[1], default=None)


def _whole(validation: Validation, text: Text) -> list[str]:
    """Formats at which every unit was measured."""
    counts = Counter(check.format for check in text.units)
    return [name for name, count in counts.items() if count == len(validation.allocated.formats)]


def unit_agreements(validation: Validation, *, seed: int = 0) -> Iterator[UnitAgreement]:
    """Probe by probe, format by format, wherever every unit was measured."""
    for text in validation.texts:
        for name in _whole(validation, text):
            checks = [check for check in text.units if check.format == name]
            predicted = np.array([check.predicted for check in checks])
            measured = np.array([sum(check.measured) / sum(text.scored) for check in checks])
            rng = np.random.default_rng(seed)
            evidence = weigh(ON_FRESH_TEXT, predicted, measured, confidence=validation.confidence, rng=rng)
            yield UnitAgreement(
                text.name, name, evidence, median_ratio(predicted, measured, confidence=validation.confidence)
            )


def mix_agreements(validation: Validation) -> Iterator[MixAgreement]:
    """Probe by probe, mix by mix."""
    for text in validation.texts:
        alone = {(check.unit, check.format): check.measured for check in text.units}
        best = validation.allocated.measured[text.name]
        for mix in validation.mixes:
            predicted, measured = mix.predicted[text.name], mix.measured[text.name]
            total, found = Cost.of(predicted, text.profile_scored), Cost.of(measured, text.scored)
            lowered = [pair for pair in mix.formats.items() if pair[1] != profiles.FULL_PRECISION]
            parts = [alone.get(pair, (np.nan,) * len(measured)) for pair in lowered]
            yield MixAgreement(
                mix.name,
                text.name,
                KL.of(predicted, text.profile_scored, confidence=validation.confidence),
                mix.expected[text.name],
                KL.of(measured, text.scored, confidence=validation.confidence),
                ratio_of_independent(
                    found.value,
                    found.standard_error,
                    mix.expected[text.name],
                    mix.expected[text.name] * total.standard_error / total.value if total.value else 0.0,
                    confidence=validation.confidence,
                ),
                ratio_of_sums(measured, np.sum(parts, axis=0), confidence=validation.confidence),
                ratio_of_sums(measured, best, confidence=validation.confidence),
            )


def mix_order(agreements: Sequence[MixAgreement], *, confidence: float) -> Agreement:
    """Rank correlation of predicted with measured KL over the mixes of one probe."""
    predicted, measured = ([getattr(own, side).value for own in agreements] for side in ("predicted", "measured"))
    return rank_correlation(predicted, measured, confidence=confidence)


# ---------------------------------------------------------------- tables


def markdown(validation: Validation) -> str:
    """Everything as Markdown."""
    parts = [f"# {safe(validation.allocated.name)}: predicted and measured", _head(validation), _units(validation)]
    parts += [_mixes(validation, text) for text in validation.texts]
    if validation.test:
        parts.append(_test(validation))
    return "\n\n".join(parts) + "\n"


def _head(validation: Validation) -> str:
    sizes = ", ".join(
        f"{safe(text.name)}: {len(text.items)} {'sequence' if len(text.items) == 1 else 'sequences'}, {sum(text.scored):,} scored tokens"
        for text in validation.texts
    )
    return (
        f"Profile {safe(validation.profile)} (sha256 {validation.profile_sha256[:16]}) of {safe(validation.model)}. Measured on text that "
        f"the profile was not made from ({sizes}). KL in nats a scored token; intervals at {100 * validation.confidence:g} %, over "
        "sequences, and over units for correlations."
    )


def _units(validation: Validation) -> str:
    found = list(unit_agreements(validation))
    rows = [
        [
            safe(own.probe),
            own.format,
            str(own.evidence.correlation.n),
            str(own.evidence.correlation),
            f"{own.evidence.chance:.2f}" if own.evidence.is_checked else "–",
            str(own.evidence.over_depth),
            str(own.ratio),
            "yes" if own.evidence.holds else "no",
        ]
        for own in found
    ]
    doubts = [f"{safe(own.probe)} at {own.format}: {own.evidence.doubt}" for own in found if own.evidence.doubt]
    head = [
        "probe",
        "format",
        "units",
        "rank correlation",
        "chance stays below",
        "more than depth order",
        "predicted / measured (median)",
        "beats both",
    ]
    return "\n\n".join(["## Units, each lowered alone", as_table(head, rows), *doubts])


def _mixes(validation: Validation, text: Text) -> str:
    agreements = [own for own in mix_agreements(validation) if own.probe == text.name]
    sizes = {mix.name: mix for mix in validation.mixes}
    rows = [
        [
            safe(own.mix),
            f"{sizes[own.mix].bits_per_weight:.4f}",
            f"{sizes[own.mix].storage_bytes:,.0f}",
            str(own.predicted),
            "–" if np.isnan(own.expected) else f"{own.expected:.4g}",
            str(own.measured),
            _or_dash(own.ratio),
            _or_dash(own.additivity),
            "1" if own.mix == validation.allocated.name else _or_dash(own.to_allocated),
        ]
        for own in agreements
    ]
    head = [
        "mix",
        "bits/weight",
        "bytes",
        "sum of its units, predicted",
        "expected KL",
        "measured KL",
        "measured / expected",
        "measured / its units alone",
        f"KL / {safe(validation.allocated.name)}'s",
    ]
    worse = [own for own in agreements[1:] if own.to_allocated.interval.low > 1]
    better = [own for own in agreements[1:] if own.to_allocated.interval.high < 1]
    said = f"{safe(validation.allocated.name)} has a lower KL than {len(worse)} of {len(agreements) - 1} controls for certain"
    if better:
        said += f", a higher one than {', '.join(safe(own.mix) for own in better)}"
    order = mix_order(agreements, confidence=validation.confidence)
    said += f". Rank correlation of predicted with measured KL over the {order.n} mixes: {_or_why(order)}."
    return f"## Mixes on {safe(text.name)}\n\n{as_table(head, rows)}\n\n{said}"


def _test(validation: Validation) -> str:
    mixes = list(dict.fromkeys(own.mix for own in validation.test))
    names = list(dict.fromkeys(own.row for own in validation.test))
    found = {(own.row, own.mix): own for own in validation.test}
    rows = [
        [
            safe(name),
            f"{found[name, mixes[0]].n_items} / {found[name, mixes[0]].n_templates}",
            *(_difference(found[name, mix]) for mix in mixes),
        ]
        for name in names
    ]
    own = {row: found[row, validation.allocated.name] for row in names}
    better = [safe(row) for row, difference in own.items() if difference.low > 0]
    worse = [safe(row) for row, difference in own.items() if difference.high < 0]
    said = (
        f"{safe(validation.allocated.name)} beats {safe(validation.reference)} for certain: {', '.join(better) or 'nowhere'}; worse: "
        f"{', '.join(worse) or 'nowhere'}."
    )
    return (
        f"## Test items\n\nScore less that of {safe(validation.reference)}, in percentage points (verdicts at a margin of "
        f"{validation.margin:g}). No item was looked at before.\n\n{as_table(['', 'items / templates', *map(safe, mixes)], rows)}\n\n{said}"
    )


def _difference(own: Difference) -> str:
    if np.isnan((own.value, own.low, own.high)).any():
        return "–"
    return f"{own.value:+.1f} [{own.low:+.1f}, {own.high:+.1f}] {own.verdict}".replace("-", "−")


def _or_why(correlation: Agreement) -> str:
    """A rank correlation, or why there is none."""
    if not np.isnan(correlation.value):
        return str(correlation)
    few = correlation.n < MIN_UNITS
    return f"none, since it takes at least {MIN_UNITS}" if few else "none, since all have the same"


def _or_dash(agreement: Agreement) -> str:
    return "–" if np.isnan(agreement.value) else str(agreement)
