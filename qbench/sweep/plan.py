"""The plan of a sweep, written before the first item is asked: a folder holds one plan, and who comes with another is refused."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qbench import records
from qbench.errors import QBenchError, RunError
from qbench.gguf.files import open_file
from qbench.levels import AS_IS, AsIs, Mix, Rung, resolve
from qbench.quant.as_is import quantization
from qbench.quant.weights import Checkpoint


@dataclass(frozen=True)
class Plan:
    """What a sweep asks, of what, at which levels. Two sweeps with the same plan write the same samples."""

    model: str
    model_sha256: str
    engine: str
    model_args: dict[str, Any]
    metadata: dict[str, Any]
    """What is handed to the tasks, such as ``qb_context_tokens``."""
    levels: list[str]
    stored_as: dict[str, dict[str, Any]]
    """Each level in full: a mix by its rules, a ready-made checkpoint by its hash."""
    tasks: list[str]
    items: int
    """Items a template, for tasks of the bank."""
    limit: int | None
    """Items a task, for every task; the first ones."""
    seed: int
    num_fewshot: int | None
    apply_chat_template: bool
    batch_size: int
    bank: dict[str, str]
    margin: float
    """Percentage points of loss that were declared not to matter, and the confidence of the intervals. Without ``until`` they change no
    sample, so those of the first command stay declared and a later one may have others."""
    confidence: float
    until: str | None = None
    """``decided`` if the sweep may end before everything is asked; then margin, confidence and the looks say when."""
    looks: list[dict[str, Any]] | None = None
    model_backend: str | None = None
    """The program that runs the levels, where it is not the engine's own."""

    @property
    def baseline(self) -> str:
        return self.levels[0]

    @property
    def folders(self) -> list[str]:
        """Each level's folder, in the order of the levels."""
        return [folder_of(level) for level in self.levels]


def write_plan(run_dir: Path, plan: Plan) -> None:
    """Write sweep.json, or make sure that the one that is there is the same plan.

    Raises:
        RunError: it is another.
    """
    content = {**asdict(plan), "baseline": plan.baseline, "levels": plan.folders}
    path = run_dir / records.SWEEP_FILE
    if not path.is_file():
        records.write_json(path, {**content, "created": datetime.now(UTC).isoformat(timespec="seconds")})
        return
    before = records.read_sweep(run_dir).info
    free = () if plan.until else ("margin", "confidence")
    if differing := [key for key in content if key not in free and before.get(key) != content[key]]:
        raise RunError(
            f"{run_dir} holds another sweep: it differs in {', '.join(differing)} (first: {before.get(differing[0])!r} there, "
            f"{content[differing[0]]!r} now). Give this one its own folder with --run, or repeat the old arguments to continue it."
        )


def check_levels(names: Sequence[str]) -> None:
    """Make sure that every name is a level, the first and only the first the full-precision baseline, and that each has its own folder.

    Raises:
        QBenchError: they are not.
    """
    for name in names:
        resolve(name)
    folders = [folder_of(name) for name in names]
    if twice := [name for name, folder in zip(names, folders, strict=True) if folders.count(folder) > 1]:
        raise QBenchError(
            f"The levels {' and '.join(twice)} would be written to one folder; name each once, or rename a file."
        )
    if not resolve(names[0]).is_full_precision:
        raise QBenchError(f"The first level is the baseline of every comparison and must be fp16, not {names[0]}.")
    if again := [name for name in names[1:] if resolve(name).is_full_precision]:
        raise QBenchError(
            f"{again[0]} is the checkpoint as it was loaded, as {names[0]} is, and would be compared with itself; leave it out. (What the "
            "model computes in is --model-args dtype=bfloat16.)"
        )


def folder_of(level: str) -> str:
    """A level's folder: its name as it was typed; that of a mix or a checkpoint for their paths."""
    is_path = level.startswith(AS_IS) or Path(level).suffix
    return resolve(level).name if is_path else level


def described(level: Rung) -> dict[str, Any]:
    """A level in full, as run.json and sweep.json have it."""
    if isinstance(level, AsIs) and level.path.endswith(".gguf"):
        hashed = open_file(Path(level.path)).weights_sha256
        return {"kind": "as-is", "path": level.path, "sha256": hashed, "quantization": {"quant_method": "gguf"}}
    if isinstance(level, AsIs):
        hashed = Checkpoint(level.path).sha256()
        return {"kind": "as-is", "path": level.path, "sha256": hashed, "quantization": quantization(level.path)}
    if isinstance(level, Mix):
        return {"kind": "mix", "default": level.default.name, "rules": [str(rule) for rule in level.rules]}
    return {
        "kind": "level",
        "engine": level.engine,
        "bits": level.bits,
        "group_size": level.group_size,
        "symmetric": level.symmetric,
    }
