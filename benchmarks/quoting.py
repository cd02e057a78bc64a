"""Put what a benchmark measured into a page, so that no number in it is typed.

A block begins with ``<!-- NAME: the command that fills it -->`` and ends with ``<!-- end NAME -->``; what stands between is replaced.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def quote(page: str, blocks: Mapping[str, Iterable[str]]) -> None:
    """Replace blocks, by name, with lines of Markdown.

    Args:
        page: path inside the repository.

    Raises:
        ValueError: if the page lacks a block; nothing is written then.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, lines in blocks.items():
        block = re.compile(rf"(?<=<!-- {re.escape(name)}: )(.*?-->\n).*?(?=<!-- end {re.escape(name)} -->)", re.DOTALL)
        replaced = "\n" + "\n".join(lines).strip("\n") + "\n\n"
        text, found = block.subn(lambda match: match[1] + replaced, text, count=1)  # noqa: B023
        if not found:
            raise ValueError(f"{page} has no block between <!-- {name}: … --> and <!-- end {name} -->.")
    (ROOT / page).write_text(text, encoding="utf-8")
