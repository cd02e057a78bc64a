"""From a response to the text of the answer it commits to.

The rules, in order:

1. Everything through the last closing reasoning tag is dropped. Reasoning that was never closed leaves no answer.
2. The last explicit marker wins: ``Answer:``, ``A:`` at a line's start, ``####``, ``\\boxed{}``, ``<answer>``. What follows an empty or
   cut-off last marker is no answer either; an earlier marker is never dug up again.
3. A sentence "the answer is …" counts where there is no marker, in the text behind one, and anywhere behind ``A:``, which opens a whole
   response in the few-shot style of GSM8K.
4. Without that, the last line counts, if it is nothing but an answer. The scorer of each type knows what that means, so
   `Committed.marked` tells it.

What follows a token that ends the turn, such as ``<|im_end|>``, is not part of the response.
"""

import re
from dataclasses import dataclass

from qbench.scoring.plain import narrow, visible

MAX_TAIL = 10_000  # characters at the end of a response that are searched for a marker
MAX_ANSWER = 4_000  # characters of one answer; the largest matrix in the bank has a tenth of that
MAX_EMPHASIZED = 1_500  # characters of an answer in which emphasis is looked for
MAX_ANSWER_LINES = 60  # an environment or a list that was opened on the marker's line may run on for this long

REASONING_TAGS = ("think", "thinking", "reasoning")
END_OF_TURN = re.compile(r"<\|(?:im_end|end|endoftext|end_of_text|eot_id|eom_id|eos)\|>|<(?:/s|eos|end_of_turn)>")

