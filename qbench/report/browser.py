"""The items of a report and all responses to them, packed to be carried in the page."""

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench.pairing import Direction
from qbench.report.table import ItemRow, Kind, Table

MAX_BYTES = 11_000_000  # of the packed items, so that a page stays under 15 MB
LENGTHS = (4000, 1500, 700, 350, 160)  # characters that a text may have; the first that lets everything fit
QUESTION_FIELDS = (
    "question",
    "prompt",
    "query",
    "problem",
    "text",
    "input",
    "ctx",
)  # of documents that are not of the bank


@dataclass(frozen=True)
class Packed:
    """What the page's script unpacks."""

    data: str
    """Base64 of gzip of JSON."""
    n_items: int
    n_left_out: int
    """Items that the page has no room for: those that flipped least."""
    longest: int | None
    """Longer texts were cut in the middle to this many characters."""
    categories: Sequence[str]
    levels: Sequence[str]


def pack(table: Table) -> Packed:
    """Pack as much as fits: first shorter texts, then fewer items, those that flipped most first."""
    items: Sequence[ItemRow] = table.items
    for length in LENGTHS:
        data, was_cut = _packed(table, items, length)
        if len(data) <= MAX_BYTES:
            break
    while len(data) > MAX_BYTES and len(items) > 1:
        wanted = int(0.9 * len(items) * MAX_BYTES / len(data))
        kept = {item.id for item in sorted(items, key=lambda item: -item.n_flips)[:wanted]}
        items = [item for item in items if item.id in kept]
        data, was_cut = _packed(table, items, length)
    return Packed(
        data,
        len(items),
        len(table.items) - len(items),
        length if was_cut else None,
        list(dict.fromkeys(item.category for item in items)),
        [table.baseline, *table.compared],
    )


def _packed(table: Table, items: Sequence[ItemRow], length: int) -> tuple[str, bool]:
    """Columns, and each text once; whether any text was cut."""
    texts: dict[str, int] = {}
    names: dict[str, int] = {}
    was_cut = False
    lower = {row.name for row in table.rows if row.kind is Kind.TASK and row.direction is Direction.LOWER}

    def stored(text: str) -> int:
        nonlocal was_cut
        was_cut = was_cut or len(text) > length
        return texts.setdefault(cut(text, length), len(texts))

    def name(text: str) -> int:
        return names.setdefault(text, len(names))

    content = {
        "levels": [table.baseline, *table.compared],
        "id": [item.id for item in items],
        "category": [name(item.category) for item in items],
        "template": [name(item.template if item.template != item.id else item.task) for item in items],
        "lower": [item.task in lower for item in items],
        "difficulty": [None if math.isnan(item.difficulty) else item.difficulty for item in items],
        "question": [stored(_question(item.document)) for item in items],
        "target": [stored(_target(item.document)) for item in items],
        "scores": [[None if math.isnan(score) else score for score in item.scores] for item in items],
        "responses": [[stored(response) for response in item.responses] for item in items],
        "names": list(names),
        "texts": list(texts),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode(), was_cut


def cut(text: str, length: int) -> str:
    """A long text without its middle, saying so: the answer is often at the end."""
    if len(text) <= length:
        return text
    head, tail = 2 * length // 3, length // 3
    return f"{text[:head]} [… {len(text) - head - tail:,} characters left out …] {text[-tail:]}"


def _question(document: Mapping[str, Any]) -> str:
    for field in QUESTION_FIELDS:
        if isinstance(document.get(field), str):
            return str(document[field])
    return json.dumps(document, ensure_ascii=False, default=str)


def _target(document: Mapping[str, Any]) -> str:
    """The reference answer; of other tasks' documents whatever they call it."""
    for field in ("target", "answer", "answers", "label", "gold"):
        if field in document:
            value = document[field]
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return ""
