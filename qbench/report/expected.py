"""What the source document expects of each level, read from expected.yaml, and where a measured loss falls."""

import functools
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

import yaml

from qbench.stats import Estimate


class Placement(StrEnum):
    """Where the interval of a measured loss lies beside the expected range."""

    INSIDE = "inside"
    SMALLER = "smaller loss"
    LARGER = "larger loss"
    UNDECIDED = "undecided"
    NOT_ESTIMABLE = "not estimable"


@dataclass(frozen=True)
class Scope:
    """A set of categories of which the document expects a range at each level."""

    name: str
    section: str
    categories: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]
    """Relative loss by level, as shares of one."""


@dataclass(frozen=True)
class Comparison:
    """A measured relative loss beside the expected one."""

    scope: str
    level: str
    low: float
    high: float
    statement: str | None
    """What the document says of this category at this level, word for word, or nothing; None for a scope of several categories."""
    loss: Estimate
    placement: Placement


@functools.cache
def scopes() -> tuple[Scope, ...]:
    return tuple(
        Scope(
            entry["name"],
            entry["section"],
            tuple(entry["categories"]),
            {level: (low / 100, high / 100) for level, (low, high) in entry["loss_percent"].items()},
        )
        for entry in _content()["scopes"]
    )


def statements(category: str) -> dict[str, str]:
    """What the document expects of a category, by level; empty for a category that it does not have."""
    return dict(_content()["categories"].get(category, {}))


def place(loss: Estimate, low: float, high: float) -> Placement:
    """Say where the whole interval of the loss lies; undecided where it crosses an end of the range."""
    if not loss.is_estimable:
        return Placement.NOT_ESTIMABLE
    if loss.interval.high < low:
        return Placement.SMALLER
    if loss.interval.low > high:
        return Placement.LARGER
    return Placement.INSIDE if low <= loss.interval.low and loss.interval.high <= high else Placement.UNDECIDED


@functools.cache
def _content() -> dict[str, Any]:
    text = files("qbench.report").joinpath("expected.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
