"""lm-eval's side of a sweep: its tasks found by name and built, and its chatter kept off the terminal."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from qbench import bank
from qbench.errors import BankError
from qbench.names import no_task

DECLARES_TASK = re.compile(r"^(task|group)\s*:", re.MULTILINE)
"""A line of a YAML file of which lm-eval makes a task or a group; searched for in the text, so that a file with a mistake has it too."""

SET_TWICE = re.compile(r"got multiple values for keyword argument '(\w+)'")
"""What Python says where lm-eval hands a task its ``dataset_kwargs`` beside ``--metadata`` and ``--model_args``."""


def find_tasks(
    patterns: Sequence[str], include_path: Sequence[Path] = (), metadata: dict[str, Any] | None = None
) -> tuple[TaskManager, list[str]]:
    """Return a task manager and the names that the patterns mean, each once, our leaves in the bank's order.

    lm-eval's own 10,000 tasks take seconds to index, so they are looked at only when a pattern matches none of ours.

    Raises:
        BankError: a pattern matches no task.
    """
    for folder in include_path:
        if not Path(folder).is_dir():
            raise BankError(f"There is no folder {folder} to include; name the folder that holds your task YAMLs.")
    folders = [str(bank.tasks_dir()), *map(str, include_path)]
    manager = TaskManager(include_path=folders, include_defaults=False, metadata=metadata)
    if not all(manager.match_tasks([pattern]) for pattern in patterns):
        manager = TaskManager(include_path=folders, metadata=metadata)
    _check_yaml(manager, folders)
    names: dict[str, None] = {}
    for pattern in patterns:
        matched = manager.match_tasks([pattern])
        if not matched:
            raise no_task(pattern, manager.all_tasks)
        leaves = [name for name in matched if name in manager.all_subtasks]
        names |= dict.fromkeys(leaves or matched)
    order = {category: position for position, category in enumerate(bank.CATEGORIES)}
    ours = [name for name in names if name.startswith("qbench_")]
    ours.sort(
        key=lambda name: next(
            (place for category, place in order.items() if name.startswith(f"qbench_{category}_")), len(order)
        )
    )
    return manager, [*ours, *(name for name in names if name not in ours)]


def _check_yaml(manager: TaskManager, folders: Sequence[str]) -> None:
    """lm-eval drops a YAML that it cannot read at debug level; here that is an error.

    What declares no task may lie beside one: a file that others include, whose name begins with an underscore, or a mix.
    """
    indexed = {entry.yaml_path.resolve() for entry in manager.task_index.values() if entry.yaml_path}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.yaml")):
            if path.name.startswith("_") or not DECLARES_TASK.search(
                path.read_text(encoding="utf-8", errors="replace")
            ):
                continue
            if path.resolve() not in indexed:
                bank.read_leaf(path)  # says what is wrong with the file, where that is known
                raise BankError(
                    f"lm-eval could not read {path} and would drop its task in silence; check its YAML and its include, and whether "
                    "another task has its name."
                )
            if folder != folders[0] and "templates" in (bank.task_fields(path).get("dataset_kwargs") or {}):
                bank.check_way_of_asking(path)


def load_tasks(manager: TaskManager, names: list[str], num_fewshot: int | None, seed: int) -> dict[str, Any]:
    """Build the tasks, groups and tags resolved to their leaves; few-shot settings as lm-eval's simple_evaluate makes them.

    Raises:
        BankError: a task is handed an argument that its own YAML sets.
    """
    try:
        loaded: dict[str, Any] = manager.load(names)["tasks"]
    except TypeError as error:
        if not (twice := SET_TWICE.search(str(error))):
            raise
        raise BankError(
            f"The YAML of a task sets {twice[1]} itself, so the metadata and the model's arguments must not; leave {twice[1]} out."
        ) from error
    for task in loaded.values():
        if num_fewshot is not None and task.get_config("num_fewshot") != 0:
            task.set_config(key="num_fewshot", value=num_fewshot)
        elif task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=seed)
    return loaded


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep lm-eval's progress bars and its notices about custom datasets off the terminal; errors still come as exceptions."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
