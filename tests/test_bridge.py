"""The plain lm_eval command knows qbench after a wheel is installed, and nobody else notices.

Each test with the real lm-eval starts a Python of its own: what counts is what a fresh interpreter does by itself.
"""

import json
import logging
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from qbench import bank, bridge

Python = Callable[..., str]


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Run the Python of a fresh environment that has the wheel, and borrows everything else from this one."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, symlinks=True)
    executable = home / "bin" / "python"
    site_packages = home.joinpath(*Path(sysconfig.get_path("purelib")).relative_to(sys.prefix).parts)
    # A folder named in a .pth file is searched, but its own .pth files are not read: an editable qbench stays out.
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(executable), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)

    def run(*arguments: str, **environment: str) -> str:
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "QBENCH_BRIDGE")}
        # Not in the checkout: "python -c" would find its qbench first.
        shown = subprocess.run(
            [str(executable), *arguments], capture_output=True, text=True, cwd=home, env={**inherited, **environment}
        )
        assert shown.returncode == 0, shown.stdout + shown.stderr
        return shown.stdout

    return run


def leaf_names() -> set[str]:
    return {leaf.task for leaf in bank.leaves()}


# ---------------------------------------------------------------- every Python of the environment


def test_starting_python_loads_one_small_module_and_not_qbench(python: Python) -> None:
    shown = python("-c", "import sys; print(*(name for name in sys.modules if 'qbench' in name))")
    assert shown.split() == ["_qbench_startup"]


def test_the_off_switch_leaves_no_trace_in_the_import_system(python: Python) -> None:
    show_finders = "import sys; print(*(getattr(finder, '__module__', '') for finder in sys.meta_path))"
    assert "_qbench_startup" in python("-c", show_finders)
    assert "_qbench_startup" not in python("-c", show_finders, QBENCH_BRIDGE="0")


def test_a_broken_qbench_does_not_break_lm_eval(python: Python) -> None:
    code = "import sys; sys.modules['qbench.bridge'] = None; import lm_eval; print(lm_eval.__version__)"
    assert python("-c", code).startswith("0.")


# ---------------------------------------------------------------- the real lm-eval


def test_the_plain_command_runs_every_leaf_once(python: Python, tmp_path: Path) -> None:
    python(
        "-m",
        "lm_eval",
        "--model",
        "dummy",
        "--tasks",
        "qbench_*",
        "--limit",
        "1",
        "--output_path",
        str(tmp_path / "out.json"),
    )
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    assert set(results["results"]) == leaf_names()
    assert {count["effective"] for count in results["n-samples"].values()} == {1}


def test_simple_evaluate_takes_the_model_and_the_tasks_by_name(python: Python, random_llama: Path) -> None:
    code = f"""
import json, lm_eval
results = lm_eval.simple_evaluate(
    model="qbench",
    model_args=dict(pretrained={str(random_llama)!r}, level="q4"),
    tasks=["qbench_numerical_arithmetic"],
    gen_kwargs="max_gen_toks=4",
    limit=2,
)
print(json.dumps(results["results"], default=str))
"""
    results = json.loads(python("-c", code).splitlines()[-1])
    assert list(results) == ["qbench_numerical_arithmetic"]
    assert "score,none" in results["qbench_numerical_arithmetic"]


def test_qbench_lm_eval_needs_no_start_up_line(python: Python) -> None:
    shown = python("-m", "qbench", "lm-eval", "ls", "tags", QBENCH_BRIDGE="0")
    assert "qbench_numerical" in shown


# ---------------------------------------------------------------- an lm-eval that is older, newer or other than expected


def fake_manager(folder: Path) -> tuple[ModuleType, list[Sequence[Path]]]:
    """A stand-in for lm_eval.tasks.manager, and the list of paths its index was built from."""
    manager = ModuleType("lm_eval.tasks.manager")
    manager.__file__ = str(folder / "manager.py")
    asked: list[Sequence[Path]] = []
    manager.TaskIndex = SimpleNamespace(build=asked.append)  # type: ignore[attr-defined]
    return manager, asked


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[ModuleType, list[Sequence[Path]]]:
    """The stand-in, imported before `bridge.install` was called."""
    manager, asked = fake_manager(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "lm_eval.models", raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks.manager", manager)
    return manager, asked


def test_our_tasks_come_behind_the_defaults_and_before_the_users(
    imported: tuple[ModuleType, list[Sequence[Path]]], tmp_path: Path
) -> None:
    manager, asked = imported
    bridge.install()
    bridge.install()
    manager.TaskIndex.build([tmp_path, tmp_path / "user"])
    assert asked == [[tmp_path, bank.tasks_dir(), tmp_path / "user"]]


def test_a_folder_that_lm_eval_or_the_user_named_already_is_not_read_twice(
    imported: tuple[ModuleType, list[Sequence[Path]]], tmp_path: Path
) -> None:
    manager, asked = imported
    bridge.install()
    manager.TaskIndex.build([tmp_path, bank.tasks_dir()])
    assert asked == [[tmp_path, bank.tasks_dir()]]


def test_an_index_without_the_defaults_stays_as_it_was_asked_for(
    imported: tuple[ModuleType, list[Sequence[Path]]], tmp_path: Path
) -> None:
    manager, asked = imported
    bridge.install()
    manager.TaskIndex.build([tmp_path / "user"])
    assert asked == [[tmp_path / "user"]]


def test_an_lm_eval_with_another_inside_is_warned_about_in_one_line(
    imported: tuple[ModuleType, list[Sequence[Path]]], caplog: pytest.LogCaptureFixture
) -> None:
    manager, _ = imported
    del manager.TaskIndex
    with caplog.at_level(logging.WARNING):
        bridge.install()
    (record,) = caplog.records
    assert "--include_path" in record.message
    assert "\n" not in record.message
