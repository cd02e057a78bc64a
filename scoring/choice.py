"""Lettered options in a generated response: ``{type: choice, target: B, labels: [A, B, C, D], options: {A: Paris, B: London, …}}``.

Right are the label alone in any dress (``(b)``, ``**B.**``, ``Option B``), the label with its own option ("B: London", "London (B)"),
and the option alone. Two labels, a negated label, or a label with another option's text are misses. A reason may follow the label after
punctuation or "because", as long as it names no other label or option. What is both a label and the text of another option is the label.
With ``noun: bag`` the label may also stand behind that word: "Bag B", "The bag with the best chance is B".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import Committed, committed, undress
from qbench.scoring.plain import plain
from qbench.scoring.text import normal
from qbench.scoring.tolerance import texts
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("labels", "options", "noun")

LEAD_IN = (
    r"(?:(?:so|thus|therefore|clearly|definitely|certainly|obviously|only),? )?"
    r"(?:(?:i|i'd|we|i would) (?:think|believe|choose|pick|select|say|go with)(?: that)? ?)?(?:it is|it's|it must be|must be|there is)? ?"
    r"(?:the (?!wrong|worst|worse|other|second|least)(?:[a-z]+ )?{noun} (?:(?:with|that|which|of) (?:[^\s.!?]+ ){{1,6}}?)?"
    r"(?:is|would be|must be):? )?"
    r"(?:(?:the |my )?(?:(?:correct|right|best|final) )?(?:answer|option|choice|letter|{noun})(?: (?:is|would be|must be))?)?[ :]*"
)
BARE_LEAD_IN = r"(?:(?:the )?(?:correct|right|best|final) )?(?:option|choice|letter|{noun}):? ?"
TAIL = re.compile(
    r",? (?:because|since|as|with|at|is (?:the )?(?:correct|right|best|true)(?: (?:answer|option|choice|one))?|for sure|only)\b",
    re.IGNORECASE,
)
REMARK = re.compile(r"\([^()]*\)")
SIGNS = ("-", "=", "→", "≈")  # between a label and what is said of it: B = 0.79
WITH_LABEL = r",? (?:which is |that is )?[(\[]?(?:option |choice |answer )?[(\[]?(?P<label>{})[)\]]?"
AROUND_SIGN = re.compile(r" ?([-=+*/<>^,()]) ?")
ITSELF = re.compile(r"[-–—:=→ ]*(?:is )?")  # between a label and its option
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
    lead_in: re.Pattern[str]
    """What may stand before a label behind a marker."""
    bare_lead_in: re.Pattern[str]
    """What may stand before a label without a marker."""
    option: re.Pattern[str]
    """An option at the start of a text, and what may follow it: its label, or that it is correct."""

    def spelled(self, label: str) -> str:
        """The label as the spec writes it."""
        return next(own for own in self.labels if own.casefold() == label.casefold())


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the labels are missing, or the target is none of them.
    """
    options = answer.get("options") or {}
    if not isinstance(options, Mapping):
        raise AnswerSpecError(f"options is {options!r}; it must map each label to its text.")
    labels = texts(answer, "labels") or tuple(map(str, options))
    target = str(answer.get("target"))
    if target not in labels:
        raise AnswerSpecError(f"The target {target!r} of a choice is none of its labels {list(labels)}.")
    said = {
        normal(str(text)): str(label) for label, text in options.items() if text
    }  # fewer options leave labels without text
    any_label, any_text = _any_of(labels), _any_of(said)
    noun = re.escape(str(answer["noun"])) if answer.get("noun") else "(?!)"
    return Spec(
        target,
        labels,
        said | {_squeezed(text): label for text, label in said.items() if _squeezed(text) not in said},
        re.compile(rf"[(\[{{]?(?P<label>{any_label})(?![\w'])(?P<close>[)\]}}.:,;!-]*)", re.IGNORECASE),
        re.compile(rf"(?<!\w)(?:{any_label})(?![\w'])(?! [a-z])"),
        re.compile(LEAD_IN.format(noun=noun), re.IGNORECASE),
        re.compile(BARE_LEAD_IN.format(noun=noun), re.IGNORECASE),
        re.compile(
            rf"(?P<option>{any_text})[\"'.*]*(?:{WITH_LABEL.format(any_label)}|{TAIL.pattern})[.!]?", re.IGNORECASE
        ),
    )


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line. A line "A: Paris" is an option, no marker."""
    return committed(response, line_marker="A" not in spec.labels)


def parse(found: Committed, spec: Spec) -> str:
    """Return the one label that the text names."""
    text = plain(found.text or "")
    lead = (spec.lead_in if found.marked else spec.bare_lead_in).match(text)
    for said in (text, undress(text[lead.end() :]) if lead else text):
        if bare := spec.label.fullmatch(said):
            return spec.spelled(bare["label"])
        if label := spec.options.get(normal(said)) or spec.options.get(_squeezed(said)):
            return label
        text = said
    if whole := spec.option.fullmatch(text):
        label = spec.options[normal(whole["option"])]
        if whole["label"] and spec.spelled(whole["label"]) != label:
            raise Unreadable("label and option disagree")
        return label
    match = spec.label.match(text)
    if match is None:
        raise Unreadable("negated label" if RETRACTION.match(text) else "no label")
    label = spec.spelled(match["label"])
    behind = text[match.end() :].strip()
    if rest := behind.strip(" -"):
        spaced = not match["close"] and not behind.startswith(SIGNS)
        _check_rest(label, rest, spec, spaced=spaced, marked=found.marked)
    return label


def compare(label: str, spec: Spec) -> Verdict:
    """Accept the target's label."""
    return Verdict.of(label == spec.target, "wrong label")


def _check_rest(label: str, rest: str, spec: Spec, *, spaced: bool, marked: bool) -> None:
    """Accept the label's own option or, behind a marker, a reason that names no other label or option."""
    itself = ITSELF.match(rest)
    option = spec.options.get(normal(rest[itself.end() :] if itself else rest))
    if option == label:
        return
    if option is not None:
        raise Unreadable("label and option disagree")
    reason = TAIL.match(f" {rest}") or REMARK.fullmatch(rest)
    if not marked or (spaced and reason is None):
        raise Unreadable("two labels" if spec.named.search(rest) else "no label")
    if spec.named.search(rest) or ((reason is None or reason.re is REMARK) and RETRACTION.search(rest)):
        raise Unreadable("two labels")
    if any(other != label and text in normal(rest) for text, other in spec.options.items()):
        raise Unreadable("label and option disagree")


def _any_of(texts: Iterable[str]) -> str:
    """The longest first, so that "red" does not hide "red car"; nothing matches if there is none."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)) or "(?!)"


def _squeezed(text: str) -> str:
    """x = 3 and x=3 are one option, 13 and 1 3 are not."""
    return AROUND_SIGN.sub(r"\1", plain(text).casefold())
