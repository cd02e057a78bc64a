"""The same questions about the same facts, in documents of several sizes.

A template whose generator takes ``words`` writes documents (`qbench.generators.filler`), and these leave their length open when they are
asked to. `stretched` prepares templates for that, and `in_sizes` writes every document out once for each size: the facts, their depths
and the order of the filler stay, and more of the same filler is used. The sizes of one draw are twins.
"""

import itertools
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from qbench.errors import BankError
from qbench.generators.filler import Document, Later
from qbench.templates import Item, Template

log = logging.getLogger(__name__)

Row = dict[str, Any]


class Ruler(Protocol):
    """Measures prompts: in words, or in the tokens of one model."""

    unit: str
    """``words`` or ``tokens``: part of the items' ids."""
    line_break: int
    """The most that a line break can cost more than a space."""

    def prompt(self, row: Row) -> int:
        """The size of the whole prompt of an item, with the room that is kept for the answer."""

    def filler(self, text: str) -> int:
        """The size of a sentence of filler with the space or line break in front of it."""


class Words:
    """Counts what stands between spaces."""

    unit = "words"
    line_break = 0

    def prompt(self, row: Row) -> int:
        return len(row["question"].split())

    def filler(self, text: str) -> int:
        return len(text.split())


def read_sizes(sizes: Any, name: str) -> list[int]:
    """The sizes that an option asks for: a number, a list, or a text with commas, as ``--model_args`` has it.

    Raises:
        BankError: one of them is no whole number above zero.
    """
    listed = sizes.split(",") if isinstance(sizes, str) else sizes if isinstance(sizes, list | tuple) else [sizes]
    try:
        read = list(dict.fromkeys(int(str(size)) for size in listed))
        if read and min(read) > 0:
            return read
    except ValueError:
        pass
    raise BankError(f"{name} takes one or more whole numbers above zero, as in [4096, 32768], not {sizes!r}.")


def stretched(templates: Iterable[Template], later: Later) -> tuple[Template, ...]:
    """The templates that write documents, with the length left open; the source document's own questions have one length only."""
    return tuple(
        replace(template, document={}, options={**template.options, "words": later})
        for template in templates
        if has_length(template)
    )


def has_length(template: Template) -> bool:
    """Whether the template's generator writes a document of a chosen length."""
    return "words" in template.options


def in_sizes(items: Iterable[Item], later: Later, sizes: Sequence[int], ruler: Ruler) -> list[Row]:
    """Write the items of stretched templates once for each size.

    A family of twins whose documents all grow (early, middle, late) stays a family, once in each size. Else the sizes are the family,
    behind a twin of one length (short) where there is one. A family whose facts alone are larger than a size is not asked in it, and a
    warning names its template.

    Raises:
        BankError: no item fits into any size.
    """
    rows: list[Row] = []
    too_large: dict[int, dict[str, int]] = {}
    fits = False
    for (template, index), drawn in itertools.groupby(items, key=lambda item: (item.template, item.index)):
        family = list(drawn)
        stem = f"{family[0].category}_{family[0].subcategory}.{template}.{family[0].split}.{index}"
        growing = [item for item in family if later.marked(item.question)]
        fixed = [item for item in family if item not in growing]
        rows += [{**item.row(), "context": 0, "context_unit": ruler.unit} for item in fixed]
        first = fixed[0].id if fixed else ""
        least = max((_least(item.row(), later, ruler) for item in growing), default=0)
        for size in sizes:
            if least > size:
                largest = too_large.setdefault(size, {})
                largest[template] = max(least, largest.get(template, 0))
                continue
            fits = True
            named = f"{stem}.{size}_{ruler.unit}"
            if len(growing) > 1:
                first = f"{named}.{growing[0].variant}"
            elif len(sizes) > 1:
                first = first or named
            for item in growing:
                several = len(growing) > 1
                identity = {
                    "id": f"{named}.{item.variant}" if several else named,
                    "variant": item.variant if several else f"{size}_{ruler.unit}",
                    "twin": first,
                }
                rows.append(_in_size({**item.row(), **identity}, later, size, ruler))
    for size, largest in too_large.items():
        needed = ", ".join(f"{template} ({least})" for template, least in largest.items())
        told = f"With the question and the room for the answer, the facts alone take more than {size} {ruler.unit}: {needed}."
        if not fits:
            raise BankError(f"{told} Ask for a larger context.")
        log.warning("%s Such items are not asked in this size.", told)
    return rows


def _in_size(row: Row, later: Later, size: int, ruler: Ruler) -> Row:
    mark, document = _document(row, later)
    text = document.filled(size - _least(row, later, ruler), ruler.filler)
    return {**row, "question": row["question"].replace(mark, text), "context": size, "context_unit": ruler.unit}


def _least(row: Row, later: Later, ruler: Ruler) -> int:
    """The size of the prompt without any filler."""
    mark, document = _document(row, later)
    bare = {**row, "question": row["question"].replace(mark, document.short)}
    return ruler.prompt(bare) + _line_breaks(document) * ruler.line_break


def _document(row: Row, later: Later) -> tuple[str, Document]:
    found = later.marked(row["question"])
    assert found is not None
    return found


def _line_breaks(document: Document) -> int:
    """Line breaks that planted texts may add to the filler around them, generously counted."""
    return sum(3 if planted.alone else 1 for planted in document.planted)
