"""Markdown that reads as text and renders on any forge."""

import re
from collections.abc import Iterable, Sequence

LONGEST_TEXT = 240  # characters of a value from a document or a name from a file


def as_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, is_text: bool = False) -> str:
    """A table of numbers, or of text, behind a first column of names."""
    rule = ["---", *["---" if is_text else "--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def safe(text: str, longest: int | None = LONGEST_TEXT) -> str:
    """Text from files shown as text: nothing in it can end a cell, start a tag or become a link."""
    one_line = " ".join(text.split())
    shortened = one_line if longest is None or len(one_line) <= longest else one_line[:longest] + "…"
    return re.sub(r"([\\`*\[\]<>|&])", r"\\\1", shortened)
