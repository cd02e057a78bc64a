"""The fact tables and word lists that templates draw from: tasks/facts."""

import csv
import functools
from importlib.resources import files

import yaml

from qbench.errors import TemplateError, did_you_mean


@functools.cache
def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a fact table, tasks/facts/NAME.csv."""
    path = files("qbench.tasks") / "facts" / f"{name}.csv"
    if not (name.isidentifier() and path.is_file()):  # a YAML from a stranger must not read ../../elsewhere.csv
        known = [file.name.removesuffix(".csv") for file in (files("qbench.tasks") / "facts").iterdir()]
        raise TemplateError(f"there is no fact table {name!r} in tasks/facts.{did_you_mean(name, known)}")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@functools.cache
def words(name: str) -> list[str]:
    """Return a word list of tasks/facts/words.yaml."""
    lists: dict[str, list[str]] = yaml.safe_load(
        (files("qbench.tasks") / "facts" / "words.yaml").read_text(encoding="utf-8")
    )
    if name not in lists:
        raise TemplateError(f"there is no word list {name!r}.{did_you_mean(name, lists)}")
    return lists[name]
