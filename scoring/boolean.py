"""Verdicts: ``{type: boolean, target: true}``.

Every word of judgement in the text (yes, false, valid, follows, …), turned round by the negations before it, must say the same: "not
invalid" is true, "Yes, it is false" is nothing. A hedge ("not necessarily", "probably") is no verdict either.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import Committed, committed, without_reason
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ()
MAX_BARE_WORDS = 6  # a last line without a marker that is longer tells a story, not a verdict

JUDGEMENTS = {
    **dict.fromkeys(
        str.split("yes yeah yep true correct valid right follows follow holds hold conclude concluded sound"), True
    ),
    **dict.fromkeys(str.split("false incorrect invalid wrong untrue unsound"), False),
}
NEGATIONS = frozenset(str.split("not no never cannot neither nor without"))
HEDGES = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|likely|unlikely|might|may|could be|depends|unclear|unknown|uncertain|unsure|not sure|"
    r"(?:not|n't) (?:necessarily|always|enough)|(?:cannot|can't|can not|impossible to) (?:be )?(?:determine|know|say|tell)|"
    r"(?:not|n't) (?:entirely|completely|exactly|quite|really)|half|mostly|mainly|largely|somewhat|almost|"
    r"or not|neither|undetermined|indeterminate|either|partly|partially|sometimes)"
)
# A negation holds on behind them: "not (strictly) valid".
ASIDE = re.compile(r"\([^()]*\)|[–—][^–—]*[–—]")
CLAUSE_END = re.compile(r"[,.;:!?/\n()–—→]|\b(?:but|and|or|so|therefore)\b")
WORD = re.compile(r"[a-z]+(?:'t)?")
NO_DOUBT = re.compile(r"\b(?:no|without(?: a| any)?) (?:doubt|question)\b")
ALONE = {"t": True, "f": False, "y": True, "n": False, "no": False, "nope": False, "no way": False}
NOT_ALWAYS = re.compile(r"\bnot (?:necessarily|always)\b")  # a hedge alone, and behind "No" the same once more
# "No cats have tails" opens with no verdict.
OPENING = re.compile(
    r"(yes|yeah|yep|no|nope)\b(?=\s*(?:$|[-,.;:!(–—→⇒=…]|(?:it|this|that|the|we|they|he|she|you|and|or)\b))"
)


@dataclass(frozen=True)
class Spec:
    """The right verdict."""

    target: bool


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is neither true nor false.
    """
    target = answer.get("target")
    spoken = {"true": True, "yes": True, "false": False, "no": False}
    if not isinstance(target, bool) and str(target).lower() not in spoken:
        raise AnswerSpecError(f"The target of a boolean answer must be true or false, not {target!r}.")
    return Spec(target if isinstance(target, bool) else spoken[str(target).lower()])


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> bool:
    """Return the one verdict that the text gives."""
    text = (found.text or "").casefold().replace("’", "'").strip(" .!*\"'()[]")
    if not found.marked and len(text.split()) > MAX_BARE_WORDS:
        raise Unreadable("no verdict")
    if text in ALONE:
        return ALONE[text]
    text = NO_DOUBT.sub("", without_reason(text))
    verdicts = set()
    opening = OPENING.match(text)
    if opening:
        verdicts.add(opening[1] in ("yes", "yeah", "yep"))
        text = text[opening.end() :]
    # Behind "No, " may stand a story with a "might" in it; behind nothing, or in two words, it is a hedge.
    hedge = HEDGES.search(NOT_ALWAYS.sub("", text) if verdicts == {False} else text)
    if hedge and not (opening and len(text.split()) > 3):
        raise Unreadable("hedged")
    for clause in [*ASIDE.findall(text), *CLAUSE_END.split(ASIDE.sub(" ", text))]:
        verdicts |= {False} if clause.strip() in ("no", "nope") else _verdicts(clause)
    if len(verdicts) != 1:
        raise Unreadable("two answers" if verdicts else "no verdict")
    return verdicts.pop()


def compare(verdict: bool, spec: Spec) -> Verdict:
    """Accept the target's verdict."""
    return Verdict.of(verdict == spec.target)


def _verdicts(clause: str) -> set[bool]:
    """The judgements of one clause, each turned round by every negation before it."""
    found, positive = set(), True
    for word in WORD.findall(clause):
        if word in NEGATIONS or word.endswith("n't"):
            positive = not positive
        elif word in JUDGEMENTS:
            found.add(JUDGEMENTS[word] == positive)
    return found
