"""Runs on disk: the seam between the half that computes and the half that reads.

    runs/NAME/sweep.json                      the plan: model, levels, tasks, seeds, bank
    runs/NAME/<level>/run.json                what one level was and what it cost; a list of finished cells
    runs/NAME/<level>/samples_<task>.jsonl    one line per item, in lm-eval's own sample format and with our fields

and of a sweep that stops early (``--until decided``), where a task's items come in several looks:

    runs/NAME/<level>/samples_<task>.look-<k>.jsonl    the items that look k added; each line says ``"look": k``
    runs/NAME/looks.json                               what each finished look decided, and so what the next one asks

A *cell* is one task at one level, in one look where there are looks. Its samples file is written whole or not at all, and counts only
once run.json names it with its SHA-256, so a killed sweep continues after its last finished cell, and a file that was cut or edited is
noticed. Nothing here holds a time stamp that would make two equal sweeps differ, except run.json.
"""

import errno
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from qbench.errors import RunError, SamplesError
from qbench.json_files import from_json, read_object, to_json
from qbench.samples import Sample, read_samples

SCHEMA_VERSION = 1
SWEEP_FILE = "sweep.json"
RUN_FILE = "run.json"
LOOKS_FILE = "looks.json"
Facts = TypeVar("Facts")
REPEAT = "-repeat"  # fp16-repeat is fp16 once more, at another batch size: the noise floor

# ---------------------------------------------------------------- what the files say


@dataclass(frozen=True)
class Cell:
    """A finished cell."""

    n_items: int
    sha256: str
    """Of the file of its samples."""
    n_failed: int = 0
    n_tokens: float = math.nan
    seconds: float = math.nan
    higher_is_better: dict[str, bool] = field(default_factory=dict)
    """Of each metric; see `directions`. Empty where the run was written before that was written down."""


@dataclass(frozen=True)
class Stored:
    """How a level stores its weights: which fields there are depends on the kind, ``level``, ``mix`` or ``as-is``."""

    kind: str = ""
    engine: str = ""
    bits: int | None = None
    group_size: int | None = None
    symmetric: bool = False
    default: str = ""
    rules: tuple[str, ...] = ()
    quantization: dict[str, Any] | None = None
    """Of a ready-made checkpoint: what its own config says."""


@dataclass(frozen=True)
class ModelFacts:
    """Which model."""

    name: str = ""
    sha256: str = ""
    n_parameters: int | None = None
    dtype: str = ""


@dataclass(frozen=True)
class BankFacts:
    """Which release of the question bank."""

    version: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Size:
    """What the weights of a level take in storage, as its proof has it."""

    bits_per_weight: float = math.nan
    storage_bytes: float = math.nan


@dataclass(frozen=True)
class Cost:
    """What a level cost where that was measured, and NaN where it was not. Never what its storage would allow."""

    load_seconds: float = math.nan
    quantize_seconds: float = math.nan
    resident_bytes: float = math.nan
    """Memory in use with the level loaded: on the GPUs where there are any, else of the whole process."""
    peak_bytes: float = math.nan
    prompt_tokens_per_second: float = math.nan
    generation_tokens_per_second: float = math.nan
    energy_joules: float = math.nan
    """Of one prompt and its new tokens; see `qbench.cost`."""


@dataclass(frozen=True)
class RunFacts:
    """What is read of a run.json. The proof of every module and the seeds are there for people."""

    cells: dict[str, Cell]
    level: Stored = field(default_factory=Stored)
    model: ModelFacts = field(default_factory=ModelFacts)
    bank: BankFacts = field(default_factory=BankFacts)
    proof: Size = field(default_factory=Size)
    cost: Cost = field(default_factory=Cost)
    shares: tuple[float, ...] | None = None
    """The share of the templates after each look that was declared; None in a sweep of a fixed size."""
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, str | int | None] = field(default_factory=dict)
    git_commit: str | None = None

    def __post_init__(self) -> None:
        _check_names("cells", self.cells)
        _check_shares(self.shares)


@dataclass(frozen=True)
class Look:
    """A look that was declared."""

    share: float
    """Of the templates, those of earlier looks included."""
    items: dict[str, int] = field(default_factory=dict)
    """How many it adds to each task."""


