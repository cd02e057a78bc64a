"""The work behind ``qbench sensitivity validate``: are the predictions true, on text that they were not made from?

Three sets of items that share none: those of the profile (calibration), fresh ones of the same tasks on which units and mixes are measured
(selection), and the test items that a sweep asks of the mix and its controls.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from qbench import bank, profiles, provenance, records
from qbench.allocate import Curve, predicted_nats
from qbench.allocate.files import controls_beside
from qbench.compare import compare
from qbench.errors import ProfileError
from qbench.harness import find_tasks, load_tasks, quiet
from qbench.levels import LEVELS, Mix, read_mix
from qbench.models import nano_path, open_model
from qbench.names import check_sequences
from qbench.profiles import FULL_PRECISION, Probe, Profile, Unit
from qbench.progress import Progress
from qbench.sensitivity import text
from qbench.sensitivity.journal import Journal
from qbench.sensitivity.language import Asked
from qbench.sensitivity.measured import divergence, lowered
from qbench.sensitivity.parts import Part, parts
from qbench.sensitivity.text import ProbeText
from qbench.stats import check_confidence, check_margin
from qbench.sweep import sweep
from qbench.validation import FILE, Difference, MixCheck, Text, UnitCheck, Validation, read, write

DEFAULT_SEQUENCES = 64
DEFAULT_BATCH_TOKENS = 2048
UNIFORM = "uniform"
UNFINISHED = f"{FILE}.unfinished"


def validate(
    profile: Path,
    mix: Path,
    controls: Sequence[Path] = (),
    *,
    model: str = "",
    run: Path | None = None,
    sequences: int = DEFAULT_SEQUENCES,
    tasks: Sequence[str] = (),
    items: int = bank.DEFAULT_ITEMS,
    limit: int | None = None,
    test: bool = True,
    batch_size: int = 64,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    margin: float = 2.0,
    confidence: float = 0.95,
    model_args: Mapping[str, Any] | None = None,
    include_path: Sequence[Path] = (),
    progress: bool = True,
) -> Validation:
    """Hold what a profile predicts against what is measured, then ask the mix and its controls the test items.

    Args:
        profile: file that ``qbench sensitivity`` wrote.
        mix: file that ``qbench allocate`` wrote, or any mix of the profile's units and formats.
        controls: mixes of its size to hold it against; those that ``qbench allocate --controls`` wrote of this very mix beside it if none
            are given. On test items all are compared with the uniform one, or with the first where none is called so.
        model: as for ``qbench sensitivity``; it must be the profile's.
        run: folder to write to, and to continue in; `default_run` of the mix if not given. If a validation with the same settings is
            there, it is read.
        sequences: of each probe, none of which the profile was made from; fewer where there are no more.
        tasks: of the sweep; those of the profile's probes if not given.
        items, limit, batch_size: of the sweep.
        test: whether to sweep at all.
        batch_tokens: tokens of a batch of probe text.
        margin, confidence: of the differences on test items, and of every interval.
        model_args, include_path: as for a sweep.
        progress: show progress bars.

    Returns:
        What was written to ``validation.json`` and ``validation.md`` in the folder.

    Raises:
        ProfileError: another model, a mix of other units, controls of another size or none, a folder with something else in it, or test
            items that the profile was made from.
        MixError: a mix that cannot be read.
        QBenchError: the confidence is not between 0 and 1, or the margin not above 0.
    """
    check_confidence(confidence)
    check_margin(margin)
    check_sequences(sequences)
    made = profiles.read(Path(profile))
    paths = (Path(mix), *_controls(Path(mix), [*map(Path, controls)]))
    plan = _Plan(
        profile=Path(profile),
        made=made,
        paths=paths,
        formats=_formats_of_all(made, paths),
        model=model,
        folder=Path(run) if run else default_run(Path(mix)),
        sequences=sequences,
        tasks=_asked_tasks(made, tasks, test),
        items=items,
        limit=limit,
        test=test,
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        margin=margin,
        confidence=confidence,
        model_args=dict(model_args or {}),
        include_path=tuple(include_path),
    )
    settings = plan.settings()
    with Progress("piece", shown=progress) as bar:
        if (finished := _finished(plan.folder, settings)) is not None:
            bar.end(f"{plan.folder / FILE} is finished, and nothing was measured again.")
            return finished
        lm = _opened(plan)
        texts = [_fresh_text(lm, plan, probe) for probe in made.probes]
        seen = {item for own in made.probes for item in own.items} | {own.item for one in texts for own in one.texts}
        splits = _check_disjoint(lm, plan, seen) if test else {}
        drawn = {own.name: own.sha256 for own in texts}
        journal = Journal(plan.folder / UNFINISHED, {**settings, "texts": drawn}, option="--run")
        bench = _Bench(lm, plan, journal, bar)
        bar.begin(len(texts) * bench.n_pieces)
        found = [bench.measure(probe, own) for probe, own in zip(made.probes, texts, strict=True)]
        checks = bench.mix_checks()
    differences = _swept(plan, seen, splits, progress=progress) if test else ()
    validation = Validation(
        qbench=settings["qbench"],
        profile=plan.profile.name,
        profile_sha256=settings["profile"],
        model=made.model.name,
        model_sha256=made.model.sha256,
        unit=made.unit,
        sequences=sequences,
        mixes=tuple(checks),
        texts=tuple(found),
        reference=plan.reference,
        margin=margin,
        confidence=confidence,
        run=str(plan.folder) if test else "",
        test=differences,
        settings=settings,
    )
    write(validation, plan.folder)
    journal.remove()
    return validation


def default_run(mix: Path) -> Path:
    """Where the validation of a mix goes if no folder is named."""
    return Path("runs") / f"{mix.stem}-validation"


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True)
class _Plan:
    """What is validated, and how: all that can be known, and refused, before a model is loaded. Fields that are not described are the
    arguments of `validate`."""

    profile: Path
    made: Profile
    """What is in it."""
    paths: tuple[Path, ...]
    """Of the mixes: the one that is validated, then its controls."""
    formats: dict[str, dict[str, str]]
    """The format of every unit, by the name of the mix."""
    model: str
    folder: Path
    sequences: int
    tasks: tuple[str, ...]
    items: int
    limit: int | None
    test: bool
    batch_size: int
    batch_tokens: int
    margin: float
    confidence: float
    model_args: dict[str, Any]
    include_path: tuple[Path, ...]

    @property
    def reference(self) -> str:
        """The control that all mixes are held against on test items."""
        controls = [path.stem for path in self.paths[1:]]
        return next((name for name in controls if name.endswith(UNIFORM)), controls[0])

    def settings(self) -> dict[str, str]:
        """What was asked for, profile and mixes by their SHA-256: the same settings make the same file."""
        return {
            "qbench": provenance.versions()["qbench"],
            "profile": _sha256(self.profile),
            "mixes": json.dumps({path.stem: _sha256(path) for path in self.paths}),
            "model": self.model or "nano",
            "sequences": str(self.sequences),
            "tasks": json.dumps(self.tasks),
            "items": str(self.items),
            "limit": str(self.limit or "none"),
            "test": str(self.test),
            "batch_size": str(self.batch_size),
            "batch_tokens": str(self.batch_tokens),
            "margin": str(self.margin),
            "confidence": str(self.confidence),
            "model_args": json.dumps(self.model_args, sort_keys=True, default=str),
            "include_path": json.dumps([*map(str, self.include_path)]),
        }


def _formats_of_all(profile: Profile, paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    """The format of every unit, by the name of the mix.

    Raises:
        MixError: a mix that cannot be read.
        ProfileError: one has the name of another one, other units than the profile, or another size than the first.
    """
    mixes = {path.stem: read_mix(path) for path in paths}
    if len(mixes) < len(paths):
        raise ProfileError("Two of the mixes have one name; rename a file.")
    formats = {name: _formats(profile, mix) for name, mix in mixes.items()}
    _check_sizes(profile, paths, formats)
    return formats


def _asked_tasks(profile: Profile, given: Sequence[str], test: bool) -> tuple[str, ...]:
    """The tasks of the sweep: those that were named, else those of the profile's probes.

    Raises:
        ProfileError: there is to be a sweep, and there are none.
    """
    found = (*given,) or tuple(task for probe in profile.probes if probe.responses != "text" for task in probe.tasks)
    if test and not found:
        raise ProfileError(
            "Every probe of the profile is a text file and has no test items; name some (--tasks), or ask none (--no-test)."
        )
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _opened(plan: _Plan) -> Any:
    """The model of the profile.

    Raises:
        ProfileError: it has other weights.
    """
    name = plan.model or "nano"
    with quiet():
        lm = open_model(pretrained=plan.model or nano_path(), batch_size=1, **plan.model_args)
    if lm.weights_sha256() != plan.made.model.sha256:
        advice = (
            "its weights have changed since, so make the profile again"
            if plan.made.model.name == name
            else "name the profile's own (--model), or make a profile of this one"
        )
        raise ProfileError(
            f"{plan.profile} is the profile of {plan.made.model.name}, and {name} has other weights; {advice}."
        )
    return lm


def _finished(folder: Path, settings: Mapping[str, str]) -> Validation | None:
    """The validation that is there already.

    Raises:
        ProfileError: the folder holds another one, or a sweep that no validation has made.
    """
    if folder.exists() and not folder.is_dir():
        raise ProfileError(f"{folder} is a file, and --run names a folder; choose another one.")
    path = folder / FILE
    if not path.exists():
        if (folder / records.SWEEP_FILE).exists() and not (folder / UNFINISHED).exists():
            raise ProfileError(
                f"{folder} holds a sweep of its own, to which no validation is added; choose another --run."
            )
        return None
    try:
        there = read(path)
    except ProfileError:
        raise ProfileError(
            f"{path} is there already and is no validation that this qbench can read, so it was not overwritten. Choose another --run, or "
            "move the folder away."
        ) from None
    if changed := sorted(key for key, value in settings.items() if there.settings.get(key) != value):
        raise ProfileError(
            f"{path} is a finished validation of another command (it differs in {', '.join(changed)}). Choose another --run, or delete the "
            "folder."
        )
    return there


# ---------------------------------------------------------------- what is compared


def _controls(mix: Path, given: list[Path]) -> list[Path]:
    """Those that were named, or those that were written beside a mix, the uniform one first.

    Raises:
        MixError: the mix cannot be read.
        ProfileError: there are none.
    """
    own, stale = controls_beside(mix)
    if not given and not own:
        beside = f" (the {len(stale)} beside it, such as {stale[0].name}, are controls of another mix)" if stale else ""
        raise ProfileError(
            f"There is nothing to hold {mix} against{beside}: write its controls with qbench allocate --controls, or name other mixes of "
            "its size."
        )
    return given or sorted(own, key=lambda path: (not path.stem.endswith(UNIFORM), path))


def _check_sizes(profile: Profile, paths: Sequence[Path], formats: Mapping[str, Mapping[str, str]]) -> None:
    """Every control has the size of the mix, but for what no step of a unit from one of their formats to the next can fill.

    Raises:
        ProfileError: one does not, or is the mix itself under another name.
    """
    mix, *others = paths
    own, ours = controls_beside(mix)[0], formats[mix.stem]
    for path in others:
        theirs = formats[path.stem]
        if theirs == ours and path not in own:
            raise ProfileError(f"{path} stores every unit as {mix} does and is no control of it; leave it out.")
        sizes = [sum(_bytes(unit, of[unit.name]) for unit in profile.units) for of in (ours, theirs)]
        step = max(_largest_step(unit, {*ours.values(), *theirs.values()}) for unit in profile.units)
        if abs(sizes[0] - sizes[1]) > step:
            other = profile.model.other_bytes
            raise ProfileError(
                f"{path} takes {sizes[1] + other:,.0f} bytes and {mix} {sizes[0] + other:,.0f}; a control is as large as the mix, to "
                f"within one step of one unit ({step:,.0f}). Allocate both within one budget."
            )


def _bytes(unit: Unit, name: str) -> float:
    return unit.full_bytes if name == FULL_PRECISION else unit.bytes[name]


def _largest_step(unit: Unit, formats: Iterable[str]) -> float:
    sizes = sorted(_bytes(unit, name) for name in formats)
    return max((larger - smaller for smaller, larger in itertools.pairwise(sizes)), default=0.0)


def _formats(profile: Profile, mix: Mix) -> dict[str, str]:
    """The format that a mix gives each unit.

    Raises:
        ProfileError: it divides a unit, or has a level that the profile does not.
    """
    assigned = mix.assign([module for unit in profile.units for module in unit.modules])
    found = {}
    for unit in profile.units:
        levels = {assigned[module] for module in unit.modules}
        level = levels.pop()
        if levels or (level.name != FULL_PRECISION and profile.formats.get(level.name) != level):
            raise ProfileError(
                f"The mix {mix.name} stores {unit.name} in a way that the profile predicts nothing of; its formats are "
                f"{', '.join(profile.formats)}, and each unit has one."
            )
        found[unit.name] = level.name
    return found


def _fresh_text(lm: Any, plan: _Plan, probe: Probe) -> ProbeText:
    """Text of a probe's kind without any of its items, nor those of the profile's other probes."""
    longest = plan.made.settings.get("max_tokens", "")
    seen = sorted({item for own in plan.made.probes for item in own.items})
    return text.draw(
        lm,
        f"{probe.name}={','.join(probe.tasks)}",
        sequences=plan.sequences,
        responses="reference" if probe.responses == "text" else probe.responses,
        seed=plan.made.seed,
        max_tokens=int(longest) if longest.isdecimal() else None,
        include_path=plan.include_path,
        exclude=seen,
    )


def _check_disjoint(lm: Any, plan: _Plan, seen: Set[str]) -> dict[str, str]:
    """No test item was looked at before. Said before the work, and not after it.

    Returns:
        The split of each task that its test items are of.

    Raises:
        ProfileError: one was.
    """
    with quiet():
        metadata = {"qb_items": plan.items, "qb_seed": bank.DEFAULT_SEED, "pretrained": lm.pretrained}
        manager, names = find_tasks(plan.tasks, plan.include_path, metadata=metadata)
        loaded = load_tasks(manager, names, None, bank.DEFAULT_SEED)
    splits = {name: text.evaluated_split(task) for name, task in loaded.items()}
    for name, task in loaded.items():
        for number, document in enumerate(list(task.eval_docs)[: plan.limit]):
            item = text.item_name(document, name, splits[name], number)
            if item in seen:
                raise ProfileError(
                    f"{name} has no items left for a test: {item} is among those that the profile was made from, or was measured on. "
                    "Sweep other tasks (--tasks), or none (--no-test)."
                )
    return splits


def _swept(plan: _Plan, seen: Set[str], splits: Mapping[str, str], *, progress: bool = True) -> tuple[Difference, ...]:
    """Ask the mix and its controls the test items.

    Raises:
        ProfileError: one of the items was looked at before.
    """
    sweep(
        plan.model,
        levels=["fp16", *map(str, plan.paths)],
        tasks=plan.tasks,
        run=plan.folder,
        items=plan.items,
        limit=plan.limit,
        batch_size=plan.batch_size,
        model_args=plan.model_args,
        include_path=plan.include_path,
        noise_floor=False,
        cost=False,
        margin=plan.margin,
        confidence=plan.confidence,
        progress=progress,
    )
    _check_asked(plan.folder, seen, splits)
    return _differences(plan)


def _check_asked(folder: Path, seen: Set[str], splits: Mapping[str, str]) -> None:
    """What was asked in the end was not looked at before, as the files have it.

    Raises:
        ProfileError: it was.
    """
    found = records.read_sweep(folder)
    asked = {
        text.item_name(sample["doc"], task, splits[task], sample["doc_id"])
        for task in found.tasks
        for sample in found.run(found.baseline).samples(task)
    }
    if known := sorted(asked & seen):
        raise ProfileError(
            f"{folder} has answers to items that the profile was made from, or that were measured on ({len(known)}, such as {known[0]}). "
            "Sweep other tasks (--tasks) into another folder (--run), or none (--no-test)."
        )


def _differences(plan: _Plan) -> tuple[Difference, ...]:
    others = [name for name in plan.formats if name != plan.reference]
    table = compare(
        plan.folder / plan.reference,
        [plan.folder / name for name in others],
        margin=plan.margin,
        confidence=plan.confidence,
        formats=(),
    ).table
    return tuple(
        Difference(
            mix=name,
            row=row.name if row.kind != "all" else "all categories",
            value=100 * row.gain(cell).value,
            low=100 * row.gain(cell).interval.low,
            high=100 * row.gain(cell).interval.high,
            n_items=cell.difference.n_items,
            n_templates=cell.difference.n_templates,
            verdict=str(cell.verdict),
            p_value=cell.p_holm,
        )
        for row in table.rows
        for name, cell in zip(others, row.cells, strict=True)
    )


# ---------------------------------------------------------------- measuring


class _Bench:
    """The model, and what is to be measured on it."""

    def __init__(self, lm: Any, plan: _Plan, journal: Journal, bar: Progress) -> None:
        self.lm, self.plan, self.journal, self.bar = lm, plan, journal, bar
        self.parts = parts(lm.model, plan.made.unit)
        self.sizes: dict[str, tuple[float, float]] = {}
        self.measured: dict[str, dict[str, tuple[float, ...]]] = {name: {} for name in plan.formats}

    def to_lower(self) -> list[tuple[Part, str]]:
        """Each unit at the format that the mix gives it, and at the one that it gives most units, format by format."""
        formats = self.plan.formats[self.plan.paths[0].stem]
        pairs = {(part.name, formats[part.name]) for part in self.parts}
        given = [name for name in formats.values() if name != FULL_PRECISION]
        if given:
            pairs |= {(part.name, max(sorted(set(given)), key=given.count)) for part in self.parts}
        lowest_last = sorted({name for _, name in pairs} - {FULL_PRECISION}, key=lambda name: -(LEVELS[name].bits or 0))
        return [(part, name) for name in lowest_last for part in self.parts if (part.name, name) in pairs]

    @property
    def n_pieces(self) -> int:
        """What is measured on each probe: units lowered alone, and mixes."""
        return len(self.to_lower()) + len(self.plan.paths)

    @torch.no_grad()
    def measure(self, probe: Probe, fresh: ProbeText) -> Text:
        """Measure every pair of unit and format, and every mix, on the text of one probe."""
        asked = Asked.of(self.lm, fresh, batch_tokens=self.plan.batch_tokens)
        batches = [asked.batch(number) for number in range(len(asked.batches))]
        self.lm.set_level(FULL_PRECISION)
        base = [asked.answer(batch) for batch in batches]

        def nats() -> list[float]:
            found = [divergence(own, asked.answer(batch)) for own, batch in zip(base, batches, strict=True)]
            return [float(f"{value:.6g}") for value in asked.in_order(found)]

        checks = []
        for part, name in self.to_lower():

            def alone(part: Part = part, name: str = name) -> list[float]:
                with lowered([part], LEVELS[name]):
                    return nats()

            measured = tuple(self._once(f"{fresh.name} {part.name} {name}", alone))
            checks.append(UnitCheck(part.name, name, probe.predicted[part.name][name].value, measured))
        for path in self.plan.paths:

            def together(path: Path = path) -> dict[str, Any]:
                proof = self.lm.set_level(str(path))
                return {"nats": nats(), "bytes": proof.storage_bytes, "bits": proof.bits_per_weight}

            made = self._once(f"{fresh.name} {path.stem}", together)
            self.sizes[path.stem] = made["bytes"], made["bits"]
            self.measured[path.stem][fresh.name] = tuple(made["nats"])
        self.lm.set_level(FULL_PRECISION)
        return Text(
            name=probe.name,
            tasks=probe.tasks,
            profile_items=probe.items,
            profile_scored=probe.scored,
            items=tuple(own.item for own in fresh.texts),
            scored=fresh.scored,
            units=tuple(checks),
        )

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        self.bar.set_description(key)
        made = self.journal.once(key, make)
        self.bar.update()
        return made

    def mix_checks(self) -> list[MixCheck]:
        return [
            MixCheck(
                name=name,
                formats=formats,
                storage_bytes=self.sizes[name][0],
                bits_per_weight=self.sizes[name][1],
                predicted={probe.name: tuple(predicted_nats(probe, formats)) for probe in self.plan.made.probes},
                expected={
                    probe.name: Curve.of(probe).expected(sum(predicted_nats(probe, formats)) / probe.n_scored)
                    for probe in self.plan.made.probes
                },
                measured=self.measured[name],
            )
            for name, formats in self.plan.formats.items()
        ]
