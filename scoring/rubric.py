"""Open answers: ``{type: rubric, checks: [{words: {at_least: 60}}, {mentions: [tier, [churn, retention]]}, {not_degenerate: {}}]}``.

Every check is deterministic and gives a score from 0 to 1; `qbench.scoring.checks` lists them. Some ask what a text says (`CONTENT`), the
others how it is written. The score of the response is the mean of the former times the mean of the latter, so that a fluent text about
something else earns nothing; it is correct if every check is satisfied. There is no marker to look for: the whole response, without
reasoning, is the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from qbench.errors import AnswerSpecError, did_you_mean
from qbench.scoring.checks import CHECKS, Check
from qbench.scoring.extract import Committed, without_reasoning
from qbench.scoring.plain import visible
from qbench.scoring.prose import MAX_TEXT, Prose
from qbench.scoring.verdict import Verdict

FIELDS = ("checks",)
CONTENT = {"mentions", "order", "fields"}
MAX_LINES = 1_000  # of a response that are looked at


@dataclass(frozen=True)
class Spec:
    """The checks by name; the second of one kind is called ``mentions 2``."""

    checks: Mapping[str, Check]


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: there are no checks, or one is unknown or has options that it cannot read.
    """
    entries = answer.get("checks")
    if not isinstance(entries, list) or not entries:
        raise AnswerSpecError("A rubric needs a list of checks, such as {words: {at_least: 60}}.")
    checks: dict[str, Check] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise AnswerSpecError(f"A check is a mapping with one key that names it, not {entry!r}.")
        ((name, options),) = entry.items()
        if name not in CHECKS:
            raise AnswerSpecError(
                f"There is no check {name!r}.{did_you_mean(str(name), CHECKS)} Known: {', '.join(CHECKS)}."
            )
        try:
            check = CHECKS[name](options)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise AnswerSpecError(f"The check {name!r} cannot read its options {options!r} ({error}).") from None
        earlier = sum(_kind(other) == name for other in checks)
        checks[f"{name} {earlier + 1}" if earlier else name] = check
    return Spec(checks)


def extract(response: str, spec: Spec) -> Committed:
    """Return the whole response without its reasoning."""
    text = without_reasoning(response)
    if text is None:
        return Committed(None, reason="truncated reasoning")
    text = "\n".join(visible(text[:MAX_TEXT]).strip().split("\n", MAX_LINES)[:MAX_LINES])
    return Committed(text, marked=True) if text else Committed(None, reason="no answer")


def parse(found: Committed, spec: Spec) -> Prose:
    """Return the text, ready to be counted."""
    return Prose(found.text or "")


def compare(prose: Prose, spec: Spec) -> Verdict:
    """Score every check."""
    scores = {name: check(prose) for name, check in spec.checks.items()}
    failed = [name for name, score in scores.items() if score < 1]
    reason = f"unsatisfied: {', '.join(failed)}" if failed else "match"
    content = [score for name, score in scores.items() if _kind(name) in CONTENT]
    writing = [score for name, score in scores.items() if _kind(name) not in CONTENT]
    score = fmean(content or [1.0]) * fmean(writing or [1.0])
    return Verdict(not failed, True, score, reason=reason, details=scores)


def _kind(name: str) -> str:
    """The check behind a name: ``mentions`` behind ``mentions 2``."""
    return name.split(" ")[0]
