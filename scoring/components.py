"""The parts of sets, intervals, vectors, matrices and traces: where they are split, and how one part is read."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring import numerals
from qbench.scoring.expression import LEAD_IN, constant
from qbench.scoring.extract import Committed, without_reason
from qbench.scoring.number import OPERATIONS, UNCOMMITTED
from qbench.scoring.plain import plain
from qbench.scoring.verdict import Unreadable

MAX_PARTS = 100

NAME = re.compile(
    r" ?(?:(?:[Ss]tep|[Tt]erm) \d{1,3}|[A-Za-z](?:[A-Za-z']{0,9}|\d{1,3}|_\{?\w{1,5}\}?)(?:\([^()]{1,10}\))?) ?(?:=|∈|:) ?"
)
NOUN = re.compile(
    r"(?:[Tt]he )?(?:[a-z]+ )?(?:set|point|pair|vector|interval|matrix|solution|sequence|list) (?=[\[({⟨<])"
)
CODE = re.compile(
    r"(?:[A-Za-z]\w{0,5} ?= ?)?(?:[a-z]{2,5}\.)?(?:array|[Mm]atrix|[Vv]ector|list|set|tuple)\(([\[({].*[\])}])\)"
)
LABEL = re.compile(r"([A-Za-z]{3,15}) ?#?(?=\d)")  # Job 4
NO_LABELS = UNCOMMITTED | OPERATIONS  # not 4, sin 4
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!,?\d)")
TIGHT = re.compile(r",(?! )")
CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "<": ">"}
ENVIRONMENT = re.compile(
    r"\\begin ?\{(?:[bpvBV]?matrix|smallmatrix|array)\}(?: ?\{[clr|]*\})?(.*?);? ?\\end ?\{[a-z]*\}", re.IGNORECASE
)


def component(text: str) -> Fraction:
    """Read one number: a numeral, or a constant such as sqrt(2) or 2π."""
    number: Fraction
    try:
        number = numerals.numeral(text.strip()).value
    except Unreadable:
        number = constant(text)
    return number


def target_components(answer: Mapping[str, Any], parts: Any) -> tuple[Fraction, ...]:
    """Read the numbers of a target.

    Raises:
        AnswerSpecError: it is no list of numbers.
    """
    if not isinstance(parts, list | tuple) or not parts:
        raise AnswerSpecError(f"The target of a {answer.get('type')} answer must be a list of numbers, not {parts!r}.")
    try:
        return tuple(component(plain(str(part))) for part in parts)
    except Unreadable as refusal:
        raise AnswerSpecError(
            f"The target {parts!r} of a {answer.get('type')} answer has a part that is no number ({refusal})."
        ) from None


def one_line(found: Committed) -> str:
    """The committed text as plain mathematics on one line, without a lead-in such as "The solutions are" and without a reason.

    ``np.array([1, 2])`` is ``[1, 2]``.
    """
    text = " ".join(plain(found.text or "").split())
    if not found.marked:
        return text
    lead = LEAD_IN.match(text) or NOUN.match(text)
    text = without_reason(text[lead.end() :] if lead else text)
    code = CODE.fullmatch(text)
    return code[1] if code else text


def without_name(text: str) -> str:
    """Drop the left-hand side of ``x_1 = 3`` or ``x ∈ {1, 2}``."""
    name = NAME.match(text)
    return text[name.end() :] if name else text


def without_label(parts: list[str]) -> list[str]:
    """Drop a word that stands before every part, or in the plural before the first: Job 4, Job 2; jobs 4, 2."""
    labels = [LABEL.match(part) for part in parts]
    words = [label[1].lower() if label else "" for label in labels] or [""]
    plural = words[0].endswith("s") and not any(words[1:])
    if not words[0] or words[0] in NO_LABELS or not (plural or set(words) == {words[0]}):
        return parts
    return [part[label.end() :] if label else part for part, label in zip(parts, labels, strict=True)]


def split(text: str, separators: str) -> list[str]:
    """Split where no bracket is open."""
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        if sign in "([{⟨":
            depth += 1
        elif sign in ")]}⟩":
            depth -= 1
        elif sign in separators and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    if len(parts) > MAX_PARTS:
        raise Unreadable("refused by parser: too many parts")
    return [part.strip() for part in parts]


def ungrouped(text: str, count: int) -> str:
    """Drop thousands separators from a list: 54,658, 27,329, 81,988 is 54658, 27329, 81988.

    A comma groups where no space follows it while one follows every comma between elements, of which there are three at least, or
    one where one is asked for; and only if splitting at every comma does not make the ``count`` of elements that is asked for.
    """
    if len(split(text, ",")) == count:
        return text
    whole = THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    n_elements = len(split(whole, ","))
    return text if TIGHT.search(whole) or n_elements == 2 or (n_elements == 1 != count) else whole


def inside(text: str, brackets: Iterable[str]) -> str | None:
    """Return what one pair of brackets around the whole text encloses; ``None`` without such a pair."""
    opening = text[:1]
    if opening not in brackets or not opening or text[-1] != CLOSING[opening]:
        return None
    depth = 0
    for position, sign in enumerate(text):
        depth += (sign == opening) - (sign == CLOSING[opening])
        if depth == 0:
            return text[1:-1].strip() if position == len(text) - 1 else None
    return None


def rows(text: str, brackets: str) -> list[list[str]]:
    """Split a vector or matrix into rows of cells.

    Read are ``[[1, 2], [3, 4]]``, ``[1 2; 3 4]``, ``[[1 2] [3 4]]`` as numpy prints it, and LaTeX's matrix environments.
    """
    text = text.strip()
    if environment := ENVIRONMENT.fullmatch(text):
        if environment[1].count("&") + environment[1].count(";") > MAX_PARTS:
            raise Unreadable("refused by parser: too many parts")
        return [[cell.strip() for cell in row.split("&")] for row in environment[1].split(";")]
    content = inside(text, brackets)
    if content is None:
        raise Unreadable("no brackets")
    if content.startswith("\\begin"):
        return rows(content, "")
    if content[:1] in brackets and content:
        nested = [inside(row, brackets) for row in split(content.replace("] [", "],["), ",;")]
        return [_cells(row) for row in nested if row is not None] if None not in nested else [_cells(content)]
    return [_cells(row) for row in split(content, ";")]


def _cells(row: str) -> list[str]:
    cells = split(row, ",")
    return cells if len(cells) > 1 else row.split()
