"""The picture of the house is true: imports point one way, and what is cheap stays cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import qbench

ROOT = Path(__file__).resolve().parents[1]
READING = [
    "errors",
    "expressions",
    "shapes",
    "levels",
    "facts",
    "rendering",
    "generators",
    "variables",
    "near_misses",
    "templates",
    "contexts",
    "bank",
    "names",
    "proofreading",
    "json_files",
    "samples",
    "records",
    "outputs",
    "stats",
    "pairing",
    "looks",
    "profiles",
    "allocate",
    "recommend",
    "contrasts",
    "pages",
    "validation",
    "report",
    "maps",
    "compare",
    "plan",
    "rescore",
]
BENCH = [
    "long",
    "quant",
    "decoding",
    "notes",
    "answering",
    "choices",
    "cost",
    "models",
    "gguf",
    "vllm",
    "harness",
    "progress",
    "provenance",
    "sweep",
    "sensitivity",
    "probe",
    "nano",
]
DOORS = ["bridge", "cli", "__main__"]
ORDER = [*READING, *BENCH, *DOORS]
SEAMS = {"scoring", "tasks", "prompts"}
"""Mapped folders: the bank reads tasks and prompts as files, its near misses ask the scorers what is wrong, and answering knows the
scorers' word for a failed item."""
HEAVY = {"torch", "torchao", "transformers", "lm_eval", "accelerate"}
NOT_AT_IMPORT = HEAVY | {"datasets", "scipy", "sympy", "numpy"}


def sources(room: str) -> list[Path]:
    """The files of a room: a module, or a package with all that is in it."""
    module = ROOT / "qbench" / f"{room}.py"
    return [module] if module.is_file() else sorted((ROOT / "qbench" / room).rglob("*.py"))


def imports(paths: list[Path]) -> set[str]:
    """Every dotted name the files import, ``from a import b`` counted as ``a.b``, inside functions too."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: write imports from qbench in full"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("qbench.")} - {"__version__"}


def test_every_room_is_in_the_picture() -> None:
    on_disk = {
        path.stem for path in (ROOT / "qbench").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert on_disk - {"__init__"} <= set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_imports_point_one_way(room: str) -> None:
    allowed = set(ORDER[: ORDER.index(room) + 1]) | SEAMS
    assert rooms(imports(sources(room))) <= allowed


@pytest.mark.parametrize("room", READING)
def test_the_reading_room_needs_no_models(room: str) -> None:
    assert not {name.split(".")[0] for name in imports(sources(room))} & HEAVY


def test_scoring_stands_alone() -> None:
    names = imports(sorted((ROOT / "scoring").rglob("*.py")))
    assert rooms(names) <= {"errors", "scoring"}
    assert not {name.split(".")[0] for name in names} & (HEAVY | {"datasets", "scipy"})


@pytest.mark.parametrize("statement", ["import qbench", "import qbench.cli; qbench.cli.parser().format_help()"])
def test_looking_at_qbench_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    # Isolated mode: what the environment injects at start-up is not ours to answer for.
    shown = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not set(shown.stdout.split()) & NOT_AT_IMPORT


def test_the_public_names_are_sorted_and_exist() -> None:
    assert qbench.__all__ == sorted(qbench.__all__, key=str.casefold)
    public = {name for name in vars(qbench) if not name.startswith("_")}
    submodules = {name.removeprefix("qbench.") for name in sys.modules if name.startswith("qbench.")}
    assert public - submodules <= set(qbench.__all__)
    assert all(hasattr(qbench, name) for name in qbench.__all__)
