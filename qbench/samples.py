"""Samples: what lm-eval writes with ``--log_samples``, a line for each item, and what is checked of a line when it is read.

A metric of a sample is a field of the name that ``metrics`` has; whatever else a task logs is its own business and is left as it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qbench.errors import SamplesError
from qbench.json_files import from_json

Sample = dict[str, Any]

ITEM_FIELDS = frozenset(
    {"id", "category", "subcategory", "template", "difficulty"}
)  # what makes a document an item of the bank


@dataclass(frozen=True)
class Line:
    """The fields that we read of any sample. One that is not there is missed by who needs it."""

    doc: dict[str, Any] = field(default_factory=dict)
    filter: str = "none"
    metrics: tuple[str, ...] = ()
    resps: tuple[tuple[Any, ...], ...] = ()
    """Of each request the responses: texts, or pairs of a log-likelihood and whether it was the greedy choice, as text."""
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    look: int = 1


@dataclass(frozen=True)
class Item:
    """The fields that we read of a document of the bank, those with a default where they are there."""

    id: str
    category: str
    subcategory: str
    template: str
    difficulty: float
    twin: str = ""
    answer: str = ""
    choices: tuple[str, ...] = ()
    target_index: int = -1
    declining_index: int = -1


def is_item(document: Mapping[str, Any]) -> bool:
    """Whether a document is an item of the bank."""
    return document.keys() >= ITEM_FIELDS and isinstance(document["difficulty"], int | float)


def read_samples(path: Path, content: bytes, remedy: str) -> list[Sample]:
    """The samples in the content of a file.

    Args:
        path: of the file, for messages.
        content: what was read from it.
        remedy: the end of a message: what to do about a damaged file.

    Raises:
        SamplesError: a line is no JSON object, or a field of it is not what it is in any sample.
    """
    samples = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            sample = json.loads(line)
        except (ValueError, RecursionError):
            sample = None
        if not isinstance(sample, dict):
            raise SamplesError(f"Line {number} of {path} is no JSON object; the file was cut or edited. {remedy}")
        try:
            from_json(Line, sample, "", partial=True)
            if is_item(document := sample.get("doc", {})):
                from_json(Item, document, "doc", partial=True)
        except ValueError as error:
            raise SamplesError(f"Line {number} of {path} is no sample: {error}. {remedy}") from None
        samples.append(sample)
    return samples
