"""Questions that cannot be answered: ``{type: abstain, target: UNKNOWN}``.

Right is a committed refusal: the target's own word or one of the phrases below, at the start of the answer and with no answer behind
it. "42 (unknown reliability)" and "Not sure, but probably 42" answer after all. Behind the target's own word a number may stand where
it is said why: "UNKNOWN (the price of the 14 erasers is not given)". Silence is not abstention.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import Committed, committed
from qbench.scoring.text import normal
from qbench.scoring.verdict import Verdict

FIELDS = ()

KNOW = r"(?:know|say|said|tell|told|answer|determin|conclu|infer|establish|comput|calculat|decid|find|found|identif|verif)\w*"
NOT = r"(?:not|never|[a-z]+n't)"
# "The unknown x is 5" speaks of an unknown and declines nothing.
NO_NOUN = r"(?=$| ?[-.,;:!(]| (?:to (?:me|us|anyone)|from|based|given|because|since|as|for|in|at|whether|how|what|who|due|without)\b)"
WAYS_TO_DECLINE = (
    rf"(?:un(?:known|knowable|determined|answerable|decidable|specified|defined|clear|sure|certain)|indeterminate){NO_NOUN}",
    rf"insufficient(?: to\b|{NO_NOUN})|n/a{NO_NOUN}",
    rf"(?:cannot|can't|can not|could not|couldn't) (?:be )?{KNOW}",
    rf"(?:{NOT} (?:have |provide |give |contain |include )?(?:enough|sufficient|adequate)|insufficient|inadequate) (?:\w+ )?"
    r"(?:information|data|evidence|context|details?|facts)",
    r"(?:do|does|did)(?: not|n't) (?:know|say|state|mention|specify|tell|exist|give (?:this|that|the|any|enough))",
    r"never (?:says|states|mentions|specifies|tells)",
    rf"(?:impossible|{NOT} possible|no way|unable) (?:for me )?to {KNOW}",
    rf"{NOT} (?:explicitly )?(?:stated|specified|mentioned|given|provided|known|told|said|available|applicable)",
    rf"{NOT} (?:explicitly )?(?:determinable|answerable|clear|sure|certain)",
    r"not (?:aware|familiar)",
    r"no (?:such|information|data|record|evidence|idea|clue|(?:definite |clear )?answer)",
    r"nobody knows",
)
SORRY = r"(?:(?:(?:(?:i'm|i am) )?(?:sorry|afraid)|as an? (?:ai|language)[a-z ]{0,20}|unfortunately)[,.]? (?:but )?)?"
SUBJECT = r"(?:(?!not\b|never\b|but\b|or\b)[^\W\d]['\w]* ){0,8}?"
ABSTENTION = re.compile(rf"{SORRY}{SUBJECT}(?:{'|'.join(WAYS_TO_DECLINE)})\b")
OFFER = (
    r"\b(?:but|however|although|though|probably|likely|perhaps|maybe|guess|think|believe|estimate|around)\b"
    r"|\bso(?! (?:i|we|it|the|there|this|that|no|nobody)\b)"
    r"|\b(?:it|he|she) (?:is|was|must be)(?= \w)(?! (?:not|never|un|in|im|\w+n't))"
)
ANSWERED_AFTER_ALL = re.compile(rf"\d|\bor\b|{OFFER}")
# Where a reason may name numbers, only a clause that is nothing else is a value: "as it is not given, 12".
OFFERED = re.compile(rf"{OFFER}|^ ?[^a-z]*\d[^a-z]*(?:[a-z]+ ?)?$")
# What may stand behind the target's own word.
COMMENT = re.compile(r"[\"']? ?[-.,;:!(]|(?= (?:because|since|as|given|due|without)\b)")
CLAUSE = re.compile(r"[;()]|[,.:](?=\s|$)| -+ |(?= (?:but|however|although|though)\b)")
REASON = re.compile(r"\W*(?:because|since|given|due|without|as (?:all|each|it|no|the|there|they|this|we|he|she)\b)")
DECLINES = re.compile(rf"\b(?:{'|'.join(WAYS_TO_DECLINE)}|only {KNOW}|depends?|missing|hidden|omitted|left out)\b")
POSSIBLE = re.compile(r"\b(?:could|can|may|might) (?:\w+ )?(?:be|have) (?:any\b|.{0,80}\bor\b)")


@dataclass(frozen=True)
class Spec:
    """The word that the prompt asks for where there is no answer."""

    target: str


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no text.
    """
    target = answer.get("target")
    if not isinstance(target, str) or not normal(target):
        raise AnswerSpecError(f"The target of an abstention must be the word that the prompt asks for, not {target!r}.")
    return Spec(normal(target))


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> bool:
    """Return whether the text declines to answer."""
    text = normal(found.text or "")
    if text == spec.target:
        return True
    if text.startswith(spec.target) and (comment := COMMENT.match(text, len(spec.target))):
        return not _answers(text[comment.end() :])
    refusal = ABSTENTION.match(text)
    return refusal is not None and not ANSWERED_AFTER_ALL.search(text, refusal.end())


def compare(abstained: bool, spec: Spec) -> Verdict:
    """Accept abstention."""
    return Verdict.of(abstained, "answered what has no answer")


def _answers(comment: str) -> bool:
    """Whether a comment on "UNKNOWN" answers after all: in a clause that is no reason, declines nothing and does not leave several open."""
    explained = False
    for clause in CLAUSE.split(comment):
        begins = REASON.match(clause) is not None
        declines = DECLINES.search(clause)
        explained = explained or begins
        if declines:
            answers = OFFERED.search(clause, declines.end())
        elif begins or POSSIBLE.search(clause):
            continue
        else:
            answers = (OFFERED if explained else ANSWERED_AFTER_ALL).search(clause)
        if answers:
            return True
    return False