@dataclass(frozen=True)
class Plan:
    """What is read of a sweep.json."""

    baseline: str
    levels: tuple[str, ...]
    """Names in ladder order, baseline first."""
    tasks: tuple[str, ...]
    model: str = ""
    engine: str = ""
    seed: int | None = None
    created: str = ""
    num_fewshot: int | None = None
    apply_chat_template: bool = False
    limit: int | None = None
    margin: float | None = None
    confidence: float | None = None
    looks: tuple[Look, ...] | None = None

    def __post_init__(self) -> None:
        _check_names("levels", (self.baseline, *self.levels))
        _check_names("tasks", self.tasks)
        if len(set(self.levels)) < len(self.levels) or len(set(self.tasks)) < len(self.tasks):
            raise ValueError("it names a level or a task twice")
        _check_shares([look.share for look in self.looks] if self.looks else None)


@dataclass(frozen=True)
class Verdicts:
    """A looks.json."""

    verdicts: tuple[dict[str, dict[str, str]], ...]


def _check_names(what: str, names: Iterable[str]) -> None:
    """Levels, tasks and cells are parts of file names; one that leads elsewhere is not followed."""
    for name in names:
        if not re.fullmatch(r"(?!\.{1,2}$)[^/\\\0]{1,200}", name):
            raise ValueError(f"{what} has {name[:40]!r}, which cannot be part of a file's name")


def _check_shares(shares: Sequence[float] | None) -> None:
    rising = [0.0, *(shares or ())]
    if not all(low < high <= 1 for low, high in pairwise(rising)):
        raise ValueError("the shares of its looks do not rise from 0 to 1")


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Run:
    """One level of a sweep."""

    dir: Path
    info: dict[str, Any]
    """All that run.json has, for who writes it again."""
    facts: RunFacts

    @property
    def name(self) -> str:
        return str(self.dir)

    @property
    def cells(self) -> list[str]:
        """Names of the finished cells."""
        return list(self.facts.cells)

    @property
    def tasks(self) -> list[str]:
        """Tasks that have a finished cell."""
        return list(dict.fromkeys(map(task_of, self.cells)))

    @property
    def shares(self) -> tuple[float, ...] | None:
        """The share of the templates after each look that was declared; None in a sweep of a fixed size."""
        return self.facts.shares or None

    @property
    def bank_sha256(self) -> str:
        return self.facts.bank.sha256

    def higher_is_better(self, task: str) -> dict[str, bool]:
        """Of each metric of a task whether more of it is better; empty where the run was written before that was written down."""
        return next((cell.higher_is_better for name, cell in self.facts.cells.items() if task_of(name) == task), {})

    def samples(self, task: str) -> list[Sample]:
        """Read the samples of one task, look after look.

        Raises:
            SamplesError: a file is missing, cut short or was altered after it was written.
        """
        cells = [name for name in self.cells if task_of(name) == task]
        if not cells:
            raise SamplesError(f"{self.dir} has no finished cell for {task}. {go_on(self.dir.parent)}")
        return [sample for name in cells for sample in self.samples_of_cell(name)]

    def samples_of_cell(self, name: str) -> list[Sample]:
        """Read the samples of one cell; raises as `samples` does."""
        path, cell = samples_path(self.dir, name), self.facts.cells[name]
        again = "Delete the file and run qbench sweep again; the cell is computed anew."
        try:
            content = path.read_bytes()
        except OSError:
            raise SamplesError(
                f"{path} is missing though run.json names it; delete that cell's entry and run qbench sweep again."
            ) from None
        if hashlib.sha256(content).hexdigest() != cell.sha256:
            n_lines = content.count(b"\n")
            raise SamplesError(
                f"{path} is not the file that was written: {n_lines} lines, expected {cell.n_items} and another SHA-256. {again}"
            )
        return read_samples(path, content, again)


@dataclass(frozen=True)
class Sweep:
    """A folder of runs: the same questions asked at several levels."""

    dir: Path
    info: dict[str, Any]
    """All that sweep.json has, for who writes it again."""
    plan: Plan

    @property
    def baseline(self) -> str:
        return self.plan.baseline

    @property
    def levels(self) -> list[str]:
        """Names in ladder order, baseline first."""
        return list(self.plan.levels)

    @property
    def noise_floor(self) -> str | None:
        name = self.baseline + REPEAT
        return name if (self.dir / name / RUN_FILE).is_file() else None

    @property
    def tasks(self) -> list[str]:
        return list(self.plan.tasks)

    @property
    def shares(self) -> tuple[float, ...] | None:
        """The share of the templates after each look that was declared; None in a sweep of a fixed size."""
        return tuple(look.share for look in self.plan.looks) if self.plan.looks else None

    @property
    def verdicts(self) -> list[dict[str, dict[str, str]]]:
        """What each finished look found, by level and by category (or task not of the bank), for those that it asked."""
        path = self.dir / LOOKS_FILE
        return list(_read(path, Verdicts)[1].verdicts) if path.is_file() else []

    @property
    def is_decided(self) -> bool:
        """Whether no look is left, or the last one left nothing undecided."""
        found = self.verdicts
        return bool(found) and (len(found) == len(self.shares or ()) or not any(undecided(found[-1]).values()))

    def run(self, level: str) -> Run:
        return read_run(self.dir / level)


