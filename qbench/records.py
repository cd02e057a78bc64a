"""Runs on disk: the seam between the half that computes and the half that reads.

    runs/NAME/sweep.json                      the plan: model, levels, tasks, seeds, bank
    runs/NAME/<level>/run.json                what one level was and what it cost; a list of finished cells
    runs/NAME/<level>/samples_<task>.jsonl    one line per item, in lm-eval's own sample format and with our fields

A *cell* is one task at one level. Its samples file is written whole or not at all, and counts only once run.json names it with its
SHA-256, so a killed sweep continues after its last finished cell, and a file that was cut or edited is noticed. Nothing here holds a
time stamp that would make two equal sweeps differ, except run.json.
"""

import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.errors import RunError, SamplesError

SCHEMA_VERSION = 1
SWEEP_FILE = "sweep.json"
RUN_FILE = "run.json"
REPEAT = "-repeat"  # fp16-repeat is fp16 once more, at another batch size: the noise floor

Sample = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One level of a sweep."""

    dir: Path
    info: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.dir)

    @property
    def tasks(self) -> list[str]:
        """Tasks whose cell is finished."""
        return list(self.info["cells"])

    def samples(self, task: str) -> list[Sample]:
        """Read the samples of one task.

        Raises:
            SamplesError: the file is missing, cut short or was altered after it was written.
        """
        path = samples_path(self.dir, task)
        cell = self.info["cells"].get(task)
        if cell is None:
            raise SamplesError(
                f"{self.dir} has no finished cell for {task}; run qbench sweep again, it continues where it stopped."
            )
        try:
            content = path.read_bytes()
        except OSError:
            raise SamplesError(
                f"{path} is missing though run.json names it; delete that cell's entry and run qbench sweep again."
            ) from None
        if hashlib.sha256(content).hexdigest() != cell["sha256"]:
            n_lines = content.count(b"\n")
            raise SamplesError(
                f"{path} is not the file that was written: {n_lines} lines, expected {cell['n_items']} and another SHA-256. "
                "Delete the file and run qbench sweep again; the cell is computed anew."
            )
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]


@dataclass(frozen=True)
class Sweep:
    """A folder of runs: the same questions asked at several levels."""

    dir: Path
    info: dict[str, Any]

    @property
    def baseline(self) -> str:
        return str(self.info["baseline"])

    @property
    def levels(self) -> list[str]:
        """Names in ladder order, baseline first."""
        return list(self.info["levels"])

    @property
    def noise_floor(self) -> str | None:
        name = self.baseline + REPEAT
        return name if (self.dir / name / RUN_FILE).is_file() else None

    @property
    def tasks(self) -> list[str]:
        return list(self.info["tasks"])

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
    return Sweep(path, _read_json(path / SWEEP_FILE))


def read_run(path: Path) -> Run:
    """Read one level's folder."""
    if not (path / RUN_FILE).is_file():
        raise RunError(f"{path} has not been run yet: it has no {RUN_FILE}. Run qbench sweep again to finish it.")
    return Run(path, _read_json(path / RUN_FILE))


def samples_path(run_dir: Path, task: str) -> Path:
    return run_dir / f"samples_{task}.jsonl"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read as a qbench file ({error}). Delete the folder and run qbench sweep again."
        ) from None
    if version != SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema version {version}, and this qbench reads version {SCHEMA_VERSION}. "
            "Use the qbench that wrote it, or sweep again."
        )
    return dict(content)


# ---------------------------------------------------------------- writing


def write_samples(run_dir: Path, task: str, samples: Iterable[Sample]) -> dict[str, Any]:
    """Write the samples of one cell, atomically, and return what run.json says of it: n_items, n_failed and sha256."""
    lines = [
        json.dumps(_finite(sample), ensure_ascii=False, sort_keys=True, allow_nan=False, default=str)
        for sample in samples
    ]
    content = "".join(line + "\n" for line in lines).encode()
    write_atomically(samples_path(run_dir, task), content)
    return {"n_items": len(lines), "sha256": hashlib.sha256(content).hexdigest()}


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
        raise RunError(f"{path} cannot be written ({error.strerror}). Choose another folder with --run.") from None


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is missing becomes null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _finite(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_finite(entry) for entry in value]
        case _:
            return value
