"""Makes lm-eval know qbench: the model ``qbench``, and the tasks of the bank.

lm-eval 0.4.13 finds other people's tasks only through ``--include_path``, and their models not at all. Its main branch
discovers models by entry points, and tasks may follow; pyproject.toml declares both. `install` does the same for the
lm-eval that is here, and leaves alone what lm-eval found by itself.

Who calls it: a wheel, when lm_eval is imported (qbench.pth, then _qbench_startup); ``qbench lm-eval``, in every kind of
install; or you, before ``lm_eval.simple_evaluate(model="qbench", …)`` in an editable install. The environment variable
QBENCH_BRIDGE=0 switches the first one off.
"""

import functools
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)


def install() -> None:
    """Register with lm-eval: now with what is imported already, and with the rest at the moment it is imported.

    Calling it again changes nothing, and it imports no part of lm-eval itself.
    """
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
    for name, register in REGISTER_AFTER.items():
        if name in sys.modules:
            _guarded(register, sys.modules[name])


def run_lm_eval(arguments: Sequence[str]) -> int:
    """Run lm_eval's own command line, with qbench registered."""
    install()
    from lm_eval.__main__ import cli_evaluate

    sys.argv = ["lm_eval", *arguments]  # lm_eval reads its arguments from nowhere else
    cli_evaluate()
    return 0


def _add_model(models: ModuleType) -> None:
    from lm_eval.api.registry import model_registry

    if "qbench" not in model_registry:
        model_registry.register("qbench", target="qbench.models:QBenchLM")  # a string: torch is imported when asked for


def _add_tasks(manager: ModuleType) -> None:
    """Let every index that has lm-eval's own tasks have ours too.

    Ours come behind theirs and before the user's ``--include_path``, which has the last word on a name used twice.
    An index without the defaults (``include_defaults=False``) is left as it was asked for.
    """
    index = manager.TaskIndex
    if hasattr(index.build, "__wrapped__"):
        return
    theirs = Path(str(manager.__file__)).parent
    ours = Path(str(files("qbench.tasks")))
    build = index.build

    @functools.wraps(build)
    def build_with_ours(paths: Iterable[Path], **options: Any) -> Any:
        roots = list(paths)
        # A folder that is named twice, by the user or by an lm-eval that discovered it, would be read twice.
        if theirs in roots and ours.resolve() not in {Path(root).resolve() for root in roots}:
            roots.insert(roots.index(theirs) + 1, ours)
        return build(roots, **options)

    index.build = staticmethod(build_with_ours)


# Not lm_eval.api.registry: lm-eval fills that table with its own models only while it is empty.
REGISTER_AFTER: dict[str, Callable[[ModuleType], None]] = {
    "lm_eval.models": _add_model,
    "lm_eval.tasks.manager": _add_tasks,
}


class _AfterImport(MetaPathFinder):
    """Calls the functions of REGISTER_AFTER when the module they wait for has been executed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in REGISTER_AFTER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            _guarded(REGISTER_AFTER[name], module)

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def _guarded(register: Callable[[ModuleType], None], module: ModuleType) -> None:
    """Whatever is wrong with qbench, or new in lm-eval, lm-eval must go on working for everybody else."""
    try:
        register(module)
    except Exception as error:
        log.warning("qbench is not registered with this lm-eval (%r): use --include_path and --model hf.", error)
