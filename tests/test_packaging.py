"""The wheel is the checkout, and what pyproject.toml declares is what the code needs."""

import ast
import configparser
import re
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOMES = {"qbench": "qbench", "tasks": "qbench/tasks", "prompts": "qbench/prompts", "scoring": "qbench/scoring"}
"""Folder of the checkout -> folder of the wheel."""


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def dist_info(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()


def distribution(requirement: str) -> str:
    """The normalised name in a requirement: ``"PyYAML>=6"`` is ``"pyyaml"``."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def third_party_imports(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"qbench"}


def test_the_wheel_is_the_checkout(names: set[str]) -> None:
    on_disk = {
        f"{home}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, home in HOMES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
    }
    assert names == on_disk | {"_qbench_startup.py", "qbench.pth"}


def test_the_bridge_lands_at_the_top_of_site_packages_and_can_be_uninstalled(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        line = archive.read("qbench.pth").decode()
    assert line.startswith("import ")
    assert line.count("\n") == 1
    assert "Root-Is-Purelib: true" in dist_info(wheel, "WHEEL")
    assert re.search(r"^qbench\.pth,sha256=", dist_info(wheel, "RECORD"), re.MULTILINE)


def test_lm_eval_can_discover_what_we_provide(wheel: Path) -> None:
    points = configparser.ConfigParser()
    points.read_string(dist_info(wheel, "entry_points.txt"))
    assert dict(points["lm_eval.models"]) == {"qbench": "qbench.models:QBenchLM"}
    assert dict(points["lm_eval.tasks"]) == {"qbench": "qbench.tasks"}
    assert dict(points["console_scripts"]) == {"qbench": "qbench.cli:main"}


OF_AN_EXTRA = {"gguf": "gguf", "llama_cpp": "llama-cpp-python", "vllm": "lm-eval[vllm]"}
"""Modules that an optional engine or backend imports when it is asked for, and what its extra requires for them."""


def test_every_third_party_import_is_a_declared_dependency(project: dict[str, Any]) -> None:
    declared = {distribution(requirement) for requirement in project["dependencies"]}
    optional = project["optional-dependencies"]
    extras = {requirement.partition(">=")[0] for extra in ("gguf", "vllm") for requirement in optional[extra]}
    homes = packages_distributions()
    for folder in ("qbench", "scoring"):
        for module in third_party_imports(ROOT / folder):
            if OF_AN_EXTRA.get(module) in extras:
                continue
            providers = {distribution(name) for name in homes.get(module, [module])}
            assert providers & declared, f"{folder} imports {module}, which no dependency in pyproject.toml provides"


def test_every_dependency_has_an_exact_version_in_the_constraints(project: dict[str, Any]) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {distribution(line) for line in lines if "==" in line}
    declared = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    assert {distribution(requirement) for requirement in declared} <= pinned
    assert "torch==2.13.0" in lines
