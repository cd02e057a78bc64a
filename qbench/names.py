"""What a sweep or a sensitivity profile is asked for, checked by name before torch and lm_eval are loaded, which takes seconds.

Only what is surely wrong is refused here. Whether a task can be built and a model read is for `qbench.harness` and `qbench.models` to say.
"""

import math
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from qbench import bank, levels
from qbench.errors import BankError, ModelError, ProfileError, did_you_mean

NAME = re.compile(r"\bqbench[\w-]*")
ALL = "all"
PATH_STARTS = ("/", "./", "../", "~")
MIN_SEQUENCES = 2
"""Of a probe: a single sequence says nothing about how far another one would land."""


def check(model: str, level_names: Sequence[str], tasks: Sequence[str], include_path: Sequence[Path]) -> None:
    """Refuse a level, a path of a model or a task of the bank that there is not.

    Raises:
        LevelError, MixError: as `qbench.levels.resolve`.
        ModelError: the model is a path, and nothing is there.
        BankError: a pattern that begins with ``qbench`` matches nothing in the bank.
    """
    for name in level_names:
        levels.resolve(name)
    if model.startswith(PATH_STARTS) and not Path(model).exists():
        raise ModelError(f"There is no model at {model!r}; name a folder with a config.json, a .gguf file or a hub id.")
    if include_path:  # a folder of one's own can have tasks of any name
        return
    known = _names_of_the_bank()
    for pattern in tasks:
        if pattern.startswith("qbench") and not any(fnmatchcase(name, pattern) for name in known):
            raise no_task(pattern, known)


def check_probes(
    model: str, formats: Sequence[str], tasks: Sequence[str], measure: str | int | None, include_path: Sequence[Path]
) -> None:
    """The same for a sensitivity profile, whose tasks are probes.

    Raises:
        LevelError, ModelError, BankError: as `check`; also a format that is none of a single weight.
        ProfileError: two probes of one name, or ``measure`` is neither ``all`` nor a number.
    """
    for name in formats:
        levels.resolve_format(name)
    amount_measured(measure)
    named = [probe(argument)[0] for argument in tasks]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise ProfileError(f"Two probes are called {twice}; give each a name of its own, as in NAME=qbench_logic_*.")
    patterns = [pattern for argument in tasks for pattern in probe(argument)[1]]
    check(model, (), [pattern for pattern in patterns if not is_text_file(pattern)], include_path)


def amount_measured(measure: str | int | None) -> int | float:
    """How many units ``--measure`` asks for: none, so many, or all, which is infinitely many.

    Raises:
        ProfileError: neither ``all`` nor a number of at least 1.
    """
    if measure in (None, ALL):
        return math.inf if measure else 0
    amount = int(str(measure)) if str(measure).isdecimal() else 0
    if amount < 1:
        raise ProfileError(f"--measure takes all or a number of units, not {measure}.")
    return amount


def check_sequences(sequences: int) -> None:
    """Refuse a text that no interval can be made from.

    Raises:
        ProfileError: it has too few sequences.
    """
    if sequences < MIN_SEQUENCES:
        raise ProfileError(
            f"A standard error takes at least {MIN_SEQUENCES} sequences of text, and --sequences asks for {sequences}; 64 is usual."
        )


def probe(argument: str) -> tuple[str, list[str]]:
    """The name and the patterns of one probe: ``qbench_numerical_*`` is called numerical; ``NAME=A,B`` names itself.

    Raises:
        ProfileError: it names nothing, or is neither.
    """
    name, is_named, patterns = argument.partition("=")
    parts = [part for part in (part.strip() for part in (patterns if is_named else name).split(",")) if part]
    if not parts or "=" in patterns or (is_named and not name.strip()):
        raise ProfileError(f"{argument!r} is no probe; write --tasks TASKS, or --tasks NAME=TASKS to give it a name.")
    return (name.strip() if is_named else "+".join(map(_short, parts))), parts


def _short(pattern: str) -> str:
    stem = Path(pattern).stem if is_text_file(pattern) else pattern
    return stem.removeprefix("qbench_").removesuffix("*").rstrip("_-") or "qbench"


def is_text_file(pattern: str) -> bool:
    """Whether a probe is a plain text file and not a task."""
    return Path(pattern).suffix in {".txt", ".md"}


def no_task(pattern: str, known: Iterable[str]) -> BankError:
    """The error for a name or glob that matches no task, with the nearest of the names that there are."""
    return BankError(
        f"No task is named {pattern!r}.{did_you_mean(pattern, known)} See qbench bank list, or lm_eval ls tasks."
    )


def _names_of_the_bank() -> list[str]:
    """Every name of ours that its task files mention, be it of a task, a group or a tag: to parse them all takes longer than to look."""
    texts = (path.read_text(encoding="utf-8") for path in bank.tasks_dir().rglob("*.yaml"))
    return sorted({name for text in texts for name in NAME.findall(text)})