def read_sweep(path: Path) -> Sweep:
    """Read the plan of a sweep.

    Raises:
        RunError: no sweep there, or one of another schema.
    """
    if not (path / SWEEP_FILE).is_file():
        raise RunError(
            f"{path} is no sweep: it has no {SWEEP_FILE}. Give the folder that qbench sweep wrote (runs/NAME)."
        )
    return Sweep(path, *_read(path / SWEEP_FILE, Plan))


def go_on(sweep_dir: Path) -> str:
    """What to do about a sweep that is not finished."""
    return f"Repeat the command that began it (qbench sweep … --run {sweep_dir}); it continues where it stopped."


def undecided(verdicts: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """What is left to be asked, by level, after a look that found this."""
    return {
        level: [name for name, found in of_level.items() if found in ("undecided", "not estimable")]
        for level, of_level in verdicts.items()
    }


def read_run(path: Path) -> Run:
    """Read one level's folder."""
    if not (path / RUN_FILE).is_file():
        raise RunError(f"{path.parent} is not finished: {path.name} has no {RUN_FILE} yet. {go_on(path.parent)}")
    return Run(path, *_read(path / RUN_FILE, RunFacts))


def directions(recorded: Any) -> dict[str, bool]:
    """What a file says of each metric, whether more of it is better; what is neither yes nor no is left out."""
    entries = recorded.items() if isinstance(recorded, Mapping) else ()
    return {str(metric): more for metric, more in entries if isinstance(more, bool)}


def cell_name(task: str, look: int | None = None) -> str:
    return task if look is None else f"{task}.look-{look}"


def task_of(cell: str) -> str:
    return re.sub(r"\.look-\d+$", "", cell)


def samples_path(run_dir: Path, cell: str) -> Path:
    return run_dir / f"samples_{cell}.jsonl"


def _read(path: Path, kind: type[Facts]) -> tuple[dict[str, Any], Facts]:
    """All that a file of ours has, and what it says that is read."""
    try:
        content = read_object(path)
        version = content["schema_version"]
        if version != SCHEMA_VERSION:
            raise RunError(
                f"{path} has schema version {version}, and this qbench reads version {SCHEMA_VERSION}. "
                "Use the qbench that wrote it, or sweep again."
            )
        return content, from_json(kind, content, "", partial=True)
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, why: str) -> RunError:
    remedy = {
        SWEEP_FILE: "Restore it from a copy, or repeat the command in a new folder (--run); the finished cells in this one are whole",
        LOOKS_FILE: "Delete this file alone and run qbench sweep again; it is made from the finished cells",
    }.get(path.name, "Delete this level's folder alone and run qbench sweep again; the other levels are kept")
    return RunError(f"{path} cannot be read as a qbench file ({why}). {remedy}.")


# ---------------------------------------------------------------- writing


def write_samples(run_dir: Path, cell: str, samples: Iterable[Sample]) -> dict[str, Any]:
    """Write the samples of one cell, atomically, and return what run.json says of it: n_items, n_failed and sha256."""
    lines = [
        json.dumps(to_json(sample), ensure_ascii=False, sort_keys=True, allow_nan=False, default=str)
        for sample in samples
    ]
    content = "".join(line + "\n" for line in lines).encode()
    write_atomically(samples_path(run_dir, cell), content)
    return {"n_items": len(lines), "sha256": hashlib.sha256(content).hexdigest()}


def write_verdicts(run_dir: Path, verdicts: Sequence[Mapping[str, Mapping[str, str]]]) -> None:
    """Write what every finished look found; see `Sweep.verdicts`."""
    write_json(run_dir / LOOKS_FILE, {"verdicts": verdicts})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps({"schema_version": SCHEMA_VERSION, **content}, ensure_ascii=False, indent=2, default=str)
    write_atomically(path, (text + "\n").encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        RunError: the disk is full or the folder cannot be written; what was there before is untouched.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise RunError(
                f"The disk is full: {path} was not written. Everything finished before is kept; "
                "free some space and run the same command again."
            ) from None
        raise RunError(f"{path} cannot be written ({error.strerror}). Choose another folder.") from None