MARKER = re.compile(
    r"""
      (?P<box>     \\(?:boxed|fbox)\b )
    | (?P<tag>     <answer> )
    | (?P<hashes>  (?<!\#)\#{4}(?!\#) (?:[ *_]*(?:final[ ])?answer\b[ *_]*:?)? )
    | (?P<json>    "(?:final_)?answer" \s? : )
    | (?P<colon>   (?<![^\W_])(?:answers?|ans)(?![^\W_]) [ *_`}]{0,4} (?:\([^()\n]{0,40}\)|to[ ]the[ ](?:question|problem))?
                   [ *_`}]{0,4} [:：=] (?:[ ]?\}|_{1,2}(?=\s))? )
    | (?P<heading> ^[ \t#*_]{0,8} (?:(?:the[ ])?(?:final|correct)[ ])? answer [*_ \t]{0,4} $ )
    | (?P<line>    ^[ \t>*_-]{0,8} (?-i:A) [*_]{0,3} [ ]? [:：] )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
SENTENCE = re.compile(
    r"\b(?:answers?(?: [a-z]{1,15}){0,4}|(?:correct|right|best) (?:option|choice|letter)) (?:is|are|would be|must be)\b[ \t]?:?",
    re.IGNORECASE,
)
BETWEEN_BOXES = re.compile(r"[\s$,;.]{0,20}(?:or|and)?[\s$]{0,20}", re.IGNORECASE)
BRACE = re.compile(r"\\?[{}]")  # \{ and \} are signs of a set, not braces
REASON = re.compile(
    r"[,;]? \(?(?:because|since|as (?:all|each|it|no|the|there|they|this|we))\b.*", re.IGNORECASE | re.DOTALL
)
JSON_VALUE = re.compile(r'\s*(?:"([^"\\\n]*)"|([^"\n]*?)[ ]?(?:,[ ]?"|\}|$))', re.MULTILINE)

FENCE = re.compile(r"\s*```[a-z]*\s*$")
CLOSING_LINES = ("```", "$$", r"\]")  # a last line that only closes what the answer stands in
ROW_SIGNS = frozenset("0123456789+-−.,;:/ \t&|[]()\\")
OPEN_LIST = re.compile(r"(?:^|[=(] ?)\[\[|^[^\[({]{0,20}[\[({].*,$")
BULLET = re.compile(r"(?:[-*•>] )+(?=[^\W\d])")
DECORATION = "✓✔✅☑👉➡⭐✨🎉😊🙂\ufe0f"
EMPHASIS = re.compile(r"(?<![^\s(])(\*{1,3}|`{1,3}|__)(?=[^\s*`])([^*`\n]{1,100}?)(?<=\S)\1(?![^\s).,;:!?])")
EMPHASIS_SIGNS = frozenset("*`_")
TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
WRAPPERS = (
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("“", "”"),
    ("‘", "’"),
    ('"', '"'),
    ("'", "'"),
    ("«", "»"),
)


@dataclass(frozen=True)
class Committed:
    """The part of a response that is judged."""

    text: str | None
    marked: bool = False
    """An explicit marker or sentence introduced it; if not, it is merely the last line."""
    reason: str = ""
    """Why there is no text."""


CUT_OFF = Committed(None, marked=True, reason="cut off")


def committed(response: str, *, line_marker: bool = True, rows: bool = False) -> Committed:
    """Return the text that the response commits to.

    ``line_marker=False`` ignores ``A:`` at a line's start, which is an option where A is a label; with ``rows=True`` an answer may be
    rows of numbers on lines of their own.
    """
    text = without_reasoning(response)
    if text is None:
        return Committed(None, reason="truncated reasoning")
    whole = len(text) <= MAX_TAIL
    text = narrow(visible(text[-MAX_TAIL:]))

    if markers := _last_markers(text, line_marker):
        return _behind(markers[-1], text, previous=markers[-2] if len(markers) > 1 else None, rows=rows)
    if sentence := _last_sentence(text):
        return _found(_lines_behind(text, sentence.end(), rows=rows), marked=True)
    text = text.rstrip()
    for closing in CLOSING_LINES:
        if text.endswith("\n" + closing):
            text = text.removesuffix(closing).rstrip()
    first, _, last = text.rpartition("\n")
    if not whole and not first:
        return Committed(None, reason="no answer")  # the beginning of this line was cut off
    return _found(last, marked=False)


def without_reasoning(response: str) -> str | None:
    """Drop the reasoning block and what follows the end of the turn; ``None`` if the reasoning was never closed."""
    start = 0
    for tag in REASONING_TAGS:
        closing = response.rfind(f"</{tag}>")
        if closing >= 0:
            start = max(start, closing + len(tag) + 3)
    if any(response.find(f"<{tag}>", start) >= 0 for tag in REASONING_TAGS):
        return None
    end = END_OF_TURN.search(response, start)
    return response[start : end.start() if end else None]


def undress(text: str) -> str:
    """Take off what surrounds an answer: emphasis, code ticks, quotes, math delimiters, check marks, the full stop."""
    for _ in range(6):  # **`$12$`** wears three layers; six are enough for anybody
        before = text
        text = text.strip()
        if len(text) <= MAX_EMPHASIZED and not EMPHASIS_SIGNS.isdisjoint(text):
            text = EMPHASIS.sub(r"\2", text)
        text = text.strip("*`")
        if text.startswith("_") and text.endswith("_"):
            text = text.strip("_")
        text = text.rstrip("_ ,;:\\")
        if not text.isascii():
            text = text.strip(DECORATION)
        if text.endswith((".", "。")) and not text.endswith(".."):
            text = text[:-1]
        for opening, closing in WRAPPERS:
            if text.startswith(opening) and text.endswith(closing):
                inner = text[len(opening) : -len(closing)]
                if inner and opening not in inner and closing not in inner:
                    text = inner
        if text.startswith("\\") and (command := TEXT_COMMAND.fullmatch(text)):
            text = command[1]
        if text == before:
            break
    return text


def without_reason(text: str) -> str:
    """Drop ", because …": what stands in a reason is not a second answer."""
    return REASON.sub("", text)


def _last_markers(text: str, line_marker: bool) -> list[re.Match[str]]:
    """Find the markers of the last line that has any. Answers stand at the end, so that is where the search begins."""
    end = len(text)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        if start < end:
            marks = [mark for mark in MARKER.finditer(text, start, end) if line_marker or mark.lastgroup != "line"]
            if marks:
                return marks
        end = start - 1
    return []


def _last_sentence(text: str) -> re.Match[str] | None:
    """Find the last "the answer is"."""
    sentences = list(SENTENCE.finditer(text))
    return sentences[-1] if sentences else None


def _behind(mark: re.Match[str], text: str, *, previous: re.Match[str] | None, rows: bool) -> Committed:
    """Read what the last marker introduces; ``previous`` is the marker before it on the same line."""
    match mark.lastgroup:
        case "box":
            box = _braced(text, mark.end())
            if box is None:
                return CUT_OFF
            before = _braced(text, previous.end()) if previous and previous.lastgroup == "box" else None
            if before and before[0] != box[0] and BETWEEN_BOXES.fullmatch(text, before[1], mark.start()):
                return Committed(None, marked=True, reason="two answers")
            return _found(box[0], marked=True)
        case "tag":
            closing = text.lower().find("</answer>", mark.end())
            return CUT_OFF if closing < 0 else _found(text[mark.end() : closing], marked=True)
        case "json":
            value = JSON_VALUE.match(text, mark.end())
            return _found(value[1] or value[2] or "", marked=True) if value else CUT_OFF
        case kind:
            behind = _lines_behind(text, mark.end(), rows=rows)
            sentence = _last_sentence(text[mark.end() :] if kind == "line" else behind)
            if sentence:
                behind = _lines_behind(sentence.string, sentence.end(), rows=rows)
            return _found(behind.removesuffix("</answer>"), marked=True)


def _found(text: str, *, marked: bool) -> Committed:
    if len(text) > MAX_ANSWER:
        return Committed(None, marked, reason="too long")
    answer = undress(text)
    return Committed(answer, marked) if answer else Committed(None, marked, reason="no answer")


def _braced(text: str, start: int) -> tuple[str, int] | None:
    """Return the contents of the braces that open at ``start`` and where they end; ``None`` if they never close."""
    opening = start + len(text[start:]) - len(text[start:].lstrip(" "))
    if not text.startswith("{", opening):
        return None
    depth = 0
    for brace in BRACE.finditer(text, opening):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[opening + 1 : brace.start()], brace.end()
    return None


def _lines_behind(text: str, start: int, *, rows: bool = False) -> str:
    """Return the rest of the marker's line, or the next line that is not blank.

    A code fence, display mathematics, an environment or a bracket that opens there runs on to where it closes.
    """
    taken = ""
    is_row = False  # the first line taken is a row of numbers, and rows may follow
    for line in text[start:].split("\n", MAX_ANSWER_LINES)[:MAX_ANSWER_LINES]:
        if FENCE.match(line):
            if taken:
                break
        elif taken:
            if not (is_row and _is_row(line)) and not _open(taken):
                break
            taken += "\n" + line
        elif line.strip(" \t*_:"):
            taken = line
            is_row = rows and _is_row(line)
    return taken


def _is_row(line: str) -> bool:
    return bool(line.strip()) and ROW_SIGNS.issuperset(line)


def _open(text: str) -> bool:
    """Whether display mathematics, an environment or a list of rows was opened and is not closed yet."""
    head = text.partition("\n")[0].strip()
    is_list = head in ("[", "{", "(") or OPEN_LIST.search(head) is not None
    return (
        text.count("$$") % 2 == 1
        or text.count(r"\[") > text.count(r"\]")
        or text.count(r"\begin") > text.count(r"\end")
        or (is_list and sum(map(text.count, "[{(")) > sum(map(text.count, "]})")))
    )
