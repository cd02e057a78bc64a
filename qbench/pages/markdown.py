"""Markdown that reads as text and renders on any forge."""

import re
from collections.abc import Iterable, Sequence

WORD_JOINER = "\u2060"  # has no width
LONGEST_TEXT = 240  # characters of a value from a document or a name from a file


def as_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, is_text: bool = False) -> str:
    """A table of numbers, or of text, behind a first column of names."""
    rule = ["---", *["---" if is_text else "--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def safe(text: str, longest: int | None = LONGEST_TEXT) -> str:
    """Text from files shown as text: nothing in it can end a cell, start a tag or become a link.

    Nor what GitHub's Markdown links by itself (GFM 0.29, section 6.9): an escape keeps it from ``https://`` and ``www.``, and since it
    looks for addresses of mail after it has read the escapes, a mark of no width parts those behind their @.
    """
    one_line = " ".join(text.split())
    shortened = one_line if longest is None or len(one_line) <= longest else one_line[:longest] + "…"
    escaped = re.sub(r"([\\`*\[\]<>|&]|:(?=//)|(?<=www)\.)", r"\\\1", shortened, flags=re.IGNORECASE)
    return re.sub(r"(?<=[\w.+-])@(?=[\w.-]*\.\w)", f"@{WORD_JOINER}", escaped)
