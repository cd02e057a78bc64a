"""Lettered options in a generated response: ``{type: choice, target: B, labels: [A, B, C, D], options: {A: Paris, B: London, …}}``.

Right are the label alone in any dress (``(b)``, ``**B.**``, ``Option B``), the label with its own option ("B: London"), and the option
alone. Two labels, a negated label, or a label with another option's text are misses. A reason may follow the label after punctuation
or "because", as long as it names no other label or option.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import Committed, committed, undress
from qbench.scoring.plain import plain
from qbench.scoring.text import normal
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("labels", "options")

LEAD_IN = re.compile(
    r"(?:(?:so|thus|therefore),? )?(?:i (?:think|choose|pick|select|would (?:choose|pick|say))|it is|it's|it must be)?(?: that)? ?"
    r"(?:the )?(?:(?:correct|right|best|final) )?(?:answer|option|choice|letter)?(?: (?:is|would be))?[ :]*",
    re.IGNORECASE,
)
BARE_LEAD_IN = re.compile(r"(?:option|choice|letter) ?", re.IGNORECASE)
TAIL = re.compile(
    r",? (?:because|since|as|is (?:the )?(?:correct|right|best|true)(?: (?:answer|option|choice|one))?)\b",
    re.IGNORECASE,
)
RETRACTION = re.compile(
    r"\b(?:not|no|nor|neither|wait|actually|or|both|wrong|incorrect|isn't|maybe|perhaps)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Spec:
    """The right label among all labels."""

    target: str
    labels: tuple[str, ...]
    options: Mapping[str, str]
    """Normalized option text -> label; empty if the options are not known."""
    label: re.Pattern[str]
    """One label at the start of a text, bracketed or not."""
    named: re.Pattern[str]
    """A label anywhere in a text, written as such: not the article in "a city"."""


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the labels are missing, or the target is none of them.
    """
    options = answer.get("options") or {}
    labels = tuple(str(label) for label in answer.get("labels") or options)
    target = str(answer.get("target"))
    if target not in labels:
        raise AnswerSpecError(f"The target {target!r} of a choice is none of its labels {list(labels)}.")
    any_label = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return Spec(
        target,
        labels,
        {normal(str(text)): str(label) for label, text in options.items()},
        re.compile(rf"[(\[]?(?P<label>{any_label})(?![\w'])(?P<close>[)\].:,;-]*)", re.IGNORECASE),
        re.compile(rf"(?<!\w)(?:{any_label})(?![\w'])(?! [a-z])"),
    )


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line. A line "A: Paris" is an option, no marker."""
    return committed(response, line_marker="A" not in spec.labels)


def parse(found: Committed, spec: Spec) -> str:
    """Return the one label that the text names."""
    text = plain(found.text or "")
    if label := spec.options.get(normal(text)):
        return label
    lead = (LEAD_IN if found.marked else BARE_LEAD_IN).match(text)
    if lead and not spec.label.fullmatch(text):
        text = undress(text[lead.end() :])
    if label := spec.options.get(normal(text)):
        return label
    match = spec.label.match(text)
    if match is None:
        raise Unreadable("negated label" if RETRACTION.match(text) else "no label")
    label = next(label for label in spec.labels if label.casefold() == match["label"].casefold())
    rest = text[match.end() :].strip()
    if rest:
        _check_rest(label, rest, spec, spaced=not match["close"], marked=found.marked)
    return label


def compare(label: str, spec: Spec) -> Verdict:
    """Accept the target's label."""
    return Verdict.of(label == spec.target, "wrong label")


def _check_rest(label: str, rest: str, spec: Spec, *, spaced: bool, marked: bool) -> None:
    """Accept the label's own option or, behind a marker, a reason that names no other label or option."""
    option = spec.options.get(normal(rest.lstrip("-–—: ")))
    if option == label:
        return
    if option is not None:
        raise Unreadable("label and option disagree")
    reason = TAIL.match(f" {rest}")
    if not marked or (spaced and reason is None):
        raise Unreadable("two labels" if spec.named.search(rest) else "no label")
    if spec.named.search(rest) or (reason is None and RETRACTION.search(rest)):
        raise Unreadable("two labels")
    if any(other != label and text in normal(rest) for text, other in spec.options.items()):
        raise Unreadable("label and option disagree")
